"""Training on days whose labels are in."""

import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli.app import main
from aiops_wb.config import NO_FILE, Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.models.challenge import challenge, check
from aiops_wb.models.complete import (
    complete_days,
    held_out_words,
    label_rules,
    still_arriving,
    training_rows,
)
from aiops_wb.models.registry import register
from aiops_wb.models.training import train

START, DAYS = date(2026, 1, 1), 100
NIGHT = datetime(2026, 4, 11, 2, tzinfo=UTC)
LAST = START + timedelta(DAYS - 1)

pytestmark = pytest.mark.evidence


def world(slow, days=DAYS, per_day=50):
    """Events whose labels come fast where score and label agree, else after `slow` days in the
    mean: slow positives and slow negatives are the ones that a model finds hard."""
    made = events(days, per_day, seed=4, start=START)
    rng = np.random.default_rng(5)
    fast = (made.score > 0.5) == (made.label == 1)
    waited = np.where(fast, rng.uniform(0, 1, len(made)), slow * rng.uniform(0.2, 1.8, len(made)))
    return made.assign(known_at=made["at"] + pd.to_timedelta(waited, unit="D").round("s"))


def load(bench, made, night=NIGHT, since=pd.Timestamp(0, tz="UTC")):
    "What is known on a night; predictions with the first of them."
    if since == pd.Timestamp(0, tz="UTC"):
        bench.log(made)
    came = made[(made.known_at <= night) & (made.known_at > since)]
    bench.label(came, at=came.known_at)
    bench.ingest(night)
    with bench.store() as store:
        store.publish(1)
    return came


def held_out_auc(store, known, made):
    "Of a version trained on some rows: ROC-AUC as printed, and with all labels."
    trained, held = train(known.rows, MODEL, "v1", rounds=20, events=known.events)
    then = made[made.day.isin(held)]
    truth, score = then.label == 1, trained.score(then[["x"]])
    ranks = pd.Series(score).rank().to_numpy()
    n = int(truth.sum())
    auc = (ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(then) - n))
    return trained.card, auc


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    "The log of a world, made once, as a folder to copy."
    worlds = {}

    def copied(bench, slow):
        if slow not in worlds:
            worlds[slow] = Bench(tmp_path_factory.mktemp("world"))
            load(worlds[slow], world(slow))
        shutil.copytree(worlds[slow].data, bench.data)
        return world(slow)

    return copied


@pytest.fixture
def slow(bench, made_once):
    "Labels of hard events take 60 days in the mean."
    return made_once(bench, 60)


@pytest.fixture
def quick(bench, made_once):
    "They take four, at most eight."
    return made_once(bench, 4)


def asked(bench, end=LAST, now=NIGHT, **options):
    with bench.store() as store:
        return training_rows(store, MODEL, START, end, now, **options)


def test_a_training_is_refused_where_the_labelled_share_falls_with_age(bench, slow):
    with pytest.raises(StoreError, match="labels still arrive .*--allow-incomplete") as refused:
        asked(bench)
    older, younger = (slow[(slow.day < date(2026, 2, 20)) == old] for old in (True, False))
    for part in (older, younger):
        assert f"{(part.known_at <= NIGHT).mean():.0%}" in str(refused.value)
    for share in (0.01, 0.05, 0.2):
        with pytest.raises(StoreError, match="labels still arrive"):
            asked(bench, share=share)


def test_allowed_incomplete_labels_make_figures_too_good_and_the_version_says_so(bench, slow):
    known = asked(bench, allow_incomplete=True)
    assert known.incomplete and "labels are not complete" in known.told
    assert len(known.rows) == (slow.known_at <= NIGHT).sum()
    with bench.store() as store:
        card, true = held_out_auc(store, known, slow)
        assert card["metrics"]["roc_auc"] > true + 0.1
        assert card["held_out_events"] == 20 * 50 and card["held_out_days"] == 20
        assert card["metrics"]["labelled_share"] == card["held_out_rows"] / 1000 < 0.85
        trained = train(known.rows, MODEL, "v1", rounds=5, incomplete=known.told)
        register(store, *trained, NIGHT, "ana")
        assert store.version(MODEL, "v1").card["incomplete_labels"] == known.told
        registered = store.audit(f"{MODEL}/v1").query("what == 'registered'")
        assert known.told in registered.why.item()
        assert store.calibration(MODEL, "v1") is None  # nothing is promised by such labels
        store.activate(NIGHT, "ana", MODEL, "v1", "all the same")


