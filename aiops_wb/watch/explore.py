"""Events that are looked at by chance: the chances follow the recent scores."""

import logging
from datetime import datetime
from math import nan

from ..log.store import Store
from ..stats.counts import ScoreCounts
from ..stats.selective import Exploration, exploration
from .view import View

__all__ = ["DAYS", "explored_words", "renew_exploration", "reviews_per_day"]

logger = logging.getLogger(__name__)

DAYS = 28
"Chances are scaled to the events of so many days."
OFF_BY, ENOUGH = 0.1, 200
"""They are made anew when they give so much more or less than was asked for, on so many events
below the threshold at least."""


def renew_exploration(store: Store, view: View, now: datetime, who: str) -> None:
    """Put chances of review in force as the settings ask: the first ones, others where the share
    that they give is off (another version, threshold, share, or other scores), or none."""
    stands, share = store.exploration(view.model), view.settings.explore
    if not share or view.ladder is None:
        if stands is not None:
            why = "explore is 0" if not share else "its scores have no cuts: nobody is called"
            store.explore(now, who, view.model, None, why)
        return
    counts, high = view.window(DAYS), view.ladder.high
    below = counts.total[0] - counts.at_or_above(high)[0]
    given = _share_given(stands, counts, high, below)
    same = stands is not None and stands.share == share and stands.grid == counts.grid.kind
    if not below or (same and (below < ENOUGH or abs(given / share - 1) <= OFF_BY)):
        return
    plan = exploration(counts, high, share)
    a_day = reviews_per_day(view, plan)
    why = f"daily: {share:g} of the events below {high} points, some {a_day:.1f} reviews a day"
    told = {"events_below": below, "reviews_per_day": a_day, "before": _known(given)}
    store.explore(now, who, view.model, plan, why, told)
    logger.info("%s is explored: %s", view.model, why)


def _share_given(stands, counts: ScoreCounts, high: int, below: int) -> float:
    "The share of the events below a threshold that chances in force send to review."
    return stands.expected(counts, high) / below if stands is not None and below else nan


def _known(share):
    return None if share != share else share


def explored_words(view: View) -> str:
    "Whether events below the threshold are reviewed by chance, and what it costs; empty: no."
    plan = view.selective.exploration
    if plan is None or view.ladder is None:
        return ""
    return (
        f"{100 * plan.share:.3g}% of the events below it go to review by chance: some "
        f"{reviews_per_day(view, plan):.1f} reviews a day (explore)"
    )


def reviews_per_day(view: View, plan: Exploration) -> float:
    "How many reviews a day chances cost, by the scores of the last days."
    days = sum(1 for d in view.counts_by_day if (view.day - d).days < DAYS)
    return plan.expected(view.window(DAYS), view.ladder.high) / days
