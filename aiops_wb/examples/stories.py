"""Logs to replay: flights that left, guards who checked in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from . import attendance, flights

__all__ = [
    "FLIGHT_MODELS",
    "ATTENDANCE_MODELS",
    "WORLD",
    "STORIES",
    "DemoModel",
    "Story",
    "stream",
    "flight_streams",
    "attendance_streams",
]


@dataclass(frozen=True)
class DemoModel:
    "One model: its name, when it scores, and what it knows then."

    model: str
    # column of the events
    scored_at: str
    features: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Story:
    "A log to replay: its models, its days, and where its events come from."

    name: str
    zone: str
    models: tuple[DemoModel, ...]
    # of the history that the first models learn from
    first: date
    # the first replayed day
    live: date
    # the last one, unless the caller says otherwise
    until: date
    # the last day there is
    end: date
    # of the labels
    source: str
    # streams up to a day; with a second day, at least what is scored or labelled from it on
    events: Callable[..., dict[DemoModel, pd.DataFrame]]
    # what differs from the defaults in this story
    settings: Mapping = field(default_factory=dict)
    sites: Callable[[], pd.DataFrame] | None = None

    def night(self, day: date) -> datetime:
        "When the daily run looks at a day: two in the morning after it."
        return datetime.combine(day + timedelta(1), time(2), ZoneInfo(self.zone))

    @property
    def eve(self) -> date:
        "The last day of the history."
        return self.live - timedelta(1)


_AT_SCHEDULE = (*flights.SCHEDULE, *flights.WEATHER)
FLIGHT_MODELS = (
    DemoModel("late-at-schedule", "scheduled_at", _AT_SCHEDULE),
    DemoModel("late-at-departure", "departed_at", (*_AT_SCHEDULE, "dep_delay")),
)
ATTENDANCE_MODELS = (DemoModel("attendance-fraud", "checked_in_at", attendance.FEATURES),)
WORLD = attendance.World(first=date(2025, 1, 1), days=240, drift_on=date(2025, 7, 1))


def stream(one: DemoModel, rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    "A model's events in the order of scoring."
    at = rows[one.scored_at]
    scored = rows.assign(
        prediction_id=one.model + ":" + rows.event_id,
        scored_at=at,
        scored_on=at.dt.tz_convert(ZoneInfo(zone)).dt.date,
    )
    return scored.sort_values(["scored_at", "prediction_id"], kind="stable")


def flight_streams(
    until: date, since: date | None = None, seed: int = 0
) -> dict[DemoModel, pd.DataFrame]:
    """Both flight models' events from January to a day; labels come within a week.

    With `since` only those that are scored or labelled from that day on, and some before.
    """
    table = flights.table("2013-01-01", str(until))
    # a flight leaves at most two days late
    earlier = table.day < since - timedelta(10) if since else np.zeros(len(table), dtype=bool)
    log = flights.as_events(table[~earlier]).rename(columns={"late": "label"})
    left_out = {"scheduled_at": earlier, "departed_at": earlier & table.dep_delay.notna()}
    streams = {}
    for one in FLIGHT_MODELS:
        rows, before = log.dropna(subset=[one.scored_at]), int(left_out[one.scored_at].sum())
        # the same hours, whatever is left out
        hours = np.random.default_rng(seed).uniform(24, 7 * 24, before + len(rows))[before:]
        known_at = rows[one.scored_at] + pd.to_timedelta(hours, unit="h").round("s")
        streams[one] = stream(one, rows.assign(known_at=known_at), flights.ZONE)
    return streams


def attendance_streams(until: date, _: date | None = None) -> dict[DemoModel, pd.DataFrame]:
    "The guards' check-ins from January to a day: what people do depends on what they did."
    rows = attendance.check_ins(WORLD)
    rows = rows[rows.day <= until]
    return {one: stream(one, rows, attendance.ZONE) for one in ATTENDANCE_MODELS}


STORIES = {
    "flights": Story(
        name="flights",
        zone=flights.ZONE,
        models=FLIGHT_MODELS,
        first=date(2013, 1, 1),
        live=date(2013, 4, 1),
        until=date(2013, 6, 30),
        end=date(2013, 12, 31),
        source="arrivals",
        events=flight_streams,
    ),
    "attendance": Story(
        name="attendance",
        zone=attendance.ZONE,
        models=ATTENDANCE_MODELS,
        first=date(2025, 1, 1),
        live=date(2025, 4, 1),
        until=date(2025, 7, 31),
        end=WORLD.last,
        source="investigations",
        events=attendance_streams,
        settings={"label_delay_days": 14, "false_ticket_share": 0.2},
        sites=lambda: attendance.sites(WORLD),
    ),
}