def test_a_log_that_ended_years_ago_is_as_complete_as_it_was(bench, quick):
    with bench.store() as store:
        soon = complete_days(store, MODEL, NIGHT + timedelta(20))
        late = complete_days(store, MODEL, NIGHT + timedelta(900))
        assert late.completeness.age == soon.completeness.age is not None
        assert late.newest == soon.newest and late.why_none == ""


def test_rows_of_younger_days_are_left_out_and_counted(bench, quick):
    known = asked(bench)
    with bench.store() as store:
        complete = complete_days(store, MODEL, NIGHT)
        age = complete.completeness.age
        assert 5 <= age <= 9 and complete.newest == NIGHT.date() - timedelta(age)
        young = quick[(quick.day > complete.newest) & (quick.known_at <= NIGHT)]
        assert f"left out: {len(young):,} labelled rows of {age - 1} days" in known.told
        assert f"complete after {age} days" in known.told and not known.incomplete
        assert set(known.events) == {d for d in set(quick.day) if d <= complete.newest}
        assert len(known.rows) == (quick.known_at <= NIGHT).sum() - len(young)
        card, true = held_out_auc(store, known, quick)
        assert abs(card["metrics"]["roc_auc"] - true) < 0.02
        assert card["held_out_rows"] >= 0.97 * card["held_out_events"]


def test_complete_rows_alone_are_no_incomplete_training(bench, quick):
    end = LAST - timedelta(20)
    assert not asked(bench, end, allow_incomplete=True).incomplete
    assert asked(bench, end).told == ""
    with (
        pytest.raises(StoreError, match="no labelled row is of a complete day"),
        bench.store() as s,
    ):
        training_rows(s, MODEL, LAST - timedelta(3), LAST, NIGHT)
    whole = asked(bench, allow_incomplete=True)
    assert whole.incomplete and len(whole.rows) == (quick.known_at <= NIGHT).sum()


def test_labels_that_were_known_later_do_not_count(bench):
    made, early = world(4), NIGHT - timedelta(12)
    load(bench, made[made["at"] <= early].assign(), early)
    with bench.store() as store:
        span = (store, MODEL, START, LAST)
        then = training_rows(*span, early, as_of=early)
        before = complete_days(store, MODEL, early, as_of=early)
        assert before.newest and str(before)
    later = made[made["at"] > early]
    bench.log(later)
    load(bench, made, NIGHT, since=pd.Timestamp(early))
    with bench.store() as store:
        span = (store, MODEL, START, LAST)
        again = training_rows(*span, early, as_of=early)
        assert again.rows.equals(then.rows) and again.events == then.events
        assert again.told == then.told
        again = complete_days(store, MODEL, early, as_of=early)
        assert (again.newest, str(again)) == (before.newest, str(before))
        assert complete_days(store, MODEL, NIGHT).newest == before.newest + timedelta(12)
        assert max(then.events) == before.newest < max(training_rows(*span, NIGHT).events)


def test_a_day_is_as_old_as_the_last_delivery_of_labels(bench, quick):
    late = NIGHT + timedelta(30)
    with bench.store() as store:
        newest = [complete_days(store, MODEL, now).newest for now in (late, NIGHT)]
        assert newest[0] == newest[1] is not None


