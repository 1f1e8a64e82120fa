"""What an event says: by its columns, its envelope and its place, and never by the clock."""

import json
from datetime import UTC, datetime

import pytest
from conftest import Bench
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from streamed import LATER, log_of, take_in

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.reading import Limits
from aiops_wb.streams.events import Entry, Outcome, Prediction, Reading, read_event
from aiops_wb.streams.taking import Taking

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
ROW = {"model": "late", "version": "v1", "score": 0.9, "prediction_id": "p1"}
ROW["predicted_at"] = "2026-03-01T10:00:00Z"
LABEL = {"prediction_id": "p1", "label": 1, "observed_at": "2026-03-02T10:00:00Z"}
CLOUD = {"specversion": "1.0", "id": "7", "source": "/s", "type": "any"}


def read(event, reading=Reading(), **how):
    raw = event if isinstance(event, (str, bytes)) else json.dumps(event)
    return read_event(Entry(raw, "test", "1", **how), reading)


def without(row, *names):
    return {name: cell for name, cell in row.items() if name not in names}


def test_a_score_makes_a_prediction_and_other_keys_its_features():
    told = read(ROW | {"x": 1.5, "site_id": " N ", "latency_ms": "2.5", "features": {"y": "a"}})
    assert isinstance(told, Prediction)
    assert told[:5] == ("default", "late", "v1", "logit", None)
    assert told[5:8] == (0.9, AT, "p1")
    assert told.features == {"x": 1.5, "y": "a"}
    assert told.columns == {"site_id": "N", "latency_ms": 2.5}


def test_a_label_makes_an_outcome_and_its_other_keys_are_nothing():
    told = read(LABEL | {"model": "late", "x": 2, "source": "desk"})
    assert told == Outcome("desk", "p1", 1, datetime(2026, 3, 2, 10, tzinfo=UTC), None, None)
    by_event = read(without(LABEL, "prediction_id") | {"event_key": "e", "label": "true"})
    assert (by_event.prediction_id, by_event.event_key, by_event.label) == (None, "e", 1)
    assert by_event.source == "events"


@pytest.mark.parametrize(
    ("told", "points"),
    [({}, None), ({"threshold": 0.6}, 405), ({"threshold": "0.5"}, 0)]
    + [({"threshold": 2.5, "grid": "linear", "score": 3}, 2500)],
)
def test_a_threshold_is_a_score_as_in_files(told, points):
    assert read(ROW | told).threshold == points


def test_the_type_of_an_envelope_says_what_could_be_both():
    both = ROW | {"label": 1, "observed_at": "2026-03-02T10:00:00Z"}
    told = read(CLOUD | {"type": "aiops_wb.prediction", "data": both})
    assert isinstance(told, Prediction) and told.features == {}
    assert isinstance(read(CLOUD | {"type": "aiops_wb.outcome", "data": both}), Outcome)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (ROW | {"label": 1}, "both a score and a label"),
        (without(ROW, "score"), "neither a score nor a label"),
        (ROW | {"score": None}, "neither a score nor a label"),
        (without(ROW, "model"), "model is missing"),
        (ROW | {"model": " "}, "model is missing"),
        (without(ROW, "predicted_at"), "predicted_at is missing"),
        (ROW | {"predicted_at": "2026-03-01T10:00:00"}, "without an offset"),
        (ROW | {"predicted_at": "yesterday"}, "no time with an offset"),
        (ROW | {"predicted_at": 1_772_000_000}, "no time with an offset"),
        (ROW | {"predicted_at": 0}, "predicted_at 0 is no time with an offset"),
        (ROW | {"predicted_at": "1800-03-01T10:00:00Z"}, "not between 1900 and 2200"),
        (ROW | {"score": "high"}, "score 'high' is not a number"),
        (ROW | {"score": True}, "score True is not a number"),
        (ROW | {"score": "1_0"}, "is not a number"),
        (ROW | {"threshold": 1.5}, "threshold: score 1.5 is not allowed"),
        (ROW | {"prediction_id": float("nan")}, "prediction_id is missing"),
        (ROW | {"model": float("nan")}, "model is missing"),
        (ROW | {"model": ["late"]}, "model is not a text"),
        (ROW | {"route": "lunch"}, "route 'lunch' is not one of ticket, alert, monitor"),
        (ROW | {"grid": "log"}, "grid 'log' is not one of logit, linear"),
        (ROW | {"automated": "perhaps"}, "automated 'perhaps' is not one of"),
        (ROW | {"features": 3}, "features is no object"),
        (ROW | {"x": 1, "features": {"x": 2}}, "'x' is told twice"),
        (without(ROW, "prediction_id"), "prediction_id is missing"),
        (LABEL | {"label": 0.5}, "label 0.5 is not 0 or 1"),
        (LABEL | {"label": "maybe"}, "label 'maybe' is not"),
        (without(LABEL, "prediction_id"), "prediction_id and event_key are both missing"),
        (without(LABEL, "observed_at"), "observed_at is missing"),
        (CLOUD | {"data": ROW, "specversion": "0.3"}, "specversion is '0.3'"),
        (CLOUD | {"data": [ROW]}, "data of the CloudEvent is no object"),
        (CLOUD | {"data": ROW, "id": ""}, "id of a CloudEvent"),
        ("[1]", "not an object"),
        ("{", "not a line of JSON"),
        ('{"score": 1, "score": 1}', "'score' is given twice"),
        (b"\xff{}", "not valid UTF-8"),
        (json.dumps(ROW | {"x": 1})[:-1] + ', "y": "\\ud800"}', "half a character"),
    ],
)
def test_what_says_nothing_is_refused_in_a_sentence(event, said):
    with pytest.raises(ValueError) as error:
        read(event)
    assert said in str(error.value) and str(error.value).isprintable()


