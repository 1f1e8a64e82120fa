"""How far a command is, as somebody at a terminal sees it, and as it stands in a night's log."""

import io
import sys
from types import SimpleNamespace

from aiops_wb.cli.meter import meter, progress


class Screen(io.StringIO):
    def isatty(self):
        return True


def seen_on(monkeypatch, stream):
    "Standard error of this test: not by a fixture, after which pytest puts its own there again."
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def call(quiet=False):
    said = []
    return SimpleNamespace(quiet=quiet, say=said.append, said=said)


def test_a_bar_names_what_it_counts(monkeypatch):
    screen, one = seen_on(monkeypatch, Screen()), call()
    assert list(progress(one)([1, 2], "days")) == [1, 2]
    assert list(progress(one, "step")([1, 2, 3], "a\nb")) == [1, 2, 3]
    first, second = screen.getvalue().split("a b: ", 1)
    assert "2/2" in first and "day/s" in first and "3/3" in second and "step/s" in second
    assert not one.said


def test_where_nobody_sees_a_bar_each_tenth_is_a_line(monkeypatch):
    log, one = seen_on(monkeypatch, io.StringIO()), call()
    assert list(progress(one)(range(21), "days")) == list(range(21))
    assert one.said == [f"days: {n} of 21" for n in (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 21)]
    beside = call()
    assert list(progress(beside, in_log=False)(range(21), "days")) == list(range(21))
    assert not beside.said and not log.getvalue()


def test_bytes_are_told_with_how_many_there_are(monkeypatch):
    screen = seen_on(monkeypatch, Screen())
    with meter(call(), "copying", total=2_000_000) as told:
        told(500_000)
        told(1_500_000)
    assert told.size == 2_000_000
    assert "2.00M/2.00M" in screen.getvalue() and "B/s" in screen.getvalue()
    before = screen.getvalue()
    with meter(call(quiet=True), "copying") as told:
        told(7)
    assert told.size == 7 and screen.getvalue() == before
