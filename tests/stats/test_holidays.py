"""Holidays are compared with holidays: by hand, by brute force, and in made years."""

from datetime import date, timedelta
from math import log

import numpy as np
import pytest
from scipy.stats import gmean

from aiops_wb.stats.holidays import HOLIDAY, LEAST, day_kinds, expected, group_of
from aiops_wb.stats.sequential import beyond_weekday, day_reference, level_bets
from aiops_wb.stats.streams import feature_questions, ranked_question
from bench import guarantees
from bench.years import Year

MONDAY = date(2026, 1, 5)
DAYS = [MONDAY + timedelta(i) for i in range(150)]
FEASTS = (4, 38, 57, 80, 99, 121, 140)  # places among the days
HOLIDAYS = frozenset(DAYS[i] for i in FEASTS)


def test_a_kind_is_the_weekday_and_seven_more_on_a_holiday():
    kind = day_kinds(DAYS, HOLIDAYS)
    assert (kind % 7).tolist() == [d.weekday() for d in DAYS]
    assert np.flatnonzero(kind >= HOLIDAY).tolist() == list(FEASTS)
    assert set(group_of(kind)[list(FEASTS)]) == {HOLIDAY}


def rows(rng, falls=0.5):
    "Events of the days, of which holidays lose a part."
    usual = np.where(np.arange(150) % 7 >= 5, 400, 1000) * np.exp(rng.normal(0, 0.03, 150))
    usual[list(FEASTS)] *= falls
    return dict(zip(DAYS, usual.round()))


def test_the_expected_rows_of_a_holiday_are_its_weekdays_times_what_earlier_ones_had_of_theirs():
    counted = rows(np.random.default_rng(1))

    def usual(day):
        same = [day - timedelta(7 * i) for i in range(1, 9)]
        return np.median([counted[d] for d in same if d in counted and d not in HOLIDAYS])

    day = DAYS[121]
    parts = [counted[d] / usual(d) for d in (DAYS[i] for i in (38, 57, 80, 99))]
    assert expected(counted, day, HOLIDAYS).rows == pytest.approx(usual(day) * gmean(parts))
    assert expected(counted, DAYS[122], HOLIDAYS).rows == usual(DAYS[122])
    assert expected(counted, day).rows > 1.5 * counted[day]
    early = expected(counted, DAYS[99], HOLIDAYS)
    assert early.rows is None and early.why.endswith(f", {LEAST} are needed")
    assert "holiday: 3 earlier ones" in early.why
    assert expected(counted, DAYS[15], HOLIDAYS).why.startswith("fewer than 3 of the 8")


def test_holidays_spoil_no_reference_and_have_their_own_from_four_on():
    rng, n = np.random.default_rng(2), np.full(150, 1000.0)
    kind = day_kinds(DAYS, HOLIDAYS)
    hits = rng.binomial(1000, np.where(kind >= HOLIDAY, 0.6, 0.3))[:, None].astype(float)
    whole, unmarked = day_reference(hits, n, kind), day_reference(hits, n, kind % 7)
    without = np.setdiff1d(np.arange(150), FEASTS)
    alone = day_reference(hits[without], n[without], kind[without])
    assert whole.knows(kind).all() and np.array_equal(whole.share[:7], alone.share[:7])
    own = (hits[list(FEASTS)].sum() + 0.5) / (len(FEASTS) * 1000 + 1)
    assert whole.share[HOLIDAY, 0] == pytest.approx(own)
    assert unmarked.variance[0] > 100 * whole.variance[0]
    few = day_reference(hits[:80], n[:80], kind[:80])
    assert few.by_weekday and not few.knows(HOLIDAY) and few.knows(np.arange(7)).all()
    month = day_reference(hits[:28], n[:28], kind[:28])
    assert month.by_weekday and month.days.tolist() == [4, 4, 4, 4, 3, 4, 4, 0]
    assert day_reference(hits[:14], n[:14], kind[:14]) is None  # 13 ordinary days are too few


