import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.render.plots import certainty_curve, coverage_days, interval_widths
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.conformal import Calibration, LabelConditional, SetBounds, Sets, venn_abers
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.coverage import automation_risk, coverage_report, interval_sets, width_shares
from aiops_wb.stats.performance import over_days
from aiops_wb.stats.points import Grid

FIRST = date(2026, 1, 1)
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-30, 30), st.sampled_from([0, 1, np.nan])),
    min_size=1,
    max_size=60,
)


@given(rows, st.integers(-20, 20), st.integers(-20, 20))
def test_coverage_by_counting_rows(pairs, zero, one):
    day, points, y = (np.array(c) for c in zip(*pairs))
    days = {
        FIRST + timedelta(int(d)): ScoreCounts.from_events(points[day == d], y[day == d])
        for d in np.unique(day)
    }
    report = coverage_report(days, lambda d, p: Sets(p <= zero, p >= one))
    known = ~np.isnan(y)
    inside = np.where(y == 1, points >= one, points <= zero)
    for figure, kept in (
        (report.overall, known),
        (report.by_label[0], y == 0),
        (report.by_label[1], y == 1),
    ):
        assert figure.n == kept.sum() and (
            not kept.any()
            and np.isnan(figure.value)
            or figure.value == pytest.approx(inside[kept].mean())
        )
    assert report.sets["{0, 1}"] == pytest.approx(
        ((points <= zero) & (points >= one)).mean()
    ) and sum(report.sets.values()) == pytest.approx(1)
    for d in np.unique(day):
        here, kept = report.by_day[FIRST + timedelta(int(d))]["all"], known & (day == d)
        assert here.n == kept.sum() and (
            not kept.any() or here.value == pytest.approx(inside[kept].mean())
        )


def test_the_reference_intervals():
    rng = np.random.default_rng(0)
    points, y = rng.integers(-3000, 3000, 500), rng.integers(0, 2, 500)
    days = {FIRST: ScoreCounts.from_events(points, y)}
    q, p = Calibration({0.9: 0.6}, 100), Grid().inverse(points)
    report = coverage_report(days, lambda d, at: interval_sets(q, 0.9, at, Grid()))
    assert report.overall.value == pytest.approx((np.abs(p - y) <= 0.6).mean())
    assert "coverage" in repr(report) and np.isnan(
        report.overall.lower
    )  # one day claims no interval


def test_the_day_interval_is_the_cluster_robust_one_and_covers():
    """Against a regression on a constant with one cluster a day; 95 % interval over 40 days with a
    day effect, 800 repetitions.
    """
    n, hits = np.array([10.0, 20, 30, 5]), np.array([5.0, 14, 20, 1])
    share = hits.sum() / n.sum()
    error = np.sqrt(4 / 3 * ((hits - share * n) ** 2).sum()) / n.sum()
    assert over_days(hits, n).upper - share == pytest.approx(3.182446 * error, rel=1e-5)
    rng, covered = np.random.default_rng(1), 0
    for _ in range(800):
        size = rng.integers(20, 80, 40)
        figure = over_days(rng.binomial(size, rng.beta(8, 2, 40)), size)
        covered += figure.lower <= 0.8 <= figure.upper
    assert (
        covered / 800 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 800) - 0.01
    )  # the t interval is approximate: one point of slack
    assert (
        np.isnan(over_days([], []).value)
        and np.isnan(over_days([0], [0]).value)
        and over_days([3, 0], [4, 0]).n == 4
    )


def test_the_curves_by_definition():
    rng = np.random.default_rng(2)
    points, y = rng.integers(-2000, 4000, 400), rng.integers(0, 2, 400)
    counts = ScoreCounts.from_events(points, y)
    risk = automation_risk(counts, 405)
    for t, share, false in list(zip(risk.thresholds, risk.automated, risk.false))[::40]:
        assert share == pytest.approx(
            (points >= t).sum() / (points >= 405).sum()
        ) and false == pytest.approx(1 - y[points >= t].mean())
    bounds = venn_abers(counts.coarsen(20))
    lower, upper = bounds.intervals(points)
    shares = width_shares(counts, bounds)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["0.05 to 0.1"] == pytest.approx(
        ((upper - lower >= 0.05) & (upper - lower < 0.1)).mean()
    )
    empty = automation_risk(ScoreCounts.empty(), 405)
    assert not len(empty.automated)


def test_the_sets_that_stood_are_stored_as_cuts():
    days = {
        FIRST + timedelta(i): ScoreCounts.from_events(
            np.arange(-1000, 1000, 10), np.arange(200) % 2
        )
        for i in range(3)
    }
    stands = certainty(days, max(days))
    assert stands.set_bounds[0.9] == LabelConditional(total(days.values())).set_bounds(0.9)
    assert (
        SetBounds(*json.loads(json.dumps(stands.to_json()))["cuts"]["0.9"])
        == stands.set_bounds[0.9]
    )


def test_pictures_of_nothing_say_so():
    days = {FIRST: ScoreCounts.from_events(np.arange(-1000, 1000, 10), np.arange(200) % 2)}
    stands = certainty(days, FIRST)
    assert "no events" in certainty_curve(stands, ScoreCounts.empty(), 405, 0.1)._repr_svg_()
    assert (
        "no day with mature labels" in coverage_days(None)._repr_svg_()
        and "no calibration stands" in interval_widths(days[FIRST], None)._repr_svg_()
    )
    unlabelled = ScoreCounts.from_events([3000, 3100])
    assert (
        "<svg" in certainty_curve(stands, unlabelled, 405, 0.1)._repr_svg_()
        and "<svg" in interval_widths(unlabelled, stands)._repr_svg_()
    )
