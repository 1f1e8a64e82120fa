"""Whether events came where they were expected: the silences of a model, and their alarms."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from math import nan
from zoneinfo import ZoneInfo

import numpy as np

from ..log.catalog import Reader
from ..stats.silence import (
    Silence,
    SilentHours,
    Usual,
    Volumes,
    hours_watched,
    silent_days,
    silent_hours,
    watched,
)

__all__ = ["SILENCE", "ADVICE", "SilenceAlarm", "Silences", "silences"]

SILENCE = "silence"
"The stream of alarms about events that did not come, which days without predictions have, too."

DAYS_BACK = 364
"Days before the newest with events that are looked at."
ADVICE = (
    "Ask who runs the service whether events are lost: until they come, nothing else can be "
    "watched. Where it was meant to rest, say so with 'aiops-wb calendar add'."
)


@dataclass(frozen=True)
class SilenceAlarm:
    "Days in a row on which something was missing."

    told: tuple[tuple[date, str, str, float], ...]  # of each such day: severity, words, chance
    since: date  # the first day, or the first of the days before that had nothing either
    closed_on: date | None  # the day that was as usual again

    @property
    def opened_on(self) -> date:
        "The day that made it strange."
        return self.told[0][0]

    @property
    def told_on(self) -> date:
        "The last day of it."
        return self.told[-1][0]

    @property
    def text(self) -> str:
        "What was missing, in words."
        return self.told[-1][2]

    @property
    def whole_day(self) -> bool:
        "Whether its last day had no prediction at all."
        return self.told[-1][1] == "critical"


@dataclass(frozen=True)
class Silences:
    "What was missing up to a day, all tenants and all watched versions together."

    volumes: Volumes
    days: list[Silence]
    hours: list[SilentHours]
    version: str  # that scored most of the newest day with events

    @cached_property
    def alarms(self) -> list[SilenceAlarm]:
        "Every alarm, the oldest first."
        until, strange = self.volumes.days[-1], {}
        for hours in self.hours:
            strange[hours.day] = (hours.day, "high", _of_hours(hours), hours.chance)
        for silence in self.days:
            last = silence.ended or until + timedelta(1)
            for i in range((last - silence.found).days):
                day = silence.found + timedelta(i)
                strange[day] = (day, "critical", _of_days(silence, day), silence.chance)
        found, since = [], {silence.found: silence.first for silence in self.days}
        for run in _in_a_row(sorted(strange)):
            told, after = tuple(strange[day] for day in run), run[-1] + timedelta(1)
            first = since.get(run[0], run[0])
            found.append(SilenceAlarm(told, first, after if after <= until else None))
        return found

    @property
    def open(self) -> SilenceAlarm | None:
        "The alarm that is open on the last day."
        last = self.alarms[-1:]
        return last[0] if last and last[0].closed_on is None else None

    @property
    def just_over(self) -> Silence | None:
        "The silence that the last day ended."
        last = self.days[-1:]
        return last[0] if last and last[0].ended == self.volumes.days[-1] else None

    def says(self) -> str:
        "What of silence would be found when, in one sentence."
        counts = self.volumes.counts & ~self._silent
        return watched(Usual.of(self.volumes.by_day[counts], self.volumes.weekday[counts]))

    def says_of_hours(self) -> str:
        "Which hours of the week are watched, in one sentence."
        n = hours_watched(self.volumes)
        if not n:
            return "No hour of the week has enough events, week after week, to be watched alone."
        return f"Of 168 hours of the week {n} are busy enough to be watched alone."

    @property
    def _silent(self):
        "(days,) whether a day is part of a silence."
        silent = np.zeros(len(self.volumes.days), dtype=bool)
        for one in self.days:
            end = one.ended or self.volumes.days[-1] + timedelta(1)
            silent |= np.array([one.first <= day < end for day in self.volumes.days], dtype=bool)
        return silent


def _in_a_row(days):
    "Runs of days that follow each other."
    runs = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _of_days(silence: Silence, day):
    n = (day - silence.first).days + 1
    what = f"No prediction came on {day:%-d %B %Y}"
    if n > 1:
        first = _without_year(silence.first, day)
        what = f"No prediction came from {first} to {day:%-d %B %Y} ({n:,} days)"
    return (
        f"{what}. Alarmed after {_without_year(silence.found, day)}, {silence.rule} "
        f"(the chance of none is {_chance(silence.chance)})."
    )


def _without_year(day, other):
    "A day beside another that is told with its year: with its own, where that differs."
    return f"{day:%-d %B}" if day.year == other.year else f"{day:%-d %B %Y}"


def _of_hours(hours: SilentHours):
    named = _named(hours.hours)
    return (
        f"No prediction came on {hours.day:%-d %B %Y} {named}, {hours.rule} "
        f"(the chance of none is at most {_chance(hours.chance)} in each)."
    )


def _chance(of_none):
    "A probability in words: nobody needs it when it is tiny."
    return f"{of_none:.0e}" if of_none >= 1e-30 else "below 1e-30"


def _named(hours):
    "Hours of a day, those in a row together."
    runs = []
    for hour in hours:
        if runs and hour == runs[-1][1]:
            runs[-1][1] = hour + 1
        else:
            runs.append([hour, hour + 1])
    return " and ".join(f"between {first:02d}:00 and {end:02d}:00" for first, end in runs)


def silences(
    reader: Reader, model: str, until: date, as_of: datetime | None = None
) -> Silences | None:
    """The silences of a model up to a day, as known at a time.

    Versions that are not watched count for nothing; None where no other has any event. Days
    that the calendar mutes, calls holidays, or has an entry of one day for, count for nothing.
    """
    rows = _watched_hours(reader, model, until, as_of)
    if rows.empty:
        return None
    newest = rows.event_date.max()
    holidays = _holidays(reader.calendar(model, as_of))
    day = rows.event_date.to_numpy().astype("datetime64[D]")
    volumes = Volumes.of(day, rows.hour, rows.n, until, holidays)
    _without_skipped(volumes, ZoneInfo(reader.timezone))
    days = silent_days(volumes)
    scored = rows[rows.event_date == newest].groupby("version").n.sum()
    return Silences(volumes, days, silent_hours(volumes), str(scored.idxmax()))


def _watched_hours(reader, model, until, as_of):
    "Hours of watched versions, on so many days up to the newest one that has any."
    for first in (until - timedelta(2 * DAYS_BACK), None):  # what ended long ago lies before
        rows = reader.hours(model, first, until, as_of=as_of)
        on = [v for v in rows.version.unique() if not reader.not_watched(model, v)]
        rows = rows[rows.version.isin(on)]
        since = rows.event_date.max() - timedelta(DAYS_BACK)
        if first is None or (len(rows) and since.date() >= first):
            break
    return rows[rows.event_date >= since]


def _holidays(calendar):
    """Days that the calendar mutes, calls holidays, or has an entry for that is no longer than a
    day."""
    days = set()
    for entry in calendar.itertuples():
        first, last = entry.first.date(), entry.last.date()
        if entry.mutes or entry.holiday or first == last:
            days |= {first + timedelta(i) for i in range((last - first).days + 1)}
    return days


def _without_skipped(volumes, zone):
    "Hours that clocks skipped were not there."
    for i, day in enumerate(volumes.days):
        ends = [datetime.combine(day + timedelta(n), time(), zone) for n in (0, 1)]
        if ends[0].utcoffset() < ends[1].utcoffset():
            for hour in np.flatnonzero(volumes.hours[i] == 0):
                at = datetime.combine(day, time(int(hour)), zone)
                if at.astimezone(UTC).astimezone(zone).hour != hour:
                    volumes.hours[i, hour] = nan
