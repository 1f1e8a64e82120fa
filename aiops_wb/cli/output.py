"""Lists: a table on a terminal, a line for each row in a pipe, JSON where it is wanted."""

import json
import resource
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from ..render.engine import ReportResult
from .call import Call
from .lines import drawn, line, lines, printable

__all__ = ["Bar", "peak_memory", "print_json", "progress", "rounds_bar", "show"]

NARROWEST = 40
"Columns of a table at least: what does not fit is broken by the terminal."

Row = Mapping[str, object]


def show(
    rows: Sequence[Row],
    text: Callable[[Row], str],
    total: str | None = None,
    as_json: bool = False,
) -> None:
    "Print rows: as JSON, as a table on a terminal, else a line of text for each; then the total."
    if as_json:
        print_json(rows)
        return
    if rows and sys.stdout.isatty():
        drawn(_drawn(_table(rows)))
    else:
        for row in rows:
            line(text(row))
    if total is not None:
        line(total)


def print_json(value: object) -> None:
    "Print a value as JSON."
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    lines("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def _plain(value):
    "A value of a frame or a setting as JSON knows it."
    if isinstance(value, datetime) and value.tzinfo is None:  # a day of a frame
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)


def _drawn(table):
    "A table as text for this terminal; a terminal that says that it has no columns has 80."
    console = Console(width=max(shutil.get_terminal_size().columns, NARROWEST))
    with console.capture() as drawn:
        console.print(table)
    return drawn.get().removesuffix("\n")


def _table(rows):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in rows[0].items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        table.add_column(
            name.replace("_", " "), justify="right" if number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.tzinfo is None else f"{value:%Y-%m-%d %H:%M}Z"
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(str(value))


class Bar:
    "A progress bar on a terminal, a line for each step in a log."

    def __init__(self, call: Call, what: str):
        self.call, self.what, self.bar = call, what, None

    def expect(self, steps: int) -> None:
        "So many steps will come."
        if steps and sys.stderr.isatty() and not self.call.quiet:
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


@contextmanager
def rounds_bar(call: Call) -> Iterator[Callable[[int], None]]:
    "Shows which tree is grown, on a terminal; how many there will be nobody knows."
    seen = sys.stderr.isatty() and not call.quiet
    with tqdm(desc="growing trees", unit="tree", disable=not seen) as bar:
        yield lambda _: bar.update() and None


def peak_memory() -> str:
    "The most memory that this process has had, in words."
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{most / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MB"


def progress(call: Call, unit: str = "day") -> Callable[[Sequence, str], Iterator]:
    "Shows how far a loop over items is: a bar on a terminal, a line for each tenth in a log."

    def shown(items: Sequence, what: str) -> Iterable:
        if sys.stderr.isatty() and not call.quiet:
            yield from tqdm(items, desc=printable(what), unit=unit)
            return
        for number, item in enumerate(items, 1):
            yield item
            if number == len(items) or number % max(1, len(items) // 10) == 0:
                call.say(f"{what}: {number} of {len(items)}")

    return shown
