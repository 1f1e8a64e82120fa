"""A table that people read."""

from dataclasses import dataclass
from html import escape

import pandas as pd

__all__ = ["Table", "note"]


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
        return "".join(
            f'<{tag} class="{"text" if column in read else ""}">{escape(str(value))}</{tag}>'
            for column, value in zip(columns, values)
        )

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)


def note(text: str) -> Table:
    "A table of one sentence, for what is not there."
    return Table(pd.DataFrame({"": [text]}))
