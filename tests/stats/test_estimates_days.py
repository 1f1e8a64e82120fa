"""Expected and adjusted figures with days as units: their variance against draws, their shift
against a general optimiser, their intervals in worlds whose truth is known.
"""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from aiops_wb.stats.backtest import held
from aiops_wb.stats.conformal import venn_abers
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.estimates import (
    FEW_DAYS,
    DaySpread,
    Maturation,
    day_spread,
    delay_adjusted,
    expected_over_days,
    expected_performance,
)
from aiops_wb.stats.pace import Pace, pace_by_band
from aiops_wb.stats.performance import summary
from bench import late

AT_ONCE = Maturation(np.ones(1), np.ones(1))


def toss_days(seed, days, events=400, spread=0.0, ever=1.0):
    "Days of counts with labels by the score's log-odds and a shift of each day's own."
    rng, found = np.random.default_rng(seed), []
    for _ in range(days):
        points = 100 * rng.integers(-30, 21, events)
        label = rng.random(events) < expit(points / 1000 + spread * rng.normal())
        known = rng.random(events) < ever
        found.append(ScoreCounts.from_events(points, np.where(known, label, np.nan)))
    return found


def test_the_value_is_that_of_the_whole_window():
    reference, window = toss_days(1, 30), toss_days(2, 7)
    found = expected_over_days(window, reference, late.of_score, 0)
    whole = total(window)
    for name, figure in found.items():
        plain = expected_performance(whole, late.of_score(whole.points), 0)[name]
        assert figure.value == pytest.approx(plain.value, rel=1e-12)
        assert figure.lower < plain.lower < plain.upper < figure.upper or name == "roc_auc"


def test_days_that_move_together_make_the_interval_wider():
    window, width = toss_days(2, 7), {}
    for spread in (0.0, 0.5):
        found = expected_over_days(window, toss_days(3, 60, spread=spread), late.of_score, 0)
        width[spread] = found["positive_rate"].upper - found["positive_rate"].value
    tosses = expected_performance(total(window), late.of_score(total(window).points), 0)
    of_tosses = tosses["positive_rate"].upper - tosses["positive_rate"].value
    assert of_tosses < width[0.0] < 1.35 * of_tosses  # 67 days for 60, Student's t, chance in k
    assert width[0.5] > 2.5 * width[0.0]


def test_spells_make_it_wider_than_the_same_days_in_another_order():
    days = toss_days(4, 60, spread=0.5)
    window, rates = toss_days(2, 7), [c.n_positive.sum() for c in days]
    in_order = [days[i] for i in np.argsort(rates)]  # one long spell of few, one of many
    apart = [days[i] for i in np.random.default_rng(5).permutation(60)]
    one, other = (
        expected_over_days(window, d, late.of_score, 0)["positive_rate"] for d in (in_order, apart)
    )
    assert one.upper - one.lower > 1.5 * (other.upper - other.lower)


def test_without_enough_reference_days_no_interval_is_given():
    window = toss_days(6, 7)
    for days, given in ((FEW_DAYS - 1, False), (FEW_DAYS, True)):
        found = expected_over_days(window, toss_days(7, days), late.of_score, 0)["recall"]
        assert found.value > 0 and np.isnan(found.lower) != given
    unlabelled = [ScoreCounts.from_events(c.points) for c in toss_days(7, 30)]
    assert np.isnan(expected_over_days(window, unlabelled, late.of_score, 0)["recall"].upper)
    assert np.isnan(expected_over_days([], toss_days(7, 30), late.of_score, 0)["recall"].value)


@pytest.mark.parametrize("ever", [1.0, 0.6])
def test_the_spread_of_figures_is_that_of_draws(ever):
    """Labels drawn 1,500 times, a part of them never: the standard deviation of each figure is the
    one behind its interval, within four standard errors and the curvature of ratios.
    """
    window = toss_days(8, 7, events=200)
    many = toss_days(
        9, 2000, events=400
    )  # days without a will of their own, known to the last digit
    found = expected_over_days(window, many, late.of_score, 0, ever=lambda x: np.full(len(x), ever))
    found.pop("roc_auc")  # has no interval
    rng, counts, drawn = np.random.default_rng(10), total(window), {}
    for _ in range(1500):
        known = rng.binomial(counts.n, ever)
        positive = rng.binomial(known, late.of_score(counts.points))
        truth = summary(ScoreCounts.of(counts.points, counts.n, known, positive), 0)
        for name in found:
            drawn.setdefault(name, []).append(truth[name].value)
    for name, figure in found.items():
        half = (figure.upper - figure.lower) / 2 - 0.5 / figure.n
        assert half / 1.96 == pytest.approx(np.std(drawn[name]), rel=4 / np.sqrt(3000) + 0.04), name
        assert figure.value == pytest.approx(np.mean(drawn[name]), abs=0.01)


