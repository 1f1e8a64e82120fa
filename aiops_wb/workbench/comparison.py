"""Two models on the same events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf, isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ..log.errors import StoreError
from ..log.instants import days_from
from ..render.vocabulary import metric
from ..stats.counts import ScoreCounts
from ..stats.performance import Figure, average_precision, roc_auc
from ..stats.points import Grid
from ..stats.thresholds import Compared as Pair
from ..stats.thresholds import ratio_over_days
from .answers import Answer
from .published import Asked, number_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart
    from ..watch.view import View

__all__ = ["Compared", "compare"]

_DIGITS = 3
_SHARES = {
    "called": "Share of events called",
    "called_alone": "Share called by it alone",
    "precision_alone": "Precision of what it alone calls",
}


@dataclass(frozen=True, eq=False, repr=False)
class Compared(Answer):
    """Two models on the events that both scored: a row for each figure, of `a`, of `b`, and their
    difference with its 95 % interval over days. `events` has the events themselves."""

    names: tuple[str, str] = ("a", "b")
    events: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)  # day, a, b
    counted: Mapping[str, int] = field(default_factory=dict, repr=False)

    def table(self) -> pd.DataFrame:
        "In words, the models by their names."
        if self.frame.empty:
            return self.frame
        counts = self.frame.figure.isin(["events", "labelled"])
        digits = [0 if count else _DIGITS for count in counts]
        told = {"": list(self.frame.title)}
        for name, column in zip(self.names, ("a", "b")):
            told[name] = [_fixed(x, d) for x, d in zip(self.frame[column], digits)]
        told["difference"] = [_fixed(x, d, "+") for x, d in zip(self.frame.difference, digits)]
        ends = zip(self.frame.lower, self.frame.upper)
        told["95 % over days"] = [
            "" if isnan(a) else f"{_fixed(a, _DIGITS, '+')} to {_fixed(b, _DIGITS, '+')}"
            for a, b in ends
        ]
        return pd.DataFrame(told)

    def plot(self) -> "Chart":
        "The loss of each day, and how many events each alone calls."
        from ..render.plots.answers import both_losses

        return both_losses(self.losses, self.names, self.counted, self.says)


def _fixed(x, digits, sign="-"):
    return "-" if isnan(x) else f"{x:{sign},.{digits}f}"


class _Side(NamedTuple):
    "One of the models on the events, in their order."

    name: str
    grid: Grid
    points: np.ndarray
    threshold: int

    @property
    def called(self) -> np.ndarray:
        return self.points >= self.threshold

    @property
    def probability(self) -> np.ndarray:
        return np.asarray(self.grid.inverse(self.points), dtype=float)


class _Days:
    "Sums over the events of each day."

    def __init__(self, days):
        self.days, self._place = np.unique(np.asarray(days), return_inverse=True)

    def sums(self, values) -> np.ndarray:
        "By day."
        weights = np.asarray(values, dtype=float)
        return np.bincount(self._place, weights=weights, minlength=len(self.days))

    def pair(self, a, n_a, b, n_b, most: float = 1.0) -> Pair:
        """Ratios of sums of each model, none above `most`, and their difference; each with its
        interval over days."""
        sides = [tuple(map(self.sums, side)) for side in ((a, n_a), (b, n_b))]
        alone = (ratio_over_days(*side, most=most) for side in sides)
        return Pair(*alone, ratio_over_days(*sides[0], minus=sides[1], most=most))


def compare(
    a: Asked,
    b: Asked,
    first: date | str | None = None,
    last: date | str | None = None,
    days: int = 30,
    tenant: str | None = None,
) -> Compared:
    "Losses and disagreement of two models on the events that both scored."
    if a.model == b.model:
        raise StoreError(f"{a.model} is compared with itself: name two models.")
    days = number_of(days, "days")
    views, names = (a.view, b.view), (a.model, b.model)
    if first is None and last is None:
        last = min(view.other_thresholds.through for view in views)
        first = days_from(last, 1 - days)
    first, last = a.inside(*a.span(first, last))
    found = a.reader.same_events(*names, first, last, as_of=a.as_of, tenant=tenant)
    found, left = _of_versions(found, views)
    gone = dict.fromkeys((*a.left_out(first, last), *b.left_out(first, last)))
    if found.empty:
        return _nothing(a, names, found.attrs.get("reason", ""), [*left, *gone])
    sides = [
        _Side(v.model, v.grid, found[f"{at}_points"].to_numpy(dtype=np.int64), v.threshold)
        for v, at in zip(views, ("a", "b"))
    ]
    label = found.label.to_numpy(dtype=float, na_value=nan)
    of_days = _Days(found.event_date.dt.date)
    pairs = _pairs(of_days, *sides, label)
    losses = _losses(of_days, *sides, label)
    notes = (*a.notes(), *left, *gone, *_notes(views, label, last))
    return Compared(
        _says(pairs, sides, views, label, first, last),
        _frame(pairs, len(label), int((~np.isnan(label)).sum())),
        notes,
        names,
        _events(found, sides),
        losses,
        _counted(*sides),
    )


def _of_versions(found, views: "tuple[View, View]"):
    "The events that the two versions scored, and what is to be said of others."
    if found.empty:
        return found, []
    own = (found.a_version == views[0].version) & (found.b_version == views[1].version)
    others = int((~own).sum())
    left = [f"{others:,} events that other versions scored are left out."] if others else []
    return found[own].reset_index(drop=True), left


def _nothing(asked, names, reason, left) -> Compared:
    told = reason or "every event of both was scored by other versions."
    says = f"Nothing is compared: {told}"
    return Compared(says, pd.DataFrame(), (*asked.notes(), *left), names)


def _pairs(days: _Days, a: _Side, b: _Side, label) -> dict[str, Pair]:
    "Name -> the figure of each model, and its difference."
    known = ~np.isnan(label)
    y, one = np.nan_to_num(label), np.ones(len(label))
    found = {}
    if a.grid.kind == b.grid.kind == "logit":
        for name, loss in (("log_loss", _log_loss), ("brier", _squared)):
            lost = [np.where(known, loss(side.probability, y), 0.0) for side in (a, b)]
            found[name] = days.pair(lost[0], known, lost[1], known, most=inf)
    for name, area in (("roc_auc", roc_auc), ("pr_auc", average_precision)):
        found[name] = _areas(area, a, b, label)
    calls, alone = (a.called, b.called), (a.called & ~b.called, b.called & ~a.called)
    right = [days_calls * known * y for days_calls in calls]
    labelled = [days_calls * known for days_calls in calls]
    found["precision"] = days.pair(right[0], labelled[0], right[1], labelled[1])
    found["recall"] = days.pair(right[0], known * y, right[1], known * y)
    found["called"] = days.pair(calls[0], one, calls[1], one)
    found["called_alone"] = days.pair(alone[0], one, alone[1], one)
    hits = [only * known * y for only in alone]
    found["precision_alone"] = days.pair(hits[0], alone[0] * known, hits[1], alone[1] * known)
    return found


def _areas(area, a, b, label) -> Pair:
    values = [area(ScoreCounts.from_events(side.points, label, side.grid)) for side in (a, b)]
    return Pair(*values, Figure(values[0].value - values[1].value))


def _log_loss(p, y):
    return -np.log(np.where(y > 0, p, 1 - p))


def _squared(p, y):
    return (p - y) ** 2


def _losses(days: _Days, a, b, label) -> pd.DataFrame:
    "The mean log loss of each day; none where a model gives no probability, or no label is known."
    known = ~np.isnan(label)
    if not (a.grid.kind == b.grid.kind == "logit") or not known.any():
        return pd.DataFrame(columns=["day", "a", "b"])
    n, y = days.sums(known), np.nan_to_num(label)
    lost = [days.sums(np.where(known, _log_loss(s.probability, y), 0.0)) for s in (a, b)]
    told = pd.DataFrame({"day": days.days, "a": lost[0], "b": lost[1]})[n > 0]
    return told.assign(a=told.a / n[n > 0], b=told.b / n[n > 0]).reset_index(drop=True)


def _frame(pairs, n, labelled) -> pd.DataFrame:
    rows = [
        ("events", "Events", n, n, nan, nan, nan),
        ("labelled", "Labelled", labelled, labelled, nan, nan, nan),
    ]
    rows += [
        (
            name,
            _SHARES.get(name) or metric(name).title,
            p.candidate.value,
            p.current.value,
            *p.difference[:3],
        )
        for name, p in pairs.items()
    ]
    return pd.DataFrame(rows, columns=["figure", "title", "a", "b", "difference", "lower", "upper"])


def _events(found, sides) -> pd.DataFrame:
    "The events with the scores of both, the farthest apart first; no points."
    told = found.drop(columns=[c for c in found if c.endswith("_points")])
    scores = {f"{at}_probability": side.probability for at, side in zip(("a", "b"), sides)}
    called = {f"{at}_called": side.called for at, side in zip(("a", "b"), sides)}
    return told.assign(**scores, **called)


def _counted(a, b) -> dict[str, int]:
    return {
        "both": int((a.called & b.called).sum()),
        f"{a.name} alone": int((a.called & ~b.called).sum()),
        f"{b.name} alone": int((b.called & ~a.called).sum()),
    }


def _says(pairs, sides, views, label, first, last) -> str:
    a, b = sides
    known = int((~np.isnan(label)).sum())
    told = f"{len(label):,} events that both scored, {first} to {last}, {known:,} labelled."
    both, only_a, only_b = _counted(a, b).values()
    at = [f"{view.probability(view.threshold):.3f}" for view in views]
    apart = (
        f"At their thresholds {at[0]} and {at[1]} both call {both:,}, {a.name} alone {only_a:,}, "
        f"{b.name} alone {only_b:,}."
    )
    return f"{told} {_better(pairs, a.name, b.name, known)} {apart}"


def _better(pairs, a, b, known) -> str:
    "Which of them loses less, if that is shown."
    if not known:
        return "Which is better is unknown: none of the events has a label yet."
    if "log_loss" not in pairs:
        return "Their losses are not compared: scores of one are no probabilities."
    change = pairs["log_loss"].difference
    if isnan(change.lower):
        return "Whether one loses less is unknown: fewer than 7 days with labels say nothing of it."
    if change.lower > 0 or change.upper < 0:
        less, more = (b, a) if change.value > 0 else (a, b)
        low, size, high = sorted(map(abs, change[:3]))
        lower = f"log loss lower by {size:.4f} ({low:.4f} to {high:.4f})"
        return f"{less} loses less than {more}: {lower}."
    span = f"{change.value:+.4f} ({change.lower:+.4f} to {change.upper:+.4f})"
    return f"That one loses less is not shown: log loss of {a} less that of {b} is {span}."


def _notes(views, label, last):
    yield "Intervals take days as independent; within a day events may move together."
    newest = [view.complete_days.newest for view in views]
    if None in newest or last > min(newest):
        yield "Labels of all these days are not known to be in: figures may change."
