"""Past days lived again under a policy of one's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import ValidationError

from ..log.errors import StoreError
from ..log.instants import days_from
from ..log.names import nearest
from ..replay.period import ACTUAL, Replayed, look_ahead_words, replay, sentences
from ..stats.performance import Figure
from ..watch.policy import Policy, read_policy
from .answers import Answer
from .published import Asked, number_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart

__all__ = ["Lived", "lived"]


@dataclass(frozen=True, eq=False, repr=False)
class Lived(Answer):
    "Past days lived again: a row for each day, of each policy and of what it is compared with."

    of: Replayed | None = field(default=None, repr=False)

    def plot(self) -> "Chart":
        "Tickets, reviews, missed positives and false tickets over time."
        from ..render.plots import lived_again
        from ..render.plots.chart import in_a_cell

        return in_a_cell(lived_again(self.of.policies, self.of.against))


def lived(
    asked: Asked,
    policy: Policy | Mapping | str | Path | None = None,
    first: date | str | None = None,
    last: date | str | None = None,
    days: int = 30,
    against: Policy | Mapping | str | Path | None = ACTUAL,
) -> Lived:
    "Live days again under a policy, the last `days` unless others are named."
    if first is None and last is None:
        last = asked.day
        first = days_from(last, 1 - number_of(days, "days"))
    first, last = asked.span(first, last)
    other = against if against in (None, ACTUAL) else _policy(against, "against")
    of = replay(
        asked.reader,
        asked.model,
        first,
        last,
        [] if policy is None else [_policy(policy, "policy")],
        asked.settings,
        against=other,
        as_of=asked.as_of,
    )
    every = [*of.policies, *([of.against] if of.against else [])]
    frame = pd.concat([one.days.assign(policy=one.name) for one in every], ignore_index=True)
    kept = ["policy", "day", "version", "tickets", "false", "missed", "reviews", "positives"]
    notes = [look_ahead_words(of), *_compared(of), *(f"{n[:1].upper()}{n[1:]}." for n in of.notes)]
    return Lived(" ".join(sentences(of)), frame[kept], (*asked.notes(), *notes), of)


def _policy(given, what: str) -> Policy:
    "A policy as somebody gives it; StoreError names what it may not say."
    if isinstance(given, Policy):
        return given
    if isinstance(given, (str, Path)):
        return read_policy(Path(given))
    if not isinstance(given, Mapping):
        raise StoreError(f"{what}: a file, or a mapping such as {{'threshold': 0.7}}, is needed.")
    allowed = [name for name in Policy.model_fields if name != "name"]
    for key in given:
        if key not in allowed:
            raise StoreError(f"{what}: {key!r} is not known{nearest(str(key), allowed)}")
    try:
        return Policy(**{"name": what} | dict(given))
    except ValidationError as error:
        told = error.errors()[0]
        place = ".".join(map(str, told["loc"]))
        raise StoreError(f"{what}: {place}: {told['msg']}.") from None


def _compared(of: Replayed) -> Iterator[str]:
    "How a policy differs from what it is compared with, a week."
    for one in of.compared:
        told = [f"{name} {_a_week(figure)}" for name, figure in one.a_week.items()]
        yield f"{one.name} against {one.against}, a week: {', '.join(told)}."


def _a_week(figure: Figure) -> str:
    span = "" if isnan(figure.lower) else f" ({figure.lower:+,.1f} to {figure.upper:+,.1f})"
    return f"{figure.value:+,.1f}{span}"
