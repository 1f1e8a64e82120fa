"""What a stream says in numbers, against loops that spell the definition out."""

from datetime import date, timedelta
from math import isnan, log, nan, sqrt

import numpy as np
import pytest
from pytest import approx
from scipy import stats

from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.estimates import mlls
from aiops_wb.stats.performance import Figure
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sequential import Followed, Stream, day_reference, level_bets, share_bets
from aiops_wb.stats.streams import (
    Findings,
    Question,
    calibration_question,
    feature_questions,
    label_offset,
    labelled_question,
    loss_question,
    mix_offset,
    open_alarms,
    ranked_question,
    reference_fit,
    score_question,
    watched_sets,
)

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(i) for i in range(80)]


def volumes():
    "Events a day with a weekend, two days without any, and a rise at the end."
    values = 100 * np.exp(np.random.default_rng(5).normal(0, 0.05, 80))
    values[[i for i, day in enumerate(DAYS) if day.weekday() > 4]] *= 0.6
    values[[30, 61]] = 0
    values[75:] *= 1.5
    return values


def compared_with(values, i):
    "Logs of the days 14 to 63 before one: all, and those of its weekday."
    known = {j: log(values[j]) for j in range(max(0, i - 63), i - 13) if values[j]}
    same = [x for j, x in known.items() if DAYS[j].weekday() == DAYS[i].weekday()]
    return known, same


def test_volume_is_the_mean_of_seven_days_against_the_weekdays_14_to_63_days_back():
    values = volumes()
    asked = ranked_question("volume", DAYS, values, np.full(80, 0.5), 0.05)
    usual = [nan] * 80
    for i in range(42, 80):
        known, same = compared_with(values, i)
        if len(known) >= 28 and len(same) >= 3:
            usual[i] = np.mean(same)
    assert not np.isnan(usual[43:]).any() and asked.normal == approx(np.exp(usual), nan_ok=True)
    for i in range(80):
        off = [log(values[j]) - usual[j] for j in range(max(0, i - 6), i + 1) if values[j]]
        off = [x for x in off if not isnan(x)]
        assert asked.stream.effect[i] == approx(np.mean(off) if off else nan, nan_ok=True)
    assert asked.stream.lower[79] == abs(asked.stream.effect[79]) > log(1.2)
    assert asked.stream.tolerance == log(1.2) and asked.levels[1:] == (log(1.5), log(2), log(4))
    fewer = ranked_question("volume", DAYS, values, np.full(80, 0.5), 0.05, recent=1)
    assert fewer.stream.effect[79] == approx(log(values[79]) - usual[79])


def test_a_bet_on_a_level_is_that_of_its_formula():
    "exp(stake x over - stake^2 x variance / 2) for each size and side, and 7 at most."
    values = volumes()
    with np.errstate(divide="ignore"):
        logs = np.where(values > 0, np.log(values), nan)
    weekdays = np.array([d.weekday() for d in DAYS])
    bets, normal = level_bets(logs, weekdays, 0.1)
    for i in (50, 60, 79):
        known, same = compared_with(values, i)
        means = {w: np.mean([x for j, x in known.items() if weekdays[j] == w]) for w in range(7)}
        squares = sum((x - means[weekdays[j]]) ** 2 for j, x in known.items())
        variance = squares / stats.chi2.ppf(0.25, len(known) - 7) * (1 + 1 / len(same))
        assert normal[i] == approx(np.mean(same))
        expected = []
        for side in (1, -1):
            over = side * (logs[i] - np.mean(same)) - 0.1
            for stake in np.array([0.1, 0.3, 1.0]) / variance:
                expected.append(min(stake * over - stake**2 * variance / 2, 7.0))
        assert bets[i] == approx(np.array(expected))
    assert bets[79].max() == 7.0 and not bets[:42].any() and not bets[61].any()


def test_a_constant_day_earns_nothing_by_its_rank_while_it_lies_within_what_is_tolerated():
    values = np.full(80, 100.0) * np.exp(np.linspace(0, 0.02, 80))
    asked = ranked_question("volume", DAYS, values, np.full(80, 0.5), 0.05)
    assert asked.stream.bets.max() <= 0 and asked.stream.bets[79].min() < 0


