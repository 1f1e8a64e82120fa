"""What was decided, with what, and whether the promises were kept."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from math import nan

import numpy as np
import pandas as pd

from ..log.calibrations import Interval, calibrated_on
from ..stats.automation import Certainty
from ..stats.conformal import SetBounds, Sets
from ..stats.counts import ScoreCounts
from ..stats.coverage import CoverageReport, coverage_report
from .labels import Labels
from .model_day import ModelDay

__all__ = ["Tickets"]

ROUTES = ("ticket", "alert", "monitor")
_BACK_TESTED = 60  # days


class Tickets:
    "Decisions of the day, the calibration they rest on, and what became of earlier ones."

    def __init__(self, of: ModelDay, labels: Labels):
        self._of, self._labels = of, labels
        self._outcomes = {}

    @cached_property
    def stands(self) -> tuple[str, Certainty] | None:
        """The id of what the day was decided with, and that itself.

        As its predictions say, else the newest that rests on earlier days only.
        """
        of = self._of
        key = of.reader.decided_with(of.model, of.version, [of.day], of.as_of).get(of.day)
        stored = of.reader.calibrations([key]) if key else {}
        if stored:
            return key, stored[key]
        before = of.day - timedelta(1)
        return of.reader.calibration(of.model, of.version, of.stood_at, before)

    @cached_property
    def decisions(self) -> dict[str, int]:
        "Decisions of the day by route, and how many were automated."
        return self.decisions_of(None)

    def decisions_of(self, tenant: str | None) -> dict[str, int]:
        "Decisions of the day of one tenant (None: of all) by route, and how many were automated."
        of = self._of
        frame = of.reader.decisions(
            of.model, of.day, of.day, version=of.version, tenant=tenant, as_of=of.as_of
        )
        by_route = frame.groupby("route").n.sum()
        automated = int(frame.n[frame.automated.astype(bool)].sum())
        return {r: int(by_route.get(r, 0)) for r in ROUTES} | {"automated": automated}

    def outcomes(self, day: date) -> tuple[int, int, int]:
        "How many tickets a day had, how many of them have a label, and how many were false."
        if day not in self._outcomes:
            of = self._of
            by_day = of.reader.ticket_outcomes(of.model, of.version, day, day, of.as_of)
            self._outcomes[day] = by_day.get(day, (0, 0, 0))
        return self._outcomes[day]

    @cached_property
    def kept(self) -> pd.DataFrame:
        """Back-test: what became of the labelled tickets of the last 60 complete days.

        Columns day, tickets (labelled ones) and false; days without any are left out.
        """
        of, last = self._of, self._labels.complete_day
        if last is None:
            return pd.DataFrame(columns=["day", "tickets", "false"])
        first = last - timedelta(_BACK_TESTED - 1)
        by_day = of.reader.ticket_outcomes(of.model, of.version, first, last, of.as_of)
        rows = [(day, labelled, false) for day, (_, labelled, false) in by_day.items() if labelled]
        return pd.DataFrame(rows, columns=["day", "tickets", "false"])

    @cached_property
    def set_bounds(self) -> dict[date, SetBounds]:
        """The bounds of the label-conditional sets that the complete days of the calibration window
        were decided with; days without a label or a calibration are left out."""
        of, last = self._of, self._labels.complete_day
        if last is None:
            return {}
        first = last - timedelta(of.settings.calibration_days - 1)
        days = [d for d, c in of.counts_by_day.items() if first <= d <= last and c.total[1]]
        return of.reader.set_bounds_by_day(
            of.model, of.version, days, of.settings.coverage, of.as_of
        )

    @cached_property
    def coverage(self) -> CoverageReport | None:
        "Were outcomes in the sets of the days of `set_bounds`? None without such days."
        return self.coverage_of(self._of.counts_by_day)

    def coverage_of(self, days: Mapping[date, ScoreCounts]) -> CoverageReport | None:
        "The same of some of the events, such as those of one tenant."
        bounds = self.set_bounds
        days = {d: c for d, c in days.items() if d in bounds}
        if not days:
            return None
        return coverage_report(
            days, lambda d, points: Sets(points <= bounds[d].zero, points >= bounds[d].one)
        )

    def alerts(self, limit: int | None = None) -> pd.DataFrame:
        """The day's predictions at or above the threshold, riskiest first.

        With label as known, features, and the interval they were decided with.
        """
        return self._decided(f"points >= {self._of.threshold}", limit)

    def high_risk(self) -> pd.DataFrame:
        """The day's tickets and alerts, like `alerts`, whatever the threshold is; without what
        was reviewed by chance."""
        return self._decided("route IN ('ticket', 'alert') AND coalesce(propensity, 1) = 1")

    def widest_review(self, alerts: pd.DataFrame) -> Interval | None:
        """Of some of the day's alerts (`alerts`) that a person decides the widest interval, and of
        equally wide ones the riskiest; None without any, or where no calibration stood, or
        nobody knows on which days."""
        if alerts.empty or self.stands is None:
            return None
        reviews = alerts[(alerts.route == "alert") & alerts.width.notna()]
        if reviews.empty:
            return None
        row, length = reviews.loc[reviews.width.idxmax()], self._of.settings.calibration_days
        days = calibrated_on(self._of.held_out, self.stands[1], length)
        if not days:
            return None
        return Interval(float(row.lower), float(row.upper), int(row.points), days)

    def _decided(self, where, limit=None):
        of = self._of
        rows = of.reader.rows(
            of.model, of.day, of.day, version=of.version, as_of=of.as_of, where=where
        )
        if rows.empty:  # with every column that others have
            nothing = np.zeros(0)
            return rows.assign(probability=nothing, lower=nothing, upper=nothing, width=nothing)
        rows = rows.sort_values(["points", "prediction_id"], ascending=[False, True])
        rows = rows.head(limit).reset_index(drop=True)
        lower, upper = self._intervals(rows)
        return rows.assign(
            probability=of.grid.inverse(rows.points), lower=lower, upper=upper, width=upper - lower
        )

    def _intervals(self, rows):
        "Of each row by what it was decided with, NaN where that is unknown."
        stored: Mapping = self._of.reader.calibrations(rows.calibration_id.dropna().unique())
        current = self.stands[1] if self.stands else None
        used = [stored.get(key, current) for key in rows.calibration_id]
        bounds = [c.interval(x) if c else (nan, nan) for c, x in zip(used, rows.points)]
        return np.array(bounds).T
