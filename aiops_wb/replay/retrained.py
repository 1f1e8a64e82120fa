"""Retraining policies lived over the past: what each would have learned, and lost.

A training on a past morning sees what was known then, on days complete then, and its version is
judged on the days behind it alone. The log is only read: nothing is registered, nothing recorded.
What is held at a time are the rows of one training, or those of a week.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import isnan, nan
from typing import Any

import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import own_since
from ..log.errors import StoreError
from ..log.known_then import KnownThen
from ..stats.counts import ScoreCounts
from ..stats.performance import average_precision
from ..stats.recipes import NEVER, Answer, Lost, answer
from ..watch.policy import Costs, Policy
from .courses import Course, Recorded, steps
from .past import ONE_DAY, SUMS, Past

__all__ = ["ACTUAL", "MOST", "Lived", "Retrained", "relive_trainings"]

ACTUAL, MOST = "actual", 5
"The name of what was really decided; how many policies are lived at once."
ALLOWED = {"threshold", "costs", "retraining"}
"What a policy may name beside its name, where trainings are lived."


@dataclass(frozen=True, eq=False)
class Lived:
    """What came of one policy. `days`: day, events, labelled, positives, loss (nats), calls, false,
    missed (both of labelled events), labels_in; figures are of days whose labels are in."""

    name: str
    words: str  # how it retrains
    days: pd.DataFrame
    counts: ScoreCounts
    trainings: int = 0
    took_over: int = 0  # of its versions
    not_trained: tuple[str, ...] = ()  # why, where a training could not be made
    costs: Costs | None = None

    @property
    def known(self) -> pd.DataFrame:
        "Days whose labels are in."
        return self.days[self.days.labels_in]

    @property
    def log_loss(self) -> float:
        "Nats of a labelled event; NaN without any."
        return _mean(self.known.loss, self.known.labelled)

    @property
    def pr_auc(self) -> float:
        "Over all versions that decided; NaN without a positive."
        return average_precision(self.counts).value if self.counts.total[2] else nan

    @property
    def calls_a_day(self) -> float:
        "Events at or above the threshold in force; NaN without a day."
        return float(self.days.calls.mean()) if len(self.days) else nan

    @property
    def cost(self) -> float:
        "Of a labelled event, in the unit of the costs; NaN where none are named."
        return nan if self.costs is None else _mean(self.lost, self.known.labelled)

    @property
    def lost(self) -> pd.Series:
        "What is compared, of each known day: costs where they are named, else the log loss."
        of = self.known
        if self.costs is None:
            return of.loss
        called = of["false"] + of.positives - of.missed
        return self.costs.missed * of.missed + self.costs.review * called


def _mean(lost, n):
    return float(lost.sum() / n.sum()) if n.sum() else nan


@dataclass(frozen=True, eq=False)
class Retrained:
    "What came of living trainings again, never the first of the policies."

    model: str
    first: date
    last: date
    version: str  # that never decides for
    policies: list[Lived]
    actual: Lived | None  # None: never is what was decided
    lost: Lost  # of days whose labels are in
    answer: Answer
    unit: str
    labels_in: date | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def every(self) -> list[Lived]:
        "The policies, and what was really decided where that is another thing."
        return [*self.policies, *([self.actual] if self.actual else [])]

    def rows(self) -> Iterator[dict[str, Any]]:
        "A line of a table for each; None: not known, or not so."
        gained = {g.name: g for g in self.answer.gains}
        costly = self.unit != "nats"
        for one in self.every:
            told = {"policy": one.name, "trainings": one.trainings, "took_over": one.took_over}
            if one.name in (NEVER, ACTUAL):
                told |= {"trainings": None, "took_over": None}
            told |= {"log_loss": _plain(one.log_loss)} | (
                {"cost": _plain(one.cost)} if costly else {}
            )
            told |= {"pr_auc": _plain(one.pr_auc), "calls_a_day": _plain(one.calls_a_day)}
            yield told | {"gain_over_never": _in_words(gained.get(one.name))}

    def as_json(self) -> dict[str, Any]:
        "All of it as JSON can hold it."
        gained = {g.name: g for g in self.answer.gains}
        rows = [
            row
            | {"retrains": one.words, "gain_over_never": _beside(gained.get(one.name))}
            | {"not_trained": list(one.not_trained), "days": one.days.to_dict("records")}
            for one, row in zip(self.every, self.rows())
        ]
        return {
            "model": self.model,
            "from": self.first,
            "to": self.last,
            "labels_in": self.labels_in,
            "never": self.version,
            "unit": self.unit,
            "policies": rows,
            "best": self.answer.best,
            "alike": list(self.answer.alike),
            "says": self.answer.says,
            "notes": self.notes,
        }


def _plain(value):
    return None if isnan(value) else value


def _in_words(gain):
    if gain is None:
        return None
    return f"{gain.gain:+.4f} ({gain.lower:+.4f} to {gain.upper:+.4f})"


def _beside(gain):
    "A gain with its interval, by name."
    return gain and {k: v for k, v in gain._asdict().items() if k not in ("name", "against")}


def relive_trainings(
    reader: Reader,
    model: str,
    first: date,
    last: date,
    policies: Sequence[Policy],
    settings: Settings,
    *,
    as_of: datetime | None = None,
    shown: Callable[[Sequence], Iterable] = iter,
) -> Retrained:
    """Live the days of a model from first to last under retraining policies, and under none.

    Each trains on the morning before the first day and every so many days after it, with the labels
    of then; a version decides from the day after its morning. The version in production on the
    first morning is `never`. All are held to the threshold in force, or to the one that they name.
    `as_of`: what became of the days by labels known then. StoreError where nothing can be lived.
    """
    _check(policies)
    past = Past(KnownThen(reader, model, last, as_of), first, last, settings)
    costs = next((p.costs for p in policies if p.costs), None)
    never = Policy(name=NEVER, threshold=policies[0].threshold)
    courses = [Course(p, past) for p in (never, *policies)]
    recorded = Recorded(past)
    for step in shown(steps(past, courses, recorded)):
        step()
    failed = [why for one in courses for why in one.not_trained]
    if failed and not any(one.trainings for one in courses):
        raise StoreError(f"no training of these days could be made; the first says: {failed[0]}")
    lived = [_lived(one, past, costs) for one in courses]
    actual = None
    if recorded.differs:
        days = _days(recorded.sums, past)
        actual = Lived(ACTUAL, "as it was", days, recorded.counts, costs=costs)
    unit = "nats" if costs is None else "of cost"
    lost = _lost(lived, past)
    told = _answer(lost, lived, past, unit)
    notes = _notes(past, lived, policies)
    named = model, first, last, past.never.version
    return Retrained(*named, lived, actual, lost, told, unit, past.labels_in, notes)


def _check(policies):
    "StoreError where policies cannot be lived together."
    if len(policies) > MOST:
        raise StoreError(
            f"{len(policies)} policies with [retraining] are more than the {MOST} that are lived "
            "at once: each trains over the whole period, and all share one answer."
        )
    for one in policies:
        if one.retraining is None:
            raise StoreError(
                f"{one.name} has no table [retraining] and another policy has: live them in two "
                "calls; never retraining is always compared."
            )
        named = one.model_dump(exclude_none=True).keys() - ALLOWED
        if named:
            raise StoreError(
                f"{one.name} names {', '.join(sorted(named))} beside [retraining]: with trainings "
                "only threshold and [costs] are lived."
            )
        if one.costs and one.costs.false_ticket:
            raise StoreError(
                f"{one.name}: costs.false_ticket is of tickets, and none is lived with "
                "[retraining]: name missed and review."
            )
    if len({one.costs for one in policies if one.costs}) > 1:
        raise StoreError("policies with [retraining] are compared by one cost: name the same.")
    if len({one.threshold for one in policies}) > 1:
        raise StoreError(
            "policies with [retraining] are held to one threshold, as never retraining is: name "
            "the same, or none for that in force."
        )
    if NEVER in (names := [one.name for one in policies]) or ACTUAL in names:
        raise StoreError(f"a policy cannot be called {NEVER} or {ACTUAL}: rename its file.")


def _lived(course, past, costs) -> Lived:
    words = "never" if course.policy.retraining is None else str(course.policy.retraining)
    told = course.trainings, course.took_over, tuple(course.not_trained)
    return Lived(course.policy.name, words, _days(course.sums, past), course.counts, *told, costs)


def _days(sums, past) -> pd.DataFrame:
    "Sums of days in one table."
    days = pd.concat(sums, ignore_index=True) if sums else pd.DataFrame(columns=list(SUMS))
    return days.assign(labels_in=[past.is_known(day) for day in days.day])


def _lost(lived, past) -> Lost:
    "What each lost on days whose labels are in; days without events stay, so that weeks are weeks."
    last = min(past.last, past.labels_in or past.first - ONE_DAY)
    span = list(pd.date_range(past.first, last).date)
    n = lived[0].known.groupby("day").labelled.sum()
    on = lambda sums: sums.reindex(span, fill_value=0).to_numpy(dtype=float)
    of = {one.name: on(one.lost.groupby(one.known.day).sum()) for one in lived}
    return Lost(span, on(n), of)


def _answer(lost, lived, past, unit) -> Answer:
    "What blocks of days can tell of the policies."
    if not lost.days:
        why = past.why_unknown or f"labels are in up to {past.labels_in}"
        return Answer(None, (), (), f"Unknown: no label of these days is known to be in ({why}).")
    return answer(lost, {one.name: one.words for one in lived[1:]}, unit)


def _notes(past, lived, policies) -> list[str]:
    "What is to be kept in mind."
    notes = []
    late, days = past.known_late
    if late:
        notes.append(
            f"{late} of {days} days were not known until later, and no training of their time "
            "learned from them. A past that is brought in with 'aiops-wb history import' is known "
            "as it was"
        )
    open_ = len(lived[0].days) - len(lived[0].known)
    if open_:
        notes.append(
            f"labels of {open_} of {len(lived[0].days)} days are not known to be in: these are "
            "not compared"
        )
    notes += [
        f"{len(one.not_trained)} of {len(one.not_trained) + one.trainings} trainings of "
        f"{one.name} could not be made, the version before went on; the first says: "
        f"{one.not_trained[0].rstrip('.')}"
        for one in lived
        if one.not_trained
    ]
    versions = past.then.versions
    if any(own_since(past.reader, past.model, v, past.as_of) for v in versions):
        notes.append(
            "tenants or sites have, or had, thresholds of their own: their events are lived by "
            "that of the version"
        )
    if any(p.retraining.promote == "evidence" for p in policies):
        notes.append(
            "where evidence decides, weeks alone are asked, once a week: neither rankings, flips, "
            "segments and reasons, nor the guards after a promotion"
        )
    return notes
