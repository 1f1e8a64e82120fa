"""A fresh install never retrains: every trigger is walked with all flags off, in a world where
nothing else would stop it."""

import ast
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
import xgboost as xgb
from conftest import MODEL, Bench, events

import aiops_wb
from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.models.jobs import JobLimits
from aiops_wb.models.registry import register
from aiops_wb.models.training import train

START, BEFORE, TURNED = date(2025, 12, 17), date(2026, 1, 26), date(2026, 2, 23)
NOW = datetime(2026, 3, 5, 2, tzinfo=UTC)
ACTIVATED = datetime(2026, 1, 26, tzinfo=UTC)
TRIGGERS = [
    ["ingest"],
    ["daily", "--reports", "none"],
    ["daily", "--reports", "none"],
    ["backfill", "--reports", "none", "--from", "2026-03-03", "--to", "2026-03-04"],
    ["models", "list"],
    ["drift", "list"],
    ["status"],
    ["doctor"],
    ["calibrations", "make", "--model", MODEL, "--version", "v1"],
    ["retrain", "--model", MODEL],
    ["retrain", "--model", MODEL, "--approve", "I looked"],
]
TRAINS = {
    # who can make a version at all: a person's two commands, and the demo, which is one
    "cli/train.py",
    "cli/retrain.py",
    "examples/demo.py",
    # the morning, where people allow it
    "watch/by_itself.py",
    # trainings of a past, which nothing is kept of
    "replay/courses.py",
    "replay/past.py",
    # what they call
    "models/boosting.py",
    "models/challenge.py",
    "models/jobs.py",
    "models/training.py",
}
CALLED = {"train", "train_challenger", "challenge", "grow", "serve"}


