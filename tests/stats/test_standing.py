"""Following goes on from a standing: the same to the last bit as to follow all days at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from aiops_wb.stats.attribution import attribution, of_year
from aiops_wb.stats.days import day_statements
from aiops_wb.stats.sequential import (
    Stream,
    across,
    conformal_bets,
    day_offsets,
    day_reference,
    follow,
    level_bets,
    recent_shares,
)
from aiops_wb.stats.streams import labelled_question, ranked_question
from bench.years import FIRST, timedelta

DAYS = 60


def made(seed):
    "Streams with different numbers of bets, some of which win for a while and are over again."
    rng = np.random.default_rng(seed)
    gain = np.zeros(DAYS)
    gain[20:30] = rng.uniform(2, 3)
    bets = [rng.normal(-0.3, 0.8, (DAYS, k)) for k in (1, 3, 4)]
    bets[1][:, 1] += gain
    bets[2][rng.random(DAYS) < 0.2] = 0.0  # days that say nothing
    lower = np.where(gain > 0, 0.2, 0.0)
    return [
        Stream(f"s{i}", b, lower, lower, 0.1, weight)
        for i, (b, weight) in enumerate(zip(bets, (1, 2, 1)))
    ]


@settings(max_examples=25)
@given(
    st.integers(0, 50),
    st.sets(st.integers(1, DAYS - 1), max_size=6),
    st.sampled_from([17, 25, 365]),
    st.sets(st.integers(0, DAYS - 1), max_size=8),
)
def test_any_split_says_what_the_whole_says(seed, cuts, horizon, mutes):
    streams, muted = made(seed), np.isin(np.arange(DAYS), list(mutes))
    rules = {"horizon": horizon, "hold": 3}
    whole = follow(streams, 0.05, muted=muted, keep=9, **rules)
    known, parts, kept = None, [], []
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), DAYS]):
        part = [s.days(first, end) for s in streams]
        parts.append(follow(part, 0.05, muted=muted[first:end], known=known, keep=9, **rules))
        *between, known = parts[-1].standings
        kept += between
    for name in ("evidence", "open", "since"):
        assert np.array_equal(
            getattr(whole, name), np.concatenate([getattr(p, name) for p in parts])
        )
    assert [s.days for s in kept] == [9, 18, 27, 36, 45, 54]
    for ours, theirs in zip((*kept, known), whole.standings, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs))


@pytest.mark.parametrize("seed", range(12))
def test_a_change_began_where_the_bets_since_earned_most(seed):
    "By all sums of bets from a day on to the morning the alarm opened."
    streams = made(seed)
    seen = follow(streams, 0.05, hold=3)
    opened = np.argwhere(seen.open & ~np.roll(seen.open, 1, axis=0))
    assert len(opened)
    first = opened[0]
    day, i = first
    sums = np.cumsum(streams[i].bets[: day + 1][::-1], axis=0)[::-1]
    began = seen.since[day, i]
    assert sums[began].max() == pytest.approx(sums.max(), abs=1e-9)
    assert not (sums[:began] > sums.max() - 1e-9).any()


def test_no_day_has_a_part_in_what_is_said_of_another():
    rng = np.random.default_rng(4)
    z = np.linspace(-3, 1, 40)
    n = rng.poisson(3, (50, 40)).astype(float)
    n[:, 7], n[9] = 0.0, 0.0
    positive = rng.binomial(n.astype(int), expit(z)).astype(float)
    table, usual = (positive, n - positive), n[:20].sum(axis=0)
    whole = day_offsets(*table, expit(z)), *day_statements(*table, expit(z), usual)
    for some in (slice(3, 4), slice(5, 30), slice(49, None)):
        part = tuple(t[some] for t in table)
        alone = day_offsets(*part, expit(z)), *day_statements(*part, expit(z), usual)
        for ours, theirs in zip(alone, whole):
            assert all(np.array_equal(a, b[some], equal_nan=True) for a, b in zip(ours, theirs))
    used = np.delete(np.arange(40), 7)  # a cell that no day has any label in
    fewer = tuple(t[:, used] for t in table)
    thin = day_offsets(*fewer, expit(z)[used]), *day_statements(*fewer, expit(z)[used], usual[used])
    for ours, theirs in zip(thin, whole):
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours, theirs))
    assert across(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    first = (day_offsets(*part, expit(z), 30) for part in (table, tuple(t[5:6] for t in table)))
    for whole_days, alone in zip(*first):
        assert whole_days[5] == alone[0]


@pytest.mark.parametrize("begin", [0, 3, 50, 119])
def test_days_from_a_place_on_are_those_of_the_whole(begin):
    rng = np.random.default_rng(8)
    days = [FIRST + timedelta(i) for i in range(120)]
    weekday, values = np.arange(120) % 7, np.round(rng.normal(5, 0.3, 120), 1)
    values[[4, 60, 118]] = np.nan
    lots = rng.random(120)
    ours = conformal_bets(values, lots[begin:], weekday, begin=begin)
    assert np.array_equal(ours, conformal_bets(values, lots, weekday)[begin:])
    for part, whole in zip(
        level_bets(values, weekday, 0.1, begin=begin), level_bets(values, weekday, 0.1)
    ):
        assert np.array_equal(part, whole[begin:], equal_nan=True)
    events = np.where(np.isnan(values), 0, 40)
    labels = rng.binomial(events, 0.8)
    asked = (
        lambda b: ranked_question("volume", days, values, lots[b:], 0.1, begin=b),
        lambda b: labelled_question(days, labels, events, 0.02, 7, 0.1, begin=b),
    )
    for ask in asked:
        part, whole = (ask(b).stream for b in (begin, 0))
        assert np.array_equal(part.bets, whole.bets[begin:])
        assert np.array_equal(part.effect[6:], whole.effect[begin + 6 :], equal_nan=True)


@pytest.mark.parametrize("recent", [1, 7, 12])
def test_a_recent_change_rests_on_the_recent_days_alone(recent):
    rng = np.random.default_rng(9)
    n, weekday = rng.poisson(200, 90).astype(float), np.arange(90) % 7
    hits = rng.binomial(n.astype(int)[:, None], [0.2, 0.5]).astype(float)
    usual = day_reference(hits[:40], n[:40], weekday[:40])
    whole = recent_shares(hits, n, weekday, usual, recent)
    later = slice(40, None)
    part = recent_shares(hits[later], n[later], weekday[later], usual, recent)
    for ours, theirs in zip(part, whole):
        assert np.array_equal(ours[recent - 1 :], theirs[40 + recent - 1 :])
    by_hand = (hits[-recent:] - n[-recent:, None] * usual.at(weekday[-recent:])[0]).sum(axis=0)
    most = np.abs(by_hand / n[-recent:].sum()).max()
    assert abs(whole[0][-1]) == pytest.approx(most, rel=1e-12)


def test_a_standing_is_not_changed_by_going_on():
    streams = made(1)
    known = follow([s.days(0, 25) for s in streams], 0.05).standings[-1]
    before = [np.copy(part) for part in known]
    follow([s.days(25) for s in streams], 0.05, known=known)
    assert all(np.array_equal(a, b) for a, b in zip(before, known))


def test_of_contributions_the_reference_and_the_running_year_are_asked_for_alone():
    rng = np.random.default_rng(3)
    reference, watched = 28, 365 + 40
    days = [FIRST + timedelta(i) for i in range(reference + watched)]
    means, lots = rng.normal(size=(len(days), 3)), rng.random(len(days))
    means[-25:, 1] += 4.0
    for end in (len(days), reference + 366, reference + 365, reference):
        asked = of_year(end, reference, 7)
        assert {*range(reference), *range(max(reference, end - 7), end)} <= set(asked)
        some, few = np.full((end, 3), np.nan), np.zeros(end)
        some[asked], few[asked] = means[asked], lots[asked]
        told = ["a", "b", "c"], reference
        whole = attribution(days[:end], means[:end], *told, lots[:end], 0.05)
        part = attribution(days[:end], some, *told, few, 0.05)
        assert np.array_equal(part.evidence, whole.evidence) and part.moved == whole.moved
    assert [m.feature for m in attribution(days, means, *told, lots, 0.05).moved] == ["b"]
    assert len(of_year(len(days), reference, 7)) == reference + 40
