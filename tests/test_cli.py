import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_wb.cli import main, parser

ROOT = Path(__file__).parent.parent
SUBCOMMANDS = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)).choices


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_and_option_has_help(name):
    assert SUBCOMMANDS[name].description
    for action in SUBCOMMANDS[name]._actions:
        assert action.help, f"{name} {action.option_strings}"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_documented_commands_and_targets_exist(document):
    text = (ROOT / document).read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
        assert target in targets, target
    for line in re.findall(r"aiops-wb ([a-z].*)", text):
        command, *rest = re.split(r"[`\s]+", line)
        assert command in SUBCOMMANDS, line
        known = {o for a in SUBCOMMANDS[command]._actions for o in a.option_strings}
        assert {w for w in rest if w.startswith("--")} <= known, line


@pytest.mark.parametrize(("argv", "says"), [
    (["daily", "--date", "yesterday"], "not a day such as"), (["daily", "--as-of", "2026-03-01"], "with an offset"), (["ingest", "--file", "x.csv", "--map", "score"], "name=value"),
    (["threshold", "--model", "m", "--set", "high"], "invalid float"), ([], "COMMAND"), (["dayly"], "invalid choice")])
def test_wrong_usage_is_exit_code_2(argv, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2 and re.search(says, capsys.readouterr().err)


def refused(capsys, *argv):
    code = main(list(argv))
    said = capsys.readouterr().err
    assert code == 1 and said.startswith("aiops-wb: ") and said.count("\n") == 1, said
    return said


def test_refusals_are_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no published snapshot" in refused(capsys, "status")
    assert "the log is empty" in refused(capsys, "daily")
    assert "is not a file" in refused(capsys, "ingest", "--file", "missing.csv")
    (tmp_path / "f.csv").write_text("prediction_id,predicted_at,score\na,2026-03-01T00:00:00Z,0.7\n")
    assert main(["ingest", "--file", "f.csv", "--set", "model=m,version=v"]) == 0
    assert "choose one of m" in refused(capsys, "daily", "--model", "x")
    assert "lies before" in refused(capsys, "backfill", "--from", "2026-03-02", "--to", "2026-03-01")
    assert "fixed when a log is created" in refused(capsys, "ingest", "--timezone", "Europe/Berlin")
    assert "time zone name" in refused(capsys, "ingest", "--timezone", "Berlin")
    assert "needs --why" in refused(capsys, "threshold", "--model", "m", "--set", "0.5")
    assert "number in [0, 1]" in refused(capsys, "threshold", "--model", "m", "--try", "7")
    assert "no registered version" in refused(capsys, "activate", "--model", "m", "--version", "v", "--why", "x")
    assert "no earlier value" in refused(capsys, "rollback", "--model", "m", "--why", "x")
    assert "a safeguard stops" in refused(capsys, "retrain", "--model", "m")
    assert "no active version" in refused(capsys, "retrain", "--model", "m", "--override", "x")
    assert "too few to train on" in refused(capsys, "train", "--model", "m", "--version", "w", "--from", "2026-03-01", "--to", "2026-03-02")
    assert "choose another folder" in refused(capsys, "demo")
    (tmp_path / "aiops.toml").write_text("narow_width = 0.3")
    assert "narow_width" in refused(capsys, "status")
    (tmp_path / "aiops.toml").write_text("narrow_width = ")
    assert "aiops.toml cannot be read" in refused(capsys, "status")


def test_a_corrupt_catalog_and_a_foreign_file_are_said(tmp_path, capsys):
    (tmp_path / "catalog.duckdb").write_bytes(b"this is no database" * 1000)
    assert "database" in refused(capsys, "ingest", "--data", str(tmp_path))


def test_the_threshold_of_a_model_trained_elsewhere(tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    rows = "".join(f"r{i},2026-03-01T{i:02d}:00:00Z,{i / 24:.2f},0.6\n" for i in range(24))
    (tmp_path / "f.csv").write_text("prediction_id,predicted_at,score,threshold\n" + rows)
    (tmp_path / "y.csv").write_text("prediction_id,label,observed_at\n" + "".join(f"r{i},{int(i >= 12)},2026-03-02T00:00:00Z\n" for i in range(24)))
    main(["ingest", *data, "--file", str(tmp_path / "f.csv"), "--set", "model=m,version=v"])
    main(["ingest", *data, "--file", str(tmp_path / "y.csv"), "--kind", "outcomes"])
    capsys.readouterr()
    assert main(["threshold", *data, "--model", "m", "--try", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "threshold 0.600" in said and "Change it: 3 more positives caught with 0 fewer false alerts." in said
    assert main(["threshold", *data, "--model", "m", "--set", "0.5", "--why", "catch more"]) == 0
    assert "now 0.500" in capsys.readouterr().out
    assert main(["threshold", *data, "--model", "m", "--rollback", "--why", "too many"]) == 0
    assert "now 0.600" in capsys.readouterr().out
    assert main(["audit", *data]) == 0
    assert "chain intact" in capsys.readouterr().out
    assert main(["status", *data]) == 0


def test_the_threshold_of_a_linear_model(tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    (tmp_path / "f.csv").write_text("prediction_id,predicted_at,score,threshold\n" + "".join(f"r{i},2026-03-01T{i:02d}:00:00Z,{i / 4},3.0\n" for i in range(24)))
    assert main(["ingest", *data, "--file", str(tmp_path / "f.csv"), "--set", "model=z,version=v,grid=linear"]) == 0
    assert main(["threshold", *data, "--model", "z", "--set", "4.5", "--why", "fewer"]) == 0
    assert "now 4.500 (4500 points)" in capsys.readouterr().out
    assert main(["threshold", *data, "--model", "z", "--try", "3.0"]) == 0
    assert re.search(r"alerts +12\.000 +6\.000", capsys.readouterr().out)


def test_daily_makes_the_log_in_the_zone_of_the_settings(tmp_path, monkeypatch, capsys):
    from aiops_wb.spool import PredictionLogger

    monkeypatch.chdir(tmp_path)
    (tmp_path / "aiops.toml").write_text('timezone = "Asia/Tokyo"')
    with PredictionLogger("data/spool", "m", "v", threshold=0) as log:
        log.log(0.5, "2026-03-01T20:00:00Z")
    assert main(["daily", "--reports", "none"]) == 0 and main(["status"]) == 0
    said = capsys.readouterr().out
    assert "2026-03-02 m: figures ok" in said and "days of Asia/Tokyo" in said


def test_missing_extras_are_named(tmp_path, capsys, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "papermill" else found(name, *a))
    assert "aiops_wb[ml,lab]" in refused(capsys, "daily", "--data", str(tmp_path))


def test_as_a_process():
    done = subprocess.run([Path(sys.executable).parent / "aiops-wb", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "daily" in done.stdout


def test_the_readme_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(code, "README.md", "exec"), {})
    assert main(["ingest"]) == 0 and main(["daily", "--reports", "none"]) == 0
