"""`%%wbsql` in a notebook: SQL on the newest snapshot, the rows as a frame.

    %load_ext aiops_wb

    %%wbsql --from 2013-06-01 --to 2013-06-07
    SELECT route, count(*) AS n FROM predictions GROUP BY route

With `name <<` in its line the frame is kept under that name and not shown. Nothing of the log stays
open between cells.
"""

import re
import shlex
from argparse import ArgumentParser
from datetime import date
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from IPython.core.error import UsageError

from ..config import SettingsError, load_settings
from ..log.errors import StoreError
from ..log.instants import as_date
from .sql import questions

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "wbsql"]

_USAGE = "%%wbsql [--from DAY] [--to DAY] [--data FOLDER] [--config FILE] [name <<]"


class _Line(ArgumentParser):
    "The line of a cell; what is wrong with it is one sentence."

    def error(self, message):
        raise UsageError(f"{message}: {_USAGE}")


class _Asked(NamedTuple):
    "What a line asks for."

    first: date | None
    last: date | None
    data: Path | None
    config: Path | None
    name: str | None  # what the frame is kept as; None: it is shown


def _read(line: str) -> _Asked:
    "The words of a line."
    line, kept = line.strip(), None
    if found := re.search(r"(?:^|\s)(\S+)\s*<<$", line):
        line, kept = line[: found.start()], found[1]
        if not kept.isidentifier() or iskeyword(kept):
            raise UsageError(f"{kept!r} is no name of a variable: {_USAGE}")
    parser = _Line(prog="%%wbsql", add_help=False, allow_abbrev=False)
    parser.add_argument("--from", dest="first")
    parser.add_argument("--to", dest="last")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    try:
        told = parser.parse_args(shlex.split(line))
        days = [None if day is None else as_date(day) for day in (told.first, told.last)]
    except ValueError as error:
        raise UsageError(f"{error}: {_USAGE}") from None
    return _Asked(*days, told.data, told.config, kept)


def wbsql(line: str, cell: str, shell: "InteractiveShell") -> "pd.DataFrame | None":
    "The rows of the query in a cell; None where they are kept under a name."
    asked = _read(line)
    try:
        settings = load_settings(data=asked.data, config=asked.config)
        with questions(settings, asked.first, asked.last) as log:
            frame = log.frame(cell)
    except (StoreError, SettingsError) as error:
        raise UsageError(str(error)) from None
    if asked.name is None:
        return frame
    shell.user_ns[asked.name] = frame
    return None


def load(ipython: "InteractiveShell") -> None:
    "Give a shell the magic."

    def magic(line, cell):
        return wbsql(line, cell, ipython)

    magic.__doc__ = (
        f"SQL on the newest snapshot of the log, which only reads: {_USAGE}, below it a query."
    )
    ipython.register_magic_function(magic, "cell", "wbsql")
