import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_wb.stats.conformal import (
    Calibration,
    CalibrationSet,
    calibrate,
    fewest,
    in_percent,
    is_narrow,
    order_statistic,
    rank,
)
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import decide, risk_level
from aiops_wb.stats.points import Grid


def test_rank_by_definition():
    assert [rank(n, 0.9) for n in (8, 9, 10, 1000)] == [9, 9, 10, 901]
    assert rank(19, 0.95) == 19 and rank(99, 0.99) == 99 and rank(98, 0.99) == 99
    with pytest.raises(ValueError, match="between 0 and 1"):
        rank(10, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_order_statistic_equals_sorting(errors, coverage):
    from fractions import Fraction
    from math import ceil

    k = ceil((len(errors) + 1) * Fraction(str(coverage)))
    assert order_statistic(np.array(errors), coverage) == (
        sorted(errors)[k - 1] if k <= len(errors) else np.inf
    )


def test_coverage_given_the_calibration_follows_its_beta():
    """n = 1000, 90 %: coverage given the calibration set is Beta(901, 100); mean and 5-95 % of
    2,000 repetitions, exchangeable rows.
    """
    rng, n, repetitions = np.random.default_rng(7), 1000, 2000
    law = stats.beta(rank(n, 0.9), n + 1 - rank(n, 0.9))
    coverage = np.array(
        [order_statistic(rng.random(n), 0.9) for _ in range(repetitions)]
    )  # of uniform errors, the quantile is the coverage
    assert abs(coverage.mean() - law.mean()) <= 3 * law.std() / np.sqrt(repetitions)
    assert np.quantile(coverage, 0.05) == pytest.approx(0.884, abs=0.002) and np.quantile(
        coverage, 0.95
    ) == pytest.approx(0.915, abs=0.002)


def test_small_samples_promise_nothing():
    rng = np.random.default_rng(0)
    p, y = rng.random(30), rng.integers(0, 2, 30)
    calibration = CalibrationSet(p, y).calibrate()
    assert calibration.quantile(0.99) == np.inf and calibration.interval(0.5, 0.99) == (0.0, 1.0)
    assert calibration.calibration_score(0.99) == 0
    assert Calibration.from_json(calibration.to_json()) == calibration


events = st.lists(st.tuples(st.integers(-4000, 4000), st.integers(0, 1)), min_size=30, max_size=80)


@given(events)
def test_counts_and_rows_calibrate_alike(pairs):
    points, y = (np.array(c) for c in zip(*pairs))
    assert (
        calibrate(ScoreCounts.from_events(points, y))
        == CalibrationSet(Grid().inverse(points), y).calibrate()
    )


@given(st.floats(0, 1), st.floats(0, 1))
def test_intervals_stay_in_the_unit_interval_and_hold_the_score(p, q):
    calibration = Calibration({0.9: q}, 100)
    lower, upper = calibration.interval(p)
    assert 0 <= lower <= p <= upper <= 1
    assert np.array_equal(np.ravel(calibration.intervals([p])), [lower, upper])


@pytest.mark.parametrize(
    ("p", "y", "says"),
    [
        (np.full(29, 0.5), np.ones(29), "too few"),
        (np.full(40, 0.5), np.ones(39), "equal length"),
        (np.full(40, 1.5), np.ones(40), r"\[0, 1\]"),
        (np.full(40, np.nan), np.ones(40), r"\[0, 1\]"),
        (np.full(40, 0.5), np.full(40, 0.5), "0 or 1"),
        (np.full((40, 2), 0.5), np.ones((40, 2)), "one column"),
    ],
)
def test_bad_calibration_data_is_refused(p, y, says):
    with pytest.raises(ValueError, match=says):
        CalibrationSet(p, y)


def test_unlabelled_and_linear_counts_are_refused():
    with pytest.raises(ValueError, match="too few"):
        calibrate(ScoreCounts.from_events(np.arange(100)))
    with pytest.raises(ValueError, match="linear"):
        calibrate(ScoreCounts.from_events(np.arange(100), np.ones(100), Grid("linear")))
    with pytest.raises(ValueError, match="not calibrated"):
        Calibration({0.9: 0.1}, 50).quantile(0.8)


def test_levels_and_routes():
    assert [risk_level(p) for p in (0, 0.2, 0.4, 0.6, 0.8, 1)] == [
        "MINIMAL",
        "LOW",
        "MEDIUM",
        "HIGH",
        "CRITICAL",
        "CRITICAL",
    ]
    assert decide(0.93, (0.85, 1.0)).route == "ticket" and decide(0.93, (0.85, 1.0)).automated
    assert decide(0.9, (0.75, 1.0)).route == "alert" and not decide(0.9, (0.75, 1.0)).automated
    assert decide(0.59, (0.58, 0.6)).route == "monitor"
    for neither in ((0.57, 0.67), (0.0, 0.1)):
        assert (
            "does not single out" in decide(0.62, neither).reason
            and decide(0.62, neither).route == "alert"
        )
    assert is_narrow(0.199) and not is_narrow(0.2)
    for missing in (None, (0.0, np.inf), (np.nan, 1.0)):
        assert (
            decide(0.9, missing).route == "alert" and "no calibrated" in decide(0.9, missing).reason
        )
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        risk_level(1.2)
    with pytest.raises(ValueError, match="ascending"):
        risk_level(0.5, (0.4, 0.2, 0.6, 0.8))


def test_the_fewest_events_are_those_of_the_rank():
    "By trying one after the other, also at the ends."
    for coverage in (1e-12, 1e-6, 0.1, 0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.999, 0.9995):
        tried = next(n for n in range(1, 3_000) if rank(n, coverage) <= n)
        assert fewest(coverage) == tried and rank(0, coverage) >= 1
    assert 1e11 < fewest(1 - 1e-12) < 1e13
    with pytest.raises(ValueError, match="between 0 and 1"):
        fewest(1.0)


def test_a_confidence_below_one_is_never_written_as_all():
    told = [in_percent(share) for share in (0.9, 0.29, 1 - 0.05, 1 - 0.001, 1e-9)]
    assert told == ["90%", "29%", "95%", "99.9%", "1e-07%"]
    assert in_percent(1 - 1e-12) != "100%"
