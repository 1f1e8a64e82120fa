"""Some predictions, looked up by their ids."""

from collections.abc import Iterable
from datetime import date, datetime

import pandas as pd

from .duck import literal, statements
from .events import EventReads

__all__ = ["EventLookups"]


class EventLookups(EventReads):
    "One event, or the labels of some."

    def event(
        self, prediction_id: str, model: str | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        "The prediction of an id as `rows` gives it: one row, none where the log has no such id."
        known = self.known(as_of)
        files = self.files("predictions", model=model, batch_id__in=known)
        where = f"prediction_id = {literal(prediction_id)}"
        places = {(f[3], f[1]) for f in files if f[5] <= prediction_id <= f[6]}
        for of, day in sorted(places):
            found = self.rows(of, day, day, as_of=as_of, where=where)
            if len(found):
                return found
        return pd.DataFrame()

    def labels_of(
        self,
        model: str,
        ids: Iterable[str],
        start: date,
        end: date,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "Of some predictions those with a label: prediction_id, day, entity, label."
        known = self.known(as_of)
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        files = self.files("predictions", model=model, version=version, **period)
        columns = ["prediction_id", "day", "entity", "label"]
        wanted = pd.DataFrame({"prediction_id": list(ids)}, dtype=object)
        if not files or wanted.empty:
            return pd.DataFrame(columns=columns)
        self.con.register("wanted_ids", wanted)
        try:
            rows = self._rows(
                f"""
                WITH outcomes AS (
                         SELECT * FROM ({self._outcomes(period)})
                         SEMI JOIN wanted_ids USING (prediction_id)),
                     labels AS ({statements("reductions.sql")["labels"]})
                SELECT p.prediction_id, p.event_date, p.entity_id, l.label::DOUBLE
                FROM {self.known_rows((file[0] for file in files), known)} p
                SEMI JOIN wanted_ids USING (prediction_id)
                JOIN labels l ON l.prediction_id = p.prediction_id
                WHERE l.label IS NOT NULL"""
            )
        finally:
            self.con.unregister("wanted_ids")
        return pd.DataFrame(rows, columns=columns)

    def labels_since(
        self, first: date, ids: Iterable[str], as_of: datetime | None = None
    ) -> dict[str, int]:
        "Of some predictions of events since a day those with a label, and that: 1 or 0."
        wanted = pd.DataFrame({"prediction_id": list(dict.fromkeys(ids))}, dtype=object)
        period = {"event_date__ge": first, "batch_id__in": self.known(as_of)}
        if wanted.empty or not self.files("outcomes", batch_id__in=period["batch_id__in"]):
            return {}
        self.con.register("wanted_ids", wanted)
        try:
            rows = self._rows(
                f"""
                WITH outcomes AS (
                    SELECT * FROM ({self._outcomes(period)})
                    SEMI JOIN wanted_ids USING (prediction_id))
                {statements("reductions.sql")["labels"]} AND label IS NOT NULL"""
            )
        finally:
            self.con.unregister("wanted_ids")
        return dict(rows)
