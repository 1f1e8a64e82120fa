"""Why a figure changed: the parts add up, mean what they say, and are as sure as they say."""

from dataclasses import fields
from itertools import permutations, product
from math import isnan

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as fast
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind

from aiops_wb.stats.bridge import FACTORS, bridge, order_weights
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.performance import summary
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sides import FIGURES, Side, layout_of, shared_out, side_of
from bench.bridged import FIGURES as TRIED
from bench.bridged import Law, account, sides, tried

COST = {"miss_cost": 5.0}


def tables(rng, first, days=6, segments=("a", "b"), versions=("v1",), events=400, shift=0, **law):
    "Counts by day, segment and version of events with labels."
    known, odds = law.get("known", 0.9), law.get("odds", 0.0)
    made = {}
    for key in product(range(first, first + days), segments, versions):
        n = rng.poisson(events)
        logit = rng.normal(-1 + shift + 0.3 * len(key[1]), 1.2, n)
        label = np.where(rng.random(n) < 1 / (1 + np.exp(-logit - odds)), 1.0, 0.0)
        label[rng.random(n) > known] = np.nan
        made[key] = ScoreCounts.from_events(np.rint(1000 * logit).astype(int), label)
    return made


def changed(side, **other):
    return Side(**{f.name: getattr(side, f.name) for f in fields(Side)} | other)


def parts(found):
    return {p.factor: p.change.value for p in found.parts}


def moved(found):
    return {p.factor for p in found.parts if abs(p.change.value) > 1e-9 * abs(found.before)}


counts = st.lists(
    st.tuples(
        st.integers(0, 2),  # day
        st.sampled_from("abc"),
        st.sampled_from(("v1", "v2")),
        st.integers(-60, 60).map(lambda x: 50 * x),
        st.tuples(*(st.integers(0, 400),) * 3).map(sorted),
    ),
    min_size=1,
    max_size=25,
)
bars = st.one_of(
    st.integers(-2000, 2000), st.lists(st.integers(-2000, 2000), min_size=3, max_size=3)
)


def drawn_side(rows, bar, other_bar, first):
    "A side of any rows; some bars differ from day to day."
    days, segments, versions = [first + i for i in range(3)], list("abc"), ["v1", "v2"]
    named = [("day", [r[0] for r in rows]), ("segment", ["abc".index(r[1]) for r in rows])]
    named += [("version", [versions.index(r[2]) for r in rows]), ("points", [r[3] for r in rows])]
    columns = {name: np.array(values, dtype=np.int64) for name, values in named}
    table = np.array([r[4][::-1] for r in rows], dtype=np.float64).T
    at = {"v1": np.array(bar), "v2": np.array(other_bar)}
    return Side(days, segments, versions, **columns, counts=table, threshold=at)


@fast(max_examples=60, phases=[Phase.generate])
@given(counts, counts, counts, st.tuples(bars, bars, bars, bars), st.sampled_from(sorted(FIGURES)))
def test_parts_add_up_and_ends_are_what_was_counted(one, two, known, bar, figure):
    before, after = drawn_side(one, *bar[:2], 0), drawn_side(two, *bar[2:], 10)
    later = [r[:4] + (k[4],) for r, k in zip(one, (known * 25))]
    settled = drawn_side(later, *bar[:2], 0)
    for more in ({}, {"settled": settled}):
        found = bridge(before, after, figure, **COST, **more)
        assert found.says().endswith(".")
        if found.unknown:
            continue
        pulls = (abs(p.change.value) for p in found.parts)
        size = max(abs(found.before), abs(found.after), *pulls)
        assert abs(found.residual) <= 1e-9 * size + 1e-300
        for side, value in ((before, found.before), (after, found.after)):
            assert value == pytest.approx(by_rows(side, figure), rel=1e-9, abs=1e-12)
        for part in found.parts:
            assert sum(part.where.values()) == pytest.approx(part.change.value, abs=1e-9 * size)


def by_rows(side, figure):
    "A figure from a side's rows."
    at = np.array([np.broadcast_to(side.threshold[v], 3) for v in side.versions])
    high = side.points >= at[side.version, side.day]
    n, labelled, positive = side.counts
    p = side.grid.inverse(side.points)
    lost = positive * (1 - p) ** 2 + (labelled - positive) * p**2
    return {
        "precision": lambda: positive[high].sum() / labelled[high].sum(),
        "recall": lambda: positive[high].sum() / positive.sum(),
        "alerts": lambda: n[high].sum() / 3,
        "tickets": lambda: n[high].sum() / 3,
        "false_tickets": lambda: (labelled - positive)[high].sum() / 3,
        "positive_rate": lambda: positive.sum() / labelled.sum(),
        "brier": lambda: lost.sum() / labelled.sum(),
        "cost": lambda: (n[high].sum() + 5 * positive[~high].sum()) / 3,
    }[figure]()


