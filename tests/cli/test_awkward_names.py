"""Names of models and versions: any may be told to any command, none leads out of the house."""

from datetime import date

import pytest
from conftest import few
from test_terminals import CALLS, MODEL

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.spool import PredictionLogger

AWKWARD = [
    "..",
    ".",
    "../../out",
    "/out",
    "a/b",
    "~",
    "%2e%2e",
    "CON",
    "con",
    "nul.txt",
    "-rf",
    " ",
    "a\nb",
    "a'b\"c",
    "Fraud",
    "fraud",
    "caf\u00e9",
    "cafe\u0301",
    "k=v",
    "ж" * 40,
    "x" * 80,
]
IMPOSSIBLE = ["", "\0", "a\0b", "x" * 81, "ж" * 41, "M\udcfcller"]


def tree(folder, *but):
    "Everything below a folder, but for some of its own entries."
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in but
    }


@pytest.fixture
def house(tmp_path, monkeypatch):
    "A house with an empty folder for the log, another for pages, and files beside them."
    home = tmp_path / "deep" / "er" / "house"
    home.mkdir(parents=True)
    (home / "beside.csv").write_text("prediction_id,predicted_at,score\na,2026-11-02T07:00Z,0.9\n")
    monkeypatch.chdir(home)
    return tmp_path


def log_of(names):
    "A log with an event of a model of each name, ingested."
    for name in names:
        with PredictionLogger("data/spool", name, name, threshold=0, tenant=name) as log:
            log.log(0.9, "2026-11-02T07:00:00+00:00", site_id=name, features={"x": 1.0})
    assert main(["ingest"]) == 0


def test_a_log_takes_any_name_and_gives_each_its_own_files(house):
    before = tree(house)
    log_of(AWKWARD)
    with open_snapshot("data") as log:
        assert log.models() == sorted(AWKWARD)
        for name in AWKWARD:
            rows = log.rows(name, date(2026, 11, 2), date(2026, 11, 2))
            assert rows.version.tolist() == [name] and rows.site_id.tolist() == [name]
    made = tree(house) - before
    assert all(path.startswith("deep/er/house/data") for path in made), made


LIKE_OTHERS = [".", "/out", "Known", " ", "ж" * 40]


@pytest.mark.parametrize(
    "name",
    few(["..", "a\nb", *IMPOSSIBLE, "../../out", *LIKE_OTHERS], "..", "a\nb", "\0", "M\udcfcller"),
)
def test_any_name_may_be_told_to_any_command(house, capsys, name):
    log_of(["known"])
    before = tree(house.joinpath("deep/er/house"), "data", "reports"), tree(house, "deep")
    named = [w for w in CALLS if "--model" in w or "--version" in w or "--set" in w]
    assert len(named) > 10
    for words in named:
        told = [name if w == MODEL or w in ("½", "zwei ½") else w for w in words]
        if words[0] in ("ingest", "consume"):
            file = (
                ["--file", "beside.csv"] if words[0] == "ingest" else ["file:beside.csv", "--once"]
            )
            told = [words[0], *file, "--set", f"model={name},version=1"]
            if "," in name or name in IMPOSSIBLE:
                continue
        capsys.readouterr()
        code = main(told)
        said = capsys.readouterr().err
        assert code in (0, 1, 2), told
        assert "Traceback" not in said and "should not happen" not in said, (told, said)
        assert code == 0 or said.count("\n") == 1 or words[0] in ("ingest", "consume"), said
        if name in IMPOSSIBLE:
            assert code == 2 and ("is no name" in said or "not valid text" in said), said
    assert before == (
        tree(house.joinpath("deep/er/house"), "data", "reports"),
        tree(house, "deep"),
    )
