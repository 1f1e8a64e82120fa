"""How features pushed the scores of a day: sums of contributions over some of its predictions."""

from collections.abc import Iterable
from datetime import date, datetime

import pandas as pd

from .base import Writing, conditions, moment
from .batches import BatchReads
from .gone import GoneReads

__all__ = ["ContributionReads", "ContributionWrites"]


class ContributionReads(BatchReads, GoneReads):
    "Days of contributions, as they were known at a time."

    def contribution_days(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """The latest sums of each day and feature: event_date, feature, n, total, squares (log-odds
        and their squares), batch_id; by day and feature."""
        where, values = conditions(model=model, version=version, known_at__le=as_of)
        latest = f"""
            SELECT event_date, feature, n, total, squares, batch_id FROM contribution_days{where}
            QUALIFY rank() OVER (PARTITION BY event_date ORDER BY known_at DESC, batch_id DESC) = 1
            ORDER BY event_date, feature"""
        asked = model, version, *moment(as_of)
        look = lambda: self.frame(latest, values)
        return self._until_written("contribution_days", asked, look).copy(deep=False)

    def days_to_explain(self, model: str, version: str, days: Iterable[date]) -> dict[date, int]:
        """Those of some days, in their order, whose contributions are not kept, or of which
        predictions came since: their last batch. Not those of which predictions are gone."""
        logged = self.newest_batches(model).groupby("event_date").batch.max()
        kept = self.contribution_days(model, version).groupby("event_date").batch_id.max()
        of = lambda frame: dict(zip(frame.index.date, map(int, frame))) if len(frame) else {}
        newest, done = of(logged), of(kept)
        lacking = {d: newest[d] for d in days if d in newest and done.get(d, -1) < newest[d]}
        files = self.day_files(kind="predictions", model=model) if lacking else []
        gone = {file.day for file in self.gone(f for f in files if f.day in lacking)}
        return {day: batch for day, batch in lacking.items() if day not in gone}


class ContributionWrites(ContributionReads, Writing):
    "What is known of days."

    def add_contributions(
        self, model: str, version: str, sums: pd.DataFrame, known_at: datetime
    ) -> None:
        "Append days, all features of each: event_date, feature, n, total, squares, batch_id."
        if len(sums):
            told = {"model": model, "version": version, "known_at": known_at}
            self._insert("contribution_days", sums.assign(**told))
