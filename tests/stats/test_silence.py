"""Whether nothing is strange: against exact Poisson arithmetic, brute force and simulation."""

from datetime import date, timedelta
from math import exp, log, nan

import numpy as np
import pytest
from scipy import stats

from aiops_wb.stats.silence import (
    CHANCE,
    HOUR_WEEKS,
    Usual,
    Volumes,
    _spread,
    chance_of_none,
    days_until_found,
    hours_watched,
    silent_days,
    silent_hours,
    watched,
)
from bench.silent import WEEKDAY, volumes

MONDAY = date(2026, 1, 5)


def days_of(counts, holidays=()):
    "Volumes of consecutive days from a Monday, all events at noon."
    span = [MONDAY + timedelta(i) for i in range(len(counts))]
    hours = np.zeros((len(counts), 24))
    hours[:, 12] = counts
    return Volumes(span, hours, np.array([d not in holidays for d in span]))


@pytest.mark.parametrize("expected", [0.5, 3, 15, 200])
def test_the_chance_of_none_is_that_of_the_law(expected):
    assert exp(chance_of_none(expected)) == pytest.approx(stats.poisson(expected).pmf(0))
    for spread in (0.05, 0.3, 2):
        law = stats.nbinom(1 / spread, 1 / (1 + spread * expected))
        assert law.mean() == pytest.approx(expected)
        assert law.var() == pytest.approx(expected + spread * expected**2)
        assert exp(chance_of_none(expected, spread)) == pytest.approx(law.pmf(0))


def test_what_is_usual_is_the_mean_of_the_weekday_and_how_days_differ_beyond_chance():
    rng = np.random.default_rng(3)
    weekday = np.arange(13 * 7 * 40) % 7
    own = rng.gamma(1 / 0.2, 0.2, len(weekday))
    volume = rng.poisson(40 * WEEKDAY[weekday] * own)
    usual = [Usual.of(*part) for part in zip(np.split(volume, 40), np.split(weekday, 40))]
    first = [volume[:91][weekday[:91] == w].mean() for w in range(7)]
    assert usual[0].by_weekday == pytest.approx(first)
    spreads = np.array([u.spread for u in usual])
    taken_off = np.mean([(2 / (12 * np.square(u.by_weekday).sum())) ** 0.5 for u in usual])
    assert abs(spreads.mean() + taken_off - 0.2) < 4 * spreads.std() / np.sqrt(40)


def test_only_the_last_13_of_a_weekday_count():
    volume = np.concatenate([np.full(70, 1000), np.full(91, 20)])
    usual = Usual.of(volume, np.arange(161) % 7)
    assert set(usual.by_weekday) == {20} and usual.spread == 0


def test_where_15_are_expected_silence_is_found_on_the_first_day():
    found = silent_days(days_of([15] * 56 + [0] * 30))
    assert len(found) == 1
    one = found[0]
    assert one.found == one.first == MONDAY + timedelta(56) and one.ended is None
    assert one.by_weekday and one.expected == one.on_day == 15
    assert one.chance == pytest.approx(exp(-15)) and "by weekday: 15" in one.rule


@pytest.mark.parametrize(("a_day", "days"), [(11, 1), (10, 2), (5, 3), (3, 4), (2, 6), (1, 11)])
def test_with_fewer_it_is_found_when_enough_were_expected_since_the_last_event(a_day, days):
    (one,) = silent_days(days_of([a_day] * 56 + [0] * 20))
    assert one.found == one.first + timedelta(days - 1)
    assert one.expected == a_day * days and one.by_weekday == (days == 1)
    assert a_day * (days - 1) < 15
    assert one.chance <= CHANCE < exp(-a_day * (days - 1))
    assert days_until_found(Usual.of(np.full(56, a_day), np.arange(56) % 7)) == [days] * 7


def test_events_between_start_the_count_anew():
    assert not silent_days(days_of([3] * 56 + [0, 0, 0, 1] * 10))


def test_a_day_on_which_nothing_was_expected_is_no_silence():
    week = [20] * 5 + [0, 0]
    assert not silent_days(days_of(week * 10))
    (one,) = silent_days(days_of(week * 10 + [0] * 7))
    assert one.found == one.first - timedelta(0) + timedelta(2)  # from Saturday on, found on Monday
    assert one.by_weekday and f"{one.found:%A}" == "Monday" and one.expected == 20


def test_a_holiday_counts_for_nothing_neither_as_silent_nor_as_usual():
    off = {MONDAY + timedelta(i) for i in (56, 57, 30, 37)}
    counts = np.array([15.0] * 58 + [12] * 20)
    counts[[(d - MONDAY).days for d in off]] = 0
    assert not silent_days(days_of(counts, off)) and silent_days(days_of(counts))
    (one,) = silent_days(days_of([15] * 56 + [0] * 5, off))
    assert (one.first, one.found) == (MONDAY + timedelta(56), MONDAY + timedelta(58))
    assert one.expected == 15


def test_days_of_a_silence_do_not_become_usual():
    found = silent_days(days_of([15] * 56 + [0] * 60 + [15] * 3 + [0] * 2))
    assert [one.found for one in found] == [MONDAY + timedelta(56), MONDAY + timedelta(119)]
    assert found[0].ended == MONDAY + timedelta(116) and found[1].on_day == 15


