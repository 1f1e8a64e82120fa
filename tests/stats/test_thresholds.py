"""Thresholds: the curve beside scikit-learn, two of them side by side, one chosen for a goal."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from aiops_wb.stats.choosing import (
    Capacity,
    MaxFDR,
    MaxFPR,
    MinCost,
    MinRecall,
    optimise,
    optimise_segments,
    parity,
    pays_from,
)
from aiops_wb.stats.conformal import rank
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.performance import confusion
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import (
    RULES,
    Change,
    DayCurves,
    curve,
    ratio_over_days,
    rule_for,
    simulate,
)

FIRST = date(2026, 1, 5)
EVENTS = st.lists(
    st.tuples(st.integers(-300, 300), st.sampled_from([0, 1, np.nan])), min_size=0, max_size=25
)
DAYS = st.lists(EVENTS, min_size=1, max_size=9)
GOALS = [
    MaxFPR(0.2),
    MaxFDR(0.4),
    MinRecall(0.7),
    MinCost(missed=3, false=1, review=0.5),
    Capacity(4, 0.75),
]


def rng(seed=0):
    return np.random.default_rng(seed)


def counted(days, grid=Grid()):
    "Day -> counts of events (points, label)."
    tables = {}
    for i, events in enumerate(days):
        points, labels = (np.array(c, dtype=float) for c in zip(*events)) if events else ([], [])
        points = np.asarray(points, dtype=np.int64)
        tables[FIRST + timedelta(i)] = ScoreCounts.from_events(points, labels, grid)
    return tables


@cache
def made(seed, days=30, per_day=200, effect=0.3, grid=Grid()):
    "Days with an effect of their own, by day: points and labels."
    draw, found = rng(seed), []
    for _ in range(days):
        z = draw.normal(-1, 1.5, per_day)
        y = draw.random(per_day) < 1 / (1 + np.exp(-(z + draw.normal(0, effect))))
        found.append(list(zip(np.rint(1000 * z).astype(int), y.astype(float))))
    return found


@settings(max_examples=40)
@given(EVENTS)
def test_every_point_of_the_curve_is_that_of_scikit_learn(events):
    events = [(points, y) for points, y in events if y == y]
    if len({y for _, y in events}) < 2:
        return
    points, y = (np.array(c) for c in zip(*events))
    whole = curve(ScoreCounts.from_events(points, y))
    fpr, tpr, at = roc_curve(y, points, drop_intermediate=False)
    np.testing.assert_array_equal(whole.thresholds, at[:0:-1])
    np.testing.assert_array_equal(whole.fpr, fpr[:0:-1])
    np.testing.assert_array_equal(whole.recall, tpr[:0:-1])
    precision, recall, at = precision_recall_curve(y, points)
    np.testing.assert_array_equal(whole.thresholds, at)
    np.testing.assert_allclose(whole.precision, precision[:-1], atol=1e-15)
    np.testing.assert_array_equal(whole.recall, recall[:-1])
    for i, threshold in enumerate(whole.thresholds):
        cells = whole.tp[i], whole.fp[i], whole.fn[i], whole.tn[i]
        at_it = confusion(ScoreCounts.from_events(points, y), threshold)
        assert cells == (at_it.tp, at_it.fp, at_it.fn, at_it.tn)


@settings(max_examples=40)
@given(DAYS, st.integers(2, 400))
def test_curves_of_days_add_up_to_the_counts_at_each_threshold(days, most):
    days = counted(days)
    apart, whole = DayCurves.of(days, most), total(days.values())
    assert len(apart.thresholds) <= most + 1
    if not whole.total[0]:
        assert not len(apart.dates)
        return
    sums = np.array([apart.alerts.sum(0), apart.labelled.sum(0), apart.tp.sum(0)])
    for place, threshold in enumerate(apart.thresholds):
        assert tuple(sums[:, place]) == whole.at_or_above(threshold)
    assert tuple(sums[:, 0]) == whole.total and not sums[:, -1].any()


def test_curves_of_two_grids_are_refused():
    days = counted([[(0, 1)]]) | {
        FIRST + timedelta(9): ScoreCounts.from_events([20], [1], Grid("logit", 20))
    }
    with pytest.raises(ValueError, match="do not add"):
        DayCurves.of(days)


@settings(max_examples=40)
@given(DAYS, st.integers(-310, 310), st.integers(-310, 310))
def test_days_change_no_figure_of_a_simulation(days, candidate, current):
    days = counted(days)
    apart = simulate(days, candidate, current)
    once = simulate(total(days.values()), candidate, current, len(days))
    assert apart.at_candidate == once.at_candidate and apart.alerts == once.alerts
    for name, (a, b, difference) in once.record.items():
        ours = apart.record[name]
        values = [ours.candidate.value, ours.current.value, ours.difference.value]
        np.testing.assert_allclose(values, [a.value, b.value, difference.value], atol=1e-12)
    assert apart.recommendation == once.recommendation and apart.rule in {r.name for r in RULES}


def test_the_difference_of_two_thresholds_is_covered_over_days():
    "Difference of false positive rates over days with an effect of their own, against the truth."
    held, runs = 0, 100
    truth = simulate(counted(made(998, days=1_000)), 0, -500).record["fpr"].difference.value
    for seed in range(runs):
        got = simulate(counted(made(seed, per_day=100)), 0, -500).record["fpr"].difference
        held += got.lower <= truth <= got.upper
    assert held / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_few_days_have_no_interval():
    assert np.isnan(ratio_over_days([1] * 6, [2] * 6).lower)
    assert ratio_over_days([1, 2] * 4, [2] * 8).lower > 0
    assert np.isnan(ratio_over_days([0], [0]).value)


def test_a_share_without_any_spread_has_no_interval():
    "None of ten false is not known to be none of all; the same events twice differ by nothing."
    for hits in (0, 1):
        share = ratio_over_days([hits] * 10, [1] * 10)
        assert share.value == hits and np.isnan([share.lower, share.upper]).all()
    same = [0] * 10, [1] * 10
    assert ratio_over_days(*same, minus=same)[:3] == (0.0, 0.0, 0.0)


def test_no_interval_of_a_share_is_beyond_one():
    "As none is below 0; alerts a day have no such end."
    share = ratio_over_days([2, 2, 2, 2, 2, 2, 1], [2] * 7)
    assert share.value < share.upper == 1.0
    assert ratio_over_days([2, 2, 2, 2, 2, 2, 1], [2] * 7, most=np.inf).upper > 1.0
    far = ([5, 5, 5, 5, 5, 5, 0], [5] * 7), ([0] * 6 + [5], [5] * 7)
    for one, other, end in ((*far, 1.0), (*far[::-1], -1.0)):
        apart = ratio_over_days(*one, minus=other)
        assert (apart.upper if end > 0 else apart.lower) == end != apart.value
        free = ratio_over_days(*one, minus=other, most=np.inf)
        assert max(abs(free.lower), abs(free.upper)) > 1.0 and free.value == apart.value
    quiet = {date(2026, 1, d): ScoreCounts.from_events([0], [1]) for d in range(1, 9)}
    quiet[date(2026, 1, 9)] = ScoreCounts.from_events([0, 0], [1, 1])
    alone = simulate(quiet, 0, 0).record["alerts_per_day"].candidate
    assert alone.upper > alone.value > 1.0


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 3))
def test_one_rule_speaks_of_every_change(caught, false, positives):
    rule = rule_for(Change(caught, false, positives))
    assert rule.says(Change(caught, false, positives)).endswith(".")
    assert len({rule.name for rule in RULES}) == len(RULES)


def best(goal, days):
    "The threshold by brute force over all scores that occur; None where there is none."
    whole = total(days.values())
    tried = [*map(int, whole.points), int(whole.points[-1]) + 1]
    figures = {}
    for at in tried:
        c = confusion(whole, at)
        figures[at] = {
            MaxFPR: lambda c=c: c.fp <= goal.target * (c.fp + c.tn),
            MaxFDR: lambda c=c: c.tp + c.fp > 0 and c.fp <= goal.target * (c.tp + c.fp),
            MinRecall: lambda c=c: c.tp >= goal.target * (c.tp + c.fn),
            MinCost: lambda c=c: 3 * c.fn + c.fp + 0.5 * (c.tp + c.fp),
        }[type(goal)]()
    if isinstance(goal, MinCost):
        least = min(figures.values())
        return max(at for at, cost in figures.items() if cost == least)
    kept = [at for at in tried[:-1] if figures[at]]
    return (max if isinstance(goal, MinRecall) else min)(kept, default=None)


@pytest.mark.parametrize("goal", GOALS[:4], ids=lambda g: type(g).__name__)
@settings(max_examples=40)
@given(DAYS)
def test_the_choice_is_the_best_of_all(goal, days):
    days = counted(days)
    n, labelled, positive = total(days.values()).total
    choice = optimise(days, goal, rng(), draws=20)
    needs = {"positive": positive, "negative": labelled - positive}
    if not all(needs[name] for name in goal.needs):
        assert choice.threshold is None and ("no labelled" in choice.reason or not n)
        return
    assert choice.threshold == best(goal, {d: t for d, t in days.items() if t.total[0]})
    if choice.threshold is not None and choice.interval is not None:
        for low, high in (choice.interval, choice.flat):
            assert low <= choice.threshold <= high


@settings(max_examples=40)
@given(DAYS, st.integers(0, 8))
def test_capacity_is_an_order_statistic_over_days(days, most):
    days = {d: t for d, t in counted(days).items() if t.total[0]}
    choice = optimise(days, Capacity(most, 0.75), rng(), draws=20)
    k = rank(len(days), 0.75)
    if not days or k > len(days):
        assert choice.threshold is None and choice.reason
        return
    kept = lambda at: sum(t.at_or_above(at)[0] <= most for t in days.values())
    lowest = min(t.points[0] for t in days.values())
    assert kept(choice.threshold) >= k
    assert choice.threshold == lowest or kept(choice.threshold - 1) < k
    assert choice.value == pytest.approx(1 - kept(choice.threshold) / len(days))


@pytest.mark.parametrize("goal", GOALS, ids=lambda g: type(g).__name__)
def test_where_nothing_can_be_chosen_the_reason_is_said(goal):
    nothing = optimise({}, goal, rng())
    assert nothing.threshold is None and nothing.reason == "no event in these days"
    assert "no event" in repr(nothing) and nothing.to_json()["threshold"] is None
    unlabelled = optimise(counted([[(1, np.nan), (2, np.nan)]] * 9), goal, rng())
    if goal.needs:
        assert unlabelled.threshold is None and "no labelled" in unlabelled.reason
    else:
        assert unlabelled.threshold == 1
    one_day = optimise(counted([[(1, 0), (2, 0), (3, 1), (4, 1)]]), goal, rng())
    assert one_day.interval is None
    if goal.needs:
        assert "no interval is claimed below 7 days" in one_day.says
    else:
        assert "needs at least 3" in one_day.reason
    one_class = optimise(counted([[(1, 1), (2, 1)]] * 9), goal, rng())
    assert (one_class.threshold is None) == ("negative" in goal.needs)


@pytest.mark.parametrize(
    "goal",
    [
        pytest.param(MaxFPR(0.2), marks=pytest.mark.slow),
        MaxFDR(0.4),
        pytest.param(MinRecall(0.7), marks=pytest.mark.slow),
        MinCost(missed=5, review=1),
    ],
    ids=lambda g: type(g).__name__,
)
def test_the_interval_holds_the_threshold_of_all_months(goal):
    "Over days with an effect of their own; a bootstrap of 30 days may fall a little short of .95."
    truth = optimise(counted(made(999, days=500)), goal, rng(), draws=1).threshold
    runs, held, flat = 40, 0, 0
    for seed in range(runs):
        choice = optimise(counted(made(seed, per_day=100)), goal, rng(seed), draws=100)
        held += choice.interval[0] <= truth <= choice.interval[1]
        flat += choice.flat[0] - 20 <= truth <= choice.flat[1] + 20  # a cell of the coarser ladder
    worst = 0.9 - 3 * np.sqrt(0.9 * 0.1 / runs)
    assert held / runs >= worst and flat / runs >= worst


def test_the_same_days_are_drawn_from_the_same_seed_and_scores_stand_beside_points():
    days = counted(made(3))
    one, two = (optimise(days, MaxFPR(0.1), rng(7)) for _ in range(2))
    assert one == two and one.interval != optimise(days, MaxFPR(0.1), rng(7), draws=5).interval
    told = one.to_json()
    assert told["score"] == pytest.approx(float(Grid().inverse(one.threshold)))
    assert f"from {told['score']:.3g} on ({one.threshold:,} points)" in repr(one)


def test_scores_without_a_ceiling_go_the_same_way():
    grid, draw = Grid("linear"), rng(5)
    z = np.abs(draw.normal(0, 1.6, (30, 300)))
    late = draw.random(z.shape) < 1 / (1 + np.exp(-3 * (z - 3)))
    days = counted([list(zip(grid.quantise(a).astype(int), b)) for a, b in zip(z, late)], grid)
    choice = optimise(days, MinCost(missed=4, review=1), rng())
    assert 1_500 < choice.threshold < 5_000 and choice.flat[0] < choice.flat[1]
    assert choice.score(choice.threshold) == choice.threshold / 1_000
    assert choice.threshold == max(
        range(1_500, 5_000),
        key=lambda at: -(4 * (late & (z * 1000 < at - 0.5)).sum() + (z * 1000 >= at - 0.5).sum()),
    ) or choice.value * 30 == pytest.approx(
        min(
            4 * (late & (z * 1000 < at - 0.5)).sum() + (z * 1000 >= at - 0.5).sum()
            for at in range(1_500, 5_000)
        ),
        rel=1e-3,
    )
    with pytest.raises(ValueError, match="linear grid"):
        pays_from([10], review=1, grid=grid)


def test_amounts_replace_missed_positives():
    days = counted([[(0, 1), (10, 0), (20, 1)]] * 8)
    ones = {day: table.n_positive.astype(float) for day, table in days.items()}
    goal = MinCost(missed=3, review=1)
    assert optimise(days, goal, rng(), amounts=ones) == optimise(days, goal, rng())
    dear = {day: np.array([100.0, 0, 1]) for day in days}
    assert optimise(days, MinCost(1, review=5), rng(), amounts=dear).threshold == 0
    cheap = {day: np.array([1.0, 0, 100]) for day in days}
    assert optimise(days, MinCost(1, review=5), rng(), amounts=cheap).threshold == 20
    with pytest.raises(ValueError, match="one for each of its 3 cells"):
        optimise(days, goal, rng(), amounts={day: np.ones(2) for day in days})


@given(st.floats(0.1, 1_000), st.floats(0.1, 100), st.floats(0, 50))
def test_calling_pays_from_there_on_and_not_below(amount, review, false):
    at, grid = int(pays_from(amount, review, false)), Grid()
    gain = lambda p: p * amount - review - (1 - p) * false
    if at <= grid.limit:
        assert gain(float(grid.inverse(at))) >= -1e-6 * (amount + review + false)
        assert at == -grid.limit or gain(float(grid.inverse(at - 1))) < 0
    else:
        assert gain(float(grid.inverse(grid.limit))) < 1e-3 * (amount + review)


def test_a_small_segment_borrows_and_a_large_one_does_not():
    large, small = counted(made(1, per_day=400)), counted(made(2, days=30, per_day=2))
    segments = {"large": large, "small": small}
    pool = {d: large[d] + small[d] for d in large}
    goal, k = MaxFPR(0.1), 50
    own = optimise_segments(segments, goal, rng(), k=k)
    # METHODS: (n S_own + k S_all) / (n + k), by hand at each threshold
    whole, alone = curve(total(pool.values())), total(small.values())
    tail = lambda t, at: t.n_negative[t.points >= at].sum()
    n = alone.n_negative.sum()
    mixed = [(tail(alone, at) + k * fpr) / (n + k) for at, fpr in zip(whole.thresholds, whole.fpr)]
    assert own["small"].threshold == whole.thresholds[np.argmax(np.array(mixed) <= 0.1 + 1e-12)]
    apart = optimise_segments(segments, goal, rng(), k=0)
    assert apart["small"].at == optimise(small, goal, rng()).at  # no event lies between the two
    together = optimise(pool, goal, rng()).threshold
    nearer = [abs(found["small"].threshold - together) for found in (own, apart)]
    assert nearer[0] <= nearer[1]
    assert abs(own["large"].threshold - apart["large"].threshold) < 60
    assert optimise_segments({"a": {}}, goal, rng())["a"].threshold is None


def test_parity_names_the_segment_that_is_treated_differently():
    same = {str(i): counted(made(i, per_day=60)) for i in range(4)}
    assert not any(row.differs for row in parity(same, 0))
    higher = [[(points + 900, y) for points, y in day] for day in made(9, per_day=60)]
    rows = parity(same | {"odd": counted(higher)}, 0)
    assert {row.rate for row in rows if row.segment == "odd" and row.differs} == {"fpr", "fnr"}
    row = next(r for r in rows if r.segment == "odd" and r.rate == "fpr")
    assert row.own.value == pytest.approx(confusion(total(counted(higher).values()), 0).fpr.value)
    assert parity({"one": same["0"]}, 0) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MaxFPR(0), "false positive rate of 0"),
        (lambda: MaxFDR(1), "must lie between 0 and 1"),
        (lambda: MinRecall(80), "recall of 80"),
        (lambda: MinCost(0, 1), "missed must be positive"),
        (lambda: MinCost(5), "false or review, too"),
        (lambda: Capacity(-1, 0.9), "at least 0"),
        (lambda: Capacity(100, 1), "confidence of 1"),
    ],
)
def test_a_goal_that_is_none_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_curve_shows_itself_in_a_line_and_what_is_no_counts_is_named():
    counts = ScoreCounts.from_events(np.array([-100, 0, 300]), np.array([0, 0, 1]))
    assert repr(curve(counts)) == "Curve(3 thresholds, 1 positives, 2 negatives)"
    for wrong in (np.array([0.1, 0.9]), [1, 2], None):
        with pytest.raises(TypeError, match="counts are needed, not .* ScoreCounts.from_events"):
            curve(wrong)
