"What is usual by hour of week and series, and what is shown to be off, against brute force."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from aiops_wb.stats.baselines import (
    HOURS,
    RELATED,
    SCAN,
    TREND,
    WINDOWS,
    Cells,
    as_counts,
    band,
    boards,
    deviance,
    hour_points,
    hour_z,
    judged,
    leaks,
    overdispersion,
    shown,
    unrest,
    usual,
    week_residuals,
    weeks_needed,
)
from aiops_wb.stats.points import Grid
from bench import baselines as bench


def cells(weeks=26, series=24, seed=0, mean=5.0, known=None):
    "Poisson counts with a daily shape."
    rng = np.random.default_rng(seed)
    shape = mean * (1 + np.sin(np.arange(HOURS) * 2 * np.pi / 24))[:, None]
    counts = rng.poisson(shape * rng.uniform(0.5, 2, series), (weeks, HOURS, series)).astype(float)
    everything = np.ones((weeks, HOURS, 1), dtype=bool)
    names = tuple(f"s{i}" for i in range(series))
    return Cells(counts, everything if known is None else known, names)


def changed(of, counts=None, known=None):
    "The same table with other counts, or other known hours."
    return Cells(
        of.counts if counts is None else counts, of.known if known is None else known, of.series
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3000), st.floats(0.05, 2000), st.floats(1e-5, 0.5))
def test_a_distance_is_the_likelihood_ratio_of_a_negative_binomial_law(y, mu, phi):
    def told(mean):
        return nbinom.logpmf(y, 1 / phi, 1 / (1 + phi * mean))

    z = float(deviance(np.array(float(y)), mu, phi))
    best = told(y) if y else 0.0
    assert z**2 == pytest.approx(2 * (best - told(mu)), rel=1e-5, abs=1e-5)
    assert np.sign(z) == np.sign(y - mu) or abs(z) < 1e-6


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 1e4), st.floats(1e-4, 0.1))
def test_a_band_holds_95_of_100_counts(mu, phi):
    law, (low, high) = nbinom(1 / phi, 1 / (1 + phi * mu)), band(mu, phi)
    assert low < mu < high
    held = law.cdf(np.floor(high)) - law.cdf(np.ceil(low) - 1)
    assert 0.88 <= held <= 0.985
    wide = band(mu, phi, 3.0)
    assert wide[0] < low and wide[1] > high and band(0, phi)[0] == 0


def test_the_overdispersion_of_each_series_is_found_and_an_outage_is_no_part_of_it():
    rng = np.random.default_rng(1)
    true = np.repeat([0.0, 0.01, 0.04], 8)
    mu = np.full((40, 56, 24), 60.0)
    counts = rng.poisson(
        mu * np.where(true > 0, rng.gamma(1 / np.maximum(true, 1e-9), 1, mu.shape) * true, 1)
    )
    found = overdispersion(counts.astype(float), mu)
    for at, phi in ((slice(0, 8), 0.0), (slice(8, 16), 0.01), (slice(16, 24), 0.04)):
        assert found[at].mean() == pytest.approx(phi, abs=0.0015 + 0.1 * phi)
    counts[7, :, 10] = 0  # a week without any
    counts[9, 3:9, 12] *= 20
    again = overdispersion(counts.astype(float), mu)
    assert abs(again[[10, 12]] - found[[10, 12]]).max() < 0.004


def test_few_counts_draw_the_overdispersion_of_a_series_to_that_of_all():
    rng = np.random.default_rng(2)
    mu = np.broadcast_to(np.array([0.2] * 10 + [80.0] * 10), (30, 24, 20)).copy()
    counts = rng.poisson(mu * rng.gamma(50, 1 / 50, mu.shape)).astype(float)
    found = overdispersion(counts, mu)
    assert found[:10].std() < 0.002 and found[:10].mean() == pytest.approx(
        found[10:].mean(), abs=0.004
    )


def test_what_all_series_do_at_an_hour_is_unrest_and_what_one_does_is_not():
    rng = np.random.default_rng(3)
    mu, phi = np.full((4, 50, 60), 80.0), np.full(60, 0.004)
    rates = mu * rng.gamma(250, 1 / 250, mu.shape)
    rates[2, 10] *= np.exp(rng.normal(0, 0.4, 60))  # each as it likes
    rates[1, 20, 5] = 0  # one
    rates[1, 30, :6] = 0  # a tenth
    more = unrest(rng.poisson(rates).astype(float), mu, phi)
    assert 0.06 < more[2, 10] < 0.3
    assert more[1, 20] < 0.004 and more[1, 30] < 0.02
    assert (more > 0).mean() < 0.05 and (more >= 0).all()


