"""What is promised of a threshold: rules beside brute force, guarantees, back-tests."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from aiops_wb.stats.arrival import missing_as_negative
from aiops_wb.stats.control import LEAST_WEEKS, Backtest, JudgedWeek, control
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.points import Grid

MONDAY = date(2026, 1, 5)
PLACES = np.arange(-300, 301, 50)


def world(rng, days, per_day=60, effect=0.0, weekly=0.0):
    """Day -> counts of days that share an effect, and weeks that do: the score of a negative rises
    with it."""
    found, week = {}, 0.0
    for i in range(days):
        week = rng.normal(0, weekly) if i % 7 == 0 else week
        y = rng.random(per_day) < 0.3
        z = rng.normal(1.5 * y - 1, 1) + week + rng.normal(0, effect)
        found[MONDAY + timedelta(i)] = ScoreCounts.from_events(np.rint(100 * z).astype(int), y)
    return found


def rate(days, at, risk):
    "The false positive or discovery rate of days at a threshold."
    n, labelled, positive = total(days.values()).total
    _, above, caught = total(days.values()).at_or_above(at)
    return (above - caught) / (labelled - positive if risk == "fpr" else max(above, 1))


WEEKS = st.lists(
    st.lists(st.tuples(st.sampled_from(PLACES), st.integers(0, 1)), min_size=1, max_size=12),
    min_size=4,
    max_size=9,
)


@settings(max_examples=60)
@given(WEEKS, st.sampled_from(["fpr", "alerts"]))
def test_the_threshold_is_an_order_statistic_of_what_weeks_needed(weeks, risk):
    days = {}
    for i, events in enumerate(weeks):
        points, y = zip(*events)
        days[MONDAY + timedelta(7 * i)] = ScoreCounts.from_events(np.array(points), np.array(y))
    last = MONDAY + timedelta(7 * len(weeks) - 1)
    days.setdefault(last, ScoreCounts.from_events([-300], [1]))
    target, confidence = (0.3, 0.75) if risk == "fpr" else (3 / 7, 0.75)
    found = control(days, risk, target, confidence, "week", owed=0.0)

    def keeps(first, at):
        week = total(t for d, t in days.items() if 0 <= (d - first).days < 7)
        above = week.at_or_above(at)
        if risk == "alerts":
            return above[0] <= 3
        return above[1] - above[2] <= target * week.n_negative.sum()

    begins = [MONDAY + timedelta(7 * i) for i in range(len(weeks))]
    if risk == "fpr":
        inside = lambda d: total(t for e, t in days.items() if 0 <= (e - d).days < 7)
        begins = [d for d in begins if inside(d).n_negative.sum()]
    k = int(np.ceil(0.75 * (len(begins) + 1) - 1e-9))
    ladder = sorted({int(p) for t in days.values() for p in t.points})
    enough = [at for at in ladder if sum(keeps(d, at) for d in begins) >= k]
    if k > len(begins) or not enough:
        assert found.threshold is None and found.reason
    else:
        assert found.threshold == min(enough) and found.n == len(begins)


@pytest.mark.parametrize("risk", ["fpr", "fdr"])
def test_the_bound_for_rows_is_that_of_clopper_and_pearson(risk):
    days = world(np.random.default_rng(1), 40)
    found = control(days, risk, 0.2, 0.95, "row", owed=0.0)
    whole = total(days.values())

    def upper(at):
        _, above, caught = whole.at_or_above(at)
        false, n = above - caught, whole.n_negative.sum() if risk == "fpr" else above
        return beta.ppf(0.95, false + 1, n - false) if false < n else 1.0

    assert upper(found.threshold) <= 0.2
    below = whole.points[whole.points < found.threshold][-1]
    assert upper(below) > 0.2


def promised(runs, unit, risk="fpr", judge=None, **made):
    "Share of worlds in which the threshold that was made breaks its promise on what comes."
    broken, given_ = 0, 0
    for seed in range(runs):
        days = world(np.random.default_rng(seed), **made)
        order = sorted(days)
        past, future = order[: -judge or None], order[len(order) - judge :]
        found = control({d: days[d] for d in past}, risk, 0.15, 0.8, unit, owed=0.0)
        if found.threshold is not None:
            given_ += 1
            broken += rate({d: days[d] for d in future}, found.threshold, risk) > 0.15
    assert given_ > 0.9 * runs
    return broken / runs, 3 * np.sqrt(0.2 * 0.8 / runs)


@pytest.mark.parametrize(("unit", "days", "judge"), [("week", 91, 7), ("day", 43, 1)])
def test_a_promise_of_units_is_kept_where_they_are_exchangeable(unit, days, judge):
    made = {"days": days, "judge": judge, "per_day": 30}
    effects = {"effect": 0.3} if unit == "day" else {"effect": 0.1, "weekly": 0.4}
    share, room = promised(100, unit, **made, **effects)
    assert share <= 0.2 + room


def test_a_promise_of_rows_is_kept_by_independent_rows_and_broken_by_weeks():
    share, room = promised(100, "row", days=60, judge=40, per_day=30)
    assert share <= 0.2 + room
    moved = {"days": 49, "judge": 7, "per_day": 60, "weekly": 0.5}
    assert promised(60, "row", **moved)[0] > 0.2 + room


def test_missing_labels_count_against_the_promise():
    days = world(np.random.default_rng(2), 91, weekly=0.2)
    points = lambda t: np.repeat(t.points, t.n)

    def without(share):
        "A share of the labels of high scores is missing."
        rng, found = np.random.default_rng(3), {}
        for day, table in days.items():
            y = np.concatenate(
                [[1.0] * p + [0.0] * (n - p) for n, p in zip(table.n, table.n_positive)]
            )
            found[day] = ScoreCounts.from_events(
                points(table), np.where(rng.random(len(y)) < share * (points(table) > 0), np.nan, y)
            )
        return found

    ask = lambda days, owed: control(days, "fpr", 0.15, 0.8, "week", owed=owed).threshold
    whole, some = ask(days, 0.0), without(0.4)
    assert ask(days, 1.0) == whole, "nothing is missing"
    assert ask(some, 0.0) < whole < ask(some, 1.0)
    assert ask(some, 0.0) < ask(some, 0.3) < ask(some, 1.0)
    assert ask(some, dict.fromkeys(some, 0.3)) == ask(some, 0.3)
    assert ask(some, {}) == ask(some, 1.0), "a day that is not named owes all"
    # of the alerts all that is owed is false, as elsewhere
    fdr = control(some, "fdr", 0.3, 0.8, "week", owed=1.0)
    full = {day: missing_as_negative(table, 1.0) for day, table in some.items()}
    assert control(full, "fdr", 0.3, 0.8, "week", owed=0.0).threshold == fdr.threshold


def test_no_week_is_judged_by_what_was_not_known_before_it():
    days = world(np.random.default_rng(4), 7 * 30, weekly=0.3)
    found = control(days, "fpr", 0.15, 0.8, "week", owed=0.0)
    assert len(found.backtest.weeks) == 26  # four weeks are needed before the first
    for week in found.backtest.weeks[::6]:
        past = {d: t for d, t in days.items() if d < week.monday}
        now = {d: t for d, t in days.items() if 0 <= (d - week.monday).days < 7}
        before = control(past, "fpr", 0.15, 0.8, "week", owed=0.0).threshold
        for at in (before, week.threshold):
            assert (rate(now, at, "fpr") > 0.15) == bool(week.broken)
    late = control(days, "fpr", 0.15, 0.8, "week", owed=0.0, delay_days=10)
    assert len(late.backtest.weeks) == 24 and late.threshold == found.threshold
    # what came after a week changes nothing of it
    more = dict(days) | {max(days) + timedelta(1): ScoreCounts.from_events([900] * 500, [0] * 500)}
    assert control(more, "fpr", 0.15, 0.8, "week", owed=0.0).backtest.weeks == found.backtest.weeks


def weeks(broken):
    return tuple(JudgedWeek(MONDAY + timedelta(7 * i), 0, 1, b) for i, b in enumerate(broken))


def test_a_printed_confidence_is_one_that_the_back_test_supports():
    few = Backtest("week", weeks([0] * (LEAST_WEEKS - 1)))
    assert few.supports(0.95) is None
    assert Backtest("week", weeks([0] * LEAST_WEEKS)).supports(0.95) == 0.95
    at_most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
    kept = int(40 * at_most)
    assert Backtest("week", weeks([1] * kept + [0] * (40 - kept))).supports(0.95) == 0.95
    broken = Backtest("week", weeks([1] * (kept + 1) + [0] * (39 - kept)))
    assert broken.supports(0.95) == np.floor(100 * (39 - kept) / 40) / 100
    # a bad week of seven bad days is one opinion, not seven
    days = tuple(JudgedWeek(MONDAY + timedelta(7 * i), 0, 7, 7 * (i % 10 == 0)) for i in range(30))
    assert Backtest("day", days).supports(0.95) == 0.95
    alone = tuple(w._replace(broken=1) for w in days)
    assert Backtest("day", alone).supports(0.99) == 0.85


def test_a_confidence_is_lowered_where_the_world_moves_and_none_is_left_where_it_never_held():
    moved = world(np.random.default_rng(5), 7 * 40, per_day=80, weekly=0.6)
    row = control(moved, "fpr", 0.15, 0.95, "row", owed=0.0)
    assert row.lowered and 0.5 <= row.confidence < 0.95
    assert f"with {row.confidence:.0%} confidence: 95% were asked" in row.says
    worse = {}
    for i in range(7 * 30):  # each week is higher than all before it
        y = np.arange(40) % 4 == 0
        points = 20 * (i // 7) + 300 * y + np.arange(40)
        worse[MONDAY + timedelta(i)] = ScoreCounts.from_events(points, y)
    never = control(worse, "fpr", 0.1, 0.9, "week", owed=0.0)
    assert never.threshold is None and never.confidence is None
    assert "broke it more often than not" in never.says and "exceeded it" in never.says


def test_what_few_weeks_say_is_not_known():
    days = world(np.random.default_rng(6), 7 * 12)
    found = control(days, "fpr", 0.15, 0.8, "week", owed=0.0)
    assert found.threshold is not None and found.confidence is None
    assert "Whether it holds is not known: 8 weeks could judge it, 12 are needed" in found.says
    none = control(days, "fpr", 0.15, 0.95, "week", owed=0.0)
    assert none.threshold is None
    assert "needs at least 19 weeks with labels, 12 weeks are there" in none.says


def test_a_few_alerts_are_no_share():
    "One false alert among three breaks no promise of a tenth, and keeps none; two of ten break it."
    few = {
        MONDAY + timedelta(i): ScoreCounts.from_events([0, 50, 90], [1, 1, 0]) for i in range(10)
    }
    none = control(few, "fdr", 0.1, 0.8, "day", owed=0.0)
    assert none.threshold is None and not none.backtest.weeks
    assert "too few days have the 10 labelled alerts by which a share of 0.1" in none.reason
    good = {
        MONDAY + timedelta(10 + i): ScoreCounts.from_events([0] * 10, [1] * 10) for i in range(10)
    }
    assert control(few | good, "fdr", 0.1, 0.8, "day", owed=0.0).threshold == 0
    many = {
        d: ScoreCounts.from_events([0] * 4 + [50] * 10, [1] * 4 + [0, 0] + [1] * 8) for d in few
    }
    assert control(many, "fdr", 0.1, 0.8, "day", owed=0.0).threshold is None


def test_no_target_is_so_small_that_nothing_could_break_it():
    "A share that no unit has alerts enough to judge is not promised of a threshold that breaks it."
    days = world(np.random.default_rng(9), 7 * 20)
    for target in (1e-4, 1e-12):
        for unit in ("day", "week"):
            found = control(days, "fdr", target, 0.8, unit, owed=0.0)
            assert found.threshold is None and found.backtest.units == 0, (target, unit)


@pytest.mark.parametrize("unit", ("day", "week", "row"))
@pytest.mark.parametrize("confidence", (1e-9, 0.9995, 1 - 1e-12))
def test_a_confidence_of_any_size_has_an_answer(unit, confidence):
    days = world(np.random.default_rng(9), 7 * 6)
    for risk, target in (("fpr", 0.1), ("fdr", 0.3), *([("alerts", 9)] if unit != "row" else [])):
        said = control(days, risk, target, confidence, unit, owed=0.0).says
        assert " 100% confidence" not in said and " 0% confidence" not in said
        assert unit == "row" or confidence < 0.5 or "needs at least" in said


def test_empty_cases_say_why():
    assert control({}, "fpr", 0.1).reason == "no event in these days"
    unlabelled = {MONDAY: ScoreCounts.from_events([1, 2])}
    assert control(unlabelled, "fpr", 0.1).reason == "no label is known in these days"
    one = {MONDAY: ScoreCounts.from_events([1, 2], [0, 1])}
    assert (
        "at least 9 days with labels, 1 day is there" in control(one, "fpr", 0.1, 0.9, "day").says
    )
    assert "at least 29 are needed" in control(one, "fpr", 0.1, 0.95, "row").says
    positives = {MONDAY + timedelta(i): ScoreCounts.from_events([5], [1]) for i in range(30)}
    assert control(positives, "fpr", 0.1, 0.9, "day", owed=0.0).threshold is None
    told = control(one, "alerts", 3, 0.5, "day")
    assert told.threshold == 1 and told.to_json()["backtest"]["weeks"] == 0
    assert "no past week could judge it" in repr(told)


def test_scores_without_a_ceiling_go_the_same_way():
    rng, grid, days = np.random.default_rng(7), Grid("linear"), {}
    for i in range(7 * 20):
        z = np.abs(rng.normal(0, 1.5, 200))
        days[MONDAY + timedelta(i)] = ScoreCounts.from_events(
            grid.quantise(z), rng.random(200) < 1 / (1 + np.exp(-3 * (z - 3))), grid
        )
    found = control(days, "fpr", 0.1, 0.8, "week", owed=0.0)
    assert 1_500 < found.threshold < 5_000 and found.score == found.threshold / 1_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tpr", 0.1), "risk 'tpr' is not known"),
        (("fpr", 0.1, 0.9, "month"), "unit 'month' is not known"),
        (("alerts", 100, 0.9, "row"), "alerts are counted a day"),
        (("fpr", 10.0), "a rate and the confidence lie between 0 and 1"),
        (("fpr", 0.1, 1.0), "confidence 1.0 is not allowed"),
        (("alerts", -1, 0.9, "day"), "alerts are at least 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        control({}, *arguments)
    with pytest.raises(ValueError, match="labels do not come before"):
        control({}, "fpr", 0.1, delay_days=-1)
    with pytest.raises(ValueError, match="owed is a chance"):
        control({MONDAY: ScoreCounts.from_events([1], [0])}, "fpr", 0.1, owed=2.0)
