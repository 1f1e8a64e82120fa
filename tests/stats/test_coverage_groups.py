"""Coverage by group: counted by rows, held by each group's own sets, claimed of few."""

from datetime import date, timedelta
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.conformal import LabelConditional, SetBounds, rank
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.coverage import LEAST_DAYS, coverage_by_group, least_labels
from aiops_wb.stats.performance import over_days

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(i) for i in range(10)]


def by_day(points, y, step=1):
    "Events dealt to the days in turn, as counts."
    return {
        day: ScoreCounts.from_events(points[i :: len(DAYS)], y[i :: len(DAYS)]).coarsen(step)
        for i, day in enumerate(DAYS)
    }


def drawn(rng, n, shift=0):
    "Events with labels in equal parts; `shift` moves all scores of a group."
    y = np.arange(n) % 2
    rng.shuffle(y)
    return np.rint(rng.normal(2000 * y - 1000 + shift, 1000)).astype(int), y


@given(st.integers(0, 10_000), st.integers(-900, 900), st.integers(-900, 900))
def test_each_label_of_a_group_is_counted_as_its_rows_are(seed, zero, one):
    rng = np.random.default_rng(seed)
    groups = {name: drawn(rng, 240, shift) for name, shift in (("a", 0), ("b", 700))}
    before = {name: ScoreCounts.from_events(*drawn(rng, 60)) for name in groups}
    bounds = {day: SetBounds(zero + 10 * i, one) for i, day in enumerate(DAYS)}
    report = coverage_by_group({g: by_day(*e) for g, e in groups.items()}, before, bounds)
    assert len(report.rows) == 4 and not report.too_few
    for row in report.rows:
        points, y = groups[row.group]
        at = np.arange(len(y)) % len(DAYS)
        inside = {0: points <= zero + 10 * at, 1: points >= one}
        alone = LabelConditional(before[row.group]).sets(points)
        own = {0: alone.zero, 1: alone.one}
        here = y == row.label
        assert row.pooled.n == here.sum() and row.days == 10
        assert row.pooled.value == pytest.approx(inside[row.label][here].mean())
        assert row.own.value == pytest.approx(own[row.label][here].mean())
        sizes = (inside[0].mean() + inside[1].mean(), own[0].mean() + own[1].mean())
        assert row.sizes == pytest.approx(sizes)
    ordered = [(not row.short, row.pooled.value) for row in report.rows]
    assert ordered == sorted(ordered)


def test_a_cut_cell_counts_by_its_share_and_grids_may_differ():
    points, y = drawn(np.random.default_rng(1), 4000)
    bounds, nothing = {day: SetBounds(33, -47) for day in DAYS}, {}
    groups = {"fine": by_day(points, y), "coarse": by_day(points, y, 20)}
    shown = {(r.group, r.label): r for r in coverage_by_group(groups, nothing, bounds).rows}
    for label, whole, cut, share in (
        (0, points < 20, (points >= 20) & (points < 40), 14 / 20),
        (1, points >= -40, (points >= -60) & (points < -40), 7 / 20),
    ):
        here = y == label
        expected = (whole[here].sum() + share * cut[here].sum()) / here.sum()
        assert cut[here].any() and shown["coarse", label].pooled.value == pytest.approx(expected)
        exact = (points <= 33 if label == 0 else points >= -47)[here].mean()
        assert shown["fine", label].pooled.value == pytest.approx(exact)


def test_groups_of_different_calibration_are_covered_by_their_own_sets():
    """Two groups, one with scores a logit and a half too high: sets of both together leave out its
    negatives, its own hold .90 of each label and at most 1 / (n + 1) more, n = 60 calibrating
    labels (150 repetitions, 3 standard errors).
    """
    rng, own, pooled = np.random.default_rng(2), [], []
    for _ in range(150):
        shifts = {"a": 0, "b": 1500}
        before = {g: ScoreCounts.from_events(*drawn(rng, 120, s)) for g, s in shifts.items()}
        stood = LabelConditional(total(before.values())).set_bounds()
        judged = {g: by_day(*drawn(rng, 400, s)) for g, s in shifts.items()}
        rows = coverage_by_group(judged, before, dict.fromkeys(DAYS, stood)).rows
        rows = sorted(rows, key=lambda row: (row.group, row.label))
        own.append([row.own.value for row in rows])
        pooled.append([row.pooled.value for row in rows])
    error = 3 * np.std(own, axis=0) / np.sqrt(len(own))
    assert (np.mean(own, axis=0) >= 0.9 - error).all()
    assert (np.mean(own, axis=0) <= 0.9 + 1 / 61 + error).all()
    a0, a1, b0, b1 = np.mean(pooled, axis=0)
    assert b0 < 0.82 and a1 < 0.82 and a0 > 0.95 and b1 > 0.95


