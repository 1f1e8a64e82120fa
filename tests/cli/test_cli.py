import json
import logging
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import typer
from conftest import few
from typer.main import get_command

from aiops_wb.cli import main, status
from aiops_wb.cli.call import Call, command
from aiops_wb.cli.old import translate
from aiops_wb.config import load_settings
from aiops_wb.daily import report_jobs
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.store import open_store
from aiops_wb.stats.points import Grid
from aiops_wb.watch.view import open_view

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from aiops_wb.cli import main; sys.exit(main())"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["daily", "--date", "yesterday"], "'--date': 'yesterday' is not a day such as"),
        (["daily", "--as-of", "2026-03-01"], "with an offset"),
        (["ingest", "--file", "x.csv", "--map", "score"], "name=value"),
        (["thresholds", "set", "--model", "m", "high"], "'high' is not a number"),
        (["calibrations", "make", "--model", "m", "--days", "0"], "days from 1"),
        (["cases", "list", "--days", "99999999999"], "days from 1"),
        ([], "Missing command"),
        (["models"], "Missing command. Try 'aiops-wb models --help'"),
        (["dayly"], "No such command 'dayly'. Did you mean 'daily'[?]"),
        (["models", "promotte"], "Did you mean 'promote'[?]"),
        (["models", "promote", "--model", "m", "--version", "v"], "Missing option '--why'"),
        (["daily", "--reports", "some"], "'some' is not one of 'all', 'last', 'none'"),
        (["daily", "--dat", "2026-03-01"], "No such option: --dat"),
        (["calendar", "add"], "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_sentence(argv, says, capsys):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert re.search(says, said) and said.startswith("aiops-wb: ") and said.count("\n") == 1


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
    assert "needs --why" in refused(capsys, "thresholds", "set", "--model", "m", "0.5")
    assert "number in [0, 1]" in refused(capsys, "thresholds", "simulate", "--model", "m", "7")
    assert "no registered version" in refused(
        capsys, "models", "promote", "--model", "m", "--version", "v", "--why", "x"
    )
    assert "no earlier value" in refused(capsys, "models", "rollback", "--model", "m", "--why", "x")
    assert "a safeguard stops" in refused(capsys, "retrain", "--model", "m")
    assert "no active version" in refused(capsys, "retrain", "--model", "m", "--override", "x")
    assert "too few to train on" in refused(
        capsys,
        "models",
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
    "A log of 100 labelled predictions over 50 days, half of high risk, in the working directory."
    shutil.copytree(a_log, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    return tmp_path


def test_calibrate_from_the_log_prints_what_it_rests_on_and_keeps_versions(logged, capsys):
    assert main(["calibrations", "make", "--model", "m", "--version", "v", "--days", "60"]) == 0
    said = capsys.readouterr().out
    assert (
        "m/v/1: 100 labelled predictions, mean prediction 0.500, mean outcome 0.500 "
        "(positive rate 50.0%), standard deviation 0.450"
        in said
        and "too few to judge" not in said.splitlines()[0]
    )
    assert (
        main(
            [
                "calibrations",
                "make",
                "--model",
                "m",
                "--version",
                "v",
                "--source",
                "fraud_log",
                "--days",
                "60",
            ]
        )
        == 0
    )
    assert (
        "50 labelled predictions" in (said := capsys.readouterr().out)
        and "note: these are cases only" in said
    )
    assert main(["calibrations", "list", "--model", "m"]) == 0
    listed = capsys.readouterr().out
    assert "m/v/2" in listed and "by hand, from fraud_log" in listed and "2 calibrations" in listed
    assert main(["audit", "list"]) == 0 and "chain intact" in (said := capsys.readouterr().out)
    assert "calibration of m/v: - -> m/v/1 (by hand" in said


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
            "calibrations",
            "make",
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
        main(["calibrations", "list", "--model", "m"]) == 0
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
        assert says in refused(capsys, "calibrations", "make", "--model", "m", *argv)
    Path("good.csv").write_text("Prediction, Actual\n" + "0.9,1\n0.1,0\n" * 30)
    assert (
        main(
            [
                "calibrations",
                "make",
                "--model",
                "m",
                "--version",
                "v",
                "--source",
                "csv",
                "--file",
                "good.csv",
            ]
        )
        == 0
    )
    assert (
        "60 labelled predictions" in (said := capsys.readouterr().out)
        and "nothing is automated" in said
    )


def test_cases_and_sites(logged, capsys):
    assert main(["cases", "list"]) == 0 and "no case was opened yet" in capsys.readouterr().out
    assert main(["cases", "send"]) == 0 and "50 too old to be sent" in capsys.readouterr().out
    assert main(["cases", "list", "--days", "3"]) == 0
    assert (
        "too old to be sent" in (said := capsys.readouterr().out)
        and "-> unassigned" in said
        and said.strip().endswith("3 cases, 3 open")
    )
    Path("sites.csv").write_text("site_id,manager\nnorth,T. Osei\n")
    assert (
        main(["sites", "load", "sites.csv", "--why", "first"]) == 0
        and "1 of 1 sites" in capsys.readouterr().out
    )
    Path("sites.csv").write_text("")
    assert "cannot be read as CSV" in refused(capsys, "sites", "load", "sites.csv", "--why", "x")
    assert "gone.csv does not exist" in refused(capsys, "sites", "load", "gone.csv", "--why", "x")
    Path("sites.csv").write_text("Site_ID,manager\nNA,Bob,again\n")
    assert "more fields" in refused(capsys, "sites", "load", "sites.csv", "--why", "x")
    Path("sites.csv").write_text("Site_ID,manager\nNA,Bob\n")
    assert main(["sites", "load", "sites.csv", "--why", "x"]) == 0


def test_a_secret_is_in_no_refusal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://h/SECRET")
    monkeypatch.setenv("AIOPS_RISK_CUTS", "[0.9,0.1,0.2,0.3]")
    assert "the cuts must ascend" in (said := refused(capsys, "status")) and "SECRET" not in said
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
    assert main(["thresholds", "simulate", *data, "--model", "m", "0.5"]) == 0
    said = capsys.readouterr().out
    assert (
        "threshold 0.600" in said
        and "Change it: 3 more positives caught with 0 fewer false alerts." in said
    )
    assert main(["thresholds", "set", *data, "--model", "m", "0.5", "--why", "catch more"]) == 0
    assert "now 0.500" in capsys.readouterr().out
    assert main(["thresholds", "rollback", *data, "--model", "m", "--why", "too many"]) == 0
    assert "now 0.600" in capsys.readouterr().out
    assert main(["audit", "list", *data]) == 0
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
    assert main(["thresholds", "set", *data, "--model", "z", "4.5", "--why", "fewer"]) == 0
    assert "now 4.500 (4500 points)" in capsys.readouterr().out
    assert main(["thresholds", "simulate", *data, "--model", "z", "3.0"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"alerts +12 +6 +\+?-?6\n", said) and re.search(r"recall +- +- +-\n", said)
    assert main(["models", "dial", *data, "z", "off", "--why", "a trial"]) == 0
    assert "with what stands now it would have been 0.0" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    "command", few(["models train", "drift explain", "retrain", "demo"], "models train", "retrain")
)
def test_what_needs_an_extra_is_named_and_the_rest_works_without(logged, command, capsys):
    """Commands that only look things up run where the package stands alone."""
    code = """import sys
from importlib.abc import MetaPathFinder
class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "xgboost":
            raise ModuleNotFoundError("No module named 'xgboost'", name=name)
sys.meta_path.insert(0, Bare())
from aiops_wb.cli import main
sys.exit(main())"""
    group = command.split()[0]
    without = [sys.executable, "-c", code]
    done = subprocess.run([*without, *command.split()], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("aiops-wb: xgboost is not installed") and "[ml" in done.stderr
    if group != command:
        assert subprocess.run([*without, group, "list"], capture_output=True).returncode == 0


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


def test_old_spellings_work_with_one_warning(logged, capsys):
    Path("sites.csv").write_text("site_id,manager\nnorth,T. Osei\n")
    for before, says in [
        ("calibrate --model m --version v --days 60", "m/v/1: 100 labelled predictions"),
        ("calibrate --model m --list", "1 calibration\n"),
        ("cases", "50 too old to be sent"),
        ("cases --list --days 3", "3 cases"),
        ("drift", "no alarm was raised yet"),
        ("calendar --add Easter --from 2026-04-05 --why known", "Easter, 2026-04-05 to 2026-04-05"),
        ("calendar", "1 entry\n"),
        ("sites --file sites.csv --why first", "1 of 1 sites"),
        ("threshold --model m", "threshold 0.600"),
        ("threshold --model m --try 0.4", "threshold 0.600"),
        ("threshold --model m --set 0.4 --why more", "now 0.400"),
        ("threshold --model m --rollback --why less", "now 0.600"),
    ]:
        assert main(before.split()) == 0, before
        said = capsys.readouterr()
        assert (
            says in said.out and said.err.count("\n") == 1 and "until the next release" in said.err
        ), said
    for before, says in [
        ("train --model m --version w --from 2026-03-01 --to 2026-03-02", "too few to train on"),
        ("activate --model m --version v --why x", "no registered version"),
        ("rollback --model m --why x", "no earlier value"),
        ("drift --model m --explain", "no active version that was trained here"),
        ("calendar --remove no-such --why x", "no-such"),
        ("threshold --model m --set 0.5", "needs --why"),
    ]:
        assert main(before.split()) == 1, before
        warning, refusal = capsys.readouterr().err.splitlines()
        assert "until the next release" in warning and says in refusal
    assert (
        main(["audit"]) == 0
        and not (said := capsys.readouterr()).err
        and "chain intact" in said.out
    )


def printed(capsys, *argv):
    assert main(list(argv)) == 0
    return json.loads(capsys.readouterr().out)


def test_lists_as_json(logged, capsys):
    assert (
        printed(capsys, "models", "list", "--json")
        == printed(capsys, "drift", "list", "--json")
        == printed(capsys, "calendar", "list", "--json")
        == printed(capsys, "sites", "list", "--json")
        == []
    )
    assert printed(capsys, "cases", "list", "--json") == []
    status = printed(capsys, "status", "--json")
    assert (
        status["models"]
        == [
            {
                "model": "m",
                "first": "2026-01-01",
                "last": "2026-02-19",
                "days": 50,
                "active_version": None,
                "due": status["models"][0]["due"],
                "not_watched": [],
            }
        ]
        and status["quarantined"] == 0
    )
    Path("sites.csv").write_text("site_id,manager\nnorth,T. Osei\n")
    for words in (
        "cases send",
        "calendar add Easter --from 2026-04-05 --mute --why known",
        "calibrations make --model m --version v --days 60",
        "sites load sites.csv --why first",
    ):
        assert main(words.split()) == 0
    capsys.readouterr()
    cases = printed(capsys, "cases", "list", "--days", "3", "--json")
    assert (
        len(cases) == 3
        and (cases[0]["state"], cases[0]["late"]) == ("open", True)
        and cases[0]["assignee"] is None
        and cases[0]["predicted_at"].startswith("2026-02-1")
    )
    (entry,) = printed(capsys, "calendar", "list", "--json")
    assert (entry["first"], entry["model"], entry["mutes"]) == ("2026-04-05", None, True)
    assert [s["manager"] for s in printed(capsys, "sites", "list", "--json")] == ["T. Osei"]
    (made,) = printed(capsys, "calibrations", "list", "--model", "m", "--json")
    assert made["calibration_id"] == "m/v/1" and made["why"] == "by hand, from prediction_log"
    changes = printed(capsys, "audit", "list", "--json")
    assert {c["what"] for c in changes} >= {"calibration", "calendar", "sites"} and changes[0][
        "seq"
    ] == 1
    assert {"name": "jobs", "value": 2, "source": "default"} in printed(capsys, "config", "--json")


def test_models_are_listed_with_the_active_one(logged, capsys):
    with open_store(logged / "data", "t") as store:
        for version in ("v", "w"):
            store.add_version(
                datetime(2026, 3, 1, tzinfo=UTC), "t", "m", version, Grid(), "nowhere", {}, 405
            )
        store.publish()
    assert main(["models", "promote", "--model", "m", "--version", "w", "--why", "x"]) == 0
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    assert re.search(
        r"m w  registered 2026-03-01 00:00Z, threshold 405 points, active\n.*\n?2 versions",
        capsys.readouterr().out,
    )
    assert {
        (m["version"], m["active"])
        for m in printed(capsys, "models", "list", "--model", "m", "--json")
    } == {("v", False), ("w", True)}
    assert "choose one of m" in refused(capsys, "models", "list", "--model", "x")


def test_a_version_is_watched_or_not(logged, capsys):
    registered = datetime(2026, 3, 1, tzinfo=UTC)
    with open_store(logged / "data", "t") as store:
        store.add_version(registered, "t", "m", "a/b", Grid(), "nowhere", {}, 405)
        store.publish()
    told = r"m a/b is not watched since \d+ \w+ 20\d\d, by .*: retired"
    assert main(["models", "watch", "m/a/b", "off", "--why", "retired"]) == 0
    assert re.fullmatch(told, capsys.readouterr().out.strip())
    assert "not watched since" in text_of(capsys)
    assert printed(capsys, "models", "list", "--json")[0]["not_watched"].endswith(": retired")
    assert printed(capsys, "status", "--json")["models"][0]["not_watched"] == ["a/b"]
    assert main(["status"]) == 0
    assert "not watched: a/b" in capsys.readouterr().out.replace("\n", " ")
    assert main(["models", "watch", "m/a/b", "off", "--why", "again"]) == 0
    said = capsys.readouterr().out
    assert "retired (it was so already" in said and "again" not in said
    assert "is no version of this log" in refused(
        capsys, "models", "watch", "m", "on", "--why", "x"
    )
    assert main(["models", "watch", "m/a/b", "on", "--why", "back"]) == 0
    assert capsys.readouterr().out == "m a/b is watched\n"
    assert printed(capsys, "models", "list", "--json")[0]["not_watched"] is None
    assert main(["models", "watch", "m/a/b", "maybe", "--why", "x"]) == 2
    assert main(["models", "watch", "m/a/b", "off"]) == 2


def text_of(capsys):
    "What the list of models prints."
    assert main(["models", "list"]) == 0
    return capsys.readouterr().out


def test_config_prints_values_and_sources_and_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aiops.toml").write_text("jobs = 3\nreference_days = [40, 70]")
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://h/SECRET")
    assert main(["config", "--data", "elsewhere"]) == 0
    said = capsys.readouterr().out
    assert (
        f"jobs = 3  (file {tmp_path / 'aiops.toml'})" in said
        and "data = elsewhere  (argument)" in said
        and "engine = inline  (default)" in said
        and "reference_days = 40 70  (" in said
    )
    assert "webhook_url = **********  (variable AIOPS_WEBHOOK_URL)" in said and "SECRET" not in said
    assert (
        "SECRET" not in json.dumps(shown := printed(capsys, "config", "--json")) and len(shown) > 30
    )
    (tmp_path / "other.toml").write_text("jobs = 4")
    assert (
        "jobs = 4  (file other.toml)"
        in (main(["config", "--config", "other.toml"]), capsys.readouterr().out)[1]
    )
    assert "gone.toml does not exist" in refused(capsys, "config", "--config", "gone.toml")
    monkeypatch.setenv("AIOPS_JOBBS", "SECRET")
    assert (
        "did you mean AIOPS_JOBS?" in (said := refused(capsys, "config")) and "SECRET" not in said
    )


def test_every_command_finds_the_same_settings(a_log, tmp_path, monkeypatch, capsys):
    shutil.copytree(a_log, tmp_path, dirs_exist_ok=True)
    (tmp_path / "aiops.toml").write_text("")
    (tmp_path / "nbs" / "reports").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "nbs" / "reports")
    assert main(["status"]) == 0 and "m: 2026-01-01 to 2026-02-19" in capsys.readouterr().out
    monkeypatch.chdir("/")
    assert main(["status", "--config", str(tmp_path / "aiops.toml")]) == 0
    assert main(["status", "--data", str(tmp_path / "data")]) == 0
    monkeypatch.setenv("AIOPS_DATA", str(tmp_path / "data"))
    assert main(["status"]) == 0


def test_reports_see_the_settings_of_the_call(logged):
    Path("named.toml").write_text("label_delay_days = 3")
    settings = load_settings(config=Path("named.toml"))
    now = datetime.now(UTC)
    job = report_jobs(settings.data, settings.reports, date(2026, 2, 19), "m", now, settings)[0]
    Path("aiops.toml").write_text("label_delay_days = 4\nticket_days = 9")  # found by a notebook
    seen = open_view(**job.parameters).settings
    assert (seen.label_delay_days, seen.ticket_days) == (3, 60)


def test_quiet_and_verbose(logged, capsys):
    assert main(["cases", "send", "-q"]) == 0 and capsys.readouterr().out == ""
    assert main(["cases", "list", "-q"]) == 0 and "cases" in capsys.readouterr().out

    assert main(["ingest", "-v"]) == 0 and "INFO: published" in capsys.readouterr().err

    small = typer.Typer(rich_markup_mode=None, add_completion=False)

    @command(small)
    def tell(call: Call):
        log = logging.getLogger("aiops_wb.anything")
        log.warning("a warning")
        log.info("some news")
        log.debug("a detail")

    for words, says in (
        ([], ["warning"]),
        (["-q"], []),
        (["-v"], ["warning", "news"]),
        (["-vv"], ["warning", "news", "detail"]),
    ):
        get_command(small).main(words, standalone_mode=False)
        assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == says
    assert not logging.getLogger("aiops_wb").handlers


def test_what_should_not_happen_is_one_sentence_and_its_traceback_can_be_had(capsys, monkeypatch):
    monkeypatch.setattr(status, "due", lambda *_: {}["no such\nkey"])
    monkeypatch.setattr(status.Call, "reading", lambda self: open(os.devnull))
    assert (
        "this should not happen (KeyError: 'no such" in (said := refused(capsys, "status"))
        and "-vv" in said
    )
    assert main(["status", "-vv"]) == 1 and "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["audit list", "--help", "daily --help", "status"])
def test_a_closed_pipe_ends_quietly(logged, words):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, *words.split()], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode in (0, 141) and done.stderr == ""


def test_work_goes_on_when_nobody_reads_of_it(logged):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "cases", "send"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert main(["cases", "list"]) == 0


def test_a_terminal_gets_tables(logged, capsys):
    shown, terminal = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, "status"],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "dumb", "COLUMNS": "120"},
    )
    os.close(terminal)
    text = b""
    while True:
        try:
            text += (part := os.read(shown, 4096))
        except OSError:
            break
        if not part:
            break
    assert done.wait() == 0
    head, row, total = text.decode().splitlines()
    assert (
        head.split() == ["model", "first", "last", "days", "active", "version", "due"]
        and row.split()[:4] == ["m", "2026-01-01", "2026-02-19", "50"]
        and "rows in quarantine" in total
    )


