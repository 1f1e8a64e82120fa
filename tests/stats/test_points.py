import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.points import LIMIT, Grid

probabilities = st.floats(0, 1, allow_nan=False)


@given(st.lists(probabilities, min_size=1))
def test_float32_and_float64_land_on_the_same_point(values):
    p = np.array(values)
    assert np.array_equal(Grid().quantise(p), Grid().quantise(p.astype(np.float32)))
    assert np.array_equal(
        Grid().quantise(p.astype(np.float32)),
        Grid().quantise(p.astype(np.float32).astype(np.float64)),
    )


@given(st.lists(probabilities, min_size=2))
def test_order_is_kept(values):
    p = np.sort(values)
    assert (np.diff(Grid().quantise(p).astype(int)) >= 0).all()


@given(st.integers(-9_700, 9_700))
def test_every_point_comes_back(point):
    assert int(Grid().quantise(Grid().inverse(point))) == point


@given(st.floats(1e-6, 0.999))
def test_quantised_by_definition(p):
    x = float(np.float32(p))
    exact = 1000 * np.log(x / (1 - x))
    assert abs(int(Grid().quantise(p)) - exact) <= 0.5 + 1e-6


@given(st.integers(-16_000, 16_000), st.integers(1, 400))
def test_cells_hold_their_points(point, step):
    cell = int(Grid("logit", step).cells(point))
    assert cell % step == 0 and cell <= point < cell + step


@given(st.integers(-15_999, 15_999))
def test_edges_lie_between_points(point):
    grid = Grid()
    assert grid.inverse(point - 1) <= grid.edges(point) <= grid.inverse(point)


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [-0.001], [1.001], [0.5, np.nan], [0.1, 2.0]])
def test_impossible_probabilities_are_refused_by_place(bad):
    with pytest.raises(ValueError, match="position"):
        Grid().quantise(bad)


def test_ends_clip():
    assert Grid().quantise([0.0, 1e-300, 1.0]).tolist() == [-16_000, -16_000, 16_000]
    assert Grid("linear").quantise([-1e300, 40, 1.2344]).tolist() == [
        -LIMIT["linear"],
        LIMIT["linear"],
        1234,
    ]


def test_shapes_and_empty():
    assert Grid().quantise([]).shape == (0,)
    assert Grid().quantise(0.5).shape == ()
    assert Grid().quantise(np.full((2, 3), 0.5)).shape == (2, 3)


@pytest.mark.parametrize("grid", [Grid(), Grid("linear"), Grid("logit", 20)])
def test_names_are_read_back(grid):
    assert Grid.parse(grid.name) == grid


def test_unknown_kind_and_step_are_refused():
    with pytest.raises(ValueError, match="log"):
        Grid("log")
    with pytest.raises(ValueError, match="step"):
        Grid("logit", 0)


def test_one_score_is_refused_without_a_position():
    with pytest.raises(ValueError, match=r"^score 70.0 is not allowed: a logit score must be"):
        Grid().quantise(70)
    with pytest.raises(ValueError, match=r"at position 1 is not allowed \(1 of 2 are not\)"):
        Grid().quantise([0.5, 70])
