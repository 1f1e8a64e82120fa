"When labels are in: by hand, by brute force, and in worlds whose end is known."

import numpy as np
import pytest
from conftest import few
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.stats.arrival import (
    Arrivals,
    arrivals,
    bands_differ,
    chance_to_come,
    complete_age,
    days_needed,
    known_share,
    missing_as_negative,
    still_to_come,
    upper_mean,
)
from aiops_wb.stats.counts import ScoreCounts

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, 2),
        st.one_of(st.just(np.nan), st.integers(0, 15).map(float)),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
)


def columns(events):
    return (np.array(column, dtype=float) for column in zip(*events))


@given(EVENTS, st.integers(12, 20))
def test_known_share_is_the_running_sum_of_hazards(events, today):
    day, band, age, label = columns(events)
    share = known_share(arrivals(day, band, age, label, today))
    expected = np.zeros(2)
    for at in range(len(share)):
        old = day <= today - at
        if not old.any():
            assert np.isnan(share[at]).all()
            continue
        for y in (0, 1):
            expected[y] += (old & (age == at) & (label == y)).sum() / old.sum()
        np.testing.assert_allclose(share[at], expected, atol=1e-12)


@given(EVENTS, EVENTS)
def test_tables_add_up_and_nothing_is_seen_after_today(one, other):
    def table(events, today=15):
        day, *rest = columns([*events, (12, 0, np.nan, 0)])
        return arrivals(day, *rest, today)

    together, a, b = table(one + other), table(one), table(other)
    np.testing.assert_array_equal(together.labels, a.labels + b.labels)
    for day, followed in enumerate(together.followed):
        assert together.labels[day, :, followed + 1 :].sum() == 0
    known = sum(d + age <= 15 for d, _, age, _ in one + other)
    assert together.labels.sum() == known
    assert together.together().labels.sum() == known


def test_followed_to_the_end_the_share_is_a_plain_count():
    rng = np.random.default_rng(3)
    day, age = rng.integers(0, 10, 500), rng.integers(0, 5, 500).astype(float)
    age[rng.random(500) < 0.2] = np.nan
    a = arrivals(day, np.zeros(500, int), age, np.zeros(500), today=100)
    plain = [np.mean(age <= at) for at in range(5)]
    np.testing.assert_allclose(known_share(a)[:5, 0], plain, atol=1e-12)
    ever = np.mean(~np.isnan(age))
    np.testing.assert_allclose(still_to_come(a)[:5], 1 - np.array(plain) / ever, atol=1e-12)
    np.testing.assert_allclose(
        chance_to_come(a)[:4], (ever - plain[:4]) / (1 - np.array(plain[:4])), atol=1e-12
    )


@pytest.mark.parametrize("days", [28, 60, 91, 365])
def test_without_a_late_label_the_bound_is_near_the_best_there_is(days):
    best = 1 - 0.05 ** (1 / days)  # all shares are 0 or 1, and by chance none was 1
    assert best <= upper_mean(np.zeros(days)) <= 1.1 * best


def test_an_upper_bound_needs_units_and_never_lies_below_the_mean():
    assert upper_mean([]) == 1.0
    assert upper_mean(np.ones(50)) == pytest.approx(1.0)
    assert upper_mean(np.full(100_000, 0.02)) == pytest.approx(0.02, abs=0.01)
    assert days_needed(0.05) in range(59, 63)
    assert days_needed(0.2) < days_needed(0.1) < days_needed(0.01)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: (rng.random(60) < 0.05).astype(float),  # some days all late, most not at all
        lambda rng: rng.beta(0.2, 3.8, 60),
        lambda rng: rng.binomial(20, 0.05, 60) / 20,
    ],
)
def test_the_bound_holds_the_mean_in_19_of_20_logs(draw):
    rng, runs = np.random.default_rng(11), 600
    held = np.mean([upper_mean(draw(rng)) >= 0.05 for _ in range(runs)])
    assert held >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)


def world(rng, delay, days=300, per_day=100, never=0.1):
    "A log whose labels come after delay(rng, score, label) days, or (a share of them) never."
    day = np.repeat(np.arange(days), rng.poisson(per_day, days))
    score = rng.beta(0.5, 1.5, len(day))
    label = rng.random(len(day)) < score
    age = np.floor(delay(rng, score, label)).astype(float)
    age[rng.random(len(day)) < never] = np.nan
    return day, np.digitize(score, [0.2, 0.6]), age, label


WORLDS = {
    "within two weeks": lambda rng, s, y: rng.uniform(0, 14, len(s)),
    "exponential": lambda rng, s, y: rng.exponential(6, len(s)),
    "two humps": lambda rng, s, y: np.abs(
        np.where(rng.random(len(s)) < 0.85, rng.normal(4, 1, len(s)), rng.normal(35, 4, len(s)))
    ),
    "by score": lambda rng, s, y: rng.exponential(np.where(s > 0.6, 12, 3)),
    "by label": lambda rng, s, y: rng.exponential(np.where(y, 3, 9)),
}


