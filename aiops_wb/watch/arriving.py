"""How the labels of a model arrive, as it is known now: what a list or a service tells of it."""

from datetime import date
from math import isnan

import numpy as np

from ..config import Settings
from ..log.catalog import Reader
from ..models.complete import UNTIL_COMPLETE, CompleteDays, label_rules
from ..stats.arrival import Arrivals

__all__ = ["BANDS", "how_labels_arrive"]

AGES = (0, 1, 3, 7, 14, 30, 60, 90, 180, 365)
"Days of age at which the known share is told."
BANDS = ("low", "middle", "high")
"Bands of score by their names (`stats.arrival.BAND_POINTS`)."


def how_labels_arrive(reader: Reader, model: str, today: date, settings: Settings) -> dict:
    """What is known of a model's labels up to its newest day that does not lie ahead.

    Keys: model, says, age (None: no age is complete), days, complete_days, newest_complete, waits,
    known_by_age, by_band, never, declared and changes.
    """
    days = reader.days(model)
    past = [day for day in days if day <= today] or days
    if not past:
        return _nothing(reader, model)
    complete = CompleteDays(reader, model, past[-1], **label_rules(settings))
    newest, seen = complete.newest, complete.completeness
    ready = sum(day <= newest for day in past) if newest else 0
    return {
        "model": model,
        "says": str(complete) if complete.delivered else seen.reason,
        "age": (past[-1] - newest).days if newest else None,
        "days": len(past),
        "complete_days": ready,
        "newest_complete": newest if ready else None,
        "waits": _waits(len(past), ready),
        "known_by_age": _by_age(complete.arrivals),
        "by_band": _by_band(complete.arrivals) if seen.by_band else {},
        "never": _figure(seen.never) if seen.plateau else None,
        "declared": complete.declared or None,
        "changes": _changes(reader, model),
    }


def _nothing(reader, model):
    "What is told of a model without predictions."
    told = dict.fromkeys(("age", "newest_complete", "never"))
    told |= {"says": "nothing is logged yet", "days": 0, "complete_days": 0, "waits": ""}
    stands = reader.never_labelled(model)
    declared = str(stands) if stands else None
    told |= {"known_by_age": {}, "by_band": {}, "declared": declared}
    return {"model": model} | told | {"changes": _changes(reader, model)}


def _waits(days, ready):
    "What is not known before labels are in."
    if not ready:
        return UNTIL_COMPLETE
    younger = days - ready
    return f"{younger:,} younger day{'' if younger == 1 else 's'}" if younger else ""


def _by_age(a: Arrivals) -> dict[int, float]:
    """The share of events with a known label at some ages, of the days that are old enough.

    Counted, not put together from many days (`known_share`): where all labels of a log came at
    once, most of them at ages that few days have reached, the sum is more than all.
    """
    events, came = a.events.sum(axis=1), np.cumsum(a.labels.sum(axis=(1, 3)), axis=1)
    found = {}
    for age in AGES:
        old = a.followed >= age
        if n := events[old].sum():
            found[age] = float(came[old, age].sum() / n)
    return found


def _by_band(a: Arrivals) -> dict[str, dict[int, float]]:
    "The same in each band of score that has events."
    shown = np.flatnonzero(a.events.sum(axis=0))
    return {BANDS[band]: _by_age(a.together(int(band))) for band in shown}


def _figure(figure) -> dict[str, float | None]:
    return {
        name: None if isnan(getattr(figure, name)) else float(getattr(figure, name))
        for name in ("value", "lower", "upper")
    }


def _changes(reader, model):
    "The audit of declarations, oldest first."
    columns = ["changed_at", "who", "old", "new", "why"]
    changes = reader.never_changes(model)[columns].astype(object)
    return changes.where(changes.notna(), None).to_dict("records")