def question(evidence_lag=0, at=None, where=("a", "b"), **stream):
    n = len(DAYS)
    told = {"effect": np.full(n, 0.06), "lower": np.full(n, 0.05), "tolerance": 0.02} | stream
    made = Stream("x", np.ones((n, 2)), **told)
    return Question(made, "feature", np.ones(n), np.ones(n), where, at, (False, False),
                    lag=evidence_lag)  # fmt: skip


def test_an_alarm_tells_the_most_evidence_since_it_opened_over_its_bar():
    "One that was open before, and closed, is another; evidence before the opening is none of it."
    n = len(DAYS)
    evidence = np.zeros((n, 2))
    evidence[10, 0], evidence[70, 0], evidence[-1, 0], evidence[-1, 1] = 99.0, 9.0, 5.0, 4.0
    is_open = np.zeros((n, 2), dtype=bool)
    is_open[8:12, 0], is_open[66:, 0], is_open[-1, 1] = True, True, True
    since = np.where(is_open, 60, -1)
    bar = np.array([3.0, 3.5])
    at = np.zeros(n, dtype=int)
    at[-1] = 1
    muted = np.zeros(n, dtype=bool)
    asked = [question(3, at), question(effect=np.full(n, -0.26))]
    findings = Findings(
        DAYS, asked, Followed(evidence, bar, is_open, since), muted, Figure(nan), Figure(nan)
    )
    second, first = open_alarms(findings)
    assert first.log10_evidence == approx(6.0 / log(10))
    assert (first.opened_on, first.since) == (DAYS[66], DAYS[57]) and first.where == "b"
    assert (first.effect, first.lower, first.severity) == (0.06, 0.05, "medium")
    assert second.log10_evidence == approx(0.5 / log(10)) and second.severity == "critical"
    assert second.opened_on == DAYS[-1] and second.where == "a" and not second.muted
    muted[-1] = True
    assert all(alarm.muted for alarm in open_alarms(findings))
    is_open[:, 0], since[:, 0] = True, 0
    assert open_alarms(findings)[1].opened_on == open_alarms(findings)[1].since == DAYS[0]
    is_open[-1] = False
    assert open_alarms(findings) == []


def test_of_alarms_as_grave_the_one_with_more_evidence_comes_first():
    n = len(DAYS)
    evidence, is_open = np.tile([1.0, 5.0, 3.0], (n, 1)), np.ones((n, 3), dtype=bool)
    asked = [question(where=(name,)) for name in "abc"]
    followed = Followed(evidence, np.zeros(3), is_open, np.zeros((n, 3), dtype=int))
    muted = np.zeros(n, dtype=bool)
    found = open_alarms(Findings(DAYS, asked, followed, muted, Figure(nan), Figure(nan)))
    assert [a.where for a in found] == ["b", "c", "a"]


def of_day(positive, negative, grid=Grid(), points=(-1000, 1500)):
    at = np.repeat(points, [negative, positive])
    return ScoreCounts.from_events(at, np.repeat([0, 1], [negative, positive]), grid)


def test_an_offset_of_labels_has_the_interval_of_its_lower_end():
    at = lambda effect, lower: label_offset(
        question(effect=np.array([effect]), lower=np.array([lower]), tolerance=0.1)
    )
    known = lambda f: (f.value, f.lower, f.upper)
    assert known(at(0.5, 0.2)) == approx((0.5, 0.2, 0.8))
    assert known(at(-0.5, 0.2)) == approx((-0.5, -0.8, -0.2))
    assert known(at(0.3, 0.0)) == approx((0.3, 0.0, 0.6))  # it reaches to 0 at least
    assert known(at(0.05, 0.0)) == approx((0.05, -0.05, 0.15))
    assert isnan(at(nan, 0.0).value) and isnan(label_offset(None).value)


