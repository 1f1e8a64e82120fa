"The split of an A/B test, and the difference that may be looked at every day, against brute force."

from datetime import date
from hashlib import md5
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import betabinom, binom

from aiops_wb.stats.ab import (
    ALPHA,
    TUNED,
    Arm,
    Entities,
    Plan,
    arm_of,
    arms_of,
    effects,
    entities_needed,
    log_evidence,
    looks,
    off_ratio,
    radius,
    ratio_evidence,
    verdict,
)
from bench import ab as bench

PLAN = Plan("t1", 0.25, Arm("v1", 405), Arm("v2", 0), 7, 14, "cost", 5.0)


def test_an_entity_is_always_in_the_same_arm_by_the_first_digits_of_a_digest():
    names = [f"e{i}" for i in range(4000)]
    arms = PLAN.arms_of([*names, None])
    by_hand = [int(md5(f"ab/t1/{n}".encode()).hexdigest()[:8], 16) < 2**30 for n in names]
    assert arms[-1] is None and (arms[:-1] == "B").tolist() == by_hand
    assert abs(np.mean(by_hand) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    other = arms_of(names, "t2", 0.25) == "B"  # another salt draws anew
    assert abs((other & by_hand).mean() - 1 / 16) < 4 * np.sqrt(15 / 256 / 4000)
    assert PLAN.chance("A") == 0.75 and arm_of("e", "t", 1e-9) == "A"
    assert PLAN.enters(date(2026, 1, 1)) == date(2026, 1, 22)
    assert PLAN.newest(date(2026, 1, 22)) == date(2026, 1, 1)


def draws(n, share):
    "All assignments of n entities with their chances."
    for drawn in product((False, True), repeat=n):
        yield np.array(drawn), np.prod(np.where(drawn, share, 1 - share))


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_effects_are_the_own_differences_in_the_mean_over_all_draws(share):
    rng = np.random.default_rng(1)
    a, b = rng.random(8), rng.random(8)
    a[3] = b[3] = np.nan  # none of its labels is known
    cohort = np.array([2, 0, 0, 1, 1, 2, 3, 3])
    mean = sum(
        chance * effects(Entities(cohort, in_b, np.where(in_b, b, a)), share).sum()
        for in_b, chance in draws(8, share)
    )
    assert mean == pytest.approx(np.nansum(b - a))
    one = effects(Entities(cohort, np.arange(8) < 4, a), share)
    assert len(one) == 8 and np.count_nonzero(one == 0) == 1


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_the_evidence_is_no_likelier_than_its_level_at_any_time_over_all_draws(share):
    rng = np.random.default_rng(2)
    value, cohort = (rng.random(10) < 0.4).astype(float), np.arange(10)
    bound, mean, ever = 1 / min(share, 1 - share), np.zeros(10), 0.0
    for in_b, chance in draws(10, share):
        psi = effects(Entities(cohort, in_b, value), share)
        told = np.exp(log_evidence(psi.cumsum(), (psi**2).cumsum(), bound))
        mean += chance * told
        ever += chance * (told.max() >= 1.2)
    assert (mean <= 1 + 1e-9).all() and mean.min() > 0.9
    assert 0 < ever <= 1 / 1.2


@settings(max_examples=20, deadline=None)
@given(st.floats(-40, 400), st.floats(0, 5000), st.floats(2, 20))
def test_the_evidence_is_the_mixture_by_quadrature(total, squares, bound):
    r = TUNED / bound**2

    def mixed(x, told):
        psi = (-np.log1p(-x) - x) / bound**2
        return (1 - x) ** (r - 1) * np.exp(
            -r * (1 - x) + r * told + x * total / bound * told - psi * squares * told
        )

    at = np.linspace(0, 0.999, 400)
    near = float(at[np.argmax(mixed(at, 1))])
    cut = sorted({0.0, max(near - 0.1, 0), near, min(near + 0.1, 0.9999), 0.9999})
    parts = [
        sum(quad(mixed, *ends, args=(told,), limit=200)[0] for ends in zip(cut, cut[1:]))
        for told in (0, 1)
    ]
    by_hand = np.log(parts[1]) - r - np.log(parts[0])
    assert log_evidence(total, squares, bound) == pytest.approx(by_hand, abs=1e-3)


def test_a_radius_is_where_the_evidence_reaches_its_level():
    squares = np.array([0.0, 3.0, 500.0, 1e5, 1e7])
    for bound in (2.0, 20.0):
        half = radius(squares, bound)
        assert log_evidence(half, squares, bound) == pytest.approx(np.log(2 / ALPHA), abs=1e-6)
        assert (np.diff(half) > 0).all()
    assert radius(500.0, 2.0, 0.01)[0] > radius(500.0, 2.0)[0]


def test_looks_are_those_of_each_cohort_and_say_who_is_better():
    rng = np.random.default_rng(3)
    cohort, in_b = rng.permutation(np.repeat(np.arange(20), 200)), rng.random(4000) < 0.25
    value = np.where(in_b, 0.1, 0.3) + rng.random(4000) * 0.2
    seen = looks(Entities(cohort, in_b, value), 0.25)
    assert [k.cohort for k in seen] == list(range(20)) and seen[-1].n == 4000
    alone = looks(Entities(cohort, in_b, value).until(11), 0.25)
    assert alone == seen[:12]  # what has entered never changes
    assert all(k.lower <= -0.2 <= k.upper for k in seen)
    told = verdict(seen)
    assert told.better == "B" and told.stands and seen[told.since].upper < 0
    assert told.since and seen[told.since - 1].upper >= 0
    turned = verdict(looks(Entities(cohort, ~in_b, value), 0.75))
    assert turned.better == "A" and verdict([]) == (None, None, False)
    assert looks(Entities(*np.zeros((3, 0))), 0.5) == []
    with pytest.raises(ValueError, match="from 0.1 to 7: divide"):
        Entities(cohort[:2], in_b[:2], np.array([0.1, 7.0]))
    a, b = Entities(cohort, in_b, value).means()
    assert a == pytest.approx(value[~in_b].mean()) and b == pytest.approx(value[in_b].mean())


def test_numbers_of_entities_are_held_against_their_share():
    for n_a, n_b in ((30, 70), (7_500, 2_500)):
        mixed = betabinom.logpmf(n_b, n_a + n_b, 25, 75) - binom.logpmf(n_b, n_a + n_b, 0.25)
        assert ratio_evidence(n_a, n_b, 0.25) == pytest.approx(np.exp(mixed), rel=1e-6)
    assert not off_ratio(7_450, 2_550, 0.25) and off_ratio(7_000, 3_000, 0.25)
    assert ratio_evidence(10**7, 10, 0.5) > 1e300 and ratio_evidence(0, 0, 0.5) == 1


def test_more_entities_are_needed_for_less():
    needed = [entities_needed(0.05, lift) for lift in (-0.2, -0.1)]
    assert needed == sorted(needed) and entities_needed(0.05, 0.1) == needed[-1]
    assert entities_needed(0.05, 0.1, 0.1) > 2 * needed[-1]
    assert entities_needed(0.05, 0.1, spread=0.1) < needed[-1] / 3
    for odd in ((0, 0.1), (0.5, 0), (1.2, 0.1), (0.5, 0.1, 0)):
        with pytest.raises(ValueError, match="need no test"):
            entities_needed(*odd)


def test_a_better_arm_is_found_in_the_days_that_are_told():
    told, by_then, half = bench.found_by(0.2, 2000, 0.12, 20, 5)
    assert by_then >= 0.8 - 3 * np.sqrt(0.16 / 20) and half <= told


def held(world, n, seed):
    naive, ours = bench.false_wins(world, n, seed)
    assert ours <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / n), world
    return naive


def test_alike_arms_seldom_differ_where_a_daily_z_often_says_so():
    assert held(bench.WORLDS["new entities every day"]._replace(a_day=30), 40, 7) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.WORLDS)
def test_alike_arms_seldom_differ_in_many_worlds(name):
    held(bench.WORLDS[name], 1000, 11)
