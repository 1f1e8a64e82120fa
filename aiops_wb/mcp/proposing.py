"""A proposal, handed to the one writer: it decides nothing until a person approves it.

This is all that a client can write, and it is a file of the spool, like a proposal from the API or
a notebook. The kind of act stands here and nowhere else, so that no argument can make it another.
"""

import hashlib
import json
from typing import Any

from ..log.acts import hand_in, waiting
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..watch.threshold_changes import as_threshold, in_force, newest_view
from .house import House

__all__ = ["MOST_WAITING", "propose"]

MOST_WAITING = 20
"Proposals of one client that may wait at once: a client that repeats itself fills no disk."


def propose(
    log: Reader,
    house: House,
    model: str,
    threshold: float,
    why: str,
    tenant: str | None = None,
    site: str | None = None,
) -> dict[str, Any]:
    """Hand in a proposal of a threshold, instead of the one that stands now. The same one again is
    the same act. StoreError where there is nothing to propose."""
    view = newest_view(log, model, house.now(), house.settings)
    if site is not None and tenant is None:
        raise StoreError("a site belongs to a tenant: name both.")
    scope = None if tenant is None else (tenant, site)
    points, stands = as_threshold(view, threshold), in_force(view, scope)
    if points == stands:
        raise StoreError("this threshold is in force already: propose another.")
    scored = log.tenants_scored(model, view.version, view.day, view.day)
    if tenant is not None and tenant not in scored:
        raise StoreError("no predictions of this tenant are on the newest day.")
    if site is not None and f"site={site}" not in log.segments(model):
        raise StoreError("no predictions of this site are in the log.")
    _leave_room(house)
    what = {"model": view.model, "version": view.version, "points": points, "why": why}
    what |= {"if_in_force": stands}
    what |= {name: one for name, one in (("tenant", tenant), ("site", site)) if one is not None}
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
    act = hand_in(house.spool, "propose", what, house.who, house.now(), key, house.data)
    return {
        "id": act,
        "state": "waiting",
        "by": house.who,
        "proposed": {"threshold": view.probability(points), "points": points},
        "in_force": {"threshold": view.probability(stands), "points": stands},
        "what_is_next": "nothing is changed: it becomes a proposal when the log is written next, "
        "and a person approves it ('aiops-wb thresholds approve') or does not",
    }


def _leave_room(house):
    ours = [act for act in waiting(house.spool, house.data) if act.who == house.who]
    if len(ours) >= MOST_WAITING:
        raise StoreError(f"{len(ours)} proposals wait to be taken in: propose no more until then.")
