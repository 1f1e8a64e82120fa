"What nobody looked at: where labels end, chances of review, and weights, against brute force."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.selective import (
    NONE_SEEN,
    Reviewed,
    blind_below,
    exploration,
    explored_words,
    weighted,
    weighted_curve,
)
from bench import guarantees


def world(seed=0, days=12, per_day=400, share=0.1, effect=0.3):
    "Days of points, labels, chances and who was looked at."
    rng, made = np.random.default_rng(seed), []
    points = np.rint(rng.normal(-2000, 1500, (days, per_day))).astype(int)
    plan = exploration(ScoreCounts.from_events(points.ravel()), 405, share)
    for of_day in points:
        odds = of_day / 1000 + effect * rng.normal()
        label = (rng.random(per_day) < 1 / (1 + np.exp(-odds))).astype(float)
        chance = np.where(of_day >= 405, 1.0, plan.chance(of_day))
        made.append((of_day, label, chance, rng.random(per_day) < chance))
    return plan, made


def reviewed(made):
    return [Reviewed.of_events(p[seen], c[seen], y[seen]) for p, y, c, seen in made]


def by_rows(made, threshold, without=None):
    "Weighted sums of rows at and below a threshold: tp, fp, fn, tn."
    rows = [day for i, day in enumerate(made) if i != without]
    points, label, chance, seen = (np.concatenate(c) for c in zip(*rows))
    weight, above = seen / chance, points >= threshold
    return [
        (weight * above * label).sum(),
        (weight * above * (1 - label)).sum(),
        (weight * ~above * label).sum(),
        (weight * ~above * (1 - label)).sum(),
    ]


@pytest.mark.parametrize("threshold", [405, -1500, -4000, 16_000])
def test_weighted_rates_are_the_jackknife_of_rows(threshold):
    _, made = world()
    days = len(made)
    found = weighted(reviewed(made), threshold)

    def jackknife(share):
        whole = share(*by_rows(made, threshold))
        left = [share(*by_rows(made, threshold, i)) for i in range(days)]
        return days * whole - (days - 1) * np.mean(left)

    if threshold < 16_000:
        recall = jackknife(lambda tp, fp, fn, tn: tp / (tp + fn))
        fpr = jackknife(lambda tp, fp, fn, tn: fp / (fp + tn))
        precision = jackknife(lambda tp, fp, fn, tn: tp / (tp + fp))
        told = [found[name].value for name in ("recall", "fpr", "precision")]
        assert np.allclose(told, [recall, fpr, precision], rtol=0, atol=1e-12)
    else:
        assert found["recall"].value == 0 and np.isnan(found["precision"].value)
    assert np.isclose(found["missed_per_day"].value, by_rows(made, threshold)[2] / days)
    assert found["recall"].n == sum(day[3].sum() for day in made)


def test_tables_add_up_and_order_does_not_matter():
    _, made = world(seed=2)
    one, other = reviewed(made[:1])[0], reviewed(made[1:2])[0]
    merged = Reviewed.of_events(
        *(np.concatenate([vars(one)[f], vars(other)[f]]) for f in ("points", "chance")),
        np.concatenate([one.n_positive, other.n_positive]),
    )
    rest, at = reviewed(made[2:]), np.arange(-5000, 3000, 250)
    for both in (one + other, other + one):
        known, wanted = weighted_curve([both, *rest], at), weighted_curve([merged, *rest], at)
        for name in ("recall", "fpr", "precision", "missed_per_day"):
            found, same = getattr(known, name), getattr(wanted, name)
            assert np.allclose(found, same, equal_nan=True, rtol=1e-12)
    assert (one + other).explored == tuple(np.add(one.explored, other.explored))


def test_with_a_chance_of_one_it_is_what_all_labels_say():
    _, made = world(seed=3)
    whole = [(p, y, np.ones(len(p)), np.ones(len(p), dtype=bool)) for p, y, *_ in made]
    tp, fp, fn, tn = by_rows(whole, 405)
    found = weighted(reviewed(whole), 405)
    assert abs(found["recall"].value - tp / (tp + fn)) < 1e-3  # but for the jackknife
    assert found["missed_per_day"].value == fn / len(whole)
    assert found["recall"].lower < tp / (tp + fn) < found["recall"].upper


