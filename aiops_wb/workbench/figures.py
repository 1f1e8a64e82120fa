"""How good a model was over some days, and at every threshold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import nan
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..log.errors import StoreError
from ..log.instants import days_from
from ..log.names import nearest
from ..render.vocabulary import metric, shown
from ..stats.counts import ScoreCounts, total
from ..stats.performance import Figure, average_precision, over_days_bootstrap, roc_auc, summary
from ..stats.thresholds import Curve, curve
from ..watch.threshold_changes import as_threshold
from .answers import Answer, chosen
from .published import Asked, number_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart

__all__ = ["Curves", "Figures", "curves", "performance", "period"]

GROUPS = ("site", "tenant", "version")
"What curves are told apart by."
_AREAS = {"pr_auc": average_precision, "roc_auc": roc_auc}


@dataclass(frozen=True, eq=False, repr=False)
class Figures(Answer):
    "Figures of some days: a row each, with value, interval and the events behind it."

    threshold: float = nan  # as a score

    def __getitem__(self, name: str) -> Figure:
        "One figure by its name; StoreError with the nearest where there is none of it."
        (name,) = chosen(name, list(self.frame.figure), "figure")
        row = self.frame[self.frame.figure == name].iloc[0]
        return Figure(row.value, row.lower, row.upper, int(row.n))

    def table(self) -> pd.DataFrame:
        "The figures in words."
        told = [Figure(r.value, r.lower, r.upper, int(r.n)) for r in self.frame.itertuples()]
        names = list(self.frame.figure)
        return pd.DataFrame(
            {
                "figure": [metric(name).heading for name in names],
                "value (95 % interval)": [shown(name, of) for name, of in zip(names, told)],
                "events": [f"{of.n:,}" for of in told],
            }
        )

    def plot(self) -> "Chart":
        "The figures between 0 and 1, each with its interval."
        from ..render.plots.answers import with_intervals

        of = self.frame
        inside = of[
            of.figure.map(lambda f: metric(f).kind == "share" or metric(f).scale == "0 to 1")
        ]
        named = [metric(name).title for name in inside.figure]
        rows = list(inside[["value", "lower", "upper"]].itertuples(index=False, name=None))
        return with_intervals(named, rows, self.says)


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Answer):
    """Curves over all thresholds, of all events or of each of some groups; `frame` has a row for
    each group and threshold, `areas` one for each group."""

    areas: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    by: str | None = None

    def table(self) -> pd.DataFrame:
        "A row for each group: events, positives, and the areas under its curves."
        told = {} if self.by is None else {self.by: self.areas["name"]}
        told |= {n: self.areas[n].map("{:,}".format) for n in ("events", "labelled", "positive")}
        for name in _AREAS:
            columns = (self.areas[f"{name}{end}"] for end in ("", "_lower", "_upper"))
            told[metric(name).title] = [shown(name, Figure(*row)) for row in zip(*columns)]
        return pd.DataFrame(told)

    def _beyond(self) -> int:
        return 0  # a row for each group is all of it

    def plot(self) -> "Chart":
        "Precision over recall and the ROC curve of each group."
        from ..render.plots.answers import curves_of

        groups = dict(list(self.frame.groupby("name", sort=False))) if len(self.frame) else {}
        return curves_of(
            {name: groups[name] for name in self.areas["name"] if name in groups}, self.says
        )


def performance(
    asked: Asked,
    figures: Sequence[str],
    first: date | str | None,
    last: date | str | None,
    days: int,
    threshold: float | None,
) -> Figures:
    "Figures of days from first to last, else of the last `days` days whose labels are in."
    view, (first, last) = asked.view, period(asked, first, last, days)
    points = view.threshold if threshold is None else as_threshold(view, threshold)
    by_day = view.counts(first, last)
    whole = total(by_day.values(), view.grid)
    names = chosen(list(figures) or None, list(summary(whole, points)), "figure")
    found = _over_days(by_day, lambda c: summary(c, points), last)
    rows = [(name, *found[name]) for name in names]
    frame = pd.DataFrame(rows, columns=["figure", "value", "lower", "upper", "n"])
    frame.insert(1, "title", [metric(name).title for name in names])
    score = view.probability(points)
    says = (
        f"{_whose(view, first, last)}, at the threshold {score:.3f}. {_labelled(by_day.values())}"
    )
    return Figures(
        says,
        frame,
        (*asked.notes(), *_late(view, last), *_partly(view), *_others(view, first, last)),
        score,
    )


def period(asked: Asked, first, last, days: int) -> tuple[date, date]:
    "Days from first to last, else the last so many whose labels are in, else the last of all."
    days = number_of(days, "days")
    if first is not None or last is not None:
        return asked.span(first, last)
    through = asked.view.other_thresholds.through
    return asked.inside(days_from(through, 1 - days), through)


def curves(
    asked: Asked,
    by: str | None,
    first: date | str | None,
    last: date | str | None,
    days: int,
    most: int,
) -> Curves:
    "Rates at every threshold, over the same days: of all events, or of the largest groups."
    if by is not None and by not in GROUPS:
        raise StoreError(f"by={by!r} is not known{nearest(str(by), GROUPS)}")
    view, (first, last) = asked.view, period(asked, first, last, days)
    most = number_of(most, "most")
    apart = _groups(view, by, first, last)
    if not apart:
        says = f"{_whose(view, first, last)}: no {by} was logged, so nothing stands apart."
        return Curves(says, pd.DataFrame(columns=["name"]), asked.notes(), _no_areas(), by)
    named = sorted(apart, key=lambda name: (-_events(apart[name]), name))
    shown_of = {name: apart[name] for name in named[:most]}
    areas = pd.DataFrame([_areas(name, of, last) for name, of in shown_of.items()])
    frame = pd.concat([_rates(name, of) for name, of in shown_of.items()], ignore_index=True)
    notes = [*asked.notes(), *_late(view, last), *_partly(view)]
    if by != "version":
        notes += _others(view, first, last)
    if len(named) > most:
        notes.append(f"The {most} largest of {len(named)} {by}s are shown.")
    told = f"{_whose(view, first, last, by == 'version')}{f', by {by}' if by else ''}"
    says = f"{told}. {_labelled(c for of in apart.values() for c in of.values())}"
    return Curves(says, frame, tuple(notes), areas, by)


def _groups(view, by, first, last) -> Mapping[str, Mapping[date, ScoreCounts]]:
    "Name -> counts by day."
    reader, named = view.reader, (view.model, first, last)
    if by is None:
        return {"all events": view.counts(first, last)}
    if by == "version":
        versions = reader.versions_scored(*named, view.as_of)
        return {v: reader.score_counts(*named, version=v, as_of=view.as_of) for v in versions}
    read = {"site": reader.segment_counts_by_day, "tenant": reader.tenant_counts_by_day}[by]
    found = read(*named, version=view.version, as_of=view.as_of)
    return {name.removeprefix("site="): of for name, of in found.items()}


def _events(by_day):
    return sum(counts.total[0] for counts in by_day.values())


def _over_days(by_day, figures, last):
    "Figures with intervals from drawing days; the same log gives the same interval."
    return over_days_bootstrap(by_day.values(), figures, np.random.default_rng(last.toordinal()))


def _areas(name, by_day, last) -> dict:
    n, labelled, positive = total(by_day.values()).total
    told = {"name": name, "events": n, "labelled": labelled, "positive": positive}
    found = _over_days(by_day, lambda c: {area: of(c) for area, of in _AREAS.items()}, last)
    for area, figure in found.items():
        told |= {area: figure.value, f"{area}_lower": figure.lower, f"{area}_upper": figure.upper}
    return told


def _no_areas():
    return pd.DataFrame(columns=list(_areas("", {}, date(2000, 1, 1))))


def _rates(name, by_day) -> pd.DataFrame:
    counts = total(by_day.values())
    of: Curve = curve(counts)
    return pd.DataFrame(
        {
            "name": name,
            "threshold": counts.grid.inverse(of.thresholds),
            "alerts": of.alerts,
            "precision": of.precision,
            "recall": of.recall,
            "fpr": of.fpr,
        }
    )


def _whose(view, first, last, every: bool = False):
    version = "" if every else f" {view.version}"
    return (
        f"{view.model}{version}, {first} to {last}"
        if first < last
        else f"{view.model}{version}, {first}"
    )


def _labelled(counts: Iterable[ScoreCounts]) -> str:
    "How many events there are, and what is known of them; of whatever grids."
    n, labelled, positive = np.sum([(0, 0, 0), *(of.total for of in counts)], axis=0)
    if not n:
        return "No event of it was scored on these days."
    if not labelled:
        return f"{n:,} events, none with a label yet: what needs one is unknown."
    share = positive / labelled
    return f"{n:,} events, {labelled:,} labelled, {positive:,} of them positive ({share:.1%})."


def _late(view, last):
    "That labels are not known to be in, and why."
    complete = view.complete_days
    if complete.newest is None:
        why = complete.why_none
        yield f"Labels of these days are not known to be in: {why.rstrip('.')}."
    elif last > complete.newest:
        yield f"Labels are known to be in up to {complete.newest}: later figures may change."


def _partly(view):
    "What labels of the called alone leave unknown."
    if view.selective.says:
        yield view.selective.says


def _others(view, first, last):
    "That other versions scored on these days, too."
    others = [
        v
        for v in view.reader.versions_scored(view.model, first, last, view.as_of)
        if v != view.version
    ]
    if others:
        yield f"Events that other versions scored are left out: {', '.join(others)}."
