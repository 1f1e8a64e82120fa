"""What is compared: sides, the cells that both share, and segments of a coarser grid."""

from collections import Counter

import numpy as np
import pytest

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sides import (
    BANDS,
    FIGURES,
    LEAST,
    Quotient,
    Side,
    cell_counts,
    layout_of,
    ratio,
    side_of,
)

BAR = 250


def drawn(rng, first, threshold=BAR, days=5, rows=900):
    "A side of rows of one event each, of two versions in three segments; a third has no label."
    day, segment, version = (
        rng.integers(days, size=rows),
        rng.integers(3, size=rows),
        rng.integers(2, size=rows),
    )
    labelled = rng.random(rows) < 2 / 3
    counts = np.array([np.ones(rows), labelled, labelled & (rng.random(rows) < 0.4)], dtype=float)
    points = rng.integers(-2000, 2000, rows)
    at = {"v1": threshold, "v2": 0}
    names = list(range(first, first + days)), list("abc"), ["v1", "v2"]
    return Side(*names, day, segment, version, points, counts, at)


def in_cells(side, layout):
    "Cells -> events, labelled and positive, row by row."
    found = Counter()
    for d, g, v, p, *n in zip(side.day, side.segment, side.version, side.points, *side.counts):
        name = side.versions[v]
        band = max(i for i, edge in enumerate(layout.edges[name]) if i == 0 or edge <= p)
        place = d, layout.place[side.segments[g]], layout.versions.index(name), band
        for kind, value in zip(("events", "labelled", "positive"), n):
            found[kind, *place] += value
    return found


@pytest.mark.parametrize("threshold", [BAR, np.array([BAR, BAR, 900, BAR, np.inf])])
def test_cells_hold_what_a_loop_over_rows_adds_up(threshold):
    rng = np.random.default_rng(1)
    sides = drawn(rng, 0), drawn(rng, 10, threshold)
    layout = layout_of(*sides)
    for side in sides:
        table = cell_counts(side, layout, Quotient.of("precision"))
        found = {
            (kind, *cell): n
            for kind, counts in table.counts.items()
            for cell, n in np.ndenumerate(counts)
            if n
        }
        assert found == +in_cells(side, layout)


def test_events_at_or_above_a_threshold_that_moved_are_those_of_the_days():
    rng = np.random.default_rng(2)
    moved = np.array([-1000, BAR, 900, 1300, np.inf])
    before, after = drawn(rng, 0), drawn(rng, 10, moved)
    layout = layout_of(before, before)  # bands of a threshold that stood on one of the days
    table = cell_counts(after, layout, Quotient.of("false_tickets"))
    bar = np.where(after.version == 0, moved[after.day], 0)
    rows = np.array([after.counts[0], after.counts[2], after.counts[1] - after.counts[2]])
    by_hand = (rows * (after.points >= bar)).sum(axis=1)
    assert [table.above[k].sum() for k in ("events", "positive", "negative")] == by_hand.tolist()


def test_the_order_of_sides_is_nothing_to_the_layout():
    rng = np.random.default_rng(3)
    before, after = drawn(rng, 0), drawn(rng, 10, 900, rows=3000)
    one, two = layout_of(before, after), layout_of(after, before)
    assert one[:2] == two[:2] and one.place == two.place
    for version, edges in one.edges.items():
        assert edges.tolist() == two.edges[version].tolist()
    assert {BAR, 900} <= set(one.edges["v1"]) and 0 in one.edges["v2"]
    assert one.bands <= 3 * BANDS


@pytest.mark.parametrize(
    ("events", "names"), [(LEAST, ("a", "b", "c")), (LEAST - 1, ("a", "others"))]
)
def test_segments_below_the_least_go_together(events, names):
    n = dict(a=500, b=events, c=events)
    of = lambda day: {(day, g, "v1"): ScoreCounts.of([BAR], [k], [k], [0]) for g, k in n.items()}
    layout = layout_of(*(side_of(of(day), BAR) for day in (0, 1)))
    assert layout.segments == names
    alone = layout_of(
        *(side_of({k: t for k, t in of(day).items() if k[1] != "c"}, BAR) for day in (0, 1))
    )
    assert alone.segments == ("a", "b")  # a single small one has nobody to go with


def test_nothing_divided_by_nothing_is_not_known():
    found = ratio(np.array([0.0, 1.0]), np.array([[0.0, 4.0], [2.0, 0.0]]))
    assert np.array_equal(found, [[np.nan, 0.25], [0.0, np.nan]], equal_nan=True)


def test_a_figure_has_a_name_and_cost_a_price():
    for name in FIGURES.keys() - {"cost"}:
        assert Quotient.of(name) == FIGURES[name]
    assert Quotient.of("cost", 7).numerator == (1, 7, -7)
    for price in (None, 0, -1, np.nan):
        with pytest.raises(ValueError, match="miss_cost"):
            Quotient.of("cost", price)
    with pytest.raises(ValueError, match="choose one of precision"):
        Quotient.of("accuracy")


def test_counts_that_are_no_side_are_refused():
    with pytest.raises(ValueError, match="no threshold is named"):
        side_of({(0, "a", "v2"): ScoreCounts.empty()}, {"v1": 0})
    empty = ScoreCounts.empty(), ScoreCounts.empty(Grid("linear"))
    with pytest.raises(ValueError, match="2 grids"):
        side_of({(day, "a", "v"): counts for day, counts in enumerate(empty)}, 0)
