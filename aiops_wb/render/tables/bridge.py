"""A table of why a figure changed: its parts, their intervals, and the sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from ...stats.bridge import Bridge, Part
from ...watch.view import View
from ...watch.why import WITHOUT_LABELS, Answer, in_words
from ..table import Table
from ..vocabulary import FACTORS

__all__ = ["WHY", "Account", "bridge_table", "in_short", "part_words", "value_words"]

WHY = "application/vnd.aiops-wb.why+json"
"The form of an output whose sentences the front page says, too."


@dataclass(frozen=True, eq=False)
class Account(Table):
    "A table of why a figure changed, which hands its sentences on."

    answers: tuple[Answer, ...] = ()

    def _repr_mimebundle_(self, **_) -> dict:
        return {
            "text/html": self._repr_html_(),
            "text/plain": repr(self),
            WHY: {"lines": in_short(self.answers)},
        }


def in_short(answers: Sequence[Answer]) -> list[dict[str, str]]:
    "What each account compares and says; what is unknown for one reason is said once."
    lines = [{"of": _compared(a), "says": a.bridge.says()} for a in answers]
    if len({line["says"] for line in lines}) == 1 and all(a.bridge.unknown for a in answers):
        return [{"of": "", "says": lines[0]["says"]}]
    return lines


def _compared(answer):
    "Which days against which; empty where there are none."
    if answer.after is None:
        return ""
    after, against = in_words(answer.after), answer.against
    return f"{after} against {'the ' if against.endswith('days') else ''}{against}"


def bridge_table(view: View, figure: str = "precision") -> Account:
    """Why a figure of the newest days changed, against the days before and the reference: its
    value before and after, and the parts that add up to the change.

    Of a figure that needs no label days of a training keep too little: there is one account.
    """
    why = view.why
    answers = [why.against_before(figure)]
    if figure not in WITHOUT_LABELS or view.reference.span:
        answers.append(why.against_reference(figure))
    rows = [("in words", *map(_in_words, answers))]
    if all(a.bridge.unknown for a in answers):
        return _table(rows, answers)
    rows.append(("before", *(value_words(a.bridge, a.bridge.before) for a in answers)))
    told = [{p.factor: part_words(a.bridge, p) for p in a.bridge.parts} for a in answers]
    rows += [(title, *(t.get(name, "-") for t in told)) for name, title in FACTORS.items()]
    rows.append(("after", *(value_words(a.bridge, a.bridge.after) for a in answers)))
    return _table(rows, answers)


def _table(rows, answers):
    heads = [f"against {'the ' if a.against.endswith('days') else ''}{a.against}" for a in answers]
    if heads[0] == heads[-1] and heads[1:]:
        heads[1] += ", the reference"
    frame = pd.DataFrame(rows, columns=["", *heads])
    return Account(frame, tuple(heads), tuple(answers))


def _in_words(answer: Answer) -> str:
    "The sentence, and what has to be known beside it."
    notes = "".join(f" {n[:1].upper()}{n[1:]}." for n in answer.notes)
    return answer.bridge.says() + notes


def value_words(found: Bridge, value: float) -> str:
    "The figure on one side; '-' when it is unknown."
    return "-" if isnan(value) else f"{value:,.{2 if found.unit == 'a day' else 3}f}"


def part_words(found: Bridge, part: Part) -> str:
    "A part with its unit and its interval; '-' for a factor that had no say."
    value, lower, upper = (scaled(found, x) for x in part.change[:3])
    if abs(value) < 1e-9 and not upper - lower > 1e-9:
        return "-"
    digits = {"points": 1, "a day": 2, "": 4}[found.unit]
    unit = f" {found.unit}" if found.unit else ""
    told = f"{value:+,.{digits}f}{unit}"
    return told if isnan(lower) else f"{told} ({lower:+,.{digits}f} to {upper:+,.{digits}f})"


def scaled(found: Bridge, change: float) -> float:
    "A change in its unit: hundredths of a share."
    return 100 * change if found.unit == "points" else change