@fast(max_examples=40)
@given(counts, counts, st.tuples(bars, bars), st.sampled_from(sorted(FIGURES)))
def test_the_way_back_is_the_way_there(one, two, bar, figure):
    both = drawn_side(one, *bar, 0), drawn_side(two, *bar, 10)
    there, back = bridge(*both, figure, **COST), bridge(*both[::-1], figure, **COST)
    assert bool(there.unknown) == bool(back.unknown)
    for a, b in zip(there.parts, back.parts):
        assert a.change.value == pytest.approx(-b.change.value, abs=1e-9 * (1 + abs(there.before)))


def test_orders_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.3):
        known = rng.random(128) >= share
        known[[0, -1]] = True
        value, sums, ways = rng.normal(size=128), np.zeros(7), 0
        for order in permutations(range(7)):
            worlds = np.cumsum([0, *(64 >> factor for factor in order)])
            if known[worlds].all():
                ways += 1
                sums[list(order)] += np.diff(value[worlds])
        weights, told = order_weights(known)
        ours = np.array(
            [(w * (value[np.arange(128) | b] - value)).sum() for w, b in steps(weights)]
        )
        assert told == pytest.approx(ways / 5040)
        assert np.allclose(ours, sums / max(ways, 1), atol=1e-12)


def steps(weights):
    return ((row, 64 >> i) for i, row in enumerate(weights))


def test_hybrid_worlds_are_those_of_loops():
    "Precision in each world, put together cell by cell where every cell has labels."
    rng = np.random.default_rng(1)
    both = [tables(rng, 0, events=4000), tables(rng, 10, events=5000, shift=0.2, odds=-0.4)]
    before, after = (side_of(t, at) for t, at in zip(both, (900, 0)))
    found = bridge(before, after, "precision")
    layout = layout_of(before, after)
    cells = [by_loops(t, layout) for t in both]
    bars = [layout.edges["v1"].searchsorted(at) for at in (900, 0)]
    values = {}
    for world in product((0, 1), repeat=7):
        pick, hits, alerts = dict(zip(FACTORS, world)), 0.0, 0.0
        for g, b in product(range(2), range(layout.bands)):
            if b < bars[pick["threshold"]]:
                continue
            side = cells[pick["mix"]]
            events = side[0, g].sum() / side[0].sum()
            events *= cells[pick["scores"]][0, g, b] / cells[pick["scores"]][0, g].sum()
            labels = cells[pick["labels"]]
            events *= labels[1, g, b] / labels[0, g, b]
            rate = cells[pick["calibration"]]
            hits += events * rate[2, g, b] / rate[1, g, b]
            alerts += events
        values[world] = hits / alerts
    slow_parts = np.zeros(7)
    for order in permutations(range(7)):
        world = [0] * 7
        for factor in order:
            start = values[tuple(world)]
            world[factor] = 1
            slow_parts[factor] += (values[tuple(world)] - start) / 5040
    assert np.allclose([p.change.value for p in found.parts], slow_parts, atol=1e-10)


def by_loops(made, layout):
    "(3, segments, bands) sums of tables."
    found = np.zeros((3, 2, layout.bands))
    for (_, g, v), t in made.items():
        band = np.searchsorted(layout.edges[v][1:], t.points, side="right")
        for i, column in enumerate(t.columns):
            np.add.at(found[i, "ab".index(g)], band, column)
    return found


@pytest.mark.parametrize("figure", ["precision", "recall", "positive_rate", "brier", "alerts"])
def test_the_ends_are_the_figures_of_the_page(figure):
    rng = np.random.default_rng(2)
    both = tables(rng, 0), tables(rng, 10, shift=0.3)
    found = bridge(*(side_of(t, 250) for t in both), figure)
    for made, value in zip(both, (found.before, found.after)):
        counted = summary(total(made.values()), 250)[figure].value
        assert value == pytest.approx(counted / (6 if figure == "alerts" else 1), rel=1e-12)


def test_the_change_of_a_daily_count_has_the_interval_of_welch():
    rng = np.random.default_rng(3)
    both = tables(rng, 0, days=9), tables(rng, 20, days=5)
    found = bridge(*(side_of(t, 250) for t in both), "alerts")
    a_day = [np.zeros(9), np.zeros(5)]
    for made, n, first in zip(both, a_day, (0, 20)):
        for (day, _, _), t in made.items():
            n[day - first] += t.at_or_above(250)[0]
    usual = ttest_ind(a_day[1], a_day[0], equal_var=False).confidence_interval(0.95)
    assert found.change[1:3] == pytest.approx((usual.low, usual.high), rel=1e-9)