@pytest.mark.parametrize("name", few(WORLDS, "by score", "by label"))
def test_of_the_days_called_complete_few_have_more_to_come(name):
    wrong = called = 0
    for seed in range(3):
        day, band, age, label = world(np.random.default_rng(seed), WORLDS[name])
        first = 0
        for today in range(70, 300, 10):
            seen = day <= today
            a = arrivals(day[seen], band[seen], age[seen], label[seen], today)
            found = complete_age(a)
            if found.age is None:
                continue
            for new in range(first, today - found.age + 1):
                own = age[day == new]
                late = (own > today - new).sum() > 0.05 * np.isfinite(own).sum()
                wrong, called = wrong + late, called + 1
            first = max(first, today - found.age + 1)
    assert called > 200  # found, not withheld
    assert wrong <= 0.05 * called + 3 * np.sqrt(0.05 * 0.95 * called)


def test_a_log_of_slow_labels_is_never_complete_and_says_why():
    rng = np.random.default_rng(5)
    day, band, age, label = world(rng, lambda r, s, y: r.exponential(56, len(s)), 92, 300, 0)
    found = complete_age(arrivals(day, band, age, label, 91))
    assert found.age is None and np.isnan(found.never.value)
    assert "labels still arrive at" in found.reason and "a week" in found.reason


@pytest.mark.parametrize("days", [1, 20, 60])
def test_a_young_log_says_how_long_it_will_take(days):
    rng = np.random.default_rng(6)
    day, band, age, label = world(rng, WORLDS["within two weeks"], 200, 100, 0.1)
    young = day < days
    log = arrivals(day[young], band[young], age[young], label[young], days - 1)
    found = complete_age(log)
    assert found.age is None
    if days == 60:
        more = int(found.reason.split("about ")[1].split(" ")[0])
        old = day < days + more + 2
        later = arrivals(day[old], band[old], age[old], label[old], days + more + 1)
        assert complete_age(later).age is not None


def test_no_label_no_event_no_day():
    nothing = arrivals([], [], [], [], today=0)
    assert complete_age(nothing).age is None
    assert complete_age(nothing).reason == "no label is known yet"
    unlabelled = arrivals(np.arange(100), np.zeros(100), np.full(100, np.nan), np.zeros(100), 99)
    assert complete_age(unlabelled).reason == "no label is known yet"
    assert chance_to_come(unlabelled).max() == 0


def test_what_is_never_labelled_is_found_with_its_interval():
    day, band, age, label = world(np.random.default_rng(8), WORLDS["within two weeks"], never=0.2)
    found = complete_age(arrivals(day, band, age, label, 299))
    assert found.never.lower <= 0.2 <= found.never.upper
    assert found.never.upper - found.never.lower < 0.02


def test_bands_are_pooled_until_they_are_shown_to_differ():
    rng = np.random.default_rng(9)
    same = world(rng, WORLDS["exponential"], 120, 200)
    apart = world(rng, WORLDS["by score"], 120, 200)
    assert not bands_differ(arrivals(*same, 119))
    assert bands_differ(arrivals(*apart, 119))


def test_a_band_that_waits_longer_decides():
    def delay(rng, s, y):
        return np.where(s > 0.6, 25, rng.uniform(0, 5, len(s)))

    day, band, age, label = world(np.random.default_rng(10), delay, 200, 200, 0)
    found = complete_age(arrivals(day, band, age, label, 199))
    assert found.by_band and found.age == 25


def test_the_false_alarm_rate_of_differing_bands():
    runs, rng = 200, np.random.default_rng(12)
    alarms = [
        bands_differ(arrivals(*world(rng, WORLDS["exponential"], 80, 40), 79)) for _ in range(runs)
    ]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="same days and bands"):
        Arrivals(np.zeros((2, 3)), np.zeros((2, 1, 5, 2)), np.zeros(2, int))
    with pytest.raises(ValueError, match="followed up to 9 days"):
        Arrivals(np.zeros((2, 3)), np.zeros((2, 3, 5, 2)), np.array([9, 1]))


@settings(max_examples=20)
@given(EVENTS)
def test_any_small_log_is_answered_in_words(events):
    found = complete_age(arrivals(*columns(events), 20))
    assert found.age is None and found.reason


@given(
    st.lists(
        st.tuples(st.integers(-300, 300), st.sampled_from([0.0, 1.0, np.nan])),
        min_size=1,
        max_size=80,
    ),
    st.floats(0, 1),
)
def test_missing_labels_that_may_come_are_negative(rows, chance):
    points, label = (np.array(column) for column in zip(*rows))
    counts = ScoreCounts.from_events(points, label)
    worst = missing_as_negative(counts, chance)
    for threshold in (-301, -50, 0, 7, 300):
        above = points >= threshold
        open_ = int((above & np.isnan(label)).sum())
        start = np.searchsorted(worst.points, threshold)
        assert worst.n_positive[start:].sum() == (label[above] == 1).sum()
        feared = worst.n_negative[start:].sum() - (label[above] == 0).sum()
        assert feared == pytest.approx(chance * open_)
    assert (worst.n_labelled <= worst.n + 1e-9).all() and (worst.n_negative >= 0).all()


@pytest.mark.parametrize("chance", [-0.1, 1.1, np.nan])
def test_a_chance_is_a_share(chance):
    with pytest.raises(ValueError, match="between 0 and 1"):
        missing_as_negative(ScoreCounts.empty(), chance)


def test_with_a_share_of_one_nothing_has_to_be_shown():
    nothing = Arrivals(np.zeros((0, 3)), np.zeros((0, 3, 1, 2)), np.zeros(0, dtype=int))
    assert complete_age(nothing, 1.0).age == 0 and complete_age(nothing).age is None
