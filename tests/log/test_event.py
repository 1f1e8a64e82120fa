"""What no file can hold is refused when it is logged; everything else is written."""

import decimal
import itertools
import math
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import few

from aiops_wb.log.event import MOST_FEATURES
from aiops_wb.log.plain import plain, spelt
from aiops_wb.log.published import write_schema
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

AT = "2026-11-02T07:00:00+01:00"
KINDS = {
    "nothing": None,
    "true": True,
    "whole": 7,
    "long": 2**60,
    "longer": 2**64,
    "endless": 10**400,
    "number": 2.5,
    "nan": math.nan,
    "inf": math.inf,
    "text": "A3",
    "empty": "",
    "half": "\ud83d",
    "emoji": "😀\0",
    "bytes": b"\xff\x00",
    "list": [[1, "a"]],
    "struct": {"a": 1},
    "set": {1},
    "object": object(),
    "decimal": decimal.Decimal("1.5"),
    "day": date(2026, 11, 2),
    "time": datetime(2026, 11, 2, 7, tzinfo=UTC),
    "span": timedelta(hours=2),
    "float32": np.float32(0.1),
    "int64": np.int64(3),
    "bool_": np.bool_(False),
    "str_": np.str_("x"),
    "datetime64": np.datetime64("2026-11-02T07:00"),
    "complex": 1j,
    "stamp": pd.Timestamp("2026-11-02", tz="UTC"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "uuid": uuid.UUID(int=7),
    "fraction": Fraction(1, 3),
    "clock": time(7, 30),
    "array": np.array([1.0]),
    "series": pd.Series(["a"], index=[9]),
}


def rows(path):
    return duckdb.sql(f"SELECT * FROM '{path}' ORDER BY prediction_id").df()


def written(tmp_path, calls, **more):
    "How many of some calls are refused, and the segment of the others."
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None, **more)
    refused = 0
    for call in calls:
        try:
            log.log(0.2, AT, **call)
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            refused += 1
    path = log.flush()
    assert log.buffered == 0 and log.flush() is None
    return refused, path


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        yield con


def count(con, path):
    "Rows of a segment, read to the last."
    if path is None:
        return 0
    return con.execute(f"SELECT count(hash(t)) FROM '{path}' AS t").fetchall()[0][0]


@pytest.mark.parametrize("first", few(KINDS, "text", "number", "nothing", "bytes", "true", "NaT"))
def test_each_pair_of_kinds_is_refused_or_written(tmp_path, con, first):
    for second in KINDS:
        pair = [{"features": {"x": KINDS[one]}} for one in (first, second)]
        refused, path = written(tmp_path, pair, cursor=con.cursor)
        assert count(con, path) == 2 - refused


@pytest.mark.parametrize("first", few(KINDS, "text", "number", "nothing", "bytes", "true", "NaT"))
def test_each_pair_of_kinds_in_lists_is_refused_or_written(tmp_path, con, first):
    "In one batch, in a list or an array, and as an event after it."
    for second in KINDS:
        log = PredictionLogger(
            tmp_path, "m", "1", threshold=0, flush_seconds=None, cursor=con.cursor
        )
        values = [KINDS[first], KINDS[second]]
        column = np.empty(2, dtype=object)
        column[:] = values
        kept = 0
        for scores, given in (([0.1, 0.2], values), ([0.1, 0.2], column), (0.3, values[1])):
            at = [AT] * np.size(scores)
            with suppress(ValueError):
                kept += len(log.log(scores, at, features={"x": given}))
        assert count(con, log.flush()) == kept


REFUSED = {"endless", "half", "set", "object", "complex"}


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_no_file_can_hold_is_refused(tmp_path, kind):
    refused, path = written(tmp_path, [{"features": {"x": KINDS[kind]}}])
    assert refused == (kind in REFUSED) and (path is None) == bool(refused)


