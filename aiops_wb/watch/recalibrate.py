"""Calibrate again when a day is done: what was learnt decides from the next day on."""

import logging
from dataclasses import replace
from datetime import date, datetime, timedelta

from ..log.store import Store
from ..stats.automation import WATCHED, Certainty, Control, PromiseWatch, certainty
from ..stats.counts import total
from .view import View

__all__ = ["recalibrate", "learnt"]

logger = logging.getLogger(__name__)


def recalibrate(store: Store, view: View, now: datetime, who: str) -> str | None:
    """Calibrate from the labelled events of the window and put it in force.

    None (nothing changes) when fewer than 30 are known or the scores are no probabilities.
    """
    settings = view.settings
    days = view.held_out | view.counts_by_day
    first = view.day - timedelta(settings.calibration_days - 1)
    recent = total((c for d, c in days.items() if first <= d <= view.day), view.grid)
    stands = store.calibration(view.model, view.version)
    before = stands[1] if stands else None
    if view.grid.kind != "logit" or recent.total[1] < 30:
        return _switched_off(store, view, before, now, who)
    watch, control, counted = learnt(store, view, before)
    fresh = certainty(
        days,
        view.day,
        watch=watch,
        control=control,
        counted=counted,
        model=view.model,
        version=view.version,
        created_at=now,
        **settings.certainty,
    )
    if before and _decides(before) == _decides(fresh):
        return stands[0]
    why = f"daily, {settings.calibration_days} days to {view.day}"
    key = store.add_calibration(now, who, view.model, view.version, fresh, why, view.day)
    logger.info("calibration %s stands: %s", key, fresh.rule.guarantee or fresh.rule.reason)
    return key


def _switched_off(store, view, before, now, who):
    "Off is off, labels or not: a rule that stands is stopped when automation was switched off."
    if view.settings.automation != "off" or not before or before.rule.threshold is None:
        return None
    why = "automation is switched off"
    off = replace(before, rule=replace(before.rule, method="off").stopped(why))
    return store.add_calibration(now, who, view.model, view.version, off, why, view.day)


def _decides(stands):
    "All that decides, without when it was written."
    written = ("created_at", "model", "version")
    return {k: v for k, v in stands.to_json().items() if k not in written}


def learnt(
    store: Store, view: View, before: Certainty | None
) -> tuple[PromiseWatch, Control | None, date]:
    "The watch and the controller after the days that became complete since the calibration before."
    target = view.settings.false_ticket_share
    counted = before.counted if before else None
    same = counted and before.watch.target == target  # a new promise is watched anew
    watch = before.watch if same else PromiseWatch(target)
    control = before.control if same else None
    if control is None and view.settings.automation == "control":
        control = _new_control(view.settings)
    ripe = _ripe(view, counted)
    keys = store.decided_with(view.model, view.version, ripe, view.as_of)
    stood = store.calibrations(set(keys.values()))
    for day, counts in ripe.items():
        rule = stood[keys[day]].rule if keys.get(day) in stood else None
        # only tickets that this promise opened
        if rule and rule.method in WATCHED and rule.target == watch.target:
            _, labelled, false = view.tickets.outcomes(day)
            watch = watch.after(day, labelled, false)
        if control is not None:
            control = control.after(counts, rule.threshold if rule else None)
    complete = view.labels.complete_day
    return watch, control, max(complete, counted) if counted else complete


def _new_control(settings):
    floor = settings.risk_cuts[2]
    return Control(
        settings.false_ticket_share,
        floor=floor,
        first=floor,
        level=floor,
        delay_days=settings.label_delay_days,
    )


def _ripe(view, counted):
    "Counts of the days that became complete after the last counted one."
    days = sorted(view.counts_by_day.items())
    first = counted + timedelta(1) if counted else days[0][0]
    return {day: counts for day, counts in days if first <= day <= view.labels.complete_day}
