"""How a model stands, and what needs somebody, as far as the snapshot knows it."""

from collections.abc import Iterator
from math import isnan

import pandas as pd

from ..log.proposals import OPEN
from ..stats.drift import ALARM_SEVERITIES
from ..stats.points import Grid
from .answers import Answer
from .published import Asked, Published, newest_day

__all__ = ["card", "cards"]

_HEARD = 2
"From this severity on an alarm needs somebody: medium."
_COLUMNS = ("model", "newest_day", "events", "version", "threshold", "alarms", "needs_attention")


class Card(Answer):
    "Models with their newest day, and what needs somebody."

    def table(self) -> pd.DataFrame:
        "The same in words."
        return super().table().rename(columns=lambda name: name.replace("_", " "))


def cards(published: Published, day, as_of) -> Card:
    "Every model of a workbench, on its newest day or one that was named."
    reader = published.reader()
    models = reader.models()
    frame = pd.DataFrame(
        [_row(Asked(published, name, day, as_of, reader)) for name in models],
        columns=list(_COLUMNS),
    )
    folder = published.settings.data
    if not models:
        says = f"{folder}: the log is empty: log some predictions and run 'aiops-wb ingest' first."
        return Card(says, pd.DataFrame())
    at = as_of or reader.last_committed()
    known = "nothing was ever taken in" if at is None else f"as known at {at:%Y-%m-%d %H:%M}Z"
    of = f"{len(models)} model{'s' if len(models) > 1 else ''}"
    gone = reader.damage()
    notes = [f"{len(gone)} day files are gone: 'aiops-wb status' names them."] if gone else []
    news = published.news() if as_of is None else ""
    notes += [news] if news else []
    return Card(f"{folder}: {of}, {known}, days of {reader.timezone}.", frame, tuple(notes))


def card(asked: Asked) -> Card:
    "One model."
    frame = pd.DataFrame([_row(asked)], columns=list(_COLUMNS))
    return Card("", frame, asked.notes())


def _row(asked: Asked) -> dict:
    reader, model = asked.reader, asked.model
    days = reader.days(model, asked.as_of)
    told = dict.fromkeys(_COLUMNS) | {"model": model}
    if not days:
        return told | {"alarms": "unknown", "needs_attention": "no prediction of it was logged yet"}
    day = asked.pinned or newest_day(days, asked.known_at, asked.zone)
    scored = reader.predictions_by_version(model, day, asked.as_of)
    if scored.empty:
        return told | {"newest_day": days[-1], "needs_attention": f"nothing was scored on {day}"}
    active = reader.active_version(model, asked.as_of)
    version = active if active in set(scored.version) else scored.version[0]
    alarms = _alarms(asked, day)
    return told | {
        "newest_day": day,
        "events": int(scored.n.sum()),
        "version": version,
        "threshold": _threshold(asked, version),
        "alarms": alarms,
        "needs_attention": "; ".join(_needs(asked, alarms)) or "nothing that is recorded",
    }


def _threshold(asked, version) -> float | None:
    "The threshold of a version as a score; None where the trail has none."
    points = asked.reader.threshold(asked.model, version, asked.as_of)
    versions = asked.reader.versions(asked.model)
    grids = versions.grid[versions.version == version]
    if points is None or grids.empty:
        return None
    return float(Grid.parse(grids.iloc[0]).inverse(points))


def _alarms(asked, day) -> str:
    "How grave the gravest alarm of the day is, as its figures were stored."
    stored = asked.reader.course(asked.model, day, day, ["drift_gravity"], asked.as_of)
    gravity = stored.get((day, "drift_gravity"))
    if gravity is None or isnan(gravity):
        return "unknown"
    return ALARM_SEVERITIES[int(gravity)]


def _needs(asked, alarms) -> Iterator[str]:
    "What is for somebody to do, each in words."
    if alarms == "unknown":
        yield "alarms are unknown: no daily run looked at this day, or it could watch nothing"
    elif ALARM_SEVERITIES.index(alarms) >= _HEARD:
        yield f"an alarm of {alarms} severity: .drift() tells it"
    if n := sum(asked.reader.waiting_cases(asked.model, asked.as_of).values()):
        yield f"{n:,} case{'s wait' if n > 1 else ' waits'}"
    proposals = asked.reader.proposals(asked.model, asked.as_of)
    if n := sum(p.state == OPEN for p in proposals):
        yield f"{n} proposed threshold{'s wait' if n > 1 else ' waits'}"
