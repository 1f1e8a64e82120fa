"""Which days' labels are in, by what the log has seen."""

from datetime import date, datetime, timedelta
from functools import cached_property
from math import inf

import numpy as np

from ..config import Settings
from ..log.catalog import Reader
from ..stats.arrival import Arrivals, Completeness, chance_to_come, complete_age

__all__ = ["CompleteDays"]


class CompleteDays:
    """The days of a model up to one whose labels are in, as known at a time.

    A day is complete when it is as old as labels take by evidence (`stats.arrival`), counted back
    from their last delivery, and no younger than `label_delay_days`.
    """

    def __init__(
        self, reader: Reader, model: str, day: date, as_of: datetime | None, settings: Settings
    ):
        self.reader, self.model, self.day, self.as_of = reader, model, day, as_of
        self._share, self._floor = settings.complete_share, settings.label_floor

    @cached_property
    def arrivals(self) -> Arrivals:
        "How the labels of the model's days arrived, over its versions."
        return self.reader.arrivals(self.model, self.day, self.as_of)[1]

    @cached_property
    def completeness(self) -> Completeness:
        "The age from which labels are in, by what the log has seen."
        return complete_age(self.arrivals, self._share)

    @cached_property
    def delivered(self) -> date | None:
        "The day of the last delivery of labels: they are as old as that, not as the morning."
        return self.reader.last_outcomes(self.as_of)

    @cached_property
    def newest(self) -> date | None:
        "The newest complete day; None where no age is known to be complete."
        oldest_allowed = self.day - timedelta(self._floor)
        if self._share >= 1:  # nothing has to be shown
            return oldest_allowed
        age = self.completeness.age
        if age is None or self.delivered is None:
            return None
        return min(oldest_allowed, self.delivered - timedelta(age))

    @property
    def waits(self) -> float:
        "Days after which labels are in; infinite where that is not known."
        return (self.day - self.newest).days if self.newest else inf

    @property
    def why_none(self) -> str:
        "Why no day is complete; empty where one is."
        return "" if self.newest else f"labels are not known to be complete: {self._reason}"

    @property
    def _reason(self):
        return self.completeness.reason if self.delivered else "no label is known yet"

    def owed(self, day: date) -> float:
        "The chance that an event of a complete day without a label still gets one."
        if self._share >= 1:
            return 0.0
        age = (self.delivered - day).days
        return float(self._chances[age]) if age < len(self._chances) else 0.0

    @cached_property
    def _chances(self):
        "(ages,) the highest among the bands where these are shown to differ, else that of all."
        if not self.completeness.by_band:
            return chance_to_come(self.arrivals)
        bands = range(self.arrivals.events.shape[1])
        apart = [self.arrivals.together(i) for i in bands]
        return np.max([chance_to_come(a) for a in apart if a.labels.sum()], axis=0)
