"""Where and when a week was not as usual: windows of a model's series, worst first, with the band
that was expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.series_hours import Level
from ..stats.baselines import HOURS, Cells, Flag, Leak, Week, judged, weeks_needed

__all__ = ["MOST", "Anomalies", "Anomaly", "anomalies"]

MOST = 1_000
"So many series of a level are looked at, the largest, of those with an event a week."


@dataclass(frozen=True)
class Anomaly:
    "Hours of a series that are shown to be off."

    first: datetime  # when they begin, in the log's zone
    flag: Flag

    @property
    def until(self) -> datetime:
        "When they are over."
        return self.first + timedelta(hours=self.flag.hours)

    def __str__(self) -> str:
        f = self.flag
        of = "all events" if f.level == "all" else f"{f.level} {f.series}"
        return (
            f"{of}, {self.first:%-d %B %Y %H:%M}, {f.hours} hours: {f.count:,.0f} events, "
            f"usual {f.low:,.0f} to {f.high:,.0f}"
        )


@dataclass(frozen=True)
class Anomalies:
    "The seven days up to one, held against the weeks before them."

    last: date
    found: tuple[Anomaly, ...]  # worst first
    leaks: tuple[Leak, ...]
    weeks: int  # complete ones that they were held against
    series: dict[str, int]  # how many of each level were looked at
    why: str  # why nothing can be named, or no level is claimed; else empty

    def of_day(self, day: date) -> tuple[Anomaly, ...]:
        "Those that lie on a day, or on part of it."
        return tuple(
            one
            for one in self.found
            if one.first.date() <= day and one.until > datetime.combine(day, time())
        )


def anomalies(
    reader: Reader,
    model: str,
    until: date,
    as_of: datetime | None = None,
    levels: Sequence[Level] = ("site", "all"),
    weeks: int = 52,
) -> Anomalies:
    """What was off on the seven days up to one, as known at a time; at most so many weeks before
    are what is usual.

    P(anything is named though nothing is off) is at most .05 for such a week, where weeks are
    exchangeable. Days that the calendar mutes, calls holidays, or has an entry of one day for are
    left out, for the tenant of the entry; so are versions that are not watched. Rows are read only
    where there are weeks enough.
    """
    total = reader.hours(model, None, until, as_of=as_of)
    watched = [v for v in total.version.unique() if not reader.not_watched(model, v, as_of)]
    total = total[total.version.isin(watched)]
    there = 0 if total.empty else ((until - total.event_date.min().date()).days + 1) // 7
    n = min(there, weeks + 1)
    if n <= weeks_needed():
        why = (
            f"{max(n - 1, 0)} weeks lie before this one, {weeks_needed()} are needed: "
            "no hour can be named."
        )
        return Anomalies(until, (), (), max(n - 1, 0), {}, why)
    first = until - timedelta(7 * n - 1)
    calendar = reader.calendar(model, as_of)
    tables = {}
    for level in levels:
        rows = reader.series_hours(model, first, until, level, as_of)
        rows = rows[rows.version.isin(watched)]
        made = _cells(rows, first, n, level == "all", calendar, ZoneInfo(reader.timezone))
        if len(made.series):
            tables[level] = made
    week = judged(tables, np.random.default_rng(until.toordinal()))
    return _told(week, until, {level: len(of.series) for level, of in tables.items()})


def _told(week: Week, until, series):
    "A judged week with its times."
    begins = datetime.combine(until - timedelta(6), time())
    found = tuple(Anomaly(begins + timedelta(hours=f.start), f) for f in week.flags)
    return Anomalies(until, found, tuple(week.leaks), week.weeks, series, week.why)


def _cells(rows, first, weeks, together, calendar, zone):
    "Rows of hours as a table of weeks, hours and series, and what of it was known to be unusual."
    keys = [("", "all")] * len(rows) if together else list(zip(rows.tenant, rows.series))
    of, names = pd.factorize(pd.Series(keys, dtype=object))
    day = (rows.event_date.to_numpy().astype("datetime64[D]") - np.datetime64(first)).astype(int)
    at = (24 * day + rows.hour.to_numpy(dtype=int)) * len(names) + of
    shape = weeks, HOURS, len(names)
    counts = np.bincount(at, weights=rows.n.to_numpy(dtype=float), minlength=np.prod(shape))
    counts = counts.reshape(shape)
    events = counts.sum(axis=(0, 1))
    kept = np.sort(np.argsort(-events, kind="stable")[:MOST])
    kept = kept[events[kept] >= weeks]
    names = [names[i] for i in kept]
    several = len({tenant for tenant, _ in names}) > 1
    told = tuple(f"{tenant}/{name}" if several else name for tenant, name in names)
    tenants = [None if together else tenant for tenant, _ in names]
    return Cells(counts[..., kept], _known(first, weeks, tenants, calendar, zone), told)


def _known(first, weeks, tenants, calendar, zone):
    "Hours (weeks, 168, series or 1) that were as long as others and on no day of the calendar."
    days = [first + timedelta(i) for i in range(7 * weeks)]
    hours = np.array([_whole_hours(day, zone) for day in days])
    by_tenant = {}
    for tenant in set(tenants):
        off = _unusual(calendar, tenant)
        by_tenant[tenant] = hours & np.array([[day not in off] for day in days])
    if len({known.tobytes() for known in by_tenant.values()}) == 1:
        tenants = tenants[:1]
    known = [by_tenant[tenant].reshape(weeks, HOURS) for tenant in tenants]
    return np.stack(known, axis=2) if known else np.ones((weeks, HOURS, 1), dtype=bool)


def _unusual(calendar, tenant):
    "Days that are known to be unusual: for a tenant, or (None) for anybody."
    days = set()
    for entry in calendar.itertuples():
        first, last = entry.first.date(), entry.last.date()
        of = None if pd.isna(entry.tenant) else entry.tenant
        if (entry.mutes or entry.holiday or first == last) and (
            tenant is None or of in (None, tenant)
        ):
            days |= {first + timedelta(i) for i in range((last - first).days + 1)}
    return days


def _whole_hours(day, zone):
    "Which hours of a day (24,) were there once, in a zone: clocks skip an hour, or have it twice."
    ends = [datetime.combine(day + timedelta(n), time(), zone) for n in (0, 1)]
    if ends[0].utcoffset() == ends[1].utcoffset():
        return np.ones(24, dtype=bool)
    at = [datetime.combine(day, time(hour), zone) for hour in range(24)]
    there = [one.astimezone(UTC).astimezone(zone).hour == one.hour for one in at]
    once = [one.utcoffset() == one.replace(fold=1).utcoffset() for one in at]
    return np.array(there) & np.array(once)