TEXTS = ("entity_id", "site_id", "calibration_id", "risk_level", "route", "ladder")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_text_take_what_features_take(tmp_path, con, kind):
    for name in TEXTS:
        calls = [{name: KINDS[kind]}, {name: "ok"}]
        refused, path = written(tmp_path, calls, cursor=con.cursor)
        assert count(con, path) == 2 - refused and refused <= 1, name


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ([True, 2.5], [1.0, 2.5]),
        ([1, 2.5], [1.0, 2.5]),
        ([1, 2], [1, 2]),
        ([7, "A3", 7.0, True, None], ["7", "A3", "7", "true", None]),
        ([2**60, 2.5], [str(2**60), "2.5"]),
        ([2**60, None], [str(2**60), None]),
        ([2**60, 1], [2**60, 1]),
        ([2**64, 1], [str(2**64), "1"]),
        ([True, None], [True, None]),
        ([1, None], [1, None]),
        ([math.nan, 1.5], [None, 1.5]),
        ([-0.0, "a"], ["0", "a"]),
        (["007", "x\0é😀"], ["007", "x\0é😀"]),
        ([date(2026, 11, 2), None], ["2026-11-02", None]),
        ([pd.Timestamp(AT), datetime(2026, 11, 2)], ["2026-11-02T06:00:00Z", "2026-11-02"]),
        ([timedelta(hours=2), 1], [7200.0, 1.0]),
        ([[[1, "a"]], {"b": None}], ['[1, "a"]', '{"b": null}']),
    ],
)
def test_types_widen_to_what_holds_them(tmp_path, values, stored):
    calls = [{"features": {"x": value}, "prediction_id": str(i)} for i, value in enumerate(values)]
    _, path = written(tmp_path, calls)
    fetched = duckdb.sql(f"SELECT features.x FROM '{path}' ORDER BY prediction_id").fetchall()
    assert [one for (one,) in fetched] == stored


@pytest.mark.parametrize(
    ("fixed", "values", "stored"),
    [
        ("text", [7, 7.0, True], ["7", "7", "true"]),
        ("number", [True, False], [1.0, 0.0]),
        ("number", ["1", 2, "3.5"], [1.0, 2.0, 3.5]),
        ("number", ["1", "odd", None], ["1", "odd", None]),  # kept for whoever reads it
        ("number", [None, None], [None, None]),
        ("boolean", [True, False], [True, False]),
        ("time", ["2026-11-02", None], ["2026-11-02", None]),
    ],
)
def test_a_published_type_settles_it(tmp_path, fixed, values, stored):
    write_schema(tmp_path, "m", {"x": fixed})
    calls = [{"features": {"x": value}, "prediction_id": str(i)} for i, value in enumerate(values)]
    _, path = written(tmp_path, calls)
    fetched = duckdb.sql(f"SELECT features.x FROM '{path}' ORDER BY prediction_id").fetchall()
    assert [one for (one,) in fetched] == stored


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"Age": 1}, {"age": 2}),
        ({"x": 1}, {"X": 2, "y": 1}),
        ({"x": 1}, {"a": 1, "A": 2}),
        ({"x": 1}, {"": 2}),
        ({"x": 1}, {"x\0y": 2}),
        ({"x": 1}, {"\ud83d": 2}),
        ({"x": 1}, pd.DataFrame([[1, 2]], columns=["y", "Y"])),
        ({"x": 1}, pd.DataFrame([[1, 2]], columns=["y", "y"])),
        ({"x": 1}, pd.DataFrame({"X": [1]})),
        (pd.DataFrame({"x": [1]}), {"X": 1}),
    ],
)
def test_names_that_no_file_can_hold_apart_are_refused(tmp_path, first, second):
    refused, path = written(tmp_path, [{"features": first}, {"features": second}])
    assert refused == 1 and len(rows(path)) == 1


def test_a_published_name_has_the_word(tmp_path):
    write_schema(tmp_path, "m", {"Age": "number"})
    refused, path = written(tmp_path, [{"features": {"age": 1}}, {"features": {"Age": 2}}])
    assert refused == 1 and rows(path).features[0] == {"Age": 2}


def test_features_without_end_are_refused(tmp_path):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    log.log(0.5, AT, features={f"f{i}": i for i in range(MOST_FEATURES)})
    with pytest.raises(ValueError, match="5,000"):
        log.log(0.5, AT, features={"one more": 1})


