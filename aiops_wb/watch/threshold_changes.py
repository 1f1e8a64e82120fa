"""A threshold changes: what it did and what it would have done, who proposed it and who said so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isnan
from typing import Any
from zoneinfo import ZoneInfo

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import Scope, subject_of, threshold_of
from ..log.errors import StoreError
from ..log.proposals import Proposal, ThresholdChange, is_same_person
from ..log.store import Store
from ..stats.points import PER_UNIT, Grid, as_points
from ..stats.thresholds import simulate
from .other_thresholds import DAYS
from .threshold_promises import (
    Bound,
    as_evidence,
    end_bounds,
    issue_bound,
    of_evidence,
    promised,
)
from .view import View

__all__ = [
    "FIGURES",
    "Changed",
    "Standing",
    "approve",
    "as_threshold",
    "change_evidence",
    "in_force",
    "newest_view",
    "overtaken",
    "propose",
    "roll_back",
    "set_threshold",
    "standing",
    "whose",
]

FIGURES = ("alerts_per_day", "fpr", "fdr", "precision", "recall")
"What is kept of a threshold before and after a change, each with its interval."


def newest_view(reader: Reader, model: str, now: datetime, settings: Settings) -> View:
    "The view of a model's newest day that is not ahead of a time; StoreError without any."
    days = reader.days(reader.require_model(model))
    if not days:
        raise StoreError(f"{model} has no predictions yet.")
    today = now.astimezone(ZoneInfo(reader.timezone)).date()
    newest = max((d for d in days if d <= today), default=days[-1])
    return View(reader, model, newest, None, settings)


def as_threshold(view: View, score: float) -> int:
    "A score as points of a view's grid; StoreError where it is none."
    try:
        score = float(score)
    except (TypeError, ValueError):
        raise StoreError(f"threshold is {score!r}: a score such as 0.7 is needed.") from None
    try:
        points = int(view.grid.quantise(score))
    except ValueError as error:
        raise StoreError(f"threshold: {error}") from None
    most = view.grid.limit / PER_UNIT
    if view.grid.kind == "linear" and abs(score) > most:
        raise StoreError(f"threshold {score:g} lies outside of {-most:g} to {most:g}.")
    return points


def in_force(view: View, scope: Scope | None) -> int:
    "The threshold (points) of a version, or of a tenant or site of it, as a view knows it."
    known = view.reader.own_thresholds(view.model, view.version) if scope else {}
    own = threshold_of(known, *scope) if scope else None
    return view.threshold if own is None else own


def whose(scope: Scope | None) -> str:
    "Of which tenant or site a threshold is, in words; empty for that of the version."
    if scope is None:
        return ""
    tenant, site = scope
    return f"tenant {tenant}" if site is None else f"site {site} of tenant {tenant}"


def change_evidence(view: View, scope: Scope | None, before: int, after: int) -> dict[str, Any]:
    """What two thresholds (points) do, as the trail keeps it: figures with intervals, days as
    blocks, over the last 30 days whose labels are in (the last of all where none are known to be).
    """
    others, before, after = view.other_thresholds, as_points(before), as_points(after)
    first = others.through - timedelta(DAYS - 1)
    days = _counts(view, scope, first, others.through)
    told = {
        "first": str(first),
        "last": str(others.through),
        "days": len(days),
        "labels_in": others.complete,
        "before": {"points": int(before)},
        "after": {"points": int(after)},
    }
    if days:
        grid = next(iter(days.values())).grid
        cells = (int(grid.cells(at)) for at in (after, before))
        record = simulate(days, *cells).record
        known = {name: record[name] for name in FIGURES}
        told["before"] |= {name: _plain(figures.current) for name, figures in known.items()}
        told["after"] |= {name: _plain(figures.candidate) for name, figures in known.items()}
    return told


def _counts(view, scope, first, last):
    if scope is None:
        return {d: c for d, c in view.counts(first, last).items() if c.total[0]}
    tenant, site = scope
    segment = {} if site is None else {"segment": f"site={site}"}
    named = {"version": view.version, "tenant": tenant, "as_of": view.as_of}
    days = view.reader.score_counts(view.model, first, last, **named, **segment)
    return {d: c for d, c in days.items() if c.total[0]}


def _plain(figure):
    "Value and limits; None where they are not known."
    return [None if isnan(x) else round(float(x), 6) for x in figure[:3]]


@dataclass(frozen=True)
class Changed:
    "A threshold that was changed, or had been by the same act before."

    view: View
    scope: Scope | None
    before: int
    after: int
    again: bool = False  # nothing was written: the same act was given before
    promise: str = ""  # what is promised of the threshold from now on
    ended: tuple[str, ...] = ()  # what was promised of the one before


def set_threshold(
    store: Store,
    now: datetime,
    who: str,
    view: View,
    scope: Scope | None,
    points: int,
    why: str,
    bound: Bound | None = None,
) -> Changed:
    """Change the threshold (points) of a version, or of a tenant or site, and keep what it did
    before and would do now; with a bound that is promised of it. StoreError where two people are
    needed, or the bound cannot be promised."""
    points, before = int(as_points(points, view.grid.kind)), in_force(view, scope)
    if view.settings.threshold_four_eyes:
        raise StoreError(
            "threshold_four_eyes is set, so that nobody changes a threshold alone: 'aiops-wb "
            "thresholds propose' it, and somebody else approves it."
        )
    found = _carried(view, scope, points, bound)
    evidence = change_evidence(view, scope, before, points)
    change, rows = (now, who, view.model, view.version), store.audit_head()[0]
    with store.transaction():  # a change without what was promised of it is half an act
        if scope is None:
            store.set_threshold(*change, points, why, evidence, logged=view.threshold)
        else:
            store.set_own_threshold(*change, scope, points, why, evidence)
        changed = _changed(store, view, scope, before, rows)
        return _with_promise(store, now, changed, bound, found)


def _carried(view, scope, points, bound):
    "What carries a bound of a threshold; None where none is asked for."
    if bound is None:
        return None
    if scope is not None:
        raise StoreError(
            f"a promise is made of the threshold of all events: {whose(scope)} has none."
        )
    if own := view.reader.own_thresholds(view.model, view.version):
        raise StoreError(
            f"{bound.risk} of at most {bound.target:g} is not promised: not all events are called "
            f"by the threshold of {view.version}, {whose(next(iter(own)))} has one of its own."
        )
    return promised(view, bound, points)


def _with_promise(store, now, changed, bound=None, found=None):
    "A change with what is promised of it and no longer is; one that was given again has it once."
    if changed.scope is not None:
        return changed
    of = store, now, changed.view, changed.after
    says = issue_bound(*of, bound, found) if bound else ""
    return replace(changed, promise=says, ended=end_bounds(*of))


def roll_back(
    store: Store, now: datetime, who: str, view: View, scope: Scope | None, why: str
) -> Changed:
    "Put back the threshold before the latest change; one person may, also where two are needed."
    before, subject = in_force(view, scope), subject_of(view.model, view.version, scope)
    latest = store.latest_change(view.model, view.version, scope)
    if latest is None and scope is not None:
        raise StoreError(f"there is nothing to roll back: {whose(scope)} never had a threshold.")
    old = view.threshold if latest and latest.old is None else latest and latest.old
    back = before if old is None else old
    evidence = change_evidence(view, scope, before, back)
    rows = store.audit_head()[0]
    with store.transaction():
        store.roll_back(now, who, "threshold", subject, why, evidence)
        return _with_promise(store, now, _changed(store, view, scope, before, rows))


def _changed(store, view, scope, before, rows):
    "What stands now, where the trail had so many rows before."
    fresh = View(store, view.model, view.day, None, view.settings)
    again = store.audit_head()[0] == rows
    return Changed(fresh, scope, before, in_force(fresh, scope), again)


def propose(
    store: Store,
    now: datetime,
    who: str,
    view: View,
    scope: Scope | None,
    points: int,
    why: str,
    more: Mapping[str, Any] | None = None,
    bound: Bound | None = None,
) -> Proposal:
    """Propose a threshold (points), with what it would do beside the one in force; nothing changes.
    A bound is promised when it is approved: StoreError where it could not be promised now."""
    points, before = int(as_points(points, view.grid.kind)), in_force(view, scope)
    _carried(view, scope, points, bound)
    evidence = change_evidence(view, scope, before, points) | dict(more or {}) | as_evidence(bound)
    named = view.model, view.version, scope
    return store.proposal(store.propose_threshold(now, who, *named, points, before, why, evidence))


def overtaken(view: View, of: Proposal) -> str:
    "Why an open proposal no longer fits; empty where it does."
    if of.version != view.version:
        return f"it is of {of.version}, and {view.version} decides now"
    stands = in_force(view, of.scope)
    if stands != of.instead_of:
        was, now = view.probability(of.instead_of), view.probability(stands)
        return f"the threshold was {was:.3f} when it was made and is {now:.3f} now"
    return ""


def approve(
    store: Store, now: datetime, who: str, key: str, why: str, settings: Settings
) -> Changed:
    """Put a proposal into force. The same person's approval for the same reason is not a further
    one. StoreError where it is not open, was overtaken, or another person has to approve it."""
    of = store.proposal(key)
    view = newest_view(store, of.model, now, settings)
    if (of.state, of.decided_by, of.decided_why) == ("approved", who, why):
        again = Changed(view, of.scope, of.instead_of, of.points, again=True)
        bound = of_evidence(of.evidence) if in_force(view, of.scope) == of.points else None
        found = _carried(view, of.scope, of.points, bound)
        return _with_promise(store, now, again, bound, found)
    if of.state != "open":
        raise StoreError(f"{key} is not open: it was {of.decided}.")
    if settings.threshold_four_eyes and is_same_person(of.who, who):
        raise StoreError(
            f"{key} was proposed by {of.who}: threshold_four_eyes asks for another to approve it."
        )
    if gone := overtaken(view, of):
        raise StoreError(f"{key} was overtaken: {gone}. Reject it, and propose another.")
    bound = of_evidence(of.evidence)
    found = _carried(view, of.scope, of.points, bound)
    evidence = change_evidence(view, of.scope, of.instead_of, of.points)
    rows = store.audit_head()[0]
    with store.transaction():
        store.approve_threshold(now, who, key, why, evidence)
        changed = _changed(store, view, of.scope, of.instead_of, rows)
        return _with_promise(store, now, changed, bound, found)


@dataclass(frozen=True)
class Standing:
    "A threshold in force: since when, by whom, how often it calls, and what is proposed instead."

    model: str
    version: str
    scope: Scope | None
    points: int
    grid: Grid
    dial_on: bool
    change: ThresholdChange | None  # None: as logged with the predictions
    proposals: tuple[tuple[Proposal, str], ...] = ()  # each with why it was overtaken

    @property
    def score(self) -> float:
        "The threshold as a score."
        return float(self.grid.inverse(self.points))


def standing(reader: Reader, model: str, now: datetime, settings: Settings) -> list[Standing]:
    """The thresholds in force of a model: of the version that decides (else of the newest that
    scored), then of tenants and sites."""
    try:
        view = newest_view(reader, model, now, settings)
    except StoreError:  # registered, and nothing scored yet
        return _registered(reader, model)
    scopes = [None, *reader.own_thresholds(model, view.version)]
    open_ones = [p for p in reader.proposals(model) if p.state == "open"]
    scopes += sorted({p.scope for p in open_ones} - {*scopes}, key=str)
    return [_standing(view, scope, open_ones) for scope in scopes]


def _standing(view, scope, open_ones):
    named = view.model, view.version, scope
    own = [(p, overtaken(view, p)) for p in open_ones if p.scope == scope]
    change = view.reader.latest_change(*named)
    return Standing(*named, in_force(view, scope), view.grid, view.dial.on, change, tuple(own))


def _registered(reader, model):
    "Of a model without predictions."
    versions = reader.versions(model)
    version = reader.active_version(model) or next(iter(versions.version), None)
    points = version and reader.threshold(model, version)
    if points is None:
        return []
    grid = Grid.parse(reader.version(model, version).grid)
    change = reader.latest_change(model, version, None)
    return [Standing(model, version, None, points, grid, reader.dial(model).on, change)]
