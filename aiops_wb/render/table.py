"""A table that people read."""

from dataclasses import dataclass, field
from html import escape

import pandas as pd

__all__ = ["CSV", "ROWS", "Table", "Whole", "as_csv", "note"]

CSV = "text/csv"
"The form of an output that is written as a file beside its page."
ROWS = "application/vnd.aiops-wb.rows+html"
"The same for people, as HTML."
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class Table:
    """A frame of text that shows itself in full.

    `text` names the columns that are read and not compared; the first is one of them.
    """

    frame: pd.DataFrame
    text: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        head = self._cells("th", self.frame.columns)
        rows = (self._cells("td", row) for row in self.frame.itertuples(index=False))
        body = "".join(f"<tr>{cells}</tr>" for cells in rows)
        return (
            f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _cells(self, tag, values):
        "A row; columns of text are set to the left."
        columns = self.frame.columns
        read = {*columns[:1], *self.text}
        kinds = (' class="text"' if column in read else "" for column in columns)
        return "".join(
            f"<{tag}{kind}>{escape(str(value))}</{tag}>" for kind, value in zip(kinds, values)
        )

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)


@dataclass(frozen=True, eq=False)
class Whole(Table):
    """The first rows of a table in the page, all of them beside it: as a page (`rows`) and as a
    file with exact values (`exact`), which the run of the report writes under the report's name.
    """

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    exact: pd.DataFrame = field(default_factory=pd.DataFrame)

    def _repr_mimebundle_(self, **_) -> dict[str, str]:
        return {
            "text/html": self._repr_html_(),
            "text/plain": repr(self),
            CSV: self.csv(),
            ROWS: Table(self.rows, self.text)._repr_html_(),
        }

    def csv(self) -> str:
        "All rows with exact values."
        return as_csv(self.exact)


def as_csv(frame: pd.DataFrame) -> str:
    "A frame as RFC 4180 has it; what a spreadsheet would run as a formula is quoted by '."
    texts = frame.select_dtypes(["object", "str"]).columns
    guarded = {column: frame[column].map(_guarded) for column in texts}
    return frame.assign(**guarded).to_csv(index=False, lineterminator="\r\n")


def _guarded(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def note(text: str) -> Table:
    "A table of one sentence, for what is not there."
    return Table(pd.DataFrame({"": [text]}))