def test_a_text_without_end_is_refused(tmp_path):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    for features in ({"x": "a" * 1_000_001}, pd.DataFrame({"x": ["a" * 1_000_001]})):
        with pytest.raises(ValueError, match="1,000,000"):
            log.log(0.5, AT, features=features)


@pytest.mark.parametrize(
    "at",
    ["1850-01-01T00:00:00Z", "2300-01-01T00:00:00Z", pd.Timestamp("1850-01-01", tz="UTC")],
)
@pytest.mark.parametrize("several", [False, True])
def test_times_far_off_are_refused(tmp_path, at, several):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    with pytest.raises(ValueError, match="between 1900 and 2200"):
        log.log([0.5] if several else 0.5, [at] if several else at)


@pytest.mark.parametrize(
    "ids", ["", [""], [None], [np.nan], "\ud83d", ["\ud83d"], pd.Series([None])]
)
def test_an_id_is_needed(tmp_path, ids):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    with pytest.raises(ValueError, match="prediction_id"):
        log.log(0.5, AT, prediction_id=ids)
    assert log.buffered == 0


def test_spelling_is_that_of_the_ingester():
    values = pytest.importorskip("aiops_wb.log.values")
    for kind, value in KINDS.items():
        if kind in REFUSED | {"list", "array", "series", "bytes", "emoji", "fraction", "clock"}:
            continue
        ours = plain(value, "x")
        assert values.canonical_text(value) == (None if ours in (None, "") else spelt(ours)), kind


@pytest.mark.parametrize(
    ("label", "stored"), [(1, 1), (True, 1), (0.0, 0), (np.int64(1), 1), (np.bool_(False), 0)]
)
def test_any_spelling_of_a_label_is_one(tmp_path, label, stored):
    log = OutcomeLogger(tmp_path, "s", flush_seconds=None)
    log.log("a", label, AT)
    log.log(["b"], [label], [AT])
    assert rows(log.flush()).label.tolist() == [stored, stored]


@pytest.mark.parametrize(
    ("columns", "stored"),
    [
        ({"latency_ms": np.float32(2.5), "automated": np.bool_(True)}, (2.5, True)),
        ({"latency_ms": 3, "automated": None}, (3.0, None)),
        ({"latency_ms": math.nan, "automated": pd.NA}, (None, None)),
        ({"latency_ms": "3.5"}, (3.5, None)),
    ],
)
def test_latency_and_automated_in_other_types(tmp_path, columns, stored):
    _, path = written(tmp_path, [columns])
    assert duckdb.sql(f"SELECT latency_ms, automated FROM '{path}'").fetchall() == [stored]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [({"x": True}, {"x": 2.5}, 2), ({"Age": 1}, {"age": 2}, 1), ({"x": "\ud83d"}, {"x": "ok"}, 1)],
)
def test_two_ordinary_calls_do_not_poison_the_buffer(tmp_path, first, second, together):
    refused, path = written(tmp_path, [{"features": first}, {"features": second}])
    assert len(rows(path)) == together == 2 - refused


