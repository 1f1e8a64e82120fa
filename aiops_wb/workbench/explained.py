"""What another threshold would have done, why a figure changed, why an event was scored so."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..log.errors import StoreError
from ..log.instants import days_from
from ..log.names import nearest
from ..render.tables.bridge import part_words, scaled, value_words
from ..render.vocabulary import FACTORS, metric
from ..stats.bridge import Bridge
from ..stats.points import Grid
from ..stats.sides import FIGURES
from ..stats.thresholds import Curve, Simulation
from ..watch.threshold_changes import as_threshold
from ..watch.why import Answer as Account
from ..watch.why import in_words
from .answers import Answer
from .published import Asked, day_of, text_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart

__all__ = ["Accounted", "Explained", "Simulated", "explained", "simulated", "why"]


@dataclass(frozen=True, eq=False, repr=False)
class Simulated(Answer):
    "A threshold beside the one in force, over the same events: a row for each figure."

    threshold: float = nan
    in_force: float = nan
    of: Simulation | None = field(default=None, repr=False)
    drawn: tuple[Curve, Grid, int] | None = field(default=None, repr=False)  # curve, grid, days

    def table(self) -> pd.DataFrame:
        "Counts whole, rates with three digits."
        counts = {"alerts", "tp", "fp", "fn", "tn"}
        digits = [
            0 if f in counts else 1 if f == "alerts_per_day" else 3 for f in self.frame.figure
        ]
        told = {"": self.frame.title}
        for name, sign in (("candidate", "-"), ("in_force", "-"), ("difference", "+")):
            values = zip(self.frame[name], digits)
            told[name.replace("_", " ")] = [_fixed(x, d, sign) for x, d in values]
        ends = zip(self.frame.lower, self.frame.upper, digits)
        told["95 % over days"] = [
            "" if isnan(a) else f"{_fixed(a, d, '+')} to {_fixed(b, d, '+')}" for a, b, d in ends
        ]
        return pd.DataFrame(told)

    def plot(self) -> "Chart":
        "What every threshold would have done, with both marked."
        from ..render.plots import threshold_curve
        from ..render.plots.chart import in_a_cell

        curve, grid, days = self.drawn
        chart = threshold_curve(curve, grid, self.of.current, self.of.candidate, days)
        return in_a_cell(chart)


def _fixed(x, digits, sign="-"):
    return "-" if isnan(x) else f"{x:{sign},.{digits}f}"


_CALLED = {"alerts": "Alerts", "alerts_per_day": "Alerts a day"}


def simulated(asked: Asked, threshold: float) -> Simulated:
    "Replay the last 30 days whose labels are in with another threshold."
    view = asked.view
    candidate, others, unseen = as_threshold(view, threshold), view.other_thresholds, view.selective
    of = others.simulate(candidate)
    rows = [
        (n, _CALLED.get(n, metric(n).title), r.candidate.value, r.current.value, *r.difference[:3])
        for n, r in of.record.items()
    ]
    columns = ["figure", "title", "candidate", "in_force", "difference", "lower", "upper"]
    days = f"{others.first} to {others.through}"
    known = "whose labels are in" if others.complete else "of which labels are not known to be in"
    notes = [n for n in (unseen.of_candidate(candidate), unseen.says) if n]
    scores = view.probability(candidate), view.probability(view.threshold)
    says = (
        f"{scores[0]:.3f} instead of {scores[1]:.3f} on {others.days_replayed} days, {days}, "
        f"{known}. {of.recommendation}"
    )
    return Simulated(
        says,
        pd.DataFrame(rows, columns=columns),
        (*asked.notes(), *notes),
        *scores,
        of,
        (others.curve, view.grid, others.days_replayed),
    )


@dataclass(frozen=True, eq=False, repr=False)
class Accounted(Answer):
    "Why a figure changed: a row for each part, in the unit of the figure itself."

    account: Account | None = field(default=None, repr=False)

    def table(self) -> pd.DataFrame:
        "Before, the parts, after."
        found = self.account.bridge
        if found.unknown:
            return pd.DataFrame()
        rows = [("before", value_words(found, found.before), "")]
        told = [(p, part_words(found, p)) for p in found.parts]
        rows += [(FACTORS[p.factor], t, "" if t == "-" else p.because) for p, t in told]
        rows.append(("after", value_words(found, found.after), ""))
        return pd.DataFrame(rows, columns=["part", metric(found.figure).title, "because"])

    def plot(self) -> "Chart":
        "A waterfall from before to after."
        from ..render.plots import waterfall
        from ..render.plots.chart import in_a_cell

        return in_a_cell(waterfall(self.account.bridge))


def why(
    asked: Asked,
    figure: str,
    first: date | str | None = None,
    last: date | str | None = None,
    against: Sequence | str | None = None,
    by: str = "site",
    miss_cost: float | None = None,
) -> Accounted:
    "The account of a change: against as many days before, other days, or the reference."
    if text_of(figure, "figure") not in FIGURES:
        raise StoreError(
            f"{figure!r} is no figure that can be accounted for{nearest(figure, FIGURES)}"
        )
    if by not in ("site", "tenant", "all"):
        raise StoreError(f"by={by!r} is not known{nearest(str(by), ('site', 'tenant', 'all'))}")
    cost = _cost(miss_cost, asked.settings)
    if figure == "cost" and cost is None:
        raise StoreError(
            "cost needs miss_cost: what a missed positive costs, in reviews of an alert."
        )
    explain, told = asked.view.why, {"by": "" if by == "all" else by, "miss_cost": cost}
    named = first is not None or last is not None
    days = _week(asked, first, last) if named else None
    if against is None:
        account = explain.against_before(figure, days, **told)
    elif isinstance(against, str) and against == "reference":
        account = explain.against_reference(figure, days, **told)
    else:
        before, days = _other_days(asked, against), days or explain.newest(figure)
        if days == before:
            raise StoreError("these are the same days: against names others, or 'reference'.")
        if days is None:
            account = explain.against_before(figure, **told)
        else:
            account = explain.against_days(figure, days, before, **told)
    return _accounted(asked, account)


def _cost(miss_cost, settings) -> float | None:
    "What a missed positive costs, as somebody says it or else the settings; StoreError for none."
    if miss_cost is None:
        return settings.retrain_miss_cost
    with suppress(TypeError, ValueError):
        if isfinite(float(miss_cost)) and float(miss_cost) > 0:
            return float(miss_cost)
    raise StoreError(f"miss_cost is {miss_cost!r}: a number above 0 is needed.")


def _week(asked, first, last):
    "Days as named; seven where one end is."
    first, last = day_of(first, "first"), day_of(last, "last")
    newest = asked.days[-1]
    first = first or days_from(last, -6)
    last = min(last or days_from(first, 6), max(newest, first))
    return asked.inside(first, last)


def _other_days(asked, against):
    days = []
    if isinstance(against, Iterable) and not isinstance(against, str):
        days = [day_of(day, "against") for day in against]
    if len(days) != 2 or None in days:
        raise StoreError(f"against={against!r} is neither 'reference' nor two days (first, last).")
    return asked.inside(*days)


def _accounted(asked, account: Account) -> Accounted:
    found: Bridge = account.bridge
    rows = [
        (
            p.factor,
            scaled(found, p.change.value),
            *(scaled(found, x) for x in p.change[1:3]),
            p.because,
        )
        for p in found.parts
    ]
    frame = pd.DataFrame(rows, columns=["part", "change", "lower", "upper", "because"])
    span = ""
    if account.after is not None:
        span = f"{in_words(account.after)} against {account.against}: "
    notes = (*asked.notes(), *(f"{n[:1].upper()}{n[1:]}." for n in account.notes))
    return Accounted(f"{span}{found.says()}", frame, notes, account)


@dataclass(frozen=True, eq=False, repr=False)
class Explained(Answer):
    "Why an event was scored as it was: a row for each feature, the strongest push first."

    event: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def table(self) -> pd.DataFrame:
        "Features as people call them, with their values and what each pushed."
        told = super().table()
        named = [f"{n} ({u})" if u else n for n, u in zip(self.frame.name, self.frame.unit)]
        pushed = [f"{push:+.2f}" for push in self.frame.push]
        return pd.DataFrame({"feature": named, "value": told["value"], "push (log-odds)": pushed})

    def plot(self) -> "Chart":
        "What each feature pushed."
        from ..render.plots.answers import pushes

        pairs = list(zip(self.frame.name, self.frame.push))
        return pushes(pairs, f"Why {self.event['prediction_id']} was scored so", self.says)


def explained(asked: Asked, prediction_id: str) -> Explained:
    "What each feature of an event pushed, and what became of events like it."
    from ..watch.explained_event import explained_event  # it needs the extra ml

    event = text_of(prediction_id, "prediction_id")
    told = explained_event(asked.reader, event, asked.settings, asked.model, asked.as_of)
    label = {1: "positive", 0: "negative"}.get(told["label"], "not known yet")
    reasons = f" {told['reasons']}." if told["reasons"] else ""
    says = (
        f"{told['prediction_id']}: {told['version']} scored {told['score']:.3f} on {told['day']}; "
        f"its label is {label}.{reasons}"
    )
    notes = list(asked.notes())
    if of := told["interval"]:
        notes.append(
            f"Of events with this score {of['lower']:.3f} to {of['upper']:.3f} are positive: "
            f"{of['like_it']}."
        )
    if alike := told["alike"]:
        positive = sum(one["positive"] for one in alike)
        notes.append(
            f"Of the {len(alike)} past alerts that were scored most alike {positive} were positive."
        )
    columns = ["feature", "name", "value", "unit", "push"]
    frame = pd.DataFrame(told["features"], columns=columns)
    return Explained(says, frame, tuple(notes), told)
