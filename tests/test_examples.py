"""Examples run: one for each public name, and those of whole programs."""

import ast
import doctest
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from typer.main import get_command

import aiops_wb
from aiops_wb import open_snapshot
from aiops_wb.cli import app, main

ROOT = Path(__file__).parent.parent
SESSION = ROOT / "docs" / "examples.md"
HOW = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def example(name):
    "A program of the folder of examples, as a module."
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Session:
    "The examples of public names, run; what they made stays for others."

    def __init__(self):
        parser = doctest.DocTestParser()
        test = parser.get_doctest(SESSION.read_text(), {}, "examples", str(SESSION), 0)
        self.said = []
        runner = doctest.DocTestRunner(optionflags=HOW)
        self.ran = runner.run(test, out=self.said.append, clear_globs=False)
        self.data = test.globs["data"]


@pytest.fixture(scope="module")
def session():
    return Session()


def test_every_public_name_has_an_example():
    named = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", SESSION.read_text(), re.M | re.S)
    assert sorted(name for name, _ in named) == aiops_wb.__all__
    for name, text in named:
        assert re.search(rf"^>>> .*\b{name}\b|^\.\.\. .*\b{name}\b", text, re.M), name


def test_the_examples_of_public_names_run(session):
    assert not session.ran.failed, "".join(session.said)
    assert session.ran.attempted > 100


def taken_in(data, *ids):
    "What the log knows of some predictions, by id, after what waits was taken in."
    assert main(["ingest", "--data", str(data), "--quiet"]) == 0
    with open_snapshot(data) as reader:
        found = [reader.event(one, "late").iloc[0] for one in ids]
    return found


def test_a_service_decides_and_logs(session):
    service = example("service")
    served = service.create_app(session.data, session.data / "spool", "late")
    with TestClient(served, "http://127.0.0.1", client=("127.0.0.1", 5)) as client:
        event = {"prediction_id": "s1", "site_id": "north", "features": {"delay": 2.5}}
        decided = client.post("/score", json=event).json()
        assert client.post("/score", json=event | {"prediction_id": " "}).status_code == 422
        label = {"prediction_id": "s1", "label": 1}
        assert client.post("/labels", json=label).status_code == 204
        assert client.post("/labels", json=label | {"label": 2}).status_code == 422
        assert client.post("/labels", json=label | {"prediction_id": " "}).status_code == 422
        half = '{"prediction_id": "\\ud800", "features": {}}'
        assert client.post("/score", content=half).status_code == 422
    assert decided["route"] == "alert" and decided["version"] == "v2" and decided["reason"]
    (row,) = taken_in(session.data, "s1")
    assert (row.route, row.site_id, row.label) == ("alert", "north", 1)
    assert row.score == pytest.approx(decided["score"])


def test_a_batch_decides_and_logs(session, tmp_path, monkeypatch, capsys):
    batch = example("batch")
    events = pd.DataFrame({"prediction_id": ["b1", "b2"], "delay": [3.0, -3.0]})
    events.assign(predicted_at="2026-03-06T12:00:00Z").to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setenv("AIOPS_DATA", str(session.data))
    call = ["batch.py", "late", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    monkeypatch.setattr(sys, "argv", call)
    batch.main()
    decided = pd.read_csv(tmp_path / "out.csv")
    assert "2 decided" in capsys.readouterr().out
    assert decided.route[1] == "monitor" and decided.score[0] > decided.score[1]
    first, second = taken_in(session.data, "b1", "b2")
    assert first.score == pytest.approx(decided.score[0]) and second.route == "monitor"


def commands_of(text):
    "Calls of the command in a program: their words."
    calls = re.findall(r"\{COMMAND\} (.*?) \{WHERE\}", text)
    return [shlex.split(call) for call in calls]


def test_the_commands_of_a_dag_exist():
    text = (ROOT / "examples" / "airflow_dag.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    found = commands_of(text)
    assert [words[0] for words in found] == ["daily", "doctor", "backup"]
    operators = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    assert sum(getattr(n.func, "id", "") == "BashOperator" for n in operators) == len(found)
    group = get_command(app)
    context = group.make_context("aiops-wb", [], resilient_parsing=True)
    for words in found:
        command = group.get_command(context, words[0])
        command.make_context(words[0], [*words[1:], "--config", "aiops.toml"], parent=context)