@pytest.mark.parametrize(
    "world", [{}, {"spread": 0.3}, {"spread": 0.5, "heavy": True, "never": 0.2}]
)
def test_expected_intervals_hold(world):
    def runs(logs=60, reference=28):
        for seed in range(logs):
            log = late.Log(np.random.default_rng([1, seed]), "exponential", reference + 7, **world)
            learned = venn_abers(total(log.counts(day, late.AGES) for day in range(reference)))
            yield late.expected_mornings(log, reference, [reference + 6], learned.probability)

    for name, share in late.share_held(runs())[0].items():
        assert abs(share - 0.95) <= 0.03 + 3 * np.sqrt(0.05 * 0.95 / 60), (name, share)


def test_the_spread_of_days_is_found_by_moments():
    assert day_spread(toss_days(11, 80), late.of_score).variance < 0.01
    spreads = [day_spread(toss_days(20 + i, 60, spread=0.5), late.of_score) for i in range(20)]
    variances = np.array([s.variance for s in spreads])
    error = variances.std() / np.sqrt(20)
    assert abs(variances.mean() - 0.25) < 3 * error + 0.02 and spreads[0].days == 60
    moved = [
        ScoreCounts.of(c.points - 700, c.n, c.n_labelled, c.n_positive) for c in toss_days(11, 80)
    ]
    assert day_spread(moved, late.of_score).variance < 0.01  # what all have in common is no spread
    assert day_spread([], late.of_score).days == 0


def of_bands(seed, delay="by score", today=149, **world):
    log = late.Log(np.random.default_rng([2, seed]), delay, moved=0.3, **world)
    return log, pace_by_band(log.arrivals(today), late.CUTS)


def test_with_bands_delta_is_the_maximum_of_the_likelihood():
    log, pace = of_bands(1, "by both", never=0.2)
    days = log.week(149)

    def loss(delta):
        value = 0.0
        for counts, age in days:
            p = expit(counts.points / 1000 + delta)
            band = np.searchsorted(late.CUTS, counts.points, side="right")
            f, g, ever = pace.positive[band, age], pace.negative[band, age], pace.complete[band]
            unseen = 1 - ever * (p * f + (1 - p) * g)
            value += counts.n_positive @ np.log(p) + counts.n_negative @ np.log(1 - p)
            value += (counts.n - counts.n_labelled) @ np.log(unseen)
        return -value

    found = delay_adjusted(days, late.of_score, pace, 0)
    assert found.delta == pytest.approx(
        minimize_scalar(loss, bracket=(0, 1), tol=1e-10).x, abs=1e-5
    )


def test_one_band_is_the_pace_of_all():
    log, pace = of_bands(2)
    ages = np.arange(1, 60)
    f, g = 1 - np.exp(-ages / 9), 1 - np.exp(-ages / 4)
    one = Pace(np.array([], dtype=int), f[None], g[None], np.array([0.9]))
    by_band = delay_adjusted(log.week(149), late.of_score, one, 0)
    by_age = delay_adjusted(log.week(149), late.of_score, Maturation(f, g, 0.9), 0)
    assert by_band == by_age


def test_a_delay_that_depends_on_the_score_needs_bands():
    """Risky events wait four times as long: one pace for all holds the truth in few logs of 20, a
    pace by band in nearly all.
    """
    pooled, banded = [], []
    for seed in range(20):
        log, pace = of_bands(seed, days=110, events=1500, today=109)
        days, truth = log.week(109), summary(total(c for c, _ in log.week(109, pace.age)), 0)
        whole = pace_by_band(log.arrivals(109).together(), [])
        spread = DaySpread(0.0, 60)
        for found, used in ((pooled, whole), (banded, pace)):
            figure = delay_adjusted(days, late.of_score, used, 0, spread=spread).figures[
                "positive_rate"
            ]
            found.append(figure.lower <= truth["positive_rate"].value <= figure.upper)
    assert np.mean(pooled) < 0.5 and np.mean(banded) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 20)


