"""Single values of an event, what a SIGTERM becomes, and what of another folder is not here."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from aiops_wb.log import folder_rows, lifeline
from aiops_wb.log.event import (
    FeatureNames,
    automated,
    feature_values,
    label,
    latency,
    number,
    propensity,
)
from aiops_wb.log.folder_rows import _spool_not_here
from aiops_wb.log.lifeline import _Lifeline
from aiops_wb.log.plain import Several

ANY = [np.float32(0.5), 0.5, 1, True, np.bool_(True), np.int64(2)]


def taken(of, value):
    "What becomes of a value; '-' where it is looked at with others."
    try:
        return of(value)
    except Several:
        return "-"


def test_values_of_one_event_are_taken_as_they_are_or_looked_at_with_others():
    assert [taken(number, v) for v in [*ANY, "1", None, [1], np.array([1.0])]] == [
        *(0.5, 0.5, 1.0, 1.0, 1.0, 2.0),
        *"----",
    ]
    times = [None, 0.0, 0, 3, 2.5, np.float64(7), -0.1, -1, float("inf"), float("nan"), "1"]
    assert [taken(latency, v) for v in times] == [None, 0.0, 0.0, 3.0, 2.5, 7.0, *"-----"]
    chances = [None, 0.5, 1.0, 1, 0.0, 0, 1.5, -0.5, np.float32(0.25)]
    assert [taken(propensity, v) for v in chances] == [None, 0.5, 1.0, 1.0, *"----", 0.25]
    asked = [None, True, False, np.bool_(True), 1, "true", np.int64(1)]
    assert [taken(automated, v) for v in asked] == [None, True, False, True, *"---"]
    labels = [0, 1, 1.0, True, np.int8(1), np.float64(0), 2, 0.5, "1", None]
    assert [taken(label, v) for v in labels] == [0, 1, 1, 1, 1, 0, *"----"]


def test_features_of_one_event_are_what_a_file_can_hold():
    names = FeatureNames({"Known": "number"})
    big = 2**53
    told = {"x": float("nan"), "n": 3, "big": big * 4096, "s": "é", "b": True, "none": None}
    told |= {"one": np.array([2.5]), "list": [7], 5: "k"}
    found = feature_values(told, names)
    assert list(found) == ["x", "n", "big", "s", "b", "none", "one", "list", "5"]
    assert [found[name] for name in ("x", "n", "s", "b", "none", "one", "list", "5")] == [
        *(None, 3, "é", True, None, 2.5, 7, "k"),
    ]
    assert feature_values(None, names) is None
    with pytest.raises(Several):
        feature_values([1], names)
    with pytest.raises(ValueError, match="feature two has 2; score has 1"):
        feature_values({"two": [1, 2]}, names)
    for odd in ({"": 1}, {"a\0": 1}, {"a": 1, "A": 2}, {"known": 1}):
        with pytest.raises(ValueError, match="differ"):
            feature_values(odd, names)


@pytest.fixture
def handler(monkeypatch):
    "What SIGTERM does, as this process has set it."
    set_to = {"now": signal.SIG_DFL}
    monkeypatch.setattr(lifeline.signal, "getsignal", lambda number: set_to["now"])
    monkeypatch.setattr(lifeline.signal, "signal", lambda number, to: set_to.update(now=to))
    monkeypatch.setattr(os, "kill", lambda *sent: set_to.update(sent=sent))
    return set_to


class Buffer:
    "A buffer of rows."

    busy = False

    def __init__(self):
        self.done = []

    def is_busy_here(self):
        return self.busy

    def secure(self):
        self.done.append("secured")

    def last_flush(self):
        self.done.append("flushed")


def test_a_sigterm_is_waited_with_until_rows_are_safe(handler):
    life = _Lifeline()
    life._watch_sigterm()
    assert handler["now"] == life._on_sigterm
    buffer = Buffer()
    life._held[id(buffer)] = buffer
    buffer.busy = True
    life._on_sigterm()
    assert buffer.done == [] and "sent" not in handler
    buffer.busy = False
    life.resume()
    assert buffer.done == ["secured"] and handler["now"] == signal.SIG_DFL
    assert handler["sent"] == (os.getpid(), signal.SIGTERM)
    life.resume()
    assert buffer.done == ["secured"], "once"
    life.at_exit()
    assert buffer.done == ["secured", "flushed"]


def test_a_handler_of_somebody_else_stays(handler):
    life, theirs = _Lifeline(), object()
    handler["now"] = theirs
    life._watch_sigterm()
    life._on_sigterm()
    assert handler["now"] is theirs and "sent" not in handler
    handler["now"] = life._on_sigterm
    life.forget(Buffer())
    assert handler["now"] == signal.SIG_DFL


def test_of_a_spool_elsewhere_files_are_wanted_that_are_not_here(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there" / "spool" / "predictions"
    (here / "predictions").mkdir(parents=True)
    there.mkdir(parents=True)
    for name in ("same", "other", "new", "taken", ".hidden"):
        (there / name).write_text(f"rows of {name}")
    (there / "folder").mkdir()
    (here / "predictions" / "same").write_text("rows of same")
    (here / "predictions" / "other").write_text("other rows")
    monkeypatch.setattr(folder_rows, "content_id", lambda path: path.name)
    store = SimpleNamespace(spool=here, ingested=lambda kind: {"taken"})
    found = [path.name for path in _spool_not_here(store, tmp_path / "there")]
    assert found == ["new", "other"]
