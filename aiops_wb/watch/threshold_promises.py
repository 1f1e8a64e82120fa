"""What is promised of a threshold when it is changed: held against its back-test, and recorded."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import inf
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ..log.errors import StoreError
from ..log.promises import Promise
from ..log.store import Store
from ..stats.control import Controlled
from ..stats.points import as_points
from .view import View

__all__ = ["Bound", "as_evidence", "end_bounds", "issue_bound", "of_evidence", "promised"]

RISKS = ("fpr", "fdr", "alerts")


class Bound(NamedTuple):
    "A risk that is to stay at most at a target, with a confidence, on a day or in a week to come."

    risk: str  # fpr, fdr (rates) or alerts (a day)
    target: float
    confidence: float = 0.9

    @classmethod
    def parse(cls, text: str, confidence: float = 0.9) -> "Bound":
        "Such as fpr=0.1 or alerts=100; StoreError where it is none."
        risk, equals, target = text.partition("=")
        allowed = f"{text!r} is no bound: write {', '.join(RISKS)} with a number, such as fpr=0.1."
        if not equals or risk not in RISKS:
            raise StoreError(allowed)
        try:
            bound = cls(risk, float(target), confidence)
        except ValueError:
            raise StoreError(allowed) from None
        in_range = 0 <= bound.target < (inf if risk == "alerts" else 1)
        in_range = in_range and (risk == "alerts" or bound.target > 0)
        if not in_range or not 0 < confidence < 1:
            raise StoreError(
                f"{text!r} with confidence {confidence:g} is no bound: a rate and a confidence lie "
                "between 0 and 1, alerts are a number of at least 0."
            )
        return bound

    @property
    def unit(self) -> str:
        "Alerts are promised of days, rates of weeks."
        return "day" if self.risk == "alerts" else "week"


def promised(view: View, bound: Bound, points: int) -> Controlled:
    """What can be promised of a threshold (points) of the version that decides. StoreError where
    its past does not carry the bound, or nobody can know."""
    points = as_points(points, view.grid.kind)
    found = view.other_thresholds.control(*bound, bound.unit)
    if found.threshold is not None and points < found.threshold:
        raise StoreError(
            f"{bound.risk} of at most {bound.target:g} could be promised from "
            f"{view.probability(found.threshold):.3f} ({found.threshold} points) on, not from "
            f"{view.probability(points):.3f}."
        )
    if found.threshold is None or found.confidence is None:
        raise StoreError(
            f"{bound.risk} of at most {bound.target:g} cannot be promised yet: {found.says}."
        )
    return found


def issue_bound(
    store: Store, now: datetime, view: View, points: int, bound: Bound, found: Controlled
) -> str:
    """Record what is promised of a threshold (points) from tomorrow on, for the ledger to score;
    returns the promise in words."""
    points = as_points(points, view.grid.kind)
    score = view.probability(points)
    says = f"from {score:.3g} on {found.promise}"
    named = view.model, view.version, bound.risk, bound.target, found.confidence, bound.unit
    store.issue_promise(now, Promise(*named, _tomorrow(store, now), says, int(points)))
    return says


def end_bounds(store: Store, now: datetime, view: View, points: int) -> tuple[str, ...]:
    """Record that what was promised of other thresholds of a version than this one (points) ends
    with today; returns what it said."""
    points, ended = as_points(points, view.grid.kind), []
    for risk in RISKS:
        asked = Promise(view.model, view.version, risk, None, None, "day", now.date(), "")
        _, stood = store.standing_promise(asked) or (None, None)
        if stood and stood.target is not None and stood.threshold != points:
            last = stood._replace(starts=_tomorrow(store, now))
            store.withdraw_promise(now, last, "the threshold was changed")
            ended.append(stood.says)
    return tuple(ended)


def _tomorrow(store, now):
    return now.astimezone(ZoneInfo(store.timezone)).date() + timedelta(1)


def as_evidence(bound: Bound | None) -> dict[str, Any]:
    "How a proposal keeps the bound that it is to be put into force with."
    return {"promise": bound._asdict()} if bound else {}


def of_evidence(evidence: Mapping[str, Any]) -> Bound | None:
    "The bound that a proposal keeps."
    return Bound(**evidence["promise"]) if "promise" in evidence else None
