"""Killed, crowded, full, read-only: afterwards the log is what it would have been without that."""

import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import MODEL, Bench, events
from nursery import forked

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import Ingested, ingest
from aiops_wb.log.store import open_store

pytestmark = pytest.mark.usefixtures("databases_of_their_own")

INGEST = """
import sys
from datetime import UTC, datetime
from aiops_wb.log.ingest import ingest
from aiops_wb.log.store import open_store
print("ready", flush=True)
sys.stdin.readline()
with open_store(sys.argv[1], "child") as store:
    taken = ingest(store, datetime(2026, 3, 20, tzinfo=UTC), "child", chunk_rows=400)
    store.publish()
print(taken.loaded, flush=True)
"""


def ingesting(data):
    "The same in a process that need not import."
    with open_store(data, "child") as store:
        ingest(store, datetime(2026, 3, 20, tzinfo=UTC), "child", chunk_rows=400)
        store.publish()


def start(bench):
    child = subprocess.Popen(
        [sys.executable, "-c", INGEST, str(bench.data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    return child


def state(bench):
    with bench.store() as store:
        named = {bench.data / p for p in store.frame("SELECT path FROM data_files").path}
        assert named == set((bench.data / "log").rglob("*.parquet"))
        rows = store.frame(
            "SELECT kind, sum(rows)::INT AS n FROM data_files GROUP BY kind ORDER BY kind"
        )
        return dict(zip(rows.kind, rows.n)), store.score_counts(MODEL)


@pytest.fixture
def delivered(bench):
    "1,200 predictions in 12 segments and all their labels, not ingested."
    frame = events(days=12, per_day=100)
    for _, rows in frame.groupby("day"):
        bench.log(rows)
        bench.label(rows)
    return bench


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("calm"))
    frame = events(days=12, per_day=100)
    bench.log(frame)
    bench.label(frame)
    bench.ingest()
    return state(bench)


def test_kill_9_at_any_moment_loses_nothing_and_counts_nothing_twice(delivered, undisturbed):
    """The child is killed at growing delays, until one run finishes; every interruption leaves a
    catalog that opens."""
    kills = 0
    for delay in [0.0, 0.02, *(0.06 * k for k in range(1, 20))]:
        child = forked(ingesting, delivered.data)
        time.sleep(delay)
        child.kill()
        child.join()
        if child.exitcode == 0:
            break
        kills += 1
        assert child.exitcode == -signal.SIGKILL
    else:
        ingesting(delivered.data)
    assert kills >= 3
    assert state(delivered) == undisturbed
    with open_snapshot(delivered.data) as log:
        assert log.frame(
            "SELECT count(*) AS n, count(actual_fraud_detected) AS y FROM noc_fraud_prediction_log"
        ).values.tolist() == [[1200, 1200]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_random_moments(delivered, undisturbed, seed):
    "Up to 30 kills at random moments of a run, with deliveries repeated in between."
    import random

    rng = random.Random(seed)
    frame = events(days=12, per_day=100)
    for _ in range(30):
        child = forked(ingesting, delivered.data)
        time.sleep(rng.uniform(0, 0.9))
        child.kill()
        child.join()
        if rng.random() < 0.3:
            delivered.log(frame.sample(200, random_state=rng.randrange(1000)))
            delivered.label(frame.sample(200, random_state=rng.randrange(1000)))
        if child.exitcode == 0:
            break
    delivered.ingest()
    assert state(delivered) == undisturbed


@pytest.mark.parametrize(
    "moment",
    [
        "aiops_wb.log.ingest.write_day_files",
        "aiops_wb.log.store.Store.commit_batch",
        "aiops_wb.log.store.Store._recount_days",
        "pathlib.Path.unlink",
    ],
)
def test_a_failure_at_each_step_is_taken_up_again(delivered, undisturbed, monkeypatch, moment):
    "Before the files, before the transaction, inside it, after it."
    with monkeypatch.context() as broken:
        broken.setattr(moment, lambda *a, **k: (_ for _ in ()).throw(MemoryError("no more")))
        with pytest.raises(MemoryError):
            delivered.ingest()
    delivered.ingest()
    assert state(delivered) == undisturbed


def test_two_ingests_at_once(delivered, undisturbed):
    children = [start(delivered) for _ in range(3)]
    for c in children:
        c.stdin.write("\n")
        c.stdin.flush()
    ended = [c.communicate() + (c.returncode,) for c in children]
    assert any(code == 0 for *_, code in ended)
    assert all(code == 0 or "Busy" in err for _, err, code in ended)
    delivered.ingest()
    assert state(delivered) == undisturbed


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(delivered, undisturbed):
    "No file may grow beyond 6 kB in the child: its first write fails as on a full disk."
    with delivered.store():
        pass
    limit = f"""import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
{INGEST}"""
    child = subprocess.run(
        [sys.executable, "-B", "-c", limit, str(delivered.data)],
        input="\n",
        capture_output=True,
        text=True,
    )
    assert child.returncode != 0
    delivered.ingest()
    assert state(delivered) == undisturbed


def test_a_full_disk_through_the_command(delivered, undisturbed):
    code = f"""import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from aiops_wb.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, {resource.RLIM_INFINITY}))
sys.exit(main(["ingest", "--data", {str(delivered.data)!r}]))"""
    with delivered.store():
        pass
    command = [sys.executable, "-B", "-c", code]  # no half-written bytecode is to stay
    child = subprocess.run(command, capture_output=True, text=True)
    assert (
        child.returncode == 1
        and child.stderr.startswith("aiops-wb: ")
        and "Traceback" not in child.stderr
    )
    assert delivered.ingest().loaded == 2400
    assert state(delivered) == undisturbed


def test_a_catalog_that_somebody_holds_open_is_one_sentence(delivered, undisturbed):
    with delivered.store():
        pass
    hold = f"""import duckdb, sys
con = duckdb.connect({str(delivered.data / "catalog.duckdb")!r})
print("held", flush=True)
sys.stdin.readline()"""
    child = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    done = subprocess.run(
        [Path(sys.executable).parent / "aiops-wb", "ingest", "--data", delivered.data],
        capture_output=True,
        text=True,
    )
    child.communicate("\n")
    assert (
        done.returncode == 1
        and done.stderr.startswith("aiops-wb: ")
        and done.stderr.count("\n") == 1
        and "lock" in done.stderr
    )
    delivered.ingest()
    assert state(delivered) == undisturbed


def test_a_read_only_folder_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, "Permission denied")),
    )
    with (
        pytest.raises(StoreError, match="cannot be written: Permission denied"),
        open_store(tmp_path / "data", "test"),
    ):
        pass


def test_what_an_interrupted_writer_left_is_removed(bench):
    bench.log(events(days=1))
    bench.ingest()
    with bench.store() as store:
        store.begin_files(2, [bench.data])
    stray = [
        bench.data / "log" / "predictions" / "event_date=2026-03-01" / "b00000002-0000.parquet",
        bench.data / "tmp" / "batch-9" / "x.parquet",
        bench.data / "snapshots" / "aiops-1.tmp",
        bench.data / ".aiops-abc",
    ]
    for path in stray:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with bench.store() as store:
        assert store.score_counts(MODEL)
    assert not any(p.exists() for p in stray)


def test_unfinished_segments_are_left_alone(bench):
    folder = bench.data / "spool" / "predictions"
    folder.mkdir(parents=True)
    (folder / ".0190.parquet.tmp").write_bytes(b"half")
    assert bench.ingest(datetime(2026, 3, 20, tzinfo=UTC)) == Ingested()
    assert (folder / ".0190.parquet.tmp").exists()
