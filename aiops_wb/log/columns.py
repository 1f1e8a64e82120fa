"""The columns of what is logged, under their one name each."""

import re

__all__ = [
    "PREDICTION",
    "OUTCOME",
    "COLUMNS",
    "REQUIRED",
    "DEFAULTS",
    "LATER",
    "OUTCOME_NAMES",
    "ROUTES",
    "LADDER",
    "LONGEST_NAME",
    "LONGEST_KEY",
]

PREDICTION = {
    "prediction_id": "VARCHAR",
    "tenant": "VARCHAR",
    "model": "VARCHAR",
    "version": "VARCHAR",
    "grid": "VARCHAR",
    "entity_id": "VARCHAR",
    "site_id": "VARCHAR",
    "predicted_at": "TIMESTAMP WITH TIME ZONE",
    "score": "DOUBLE",
    "points": "SMALLINT",
    "threshold": "SMALLINT",
    "calibration_id": "VARCHAR",
    "risk_level": "VARCHAR",
    "route": "VARCHAR",
    "automated": "BOOLEAN",
    "latency_ms": "DOUBLE",
    "ladder": "VARCHAR",
    "propensity": "DOUBLE",
    "event_key": "VARCHAR",
    "arm": "VARCHAR",
    "arm_propensity": "DOUBLE",
}
"""Columns of a prediction segment and their DuckDB types; `features` (a STRUCT) follows where
there are any. `event_key` is what an event is called by all models that score it;
`arm` the A/B test and the arm of it that decided, as TEST/B."""

OUTCOME = {
    "prediction_id": "VARCHAR",
    "label": "TINYINT",
    "observed_at": "TIMESTAMP WITH TIME ZONE",
    "source": "VARCHAR",
    "predicted_at": "TIMESTAMP WITH TIME ZONE",
    "event_key": "VARCHAR",
}
"""Columns of an outcome segment: a label names a prediction, an event, or both. `predicted_at` is
optional and saves the ingester a search."""

COLUMNS = {"predictions": PREDICTION, "outcomes": OUTCOME}
"Kind of row -> its columns."

REQUIRED = {
    "predictions": ("prediction_id", "model", "version", "predicted_at", "score"),
    "outcomes": ("prediction_id", "label", "observed_at"),
}
"What a delivered file must hold, or be told; a label may name its `event_key` instead of an id."

DEFAULTS = {"predictions": {"tenant": "default", "grid": "logit"}, "outcomes": {"source": "file"}}
"What is filled in where a delivered file says nothing."

LATER = ("ladder", "propensity", "event_key", "arm", "arm_propensity")
"Columns that loggers of earlier releases did not know: none of their rows has one."

OUTCOME_NAMES = ("label", "observed_at")
"Columns that are never a feature, in whatever file or log they stand: they tell the outcome."

ROUTES = ("ticket", "alert", "monitor")
"Where a prediction goes."

LADDER = re.compile(r"-?\d+(/-?\d+){3}")
"How a ladder is called: by the points where its levels begin."

LONGEST_NAME = 80
"Bytes of a tenant's, model's or version's name: it becomes part of a file's path."

LONGEST_KEY = 256
"Bytes of an event's key: the first and last of each file stand in the catalog."
