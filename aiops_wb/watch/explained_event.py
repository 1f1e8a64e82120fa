"""Why one event was scored as it was, and what became of past ones like it."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ..config import Settings
from ..log.calibrations import Interval, calibrated_on
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.feature_names import FeatureName
from ..models.explain import contributions, decoded, in_words, reason_codes
from ..models.precedents import precedents
from ..models.registry import load
from ..models.shift_of_log import NEAR, width_or_why
from ..models.version import logged_features
from .words import labelled_like

__all__ = ["explained_event"]


def explained_event(
    log: Reader,
    prediction_id: str,
    settings: Settings,
    model: str | None = None,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Everything about one event as JSON knows it: score and label, what each feature pushed (in
    log-odds, strongest first), its reasons in words, past alerts that were scored most alike, and
    the interval that it was decided with.

    StoreError where the log has no such prediction, or the version's file is not here.
    """
    found = log.event(prediction_id, model, as_of)
    if found.empty:
        where = f"of {model} " if model else ""
        raise StoreError(f"the log has no prediction {where}with the id {prediction_id!r}.")
    row = found.iloc[0]
    version = load(log, row.model, row.version)
    features = logged_features(log, row.model, version.features, found)
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
        "interval": _interval(log, row, as_of, settings, called),
    }


def _interval(log, row, as_of, settings, called):
    """The probability interval that an event was decided with, and what sets its ends apart where
    it is wide (`narrow_width`); None where no calibration is known."""
    named, day = (row.model, row.version), row.event_date.date()
    stored = log.calibrations([row.calibration_id] if pd.notna(row.calibration_id) else [])
    newest = log.calibration(*named, as_of, day - timedelta(1))
    stands = stored.get(row.calibration_id) or (newest and newest[1])
    held_out = log.held_out_counts(*named)
    days = stands and calibrated_on(held_out, stands, settings.calibration_days)
    if not days:
        return None
    told = Interval(*stands.interval(row.points), int(row.points), days)
    counts = log.score_counts(row.model, *told.span, version=row.version, as_of=as_of)
    found = None
    if told.width >= settings.narrow_width:
        found = width_or_why(log, *named, told[:2], days, as_of, NEAR)
    return {
        "lower": told.lower,
        "upper": told.upper,
        "calibrated_on": days,
        "like_it": labelled_like(held_out | counts, days, told.points),
        "ends": found if found is None or isinstance(found, str) else found.says(names=called),
    }


def _feature(feature, value, push, called):
    name, unit = called.get(feature, FeatureName(feature))
    value = None if pd.isna(value) else value
    return {"feature": feature, "name": name, "value": value, "unit": unit, "push": float(push)}
