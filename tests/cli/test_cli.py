import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_wb.cli.main import main, parser

ROOT = Path(__file__).parents[2]
SUBCOMMANDS = next(
    a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)
).choices


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


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["daily", "--date", "yesterday"], "not a day such as"),
        (["daily", "--as-of", "2026-03-01"], "with an offset"),
        (["ingest", "--file", "x.csv", "--map", "score"], "name=value"),
        (["threshold", "--model", "m", "--set", "high"], "invalid float"),
        (["calibrate", "--model", "m", "--days", "0"], "days from 1"),
        (["cases", "--days", "99999999999"], "days from 1"),
        ([], "COMMAND"),
        (["dayly"], "invalid choice"),
    ],
)
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
    (tmp_path / "f.csv").write_text(
        "prediction_id,predicted_at,score\na,2026-03-01T00:00:00Z,0.7\n"
    )
    assert main(["ingest", "--file", "f.csv", "--set", "model=m,version=v"]) == 0
    assert "choose one of m" in refused(capsys, "daily", "--model", "x")
    assert "lies before" in refused(
        capsys, "backfill", "--from", "2026-03-02", "--to", "2026-03-01"
    )
    assert "fixed when a log is created" in refused(capsys, "ingest", "--timezone", "Europe/Berlin")
    assert "time zone name" in refused(capsys, "ingest", "--timezone", "Berlin")
    assert "needs --why" in refused(capsys, "threshold", "--model", "m", "--set", "0.5")
    assert "number in [0, 1]" in refused(capsys, "threshold", "--model", "m", "--try", "7")
    assert "no registered version" in refused(
        capsys, "activate", "--model", "m", "--version", "v", "--why", "x"
    )
    assert "no earlier value" in refused(capsys, "rollback", "--model", "m", "--why", "x")
    assert "a safeguard stops" in refused(capsys, "retrain", "--model", "m")
    assert "no active version" in refused(capsys, "retrain", "--model", "m", "--override", "x")
    assert "too few to train on" in refused(
        capsys,
        "train",
        "--model",
        "m",
        "--version",
        "w",
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-02",
    )
    assert "choose another folder" in refused(capsys, "demo")
    (tmp_path / "aiops.toml").write_text("narow_width = 0.3")
    assert "narow_width" in refused(capsys, "status")
    (tmp_path / "aiops.toml").write_text("narrow_width = ")
    assert "aiops.toml cannot be read" in refused(capsys, "status")


@pytest.fixture(scope="module")
def a_log(tmp_path_factory):
    root = tmp_path_factory.mktemp("log")
    rows = [
        (
            f"p{i}",
            f"2026-01-{1 + i // 2:02d}" if i < 62 else f"2026-02-{1 + (i - 62) // 2:02d}",
            0.95 if i % 2 else 0.05,
            i % 2,
        )
        for i in range(100)
    ]
    (root / "p.csv").write_text(
        "prediction_id,predicted_at,score,route\n"
        + "\n".join(
            f"{k},{d}T12:00:00Z,{p},{'ticket' if p > 0.5 else 'monitor'}" for k, d, p, _ in rows
        )
    )
    (root / "o.csv").write_text(
        "prediction_id,label,observed_at\n"
        + "\n".join(f"{k},{y},2026-03-01T00:00:00Z" for k, _, _, y in rows)
    )
    data = ["--data", str(root / "data")]
    assert (
        main(["ingest", *data, "--file", str(root / "p.csv"), "--set", "model=m,version=v"])
        == main(["ingest", *data, "--file", str(root / "o.csv"), "--kind", "outcomes"])
        == 0
    )
    return root


