"When labels are in by what is declared never to get one: by hand, and in simulated worlds."

import numpy as np
import pytest
from conftest import few
from scipy.stats import binom
from test_arrival import WORLDS, world

from aiops_wb.stats.arrival import arrivals, chance_to_come, complete_age, known_share

EARLIER = ("exponential", "two humps", "by score")


def mornings(log, days, step=10, first=70):
    "The table of a log on some mornings, with the morning."
    day, band, age, label = log
    for today in range(first, days, step):
        seen = day <= today
        yield today, arrivals(day[seen], band[seen], age[seen], label[seen], today)


def called(log, days, never, **asked):
    "Of days that were called complete by a declaration: (more than 5 % still came, by day)."
    day, _, age, _ = log
    until, wrong = 0, []
    for today, table in mornings(log, days, **asked):
        found = complete_age(table, never=never)
        if not found.declared:
            continue
        for new in range(until, today - found.age + 1):
            own = age[day == new]
            wrong.append((own > today - new).sum() > 0.05 * np.isfinite(own).sum())
        until = max(until, today - found.age + 1)
    return wrong


@pytest.mark.parametrize("never", few([0.0, 0.2], 0.2))
@pytest.mark.parametrize("name", EARLIER)
def test_a_true_declaration_keeps_the_promise(name, never):
    "At most 5 % of days called complete have more than 5 % of their labels to come."
    wrong = []
    for seed in range(3):
        log = world(np.random.default_rng([21, seed]), WORLDS[name], 180, 100, never)
        wrong += called(log, 180, never)
    assert len(wrong) > 90  # found, not withheld
    assert sum(wrong) <= binom(len(wrong), 0.05).ppf(0.999)


def first_morning(log, never, days=200):
    return next(
        (t for t, table in mornings(log, days) if complete_age(table, never=never).age is not None),
        np.inf,
    )


@pytest.mark.parametrize("name", EARLIER)
def test_days_are_complete_earlier_than_by_evidence(name):
    log = world(np.random.default_rng(22), WORLDS[name], 200, 100, 0.2)
    assert first_morning(log, 0.2) <= first_morning(log, None) - 20


@pytest.mark.parametrize("never, said", [(0.0, 0.05), (0.0, 0.5), (0.2, 0.25), (0.2, 0.5)])
def test_declaring_too_much_makes_no_day_complete_too_early(never, said):
    "Labels that go on coming refute it: what stands then is the evidence."
    wrong, doubted = [], 0
    for name in ("exponential", "two humps"):
        log = world(np.random.default_rng(23), WORLDS[name], 150, 100, never)
        wrong += called(log, 150, said, step=20)
        for _, table in mornings(log, 150, 40):
            found = complete_age(table, never=said)
            if found.doubt:
                doubted += 1
                assert found.age == complete_age(table).age and not found.declared
                assert found.doubt in found.reason and f"{said:.0%} of events" in found.doubt
    assert doubted >= 2
    assert sum(wrong) <= binom(len(wrong), 0.05).ppf(0.999)


def test_slow_labels_refute_a_declaration_before_it_makes_a_day_complete():
    "The known share passes what was declared on its way up: no plateau is there."
    slow = world(np.random.default_rng(24), lambda r, s, y: r.exponential(30, len(s)), 120, 100, 0)
    for said in (0.2, 0.4, 0.6, 0.8):
        wrong = called(slow, 120, said, step=5, first=20)
        assert not any(wrong), said
    assert complete_age(list(mornings(slow, 120))[-1][1], never=0.6).doubt


def test_declaring_too_little_only_waits_for_evidence():
    log = world(np.random.default_rng(25), WORLDS["exponential"], 200, 100, 0.2)
    for _, table in mornings(log, 200, 30):
        found, alone = complete_age(table, never=0.05), complete_age(table)
        assert (found.age, found.doubt, found.declared) == (alone.age, "", False)
    assert found.age is not None and found.plateau and found.never.lower > 0.05


def test_a_true_declaration_is_hardly_ever_refuted_on_any_morning():
    "Up to 5 % of logs would be: what the first days said, they say on all later mornings."
    runs, refuted = 100, 0
    for seed in range(runs):
        rng = np.random.default_rng([26, seed])
        day, band, age, label = world(rng, lambda r, s, y: r.uniform(0, 2, len(s)), 100, 20, 0.2)
        refuted += bool(complete_age(arrivals(day, band, age, label, 99), never=0.2).doubt)
    assert refuted <= binom(runs, 0.05).ppf(0.999)


def test_a_band_that_waits_longer_decides_here_too():
    "Three of a hundred events a day: too few to be seen in the whole."
    rng, days = np.random.default_rng(27), 175
    day, band = np.repeat(np.arange(days), 100), np.tile(np.arange(100) >= 97, days) * 2
    age = np.where(band == 2, 25.0, np.floor(rng.uniform(0, 5, len(day))))
    table = arrivals(day, band, age, np.zeros(len(day)), days - 1)
    assert complete_age(table.together(), never=0.0).age < 5
    found = complete_age(table, never=0.0)
    assert found.by_band and found.age == 25


