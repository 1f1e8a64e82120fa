"""Every threshold of the replayed days, as counts over which a page moves without a server.

A page that is opened from a folder can ask nobody. So the counts travel inside it, in cells whose
edges are thresholds: what lies at or above an edge is exact, and every figure at it is the one that
`stats.performance.confusion` gives there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..log.columns import DEFAULTS
from ..log.dial import Scope, threshold_of
from ..stats.choosing import Choice, MinCost
from ..stats.control import Controlled
from ..stats.counts import ScoreCounts
from ..stats.points import Grid, as_points
from .view import View
from .words import number

__all__ = [
    "POSITIONS",
    "SEGMENTS",
    "Band",
    "Part",
    "costs_of",
    "cut_at",
    "flat_of",
    "of_all",
    "of_each",
    "of_segments",
    "packed",
    "parts_of",
    "promise_of",
    "stops_of",
]

POSITIONS = 2_000
"How many thresholds a slider has at most, but for those that have a name."

SEGMENTS = 500
"Of how many tenants and sites counts are given, the largest first."


class Band(NamedTuple):
    "A sentence about thresholds (points) from `low` to `high`; about none, or up to the highest."

    says: str
    low: int | None
    high: int | None
    inside: str  # what is said of a threshold among them, behind its score
    outside: str


def costs_of(view: View) -> tuple[MinCost | None, str]:
    """What mistakes cost, in false alerts, and whence that is known; None where nothing says it.

    As `retrain_miss_cost` has it, else as the threshold in force implies: to call from p on is
    right where a missed positive costs (1 - p) / p false alerts (Elkan 2001), if scores are
    calibrated.
    """
    told = view.settings.retrain_miss_cost
    if told is not None:
        return MinCost(told, 1.0), "as `retrain_miss_cost` has it"
    if view.grid.kind != "logit":
        return None, ""
    p = view.probability(view.threshold)
    implied = float(f"{(1 - p) / p:.3g}")
    return MinCost(implied, 1.0), "which is what the threshold in force says of calibrated scores"


def flat_of(choice: Choice, whence: str) -> Band:
    "What the days cannot tell from the cheapest threshold, and at which costs."
    missed = f"{choice.goal.missed:,.3g} false alert{'' if choice.goal.missed == 1 else 's'}"
    says = f"A missed positive is taken to cost {missed}, {whence}: {choice.says}."
    return Band(says, *(choice.flat or (None, None)), "is one of these", "is none of these")


def promise_of(kept: Controlled) -> Band:
    "Where what is promised of tickets would hold for every alert; nowhere before that is known."
    says = f"What is promised of tickets, asked of all alerts: {kept.says}."
    low = kept.threshold if kept.confidence is not None else None
    return Band(says, low, None, "is at or above that", "is below that")


def packed(counts: ScoreCounts, marks: Iterable[int] = (), most: int = POSITIONS) -> dict:
    """Counts as JSON values, cut at thresholds: multiples of a step, and some marks (points).

    The step is that of the grid times the smallest of 1, 2, 5, 10 ... with which at most `most`
    of them lie between the lowest and the highest score or mark. `edges` are steps from one cell
    that holds events to the next, `low` and `high` multiples around all of them and the marks.
    """
    marks = np.unique(np.asarray(list(marks), dtype=np.int64))
    marks = np.unique(counts.grid.cells(as_points(marks, counts.grid.kind)))
    ends = np.concatenate([counts.points, marks])
    low, high = (int(ends.min()), int(ends.max())) if len(ends) else (0, 0)
    step = _step(high - low, counts.grid.step, most)
    cut = cut_at(counts, step, marks)
    return {
        "step": step,
        "low": low // step * step,
        "high": (high // step + 1) * step,  # where nobody is called
        "marks": marks.tolist(),
        "edges": np.diff(cut.points, prepend=0).tolist(),
        "n": cut.n.tolist(),
        "unlabelled": (cut.n - cut.n_labelled).tolist(),
        "positive": cut.n_positive.tolist(),
    }


def _step(span, least, most):
    "The smallest of 1, 2, 5, 10 ... times `least` that cuts a span into at most `most`."
    tens = 1
    while True:
        for times in (1, 2, 5):
            if span <= least * times * tens * most:
                return least * times * tens
        tens *= 10


def stops_of(part: Mapping) -> np.ndarray:
    "Thresholds (points, ascending) at which a slider over packed counts stops."
    every = np.arange(part["low"], part["high"] + 1, part["step"])
    return np.union1d(every, np.asarray(part["marks"], dtype=np.int64))


def cut_at(counts: ScoreCounts, step: int, marks: Sequence[int] = ()) -> ScoreCounts:
    "Counts in cells that begin at multiples of a step and at marks (points, ascending)."
    edges = counts.points // step * step
    if len(marks):
        place = np.searchsorted(marks, counts.points, side="right") - 1
        last = np.where(place >= 0, np.asarray(marks)[place], edges)
        edges = np.maximum(edges, last)
    return ScoreCounts.of(edges, *counts.columns, Grid(counts.grid.kind))


def of_all(view: View) -> dict:
    """The replayed days of a view, all events together, as JSON values: with what they cannot tell
    from the cheapest threshold, and from where on what is promised of tickets would hold."""
    others, settings = view.other_thresholds, view.settings
    goal, whence = costs_of(view)
    choice = others.choose(goal) if goal else None
    flat = flat_of(choice, whence) if choice else None
    target = settings.false_ticket_share, settings.false_ticket_confidence
    promise = promise_of(others.control("fdr", *target))
    best = [others.candidate] if others.candidate is not None else []
    ends = [end for band in (flat, promise) if band for end in (band.low, band.high)]
    ends = [at for at in (choice and choice.threshold, *ends) if at is not None]
    part = {"name": "all events", "inForce": view.threshold, "says": ""}
    return _shared(view) | {
        "marks": [{"name": "best F1", "points": at} for at in best],
        "flat": flat and flat._asdict(),
        "promise": promise._asdict(),
        "costs": goal and {name: getattr(goal, name) for name in ("missed", "false", "review")},
        "parts": [part | packed(others.counts, [view.threshold, *best, *ends])],
    }


def _shared(view):
    "What every table of counts has in common."
    others = view.other_thresholds
    return {
        "model": view.model,
        "version": view.version,
        "kind": view.grid.kind,
        "days": others.days_replayed,
        "says": _of_which_days(view),
    }


def _of_which_days(view):
    "Of which days and labels the figures speak."
    others, (n, labelled, _) = view.other_thresholds, view.other_thresholds.counts.total
    days = f"{n:,} events of the {others.days_replayed} days to {others.through:%-d %B %Y}"
    unknown = (
        f" {n - labelled:,} of them have no label and are no negatives: rates leave them out."
        if labelled < n
        else ""
    )
    if others.complete:
        return f"{days}, whose labels are in.{unknown}"
    why = view.complete_days.why_none or "no day of this version is complete for labels yet"
    return (
        f"{days}; labels are not known to be in: {why}. Labels that came early are no fair "
        f"sample.{unknown}"
    )


class Part(NamedTuple):
    "A tenant or a site with its counts, and the threshold (points) that is in force there."

    name: str
    tenant: str | None  # None where it is the usual one, and there is no other
    site: str | None
    threshold: int
    its_own: bool  # whether the threshold was set for this part
    counts: ScoreCounts

    @property
    def edge(self) -> int:
        "Where the cell of the threshold begins: its figures are given there."
        return int(self.counts.grid.cells(self.threshold))


def parts_of(view: View) -> list[Part]:
    """Tenants, where there are several, and the sites of each, over the replayed days; the largest
    first. Empty where there is but one of each.

    A threshold of its own is that of the site, else of its tenant.
    """
    tables = _tables(view)
    if len(tables) < 2:
        return []
    own = view.reader.own_thresholds(view.model, view.version, view.stood_at)
    several = len({tenant for tenant, _ in tables}) > 1
    return [_part(view, scope, several, counts, own) for scope, counts in tables.items()]


def _tables(view) -> dict[Scope, ScoreCounts]:
    others = view.other_thresholds
    days = view.model, others.first, others.through
    known = {"version": view.version, "as_of": view.as_of}
    tenants = view.tenants_between(*days[1:])
    of_tenants = view.reader.tenant_counts(*days, **known) if len(tenants) > 1 else {}
    found = {(tenant, None): counts for tenant, counts in of_tenants.items()}
    for tenant in tenants:
        sites = view.reader.segment_counts(*days, **known, tenant=tenant)
        found |= {(tenant, name.partition("=")[2]): counts for name, counts in sites.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].total[0]))


def _part(view, scope, several, counts, own: Mapping[Scope, int]) -> Part:
    (tenant, site), chosen = scope, threshold_of(own, *scope)
    name = f"tenant {tenant}" if site is None else f"site {site}"
    if several and site is not None:
        name += f" of tenant {tenant}"
    threshold = view.threshold if chosen is None else chosen
    named = tenant if several or tenant != DEFAULTS["predictions"]["tenant"] else None
    return Part(name, named, site, threshold, chosen is not None, counts)


def of_segments(view: View, parts: Sequence[Part]) -> dict:
    """Parts of a view as JSON values, the first `SEGMENTS` of them.

    Their counts stand on a coarser grid: a threshold that is none of its edges is shown at the edge
    below it.
    """
    kept = parts[:SEGMENTS]
    most = max(200, 40_000 // max(1, len(kept)))  # positions of all together bound the page
    return _shared(view) | {
        "marks": [],
        "parts": [_told(view, part) | packed(part.counts, [part.edge], most) for part in kept],
    }


def of_each(view: View, parts: Sequence[Part]) -> dict:
    "All events of a view, and parts of it beside them, as JSON values."
    whole, beside = of_all(view), of_segments(view, parts)
    told = {"named": whole["marks"], "flat": whole["flat"], "promise": whole["promise"]}
    first = whole["parts"][0] | told  # what is told of all events is told of no part of them
    nothing = {"marks": [], "flat": None, "promise": None}
    return whole | nothing | {"parts": [first, *beside["parts"]]}


def _told(view, part):
    "What is said of a part, and which threshold is in force there."
    whose = "a threshold of its own" if part.its_own else "the threshold of the version"
    says = f"In force is {whose}, {number(view.probability(part.threshold))}"
    if part.edge != part.threshold:
        at = number(view.probability(part.edge))
        says += f"; its figures are those at {at}, where the cell of the counts begins"
    named = {"name": part.name, "tenant": part.tenant, "site": part.site}
    return named | {"inForce": part.edge, "says": f"{says}."}
