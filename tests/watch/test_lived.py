"""Counts that grow from morning to morning are those that each morning would have read."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.log.known_then import EPOCH, Changes
from aiops_wb.stats.arrival import missing_as_negative
from aiops_wb.stats.automation import Record, day_rule, record_rule
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.lived import Growing, Rungs

FIRST = date(2026, 1, 1)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5),  # day
        st.integers(-3000, 3000),  # points
        st.integers(0, 4),  # how many mornings later its label is known
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
)


def changes(events):
    "Each event as it was logged, and as it was labelled."
    rows = []
    for day, points, late, label in events:
        rows.append((day, day, points, 1, 0, 0))
        rows.append((day, day + late, points, 0, 1, label))
    day, since, points, *columns = np.array(rows).T
    first = FIRST.toordinal() - EPOCH
    return Changes(day + first, since, points, tuple(columns))


def known(events, morning):
    "Counts by day on a morning, as anybody would count them."
    by_day = {}
    for day, points, late, label in events:
        if day <= morning:
            told = label if day + late <= morning else np.nan
            by_day.setdefault(FIRST + timedelta(day), []).append((points, told))
    return {d: ScoreCounts.from_events(*np.array(rows).T) for d, rows in sorted(by_day.items())}


@settings(max_examples=60)
@given(EVENTS, st.integers(-500, 1500), st.floats(0, 1), st.booleans())
def test_each_morning_knows_what_was_known(events, floor, owed, fine):
    ladder = Rungs.of([floor, 405], Grid(), 3000)
    growing = Growing(changes(events), np.arange(8), ladder, {}, fine)
    for morning in range(8):
        growing.to(morning)
        days = known(events, morning)
        rows = growing.rows(FIRST, FIRST + timedelta(9))
        assert [growing.date_of(row) for row in rows] == list(days)
        for row, counts in zip(rows, days.values()):
            assert growing.at_or_above(row, floor) == counts.at_or_above(floor)
            assert not fine or growing.counts(row) == counts
        mature = [missing_as_negative(c, owed) for c in days.values()]
        record = growing.record(rows, np.full(len(rows), owed)).down_to(floor)
        oracle = Record.of(mature, floor)
        dropped = len(oracle.thresholds) - len(record.thresholds)  # rungs above every score
        assert not oracle.tickets[:, :dropped].any()
        np.testing.assert_allclose(record.tickets, oracle.tickets[:, dropped:], atol=1e-9)
        np.testing.assert_allclose(record.false, oracle.false[:, dropped:], atol=1e-9)
        asked = {"target": 0.6, "confidence": 0.5}
        assert (
            record_rule(record, **asked).threshold
            == day_rule(mature, **asked, floor=floor).threshold
        )


def test_held_out_days_are_there_and_owe_nothing():
    events = [(1, 500, 0, 1), (2, 700, 1, 0)]
    held = {FIRST - timedelta(3): ScoreCounts.from_events([100, 900], [0, 1])}
    growing = Growing(changes(events), np.arange(4), Rungs.of([405], Grid(), 900), held, True)
    growing.to(3)
    rows = growing.rows(FIRST - timedelta(9), FIRST + timedelta(9))
    assert growing.logged[rows].tolist() == [False, True, True]
    assert growing.counts(rows[0]) == held[FIRST - timedelta(3)]
    assert growing.together(rows).total == (4, 4, 2)
