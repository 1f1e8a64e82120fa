"""Two models on the same events: what each said of an event, and what it was."""

from datetime import date, datetime

import pandas as pd

from .base import conditions
from .event_keys import EventKeyReads, keyed_rows
from .events import EventReads
from .instants import days_from

__all__ = ["SameEventReads"]

_COLUMNS = (
    "event_key",
    "event_date",
    "a_id",
    "b_id",
    "a_version",
    "b_version",
    "a_points",
    "b_points",
    "label",
)
_TAKEN = "prediction_id, event_key, event_date::DATE AS event_date, version, points, predicted_at"


class SameEventReads(EventReads, EventKeyReads):
    "Events by their keys."

    def same_events(
        self,
        a: str,
        b: str,
        first: date,
        last: date,
        as_of: datetime | None = None,
        tenant: str | None = None,
        days_apart: int = 1,
    ) -> pd.DataFrame:
        """The events that both of two models scored, one row each, as known at a time: event_key,
        event_date, a_id, b_id, a_version, b_version, a_points, b_points, label (NaN: none is
        known), in the order of day and key.

        `first` to `last` are days of the predictions of `a`; those of `b` may be made up to
        `days_apart` days before or after these. Of several predictions of one event by one model
        the last counts, by `predicted_at`, then by id. The label is what was told last of either.

        Where no event is in both, `attrs["reason"]` of the empty frame says why, also of a model
        that was not known then; else it is empty.
        """
        period = days_from(first, -days_apart), days_from(last, days_apart)
        files = self._of_events(a, first, last, as_of, tenant)
        others = self._of_events(b, *period, as_of, tenant) if files else []
        if not files or not others:
            return _nothing(self._without_keys(a if not files else b, as_of, tenant))
        sides = [self._last_of_each(paths, as_of) for paths in (files, others)]
        found = self._joined(sides, *period, as_of)
        if found.empty:
            reason = f"no event of {a} from {first} to {last} was scored by {b}, by event_key"
            return _nothing(f"{reason}: compare how the keys are spelt.")
        found.attrs["reason"] = ""
        return found

    def _of_events(self, model, first, last, as_of, tenant):
        "Files of predictions of a model on some days in which keys stand."
        keyed = {
            file.path for file in self.keyed_files("predictions", "model = $model", model=model)
        }
        files = self.files(
            "predictions",
            model=model,
            tenant=tenant,
            event_date__ge=first,
            event_date__le=last,
            batch_id__in=self.known(as_of),
        )
        return [file[0] for file in files if file[0] in keyed]

    def _last_of_each(self, paths, as_of):
        "The last prediction of each event in some files that was known then, as SQL."
        return f"""
            SELECT {_TAKEN} FROM {keyed_rows("predictions", [self.root / path for path in paths])}
            WHERE event_key IS NOT NULL AND {self.known(as_of).sql()}
            QUALIFY row_number() OVER (
                PARTITION BY event_key ORDER BY predicted_at DESC, prediction_id DESC) = 1"""

    def _joined(self, sides, first, last, as_of):
        "Both sides of each event with its label."
        known = self.known(as_of)
        period = {"event_date__ge": first, "event_date__le": last, "batch_id__in": known}
        ours, theirs = sides
        return self.frame(
            f"""
            WITH a AS MATERIALIZED ({ours}), b AS MATERIALIZED ({theirs}),
                 pairs AS MATERIALIZED (
                     SELECT event_key, a.event_date, a.prediction_id AS a_id,
                            b.prediction_id AS b_id, a.version AS a_version,
                            b.version AS b_version, a.points AS a_points, b.points AS b_points
                     FROM a JOIN b USING (event_key)),
                 named AS (SELECT event_key, unnest([a_id, b_id]) AS prediction_id FROM pairs),
                 labels AS (
                     SELECT n.event_key, o.label
                     FROM ({self._outcomes(period)}) o JOIN named n USING (prediction_id)
                     QUALIFY row_number() OVER (
                         PARTITION BY n.event_key
                         ORDER BY o.batch_id DESC, o.observed_at DESC, o.label DESC) = 1)
            SELECT {", ".join(_COLUMNS)}
            FROM (SELECT pairs.*, l.label::DOUBLE AS label FROM pairs LEFT JOIN labels l
                  ON l.event_key = pairs.event_key)
            ORDER BY event_date, event_key"""
        )

    def _without_keys(self, model, as_of, tenant):
        "Why there is no event of a model."
        where, values = conditions(
            kind="predictions", model=model, tenant=tenant, batch_id__in=self.known(as_of)
        )
        ((n, keyed),) = self._rows(
            f"SELECT count(*), count(min_key) FROM data_files{where}", values
        )
        of = f"{model}{f' of tenant {tenant}' if tenant else ''}"
        if not n:
            return f"no prediction of {of} is in the log."
        if not keyed:
            return (
                f"no prediction of {of} has an event_key: log one with each prediction "
                "(PredictionLogger.log(..., event_key=...), or --map event_key=<column>)."
            )
        return f"no prediction of {of} on these days has an event_key."


def _nothing(reason):
    "No event, and why."
    kinds = dict.fromkeys(_COLUMNS, "str") | {"event_date": "datetime64[us]", "label": "float64"}
    kinds |= {"a_points": "int16", "b_points": "int16"}
    empty = pd.DataFrame(columns=list(_COLUMNS)).astype(kinds)
    empty.attrs["reason"] = reason
    return empty
