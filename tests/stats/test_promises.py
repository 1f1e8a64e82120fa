"""Promises kept and broken: what is counted, what the evidence is worth, what could be found."""

from datetime import date, timedelta
from itertools import product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.automation import BETS
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.promises import (
    FALSE_FLAGS,
    KINDS,
    TWICE,
    YEAR,
    Due,
    Observed,
    came_due,
    could_have_found,
    evidence,
    kept,
    observed,
)
from bench import guarantees, promises

MONDAY = date(2026, 1, 5)


def days(lost, allowed=0.1, events=1.0):
    "A unit for each day, from a Monday on."
    return [Due(MONDAY + timedelta(i), 1, allowed, x, events) for i, x in enumerate(lost)]


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.sampled_from([0, 1, None])), max_size=30),
    st.integers(-5, 5),
    st.sampled_from([0.0, 0.25, 1.0]),
)
def test_what_is_observed_is_counted_by_hand(events, threshold, owed):
    points = [p for p, _ in events]
    counts = ScoreCounts.from_events(points, [nan if y is None else y for _, y in events])
    above = [y for p, y in events if p >= threshold]
    false, against = above.count(0), owed * above.count(None)
    negatives = [y for _, y in events].count(0)
    seen = {k: observed(k, [counts], threshold, [owed]) for k in ("fpr", "fdr", "alerts")}
    assert seen["fpr"] == pytest.approx((negatives + against, false + against))
    assert seen["fdr"] == pytest.approx((false + above.count(1) + against, false + against))
    assert seen["alerts"] == (1, len(above))
    twice = observed("fdr", [counts, counts], threshold, [owed, owed])
    assert twice == pytest.approx(tuple(2 * x for x in seen["fdr"]))


def test_a_unit_allows_and_loses_as_its_promise_says():
    assert came_due(MONDAY, 7, 0.2, 0.9, Observed(10, 2)).lost == 0.0
    broken = came_due(MONDAY, 7, 0.2, 0.9, Observed(10, 3))
    assert (broken.lost, broken.state) == (1.0, "broken") and broken.allowed == pytest.approx(0.1)
    mean = came_due(MONDAY, 1, 0.2, None, Observed(10, 3))
    assert mean == Due(MONDAY, 1, 0.2, 0.3, 10) and mean.state == "broken"
    part = came_due(MONDAY, 1, 0.2, None, Observed(0.5, 0.5))  # half a ticket is owed its label
    assert part.lost == pytest.approx(0.2 + 0.5 * 0.8)
    assert came_due(MONDAY, 1, 0.2, None, Observed(0, 0)).state == "not judged"
    for arguments, says in (
        ((MONDAY, 2, 0.2, 0.9), "are no unit"),
        ((MONDAY + timedelta(1), 7, 0.2, 0.9), "from Monday on"),
        ((MONDAY, 1, 0.2, 1.0), "is not allowed"),
        ((MONDAY, 1, 1.2, None), "is not allowed"),
        ((MONDAY, 1, -1, 0.9), "is not allowed"),
    ):
        with pytest.raises(ValueError, match=says):
            came_due(*arguments, Observed(1, 0))


def by_hand(gains):
    "The evidence week by week, each stake on its own, and each week's money on its own."
    told = []
    for now in range(len(gains)):
        begun = now // YEAR * YEAR
        total = 0.0
        for stake, start in product(BETS, range(begun, now + 1)):
            money = 0.5 / YEAR + 0.5 * (start == begun)
            total += money * np.prod([1 + stake * gains[k] for k in range(start, now + 1)])
        told.append(total / len(BETS))
    return told


def test_evidence_is_money_that_was_bet_and_its_mean_is_what_was_put_in():
    rng = np.random.default_rng(0)
    gains = rng.uniform(-1, 1.2, 60)
    assert evidence(gains) == pytest.approx(by_hand(gains))
    assert evidence(np.stack([gains, -gains / 2], axis=1))[:, 1] == pytest.approx(
        evidence(-gains / 2)
    )
    # all ways that weeks can go, each as likely to win as to lose: no bet wins in the mean
    ways = np.array(list(product((-1.0, 1.0), repeat=9))).T
    assert evidence(ways).mean(axis=1) == pytest.approx(0.5 + 0.5 * np.arange(1, 10) / YEAR)


@pytest.mark.parametrize("world", [*promises.WORLDS, "whole weeks"])
def test_false_flags_are_no_more_than_stated_whatever_happens_inside_a_week(world):
    share = promises.falsely(np.random.default_rng(1), world, 300)
    assert share <= FALSE_FLAGS + 3 * (FALSE_FLAGS * (1 - FALSE_FLAGS) / 300) ** 0.5


