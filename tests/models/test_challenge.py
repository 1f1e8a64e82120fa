"""What a challenge is prepared with and what its safeguards look at, to the day and the event."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import NO_FILE, Settings
from aiops_wb.log.errors import StoreError
from aiops_wb.models.challenge import (
    Plan,
    Prepared,
    challenger_of,
    check,
    conclude,
    plan,
    prepare,
    safeguard_rules,
)
from aiops_wb.models.jobs import Order
from aiops_wb.stats.points import Grid
from aiops_wb.stats.retrain import Limits

START, DAYS, A_DAY = date(2026, 3, 1), 14, 6
NOW = datetime(2026, 5, 20, 2, tzinfo=UTC)
CARD = {"positive_weight": 3.0, "half_life_days": 30}


def on(day):
    return START + timedelta(day)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Events of fourteen days of two tenants, all labelled, the last by a later batch; a champion."
    bench = Bench(tmp_path_factory.mktemp("challenge"))
    rows = events(DAYS, A_DAY, start=START)
    bench.log(rows)
    bench.label(rows[:-1])
    bench.ingest(NOW - timedelta(9))
    bench.label(rows[-1:])
    bench.ingest(NOW - timedelta(1))
    with bench.store() as store:
        store.add_version(NOW - timedelta(9), "ana", MODEL, "v1", Grid(), "p", CARD, 100)
        store.promote(NOW - timedelta(8), "ana", MODEL, "v1", "first")
    return bench, rows


@pytest.fixture
def house(made, tmp_path):
    with made[0].copy_to(tmp_path).store() as store:
        yield store


def positives(made, first, last):
    rows = made[1]
    return int(rows[(rows.day >= on(first)) & (rows.day <= on(last))].label.sum())


def test_the_windows_of_a_challenge_are_as_long_as_they_are_asked_for():
    day = date(2026, 6, 30)
    assert plan(day) == Plan(
        (date(2026, 2, 26), date(2026, 5, 26)), (date(2026, 5, 27), date(2026, 6, 23))
    )
    assert plan(day, 2, 1, 0) == Plan((date(2026, 6, 28), date(2026, 6, 29)), (day, day))
    assert challenger_of(date(2026, 6, 3)) == "challenger-20260603"


def safeguards_of(store, day, now=NOW, **rules):
    found = check(store, MODEL, day, now, "high", ["loss (high)"], **rules)
    return {one.name: one for one in found}


@pytest.mark.parametrize(("end", "days"), [(9, (0, 9)), (13, (0, 13)), (93, (4, 13)), (-1, None)])
def test_samples_are_counted_on_the_days_that_would_be_trained_on(made, house, end, days):
    "The last of them lies 7 and 28 days before the day, the first 89 before it."
    found = safeguards_of(house, on(end + 35))["samples"].evidence
    n = (days[1] - days[0] + 1) * A_DAY if days else 0
    assert found == {"labelled": n, "positive": positives(made, *days) if days else 0}
    later = safeguards_of(house, on(end + 35 + 3), floor=10)["samples"].evidence
    assert later == found, "a floor above seven days moves the windows"
    assert safeguards_of(house, on(end + 35), floor=7)["samples"].evidence == found


def test_labels_count_as_known_at_a_time_and_without_tenants_that_are_left_out(house):
    n = DAYS * A_DAY
    at = lambda as_of: safeguards_of(house, on(48), as_of=as_of)["samples"].evidence["labelled"]
    assert [at(None), at(NOW), at(NOW - timedelta(2)), at(NOW - timedelta(10))] == [n, n, n - 1, 0]
    house.let_retrain(NOW - timedelta(1), "ana", MODEL, False, "asked us", "default")
    assert (
        at(None) == 0
        and safeguards_of(house, on(48), NOW - timedelta(2))["samples"].evidence["labelled"]
        == n - 1
    )


def test_a_flag_in_the_trail_overrides_the_settings_either_way(house):
    flag = lambda now=NOW, **rules: safeguards_of(house, on(48), now, **rules)["flag"].passed
    assert not flag() and flag(enabled=True)
    house.let_retrain(NOW, "ana", MODEL, True, "spring")
    assert flag() and flag(enabled=False) and not flag(NOW - timedelta(1))
    house.let_retrain(NOW + timedelta(1), "ana", MODEL, False, "summer")
    assert not flag(NOW + timedelta(1), enabled=True) and flag(NOW)


def test_a_critical_day_is_approved_as_critical_and_of_that_day(house):
    def passed(day):
        found = check(house, MODEL, on(day), NOW, "critical", ["loss"], enabled=True)
        return {c.name: c for c in found}["flag"].passed

    assert not passed(48)
    house.approve_retraining(NOW, "ana", MODEL, on(48), "critical", "yes")
    assert passed(48) and not passed(49)
    house.approve_retraining(NOW, "ana", MODEL, on(48), "high", "yes")
    assert not passed(48)


def test_challengers_of_the_last_365_days_count(house):
    begun = lambda now, **rules: safeguards_of(house, on(48), now, **rules)["budget"]
    at = NOW - timedelta(3)
    house.add_version(at, "ana", MODEL, "v2", Grid(), "", {}, 100)
    house.record(at, "ana", "challenger", f"{MODEL}/v2", "shadow", "w")
    year = timedelta(365)
    assert begun(at - timedelta(seconds=1)).evidence["begun"] == 0
    assert begun(at).evidence == begun(NOW).evidence == {"begun": 1, "a_year": 12}
    assert begun(at + year - timedelta(seconds=1)).evidence["begun"] == 1
    assert begun(at + year).evidence["begun"] == 0
    limits = lambda n: Limits(a_year=n)
    assert not begun(NOW, limits=limits(1)).passed and begun(NOW, limits=limits(2)).passed


def test_who_trains_stops_unless_nobody_does(house):
    job = lambda **who: safeguards_of(house, on(48), **who)["no active job"]
    assert job().passed and job(job="").passed
    assert (
        not job(job="ana (process 7)").passed
        and "by ana (process 7)" in job(job="ana (process 7)").reason
    )
    cooldown = safeguards_of(house, on(48))["cooldown"]
    assert cooldown.passed and "activated 2026-05-12" in cooldown.reason
    assert not safeguards_of(house, on(48), NOW - timedelta(1, 1))["cooldown"].passed


def test_the_settings_of_safeguards_are_those_of_check():
    set_so = Settings(
        config=NO_FILE,
        retrain_enabled=True,
        retrain_cooldown_days=1,
        retrain_min_labelled=2,
        retrain_min_positives=3,
        retrain_challengers=4,
        label_delay_days=5,
    )
    told = {
        "enabled": True,
        "limits": Limits(1, 2, 3, 4),
        "share": set_so.complete_share,
        "floor": 5,
    }
    assert safeguard_rules(set_so) == told
    assert safeguard_rules(Settings(config=NO_FILE))["limits"] == Limits()


LENGTHS = {"train_days": 6, "compare_days": 3, "maturity_days": 2}


def test_what_is_trained_is_ordered_to_the_day(house):
    found = prepare(house, MODEL, on(12), NOW, rounds=5, share=1, **LENGTHS)
    options = {"rounds": 5, "holdout": 3 / 9} | CARD
    order = Order(MODEL, "challenger-20260313", on(2), on(10), NOW, options=options)
    assert found == Prepared(order, "v1", on(12))
    unsure = prepare(house, MODEL, on(12), NOW, rounds=5, **LENGTHS).order
    assert unsure == replace(order, unsure=unsure.unsure) and "not known to be" in unsure.unsure
    later = prepare(house, MODEL, on(12), NOW, floor=4, **LENGTHS).order
    assert (later.first, later.last, later.options["rounds"]) == (on(0), on(8), None)
    at_once = prepare(house, MODEL, on(12), NOW, share=1, **LENGTHS | {"maturity_days": 0}).order
    assert (at_once.first, at_once.last) == (on(4), on(12))
    usual = prepare(house, MODEL, on(100), NOW).order
    assert (usual.first, usual.last) == (on(100 - 7 - 27 - 90), on(93))
    assert usual.options["holdout"] == 28 / 118
    house.let_retrain(NOW, "ana", MODEL, False, "asked us", "another")
    assert prepare(house, MODEL, on(12), NOW, **LENGTHS).order.without == ("another",)


def test_days_of_which_one_has_a_label_are_enough_and_none_is_not(house):
    of = lambda day: prepare(house, MODEL, on(day), NOW, **LENGTHS).order
    assert of(2).last == on(0) and of(13 + 2 + 8).first == on(13)
    for day, first, last in ((1, -9, -1), (24, 14, 22)):
        with pytest.raises(StoreError) as refused:
            of(day)
        assert str(refused.value) == (
            f"{MODEL}: no labelled rows from {on(first)} to {on(last)}; nothing to learn from."
        )


def refusals(store):
    "What stops a challenge, and what it says."
    yield (lambda: None), {"day": on(30)}, "no labelled rows from"
    yield (
        lambda: store.let_retrain(NOW, "ana", MODEL, False, "w", "default"),
        {"day": on(12)},
        "no labelled rows from",
    )
    yield (
        lambda: store.add_version(NOW, "ana", MODEL, "challenger-20260313", Grid(), "", {}, 100),
        {"day": on(12)},
        "late challenger-20260313 is registered already, and versions are never replaced",
    )
    yield (
        lambda: store.stop_retraining(NOW, "ana", "a move"),
        {"day": on(12)},
        "retraining of every model is stopped since 20 May 2026, by ana: a move; 'aiops-wb retrain "
        "--resume-all WHY' lets it go on.",
    )
    yield (lambda: None), {"day": on(12), "model": "nobody"}, "every model is stopped"


def written(store):
    return len(store.audit()), list(store.versions(MODEL).version), store.challengers(MODEL)


def test_a_challenge_that_is_refused_says_why_and_writes_nothing(house):
    for change, asked, says in refusals(house):
        change()
        before = written(house)
        with pytest.raises(StoreError) as refused:
            prepare(house, **({"model": MODEL, "now": NOW} | LENGTHS | asked))
        assert says in str(refused.value) and written(house) == before
    prepared = Prepared(Order(MODEL, "v9", on(0), on(9), NOW), "v1", on(12))
    with pytest.raises(StoreError, match="retraining of every model is stopped"):
        conclude(house, prepared, (None, None), NOW, "ana", "w")
    assert written(house) == before


def test_a_model_without_a_champion_is_not_challenged(house):
    with pytest.raises(StoreError) as refused:
        prepare(house, "nobody", on(12), NOW)
    assert str(refused.value) == ("nobody has no active version to challenge: promote one first.")