def in_process(words, **options):
    "A command in a process of its own."
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([*COMMAND, *words], text=True, timeout=120, check=False, **pipes)


def test_nobody_listening_changes_nothing(logged):
    "Standard output closed by whoever called (`>&-`): the work is done all the same."
    script = f'exec >&-; exec {" ".join(map(shlex.quote, COMMAND))} "$@"'
    for words in (
        ["--version"],
        ["status"],
        ["thresholds", "set", "0.7", "--model", "m", "--why", "as ever"],
    ):
        done = subprocess.run(["sh", "-c", script, "sh", *words], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), words
    with open_snapshot(logged / "data") as published:
        assert published.threshold("m", "v") == Grid().quantise(0.7)


def test_any_terminal_can_be_spoken_to(logged):
    plain = os.environ | {"PYTHONIOENCODING": "ascii"}
    for words in (["calendar", "add", "Öster", "--from", "2026-03-02", "--why", "weiß"], ["audit"]):
        done = in_process(words, env=plain)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "\\xd6ster" in done.stdout


def test_the_working_directory_may_be_gone(logged, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir {gone}; exec {" ".join(map(shlex.quote, COMMAND))} "$@"'
    words = ["sh", "-c", script, "sh", "status", "--data", str(logged / "data")]
    done = subprocess.run(words, cwd=gone, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("threshold --try 0.4 --model m --why x", "thresholds simulate --model m -- 0.4"),
        ("threshold --model m --why=x", "thresholds show --model m"),
        ("cases --days 3", "cases send"),
        ("cases --list --days 3", "cases list --days 3"),
        ("drift --explain --model m --days 30", "drift explain --model m"),
        ("calendar --mute --from 2013-01-01 --model m", "calendar list --model m"),
    ],
)
def test_options_that_meant_nothing_are_dropped_with_the_old_spelling(before, after):
    words, warning = translate(before.split())
    assert words == after.split() and "old spelling" in warning