def test_usual_is_the_mean_of_hours_and_what_all_do_together():
    of = cells(weeks=60, mean=30)
    found = usual(of)
    shape = 30 * (1 + np.sin(np.arange(HOURS) * 2 * np.pi / 24))[:, None]
    true = shape * np.random.default_rng(0).uniform(0.5, 2, 24)
    off, of_means = found.profile - true, of.counts.mean(axis=0) - true
    assert (off**2).mean() < 0.9 * (of_means**2).mean()
    assert (np.abs(off) / np.sqrt(true / 60 + 0.01)).max() < 5
    counts = of.counts.copy()
    counts[5, 40:50] *= 2
    level = usual(changed(of, counts)).level
    assert level[5, 40:50] == pytest.approx(2 * found.level[5, 40:50], rel=0.05)
    few = usual(Cells(of.counts[..., :3], of.known, of.series[:3]))
    assert (few.level == 1).all() and RELATED > 3


def test_an_old_outage_is_no_part_of_what_is_usual_and_small_counts_share_a_shape():
    of = cells(weeks=40, mean=30)
    counts = of.counts.copy()
    counts[11, :, 4] = 0
    before, after = usual(of).profile[:, 4], usual(changed(of, counts)).profile[:, 4]
    assert np.average(after / before, weights=before) == pytest.approx(1, abs=0.016)
    assert counts[:, :, 4].mean() / of.counts[:, :, 4].mean() < 0.976
    rare = cells(weeks=20, mean=0.1, seed=5)
    drawn, mean = usual(rare).profile, rare.counts.mean(axis=0)
    true = 1 + np.sin(np.arange(HOURS) * 2 * np.pi / 24)[:, None]
    for_each = [np.corrcoef(of[:, 0], true[:, 0])[0, 1] for of in (drawn, mean)]
    assert for_each[0] > 0.9 > for_each[1]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_order_of_past_weeks_and_what_is_not_known_make_no_difference(seed, by_series):
    rng = np.random.default_rng(seed)
    of = cells(weeks=27, series=21, seed=seed)
    known = rng.random((27, HOURS, 21 if by_series else 1)) > 0.02
    counts = of.counts.copy()
    counts[-1, 100:103, 2] *= 4
    one = judged({"site": changed(of, counts, known)}, np.random.default_rng(1))
    other = np.where(
        np.broadcast_to(known, counts.shape), counts, rng.integers(0, 900, counts.shape)
    )
    assert judged({"site": changed(of, other, known)}, np.random.default_rng(1)) == one
    order = np.r_[rng.permutation(26), 26]
    again = judged({"site": Cells(other[order], known[order], of.series)}, np.random.default_rng(1))
    assert len(again.flags) == len(one.flags)
    for a, b in zip(again.flags, one.flags):
        assert a[:5] == b[:5] and a[5:] == pytest.approx(b[5:], rel=1e-6)