def by_hand(days, labelled, of=10, at=2):
    "Each day of ten events, some labelled at an age, of one band."
    day = np.repeat(np.arange(days), of)
    age = np.where(np.tile(np.arange(of), days) < labelled, float(at), np.nan)
    return arrivals(day, np.zeros(len(day), int), age, np.zeros(len(day)), days + at - 1)


def test_the_bound_is_what_is_unlabelled_less_what_never_will_be():
    table = by_hand(61, 8)
    found = complete_age(table, never=0.2)
    assert found.age == 2 and found.declared and not found.plateau and found.days == 61
    assert found.to_come == pytest.approx(0, abs=1e-12) and 0 < found.bound <= 0.05
    assert "20% of events never get one" in found.reason
    assert complete_age(table).age is None
    assert complete_age(by_hand(59, 8), never=0.2).age is None


def test_the_mean_is_bounded_not_believed():
    "Of a hundred events 77 have a label and 80 get one: fewer than 5 % are missing, not for sure."
    day = np.repeat(np.arange(64), 100)
    age = np.where(np.tile(np.arange(100), 64) < 77, 2.0, np.nan)
    table = arrivals(day, np.zeros(len(day), int), age, np.zeros(len(day)), 65)
    assert 1 - known_share(table).sum(axis=1)[2] / 0.8 < 0.05
    assert complete_age(table, never=0.2).age is None
    assert complete_age(table, never=0.23).age == 2


def test_each_day_counts_not_only_their_mean():
    "Every twelfth day lacks three of its ten labels until it is twelve days old: 2.5 % of all."
    day = np.repeat(np.arange(240), 10)
    late = (day % 12 == 0) & (np.tile(np.arange(10), 240) < 3)
    age = np.where(late, 12.0, 2.0)
    table = arrivals(day, np.zeros(len(day), int), age, np.zeros(len(day)), 239)
    young = arrivals(day[day < 150], np.zeros(1500, int), age[day < 150], np.zeros(1500), 149)
    assert complete_age(table, never=0.0).age == complete_age(young, never=0.0).age == 12


def test_a_day_is_owed_the_labels_that_were_declared_to_come():
    """Of a hundred events 83 get a label by declaration, and 81 have one; every twelfth day has 76
    until it is twelve days old: 7 of 83 were to come then, and without those two 3 of 79."""
    day, place = np.repeat(np.arange(150), 100), np.tile(np.arange(100), 150)
    age = np.where(place < 81, 2.0, np.nan)
    age[(day % 12 == 0) & (place >= 76) & (place < 81)] = 12.0
    table = arrivals(day, np.zeros(len(day), int), age, np.zeros(len(day)), 149)
    assert 1 - known_share(table).sum(axis=1)[2] / 0.83 < 0.05, "in the mean they are complete"
    assert complete_age(table, never=0.17).age == 12


def test_no_fewer_labels_will_come_than_came_on_older_days():
    "Three old days show a second wave: too few to refute a declaration, enough not to rely on it."
    day = np.repeat(np.arange(100), 10)
    place = np.tile(np.arange(10), 100)
    age = np.where(place < 8, 2.0, np.where(place < 9, 97.0, np.nan))
    table = arrivals(day, np.zeros(len(day), int), age, np.zeros(len(day)), 99)
    found = complete_age(table, never=0.2)
    assert table.labels[:, 0, 97].sum() == 3 and not found.doubt and found.age is None


def test_what_is_owed_follows_from_the_declaration():
    table = by_hand(61, 7)
    share = known_share(table).sum(axis=1)
    assert share[2] == pytest.approx(0.7)
    chance = chance_to_come(table, 0.2)
    assert chance[0] == pytest.approx(0.8) and chance[2] == pytest.approx(0.1 / 0.3)
    assert chance_to_come(table)[2] == 0  # as if none came any more
    more = chance_to_come(table, 0.9)  # no fewer ever come than have come
    assert np.array_equal(more, chance_to_come(table))


@pytest.mark.parametrize("never", [-0.01, 1.0, np.nan])
def test_a_declared_share_lies_below_one(never):
    with pytest.raises(ValueError, match="0 <= share < 1"):
        complete_age(by_hand(3, 8), never=never)


@pytest.mark.parametrize("never", [0.0, 0.5])
def test_a_log_of_nothing_is_answered_as_without_a_declaration(never):
    for table in (arrivals([], [], [], [], today=0), by_hand(1, 8), by_hand(30, 0)):
        assert complete_age(table, never=never).age is None
    assert complete_age(arrivals([], [], [], [], 0), never=never).reason == "no label is known yet"


def test_no_more_than_all_events_are_said_to_have_a_label_where_labels_came_at_once():
    day, has = np.repeat(np.arange(60), 20), np.tile([1, 1, 1, 1, 0], 240).astype(bool)
    age = np.where(has, 59.0 - day, np.nan)
    nothing = np.zeros(len(day), dtype=int)
    found = complete_age(arrivals(day, nothing, age, nothing, 59), never=0.5)
    assert "but 80.0% have one" in found.doubt
