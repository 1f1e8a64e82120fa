"""A query in SQL to the newest snapshot, which may read and nothing else."""

import sys
from datetime import date
from decimal import Decimal
from itertools import count
from math import isfinite
from typing import Annotated

import pandas as pd
import typer

from ..log.errors import StoreError
from ..render.table import as_csv
from ..workbench.sql import questions
from .arguments import AsJson, as_date, as_number
from .call import Call, alone, command
from .lines import counted, lines, printable, tell
from .output import print_json, show

app = alone()
LIMIT = 1_000
"Rows of a table, unless a number is given."


def _as_limit(text: str | int) -> int:
    "A number of rows; ValueError when the text is none."
    rows = as_number(str(text))
    if rows != int(rows) or not 0 <= rows < 10**12:
        raise ValueError(f"{text!r} is not a number of rows, such as 100; 0 is all of them")
    return int(rows)


@command(app)
def sql(
    call: Call,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="the query, in quotes, such as 'SHOW TABLES'; - reads standard input",
        ),
    ],
    first: Annotated[
        date | None,
        typer.Option(
            "--from",
            parser=as_date,
            metavar="DAY",
            help="only events since this day: files of other days are not opened",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option(
            "--to",
            parser=as_date,
            metavar="DAY",
            help="only events up to this day",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=_as_limit,
            metavar="N",
            help="so many rows at most; 0: all (default: 1000 of a table, all of CSV and JSON)",
            show_default=False,
        ),
    ] = None,
    as_csv_: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    as_json: AsJson = False,
):
    if as_csv_ and as_json:
        raise StoreError("--csv and --json are given: choose one.")
    most = limit if limit is not None else 0 if as_csv_ or as_json else LIMIT
    with questions(call.settings, first, last) as log:
        found = log.rows(sys.stdin.read() if query == "-" else query, most or None)
    if as_json:
        names = _distinct(found.columns)
        print_json([dict(zip(names, map(_in_json, row))) for row in found.rows])
    elif as_csv_:
        _print_csv(found)
    else:
        _print_table(found)
    if found.more:
        tell(f"only the first {counted(most, 'row')}: --limit N prints N, --limit 0 all.")


def _print_table(found):
    names = _distinct(found.columns)
    rows = [dict(zip(names, map(_in_cell, row))) for row in found.rows]
    show(rows, lambda row: "  ".join(f"{name} {_text(value)}" for name, value in row.items()))
    if not rows:
        lines("no rows")


def _print_csv(found):
    "As RFC 4180 has it, but for the ends of lines, which are those of a terminal."
    cells = [[_printable(value) for value in row] for row in found.rows]
    frame = pd.DataFrame(cells, columns=list(map(_printable, found.columns)), dtype=object)
    lines(as_csv(frame).replace("\r\n", "\n").rstrip("\n"))


def _printable(value):
    "A value without what steers a terminal."
    return printable(str(value)) if isinstance(value, (str, dict, list, bytes)) else value


def _in_cell(value):
    return float(value) if isinstance(value, Decimal) else _printable(value)


def _text(value):
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


def _in_json(value):
    "A value as JSON knows it: no number that is none, and text of what is not plain."
    match value:
        case Decimal():
            return float(value)
        case float():
            return value if isfinite(value) else None
        case dict():
            return {str(name): _in_json(of) for name, of in value.items()}
        case list() | tuple():
            return [_in_json(of) for of in value]
    return value


def _distinct(names):
    "Names of columns, each once: a second one of a name is numbered."
    taken, told = set(names), []
    for name in names:
        numbered = (f"{name}_{n}" for n in count(2))
        told.append(name if name not in told else next(n for n in numbered if n not in taken))
        taken.add(told[-1])
    return told
