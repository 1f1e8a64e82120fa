"""Evidence that a challenger is better: against oracles, and how often it is wrong."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn import metrics

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.evidence import (
    A_YEAR,
    ALPHA,
    PRIOR,
    Paired,
    Scatter,
    compare,
    could_have_found,
    day_scatter,
    log_evidence,
    log_loss,
    regret,
    weeks_needed,
)
from aiops_wb.stats.points import Grid

START = date(2026, 1, 5)


def noncentral(gains):
    "The same mixture by densities of the t statistic under each effect."
    n, (mean, sd) = len(gains), (1.2, 0.8)
    t = np.sqrt(n) * gains.mean() / gains.std(ddof=1)
    weight = lambda d: stats.norm.pdf(d, mean, sd) / stats.norm.cdf(mean / sd)
    ratio = lambda d: stats.nct.pdf(t, n - 1, d * np.sqrt(n)) / stats.t.pdf(t, n - 1)
    return integrate.quad(lambda d: ratio(d) * weight(d), 0, 8, limit=200)[0]


@pytest.mark.parametrize("n", [2, 3, 7, 20])
@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.4, 1.5])
def test_evidence_is_the_mixture_of_noncentral_t_ratios(n, mean):
    gains = np.random.default_rng(n).normal(mean, 1, n)
    assert np.exp(log_evidence(gains)[-1]) == pytest.approx(noncentral(gains), rel=1e-7)


@given(
    st.lists(st.floats(-5, 5).filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=40),
    st.floats(1e-6, 1e6),
)
def test_evidence_does_not_depend_on_the_unit_and_falls_with_a_worse_block(gains, unit):
    path = log_evidence(gains)
    assert np.allclose(log_evidence(np.array(gains) * unit), path, atol=1e-6)
    assert log_evidence([*gains, -6.0])[-1] < log_evidence([*gains, 6.0])[-1]


def test_evidence_that_is_known_from_elsewhere_counts_as_blocks_about_zero():
    "Two blocks of opposite sign say of scatter what a sum of squares with two degrees says."
    gains = np.array([0.3, 0.5, 0.2])
    same = log_evidence(gains, known=(0.0, 0))
    assert np.array_equal(log_evidence(gains), same)
    loose, tight = (log_evidence(gains, known=(v * 40, 40))[-1] for v in (1.0, 0.01))
    assert tight > loose
    # with a scatter known for certain it is the mixture of normal ratios
    sd = 0.2
    known = log_evidence(gains, known=(sd**2 * 10**7, 10**7))[-1]
    weight = lambda d: stats.norm.pdf(d, *PRIOR) / stats.norm.cdf(PRIOR[0] / PRIOR[1])
    ratio = lambda d: np.exp(d * gains.sum() / sd - len(gains) * d**2 / 2)
    whole = integrate.quad(lambda d: ratio(d) * weight(d), 0, 9)[0]
    assert np.exp(known) == pytest.approx(whole, rel=2e-3)


def test_a_model_that_is_no_better_is_seldom_promoted_however_often_one_looks():
    years = 300
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(years):
        paths = log_evidence(rng.normal(size=(A_YEAR, 26)))
        wrong += bool((paths >= np.log(A_YEAR / ALPHA)).any())
    assert wrong / years <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / years)


def test_a_model_that_is_better_is_found():
    assert (
        weeks_needed(1.8, np.random.default_rng(0), runs=400) <= 12
    )  # METHODS: .90 of runs by week 12
    assert (
        weeks_needed(5.0, np.random.default_rng(0), runs=100)
        < weeks_needed(1.8, np.random.default_rng(0), runs=100)
        < weeks_needed(1.0, np.random.default_rng(0), runs=100)
    )
    assert weeks_needed(0.0, np.random.default_rng(0), runs=50, most=20) == np.inf


def test_the_loss_of_counts_is_that_of_rows_and_of_scikit_learn():
    rng, grid = np.random.default_rng(0), Grid()
    p = rng.uniform(0.002, 0.998, 500)
    y = rng.random(500) < p
    labels = np.where(rng.random(500) < 0.2, np.nan, y)
    counts = ScoreCounts.from_events(grid.quantise(p), labels)
    known = ~np.isnan(labels)
    at = grid.inverse(grid.quantise(p))[known]
    p, negative = grid.inverse(counts.points), counts.n_labelled - counts.n_positive
    summed = counts.n_positive @ log_loss(p, 1) + negative @ log_loss(p, 0)
    assert summed == pytest.approx(known.sum() * metrics.log_loss(y[known], at), rel=1e-12)
    assert log_loss([0.0, 1.0], [1, 0]).max() == pytest.approx(-np.log(0.001))


def paired(gains, n=10.0, start=START):
    days = [start + timedelta(k) for k in range(len(gains))]
    return Paired(days, np.full(len(gains), n), np.asarray(gains) * n, np.zeros(len(gains)))


def test_blocks_are_whole_weeks_from_the_first_day():
    lost = paired(np.arange(16.0))
    first, second = lost.blocks()
    assert (first.first, first.last, second.last) == (
        START,
        START + timedelta(6),
        START + timedelta(13),
    )
    assert (first.n, first.gain, second.gain) == (70, 3.0, 10.0)
    assert len(lost.blocks(1)) == 16 and len(lost.blocks(17)) == 0
    assert paired([]).blocks() == []


def test_a_week_without_a_label_is_left_out_and_not_counted_as_equal():
    days = [START, START + timedelta(20)]
    lost = Paired(days, np.array([4.0, 4.0]), np.array([2.0, 2.0]), np.zeros(2))
    assert [b.gain for b in lost.blocks()] == [0.5, 0.5]


def test_few_weeks_say_nothing_and_equal_models_nothing_either():
    three = compare(paired([1.0] * 21).blocks())
    assert not three.better and "too few" in three.reason
    none = compare([])
    assert not none.better and np.isnan(none.gain) and none.evidence == 1
    same = compare(paired([0.0] * 70).blocks())
    assert not same.better and same.evidence == 1.0 and same.gain == 0.0


def test_the_verdict_names_its_unit_and_keeps_what_it_needs():
    rng = np.random.default_rng(1)
    told = compare(paired(rng.normal(0.05, 0.02, 140)).blocks(), unit="false calls")
    assert told.better and told.evidence > told.needed == 240
    assert "false calls less per event" in told.reason
    assert told.lower < told.gain < told.upper


def test_weeks_that_tell_of_the_next_are_not_counted():
    "A level that wanders: many weeks, few opinions."
    wander = np.repeat(np.where(np.arange(4) % 2, 0.2, 1.0), 56)
    told = compare(paired(wander + np.random.default_rng(0).normal(0, 0.1, len(wander))).blocks())
    assert told.evidence > told.needed and not told.better and "tells of the next" in told.reason


def test_what_could_have_been_found_is_found_in_four_of_five_cases():
    rng, n = np.random.default_rng(3), 12
    gains = rng.normal(0, 1, n)
    found = could_have_found(gains)
    drawn = rng.normal(found, gains.std(ddof=1), (2_000, n))
    seen = (log_evidence(drawn)[:, -1] >= np.log(240)).mean()
    assert 0.7 < seen < 0.9
    assert could_have_found([]) == could_have_found([0.1]) == np.inf
    assert could_have_found([0.1, -0.1, 0.2]) == np.inf  # three blocks cannot reach 240


def test_a_promotion_that_was_no_mistake_is_seldom_taken_back():
    rng, runs = np.random.default_rng(5), 400
    wrong = 0
    for _ in range(runs):
        scatter = day_scatter(paired(rng.normal(0.02, 0.03, 84)))
        since = log_evidence(rng.normal(0, 0.03, 28), scatter.known)
        wrong += bool((since >= np.log(1 / ALPHA)).any())
    assert wrong / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_a_promotion_that_was_a_mistake_is_seen_within_days():
    scatter = Scatter(0.03**2, 60)
    bad = regret(paired([0.07, 0.05, 0.06, 0.05]), scatter)
    assert bad.better and bad.blocks == 4 and "would have been found" in bad.reason
    nothing = regret(Paired([], *np.zeros((3, 0))), scatter)
    assert not nothing.better and "nothing could have been found" in nothing.reason
    one = regret(paired([0.01]), scatter)
    assert not one.better and "on 1 day since" in one.reason
    assert day_scatter(paired([0.1] * 14)) is None


def test_days_that_move_together_count_as_the_weeks_say():
    weeks = np.repeat(np.random.default_rng(0).normal(0, 1, 12), 7)
    scatter = day_scatter(paired(weeks))
    assert scatter.freedom == 11 and scatter.variance == pytest.approx(
        7 * np.var(weeks[::7], ddof=1)
    )
    alone = paired(np.tile([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0], 12))  # weeks are all alike
    assert day_scatter(alone).freedom == 83