def test_on_the_same_days_the_change_of_a_daily_count_has_the_interval_of_pairs():
    rng = np.random.default_rng(6)
    made = tables(rng, 0, days=9)
    busy = {key: rng.integers(1, 4) for key in range(9)}  # days that differ on both sides alike
    made = {(d, *key): _times(t, busy[d]) for (d, *key), t in made.items()}
    found = bridge(side_of(made, 250), side_of(made, 900), "alerts")
    fewer = np.zeros(9)
    for (day, *_), t in made.items():
        fewer[day] += t.at_or_above(900)[0] - t.at_or_above(250)[0]
    usual = ttest_1samp(fewer, 0).confidence_interval(0.95)
    assert found.change[1:3] == pytest.approx((usual.low, usual.high), rel=1e-9)


def _times(t, n):
    return ScoreCounts.of(t.points, t.n * n, t.n_labelled * n, t.n_positive * n, t.grid)


def test_one_change_moves_one_part():
    rng = np.random.default_rng(4)
    side = side_of(tables(rng, 0), 250)
    later = changed(side, days=[d + 10 for d in side.days])
    n, labelled, positive = side.counts
    in_a = side.segment == 0
    only = {
        "volume": changed(later, counts=2 * side.counts),
        "mix": changed(later, counts=side.counts * np.where(in_a, 3, 1)),
        "calibration": changed(later, counts=np.array([n, labelled, positive / 2])),
        "threshold": changed(later, threshold={"v1": 900}),
        "version": changed(later, versions=["v2"], threshold={"v2": 700}, points=side.points + 300),
        "labels": changed(later, counts=np.array([n, labelled, positive]) * [[1], [0.5], [0.5]]),
    }
    for cause, other in only.items():
        volume = {"volume"} if cause == "mix" else set()  # three times as many come from there
        for figure in FIGURES:
            assert moved(bridge(side, other, figure, **COST)) <= {cause} | volume, figure
        at_all = {"volume": "alerts", "labels": "false_tickets"}.get(cause, "precision")
        assert moved(bridge(side, other, at_all, **COST)) == {cause}


def test_a_segment_or_a_version_that_is_new_is_mix_or_version_alone():
    rng = np.random.default_rng(5)
    made, new = tables(rng, 0), tables(rng, 10, segments=("site",), odds=-2, shift=1)
    same = {(day + 10, *key): t for (day, *key), t in made.items()}
    joined = bridge(side_of(made, 250), side_of(same | new, 250), "precision")
    assert moved(joined) == {"mix"} and "to site" in joined.says()
    other = tables(rng, 10, versions=("v2",), odds=-1, shift=1)
    at = {"v1": 250, "v2": 900}
    assert moved(bridge(side_of(made, at), side_of(other, at), "precision")) <= {"version", "mix"}
    half = {k: t for k, t in same.items() if k[0] < 13} | {
        k: t for k, t in other.items() if k[0] > 12
    }
    found = bridge(side_of(made, at), side_of(half, at), "precision")
    assert found.ranked[0].factor == "version"
    assert found.ranked[0].because == "version v2 scored"


def test_labels_that_came_late_are_not_calibration():
    before, after, later = Law(known=(0.9, 0.4)), Law(), (0.95, 0.95)
    first, settled = sides(before, 6, 0, np.random.default_rng(6), later)
    same_days = bridge(first, settled, "precision", settled=settled)
    assert same_days.ranked[0].factor == "labels" and "labels came late" in same_days.says()
    assert moved(same_days) == {"labels"}
    found = bridge(
        first, sides(after, 6, 50, np.random.default_rng(7))[0], "precision", settled=settled
    )
    assert found.ranked[0].factor == "labels"
    blind = bridge(first, sides(after, 6, 50, np.random.default_rng(7))[0], "precision")
    assert blind.ranked[0].factor == "calibration"


def test_segments_of_a_coarser_grid_add_up_to_the_whole():
    rng, days = np.random.default_rng(8), list(range(6))
    made = tables(rng, 0, segments=("a", "b", ""))
    fine = {}
    for (day, _, v), t in made.items():
        fine[day, "all", v] = fine.get((day, "all", v), ScoreCounts.empty()) + t
    whole = side_of(fine, 253, days)
    coarse = {k: t.coarsen(20) for k, t in made.items() if k[1]}
    parted = shared_out(whole, side_of(coarse, 253, days), {"v1": [253, 901]})
    assert parted.segments == ("a", "b", "elsewhere")
    assert np.allclose(parted.counts.sum(axis=1), whole.counts.sum(axis=1))
    for bar in (253, 901):
        cut = [changed(s, threshold={"v1": bar}) for s in (whole, parted)]
        cut = [(s, changed(s, days=[d + 10 for d in days])) for s in cut]
        for figure in FIGURES:
            a, b = (bridge(*pair, figure, **COST) for pair in cut)
            assert (a.before, a.after) == pytest.approx((b.before, b.after), rel=1e-12)
    with pytest.raises(ValueError, match="more events than there are"):
        parts_of_more = side_of(coarse, 253, days)
        shared_out(whole, changed(parts_of_more, counts=9 * parts_of_more.counts), {})
    with pytest.raises(ValueError, match="of other days"):
        shared_out(whole, changed(parts_of_more, days=[d + 1 for d in days]), {})


