"""One label for an event: of every prediction with its key, in whatever order they come."""

from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import pytest
from conftest import Bench, few
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.log import event_checks, event_keys
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.forgetting import find, forget
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.gone import problem_of
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.ingest import Ingested, ingest, ingest_file
from aiops_wb.log.named_files import Places
from aiops_wb.log.repair import from_copies, take_in_again
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import Store, open_store
from aiops_wb.log.verify import Asked, compare_bytes, look_further

NOW, DAY = datetime(2026, 3, 20, tzinfo=UTC), date(2026, 3, 1)
AT, SEEN = "2026-03-01T07:00:00Z", "2026-03-02T07:00:00Z"


def predict(bench, ids, keys, model="a", at=AT, **more):
    with PredictionLogger(
        bench.data / "spool", model, "v1", threshold=0, flush_seconds=None
    ) as log:
        times = [at] * len(ids) if isinstance(at, str) else at
        log.log([0.6] * len(ids), times, prediction_id=ids, event_key=keys, **more)


def tell(bench, keys, label=1, seen=SEEN, ids=None):
    with OutcomeLogger(bench.data / "spool", "test", flush_seconds=None) as log:
        labels = [label] * len(keys)
        log.log(prediction_id=ids, event_key=keys, label=labels, observed_at=seen)


def labels(store, as_of=None):
    "Prediction -> its label, of all models; each model's counts say as much."
    found = {}
    for model in store.models():
        rows = store.rows(model, DAY, DAY + timedelta(5), as_of=as_of)
        told = rows.dropna(subset="label") if len(rows) else rows
        counts = store.score_counts(model, as_of=as_of).values()
        assert sum(one.total[1] for one in counts) == len(told)
        assert sum(one.total[2] for one in counts) == (told.label.sum() if len(told) else 0)
        found |= dict(zip(told.prediction_id, told.label.astype(int))) if len(told) else {}
    return found


def known(bench):
    with bench.store() as store:
        return labels(store)


def shown(bench):
    "Prediction -> its label, as the published log tells it."
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        return dict(
            log._rows(
                "SELECT prediction_id, label FROM predictions JOIN labels USING (prediction_id)"
            )
        )


def reasons(bench):
    with bench.store() as store:
        return store._column("SELECT reason FROM quarantine ORDER BY rowid")


MOMENT = timedelta(hours=1)
PREDICTIONS = [("a", "p0"), ("a", "p1"), ("b", "p2"), ("b", "p3"), ("a", "p4")]
KEYS = ("k0", "k1")


@st.composite
def stories(draw):
    "Keys and batches of predictions; labels of events, of predictions or of both, with batches."
    batches = st.integers(0, 2)
    made = {
        name: (model, draw(st.sampled_from([None, *KEYS])), draw(st.integers(0, 1)), draw(batches))
        for model, name in PREDICTIONS
    }
    told = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["event", "event", "prediction", "both"]))
        one = draw(st.sampled_from(KEYS if kind == "event" else sorted(made)))
        key = one if kind == "event" else made[one][1]
        # the same label of an event and of one prediction of it are two
        hour = 2 * draw(st.integers(0, 2)) + (kind == "prediction")
        row = {
            "prediction_id": None if kind == "event" else one,
            "event_key": None if kind == "prediction" else key,
            "label": draw(st.integers(0, 1)),
            "observed_at": datetime(2026, 3, 4, hour, tzinfo=UTC),
        }
        told += [(row, batch) for batch in draw(st.lists(batches, min_size=1, max_size=2))]
    return made, told


def one_by_one(row, made):
    "A label of an event as one of each of its predictions."
    ids = [row["prediction_id"]] if row["prediction_id"] else []
    key = row["event_key"]
    ids += [name for name, (_, other, *_) in made.items() if key and other == key]
    return [row | {"prediction_id": one, "event_key": None} for one in dict.fromkeys(ids)]


