"""Figures of drift against their formulas written out, and what stands just on either side of a
bound."""

from datetime import date
from math import exp, isnan, log, nan, sqrt

import numpy as np
import pytest
from pytest import approx

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.drift import (
    KS,
    LOGIT_LEVELS,
    AccuracyDrop,
    Windows,
    alarm_severity,
    category_shift,
    feature_shift,
    jensen_shannon,
    kind_of_drift,
    ks,
    ks_bracket,
    psi,
    psi_no_drift,
    wasserstein_bracket,
    windows,
    worst,
)

A, B = np.array([15_000, 9_000, 6_000]), np.array([16_000, 14_000, 10_000])  # 0.5 .3 .2; .4 .35 .25
N, M = 30_000, 40_000
ROOTS = 1 / sqrt(N) + 1 / sqrt(M)


def kolmogorov(x):
    "The series of Kolmogorov 1933."
    return 2 * sum((-1) ** (k - 1) * exp(-2 * k**2 * x**2) for k in range(1, 40))


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_the_interval_of_a_distance_has_half_of_the_error_for_each_side(confidence):
    found = ks_bracket(A, B, confidence=confidence)
    wide = sqrt(log(2 / ((1 - confidence) / 2)) / 2) * ROOTS
    assert found.statistic == approx(0.1) and found.bin == 0 and (found.n, found.m) == (N, M)
    assert (found.lower, found.upper) == (approx(0.1 - wide), approx(0.1 + wide))
    scores = [ScoreCounts.from_events(np.repeat([-500, 0, 250], n)) for n in (A, B)]
    of_scores = ks(*scores, confidence)
    assert of_scores.statistic == approx(0.1) and of_scores.at == -500
    assert (of_scores.lower, of_scores.upper) == (approx(0.1 - wide), approx(0.1 + wide))
    assert of_scores.shift == approx((-0.25 + 0.05) - (-0.2 + 0.0625))
    each = sqrt(log(2 * 3 / ((1 - confidence) / 2)) / 2) * ROOTS  # each of three shares
    moved = category_shift(A, B, confidence)
    assert (moved.lower, moved.upper) == (approx(0.1 - each), approx(0.1 + each))
    assert category_shift([*A, 0], [*B, 0], confidence) == moved  # a category nobody had is none
    assert moved.bin == 0 and category_shift(B[::-1], A[::-1], confidence).bin == 2


def test_without_another_confidence_intervals_are_of_95_percent():
    scores = [ScoreCounts.from_events(np.repeat([-500, 0, 250], n)) for n in (A, B)]
    assert ks(*scores) == ks(*scores, 0.95)
    assert ks_bracket(A, B) == ks_bracket(A, B, confidence=0.95)
    assert category_shift(A, B) == category_shift(A, B, 0.95)


def test_p_values_are_those_of_the_limiting_distribution():
    a, b = np.array([150, 90, 60]), np.array([160, 140, 100])
    expected = kolmogorov(sqrt(300 * 400 / 700) * 0.1)
    assert ks_bracket(a, b).pvalue == approx(expected)
    scores = [ScoreCounts.from_events(np.repeat([-500, 0, 250], n)) for n in (a, b)]
    assert ks(*scores).pvalue == approx(expected) and 0.01 < expected < 0.1
    assert category_shift([5], [9]).pvalue == 1.0


def test_the_most_a_distance_can_be_counts_bins_that_hold_several_values():
    "Shares up to each cut 0 .5 .8 1 and 0 .4 .75 1: inside the first bin they can differ by .5."
    assert ks_bracket(A, B).at_most == approx(0.5)
    assert ks_bracket(A, B, [True, False, False]).at_most == approx(0.4)
    assert ks_bracket(A, B, [True, True, False]).at_most == approx(0.25)
    assert ks_bracket(B, A).at_most == approx(0.5)


def test_ends_stay_within_0_and_1():
    small = ks_bracket([2, 0], [0, 2])
    assert (small.statistic, small.lower, small.upper) == (1.0, 0.0, 1.0)
    apart = category_shift([2, 0], [0, 2])
    assert (apart.statistic, apart.lower, apart.upper) == (1.0, 0.0, 1.0)