SCORES = "prediction_id,predicted_at,score\na,2026-03-01T00:00:00Z,0.7\n"


def written(folder):
    "Every file below a folder."
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_map_and_set_add_up(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("f.csv").write_text(SCORES.replace("prediction_id,predicted_at,score", "id,when,p"))
    maps = ("prediction_id=id", "predicted_at=when", "score=p", "score=p")
    words = [word for pair in maps for word in ("--map", pair)]
    sets = ["--set", "threshold=0.9", "--set", "model=m,version=1"]
    assert main(["ingest", "--file", "f.csv", *words, *sets]) == 0
    assert main(["thresholds", "show", "--model", "m"]) == 0
    out = capsys.readouterr().out
    assert "1 loaded" in out and "threshold 0.900" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--map", "score=p,score=q"], "score is given twice, as p and as q"),
        (["--map", "score=p", "--map", "score=q"], "score is given twice, as p and as q"),
        (["--set", "model=m", "--set", "model=n"], "model is given twice, as m and as n"),
        (["--file", "g.csv"], "'--file': it is given more than once"),
        (["--kind", "outcomes", "--kind", "predictions"], "'--kind': it is given more than once"),
        (["--features", "a,,b"], "not a list of names"),
    ],
)
def test_no_option_silently_takes_the_last_of_two(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ingest", "--file", "f.csv", *words]) == 2
    assert says in capsys.readouterr().err and not written(tmp_path)


@pytest.mark.parametrize("option", ["--map", "--set", "--features", "--exclude"])
def test_options_about_a_file_need_one(option, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ingest", option, "x=y" if option in ("--map", "--set") else "x"]) == 2
    assert "name it with --file" in capsys.readouterr().err
    assert main(["ingest", "--dry-run"]) == 2 and not written(tmp_path)


def test_a_dry_run_tells_what_would_become_of_a_file_and_writes_nothing(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("f.csv").write_text(
        ",id,when,p,x,site_id,route,label,went_wrong\n"
        "0,a,2026-03-01T00:00:00Z,0.7,1.5,north,66,1,1\n"
        "1,b,2026-03-01T00:00:00Z,7,,south,12,0,0\n"
    )
    words = ["--map", "prediction_id=id,predicted_at=when,score=p", "--set", "model=m,version=1"]
    command = ["ingest", "--file", "f.csv", *words]
    assert main([*command, "--dry-run"]) == 0
    out = capsys.readouterr().out
    for told in (
        "1 row would be loaded; nothing is written",
        r"prediction_id +id",
        r"site_id +site_id",
        r"model += m",
        r"feature +x \(number\)",
        r"feature +route \(number, not what the log's column of that name holds\)",
        r"not taken +label \(an outcome",
        r"note: f.csv: column 1 has no name and is left out",
        r"1 row for the quarantine: score '7' is not a probability",
        r"a +default +m",
    ):
        assert re.search(told, out), told
    assert written(tmp_path) == ["f.csv"]
    assert main([*command, "--features", "x", "--dry-run"]) == 0
    assert re.search(r"not taken +went_wrong \(nobody asked for it\)", capsys.readouterr().out)
    assert main(command) == 0
    outcomes = "prediction_id=id,label=went_wrong,observed_at=when"
    assert main(["ingest", "--file", "f.csv", "--kind", "outcomes", "--map", outcomes]) == 0
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    capsys.readouterr()
    assert main([*command, "--dry-run"]) == 0
    assert re.search(r"not taken +went_wrong \(mapped as label", capsys.readouterr().out)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert "no column 'nix'" in refused(capsys, *command, "--exclude", "nix", "--dry-run")


def test_labels_without_a_prediction_stand_in_the_result_and_in_the_status(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text(SCORES.replace("\na,", "\n4711,"))
    Path("o.csv").write_text(
        "prediction_id,label,observed_at\n"
        "4711.0,1,2026-03-02T00:00:00Z\n9999,1,2026-03-02T00:00:00Z\n8888,,\n"
    )
    assert main(["ingest", "--file", "p.csv", "--set", "model=m,version=1"]) == 0
    for _ in range(2):  # what is not known yet is no fault, however often it comes
        assert main(["ingest", "--kind", "outcomes", "--file", "o.csv"]) == 0
        out = capsys.readouterr().out
        assert "1 label has no prediction in the log yet ('9999')" in out
        assert "0 quarantined, 1 without a label yet" in out
    assert main(["status"]) == 0 and "('9999')" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels_without_prediction"] == 1
    assert told["labels_without_prediction_such_as"] == ["9999"]


def test_a_column_nobody_knows_in_a_table_of_sites_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.csv").write_text("site_id,manager,building\nnorth,T. Osei,7\n")
    load = ["sites", "load", "s.csv", "--why", "new"]
    assert main(load) == 0 and "not read: building" in capsys.readouterr().out
    Path("s.csv").write_text("site_id,security_manger\nnorth,T. Osei\n")
    assert "is 'security_manager' meant" in refused(capsys, *load)
    assert main(["sites", "list"]) == 0 and "T. Osei" in capsys.readouterr().out


def test_the_documented_recipe_for_one_file_teaches_no_label(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "operator.md").read_text()
    (told,) = re.findall(r"one and the same `--map` \(`(.*?)`\)", page)
    Path("both.csv").write_text(
        "id,when,p_fraud,x,fraud,closed_at\na,2026-03-01T00:00:00Z,0.7,1,1,2026-03-02T00:00:00Z\n"
    )
    words = ["ingest", "--file", "both.csv", "--map", told]
    assert main([*words, "--set", "model=m,version=7"]) == 0
    assert main([*words, "--kind", "outcomes"]) == 0
    with open_snapshot(Path("data")) as log:
        rows = log.labelled_rows("m", date(2026, 3, 1), date(2026, 3, 1))
    assert [c for c in rows if c.startswith("feature:")] == ["feature:x"]
    assert rows.label.tolist() == [1]


def test_features_are_listed_and_set(logged, capsys):
    days = [f"2026-03-{1 + i % 10:02d}T12:00:00Z" for i in range(1200)]
    header = "prediction_id,predicted_at,score,gate\n"
    rows = (f"g{i},{day},0.2,{i % 7}\n" for i, day in enumerate(days))
    (logged / "g.csv").write_text(header + "".join(rows))
    (logged / "h.csv").write_text(f"{header}h1,{days[0]},0.2,A3\nh2,{days[0]},0.2,N/A\n")
    take = ["ingest", "--set", "model=m,version=v", "--file"]
    assert main([*take, "g.csv"]) == 0 and main([*take, "h.csv"]) == 0
    said = capsys.readouterr().out
    assert "1 values unreadable" in said and "gate of m" in said and "'A3'" in said
    (listed,) = printed(capsys, "features", "list", "--json")
    assert (listed["feature"], listed["kind"], listed["fixed"]) == ("gate", "number", True)
    assert listed["unreadable"] == 1 and "1,200 values on 10 days" in listed["why"]
    assert main(["features", "list", "--model", "m"]) == 0
    assert "m gate  number, fixed since" in capsys.readouterr().out
    assert "needs a reason" in refused(capsys, "features", "set", "m", "gate", "text")
    why = ["--why", "gates have names"]
    assert "features are gate" in refused(capsys, "features", "set", "m", "gat", "text", *why)
    assert main(["features", "set", "m", "gate", "colour", *why]) == 2
    capsys.readouterr()
    assert main(["features", "set", "m", "gate", "text", *why]) == 0
    assert "1 values that could not be read were read" in capsys.readouterr().out
    with open_snapshot(logged / "data") as reader:
        assert reader.audit("m/gate").why.tolist()[-1] == "gates have names"
        found = reader.rows("m", date(2026, 3, 1), date(2026, 3, 1)).set_index("prediction_id")
    assert found["feature:gate"]["h1"] == "A3" and found["feature:gate"]["g0"] == "0"


def test_a_feature_is_put_back(logged, capsys):
    rows = "prediction_id,predicted_at,score,wrong,gate\ng1,2026-03-01T12:00:00Z,0.2,1,7\n"
    (logged / "g.csv").write_text(rows)
    take = ["ingest", "--file", "g.csv"]
    assert main([*take, "--set", "model=m,version=v"]) == 0
    assert main([*take, "--kind", "outcomes", "--map", "label=wrong,observed_at=predicted_at"]) == 0
    capsys.readouterr()
    (listed,) = [f for f in printed(capsys, "features", "list", "--json") if f["outcome"]]
    assert (listed["feature"], listed["outcome"]) == ("wrong", "label")
    back, why = ["features", "rollback", "m"], ["--why", "a typing error"]
    assert "needs a reason" in refused(capsys, *back, "wrong")
    assert "features are gate, wrong" in refused(capsys, *back, "wong", *why)
    assert "nobody set gate of m" in refused(capsys, *back, "gate", *why)
    assert "'mm' is not known" in refused(capsys, "features", "rollback", "mm", "gate", *why)
    assert main([*back, "wrong", *why]) == 0
    assert "wrong of m is no outcome any more" in capsys.readouterr().out
    assert not any(f["outcome"] for f in printed(capsys, "features", "list", "--json"))
    assert main(["features", "set", "m", "gate", "text", "--why", "codes"]) == 0
    assert main([*back, "gate", *why]) == 0
    assert "gate of m is a number again" in capsys.readouterr().out


def test_training_refuses_a_leak_by_name(logged, capsys):
    lines = (logged / "p.csv").read_text().splitlines()
    told = ["leak", *(str(i % 2) for i in range(len(lines) - 1))]
    with_leak = (f"{line},{leak}\n" for line, leak in zip(lines, told))
    (logged / "q.csv").write_text("".join(with_leak))
    data = ["--data", "other"]
    main(["ingest", *data, "--file", "q.csv", "--set", "model=m,version=v"])
    main(["ingest", *data, "--file", "o.csv", "--kind", "outcomes"])
    train = ["models", "train", *data, "--model", "m", "--from", "2026-01-01", "--to", "2026-02-28"]
    said = refused(capsys, *train, "--version", "a")
    assert "told apart by leak (ROC AUC 1.000)" in said and "--allow-feature leak" in said
    assert "no feature 'leek'" in refused(
        capsys, *train, "--version", "a", "--allow-feature", "leek"
    )
    assert main([*train, "--version", "a", "--allow-feature", "leak"]) == 0
    assert main([*train, "--version", "b"]) == 0
    capsys.readouterr()
    (listed,) = printed(capsys, "features", "list", *data, "--json")
    assert listed["allowed"]