def lived(store, made, told):
    "A store into which all came in its batches; what each morning knew."
    then = []
    for batch in range(3):
        loggers = {}
        with ExitStack() as stack:
            writing = {"flush_seconds": None, "cursor": store.cursor}
            for name, (model, key, day, when) in made.items():
                if when == batch:
                    if model not in loggers:
                        log = PredictionLogger(store.spool, model, "v1", threshold=0, **writing)
                        loggers[model] = stack.enter_context(log)
                    at = datetime(2026, 3, 1 + day, 9, tzinfo=UTC)
                    loggers[model].log(0.6, at, prediction_id=name, event_key=key)
            out = stack.enter_context(OutcomeLogger(store.spool, "test", **writing))
            for row, when in told:
                if when == batch:
                    out.log(**row)
        now = NOW + batch * MOMENT
        ingest(store, now, "test")
        then.append((now, labels(store)))
    return then


def last_words(made, told, batch):
    "What was told last of each prediction that is there with a batch, by hand."
    found = {}
    for name, (_, key, _, when) in made.items():
        words = [
            (since, row["observed_at"], row["label"])
            for row, since in first_told(told)
            if row["prediction_id"] == name or (key and row["event_key"] == key)
        ]
        if when <= batch and (words := [word for word in words if word[0] <= batch]):
            found[name] = max(words)[2]
    return found


def first_told(told):
    "Each label with the batch in which it came first: after that it is a duplicate."
    seen = {}
    for row, batch in told:
        about = row["event_key"] or row["prediction_id"]
        same = about, row["label"], row["observed_at"]
        seen[same] = min(seen.get(same, (batch, row)), (batch, row), key=lambda one: one[0])
    return [(row, batch) for batch, row in seen.values()]


@settings(max_examples=3)
@given(stories())
def test_a_label_of_an_event_is_that_of_each_prediction_in_any_order_and_as_of_any_time(story):
    made, told = story
    with TemporaryDirectory() as mine, Bench(Path(mine)).store() as store:
        mornings = lived(store, made, told)
        for batch, (now, then) in enumerate(mornings):
            assert then == labels(store, as_of=now) == last_words(made, told, batch)


@pytest.mark.slow
@settings(max_examples=15)
@given(stories())
def test_labels_of_events_count_as_if_each_prediction_had_been_told_its_own(story):
    made, told = story
    each = [(one, when) for row, when in told for one in one_by_one(row, made)]
    with TemporaryDirectory() as mine, TemporaryDirectory() as twin:
        with Bench(Path(mine)).store() as store, Bench(Path(twin)).store() as other:
            mornings = lived(store, made, told)
            assert mornings == lived(other, made, each)
            for now, then in mornings:
                assert labels(store, as_of=now) == then
            assert totals(store) == totals(other)
            # nothing stands twice
            rows = store.day_files(kind="outcomes")
            for file in rows:
                sql = f"FROM read_parquet('{store.root / file.path}')"
                twice = store._rows(f"SELECT * {sql} GROUP BY ALL HAVING count(*) > 1")
                assert not twice
            assert store._value("SELECT count(*) FROM quarantine") == 0


def totals(store):
    "What is counted of each day, all batches together."
    return [
        store._rows(
            f"""
            SELECT event_date, model, {key}, sum({n}), sum(n_positive) FROM {table}
            GROUP BY ALL HAVING sum({n}) <> 0 ORDER BY ALL"""
        )
        for table, key, n in (
            ("score_counts", "points", "n_labelled"),
            ("arrival_counts", "age", "n_negative + n_positive"),
        )
    ]


def test_a_label_waits_for_the_first_prediction_of_its_event_and_is_said_until_then(bench):
    tell(bench, ["k1", "k2"])
    taken = bench.ingest()
    assert (taken.loaded, taken.unmatched) == (2, 2)
    assert taken.examples == ("event_key k1", "event_key k2")
    predict(bench, ["p1"], ["k1"])
    assert "1 label that was told of an event before" in bench.ingest().notes[0]
    with bench.store() as store:
        assert store.unmatched_labels() == (1, ["event_key k2"])
        assert labels(store) == {"p1": 1}
        store.publish()
    with open_snapshot(bench.data) as log:  # a row that waits is no label
        assert log._rows("SELECT prediction_id, label FROM labels") == [("p1", 1)]
        shown = "SELECT event_key, actual_fraud_detected FROM noc_fraud_prediction_log"
        assert log._rows(shown) == [("k1", True)]