def test_ids_and_times_come_from_the_event_its_envelope_or_its_place():
    bare = without(ROW, "prediction_id", "predicted_at")
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    wrapped = CLOUD | {"time": "2026-03-01t11:00:00z", "data": bare}
    told = read(wrapped, identity="redis ev 1-0", at=noon)
    assert told.predicted_at == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert told.prediction_id == read(wrapped | {"subject": "s"}).prediction_id  # whatever its text
    assert told.prediction_id != read(wrapped | {"id": "8"}).prediction_id
    by_place = read(bare, identity="redis ev 1-0", at=noon)
    assert by_place.predicted_at == noon
    again = [read(bare, identity=f"redis ev {i}-0", at=noon).prediction_id for i in (1, 1, 2)]
    assert again[0] == again[1] == by_place.prediction_id != again[2]
    other = read(bare | {"x": 1}, identity="redis ev 1-0", at=noon).prediction_id
    assert other != by_place.prediction_id  # the place alone is not enough: a topic is made anew
    given = read(CLOUD | {"time": "2026-03-01T11:00:00Z", "data": ROW}, identity="i", at=noon)
    assert (given.prediction_id, given.predicted_at) == ("p1", AT)


@pytest.mark.parametrize("wrong", [0, False, [], {}])
def test_a_time_that_is_none_is_refused_whenever_the_source_took_the_event(wrong):
    with pytest.raises(ValueError, match="no time with an offset"):
        read(ROW | {"predicted_at": wrong}, at=AT)


def test_binary_mode_says_the_same_as_structured_mode():
    attributes = CLOUD | {"time": "2026-03-01T11:00:00Z"}
    bare = without(ROW, "prediction_id", "predicted_at")
    assert read(bare, envelope=attributes) == read(attributes | {"data": bare})


def test_other_names_are_told_also_of_what_lies_deeper():
    event = {"out": {"p": 0.3, "at": "2026-03-01T10:00:00Z"}, "id": 17, "a.b": "N", "y": 1}
    event |= {"truth": {"fraud": 1}, "customer": {"age": 3}}
    mapping = {"score": "out.p", "predicted_at": "out.at", "prediction_id": "id"}
    mapping |= {"site_id": "a.b", "label": "truth.fraud"}
    reading = Reading(mapping, {"model": "late", "version": "v2", "threshold": "0.5"})
    with pytest.raises(ValueError, match="both"):
        read(event, reading)
    told = read(without(event, "truth"), reading)
    assert (told.model, told.version, told.threshold) == ("late", "v2", 0)
    assert (told.score, told.predicted_at, told.prediction_id) == (0.3, AT, "17")
    assert told.columns == {"site_id": "N"}
    assert told.features == {"y": 1, "customer": {"age": 3}}
    outcome = read(without(event, "out") | {"observed_at": "2026-03-01T10:00:00Z"}, reading)
    assert (outcome.prediction_id, outcome.label) == ("17", 1)
    whole = read(CLOUD | {"type": "aiops_wb.prediction", "data": event}, reading)
    assert "truth" not in whole.features  # what is read for a label is never a feature


