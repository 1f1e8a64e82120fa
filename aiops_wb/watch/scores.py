"""Whether the score moved, by the reference rule."""

from functools import cached_property

from ..stats.counts import ScoreCounts, total
from ..stats.drift import KS, ks, windows, worst
from .marked import known_holidays, ordinary
from .model_day import ModelDay
from .quality import Quality

__all__ = ["Scores"]


class Scores:
    "The score of the recent days against that of the reference days."

    def __init__(self, of: ModelDay, quality: Quality):
        self._of, self._quality = of, quality

    def recent_and_reference(self, tenant: str | None = None) -> tuple[ScoreCounts, ScoreCounts]:
        """Counts of the recent days and of the reference days, of one tenant or all (None);
        holidays of the tenant are among neither."""
        of = self._of
        holidays = known_holidays(of.reader, of.model, of.as_of, tenant)
        spans = self._spans
        recent, reference = (
            total(ordinary(self._counts(*span, tenant), holidays).values(), of.grid)
            for span in (spans.recent, spans.reference)
        )
        return recent, reference

    def recent(self, tenant: str) -> ScoreCounts:
        "Counts of the recent days of a tenant, holidays as well."
        return total(self._counts(*self._spans.recent, tenant).values(), self._of.grid)

    @property
    def _spans(self):
        settings = self._of.settings
        return windows(self._of.day, settings.recent_days, settings.reference_days)

    def _counts(self, first, last, tenant):
        "Counts of each day; those of all tenants have been read."
        if tenant is not None:
            return self._of.counts(first, last, tenant)
        return {d: c for d, c in self._of.counts_by_day.items() if first <= d <= last}

    @cached_property
    def ks(self) -> KS:
        """Recent days against reference days, both of this version.

        Two versions differ without any drift.
        """
        return ks(*self.recent_and_reference())

    @property
    def window_names(self) -> tuple[str, str]:
        "The two windows of the drift test in words."
        near, far = self._of.settings.reference_days
        return f"last {self._of.settings.recent_days} days", f"{near}-{far} days ago"

    @property
    def reference_severity(self) -> str:
        "The graver of score drift and accuracy drop, by the reference rule."
        return worst(self.ks.severity, self._quality.accuracy_drop.severity)
