"""A threshold that follows its labels through the mornings of a past."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.dial import BEGIN
from ..models.complete import CompleteDays
from ..stats.points import Grid
from ..stats.tuning import STEP, Situation, look_of
from .dial import Highs
from .lived import Growing
from .mornings import Morning
from .tuning_rules import Ground, TuningRules, muted_days

__all__ = ["LivedChange", "Tuner", "reachable"]


@dataclass(frozen=True)
class LivedChange:
    "A threshold that would have been changed (points), and why."

    day: date  # of the morning
    old: int
    new: int
    why: str
    put_back: bool = False
    grid: Grid = Grid()

    def __str__(self) -> str:
        old, new = (f"{float(self.grid.inverse(at)):.3f}" for at in (self.old, self.new))
        return f"{self.day}: {old} to {new} ({self.why})"


def reachable(highs: Highs, grid: Grid) -> Highs:
    "Every threshold that steps lead to from where a life begins."
    ((_, begin),) = highs
    low = begin - (begin + grid.limit) // STEP * STEP
    return tuple((BEGIN, int(at)) for at in np.arange(low, grid.limit + 1, STEP))


class Tuner:
    "The threshold of one life, looked at each week with the labels of then, and changed."

    def __init__(self, settings: Settings, growing: Growing, highs: Highs):
        self.rules, self.growing, self.highs = TuningRules.of(settings), growing, highs
        self.changes: list[LivedChange] = []
        self.looks = 0
        self.stopped = Counter()  # check -> mornings on which it stood in the way
        self.last_word = "no week was whole with labels that are in"  # why there was no change
        self._looked, self._changed = 0, None  # number of the last look; time of the last change

    def on(
        self,
        morning: Morning,
        complete: CompleteDays,
        alarms: Callable[[], tuple[str, ...]],
        calendar: Callable[[], pd.DataFrame],
    ) -> None:
        "Put back what was changed where an alarm opened behind it, else look, once a week."
        last = self.changes[-1] if self.changes else None
        if last and not last.put_back and self._soon(morning, last) and (heard := alarms()):
            self._go(morning, last.old, f"{', '.join(heard)} opened behind it", True)
            return
        number = self._number(complete)
        if number <= self._looked or self._rests(morning.at):
            return
        if heard := alarms():
            self._stop(f"open: {', '.join(heard)}", "alarms")
            return
        ground = Ground(
            self._first,
            complete.newest,
            complete.why_none,
            self.growing.grid,
            self._counts,
            complete.owed,
            muted_days(calendar()),
        )
        situation = Situation(morning.at, changed=self._changed)
        looked = ground.look(self.stands, self.rules, situation)
        if looked.passes:
            self._go(morning, looked.tuned.candidate, looked.tuned.reason)
        else:
            self._stop(
                "; ".join(c.reason for c in looked.stopped), *(c.name for c in looked.stopped)
            )
        if not {c.name for c in looked.stopped} - {"better"}:
            self.looks, self._looked = self.looks + 1, number

    def _soon(self, morning, last):
        return morning.day <= last.day + timedelta(self.rules.rollback_days)

    def _stop(self, why, *names):
        self.last_word = why
        self.stopped.update(names)

    @property
    def stands(self) -> int:
        "The threshold (points) as it stands."
        return self.highs[-1][1]

    @property
    def _first(self):
        "The first day of the version."
        return self.growing.date_of(int(np.flatnonzero(self.growing.logged)[0]))

    def _number(self, complete):
        if complete.newest is None or not self.growing.logged.any():
            return 0
        return look_of(self._first, complete.newest)[0]

    def _rests(self, at: datetime):
        "Whether the last change is too young."
        cooldown = timedelta(self.rules.limits.cooldown_days)
        return self._changed is not None and at < self._changed + cooldown

    def _counts(self, first, last):
        growing = self.growing
        rows = (row for row in growing.rows(first, last) if growing.logged[row])
        return {growing.date_of(row): growing.counts(row) for row in rows}

    def _go(self, morning, points, why, put_back=False):
        change = morning.day, self.stands, points, why, put_back, self.growing.grid
        self.changes.append(LivedChange(*change))
        self.highs, self._changed = (*self.highs, (morning.at, points)), morning.at
