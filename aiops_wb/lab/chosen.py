"""What an explorer moves over: the replayed days of a model, all events and parts of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from ..cli.call import Call
from ..log.catalog import Reader, open_snapshot
from ..log.columns import DEFAULTS
from ..log.errors import StoreError
from ..log.names import nearest
from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from ..stats.thresholds import Simulation, simulate
from ..watch.slider import SEGMENTS, of_each, parts_of, stops_of
from ..watch.threshold_changes import newest_view
from ..watch.view import View

__all__ = ["Chosen", "Segment", "choose"]


@dataclass(frozen=True, eq=False)
class Segment:
    "All events, or those of a tenant or site: their counts, and where a slider over them stops."

    name: str
    tenant: str | None
    site: str | None
    threshold: int  # points, in force
    edge: int  # points: at which its figures are given
    says: str = field(repr=False)
    counts: ScoreCounts = field(repr=False)
    stops: np.ndarray = field(repr=False)  # (k,) points, ascending

    def nearest(self, points: int) -> int:
        "The stop that is nearest to some points; the lower one of two."
        return int(self.stops[np.abs(self.stops - points).argmin()])


@dataclass(frozen=True, eq=False)
class Chosen:
    "One model's replayed days, read once: nothing of the log stays open."

    model: str
    version: str
    grid: Grid
    days: int
    tenants: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)  # as the slider takes it
    segments: Mapping[str, Segment] = field(repr=False)  # by name, all events first

    def segment(self, name: str) -> Segment:
        "A segment by its name; StoreError, with the nearest, for one that there is not."
        if name not in self.segments:
            of = f"the events of {self.model} {self.version} in these days"
            raise StoreError(f"{name!r} is no segment of {of}{nearest(name, self.segments)}")
        return self.segments[name]

    def of(self, tenant: str | None, site: str | None) -> Segment:
        "That of a tenant or a site, all events without either; StoreError where there is none."
        whole, *parts = self.segments.values()
        if site is None and (tenant is None or self.tenants == (tenant,)):
            return whole
        usual = DEFAULTS["predictions"]["tenant"]
        asked = tenant or usual, site
        for segment in parts:
            if asked == (segment.tenant or usual, segment.site):
                return segment
        kind, name = ("tenant", tenant) if site is None else ("site", site)
        names = {getattr(part, kind) for part in parts} - {None}
        known = f"{kind} {name!r} is none of those that stand apart in these days"
        raise StoreError(known + nearest(name, names))

    def simulate(self, name: str, points: int) -> Simulation:
        "What a threshold (points) would have done in a segment, beside the one in force."
        of = self.segments[name]
        return simulate(of.counts, points, of.edge, self.days)


def choose(call: Call, model: str | None = None, as_of: datetime | None = None) -> Chosen:
    "The replayed days of a model, of the only one where none is named; StoreError without it."
    folder = call.settings.data
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder.absolute()}: name the data folder of a log.")
    with open_snapshot(folder) as reader:
        return _chosen(_view(reader, _known(reader, model), as_of, call))


def _known(reader: Reader, model):
    "The name of a model of the log."
    known = reader.models()
    if model is None and len(known) == 1:
        return known[0]
    if model is None and known:
        raise StoreError(f"there are {len(known)} models: name one of {', '.join(known)}.")
    if model in known or not known:
        return reader.require_model(model or "")
    raise StoreError(f"model {model!r} is not known{nearest(model, known)}")


def _view(reader, model, as_of, call) -> View:
    "The newest view of a model that is not ahead of the clock, or the newest as of a time."
    if as_of is None:
        return newest_view(reader, model, call.now(), call.settings)
    days = reader.days(model, as_of)
    if not days:
        raise StoreError(f"{model} had no predictions yet at {as_of}.")
    return View(reader, model, days[-1], as_of, call.settings)


def _chosen(view: View) -> Chosen:
    parts, others = parts_of(view)[:SEGMENTS], view.other_thresholds
    data = of_each(view, parts)
    first = None, None, view.threshold, others.counts
    beside = [(part.tenant, part.site, part.threshold, part.counts) for part in parts]
    segments = [_segment(*told) for told in zip(data["parts"], [first, *beside])]
    return Chosen(
        view.model,
        view.version,
        view.grid,
        others.days_replayed,
        tuple(view.tenants_between(others.first, others.through)),
        data,
        {segment.name: segment for segment in segments},
    )


def _segment(packed, told) -> Segment:
    tenant, site, threshold, counts = told
    named = packed["name"], tenant, site, threshold, packed["inForce"], packed["says"]
    return Segment(*named, counts, stops_of(packed))
