"""What is written is open to its owner, and to a group that was named; to nobody else."""

import grp
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli.app import main
from aiops_wb.log import modes
from aiops_wb.log.acts import hand_in, waiting
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest
from aiops_wb.log.modes import as_its_folder, make_below, make_folder, mask_of
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.watch.sinks import JsonLines

NOW = datetime(2026, 3, 20, tzinfo=UTC)
OURS = grp.getgrgid(os.getgid()).gr_name
"A group that whoever runs the tests is in."
SET = {"model": MODEL, "points": 100, "why": "a test"}

OWN = ("tokens.json", ".lock")
"Files that are their owner's alone, whoever may read the rest."

SLOW = pytest.mark.slow
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@contextmanager
def masked(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def without_lists(monkeypatch):
    "A file system without access control lists."

    def none_here(*_):
        raise OSError("not supported")

    for name in ("setxattr", "getxattr", "removexattr"):
        monkeypatch.setattr(modes.os, name, none_here, raising=False)


def others(root, group=False):
    "Files and folders below a root whose mode is not what it has to be, with it."
    folder, file = (0o2750, 0o640) if group else (0o700, 0o600)
    found = {}
    for path in (root, *root.rglob("*")):
        if path.is_symlink():
            continue
        wanted = folder if path.is_dir() else 0o600 if path.name in OWN else file
        if mode(path) != wanted:
            found[str(path.relative_to(root))] = oct(mode(path))
    return found


def a_little(bench, n=8, seed=0):
    frame = events(days=1, per_day=n, seed=seed, version=f"v{seed + 1}")
    bench.log(frame)
    bench.label(frame)
    return frame


@pytest.mark.parametrize(
    "mask, group",
    [
        (0o000, None),
        pytest.param(0o022, OURS, marks=SLOW),
        pytest.param(0o077, OURS, marks=SLOW),
    ],
)
def test_what_a_program_writes_is_open_to_nobody_else(bench, walked, mask, group):
    "A service logs, a program takes in, publishes and hands in acts, each with a mask of its own."
    with masked(mask):
        a_little(bench)
        with open_store(bench.data, "test", group=group) as store:
            ingest(store, NOW, "test")
            assert os.stat(bench.data / "catalog.duckdb.wal").st_size  # it is looked at, too
            assert others(bench.data / "log", bool(group)) == {}
            assert mode(bench.data / "catalog.duckdb.wal") == (0o640 if group else 0o600)
            store.publish()
        hand_in(bench.data / "spool", "set", SET, "ana", NOW)
        with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
            log.log([0.5], ["2026-03-02T00:00:00Z"], prediction_id=["one"])
            assert {mode(p) for p in (bench.data / "spool").rglob(".*.open")} <= {0o600, 0o640}
        assert os.umask(mask) == mask
    found = others(bench.data, bool(group))
    # a spool that a service made before anybody knew of the group stays its own
    assert {p for p in found if not p.startswith("spool")} == set()
    assert others(bench.data / "spool") == {}
    assert {os.lstat(p).st_gid for p in bench.data.rglob("*")} == {os.getgid()}


@pytest.mark.slow
@pytest.mark.parametrize("group", [None, OURS])
def test_commands_need_no_lists_of_the_file_system(bench, walked, without_lists, group):
    with masked(0):
        if group:
            (bench.root / "aiops.toml").write_text(f"group = '{group}'\n")
            words = ["--config", str(bench.root / "aiops.toml")]
        else:
            words = []
        words += ["--data", str(bench.data), "--quiet"]
        assert main(["ingest", *words]) == 0
        a_little(bench)
        assert main(["ingest", *words]) == 0
        assert os.umask(0) == 0  # as it was before the command
    assert others(bench.data, bool(group)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("mask, group", [(0o000, None), (0o022, OURS), (0o077, OURS)])
def test_a_life_leaves_nothing_open_to_others(tmp_path, walked, started_anew, mask, group):
    "Taken in, trained, reported on, with cases, tokens, an export and pages of a replay."
    bench = Bench(tmp_path)
    with masked(mask):
        said = f"case_file = 'out/cases.jsonl'\n{f'group = {group!r}' if group else ''}\n"
        (tmp_path / "aiops.toml").write_text(said)
        words = ["--config", str(tmp_path / "aiops.toml"), "--quiet"]
        assert main(["ingest", *words]) == 0
        frame = events(days=12, per_day=60)
        bench.log(frame, threshold=400)
        bench.label(frame, at="2026-03-13T00:00:00Z")
        assert main(["daily", *words]) == 0
        days = [
            "--from",
            "2026-03-01",
            "--to",
            "2026-03-12",
            "--rounds",
            "10",
            "--allow-incomplete",
        ]
        assert main(["models", "train", "--model", MODEL, "--version", "v2", *days, *words]) == 0
        assert main(["tokens", "make", "ana", "--role", "read", "--why", "a test", *words]) == 0
        assert main(["cases", "send", *words]) == 0
        assert main(["daily", *words]) == 0
    assert others(bench.data, bool(group)) == {}
    assert others(tmp_path / "reports", bool(group)) == {}
    assert list((tmp_path / "reports").rglob("*.ipynb")) and list(bench.data.rglob("*.ubj"))


def test_a_folder_that_is_there_is_left_as_it_is(bench):
    bench.data.mkdir()
    os.chmod(bench.data, 0o755)
    with masked(0o022):
        a_little(bench)
        with bench.store() as store:
            ingest(store, NOW, "test")
            store.publish()
    assert mode(bench.data) == 0o755 and mode(bench.data / "spool" / "predictions") == 0o700
    day = next((bench.data / "log").rglob("*.parquet"))
    assert mode(day) == mode(next((bench.data / "snapshots").iterdir())) == 0o644
    assert mask_of(bench.data) == 0o022 and mask_of(bench.root / "none") == 0o077
    assert mask_of(bench.root / "none", "any") == 0o027


@pytest.mark.slow
def test_who_opens_a_folder_by_chmod_is_followed(bench):
    "All it takes is the mode of the folders: what is made in them later is as open."
    a_little(bench)
    bench.ingest()
    for path in (bench.data, *bench.data.rglob("*")):
        os.chmod(path, 0o2750 if path.is_dir() else 0o640)
    with masked(0o077):
        with bench.store() as store:
            store.publish()
        a_little(bench, seed=1)
        bench.ingest()
    assert others(bench.data, group=True) == {}


def test_a_shared_spool_is_as_open_as_its_owner_made_it(tmp_path):
    "Its files may be read by the group, and acts are put there by nobody else."
    spool = tmp_path / "spool"
    spool.mkdir()
    os.chmod(spool, 0o2770)
    for mask in (0o000, 0o077):
        with masked(mask):
            with PredictionLogger(spool, MODEL, "v1", threshold=0) as log:
                log.log([0.5], ["2026-03-02T00:00:00Z"], prediction_id=[f"one {mask}"])
            hand_in(spool, "set", SET, "ana", NOW)
    assert mode(spool / "predictions") == 0o2770 and mode(spool / "acts") == 0o2750
    assert {mode(p) for p in spool.rglob("*") if p.is_file() and p.name != ".lock"} == {0o640}


def test_a_spool_for_everybody_keeps_the_sticky_bit(bench):
    with bench.store() as store:
        store.spool.mkdir(exist_ok=True)
        os.chmod(store.spool, 0o1777)
    a_little(bench, n=2)
    assert mode(bench.data / "spool" / "predictions") == 0o1777
    assert bench.ingest().loaded == 4


def test_a_spool_elsewhere_is_taken_in_by_one_folder(bench, tmp_path):
    spool = tmp_path / "far" / "spool"
    with PredictionLogger(spool, MODEL, "v1", threshold=0) as log:
        log.log([0.5], ["2026-03-02T00:00:00Z"], prediction_id=["one"])
    hand_in(spool, "set", SET, "ana", NOW, data=bench.data.parent)
    with open_store(bench.data, "test", spool=spool) as store:
        assert ingest(store, NOW, "test").loaded == 1
        assert store.spool == spool and not (bench.data / "spool").exists()
        store.publish()
    assert len(waiting(spool, bench.data)) == 1
    copy = tmp_path / "copy"
    shutil.copytree(bench.data, copy, symlinks=True)
    with pytest.raises(StoreError, match="is taken in by the data folder .*/data: name another"):
        with open_store(copy, "test", spool=spool):
            pass
    bench.data.rename(tmp_path / "moved")
    with open_store(tmp_path / "moved", "test", spool=spool):  # it is the same folder
        pass


@pytest.mark.parametrize(
    "place",
    [
        "",
        "log",
        "snapshots",
        "models",
        "spool",
        "spool/predictions",
        "spool/outcomes",
        "spool/acts",
    ],
)
def test_what_everybody_may_write_to_is_refused(bench, place):
    path = bench.data / place
    (bench.data / "spool" / "predictions").mkdir(parents=True)
    path.mkdir(parents=True, exist_ok=True)
    os.chmod(path, 0o777)
    with pytest.raises(StoreError, match=f"everybody on this machine may write to {path}[ ,]"):
        bench.ingest()
    os.chmod(path, 0o1777)
    if place.startswith("spool"):
        bench.ingest()
    else:
        with pytest.raises(StoreError, match=f"believed: chmod o-w {path}$"):
            bench.ingest()


def test_a_file_or_a_folder_is_as_open_as_the_one_above_and_no_more(tmp_path):
    path = tmp_path / "f"
    path.write_text("x")
    os.chmod(tmp_path, 0o755)
    as_its_folder(path, most=0o600)
    assert mode(path) == 0o600
    as_its_folder(path)
    assert mode(path) == 0o644
    os.chmod(tmp_path, 0o2777)  # others write there: not below
    make_below(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o2755


def test_a_group_that_nobody_knows_is_a_sentence(bench, tmp_path):
    with pytest.raises(StoreError, match="group = 'no such' names no group of this machine"):
        with open_store(bench.data, "test", group="no such"):
            pass
    assert not bench.data.exists()
    with pytest.raises(StoreError, match="names no group"):
        JsonLines(tmp_path / "c.jsonl", "no such").send({"case_id": "1"})


@pytest.mark.parametrize("group", [None, OURS])
def test_the_file_of_cases_is_no_more_open(tmp_path, group):
    sink = JsonLines(tmp_path / "out" / "cases.jsonl", group)
    with masked(0):
        sink.send({"case_id": "1"})
        sink.send({"case_id": "2"})
    assert mode(sink.path) == (0o640 if group else 0o600)
    assert mode(sink.path.parent) == (0o2750 if group else 0o700)
    os.chmod(sink.path, 0o664)
    sink.send({"case_id": "3"})
    assert mode(sink.path) == 0o664 and len(sink.path.read_text().splitlines()) == 3


def as_user(user, groups, work):
    "What comes of work that a process of another user does: its answer, or its error, in words."
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups(groups)
            os.setgid(groups[0] if groups else user)
            os.setuid(user)
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with open(out, encoding="utf-8") as told:
        said = told.read()
    os.waitpid(child, 0)
    return said


def _rows(data):
    with open_snapshot(data) as log:
        return log.frame(
            "SELECT count(*) AS n, count(DISTINCT label) AS l FROM predictions JOIN "
            "labels USING (prediction_id)"
        ).values.tolist()


@as_root
def test_analysts_of_another_user_read_through_the_group():
    reachable = Path(tempfile.mkdtemp())  # folders of tests are of their user alone
    group, analyst = grp.getgrnam("daemon"), 65534
    try:
        os.chmod(reachable, 0o711)
        bench = Bench(reachable)
        with masked(0o077):
            with open_store(bench.data, "test", group="daemon"):
                pass
            a_little(bench)
            with open_store(bench.data, "test", group="daemon") as store:
                ingest(store, NOW, "test")
                store.publish()
        assert as_user(analyst, [group.gr_gid], lambda: _rows(bench.data)) == "[[8, 2]]"
        assert "ermission denied" in as_user(analyst, [], lambda: _rows(bench.data))
        written = as_user(analyst, [group.gr_gid], lambda: (bench.data / "x").write_text("x"))
        assert written.startswith("PermissionError")
    finally:
        shutil.rmtree(reachable)


@pytest.mark.slow
@as_root
def test_services_of_another_user_hand_in_through_a_spool_of_the_group():
    "What they log is taken in; acts in their name are not."
    reachable = Path(tempfile.mkdtemp())
    group, service = grp.getgrnam("daemon"), 65534
    try:
        os.chmod(reachable, 0o711)
        bench = Bench(reachable)
        with open_store(bench.data, "test", group="daemon") as store:
            store.publish()
            spool = store.spool
        make_folder(spool, "daemon")
        os.chmod(spool, 0o2770)

        def log():
            with (
                masked(0o077),
                PredictionLogger(spool, MODEL, "v1", threshold=0, flush_seconds=None) as log,
            ):
                log.log([0.5], ["2026-03-02T00:00:00Z"], prediction_id=["one"])

        assert as_user(service, [group.gr_gid], log) == "None"
        (segment,) = (spool / "predictions").glob("*.parquet")
        found = os.lstat(segment)
        assert (found.st_uid, found.st_gid, mode(segment)) == (service, group.gr_gid, 0o640)
        with open_store(bench.data, "test", group="daemon") as store:
            assert ingest(store, NOW, "test").loaded == 1
        assert not list((spool / "predictions").glob("*.parquet"))
    finally:
        shutil.rmtree(reachable)


@as_root
def test_a_group_that_one_is_not_in_is_a_sentence():
    reachable = Path(tempfile.mkdtemp())
    try:
        os.chmod(reachable, 0o777 | stat.S_ISVTX)
        said = as_user(65534, [], lambda: make_folder(reachable / "data", "daemon"))
        assert said.startswith("StoreError") and "cannot be given to the group daemon" in said
    finally:
        shutil.rmtree(reachable)