@pytest.fixture
def logged(a_log, tmp_path, monkeypatch, capsys):
    "A log of 100 labelled predictions over 50 days, half of them of high risk, in the working directory."
    shutil.copytree(a_log, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    return tmp_path


def test_calibrate_from_the_log_prints_what_it_rests_on_and_keeps_versions(logged, capsys):
    assert main(["calibrate", "--model", "m", "--version", "v", "--days", "60"]) == 0
    said = capsys.readouterr().out
    assert (
        "m/v/1: 100 labelled predictions, mean prediction 0.500, mean outcome 0.500 (positive rate 50.0%), standard deviation 0.450"
        in said
        and "too few to judge" not in said.splitlines()[0]
    )
    assert (
        main(
            ["calibrate", "--model", "m", "--version", "v", "--source", "fraud_log", "--days", "60"]
        )
        == 0
    )
    assert (
        "50 labelled predictions" in (said := capsys.readouterr().out)
        and "note: these are cases only" in said
    )
    assert main(["calibrate", "--model", "m", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "m/v/2" in listed and "by hand, from fraud_log" in listed and "2 calibrations" in listed
    assert main(["audit"]) == 0 and "chain intact" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prediction,actual\n1.5,1\n" + "0.5,1\n" * 40, "row 1 holds 1.5"),
        ("prediction,actual\n" + "0.5,2\n" * 40, "0 or 1"),
        ("prediction,actual\n" + "0.5,1\n" * 10, "10 labelled predictions are too few"),
        ("prediction\n0.5\n", "no column actual"),
        ("prediction,actual\n0.5,yes\n", "line 2: actual holds 'yes'"),
        ("prediction,actual\n0.5,\n", "line 2"),
        ("", "cannot be read as CSV"),
        ("prediction,actual,day\n0.5,1,soon\n", "no day such as"),
        ("prediction,actual\n0.5,1,0\n", "more fields than its header"),
        ("Prediction,prediction,actual\n1,2,1\n", "a column twice"),
        ("prediction,actual,day\n0.5,1,2099-01-01\n", "lies ahead"),
        ("prediction,actual,day\n0.5,1,0001-01-01\n", "1970|no day"),
    ],
)
def test_bad_calibration_files_are_one_sentence_and_change_nothing(logged, capsys, text, says):
    Path("c.csv").write_text(text)
    assert re.search(
        says,
        refused(
            capsys,
            "calibrate",
            "--model",
            "m",
            "--version",
            "v",
            "--source",
            "csv",
            "--file",
            "c.csv",
        ),
    )
    assert (
        main(["calibrate", "--model", "m", "--list"]) == 0
        and "0 calibrations" in capsys.readouterr().out
    )


def test_calibrate_refuses_what_does_not_fit_together(logged, capsys):
    for argv, says in (
        (["--version", "v", "--source", "csv"], "needs --file"),
        (["--version", "v", "--file", "p.csv"], "goes with source csv"),
        (["--version", "w"], "no version 'w'"),
        ([], "no active version"),
        (["--version", "v", "--source", "csv", "--file", "gone.csv"], "does not exist"),
        (["--version", "v", "--min-samples", "500", "--days", "60"], "at least 500 are needed"),
    ):
        assert says in refused(capsys, "calibrate", "--model", "m", *argv)
    Path("good.csv").write_text("Prediction, Actual\n" + "0.9,1\n0.1,0\n" * 30)
    assert (
        main(
            ["calibrate", "--model", "m", "--version", "v", "--source", "csv", "--file", "good.csv"]
        )
        == 0
    )
    assert (
        "60 labelled predictions" in (said := capsys.readouterr().out)
        and "nothing is automated" in said
    )


def test_cases_and_sites(logged, capsys):
    assert main(["cases", "--list"]) == 0 and "no case was opened yet" in capsys.readouterr().out
    assert main(["cases"]) == 0 and "50 too old to be sent" in capsys.readouterr().out
    assert main(["cases", "--list", "--days", "3"]) == 0
    assert (
        "too old to be sent" in (said := capsys.readouterr().out)
        and "-> unassigned" in said
        and said.strip().endswith("3 cases")
    )
    Path("sites.csv").write_text("site_id,manager\nnorth,T. Osei\n")
    assert (
        main(["sites", "--file", "sites.csv", "--why", "first"]) == 0
        and "1 of 1 sites" in capsys.readouterr().out
    )
    Path("sites.csv").write_text("")
    assert "cannot be read as CSV" in refused(capsys, "sites", "--file", "sites.csv", "--why", "x")
    assert "gone.csv does not exist" in refused(capsys, "sites", "--file", "gone.csv", "--why", "x")
    Path("sites.csv").write_text("Site_ID,manager\nNA,Bob,again\n")
    assert "more fields" in refused(capsys, "sites", "--file", "sites.csv", "--why", "x")
    Path("sites.csv").write_text("Site_ID,manager\nNA,Bob\n")
    assert main(["sites", "--file", "sites.csv", "--why", "x"]) == 0


def test_a_secret_is_in_no_refusal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://h/SECRET")
    monkeypatch.setenv("AIOPS_RISK_CUTS", "[0.9,0.1,0.2,0.3]")
    assert "risk_cuts must ascend" in (said := refused(capsys, "status")) and "SECRET" not in said
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", '["SECRET"]')
    assert "SECRET" not in refused(capsys, "status")


def test_a_corrupt_catalog_and_a_foreign_file_are_said(tmp_path, capsys):
    (tmp_path / "catalog.duckdb").write_bytes(b"this is no database" * 1000)
    assert "database" in refused(capsys, "ingest", "--data", str(tmp_path))


def test_the_threshold_of_a_model_trained_elsewhere(tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    rows = "".join(f"r{i},2026-03-01T{i:02d}:00:00Z,{i / 24:.2f},0.6\n" for i in range(24))
    (tmp_path / "f.csv").write_text("prediction_id,predicted_at,score,threshold\n" + rows)
    (tmp_path / "y.csv").write_text(
        "prediction_id,label,observed_at\n"
        + "".join(f"r{i},{int(i >= 12)},2026-03-02T00:00:00Z\n" for i in range(24))
    )
    main(["ingest", *data, "--file", str(tmp_path / "f.csv"), "--set", "model=m,version=v"])
    main(["ingest", *data, "--file", str(tmp_path / "y.csv"), "--kind", "outcomes"])
    capsys.readouterr()
    assert main(["threshold", *data, "--model", "m", "--try", "0.5"]) == 0
    said = capsys.readouterr().out
    assert (
        "threshold 0.600" in said
        and "Change it: 3 more positives caught with 0 fewer false alerts." in said
    )
    assert main(["threshold", *data, "--model", "m", "--set", "0.5", "--why", "catch more"]) == 0
    assert "now 0.500" in capsys.readouterr().out
    assert main(["threshold", *data, "--model", "m", "--rollback", "--why", "too many"]) == 0
    assert "now 0.600" in capsys.readouterr().out
    assert main(["audit", *data]) == 0
    assert "chain intact" in capsys.readouterr().out
    assert main(["status", *data]) == 0


def test_the_threshold_of_a_linear_model(tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    (tmp_path / "f.csv").write_text(
        "prediction_id,predicted_at,score,threshold\n"
        + "".join(f"r{i},2026-03-01T{i:02d}:00:00Z,{i / 4},3.0\n" for i in range(24))
    )
    assert (
        main(
            [
                "ingest",
                *data,
                "--file",
                str(tmp_path / "f.csv"),
                "--set",
                "model=z,version=v,grid=linear",
            ]
        )
        == 0
    )
    assert main(["threshold", *data, "--model", "z", "--set", "4.5", "--why", "fewer"]) == 0
    assert "now 4.500 (4500 points)" in capsys.readouterr().out
    assert main(["threshold", *data, "--model", "z", "--try", "3.0"]) == 0
    assert re.search(r"alerts +12\.000 +6\.000", capsys.readouterr().out)


def test_daily_makes_the_log_in_the_zone_of_the_settings(tmp_path, monkeypatch, capsys):
    from aiops_wb.log.spool import PredictionLogger

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
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "papermill" else found(name, *a),
    )
    assert "aiops_wb[ml,lab]" in refused(capsys, "daily", "--data", str(tmp_path))


def test_as_a_process():
    done = subprocess.run(
        [Path(sys.executable).parent / "aiops-wb", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "daily" in done.stdout


def test_the_readme_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(code, "README.md", "exec"), {})
    assert main(["ingest"]) == 0 and main(["daily", "--reports", "none"]) == 0
