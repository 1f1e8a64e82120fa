"""The mornings of a past: when each day was looked at, and which version was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from ..log.known_then import KnownThen, moment_of

__all__ = ["Morning", "mornings", "noon"]

AFTER = timedelta(hours=6)
"A day that no run looked at is looked at so long after its end."


@dataclass(frozen=True, order=True)
class Morning:
    "A look at a day, as a daily run takes it: at a time, at the version that scored."

    at: datetime
    day: date
    version: str


def noon(day: date, zone: str) -> datetime:
    "What stands by then is what a day is decided with."
    return datetime.combine(day, time(12), ZoneInfo(zone))


def mornings(then: KnownThen) -> list[Morning]:
    """Each look at a day of a model, in order: as runs took it; where none did, some hours after
    the day's end, or when its predictions were known. Of days of a history at their end."""
    known = _first_known(then)
    runs = {}
    for day, at in then.reader.nights(then.model, then.as_of):
        runs.setdefault(day, []).append(at)
    looks = [
        (at, day)
        for day, since in known.items()
        for at in ([_end(day, then.timezone)] if day in then.told_later else runs.get(day, ()))
        or [_default(day, since, then.timezone)]
    ]
    found = (Morning(at, day, _version(then, day, at)) for at, day in sorted(looks))
    return [morning for morning in found if morning.version]


def _first_known(then) -> Mapping[date, int]:
    "Since when each day of the model had predictions."
    known = {}
    for changes in then.versions.values():
        for day, since in changes.first_known.items():
            known[day] = min(since, known.get(day, since))
    return dict(sorted(known.items()))


def _end(day, zone):
    return datetime.combine(day + timedelta(1), time(), ZoneInfo(zone))


def _default(day, since, zone):
    loaded = datetime.fromtimestamp(since / 1_000_000, ZoneInfo(zone))
    return max(_end(day, zone) + AFTER, loaded)


def _version(then, day, at):
    "The version that a run looks at: the active one, else the one that scored most."
    number, moment = day.toordinal() - date(1970, 1, 1).toordinal(), moment_of(at)
    scored = {}
    for version, changes in then.versions.items():
        if changes.first_known.get(day, moment + 1) <= moment:
            scored[version] = changes
    if len(scored) < 2:
        return next(iter(scored), "")
    active = then.reader.active_version(then.model, at)
    if active in scored:
        return active
    events = {
        version: changes.columns[0][(changes.day == number) & (changes.since <= moment)].sum()
        for version, changes in scored.items()
    }
    return max(sorted(events), key=lambda version: int(np.int64(events[version])))
