"""Orders of days: likelihood ratios, evidence that grows at its end, who is named, and when."""

from datetime import date, timedelta
from itertools import permutations
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from aiops_wb.stats.attribution import (
    ODDS,
    _change,
    alike,
    attribution,
    findable,
    named,
    of_year,
    order_evidence,
    order_ratio,
)
from aiops_wb.stats.sequential import HORIZON, e_bh

FIRST = date(2026, 1, 5)
WEEKS = 53  # on the first day of each of which a change may begin


def drawn_one_by_one(later, odds):
    "The ratio by its definition: a product over draws without putting back."
    ratio, left = 1.0, list(later)
    while left:
        weights = [odds if one else 1.0 for one in left]
        ratio *= weights[0] / sum(weights) * len(left)
        left.pop(0)
    return ratio


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_ratio_is_the_product_of_its_draws(later):
    expected = [log(drawn_one_by_one(later, odds)) for odds in ODDS]
    assert np.allclose(order_ratio(np.array(later)), expected, atol=1e-9)


def test_a_long_order_does_not_overflow():
    later = np.arange(2000) >= 1000
    low, high = order_ratio(later)[-1], order_ratio(later[::-1])[-1]
    assert np.isfinite([low, high]).all() and high > 0 > low


def by_hand(values, reference, groups):
    "Evidence of one feature from the definition: every week, both sides, all odds, by group."
    watched, whole = len(values) - reference, 0.0
    for k in range(WEEKS):
        begins = reference + 7 * k
        if begins >= len(values):
            whole += 1.0
            continue
        for side in (1, -1):
            for odds in ODDS:
                ratio = 1.0
                for group in set(groups):
                    here = [i for i in range(len(values)) if groups[i] == group]
                    here.sort(key=lambda i: side * values[i])
                    ratio *= drawn_one_by_one([i >= begins for i in here], odds)
                whole += ratio / (2 * len(ODDS))
    assert watched <= HORIZON
    return log(whole / WEEKS)


@pytest.mark.parametrize("weeks", [2, 5])
def test_evidence_equals_its_definition(weeks):
    rng, reference = np.random.default_rng(weeks), 7 * weeks
    values = rng.normal(size=(reference + 17, 3))
    groups = alike(np.arange(len(values)) % 7, reference)
    assert len(set(groups)) == (7 if weeks >= 4 else 1)
    found = order_evidence(values, reference, groups, rng.random(len(values)))
    assert np.allclose(found, [by_hand(v, reference, groups.tolist()) for v in values.T])


def test_one_more_day_multiplies_evidence_by_a_mean_of_one_whatever_the_order_before():
    "Of the day that comes next every place among the others is as likely: all are tried."
    lots = np.zeros(12)
    for seed in range(5):
        past = np.random.default_rng(seed).permutation(11).astype(float)[:, None]
        groups = np.zeros(12, dtype=int)
        before = np.exp(order_evidence(past, 8, groups[:11], lots[:11]))
        after = [
            np.exp(order_evidence(np.vstack([past, [[place - 0.5]]]), 8, groups, lots))
            for place in range(12)
        ]
        assert np.allclose(np.mean(after), before)


def test_over_all_orders_the_mean_is_one():
    orders = np.array(list(permutations(range(7))), dtype=float).T
    found = order_evidence(orders, 4, np.zeros(7, dtype=int), np.zeros(7))
    assert np.isclose(np.exp(found).mean(), 1)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([np.exp, np.cbrt, lambda x: 3 * x - 2]))
def test_only_the_order_counts(seed, law):
    rng = np.random.default_rng(seed)
    values, groups, lots = rng.normal(size=(25, 2)), np.zeros(25, dtype=int), rng.random(25)
    of = [order_evidence(v, 18, groups, lots) for v in (values, law(values))]
    assert np.allclose(*of)


def test_equal_values_say_nothing_but_what_the_lots_say():
    rng = np.random.default_rng(0)
    lots, groups = rng.random(40), np.zeros(40, dtype=int)
    same = order_evidence(np.full((40, 1), 0.25), 28, groups, lots)
    assert np.allclose(same, order_evidence(lots[:, None], 28, groups, lots))
    assert same[0] < log(20)


def test_a_year_of_the_watch_begins_with_nothing():
    values = np.arange(28 + HORIZON + 1, dtype=float)[:, None]
    groups, lots = np.zeros(len(values), dtype=int), np.zeros(len(values))
    last, first = (order_evidence(values[:d], 28, groups[:d], lots[:d])[0] for d in (-1, None))
    assert last > 100 and first < 1
    assert order_evidence(values[:28], 28, groups[:28], lots[:28])[0] == 0


evidences = st.lists(st.floats(-5, 12), min_size=1, max_size=12)