def test_a_holiday_that_the_reference_does_not_know_is_left_out():
    kind = {"categories": ["box", "letter"]}
    rng = np.random.default_rng(3)
    before, days = DAYS[:60], DAYS[60:]
    boxes = [300] * 90
    for place in FEASTS:
        if place >= 60:
            boxes[place - 60] = 900
    table = np.array([[0, 0, b, 1000 - b] for b in boxes])
    usual = np.array([[0, 0, *rng.multinomial(1000, [0.3, 0.7])] for _ in before])
    ask = lambda holidays: feature_questions(
        days, {"kind": table}, before, {"kind": usual}, {"kind": kind}, 0.02, 7, 1.0, {}, holidays
    )[0]
    marked, unmarked = ask(HOLIDAYS), ask(())
    here = [i - 60 for i in FEASTS if i >= 60]
    assert not marked.stream.bets[here].any() and unmarked.stream.bets[here].max() > 50
    assert np.isnan(marked.series[here]).all() and np.isnan(marked.apart.since[here]).all()
    assert abs(marked.stream.effect).max() < 0.03 < abs(unmarked.stream.effect).max()
    assert marked.earns() == pytest.approx(unmarked.earns(), rel=0.3)


def test_the_volume_of_a_holiday_is_held_against_that_of_earlier_ones_and_their_weekdays():
    counted = rows(np.random.default_rng(4))
    logs, kind = np.log(list(counted.values())), day_kinds(DAYS, HOLIDAYS)
    bets, normal = level_bets(logs, kind, 0.1)
    without = np.where(kind >= HOLIDAY, np.nan, logs)
    alone = level_bets(without, kind % 7, 0.1)
    ordinary = kind < HOLIDAY
    assert np.array_equal(bets[ordinary], alone[0][ordinary])
    assert np.array_equal(normal[ordinary], alone[1][ordinary], equal_nan=True)
    beyond, usual = beyond_weekday(logs, kind), alone[1]
    assert np.isnan(beyond[[4, 38]]).all()  # too little was known of their weekday
    assert np.allclose(beyond[57], logs[57] - usual[57])
    assert np.isnan(normal[[80, 99]]).all() and not bets[[80, 99]].any()
    past = [beyond[i] for i in (57, 80, 99, 121)]
    assert normal[140] == pytest.approx(usual[140] + np.mean(past))
    begun = level_bets(logs, kind, 0.1, begin=110)
    assert np.array_equal(begun[0], bets[110:]) and np.array_equal(begun[1], normal[110:], True)
    empty = logs.copy()
    empty[140] -= log(4)  # what was a busy holiday's volume is gone
    assert level_bets(empty, kind, 0.1)[0][140].max() > bets[140].max() + 1
    marked, unmarked = (
        ranked_question("volume", DAYS, np.exp(logs), np.full(150, 0.5), 0.05, holidays=of)
        for of in (HOLIDAYS, ())
    )
    assert marked.stream.bets[140].max() < 0 < unmarked.stream.bets[140].max()
    assert abs(marked.stream.effect[146]) < 0.03 < 0.06 < abs(unmarked.stream.effect[146])
    assert not marked.stream.bets[99].any() and np.isnan(marked.apart.since[99])


WORLD = {"holidays": 12, "features": 2, "reference": 63, "weekend": 0.2, "wobble": 0.02}


def test_marked_holidays_raise_no_alarm_where_the_same_unmarked_do():
    years = [Year(seed, days=200, **WORLD) for seed in (500, 501, 502)]
    marked, unmarked = (sum(y.watched(of)[1].any() for y in years) for of in (True, False))
    assert marked <= 3 * 0.05 + 3 * (3 * 0.05 * 0.95) ** 0.5 < 2 <= unmarked


def test_a_change_is_found_among_holidays():
    changed = Year(520, days=130, change=100, shift=0.3, **WORLD)
    names, is_open = changed.watched()
    assert not is_open[:100].any() and is_open[105, names.index("x00")]
    assert names == changed.watched(marked=False)[0]


@pytest.mark.slow
def test_a_year_with_holidays_raises_no_alarm_more_often_than_promised():
    found = guarantees.ALL["false_alarm_holidays"](2000)
    assert found["holds"] and found["repetitions"] == 200, found
