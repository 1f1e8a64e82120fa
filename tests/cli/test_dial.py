"Who is called: the dial on a terminal, and the README's lines up to a ticket."

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.threshold_changes import as_threshold

ROOT = Path(__file__).parents[2]
START = date(2026, 3, 1)
WHY = ["--why", "a trial"]


@pytest.fixture
def give(tmp_path, capsys):
    "Give a command on a log of ten days of one model: exit code, lines, what was wrong."
    bench = Bench(tmp_path)
    frame = events(days=10, per_day=40)
    bench.log(frame)
    bench.label(frame)
    bench.ingest()

    def given(*words):
        code = main([*words, "--data", str(bench.data)])
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "Traceback" not in told.err
        return code, told.out.splitlines(), told.err

    given.bench, given.frame = bench, frame
    return given


def a_day(frame, score):
    return f"{(frame.score >= score).sum() / 10:.1f}"


def test_the_dial_is_shown_turned_and_put_back(give):
    at_even = a_day(give.frame, 0.5)
    with give.bench.store() as store:
        store.publish()
    code, lines, _ = give("models", "dial", MODEL)
    assert code == 0 and lines[0] == f"the dial of {MODEL} is on"
    assert "HIGH begins at the threshold in force, 0.500 (0 points)" in lines[1]
    assert f"{at_even} events a day, {at_even} calls" in lines[1]
    code, lines, _ = give("models", "dial", MODEL, "on", *WHY)
    assert code == 0 and "is on (it was so already" in lines[0]
    assert "needs --why" in give("models", "dial", MODEL, "off")[2]
    code, lines, _ = give("models", "dial", MODEL, "off", *WHY)
    assert code == 0 and lines == [
        f"the dial of {MODEL} is off",
        f"somebody was called {at_even} times a day over the last 30 days; with what stands now "
        f"it would have been {a_day(give.frame, 0.6)}",
    ]
    assert (
        "--cuts is of scores" in give("models", "dial", MODEL, "on", "--cuts", "1,2,3,4", *WHY)[2]
    )
    assert give("models", "dial", MODEL, "on", *WHY)[0] == 0
    assert "four ascending" in give("models", "dial", MODEL, "on", "--cuts", "1,2,2,4", *WHY)[2]


def test_a_threshold_says_how_often_it_calls(give):
    code, lines, _ = give("thresholds", "set", "0.7", "--model", MODEL, *WHY)
    assert code == 0 and lines[-1] == (
        f"events a day at or above it over the last 30 days: {a_day(give.frame, 0.5)} before, "
        f"{a_day(give.frame, 0.7)} now"
    )
    unknown = give("thresholds", "set", "0.9", "--model", MODEL, "--site", "norht", *WHY)[1]
    assert unknown[-1].startswith("note: site norht of tenant default had no event in these days")
    code, _, wrong = give("thresholds", "set", "0.9", "--model", MODEL, "--site", " ", *WHY)
    assert code == 2 and "is no name of a site" in wrong
    code, lines, _ = give("thresholds", "set", "0.9", "--model", MODEL, "--site", "north", *WHY)
    assert not any(told.startswith("note: ") for told in lines)
    north = give.frame[give.frame.site == "north"]
    assert code == 0 and "of site north of tenant default is now 0.900" in lines[0]
    before, now = map(float, re.search(r"days: ([\d.]+) before, ([\d.]+) now", lines[1]).groups())
    # sites are counted in cells of a fiftieth of a logit
    assert abs(before - (north.score >= 0.7).sum() / 10) < 0.5
    assert abs(now - (north.score >= 0.9).sum() / 10) < 0.5
    with give.bench.store() as store:
        store.publish()
    assert give("thresholds", "show", "--model", MODEL)[1][1:] == [
        f"  site {name} of tenant default: 0.900 (2197 points)" for name in ("norht", "north")
    ]
    scope = ("--model", MODEL, "--site", "north", *WHY)
    code, lines, _ = give("thresholds", "rollback", *scope)
    assert code == 0 and "is now 0.700" in lines[0]


def known_before(root):
    "Sixty days of the README's model, labelled, and what stood in the evening of November 1."
    rng = np.random.default_rng(5)
    first = date(2026, 11, 1) - timedelta(60)
    days = {}
    for i in range(61):
        points = np.r_[rng.integers(-5000, 400, 40), rng.integers(1000, 3000, 8)]
        days[first + timedelta(i)] = ScoreCounts.from_events(points, points > 900)
    with Bench(root).store() as store:
        named = {"model": "attendance-fraud", "version": "7", "high": 405}
        stands = certainty(days, date(2026, 11, 1), **named)
        assert stands.rule.threshold is not None and stands.rule.threshold < 1586
        evening = datetime(2026, 11, 1, 22, tzinfo=UTC)
        store.add_calibration(evening, "ana", "attendance-fraud", "7", stands, "known")


@pytest.mark.parametrize(("labelled", "route"), [(False, "alert"), (True, "ticket")])
def test_the_lines_of_the_readme_lead_to_a_case_on_the_page(tmp_path, monkeypatch, labelled, route):
    "A score is enough: an alert where nothing is known of labels, a ticket where they bear it."
    monkeypatch.chdir(tmp_path)
    if labelled:
        known_before(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(code, "README.md", "exec"), {})
    assert main(["daily", "--reports", "none"]) == 0
    with open_snapshot("data") as log:
        (case,) = log.cases(model="attendance-fraud").itertuples()
        (row,) = log.frame("SELECT * FROM predictions").itertuples()
    assert (case.kind, case.entity_id, row.decided_by) == (route, "guard-12", "workbench")
    assert ("no calibration stands" in case.reason) == (not labelled)


def test_a_threshold_beyond_the_ends_of_a_grid_is_none():
    linear = SimpleNamespace(grid=Grid("linear"))
    assert as_threshold(linear, 32) == 32_000
    for score in (32.001, -1e9):
        with pytest.raises(StoreError, match=r"lies outside of -32 to 32\."):
            as_threshold(linear, score)
    for score in (1.2, float("nan")):
        with pytest.raises(StoreError, match="threshold: "):
            as_threshold(SimpleNamespace(grid=Grid()), score)