def test_the_same_label_of_an_event_is_a_duplicate_whatever_came_meanwhile(bench):
    tell(bench, ["k"])
    predict(bench, ["p1"], ["k"])
    assert bench.ingest() == Ingested(loaded=2)
    tell(bench, ["k"], label=0, seen="2026-03-05T00:00:00Z")  # a correction
    bench.ingest()
    predict(bench, ["p2"], ["k"], "b")
    tell(bench, ["k", "k"])
    assert bench.ingest() == Ingested(loaded=1, duplicates=2)
    assert known(bench) == {"p1": 0, "p2": 0}


def test_a_row_that_names_both_must_name_a_prediction_of_the_event(bench):
    predict(bench, ["p1", "p2", "p3", "p4"], ["k1", "k1", "k2", None])
    bench.ingest()
    tell(bench, ["k1", "k1", "k3", None], ids=["p1", "p3", "p4", "p3"])
    assert bench.ingest() == Ingested(loaded=3, quarantined=1)
    assert reasons(bench) == ["prediction_id p3 is of the event k2, not of k1"]
    assert known(bench) == {"p1": 1, "p2": 1, "p3": 1, "p4": 1}


def test_the_same_id_with_another_key_is_a_conflict_and_with_the_same_a_duplicate(bench):
    predict(bench, ["p1", "p2"], ["k1", None])
    bench.ingest()
    predict(bench, ["p1", "p2"], ["k1", None])
    assert bench.ingest() == Ingested(duplicates=2)
    predict(bench, ["p1", "p2"], ["k2", "k2"])
    assert bench.ingest() == Ingested(conflicts=2, quarantined=2)


def test_bad_keys_are_refused_by_a_logger_and_set_aside_of_a_segment(bench):
    with pytest.raises(ValueError, match="event_key 'kkk.* has 257 bytes: 256 are allowed"):
        predict(bench, ["p"], ["k" * 257])
    with PredictionLogger(bench.data / "spool", "a", "v1", threshold=0) as log:
        with pytest.raises(ValueError, match="has 258 bytes"):
            log.log(0.5, AT, event_key="ü" * 129)
        log.log(0.5, AT, event_key="  k ", prediction_id="p1")
        log.log([0.5, 0.5], [AT, AT], event_key=[" ", 17], prediction_id=["p2", "p3"])
    with OutcomeLogger(bench.data / "spool", "test") as log:
        for bad in ({"prediction_id": None}, {"event_key": " "}, {"event_key": [None]}):
            with pytest.raises(ValueError, match="missing"):
                log.log(**bad, label=1, observed_at=SEEN)
        with pytest.raises(ValueError, match="are both missing at position 1"):
            log.log(["p1", None], [1, 1], SEEN, event_key=["k", None])
        with pytest.raises(ValueError, match="2 event keys, 1 labels"):
            log.log(event_key=["k", "l"], label=[1], observed_at=SEEN)
        with pytest.raises(
            ValueError, match="2 ids, 2 labels, 2 observed_at, 2 predicted_at. 1 ev"
        ):
            log.log(["p1", "p2"], [1, 1], SEEN, event_key=["k"])
    assert bench.ingest().loaded == 3
    with bench.store() as store:
        rows = store.rows("a", DAY, DAY, columns="prediction_id, event_key")
        assert rows.event_key.fillna("none").tolist() == ["k", "none", "17"]


def segment(bench, kind, rows, columns):
    "A segment of the log's own form that somebody else wrote."
    folder = bench.data / "spool" / kind
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY (SELECT {columns} FROM {rows}) TO '{folder}/s.parquet' (FORMAT parquet)")


OUTCOME = f"""prediction_id::VARCHAR AS prediction_id, 1::TINYINT AS label,
    '{SEEN}'::TIMESTAMPTZ AS observed_at, 's' AS source, NULL::TIMESTAMPTZ AS predicted_at,
    event_key::VARCHAR AS event_key"""