def test_a_set_delay_is_a_floor(bench, quick):
    with bench.store() as store:
        found = complete_days(store, MODEL, NIGHT)
        assert complete_days(store, MODEL, NIGHT, floor=2).newest == found.newest
        assert complete_days(store, MODEL, NIGHT, floor=20).newest == date(2026, 3, 21)
        assert "after 20 days, as was set" in str(complete_days(store, MODEL, NIGHT, floor=20))
    assert max(asked(bench, floor=20).events) == date(2026, 3, 21)


def test_labels_taken_at_their_word_are_not_tested(bench, slow):
    "`complete_share` from 1 on: only the day before counts, or what was set."
    known = asked(bench, share=1)
    assert len(known.rows) == (slow.known_at <= NIGHT).sum() and not known.incomplete
    with bench.store() as store:
        assert complete_days(store, MODEL, NIGHT, share=1).newest == LAST
        assert complete_days(store, MODEL, NIGHT, share=1, floor=3).newest == date(2026, 4, 7)
        assert complete_days(store, MODEL, NIGHT - timedelta(5), share=1).newest == date(2026, 4, 5)


@pytest.mark.parametrize("days", [5, 10, 30])
def test_a_young_log_whose_labels_are_in_is_trained_on_and_told_of(bench, days):
    made = events(days, 50, start=START).assign(known_at=pd.Timestamp("2026-04-11", tz="UTC"))
    load(bench, made)  # history, its labels all observed on one day
    known = asked(bench)
    assert len(known.rows) == 50 * days and not known.incomplete
    assert "it is not known from which age on labels are complete" in known.told
    assert "not seen to fall" in known.told


def test_a_young_log_whose_newest_days_lack_labels_is_not(bench):
    made = world(4, days=30)
    load(bench, made, datetime(2026, 1, 31, 2, tzinfo=UTC))
    with pytest.raises(StoreError, match="labels still arrive \\(too early to tell"):
        asked(bench)
    assert len(set(asked(bench, date(2026, 1, 22)).rows.event_date)) == 22


def test_a_set_delay_holds_in_a_young_log(bench):
    made = world(4, days=30)
    load(bench, made, datetime(2026, 1, 31, 2, tzinfo=UTC))
    known = asked(bench, floor=9)
    assert max(known.events) == date(2026, 1, 22) and "left out: " in known.told
    assert "(younger than 9 days, as was set)" in known.told


def share_by_day(labelled, events=100):
    return {START + timedelta(i): (events, n) for i, n in enumerate(labelled)}


def test_shares_that_only_vary_do_not_fall():
    rng = np.random.default_rng(0)
    for n, days in ((100, 60), (8, 20)):
        chance = [share_by_day(rng.binomial(n, 0.6, days), n) for _ in range(400)]
        assert np.mean([bool(still_arriving(shares)) for shares in chance]) <= 0.02
    assert not still_arriving(share_by_day([99] * 20 + [98] * 20))  # falls, by nothing to speak of
    assert not still_arriving(share_by_day(range(40, 80)))  # rises
    assert not still_arriving(share_by_day([90, 60, 30, 10]))  # too few days to say
    assert not still_arriving(share_by_day([95] * 20 + [0] * 7))  # delivered by the week
    assert not still_arriving({})


@pytest.mark.parametrize("labelled", [[90, 80, 60, 40, 10], list(range(90, 10, -2))])
def test_shares_that_fall_are_told_with_their_figures(labelled):
    assert "have a label" in still_arriving(share_by_day(labelled))
    assert still_arriving(share_by_day(labelled), share=1) == ""


def champion(store, made, until):
    "The first version, from history that is long complete."
    known = made[made.day <= until]
    columns = {"event_date": pd.to_datetime(known.day), "label": known.label * 1.0}
    rows = pd.DataFrame(columns | {"feature:x": known.x})
    register(store, *train(rows, MODEL, "v0", rounds=5), NIGHT, "ana")
    store.activate(NIGHT, "ana", MODEL, "v0", "first")


