"""What a dead process left goes in once, whole lines only, and what is odd is said."""

import os
import random
import subprocess
import sys
import time
from zlib import crc32

import duckdb
import pytest
from conftest import MODEL, events, few
from test_formats import damaged

from aiops_wb.log import leftovers
from aiops_wb.log.ingest import Ingested
from aiops_wb.log.leftovers import finish_leftovers
from aiops_wb.log.open_file import OpenFile, locked, read
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

AT = "2026-03-01T12:00:00+01:00"


def left_by_a_dead_process(bench, ids, label=False):
    "The open file of a logger whose process is gone: its lock is let go."
    log = PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    for one in ids:
        log.log(0.5, AT, prediction_id=one, features={"x": 1.0})
    log.secure()
    log._rows._disk._file.let_go()
    path = log._rows._disk._file.path
    log._rows.reborn()  # as in a process that never had these rows
    if label:
        labels = OutcomeLogger(bench.data / "spool", "s", flush_seconds=None)
        for one in ids:
            labels.log(one, 1, AT)
        labels.secure()
        labels._rows._disk._file.let_go()
        labels._rows.reborn()
    return path


def stored(bench, kind="predictions"):
    "An independent count: ids in the log's own files."
    files = list((bench.data / "log" / kind).rglob("*.parquet"))
    found = [
        one
        for path in files
        for (one,) in duckdb.execute(
            "SELECT prediction_id FROM read_parquet(?)", [str(path)]
        ).fetchall()
    ]
    return sorted(found)


def test_ingest_takes_what_dead_processes_left(bench):
    path = left_by_a_dead_process(bench, ["a", "b"], label=True)
    assert bench.ingest() == Ingested(loaded=4)
    assert stored(bench) == stored(bench, "outcomes") == ["a", "b"]
    assert not path.exists() and bench.ingest() == Ingested()


