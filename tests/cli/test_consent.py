"""What people say of retraining, on the command line."""

from datetime import UTC, date, datetime

import pytest
from conftest import MODEL, events

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.watch.view import View

DAY = date(2026, 3, 3)


@pytest.fixture
def told(bench, capsys):
    "A log of three days, and what a retraining of its model says: its exit code, its words."
    frame = events(days=3, per_day=20)
    bench.log(frame)
    bench.label(frame)
    bench.ingest(datetime(2026, 3, 20, tzinfo=UTC))
    bench.publish()

    def say(*words):
        capsys.readouterr()
        code = main(["retrain", *words, "--data", str(bench.data), "-q"])
        out = capsys.readouterr()
        return code, out.out + out.err

    say.data = bench.data
    return say


def test_each_safeguard_is_printed_even_when_the_first_stops(told):
    code, text = told("--model", MODEL)
    lines = [text.splitlines()[i].split(": ")[0] for i in range(5)]
    assert lines[0] == "STOP  flag" and lines[1:4] == [
        "STOP  severity",
        "pass  cooldown",
        "STOP  samples",
    ]
    assert lines[4] == "pass  no active job"
    assert code == 1 and "a safeguard stops the retraining" in text


def test_a_stop_of_all_wins_over_flag_and_override_until_it_is_lifted(told):
    assert told("--model", MODEL, "--flag", "on", "--why", "spring")[0] == 0
    assert told("--stop-all", "a move") == (0, "retraining of every model is stopped\n")
    code, text = told("--model", MODEL, "--override", "I want it")
    assert code == 1 and "STOP  flag: retraining of every model is stopped since" in text
    assert "--resume-all WHY' lets it go on" in text and "no active version" not in text
    assert told("--resume-all", "moved")[0] == 0
    code, text = told("--model", MODEL, "--override", "I want it")
    assert "pass  flag: retraining is switched on" in text and "no active version" in text
    assert told("--stop-all", " ")[1].startswith("aiops-wb: a change of retrain all needs a reason")


def test_a_tenant_is_left_out_by_its_own_flag(told):
    words = ("--model", MODEL, "--flag", "off", "--tenant", "default", "--why", "a contract")
    assert told(*words) == (
        0,
        f"in retrainings of {MODEL} rows of tenant default are left out\n",
    )
    text = told("--model", MODEL)[1]
    assert "rows of default are left out" in text
    assert "samples: 0 labelled events" in text
    assert "--tenant goes with --flag" in told("--model", MODEL, "--tenant", "x")[1]


def test_an_approval_is_of_a_critical_day_alone(told, monkeypatch):
    code, text = told("--model", MODEL, "--approve", "I looked")
    assert code == 1 and f"the severity of {DAY} is unknown; only critical needs" in text
    monkeypatch.setattr(View, "severity", "critical")
    assert "a person has to approve it on the day" in told("--model", MODEL)[1]
    assert told("--model", MODEL, "--flag", "on", "--why", "spring")[0] == 0
    code, text = told("--model", MODEL, "--approve", "I looked")
    assert "pass  flag: retraining is switched on; approved since" in text
    assert "I looked" in text and code == 1, "the others stop it still"
    with open_snapshot(told.data) as log:
        assert log.retraining_approved(MODEL, DAY, "critical").why == "I looked"


@pytest.mark.parametrize("words", [(), ("--stop-all", "a", "--resume-all", "b")])
def test_a_wrong_call_is_told_in_a_sentence(told, words):
    code, text = told(*words)
    assert code == 2 and "Traceback" not in text and "--" in text
