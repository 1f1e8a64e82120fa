"""Why one event was scored as it was, and what became of past ones like it."""

from datetime import datetime
from typing import Any

import pandas as pd

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.feature_names import FeatureName
from .explain import contributions, decoded, in_words, reason_codes
from .precedents import precedents
from .registry import load
from .version import feature_columns

__all__ = ["explained_event"]


def explained_event(
    log: Reader, prediction_id: str, model: str | None = None, as_of: datetime | None = None
) -> dict[str, Any]:
    """Everything about one event as JSON knows it: score and label, what each feature pushed (in
    log-odds, strongest first), its reasons in words, past alerts that were scored most alike.

    StoreError where the log has no such prediction, or the version's file is not here.
    """
    found = log.event(prediction_id, model, as_of)
    if found.empty:
        where = f"of {model} " if model else ""
        raise StoreError(f"the log has no prediction {where}with the id {prediction_id!r}.")
    row = found.iloc[0]
    version = load(log, row.model, row.version)
    features = feature_columns(found, log.outcomes_among(row.model, version.features))
    pushes = contributions(version, features)
    called = log.feature_names(row.model, as_of)
    full = pushes.drop(columns="(bias)")
    told = decoded(reason_codes(pushes), list(full), features)
    near = precedents(log, row.model, row.version, full, row.event_date.date(), as_of)[0]
    ordered = full.iloc[0].sort_values(key=abs, ascending=False, kind="stable")
    return {
        "prediction_id": row.prediction_id,
        "model": row.model,
        "version": row.version,
        "day": f"{row.event_date:%Y-%m-%d}",
        "points": int(row.points),
        "score": float(version.grid.inverse(row.points)),
        "label": None if pd.isna(row.label) else int(row.label),
        "start": float(pushes["(bias)"].iloc[0]),
        "log_odds": float(pushes.iloc[0].sum()),
        "reasons": in_words(told.iloc[0], names=called),
        "features": [_feature(f, features[f].iloc[0], push, called) for f, push in ordered.items()],
        "alike": [one._asdict() for one in near],
    }


def _feature(feature, value, push, called):
    name, unit = called.get(feature, FeatureName(feature))
    value = None if pd.isna(value) else value
    return {"feature": feature, "name": name, "value": value, "unit": unit, "push": float(push)}