def test_segments_of_others_with_bad_keys_cost_their_rows(bench):
    rows = f"(VALUES (NULL, '{'k' * 257}'), (NULL, ''), (NULL, NULL), ('', 'k'), (NULL, 'k'))"
    segment(bench, "outcomes", f"{rows} AS t(prediction_id, event_key)", OUTCOME)
    assert bench.ingest() == Ingested(loaded=1, quarantined=4)
    assert reasons(bench) == [
        "event_key is longer than 256 bytes",
        "prediction_id and event_key are both missing: a label names one of them",
        "prediction_id and event_key are both missing: a label names one of them",
        "prediction_id is empty",
    ]


@pytest.mark.parametrize("form", few(["csv", "jsonl", "parquet"], "csv"))
def test_files_of_others_name_events_in_any_form(bench, form):
    at = pd.Timestamp(AT)
    made = pd.DataFrame({"id": ["p1", "p2"], "flight": ["k1", " k2 "], "when": at, "p": 0.6})
    told = pd.DataFrame({"event_key": ["k1", "k2", None, None], "label": [1, None, None, 1]})
    told = told.assign(observed_at=pd.Timestamp(SEEN))
    for name, frame in (("made", made), ("told", told)):
        path = bench.root / f"{name}.{form}"
        if form == "csv":
            frame.to_csv(path, index=False)
        elif form == "jsonl":
            frame.to_json(path, orient="records", lines=True, date_format="iso")
        else:
            duckdb.sql(f"COPY frame TO '{path}'")
    mapping = {"prediction_id": "id", "event_key": "flight", "predicted_at": "when", "score": "p"}
    with bench.store() as store:
        constants = {"model": "a", "version": "v1"}
        taken = ingest_file(
            store, NOW, "test", bench.root / f"made.{form}", "predictions", mapping, constants
        )
        assert taken == Ingested(loaded=2)
        taken = ingest_file(store, NOW, "test", bench.root / f"told.{form}", "outcomes")
        assert taken == Ingested(loaded=1, quarantined=2) and taken.waiting == 1
        assert store.rows("a", DAY, DAY).event_key.tolist() == ["k1", "k2"]
    assert known(bench) == {"p1": 1}
    both = "prediction_id and event_key are both missing: a label names one of them"
    assert set(reasons(bench)) == {both}


def test_what_labels_of_events_are_mapped_from_is_no_feature_of_the_models_that_come(bench):
    path = bench.root / "told.csv"
    path.write_text(f"flight,y,seen\nk1,1,{SEEN}\n")
    mapping = {"event_key": "flight", "label": "y", "observed_at": "seen"}
    with bench.store() as store:
        ingest_file(store, NOW, "test", path, "outcomes", mapping)
    predict(bench, ["p1"], ["k1"], features={"y": [1.0], "x": [2.0]})
    predict(bench, ["q1"], ["k2"], "b", features={"y": [1.0]})
    bench.ingest()
    with bench.store() as store:
        assert store.outcomes_among("a", ["y", "x"]) == ["y"]
        assert store.outcomes_among("b", ["y"]) == []


def test_a_file_without_ids_and_keys_is_refused_with_both_ways(bench):
    path = bench.root / "labels.csv"
    path.write_text(f"label,observed_at\n1,{SEEN}\n")
    with bench.store() as store, pytest.raises(Exception, match="--map event_key=<column>"):
        ingest_file(store, NOW, "test", path, "outcomes")


def test_a_segment_of_a_logger_of_an_earlier_release_is_taken_as_it_is(bench):
    predict(bench, ["p1"], [None], route="alert")
    (path,) = (bench.data / "spool" / "predictions").glob("*.parquet")
    before = path.read_bytes()
    duckdb.sql(
        f"COPY (SELECT * EXCLUDE (event_key) FROM read_parquet('{path}')) "
        f"TO '{bench.root}/old.parquet'"
    )
    path.write_bytes((bench.root / "old.parquet").read_bytes())
    assert bench.ingest() == Ingested(loaded=1)
    with bench.store() as store:
        (row,) = store.rows("a", DAY, DAY).itertuples()
        assert (row.threshold, row.route, row.points) == (0, "alert", 405)
    path.write_bytes(before)  # the same row by a newer one
    assert bench.ingest() == Ingested(duplicates=1)


