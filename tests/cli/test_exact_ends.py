"""How commands end, and what they hand on: reports by hand, restoring, a training that stopped."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import serving
from serving import MODEL

from aiops_wb.cli import main, restore, retrain, run_report
from aiops_wb.cli.output import _cell, _drawn, _plain, _table
from aiops_wb.log.catalog import Reader
from aiops_wb.render.jobs import ReportResult


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return serving.copy(tmp_path_factory.mktemp("ends") / "house")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("failed", 1)])
def test_a_report_by_hand_ends_as_it_went(house, monkeypatch, capsys, state, code):
    asked = []
    result = lambda jobs, *limits: asked.append((jobs, limits)) or [ReportResult("drift", state)]
    monkeypatch.setattr(run_report, "run_jobs", result)
    where = ["--data", str(house.data), "--reports-dir", str(house.root / "reports")]
    assert main(["reports", "run", "drift", "--model", MODEL, *where]) == code
    (((job,), (parallel, timeout, _, memory)),) = asked
    assert (job.name, parallel, timeout, memory) == (
        f"{serving.LAST} {MODEL} drift",
        1,
        120,
        0,
    )
    assert (job.parameters["model"], job.own) == (MODEL, False)
    assert capsys.readouterr().out == f"open {job.target}\n"


def test_a_restoring_shows_what_it_reads_and_writes(house, monkeypatch, capsys, tmp_path):
    told = []

    @contextmanager
    def meter(call, what, total):
        told.append((what, total))
        yield lambda size: told.append(size)

    assert main(["backup", str(tmp_path / "kept"), "--data", str(house.data), "-q"]) == 0
    monkeypatch.setattr(restore, "meter", meter)
    capsys.readouterr()
    into = ["--into", str(tmp_path / "again"), "--data", str(house.data)]
    done = main(["restore", str(tmp_path / "kept"), *into, "--why", "to try"])
    assert done == 0, capsys.readouterr().err
    (what, total), *sizes = told
    assert what == "restoring" and sum(sizes) == total > 100_000
    (folder,) = (tmp_path / "kept").iterdir()
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{tmp_path / 'again'} is restored from {folder}: 2 batches"
    del told[:]
    assert main(["restore", str(tmp_path / "kept"), "--check", "--data", str(house.data)]) == 0
    assert told[0] == ("verifying", total // 2) and sum(told[1:]) == total // 2


@pytest.mark.parametrize("pair", [None, SimpleNamespace(name="pair")])
def test_a_challenger_that_is_there_is_followed_where_a_call_was_stopped(
    house, monkeypatch, capsys, pair
):
    followed = []
    monkeypatch.setattr(retrain, "challenger_of", lambda day: "v2")
    monkeypatch.setattr(Reader, "challengers", lambda self, model: ["v2"])
    monkeypatch.setattr(retrain, "left_behind", lambda *asked: pair)
    monkeypatch.setattr(retrain, "follow", lambda store, *of: followed.append(of))
    assert main(["retrain", "--model", MODEL, "--data", str(house.data)]) == 0
    assert capsys.readouterr().out == f"{MODEL} v2 is in the champion's shadow already\n"
    assert [of[:2] for of in followed] == ([(pair, serving.LAST)] if pair else [])


def test_a_list_on_a_terminal_is_a_table_as_wide_as_that(monkeypatch):
    rows = [
        {"model": "m", "days_due": 3, "share": 0.12345, "on": True, "since": serving.NOW},
        {"model": "a longer name", "days_due": 12, "share": None, "on": False, "since": None},
    ]
    monkeypatch.setenv("COLUMNS", "80")
    assert [line.rstrip() for line in _drawn(_table(rows)).splitlines()] == [
        "model          days due  share  on   since",
        "m                     3  0.123  yes  2026-03-03 08:00Z",
        "a longer name        12      -  no   -",
    ]
    monkeypatch.setenv("COLUMNS", "7")
    assert max(map(len, _drawn(_table(rows)).splitlines())) == 40
    naive = serving.NOW.replace(tzinfo=None)
    assert [_cell(naive), _cell("a\x1b"), _cell(2)] == ["2026-03-03", "a ", "2"]
    assert [_plain(naive), _plain(serving.NOW), _plain(serving.LAST)] == [
        "2026-03-03",
        "2026-03-03T08:00:00+00:00",
        "2026-03-02",
    ]