def two_cells(negatives, hits):
    "Counts of a day whose negatives lie below 0 where they are covered, and above."
    n = np.array([hits, negatives - hits])
    return ScoreCounts(np.array([-10, 10]), n, n, np.zeros(2, dtype=np.int64))


def test_of_many_groups_none_is_called_short_by_chance():
    """40 groups that are covered as stated, days with an effect of their own: each for itself some
    seem short in a quarter of 120 repetitions, corrected any does in 5 % (3 standard errors)."""
    rng, days = np.random.default_rng(3), [FIRST + timedelta(i) for i in range(14)]
    bounds, called, naive = dict.fromkeys(days, SetBounds(0, 0)), 0, 0
    for _ in range(120):
        n = rng.integers(5, 15, (40, 14))
        hits = rng.binomial(n, rng.beta(45, 5, n.shape))
        groups = {
            str(g): {d: two_cells(*pair) for d, pair in zip(days, zip(n[g], hits[g]))}
            for g in range(40)
        }
        report = coverage_by_group(groups, {}, bounds)
        assert len(report.rows) == 40
        called += any(row.short for row in report.rows)
        naive += any(over_days(hits[g], n[g]).upper < 0.9 for g in range(40))
    assert called / 120 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)
    assert naive / 120 > 0.2


def test_a_group_that_is_short_is_found_among_many():
    rng, days = np.random.default_rng(4), [FIRST + timedelta(i) for i in range(28)]
    groups = {}
    for g in range(100):
        n = rng.integers(5, 15, 28)
        hits = rng.binomial(n, 0.7 if g == 42 else 0.9)
        groups[str(g)] = {d: two_cells(*pair) for d, pair in zip(days, zip(n, hits))}
    report = coverage_by_group(groups, {}, dict.fromkeys(days, SetBounds(0, 0)))
    assert [row.group for row in report.rows if row.short] == ["42"] == [report.rows[0].group]
    assert "1 shown to be covered less than 90%" in repr(report)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_the_least_labels_are_those_of_a_finite_quantile_and_of_five_misses(coverage):
    to_calibrate, to_judge = least_labels(coverage)
    assert to_calibrate == next(n for n in range(1, 1000) if rank(n, coverage) <= n)
    assert to_judge == ceil(round(5 / (1 - coverage), 6))


@pytest.mark.filterwarnings("error")
def test_too_few_labels_or_days_claim_nothing():
    bounds = dict.fromkeys(DAYS, SetBounds(0, 0))
    few_days = {d: two_cells(100, 0) for d in DAYS[: LEAST_DAYS - 1]}
    few_labels = {d: two_cells(4, 0) for d in DAYS}
    enough = {d: two_cells(5, 0) for d in DAYS}
    groups = {"few days": few_days, "few labels": few_labels, "enough": enough, "none": {}}
    report = coverage_by_group(groups, {}, bounds)
    assert report.too_few == ("few days", "few labels", "none")
    (row,) = report.rows
    assert (row.group, row.label, row.pooled.value, row.short) == ("enough", 0, 0.0, True)
    assert np.isnan(row.own.value) and np.isnan(row.sizes[1])  # nothing calibrated
    other_days = coverage_by_group({"a": enough}, {}, {date(2025, 1, 1): SetBounds(0, 0)})
    assert not other_days.rows and other_days.too_few == ("a",)
    for nothing in (coverage_by_group({}, {}, bounds), coverage_by_group({"a": enough}, {}, {})):
        assert not nothing.rows


def test_all_covered_is_no_proof_of_all():
    "50 of 50 on ten alike days: the interval is that of independent events, not of width 0."
    groups = {"a": {d: two_cells(5, 5) for d in DAYS}}
    (row,) = coverage_by_group(groups, {}, dict.fromkeys(DAYS, SetBounds(0, 0))).rows
    assert row.pooled.value == row.pooled.upper == 1.0
    assert row.pooled.lower == pytest.approx(50 / (50 + 1.959964**2))  # Wilson with every hit


def test_a_label_with_too_few_earlier_ones_is_in_all_of_its_own_sets():
    groups = {"a": {d: two_cells(10, 7) for d in DAYS}}
    earlier = {"a": ScoreCounts.from_events(np.arange(-50, -42), np.zeros(8))}
    (row,) = coverage_by_group(groups, earlier, dict.fromkeys(DAYS, SetBounds(0, 0))).rows
    assert np.isnan(row.own.value)
    earlier = {"a": ScoreCounts.from_events(np.arange(-50, -41), np.zeros(9))}
    (row,) = coverage_by_group(groups, earlier, dict.fromkeys(DAYS, SetBounds(0, 0))).rows
    assert row.own.value == 0.0 and row.sizes == pytest.approx((0.7 + 0.3, 1.0))
