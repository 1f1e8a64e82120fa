"""Days as witnesses: what a day's labels say by scipy, bets by quadrature, level and delay by
simulation, and whether days are independent with the power that is claimed.
"""

from datetime import date, timedelta

import numpy as np
import pytest
from conftest import few
from scipy.integrate import quad
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit
from scipy.stats import chi2, norm, t

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.days import (
    Independence,
    Residuals,
    Spread,
    Statement,
    change_bets,
    day_statements,
    independence,
    pairs_needed,
    spread,
)
from aiops_wb.stats.sequential import restarted
from aiops_wb.stats.streams import calibration_question

Z = np.linspace(-4, 2, 31)
SHAPE = norm.pdf(Z, -1.8, 1.0) / norm.pdf(Z, -1.8, 1.0).sum()
FIRST = date(2026, 1, 5)
WEIGHT = 0.2  # of the calibration among all streams


def labels_of(rng, n, shift=0.0, slope=0.0):
    "Positive and negative labels (days, cells) of days with n (days,) labels."
    n = np.asarray(n)
    shift, slope = np.broadcast_to(shift, n.shape), np.broadcast_to(slope, n.shape)
    counted = np.array([rng.multinomial(size, SHAPE) for size in n])
    odds = -1.8 + (1 + slope)[:, None] * (Z + 1.8) + shift[:, None]
    positive = rng.binomial(counted, expit(odds)).astype(float)
    return positive, counted - positive


def test_a_days_statement_is_the_held_back_likeliest_shift_and_slope_on_its_own_scale():
    rng = np.random.default_rng(1)
    positive, negative = labels_of(rng, [3, 40, 700], 0.4, 0.3)
    usual = SHAPE * 1000
    shift, slope = day_statements(positive, negative, expit(Z), usual)
    weight = usual * expit(Z) * expit(-Z)
    x = Z - weight @ Z / weight.sum()

    def lost(change, day):
        odds = Z + change[0] + change[1] * x
        fit = positive[day] @ log_expit(odds) + negative[day] @ log_expit(-odds)
        return -fit + change[0] ** 2 / 2 + 4 * change[1] ** 2 / 2

    for day in range(3):
        fitted = minimize(lost, [0.0, 0.0], args=(day,), tol=1e-12).x
        w = (positive[day] + negative[day]) * expit(Z) * expit(-Z)
        own = np.array([[w.sum(), w @ x], [w @ x, w @ x**2]])
        room = np.linalg.inv(own + np.diag([1.0, 4.0]))
        comes_through, chance = room @ own, room @ own @ room
        for i, said in enumerate((shift, slope)):
            share = comes_through[i, i]
            assert said.value[day] == pytest.approx(fitted[i] / share, abs=1e-4)
            assert said.chance[day] == pytest.approx(chance[i, i] / share**2)


@pytest.mark.parametrize("labels", [3, 25, 300])
def test_days_of_any_size_say_what_is_by_the_chance_they_admit(labels):
    rng = np.random.default_rng(2)
    n = np.full(4000, labels)
    of_nothing = day_statements(*labels_of(rng, n), expit(Z), SHAPE)
    of_little = day_statements(*labels_of(rng, n, 0.1), expit(Z), SHAPE)
    for still in of_nothing:
        assert np.sqrt(np.nanmean(still.value**2 / still.chance)) == pytest.approx(1, abs=0.1)
    weight = 1 / of_little[0].chance
    moved = np.nansum(weight * (of_little[0].value - of_nothing[0].value)) / np.nansum(weight)
    assert moved == pytest.approx(0.1, abs=0.05 + 3 * np.sqrt(2 / np.nansum(weight)))


@pytest.mark.filterwarnings("error")
def test_days_without_labels_say_nothing_and_one_label_says_little():
    one = np.zeros((3, 31))
    one[1, 10] = 1
    one[2, :] = 1000 * SHAPE * expit(Z)
    shift, slope = day_statements(one, np.zeros((3, 31)), expit(Z), SHAPE)
    assert np.isnan(shift.value[0]) and np.isnan(slope.value[0])
    assert shift.value[1] > 0 and shift.chance[1] > 1 > shift.chance[2]
    bets = change_bets(shift, Spread(0.0, 0.1, 1.0, 0.0, 0.01), (0.5, 1.0), 0.1)
    assert bets.shape == (3, 2) and not bets[0].any() and bets[2].all()
    none = day_statements(np.zeros((0, 31)), np.zeros((0, 31)), expit(Z), SHAPE)
    assert change_bets(none[0], None, (0.5,), 0.1).shape == (0, 1)