def test_distances_of_bins_are_their_sums():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.35, 0.25])
    assert psi(A, B) == approx(sum((p - q) * np.log(p / q)))
    p, q = np.array([3.5, 0.5, 2.5]) / 6.5, np.array([2.5, 1.5, 0.5]) / 4.5  # half an event each
    assert psi([3, 0, 0, 2], [2, 0, 1, 0]) == approx(sum((p - q) * np.log(p / q)))
    p, q = np.array([2.5, 1.5]) / 4, np.array([3.5, 0.5]) / 4
    assert psi([2, 1], [3, 0]) == psi([3, 0], [2, 1]) == approx(sum((p - q) * np.log(p / q)))
    assert psi_no_drift(10, 500, 400) == approx(9 / 500 + 9 / 400)
    assert isnan(psi_no_drift(10, 0, 400)) and isnan(psi_no_drift(10, 500, 0))
    assert jensen_shannon([1, 0], [0, 1]) == approx(sqrt(log(2)))
    for one_side in ([0, 0], [1, 1]), ([1, 1], [0, 0]):
        assert isnan(psi(*one_side)) and isnan(jensen_shannon(*one_side))
        assert isnan(ks_bracket(*one_side).at_most) and isnan(category_shift(*one_side).upper)
        low, high = wasserstein_bracket(*one_side, [0, 1, 2])
        assert isnan(low) and isnan(high)


@pytest.mark.parametrize("sides", [((), (1, 2)), ((1, 2), ())])
def test_scores_of_an_empty_side_say_nothing(sides):
    recent, reference = (ScoreCounts.from_events(np.array(s, dtype=int)) for s in sides)
    found = ks(recent, reference)
    assert all(map(isnan, (found.statistic, found.pvalue, found.lower, found.upper, found.shift)))
    assert (found.at, found.n, found.m) == (0, *map(len, sides)) and found.severity == "unknown"


def test_bounds_of_wasserstein_by_hand():
    assert wasserstein_bracket([1, 1], [2, 0], [0, 1, 3]) == (0.0, approx(1 * 1 + 0.5 * 2))
    far = [2, 0, 0], [0, 0, 2]
    assert wasserstein_bracket(*far, [0, 1, 3, 6]) == (approx(2.0), approx(1 + 2 + 3))
    assert wasserstein_bracket(*far[::-1], [0, 1, 3, 6]) == (approx(2.0), approx(6.0))
    assert wasserstein_bracket([1, 1], [1, 1], [0, 1, 1])[0] == 0.0  # an empty bin may be narrow
    for edges in ([0, 1], [0, 1, 2, 3], [0, 2, 1], [0, 1, np.inf], [0, 1, nan]):
        with pytest.raises(ValueError, match="bins \\+ 1 finite edges in ascending order"):
            wasserstein_bracket([1, 1], [1, 1], edges)


@pytest.mark.parametrize("wrong", [([1, -1], [1, 1]), ([1, 1], [-1, 1]), ([[1]], [[1]])])
def test_counts_below_zero_or_of_another_shape_are_refused(wrong):
    for compare in (psi, ks_bracket, category_shift):
        with pytest.raises(ValueError, match="give two vectors of counts on the same bins"):
            compare(*wrong)


def test_windows_hold_the_days_they_are_asked_for():
    day = date(2026, 6, 30)
    assert windows(day) == Windows((date(2026, 6, 24), day), (date(2026, 5, 1), date(2026, 5, 31)))
    assert windows(day, 1, (1, 2)) == Windows((day, day), (date(2026, 6, 28), date(2026, 6, 29)))
    for wrong in ((0, (30, 60)), (31, (30, 60)), (7, (30, 30)), (7, (60, 30))):
        with pytest.raises(ValueError, match="overlap"):
            windows(day, *wrong)


