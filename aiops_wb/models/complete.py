"""Which days a training may use: those whose labels are in, as known at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from math import inf, sqrt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.special import stdtr

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.never import NeverLabelled
from ..stats.arrival import Arrivals, Completeness, chance_to_come, complete_age

__all__ = [
    "COMPLETE_SHARE",
    "UNTIL_COMPLETE",
    "CompleteDays",
    "LabelledDays",
    "TrainingRows",
    "complete_days",
    "held_out_words",
    "label_rules",
    "labelled_days",
    "still_arriving",
    "training_rows",
]

COMPLETE_SHARE = 0.05
"Share of a day's labels that may still come when the day counts as complete."
UNTIL_COMPLETE = (
    "sets, tickets, reference figures and alarms about labels wait until labels are shown to be in"
)
"What waits where no day is complete."
LEVEL, LEAST_DAYS = 0.01, 5
"Chance that the labelled share is said to fall with age although it does not; days to say so."


def label_rules(settings: Settings) -> dict:
    "What the settings say of late labels, as arguments of what is below."
    return {"share": settings.complete_share, "floor": settings.label_floor}


class CompleteDays:
    """The days of a model up to one whose labels are in, as known at a time.

    A day is complete when it is as old as labels take by evidence, or by what is declared never to
    get one (`stats.arrival`), counted back from their last delivery, and at least `floor` days old.
    `share` of its labels may still come; from 1 on labels are taken at their word. `stood_at`: the
    time up to which declarations count (None: `as_of`). `logged`: the last day with predictions,
    where the log ended earlier than `day`: how labels arrive is seen on the days before.
    """

    def __init__(
        self,
        reader: Reader,
        model: str,
        day: date,
        as_of: datetime | None = None,
        *,
        share: float = COMPLETE_SHARE,
        floor: int = 0,
        stood_at: datetime | None = None,
        logged: date | None = None,
    ):
        self.reader, self.model, self.day, self.as_of = reader, model, day, as_of
        self.share, self.floor = share, floor
        self._stood_at, self._logged = stood_at or as_of, logged or day

    @cached_property
    def arrivals(self) -> Arrivals:
        "How the labels of the model's days arrived, over its versions."
        return self.reader.arrivals(self.model, self._logged, self.as_of)[1]

    @cached_property
    def declaration(self) -> NeverLabelled | None:
        "What the model's owner declares about labels that never come; None where nothing is."
        return self.reader.never_labelled(self.model, self._stood_at)

    @cached_property
    def completeness(self) -> Completeness:
        "The age from which labels are in, by what the log has seen and what is declared."
        declared = self.declaration.share if self.declaration else None
        return complete_age(self.arrivals, self.share, never=declared)

    @cached_property
    def delivered(self) -> date | None:
        "The day of the last delivery of labels: they are as old as that, not as the morning."
        return self.reader.last_outcomes(self.model, self.as_of)

    @property
    def at_their_word(self) -> bool:
        "Whether nothing has to be shown."
        return self.share >= 1

    @property
    def established(self) -> bool:
        "Whether the log shows from which age on labels are in, or nobody asks it to."
        return self.at_their_word or self.completeness.age is not None

    @cached_property
    def newest(self) -> date | None:
        "The newest complete day; None where no age is known to be complete."
        if self.at_their_word:
            return self.day - timedelta(self.floor)
        if not self.established or self.delivered is None:
            return None
        came = self.delivered - timedelta(self.completeness.age)
        return min(self.day - timedelta(self.floor), came)

    @property
    def newest_as_set(self) -> date | None:
        "The newest complete day, or the newest that is as old as was set: a person decides."
        if self.newest or not self.floor or self.delivered is None:
            return self.newest
        return min(self.day, self.delivered - timedelta(self.floor))

    @property
    def waits(self) -> float:
        "Days after which labels are in; infinite where that is not known."
        return (self.day - self.newest).days if self.newest else inf

    @property
    def why_none(self) -> str:
        "Why no day is complete; empty where one is."
        if self.newest:
            return ""
        reason = self.completeness.reason if self.delivered else "no label is known yet"
        return f"labels are not known to be complete: {reason}"

    def owed(self, day: date) -> float:
        "The chance that an event of a complete day without a label still gets one."
        if self.at_their_word:
            return 0.0
        age = (self.delivered - day).days
        return float(self._chances[age]) if age < len(self._chances) else 0.0

    @cached_property
    def _chances(self):
        "(ages,) the highest among the bands where these are shown to differ, else that of all."
        seen = self.completeness
        never = self.declaration.share if seen.declared and not seen.plateau else None
        if not seen.by_band:
            return chance_to_come(self.arrivals, never)
        bands = range(self.arrivals.events.shape[1])
        apart = [self.arrivals.together(i) for i in bands]
        return np.max([chance_to_come(a, never) for a in apart if a.labels.sum()], axis=0)

    @property
    def declared(self) -> str:
        "What is declared about labels that never come, and whether it counts; empty: nothing is."
        told, seen = self.declaration, self.completeness
        if not told:
            return ""
        if self.at_their_word:
            return f"{told}; nothing has to be shown, so it counts for nothing"
        if seen.doubt:
            return f"{told}; it does not count: more events than it leaves have a label"
        if seen.declared:
            return f"{told}; days are complete by it"
        if seen.plateau:
            more = ", and that it is more" if seen.never.lower > told.share else ""
            return f"{told}; the log shows it by itself{more}"
        return f"{told}; no day is complete by it yet"

    @property
    def speaks_of(self) -> str:
        "Of which events a promise about labels speaks, and what that assumes."
        seen, told = self.completeness, self.declaration
        if self.at_their_word:
            return "events whose label is known: labels are taken at their word"
        if not self.newest:
            return f"nothing yet: {self.why_none}"
        if seen.plateau:
            value, lower, upper = seen.never[:3]
            never = f"{value:.1%} ({lower:.1%} to {upper:.1%}) never get one, as the log shows"
            never += f"; declared: {told}" if told else ""
        else:
            never = f"declared never to get one: {told}"
        return (
            f"events whose label ever comes; {never}. That at equal scores these are like the "
            "others cannot be seen in a log"
        )

    def __str__(self) -> str:
        if self.at_their_word:
            return f"labels are taken to be complete after {self.floor} days"
        if self.established and self.floor > self.completeness.age:
            return f"labels count as complete after {self.floor} days, as was set"
        return self.completeness.reason

    @property
    def younger(self) -> str:
        "Why days after the newest complete one are none."
        return str(self) if self.established else f"younger than {self.floor} days, as was set"


def complete_days(
    reader: Reader,
    model: str,
    now: datetime,
    *,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
    as_of: datetime | None = None,
) -> CompleteDays:
    """The complete days up to the day before a time. `as_of`: labels as known then (None: all).

    Declarations count that were made until then, and not after `now`.
    """
    yesterday = now.astimezone(ZoneInfo(reader.timezone)).date() - timedelta(1)
    logged = max((d for d in reader.days(model, as_of) if d <= yesterday), default=yesterday)
    rules = {"share": share, "floor": floor, "stood_at": min(now, as_of) if as_of else now}
    return CompleteDays(reader, model, yesterday, as_of, **rules, logged=logged)


def still_arriving(days: Mapping[date, tuple[int, int]], share: float = COMPLETE_SHARE) -> str:
    """How the labelled share of days (events, labelled) falls with their age, in words; empty
    where it does not.

    By Spearman's rank correlation over days that have a label, at a level of 1 %, and only where
    the younger half of them lacks more than `share` of the labels that the older half has.
    """
    counts = {day: count for day, count in sorted(days.items()) if count[1]}
    if share >= 1 or len(counts) < LEAST_DAYS:
        return ""
    events, labelled = np.array(list(counts.values()), dtype=float).T
    half = len(counts) // 2
    older, younger = (labelled[at].sum() / events[at].sum() for at in (np.s_[:half], np.s_[half:]))
    if younger >= older * (1 - share) or _falls(labelled / events) >= LEVEL:
        return ""
    names = list(counts)
    return (
        f"of the events from {names[0]} to {names[half - 1]} {older:.0%} have a label, "
        f"from {names[half]} to {names[-1]} {younger:.0%}"
    )


def _falls(shares):
    "The chance of so falling an order of values where all orders are alike, one-sided."
    n, ranks = len(shares), pd.Series(shares).rank().to_numpy()
    if np.ptp(ranks) == 0:
        return 1.0
    r = np.corrcoef(ranks, np.arange(n))[0, 1]
    return float(stdtr(n - 2, r * sqrt((n - 2) / max(1 - r * r, 1e-12))))


@dataclass(frozen=True, eq=False)
class LabelledDays:
    "Days whose labels may be used, and what is to be said of them."

    events: dict[date, int]  # of each of their days, with a label or without
    told: str  # what is known of late labels, and what was left out for it, in words
    incomplete: bool  # whether days are among them whose labels are known not to be in
    unsure: str  # why no day is known to be complete; empty where one is


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingRows(LabelledDays):
    "Labelled rows to train on, and what is to be said of their labels."

    rows: pd.DataFrame


def labelled_days(
    reader: Reader,
    model: str,
    start: date,
    end: date,
    now: datetime,
    *,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
    as_of: datetime | None = None,
    allow_incomplete: bool = False,
) -> LabelledDays:
    """The days of a model from start to end that are complete for labels.

    StoreError where the labelled share falls with age and no age is known from which days are
    complete; `allow_incomplete` takes all days.
    """
    complete = complete_days(reader, model, now, share=share, floor=floor, as_of=as_of)
    days, newest = reader.labelled(model, start, end, as_of), complete.newest_as_set
    young = {d: n for d, n in days.items() if newest and d > newest}
    old = {d: n for d, n in days.items() if d not in young}
    falls = "" if complete.established else still_arriving(old, share)
    incomplete = allow_incomplete and (bool(falls) or _labels(young) > 0)
    if not incomplete:
        _refuse(model, complete, falls, old, young)
    used = days if incomplete else old
    told = _told(complete, falls, young, incomplete)
    events = {day: n for day, (n, _) in used.items()}
    return LabelledDays(events, told, incomplete, complete.why_none)


def training_rows(
    reader: Reader,
    model: str,
    start: date,
    end: date,
    now: datetime,
    *,
    as_of: datetime | None = None,
    **rules,
) -> TrainingRows:
    """The labelled rows of a model from start to end whose day is complete for labels; `rules` as
    in `labelled_days`, which says what is refused."""
    days = labelled_days(reader, model, start, end, now, as_of=as_of, **rules)
    rows = reader.labelled_rows(model, start, end, as_of)
    if len(rows):
        used = list(days.events)
        rows = rows[pd.to_datetime(rows.event_date).dt.date.isin(used)].reset_index(drop=True)
    return TrainingRows(**vars(days), rows=rows)


def _labels(days):
    return sum(labelled for _, labelled in days.values())


def _refuse(model, complete, falls, old, young):
    "StoreError where labels still arrive, or no complete day has any."
    if falls:
        raise StoreError(
            f"{model}: labels still arrive ({complete}); {falls}. A model would learn from those "
            "that are known early, and its held-out figures would be too good: choose earlier "
            "days, or go on with --allow-incomplete."
        )
    if _labels(young) and not _labels(old):
        raise StoreError(
            f"{model}: no labelled row is of a complete day, those are up to "
            f"{complete.newest_as_set} ({complete.younger}): choose earlier days, or go on with "
            "--allow-incomplete."
        )


def _told(complete, falls, young, incomplete):
    "What a training has to say of its labels."
    if incomplete:
        why = "; ".join(filter(None, (str(complete), falls)))
        return f"all labelled rows are used though labels are not complete ({why})"
    left = ""
    if _labels(young):
        left = (
            f"left out: {_labels(young):,} labelled rows of {_counted_days(young)} whose labels "
            f"are not complete ({complete.younger})"
        )
    if complete.established:
        return left
    unsure = (
        f"it is not known from which age on labels are complete ({complete.completeness.reason}); "
        "the labelled share of these days is not seen to fall with age"
    )
    return f"{left}; {unsure}" if left else unsure


def _counted_days(days):
    return f"{len(days)} day{'' if len(days) == 1 else 's'}"


def held_out_words(card: Mapping) -> str:
    "On how many events the held-out figures of a version's card rest, and how many had a label."
    labelled, events = card.get("held_out_rows"), card.get("held_out_events")
    if events is None:  # a version of an earlier release, or of somebody else
        return f"on {labelled:,} labelled events" if labelled else ""
    share = 100 if labelled == events else min(99, round(100 * labelled / events))
    incomplete = ", labels not complete" if card.get("incomplete_labels") else ""
    return (
        f"on {labelled:,} of {events:,} events of {card['held_out_days']} days "
        f"({share} % labelled{incomplete})"
    )
