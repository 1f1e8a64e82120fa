"""Tables that few days have, whole: checks, segments of a challenger, what moved, faithfulness."""

from datetime import date
from math import nan
from types import SimpleNamespace

import pandas as pd

from aiops_wb.log.feature_names import FeatureName
from aiops_wb.render.table import as_csv
from aiops_wb.render.tables import certainty, reasons, retrain
from aiops_wb.stats.retrain import Check


def rows(table):
    return [list(table.frame.columns), *table.frame.to_numpy().tolist(), list(table.text)]


def test_checks_are_told_as_they_are():
    checks = [Check("ranking", True, "it ranks"), Check("flips", False, "too many")]
    table = retrain.check_table(checks)
    assert rows(table) == [
        ["safeguard", "passes", "what it saw"],
        ["ranking", "yes", "it ranks"],
        ["flips", "no", "too many"],
        ["passes", "what it saw"],
    ]
    assert rows(retrain.check_table(checks[:1], "condition"))[0][0] == "condition"
    assert rows(retrain.check_table([], none="none was asked")) == [[""], ["none was asked"], []]


def test_segments_of_a_challenger_are_told_by_gain_from_four_weeks_on():
    told = lambda blocks, gain: SimpleNamespace(blocks=blocks, gain=gain, lower=gain - 1, upper=2.0)
    parts = {"site a": (1200, told(4, 0.5)), "site b": (30, told(9, -0.25)), "c": (9, told(3, 0.1))}
    assert rows(retrain.challenger_segments(parts)) == [
        ["tenant or site", "labelled events", "weeks", "gain per event", "95 % interval"],
        ["site b", "30", "9", "-0.2500", "-1.2500 to +2.0000"],
        ["site a", "1,200", "4", "+0.5000", "-0.5000 to +2.0000"],
        [],
    ]
    few = retrain.challenger_segments({"c": parts["c"]})
    assert rows(few) == [[""], ["no tenant or site has four weeks of labels yet"], []]


def test_faithfulness_is_told_of_reasons_that_were_there():
    columns = ["reason", "alerts", "push", "drop", "below"]
    frame = pd.DataFrame([(1, 9, 1.234, 1.5, 0.5), (2, 1, 0.5, -0.25, 0.0), (3, 0, nan, nan, nan)])
    assert rows(reasons.faithfulness_table(frame.set_axis(columns, axis=1))) == [
        ["without the", "alerts", "said to add", "score falls by", "below the threshold then"],
        ["first reason", 9, "1.23", "1.50", "50%"],
        ["second", 1, "0.50", "-0.25", "0%"],
        [],
    ]
    none = reasons.faithfulness_table(frame.set_axis(columns, axis=1).tail(1))
    assert rows(none) == [[""], ["there is no reason to take away"], []]


def test_what_moved_the_scores_is_told_by_plain_names_with_its_sums():
    parts = pd.DataFrame({"feature": ["x", "y"], "part": [0.5, -0.125]})
    parts = parts.assign(lower=[0.4, nan], upper=[0.6, nan])
    told = SimpleNamespace(first="d", parts=parts, total=0.375, residual=2e-9)
    assert rows(reasons.shift_table(told, names={"x": FeatureName("distance", "km")})) == [
        ["feature", "part", "lower", "upper"],
        [FeatureName("distance", "km").name, "+0.500", "+0.400", "+0.600"],
        ["y", "-0.125", "-", "-"],
        ["all features", "+0.375", "", ""],
        ["scores moved by", "+0.375", "", ""],
        ["residual", "2e-09", "", ""],
        [],
    ]
    one = rows(reasons.shift_table(told, limit=1))
    assert [row[0] for row in one[1:-1]] == ["x", "all features", "scores moved by", "residual"]
    assert rows(reasons.shift_table(None))[1] == [reasons.NOT_ASKED]
    assert rows(reasons.shift_table(None, none="said"))[1] == ["said"]
    why = "what moved the scores is not known: no days"
    assert rows(reasons.shift_table("no days"))[1] == [why]


def alarm(stream, severity, muted=False, text=None):
    told = {
        "stream": stream,
        "severity": severity,
        "muted": muted,
        "says": lambda: f"{stream} moved",
    }
    return SimpleNamespace(**told | ({"text": text} if text else {}))


def test_open_alarms_are_told_the_gravest_first(monkeypatch):
    def told(*alarms, severity="none", not_watched=()):
        monkeypatch.setattr(reasons, "alarms_of_day", lambda view: list(alarms))
        view = SimpleNamespace(severity=severity, not_watched=not_watched)
        return rows(reasons.open_alarm_table(view))

    found = told(alarm("x", "low"), alarm("y", "critical", True), alarm("z", "low", text="said"))
    assert found == [
        ["stream", "severity", "what it says"],
        ["y", "critical (muted)", "y moved"],
        ["x", "low", "x moved"],
        ["z", "low", "said"],
        ["severity", "what it says"],
    ]
    unknown = "whether anything moved is not known: the report Drift says why"
    assert told()[1] == ["no alarm is open"] and told(severity="unknown")[1] == [unknown]
    assert told(not_watched=("x",))[1] == [unknown]


def test_the_ends_of_a_wide_interval_are_told_or_why_not():
    wide = SimpleNamespace(width=0.2)
    told = lambda *asked: reasons._ends_apart(0.2, *asked, {})
    assert told(wide, None) == "it was not kept on this morning"
    narrow = SimpleNamespace(width=0.19)
    assert told(narrow, None) == "narrower than 0.20: there is no width to explain"
    assert told(narrow, "no rows") == "not known: no rows"
    assert told(wide, SimpleNamespace(says=lambda names: f"because of {names}")) == "because of {}"
    none = reasons.width_table(None, None, None)
    assert rows(none)[1] == ["no event of the day with an interval went to a person"]


def test_how_groups_were_judged_is_told_of_one_row_too():
    days = date(2026, 3, 1), date(2026, 3, 9)
    groups = SimpleNamespace(judged=days, calibrating=days, bounds={1: 1, 2: 2})
    view = SimpleNamespace(groups=groups)

    def told(n):
        report = SimpleNamespace(rows=[0] * n, confidence=0.95)
        return certainty._how_groups_were_judged(view, report)[1][1]

    assert (
        told(0)
        == told(1)
        == (
            "over days as units, 95.00% each (Bonferroni over 1): a chance of at most 5% that "
            "anything is called less that is not"
        )
    )
    assert told(4).startswith("over days as units, 98.75% each (Bonferroni over 4)")


def test_a_cell_that_a_spreadsheet_would_run_is_quoted():
    frame = pd.DataFrame({"a": ["=1", "+1", "-1", "@x", "\tx", "x=1"], "b": [-1.5] * 6})
    assert as_csv(frame).split("\r\n") == [
        "a,b",
        "'=1,-1.5",
        "'+1,-1.5",
        "'-1,-1.5",
        "'@x,-1.5",
        "'\tx,-1.5",
        "x=1,-1.5",
        "",
    ]
