"""Whether the contributions of features moved: the kept days of a version against its reference."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..stats.attribution import Attribution, attribution, of_year
from ..stats.holidays import LEAST
from ..stats.sequential import MIN_DAYS
from .alarms import lots
from .marked import known_holidays, muted_days
from .model_day import ModelDay
from .registered import ENOUGH_DAYS

__all__ = ["Course", "attribution_of", "course_of", "plain_names"]

BACK = 28
"Days before the first look that are looked at with it."
FEW = 0.5
"A day with fewer explained predictions than this part of the usual ones says too little."


class Course(NamedTuple):
    "The days of a version whose contributions are compared."

    reference: list[date]
    watched: list[date]  # behind it, in order of time, without those that the calendar mutes
    holidays: frozenset[date]  # of both; none where they are left out
    own: bool  # whether the reference is its own first days: the log has too few of the others

    @property
    def days(self) -> list[date]:
        "All of them, the reference first."
        return [*self.reference, *self.watched]


def course_of(view: ModelDay) -> Course:
    """The days that a version's contributions are compared over.

    Reference: the days it is held against, as far as the log has predictions of the model on them;
    where these are fewer than 14, the first 28 days that it scored. Watched: the days that it
    scored since, from the 28th before the first look on: what was looked at is never added to from
    the front, because evidence that is read every day grows at its end. Nobody waits for a day that
    is recorded as lost before it was explained. Holidays are left out, unless four of them are
    among the days of the reference.
    """
    reader, model = view.reader, view.model
    kept = reader.contribution_days(model, view.version, view.as_of).event_date.dt.date
    lost = reader.lost_days(model) - set(kept)
    logged = set(reader.days(model, view.as_of)) - lost
    days = reader.days(model, view.as_of, view.version)
    holidays = known_holidays(reader, model, view.as_of)
    if len(holidays & logged & view.reference.days.keys()) < LEAST:
        lost, logged, holidays = lost | holidays, logged - holidays, frozenset()
    scored = [d for d in days if d <= view.day and d not in lost]
    reference = [d for d in sorted(view.reference.days) if d in logged and d <= view.day]
    if own := len(reference) < MIN_DAYS:
        reference = scored[:ENOUGH_DAYS]
    later = [d for d in scored if not reference or d > reference[-1]]
    behind = [d for d in kept.unique() if later and d >= later[0]]
    first = min(behind, default=view.day - timedelta(BACK - 1))
    muted = muted_days(later, reader.calendar(model, view.as_of))
    watched = [d for d, mute in zip(later, muted) if d >= first and not mute]
    return Course(reference, watched, holidays, own)


def attribution_of(view: ModelDay) -> Attribution:
    """Whether the contributions of features moved, as of the view's day: unknown, with the reason,
    where that cannot be said."""
    if view.not_watched:
        return _not_known(view, f"{view.version} is not watched, {view.not_watched}")
    if not view.explains:
        return _not_known(view, "the file of the version is not here, so its scores have no parts")
    course = course_of(view)
    kept = view.reader.contribution_days(view.model, view.version, view.as_of)
    kept = kept.assign(day=kept.event_date.dt.date)
    n = kept.groupby("day").n.max()
    lacking = len(set(course.reference) - set(n.index))
    if lacking:
        told = f"{lacking} of {len(course.reference)} reference days are not explained yet"
        return _not_known(view, f"{told}; a daily run that makes reports does it")
    enough = n >= FEW * n[course.reference].median() if course.reference else n > 0
    reference = [d for d in course.reference if enough[d]]
    watched = [d for d in _without_gap(course.watched, n) if enough[d]]
    days, recent = [*reference, *watched], view.settings.recent_days
    asked = of_year(len(days), len(reference), recent)
    means = _means(kept, [days[i] for i in asked])
    values, lot = np.full((len(days), means.shape[1]), np.nan), np.zeros(len(days))
    values[asked], lot[asked] = means.to_numpy(), lots("attribution", list(means.index))
    told = list(means.columns), len(reference), lot, view.settings.drift_level, recent
    return attribution(days, values, *told, course.holidays)


def _means(kept: pd.DataFrame, days: Sequence[date]) -> pd.DataFrame:
    "The mean contributions (days, features) of some days, in their order."
    features, kept = sorted(kept.feature.unique()), kept[kept.day.isin(set(days))]
    means = kept.assign(mean=kept.total / kept.n).pivot(
        index="day", columns="feature", values="mean"
    )
    return means.reindex(index=list(days), columns=features)


def _without_gap(days: Sequence[date], kept: pd.Series) -> list[date]:
    "Days in their order, up to the first that is not kept yet: it will be filled in."
    known = np.array([d in kept.index for d in days], dtype=bool)
    return list(days[: len(days) if known.all() else int(np.argmin(known))])


def _not_known(view, why):
    level = view.settings.drift_level
    return Attribution(tuple(view.card.get("features", ())), 0, 0, level, np.zeros(0), (), (), why)


def plain_names(view: ModelDay) -> dict[str, str]:
    "What people call the features of a model, as far as they said it."
    return {f: n.name for f, n in view.reader.feature_names(view.model, view.as_of).items()}
