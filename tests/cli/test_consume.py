"""`aiops-wb consume`: how it is called, how it ends, and that no kill loses or doubles an event."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import until
from consumed import trial
from streamed import log_of, take_in

from aiops_wb.cli import main
from aiops_wb.log.store import open_store
from aiops_wb.streams import sources

ROW = {"id": "p1", "out": {"p": 0.9}, "at": "2026-03-01T10:00:00Z", "x": 1}
HOW = ["--map", "score=out.p,prediction_id=id", "--map", "predicted_at=at"]
HOW += ["--set", "model=late,version=v1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text(f"{json.dumps(ROW)}\n")
    return tmp_path


def test_a_file_is_taken_once_in_the_words_of_the_system_that_wrote_it(here, capsys):
    assert main(["consume", "file:events.jsonl", "--once", *HOW]) == 0
    assert capsys.readouterr().out == "1 prediction and 0 outcomes taken, 0 events refused\n"
    assert main(["consume", "file:events.jsonl", "--once", "--json", *HOW]) == 0
    told = {"predictions": 0, "outcomes": 0, "refused": 0, "whole": True}
    assert json.loads(capsys.readouterr().out) == told
    with Path("events.jsonl").open("a") as file:
        file.write("nonsense\n")
    assert main(["consume", "file:events.jsonl", "--once", *HOW]) == 1
    assert "goes to quarantine with the next ingest" in capsys.readouterr().out
    assert main(["ingest"]) == 0
    out = capsys.readouterr().out
    assert "  events.jsonl, line 2: not a line of JSON" in out and "1 loaded" in out
    found = log_of(here / "data")
    assert [row[:2] for row in found["predictions"]] == [("p1", "late")]
    assert main(["status"]) == 0 and "1 row in quarantine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 1, "is no place of events"),
        (["http://h/x"], 1, "POST /events"),
        (["redis://h:6379"], 1, "names no stream"),
        (["file:none.jsonl", "--once"], 1, "none.jsonl is not there."),
        (["file:events.jsonl", "--map", "nix=a"], 1, "'nix' cannot be mapped"),
        (["file:events.jsonl", "--set", "score=1"], 1, "'score' cannot be set"),
        (["file:events.jsonl", "--map", "score=a", "--map", "score=b"], 2, "score is given twice"),
        (["file:events.jsonl", "--batch", "0"], 2, "batch"),
    ],
)
def test_what_cannot_be_is_a_sentence(here, capsys, arguments, code, said):
    assert main(["consume", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1 and not Path("data/spool/predictions").exists()


@pytest.mark.parametrize("sort", ["redis", "kafka"])
def test_an_extra_that_is_not_installed_is_named(here, capsys, monkeypatch, sort):
    module = {"redis": "redis", "kafka": "confluent_kafka"}[sort]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"{sources.__package__}.{sort}_source", raising=False)
    address = {"redis": "redis://h/0?stream=s", "kafka": "kafka://h?topic=t"}[sort]
    assert main(["consume", address, "--once"]) == 1
    assert f"pip install 'aiops_wb[{sort}]'" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_beside_the_writer_until_a_signal_and_leaves_segments(here, number):
    words = [sys.executable, "-m", "aiops_wb", "consume", "file:events.jsonl", *HOW]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    spool = here / "data" / "spool" / "predictions"
    with (
        open_store(here / "data", "somebody"),  # who writes the log at the same time
        subprocess.Popen(words, env=path, stdout=subprocess.PIPE, text=True) as running,
    ):
        assert until(lambda: list(spool.glob(".*.open")))
        with Path("events.jsonl").open("a") as file:
            file.write(f"{json.dumps(ROW | {'id': 'p2'})}\n")
        place = here / "data" / "consumed"
        assert until(lambda: '"lines": 2' in "".join(p.read_text() for p in place.glob("*.json")))
        running.send_signal(number)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert out.splitlines()[-1] == "2 predictions and 0 outcomes taken, 0 events refused"
    assert not list(spool.glob(".*.open")) and list(spool.glob("*.parquet"))
    take_in(here / "data")
    assert [row[0] for row in log_of(here / "data")["predictions"]] == ["p1", "p2"]


@pytest.mark.parametrize("source", ["file", "redis"])
def test_killed_at_random_moments_the_log_is_what_was_written(source):
    told = trial(source, 6, "short")
    assert told["kills"] >= 4 and told["bad"] > 5 and told["outcomes"] > 30
    assert not told["differences"]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "kills"), [("file", 100), ("redis", 100), ("kafka", 10)])
def test_many_kills(source, kills):
    told = trial(source, kills, "long")
    assert told["kills"] >= 0.8 * kills and not told["differences"]
