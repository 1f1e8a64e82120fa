"""Inner parts of statistics, each against its formula written out on a few numbers."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from aiops_wb.stats import sequential
from aiops_wb.stats.bridge import _BITS, _SIZE, FACTORS, _rates, _weights, _World
from aiops_wb.stats.sequential import DayReference
from aiops_wb.stats.streams import Daily, _of_shares

MONDAY = date(2026, 1, 5)


def reference():
    "Each weekday has shares of its own; holidays others."
    share = np.linspace(0.1, 0.5, 8)[:, None] + [0.0, 0.2]
    return DayReference(
        share, np.array([1e-4, 2e-4]), np.full(8, 9), np.full(8, 900), np.array([0.01, 0.02]), True
    )


def test_what_a_day_adds_is_that_of_the_newest_day_of_the_mean_size():
    days = [MONDAY + timedelta(i) for i in range(5)]
    n = np.array([50.0, 100, 300, 200, 400])
    now, normal = Daily(np.zeros((5, 2)), n, days), reference()
    usual = normal.share[days[-1].weekday()]
    middle = int(np.argmin(np.abs(usual - 0.5)))

    def told(normal, sides):
        size, best = n[-3:].mean(), 0.0
        for side in sides:
            moved = np.clip(usual + side * 0.05, 0, 1)
            bets = sequential.share_bets(size * moved[None], [size], now.kind[-1:], normal, 0.005)
            best = max(best, bets[0, middle::2].max())
        return pytest.approx(best, rel=1e-12)

    asked = now, normal, 0.005, 3
    assert _of_shares(*asked, change=0.05) == told(normal, (1, -1))
    steady = replace(normal, variance=np.zeros(2))
    assert _of_shares(*asked, change=0.05, alike=True) == told(steady, (1, -1))
    assert _of_shares(*asked, change=0.05, sides=(1,)) == told(normal, (1,))
    assert _of_shares(*asked, change=0.05) != told(steady, (1, -1))
    nothing = Daily(np.zeros((0, 2)), np.zeros(0), [])
    assert _of_shares(nothing, normal, 0.005, 3) == 0.0


def paths(known):
    "Ways from a world to the last one, by adding one factor after another, through known worlds."
    ways = np.zeros(_SIZE)
    ways[-1] = known[-1]
    for world in reversed(range(_SIZE - 1)):
        ways[world] = known[world] * sum(ways[world | bit] for bit in _BITS if not world & bit)
    return ways


@pytest.mark.parametrize("unknown", [(), (0,), (_SIZE - 1,), (0, _SIZE - 1), (1, 2, 64)])
def test_weights_of_orders_are_those_of_ways_through_known_worlds(unknown):
    known = np.ones(_SIZE, dtype=bool)
    known[list(unknown)] = False
    weights, share = _weights(known.tobytes())
    every = paths(np.ones(_SIZE))[0]
    ways = paths(known)[0]
    assert share == pytest.approx(ways / every)
    if not ways:
        return
    for i, bit in enumerate(_BITS):
        assert weights[i].sum() == pytest.approx(1.0), FACTORS[i]
        assert not weights[i][[w for w in range(_SIZE) if w & bit]].any()


def world(calibration, together):
    "A world of which the shares of positives in bands are asked alone."
    asked = {"calibration": np.array(calibration), "together": np.array(together)}
    return _World(**dict.fromkeys(_World._fields) | asked)


def test_early_labels_favour_positives_by_the_odds_of_the_cell_else_of_the_band():
    before, after = world([0.5, 0.0], [0.5, 0.4]), world([0.6, 0.3], [0.6, 0.3])
    settled = world([0.4, 0.0], [0.4, 0.2])
    (told, known), (early, now) = _rates(before, after, settled)
    assert told.tolist() == [0.5, 0.0] and known.tolist() == [0.4, 0.0]
    odds = (0.5 * 0.6) / (0.5 * 0.4), (0.4 * 0.8) / (0.6 * 0.2)
    expected = [f * p / (f * p + 1 - p) for f, p in zip(odds, (0.6, 0.3))]
    assert early == pytest.approx(expected) and now.tolist() == [0.6, 0.3]