@pytest.mark.filterwarnings("error")
def test_scores_that_are_all_alike_have_a_shift_and_no_slope():
    positive = np.full((20, 1), 3.0)
    shift, slope = day_statements(positive, 3 * positive, np.array([0.2]), np.array([240.0]))
    assert (shift.value > 0).all() and np.isnan(slope.value).all()
    assert spread(slope) is None and not change_bets(slope, None, (1.0,), 0.1).any()


@pytest.mark.parametrize("effect", [0.0, 0.3, 2.0])
def test_the_spread_is_that_of_chi_square_residuals(effect):
    rng = np.random.default_rng(3)
    chance = rng.uniform(0.05, 0.5, 60)
    value = rng.normal(0.2, np.sqrt(effect**2 + chance))
    value[7] = np.nan
    found, known = spread(Statement(value, chance)), ~np.isnan(value)

    def squares(variance):
        weight = 1 / (variance + chance[known])
        mean = (weight * value[known]).sum() / weight.sum()
        return (weight * (value[known] - mean) ** 2).sum()

    due = chi2.ppf(0.25, 58)
    wanted = brentq(lambda v: squares(v) - due, 0, 100) if squares(0) > due else 0.0
    assert found.variance == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    assert found.factor == pytest.approx(max(1, squares(0) / due))
    assert found.mean == pytest.approx(0.2, abs=4 * found.error)
    assert spread(Statement(value[:14], chance[:14])) is None  # 13 of them say something


def test_what_small_reference_days_could_not_show_is_granted_to_large_ones():
    rng = np.random.default_rng(4)
    tiny = Statement(rng.normal(0, 1.2, 28), np.full(28, 1.44))
    known = spread(tiny._replace(value=tiny.value / tiny.value.std() * 0.9))
    assert known.variance == 0  # days look all alike, as far as so few labels can tell
    assert known.at(0.01) > 0.5 and known.at(1.44) == pytest.approx(1.44)
    large = spread(Statement(rng.normal(0, 0.5, 28), np.full(28, 0.0025)))
    assert large.at(0.0025) == pytest.approx(large.variance + 0.0025, rel=0.05)


def test_bets_are_the_ratio_of_t_laws():
    known = Spread(0.05, 0.2, 1.0, 0.0, 0.02)
    said = Statement(np.array([-0.9, 0.02, 0.7]), np.array([0.1, 0.3, 0.05]))
    bets = change_bets(said, known, (-0.5, 1.0), 0.1)
    for day, (value, chance) in enumerate(zip(*said)):
        law = t(5, scale=np.sqrt(3 / 5 * 1.4 * (0.2 + chance)))
        tolerated = np.linspace(-0.14, 0.19, 10_001)  # nought to the mean, tolerance, two errors
        best = law.logpdf(value - tolerated).max()
        for i, change in enumerate((-0.5, 1.0)):
            wanted = law.logpdf(value - 0.05 - change) - best
            assert bets[day, i] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("law", [t(3, scale=np.sqrt(1 / 3)), t(5, scale=np.sqrt(3 / 5)), norm])
@pytest.mark.parametrize("variance", few([0.02, 0.3, 2.0], 0.3))
def test_bets_are_fair_at_the_edge_of_what_is_tolerated(law, variance):
    "By quadrature, for normal days and for ones with heavy tails."
    known = Spread(0.0, variance, 1.0, 0.0, 0.0)
    for i, change in enumerate((-0.5, 0.3, 1.0)):
        edge = 0.1 * np.sign(change)
        bet = lambda off, i=i, edge=edge: np.exp(
            change_bets(
                Statement(np.array([edge + off * np.sqrt(variance)]), np.zeros(1)),
                known,
                (-0.5, 0.3, 1.0),
                0.1,
            )[0, i]
        )
        mean = quad(lambda off, bet=bet: law.pdf(off) * bet(off), -60, 60, limit=500, points=[0])[0]
        assert mean <= 1 + 1e-6
        assert mean > 0.05 or abs(change) > 0.3  # and not for want of betting


def test_one_wild_day_earns_a_thousandfold_at_most_and_a_stormy_one_next_to_nothing():
    known = Spread(0.0, 0.01, 1.0, 0.0, 0.01)
    far = change_bets(Statement(np.array([1.0, 50.0]), np.full(2, 0.001)), known, (1.0,), 0.1)
    assert far[0, 0] == 7 and far[1, 0] < 0.3


def counts(positive, negative, first):
    "Labelled counts as days of a score."
    points = np.round(1000 * Z).astype(int)
    rows = zip(positive.astype(int), (positive + negative).astype(int))
    return {
        first + timedelta(i): ScoreCounts.of(points, n, n, hits) for i, (hits, n) in enumerate(rows)
    }


