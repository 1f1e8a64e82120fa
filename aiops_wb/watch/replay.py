"""What another threshold would have done."""

from datetime import timedelta
from functools import cached_property

from ..stats.thresholds import Curve, Simulation, best_f1, curve, simulate
from .model_day import ModelDay

__all__ = ["Replay"]


class Replay:
    "The last 30 days, decided again with other thresholds."

    def __init__(self, of: ModelDay):
        self._of = of

    @cached_property
    def curve(self) -> Curve:
        "The threshold curve of the last 30 days."
        return curve(self._of.window(30))

    @cached_property
    def days_replayed(self) -> int:
        "How many of the last 30 days have predictions."
        return sum(d > self._of.day - timedelta(30) for d in self._of.counts_by_day)

    def simulate(self, candidate: int) -> Simulation:
        "Replay the last 30 days with another threshold (points)."
        return simulate(self._of.window(30), candidate, self._of.threshold, self.days_replayed)

    @cached_property
    def candidate(self) -> int | None:
        "The threshold with the best F1 over the last 30 days; None without positives."
        try:
            return best_f1(self._of.window(30))
        except ValueError:
            return None
