"""What another threshold would have done."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from ..log.errors import StoreError
from ..stats.choosing import Capacity, Choice, Goal, Parity, optimise, optimise_segments, parity
from ..stats.control import Controlled, control
from ..stats.counts import ScoreCounts, total
from ..stats.thresholds import Curve, Simulation, best_f1, curve, simulate
from .model_day import ModelDay

__all__ = ["DAYS", "OtherThresholds"]

DAYS = 30
"Days that a threshold is tried on, unless others are named."
SEED = 15
"Of the days that are drawn for an interval: the same log gives the same interval."


class OtherThresholds:
    """The last 30 days whose labels are in, decided again with other thresholds; where no day of
    the version is known to be complete, the last 30 days."""

    def __init__(self, of: ModelDay):
        self._of = of

    @cached_property
    def curve(self) -> Curve:
        "The threshold curve of these days."
        return curve(self._counts)

    @cached_property
    def complete(self) -> bool:
        "Whether labels of these days are known to be in."
        newest = self._of.complete_days.newest
        return newest is not None and bool(self._until(newest))

    @property
    def through(self) -> date:
        "The last of these days."
        return self._of.complete_days.newest if self.complete else self._of.day

    def _until(self, last):
        first = last - timedelta(29)
        return [c for d, c in self._of.counts_by_day.items() if first <= d <= last]

    @cached_property
    def _days(self):
        return self._until(self.through)

    @cached_property
    def _counts(self):
        return total(self._days, self._of.grid)

    @property
    def days_replayed(self) -> int:
        "How many of these days have predictions."
        return len(self._days)

    def simulate(self, candidate: int) -> Simulation:
        "Replay these days with another threshold (points)."
        return simulate(self._counts, candidate, self._of.threshold, self.days_replayed)

    @cached_property
    def candidate(self) -> int | None:
        "The threshold with the best F1 over these days; None without positives."
        try:
            return best_f1(self._counts)
        except ValueError:
            return None

    def choose(self, goal: Goal, days: int = DAYS) -> Choice:
        """A threshold for a goal from the last complete days; from the last days of all for a
        capacity, which needs no label. None where no day is known to be complete, and why."""
        known = self._complete(days, goal)
        choice = optimise(known, goal, np.random.default_rng(SEED))
        return choice if known else self._nothing(choice)

    def choose_by_site(
        self, goal: Goal, days: int = DAYS
    ) -> tuple[dict[str, Choice], list[Parity]]:
        """The same for each site, borrowing from all; and how the error rates of sites differ at
        the threshold in force. Empty without such days; StoreError for a model without sites."""
        sites = self._by_site(self._complete(days, goal))
        own = optimise_segments(sites, goal, np.random.default_rng(SEED))
        return own, parity(sites, self._of.threshold)

    def control(
        self, risk: str, target: float, confidence: float, unit: str = "week"
    ) -> Controlled:
        """What can be promised of a risk from all complete days of this version (all of its days
        for alerts), with its back-test; labels that are still owed count against it."""
        complete, alerts = self._of.complete_days, risk == "alerts"
        last = self._of.day if alerts else complete.newest
        days = self._through(last) if last else {}
        owed = {} if alerts else {day: complete.owed(day) for day in days}
        wait = 0 if alerts or not days else (self._of.day - last).days
        return control(days, risk, target, confidence, unit, owed=owed, delay_days=wait)

    def _through(self, last) -> dict[date, ScoreCounts]:
        "Counts of all days of this version up to one."
        of = self._of
        return of.reader.score_counts(of.model, None, last, version=of.version, as_of=of.as_of)

    def _complete(self, days, goal) -> Mapping[date, ScoreCounts]:
        "Counts of the last days whose labels are in; of the last of all where labels do not count."
        last = self._of.day if isinstance(goal, Capacity) else self._of.complete_days.newest
        return self._of.counts(last - timedelta(days - 1), last) if last else {}

    def _nothing(self, choice):
        why = self._of.complete_days.why_none
        return replace(choice, grid=self._of.grid, reason=why or choice.reason)

    def _by_site(self, days):
        "Counts of each site on some days."
        of = self._of
        if not days:
            return {}
        first, last = min(days), max(days)
        found = of.reader.segment_counts_by_day(
            of.model, first, last, version=of.version, as_of=of.as_of
        )
        if not found:
            raise StoreError(
                f"{of.model} {of.version} has no sites: nothing can be chosen by site."
            )
        return {name.removeprefix("site="): by_day for name, by_day in found.items()}
