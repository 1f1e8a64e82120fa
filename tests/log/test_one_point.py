import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.log.one_point import LIMITS, PER_UNIT, points_of
from aiops_wb.stats import points
from aiops_wb.stats.points import Grid


def neighbours(kind):
    "Scores beside every edge of a grid: float32 and float64, one step to each side."
    limit = LIMITS[kind]
    edges = Grid(kind).edges(np.arange(-limit, limit + 1))
    narrow = edges.astype(np.float32)
    around = [edges, narrow.astype(np.float64)]
    for way in (-np.inf, np.inf):
        around.append(np.nextafter(edges, way))
        around.append(np.nextafter(narrow, np.float32(way)).astype(np.float64))
    scores = np.concatenate(around)
    return scores[(scores >= 0) & (scores <= 1)] if kind == "logit" else scores


@pytest.mark.parametrize("kind", LIMITS)
def test_one_score_has_the_points_of_the_grid_beside_every_edge(kind):
    scores = neighbours(kind)
    assert len(scores) >= 6 * 32_001 - 6
    ours = [points_of(score, kind) for score in scores.tolist()]
    assert np.array_equal(ours, Grid(kind).quantise(scores))


@given(st.floats(0, 1))
def test_any_probability(score):
    assert points_of(score) == Grid().quantise(score)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number(score):
    assert points_of(score, "linear") == Grid("linear").quantise(score)


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf"), -0.1, 1.1])
def test_what_the_grid_refuses_is_refused(kind, score):
    try:
        expected = Grid(kind).quantise(score)
    except ValueError:
        with pytest.raises(ValueError, match="is not allowed"):
            points_of(score, kind)
    else:
        assert points_of(score, kind) == expected


def test_the_same_scale():
    assert (PER_UNIT, LIMITS) == (points.PER_UNIT, points.LIMIT)