def test_small_segments_are_taken_together():
    rng = np.random.default_rng(9)
    small = {}
    for first in (0, 10):
        many = tables(rng, first, segments=tuple("cdefgh"), events=8)
        small[first] = tables(rng, first) | many
    found = bridge(side_of(small[0], 250), side_of(small[10], 250), "alerts")
    assert list(found.parts[1].where) == ["a", "b", "others"]


def one_side(first, days=3, label=1.0, n=50):
    points = np.repeat([-1000, 1000], n)
    labels = np.full(2 * n, label)
    return side_of(
        {(first + i, "all", "v1"): ScoreCounts.from_events(points, labels) for i in range(days)}, 0
    )


def test_what_is_not_known_is_said():
    nothing = side_of({}, {"v1": 0}, [1, 2, 3])
    full, unlabelled = one_side(10), one_side(20, label=np.nan)
    found = bridge(nothing, full, "alerts")
    assert "no events on the days before" in found.says()
    assert np.isnan(found.before) and np.isnan(found.change.value) and found.after > 0
    assert "no events on the days after" in bridge(full, nothing, "precision").says()
    assert "no label is known of the days after" in bridge(full, unlabelled, "precision").says()
    assert not bridge(full, unlabelled, "alerts").unknown
    negative = one_side(20, label=0.0)
    assert "nothing to divide by" in bridge(full, negative, "recall").says()
    assert bridge(full, negative, "precision").change.value == -1
    silent = changed(full, threshold={"v1": 9000})
    assert bridge(silent, one_side(20), "precision").unknown
    never = changed(full, threshold={"v1": np.inf}, days=[30, 31, 32])
    assert moved(bridge(full, never, "tickets")) == {"threshold"}


def test_few_days_have_no_interval():
    one = bridge(one_side(0, days=1), one_side(5, days=1, label=0.0), "precision")
    assert isnan(one.change.lower) and "too few days" in one.says()
    assert one.ranked[0].factor == "calibration" and one.ranked[0].beyond_chance
    same = bridge(one_side(0, days=5), one_side(9, days=5), "alerts")
    assert same.says() == "Alerts a day is what it was, 50.00."


def test_what_cannot_be_asked_is_refused():
    side, later = one_side(0), one_side(10)
    with pytest.raises(ValueError, match="choose one of precision"):
        bridge(side, later, "accuracy")
    with pytest.raises(ValueError, match="miss_cost"):
        bridge(side, later, "cost")
    with pytest.raises(ValueError, match="overlap"):
        bridge(side, one_side(1), "alerts")
    with pytest.raises(ValueError, match="of the days before"):
        bridge(side, later, "alerts", settled=later)
    with pytest.raises(ValueError, match="cannot be compared"):
        bridge(side, changed(later, grid=Grid("logit", 20)), "alerts")
    with pytest.raises(ValueError, match="linear grid"):
        linear = [changed(s, grid=Grid("linear")) for s in (side, later)]
        bridge(*linear, "brier")


def test_a_planted_cause_is_ranked_first_and_intervals_hold():
    "21 worlds, three of each cause, within three standard errors; 1,000 in bench/guarantees.py."
    first, held = tried(21, (7, 7))
    assert np.mean(first) >= 0.9 - 3 * np.sqrt(0.09 / 21)
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 21)


@pytest.mark.slow
def test_intervals_hold_as_often_as_they_say():
    "210 worlds; the parts of one are not independent: the error is that of the worlds."
    for days in ((7, 7), (28, 28)):
        first, held = tried(210, days)
        assert np.mean(first) >= 0.9 - 3 * np.sqrt(0.09 / 210)
        assert abs(np.mean(held) - 0.95) <= 0.02 + 3 * np.sqrt(0.05 * 0.95 / 210)


def test_worlds_of_the_simulation_differ_by_their_cause_alone():
    for cause, other in {"threshold": Law(threshold=900), "scores": Law(shift=0.4)}.items():
        true = account((Law(), other, None), TRIED[0], None)
        assert true.ranked[0].factor == cause
        rest = sum(abs(p.change.value) for p in true.ranked[1:])
        assert rest < 0.03 * abs(true.change.value)
