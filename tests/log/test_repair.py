"""An older catalog, day files that are gone: told apart from an interruption, and made whole."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from math import log as log_of
from pathlib import Path

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log import repair
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.duck import connect
from aiops_wb.log.errors import StoreError
from aiops_wb.log.folder_rows import take_rows_of
from aiops_wb.log.gone import problem_of
from aiops_wb.log.ingest import ingest
from aiops_wb.log.repair import (
    catalog_from_snapshot,
    empty_rejected,
    from_copies,
    record_lost,
    rejected_files,
    take_in_again,
)
from aiops_wb.log.store import open_store

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def delivered(bench, number, now=NOW):
    "A day, predictions and labels, taken in."
    frame = events(days=1, per_day=30, seed=number, start=FIRST + timedelta(number))
    bench.log(frame)
    bench.label(frame)
    bench.ingest(now)
    return frame


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Two days, with a copy of the catalog as it was after the first."
    bench = Bench(tmp_path_factory.mktemp("made"))
    delivered(bench, 0)
    bench.publish()
    shutil.copy(bench.data / "catalog.duckdb", bench.root / "older.duckdb")
    delivered(bench, 1)
    return bench


@pytest.fixture
def log(made, tmp_path):
    return made.copy_to(tmp_path)


def counted(store):
    return {day: c.total for day, c in store.score_counts(MODEL).items()}


def state(bench):
    "Counts, rows, ids and files: what must be the same however it came about."
    with bench.store() as store:
        named = sorted(str(bench.data / f.path) for f in store.day_files())
        assert named == sorted(map(str, (bench.data / "log").rglob("*.parquet")))
        kinds = store.frame(
            "SELECT kind, sum(rows)::INT AS n FROM data_files GROUP BY 1 ORDER BY 1"
        )
        rows = store.rows(MODEL, FIRST, SECOND)
        ids = sorted(zip(rows.prediction_id, rows.label))
        return counted(store), kinds.values.tolist(), ids


def repaired(bench):
    told = []
    prepare = lambda root: told.append(catalog_from_snapshot(root))
    with open_store(bench.data, "test", prepare=prepare) as store:
        told += take_in_again(store, NOW, "test")
        store.publish()
    return [said for said in told if said]


@pytest.mark.parametrize("published", [False, True], ids=["log is ahead", "snapshot is ahead"])
def test_an_older_catalog_is_refused_and_repaired(log, published):
    whole = state(log)
    if published:
        with log.store() as store:
            store.record(NOW, "ana", "watch", "m/v", "off", "a change")
            store.publish()
    files = {p: p.read_bytes() for p in (log.data / "log").rglob("*.parquet")}
    shutil.copy(log.root / "older.duckdb", log.data / "catalog.duckdb")
    with pytest.raises(StoreError, match=r"older catalog was put back.*'aiops-wb repair'"):
        log.ingest()
    assert {p: p.read_bytes() for p in (log.data / "log").rglob("*.parquet")} == files
    assert rejected_files(log.data) == []
    with open_snapshot(log.data) as reader:
        assert reader.days(MODEL)  # who reads goes on
    told = repaired(log)
    # the day and its labels, or the catalog as it was
    assert len(told) == 1 and ("snapshot of batch" if published else "2 day files") in told[0]
    assert state(log) == whole and log.ingest().loaded == 0
    with log.store() as store:
        assert bool(len(store.audit("m/v"))) == published
    assert [n for n in rejected_files(log.data) if not n.startswith("older-")] == []


@pytest.mark.parametrize("how", ["repair", "rows of another folder"])
def test_day_files_of_an_earlier_release_are_taken_in_again(log, how):
    "They lack the columns that came later."
    whole, path = state(log), first_file(log, day=SECOND)
    with connect(":memory:", threads=1) as con:
        rows = con.sql(f"SELECT * EXCLUDE (propensity, ladder) FROM read_parquet('{path}')")
        rows.write_parquet(str(log.root / "earlier"))
    (log.root / "earlier").replace(path)
    if how != "repair":
        aside = log.copy_to(log.root / "aside")
        for kind in ("predictions", "outcomes"):
            first_file(log, kind, SECOND).unlink()
    shutil.copy(log.root / "older.duckdb", log.data / "catalog.duckdb")
    if how == "repair":
        assert "2 day files" in repaired(log)[0]
    else:
        with log.store() as store:
            assert not take_rows_of(store, NOW, "test", aside.data).unread
            store.publish()
    assert state(log) == whole


def test_a_folder_without_rows_of_its_own_changes_nothing(log):
    whole = state(log)
    with log.store() as store:
        taken = take_rows_of(store, NOW, "test", log.data)
    assert taken == ([f"{log.data} has no rows that this log has not"], [])
    assert state(log) == whole


def test_rows_of_another_folder_are_decided_by_the_risk_levels_of_the_settings(log, capsys):
    """Its spool holds rows without a route, which nobody has taken in. HIGH begins at the
    threshold, .5; the other cuts are as many logits from it as they are from .3."""
    (log.root / "aiops.toml").write_text("risk_cuts = [0.1, 0.2, 0.3, 0.4]")
    aside = log.copy_to(log.root / "aside")
    frame = events(days=1, per_day=30, seed=5, start=FIRST + timedelta(5))
    aside.log(frame)
    words = ["--data", str(log.data), "--config", str(log.root / "aiops.toml"), "-q"]
    assert main(["repair", "--rows-from", str(aside.data), *words]) == 0, capsys.readouterr()
    with log.store() as store:
        rows = store.rows(MODEL, FIRST + timedelta(5), FIRST + timedelta(5), labels=False)
    logits = [log_of(p / (1 - p)) for p in (0.1, 0.2, 0.3, 0.4)]
    assert set(rows.ladder) == {"/".join(f"{1000 * (x - logits[2]):.0f}" for x in logits)}


def test_a_log_without_a_catalog_is_repaired_from_what_was_published(log):
    log.publish()
    whole = state(log)
    (log.data / "catalog.duckdb").unlink()
    with pytest.raises(StoreError, match="'aiops-wb repair'"):
        log.ingest()
    assert "snapshot of batch" in repaired(log)[0] and state(log) == whole
    (log.data / "catalog.duckdb").write_bytes(b"no database")
    assert "could not be read" in repaired(log)[0] and state(log) == whole


def older(bench):
    "An older catalog put back, behind a snapshot with a change that nothing but it knows."
    with bench.store() as store:
        store.record(NOW, "ana", "watch", "m/v", "off", "a change")
        store.publish()
    shutil.copy(bench.root / "older.duckdb", bench.data / "catalog.duckdb")


def test_a_snapshot_that_somebody_reads_is_not_called_unreadable(log):
    older(log)
    with open_snapshot(log.data) as reader:  # an API
        assert "snapshot of batch" in repaired(log)[0] and reader.days(MODEL)
    with log.store() as store:
        assert len(store.audit("m/v"))
    assert [n for n in rejected_files(log.data) if n.startswith("unreadable")] == []


def test_a_repair_that_was_stopped_stops_no_later_one(log):
    with log.store() as store:
        snapshot = store.publish()
    begun = log.data / ".aiops-repair.tmp"
    shutil.copy(snapshot, log.root / "begun")
    with connect(log.root / "begun") as con:  # what stands beside it while it is open
        con.execute("DROP VIEW predictions")
        shutil.copy(log.root / "begun", begun)
        shutil.copy(log.root / "begun.wal", begun.with_name(f"{begun.name}.wal"))
    older(log)
    assert "snapshot of batch" in repaired(log)[0]
    assert not list(log.data.glob(".aiops-repair*"))


def test_what_a_repair_that_was_stopped_left_goes_with_the_next_writer(log, monkeypatch):
    "It is a copy of the catalog: who is removed later must not stand in it."
    log.publish()
    catalog = log.data / "catalog.duckdb"
    shutil.copy(catalog, log.root / "whole.duckdb")
    shutil.copy(log.root / "older.duckdb", catalog)
    with monkeypatch.context() as stopped:
        stopped.setattr(repair, "_aside", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            repaired(log)
    assert len(list(log.data.glob(".*"))) == 1, "the copy"
    shutil.copy(log.root / "whole.duckdb", catalog)  # the owner found the newest one
    with log.store():
        assert not list(log.data.glob(".*"))


HOLDS = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"


def test_a_file_that_another_process_holds_is_not_put_aside(log):
    older(log)
    place = str(log.data / "catalog.duckdb")
    before = Path(place).read_bytes()
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDS, place], **ends) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(StoreError, match=r"catalog.duckdb is open in another process"):
                repaired(log)
        finally:
            other.communicate("\n")
    assert rejected_files(log.data) == [] and Path(place).read_bytes() == before
    assert "snapshot of batch" in repaired(log)[0]


def test_what_was_decided_here_is_decided_again_and_not_called_a_services(tmp_path):
    bench = Bench(tmp_path)
    delivered(bench, 0)
    shutil.rmtree(bench.data / "snapshots", ignore_errors=True)
    decided = "SELECT prediction_id, route, risk_level, decided_by FROM read_parquet(?) ORDER BY 1"
    of = lambda: [
        row
        for path in (bench.data / "log" / "predictions").rglob("*.parquet")
        for row in open_rows(bench, decided, path)
    ]
    before = of()
    assert {row[3] for row in before} == {"workbench"}
    (bench.data / "catalog.duckdb").unlink()
    told = repaired(bench)
    assert "no snapshot" in told[0] and "2 day files" in told[1] and of() == before


def open_rows(bench, sql, path):
    with bench.store() as store:
        return store.con.execute(sql, [str(path)]).fetchall()


def stopped_writer(bench, monkeypatch):
    with monkeypatch.context() as broken:
        fails = lambda *a, **k: (_ for _ in ()).throw(MemoryError("no more"))
        broken.setattr("aiops_wb.log.store.Store.commit_batch", fails)
        with pytest.raises(MemoryError):
            bench.ingest()


def test_an_interrupted_writers_files_are_no_lost_catalog(log, monkeypatch):
    "Its segment is still in the spool: the rows come again, and nothing is kept aside."
    log.log(events(days=1, per_day=20, seed=7, start=FIRST + timedelta(2)))
    stopped_writer(log, monkeypatch)
    assert list((log.data / "log").rglob("b00000005-*"))
    assert log.ingest().loaded == 20 and rejected_files(log.data) == []
    assert not (log.data / "writing.json").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"batch": 5, "from": [1]}'])
def test_what_a_writer_noted_and_nobody_can_read_stops_no_morning(made, text):
    (made.data / "writing.json").write_text(text)
    with made.store() as store:
        assert store.unknown_files() == []
    assert not (made.data / "writing.json").exists()


def test_files_of_a_writer_whose_note_is_damaged_are_taken_in_again_once(log, monkeypatch):
    log.log(events(days=1, per_day=20, seed=7, start=FIRST + timedelta(2)))
    stopped_writer(log, monkeypatch)
    (log.data / "writing.json").write_text("{")
    with pytest.raises(StoreError, match="'aiops-wb repair'"):
        log.ingest()
    assert "20 loaded, 20 duplicates" in repaired(log)[-1]
    assert state(log)[1] == [["outcomes", 60], ["predictions", 80]]


def test_what_an_interrupted_writer_left_is_kept_where_its_source_is_gone(log, monkeypatch):
    log.log(events(days=1, per_day=20, seed=7, start=FIRST + timedelta(2)))
    stopped_writer(log, monkeypatch)
    for path in (log.data / "spool" / "predictions").iterdir():
        path.unlink()
    log.ingest()
    assert [name.split("-")[0] for name in rejected_files(log.data)] == ["interrupted"]
    with log.store() as store:
        assert "1 files" in empty_rejected(store, NOW, "ana", "looked at")
        assert store.audit("rejected").why.tolist() == ["looked at"]
    assert rejected_files(log.data) == []


def test_a_folder_that_was_set_aside_is_removed_with_the_rest(log):
    "A repair puts one aside that stands among day files under the name of one."
    (log.data / "log" / "predictions" / "odd.parquet").mkdir()
    assert "is in rejected" in repaired(log)[0]
    (log.data / "rejected" / "damaged-odd.parquet" / "inside").write_text("x")
    with log.store() as store:
        assert "1 files" in empty_rejected(store, NOW, "ana", "looked at")
    assert rejected_files(log.data) == []


def first_file(bench, kind="predictions", day=FIRST):
    return next((bench.data / "log" / kind / f"event_date={day}").glob("*.parquet"))


def overwritten(path, first, last):
    "As long as it was, and of the same end."
    content = bytearray(path.read_bytes())
    content[first:last] = b"\xff" * len(content[first:last])
    path.write_bytes(content)


HARMS = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "no end": lambda path: path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0"),
    "footer": lambda path: overwritten(path, -300, -8),
    "inside": lambda path: overwritten(path, 4, 400),
}


LONG = [pytest.param(harm, marks=pytest.mark.slow) for harm in ("cut", "no end", "footer")]


@pytest.mark.parametrize("harm", ["missing", "inside", *LONG])
def test_a_day_file_that_is_gone_blocks_its_own_day_only(log, harm, tmp_path):
    whole = state(log)
    path = first_file(log)
    kept = shutil.copytree(log.data / "log", tmp_path / "copies")
    HARMS[harm](path)
    late = delivered(log, 2)
    settings = Settings(complete_share=1)
    ran = run(log.data, tmp_path / "r", NOW, settings, show="none", say=lambda _: None)
    states = {one.day: one.state for one in ran.figures}
    assert states == {FIRST: "failed", SECOND: "ok", FIRST + timedelta(2): "ok"}, ran.figures
    assert path.name in next(f.error for f in ran.figures if f.day == FIRST)
    assert ran.exit_code == 3 and len(late) == 30
    with open_snapshot(log.data) as reader:
        assert reader._value("SELECT count(*) FROM predictions") == 60
        assert counted(reader)[FIRST] == whole[0][FIRST], "its counts stay"
    with log.store() as store:
        files = store.day_files()
        left = [f for f in files if (f.kind, f.day) != ("predictions", FIRST)]
        assert store.usable(files, one_day=False) == left and len(left) == len(files) - 1 == 5
        said = from_copies(store, NOW, "ana", kept)
        assert "is there again" in said[0], said
    ran = run(log.data, tmp_path / "r", NOW, settings, show="none", say=lambda _: None)
    assert {one.day: one.state for one in ran.figures}[FIRST] == "ok" and ran.exit_code == 0
    assert {day: c for day, c in state(log)[0].items() if day <= SECOND} == whole[0]


def test_labels_and_predictions_of_a_day_that_is_gone(log, tmp_path):
    "Labels go in, and count when the file is there again; predictions that may be in it wait."
    kept = shutil.copytree(log.data / "log", tmp_path / "copies")
    frame = events(days=1, per_day=30, seed=0, start=FIRST)
    path = first_file(log)
    path.unlink()
    log.log(frame[:20])
    log.label(frame, label=1 - frame.label, at="2026-03-21T00:00:00Z")
    other = delivered(log, 3)
    with log.store() as store:
        taken = ingest(store, NOW, "test")
        assert "waits: " in taken.passed_over[0] and path.name in taken.passed_over[0]
        assert store.score_counts(MODEL)[FIRST + timedelta(3)].total[0] == len(other)
    more = events(days=1, per_day=5, seed=7, start=FIRST, version="w")  # behind all ids of the file
    log.log(more)
    with log.store() as store:
        assert ingest(store, NOW, "test").loaded == 5
        assert store.score_counts(MODEL)[FIRST].total[0] == 30 + 5  # counted beside what is kept
        from_copies(store, NOW, "ana", kept)
        taken = ingest(store, NOW, "test")
        assert (taken.duplicates, taken.loaded) == (20, 0)
        n, labelled, positive = store.score_counts(MODEL)[FIRST].total
        assert (n, labelled, positive) == (35, 30, 30 - frame.label.sum())


def test_a_loss_is_recorded_with_a_reason_and_counts_stay(log, tmp_path):
    whole = state(log)
    frame, path = events(days=1, per_day=30, seed=0, start=FIRST), first_file(log)
    name = str(path.relative_to(log.data))
    with log.store() as store:
        with pytest.raises(StoreError, match="is there and can be read"):
            record_lost(store, NOW, "ana", [name], "why not")
        path.unlink()
        with pytest.raises(StoreError, match="needs a reason"):
            record_lost(store, NOW, "ana", [name], " ")
        with pytest.raises(StoreError, match="no day file of this log"):
            record_lost(store, NOW, "ana", ["other.parquet"], "x")
        assert "counts of its 30 rows stay" in record_lost(store, NOW, "ana", [name], "the disk")[0]
        assert "already" in record_lost(store, NOW, "ana", [path.name], "again")[0]
        assert store.damage() == [] and store.lost_files() == {name}
    ran = run(log.data, tmp_path / "r", NOW, Settings(complete_share=1), show="none")
    assert ran.exit_code == 0 and {one.state for one in ran.figures} == {"ok"}
    log.log(frame[:20])  # delivered once more: nobody knows any more whether it is new
    with log.store() as store:
        taken = ingest(store, NOW, "test")
        assert (taken.loaded, taken.quarantined) == (0, 20)
        assert counted(store) == whole[0]


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    path = tmp_path / "f.parquet"
    assert problem_of(path, 3) == "is missing"
    path.write_bytes(b"abcd")
    assert problem_of(path, 3) == "has 4 bytes instead of 3"
    assert problem_of(path, 4) == "is damaged"
    path.write_bytes(b"PAR1")
    assert problem_of(path, 4) is None
    assert problem_of(Path("/dev/null/x"), 4).startswith("cannot be read")


def test_a_file_that_is_replaced_while_the_log_is_open_is_looked_at_again(log):
    "By another of the same length; its end was seen whole before."
    with log.store() as store:
        file = store.day_files(kind="predictions")[0]
        path, other = log.data / file.path, log.root / "other"
        shutil.copy2(path, other)
        assert store.gone() == {}
        HARMS["no end"](other)
        other.replace(path)
        assert store.gone() == {file: "is damaged"}
        assert store.gone(closely=False) == {}


def test_a_copy_that_keeps_its_times_is_a_replacement(log):
    "What was noted of the damaged file does not hold of it."
    path, kept = first_file(log), log.root / "kept"
    shutil.copy2(path, kept)
    HARMS["inside"](path)
    shutil.copystat(kept, path)  # a disk that loses bits changes no time
    with log.store() as store:
        assert path.name in store.note_damaged()[0] and len(store.gone()) == 1
        shutil.copy2(kept, path)
        assert store.gone() == {}


@pytest.mark.parametrize("text", ["[1]", '{"%s": null}', '{"%s": [1]}'])
def test_a_note_of_damage_that_nobody_can_read_is_none(made, text):
    note = made.data / "damaged.json"
    note.write_text(text.replace("%s", str(first_file(made).relative_to(made.data))))
    with made.store() as store:
        assert store.gone() == {} and store.note_damaged() == []
    note.unlink()


def test_status_names_what_is_gone_and_the_command_says_how_to_go_on(log, capsys):
    def given(*words):
        code = main([*words, "--data", str(log.data), "-q"])
        return code, "".join(capsys.readouterr())

    code, said = given("repair")
    assert code == 0 and said.startswith("nothing is to be repaired")
    path = first_file(log)
    path.unlink()
    (log.data / "rejected").mkdir(exist_ok=True)
    (log.data / "rejected" / "odd\nname.csv").write_text("x")
    code, said = given("status")
    assert code == 0 and f"{path.name} (30 predictions of {FIRST}" in said
    assert "is missing" in said and "'aiops-wb repair --from FOLDER'" in said
    assert "1 file in rejected, such as odd name.csv" in said
    assert json.loads(given("status", "--json")[1])["rejected"] == ["odd\nname.csv"]
    assert given("repair")[0] == 1
    assert given("repair", "--from", "nowhere")[0] == 2
    assert given("repair", "--lost", path.name)[0] == 1
    assert "needs a reason" in given("repair", "--empty-rejected")[1]
    code, said = given("repair", "--lost", path.name, "--empty-rejected", "--why", "the disk")
    assert code == 0 and "counts of its 30 rows stay" in said and "are removed" in said
    said = given("status")[1]
    assert "1 day file recorded as lost" in said and "rejected" not in said
