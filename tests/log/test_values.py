"One form for each value of a feature, however it was spelt."

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.log.values import (
    NULL_TEXTS,
    NULL_WORDS,
    as_boolean,
    as_number,
    as_seconds,
    canonical_text,
    category_codes,
    content_sql,
    infer,
    kind_sql,
    text_sql,
    typed,
    wider,
)

TWELVES = [12, 12.0, "12", "12.0", " 12 ", "12.000", np.int64(12), np.float32(12), Decimal("12.0")]
TRUTHS = [True, np.True_, "true", "True", "TRUE", " tRuE "]
CODES = ["007", "00", "-01", "0x1F", "1_000", "1,5", "1.000,5", "12a", "١٢", "5 %", "--5", "e5"]
TIMES = [
    date(2026, 1, 2),
    datetime(2026, 1, 2),
    pd.Timestamp("2026-01-02"),
    np.datetime64("2026-01-02"),
    "2026-01-02",
    "2026-01-02 00:00:00",
]
INSTANTS = [
    datetime(2026, 11, 2, 6, tzinfo=UTC),
    pd.Timestamp("2026-11-02 07:00", tz="Europe/Berlin"),
    "2026-11-02T06:00:00Z",
    "2026-11-02 06:00:00 UTC",
    "2026-11-02T07:00:00+01:00",
    "2026-11-02T06:00z",
]
NOTHING = [None, math.nan, pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT"), "", "  "]


@pytest.mark.parametrize("value", TWELVES)
def test_a_whole_number_has_one_form(value):
    assert canonical_text(value) == "12" and as_number(value) == 12


@pytest.mark.parametrize("value", TRUTHS)
def test_a_boolean_has_one_form(value):
    assert canonical_text(value) == "true" and as_boolean(value) is True and as_number(value) == 1


@pytest.mark.parametrize("value", ["1", 1, 1.0, "1.0"])
def test_one_and_zero_are_booleans_where_somebody_says_so(value):
    assert as_boolean(value) is True and canonical_text(value) == "1"
    assert as_boolean(2) is None and as_boolean("yes") is None


@pytest.mark.parametrize("value", CODES)
def test_a_code_is_no_number(value):
    assert math.isnan(as_number(value)) and canonical_text(value) == value
    assert infer(pd.Series(["1", value], dtype=object)) == "text"


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e3", 1000), ("-1.5E-2", -0.015), (" 5 ", 5), (".5", 0.5), ("5.", 5), ("+2", 2), ("0", 0)]
    + [("-0.0", 0), ("inf", math.inf), ("-Infinity", -math.inf), ("0.1", 0.1)],
)
def test_what_is_written_as_a_number_is_one(text, number):
    assert as_number(text) == number and infer(pd.Series([text])) == "number"


@pytest.mark.parametrize("value", TIMES)
def test_a_day_has_one_form(value):
    assert canonical_text(value) == "2026-01-02" and as_seconds(value) == 1767312000
    assert math.isnan(as_number(value))


@pytest.mark.parametrize("value", INSTANTS)
def test_an_instant_has_one_form(value):
    assert canonical_text(value) == "2026-11-02T06:00:00Z" and as_seconds(value) == 1793599200


@pytest.mark.parametrize("value", NOTHING)
def test_nothing_is_missing_whatever_it_should_be(value):
    assert canonical_text(value) is None and as_boolean(value) is None
    assert math.isnan(as_number(value)) and math.isnan(as_seconds(value))
    for kind in ("number", "boolean", "text", "time"):
        values, unreadable = typed(pd.Series([value], dtype=object), kind)
        assert values.isna().all() and not unreadable.any()


@pytest.mark.parametrize("word", sorted(NULL_WORDS))
def test_a_word_for_nothing_costs_one_number_and_no_more(word):
    column = pd.Series(["5", word, word.upper(), "6"], dtype=object)
    assert infer(column) == "number"
    values, unreadable = typed(column, "number")
    assert values.isna().tolist() == [False, True, True, False] and not unreadable.any()
    assert canonical_text(word) == (None if word in NULL_TEXTS else word)


def test_missing_times_are_missing_and_no_numbers():
    "In a column of Parquet they were -9.2e18."
    column = pd.to_datetime(pd.Series(["2026-01-02", None]))
    assert infer(column) == "text" and typed(column, "text")[0].tolist()[0] == "2026-01-02"
    for kind in ("text", "time", "number"):
        assert pd.isna(typed(column, kind)[0].iloc[1])
    assert typed(column, "time")[0].tolist()[0] == 1767312000
    assert typed(column, "number")[1].tolist() == [True, False]
    spans = pd.Series([timedelta(seconds=90), None])
    assert infer(spans) == "number" and typed(spans, "number")[0].tolist()[0] == 90


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "boolean"),
        (["True", "FALSE", None], "boolean"),
        ([True, 2], "number"),
        (["1", "0"], "number"),
        ([1, "2", 3.5], "number"),
        (["1", "A3"], "text"),
        ([True, "x"], "text"),
        ([None, "", "N/A", "-"], None),
        ([], None),
        ([2**53 + 1], "text"),
        (["12345678901234567890"], "text"),
        ([[1, 2]], "text"),
        ([{"a": 1}], "text"),
        ([b"x"], "text"),
        (["2026-01-02"], "text"),
    ],
)
def test_the_kind_of_a_column(values, kind):
    assert infer(pd.Series(values, dtype=object)) == kind


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("int64", "number"), ("float32", "number"), ("bool", "boolean"), ("boolean", "boolean")]
    + [("Int64", "number"), ("str", "number"), ("category", "number"), ("uint8", "number")],
)
def test_the_kind_of_a_column_by_its_type(dtype, kind):
    assert infer(pd.Series([1, 0]).astype(dtype)) == kind