def evidence(rng, before, since, **world):
    "The evidence of a year's calibration over what it needs, its days of so many labels."
    sizes = np.concatenate([before, since])
    effect = {k: v(rng, len(sizes)) if callable(v) else v for k, v in world.items()}
    positive, negative = labels_of(rng, sizes, **effect)
    m = len(before)
    learnt, now = (
        counts(positive[part], negative[part], day)
        for part, day in ((slice(m), FIRST), (slice(m, None), FIRST + timedelta(m)))
    )
    asked = calibration_question(now, learnt, 0.1, 7, WEIGHT)
    return restarted(asked.stream.bets) - np.log(20 / WEIGHT)


own = lambda sd: lambda rng, days: rng.normal(0, sd, days)
heavy = lambda rng, days: 0.5 * rng.standard_t(4, days)


@pytest.mark.parametrize(
    ("labels", "days"), few([(48, 28), (300, 28), (300, 91), (2000, 91)], (48, 28), (2000, 91))
)
def test_days_with_a_shift_and_a_slope_of_their_own_are_no_change(labels, days):
    rng = np.random.default_rng(labels + days)
    of = lambda: evidence(
        rng, np.full(days, labels), np.full(365, labels), shift=own(0.5), slope=own(0.5)
    )
    assert sum(of().max() > 0 for _ in range(10)) == 0  # in each of ten when rows are witnesses


small = lambda rng, days: rng.integers(0, 12, days)
middle = lambda rng, days: rng.integers(2, 60, days)
large = lambda rng, days: np.full(days, 2000)


@pytest.mark.parametrize(
    ("before", "since", "shift"),
    [
        (small, small, own(0.5)),
        (middle, middle, own(1.5)),
        (middle, middle, heavy),
        (small, large, own(0.5)),
        (middle, large, own(0.5)),
        (large, small, own(0.5)),
        (small, large, 0.0),
    ],
)
@pytest.mark.parametrize("days", few([28, 91], 28))
def test_small_empty_heavy_and_growing_days_are_no_change(before, since, shift, days):
    rng = np.random.default_rng(days)
    world = {"shift": shift, "slope": own(0.5) if callable(shift) else 0.0}
    of = lambda: evidence(rng, before(rng, days), since(rng, 200), **world)
    assert sum(of().max() > 0 for _ in range(8)) == 0