def test_ingest_leaves_the_living_alone(bench):
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log(0.5, AT, prediction_id="a")
        log.secure()
        assert bench.ingest() == Ingested()
    assert bench.ingest() == Ingested(loaded=1)


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_left_out_and_said(bench, cut):
    path = left_by_a_dead_process(bench, ["a", "b"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    taken = bench.ingest()
    assert taken.loaded == 1 and stored(bench) == ["a"]
    assert path.name in taken.notes[0] and taken.notes[0] in str(taken)
    assert not path.exists()


def test_a_torn_line_of_zeros_is_torn_too(bench):
    path = left_by_a_dead_process(bench, ["a", "b"])
    with open(path, "ab") as handle:
        handle.write(b"\0" * 300 + b"\n" + b"\0" * 9)
    taken = bench.ingest()
    assert taken.loaded == 2 and "310 bytes" in taken.notes[0]


def test_a_damaged_line_costs_itself_and_is_kept(bench):
    path = left_by_a_dead_process(bench, ["a", "b", "c"])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"b"', b'"B"')
    path.write_bytes(b"".join(lines))
    taken = bench.ingest()
    assert taken.loaded == 2 and stored(bench) == ["a", "c"]
    assert "1 line" in taken.notes[0]
    assert path.with_suffix(".damaged").read_bytes() == b"".join(lines)
    assert bench.ingest() == Ingested()


def checked(text):
    return b"%08x %s\n" % (crc32(text), text)


@pytest.mark.parametrize(
    "content",
    [
        b"no checksum at all\n" * 3,
        checked(b'["a",1,0.5]'),
        checked(b'{"format":99,"kind":"predictions"}') + checked(b"[1]"),
        checked(b'{"format":1,"kind":"predictions"}') + checked(b"[1]"),
        checked(b'{"format":1,"kind":"other","constant":{},"columns":[]}') + checked(b"[1]"),
        checked(b'{"format":1}') + checked(b"not json"),
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_a_strange_file_stops_nothing(bench, content):
    folder = bench.data / "spool" / "predictions"
    folder.mkdir(parents=True)
    (folder / ".strange.open").write_bytes(content)
    left_by_a_dead_process(bench, ["a"])
    taken = bench.ingest()
    assert taken.loaded == 1 and bool(taken.notes) == bool(content)
    assert all("\n" not in note for note in taken.notes)
    assert not (folder / ".strange.open").exists()
    assert bench.ingest() == Ingested()


def test_only_regular_files_are_opened(bench, tmp_path):
    folder = bench.data / "spool" / "predictions"
    folder.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("somebody's\n")
    (folder / ".link.open").symlink_to(secret)
    os.mkfifo(folder / ".pipe.open")
    (folder / ".folder.open").mkdir()
    assert bench.ingest() == Ingested()
    assert secret.read_text() == "somebody's\n" and len(list(folder.iterdir())) == 3


def test_a_full_disk_leaves_the_file_for_the_next_time(bench, monkeypatch):
    path = left_by_a_dead_process(bench, ["a"])
    with monkeypatch.context() as broken:
        broken.setattr(
            leftovers, "write_rows", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
        taken = bench.ingest()
    assert taken.loaded == 0 and "stays" in taken.notes[0] and path.exists()
    assert bench.ingest() == Ingested(loaded=1)


@pytest.mark.parametrize(
    "moment",
    [
        "aiops_wb.log.segment.fsync",
        "pathlib.Path.rename",
        "pathlib.Path.unlink",
        "aiops_wb.log.ingest.from_spool",
        "aiops_wb.log.store.Store.commit_batch",
    ],
)
def test_an_ingest_that_dies_in_between_takes_it_once(bench, monkeypatch, moment):
    left_by_a_dead_process(bench, ["a", "b"], label=True)

    class Killed(BaseException):
        "As if the process ended here."

    with monkeypatch.context() as broken:
        broken.setattr(moment, lambda *a, **k: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            bench.ingest()
    bench.ingest()
    assert stored(bench) == stored(bench, "outcomes") == ["a", "b"]
    assert bench.ingest() == Ingested()
    assert not list((bench.data / "spool").rglob("*.open"))


def test_a_segment_taken_while_its_file_was_not_yet_removed_is_no_second_row(bench, monkeypatch):
    log = PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    log.log(0.5, AT, prediction_id="a", features={"x": 1})
    log.secure()
    log.log(0.5, AT, prediction_id="b", features={"x": 2.5})
    file = log._rows._disk._file
    with monkeypatch.context() as dying:  # still alive behind the renaming, then dead
        dying.setattr(OpenFile, "remove", lambda file: None)
        dying.setattr(OpenFile, "let_go", lambda file: None)
        log.flush()
    assert bench.ingest() == Ingested(loaded=2)
    file.let_go()
    assert bench.ingest() == Ingested(duplicates=2)
    assert stored(bench) == ["a", "b"]


def test_a_file_that_vanishes_or_is_renewed_is_not_taken_twice(tmp_path):
    file = OpenFile(tmp_path, {"kind": "predictions"})
    with locked(file.path) as fd:
        assert fd is None
    file.let_go()
    with locked(file.path) as fd:
        assert read(fd).header["kind"] == "predictions"
        with locked(file.path) as other:
            assert other is None
        file.path.unlink()
    with locked(file.path) as fd:
        assert fd is None


WRITER = """
import os, sys
from aiops_wb.log.spool import PredictionLogger
log = PredictionLogger(sys.argv[1], "late", "v1", threshold=0, flush_rows=30, flush_seconds=.002,
                       segment_seconds=.02)
for i in range(10**9):
    log.log(0.5, "2026-03-01T12:00:00Z", prediction_id=f"{os.getpid()}-{i:08d}", features={"x": i})
    if i % 5 == 0:
        log.secure()
        os.write(1, b"%d\\n" % i)
"""
TAKER = """
import sys
from datetime import UTC, datetime
from aiops_wb.log.ingest import ingest
from aiops_wb.log.store import open_store
with open_store(sys.argv[1], "child") as store:
    ingest(store, datetime(2026, 3, 20, tzinfo=UTC), "child")
"""


def kill_writers_and_takers(bench, rounds, seed):
    "Writers are killed, and ingests that take what they left; then counted from the log's files."
    rng, safe = random.Random(seed), {}
    for number in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, bench.data / "spool"], stdout=subprocess.PIPE
        )
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))
        writer.kill()
        safe[writer.pid] = max(map(int, writer.communicate()[0].split()), default=0)
        if number % 2:
            taker = subprocess.Popen([sys.executable, "-c", TAKER, bench.data])
            time.sleep(rng.uniform(0.3, 1.2))
            taker.kill()
            taker.wait()
    bench.ingest()
    found = stored(bench)
    assert len(set(found)) == len(found)
    for pid, last in safe.items():
        mine = [one for one in found if one.startswith(f"{pid}-")]
        assert len(mine) > last and mine == [f"{pid}-{i:08d}" for i in range(len(mine))]
    with bench.store() as store:
        assert sum(c.total[0] for c in store.score_counts(MODEL).values()) == len(found)


def test_kills_of_writers_and_of_ingests(bench):
    kill_writers_and_takers(bench, 6, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_kills_of_writers_and_of_ingests_many_times(bench, seed):
    kill_writers_and_takers(bench, 20, seed=seed + 1)


def test_what_comes_through_the_open_file_is_what_was_logged(bench):
    "Batches and events, finished by their own process or by an ingest, are the same rows."
    frame = events(days=2, per_day=30)
    for version, dies in (("v1", False), ("v2", True)):
        log = PredictionLogger(
            bench.data / "spool", MODEL, version, threshold=0, flush_seconds=None
        )
        half = len(frame) // 2
        ids = version + frame.id
        log.log(
            frame.score[:half],
            frame["at"][:half],
            prediction_id=ids[:half],
            site_id=frame.site[:half],
            features=frame[["x", "site"]][:half],
            latency_ms=2.0,
        )
        for i, row in frame[half:].iterrows():
            log.log(
                row.score,
                row["at"],
                prediction_id=ids[i],
                site_id=row.site,
                features={"x": row.x, "site": row.site},
                latency_ms=2.0,
            )
        log.secure()
        if dies:
            log._rows._disk._file.let_go()
            log._rows.reborn()
        else:
            log.close()
    assert bench.ingest() == Ingested(loaded=120)
    with bench.store() as store:
        rows = store.rows(MODEL, frame.day.min(), frame.day.max())
    rows["prediction_id"] = rows.prediction_id.str[2:]
    one, other = (
        rows[rows.version == v].drop(columns="version").sort_values("prediction_id")
        for v in ("v1", "v2")
    )
    common = [c for c in one if c not in ("batch_id", "prediction_batch", "features")]
    assert one[common].reset_index(drop=True).equals(other[common].reset_index(drop=True))
    assert one["feature:x"].tolist() == other["feature:x"].tolist() == frame.x.tolist()


@pytest.mark.parametrize("form", few(["open file", "segment"], "segment"))
def test_damaged_files_of_the_logger_cost_themselves(bench, form):
    folder = bench.data / "spool" / "predictions"
    for seed in range(10):
        dice = random.Random(f"{form} {seed}")
        other = PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0)
        for i in range(5):
            other.log(0.5, AT, prediction_id=f"other{seed}-{i}", features={"x": 1.0, "w": "a"})
        other.close()
        path = left_by_a_dead_process(bench, [f"{seed}-{i}" for i in range(20)])
        if form == "segment":
            assert not finish_leftovers(folder)
            path = folder / f"{path.name[1:].removesuffix('.open')}.parquet"
        content = damaged(dice, path.read_bytes())
        path.write_bytes(content)
        taken = bench.ingest()
        assert 5 <= taken.loaded <= 25 and len(taken.refused) <= 1 and not taken.passed_over
        assert all("\n" not in told for told in (*taken.refused, *taken.notes))
        said = taken.refused or taken.notes or taken.quarantined
        assert taken.loaded == 25 or said or not content  # an empty one was only just begun
        assert {f"other{seed}-{i}" for i in range(5)} <= set(stored(bench))
        assert not [p for p in folder.iterdir() if p.suffix != ".damaged"]
    found = stored(bench)
    assert len(found) == len(set(found))