def test_twice_as_many_false_tickets_are_found_in_120_days_and_a_yes_or_no_is_not():
    assert guarantees.promise_ledger(200)["holds"]
    assert not guarantees.promise_ledger_yes_no(200)["holds"]
    assert promises.best(0.05, 17) < 0.3 and promises.best(0.05, 119) < 0.75


def test_the_order_in_which_units_are_told_does_not_matter():
    rng, dues = np.random.default_rng(4), days(np.arange(40) % 7 < 2)
    of = kept("tickets", dues)
    for _ in range(5):
        again = kept("tickets", [dues[i] for i in rng.permutation(40)])
        assert again.reason == of.reason and again.evidence == pytest.approx(of.evidence)
        assert again.flags == of.flags and again.found == of.found


def test_kept_and_owed_add_up_and_what_is_not_judged_counts_for_nothing():
    lost = [0, 1, nan, 0.5, 0, 0, nan, 0]
    of = kept("tickets", days(lost))
    assert (of.due, of.not_judged, of.weeks) == (6, 2, 2)
    assert of.kept == pytest.approx(4.5) and of.owed == pytest.approx(5.4)
    assert kept("tickets", days([nan] * 3)).reason.endswith("in 3 units nothing happened")


def test_a_week_weighs_the_same_by_days_or_as_one_and_however_many_segments_it_has():
    lost = np.array([1, 0, 0, 1, 0, 0, 1])
    of_days = kept("fpr", days(lost))
    as_one = kept("fpr", [Due(MONDAY, 7, 0.1, float(lost.mean()))])
    twice = kept("fpr", days(lost) + days(lost))
    assert of_days.evidence == pytest.approx(as_one.evidence) == pytest.approx(twice.evidence)


def test_a_year_begins_anew_and_its_flags_are_remembered():
    bad, good = [1.0] * 70, [0.0] * 7 * 60
    of = kept("tickets", days(bad + good))
    assert len(of.flags) == 1 and of.flags[0] < MONDAY + timedelta(70)
    assert of.weeks == 70 and of.state == "unknown" and of.evidence < 1
    assert kept("tickets", days(bad + good[: 7 * 40])).state == "broken"


def test_the_band_holds_what_is_not_refuted_and_the_flag_is_where_it_leaves_the_stated():
    rng = np.random.default_rng(2)
    of = kept("tickets", days(rng.binomial(20, 0.25, 119) / 20, events=20))
    first = next(k for k, (low, _) in enumerate(of.band) if low >= 1)
    assert of.flags == (MONDAY + timedelta(7 * first),) and of.state == "broken"
    low, high = np.array(of.band).T
    assert (low <= high).all() and low[-1] < 2.5 < high[-1]
    good = kept("tickets", days(rng.binomial(20, 0.1, 350) / 20, events=20))
    assert good.state == "kept" and good.band[-1][0] < 1 < good.band[-1][1] < 4


@pytest.mark.parametrize("stated, events, weeks", [(0.1, 5, 17), (0.1, 20, 12), (0.2, 1, 30)])
def test_what_is_said_could_have_been_found_would_have_been(stated, events, weeks):
    rng, kind = np.random.default_rng(3), "tickets"
    needed = 1 / (FALSE_FLAGS * KINDS[kind].part)

    def world(rate):
        return days(rng.binomial(events, rate, 7 * weeks) / events, stated, events)

    times = float(np.median([could_have_found(world(stated), needed) for _ in range(9)]))
    assert 1 < times < 4
    found = np.mean([kept(kind, world(times * stated)).state == "broken" for _ in range(60)])
    assert found >= 0.9 - 3 * (0.9 * 0.1 / 60) ** 0.5


def test_silence_is_not_called_kept_before_twice_as_much_would_have_been_found():
    weeks = [Due(MONDAY + timedelta(7 * k), 7, 0.05, 0.0) for k in range(20)]
    of = kept("fpr", weeks)
    assert of.state == "unknown" and of.found > TWICE and "too early" in of.reason
    assert "nothing could have been found" in kept("fpr", weeks[:1]).reason
    with pytest.raises(ValueError, match="choose one of tickets"):
        kept("recall", [])


def test_a_kind_that_is_counted_only_is_never_called_kept_or_broken():
    year = Due(MONDAY, 365, 0.05, 1.0)
    of = kept("alarms", [year] * 5)
    assert of.needed == inf and of.state == "unknown" and "not tested" in of.reason
    assert kept("alarms", []).found == inf