def test_a_challenge_takes_complete_days(bench):
    made = world(8)  # at most 15 days
    load(bench, made)
    with bench.store() as store:
        champion(store, made, date(2026, 2, 1))
        newest = complete_days(store, MODEL, NIGHT).newest
        assert newest < LAST - timedelta(10)
        lengths = {"train_days": 30, "compare_days": 14}
        options = {"why": "test", "rounds": 5} | lengths
        result = challenge(store, MODEL, LAST, NIGHT, "ana", **options)
        card = store.version(MODEL, result.challenger).card
        assert card["window"][1] == str(newest) and card["metrics"]["labelled_share"] > 0.95


def test_a_challenge_and_its_safeguard_stop_where_labels_still_arrive(bench, slow):
    with bench.store() as store:
        champion(store, slow, date(2026, 1, 20))
        options = {"why": "test", "rounds": 5, "train_days": 40}
        with pytest.raises(StoreError, match="labels still arrive"):
            challenge(store, MODEL, LAST, NIGHT, "ana", **options)
        (samples,) = (
            c for c in check(store, MODEL, LAST, NIGHT, "high", ()) if c.name == "samples"
        )
        assert not samples.passed and "labels still arrive" in samples.reason
        result = challenge(store, MODEL, LAST, NIGHT, "ana", allow_incomplete=True, **options)
        assert "still arrive" in store.version(MODEL, result.challenger).card["incomplete_labels"]


def test_samples_are_labelled_events_of_complete_days(bench, quick):
    with bench.store() as store:
        checks = {c.name: c for c in check(store, MODEL, LAST, NIGHT, "high", ())}
        assert checks["samples"].passed
        late = check(store, MODEL, LAST, NIGHT, "high", (), floor=DAYS + 40)
        assert "0 labelled events" in {c.name: c for c in late}["samples"].reason


def told(bench, capsys, *words):
    "What a command says, and its exit code."
    capsys.readouterr()
    code = main([*words, "--data", str(bench.data)])
    out = capsys.readouterr()
    return code, out.out + out.err


TRAIN = ("models", "train", "--model", MODEL, "--from", str(START), "--to", str(LAST))


def test_the_command_refuses_and_goes_on_when_told_to(bench, capsys, slow):
    code, said = told(bench, capsys, *TRAIN, "--version", "v1")
    assert code == 1 and "--allow-incomplete" in said and "Traceback" not in said
    code, said = told(bench, capsys, *TRAIN, "--version", "v1", "--allow-incomplete")
    assert code == 0 and "all labelled rows are used though labels are not complete" in said
    assert "% labelled, labels not complete)" in said
    with open_snapshot(bench.data) as log:
        assert log.version(MODEL, "v1").card["incomplete_labels"]


def test_the_command_says_what_it_left_out_and_what_its_figures_rest_on(bench, capsys, quick):
    code, said = told(bench, capsys, *TRAIN, "--version", "v1")
    assert code == 0 and "left out: " in said and "labels are complete after" in said
    with open_snapshot(bench.data) as log:
        card = log.version(MODEL, "v1").card
    words = held_out_words(card)
    assert f"{card['held_out_rows']:,} of {card['held_out_events']:,} events" in words
    assert words in said
    code, said = told(bench, capsys, "models", "list")
    assert words in said and f"ROC-AUC {card['metrics']['roc_auc']:.3f}" in said


def test_what_is_not_all_labelled_is_never_called_so():
    card = {"held_out_rows": 9_999, "held_out_events": 10_000, "held_out_days": 9}
    assert held_out_words(card) == "on 9,999 of 10,000 events of 9 days (99 % labelled)"
    assert "(100 % labelled)" in held_out_words(card | {"held_out_rows": 10_000})
    assert held_out_words({"held_out_rows": 5}) == "on 5 labelled events"  # of an earlier release
    assert held_out_words({}) == ""


def test_a_delay_that_nobody_set_is_no_floor():
    assert label_rules(Settings(config=NO_FILE)) == {"share": 0.05, "floor": 0}
    assert label_rules(Settings(config=NO_FILE, label_delay_days=9))["floor"] == 9
