"""Thresholds of tenants and sites, for another version."""

from ..log.catalog import Reader
from ..log.dial import Scope
from ..log.production import Production
from ..stats.counts import total
from ..stats.thresholds import for_alerts

__all__ = ["passed_on"]

LEAST_CALLED = 30
"A share of events that fewer of the held-out ones belong to is not carried to another version."


def passed_on(reader: Reader, model: str, before: Production, version: str) -> dict[Scope, int]:
    """Thresholds (points) of tenants and sites of a version, for another: each is the lowest that
    calls no larger a share of its held-out events than it called of those of the version before.

    Those that the other version has already are left alone. Others are left out where held-out
    events are too few (30 above each threshold) to carry a share; one that called nobody calls
    nobody.
    """
    asked = {s: p for s, p in before.own.items() if s not in reader.own_thresholds(model, version)}
    if not asked:
        return {}
    old, new = (total(reader.held_out_counts(model, v).values()) for v in (before.version, version))
    if old.grid != new.grid or not (old.total[0] and new.total[0]):
        return {}
    passed = {scope: _at_same_share(old, new, points) for scope, points in asked.items()}
    return {scope: points for scope, points in passed.items() if points is not None}


def _at_same_share(old, new, points):
    "The threshold that calls as large a share of one table as another does of another; None: few."
    called = old.at_or_above(points)[0]
    if not called:
        return min(max(points, int(new.points[-1]) + 1), new.grid.limit)
    expected = called / old.total[0] * new.total[0]
    if min(called, expected) < LEAST_CALLED:
        return None
    try:
        return for_alerts(new, 1, expected)
    except ValueError:  # too many events have the highest score
        return None
