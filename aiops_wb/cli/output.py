"""Lists: a table on a terminal, a line for each row in a pipe, JSON where it is wanted."""

import json
import resource
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .lines import drawn, line, lines, printable

__all__ = ["peak_memory", "print_json", "show"]

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


def peak_memory() -> str:
    "The most memory that this process has had, in words."
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{most / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MB"
