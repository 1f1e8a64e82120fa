"""What is late in labels, and what figures will be when they are in."""

from datetime import date, timedelta
from functools import cached_property

from ..stats.arrival import BAND_POINTS, Arrivals, Completeness
from ..stats.conformal import VennAbers
from ..stats.counts import ScoreCounts, total
from ..stats.estimates import Adjusted, day_spread, delay_adjusted, expected_over_days
from ..stats.pace import Pace, pace_by_band
from ..stats.performance import Figure, summary
from .model_day import ModelDay

__all__ = ["Labels"]

SPREAD_DAYS = 60
"Days whose labels are in that say how much days differ."


class Labels:
    "Complete days, the pace of labels, and figures with what late labels will add."

    def __init__(self, of: ModelDay):
        self._of = of

    @property
    def arrivals(self) -> Arrivals:
        "How the labels of the model's days arrived, over its versions."
        return self._of.complete_days.arrivals

    @property
    def completeness(self) -> Completeness:
        "The age from which labels are in, by what the log has seen."
        return self._of.complete_days.completeness

    @property
    def complete_day(self) -> date | None:
        "The newest day whose labels are in; None where none is known to be."
        return self._of.complete_days.newest

    @property
    def complete_window(self) -> tuple[date, date] | None:
        "The newest recent days whose labels are in, first and last."
        last = self.complete_day
        return last and (last - timedelta(self._of.settings.recent_days - 1), last)

    @cached_property
    def complete(self) -> dict[str, Figure]:
        "Figures of the `complete_window`; of no events where there is none."
        first, last = self.complete_window or (date.max, date.min)
        days = [c for d, c in self._of.counts_by_day.items() if first <= d <= last]
        return summary(total(days, self._of.grid), self._of.threshold)

    @property
    def reference_probability(self) -> VennAbers | None:
        """The calibrated probability by the reference days: the held-out ones, or those chosen.

        None for a version trained elsewhere without any, or without probabilities.
        """
        return self._of.reference.probability

    @property
    def newest(self) -> date | None:
        "The day of the last delivery of labels: they are as old as that, not as the morning."
        return self._of.complete_days.delivered

    @cached_property
    def _pace(self) -> Pace | str:
        try:
            return pace_by_band(self.arrivals, BAND_POINTS)
        except ValueError as error:
            return str(error)

    @property
    def pace(self) -> Pace | None:
        "How fast labels of each kind arrive in each band of score; None where it is not known."
        return None if isinstance(self._pace, str) else self._pace

    @cached_property
    def expected(self) -> dict[str, Figure]:
        """Figures of the recent days expected from the calibrated scores, without any label.

        Empty without a calibrated probability.
        """
        of = self._of
        if not self.reference_probability:
            return {}
        return expected_over_days(
            list(self._recent().values()),
            list(of.reference.labelled.values()),
            self.reference_probability.probability,
            of.threshold,
            ever=self.pace and self.pace.ever,
        )

    @cached_property
    def adjusted(self) -> Adjusted | None:
        """Figures of the recent days with what late labels will add.

        None without a calibrated probability, a pace of labels or any label.
        """
        if self.reference_probability is None or self.pace is None or self.newest is None:
            return None
        probability = self.reference_probability.probability
        last = self.newest - timedelta(self.pace.age)
        in_ = [c for d, c in self._of.counts(last - timedelta(SPREAD_DAYS - 1), last).items()]
        days = [(c, (self.newest - d).days) for d, c in self._recent().items()]
        spread = day_spread(in_, probability)
        return delay_adjusted(days, probability, self.pace, self._of.threshold, spread=spread)

    @property
    def not_adjusted(self) -> str:
        "Why there are no adjusted figures; empty where there are."
        if self.reference_probability is None:
            return f"no {self._of.reference.name} tell what to expect from a score"
        if isinstance(self._pace, str):
            return self._pace
        return self.adjusted.reason if self.adjusted else "no label is known yet"

    def _recent(self) -> dict[date, ScoreCounts]:
        "Counts of the recent days."
        first = self._of.day - timedelta(self._of.settings.recent_days - 1)
        return {d: c for d, c in self._of.counts_by_day.items() if d >= first}
