"""What the calendar says of days: which are muted, and which are holidays."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..stats.counts import ScoreCounts

__all__ = [
    "HOLIDAY",
    "MUTED",
    "holidays_in",
    "known_holidays",
    "marks_of",
    "muted_days",
    "ordinary",
    "without_events",
]

MUTED, HOLIDAY = 1, 2
"Marks of a day, added where it has both."


def muted_days(days: Sequence[date], calendar: pd.DataFrame) -> np.ndarray:
    "Which of some days (bool) the calendar mutes."
    muted, on = np.zeros(len(days), dtype=bool), np.array(days, dtype="datetime64[D]")
    for entry in calendar[calendar.mutes].itertuples():
        first, last = (np.datetime64(day.date(), "D") for day in (entry.first, entry.last))
        muted |= (first <= on) & (on <= last)
    return muted


def holidays_in(calendar: pd.DataFrame, tenant: str | None = None) -> frozenset[date]:
    """Every day that the calendar calls a holiday: of a tenant those of everybody and its own, of
    all tenants together (None) those of any."""
    if "holiday" not in calendar or not len(calendar):
        return frozenset()
    entries = calendar[calendar.holiday.astype(bool)]
    if tenant is not None:
        entries = entries[entries.tenant.isna() | (entries.tenant == tenant)]
    spans = zip(entries["first"].dt.date, entries["last"].dt.date)
    return frozenset(
        first + timedelta(i) for first, last in spans for i in range((last - first).days + 1)
    )


def marks_of(days: Sequence[date], calendar: pd.DataFrame) -> np.ndarray:
    "The marks of each day (days,) int: 1 where it is muted, and 2 more where it is a holiday."
    holidays = holidays_in(calendar)
    festive = np.array([day in holidays for day in days], dtype=bool)
    return MUTED * muted_days(days, calendar) + HOLIDAY * festive


def known_holidays(
    reader: Reader, model: str, as_of: datetime | None, tenant: str | None = None
) -> frozenset[date]:
    "Holidays of a model, as known at a time; of a tenant or all, as in `holidays_in`."
    return holidays_in(reader.calendar(model, as_of), tenant)


def ordinary(
    counts: Mapping[date, ScoreCounts], holidays: frozenset[date]
) -> dict[date, ScoreCounts]:
    "Counts of the days that are no holidays."
    return {day: counted for day, counted in counts.items() if day not in holidays}


def without_events(
    counts: Mapping[date, ScoreCounts], holidays: Collection[date]
) -> dict[date, ScoreCounts]:
    "Counts by day, in which holidays are days without an event."
    none = {d: ScoreCounts.empty(c.grid) for d, c in counts.items() if d in holidays}
    return {**counts, **none}
