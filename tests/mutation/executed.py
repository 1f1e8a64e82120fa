"""Which lines each test executes: a plugin of pytest that runs beside the tests of one file."""

import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["Executed", "Listening"]


@dataclass
class Executed:
    "Lines of modules by test, as bits, and the seconds that a test took."

    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Listening:
    """Follows the lines of the package. What fixtures of a file or a session do is done for each
    test that asks for them, though only the first of them sees it."""

    def __init__(self, root: Path):
        self.executed = Executed()
        self._package = str(root / "aiops_wb") + "/"
        self._start = len(str(root)) + 1
        self._files = {}  # file name -> module, or None where it is another's
        self._others = set()  # code objects that are not of the package
        self._left = {}  # code object -> its lines that the present test did not execute yet
        self._shared = defaultdict(set)  # fixture -> (module, line)
        self._now = set()
        self._failed = set()

    def pytest_collection_finish(self):
        threading.settrace(self._called)
        sys.settrace(self._called)

    def pytest_sessionfinish(self):
        sys.settrace(None)
        threading.settrace(None)

    def _called(self, frame, event, _):
        code = frame.f_code
        if code in self._others:
            return None
        left = self._left.get(code)
        if left is None:
            name = code.co_filename
            if name not in self._files:
                ours = name.startswith(self._package)
                self._files[name] = name[self._start :] if ours else None
            if not self._files[name]:
                self._others.add(code)
                return None
            left = self._left[code] = {line for *_, line in code.co_lines() if line}
        return self._line if left else None

    def _line(self, frame, event, _):
        code = frame.f_code
        left = self._left.get(code)
        if left is None:  # a test has begun since it was called
            left = self._left[code] = {line for *_, line in code.co_lines() if line}
        if frame.f_lineno in left:
            left.discard(frame.f_lineno)
            self._now.add((self._files[code.co_filename], frame.f_lineno))
        return self._line

    def _afresh(self):
        self._left, self._now = {}, set()  # threads may be at work: nothing of it is walked through

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        if fixturedef.scope == "function":
            return (yield)
        before = self._now
        self._afresh()
        try:
            return (yield)
        finally:
            self._shared[fixturedef] |= self._now
            before |= self._now
            self._afresh()
            self._now = before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._afresh()
        began = time.process_time()
        outcome = yield
        lines = set(self._now)
        for definitions in item._fixtureinfo.name2fixturedefs.values():
            for definition in definitions:
                lines |= self._shared.get(definition, set())
        if item.nodeid not in self._failed:
            self.executed.lines[item.nodeid] = _as_bits(lines)
            self.executed.seconds[item.nodeid] = round(time.process_time() - began, 3)
        return outcome

    def pytest_runtest_logreport(self, report):
        if report.failed or report.skipped:
            self._failed.add(report.nodeid)


def _as_bits(lines):
    bits = defaultdict(int)
    for module, line in lines:
        bits[module] |= 1 << line
    return dict(bits)