def test_labels_that_hang_together_within_a_day_are_no_change():
    "A day's labels come in parties of ten that share their luck; sizes of days differ twentyfold."
    rng = np.random.default_rng(5)

    def party_days(sizes):
        parties = [rng.normal(0, 1.5, size // 10) for size in sizes]
        made = [labels_of(rng, np.full(len(luck), 10), shift=luck) for luck in parties]
        return [np.array([part[i].sum(axis=0) for part in made]) for i in (0, 1)]

    for _ in range(6):
        before, since = (party_days(rng.choice([100, 2000], days)) for days in (60, 150))
        asked = calibration_question(
            counts(*since, FIRST + timedelta(60)), counts(*before, FIRST), 0.1, 7, WEIGHT
        )
        assert restarted(asked.stream.bets).max() < np.log(20 / WEIGHT)


@pytest.mark.parametrize(("days", "within"), [(91, 6), (28, 7.5)])
def test_half_a_logit_is_found_in_about_a_week(days, within):
    rng, found = np.random.default_rng(6), []
    for _ in range(20):
        moved = 0.5 * (np.arange(days + 60) >= days + 30)
        seen = evidence(rng, np.full(days, 500), np.full(60, 500), shift=moved) > 0
        assert not seen[:30].any()
        found.append(np.argmax(seen[30:]) + 1 if seen[30:].any() else 60)
    assert np.mean(found) <= within


def test_a_slope_that_doubles_is_found():
    rng = np.random.default_rng(7)
    seen = evidence(rng, np.full(60, 500), np.full(30, 500), slope=1.0 * (np.arange(90) >= 70))
    assert not (seen[:10] > 0).any() and (seen[10:20] > 0).any()


def test_no_bet_depends_on_a_later_day():
    rng = np.random.default_rng(8)
    positive, negative = labels_of(rng, np.full(90, 100), rng.normal(0, 0.3, 90))
    learnt = counts(positive[:60], negative[:60], FIRST)
    now = lambda days: counts(positive[60:days], negative[60:days], FIRST + timedelta(60))
    whole, part = (calibration_question(now(d), learnt, 0.1, 7, WEIGHT) for d in (90, 75))
    assert np.allclose(whole.stream.bets[:15], part.stream.bets)


def slow(rng, days, rho):
    "Days of which each resembles the one before."
    steps = rng.normal(size=days)
    for i in range(1, days):
        steps[i] = rho * steps[i - 1] + np.sqrt(1 - rho**2) * steps[i]
    return steps


def calendar(days, first=FIRST):
    return [first + timedelta(i) for i in range(days)]


def residuals(values, days):
    "The first so many days are the reference's."
    return Residuals.of(calendar(days), values[:days], values[days:])


def test_a_resemblance_is_found_with_the_power_that_is_claimed_and_seldom_invented():
    rng, streams, worlds = np.random.default_rng(9), 5, 400
    needed = pairs_needed(streams)
    found = {0.0: 0, 0.3: 0}
    for rho in found:
        for _ in range(worlds):
            made = {"slow": slow(rng, needed + 3, rho)}
            made |= {str(i): rng.normal(size=needed + 3) for i in range(streams - 1)}
            apart = {name: residuals(values, 60) for name, values in made.items()}
            quiet = dict.fromkeys(apart, np.zeros(needed - 57, dtype=bool))
            seen = independence(apart, quiet)
            assert seen.needed == needed and not seen.waiting
            found[rho] += "slow" in seen.resembling if rho else seen.state == "violated"
    error = lambda p: 3 * np.sqrt(p * (1 - p) / worlds)
    assert found[0.3] / worlds >= 0.8 - error(0.8)
    assert found[0.0] / worlds <= 0.05 + error(0.05)


def test_more_streams_and_weaker_resemblance_need_more_days():
    assert pairs_needed(1) < pairs_needed(5) < pairs_needed(24) < pairs_needed(24, worth=0.2)


@pytest.mark.parametrize(("streams", "worth"), [(1, 0.3), (10, 0.3), (4, 0.5)])
def test_so_many_pairs_are_the_fewest_with_the_power(streams, worth):
    "An estimate of n pairs is normal about worth - (1 + 3 worth) / n (Marriott and Pope 1954)."
    bar, n = norm.ppf(1 - 0.05 / streams), pairs_needed(streams, worth)
    power = [
        norm.sf(bar / np.sqrt(k), worth - (1 + 3 * worth) / k, np.sqrt((1 - worth**2) / k))
        for k in (n - 1, n)
    ]
    assert power[0] < 0.8 <= power[1]


def test_neighbours_are_a_day_apart_and_days_of_an_alarm_are_left_out():
    rng = np.random.default_rng(10)
    values = slow(rng, 200, 0.8)
    every_other = [FIRST + timedelta(2 * i) for i in range(100)]
    apart = Residuals.of(every_other, values[:100], values[100:])
    quiet = np.zeros(100, dtype=bool)
    assert apart.resemblance(quiet, 0.95).n == 99  # none of the reference's
    assert apart.resemblance(np.arange(100) >= 50, 0.95).n == 49
    assert np.isnan(apart.resemblance(~quiet, 0.95).value)
    changed = rng.normal(size=200) + 3 * (np.arange(200) >= 150)
    alarmed = residuals(changed, 100).resemblance(np.arange(100) >= 50, 0.95)
    assert residuals(changed, 100).resemblance(quiet, 0.95).lower > 0 > alarmed.lower


def test_weekends_that_the_reference_knows_are_no_resemblance():
    rng, days = np.random.default_rng(11), calendar(200)
    weekday = np.array([d.weekday() for d in days])
    values = rng.normal(size=200) + 4 * (weekday >= 5)
    quiet = np.zeros(100, dtype=bool)
    known = Residuals.of(days[:100], values[:100], values[100:], weekday[:100], weekday[100:])
    unknown = Residuals.of(days[:100], values[:100], values[100:])
    assert known.resemblance(quiet, 0.95).lower < 0 < unknown.resemblance(quiet, 0.95).lower


def test_the_three_states_and_what_they_say():
    rng = np.random.default_rng(12)
    quiet = lambda n: {"loss": np.zeros(n, dtype=bool)}
    begun = independence({"loss": residuals(rng.normal(size=40), 28)}, quiet(12))
    assert begun.state == "unknown" and begun.waiting == {"loss": 38}
    assert "cannot be checked yet" in begun.says() and "loss had 38" in begun.says()
    holds = independence({"loss": residuals(rng.normal(size=200), 28)}, quiet(172))
    assert holds.state == "holds" and "4 of 5" in holds.says()
    violated = independence({"loss": residuals(slow(rng, 40, 0.9), 28)}, quiet(12))
    assert violated.state == "violated" and "loss resemble" in violated.says()
    assert Independence().state == "unknown"


def test_what_never_varies_resembles_nothing_and_what_has_no_days_is_not_waited_for():
    fives = np.log(5.0) + 1e-15 * np.sin(np.arange(200))  # as rounding leaves them
    same, none = residuals(fives, 100), residuals(np.full(200, np.nan), 100)
    quiet = dict.fromkeys(("same", "none"), np.zeros(100, dtype=bool))
    seen = independence({"same": same, "none": none}, quiet)
    assert list(seen.figures) == ["same"] and seen.state == "holds"