def test_kinds_widen_and_never_narrow():
    assert wider(None, "number") == wider("number", None) == "number"
    assert wider("boolean", "number") == "number" and wider("number", "boolean") == "number"
    assert {wider("text", k) for k in ("number", "boolean", "text", None)} == {"text"}


def test_what_does_not_fit_is_told_from_what_is_missing():
    column = pd.Series(["5", "abc", None, "n/a", "007", "True", [1]], dtype=object)
    values, unreadable = typed(column, "number")
    assert unreadable.tolist() == [False, True, False, False, True, False, True]
    assert values[[0, 5]].tolist() == [5, 1] and values.isna().sum() == 5
    values, unreadable = typed(pd.Series(["1", "yes", "FALSE", 2]), "boolean")
    assert unreadable.tolist() == [False, True, False, True] and values[2] is np.False_
    values, unreadable = typed(pd.Series(["2026-01-02", "tomorrow", "5", "2026-13-01"]), "time")
    assert unreadable.tolist() == [False, True, False, True]


def test_categories_are_met_as_they_stand_first_and_then_however_they_are_spelt():
    codes = category_codes(
        ["12", 12.0, "12.0", "A3", None, "x", "N/A"], ["12.0", "12", "A3", "N/A"]
    )
    assert codes.tolist() == [1, 0, 0, 2, -1, -2, 3]
    assert category_codes([1, 0, True, "TRUE", "2"], ["False", "True"]).tolist() == [1, 0, 1, 1, -2]
    assert category_codes([True, "false"], ["0", "1"]).tolist() == [1, 0]
    assert category_codes(np.array([12.0, np.nan]), ["12"]).tolist() == [0, -1]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([*CODES, *NULL_WORDS, *INSTANTS, *TIMES, *TWELVES, *TRUTHS]),
    st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}(e[0-9])?", fullmatch=True),
)


@given(VALUES)
def test_the_canonical_text_of_a_canonical_text_is_itself(value):
    text = canonical_text(value)
    assert text is None or canonical_text(text) == text


@given(st.lists(VALUES, min_size=1, max_size=6), st.sampled_from(["number", "boolean", "time"]))
def test_a_column_is_read_as_its_values_are(values, kind):
    "The short cuts for whole columns change nothing."
    one = {"number": as_number, "boolean": as_boolean, "time": as_seconds}[kind]
    column = pd.Series(values, dtype=object)
    read, unreadable = typed(column, kind)
    told = [one(v) for v in values]
    for mine, theirs, lost, value in zip(read, told, unreadable, values):
        assert mine == theirs or (pd.isna(mine) and pd.isna(theirs))
        word = isinstance(value, str) and value.strip().lower() in NULL_WORDS
        assert lost == (pd.isna(mine) and canonical_text(value) is not None and not word)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_what_is_inferred_can_be_read(values):
    column = pd.Series(values, dtype=object)
    kind = infer(column)
    assert not typed(column, kind)[1].any()
    assert infer(typed(column, kind)[0]) in (kind, None) or kind == "text"


@given(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53))
def test_a_number_is_the_same_from_its_text(number):
    assert as_number(str(number)) == number == as_number(canonical_text(number))
    assert canonical_text(float(number)) == canonical_text(number)


TEXTS = st.one_of(
    st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8),
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from([*CODES, *NULL_WORDS, "True", "-0.0", "00.0", "5.0", "1e3"]),
)


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        yield con


@given(texts=st.lists(TEXTS, min_size=1, max_size=10))
def test_sql_reads_a_text_as_python_does(con, texts):
    "Analysts' views and the check for conflicts read with the database."
    texts = [t.strip() for t in texts]  # the database trims spaces only
    con.register("texts", pd.DataFrame({"place": range(len(texts)), "t": texts}))
    read = con.execute(
        f"SELECT {text_sql('t')}, {kind_sql('t', 'number')}, {kind_sql('t', 'boolean')} "
        "FROM texts ORDER BY place"
    ).fetchall()
    for text, (spelt, number, truth) in zip(texts, read):
        if len(text) <= 10:  # longer ones may be times, which only Python brings to one form
            assert spelt == canonical_text(text)
        told = as_number(text)
        assert number == (None if math.isnan(told) else told) and truth == as_boolean(text)


@given(number=st.floats(allow_nan=False) | st.integers(-(2**53), 2**53).map(float))
def test_sql_spells_a_stored_number_as_python_does(con, number):
    sql = f"SELECT {text_sql('n')}, {content_sql('n::VARCHAR')} FROM (SELECT $n::DOUBLE AS n)"
    spelt, content = con.execute(sql, {"n": number}).fetchall()[0]
    assert spelt == canonical_text(number) == content
