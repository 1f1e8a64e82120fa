"""The hash of a row is the same only where the row says the same."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_wb.log.base import Connected
from aiops_wb.log.duck import connect
from aiops_wb.log.seals import COUNTED, counts_seal, seal

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
)
ROWS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


def said(row):
    "All that a row says, spelt another way: numbers by their type and exactly."
    return sorted((name, type(value).__name__, repr(value)) for name, value in row.items())


@settings(max_examples=60)
@given(ROWS, ROWS)
def test_rows_have_the_same_hash_only_when_they_say_the_same(one, other):
    assert (seal("k", one) == seal("k", other)) == (said(one) == said(other))
    assert seal("k", dict(reversed(one.items()))) == seal("k", one) != seal("l", one)


@settings(max_examples=40)
@given(ROWS.filter(bool), st.data())
def test_each_field_is_in_the_hash(row, data):
    name = data.draw(st.sampled_from(sorted(row)))
    other = data.draw(VALUES.filter(lambda v: said({"": v}) != said({"": row[name]})))
    before = seal("k", row)
    assert seal("k", row | {name: other}) != before
    assert seal("k", {k: v for k, v in row.items() if k != name}) != before


def test_the_hash_is_one_that_others_can_take():
    "By its words, with the standard library alone."
    row = {"n": 3, "q": 0.25, "at": datetime(2026, 3, 1, tzinfo=UTC), "day": date(2026, 3, 1)}
    told = '["k",[["at",["time","1772323200000000"]],["day",["day","2026-03-01"]],'
    told += '["n",["integer","3"]],["q",["number","0x1.0000000000000p-2"]]]]'
    assert json.loads(told) and seal("k", row) == hashlib.sha256(told.encode()).hexdigest()
    there = row["at"].astimezone(timezone(timedelta(hours=5)))
    assert seal("k", row | {"at": there}) == seal("k", row), "the same instant"
    with pytest.raises(TypeError, match="list is no field"):
        seal("k", {"x": []})


@pytest.fixture(scope="module")
def reader():
    return Connected(connect(":memory:", threads=1), "/nowhere")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)), st.integers(0, 4), st.sampled_from(COUNTED["reference_counts"]))
def test_counts_have_one_hash_in_any_order_and_another_when_one_differs(reader, order, at, column):
    frame = pd.DataFrame(
        {"event_date": [date(2026, 3, 1)] * 5, "feature": ["a|b", "a", "b", "b", "b"]}
    ).assign(bin=[0, 1, 1, 1, 2], n=[1, 2, 2, 2, 3], model="m", version="v")

    def hashed(rows):
        reader.con.register("reference_counts", rows)
        return counts_seal(reader, "reference_counts", "m", "v")

    other = {"event_date": date(2026, 3, 2), "feature": "c", "bin": 9, "n": 9}[column]
    changed = frame.copy()
    changed.loc[at, column] = other
    assert hashed(frame.iloc[list(order)]) == hashed(frame) != hashed(changed)
    assert hashed(frame.drop(index=at)) != hashed(frame) != hashed(pd.concat([frame, frame[:1]]))