def test_where_nothing_was_seen_the_interval_says_how_little_that_is():
    day = Reviewed.of_events([500, 500, -100], [1, 1, 0.05], [1, 0, 0])
    found = weighted([day] * 8, 405)
    assert found["recall"].value == 1 and found["recall"].upper == 1
    assert np.isclose(found["recall"].lower, 8 / (8 + NONE_SEEN * 20))
    assert np.isclose(found["missed_per_day"].upper, NONE_SEEN * 20 / 8)
    few = weighted([day] * 3, 405)["recall"]
    assert few.value == 1 and np.isnan([few.lower, few.upper]).all()
    nothing = weighted([Reviewed.of_events([], [], [])] * 8, 405)
    assert np.isnan([nothing[k].value for k in ("recall", "fpr", "precision")]).all()
    assert all(np.isnan(f.value) for f in weighted([], 405).values())


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.integers(1, 3000),
    st.sampled_from(["logit", "linear"]),
    st.floats(0.001, 0.5),
)
def test_chances_give_the_share_are_bounded_and_rise_with_the_score(seed, n, kind, share):
    rng, grid = np.random.default_rng(seed), Grid(kind)
    points = np.rint(rng.normal(-3000, 2000, n)).clip(-16_000, 16_000).astype(int)
    counts, threshold = ScoreCounts.from_events(points, grid=grid), 900
    below = (points < threshold).sum()
    if not below:
        with pytest.raises(ValueError, match="nothing to explore"):
            exploration(counts, threshold, share)
        return
    plan = exploration(counts, threshold, share)
    assert abs(plan.expected(counts, threshold) / below - share) < 2e-6
    every = plan.chance(np.arange(-grid.limit, grid.limit + 1, 50))
    assert (np.diff(every) >= 0).all() and every[0] > 0 and every[-1] <= 1
    assert every[0] >= share / 5 - 1e-6 and (kind == "logit" or np.ptp(every) == 0)
    assert plan.expected(counts, threshold) == pytest.approx(
        plan.chance(points[points < threshold]).sum()
    )


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        exploration(ScoreCounts.from_events([0]), 405, share)


def test_the_shares_that_are_sent_are_the_chances():
    rng = np.random.default_rng(5)
    points = np.rint(rng.normal(-2500, 1500, 40_000)).astype(int)
    plan = exploration(ScoreCounts.from_events(points), 16_000, 0.1)
    chosen = plan.chooses("m", map(str, range(len(points))), points)
    chance = plan.chance(points)
    for low, high in ((0, 0.06), (0.06, 0.12), (0.12, 1)):
        inside = (chance >= low) & (chance < high)
        expected, spread = chance[inside].sum(), np.sqrt((chance * (1 - chance))[inside].sum())
        assert inside.sum() > 1000 and abs(chosen[inside].sum() - expected) < 5 * spread


def test_labels_end_where_they_hardly_come():
    points = np.repeat(np.arange(-4000, 2000, 10), 5)
    rng = np.random.default_rng(0)

    def end(seen):
        label = np.where(rng.random(len(points)) < seen, 1.0, np.nan)
        return blind_below(ScoreCounts.from_events(points, label), 405)

    assert end(np.where(points >= 405, 0.9, 0.01)).below == 405
    some = end(np.where(points >= -800, 0.5, 0.02))
    assert -1100 <= some.below <= -300 and some.share < 0.1 < 0.4 < some.called
    assert end(np.full(len(points), 0.1)) is None  # few, and of all alike
    assert end(np.where(points >= 405, 0.9, 0.6)) is None
    assert end(np.zeros(len(points))) is None  # no label at all says nothing
    assert (
        blind_below(
            ScoreCounts.from_events([500] * 99 + [0] * 500, [1.0] * 99 + [np.nan] * 500), 405
        )
        is None
    )
    assert explored_words(0.02).startswith("explored: below the threshold 1 in 50 ")


def test_weighted_figures_are_unbiased_and_their_intervals_hold():
    "A part of what `bench/guarantees.py` publishes."
    repetitions = 80
    bias, coverage, _ = guarantees._selective(repetitions)
    assert (np.delete(bias, 2) < 4).all()  # in standard errors; precision has no error there
    assert (coverage > 0.95 - 4 * np.sqrt(0.95 * 0.05 / repetitions)).all()
