"""What a question gives: a sentence, a table, a drawing, a file."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html import escape
from math import isnan
from pathlib import Path
from typing import overload

import pandas as pd

from ..log.errors import StoreError
from ..log.names import nearest
from ..render.table import Table, as_csv

__all__ = ["SHOWN", "Answer", "chosen", "in_cell"]

SHOWN = 60
"Rows that are shown of a longer table; `frame` and `to_csv` have them all."

_LOOK = (
    "<style>.aiops-wb .wide{overflow-x:auto}"
    ".aiops-wb table{width:max-content;max-width:none}"
    ".aiops-wb th,.aiops-wb td{white-space:nowrap}"
    ".aiops-wb th.text,.aiops-wb td.text{text-align:left}"
    ".aiops-wb td.text{white-space:normal;max-width:var(--words)}</style>"
)
"""A row is a line unless it has a sentence, and words begin on the left: front ends set all to the
right, and break names at each '-'."""
_WIDE = 18
"How wide a column of sentences is, in em."


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """An answer: `says` in words, `frame` its exact values, `notes` what has to be known beside.

    It shows itself as a table, `to_csv(path)` writes it; each kind of answer has a `plot()`.
    """

    says: str
    frame: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    @overload
    def to_csv(self, path: None = None) -> str: ...

    @overload
    def to_csv(self, path: str | Path) -> Path: ...

    def to_csv(self, path: str | Path | None = None) -> Path | str:
        """Write all rows with exact values, as RFC 4180 has them, into a file; without one they are
        returned. A text that a spreadsheet would run as a formula is quoted by '."""
        text = as_csv(self.frame)
        if path is None:
            return text
        try:
            Path(path).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
        return Path(path)

    def table(self) -> pd.DataFrame:
        "The frame as it is shown: every value a text."
        return pd.DataFrame(
            {
                name: [in_cell(value, name) for value in column]
                for name, column in self.frame.items()
            }
        )

    def _told(self) -> list[str]:
        "The sentences beside the table, and how much of a long one is not shown."
        more = self._beyond()
        rest = [f"{more:,} more rows: .frame and .to_csv have them."] if more else []
        return [self.says, *self.notes, *rest]

    def _beyond(self) -> int:
        "How many rows of the frame the table does not show."
        return max(0, len(self.frame) - SHOWN)

    def _head(self) -> Table:
        few = replace(self, frame=self.frame.head(SHOWN)) if self._beyond() else self
        shown = few.table()
        return Table(shown, tuple(_read(shown)))

    def _repr_html_(self) -> str:
        told = "".join(f"<p>{escape(text)}</p>" for text in self._told() if text)
        if not len(self.frame.columns):
            return told
        head = self._head()
        wide = max(_WIDE, min(3 * _WIDE, 0.7 * _longest_word(head)))
        of = f'<div class="aiops-wb" style="--words:{wide:.0f}em">'
        return f"{told}{of}{_LOOK}{head._repr_html_()}</div>"

    def __repr__(self) -> str:
        told = "\n".join(text for text in self._told() if text)
        return f"{told}\n{self._head()!r}" if len(self.frame) else told

    def __len__(self) -> int:
        return len(self.frame)


def _read(shown):
    "Columns of words, which are set to the left: those of which a cell is more than a number."
    for name, column in shown.items():
        if any(cell[:1].isalpha() or _WORD.search(cell) for cell in column):
            yield name


def _longest_word(table):
    "Letters of the longest name in the columns of words: so wide is a cell that does not break it."
    cells = (cell for name in table.text for cell in table.frame[name])
    return max((len(word) for cell in cells for word in cell.split()), default=0)


_WORD = re.compile(r"[^\W\d_]{4}")
_PROBABILITIES = ("probability", "threshold")


def in_cell(value, column: str = "") -> str:
    "A value as a person reads it; '-' where it is not known."
    if value is None or value is pd.NA or value is pd.NaT:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not hasattr(value, "__float__") or isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in str(value))
    number = float(value)
    if isnan(number):
        return "-"
    if column in _PROBABILITIES:
        return f"{number:.3f}" if number == 0 or abs(number) >= 0.01 else f"{number:.2g}"
    if number == int(number) if abs(number) < 1e15 else False:
        return f"{number:,.0f}"
    return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.1f}"


def chosen(names: Sequence[str] | str | None, known: Sequence[str], what: str) -> list[str]:
    "Names out of those that there are, all of them where none is asked for; StoreError else."
    if names is None:
        return list(known)
    names = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    for name in names:
        if name not in known:
            raise StoreError(f"there is no {what} {name!r}{nearest(str(name), known)}")
    return names
