"""Every change has a type that the docs list; ids stay, whatever comes after them."""

import ast
import importlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from conftest import MODEL
from happening import NOW, SEVERITIES, alarm, change, ids_by_hand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiops_wb
from aiops_wb.log.happened import Happened, SoFar
from aiops_wb.streams.happened import (
    ALARM_DATA,
    TRAIL,
    TRAIL_DATA,
    TYPES,
    cloud_event,
    type_of,
)
from aiops_wb.watch.sinks import SENT

PACKAGE = Path(aiops_wb.__file__).parent
DOCS = PACKAGE.parent / "docs" / "events.md"


def recorded():
    "Module and what is said to be changed, of every call that appends to the trail."
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(getattr(node, "func", None), "attr", "")
            if called == "record" and len(node.args) > 2 and "stats" not in module:
                yield module, node.args[2]


def constant(module, node):
    "The value of a constant, one of its module, or the first of a tuple of its module."
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Starred):
        node = node.value
    known = getattr(importlib.import_module(module), getattr(node, "id", ""), None)
    return known[0] if isinstance(known, tuple) else known


BY_VARIABLE = {
    "aiops_wb.log.handled": {f"case{of}" for of in ("", " mute", " assignee", " comment")}
    | {"alarm", "alarm mute"},
    "aiops_wb.log.retraining": {"retrain", "retrain tenant", "retrain all", "retrain approval"},
    "aiops_wb.log.versions": {"threshold", "calibration", "model"},  # what is put back
    "aiops_wb.log.production": {"threshold", "calibration"},
    "aiops_wb.log.tokens": {"token"},
}
"Modules that record what a variable names, and what these name."


def test_every_change_that_is_recorded_has_a_type():
    known, variable = set(), set()
    for module, node in recorded():
        what = constant(module, node)
        if what is None:
            variable.add(module)
        else:
            known.add(what)
    assert variable == set(BY_VARIABLE)
    known |= set().union(*BY_VARIABLE.values())
    known.add(importlib.import_module("aiops_wb.log.chain").ACCEPTED)  # by `go_on_from`
    assert known == set(TRAIL)


def test_the_docs_list_every_type_and_its_data():
    told = re.findall(r"^\| `(aiops_wb\.[\w.]+)` \|", DOCS.read_text(), re.M)
    assert sorted(told) == sorted(TYPES)
    text = DOCS.read_text()
    for name in (*SENT, "update", *ALARM_DATA, *TRAIL_DATA, "evidence", "case_id"):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (("case", "closed", None), "case.closed"),
        (("case", "acknowledged", None), "case.acknowledged"),
        (("model", "v2", {}), "version.promoted"),
        (("model", "v1", {"rolled_back": True}), "version.rolled_back"),
        (("threshold", "7", None), "threshold.changed"),
        (("threshold proposal", "approved", None), "threshold.approved"),
        (("ab", "off", None), "ab.stopped"),
        (("ab", "{}", None), "ab.started"),
        (("calendar", None, None), "calendar.removed"),
        (("rejected", "3 removed", ["a", "b"]), "log.rejected_removed"),
        (("nobody knows", "x", None), "trail.recorded"),
    ],
    ids=str,
)
def test_the_type_of_a_change_is_by_what_it_became(row, kind):
    assert type_of(*row) == f"aiops_wb.{kind}" and f"aiops_wb.{kind}" in TYPES


def test_what_json_cannot_say_is_none():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    row = dict.fromkeys((*ALARM_DATA, "event_id"), "x") | {"effect": float("nan"), "since": at}
    event = cloud_event(Happened("i", "alarm", "opened", at, row, None), "urn:s")
    assert event.data["effect"] is None and event.data["since"] == "2026-03-01T00:00:00Z"
    assert "NaN" not in event.as_json() and json.loads(event.as_json())["time"] == event.time


said = st.tuples(st.sampled_from(["ongoing", "closed"]), st.sampled_from(SEVERITIES))


@pytest.fixture
def one_log(bench):
    with bench.store() as store:
        yield store


@given(
    mornings=st.lists(st.tuples(st.sampled_from(["D-1", "D-2"]), said), max_size=12),
    cut=st.integers(0, 12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_ids_of_alarms_stay_whatever_comes_later(one_log, mornings, cut):
    "What happened by a morning has the ids that it has in the end, and each is there once."
    one_log.con.execute("DELETE FROM drift_events")
    before = []
    for n, (one, (state, severity)) in enumerate(mornings):
        if n == cut:
            before = ids_of(one_log)
        _add(one_log, n, one, state, severity)
    every = ids_of(one_log)
    assert every[: len(before)] == before and len(set(every)) == len(every)
    assert set(every) == {i for i in ids_by_hand(one_log) if i.startswith("D-")}
    since = SoFar(alarms=min(cut, len(mornings)))
    assert [h.id for h in one_log.happened(since) if h.sort == "alarm"] == every[len(before) :] or (
        cut >= len(mornings)
    )


def ids_of(log):
    return [h.id for h in log.happened(SoFar()) if h.sort == "alarm"]


def _add(store, n, one, state, severity):
    at = NOW + timedelta(n)
    row = dict.fromkeys(("kind", "unit", "title", "text", "stream"), "x") | {
        "event_id": one,
        "model": MODEL,
        "version": "v1",
        "state": state,
        "severity": severity,
        "since": at.date(),
        "opened_on": at.date(),
        "event_date": at.date(),
        "muted": False,
        "as_of": at,
        "recorded_at": at,
    }
    store.add_drift_events(pd.DataFrame([row]))


def test_a_day_that_is_figured_again_moves_no_alarm(bench):
    for n, day, state in ((1, 1, "ongoing"), (2, 2, "closed"), (3, 1, "ongoing"), (4, 2, "closed")):
        alarm(bench, n, "low", state, day=day)
    with bench.store() as store:
        assert ids_of(store) == ["D-1-opened", "D-1-closed"]
    alarm(bench, 5, "low", "ongoing", day=2)  # by labels that came late it is not over
    alarm(bench, 6, "low", "closed", day=3)
    with bench.store() as store:
        assert ids_of(store)[2:] == ["D-1-opened-2", "D-1-closed-2"]


def test_ids_of_the_trail_name_the_row_and_its_hash(bench):
    change(bench)
    with bench.store() as store:
        rows = store._rows("SELECT seq, hash FROM audit ORDER BY seq")
        found = [h.id for h in store.happened(SoFar()) if h.sort == "trail"]
        assert found == [f"trail-{seq}-{hash[:16]}" for seq, hash in rows] and found
