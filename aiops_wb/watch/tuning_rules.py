"""What the settings say of tuning a threshold, and one look, wherever its days come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from ..config import Settings
from ..stats.choosing import Capacity, Goal, MaxFDR, MaxFPR, MinCost
from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from ..stats.retrain import Check
from ..stats.tuning import (
    Daily,
    Situation,
    Tuned,
    TuningLimits,
    look_of,
    steps,
    tune,
    tuning_checks,
)

__all__ = ["Ground", "Looked", "TuningRules", "muted_days"]

MOST_DAYS = 0.9
"Of the days a number of alerts may not be exceeded."


class TuningRules(NamedTuple):
    "What a threshold is tuned for, on how many days, and within which limits."

    goal: Goal | None
    days: int
    limits: TuningLimits
    rollback_days: int

    @classmethod
    def of(cls, settings: Settings, goal: Goal | None = None) -> "TuningRules":
        "As the settings say; `goal`: another than theirs."
        limits = TuningLimits(
            settings.tune_min_days,
            settings.tune_min_labelled,
            settings.tune_cooldown_days,
            settings.tune_max_step,
            settings.tune_false_changes,
        )
        goal = goal or _goal(settings)
        return cls(goal, settings.tune_days, limits, settings.tune_rollback_days)


def _goal(settings):
    "The goal that the settings name; None where they name none."
    made = {
        "tune_cost_missed": lambda cost: MinCost(cost, false=1.0),
        "tune_max_fdr": MaxFDR,
        "tune_max_fpr": MaxFPR,
        "tune_alerts_per_day": lambda most: Capacity(most, MOST_DAYS),
    }
    named = ((make, getattr(settings, name)) for name, make in made.items())
    return next((make(value) for make, value in named if value is not None), None)


class Looked(NamedTuple):
    "What the checks say of a threshold, and what a look at others says (None: there was none)."

    checks: list[Check]
    tuned: Tuned | None

    @property
    def passes(self) -> bool:
        "Whether another threshold may be proposed."
        return all(check.passed for check in self.checks)

    @property
    def stopped(self) -> list[Check]:
        "Checks that stand in the way."
        return [check for check in self.checks if not check.passed]

    def as_evidence(self) -> dict:
        "As the trail keeps it."
        checks = {c.name: {"reason": c.reason} | dict(c.evidence) for c in self.checks}
        return {"tuning": checks}


@dataclass(frozen=True, eq=False)
class Ground:
    "What a look rests on: days of a version, and what is known of their labels."

    first: date  # of the version
    newest: date | None  # whose labels are in
    why_none: str  # why there is none
    grid: Grid
    counts: Callable[[date, date], Mapping[date, ScoreCounts]]
    owed: Callable[[date], float]
    muted: Callable[[date], bool]

    def look(self, current: int, rules: TuningRules, situation: Situation) -> Looked:
        "All checks, and what lies behind the last: a look of the last whole week."
        number, last = look_of(self.first, self.newest) if self.newest else (0, self.first)
        begin = max(self.first, last - timedelta(rules.days - 1))
        known = dict(self.counts(begin, last)) if number > 0 else {}
        days = {day: counts for day, counts in known.items() if not self.muted(day)}
        why = self.why_none if self.newest is None else ""
        situation = replace(
            situation,
            days=len(days),
            labelled=sum(c.total[1] for c in days.values()),
            left_out=len(known) - len(days),
            incomplete=why,
        )
        tuned = None
        if days and rules.goal is not None:
            owed = {day: self.owed(day) for day in days}
            daily = Daily.of(days, steps(current, rules.limits.max_step, self.grid), owed)
            tuned = tune(daily, current, rules.goal, number, rules.limits.alpha)
        return Looked(tuning_checks(situation, tuned, rules.limits), tuned)


def muted_days(calendar: pd.DataFrame) -> Callable[[date], bool]:
    "Which days the calendar mutes: holidays say nothing of other days."
    muting = calendar[calendar.mutes.astype(bool)] if len(calendar) else calendar
    spans = list(zip(muting["first"].dt.date, muting["last"].dt.date)) if len(muting) else []
    return lambda day: any(first <= day <= last for first, last in spans)
