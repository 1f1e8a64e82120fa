"""Ends of the intervals of estimates, against formulas written out and curvature taken in small
steps."""

from math import isnan, nan, sqrt

import numpy as np
import pytest
from pytest import approx
from scipy import stats
from scipy.optimize import minimize_scalar

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.estimates import (
    DaySpread,
    Maturation,
    bbse,
    delay_adjusted,
    expected_performance,
    maturation,
    mlls,
    surprise,
)

POINTS = np.array([-1000, 400, 1500])
P = 1 / (1 + np.exp(-POINTS / 1000))
POSITIVE, NEGATIVE, OPEN = np.array([30, 40, 60]), np.array([90, 50, 20]), np.array([60, 80, 40])
Z = stats.norm.ppf(0.975)


def day(opened=OPEN):
    n = POSITIVE + NEGATIVE + opened
    return ScoreCounts.of(POINTS, n, POSITIVE + NEGATIVE, POSITIVE)


def probability(points):
    return 1 / (1 + np.exp(-np.asarray(points) / 1000))


PACE = Maturation(np.array([0.3, 0.5, 1.0]), np.array([0.4, 0.7, 1.0]))
F, G = 0.5, 0.7  # after a day


def moved(delta):
    return 1 / (1 + np.exp(-(POINTS / 1000 + delta)))


def likelihood(delta):
    p = moved(delta)
    known = POSITIVE * np.log(p) + NEGATIVE * np.log(1 - p)
    return float((known + OPEN * np.log(1 - F * p - G * (1 - p))).sum())


def turns_out(delta):
    "The chance that an open event is positive."
    p = moved(delta)
    return p * (1 - F) / (p * (1 - F) + (1 - p) * (1 - G))


def accuracy(delta):
    "Alerts from 400 points on."
    one = turns_out(delta)
    right = NEGATIVE[0] + OPEN[0] * (1 - one[0]) + POSITIVE[1:].sum() + (OPEN * one)[1:].sum()
    return right / (POSITIVE + NEGATIVE + OPEN).sum()


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_a_delayed_accuracy_ends_where_chance_the_shift_and_half_a_step_put_it(confidence):
    found = delay_adjusted([(day(), 1)], probability, PACE, 400, confidence)
    delta = minimize_scalar(lambda d: -likelihood(d), bounds=(-4, 4), method="bounded").x
    h = 1e-3
    information = -(likelihood(delta + h) - 2 * likelihood(delta) + likelihood(delta - h)) / h**2
    slope = (accuracy(delta + h) - accuracy(delta - h)) / (2 * h)
    n, one = 470, turns_out(delta)
    chance = (OPEN * one * (1 - one)).sum() / n**2
    half = stats.norm.ppf(0.5 + confidence / 2) * sqrt(chance + slope**2 / information) + 0.5 / n
    assert found.delta == approx(delta, abs=1e-4) and found.se == approx(information**-0.5, 1e-3)
    figure = found.figures["accuracy"]
    assert figure.value == approx(accuracy(delta), abs=1e-5)
    assert figure.lower == approx(figure.value - half, abs=1e-4)
    assert figure.upper == approx(figure.value + half, abs=1e-4)
    assert (found.n, found.n_labelled, figure.n) == (n, 290, n) and found.reason == ""


def test_with_all_labels_in_half_a_step_is_left_on_either_side():
    figures = delay_adjusted([(day(0 * OPEN), 2)], probability, PACE, 400).figures
    of = {"accuracy": (190, 290), "precision": (100, 170), "recall": (100, 130)}
    for name, (a, b) in of.items():
        assert figures[name].value == approx(a / b)
        assert figures[name].lower == approx(a / b - 0.5 / b)
        assert figures[name].upper == approx(a / b + 0.5 / b)


@pytest.mark.parametrize(
    ("days", "says"), [(14, ""), (13, "labels of 13 days are in, 14 are needed")]
)
def test_14_days_say_how_much_days_differ(days, says):
    spread = DaySpread(0.04, days)
    found = delay_adjusted([(day(), 1)], probability, PACE, 400, spread=spread)
    assert found.reason.startswith(says) and bool(found.reason) == bool(says)
    figure = found.figures["accuracy"]
    assert isnan(figure.lower) == isnan(found.delta) == bool(says) and figure.n == 470
    if not says:  # by Student's t over so many days, and one day is all of them
        alone = delay_adjusted([(day(), 1)], probability, PACE, 400).figures["accuracy"]
        t, n = stats.t.ppf(0.975, 13), figure.n
        assert figure.upper - figure.value - 0.5 / n == approx(
            (alone.upper - alone.value - 0.5 / n) / Z * t
        )
        alone = delay_adjusted([(day(), 1)], probability, PACE, 400)
        assert found.se == approx(sqrt(alone.se**2 + 0.04))


def test_labels_that_tell_too_little_are_said_to():
    few = ScoreCounts.of(POINTS, [20] * 3, [13] * 3, [6, 6, 6])  # of information 13 x .21 + ...
    found = delay_adjusted([(few, 1)], probability, PACE, 400)
    assert found.reason.startswith(
        "too few labels: 39 of 60 are known and tell the log-odds to +- "
    )
    assert found.reason.endswith("+- 0.32 is needed") and found.n_labelled == 39
    none = ScoreCounts.of(POINTS, [20] * 3, [0] * 3, [0] * 3)
    assert delay_adjusted([(none, 1)], probability, PACE, 400).reason == "no label is known yet"