def test_a_log_of_less_than_two_weeks_says_nothing():
    assert not silent_days(days_of([100] * 13 + [0] * 30))
    assert silent_days(days_of([100] * 14 + [0]))
    assert "cannot be watched: 13 days" in watched(Usual.of(np.full(13, 9.0), np.arange(13) % 7))


def test_days_with_a_will_of_their_own_need_more_to_be_strange():
    counts = [2, 30, 4, 60, 15, 3, 40, 1, 22, 5] * 9
    assert np.mean(counts) > 15 and not silent_days(days_of([*counts, 0]))
    assert silent_days(days_of([*(np.array(counts) + 60), 0]))


def hourly(weeks, a_week, **cut):
    "The same week again and again; `cut` maps 'day_hour' to a count."
    hours = np.tile(np.asarray(a_week, dtype=float), (weeks, 1))
    for place, n in cut.items():
        day, hour = map(int, place[1:].split("_"))
        hours[day, hour] = n
    span = [MONDAY + timedelta(i) for i in range(7 * weeks)]
    return Volumes(span, hours, np.ones(7 * weeks, dtype=bool))


def test_an_hour_of_the_week_that_always_had_some_is_missed_at_20_expected():
    week = np.full((7, 24), 20)
    (one,) = silent_hours(hourly(12, week, d80_9=0, d80_10=0))
    assert (one.day, one.hours) == (MONDAY + timedelta(80), (9, 10))
    assert one.expected == (20, 20) and one.weeks == 11
    assert one.chance == pytest.approx(exp(-20)) and "each had some on the last 11" in one.rule
    assert not silent_hours(hourly(12, np.full((7, 24), 16), d80_9=0))
    assert hours_watched(hourly(12, week)) == 168


def test_an_hour_that_had_none_once_is_not_missed():
    week = np.full((7, 24), 30)
    assert not silent_hours(hourly(12, week, d73_9=0, d80_9=0))[1:]
    assert not silent_hours(hourly(HOUR_WEEKS, week, d50_9=0))  # too few weeks
    assert silent_hours(hourly(HOUR_WEEKS + 1, week, d57_9=0))


def test_an_hour_that_was_not_there_and_a_holiday_are_passed_over():
    week = np.full((7, 24), 30)
    assert not silent_hours(hourly(12, week, d80_9=nan))
    assert silent_hours(hourly(12, week, d73_9=nan, d80_9=0))
    off = hourly(12, week, d80_9=0)
    off.counts[80] = False
    assert not silent_hours(off)
    whole_day = hourly(12, week, **{f"d80_{hour}": 0 for hour in range(24)})
    assert not silent_hours(whole_day) and silent_days(whole_day)


@pytest.mark.parametrize(("mean", "spread"), [(3, 0), (12, 0), (20, 0.3)])
def test_false_alarms_are_as_rare_as_stated(mean, spread):
    runs, alarms = 60, 0
    for run in range(runs):
        alarms += len(silent_days(volumes(np.random.default_rng([9, run]), mean, 456, spread)))
    allowed = 0.02 if spread else 0.01  # a year, and the quarter before it
    assert alarms <= stats.poisson(runs * allowed * 456 / 365).ppf(0.9999)


def test_an_outage_is_found_the_first_morning_in_100_of_100():
    for run in range(100):
        world = volumes(np.random.default_rng([10, run]), 15 / WEEKDAY[0], 92)
        world.hours[-1] = 0
        assert [one.found for one in silent_days(world)] == [world.days[-1]]


def test_counts_of_hours_become_days_with_and_without_events():
    at = ["2026-01-06", "2026-01-06", "2026-01-09", "2026-01-12"]
    seen = Volumes.of(at, [3, 3, 5, 7], [1, 2, 4, 8], date(2026, 1, 10), [date(2026, 1, 8)])
    assert seen.days == [date(2026, 1, d) for d in range(6, 11)]
    assert seen.by_day.tolist() == [3, 0, 0, 4, 0] and seen.hours[0, 3] == 3
    assert seen.counts.tolist() == [True, True, False, True, True]
    assert log(CHANCE) < -10


def test_a_spread_is_what_differs_beyond_chance_and_its_standard_error():
    groups = [np.array([10.0, 30, 50]), np.array([5.0, 5, 5, 9])]
    excess = scale = 0.0
    for group in groups:
        mean = sum(group) / len(group)
        excess += sum((n - mean) ** 2 - (1 - 1 / len(group)) * mean for n in group)
        scale += (len(group) - 1) * mean**2
    assert _spread(groups) == pytest.approx(excess / scale - (2 / scale) ** 0.5, rel=1e-12)
    both = [np.array([[10.0, 4], [30, 8], [50, 90]])]  # each column for itself
    assert _spread(both) == pytest.approx(_spread([both[0][:, 0], both[0][:, 1]]), rel=1e-12)
    assert _spread([]) == _spread([np.zeros(5)]) == 0.0 == _spread([np.full(9, 4.0)])