@settings(max_examples=40)
@given(evidences, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_gate_only_empties_what_e_bh_names(evidence, level):
    evidence = np.array(evidence)
    found, bar = named(evidence, level), log(len(evidence) / level)
    if evidence.max() >= bar:
        assert np.array_equal(found, e_bh(evidence, level)) and found[evidence.argmax()]
    elif evidence.max() < bar - 1e-9:
        assert not found.any()


def test_a_level_is_a_share():
    assert named(np.array([]), 0.05).shape == (0,)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        named(np.zeros(2), 1.5)


def made(rng, reference, days, features=12):
    "Exchangeable days with tails that share an effect."
    size = reference + days
    return rng.standard_t(3, (size, 1)) + rng.standard_t(3, (size, features))


def first_named(values, reference, rng, every=1):
    groups, lots = alike(np.arange(len(values)) % 7, reference), rng.random(len(values))
    for day in range(reference + 1, len(values) + 1, every):
        if named(order_evidence(values[:day], reference, groups[:day], lots[:day]), 0.05).any():
            return day - reference
    return np.inf


def test_quiet_seasons_name_nothing_more_often_than_promised():
    "40 seasons of 42 days, every third morning: at most .05 of them, and three standard errors."
    runs = 40
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([5, seed])
        found.append(first_named(made(rng, 28, 42), 28, rng, every=3) < np.inf)
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_move_is_found_within_weeks_and_a_broken_feature_within_one_and_a_half():
    found = {}
    for moved in (3, 30):
        days = []
        for seed in range(5):
            rng = np.random.default_rng([6, seed])
            values = made(rng, 28, 60)
            values[28 + 7 :, 0] -= moved * np.quantile(np.abs(values[:28, 0]), 0.68)
            days.append(first_named(values, 28, rng) - 7)
        found[moved] = np.median(days)
    assert found[3] <= 21 and found[30] <= 11


def test_intervals_are_those_of_welch():
    rng = np.random.default_rng(3)
    before, now = rng.normal(size=(30, 2)), rng.normal(1, 2, size=(7, 2))
    lower, upper = _change(before, now)
    for i in range(2):
        a, b = before[:, i].var(ddof=1) / 30, now[:, i].var(ddof=1) / 7
        freedom = (a + b) ** 2 / (a**2 / 29 + b**2 / 6)
        middle = now[:, i].mean() - before[:, i].mean()
        ends = student.interval(0.95, freedom, middle, np.sqrt(a + b))
        assert np.allclose([lower[i], upper[i]], ends)
    assert np.allclose(_change(np.ones((20, 1)), np.zeros((7, 1))), -1)
    assert np.isnan(_change(before, now[:1])).all()


def told(values, reference, names=("a", "b", "c"), first=FIRST):
    days = [first + timedelta(i) for i in range(len(values))]
    lots = np.random.default_rng(1).random(len(values))
    return attribution(days, values, list(names), reference, lots, 0.05)


def test_what_is_said_of_a_feature_that_moved():
    rng = np.random.default_rng(8)
    values = rng.normal(0, 0.02, (28 + 40, 3))
    values[28 + 20 :, 1] -= 0.1
    found = told(values, 28)
    (moved,) = found.moved
    assert moved.feature == "b" and not moved.higher and not found.unknown
    assert abs((moved.since - FIRST).days - 48) <= 2
    assert moved.lower <= -0.1 <= moved.upper < 0
    assert np.isclose(moved.before, values[:28, 1].mean())
    assert np.isclose(moved.now, values[-7:, 1].mean())
    assert moved.evidence > np.log10(3 / 0.05) and "b lower since about" in found.says()
    assert told(-values, 28).moved[0].higher


def test_nothing_is_said_only_where_something_could_have_been_found():
    values = np.random.default_rng(9).normal(size=(60, 3))
    assert "13 reference days, and 14 are needed" in told(values[:40], 13).unknown
    assert "3 days are too few" in told(values[:31], 28).unknown
    assert "0 days are too few" in told(values[:28], 28).unknown
    assert told(values[:, :0], 28, ()).unknown == "the model has no feature"
    assert not told(values, 28).unknown and "as far as 32 days" in told(values, 28).says()
    groups = np.zeros(60, dtype=int)
    first = next(d for d in range(28, 60) if findable(28, groups[:d], 3, 0.05))
    assert 4 <= first - 28 <= 8


def test_what_could_be_found_is_asked_for_all_features_together():
    "The day from which one of so many could be named, by the evidence written out."
    values, level = list(map(float, range(60))), 0.05
    for features in (1, 3, 300):
        found = [findable(28, np.zeros(d, dtype=int), features, level) for d in range(29, 60)]
        by_rule = [by_hand(values[:d], 28, [0] * d) >= log(features / level) for d in range(29, 60)]
        assert found == by_rule and not found[0] and found[-1]


def test_days_are_told_by_their_weekday_from_four_reference_days_of_each_on():
    weekdays = np.arange(40) % 7
    assert not alike(weekdays, 27).any() and alike(weekdays, 28).tolist() == weekdays.tolist()


def test_one_feature_alone():
    values = np.random.default_rng(2).normal(size=(50, 1))
    values[30:] += 9
    assert [m.feature for m in told(values, 28, ("only",)).moved] == ["only"]


def test_reference_days_that_resemble_the_day_before_take_the_level_away():
    days = np.arange(28 + 20)
    values = np.sin(days / 5)[:, None] + np.array([[0.0, 0.0, 0.0]])
    values[28:, 2] += 5
    found = told(values + np.random.default_rng(0).normal(0, 1e-3, values.shape), 28)
    assert "c" in found.resembling and "the level cannot be claimed" in found.says()


def test_days_that_count_are_of_the_reference_the_running_year_and_the_recent_ones():
    of = lambda *asked: of_year(*asked).tolist()
    assert of(5, 5) == list(range(5)) and of(7, 5) == list(range(7))
    year = 5 + HORIZON
    assert of(year, 5) == list(range(year))
    assert of(year + 1, 5) == [*range(5), year] and of(year + 3, 5)[5:] == [
        year,
        year + 1,
        year + 2,
    ]
    assert of(year + 1, 5, 4)[5:] == list(range(year - 3, year + 1))
    assert of(year + 1, 5, 999) == list(range(year + 1))
