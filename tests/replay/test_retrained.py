"""Trainings lived over a past: as they would have been, seeing nothing later, and what is said."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.known_then import KnownThen
from aiops_wb.models.registry import load, register
from aiops_wb.models.training import train
from aiops_wb.replay.courses import Course
from aiops_wb.replay.past import Past
from aiops_wb.replay.period import replay
from aiops_wb.replay.retrained import Lived, relive_trainings
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.evidence import log_loss
from aiops_wb.stats.points import Grid
from aiops_wb.watch.policy import Costs, Policy, Retraining

START, DAYS, A_DAY = date(2026, 1, 5), 84, 60
FIRST, LAST = START + timedelta(21), START + timedelta(DAYS - 1)
TURN = START + timedelta(35)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = {"prediction_id": "id", "predicted_at": "at"}
RECENT = Policy(name="recent", retraining=Retraining(window_days=14, every_days=14))
ALL = Policy(name="all", retraining=Retraining(window_days="all", every_days=14))
BY_EVIDENCE = Policy(
    name="proved", retraining=Retraining(window_days=14, every_days=28, promote="evidence")
)
QUICKLY = Settings(retrain_challengers=1, retrain_false_promotions=0.5)


def lived(turn=None):
    "Events with x, the score of a model that knows the world as it was, labels a day later."
    frame = events(DAYS, A_DAY, 5, START)
    turned = frame.day >= (turn or date.max)
    label = np.where(turned, 1 - frame.label, frame.label)
    return frame.assign(label=label, observed_at=frame["at"] + pd.Timedelta(days=1))


def imported(frame, now=NOW, columns=("x",)):
    "A log that knows of events what was known until a time."
    bench = Bench(Path(mkdtemp()))
    midnight = pd.Timestamp(now).floor("D")  # what a day brings is known at its end
    frame = frame[frame["at"] < midnight]
    known = frame[frame.observed_at < midnight]
    frame[["id", "at", "score", *columns]].to_csv(bench.root / "p.csv", index=False)
    known[["id", "at", "label", "observed_at"]].to_csv(bench.root / "y.csv", index=False)
    files = {"predictions": bench.root / "p.csv", "outcomes": bench.root / "y.csv"}
    chosen = choices(MODEL, NAMES, {"version": "v1"}, list(columns))
    with bench.store("UTC") as store:
        import_history(store, now, "test", MODEL, files, chosen)
        store.publish()
    return bench


@cache
def world(turn=None, now=NOW):
    return imported(lived(turn), now)


def past(bench, first=FIRST, settings=None):
    log = open_snapshot(bench.data)
    return Past(KnownThen(log, MODEL, LAST), first, LAST, settings or Settings())


def told(bench, *policies, settings=None, **options):
    with open_snapshot(bench.data) as log:
        settings = settings or Settings()
        return relive_trainings(log, MODEL, FIRST, LAST, policies, settings, **options)


@pytest.mark.parametrize("half_life", [None, pytest.param(10.0, marks=pytest.mark.slow)])
def test_a_past_training_is_the_one_that_was_made_on_its_morning(
    half_life, monkeypatch, capsys, tmp_path
):
    "The same file as `models train` gives on a log that knows no more."
    day = TURN + timedelta(6)
    of = past(world(TURN))
    ours, morning = of.train(day, 14, half_life), of.morning(day)
    then = world(TURN, morning).copy_to(tmp_path)
    monkeypatch.setattr(calls.Call, "now", lambda self: morning)
    span = ["--from", str(day - timedelta(14)), "--to", str(day - timedelta(1))]
    words = ["models", "train", "--model", MODEL, "--version", "v2", *span, "-q"]
    words += ["--half-life-days", f"{half_life}"] if half_life else []
    assert main([*words, "--data", str(then.data)]) == 0, capsys.readouterr()
    with open_snapshot(then.data) as log:
        theirs = load(log, MODEL, "v2")
    assert ours.trained.booster.save_raw("ubj") == theirs.booster.save_raw("ubj")
    kept = ("rows", "window", "held_out_from", "metrics", "rounds", "half_life_days", "threshold")
    assert [ours.trained.card.get(k) for k in kept] == [theirs.card.get(k) for k in kept]
    assert (ours.trained.card.get("half_life_days") == half_life) and ours.unseen < day


def test_what_became_known_later_changes_no_training():
    "Labels observed after the morning, and events behind it, are others: the trees are the same."
    day = TURN + timedelta(6)
    frame, morning = lived(TURN), past(world(TURN)).morning(day)
    later = frame.observed_at > morning
    other = frame.assign(label=np.where(later, 1 - frame.label, frame.label))
    of, changed = (past(b).train(day, "all", None) for b in (world(TURN), imported(other)))
    assert of.trained.booster.save_raw("ubj") == changed.trained.booster.save_raw("ubj")
    assert of.trained.card["metrics"] == changed.trained.card["metrics"]
    newest = past(world(TURN)).train(LAST, "all", None).trained
    assert newest.booster.save_raw("ubj") != of.trained.booster.save_raw("ubj")


@pytest.mark.parametrize(("every_days", "a_year"), [(73, 5), (72, 6), (14, 27), (365, 2)])
def test_challengers_of_a_year_share_its_false_promotions(every_days, a_year):
    "As many as are trained, and never fewer than the settings say."
    policy = Policy(name="p", retraining=Retraining(window_days=14, every_days=every_days))
    settings = Settings(retrain_challengers=2, retrain_false_promotions=0.5)
    course = SimpleNamespace(
        policy=policy,
        past=SimpleNamespace(settings=settings),
        _paired=lambda *_: SimpleNamespace(blocks=list),
    )
    assert Course._comparison(course, None, LAST).needed == a_year / 0.5


@pytest.mark.slow
def test_where_the_relation_turns_the_recent_days_are_recommended():
    of = told(world(TURN), RECENT, ALL)
    assert of.answer.best == "recent" and of.answer.gains[0].lower > 0
    assert of.answer.says.startswith("Retrain on the last 14 days, every 14 days: over ")
    assert of.version == "v1" and of.actual is None and of.labels_in == LAST
    never, recent, _ = of.policies
    # never is what was logged, by hand
    frame = lived(TURN)
    frame = frame[frame.day >= FIRST]
    points = Grid().quantise(frame.score)
    by_hand = log_loss(Grid().inverse(points), frame.label)
    assert never.log_loss == pytest.approx(by_hand.mean()) and never.days.labelled.sum() == len(
        frame
    )
    assert never.calls_a_day == pytest.approx((points >= 405).sum() / 63)
    assert never.days.missed.sum() == ((points < 405) & (frame.label == 1)).sum()
    # a version scores from the day after its morning on
    assert recent.trainings == recent.took_over == 5 and not recent.not_trained
    of_past = past(world(TURN))
    second = frame[(frame.day >= FIRST + timedelta(14)) & (frame.day < FIRST + timedelta(28))]
    version = of_past.train(FIRST + timedelta(13), 14, None).trained
    p = Grid().inverse(Grid().quantise(version.score(second[["x"]])))
    week = recent.days[
        (recent.days.day >= second.day.min()) & (recent.days.day <= second.day.max())
    ]
    assert week.loss.sum() == pytest.approx(log_loss(p, second.label).sum())


@pytest.mark.slow
def test_where_nothing_changes_no_policy_is_praised():
    of = told(world(), RECENT, ALL)
    assert of.answer.best is None
    assert all(g.upper > -0.02 for g in of.answer.gains)


@pytest.mark.slow
def test_evidence_decides_where_it_is_asked_and_sees_no_label_early():
    of = told(world(TURN), BY_EVIDENCE, settings=QUICKLY)
    _, proved = of.policies
    assert proved.took_over == 1 and proved.trainings == 3
    of_never, of_proved = (one.days.set_index("day").loss for one in of.policies)
    differs = of_never.index[of_never != of_proved].min()
    # four weeks behind the change at the earliest, for labels of a day come on the next
    assert differs > TURN + timedelta(14)
    assert any("weeks alone are asked" in note for note in of.notes)
    quiet = told(world(), BY_EVIDENCE, settings=QUICKLY).policies[1]
    assert quiet.took_over == 0


@pytest.mark.slow
def test_what_was_really_decided_stands_beside_never_and_nothing_is_written(tmp_path):
    "v2 took over in the middle; v1 scores on where it has a file, and says so where it has none."
    frame = lived(TURN)
    rows = frame.rename(columns={"x": "feature:x"})
    rows = rows.assign(event_date=pd.to_datetime(frame.day))[frame.day < FIRST]
    bench, when = Bench(tmp_path), datetime.combine(FIRST, datetime.min.time(), UTC)
    first = train(rows, MODEL, "v1", rounds=20)
    half = FIRST + timedelta(28)
    log = frame.assign(score=np.where(frame.day < half, first[0].score(frame), frame.score))
    with bench.store("UTC") as store:
        register(store, *first, when - timedelta(1), "test")
        store.promote(when - timedelta(1), "test", MODEL, "v1", "first")
        for version, part in (("v1", log[log.day < half]), ("v2", log[log.day >= half])):
            path = tmp_path / f"{version}.csv"
            part.drop(columns=["site", "day"]).to_csv(path, index=False)
            chosen = choices(MODEL, NAMES, {"version": version}, ["x"], together=True)
            import_history(store, NOW, "test", MODEL, dict.fromkeys(chosen, path), chosen)
        store.publish()
        trail = len(store.audit())
    before = (bench.data / "catalog.duckdb").read_bytes()
    weekly = Policy(name="weekly", retraining=Retraining(window_days=21, every_days=28))
    of = told(bench, weekly)
    never, actual = of.policies[0], of.actual
    assert actual.name == "actual" and of.every[-1] is actual and of.version == "v1"
    early, late = (actual.days.day < half), (actual.days.day >= half)
    assert np.allclose(never.days.loss[early], actual.days.loss[early])
    assert (never.days.loss[late] != actual.days.loss[late]).all()
    known = frame[frame.day >= half]
    p = Grid().inverse(Grid().quantise(known.score))
    assert actual.days.loss[late].sum() == pytest.approx(log_loss(p, known.label).sum())
    assert (bench.data / "catalog.duckdb").read_bytes() == before
    with bench.store() as store:
        assert len(store.audit()) == trail and list(store.versions(MODEL).version) == ["v1"]
        (store.root / store.version(MODEL, "v1").path).unlink()
    with pytest.raises(StoreError, match="v1 did not decide all of these days, and to know"):
        told(bench, weekly)


@pytest.mark.slow
def test_costs_are_compared_where_they_are_named():
    priced = RECENT.model_copy(update={"costs": Costs(missed=4.0, review=1.0)})
    priced, every = (p.model_copy(update={"threshold": 0.3}) for p in (priced, ALL))
    of = told(world(TURN), priced, every)
    assert of.policies[0].calls_a_day == pytest.approx(
        (Grid().quantise(lived().score) >= Grid().quantise(0.3))[lived().day >= FIRST].sum() / 63
    )
    assert of.unit == "of cost" and "of cost per event" in of.answer.says
    for one in of.policies:
        sums = one.days[["missed", "calls"]].sum()
        by_hand = (4 * sums.missed + sums.calls) / one.days.labelled.sum()
        assert one.cost == pytest.approx(by_hand)  # every label is known
    assert [row["cost"] for row in of.rows()] == [one.cost for one in of.policies]


def test_a_cost_is_of_labelled_events_of_days_whose_labels_are_in():
    "By hand: 3 missed at 4, and 6 and 5 labelled events called at a half, of 30."
    days = pd.DataFrame(
        {
            "day": [FIRST, FIRST + timedelta(1), FIRST + timedelta(2)],
            "labelled": [10, 20, 5],
            "positives": [4, 5, 1],
            "false": [3, 2, 0],
            "missed": [1, 2, 1],
            "calls": [9, 9, 9],
            "loss": [6.0, 9.0, 100.0],
            "labels_in": [True, True, False],
        }
    )
    counts = ScoreCounts.from_events(np.r_[100, -100], np.r_[1, 0])
    one = Lived("p", "never", days, counts, costs=Costs(missed=4.0, review=0.5))
    assert one.cost == pytest.approx((3 * 4 + 11 * 0.5) / 30)
    assert one.log_loss == pytest.approx(0.5) and one.calls_a_day == 9
    assert np.isnan(Lived("p", "never", days, counts).cost)


def test_weights_halve_with_age():
    "Old rows of the other world count for little: the trees follow the new one sooner."
    of, day = past(world(TURN)), TURN + timedelta(28)
    x = pd.DataFrame({"x": [2.0]})
    alike, halved = (of.train(day, "all", half).trained.score(x)[0] for half in (None, 4.0))
    assert halved < 0.5 < alike


@pytest.mark.parametrize(
    "policies, says",
    [
        ([RECENT.model_copy(update={"name": f"p{i}"}) for i in range(6)], "6 policies with"),
        ([RECENT, Policy(name="none")], "none has no table [retraining] and another policy has"),
        ([RECENT.model_copy(update={"ticket_days": 9})], "recent names ticket_days beside"),
        ([RECENT.model_copy(update={"costs": Costs(false_ticket=1.0)})], "costs.false_ticket is"),
        ([RECENT.model_copy(update={"name": "never"})], "cannot be called never or actual"),
        (
            [
                RECENT.model_copy(update={"costs": Costs(missed=1.0)}),
                ALL.model_copy(update={"costs": Costs(missed=2.0)}),
            ],
            "compared by one cost",
        ),
        ([RECENT.model_copy(update={"threshold": 3.0})], "threshold 3 is no probability"),
        ([RECENT.model_copy(update={"threshold": 0.3}), ALL], "are held to one threshold"),
    ],
)
def test_what_cannot_be_lived_together_is_refused(policies, says):
    with pytest.raises(StoreError) as error:
        told(world(), *policies)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
def test_a_log_that_nothing_can_be_learned_from_is_told_in_a_sentence():
    frame = lived()
    frame = frame[frame.day < FIRST + timedelta(7)]
    for bench, says in (
        (imported(frame, columns=()), "0 features are too few"),
        (imported(frame.assign(label=1)), "have only one label"),
    ):
        with pytest.raises(StoreError, match="no training of these days could be made") as error:
            told(bench, RECENT)
        assert says in str(error.value)
    with open_snapshot(world().data) as log:
        for span, says in (
            ((LAST, FIRST), "ends before it begins"),
            ((NOW.date(), NOW.date()), "has no predictions from"),
        ):
            with pytest.raises(StoreError, match=says):
                relive_trainings(log, MODEL, *span, [RECENT], Settings())
        with pytest.raises(StoreError, match="trainings are lived by"):
            replay(log, MODEL, FIRST, LAST, [RECENT], Settings())


def test_labels_that_are_not_known_to_be_in_leave_it_unknown():
    "Labels are waited for longer than the period is: its last trainings learn from before it."
    of = told(world(), RECENT, settings=Settings(label_delay_days=66))
    assert of.answer.best is None and of.answer.says.startswith("Unknown: no label of these days")
    assert np.isnan(of.policies[0].log_loss) and of.labels_in == LAST - timedelta(66) < FIRST
    # those of its beginning had nothing: the version before went on
    recent = of.policies[1]
    assert recent.not_trained and recent.trainings == 5 - len(recent.not_trained) > 0
    assert any(f"{len(recent.not_trained)} of 5 trainings of recent" in note for note in of.notes)
    begins = recent.days.day < FIRST + timedelta(14)
    assert np.allclose(recent.days.loss[begins], of.policies[0].days.loss[begins])
    assert sum(row["log_loss"] is None for row in of.rows()) == 2


def test_the_command_prints_a_table_json_and_a_page(tmp_path, capsys):
    (tmp_path / "recent.toml").write_text("[retraining]\nwindow_days = 14\nevery_days = 28\n")
    span = ["--from", str(FIRST), "--to", str(LAST)]
    words = ["replay", "--model", MODEL, *span, "--policy", str(tmp_path / "recent.toml")]
    words += ["--data", str(world(TURN).data)]
    assert main([*words, "--report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "training and scoring: " in said and said.index("training and scoring: ") < 200
    assert "policy recent  trainings 3" in said and "of memory at most" in said
    page = next(tmp_path.glob("retraining-*.html"))
    assert f"page: {page}" in said and "trained again" in page.read_text()
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)  # no line of progress stands in it
    assert document["best"] == "recent" and '<div class="headline look">' in page.read_text()
    assert [p["policy"] for p in document["policies"]] == ["never", "recent"]
    assert document["policies"][1]["gain_over_never"]["length"] in (7, 14, 28)
    assert document["says"] in said and len(document["policies"][0]["days"]) == 63
    assert "were not known until later" not in said, "each was known on its next morning"
    assert main([*words, "--against", "actual"]) == 1
    assert "--against and --version do not go with them" in capsys.readouterr().err