def test_the_mix_is_that_of_the_days_the_labels_speak_of():
    reference = {d: of_day(20, 80) for d in DAYS[:40]}
    days = {d: of_day(10 + i, 90 - i) for i, d in enumerate(DAYS[40:60])}
    fit = reference_fit(reference)
    spoken_of = total(c.coarsen(50) for c in list(days.values())[10:15])  # five, five days ago
    share = mlls(spoken_of, fit.probability(spoken_of.points), 0.2)
    logit = lambda p: log(p / (1 - p))
    found = mix_offset(days, reference, 5, 5)
    assert found.value == approx(logit(share.value) - logit(0.2)) and found.n == share.n == 500
    assert found.lower == approx(logit(max(share.lower, 1e-6)) - logit(0.2))
    assert mix_offset(days, reference, 5, 0).value > found.value > 0
    alone = mix_offset(dict(list(days.items())[:2]), reference, 5, 0)
    assert mix_offset(days, reference, 5, 18) == alone and alone.n == 200  # two are so old
    for unknown in (
        mix_offset(days, {}, 5, 5),
        mix_offset(days, {d: of_day(0, 80) for d in reference}, 5, 5),  # labels of one kind
        mix_offset(days, {d: of_day(80, 0) for d in reference}, 5, 5),
        mix_offset(days, reference, 5, 20),  # no day is so old
        mix_offset({DAYS[0]: ScoreCounts.empty()}, reference, 5, 0),
    ):
        assert isnan(unknown.value)


@pytest.mark.parametrize("n", [28, 29, 40])
def test_the_share_labelled_is_learned_from_28_days_with_events(n):
    days = [DAYS[0] - timedelta(1), *DAYS[:n]]  # a day without any is no day of it
    asked = labelled_question(days, [0] + [40] * n, [0] + [50] * n, 0.02, 7, 0.05)
    assert (asked is None) == (n == 28)
    if asked is not None:
        assert not asked.stream.bets[:29].any() and asked.stream.bets[29:].any()
        assert np.isnan(asked.apart.since[:29]).all() and not np.isnan(asked.apart.since[29:]).any()
        assert asked.rests_on == 28 and asked.series[1:] == approx(0.8)


def test_a_loss_is_watched_for_a_rise_alone():
    reference = {d: of_day(20, 80) for d in DAYS[:40]}
    worse = {d: of_day(80, 20, points=(1500, -1000)) for d in DAYS[40:60]}
    better = {d: of_day(20, 80, points=(-3000, 3000)) for d in DAYS[40:60]}
    rise, fall = (loss_question(now, reference, 0.01, 7, 0.05) for now in (worse, better))
    p, q = (1 / (1 + np.exp(-x)) for x in (-1.0, 1.5))
    usual = 0.8 * p**2 + 0.2 * (1 - q) ** 2
    now = 0.2 * q**2 + 0.8 * (1 - p) ** 2
    assert rise.stream.effect[-1] == approx(now - usual, abs=0.01) and rise.stream.lower[-1] > 0
    assert fall.stream.effect.max() == 0.0 == fall.stream.lower.max()
    assert rise.stream.bets.sum() > 0 > fall.stream.bets.max()
    assert loss_question(worse, {}, 0.01, 7, 0.05) is None


