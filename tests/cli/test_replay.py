"""`aiops-wb replay`: a table, JSON, a page, and sentences where it cannot be done."""

import json
from datetime import timedelta

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    bench, frame = Bench(tmp_path_factory.mktemp("log")), events(days=3)
    routes = ["alert" if s >= 0.6 else "monitor" for s in frame.score]
    bench.log(frame, threshold=405, route=routes)
    bench.label(frame)
    bench.ingest()
    bench.publish()
    return bench, frame


def call(log, *words):
    span = ["--from", str(log[1].day.min()), "--to", str(log[1].day.max())]
    words = [*span, *words] if "--from" not in words else words
    return main(["replay", "--model", MODEL, "--data", str(log[0].data), *map(str, words)])


def test_one_policy_is_told_day_by_day(log, capsys, tmp_path):
    assert call(log, "--against", "actual", "--report", tmp_path) == 0
    told = capsys.readouterr().out
    assert told.count("\nday 2026-03-0") + told.startswith("day 2026-03-0") == 3
    assert "0 of 120 recorded decisions differ" in told and "No ticket would have opened" in told
    page = next(tmp_path.glob("replay-*.html"))
    assert f"page: {page}" in told


def test_many_policies_are_told_in_a_table_and_as_json(log, capsys, tmp_path):
    for name, threshold in (("low", 0.4), ("high", 0.9)):
        text = f"threshold = {threshold}\n[costs]\nmissed = 2\nreview = 1\n"
        (tmp_path / f"{name}.toml").write_text(text)
    files = ["--policy", tmp_path / "low.toml", "--policy", tmp_path / "high.toml"]
    assert call(log, *files) == 0
    told = capsys.readouterr().out
    assert "policy low" in told and "high against low: reviews -" in told
    assert call(log, *files, "--json", "--against", tmp_path / "low.toml") == 0
    document = json.loads(capsys.readouterr().out)
    low, high, base = document["policies"]
    frame = log[1]
    assert low["totals"]["reviews"] == (frame.score >= 0.4).sum() == base["totals"]["reviews"]
    assert high["totals"]["missed"] == ((frame.score < 0.9) & (frame.label == 1)).sum()
    assert high["totals"]["cost"] == 2 * high["totals"]["missed"] + high["totals"]["reviews"]
    assert len(low["days"]) == 3 and document["look_ahead"][0]["policy"] == "low"


def test_what_cannot_be_replayed_is_told_in_a_sentence(log, capsys, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("choose = 1\n")
    (tmp_path / "a").mkdir()
    for place in (tmp_path / "p.toml", tmp_path / "a" / "p.toml"):
        place.write_text("threshold = 0.5\n")
    day = log[1].day.max() + timedelta(9)
    for words, says in (
        (["--policy", bad], "choose must be a table, such as"),
        (["--policy", tmp_path / "p.toml", "--policy", tmp_path / "a" / "p.toml"], "called 'p'"),
        (["--against", tmp_path / "none.toml"], "does not exist"),
        (["--version", "v9"], "no predictions of a version 'v9'"),
        (["--from", day, "--to", day], "has no predictions from"),
        (["--report", bad / "x"], "the page cannot be written"),
    ):
        assert call(log, *words) == 1
        told = capsys.readouterr().err.strip()
        assert says in told and "Traceback" not in told, told
    assert call(log, "--from", "x", "--to", "y") == 2
