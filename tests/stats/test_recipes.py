"""Retraining policies beside never: blocks, intervals that hold at once, and what is said."""

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from aiops_wb.stats.evidence import mean_interval
from aiops_wb.stats.recipes import NEVER, Lost, answer, block_length, gains

START = date(2025, 1, 6)
FIVE = {f"p{i}": f"as {i}" for i in range(5)}


def days(weeks):
    return [START + timedelta(i) for i in range(7 * weeks)]


def lost(rng, weeks=40, effects=(0, 0, 0, 0, 0), sd=1.0):
    "Losses of five policies and never on days of 100 events."
    of = {name: 40 + rng.normal(-e, sd, 7 * weeks) for name, e in zip(FIVE, effects)}
    of[NEVER] = 40 + rng.normal(0, sd, 7 * weeks)
    return Lost(days(weeks), np.full(7 * weeks, 100.0), of)


def test_an_interval_is_the_one_of_scipy():
    sample = np.random.default_rng(0).normal(size=12)
    for confidence in (0.9, 0.99):
        told = stats.ttest_1samp(sample, 0).confidence_interval(confidence)
        assert mean_interval(sample, confidence)[1:] == pytest.approx((told.low, told.high))


def test_gains_are_differences_of_weeks_and_their_intervals_are_shared():
    of = lost(np.random.default_rng(1), weeks=6)
    pairs = [("p0", NEVER), ("p1", "p0")]
    for gain, (name, against) in zip(gains(of, pairs, 7, 0.9), pairs):
        weeks = (of.of[against] - of.of[name]).reshape(6, 7).sum(axis=1) / 700
        told = stats.ttest_1samp(weeks, 0).confidence_interval(0.95)  # each of two at 95 %
        assert gain.gain == pytest.approx(weeks.mean()) and gain.blocks == 6
        assert (gain.lower, gain.upper) == pytest.approx((told.low, told.high))


def test_policies_that_are_no_better_are_praised_as_seldom_as_is_said():
    rng, runs = np.random.default_rng(2), 250
    praised = sum(answer(lost(rng), FIVE).best is not None for _ in range(runs))
    assert praised / runs <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)


def test_the_better_ones_are_found_and_told_from_those_that_are_not():
    told = answer(lost(np.random.default_rng(3), effects=(2, 2, 0, 0, -2)), FIVE)
    assert told.best in ("p0", "p1") and set(told.alike) == {"p0", "p1"} - {told.best}
    assert str(told).startswith("Retrain as ") and "cannot be told apart from" in told.says
    alone = answer(lost(np.random.default_rng(3), effects=(2, 0, 0, 0, -2)), FIVE)
    assert (
        alone.best == "p0"
        and not alone.unknown
        and alone.says.endswith("and more than every other policy.")
    )
    (one,) = answer(lost(np.random.default_rng(3), effects=(2,) * 5), {"p0": "now"}).gains
    assert (
        "shared" not in answer(lost(np.random.default_rng(3), effects=(2,) * 5), {"p0": "x"}).says
    )
    assert one.lower > alone.gains[0].lower  # which was shared by five


def test_what_does_harm_is_said():
    worse = answer(lost(np.random.default_rng(4), effects=(-2,) * 5), FIVE)
    assert worse.best is None and worse.says.startswith("Do not retrain in any of these ways")
    assert not worse.unknown
    some = answer(lost(np.random.default_rng(4), effects=(-2, 0, 0, 0, 0)), FIVE)
    assert some.unknown and some.says.startswith("Unknown: 40 weeks cannot tell")
    assert "p0 lost more than" in some.says


def test_blocks_are_as_long_as_weeks_need_that_tell_of_the_next():
    rng, weeks = np.random.default_rng(5), 80
    fortnights = np.repeat(rng.normal(0, 5, weeks // 2), 14)
    of = {NEVER: 40 + fortnights, "p0": 40 + rng.normal(0, 0.1, 7 * weeks)}
    tied = Lost(days(weeks), np.full(7 * weeks, 100.0), of)
    assert block_length([tied.paired("p0")]) == 14
    for weeks, length in ((15, 14), (59, 28), (63, None)):
        drift = {NEVER: 40 + np.linspace(-5, 5, 7 * weeks), "p0": np.full(7 * weeks, 40.0)}
        gone = Lost(days(weeks), np.full(7 * weeks, 100.0), drift)
        assert block_length([gone.paired("p0")]) == length
        says = answer(gone, {"p0": "as 0"}).says
        assert ("cannot be seen whether" in says) == (length is not None)
    assert says.endswith("one tells of the next: no interval holds.")


def test_too_few_weeks_say_nothing():
    for weeks, told in ((0, "0 weeks"), (1, "1 week "), (3, "3 weeks")):
        few = answer(lost(np.random.default_rng(6), weeks), FIVE)
        assert few.unknown and few.says.startswith(f"Unknown: {told}")
        assert "at least 4 are needed" in few.says
    assert np.isnan(lost(np.random.default_rng(6), 0).mean("p0"))