NO_EVENTS = {
    "a table of scores": {"score": [[0.1, 0.2]]},
    "an object": {"score": object()},
    "a mapping of scores": {"score": {"a": 0.1}},
    "a complex score": {"score": 0.1j},
    "a complex score of numpy": {"score": np.complex128(0.1)},
    "a time as a score": {"score": np.datetime64("2026-11-02")},
    "times as scores": {"score": pd.Series(pd.to_datetime(["2026-11-02"]))},
    "a word": {"score": "often"},
    "a missing score": {"score": pd.Series([0.1, None], dtype="Float64")},
    "features without names": {"features": [1]},
    "a word as features": {"features": "a"},
    "a set of features": {"features": {1}},
    "an object as a time": {"predicted_at": object()},
    "a word as a time": {"predicted_at": "yesterday"},
    "a mapping as a time": {"predicted_at": {"a": 1}},
    "a table of times": {"score": [0.1], "predicted_at": np.array([[AT]])},
    "a list in a list of times": {"score": [0.1, 0.2], "predicted_at": [AT, [AT]]},
    "a time beyond the calendar": {"score": [0.1, 0.2], "predicted_at": [AT, "99999-01-01T00:00Z"]},
    "a table of latencies": {"score": [0.1], "latency_ms": [[1.0]]},
    "a complex latency": {"latency_ms": 1j},
    "a table of flags": {"score": [0.1], "automated": [[True]]},
    "a blank id": {"prediction_id": " "},
    "blank ids": {"score": [0.1, 0.2], "predicted_at": [AT, AT], "prediction_id": ["a", "\t"]},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", NO_EVENTS)
def test_whatever_is_no_event_is_refused_in_a_sentence_and_spoils_nothing(tmp_path, what):
    given = {"score": 0.2, "predicted_at": AT} | NO_EVENTS[what]
    with PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None) as log:
        with pytest.raises(ValueError, match=r"[a-z_]+ .*(is|has|are|have|must|lengths) .*"):
            log.log(given.pop("score"), given.pop("predicted_at"), **given)
        assert log.buffered == 0
        log.log(0.2, AT)
        log.log([0.2], [AT])
    assert stored_rows(tmp_path) == 2


@pytest.mark.parametrize("given", [([], []), ((), ()), (np.array([]), pd.Series([], dtype=object))])
def test_no_events_are_none(tmp_path, given):
    with PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None) as log:
        assert len(log.log(*given, features={"x": []})) == 0 == log.buffered


@pytest.mark.parametrize(
    "column", [pd.Categorical(["a"]), pd.Index(["a"]), pd.array(["a"]), pd.Series(["a"], index=[7])]
)
def test_a_column_of_one_value_is_that_value(tmp_path, column):
    with PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None) as log:
        log.log(0.2, AT, features={"x": column})
        path = log.flush()
    assert duckdb.sql(f"SELECT features.x FROM '{path}'").fetchall() == [("a",)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("label", [object(), {}, "maybe", 1j, [[1]], pd.NaT, [{}]])
def test_what_is_no_label_is_refused(tmp_path, label):
    with OutcomeLogger(tmp_path, "s", flush_seconds=None) as log:
        with pytest.raises(ValueError, match="label"):
            log.log("a", label, AT)
        log.log("a", 1, AT)
    assert stored_rows(tmp_path) == 1


def stored_rows(folder):
    (path,) = folder.rglob("*.parquet")
    return duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]


@pytest.mark.parametrize("folder", ["log[1]", "a=b", "*", "it's"])
def test_a_folder_is_no_pattern(tmp_path, folder):
    log = PredictionLogger(tmp_path / folder, "m", "1", threshold=0, flush_seconds=None)
    log.log(0.5, AT)
    log.secure()
    path = log.flush()
    assert path.parent == tmp_path / folder / "predictions"
    assert list(path.parent.iterdir()) == [path]
    assert [p.name for p in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("given", ["4711", 4711, np.int64(4711), uuid.UUID(int=1)])
def test_ids_of_other_types_become_text(tmp_path, given):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    assert log.log(0.5, AT, prediction_id=given) == [str(given)]


def test_what_is_logged_is_not_what_becomes_of_it_later(tmp_path):
    "The caller may use its arrays and dicts again."
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    features, scores, column = {"x": 1.0}, np.array([0.25, 0.5]), np.array([2.0, 3.0])
    log.log(0.1, AT, prediction_id="0", features=features)
    log.log(scores, [AT, AT], prediction_id=["1", "2"], features={"x": column})
    features["x"], scores[:], column[:] = "other", 0.9, 9
    found = rows(log.flush())
    assert found.score.tolist() == [0.1, 0.25, 0.5]
    assert [one["x"] for one in found.features] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "pair", list(itertools.permutations([0.25, np.float32(0.25), np.float64(0.25)], 2))
)
def test_any_float_is_one_score(tmp_path, pair):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_seconds=None)
    for score in pair:
        log.log(score, AT)
    assert set(rows(log.flush()).score) == {0.25}