def test_levels_begin_where_they_are_named():
    of_p = lambda p: KS(0.1, p, 0.0, 1.0, 0, 0.0, 9, 9)
    just = {0.05: "none", 0.0499: "low", 0.01: "low", 0.0099: "medium", 0.001: "medium"}
    assert {p: of_p(p).severity for p in just} == just and of_p(0.0009).severity == "high"
    assert of_p(nan).severity == "unknown"
    assert [of_p(p).drifted for p in (0.01, 0.0099)] == [False, True]
    of_effect = {0.0: "low", 0.0499: "low", 0.05: "medium", 0.0999: "medium", 0.1: "high"}
    of_effect |= {0.2499: "high", 0.25: "critical", -0.25: "critical"}
    assert {e: alarm_severity(e, True) for e in of_effect} == of_effect
    logits = {0.2499: "low", 0.25: "medium", 0.5: "high", 0.9999: "high", 1.0: "critical"}
    assert {e: alarm_severity(e, True, LOGIT_LEVELS) for e in logits} == logits
    assert alarm_severity(nan, False) == "unknown"


def test_a_fall_of_accuracy_counts_from_its_baseline():
    assert AccuracyDrop(0.8, 0.72).drop == approx(0.1)
    severities = {0.761: "none", 0.76: "low", 0.7201: "low", 0.72: "medium", 0.64: "high"}
    assert {r: AccuracyDrop(0.8, r).severity for r in severities} == severities
    assert AccuracyDrop(0.0, 0.5).severity == AccuracyDrop(nan, 0.5).severity == "unknown"
    assert (
        worst("low", "unknown", "medium") == "medium" and worst("unknown") == worst() == "unknown"
    )


def test_an_offset_counts_beyond_two_standard_errors_and_its_tolerance():
    kind = lambda *offset: kind_of_drift(False, False, *offset)
    assert kind(0.5, 0.201) is None and kind(0.5, 0.199) == "concept"
    assert kind(-0.5, 0.199) == "concept" and kind(0.5, 0.199, tolerance := 0.4) == "concept"
    assert kind_of_drift(False, False, 0.5, 0.0, tolerance=tolerance + 0.2) is None
    # as the mix suggests: within two standard errors of the difference, the tolerance at least
    assert kind(0.5, 0.05, 0.4, 0.01) == "label shift" and kind(0.5, 0.05, 0.39, 0.01) == "concept"
    assert kind(0.5, 0.06, 0.39, 0.01) == kind(0.5, 0.06, 0.61, 0.01) == "label shift"
    assert kind(0.5, 0.001, 0.401, 0.001) == "label shift"
    assert kind(0.5, 0.05, 0.5, 0.199) == "label shift" and kind(0.5, 0.05, 0.5, 0.201) == "concept"


def test_a_feature_is_compared_on_its_bins_and_said_to_miss_of_all():
    "Places: unseen, missing, bins; one bin is empty on both sides."
    shift = feature_shift("x", "numeric", [4, 6, 20, 0, 70], [0, 10, 50, 0, 140])
    bins = [20, 0, 70], [50, 0, 140]
    gap = ks_bracket(*bins)
    assert (shift.effect, shift.lower, shift.upper) == (gap.statistic, gap.lower, gap.upper)
    assert (shift.pvalue, shift.bin) == (gap.pvalue, gap.bin) and (shift.n, shift.m) == (100, 200)
    assert shift.missing == (0.06, 0.05) and shift.unseen == (0.04, 0.0)
    assert shift.psi == psi(*bins) and shift.jensen_shannon == jensen_shannon(*bins)
    assert shift.psi_no_drift == approx((2 - 1) * (1 / 90 + 1 / 190))
    nothing = feature_shift("x", "category", [0, 0, 0], [0, 1, 9])
    assert isnan(nothing.missing[0]) and isnan(nothing.unseen[0]) and nothing.missing[1] == 0.1
    sure = feature_shift("x", "category", [0, 0, N, 0], [0, 0, 0, N])
    assert sure.practical(sure.lower - 1e-9) and not sure.practical(sure.lower)
