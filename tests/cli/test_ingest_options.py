"""The options of `aiops-wb ingest` and its exit codes."""

import os

import pytest

from aiops_wb.cli import main

HEAD = "prediction_id,predicted_at,score,x"
SET = ("--set", "model=m,version=v")


@pytest.fixture
def take(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def take(text, *words, name="f.csv"):
        raw = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(raw)
        code = main(["ingest", "--file", name, *SET, *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return take


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        (
            f"{HEAD}\na,2026-03-01T00:00:00Z,0.5,Süd\n".encode("latin-1"),
            ["--encoding", "latin-1"],
            1,
        ),
        (f"Title\n{HEAD}\na,2026-03-01T00:00:00Z,0.5,1\n", ["--skip-lines", "1"], 2),
        (f"{HEAD}\na,2026-03-01 00:00:00,0.5,1\n", ["--naive-timezone", "Europe/Berlin"], 1),
        (
            f"{HEAD}\na,2026-03-01T00:00:00Z,50,1\nb,2026-03-01T00:00:00Z,60,1\n",
            ["--score-scale", "percent"],
            2,
        ),
    ],
)
def test_a_file_that_needs_an_option_is_refused_with_it_and_loads_with_it(take, text, words, hint):
    code, told = take(text)
    assert code == 1 and " ".join(words[:hint]) in told and told.count("\n") == 1
    code, told = take(text, *words)
    assert code == 0 and " 0 quarantined" in told and not told.startswith("0 loaded")


def test_marks_of_numbers(take):
    text = f"{HEAD.replace(',', ';')}\na;2026-03-01T00:00:00Z;0,5;1.234,5\n"
    assert take(text)[0] == 1
    assert take(text.replace("a;", "b;"), "--decimal", ",", "--thousands", ".")[0] == 0
    code, told = take(text, "--decimal", ",", "--thousands", ",")
    assert code == 1 and "cannot both be ','" in told and told.count("\n") == 1


def test_a_file_again_is_all_duplicates_also_where_its_rows_are_in_quarantine(take):
    text = f"{HEAD}\na,2026-03-01T00:00:00Z,many,1\n"
    assert take(text)[0] == 1
    code, told = take(text)
    assert code == 0 and told.startswith("0 loaded, 1 duplicates, 0 conflicts, 0 quarantined")


def test_what_is_passed_over_is_named_and_no_success(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spool = tmp_path / "data" / "spool" / "predictions"
    spool.mkdir(parents=True)
    os.mkfifo(spool / "a.csv")
    (spool / "b.csv").write_text(f"{HEAD},model,version\na,2026-03-01T00:00:00Z,0.5,1,m,v\n")
    for loaded in (1, 0):
        assert main(["ingest"]) == 1
        told = capsys.readouterr().out
        assert told.startswith(f"{loaded} loaded") and "passed over: a.csv is a FIFO" in told
    (spool / "a.csv").unlink()
    assert main(["ingest"]) == 0


def test_limits_are_settings(take, monkeypatch):
    monkeypatch.setenv("AIOPS_FILE_COLUMNS", "3")
    code, told = take(f"{HEAD}\na,2026-03-01T00:00:00Z,0.5,1\n")
    assert code == 1 and "4 columns and 3 are allowed: raise file_columns" in told
    monkeypatch.delenv("AIOPS_FILE_COLUMNS")
    monkeypatch.setenv("AIOPS_VALUE_LENGTH", "30")
    code, told = take(f"{HEAD}\na,2026-03-01T00:00:00Z,0.5,{'x' * 31}\n")
    assert code == 1 and "line 2: a value is longer than 30 characters" in told
