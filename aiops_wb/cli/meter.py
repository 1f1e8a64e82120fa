"""How far a command is: a bar on a terminal, elsewhere nothing, or a line for each tenth."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from ..render.engine import ReportResult
from .call import Call
from .lines import printable

__all__ = ["Bar", "Meter", "meter", "progress", "rounds_bar"]


class Meter:
    "Is told how much was dealt with since it was told before."

    def __init__(self, bar: tqdm):
        self.bar, self.size = bar, 0

    def __call__(self, size: int) -> None:
        self.size += size
        self.bar.update(size)


@contextmanager
def meter(
    call: Call, what: str, total: int | None = None, unit: str = "B", leave: bool = True
) -> Iterator[Meter]:
    """Shows bytes, or what else is counted, their rate, and how many are left where `total` says
    how many there are; it stays on the screen unless it is not to `leave` anything."""
    scale = {"unit": unit, "unit_scale": True, "total": total, "leave": leave}
    with tqdm(desc=what, disable=not _drawn(call), **scale) as bar:
        yield Meter(bar)


@contextmanager
def rounds_bar(call: Call) -> Iterator[Callable[[int], None]]:
    "Shows which tree is grown; how many there will be nobody knows."
    with tqdm(desc="growing trees", unit="tree", disable=not _drawn(call)) as bar:
        yield lambda _: bar.update() and None


def progress(
    call: Call, unit: str = "day", in_log: bool = True
) -> Callable[[Sequence, str], Iterable]:
    """Shows how far a loop over items is. `in_log`: whether there is a line for each tenth where
    nobody sees a bar; not beside a document that goes to the same place."""

    def shown(items: Sequence, what: str) -> Iterable:
        if _drawn(call):
            yield from tqdm(items, desc=printable(what), unit=unit)
            return
        for number, item in enumerate(items, 1):
            yield item
            if in_log and (number == len(items) or number % max(1, len(items) // 10) == 0):
                call.say(f"{what}: {number} of {len(items)}")

    return shown


class Bar:
    "How many reports are done; elsewhere a line for each."

    def __init__(self, call: Call, what: str):
        self.call, self.what, self.bar = call, what, None

    def expect(self, steps: int) -> None:
        "So many steps will come."
        if steps and _drawn(self.call):
            self.bar = tqdm(total=steps, desc=self.what, unit="report")

    def done(self, result: ReportResult) -> None:
        "One step is done."
        failed = result.state == "failed"
        if self.bar is not None:
            self.bar.update()
            if self.bar.n >= self.bar.total:
                self.bar.close()
        elif failed or not sys.stderr.isatty():
            self.call.say(f"{result.name}: {result.state}")
        if failed:
            reason = (result.error or "").strip().splitlines()[-1]
            tqdm.write(printable(f"{result.name} failed: {reason}"), file=sys.stderr)


def _drawn(call: Call) -> bool:
    "Whether somebody sees a bar."
    return sys.stderr.isatty() and not call.quiet
