import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.counts import Histogram, ScoreCounts, require_events, total
from aiops_wb.stats.points import Grid

event = st.tuples(st.integers(-16_000, 16_000), st.sampled_from([0.0, 1.0, np.nan]))
tables = st.lists(event, max_size=40).map(
    lambda e: ScoreCounts.from_events([p for p, _ in e], [y for _, y in e])
)


@given(tables, tables, tables)
def test_addition_is_associative_and_commutative_with_a_zero(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + ScoreCounts.empty() == a
    assert total([a, b, c]) == a + b + c


@given(tables, tables)
def test_subtraction_undoes_addition(a, b):
    assert (a + b) - b == a
    assert (a - a) == ScoreCounts.empty()


@given(tables, tables, st.integers(1, 50), st.integers(1, 4))
def test_coarsening_is_additive_and_composes(a, b, f, g):
    assert (a + b).coarsen(f) == a.coarsen(f) + b.coarsen(f)
    assert a.coarsen(f).coarsen(g) == a.coarsen(f * g)
    assert a.coarsen(f).total == a.total


@given(tables, st.integers(-800, 800))
def test_coarse_thresholds_select_the_same_events(a, k):
    assert a.coarsen(20).at_or_above(20 * k) == a.at_or_above(20 * k)


@given(st.lists(event, max_size=40), st.integers(-17_000, 17_000))
def test_tails_equal_brute_force(events, threshold):
    a = ScoreCounts.from_events([p for p, _ in events], [y for _, y in events])
    above = [y for p, y in events if p >= threshold]
    assert a.at_or_above(threshold) == (
        len(above),
        sum(not np.isnan(y) for y in above),
        sum(y == 1 for y in above),
    )
    for point, tail in zip(a.points, a.tail(a.n)):
        assert tail == sum(p >= point for p, _ in events)


def test_different_grids_refuse():
    a = ScoreCounts.from_events([1, 2])
    for other in (ScoreCounts.empty(Grid("linear")), a.coarsen(20)):
        with pytest.raises(ValueError, match="do not add"):
            a + other
        with pytest.raises(ValueError, match="do not add"):
            total([a, other])


def test_labels_other_than_0_1_are_refused():
    with pytest.raises(ValueError, match="0, 1 or missing"):
        ScoreCounts.from_events([1, 2], [0, 2])


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="lengths"):
        ScoreCounts.of([1, 2], [1], [1], [1])


def test_a_difference_is_no_population():
    a = ScoreCounts.from_events([1, 2], [1, 0])
    with pytest.raises(ValueError, match="difference"):
        require_events(ScoreCounts.empty() - a)


durations = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50)


@given(durations, durations)
def test_histograms_add(a, b):
    both = Histogram.from_values(a) + Histogram.from_values(b)
    assert np.array_equal(both.n, Histogram.from_values(a + b).n)
    assert np.isclose(both.mean, np.mean(a + b))


@given(durations, st.floats(0.01, 1))
def test_quantiles_within_a_bin(a, q):
    exact = np.quantile(a, q, method="inverted_cdf")
    assert abs(np.log2(Histogram.from_values(a).quantile(q) / exact)) <= 0.5 / 16 + 1e-9


def test_empty_and_bad_durations():
    assert np.isnan(Histogram.of([], [], 0).mean) and np.isnan(
        Histogram.of([], [], 0).quantile(0.5)
    )
    with pytest.raises(ValueError, match="at least 0"):
        Histogram.from_values([1, -1])
    with pytest.raises(ValueError, match="at least 0"):
        Histogram.from_values([np.nan])
