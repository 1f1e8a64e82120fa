"""What another threshold would have done, as a page shows it: the figures of the commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from ...log.dial import Scope
from ...log.errors import StoreError
from ...render.vocabulary import metric
from ...watch.threshold_changes import (
    FIGURES,
    as_threshold,
    change_evidence,
    in_force,
)
from ...watch.view import View
from ..answers import require_model
from ..desk import Desk, Snapshot
from ..ids import ThresholdId
from ..problems import Problem
from .words import limits, number

__all__ = ["Compared", "Row", "compared", "figures"]

COUNTS = ("alerts", "tp", "fp", "fn", "tn")


@dataclass(frozen=True)
class Row:
    "A figure of two thresholds, in words; `difference` is empty where none is known."

    title: str
    before: str
    after: str
    difference: str = ""


@dataclass(frozen=True)
class Compared:
    "A threshold beside the one in force."

    named: ThresholdId
    points: int
    score: float
    seen: int  # points in force
    seen_score: float
    rows: tuple[Row, ...]
    days: str  # of which days the figures are
    says: str
    back: bool = False  # whether the threshold is the one before

    @property
    def whose(self) -> Mapping[str, str | None]:
        "The tenant and the site."
        return {"tenant": self.named.tenant, "site": self.named.site}


def compared(
    snapshot: Snapshot, desk: Desk, model: str, scope: Scope | None, score: float | None
) -> Compared:
    """A threshold (a score; None: the one before) of a model beside the one in force. Problem 404
    or 422 where there is no such model or threshold."""
    require_model(snapshot, model)
    with snapshot.view(model, desk.now(), desk.settings) as view:
        stands = in_force(view, scope)
        points = _before(view, scope) if score is None else _points(view, score)
        told = _of_scope(view, scope, stands, points) if scope else _of_all(view, points)
        at = lambda p: float(view.probability(p))
        named = ThresholdId(view.model, view.version, *(scope or ()))
        return Compared(named, points, at(points), stands, at(stands), *told, back=score is None)


def _points(view: View, score: float) -> int:
    try:
        return as_threshold(view, score)
    except StoreError as error:
        raise Problem(422, str(error)) from None


def _before(view: View, scope: Scope | None) -> int:
    "The threshold (points) before the latest change."
    latest = view.reader.latest_change(view.model, view.version, scope)
    if latest is None or scope is None and latest.old is None:
        raise Problem(409, "there is nothing to put back: this threshold was never changed.")
    return view.threshold if latest.old is None else latest.old


def _of_all(view: View, points: int):
    "By replay, as `thresholds simulate` does it."
    others = view.other_thresholds
    result, unseen = others.simulate(points), view.selective
    record = result.record
    names = [*FIGURES, *(name for name in COUNTS if name in record)]
    told = (result.recommendation, unseen.of_candidate(points), unseen.says)
    days = _days(others.days_replayed, others.first, others.through, others.complete)
    return tuple(_row(name, record[name]) for name in names), days, " ".join(filter(None, told))


def _row(name, of):
    digits = 0 if name in COUNTS else 3
    change = number(of.difference.value, digits, "+")
    if not isnan(of.difference.lower):
        ends = (number(x, digits, "+") for x in of.difference[1:3])
        change += f" ({' to '.join(ends)})"
    return Row(
        metric(name).title, _figure(of.current, digits), _figure(of.candidate, digits), change
    )


def _figure(of, digits):
    value, lower, upper = of[:3]
    shown = number(value, digits)
    if isnan(value) or isnan(lower) or not digits:
        return shown
    return f"{shown} ({number(lower, digits)} to {number(upper, digits)})"


def _of_scope(view: View, scope: Scope, stands: int, points: int):
    "As the trail will keep it, of the events of a tenant or a site."
    told = change_evidence(view, scope, stands, points)
    days = _days(told["days"], told["first"], told["last"], told["labels_in"])
    return tuple(figures(told)), days, ""


def figures(evidence: Mapping[str, Any]) -> list[Row]:
    "What a change did by what the trail keeps of it; none where it keeps nothing."
    both = evidence.get("before", {}), evidence.get("after", {})
    pairs = [(name, *(of.get(name) for of in both)) for name in FIGURES]
    return [
        Row(metric(name).title, limits(before), limits(after))
        for name, before, after in pairs
        if before and after
    ]


def _days(days, first, last, labels_in):
    if not days:
        return "There was no event to try it on."
    known = "whose labels are in" if labels_in else "whose labels are not known to be in"
    count = f"{days} day" + ("" if days == 1 else "s")
    return f"Over {count} from {first} to {last}, {known}."
