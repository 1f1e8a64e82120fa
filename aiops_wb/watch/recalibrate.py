"""Calibrate again when a day is done: what was learnt decides from the next day on."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from ..config import Settings
from ..log.errors import raise_if_interrupted
from ..log.store import Store
from ..stats.automation import (
    WATCHED,
    Certainty,
    Control,
    PromiseWatch,
    TicketRule,
    certainty,
    without_labels,
)
from ..stats.conformal import MIN_SAMPLES
from ..stats.counts import ScoreCounts, total
from .view import View

__all__ = ["Learnt", "Ripe", "judged", "learn", "learnt", "recalibrate", "starting"]

logger = logging.getLogger(__name__)


def recalibrate(store: Store, view: View, now: datetime, who: str) -> str | None:
    """Calibrate from the labelled events of the complete days of the window and put it in force.

    None (nothing changes) when fewer than 30 are known, the scores are no probabilities or the
    alarms cannot be followed. Where no day is known to be complete, what stands automates nothing.
    """
    settings, complete = view.settings, view.labels.complete_day
    days = view.held_out | view.counts_by_day
    stands = store.calibration(view.model, view.version)
    before = stands[1] if stands else None
    if complete is None:
        return _unknown(store, view, before, now, who)
    first = complete - timedelta(settings.calibration_days - 1)
    settled = total((c for d, c in days.items() if first <= d <= complete), view.grid)
    if view.grid.kind != "logit" or settled.total[1] < MIN_SAMPLES:
        return _switched_off(store, view, before, now, who)
    try:
        changed = _changed(view)
    except Exception as problem:  # the day says why its alarms could not be followed
        raise_if_interrupted(problem)
        return None
    watch, control, counted = learnt(store, view, before)
    fresh = certainty(
        days,
        view.day,
        watch=watch,
        control=control,
        counted=counted,
        complete=complete,
        owed={d: view.complete_days.owed(d) for d in view.counts_by_day if d <= complete},
        changed=changed,
        model=view.model,
        version=view.version,
        created_at=now,
        **settings.certainty | {"high": view.ladder.high},
    )
    if before and _decides(before) == _decides(fresh):
        return stands[0]
    why = f"daily, {settings.calibration_days} days to {view.day}"
    key = store.add_calibration(now, who, view.model, view.version, fresh, why, view.day)
    logger.info("calibration %s stands: %s", key, fresh.rule.guarantee or fresh.rule.reason)
    return key


def _switched_off(store, view, before, now, who):
    "Off is off, labels or not: a rule that stands is stopped when automation was switched off."
    if view.settings.automation != "off" or not before:
        return None
    before = replace(before, rule=replace(before.rule, method="off"))
    return _stopped(store, view, before, now, who, "automation is switched off")


def _stopped(store, view, before, now, who, why):
    "What stands, with a rule that automates nothing; None where it does so already."
    if not before or before.rule.threshold is None:
        return None
    off = replace(before, rule=before.rule.stopped(why))
    return store.add_calibration(now, who, view.model, view.version, off, why, view.day)


def _unknown(store, view, before, now, who):
    "Where no day is known to be complete: no automation, and sets that exclude nothing."
    if not before:
        return None
    why = view.complete_days.why_none
    off = without_labels(before, why)
    if before.rule.threshold is None and before.set_bounds == off.set_bounds:
        return None
    return store.add_calibration(now, who, view.model, view.version, off, why, view.day)


def _changed(view):
    "The day since which scores mean something else, as long as an alarm says so; None without one."
    heard = [a.since for a in view.drift.found if a.kind == "concept" and not a.muted]
    return max(heard, default=None)


def _decides(stands):
    "All that decides, without when it was written."
    written = ("created_at", "model", "version")
    return {k: v for k, v in stands.to_json().items() if k not in written}


class Learnt(NamedTuple):
    "What the days whose labels are in have taught so far."

    watch: PromiseWatch
    control: Control | None
    counted: date  # the last of these days


class Ripe(NamedTuple):
    "A day that became complete: the rule it was decided with, and what came of it, when asked."

    day: date
    rule: TicketRule | None
    judged: Callable[[], tuple[float, float]]  # tickets whose label came or is owed, false ones
    counts: Callable[[], ScoreCounts]


def learn(
    before: Learnt | Certainty | None,
    ripe: Iterable[Ripe],
    complete: date,
    target: float,
    started: Control | None,
) -> Learnt:
    """The watch and the controller after further days, up to `complete`.

    `started`: The controller of a method that steers by it, before the first day; None of others.
    """
    counted = before.counted if before else None
    same = counted and before.watch.target == target  # a new promise is watched anew
    watch = before.watch if same else PromiseWatch(target)
    control = (before.control if same else None) or started
    for one in ripe:
        # only tickets that this promise opened
        if one.rule and one.rule.method in WATCHED and one.rule.target == watch.target:
            watch = watch.after(one.day, *one.judged())
        if control is not None:
            control = control.after(one.counts(), one.rule.threshold if one.rule else None)
    return Learnt(watch, control, max(complete, counted) if counted else complete)


def learnt(store: Store, view: View, before: Certainty | None) -> Learnt:
    "The watch and the controller after the days that became complete since the calibration before."
    settings, complete = view.settings, view.labels.complete_day
    days = _ripe(view, before.counted if before else None)
    keys = store.decided_with(view.model, view.version, days, view.as_of)
    stood = store.calibrations(set(keys.values()))
    ripe = [
        Ripe(
            day,
            stood[keys[day]].rule if keys.get(day) in stood else None,
            partial(judged, view, day),
            lambda counts=counts: counts,
        )
        for day, counts in days.items()
    ]
    started = starting(settings, view.probability(view.ladder.high), view.day, complete)
    return learn(before, ripe, complete, settings.false_ticket_share, started)


def starting(settings: Settings, floor: float, day: date, complete: date) -> Control | None:
    """The controller before its first day, of tickets from a score on; None of a method that is not
    steered by it."""
    if settings.automation != "control":
        return None
    return Control.starting(settings.false_ticket_share, floor, (day - complete).days)


def judged(view: View, day: date) -> tuple[float, float]:
    "Tickets of a complete day, and the false ones: those that are still owed a label are false."
    tickets, labelled, false = view.tickets.outcomes(day)
    owed = view.complete_days.owed(day) * (tickets - labelled)
    return labelled + owed, false + owed


def _ripe(view, counted):
    "Counts of the days that became complete after the last counted one."
    days = sorted(view.counts_by_day.items())
    first = counted + timedelta(1) if counted else days[0][0]
    return {day: counts for day, counts in days if first <= day <= view.labels.complete_day}
