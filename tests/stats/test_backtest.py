"The back-test of intervals: by hand, by its rule, and in worlds whose assumptions hold or don't."

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.backtest import MORNINGS, PART, held
from aiops_wb.stats.performance import Figure
from bench import guarantees

UNIT = Figure(0.5, 0.4, 0.6, 10)


def scored(hits):
    "Figures and truths with so many hits (1), misses (0) and mornings without either (None)."
    truths = [np.nan if hit is None else 0.5 if hit else 0.7 for hit in hits]
    return held([UNIT] * len(hits), truths)


@given(st.lists(st.sampled_from([0, 1, None]), max_size=120))
def test_the_share_is_counted_and_the_limit_below_it(hits):
    found, known = scored(hits), [hit for hit in hits if hit is not None]
    assert found.share.n == len(known)
    if not known:
        assert np.isnan(found.share.value) and found.state == "unknown"
        return
    assert found.share.value == pytest.approx(np.mean(known))
    assert 0 <= found.share.lower <= found.share.value <= found.share.upper
    judged = len(known) >= MORNINGS
    broken = judged and np.mean(known) < PART * 0.95
    assert found.state == ("unreliable" if broken else "held" if judged else "unknown")


def test_a_bound_of_an_interval_holds_and_an_interval_without_bounds_is_not_scored():
    figures = [UNIT, UNIT, UNIT, Figure(0.5), Figure(np.nan, 0.1, np.nan)]
    found = held(figures, [0.4, 0.6, 0.61, 0.5, 0.5])
    assert found.share.n == 3 and found.share.value == pytest.approx(2 / 3)


def test_sixty_mornings_that_held_are_few_weeks():
    few, many = scored([1] * 60), scored([1] * 360)
    assert 0.5 < few.share.lower < 0.76 < many.share.lower < 1
    runs = scored([1] * 300 + [0] * 60)  # one long spell
    assert runs.state == "held" and runs.share.lower < 0.76 < runs.share.value


def test_blocks_are_of_the_calendar():
    "Mornings without a truth keep their place: a gap of a week does not join two blocks."
    apart = scored([0] * 7 + [None] * 7 + [1] * 7)
    joined = scored([0] * 3 + [None] * 4 + [0] * 4 + [1] * 3 + [None] * 4 + [1] * 4)
    assert apart.share.value == joined.share.value == 0.5
    assert apart.share.lower <= joined.share.lower


def test_what_is_said():
    assert "20 of 60 mornings" in scored([1] * 20).reason
    assert scored([1] * 40 + [0] * 20).reason.startswith("unreliable: intervals held on 40 of 60")
    assert scored([1] * 60).reason.startswith("intervals held on 60 of 60 mornings (100%, at least")
    assert "0 of 60" in repr(scored([]))


def test_figures_and_truths_come_in_pairs():
    with pytest.raises(ValueError, match="2 figures and 1 truths"):
        held([UNIT, UNIT], [0.5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["adjusted_interval", "expected_interval", "unreliable_kept", "unreliable_broken"]
)
def test_intervals_hold_what_they_claim_and_are_called_unreliable_where_they_do_not(name):
    found = guarantees.ALL[name](400)
    assert found["holds"], found
