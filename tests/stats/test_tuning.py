"""Tuning: bounds beside oracles, looks that keep their promise, and checks that are all asked."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_wb.stats.choosing import Capacity, MaxFDR, MaxFPR, MinCost, MinRecall
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.sequential import autocorrelation
from aiops_wb.stats.tuning import (
    Daily,
    Situation,
    TuningLimits,
    count_bounds,
    share_of_look,
    steps,
    tune,
    tuning_checks,
)
from bench import guarantees
from bench.tuned import changed, world

START = date(2026, 1, 1)
COST = MinCost(4.0, false=1.0)


@given(st.integers(-15_900, 15_900), st.integers(50, 2_000))
def test_steps_are_near_on_the_grid_and_hold_the_one_in_force(current, most):
    tried = steps(current, most)
    assert current in tried and (np.diff(tried) == 50).all()
    assert abs(tried - current).max() <= most and abs(tried).max() <= 16_000


def test_counts_of_days_equal_those_of_rows():
    rng = np.random.default_rng(0)
    days = {}
    for i in range(5):
        points = rng.integers(-400, 400, 60)
        days[START + timedelta(i)] = (points, rng.choice([0, 1, 2], 60))  # 2: no label
    counts = {
        day: ScoreCounts.from_events(p, np.where(y == 2, np.nan, y)) for day, (p, y) in days.items()
    }
    owed = {START: 0.5}
    daily = Daily.of(counts, steps(0, 200), owed)
    for row, (day, (points, label)) in enumerate(days.items()):
        for column, at in enumerate(daily.thresholds):
            called, chance = points >= at, owed.get(day, 0)
            false = ((label == 0) + chance * (label == 2))[called].sum()
            assert daily.false[row, column] == false
            assert daily.positive[row, column] == (label == 1)[called].sum()
            below = ((label == 0) + chance * (label == 2))[~called].sum()
            assert daily.spared[row, column] == pytest.approx(below)


def test_limits_are_students_or_those_of_a_poisson_count_whichever_is_wider():
    rng = np.random.default_rng(1)
    busy, seldom = rng.poisson(rng.gamma(5, 8, 60)), np.zeros(60, dtype=int)
    seldom[[3, 40]] = 1
    found = count_bounds(np.column_stack([busy, seldom, 0 * busy]), 0.01)
    t = stats.t.interval(0.98, 59, busy.mean(), stats.sem(busy))
    assert (found.lower[0], found.upper[0]) == pytest.approx(t)
    assert found.lower[1] * 60 <= stats.chi2.ppf(0.01, 4) / 2
    assert found.upper[1] * 60 >= stats.chi2.ppf(0.99, 6) / 2 * (1 - 1e-12)
    assert found.lower[2] == 0 and found.upper[2] * 60 == pytest.approx(-np.log(0.01))


def test_weeks_are_the_unit_where_a_day_tells_of_the_next():
    rng = np.random.default_rng(2)
    week = np.repeat(rng.gamma(4, 10, 12), 7)
    values = np.column_stack([rng.poisson(week), rng.poisson(40, 84)])
    found = count_bounds(values, 0.025)
    tied = [autocorrelation(v).lower > 0 for v in values.T]
    assert found.block.tolist() == [7, 1] == [7 if one else 1 for one in tied]
    means = values[:, 0].reshape(12, 7).mean(axis=1)
    t = stats.t.interval(0.95, 11, means.mean(), stats.sem(means))
    assert (found.lower[0], found.upper[0]) == pytest.approx(t)


@pytest.mark.parametrize("sd", [0.0, 1.0])
def test_looks_of_a_year_leave_the_cheapest_threshold_alone(sd):
    rng, runs = np.random.default_rng(3), 10
    share = np.mean([np.isfinite(changed(rng, COST, sd)) for _ in range(runs)])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tune_changed_equal", "tune_found"])
def test_looks_of_a_year_keep_their_promise(name):
    "Of every goal, on days with a will of their own, too."
    told = guarantees.ALL[name](1000)
    assert told["holds"], told


def test_a_threshold_far_off_is_found_and_the_step_is_bounded():
    counts = world(np.random.default_rng(4), 90, 0.5, off=-1000)
    found = tune(Daily.of(counts, steps(0, 500)), 0, COST)
    assert -500 <= found.candidate < 0


def test_a_miss_that_was_never_seen_is_not_free():
    "All gains and no miss in the window: a spread of days alone would say that nothing is missed."
    rng = np.random.default_rng(6)
    counts = {}
    for i in range(90):
        points = np.r_[np.full(3 + i % 2, 20), rng.integers(200, 600, 10)]
        counts[START + timedelta(i)] = ScoreCounts.from_events(points, points > 100)
    tried = steps(0, 100)
    assert tune(Daily.of(counts, tried), 0, COST).candidate == 50
    dear = tune(Daily.of(counts, tried), 0, MinCost(400, false=1))
    assert dear.candidate is None and dear.gain.value == pytest.approx(3.5)
    assert dear.gain.lower < 0, "what 90 days without a miss still allow, at 400 each"


def test_what_lies_below_is_not_judged_where_no_label_reaches_it():
    rng = np.random.default_rng(7)
    counts = {}
    for i in range(60):
        points = rng.integers(-500, 500, 200)
        label = np.where(points >= 0, (rng.random(200) < 0.9).astype(float), np.nan)
        counts[START + timedelta(i)] = ScoreCounts.from_events(points, label)
    for goal in (MinCost(9, review=1), MaxFDR(0.4)):
        found = tune(Daily.of(counts, steps(0, 300)), 0, goal)
        assert found.candidate is None or found.candidate > 0
    known = {
        day: ScoreCounts.of(c.points, c.n, c.n, np.where(c.points < 0, c.n, c.n_positive))
        for day, c in counts.items()
    }
    assert tune(Daily.of(known, steps(0, 300)), 0, MaxFDR(0.4)).candidate == -300


def test_limits_move_a_threshold_up_when_broken_and_down_when_kept_with_room():
    rng = np.random.default_rng(8)
    counts = world(rng, 90, 0.0)
    daily = Daily.of(counts, steps(0, 500))
    most = {at: np.sort(daily.events[:, i])[80] for i, at in enumerate(daily.thresholds)}
    many = tune(daily, 0, Capacity(float(most[300]), 0.9))
    assert 0 < many.candidate <= 300
    assert (daily.events[:, daily.thresholds == many.candidate] > most[300]).mean() <= 0.1
    few = tune(daily, 0, Capacity(float(daily.events.max()), 0.5))
    assert few.candidate == -500, "never more, and half of the days may have more"
    assert tune(daily, 0, Capacity(float(most[0]), 0.9)).candidate is None
    for kind in (MaxFDR, MaxFPR):
        assert tune(daily, 0, kind(0.999)).candidate == -500
        assert tune(daily, 0, kind(0.001)).candidate == 500


def test_the_looks_share_one_chance():
    assert sum(share_of_look(k, 0.05) for k in range(1, 10_000)) < 0.05
    with pytest.raises(ValueError, match="counted from 1"):
        share_of_look(0, 0.05)
    with pytest.raises(ValueError, match="a recall of at least 0.8 is no goal to tune for"):
        tune(Daily.of({}, steps(0, 100)), 0, MinRecall(0.8))
    none = tune(Daily.of({}, steps(0, 100)), 0, COST)
    assert none.candidate is None and "0 days say nothing" in none.reason


def test_every_check_is_asked_and_says_what_it_saw():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    counts = world(np.random.default_rng(4), 90, 0.0, off=-1500)
    tuned = tune(Daily.of(counts, steps(0, 500)), 0, COST)
    fine = Situation(now, days=90, labelled=5000, changed=now - timedelta(40))
    assert all(c.passed for c in tuning_checks(fine, tuned))
    assert all(c.evidence for c in tuning_checks(fine, tuned))
    poor = Situation(now, False, 20, 500, 3, "", now - timedelta(2), ("loss (high)",), "", ("P-1",))
    checks = tuning_checks(poor, None)
    assert [c.name for c in checks] == [
        "dial",
        "labels",
        "cooldown",
        "alarms",
        "proposals",
        "better",
    ]
    assert not any(c.passed for c in checks)
    assert "20 complete days without 3 muted" in checks[1].reason
    unsure = Situation(
        now, days=90, labelled=5000, incomplete="labels are late", unknown="no figures"
    )
    stopped = {c.name: c.reason for c in tuning_checks(unsure, tuned) if not c.passed}
    assert stopped == {"labels": "labels are late", "alarms": "no figures"}
    free = TuningLimits(cooldown_days=0, min_days=1, min_labelled=1)
    assert tuning_checks(fine, tuned, free)[2].passed
