"""How good the model is, and whether it got worse."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from math import isnan, nan

import numpy as np

from ..stats.counts import total
from ..stats.drift import AccuracyDrop
from ..stats.performance import Figure, over_days_bootstrap, summary
from .labels import Labels
from .marked import known_holidays, ordinary
from .model_day import ModelDay
from .words import number, percent

__all__ = ["quality_losses", "Quality"]


def quality_losses(week: Mapping[str, Figure], base: Mapping[str, float]) -> list[str]:
    """What got clearly worse than on the reference days, each in words.

    Accuracy by 10 %, ROC-AUC by 0.05, Brier score by a quarter, each with an interval that does not
    reach what it was.
    """
    losses, drop = [], AccuracyDrop(base.get("accuracy", nan), week["accuracy"].value)
    if drop.severity in ("medium", "high") and week["accuracy"].upper < drop.baseline:
        losses.append(f"accuracy fell by {percent(drop.drop)}")
    area, before = week["roc_auc"], base.get("roc_auc", nan)
    if area.value < before - 0.05 and _certain(area, area.upper < before):
        losses.append(f"ROC-AUC fell from {number(before)} to {number(area.value)}")
    brier, before = week.get("brier", Figure(nan)), base.get("brier", nan)
    if brier.value > 1.25 * before and _certain(brier, brier.lower > before):
        losses.append(f"the Brier score rose from {number(before)} to {number(brier.value)}")
    return losses


def _certain(figure, beyond):
    "Without an interval (all scores alike, or all losses) only their number can be doubted."
    return bool(beyond) if not isnan(figure.lower) else figure.n >= 100


class Quality:
    "Figures of the model at the threshold in force, on labels as they are known."

    def __init__(self, of: ModelDay, labels: Labels):
        self._of, self._labels = of, labels

    @cached_property
    def today(self) -> dict[str, Figure]:
        "Figures of the day."
        return summary(self._of.window(1), self._of.threshold)

    @cached_property
    def week(self) -> dict[str, Figure]:
        "Figures of the recent days (7 unless set otherwise)."
        return summary(self._of.window(self._of.settings.recent_days), self._of.threshold)

    @cached_property
    def month(self) -> dict[str, Figure]:
        "Figures of the last 30 days, with intervals from drawing days."
        first = self._of.day - timedelta(29)
        return over_days_bootstrap(
            [c for d, c in self._of.counts_by_day.items() if d >= first],
            lambda c: summary(c, self._of.threshold),
            np.random.default_rng(self._of.day.toordinal()),
        )

    @cached_property
    def baseline(self) -> dict[str, float]:
        """Figures on the days that the version is held against: held-out days of training, or
        those that were chosen; empty for one trained elsewhere without any."""
        return self._of.reference.figures(self._of.threshold)

    def drop_from_baseline(self, week: Mapping[str, Figure]) -> AccuracyDrop:
        "Accuracy of some recent days against the reference days."
        return AccuracyDrop(self.baseline.get("accuracy", nan), week["accuracy"].value)

    @cached_property
    def accuracy_drop(self) -> AccuracyDrop:
        "Accuracy of the recent days, without holidays, against the reference days."
        first = self._of.day - timedelta(self._of.settings.recent_days - 1)
        return self.drop_from_baseline(self._ordinary(first, self._of.day, self.week))

    @cached_property
    def compared(self) -> dict[str, Figure]:
        "Figures of the newest complete days that are no holidays; of no events without any."
        window = self._labels.complete_window or (date.max, date.min)
        return self._ordinary(*window, self._labels.complete)

    @cached_property
    def losses(self) -> list[str]:
        """What got clearly worse than on the reference days, each in words: on the newest complete
        days, because labels that came early are no fair sample, and without holidays."""
        return quality_losses(self.compared, self.baseline)

    def _ordinary(self, first, last, whole):
        "Figures of days that are no holidays; `whole` are those of all, where none is a holiday."
        of = self._of
        holidays = known_holidays(of.reader, of.model, of.as_of)
        if not any(first <= day <= last for day in holidays):
            return whole
        days = {d: c for d, c in of.counts_by_day.items() if first <= d <= last}
        return summary(total(ordinary(days, holidays).values(), of.grid), of.threshold)

    @property
    def degraded(self) -> bool | None:
        """Whether the model should not be relied on as it is; None when nothing can be said.

        It should not with a grave alarm, or figures clearly worse than on the reference days.
        """
        severity = self._of.drift.severity
        if severity == "unknown" and isnan(self._labels.complete["accuracy"].value):
            return None
        return severity in ("high", "critical") or bool(self.losses)
