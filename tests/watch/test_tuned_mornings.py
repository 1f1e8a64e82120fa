"""A threshold follows its labels: proposed, changed where people allow it, put back on an alarm."""

import json
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.config import Settings, SettingsError, load_settings
from aiops_wb.daily import compute
from aiops_wb.log.errors import StoreError
from aiops_wb.stats.choosing import MaxFDR
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.tuning import Situation
from aiops_wb.watch.tuning import AUTHOR, look_at, propose_tuned, tune_each_morning
from aiops_wb.watch.tuning_rules import Ground, TuningRules
from aiops_wb.watch.view import View

START, DAY = date(2026, 1, 1), date(2026, 3, 11)
NOW = datetime(2026, 3, 12, 2, tzinfo=UTC)
LATER = DAY + timedelta(3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Ten weeks of calibrated scores under a threshold of even odds."
    bench = Bench(tmp_path_factory.mktemp("tuned"))
    frame = events(days=70, per_day=60, start=START)
    bench.log(frame)
    bench.label(frame, f"{NOW}")
    bench.ingest(NOW)
    bench.publish()
    return bench


@pytest.fixture
def store(made, tmp_path):
    with made.copy_to(tmp_path / "house").store() as opened:
        yield opened


def settings(**chosen):
    return Settings(tune_cost_missed=9, **{"tune": "propose"} | chosen)


def view(store, **chosen):
    return View(store, MODEL, DAY, None, settings(**chosen))


def names(looked):
    return [check.name for check in looked.stopped]


def open_alarm(store, opened, day=DAY, muted=False, stream="x", kind="covariate", state="open"):
    "Record an alarm as a morning does."
    row = {
        "version": "v1", "event_id": f"D-{stream}", "stream": stream, "state": state, "kind": kind,
        "severity": "high", "log10_evidence": 3.0, "effect": 0.3, "lower": 0.1, "unit": "logits",
        "since": opened, "opened_on": opened, "muted": muted, "title": "t", "text": "t",
        "event_date": day, "model": MODEL, "as_of": NOW, "recorded_at": NOW,
    }  # fmt: skip
    store.add_drift_events(pd.DataFrame([row]))


def with_figures(store):
    assert compute(store, DAY, MODEL, NOW, settings()).state == "ok"


def test_a_look_that_passes_every_check_is_proposed_with_its_evidence(store):
    looked = look_at(view(store), NOW)
    assert looked.passes and looked.tuned.candidate == -500 and looked.tuned.look == 10
    assert "no step may be larger" in looked.tuned.reason
    proposed = propose_tuned(store, NOW, "ana", view(store), looked, "costs")
    assert proposed.points == -500 and proposed.why.startswith("costs: tuned for the least cost")
    assert proposed.evidence["tuning"]["labels"]["days"] == 70
    assert proposed.evidence["tuning"]["better"]["lower"] > 0
    assert names(look_at(view(store), NOW)) == ["proposals"]
    store.reject_threshold(NOW, "ben", proposed.key, "not now")
    assert names(look_at(view(store), NOW + timedelta(27))) == ["cooldown"]
    assert look_at(view(store), NOW + timedelta(28)).passes


def test_another_goal_and_none(store):
    assert look_at(view(store), NOW, MaxFDR(0.6)).tuned.candidate == -500
    assert look_at(view(store), NOW, MaxFDR(0.01)).tuned.candidate == 500
    with pytest.raises(StoreError, match="what is the threshold to be tuned for"):
        look_at(View(store, MODEL, DAY, None, Settings()), NOW)


def test_without_complete_days_none_is_looked_at():
    "Not even the first, on which some labels may be."
    of_day = ScoreCounts.from_events([0, 900], [0.0, 1.0])
    read = lambda first, last: {START: of_day}
    none = {"grid": of_day.grid, "owed": lambda day: 0.0, "muted": lambda day: False}
    rules, situation = TuningRules.of(settings(tune_min_days=1)), Situation(NOW, True)
    looked = Ground(START, None, "labels still arrive", counts=read, **none)
    looked = looked.look(0, rules, situation)
    assert looked.tuned is None and "labels" in names(looked)
    assert looked.as_evidence()["tuning"]["labels"]["days"] == 0


def test_each_check_stops_it_and_all_are_said(store):
    store.annotate(NOW, "ana", START, START + timedelta(49), "holidays", "known", MODEL, mutes=True)
    store.turn_dial(NOW, "ana", MODEL, False, "a trial")
    store.watch(NOW, "ana", MODEL, "v1", False, "retired")
    looked = look_at(view(store), NOW)
    assert names(looked) == ["dial", "labels", "alarms"] and len(looked.checks) == 6
    told = {check.name: check.reason for check in looked.checks}
    assert "20 complete days without 50 muted" in told["labels"]
    assert "v1 is not watched" in told["alarms"]
    few = look_at(view(store, tune_min_days=1, tune_min_labelled=2000), NOW)
    assert "labels" in names(few) and "1,200 labelled events" in few.checks[1].reason
    assert "labels" not in names(look_at(view(store, tune_min_days=20), NOW))


@pytest.mark.parametrize("kind", ["covariate", "data quality", "operation"])
def test_an_open_alarm_of_any_kind_stops_it_unless_it_is_muted(store, kind):
    with_figures(store)
    assert look_at(view(store), NOW).passes
    open_alarm(store, DAY, muted=True, stream="y", kind=kind)
    assert look_at(view(store), NOW).passes
    open_alarm(store, DAY, kind=kind)
    looked = look_at(view(store), NOW)
    assert names(looked) == ["alarms"] and f"open: x ({kind}, high)" in looked.stopped[0].reason


def test_a_morning_proposes_once_and_applies_only_where_it_may(store):
    asked = store, MODEL, DAY, NOW
    (said,) = tune_each_morning(*asked, settings())
    assert "P-1 proposes a threshold of 0.378 instead of 0.500" in said
    assert store.proposal("P-1").who == AUTHOR and view(store).threshold == 0
    rows = store.audit_head()
    assert list(tune_each_morning(*asked, settings())) == [] and store.audit_head() == rows
    store.reject_threshold(NOW, "ana", "P-1", "no")
    later = store, MODEL, DAY, NOW + timedelta(40)
    (said,) = tune_each_morning(*later, settings(tune="apply", threshold_four_eyes=True))
    assert "P-2 proposes" in said
    store.reject_threshold(NOW + timedelta(40), "ana", "P-2", "no")
    later = store, MODEL, DAY, NOW + timedelta(80)
    (said,) = tune_each_morning(*later, settings(tune="apply"))
    assert said.startswith("late: the threshold is 0.378 now, tuned for the least cost")
    change = store.latest_change(MODEL, "v1", None)
    assert change.who == AUTHOR and change.evidence["before"]["fdr"][0] > 0
    assert change.evidence["tuning"]["better"]["look"] == 10
    assert list(tune_each_morning(*later, settings(tune="apply"))) == []


def test_what_was_tuned_is_put_back_when_an_alarm_opens_behind_it(store):
    asked = store, MODEL, DAY, NOW
    list(tune_each_morning(*asked, settings(tune="apply")))
    assert view(store).threshold == -500
    open_alarm(store, DAY, LATER, stream="older")
    assert list(tune_each_morning(store, MODEL, DAY, NOW, settings(tune="apply"))) == []
    open_alarm(store, LATER, LATER)
    (said,) = tune_each_morning(store, MODEL, DAY, NOW, settings(tune="apply"))
    assert said == (
        "late: the threshold is 0.500 again, because x (covariate, high) opened within 14 days of "
        "the change"
    )
    change = store.latest_change(MODEL, "v1", None)
    assert change.new == 0 and change.who == AUTHOR and change.evidence["rolled_back"]
    assert store.threshold_changes(MODEL)[-2].rolled_back == (AUTHOR, change.at)
    assert list(tune_each_morning(store, MODEL, DAY, NOW, settings(tune="apply"))) == []
    store.verify_audit()


def test_what_a_person_approved_is_left_to_a_person(store):
    then = NOW
    list(tune_each_morning(store, MODEL, DAY, then, settings()))
    store.approve_threshold(then, "ana", "P-1", "agreed")
    open_alarm(store, LATER, LATER)
    (said,) = tune_each_morning(store, MODEL, DAY, NOW, settings())
    assert "the tuned threshold that ana approved; 'aiops-wb thresholds rollback" in said
    assert view(store).threshold == -500
    assert list(tune_each_morning(store, MODEL, DAY, NOW, settings(tune_rollback_days=1))) == []


def test_a_threshold_better_but_stopped_is_said(store):
    with_figures(store)
    open_alarm(store, DAY)
    (said,) = tune_each_morning(store, MODEL, DAY, NOW, settings())
    assert "a threshold of 0.378 is shown to be better, but open: x (covariate, high)" in said


def test_the_command_says_every_check_and_a_morning_does_it_by_itself(
    made, tmp_path, capsys, monkeypatch
):
    bench = made.copy_to(tmp_path / "house")
    monkeypatch.chdir(bench.root)
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    assert main(["thresholds", "tune", "--model", MODEL]) == 1
    assert "Name a goal" in capsys.readouterr().err
    assert (
        main(["thresholds", "tune", "--model", MODEL, "--max-fdr", "0.2", "--cost-missed", "9"])
        == 2
    )
    assert main(["thresholds", "tune", "--model", MODEL, "--max-fdr", "20"]) == 2
    capsys.readouterr()
    words = ["thresholds", "tune", "--model", MODEL, "--cost-missed", "9"]
    assert main([*words, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text[:4] for text in lines[:6]] == ["pass"] * 6 and "dry run" in lines[-1]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["proposal"] == "P-1" and told["passes"] and len(told["checks"]) == 6
    assert main(words) == 0, "given again, it waits for a person"
    lines = capsys.readouterr().out.splitlines()
    assert "STOP  proposals: P-1 waits for a person" in lines and "nothing is proposed" in lines[-1]
    assert main(["thresholds", "reject", "P-1", "--why", "no"]) == 0
    (bench.root / "aiops.toml").write_text(
        'tune = "apply"\ntune_cost_missed = 9\ntune_cooldown_days = 0\n'
    )
    assert main(["daily", "--date", f"{DAY}", "--reports", "none"]) == 0
    assert "late: the threshold is 0.378 now" in capsys.readouterr().out


def test_settings_name_one_goal():
    for chosen, says in (
        ({"tune": "apply"}, "tune = 'apply' needs a goal, one of tune_cost_missed, tune_max_fdr"),
        ({"tune_max_fdr": 0.2, "tune_max_fpr": 0.1}, "tune_max_fdr and tune_max_fpr are two goals"),
    ):
        with pytest.raises(SettingsError, match=says):
            load_settings(**chosen)
    rules = TuningRules.of(Settings(tune_max_fpr=0.1, tune_max_step=200))
    assert rules.goal.target == 0.1 and rules.limits.max_step == 200
    assert TuningRules.of(Settings()).goal is None
    assert TuningRules.of(Settings(tune_alerts_per_day=30)).goal.confidence == 0.9