@pytest.mark.parametrize("series", [4, 22])
def test_boards_are_those_of_every_window_by_hand(series):
    of = cells(weeks=8, series=series, seed=7, known=np.ones((8, HOURS, 1), dtype=bool))
    of.known[3, 24:48] = False
    found, fitted = boards("site", of, usual(of)), usual(of)
    mu = fitted.level[..., None] * of.known * fitted.profile
    counts = of.counts * of.known
    for board in found:
        starts = range(0, HOURS - board.hours + 1, WINDOWS[board.hours])
        y = np.stack([counts[:, s : s + board.hours].sum(axis=1) for s in starts], axis=1)
        m = np.stack([mu[:, s : s + board.hours].sum(axis=1) for s in starts], axis=1)
        apart = slice(None, None, max(1, board.hours // WINDOWS[board.hours]))
        phi = overdispersion(y[:, apart], m[:, apart])
        spread = np.zeros(y.shape) + phi
        if series >= RELATED:
            spread += unrest(y, m, phi)[..., None]
        z = board.sign * deviance(y, np.maximum(m, 1e-12), spread)
        z[(y - m) ** 2 <= 2 * (m + spread * m**2)] = 0
        assert board.largest == pytest.approx(z.max(axis=(1, 2)).clip(0), abs=1e-6)
        assert len(board.newest) == (z[-1] > 0).sum()
        for start, s, size, count, mean, _ in board.newest:
            at = int(start) // WINDOWS[board.hours], int(s)
            assert (size, count, mean) == pytest.approx((z[-1][at], y[-1][at], m[-1][at]))


def newest_is(of, week):
    "The table with another week in the place of the newest."
    order = np.r_[np.delete(np.arange(len(of.counts)), week), week]
    return Cells(of.counts[order], of.known[order], of.series)


@pytest.mark.parametrize("heavy", [False, True])
def test_of_all_weeks_no_more_than_the_promised_part_is_named_whatever_they_are(heavy):
    of = cells(weeks=25, seed=8)
    if heavy:  # no law at all, and hours that move together
        rng = np.random.default_rng(9)
        shocks = np.exp(rng.standard_cauchy((25, HOURS // 6, 24)).clip(-3, 3)).repeat(6, axis=1)
        of = changed(of, np.rint(of.counts * shocks))
    alpha, named = 0.13, []
    for week in range(25):
        asked = newest_is(of, week)
        found = boards("site", asked, usual(asked))
        named.append(len(shown(found, np.ones(25, dtype=bool), {"site": of.series}, alpha)))
    assert 0 < np.count_nonzero(named) <= int(alpha * 25)


def test_a_window_is_named_with_its_band_and_windows_do_not_overlap():
    of = cells(weeks=40, seed=11, mean=20)
    counts = of.counts.copy()
    counts[-1, 60:, 3] = 0
    counts[-1, 31:34, 9] *= 3
    found = judged({"site": changed(of, counts)}, np.random.default_rng(1))
    assert found.weeks == 39 and not found.why and {f.series for f in found.flags} == {"s3", "s9"}
    silent = [f for f in found.flags if f.series == "s3"]
    assert silent[0].z < -12 and silent[0].p == pytest.approx(1 / 40)
    assert silent[0].hours == 24 and {f.hours for f in silent} <= {6, 24}
    assert min(f.start for f in silent) > 36
    (peak,) = [f for f in found.flags if f.series == "s9"]
    assert peak.hours in (3, 6) and peak.start <= 31 and peak.start + peak.hours >= 34
    assert peak.count == counts[-1, peak.start : peak.start + peak.hours, 9].sum()
    assert peak.low < peak.expected < peak.high < peak.count and peak.z > 5
    windows = sorted((f.start, f.start + f.hours) for f in found.flags if f.series == "s3")
    assert all(a[1] <= b[0] for a, b in zip(windows, windows[1:]))


def test_levels_are_asked_together_and_one_in_which_all_fall_is_named_at_the_level_of_all():
    of = cells(weeks=30, seed=12, mean=20)
    counts = of.counts.copy()
    counts[-1, 80:90] = np.rint(counts[-1, 80:90] * 0.3)
    total = Cells(counts.sum(axis=2, keepdims=True), of.known, ("all",))
    found = judged({"site": changed(of, counts), "all": total}, np.random.default_rng(1))
    assert {f.level for f in found.flags} == {"all"} and found.flags[0].z < -10
    (start, hours) = found.flags[0][2:4]
    assert start >= 80 and start + hours <= 90


def test_hours_to_come_are_no_silence_and_too_few_weeks_name_nothing_and_say_so():
    of = cells(weeks=30, seed=13)
    counts, known = of.counts.copy(), of.known.copy()
    counts[-1, 40:] = 0
    known[-1, 40:] = False
    assert judged({"site": changed(of, counts, known)}, np.random.default_rng(1)).flags == []
    few = judged({"site": changed(of, counts[8:], known[8:])}, np.random.default_rng(1))
    everything = np.ones_like(known)[8:]
    silent = judged({"site": Cells(counts[8:], everything, of.series)}, np.random.default_rng(1))
    assert few.flags == silent.flags == [] and "21 complete weeks" in silent.why
    assert abs(SCAN + TREND - 0.05) < 1e-9
    assert weeks_needed() == 24 and weeks_needed(0.05) == 19 and str(weeks_needed()) in few.why
    known[:9, :24] = False  # nine holidays: weeks that are not ranked
    assert judged({"site": changed(of, known=known)}, np.random.default_rng(1)).weeks == 20


def test_a_leak_is_named_with_its_size_and_weeks_in_any_order_seldom_are():
    of = cells(weeks=40, seed=14, mean=20)
    lost = 0.98 ** np.maximum(np.arange(40) - 25, 0)
    counts = of.counts.copy()
    counts[..., 6] = np.rint(counts[..., 6] * lost[:, None])
    found = judged({"site": changed(of, counts)}, np.random.default_rng(3))
    (leak,) = found.leaks
    assert leak.series == "s6" and leak.weeks in (12, 18) and leak.p == 1 / 1000 <= TREND
    assert -0.025 < leak.a_week < -0.01
    assert judged({"site": of}, np.random.default_rng(3)).leaks == []
    z, part = week_residuals(of, usual(of))
    assert z.shape == part.shape == (40, 24) and abs(z.mean(axis=0)).max() < 1e-9
    alone = Cells(counts[..., [6]], of.known, ("s6",))  # growth of all is no leak
    assert judged({"all": alone}, np.random.default_rng(3)).leaks == []


def test_leaks_of_nothing_have_the_stated_chance():
    rng, named = np.random.default_rng(15), 0
    for world in range(60):
        of = cells(weeks=10, series=20, seed=100 + world, mean=2)
        named += bool(leaks("site", of, usual(of), rng, alpha=0.2, orders=99))
    assert named / 60 <= 0.2 + 3 * np.sqrt(0.16 / 60) and named > 1


def test_weeks_that_resemble_their_neighbours_are_said():
    of = cells(weeks=40, seed=16, mean=20)
    rng, level = np.random.default_rng(17), np.zeros((40, 24))
    for week in range(1, 40):
        level[week] = 0.95 * level[week - 1] + rng.normal(0, 0.1, 24)
    counts = rng.poisson(of.counts * np.exp(level)[:, None]).astype(float)
    assert "resemble" in judged({"site": changed(of, counts)}, np.random.default_rng(1)).why
    assert not judged({"site": of}, np.random.default_rng(1)).why


def test_hours_have_points_like_any_score():
    of = cells(weeks=30, seed=18)
    counts = of.counts.copy()
    counts[-1, 50, 7] = 90
    z, points = hour_z(changed(of, counts)), hour_points(changed(of, counts))
    assert z.shape == (HOURS, 24) and np.unravel_index(np.abs(z).argmax(), z.shape) == (50, 7)
    assert (points == Grid("linear").quantise(np.abs(z))).all() and points.max() > 5000
    quiet = hour_z(of)
    assert 0.8 < quiet.std() < 1.2 and (np.abs(quiet) > 3).mean() < 0.01
    known = of.known.copy()
    known[-1, 50] = False
    assert (hour_z(changed(of, counts, known))[50] == 0).all()


def test_sums_of_amounts_are_read_like_counts():
    rng = np.random.default_rng(19)
    of = cells(weeks=30, seed=20, mean=20)
    shape = rng.gamma(2, 1, of.counts.shape)
    n = of.counts.astype(int)
    sums = rng.gamma(2 * np.maximum(n, 1e-9), 40) * (n > 0)  # n amounts of 80 on average
    squares = n * (2 * 3 * 40.0**2) + 0 * shape
    made = as_counts(sums, squares)
    assert made.sum() == pytest.approx(sums.sum() / 120, rel=0.02)
    busy = made.copy()
    busy[-1, 31:34, 9] *= 3
    assert [
        f.series for f in judged({"site": changed(of, busy)}, np.random.default_rng(1)).flags
    ] == ["s9"]
    assert (as_counts(np.zeros((2, 3, 1)), np.zeros((2, 3, 1))) == 0).all()


def test_series_without_a_count_and_bad_tables():
    of = cells(weeks=30)
    empty = changed(of, np.zeros_like(of.counts))
    assert judged({"site": empty}, np.random.default_rng(1)).flags == []
    counts = of.counts.copy()
    counts[..., 0] = 0
    assert judged({"site": changed(of, counts)}, np.random.default_rng(1)).flags == []
    counts[-1, 60:66, 0] = 7  # never seen before
    assert [
        f.series for f in judged({"site": changed(of, counts)}, np.random.default_rng(1)).flags
    ] == ["s0"]
    with pytest.raises(ValueError, match="weeks of 168 hours of 24 series"):
        Cells(of.counts[:, :24], of.known[:, :24], of.series)
    for bad in (-1.0, np.nan):
        counts[0, 0, 0] = bad
        with pytest.raises(ValueError, match="negative or no number"):
            changed(of, counts)


def named(world, worlds, weeks, seed):
    "Share of weeks of nothing in which anything is named, by world, and cells beyond z = 3."
    found = [bench.of_nothing(world, weeks, np.random.default_rng(seed + w)) for w in range(worlds)]
    return [np.mean([a for a, _ in f]) for f in found], np.mean([b for f in found for _, b in f])


@pytest.mark.parametrize("world", bench.WORLDS)
def test_weeks_of_nothing_seldom_have_anything(world):
    shares, beyond = named(bench.WORLDS[world]._replace(sites=24), 3, 8, 21)
    assert np.mean(shares) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 24)
    assert beyond > 3  # of 4,032 cells, by z = 3


def test_what_was_planted_is_found():
    rng, world = np.random.default_rng(22), bench.World(sites=40)
    off = [bench.silent(world, rng, (6, 24)) for _ in range(4)]
    assert bench.found_share(off, 10.0, 24) == 1 and bench.found_share(off, 100.0, 6) >= 0.75
    assert bench.found_share([bench.leaking(world, rng, looks=(12,))], 30.0, 12) == 1
    assert any(bench.busy(world, rng)[100.0] for _ in range(4))


@pytest.mark.slow
@pytest.mark.parametrize("world", bench.WORLDS)
def test_two_hundred_weeks_of_two_hundred_sites(world):
    shares, beyond = named(bench.WORLDS[world], 10, 20, 31)
    assert np.mean(shares) <= 0.05 + 3 * np.std(shares, ddof=1) / np.sqrt(10)
    assert 60 < beyond < 130
