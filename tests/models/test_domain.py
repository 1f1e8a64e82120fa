"""Telling recent events from the reference: a level without drift, the features that carry one, and
days that must not be recognised.
"""

import numpy as np
import pandas as pd
import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.models.domain import domain_shift


def sides(seed, shift=0.0, day_effect=0.0, days=12, rows=80):
    """Two tables of 12 days each: a, b and a category c; on the first, a and b are correlated by
    `shift`; each day moves d by its own effect.
    """
    rng, found = np.random.default_rng(seed), []
    for side in (0, 1):
        day = np.repeat(np.arange(days) + 100 * side, rows)
        a, noise = rng.normal(size=(2, len(day)))
        found.append(
            pd.DataFrame(
                {
                    "day": day,
                    "a": a,
                    "b": shift * (side == 0) * a + noise,
                    "c": rng.choice(["x", "y"], len(day)),
                    "d": (day_effect * rng.normal(size=days))[day % 100]
                    + rng.normal(size=len(day)),
                }
            )
        )
    return found


def test_alike_tables_cannot_be_told_apart():
    values = [
        domain_shift(*sides(seed), ["a", "b", "c"], rounds=20).auc.value for seed in range(12)
    ]
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(12) + 0.005


def test_what_only_shows_together_is_found_and_named():
    found = domain_shift(*sides(1, shift=2.0), ["a", "b", "c"])
    assert found.auc.lower > 0.6 and set(list(found.features)[:2]) == {"a", "b"}


def test_a_model_that_has_seen_the_day_is_not_asked():
    """Days with strong effects of their own are easy to recognise; judged by whole days, the tables
    are alike.
    """
    values = [
        domain_shift(*sides(seed, day_effect=3.0, days=24, rows=40), ["d"], rounds=20).auc.value
        for seed in range(10)
    ]
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(10) + 0.02


def test_too_few_days_are_refused_of_either_side():
    few, enough = sides(1, days=3), sides(1, days=4)
    with pytest.raises(StoreError, match="the recent events lie on 3 days: at least 4"):
        domain_shift(few[0], enough[1], ["a"])
    with pytest.raises(StoreError, match="the reference events lie on 3 days: at least 4"):
        domain_shift(enough[0], few[1], ["a"])
    assert domain_shift(*enough, ["a"], rounds=1).n_reference == 4 * 80


def test_where_no_mistake_is_made_no_interval_is_claimed():
    recent, reference = sides(2)
    found = domain_shift(recent.assign(a=recent.a + 100), reference, ["a", "b"], rounds=5)
    assert (
        found.auc.value > 0.99
        and np.isnan(found.auc.lower)
        and "no interval" in found.says
        and list(found.features)[0] == "a"
    )


@pytest.mark.parametrize("broken", [None, np.nan])
def test_a_feed_that_breaks_is_named(broken):
    recent, reference = sides(3)
    found = domain_shift(recent.assign(a=[broken] * len(recent)), reference, ["a", "b"], rounds=10)
    assert found.auc.value > 0.99 and next(iter(found.features)) == "a"


def test_booleans_with_gaps_are_compared_as_such():
    recent, reference = sides(4)
    rng = np.random.default_rng(4)
    flagged = lambda side, share: side.assign(
        flag=[None if rng.random() < 0.02 else bool(rng.random() < share) for _ in range(len(side))]
    )
    found = domain_shift(flagged(recent, 0.9), flagged(reference, 0.1), ["b", "flag"], rounds=10)
    assert found.auc.lower > 0.8 and next(iter(found.features)) == "flag"


def test_where_nothing_tells_the_sides_apart_that_is_said():
    recent, reference = (side.assign(a=1.0) for side in sides(5))
    assert (
        "0.500 (no interval: nothing tells them apart)"
        in domain_shift(recent, reference, ["a"], rounds=5).says
    )
