"""Figures expected before labels, held against NannyML's CBPE; bench/peers/cbpe_fixture.py makes
the file.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.estimates import expected_performance
from aiops_wb.stats.points import Grid

FIXTURE = json.loads(
    (Path(__file__).parent / "data" / "nannyml_cbpe.json").read_text(encoding="utf-8")
)
GRID = Grid()


@pytest.fixture(scope="module")
def expected():
    drawn = np.rint(
        4000 * np.random.default_rng(FIXTURE["seed"]).random((FIXTURE["n"], 3)).sum(axis=1) - 7000
    )
    points = GRID.quantise(1 / (1 + np.exp(-drawn / 1000)))
    assert (
        np.array_equal(points, drawn) and drawn.sum() == FIXTURE["sum_of_points"]
    )  # both saw the same rows, and the same probabilities
    counts = ScoreCounts.from_events(points)
    return expected_performance(counts, GRID.inverse(counts.points), 0)


@pytest.mark.parametrize(
    "name, within",
    [("accuracy", 1e-9), ("precision", 1e-9), ("recall", 1e-9), ("f1", 1e-9), ("roc_auc", 1e-8)],
)  # NannyML rounds its sums to five places on the way to roc_auc
def test_expected_figures_are_those_of_cbpe(expected, name, within):
    assert expected[name].value == pytest.approx(FIXTURE["estimates"][name], abs=within)
