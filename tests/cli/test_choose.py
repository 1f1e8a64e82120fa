"""A threshold for a goal on a terminal: what is said, what is printed as JSON, what is refused."""

import json

import numpy as np
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.stats.choosing import Capacity, MaxFPR, optimise
from aiops_wb.stats.points import Grid
from aiops_wb.watch.other_thresholds import SEED
from aiops_wb.watch.view import open_view

DAYS = 31


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    "A published log of a month of one model, its labels in."
    bench = Bench(tmp_path_factory.mktemp("choose"))
    frame = events(days=DAYS)
    bench.log(frame)
    bench.label(frame, at="2026-04-02T00:00:00Z")
    bench.ingest()
    bench.publish()
    return bench.data


@pytest.fixture
def give(data, capsys):
    "Give a command: exit code, lines, what was wrong."

    def given(*words):
        code = main(["thresholds", "choose", "--model", MODEL, *words, "--data", str(data)])
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "Traceback" not in told.err
        return code, told.out.splitlines(), told.err

    return given


def test_the_choice_is_printed_with_its_interval_its_flat_region_and_what_can_be_promised(give):
    code, lines, _ = give("--max-fpr", "0.1", "--unit", "day")
    assert code == 0 and len(lines) == 2
    assert lines[0].startswith(f"{MODEL} v1: from ") and "over 30 days" in lines[0]
    assert "95% interval of the threshold" in lines[0] and "may just reach it" in lines[0]
    assert lines[1].startswith("promised: from ") and "on a day to come, with 90%" in lines[1]
    assert "days exceeded it. Whether it holds is not known" in lines[1]
    assert "needs at least 9 weeks" in give("--max-fdr", "0.3")[1][1]
    assert len(give("--min-recall", "0.8")[1]) == len(
        give("--cost-missed", "3", "--cost-review", "1")[1]
    )


def test_json_holds_what_the_library_says_and_nothing_is_changed(give, data):
    before = open_snapshot(data).audit()
    told = json.loads("\n".join(give("--max-fpr", "0.1", "--by", "site", "--json")[1]))
    view = open_view(data, MODEL)
    days = {d: c for d, c in view.counts_by_day.items() if (view.day - d).days < 30}
    ours = optimise(days, MaxFPR(0.1), np.random.default_rng(SEED))
    assert told["choice"] == json.loads(json.dumps(ours.to_json()))
    assert told["choice"]["score"] == pytest.approx(float(Grid().inverse(ours.threshold)))
    assert set(told["sites"]) == {"north", "south"} and len(told["parity"]) == 4
    assert told["promise"]["unit"] == "week" and told["promise"]["threshold"] is None
    assert told["in_force"] == 0
    assert open_snapshot(data).audit().equals(before)


def test_alerts_a_day_need_no_label_and_sites_are_told_one_by_one(give, data):
    code, lines, _ = give("--alerts-per-day", "8", "--confidence", "0.8")
    view = open_view(data, MODEL)
    choice = view.other_thresholds.choose(Capacity(8, 0.8))
    over = [c.at_or_above(choice.threshold)[0] > 8 for c in view.counts_by_day.values()]
    assert code == 0 and f"({choice.threshold:,} points)" in lines[0] and np.mean(over) <= 0.2
    assert "at most 8 alerts a day on a day to come, with 80% confidence" in lines[1]
    lines = give("--min-recall", "0.8", "--by", "site")[1]
    assert [line.split(":")[0] for line in lines[1:3]] == ["north", "south"]
    assert lines[3] == "errors of sites at the threshold in force, 0.500:" and len(lines) == 8


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ((), "name one goal: --max-fpr"),
        (("--max-fpr", "0.1", "--min-recall", "0.5"), "name one goal"),
        (("--max-fpr", "10"), "false positive rate of 10"),
        (("--cost-review", "1"), "missed must be positive"),
        (("--cost-missed", "1"), "false or review, too"),
        (("--min-recall", "0.5", "--unit", "day"), "leave --unit out"),
        (("--alerts-per-day", "5", "--unit", "row"), "alerts are counted a day"),
        (("--max-fpr", "0.1", "--confidence", "95"), "does not lie between 0 and 1"),
        (("--max-fpr", "x"), "is not a number"),
    ],
)
def test_what_is_no_goal_is_refused(give, words, wrong):
    code, lines, error = give(*words)
    assert code == 2 and not lines and wrong in error


@pytest.mark.evidence
def test_where_no_day_is_known_to_be_complete_nothing_is_chosen_and_why_is_said(give):
    code, lines, _ = give("--max-fpr", "0.1", "--by", "site")
    assert code == 0 and all("labels are not known to be complete" in line for line in lines)
