"""Day files are merged: every answer as of every time stays, whatever came in and how."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from conftest import MODEL, Bench, events, few
from hypothesis import given, settings
from hypothesis import strategies as st
from test_as_of import QUESTIONS, ask
from test_forgetting import WHO, removed, totals
from test_forgetting import log as log_of

from aiops_wb.cli import main
from aiops_wb.log import compaction
from aiops_wb.log.backup import make_backup
from aiops_wb.log.backup_files import newest_or_itself
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.compaction import compact, plan
from aiops_wb.log.engines import open_engine
from aiops_wb.log.errors import StoreError
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.from_rows import recount
from aiops_wb.log.ingest import ingest
from aiops_wb.log.repair import catalog_from_snapshot, record_lost, take_in_again
from aiops_wb.log.restore import restore_backup
from aiops_wb.log.retired import OPEN_DAYS, RETIRED
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.log.verify import Asked, compare_bytes, look_further

FIRST = date(2026, 3, 2)
NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
EVER = date(2027, 1, 1)


def merged(store, now=NOW, **about):
    "Merge whatever can be merged."
    return compact(store, now, "test", plan(store, EVER, **about))


def wrong(bench):
    "What a verification finds."
    with open_snapshot(bench.data) as reader:
        asked = Asked()
        return [*compare_bytes(reader, asked).findings, *look_further(reader, asked)]


def in_pieces(bench, days=2, batches=3):
    "Days whose predictions and labels came in several batches; their events."
    frame = events(days=days, per_day=4 * batches, start=FIRST)
    for n in range(batches):
        some = frame[n::batches]
        bench.log(some)
        bench.label(some[::2])
        bench.ingest(NOW - timedelta(hours=9 - n))
    bench.publish()
    return frame


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("made"))
    in_pieces(bench)
    return bench


@pytest.fixture
def split(made, tmp_path):
    "Two days of predictions and labels in three pieces each."
    return made.copy_to(tmp_path)


def day_files(bench, kind="*"):
    return sorted((bench.data / "log").glob(f"{kind}/*/*.parquet"))


def rows_of(reader):
    "All rows as they are published, with the types of their columns."
    views = ("predictions", "outcomes", "noc_fraud_prediction_log")
    told = {view: reader.con.execute(f"FROM {view} ORDER BY ALL").fetchall() for view in views}
    return told | {f"types of {v}": reader.con.execute(f"DESCRIBE {v}").fetchall() for v in views}


FEATURES = (None, "x", "text", "x and y", "none of x")
PREDICTED = st.tuples(
    st.just("predict"),
    st.integers(0, 1),  # the day
    st.sampled_from(["v1", "v1", "v2"]),
    st.sampled_from(["x", "x", *FEATURES]),
    st.integers(1, 4),  # how many
)
LABELLED = st.tuples(
    st.sampled_from(["label", "correct", "early", "by event"]),
    st.integers(0, 5),  # the first
    st.integers(1, 6),  # how many
)
BATCH = st.lists(st.one_of(PREDICTED, PREDICTED, LABELLED), max_size=4)
BATCHES = st.lists(BATCH, min_size=3, max_size=6)


def features_of(kind, n):
    match kind:
        case None:
            return None
        case "x":
            return pd.DataFrame({"x": [n / 7] * n})
        case "text":
            return pd.DataFrame({"x": ["1.50", "n/a", "a word", "2"][:n]})
        case "x and y":
            return pd.DataFrame({"x": [1.0] * n, "y": [True] * n})
        case "none of x":
            return pd.DataFrame({"x": [None] * n, "z": ["z"] * n})


def deliver(bench, batch, made, number, labels=True):
    "Hand in what a batch brings; `made` are the ids of predictions until then."
    for place, (kind, *about) in enumerate(batch):
        if kind == "predict":
            day, version, features, n = about
            ids = [f"{number}-{place}-{i}" for i in range(n)]
            at = [f"{FIRST + timedelta(day)}T{8 + i:02d}:00:00Z" for i in range(n)]
            with PredictionLogger(bench.data / "spool", MODEL, version, threshold=0) as log:
                told = {"features": features_of(features, n), "propensity": [0.5] * n}
                told |= {"route": "alert", "event_key": [f"of {i}" for i in ids]}
                log.log([0.2 + i / 9 for i in range(n)], at, prediction_id=ids, **told)
            made += ids
            continue
        if not labels:
            continue
        first, n = about
        ids = made[first : first + n] if kind != "early" else [f"later-{i}" for i in range(n)]
        if not ids:
            continue
        with OutcomeLogger(bench.data / "spool", "test") as log:
            value = [int(kind == "correct")] * len(ids)
            if kind == "by event":
                log.log(event_key=[f"of {i}" for i in ids], label=value, observed_at=NOW)
            else:
                log.log(ids, value, NOW - timedelta(hours=number))


def same_answers(batches, names):
    "A log of some batches answers, as of each of them, the same before and after it is merged."
    with TemporaryDirectory() as folder:
        bench, made, times = Bench(Path(folder)), [], []
        with bench.store() as store:
            for number, batch in enumerate(batches):
                times.append(NOW + timedelta(hours=number))
                deliver(bench, batch, made, number)
                ingest(store, times[-1], "test")
            store.publish()
            asked = {(n, at): ask(store, n, at) for at in [*times, None] for n in names}
            before, batch = rows_of_published(bench), store.known_batch()
            done = merged(store)
            assert {(n, at): ask(store, n, at) for n, at in asked} == asked
            assert rows_of_published(bench) == before and store.known_batch() == batch
            assert not plan(store, EVER).packs
            again = deliver_again(bench, store, batches)
            assert again == 0, "rows that are there were taken in again"
        assert not wrong(bench)
        return done


def rows_of_published(bench):
    with open_snapshot(bench.data) as reader:
        return rows_of(reader)


def deliver_again(bench, store, batches):
    "All predictions once more: how many are taken in."
    made = []
    for number, batch in enumerate(batches):
        deliver(bench, batch, made, number, labels=False)
    return ingest(store, NOW + timedelta(2), "test").loaded


OF_ROWS = (
    *("rows", "ticket_outcomes", "decided_counts", "logged_thresholds", "event", "labels_of"),
    *("same_events", "reviewed", "decided_with"),
)
"Questions whose answers rest on rows or on which files there are."
MANY = [  # features that change, a correction, labels before their predictions, an empty batch
    [("predict", 0, "v1", "x", 3), ("label", 0, 2)],
    [("predict", 0, "v1", "x", 2), ("predict", 0, "v2", "text", 4), ("early", 0, 2)],
    [],
    [("correct", 0, 4), ("predict", 1, "v1", None, 2), ("by event", 2, 4)],
    [("predict", 0, "v1", "x and y", 2), ("predict", 0, "v1", "x", 1), ("label", 3, 6)],
    [("predict", 0, "v1", "x and y", 1), ("predict", 0, "v2", "text", 1), ("correct", 1, 2)],
]


def test_answers_as_of_every_batch_stay():
    done = same_answers(MANY, ("rows", "decided_counts", "labels_of", "same_events"))
    assert (done.files, done.into) == (10, 4)  # the others of these days differ in their columns


@pytest.mark.slow
@pytest.mark.parametrize("names, examples", [(OF_ROWS, 60), (QUESTIONS, 10)])
def test_answers_stay_whatever_came_in(names, examples):
    @settings(max_examples=examples)
    @given(BATCHES)
    def tried(batches):
        same_answers(batches, names)

    tried()


def test_files_of_one_day_become_one_and_a_second_run_has_nothing_to_do(split):
    before = day_files(split)
    with split.store() as store:
        done = merged(store)
        assert (done.days, done.files, done.into, done.rows) == (2, 12, 4, 36)
        assert len(store.day_files()) == 4 and len(store._rows("FROM data_files")) == 12
        assert store._value("SELECT count(*) FROM file_shapes") == 4
        (told,) = store._rows("SELECT subject, new FROM audit WHERE what = 'compacted'")
        assert told == ("days before 2027-01-01", "12 files into 4")
        assert merged(store).files == 0
    assert set(before) < set(day_files(split)) and not wrong(split)


def test_days_that_were_merged_are_counted_anew_as_they_were(split):
    with split.store() as store:
        merged(store)
        with open_engine("duckdb", store.root, store.timezone) as engine:
            found = recount(store, engine, FIRST, FIRST + timedelta(30))
        assert found.days == 2 and not any(found.changed.values()) and not found.left


def test_a_file_has_no_more_rows_than_it_may_and_stays_as_it_is(split, monkeypatch):
    monkeypatch.setattr(compaction, "MOST_ROWS", 9)
    with split.store() as store:
        done = merged(store)
        predictions = store.day_files(kind="predictions")
        assert [file.rows for file in predictions] == [8, 8, 4, 4]
        assert done.left == () and merged(store).files == 0


def test_of_a_model_its_predictions_are_merged_and_labels_stay(made):
    with open_snapshot(made.data) as reader:
        assert {file.kind for file in plan(reader, EVER, MODEL).files} == {"predictions"}
        assert not plan(reader, FIRST).packs


@pytest.fixture
def before(split):
    "The same, and somebody who holds its snapshot open."
    with open_snapshot(split.data) as reader:
        yield split, reader, rows_of(reader)


def test_whoever_holds_an_older_snapshot_open_goes_on_reading(before):
    bench, reader, told = before
    with bench.store() as store:
        merged(store)
        for _ in range(4):
            store.publish(2)
        assert not store.remove_retired(NOW + timedelta(OPEN_DAYS) - timedelta(seconds=1))
        waiting = store.waiting_files()
    assert rows_of(reader) == told and len(waiting) == 12
    assert sum(f.bytes for f in waiting) == sum(
        (bench.data / f.path).stat().st_size for f in waiting
    )


def test_old_files_go_when_no_snapshot_names_them_and_nobody_is_to_read_them(before):
    bench, _, told = before
    late = NOW + timedelta(OPEN_DAYS)
    with bench.store() as store:
        merged(store)
        assert not store.remove_retired(late)  # snapshots of before are published still
        for _ in range(3):
            store.publish(3)
        assert len(store.remove_retired(late)) == 12 and not store.waiting_files()
    assert len(day_files(bench)) == 4 and not (bench.data / RETIRED).exists()
    assert rows_of_published(bench) == told and not wrong(bench)


def test_a_verification_that_began_before_finds_nothing(before):
    bench, reader, _ = before
    with bench.store() as store:
        merged(store)
        compared = compare_bytes(reader, Asked())
        assert not compared.findings and compared.newer == 4
        assert not look_further(reader, Asked())
        (bench.data / RETIRED).unlink()  # whose files are those of nobody then
    with open_snapshot(bench.data) as newest:
        assert len(compare_bytes(newest, Asked()).findings) == 12


def test_nobody_who_was_forgotten_stands_in_a_file_that_waits(bench, tmp_path_factory):
    frame = events(days=2, per_day=12, start=FIRST)
    for n in range(2):
        some = frame[n::2]
        log_of(bench, some, ["other"] * 11 + [WHO])
        bench.label(some)
        bench.ingest(NOW - timedelta(hours=2 - n))
    bench.publish()
    twin = bench.copy_to(tmp_path_factory.mktemp("twin"))
    with bench.store() as store:
        merged(store)
    for one in (bench, twin):
        removed(one, Forgotten("entity", WHO, until=NOW))
    places = [p for p in (bench.data / "log").rglob("*") if p.is_file()]
    assert not [p for p in places if WHO.encode() in p.read_bytes()]
    assert len(places) == 4 and not (bench.data / RETIRED).exists() and not wrong(bench)
    with bench.store() as store, twin.store() as other:
        assert totals(store) == totals(other)
        assert merged(store).files == 0
    assert rows_of_published(bench) == rows_of_published(twin)


@pytest.mark.parametrize(
    "harm", few(["missing", "changed", "lost", "without a sum"], "missing", "changed")
)
def test_a_file_that_is_not_whole_costs_its_own_day_and_is_named(split, harm):
    with split.store() as store:
        (path, _, _) = [f.path for f in store.day_files(kind="predictions", event_date=FIRST)]
        place = split.data / path
        if harm == "changed":
            place.write_bytes(place.read_bytes().replace(b"north", b"norfh"))
        elif harm == "without a sum":
            store._write("UPDATE data_files SET sha256 = NULL WHERE path = $p", {"p": path})
        else:
            place.unlink()
        if harm == "lost":
            record_lost(store, NOW, "test", [path], "a trial")
        done = merged(store)
        (said,) = done.left
        assert path in said and done.files == 9 and done.into == 3
        assert path in {file.path for file in store.day_files()}
        assert len(store.day_files(kind="predictions", event_date=FIRST)) == 3
        assert len(store.rows(MODEL, FIRST + timedelta(1), FIRST + timedelta(1))) == 12


def test_what_would_not_be_the_same_is_not_merged(split):
    with split.store() as store:
        store._write("UPDATE data_files SET rows = rows + 1 WHERE kind = 'predictions'")
        with pytest.raises(StoreError, match="were not merged; 'aiops-wb verify' looks further"):
            merged(store)
    with split.store() as store:
        assert len(store.day_files()) == 12 == len(day_files(split)) and not store.waiting_files()


def test_a_backup_holds_what_was_merged_and_nothing_that_waits(split, tmp_path):
    with split.store() as store:
        merged(store)
    told = rows_of_published(split)
    make_backup(split.data, split.root / "kept", NOW)
    kept = newest_or_itself(split.root / "kept")
    assert len(list(kept.rglob("log/**/*.parquet"))) == 4 and not list(kept.rglob(RETIRED))
    restore_backup(kept, tmp_path / "back", NOW, "test", "a trial")
    with open_store(tmp_path / "back", "test"), open_snapshot(tmp_path / "back") as reader:
        assert rows_of(reader) == told


@pytest.mark.parametrize("catalog", few(["older", "gone"]))
def test_a_log_is_made_whole_behind_a_catalog_that_knows_nothing_of_it(split, catalog):
    told = rows_of_published(split)
    shutil.copy(split.data / "catalog.duckdb", split.root / "older")
    with split.store() as store:
        merged(store)
    if catalog == "older":
        (split.root / "older").replace(split.data / "catalog.duckdb")
    else:
        (split.data / "catalog.duckdb").unlink()
        newest = max((split.data / "snapshots").iterdir())
        newest.unlink()
    with open_store(split.data, "test", prepare=catalog_from_snapshot) as store:
        take_in_again(store, NOW, "test")
        store.publish(1)
        merged(store)
    assert rows_of_published(split)["outcomes"] == told["outcomes"] and not wrong(split)
    assert rows_of_published(split) == told


@pytest.mark.slow
def test_labels_of_a_history_are_known_as_they_were(bench, capsys):
    "One file of theirs holds those of many nights."
    rows = [
        f"h{i},2026-03-0{2 + i % 2}T08:00:00Z,0.{i + 10},{i % 2},2026-03-0{4 + i % 5}T09:00Z"
        for i in range(20)
    ]
    (bench.root / "past.csv").write_text("id,predicted_at,p,y,seen\n" + "\n".join(rows) + "\n")
    words = ["history", "import", "--predictions", "past.csv", "--outcomes", "past.csv"]
    words += ["--map", "prediction_id=id,score=p,label=y,observed_at=seen"]
    words += ["--set", "version=v1", "--model", MODEL, "--data", str(bench.data)]
    assert main([w.replace("past.csv", str(bench.root / "past.csv")) for w in words]) == 0
    in_pieces(bench, batches=2)  # more of the same days, much later
    times = [datetime(2026, 3, d, 12, tzinfo=UTC) for d in (3, 5, 6, 7, 9)] + [NOW]
    with bench.store() as store:
        asked = {(n, at): ask(store, n, at) for at in times for n in ("rows", "labels_of")}
        assert len({asked["rows", at] for at in times}) > 4
        assert merged(store).files
        assert {(n, at): ask(store, n, at) for n, at in asked} == asked


def listing(folder):
    return {
        str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()
    }


def test_a_dry_run_writes_nothing_and_says_what_would_be_merged(split, capsys):
    before = listing(split.root)
    words = ["compact", "--before", "2027-01-01", "--data", str(split.data)]
    assert main([*words, "--dry-run"]) == 0
    assert "12 files of 2 days into 4" in capsys.readouterr().out and listing(split.root) == before
    assert main([*words, "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "12 files of 2 days are now 4, with the same 36 rows" in out and "wait for" in out
    assert main(words) == 0
    assert "nothing to do: no day before 2027-01-01 has" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, says",
    [
        (["--before", "soon"], "'soon' is not a day"),
        (["--older-than", "0"], "'0' is not a number of days"),
        (["--older-than", "3", "--before", "2026-03-01"], "name one"),
        (["--model", "none"], "model 'none' is not known"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(made, capsys, words, says):
    assert main(["compact", *words, "--data", str(made.data)]) != 0
    told = capsys.readouterr().err
    assert says in told and len(told.splitlines()) == 1