@pytest.mark.parametrize(
    "delay, world",
    [
        ("by both", {"spread": 0.3, "never": 0.2}),
        ("by label", {"spread": 0.5, "heavy": True}),
        ("two humps", {"events": 80}),
    ],
)
def test_adjusted_intervals_hold(delay, world):
    runs = (
        late.adjusted_mornings(
            late.Log(np.random.default_rng([3, seed]), delay, 110, moved=0.3, **world), [109]
        )
        for seed in range(40)
    )
    for name, share in late.share_held(runs)[0].items():
        assert abs(share - 0.95) <= 0.03 + 3 * np.sqrt(0.05 * 0.95 / 40), (name, share)


def test_an_uncertain_pace_widens_the_interval():
    log, pace = of_bands(4, days=150, events=60)
    sure = Pace(pace.cuts, pace.positive, pace.negative, pace.complete)
    width = [
        delay_adjusted(log.week(149), late.of_score, used, 0).figures["positive_rate"]
        for used in (pace, sure)
    ]
    assert width[0].value == width[1].value
    assert width[0].upper - width[0].lower > width[1].upper - width[1].lower


def test_a_handful_of_labels_says_nothing():
    """Five labels, four of them positive, of 2,000 events with a share of positives near .01: any
    shift can be the likeliest, so no figure is given.
    """
    counts = ScoreCounts.of([-5000, 0], [1990, 10], [3, 2], [2, 2])
    found = delay_adjusted(
        [(counts, 1)],
        late.of_score,
        Maturation(np.array([0.1, 0.2, 1]), np.array([0.0, 0.0, 1])),
        0,
    )
    assert np.isnan(found.figures["positive_rate"].value) and np.isnan(found.delta)
    assert found.n_labelled == 5 and found.reason.startswith("too few labels: 5 of 2000 are known")
    none = delay_adjusted([(ScoreCounts.from_events([1, 2]), 3)], late.of_score, AT_ONCE, 0)
    assert none.reason == "no label is known yet"


def test_few_days_whose_labels_are_in_say_nothing_of_days():
    log, pace = of_bands(5)
    found = delay_adjusted(log.week(149), late.of_score, pace, 0, spread=DaySpread(0.1, 9))
    assert np.isnan(found.figures["recall"].value) and "labels of 9 days are in" in found.reason


def test_a_delivery_that_did_not_come_is_no_sign_of_negatives():
    """A tenth of the events never gets a label, and all other labels come on the next day; the file
    of one day is missing: its events are expected as those of the other days are.
    """
    pace = Maturation(np.array([0.0, 1.0]), np.array([0.0, 0.9]), 0.9)
    days = toss_days(12, 6, ever=0.9)
    missing = [*days[:5], ScoreCounts.from_events(np.repeat(days[5].points, days[5].n))]
    found = [
        delay_adjusted([(c, 1) for c in d], late.of_score, pace, 0) for d in (days[:5], missing)
    ]
    assert found[0].delta == pytest.approx(found[1].delta, abs=1e-6)
    rate = [f.figures["positive_rate"] for f in found]
    assert rate[1].upper - rate[1].lower > rate[0].upper - rate[0].lower


def test_events_that_never_get_a_label_are_not_counted():
    "All labels that come are in: the figures are those of the labelled events, exactly."
    days = toss_days(13, 7, ever=0.7)
    pace = Maturation(np.ones(2), np.ones(2), 0.7)
    found = delay_adjusted([(c, 5) for c in days], late.of_score, pace, 0).figures
    truth = summary(total(days), 0)
    for name, figure in found.items():
        assert figure.value == pytest.approx(truth[name].value)
        assert figure.upper - figure.value < 2e-3  # half a step


def test_a_moved_relation_is_called_unreliable():
    for moved, state in ((0.0, "held"), (0.6, "unreliable")):
        after = np.where(np.arange(126) < 60, 0.0, moved)[:, None]
        log = late.Log(np.random.default_rng(14), "exponential", 126, moved=after, spread=0.3)
        learned = venn_abers(total(log.counts(day, late.AGES) for day in range(60)))
        found = late.expected_mornings(log, 60, range(66, 126), learned.probability)
        assert held(*found["positive_rate"]).state == state
