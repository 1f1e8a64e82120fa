"""What is late in labels, and what figures will be when they are in."""

from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from ..stats.conformal import VennAbers
from ..stats.counts import total
from ..stats.estimates import Adjusted, Maturation, delay_adjusted, expected_performance, maturation
from ..stats.performance import Figure, summary
from .model_day import ModelDay

__all__ = ["Labels"]


class Labels:
    "Complete days, the pace of labels, and figures with what late labels will add."

    def __init__(self, of: ModelDay):
        self._of = of

    @property
    def complete_day(self) -> date:
        "The newest day whose labels count as complete."
        return self._of.day - timedelta(self._of.settings.label_delay_days)

    @cached_property
    def complete(self) -> dict[str, Figure]:
        "Figures of the newest recent days whose labels count as complete."
        last = self.complete_day
        first = last - timedelta(self._of.settings.recent_days - 1)
        days = [c for d, c in self._of.counts_by_day.items() if first <= d <= last]
        return summary(total(days, self._of.grid), self._of.threshold)

    @property
    def reference_probability(self) -> VennAbers | None:
        """The calibrated probability by the held-out days of training.

        None for a version trained elsewhere, or without probabilities.
        """
        return self._of.registered.probability

    @cached_property
    def maturation(self) -> Maturation | None:
        "How fast labels of each kind arrive, by complete days; None when they hold not both kinds."
        of, last = self._of, self.complete_day
        first = last - timedelta(60)
        events = sum(c.total[0] for d, c in of.counts_by_day.items() if first <= d <= last)
        if not events:
            return None
        arrivals = of.reader.label_arrivals(of.model, of.version, first, last, of.as_of)
        try:
            return maturation(arrivals, events)
        except ValueError:
            return None

    @cached_property
    def expected(self) -> dict[str, Figure]:
        """Figures of the recent days expected from the calibrated scores, without any label.

        Empty without a calibrated probability.
        """
        if not self.reference_probability:
            return {}
        recent = self._of.window(self._of.settings.recent_days)
        probability = self.reference_probability.probability(recent.points)
        return expected_performance(recent, probability, self._of.threshold)

    @cached_property
    def adjusted(self) -> Adjusted | None:
        """Figures of the recent days with what late labels will add.

        None without a calibrated probability or a pace of labels.
        """
        of = self._of
        if self.reference_probability is None or self.maturation is None:
            return None
        came = of.reader.last_outcomes(of.as_of)
        if came is None:
            return None
        # labels are as old as their last delivery, not as the morning
        newest = came.astimezone(ZoneInfo(of.reader.timezone)).date()
        first = of.day - timedelta(of.settings.recent_days - 1)
        days = [(c, (newest - d).days) for d, c in of.counts_by_day.items() if d >= first]
        return delay_adjusted(
            days, self.reference_probability.probability, self.maturation, of.threshold
        )
