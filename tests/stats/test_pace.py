"The pace of labels: by hand, by brute force, with borrowed bands, and refused where unknown."

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.stats.arrival import Arrivals, arrivals
from aiops_wb.stats.pace import OLD_DAYS, OWN_LABELS, Pace, pace_by_band

CUTS = [-1000, 1000]


def made_log(rng, wait, days=120, per_day=150, never=0.0, high=0.2):
    "Events whose label comes wait(band, label) days later on average."
    day = np.repeat(np.arange(days), per_day)
    band = rng.choice(3, len(day), p=[0.7 - high / 2, 0.3 - high / 2, high])
    label = rng.random(len(day)) < np.array([0.1, 0.4, 0.7])[band]
    age = np.floor(rng.exponential(wait(band, label)))
    age[rng.random(len(day)) < never] = np.nan
    return day, band, age, label


def table(log, today):
    day, band, age, label = log
    return arrivals(day, band, age, label, today)


BY_BOTH = lambda band, label: np.where(band == 2, 2.0, 1.0) * np.where(label, 4.0, 1.0)


@given(st.integers(0, 1000))
def test_the_chain_is_the_product_of_its_steps(seed):
    log = made_log(np.random.default_rng(seed), BY_BOTH, days=110, per_day=60)
    day, band, age, label = log
    pace, today = pace_by_band(table(log, 110), CUTS), 110
    for y, found in ((0, pace.negative), (1, pace.positive)):
        b = seed % 3
        share = 1.0
        for at in range(pace.age, 0, -1):
            assert found[b, at] == pytest.approx(share)
            reached = (day + at <= today) & (band == b) & (label == y)
            known = (reached & (age <= at)).sum()
            share *= 1 - (reached & (age == at)).sum() / known if known else 1


def test_on_days_that_are_old_enough_it_is_a_plain_share():
    rng = np.random.default_rng(1)
    day, band, age, label = made_log(rng, BY_BOTH, never=0.2)
    pace = pace_by_band(table((day, band, age, label), 1000), CUTS)
    for b in range(3):
        of_band = age[band == b]
        assert pace.complete[b] == pytest.approx(np.mean(of_band <= pace.age))
        seen = age[(band == b) & label & (age <= pace.age)]
        for at in (0, 3, 10):
            assert pace.positive[b, at] == pytest.approx(np.mean(seen <= at))


def test_the_pace_of_young_days_is_that_of_old_ones():
    """Within three standard errors by the jackknife, at every age: days that have not reached an
    age don't make it look slow.
    """
    rng, wait = np.random.default_rng(2), BY_BOTH
    pace = pace_by_band(table(made_log(rng, wait, days=200, never=0.1), 199), CUTS)
    ages = np.arange(1, 12)
    for b in range(3):
        truth = 1 - np.exp(-ages / wait(b, True))
        parts = np.array([part.positive[b, :11] for part in pace.without])
        error = np.sqrt((len(parts) - 1) * parts.var(axis=0))
        assert (np.abs(pace.positive[b, :11] - truth) <= 3 * error + 0.011).all()
    assert np.abs(pace.complete - 0.9).max() < 0.02


def test_the_jackknife_leaves_blocks_of_days_out():
    a = table(made_log(np.random.default_rng(3), BY_BOTH, days=100), 99)
    pace = pace_by_band(a, CUTS)
    assert len(pace.without) == 20
    kept = np.arange(100) // 5 != 7
    again = Arrivals(a.events[kept], a.labels[kept], a.followed[kept])
    width = pace.age + 1
    apart = pace_by_band(again, CUTS)
    same = min(width, apart.age + 1)
    if apart.age == pace.age:
        np.testing.assert_allclose(pace.without[7].positive, apart.positive)
    else:  # another last age rescales the shares, not the steps between them
        ratio = pace.without[7].positive[:, : same - 1] / apart.positive[:, : same - 1]
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, -1:], ratio.shape))


