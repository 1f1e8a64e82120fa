"""The log of check-ins, as the company's systems would have written it down."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from . import instruments, truth
from .truth import WARMUP
from .world import FEATURES, PATTERNS, ZONE, World

__all__ = ["check_ins"]

_DAY_SECONDS = 86_400


def check_ins(world: World) -> pd.DataFrame:
    """One row per check-in in the order of time: event_id, entity_id (the guard), site_id, day,
    checked_in_at, `FEATURES`, probability, fraud, pattern, label, known_at.

    `day` and the hour are those of `ZONE`, the times are UTC. `label` and `known_at` are missing
    where the truth never becomes known.
    """
    dates, holiday = truth.calendar_days(world)
    comes, second, tables = _tables(world, dates, holiday)
    made = _in_order(comes, second)
    day, guard = made.day, made.guard
    of_check_in = {name: table[day, guard] for name, table in tables.items()}
    local = _local_time(dates, made)
    at = local.tz_convert("UTC")
    features = of_check_in | _clock_features(local, made, holiday)
    identity = {
        "event_id": _event_ids(dates, day),
        "entity_id": _names("G", 5, world.guards)[guard],
        "site_id": _names("S", 4, world.sites)[world.site_of_guard[guard]],
        "day": dates[day],
        "checked_in_at": at,
    }
    features = {name: features[name] for name in FEATURES}
    return pd.DataFrame(identity | features | _outcome(of_check_in, at))


def _tables(world, dates, holiday):
    """Who comes, at which second of the day, and all that is known of it, by name: each a table of
    a row a day and a column a guard.
    """
    done = truth.conduct(world, truth.roster(world, holiday))
    probability = truth.fraud_probability(world, done.intensity)
    fraud = truth.draw(world, "fraud") < probability
    done = done._replace(kind=truth.drifted_kind(world, dates, done))
    second = instruments.seconds_of_day(world, done)
    measured = instruments.measured(world, done, truth.new_cameras(world, dates))
    weekend = np.array([day.weekday() >= 5 for day in dates])[:, None]
    match = measured["face_recognition_confidence"]
    looked_back = instruments.looked_back(done.comes, weekend, second, match)
    known = {
        "probability": probability,
        "fraud": fraud,
        "kind": done.kind,
        "delay": _delay_hours(world, fraud),
    }
    return done.comes, second, measured | looked_back | known


def _delay_hours(world, fraud):
    "Hours until the label: 24 to 480, with the means of the world; missing where none comes."
    mean = world.label_delay_days + world.positives_later * fraud
    u = truth.draw(world, "delay")
    hours = 24 + 19 * 24 * u ** (19 / (mean - 1) - 1)
    return np.where(truth.draw(world, "labelled") < world.unlabelled_share, np.nan, hours)


class _CheckIns(NamedTuple):
    "Day, guard and second of the day of each check-in, and hours since the guard's one before."

    day: np.ndarray
    guard: np.ndarray
    second: np.ndarray
    hours_since: np.ndarray


def _in_order(comes, second):
    "The check-ins in the order of time; those of the warm-up count as past and are left out."
    day, guard = np.nonzero(comes)
    order = np.lexsort((guard, day * _DAY_SECONDS + second[day, guard]))
    day, guard = day[order], guard[order]
    second = second[day, guard]
    hours_since = _hours_since(guard, day * _DAY_SECONDS + second)
    shown = day >= WARMUP
    return _CheckIns(day[shown], guard[shown], second[shown], hours_since[shown])


def _hours_since(guard, seconds):
    """Hours since the same guard's check-in before, missing for the first; rows are in the order of
    time.
    """
    order = np.argsort(guard, kind="stable")
    gap = np.diff(seconds[order], prepend=0) / 3600
    gap[np.flatnonzero(np.diff(guard[order], prepend=-1))] = np.nan
    hours = np.empty(len(guard))
    hours[order] = gap
    return hours


def _local_time(dates, made):
    day = dates.astype("datetime64[s]")[made.day]
    return pd.DatetimeIndex(day + made.second.astype("timedelta64[s]")).tz_localize(ZONE)


def _clock_features(local, made, holiday):
    "The features that the time of a check-in tells."
    weekday = local.day_of_week.to_numpy()
    return {
        "hour_of_day": made.second // 3600,
        "day_of_week": weekday,
        "is_weekend": (weekday >= 5).astype(int),
        "is_holiday": holiday[made.day].astype(int),
        "time_since_last_event": made.hours_since,
    }


def _event_ids(dates, day):
    "20250101-000042: numbered by day, so that a longer world keeps the ids."
    number = np.arange(len(day)) - np.searchsorted(day, day)
    prefix = np.array([f"{date:%Y%m%d}-" for date in dates], dtype=object)
    return prefix[day] + _names("", 6, number.max(initial=-1) + 1)[number]


def _names(letter, digits, n):
    return np.array([f"{letter}{i:0{digits}}" for i in range(n)], dtype=object)


def _outcome(of_check_in, at):
    "The truth, and the label as far as it becomes known."
    fraud = of_check_in["fraud"].astype(int)
    patterns = np.array(list(PATTERNS), dtype=object)
    delay = pd.to_timedelta(of_check_in["delay"], unit="h").round("s").as_unit("s")
    return {
        "probability": of_check_in["probability"],
        "fraud": fraud,
        "pattern": np.where(fraud == 1, patterns[of_check_in["kind"]], ""),
        "label": np.where(np.isnan(of_check_in["delay"]), np.nan, fraud),
        "known_at": at + delay,
    }