def test_the_spread_of_a_loss_is_that_of_single_events():
    reference = {d: of_day(15 + i % 9, 85 - i % 7) for i, d in enumerate(DAYS[:40])}
    days = {d: of_day(30, 70) for d in DAYS[40:50]}
    found = loss_question(days, reference, 0.01, 7, 0.05)
    p, q = (1 / (1 + np.exp(-x)) for x in (-1.0, 1.5))
    every = [
        e
        for c in reference.values()
        for e in np.repeat([p**2, (1 - q) ** 2], [c.n_negative.sum(), c.n_positive.sum()])
    ]
    losses = lambda of: np.array(
        [[c.n_negative.sum() * p**2 + c.n_positive.sum() * (1 - q) ** 2] for c in of.values()]
    )
    n = lambda of: np.array([c.total[1] for c in of.values()])
    weekday = lambda of: [d.weekday() for d in of]
    usual = day_reference(
        losses(reference), n(reference), weekday(reference), event_variance=np.var(every)
    )
    bets = share_bets(losses(days), n(days), weekday(days), usual, 0.01)
    assert found.stream.bets == approx(bets[:, : bets.shape[1] // 2])


def test_what_labels_would_earn_counts_the_days_that_have_some():
    rng = np.random.default_rng(4)

    def drawn(n, labelled=True):
        points = np.rint(rng.normal(-500, 900, n)).astype(int)
        label = (rng.random(n) < 1 / (1 + np.exp(-points / 1000))) if labelled else np.full(n, nan)
        return ScoreCounts.from_events(points, label)

    reference = {d: drawn(300) for d in DAYS[:40]}
    week = {d: drawn(300) for d in DAYS[40:47]}

    def earned(labelled, **how):
        known = dict(list(week.items())[:labelled])
        days = known | {d: drawn(300, False) for d in DAYS[40 + labelled : 47]}
        return calibration_question(days, reference, 0.1, 7, 0.2).earns(**how)

    assert earned(7, alike=True) >= earned(7) > earned(3) > 0 == earned(0)
    assert earned(3) == approx(earned(7) * 3 / 7, rel=0.1)


def test_the_score_is_watched_at_quantiles_of_the_reference_labelled_or_not():
    reference = {
        d: ScoreCounts.from_events(np.arange(100) + i % 3) for i, d in enumerate(DAYS[:30])
    }
    days = {d: ScoreCounts.from_events(np.arange(100) // 2, [1] + [nan] * 99) for d in DAYS[30:40]}
    asked = score_question(days, reference, 0.02, 7, 0.5)
    together = np.sort(np.concatenate([np.arange(100) + i % 3 for i in range(30)]))
    cuts = [
        int(np.quantile(together, q, method="inverted_cdf")) + 1 for q in (0.25, 0.5, 0.75, 0.95)
    ]
    assert asked.where == tuple(f"below {1 / (1 + np.exp(-c / 1000)):.3g}" for c in cuts)
    assert asked.rests_on == 30 and asked.stream.weight == 0.5 and asked.stream.unit == "of events"
    below = [min(100, 2 * c) / 100 - (together < c).mean() for c in cuts]
    most = int(np.argmax(np.abs(below)))
    assert asked.at.tolist() == [most] * 10 and asked.series == approx(
        min(100, 2 * cuts[most]) / 100
    )
    assert asked.stream.effect[-1] == approx(below[most], abs=0.002)
    assert asked.earns() > 0
    assert score_question(days, {}, 0.02, 7, 0.5) is None
    short = dict(list(reference.items())[:13])
    assert score_question(days, short, 0.02, 7, 0.5) is None


@pytest.mark.parametrize(("n", "alone"), [(6, 6), (7, 3)])
def test_up_to_six_categories_are_watched_one_by_one(n, alone):
    names = watched_sets({"categories": [*"abcdefgh"[:n]]}, np.arange(2, n + 4)).names
    assert names[:2] == ("missing", "never seen in training")
    assert sum(name.startswith("= ") for name in names) == alone
    assert len(names) == 2 + alone + (2 if n > 6 else 0)


def test_shares_since_a_day_are_as_usual_with_the_larger_of_two_p_values():
    "Of a binomial, and of days that differ; beyond what is tolerated and two standard errors."
    rng, sets = np.random.default_rng(2), {"cuts": [0.0]}
    table = lambda days, p: np.array([[0, 0, k, 150 - k] for k in rng.binomial(150, p, days)])
    reference, now = table(40, 0.5), table(5, 0.62)
    before = [FIRST - timedelta(40 - i) for i in range(40)]
    (asked,) = feature_questions(
        DAYS[:5], {"x": now}, before, {"x": reference}, {"x": sets}, 0.01, 7, 1.0
    )
    normal = asked.since.args[1]
    at, values = [d.weekday() for d in DAYS[2:5]], []
    for k, hits in enumerate((0, int(now[2:, 2].sum()))):  # missing, below 0
        share, variance = (part[:, k] for part in normal.at(np.array(at)))
        for side in (1, -1):
            u = share.mean() + side * (0.01 + 2 * normal.error[k])
            u = min(max(u, 1e-9), 1 - 1e-9)
            spread = sqrt(u * (1 - u) / 450 + variance.sum() / 9)
            tail = stats.binom.sf(hits - 1, 450, u) if side > 0 else stats.binom.cdf(hits, 450, u)
            values.append(max(stats.norm.sf(side * (hits / 450 - u) / spread), tail))
    assert asked.since(2) == approx(min(1.0, 4 * min(values))) and asked.since(2) < 0.05
    assert asked.since(5) == 1.0