PAST = """[retraining]
window_days = 5
every_days = 1
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A champion whose labels have turned since: critical, by labels, on plenty of them."
    bench = Bench(tmp_path_factory.mktemp("harmed"))
    old = events(days=40, per_day=100, start=START)
    rows = pd.DataFrame(
        {"feature:x": old.x, "label": old.label, "event_date": pd.to_datetime(old.day)}
    )
    with bench.store() as store:
        register(store, *train(rows, MODEL, "v1", rounds=5, holdout=0.5), ACTIVATED, "test")
        store.activate(ACTIVATED, "test", MODEL, "v1", "first")
    calm = events(days=3, per_day=60, start=BEFORE)
    bench.log(calm)
    bench.label(calm, f"{NOW}")
    turned = events(days=10, per_day=100, seed=3, start=TURNED)
    bench.log(turned)
    bench.label(turned, f"{NOW}", label=1 - turned.label)
    return bench


@pytest.fixture
def harmed(made, tmp_path, monkeypatch):
    "A copy of it, at a time of its own."
    bench = made.copy_to(tmp_path / "copy")
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    monkeypatch.chdir(bench.root)
    return bench


@pytest.fixture
def grown(monkeypatch):
    "Each call that grows trees; trainings stay in this process, where they are seen."
    made, real = [], xgb.train
    monkeypatch.setattr(xgb, "train", lambda *a, **k: made.append(a) or real(*a, **k))
    monkeypatch.setattr(JobLimits, "of", lambda settings: None)
    return made


def test_no_trigger_retrains_until_somebody_switches_it_on(harmed, grown, capsys):
    said = {}
    for words in TRIGGERS:
        main([*words, "--data", "data", "--reports-dir", "reports", "-q"])
        said.setdefault(" ".join(words), "")
        said[" ".join(words)] += "".join(capsys.readouterr())
    assert not grown
    with open_snapshot(harmed.data) as log:
        assert list(log.versions(MODEL).version) == ["v1"]
        assert log.active_version(MODEL) == "v1"
        trail = set(log.audit().what)
        assert "challenger" not in trail and "retrain approval" in trail
    # nothing but the flag stood in the way
    lines = said[f"retrain --model {MODEL} --approve I looked"].splitlines()
    assert [text[:4] for text in lines[:5]] == ["STOP", "pass", "pass", "pass", "pass"], lines
    assert "switched off (the default)" in lines[0] and "the severity is critical" in lines[1]
    switch = ["retrain", "--model", MODEL, "--flag", "on", "--why", "spring"]
    for words in (switch, TRIGGERS[-1]):
        main([*words, "--data", "data", "-q"])
    assert grown, capsys.readouterr()
    with open_snapshot(harmed.data) as log:
        assert len(log.versions(MODEL)) == 2 and log.active_version(MODEL) == "v1"


def test_a_past_that_is_trained_in_again_leaves_nothing(harmed, grown, capsys):
    "A person's command, with all flags off; tests/replay looks at what trees it grows."
    main(["ingest", "--data", "data", "-q"])
    before = {p: p.read_bytes() for p in harmed.data.rglob("*") if p.is_file()}
    Path("past.toml").write_text(PAST)
    span = ["--from", "2026-02-23", "--to", "2026-03-04", "--policy", "past.toml"]
    code = main(["replay", "--model", MODEL, *span, "--data", "data", "-q"])
    said = "".join(capsys.readouterr())
    # labels of the harmed days came late: no morning of the past knew one
    assert code == 1 and "no training of these days could be made" in said and not grown, said
    assert {p: p.read_bytes() for p in harmed.data.rglob("*") if p.is_file()} == before


def test_a_morning_trains_for_the_shadow_where_people_allow_it(harmed, grown, capsys):
    "Once: what is in the shadow is waited for. What decides stays."
    daily = ["daily", "--date", "2026-03-04", "--reports", "none", "--data", "data"]
    main(["daily", "--reports", "none", "--data", "data", "-q"])
    with harmed.store() as store:
        store.let_retrain(NOW, "ana", MODEL, True, "spring")
        store.publish(1)
    main(daily)
    assert "is not retrained: " in (said := "".join(capsys.readouterr())), said
    assert "the severity is critical: a person has to approve it" in said and not grown
    with harmed.store() as store:
        store.approve_retraining(NOW, "ana", MODEL, date(2026, 3, 4), "critical", "I looked")
        store.publish(1)
    past = ["2026-03-03" if word == "2026-03-04" else word for word in daily]
    main(past)  # figured again, which is no reason to train
    assert "retrained" not in (said := "".join(capsys.readouterr())), said
    main(daily)
    assert "every safeguard passes" in (said := "".join(capsys.readouterr())), said
    n = len(grown)
    main(daily)
    main(["models", "shadow", MODEL, "challenger-20260304", "off", "--why", "w", "--data", "data"])
    main(["retrain", "--model", MODEL, "--override", "again", "--data", "data"])
    assert "challenger-20260304 is registered already" in (said := capsys.readouterr().err), said
    assert len(grown) == n > 0
    main(["models", "shadow", MODEL, "challenger-20260304", "on", "--why", "w", "--data", "data"])
    with open_snapshot(harmed.data) as log:
        assert log.challengers(MODEL) == ["challenger-20260304"]
        assert log.active_version(MODEL) == "v1"


def test_a_training_that_fails_costs_the_morning_nothing(harmed, monkeypatch, capsys):
    def broken(*_, **__):
        raise StoreError("the disk is full")

    with harmed.store() as store:
        store.let_retrain(NOW, "ana", MODEL, True, "spring")
        store.approve_retraining(NOW, "ana", MODEL, date(2026, 3, 4), "critical", "I looked")
    monkeypatch.setattr("aiops_wb.watch.by_itself.train_challenger", broken)
    assert main(["daily", "--reports", "none", "--data", "data"]) == 3
    assert f"retraining of {MODEL}: the disk is full" in "".join(capsys.readouterr())
    with open_snapshot(harmed.data) as log:
        assert list(log.versions(MODEL).version) == ["v1"] and not log.challengers(MODEL)
        assert set(log.runs(step="figures").state) == {"ok"}


def test_nobody_else_can_train():
    "A new trigger is to be walked above before it may stand here."
    root = Path(aiops_wb.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _name(node.func) in CALLED
    }
    # which tells recent rows from those of training, and scores no event
    assert found == TRAINS | {"models/domain.py"}


def _name(function):
    return getattr(function, "id", getattr(function, "attr", ""))
