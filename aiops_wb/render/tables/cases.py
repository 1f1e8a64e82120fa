"""An alert as a waterfall: from where every score starts, feature by feature, to its own score."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from ..table import Table

if TYPE_CHECKING:  # it needs an extra
    from ...models.three_cases import Case

__all__ = ["Waterfall"]

RAISES, LOWERS, STANDS = "#d97706", "#2563c9", "#8a97a6"
"Colours of a step up, a step down, and of where a score starts and ends; on white and on black."
WIDE, HIGH = 100, 10


@dataclass(frozen=True, eq=False)
class Waterfall(Table):
    """A case with its sentence: a row a step, its push in log-odds, and a bar from where the steps
    before it led to where it leads itself; a line through all rows is the threshold."""

    case: "Case | None" = None

    @classmethod
    def of(cls, case: "Case") -> "Waterfall":
        "The waterfall of a case."
        rows = [("where every score starts", f"{case.start:+.2f}")]
        rows += [(step.words, f"{step.push:+.2f}") for step in case.steps]
        score = f"by its file {case.by_file:.3f}" if case.apart else f"score {case.score:.3f}"
        rows.append((score, f"{case.end:+.2f}"))
        return cls(pd.DataFrame(rows, columns=["", "log-odds"]), case=case)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td class="text">{_broken(words)}</td><td>{size}</td>'
            f'<td class="bar">{bar}</td></tr>'
            for (words, size), bar in zip(
                self.frame.itertuples(index=False, name=None), _bars(self.case), strict=True
            )
        )
        table = f'<table class="fall"><tbody>{rows}</tbody></table>'
        return f"<p>{escape(self.case.says())}</p>{_scrolling(table)}"

    def __repr__(self) -> str:
        return f"{self.case.says()}\n{super().__repr__()}"


def _broken(words):
    "Words that may be broken behind an underscore."
    return escape(words).replace("_", "_<wbr>")


def _scrolling(table):
    return f'<div class="wide" tabindex="0">{table}</div>'


def _bars(case):
    "The bar of each row: a mark where the score starts and ends, a box for each step between."
    at = [case.start]
    for step in case.steps:
        at.append(at[-1] + step.push)
    low, high = min(*at, case.threshold), max(*at, case.threshold)
    place = lambda x: 1 + (WIDE - 2) * (x - low) / ((high - low) or 1)
    line = _box(place(case.threshold) - 0.2, 0.4, STANDS)
    yield _svg(line + _box(place(at[0]) - 0.75, 1.5, STANDS))
    for before, after in zip(at, at[1:]):
        left, right = sorted((place(before), place(after)))
        colour = RAISES if after > before else LOWERS
        yield _svg(line + _box(left, max(right - left, 0.4), colour))
    yield _svg(line + _box(place(at[-1]) - 0.75, 1.5, STANDS))


def _box(left, width, colour):
    return f'<rect x="{left:.2f}" y="0" width="{width:.2f}" height="{HIGH}" fill="{colour}"/>'


def _svg(drawn):
    "One bar; the numbers beside it say the same to whoever does not see it."
    return (
        f'<svg class="fall" viewBox="0 0 {WIDE} {HIGH}" width="240" height="16" '
        f'preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'
    )