@pytest.mark.parametrize("how", [({"nix": "a"}, {}), ({"points": "a"}, {}), ({}, {"label": "1"})])
def test_a_column_that_there_is_not_is_refused_before_anything_is_read(how):
    with pytest.raises(StoreError, match="cannot be (mapped|set): events have the columns"):
        Reading(*how)


def test_what_tells_an_outcome_is_no_feature_whatever_its_case():
    told = read(ROW | {"Label ": 1, "source": "x", "features": {"LABEL": 1, "z": 2}, "points": 3})
    assert told.features == {"z": 2}


def test_texts_of_a_source_that_knows_no_numbers_are_what_they_spell():
    row = {"model": "7", "version": "1", "score": "0.25", "x": "1.5", "code": "007", "w": "NaN"}
    row |= {"b": "true", "n": "null", "o": '{"a": 1}', "entity_id": "12", "label": ""}
    row |= {"features": '{"y": "2"}'}
    told = read(row, loose=True, identity="i", at=AT)
    assert (told.model, told.version, told.score) == ("7", "1", 0.25)
    assert told.columns == {"entity_id": "12"}
    assert told.features == {
        "x": 1.5,
        "code": "007",
        "w": "NaN",
        "b": True,
        "n": None,
        "o": '{"a": 1}',
        "y": "2",
    }
    deep = Reading({"score": "model.p"}, {"model": "m", "version": "1"})
    told = read({"model": '{"p": 0.5}'}, deep, loose=True, identity="i", at=AT)
    assert (told.score, told.model, told.features) == (0.5, "m", {})


def test_limits_hold():
    with pytest.raises(ValueError, match="longer than 50 characters"):
        read(ROW, Reading(limits=Limits(line=50)))


FEATURES = st.fixed_dictionaries(
    {},
    optional={
        "x": st.floats(-1e6, 1e6) | st.none(),
        "Größe": st.sampled_from(["a", "b ", "0µ"]),
        "feature:k": st.floats(-1e6, 1e6),
    },
)
COLUMNS = st.fixed_dictionaries(
    {"score": st.floats(0, 1) | st.floats(0, 1).map(repr)},
    optional={
        "site_id": st.sampled_from(["N", " S ", 7]),
        "threshold": st.sampled_from([0.5, "0.25", None]),
        "latency_ms": st.floats(0, 100),
        "route": st.sampled_from(["alert", "monitor", None]),
        "automated": st.sampled_from([True, "false", None]),
        "event_key": st.sampled_from(["e1", None]),
    },
)
ROWS = st.lists(st.tuples(COLUMNS, FEATURES), min_size=1, max_size=6)


@settings(max_examples=6, phases=[Phase.generate])
@given(ROWS, st.booleans())
def test_events_become_what_the_same_lines_in_a_file_become(tmp_path_factory, told, nested):
    root, rows = tmp_path_factory.mktemp("both"), []
    for i, (columns, features) in enumerate(told):
        row = columns | ({"features": features} if nested else features)
        rows.append(row)
        row |= {"model": "late", "version": "v1", "prediction_id": f"p{i}"}
        row["predicted_at"] = "2026-03-01T10:00:00+01:00"
    path, by_file, by_event = root / "rows.jsonl", Bench(root / "file"), Bench(root / "event")
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with by_file.store() as store:
        ingest_file(store, LATER, "test", path, "predictions")
    taking = Taking(by_event.data / "spool", Reading())
    assert [taking.put(Entry(json.dumps(row), "test", "1")) for row in rows] == [None] * len(rows)
    taking.close()
    take_in(by_event.data)
    found = [log_of(bench.data) for bench in (by_file, by_event)]
    assert found[0] == found[1] and len(found[0]["predictions"]) == len(rows)
    assert whole(by_file) == whole(by_event)


def whole(bench):
    "Every column of every row, the features by name."
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        frame = log.frame("SELECT * FROM predictions ORDER BY prediction_id")
    rows = frame.drop(columns=[c for c in frame if "batch" in c]).to_dict("records")
    for row in rows:
        told = row.pop("features", None) or {}
        row["features"] = {n: told[n] for n in sorted(told) if told[n] is not None}
    return repr(rows)
