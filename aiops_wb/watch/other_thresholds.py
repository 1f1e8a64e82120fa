"""What another threshold would have done."""

from datetime import date, timedelta
from functools import cached_property

from ..stats.counts import ScoreCounts, total
from ..stats.thresholds import Curve, Simulation, best_f1, curve, simulate
from .model_day import ModelDay

__all__ = ["OtherThresholds"]


class OtherThresholds:
    """The last 30 days whose labels are in, decided again with other thresholds; where no day of
    the version is known to be complete, the last 30 days."""

    def __init__(self, of: ModelDay):
        self._of = of

    @cached_property
    def curve(self) -> Curve:
        "The threshold curve of these days."
        return curve(self.counts)

    @cached_property
    def complete(self) -> bool:
        "Whether labels of these days are known to be in."
        newest = self._of.complete_days.newest
        return newest is not None and bool(self._until(newest))

    @property
    def through(self) -> date:
        "The last of these days."
        return self._of.complete_days.newest if self.complete else self._of.day

    @property
    def first(self) -> date:
        "The first of these days."
        return self.through - timedelta(29)

    def _until(self, last):
        first = last - timedelta(29)
        return [c for d, c in self._of.counts_by_day.items() if first <= d <= last]

    @cached_property
    def _days(self):
        return self._until(self.through)

    @cached_property
    def counts(self) -> ScoreCounts:
        "The events of these days."
        return total(self._days, self._of.grid)

    @property
    def days_replayed(self) -> int:
        "How many of these days have predictions."
        return len(self._days)

    def simulate(self, candidate: int) -> Simulation:
        "Replay these days with another threshold (points)."
        return simulate(self.counts, candidate, self._of.threshold, self.days_replayed)

    @cached_property
    def candidate(self) -> int | None:
        "The threshold with the best F1 over these days; None without positives."
        try:
            return best_f1(self.counts)
        except ValueError:
            return None
