"""The columns of what is logged, under their one name each."""

import re

__all__ = [
    "PREDICTION",
    "OUTCOME",
    "COLUMNS",
    "REQUIRED",
    "DEFAULTS",
    "OUTCOME_NAMES",
    "ROUTES",
    "LADDER",
    "LONGEST_NAME",
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
}
"""Columns of a prediction segment and their DuckDB types; `features` (a STRUCT) follows where
there are any."""

OUTCOME = {
    "prediction_id": "VARCHAR",
    "label": "TINYINT",
    "observed_at": "TIMESTAMP WITH TIME ZONE",
    "source": "VARCHAR",
    "predicted_at": "TIMESTAMP WITH TIME ZONE",
}
"Columns of an outcome segment; `predicted_at` is optional and saves the ingester a search."

COLUMNS = {"predictions": PREDICTION, "outcomes": OUTCOME}
"Kind of row -> its columns."

REQUIRED = {
    "predictions": ("prediction_id", "model", "version", "predicted_at", "score"),
    "outcomes": ("prediction_id", "label", "observed_at"),
}
"What a delivered file must hold, or be told."

DEFAULTS = {"predictions": {"tenant": "default", "grid": "logit"}, "outcomes": {"source": "file"}}
"What is filled in where a delivered file says nothing."

OUTCOME_NAMES = ("label", "observed_at")
"Columns that are never a feature, in whatever file or log they stand: they tell the outcome."

ROUTES = ("ticket", "alert", "monitor")
"Where a prediction goes."

LADDER = re.compile(r"-?\d+(/-?\d+){3}")
"How a ladder is called: by the points where its levels begin."

LONGEST_NAME = 80
"Bytes of a tenant's, model's or version's name: it becomes part of a file's path."
