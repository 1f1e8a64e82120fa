"""`aiops-wb history import`: its options, its sentences, its exit codes."""

from datetime import UTC, datetime

import pytest

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot

ROWS = [
    ("a", "2026-03-01T10:00:00Z", 90, 1, "2026-03-03T10:00:00Z"),
    ("b", "2026-03-01T11:00:00Z", 20, 0, "2026-03-05T10:00:00Z"),
    ("c", "2026-03-02T10:00:00Z", 60, "", ""),
]
BOTH = "id,when,percent,fraud,closed\n" + "".join(",".join(map(str, r)) + "\n" for r in ROWS)
MAP = "prediction_id=id,predicted_at=when,score=percent,label=fraud,observed_at=closed"
GIVEN = ("--model", "m", "--map", MAP, "--set", "version=1", "--score-scale", "percent")


@pytest.fixture
def history(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calls.Call, "now", lambda self: datetime(2026, 3, 20, tzinfo=UTC))

    def history(predictions, outcomes, *words):
        code = main(
            ["history", "import", "--predictions", predictions, "--outcomes", outcomes, *words]
        )
        told = capsys.readouterr()
        return code, told.out + told.err

    (tmp_path / "both.csv").write_text(BOTH)
    return history


def test_one_file_holds_both(history, tmp_path):
    code, told = history("both.csv", "both.csv", *GIVEN)
    assert code == 0 and "predictions: 3 loaded" in told
    assert "outcomes: 2 loaded" in told and "1 without a label yet" in told
    known = {}
    with open_snapshot(tmp_path / "data") as log:
        for day in (2, 3, 4, 6):
            at = datetime(2026, 3, day, tzinfo=UTC)
            known[day] = [c.total for c in log.score_counts("m", as_of=at).values()]
    assert known[2] == [(2, 0, 0)] and known[3] == [(2, 0, 0), (1, 0, 0)]
    assert known[4] == [(2, 1, 1), (1, 0, 0)] and known[6] == [(2, 2, 1), (1, 0, 0)]
    code, told = history("both.csv", "both.csv", *GIVEN, "-q")
    assert code == 0 and "predictions: 0 loaded, 3 duplicates" in told


def test_a_column_may_be_called_otherwise_in_the_file_of_outcomes(history, tmp_path):
    (tmp_path / "labels.csv").write_text("case,y,closed\na,1,2026-03-03T10:00:00Z\n")
    words = ("prediction_id=id,predicted_at=when,score=percent,observed_at=closed",)
    words += ("--map-outcomes", "prediction_id=case,label=y", "--exclude", "fraud,closed")
    rest = ("--model", "m", "--set", "version=1", "--score-scale", "percent")
    code, told = history("both.csv", "labels.csv", *rest, "--map", *words)
    assert code == 0 and "outcomes: 1 loaded" in told, told


def test_a_dry_run_writes_nothing(history, tmp_path):
    code, told = history("both.csv", "both.csv", *GIVEN, "--dry-run")
    assert code == 0 and not (tmp_path / "data").exists()
    assert "predictions of both.csv: 3 rows would be loaded; nothing is written" in told
    assert "outcomes of both.csv: 2 rows would be loaded; nothing is written" in told


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--map", MAP.replace(",observed_at=closed", "")), 1, "--set observed_at=<value>"),
        (("--map", MAP, "--set", "colour=red"), 1, "'colour' cannot be set or mapped"),
        (("--map", MAP, "--set", "model=other"), 1, "are two models"),
    ],
)
def test_what_is_missing_is_named(history, words, code, sentence):
    given = ("--model", "m", "--set", "version=1", "--score-scale", "percent")
    found, told = history("both.csv", "both.csv", *given, *words)
    assert (found, told.count("\n")) == (code, 1) and sentence in told


def test_both_files_and_the_model_have_to_be_named(history, capsys):
    assert main(["history", "import", "--model", "m"]) == 2
    assert "Traceback" not in capsys.readouterr().err
