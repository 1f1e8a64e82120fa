"""False positives of the recent days at the threshold in force: by day, version, site, width."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from ..stats.counts import ScoreCounts, total
from ..stats.performance import Confusion, confusion
from .view import View

__all__ = ["GROUPS", "OfGroup", "false_positives", "sites_between"]

WIDTHS = {"below 0.05": 0.05, "0.05 to 0.10": 0.10, "0.10 to 0.20": 0.20, "0.20 or wider": 1.0}
"Widths of the probability interval in words, and where each ends."


class OfGroup(NamedTuple):
    "What was called and what came of it, in one group of events."

    name: str
    threshold: int  # points
    at_threshold: Confusion


def false_positives(view: View, by: str, limit: int = 12) -> Iterator[OfGroup]:
    """Each group of the recent days: `by` is one of `GROUPS`; of sites the `limit` largest.

    None by width where no calibration stands; a version whose threshold is not known here has no
    false positives to speak of.
    """
    first = view.day - timedelta(view.settings.recent_days - 1)
    for name, counts, threshold in GROUPS[by](view, first, limit):
        yield OfGroup(name, threshold, confusion(counts, int(counts.grid.cells(threshold))))


def _by_day(view, first, limit):
    for day, counts in view.counts_by_day.items():
        if day >= first:
            yield str(day), counts, view.threshold


def _by_version(view, first, limit):
    reader, model = view.reader, view.model
    for version in view.versions_between(first):
        own = version == view.version
        threshold = view.threshold if own else reader.threshold(model, version, view.as_of)
        if threshold is not None:
            by_day = reader.score_counts(model, first, view.day, version=version, as_of=view.as_of)
            yield version, total(by_day.values(), view.grid), threshold


def _by_site(view, first, limit):
    for site, counts in sites_between(view, first, limit):
        yield site, counts, view.threshold


def sites_between(view: View, first, limit: int) -> list[tuple[str, ScoreCounts]]:
    "Counts of the largest sites from a day to that of the view."
    by_site = view.reader.segment_counts(
        view.model, first, view.day, version=view.version, as_of=view.as_of
    )
    largest = list(by_site.items())[:limit]
    return [(segment.removeprefix("site="), counts) for segment, counts in largest]


def _by_width(view, first, limit):
    if not view.tickets.stands:
        return
    recent = view.window(view.settings.recent_days)
    lower, upper = view.tickets.stands[1].bounds.intervals(recent.points)
    place = np.digitize(upper - lower, list(WIDTHS.values())[:-1])
    for i, name in enumerate(WIDTHS):
        columns = (np.where(place == i, column, 0) for column in recent.columns)
        yield name, ScoreCounts(recent.points, *columns, recent.grid), view.threshold


GROUPS = {"day": _by_day, "version": _by_version, "site": _by_site, "width": _by_width}
"What false positives are told apart by."