def test_logs_without_keys_never_look_for_any(bench, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a key was looked for")

    for name in ("files_with_keys", "find_told", "find_events"):
        monkeypatch.setattr(Store, name, refuse)
    predict(bench, ["p1", "p2"], [None, None])
    tell(bench, [None, None], ids=["p1", "p2"])
    assert bench.ingest() == Ingested(loaded=4)
    predict(bench, ["p3"], [None])
    tell(bench, [None, None], label=0, ids=["p1", "p3"])
    assert bench.ingest() == Ingested(loaded=3) and known(bench) == {"p1": 0, "p2": 1, "p3": 0}


WHO, KEY = "somebody-0815-of-it", "event-of-somebody-4711"


def test_a_key_is_forgotten_with_the_last_prediction_of_its_event(bench):
    tell(bench, [KEY, "shared-event-0042", "other-event-0043"])
    bench.ingest()
    predict(bench, ["p1", "p2", "p3"], [KEY, "shared-event-0042", "other-event-0043"])
    predict(bench, ["q1", "q2"], [KEY, "shared-event-0042"], "b", entity_id=[WHO, None])
    bench.ingest()
    (bench.data / "rejected").mkdir(exist_ok=True)
    (bench.data / "rejected" / "odd.csv").write_text(f"who\n{KEY}\nshared-event-0042\n")
    with OutcomeLogger(bench.data / "spool", "test", flush_seconds=None) as log:
        log.log(event_key=[KEY, "other-event-0043"], label=[0, 1], observed_at=SEEN)
        log.log(event_key=KEY, label=1, observed_at="2026-03-09T00:00:00Z")
        log.secure()
        before = known(bench)
        with bench.store() as store:
            for one in (Forgotten("prediction", "p1"), Forgotten("entity", WHO, until=NOW)):
                store.add_forgotten(NOW, [one])
                found = find(store, one, Places(bench.data / "spool"))
                assert (KEY in found.names) == (one.kind == "entity")  # q1 was of it as well
                forget(store, NOW, "test", found, "asked to")
        left = {one: label for one, label in before.items() if one not in ("p1", "q1")}
        assert shown(bench) == left
        assert (bench.data / "rejected" / "odd.csv").read_text() == "who\nshared-event-0042\n"
        for path in bench.data.rglob("*"):
            if path.is_file() and path.suffix != ".duckdb":
                assert KEY.encode() not in path.read_bytes(), path
            if path.suffix == ".parquet":
                text = duckdb.sql(f"SELECT t::VARCHAR FROM read_parquet('{path}') t").fetchall()
                assert KEY not in str(text), path
    assert bench.ingest().forgotten  # what its process had in memory
    tell(bench, [KEY])
    predict(bench, ["q9"], [KEY], "c")
    taken = bench.ingest()
    assert (taken.loaded, taken.forgotten) == (0, 2)
    with bench.store() as store:
        assert store.unmatched_labels() == (0, [])
        held = [
            f"{row}"
            for table in ("data_files", "quarantine", "segments", "audit")
            for row in store._rows(f"SELECT * FROM {table}")
        ]
        assert not [row for row in held if KEY in row]
        assert dict(store._rows("SELECT kind, count(*) FROM forgotten GROUP BY 1"))["event"] == 1


def test_of_a_forgotten_entity_that_comes_in_again_the_events_are_forgotten_too(bench):
    with bench.store() as store:
        store.add_forgotten(NOW, [Forgotten("entity", WHO)])
    predict(bench, ["p1", "p2"], ["k1", "k2"], entity_id=[WHO, WHO])
    predict(bench, ["q2"], ["k2"], "b")
    assert bench.ingest().forgotten == 2
    tell(bench, ["k1", "k2"])
    taken = bench.ingest()
    assert (taken.loaded, taken.forgotten) == (1, 1) and known(bench) == {"q2": 1}


def findings(bench):
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        return [*compare_bytes(log, Asked()).findings, *look_further(log, Asked())]


def test_a_log_with_events_verifies_and_a_file_that_comes_back_is_labelled(bench):
    tell(bench, ["k1", "k9"])
    bench.ingest()
    predict(bench, ["p1", "p2"], ["k1", "k2"])
    predict(bench, ["q2"], ["k2"], "b")
    bench.ingest()
    assert findings(bench) == []
    with bench.store() as store:
        (file,) = store.day_files(kind="predictions", model="b")
        path, copy = store.root / file.path, bench.root / "copies" / Path(file.path).name
        copy.parent.mkdir()
        path.rename(copy)
    assert problem_of(path, file.bytes)
    tell(bench, ["k2"])
    assert bench.ingest() == Ingested(loaded=1)
    with bench.store() as store:
        from_copies(store, NOW, "test", copy.parent)
        assert labels(store) == {"p1": 1, "p2": 1, "q2": 1}
        for file in store.day_files(kind="outcomes", event_date=DAY):
            (store.root / file.path).rename(copy.parent / Path(file.path).name)
    predict(bench, ["r2"], ["k2"], "c")  # whose label stands in a file that is gone
    bench.ingest()
    with bench.store() as store:
        from_copies(store, NOW, "test", copy.parent)
    assert known(bench) == {"p1": 1, "p2": 1, "q2": 1, "r2": 1} and findings(bench) == []


@pytest.mark.slow
def test_rows_that_a_catalog_lost_are_taken_in_again_with_their_events(bench, tmp_path):
    predict(bench, ["p0"], ["k0"])
    bench.ingest()
    before = (bench.data / "catalog.duckdb").read_bytes()
    tell(bench, ["k1", "k9"])
    predict(bench, ["p1"], ["k1"])
    bench.ingest()
    tell(bench, ["k1"], label=0, seen="2026-03-05T00:00:00Z")
    bench.ingest()
    predict(bench, ["q1"], ["k1"], "b")
    bench.ingest()
    (bench.data / "catalog.duckdb").write_bytes(before)
    with open_store(bench.data, "test", prepare=lambda root: None) as store:
        take_in_again(store, NOW, "test")
    assert known(bench) == {"p1": 0, "q1": 0}
    with bench.store() as store:
        assert store.unmatched_labels() == (1, ["event_key k9"])
    assert findings(bench) == []


@pytest.mark.slow
def test_a_history_is_labelled_by_events_as_it_was_known_and_other_models_are_left_alone(bench):
    predict(bench, ["q1"], ["k1"], "b")
    bench.ingest()
    made = [("p1", "k1", 1), ("p2", "k2", 2), ("p3", "k3", 3)]
    (bench.root / "made.csv").write_text(
        "id,flight,predicted_at,score\n"
        + "".join(f"{one},{key},2026-03-0{day}T07:00:00Z,0.6\n" for one, key, day in made)
    )
    (bench.root / "told.csv").write_text(
        "of,label,observed_at\n"
        "k1,1,2026-03-04T07:00:00Z\nk2,0,2026-03-05T07:00:00Z\nk2,1,2026-03-06T07:00:00Z\n"
        "k3,1,2026-03-01T07:00:00Z\nk9,1,2026-03-05T07:00:00Z\n"
    )
    files = {"predictions": bench.root / "made.csv", "outcomes": bench.root / "told.csv"}
    named = {"prediction_id": "id", "event_key": "flight"}
    chosen = choices("a", named, {"version": "v1"}, outcome_mapping={"event_key": "of"})
    for again in (False, True):
        with bench.store() as store:
            done = import_history(store, NOW, "test", "a", files, chosen)
            assert done["outcomes"].loaded == (0 if again else 4)
            assert labels(store) == {"p1": 1, "p2": 1}
            for day, then in (
                (4, {}),
                (5, {"p1": 1}),
                (6, {"p1": 1, "p2": 0}),
                (7, {"p1": 1, "p2": 1}),
            ):
                assert labels(store, as_of=datetime(2026, 3, day, 1, tzinfo=UTC)) == then
    assert reasons(bench) == ["observed_at is before predicted_at"]
    # predictions that come later are labelled as of the night on which both are known
    (bench.root / "made.csv").write_text(
        "id,flight,predicted_at,score\n"
        "p8,k2,2026-03-02T09:00:00Z,0.6\np9,k9,2026-03-03T07:00:00Z,0.6\n"
    )
    with bench.store() as store:
        import_history(store, NOW, "test", "a", files, chosen)
        assert labels(store) == {"p1": 1, "p2": 1, "p8": 1, "p9": 1}
        assert labels(store, as_of=datetime(2026, 3, 6, 1, tzinfo=UTC)) in (
            {"p1": 1, "p2": 0},
            {"p1": 1, "p2": 0, "p9": 1},
        )
    assert findings(bench) == []


def test_what_names_no_event_makes_no_flood_of_labels(bench, monkeypatch):
    for module in (event_checks, event_keys):
        monkeypatch.setattr(module, "MOST", 500)
    ids, seen = [f"p{i}" for i in range(240)], pd.date_range(SEEN, periods=5, freq="h")
    predict(bench, ids, ["UA"] * 240)
    bench.ingest()
    for one in ("UA", "k"):
        with OutcomeLogger(bench.data / "spool", "test", flush_seconds=None) as log:
            log.log(event_key=[one] * 5, label=[0, 1, 1, 0, 1], observed_at=seen)
    taken = bench.ingest()
    assert (taken.loaded, taken.unmatched) == (5, 1)
    assert "its 5 labels are of 1,200 predictions by event_key" in taken.refused[0]
    predict(bench, [f"q{i}" for i in range(240)], ["k"] * 240, "b")
    assert "event_key 'k' names no single event" in bench.ingest().notes[0]
    assert known(bench) == {}


def test_two_models_on_the_same_events(bench):
    late = "2026-03-01T09:00:00Z"
    predict(
        bench,
        ["a1", "a1-again", "a2", "a3", "a4"],
        ["k1", "k1", "k2", "k3", None],
        at=[AT, late, AT, AT, AT],
    )
    predict(
        bench,
        ["b1", "b2-x", "b2-y", "b9"],
        ["k1", "k2", "k2", "k9"],
        "b",
        at=["2026-03-02T01:00:00Z", AT, AT, AT],
    )
    bench.ingest()
    tell(bench, ["k1"])
    tell(bench, [None], label=0, ids=["b2-x"])  # not the one that counts
    bench.ingest()
    with bench.store() as store:
        found = store.same_events("a", "b", DAY, DAY)
        assert found.attrs["reason"] == ""
        assert found[["event_key", "a_id", "b_id"]].values.tolist() == [
            ["k1", "a1-again", "b1"],
            ["k2", "a2", "b2-y"],
        ]
        assert found.label.isna().tolist() == [False, True] and found.label[0] == 1
        assert set(found.a_version) == {"v1"} and set(found.b_points) == {405}
        assert store.same_events("a", "b", DAY, DAY, days_apart=0).event_key.tolist() == ["k2"]
        turned = store.same_events("b", "a", DAY, DAY + timedelta(1))
        assert turned.event_key.tolist() == ["k2", "k1"]  # by the day of the first model


def test_why_no_event_is_in_both(bench):
    predict(bench, ["a1"], ["k1"])
    predict(bench, ["b1"], ["k2"], "b")
    predict(bench, ["c1"], [None], "c")
    bench.ingest()
    with bench.store() as store:
        for other, why in (("b", "was scored by b, by event_key"), ("c", "no prediction of c has")):
            found = store.same_events("a", other, DAY, DAY)
            assert found.empty and why in found.attrs["reason"]
        assert (
            "on these days" in store.same_events("a", "b", NOW.date(), NOW.date()).attrs["reason"]
        )
        of_two = store.same_events("a", "b", DAY, DAY, tenant="two")
        assert of_two.attrs["reason"] == "no prediction of a of tenant two is in the log."
        of_none = store.same_events("a", "d", DAY, DAY)
        assert of_none.attrs["reason"] == "no prediction of d is in the log."


def test_the_same_label_told_again_while_it_waits_is_a_duplicate(bench):
    tell(bench, ["k", "other"])
    assert bench.ingest().loaded == 2
    tell(bench, ["k"])
    assert bench.ingest() == Ingested(duplicates=1)
    tell(bench, ["k"], label=0)  # says otherwise
    tell(bench, ["third"])
    taken = bench.ingest()
    assert (taken.loaded, taken.duplicates) == (2, 0)
    predict(bench, ["p1", "p2"], ["k", "third"])
    bench.ingest()
    assert set(known(bench)) == {"p1", "p2"}
