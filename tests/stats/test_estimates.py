"""Figures before labels: exact sums, coverage by simulation, likelihoods against a general
optimiser.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit

from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.estimates import (
    Maturation,
    bbse,
    delay_adjusted,
    expected_performance,
    maturation,
    mlls,
    surprise,
)
from aiops_wb.stats.performance import confusion, summary
from aiops_wb.stats.points import Grid

GRID = Grid()


def rows(seed, n=3000, mean=-1.0):
    rng = np.random.default_rng(seed)
    points = np.rint(rng.normal(1000 * mean, 1200, n)).astype(int)
    return points, rng.random(n) < expit(points / 1000)


@given(st.integers(0, 50), st.integers(-2500, 2500))
def test_expected_confusion_is_the_sum_of_probabilities(seed, threshold):
    points, _ = rows(seed, 200)
    counts, p = ScoreCounts.from_events(points), expit(points / 1000)
    found = expected_performance(counts, GRID.inverse(counts.points), threshold)
    alert = points >= threshold
    assert found["accuracy"].value == pytest.approx(np.where(alert, p, 1 - p).mean())
    assert found["recall"].value == pytest.approx(p[alert].sum() / p.sum())
    if alert.any():
        assert found["precision"].value == pytest.approx(p[alert].mean())
        assert found["f1"].value == pytest.approx(2 * p[alert].sum() / (alert.sum() + p.sum()))
    half = 1.959964 * np.sqrt((p * (1 - p)).sum()) / 200
    assert found["accuracy"].upper - found["accuracy"].value == pytest.approx(
        min(half, 1 - found["accuracy"].value), rel=1e-5
    )


def test_predictive_intervals_hold_what_labels_give():
    """Labels drawn 400 times from the probabilities: 95 % intervals hold, within three standard
    errors.
    """
    points, _ = rows(1)
    rng, p = np.random.default_rng(2), expit(points / 1000)
    found = expected_performance(
        ScoreCounts.from_events(points), GRID.inverse(ScoreCounts.from_events(points).points), 0
    )
    held = dict.fromkeys(("accuracy", "precision", "recall", "fpr", "f1", "positive_rate"), 0)
    for _ in range(400):
        truth = summary(ScoreCounts.from_events(points, rng.random(len(p)) < p), 0)
        for name in held:
            held[name] += found[name].lower <= truth[name].value <= found[name].upper
    for name, times in held.items():
        assert times / 400 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400), name


def test_surprise_is_standard_normal_when_probabilities_hold():
    points, _ = rows(3)
    rng, p, found = np.random.default_rng(4), expit(points / 1000), []
    for _ in range(300):
        counts = ScoreCounts.from_events(points, rng.random(len(p)) < p)
        found.append(surprise(counts, GRID.inverse(counts.points)))
    assert abs(np.mean(found)) < 3 / np.sqrt(300) and abs(np.std(found) - 1) < 3 / np.sqrt(600)


def test_without_events_or_labels_nothing_is_claimed():
    empty = ScoreCounts.empty()
    assert np.isnan(expected_performance(empty, np.empty(0), 0)["accuracy"].value)
    assert np.isnan(surprise(ScoreCounts.from_events([1, 2]), np.array([0.5, 0.5])))
    assert np.isnan(
        delay_adjusted(
            [(ScoreCounts.from_events([1, 2]), 3)],
            GRID.inverse,
            Maturation(np.ones(1), np.ones(1)),
            0,
        ).delta
    )
    assert np.isnan(delay_adjusted([], GRID.inverse, Maturation(np.ones(1), np.ones(1)), 0).delta)
    assert np.isnan(mlls(empty, np.empty(0), 0.2).value) and np.isnan(bbse(empty, empty, 0).value)


def test_probabilities_of_another_length_are_refused():
    with pytest.raises(ValueError, match="one in"):
        expected_performance(ScoreCounts.from_events([1, 2, 3]), np.array([0.5]), 0)


def late_days(seed, delta=0.6, days=12, per_day=1500):
    rng, found, truth = np.random.default_rng(seed), [], []
    for age in range(days):
        points = np.rint(rng.normal(-1200, 1300, per_day)).astype(int)
        label = rng.random(per_day) < expit(points / 1000 + delta)
        known = rng.exponential(np.where(label, 20, 5)) < age + 1
        found.append((ScoreCounts.from_events(points, np.where(known, label, np.nan)), age))
        truth.append(ScoreCounts.from_events(points, label))
    return found, truth


PACE = Maturation(1 - np.exp(-np.arange(1, 200) / 20), 1 - np.exp(-np.arange(1, 200) / 5))


def test_delta_is_the_maximum_of_the_likelihood():
    days, _ = late_days(1)

    def loss(delta):
        value = 0.0
        for counts, age in days:
            p = expit(counts.points / 1000 + delta)
            f, g = PACE.at(age)
            value += (
                counts.n_positive * np.log(p)
                + counts.n_negative * np.log(1 - p)
                + (counts.n - counts.n_labelled) * np.log(1 - p * f - (1 - p) * g)
            ).sum()
        return -value

    assert delay_adjusted(days, GRID.inverse, PACE, 0).delta == pytest.approx(
        minimize_scalar(loss, bracket=(0, 1), tol=1e-10).x, abs=1e-5
    )


def test_delta_is_unbiased_and_its_standard_error_honest():
    found = [delay_adjusted(late_days(seed)[0], GRID.inverse, PACE, 0) for seed in range(60)]
    deltas = np.array([f.delta for f in found])
    assert abs(deltas.mean() - 0.6) < 3 * deltas.std() / np.sqrt(60)
    assert np.mean([f.se for f in found]) == pytest.approx(deltas.std(), rel=3 / np.sqrt(120))


def test_adjusted_accuracy_is_within_a_point_where_the_naive_one_is_ten_off():
    days, truth = late_days(2, days=15, per_day=2000)
    adjusted, true = delay_adjusted(days, GRID.inverse, PACE, 0).figures, confusion(total(truth), 0)
    assert abs(adjusted["accuracy"].value - true.accuracy.value) < 0.01
    assert confusion(total(c for c, _ in days), 0).accuracy.value - true.accuracy.value > 0.08
    for name in ("recall", "precision"):
        assert abs(adjusted[name].value - getattr(true, name).value) < 0.03


def test_adjusted_intervals_hold_the_truth():
    held = []
    for seed in range(80):
        days, truth = late_days(100 + seed, per_day=500)
        figure = delay_adjusted(days, GRID.inverse, PACE, 0).figures["accuracy"]
        held.append(figure.lower <= confusion(total(truth), 0).accuracy.value <= figure.upper)
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)


def test_with_all_labels_in_nothing_is_adjusted():
    points, label = rows(5)
    counts = ScoreCounts.from_events(points, label)
    adjusted = delay_adjusted([(counts, 3)], GRID.inverse, Maturation(np.ones(1), np.ones(1)), 0)
    assert adjusted.figures["accuracy"].value == pytest.approx(confusion(counts, 0).accuracy.value)


def test_events_that_never_get_a_label_do_not_look_late():
    """Half of the events are never labelled, whatever their label: the share of positives is not
    moved by it.
    """
    rng = np.random.default_rng(6)
    points, label = rows(6, 20_000)
    counts = ScoreCounts.from_events(points, np.where(rng.random(len(label)) < 0.5, label, np.nan))
    adjusted = delay_adjusted(
        [(counts, 9)], GRID.inverse, Maturation(np.ones(3), np.ones(3), 0.5), 0
    )
    assert abs(adjusted.delta) < 4 * adjusted.se


def test_the_pace_of_labels_is_read_off_arrivals():
    pace = maturation([(1, 0, 50), (3, 10, 30), (5, 10, 0)], events=200)
    assert (
        pace.at(0) == (0, 0)
        and pace.at(1) == (0, pytest.approx(0.625 * 0.5))
        and pace.at(99) == (0.5, 0.5)
    )
    assert pace.at(3)[0] == pytest.approx(0.25)
    with pytest.raises(ValueError, match="some of both"):
        maturation([(1, 0, 5)], 10)


def shifted(seed, share, n=8000):
    """Events of two kinds in another mix, their counts, the reference's counts and its calibrated
    probability.
    """
    rng = np.random.default_rng(seed)
    draw = lambda rate, size: (
        lambda y: (
            np.rint(np.where(y, rng.normal(500, 900, size), rng.normal(-900, 900, size))).astype(
                int
            ),
            y,
        )
    )(rng.random(size) < rate)
    before = ScoreCounts.from_events(*draw(0.2, 40_000))
    now = ScoreCounts.from_events(draw(share, n)[0])
    odds = 0.25 * np.exp(((now.points + 900) ** 2 - (now.points - 500) ** 2) / (2 * 900**2))
    return now, before, odds / (1 + odds)


def test_the_share_of_positives_is_found_from_scores_alone():
    for method in ("mlls", "bbse"):
        held, values = 0, []
        for seed in range(60):
            now, before, p = shifted(seed, 0.35)
            figure = mlls(now, p, 0.2) if method == "mlls" else bbse(now, before, 0)
            held, values = held + (figure.lower <= 0.35 <= figure.upper), [*values, figure.value]
        assert held / 60 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 60), method
        assert abs(np.mean(values) - 0.35) < 3 * np.std(values) / np.sqrt(60) + 0.002


def test_mlls_equals_the_em_algorithm():
    now, _, p = shifted(1, 0.4)
    share = 0.2
    for _ in range(3000):
        post = p * share / 0.2 / (p * share / 0.2 + (1 - p) * (1 - share) / 0.8)
        share = float((now.n * post).sum() / now.n.sum())
    assert mlls(now, p, 0.2).value == pytest.approx(share, abs=1e-6)


def test_a_reference_of_one_kind_cannot_tell_a_mix():
    with pytest.raises(ValueError, match="both labels"):
        mlls(ScoreCounts.from_events([1]), np.array([0.5]), 0.0)


def test_a_day_without_the_labels_it_should_have_is_not_certain():
    """All labels are known after a day; yesterday's file did not come: its events are expected by
    their probability, with an interval, and not counted as negative.
    """
    points, label = rows(7, 4000, mean=0.0)
    days = [
        (ScoreCounts.from_events(points[:2000], label[:2000]), 2),
        (ScoreCounts.from_events(points[2000:]), 1),
    ]
    adjusted = delay_adjusted(
        days, GRID.inverse, Maturation(np.array([0.0, 1.0]), np.array([0.0, 1.0])), 0
    )
    rate = adjusted.figures["positive_rate"]
    assert rate.lower < label.mean() < rate.upper and abs(rate.value - label.mean()) < 0.03
