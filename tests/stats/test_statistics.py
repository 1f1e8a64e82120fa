"""Performance, drift, thresholds: held against scikit-learn, scipy and brute force."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.drift import AccuracyDrop, ks, windows, worst
from aiops_wb.stats.performance import (
    average_precision,
    brier,
    calibration_error,
    confusion,
    lift,
    log_loss,
    over_days,
    over_days_bootstrap,
    precision_at,
    proportion,
    reliability_bins,
    roc_auc,
    summary,
)
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import best_f1, curve, simulate

GRID = Grid()
labelled = st.lists(
    st.tuples(st.integers(-40, 40).map(lambda k: 100 * k), st.integers(0, 1)),
    min_size=2,
    max_size=60,
)


def split(events):
    points, labels = (np.array(c) for c in zip(*events))
    return points, labels, ScoreCounts.from_events(points, labels)


@given(labelled)
def test_ranking_figures_equal_scikit_learn(events):
    points, y, counts = split(events)
    assume(0 < y.sum() < len(y))
    p = GRID.inverse(points)
    assert roc_auc(counts).value == pytest.approx(metrics.roc_auc_score(y, points), abs=1e-12)
    assert average_precision(counts).value == pytest.approx(
        metrics.average_precision_score(y, points), abs=1e-12
    )
    assert brier(counts).value == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    assert log_loss(counts).value == pytest.approx(metrics.log_loss(y, p), rel=1e-12, abs=1e-12)


@given(labelled, st.integers(-4_100, 4_100))
def test_confusion_equals_scikit_learn(events, threshold):
    points, y, counts = split(events)
    tn, fp, fn, tp = metrics.confusion_matrix(y, points >= threshold, labels=[0, 1]).ravel()
    at = confusion(counts, threshold)
    assert (at.tn, at.fp, at.fn, at.tp) == (tn, fp, fn, tp)
    called = points >= threshold
    oracles = {
        "accuracy": (metrics.accuracy_score(y, called), True),
        "precision": (metrics.precision_score(y, called, zero_division=0), tp + fp),
        "fdr": (fp / max(1, tp + fp), tp + fp),
        "recall": (metrics.recall_score(y, called, zero_division=0), tp + fn),
        "specificity": (metrics.recall_score(1 - y, ~called, zero_division=0), tn + fp),
        "fpr": (1 - metrics.recall_score(1 - y, ~called, zero_division=0), tn + fp),
        "f1": (metrics.f1_score(y, called, zero_division=0), tp + fp + fn),
    }
    for name, (expected, known) in oracles.items():
        value = getattr(at, name).value
        assert value == pytest.approx(expected, abs=1e-12) if known else np.isnan(value), name


@pytest.mark.parametrize("n", [29, 30, 400])
def test_intervals_of_mean_losses_are_those_of_the_rows_and_none_is_claimed_below_thirty(n):
    rng = np.random.default_rng(n)
    points, y = rng.integers(-3000, 3000, n), rng.integers(0, 2, n)
    p, counts = GRID.inverse(points), ScoreCounts.from_events(points, y)
    for found, loss in (
        (brier(counts), (p - y) ** 2),
        (log_loss(counts), -np.log(np.where(y == 1, p, 1 - p))),
    ):
        low, high = stats.norm.interval(0.95, loss.mean(), loss.std() / np.sqrt(n))
        if n < 30:
            assert np.isnan(found.lower) and np.isnan(found.upper)
        else:
            assert found.lower == pytest.approx(low, abs=1e-9) and found.upper == pytest.approx(
                high, abs=1e-9
            )


def test_intervals_of_mean_losses_hold_as_often_as_they_say():
    """1,000 draws of 500 calibrated events, a fifth positive: 95 % of the intervals hold the
    expected loss, within three standard errors.
    """
    rng, held = np.random.default_rng(12), np.zeros(2)
    many = GRID.inverse(np.rint(1000 * rng.normal(-1.5, 1, 1_000_000)).astype(int))
    expected = (
        (many * (1 - many)).mean(),
        -(many * np.log(many) + (1 - many) * np.log1p(-many)).mean(),
    )
    for _ in range(1000):
        points = np.rint(1000 * rng.normal(-1.5, 1, 500)).astype(int)
        counts = ScoreCounts.from_events(points, rng.random(500) < GRID.inverse(points))
        held += [
            f.lower <= e <= f.upper for f, e in zip((brier(counts), log_loss(counts)), expected)
        ]
    assert (np.abs(held / 1000 - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 1000)).all()


def brute_delong(points, y):
    "DeLong's variance from the pairs themselves."
    one, zero = points[y == 1], points[y == 0]
    wins = (one[:, None] > zero[None]) + 0.5 * (one[:, None] == zero[None])
    return wins.mean(axis=1).var(ddof=1) / len(one) + wins.mean(axis=0).var(ddof=1) / len(zero)


@given(labelled)
def test_delong_equals_its_definition(events):
    points, y, counts = split(events)
    assume(2 <= y.sum() <= len(y) - 2)
    found = roc_auc(counts)
    half = stats.norm.ppf(0.975) * np.sqrt(brute_delong(points, y))
    if half < 1e-12:  # perfectly apart or all alike: no interval is claimed
        assert np.isnan(found.lower)
        return
    assert found.upper == pytest.approx(
        min(1, found.value + half), abs=1e-9
    ) and found.lower == pytest.approx(max(0, found.value - half), abs=1e-9)


@given(labelled, st.integers(1, 70))
def test_precision_at_k_is_the_mean_over_all_ways_to_break_ties(events, k):
    points, y, counts = split(events)
    k = min(k, len(y))
    above = np.sort(points)[::-1][k - 1]
    sure, tied = y[points > above], y[points == above]
    expected = (sure.sum() + tied.mean() * (k - len(sure))) / k
    assert precision_at(counts, k).value == pytest.approx(expected, abs=1e-12)
    if y.sum():
        assert lift(counts, k).value == pytest.approx(expected / y.mean(), rel=1e-12)


def test_precision_at_a_share_and_what_it_refuses():
    counts = ScoreCounts.from_events(np.arange(200), np.arange(200) >= 150)
    assert (
        precision_at(counts, 0.25).value == 1
        and precision_at(counts, 0.5).value == 0.5
        and precision_at(counts, 999).value == 0.25
    )
    assert np.isnan(precision_at(ScoreCounts.empty(), 5).value) and np.isnan(
        lift(ScoreCounts.from_events([1, 2], [0, 0]), 1).value
    )
    with pytest.raises(ValueError, match="k is 0"):
        precision_at(counts, 0)


@given(labelled)
def test_calibration_error_is_that_of_its_bins(events):
    points, y, counts = split(events)
    order = np.argsort(points, kind="stable")
    firsts = np.searchsorted(
        np.sort(points), points[order]
    )  # a cell is kept whole: it goes where its first event goes
    place, p = np.minimum(firsts * 10 // len(y), 9), GRID.inverse(points[order])
    brute = sum(
        abs(p[place == b].mean() - y[order][place == b].mean()) * (place == b).sum()
        for b in np.unique(place)
    ) / len(y)
    assert calibration_error(counts).value == pytest.approx(brute, abs=1e-12)
    assert reliability_bins(counts)[:, 2].sum() == len(y)


def test_drawing_days_agrees_with_the_ratio_interval():
    """For a share, the day-block bootstrap and Cochran's interval over the same 60 uneven days
    agree within a quarter of their width.
    """
    rng, days = np.random.default_rng(1), []
    for n in rng.integers(20, 200, 60):
        days.append(ScoreCounts.from_events(np.zeros(n, dtype=int), rng.random(n) < rng.beta(2, 8)))
    drawn = over_days_bootstrap(
        days,
        lambda c: {"rate": proportion(c.total[2], c.total[1])},
        np.random.default_rng(2),
        draws=1000,
    )["rate"]
    ratio = over_days([d.total[2] for d in days], [d.total[1] for d in days])
    assert drawn.value == pytest.approx(ratio.value)
    assert (
        abs(drawn.lower - ratio.lower) + abs(drawn.upper - ratio.upper)
        < (ratio.upper - ratio.lower) / 4
    )
    assert np.isnan(
        over_days_bootstrap(days[:3], lambda c: {"rate": proportion(c.total[2], c.total[1])}, rng)[
            "rate"
        ].lower
    )
    assert np.isnan(over_days_bootstrap([], lambda c: summary(c, 0), rng)["f1"].value)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(hits_n):
    hits, n = hits_n
    ours = proportion(hits, n)
    oracle = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert ours.lower == pytest.approx(oracle.low, abs=1e-9) and ours.upper == pytest.approx(
        oracle.high, abs=1e-9
    )


def test_nothing_is_claimed_without_labels():
    figures = summary(ScoreCounts.from_events([0, 100]), 0)
    assert (
        figures["predictions"].value == 2
        and figures["alerts"].value == 2
        and figures["labelled_share"].value == 0
    )
    assert all(
        np.isnan(figures[k].value)
        for k in ("accuracy", "precision", "recall", "roc_auc", "pr_auc", "brier", "f1")
    )
    assert summary(ScoreCounts.empty(), 0)["predictions"].value == 0


def test_one_class_only():
    figures = summary(ScoreCounts.from_events([0, 100], [1, 1]), 0)
    assert (
        np.isnan(figures["roc_auc"].value)
        and np.isnan(figures["fpr"].value)
        and figures["pr_auc"].value == 1
    )


samples = st.lists(st.integers(-200, 200), min_size=2, max_size=80)


@given(samples, samples)
def test_ks_equals_scipy(a, b):
    ours = ks(ScoreCounts.from_events(a), ScoreCounts.from_events(b))
    oracle = stats.ks_2samp(a, b, method="exact")
    assert ours.statistic == pytest.approx(oracle.statistic, abs=1e-12)
    size = len(a) * len(b) / (len(a) + len(b))
    assert ours.pvalue == pytest.approx(
        stats.kstwobign.sf(np.sqrt(size) * oracle.statistic), rel=1e-9, abs=1e-15
    )
    assert ours.lower <= ours.statistic <= ours.upper


@settings(max_examples=1)
@given(st.just(0))
def test_ks_interval_covers_the_true_distance(seed):
    """The 95 % DKW interval must cover the population distance in at least 95 % of samples of
    independent rows.
    """
    rng, shift, repetitions = np.random.default_rng(seed), 500, 400
    truth = 2 * stats.norm.cdf(shift / 2000) - 1
    covered = 0
    for _ in range(repetitions):
        a = rng.normal(0, 1000, 300).round().astype(int)
        b = rng.normal(shift, 1000, 400).round().astype(int)
        test = ks(ScoreCounts.from_events(a), ScoreCounts.from_events(b))
        covered += test.lower <= truth <= test.upper
    assert covered / repetitions >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repetitions)


def test_ks_of_single_events():
    one = ScoreCounts.from_events([5])
    assert ks(one, one).statistic == 0 and ks(one, one).pvalue == 1
    assert ks(one, ScoreCounts.from_events([6])).statistic == 1


def test_ks_refuses_different_grids_and_accepts_empty():
    a = ScoreCounts.from_events([1, 2])
    with pytest.raises(ValueError, match="coarsen"):
        ks(a, a.coarsen(20))
    assert np.isnan(ks(a, ScoreCounts.empty()).pvalue)


def test_reference_rule_levels():
    assert [AccuracyDrop(1.0, 1.0 - d).severity for d in (0.04, 0.05, 0.10, 0.20)] == [
        "none",
        "low",
        "medium",
        "high",
    ]
    assert (
        AccuracyDrop(float("nan"), 0.9).severity == "unknown"
        and worst("unknown", "low") == "low"
        and worst("unknown") == "unknown"
    )
    assert worst("low", "high", "none") == "high"


def test_windows():
    from datetime import date

    span = windows(date(2026, 3, 31))
    assert span.recent == (date(2026, 3, 25), date(2026, 3, 31)) and span.reference == (
        date(2026, 1, 30),
        date(2026, 3, 1),
    )
    with pytest.raises(ValueError, match="overlap"):
        windows(date(2026, 3, 31), 40)


@given(labelled)
def test_the_curve_equals_brute_force_at_every_threshold(events):
    points, y, counts = split(events)
    whole = curve(counts)
    for i, t in enumerate(whole.thresholds):
        above = points >= t
        assert (whole.alerts[i], whole.tp[i], whole.fp[i]) == (
            above.sum(),
            (above & (y == 1)).sum(),
            (above & (y == 0)).sum(),
        )
    assert (np.diff(whole.fp) <= 0).all()


@given(labelled)
def test_best_f1_is_the_best(events):
    points, y, counts = split(events)
    assume(y.sum())
    scores = {t: metrics.f1_score(y, points >= t, zero_division=0) for t in np.unique(points)}
    assert scores[best_f1(counts)] == pytest.approx(max(scores.values()))


@given(labelled, st.integers(-4_100, 4_100), st.integers(-4_100, 4_100))
def test_simulation_is_the_difference_of_two_replays(events, candidate, current):
    points, y, counts = split(events)
    result = simulate(counts, candidate, current, days=10)
    assert result.table["alerts"] == (
        (points >= candidate).sum(),
        (points >= current).sum(),
        (points >= candidate).sum() - (points >= current).sum(),
    )
    assert result.at_candidate == confusion(counts, candidate) and result.at_current == confusion(
        counts, current
    )
    assert result.recommendation.endswith(".")


def test_recommendations_in_words():
    good = ScoreCounts.from_events([100, 200, 300], [0, 1, 1])
    assert (
        simulate(good, 150, 50).recommendation
        == "Change it: 0 more positives caught with 1 fewer false alert."
    )
    assert simulate(good, 50, 150).recommendation.startswith("Keep the current one")
    assert simulate(good, 250, 150).recommendation.startswith(
        "Keep the current one: the candidate catches 1 fewer positive"
    )
    mixed = ScoreCounts.from_events([100, 100, 300], [0, 1, 1])
    assert "1.0 for each" in simulate(mixed, 100, 300).recommendation
    assert "1.0 saved for each" in simulate(mixed, 300, 100).recommendation
    assert "no known difference" in simulate(good, 151, 152).recommendation
    with pytest.raises(ValueError, match="at least one day"):
        simulate(good, 1, 2, days=0)
    with pytest.raises(ValueError, match="no labelled positives"):
        best_f1(ScoreCounts.from_events([1]))


def test_no_interval_where_the_variance_says_nothing():
    apart = roc_auc(ScoreCounts.from_events([0, 0, 100, 100], [0, 0, 1, 1]))
    assert apart.value == 1 and np.isnan(apart.lower)
    days = [ScoreCounts.from_events([100, 100, -100], [1, 1, 0]) for _ in range(8)]
    month = over_days_bootstrap(days, lambda c: summary(c, 0), np.random.default_rng(1))
    assert (
        month["precision"].value == 1
        and month["precision"].lower
        == summary(days[0] + sum(days[2:], start=days[1]), 0)["precision"].lower
        < 1
    )
