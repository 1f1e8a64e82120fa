"""Evidence that may be looked at every day: e-values by exact sums, peers on the same p-values,
level and delay by simulation.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit, log_expit
from scipy.stats import binom

from aiops_wb.stats.sequential import (
    DayReference,
    Stream,
    autocorrelation,
    conformal_bets,
    day_offsets,
    day_reference,
    e_bh,
    follow,
    level_bets,
    offset_variance,
    recent_shares,
    restarted,
    share_bets,
)


def known(share, variance=0.0, error=0.0):
    "A reference that is known exactly, the same on every weekday."
    return DayReference(
        np.full((7, 1), share),
        np.array([variance]),
        np.full(7, 10**9),
        np.full(7, 10**12),
        np.array([error]),
        False,
    )


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.9])
@pytest.mark.parametrize("effect", [0.0, 0.02])
def test_share_bets_are_e_values_by_exact_sums(share, effect):
    """The mean of every bet over the binomial law and a two-point day effect at the tolerated limit
    is at most 1, and close to it without an effect.
    """
    n, tolerance = 60, 0.05
    hits = np.arange(n + 1)
    bets = share_bets(
        hits[:, None],
        np.full(n + 1, n),
        np.zeros(n + 1, dtype=int),
        known(share, effect**2),
        tolerance,
    )
    upper = 6 // 2  # the first half bets on a rise
    for side, limit in (
        (slice(0, upper), min(share + tolerance, 1 - 1e-6)),
        (slice(upper, None), max(share - tolerance, 1e-6)),
    ):
        means = np.mean(
            [
                binom.pmf(hits, n, np.clip(limit + s * effect, 0, 1)) @ np.exp(bets[:, side])
                for s in (-1, 1)
            ],
            axis=0,
        )
        assert (means <= 1 + 1e-9).all()
        if not effect and tolerance < share < 1 - tolerance:
            assert means == pytest.approx(1)


@pytest.mark.parametrize("spread", [[0.5, 0.1, 0.4], [0.3, 0.5, 0.2], [0.1, 0.9, 0.0]])
def test_bets_on_a_rise_of_losses_are_fair_for_any_losses_of_the_tolerated_mean(spread):
    "Sums of losses of 0, 1/2 or 1, by exact convolution; 0/1 losses are the worst case."
    n, mean = 40, float(np.dot(spread, [0, 0.5, 1]))
    law = np.ones(1)
    for _ in range(n):
        law = np.convolve(law, spread)
    bets = share_bets(
        np.arange(2 * n + 1)[:, None] / 2,
        np.full(2 * n + 1, n),
        np.zeros(2 * n + 1, dtype=int),
        known(mean - 0.02),
        0.02,
    )
    means = law @ np.exp(bets)
    assert (means[:3] < 1).all() and (
        means[:3] > 0.1
    ).all()  # rises: fair, and not for want of betting


@given(st.integers(0, 60), st.integers(1, 60))
def test_share_bets_are_the_likelihood_ratio_when_days_have_no_effect(hits, n):
    hits = min(hits, n)
    bets = share_bets(np.array([[hits]]), np.array([n]), np.array([0]), known(0.3), 0.05)
    u, size = 0.35, 0.03
    assert bets[0, 1] == pytest.approx(
        binom.logpmf(hits, n, u + size) - binom.logpmf(hits, n, u), abs=1e-8
    )


def test_a_day_without_events_says_nothing():
    assert not share_bets(
        np.zeros((2, 1)), np.zeros(2), np.zeros(2, dtype=int), known(0.3), 0.01
    ).any()


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_conformal_p_values_spread_over_their_rank(rank):
    """With three days, the third day's p-value is (rank + U) / 3; averaged over ranks and U, its
    bet is fair.
    """
    values = np.array([1.0, 2.0, (2.5, 1.5, 0.5)[rank]])
    bet = lambda u: float(
        np.exp(conformal_bets(values, np.array([0.5, 0.5, u]), kappas=(0.5,), tails=(1,))[2, 0])
    )
    assert quad(bet, 0, 1)[0] == pytest.approx(
        quad(lambda p: 0.5 * p**-0.5, rank / 3, (rank + 1) / 3)[0] * 3, rel=1e-6
    )


def test_conformal_bets_are_fair_over_all_ranks():
    total = 0.0
    for third in (2.5, 1.5, 0.5):
        bet = lambda v, third=third: (
            float(
                np.exp(
                    conformal_bets(
                        np.array([1.0, 2.0, third]),
                        np.array([0.5, 0.5, v**4]),
                        tails=(1, -1),
                        kappas=(0.3, 0.5, 0.7),
                    )[2, 0]
                )
            )
            * 4
            * v**3
        )
        total += quad(bet, 0, 1, limit=200)[0] / 3
    assert total == pytest.approx(1, abs=1e-3)


def test_p_values_equal_crepes_and_wealth_equals_online_cp():
    from crepes.martingales import semi_online_p_values
    from online_cp.betting import FixedStrategy
    from online_cp.martingale import PluginMartingale

    rng = np.random.default_rng(1)
    values = np.round(rng.normal(size=80), 1)  # with ties
    state = np.random.RandomState(3)
    p = semi_online_p_values(values, seed=3)
    ours = conformal_bets(values, state.rand(80), kappas=(0.3,), tails=(1,))[:, 0]
    assert np.allclose(ours, np.log(0.3) - 0.7 * np.log(p), atol=1e-9)
    peer = PluginMartingale(FixedStrategy(pdf=lambda x: 0.3 * x**-0.7, check_integration=False))
    for one in p:
        peer.update(float(one))
    assert np.cumsum(ours)[-1] == pytest.approx(peer.logM, abs=1e-9)


def test_groups_are_ranked_among_themselves():
    weekday = np.arange(60) % 2
    values = np.arange(60) // 2 * 0.0 + 100.0 * weekday + np.random.default_rng(0).normal(size=60)
    apart = [conformal_bets(values[weekday == g], np.full(30, 0.5))[:, 0] for g in (0, 1)]
    assert np.allclose(
        conformal_bets(values, np.full(60, 0.5), weekday)[:, 0], np.stack(apart, axis=1).ravel()
    )


def test_restarts_equal_the_sum_over_all_starts():
    bets = np.random.default_rng(2).normal(-0.1, 1, (9, 2, 3))
    path = restarted(bets, horizon=50)
    for day in (0, 4, 8):
        starts = [np.exp(bets[j : day + 1].sum(axis=0)).mean(axis=-1) for j in range(day + 1)]
        assert np.allclose(np.exp(path[day]), np.sum(starts, axis=0) / 50)


def test_evidence_begins_anew_after_a_horizon():
    bets = np.full((8, 1), 1.0)
    assert np.allclose(restarted(bets, horizon=4)[4:], restarted(bets, horizon=4)[:4])


def test_day_effects_are_found_and_none_are_invented():
    rng = np.random.default_rng(7)
    weekday, n = np.arange(140) % 7, np.full(140, 20_000.0)
    still = rng.binomial(20_000, 0.4, 140)
    moving = rng.binomial(20_000, 0.4 + rng.normal(0, 0.02, 140))
    sd = lambda hits: float(np.sqrt(day_reference(hits[:, None], n, weekday).variance[0]))
    assert sd(moving) == pytest.approx(
        0.02, rel=0.25
    )  # 133 degrees of freedom: 6 % standard error, and a little high on purpose
    assert sd(still) < 0.0035 / 2
    assert day_reference(still[:13, None], n[:13], weekday[:13]) is None


def brute_e_bh(e, level):
    e = np.asarray(e)
    best = max(
        (k for k in range(1, len(e) + 1) if np.sort(e)[::-1][k - 1] >= len(e) / (level * k)),
        default=0,
    )
    return e >= np.sort(e)[::-1][best - 1] if best else np.zeros(len(e), dtype=bool)


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=12), st.sampled_from([0.05, 0.2]))
@example([1.0, 6.0, 6.0, 6.0, 6.0, 6.0], 0.2)  # 6 is exactly 6 / (0.2 * 5)
def test_e_bh_equals_its_definition(e, level):
    assert np.array_equal(e_bh(np.log(e), level), brute_e_bh(e, level))


def test_e_bh_refuses_a_level_that_is_none_and_knows_no_streams():
    with pytest.raises(ValueError, match="between 0 and 1"):
        e_bh([0.0], 5.0)
    assert not len(e_bh([], 0.05))


def test_autocorrelation_is_found_and_missing_days_are_left_out():
    rng, x = np.random.default_rng(9), [0.0]
    for _ in range(399):
        x.append(0.5 * x[-1] + rng.normal())
    found = autocorrelation(np.where(np.arange(400) % 50 == 0, np.nan, x))
    assert found.lower > 0 and found.value == pytest.approx(0.5, abs=0.15)
    assert np.isnan(autocorrelation([1.0] * 30).value) and np.isnan(autocorrelation([]).value)


def stream(bets, lower=1.0, tolerance=0.1, weight=1.0, name="x"):
    bets = np.asarray(bets, dtype=float)[:, None]
    return Stream(
        name, bets, np.full(len(bets), lower), np.full(len(bets), lower), tolerance, weight
    )


def test_an_alarm_opens_stays_and_closes():
    days = 40
    bets = np.where((np.arange(days) >= 10) & (np.arange(days) < 20), 5.0, -0.5)
    lower = np.where((np.arange(days) >= 10) & (np.arange(days) < 25), 0.3, 0.0)
    s = Stream("x", bets[:, None], lower, lower, 0.1)
    seen = follow([s], 0.05)
    opened = int(np.argmax(seen.open[:, 0]))
    assert opened == 11 and seen.since[opened, 0] == 10  # ln(20 x 365) = 8.9, two days of 5
    assert seen.open[opened:25, 0].all() and not seen.open[25:, 0].any()


def test_no_alarm_opens_on_a_muted_morning():
    bets = np.where(np.arange(40) == 20, 50.0, -0.1)
    muted = np.arange(40) <= 22
    assert (
        int(np.argmax(follow([stream(bets)], 0.05).open[:, 0])) == 20
        and int(np.argmax(follow([stream(bets)], 0.05, muted=muted).open[:, 0])) == 23
    )


def test_following_nothing_is_possible():
    assert follow([], 0.05).open.shape == (0, 0)


def test_evidence_of_following_equals_restarts():
    bets = np.random.default_rng(3).normal(-0.3, 1, (30, 1))
    assert np.allclose(
        follow([stream(bets[:, 0], lower=0.0)], 1e-9).evidence[:, 0], restarted(bets)
    )


def test_the_recent_change_is_that_of_the_sums():
    rng = np.random.default_rng(4)
    hits, n = rng.integers(10, 50, (20, 2)).astype(float), rng.integers(60, 90, 20).astype(float)
    reference = DayReference(
        np.tile([0.3, 0.5], (7, 1)),
        np.zeros(2),
        np.full(7, 10**9),
        np.full(7, 10**12),
        np.zeros(2),
        False,
    )
    effect, lower, cut = recent_shares(hits, n, np.zeros(20, dtype=int), reference, days=7)
    change = hits[13:].sum(axis=0) / n[13:].sum() - [0.3, 0.5]
    assert effect[-1] == pytest.approx(change[np.argmax(np.abs(change))]) and cut[-1] == np.argmax(
        np.abs(change)
    )
    assert 0 <= lower[-1] < abs(effect[-1])


def test_false_alarms_on_independent_days_are_as_rare_as_promised():
    """60 years of 8 streams at a level of 20 %: at most 20 % with an alarm, within three standard
    errors; far fewer in truth.
    """
    rng, alarms = np.random.default_rng(10), 0
    weekday = np.arange(365 + 91) % 7
    for _ in range(60):
        streams = []
        for i in range(8):
            hits, n = rng.binomial(2000, 0.4, (456, 1)).astype(float), np.full(456, 2000.0)
            reference = day_reference(hits[:91], n[:91], weekday[:91])
            streams.append(
                Stream(
                    str(i),
                    share_bets(hits[91:], n[91:], weekday[91:], reference, 0.005),
                    np.zeros(365),
                    np.zeros(365),
                    0.005,
                )
            )
        alarms += follow(streams, 0.2).open.any()
    assert alarms / 60 <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 60)


def test_a_burst_of_a_wild_share_earns_a_thousandfold_at_most_and_broken_data_is_spared():
    rng, weekday = np.random.default_rng(11), np.arange(91) % 7
    n = np.full(91, 2000.0)
    wild, calm = (
        rng.binomial(2000, expit(-4.6 + rng.normal(0, sd, 91)))[:, None].astype(float)
        for sd in (0.7, 0.05)
    )
    broken = [np.array([[2000.0]]), np.array([2000.0]), np.array([0])]
    most = lambda hits, of=broken, **spared: share_bets(
        *of, day_reference(hits, n, weekday), 0.005, **spared
    ).max()
    burst = [np.array([[500.0]]), *broken[1:]]
    assert (
        most(wild) == 7
        and most(wild, spared=True) > 50
        and most(calm) > 50
        and most(wild, burst, spared=True) == 7
    )


def test_a_share_that_cannot_rise_is_not_bet_on():
    """What never was missing can never be missing less: a year of 50,000 complete rows a day proves
    nothing.
    """
    reference = day_reference(np.zeros((91, 1)), np.full(91, 50_000.0), np.arange(91) % 7)
    bets = share_bets(
        np.zeros((365, 1)), np.full(365, 50_000.0), np.arange(365) % 7, reference, 0.005
    )
    assert restarted(bets).max() < 0


@pytest.mark.slow
def test_levels_of_days_notice_a_change_and_seldom_invent_one():
    rng, weekday, alarms, found = np.random.default_rng(11), np.arange(200) % 7, 0, 0
    for _ in range(100):
        values = rng.normal(0, 0.1, 200) + (weekday >= 5)
        alarms += restarted(level_bets(values, weekday, 0.1)[0]).max() > np.log(20)
        found += restarted(level_bets(values + 0.5 * (np.arange(200) >= 190), weekday, 0.1)[0])[
            192
        ] > np.log(20)
    assert alarms / 100 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100) and found >= 95
    bets, normal = level_bets(np.full(50, np.nan), weekday[:50], 0.1)
    assert not bets.any() and np.isnan(normal).all()


def test_bursts_in_the_reference_are_part_of_what_is_normal():
    """Days on which a tenth is missing, one in twenty: where the reference had such days, a year of
    them raises an alarm in at most 5 % of years, within three standard errors.
    """
    rng, alarms = np.random.default_rng(13), 0
    weekday = np.arange(456) % 7
    for _ in range(60):
        hits = rng.binomial(2000, np.where(rng.random(456) < 0.05, 0.1, 0.001))[:, None].astype(
            float
        )
        reference = day_reference(hits[:91], np.full(91, 2000.0), weekday[:91])
        alarms += restarted(
            share_bets(hits[91:], np.full(365, 2000.0), weekday[91:], reference, 0.005)
        ).max() > np.log(20 * 20)  # one of some twenty streams
    assert alarms / 60 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_offsets_of_days_are_found():
    rng = np.random.default_rng(8)
    z = np.linspace(-2, 1, 6)
    positive = rng.binomial(60, expit(z + rng.normal(0, 0.4, (80, 1)))).astype(float)
    variance, error = offset_variance(positive, 60 - positive, expit(z))
    assert np.sqrt(variance) == pytest.approx(0.4, rel=0.3) and error == pytest.approx(
        0.4 / np.sqrt(80), rel=0.35
    )
    assert np.isnan(offset_variance(positive[:5], 60 - positive[:5], expit(z))[0])


def test_offsets_are_the_likeliest_shifts():
    from scipy.optimize import minimize_scalar

    rng, z = np.random.default_rng(12), np.linspace(-5, -1, 8)
    for true in (-2.0, 1.0, 2.0):
        positive = rng.binomial(300, expit(z + true)).astype(float)
        loss = lambda a, positive=positive: (
            -float((positive * log_expit(z + a) + (300 - positive) * log_expit(-z - a)).sum())
        )
        assert day_offsets(positive[None], 300 - positive[None], expit(z))[0][0] == pytest.approx(
            minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-8}).x,
            abs=1e-4,
        )
