"""Which days a training may use: those whose labels are in, as known at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.special import stdtr

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..stats.arrival import Completeness, complete_age

__all__ = [
    "COMPLETE_SHARE",
    "CompleteDays",
    "TrainingRows",
    "complete_days",
    "held_out_words",
    "label_rules",
    "still_arriving",
    "training_rows",
]

COMPLETE_SHARE = 0.05
"Share of a day's labels that may still come when the day counts as complete."
LEVEL, LEAST_DAYS = 0.01, 5
"Chance that the labelled share is said to fall with age although it does not; days to say so."


def label_rules(settings: Settings) -> dict:
    "What the settings say of late labels, as arguments of the functions below."
    chosen = "label_delay_days" in settings.model_fields_set
    return {"share": COMPLETE_SHARE, "floor": settings.label_delay_days if chosen else 0}


@dataclass(frozen=True)
class CompleteDays:
    "Up to which day the labels of a model are in, as known at a time."

    found: Completeness | None  # None: labels are taken at their word, nothing was looked for
    newest: date | None  # the newest complete day; None: neither the log nor a setting names one
    floor: int  # days after which labels count as complete at the earliest

    @property
    def established(self) -> bool:
        "Whether the log shows from which age on labels are in, or nobody asks it to."
        return self.found is None or self.found.age is not None

    def __str__(self) -> str:
        if self.found is None:
            return f"labels are taken to be complete after {self.floor} days"
        if self.established and self.floor > self.found.age:
            return f"labels count as complete after {self.floor} days, as was set"
        return self.found.reason

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
    """Up to which day the labels of a model are in, by how they have arrived.

    `share` of a day's labels may still come; from 1 on labels are taken at their word. No day
    younger than `floor` days, or of `now`, is complete. `as_of`: labels as known then (None: all).
    """
    yesterday = now.astimezone(ZoneInfo(reader.timezone)).date() - timedelta(1)
    found = None
    if share < 1:
        found = complete_age(reader.arrivals(model, yesterday, as_of)[1], share)
    age = found.age if found else 0
    delivered = reader.last_outcomes(as_of)
    if delivered is None or (age is None and not floor):
        return CompleteDays(found, None, floor)
    return CompleteDays(found, min(yesterday, delivered - timedelta(max(age or 0, floor))), floor)


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
class TrainingRows:
    "Labelled rows to train on, and what is to be said of their labels."

    rows: pd.DataFrame
    events: dict[date, int]  # of each of their days, with a label or without
    told: str  # what is known of late labels, and what was left out for it, in words
    incomplete: bool  # whether days are among them whose labels are known not to be in


def training_rows(
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
) -> TrainingRows:
    """The labelled rows of a model from start to end whose day is complete for labels.

    StoreError where the labelled share falls with age and no age is known from which days are
    complete; `allow_incomplete` takes all labelled rows.
    """
    complete = complete_days(reader, model, now, share=share, floor=floor, as_of=as_of)
    days = reader.labelled(model, start, end, as_of)
    young = {d: n for d, n in days.items() if complete.newest and d > complete.newest}
    old = {d: n for d, n in days.items() if d not in young}
    falls = "" if complete.established else still_arriving(old, share)
    incomplete = allow_incomplete and (bool(falls) or _labels(young) > 0)
    if not incomplete:
        _refuse(model, complete, falls, old, young)
    used = days if incomplete else old
    rows = reader.labelled_rows(model, start, end, as_of)
    if len(rows):
        rows = rows[pd.to_datetime(rows.event_date).dt.date.isin(list(used))].reset_index(drop=True)
    told = _told(complete, falls, young, incomplete)
    return TrainingRows(rows, {d: n for d, (n, _) in used.items()}, told, incomplete)


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
            f"{model}: no labelled row is of a complete day, those are up to {complete.newest} "
            f"({complete.younger}): choose earlier days, or go on with --allow-incomplete."
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
        f"it is not known from which age on labels are complete ({complete.found.reason}); the "
        "labelled share of these days is not seen to fall with age"
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
