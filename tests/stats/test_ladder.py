"The ladder that begins at a threshold, and the threshold for so many alerts a day."

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import LEVELS, RISK_CUTS, Ladder, risk_level
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import for_alerts

points = st.integers(-16_000, 16_000)


@given(threshold=points)
def test_high_begins_at_the_threshold_and_the_others_keep_their_distance(threshold):
    plain, moved = Ladder.of(), Ladder.of().at(threshold)
    assert np.diff(moved.starts).tolist() == np.diff(plain.starts).tolist()
    assert moved.level(threshold) == "HIGH" and moved.level(threshold - 1) == "MEDIUM"
    assert moved.at(plain.high) == plain and Ladder.parse(moved.name) == moved


@given(p=st.floats(0.001, 0.999))
def test_fixed_cuts_are_those_of_the_probability(p):
    at = int(Grid().quantise(p))
    cells = [int(Grid().quantise(cut)) for cut in RISK_CUTS]
    if at not in cells:  # a point holds scores on both sides of a cut
        assert Ladder.of().level(at) == risk_level(p)
    assert LEVELS.index(Ladder.of().level(at)) == sum(at >= cell for cell in cells)


def test_a_ladder_refuses_what_is_none():
    with pytest.raises(ValueError, match="ascending"):
        Ladder.of((0.2, 0.1, 0.5, 0.9))
    with pytest.raises(ValueError, match="looks like a probability"):
        Ladder.of().at(0.7)


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    st.integers(1, 5),
    st.floats(0.2, 30),
)
def test_the_lowest_threshold_with_at_most_so_many_alerts_a_day(scores, days, per_day):
    counts = ScoreCounts.from_events(np.array(scores))
    fits = [t for t in sorted(set(scores)) if sum(s >= t for s in scores) <= per_day * days]
    if fits:
        assert for_alerts(counts, days, per_day) == fits[0]
    else:
        with pytest.raises(ValueError, match="no threshold gives at most"):
            for_alerts(counts, days, per_day)


def test_without_events_or_days_there_is_no_such_threshold():
    for counts, days, per_day in (
        (ScoreCounts.empty(), 3, 1),
        (ScoreCounts.from_events([5]), 0, 1),
        (ScoreCounts.from_events([5]), 3, 0),
    ):
        with pytest.raises(ValueError, match="alerts a day"):
            for_alerts(counts, days, per_day)