def test_a_sparse_band_borrows_the_pace_of_all():
    day, band, age, label = made_log(np.random.default_rng(4), lambda b, y: 2.0 + 0 * b, high=0.001)
    few = (band == 2) & label
    assert 0 < few.sum() < OWN_LABELS
    pace = pace_by_band(table((day, band, age, label), 400), CUTS)
    seen = age[label & (age <= pace.age)]
    assert pace.positive[2, 1] == pytest.approx(np.mean(seen <= 1))
    assert pace.positive[0, 1] != pytest.approx(np.mean(seen <= 1), abs=1e-12)


def test_a_sparse_band_that_is_shown_to_differ_has_its_own():
    rng = np.random.default_rng(5)
    day, band, age, label = made_log(rng, lambda b, y: 2.0 + 0 * b, days=120, high=0.0)
    extra = np.arange(0, 120, 3)  # forty risky events, all positive, labelled after ten days
    log = (np.append(day, extra), np.append(band, 0 * extra + 2), np.append(age, 0 * extra + 10.0))
    pace = pace_by_band(table((*log, np.append(label, extra >= 0)), 400), CUTS)
    assert pace.positive[2, 9] == 0 and pace.positive[2, 10] == 1
    assert pace.positive[0, 9] > 0.9


@pytest.mark.parametrize(
    "days, wait, kinds, said",
    [
        (OLD_DAYS - 1, lambda b, y: 1.0 + 0 * b, (0, 1), "14 are needed"),
        (60, lambda b, y: 1.0 + 0 * b, (0,), "no positive label"),
        (92, lambda b, y: 56.0 + 0 * b, (0, 1), "still arrive at"),
        (92, lambda b, y: np.where(y, 56.0, 1.0), (0, 1), "positive labels still arrive at"),
    ],
)
def test_where_the_log_cannot_know_it_says_why(days, wait, kinds, said):
    day, band, age, label = made_log(np.random.default_rng(6), wait, days=days)
    age[~np.isin(label, kinds)] = np.nan
    with pytest.raises(ValueError, match=said):
        pace_by_band(table((day, band, age, label), days), CUTS)


def test_corrected_labels_leave_shares_between_0_and_1_that_rise():
    "Many labels turn from 0 to 1: -1 negative and +1 positive at a later age."
    a = table(made_log(np.random.default_rng(8), BY_BOTH), 400)
    moved = a.labels.copy()
    turned = a.labels[:, :, :20, 0] // 2
    moved[:, :, 5:25, 0] -= turned
    moved[:, :, 5:25, 1] += turned
    pace = pace_by_band(replace(a, labels=moved), CUTS)
    for share in (pace.positive, pace.negative):
        assert (np.diff(share, axis=1) >= 0).all() and share.min() >= 0 and share.max() == 1


@pytest.mark.parametrize("cuts", [[0], [0, 0], [1000, -1000], []])
def test_cuts_that_do_not_part_the_bands_are_refused(cuts):
    with pytest.raises(ValueError, match="rising cut"):
        pace_by_band(table(made_log(np.random.default_rng(7), BY_BOTH), 119), cuts)


def test_an_event_on_a_cut_belongs_to_the_band_above_and_the_last_age_stays():
    pace = Pace(
        np.array([0]),
        np.array([[0.5, 1], [0.1, 1]]),
        np.array([[0.9, 1], [0.8, 1]]),
        np.array([1, 0.7]),
    )
    assert [c.tolist() for c in pace.chances([-1, 0], 0)] == [[0.5, 0.1], [0.9, 0.8], [1, 0.7]]
    assert [c.tolist() for c in pace.chances([0], 99)] == [[1], [1], [0.7]]
    assert [c.tolist() for c in pace.chances([0], -1)] == [[0], [0], [0.7]]
    assert replace(pace, complete=np.ones(2)).ever([5]).tolist() == [1]


def test_a_band_that_old_days_do_not_know_keeps_the_others_from_nothing():
    "A version that scored all events alike was there before."
    day, band, age, label = made_log(np.random.default_rng(5), BY_BOTH)
    pace = pace_by_band(table((day, np.where(day < 60, 1, band), age, label), 120), CUTS)
    assert pace.age >= pace_by_band(table((day, band, age, label), 120), CUTS).age // 2
    assert np.isfinite(pace.negative).all() and np.isfinite(pace.positive).all()