def test_expected_figures_have_the_variance_of_tosses():
    n = np.array([200, 100, 50])
    counts = ScoreCounts.of(POINTS, n, 0 * n, 0 * n)
    found = expected_performance(counts, P, 400)
    right = n * np.where(POINTS >= 400, P, 1 - P)
    sd = sqrt((n * P * (1 - P)).sum()) / 350
    assert found["accuracy"].value == approx(right.sum() / 350)
    assert found["accuracy"].upper == approx(right.sum() / 350 + Z * sd)
    assert found["accuracy"].lower == approx(right.sum() / 350 - Z * sd)
    sure = (n * P)[1:].sum() / 150
    of_alerts = sqrt((n * P * (1 - P))[1:].sum()) / 150
    assert found["precision"].value == approx(sure) and found["precision"].n == 150
    assert found["precision"].lower == approx(sure - Z * of_alerts)
    narrow = expected_performance(counts, P, 400, 0.8)["accuracy"]
    assert narrow.upper - narrow.value == approx(stats.norm.ppf(0.9) * sd)
    for wrong in (P[:2], [0.5, 0.5, 1.1], [-0.1, 0.5, 0.5], [0.5, nan, 0.5]):
        with pytest.raises(ValueError, match="3 cells: one in \\[0, 1\\] is needed for each"):
            expected_performance(counts, np.array(wrong), 400)
    assert not isnan(expected_performance(counts, np.array([0.0, 0.5, 1.0]), 400)["recall"].value)


def test_a_mix_is_the_maximum_of_its_likelihood_and_ends_by_its_curvature():
    n = np.array([200, 100, 80])
    found = mlls(ScoreCounts.of(POINTS, n, 0 * n, 0 * n), P, 0.4)
    of = lambda share: float((n * np.log(share * P / 0.4 + (1 - share) * (1 - P) / 0.6)).sum())
    best = minimize_scalar(lambda s: -of(s), bounds=(1e-6, 1 - 1e-6), method="bounded").x
    h = 1e-4
    sd = (-(of(best + h) - 2 * of(best) + of(best - h)) / h**2) ** -0.5
    assert found.value == approx(best, abs=1e-4) and found.n == 380
    assert (found.lower, found.upper) == (
        approx(best - Z * sd, abs=1e-3),
        approx(best + Z * sd, abs=1e-3),
    )
    for base in (0.0, 1.0):
        with pytest.raises(ValueError, match="both labels are needed"):
            mlls(ScoreCounts.of(POINTS, n, 0 * n, 0 * n), P, base)


def test_a_mix_from_alerts_ends_by_its_formula():
    reference = ScoreCounts.of(POINTS, [120, 90, 80], [120, 90, 80], POSITIVE)
    counts = ScoreCounts.of(POINTS, [100, 60, 90], [0] * 3, [0] * 3)
    tpr, fpr, alerts = 100 / 130, 70 / 160, 150 / 250
    share = (alerts - fpr) / (tpr - fpr)
    variance = alerts * (1 - alerts) / 250
    variance += share**2 * tpr * (1 - tpr) / 130 + (1 - share) ** 2 * fpr * (1 - fpr) / 160
    half = Z * sqrt(variance) / (tpr - fpr)
    found = bbse(counts, reference, 400)
    assert found.value == approx(share) and found.n == 250
    assert found.lower == approx(max(0.0, share - half))
    assert found.upper == approx(min(1.0, share + half))
    for one_kind in (POSITIVE + NEGATIVE, 0 * POSITIVE):
        of_one = ScoreCounts.of(POINTS, POSITIVE + NEGATIVE, POSITIVE + NEGATIVE, one_kind)
        assert isnan(bbse(counts, of_one, 400).value)
    assert isnan(bbse(counts, reference, 9_000).value), "nobody is called: the rates do not differ"


def test_the_pace_of_labels_is_the_share_that_is_there_by_age():
    found = maturation([(0, 2, 5), (2, 6, 3), (-1, 2, 1), (0, 0, 1)], 40)
    assert found.positive.tolist() == [0.4, 0.4, 1.0] and found.negative.tolist() == [0.7, 0.7, 1.0]
    assert found.complete == 20 / 40
    assert found.at(0) == (0.2, 0.35) and found.at(-1) == (0.0, 0.0) and found.at(9) == (0.5, 0.5)
    assert "half of the positives after 2 days, of the negatives after 0, all after 2" in repr(
        found
    )
    for one_kind in ([(0, 3, 0)], [(0, 0, 3)], []):
        with pytest.raises(ValueError, match="some of both are needed"):
            maturation(one_kind, 9)
    assert maturation([(0, 3, 3)], 5).complete == 1.0


def test_a_surprise_is_counted_in_standard_deviations():
    expected = ((POSITIVE + NEGATIVE) * P).sum()
    variance = ((POSITIVE + NEGATIVE) * P * (1 - P)).sum()
    assert surprise(day(), P) == approx((130 - expected) / sqrt(variance))
    assert isnan(surprise(ScoreCounts.of(POINTS, OPEN, 0 * OPEN, 0 * OPEN), P))
