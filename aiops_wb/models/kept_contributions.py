"""The mean contribution of each feature on each day, kept as sums."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from ..log.duck import literal
from ..log.store import Store
from .explain import contributions
from .registry import load
from .version import logged_features

__all__ = ["DAYS", "ROWS", "keep_contributions"]

ROWS = 60
"""Predictions of a day that are explained, drawn by their ids: to explain one takes half a
millisecond. The sample adds the variance within a day over so many to that of the day's mean. That
is alike on every day, so the chance of a false alarm does not depend on it; it costs power where
days differ less than that. On flights it weighs as much as the days themselves at 1 to 8
predictions for the weather, at 150 and more for the schedule."""
DAYS = 30
"Days that one morning explains at most: the first one has the reference to catch up with."


def keep_contributions(
    store: Store,
    model: str,
    version: str,
    days: Sequence[date],
    now: datetime,
    most: int = DAYS,
) -> list[date]:
    """Explain predictions of the first `most` of some days that are not kept, or that changed
    since, and keep the sums of each feature; which days that were.

    Of a day the predictions that the version made, else those of whatever version scored it.
    StoreError where the version's file is not here.
    """
    lacking = store.days_to_explain(model, version, days)
    made = dict(list(lacking.items())[:most])
    if made:
        rows = _drawn(store, model, version, made)
        store.add_contributions(model, version, _sums(store, model, version, rows, made), now)
    return list(made)


def _drawn(store, model, version, days: Mapping[date, int]):
    "So many rows of each day, by the hash of their ids: the same whenever it is asked."
    listed = ", ".join(f"DATE '{day}'" for day in days)
    own = f"version = {literal(version)}"
    # behind the condition, so that few rows of long days are read
    drawn = f"""event_date IN ({listed})
        QUALIFY ({own} OR NOT bool_or({own}) OVER (PARTITION BY event_date))
            AND row_number() OVER (
                PARTITION BY event_date ORDER BY {own} DESC, hash(prediction_id), prediction_id)
                <= {ROWS:d}"""
    return store.rows(model, min(days), max(days), where=drawn, labels=False)


def _sums(store, model, version, rows, batches):
    "Sums of contributions by day and feature."
    loaded = load(store, model, version)
    features = logged_features(store, model, loaded.features, rows)
    pushes = contributions(loaded, features).drop(columns="(bias)")
    code, days = pd.factorize(rows.event_date, sort=True)
    days = pd.DatetimeIndex(days).date
    total, squares = np.zeros((2, len(days), pushes.shape[1]))
    np.add.at(total, code, pushes.to_numpy())
    np.add.at(squares, code, pushes.to_numpy() ** 2)
    each = pushes.shape[1]
    columns = {
        "event_date": np.repeat(days, each),
        "feature": np.tile(pushes.columns.to_numpy(dtype=object), len(days)),
        "n": np.repeat(np.bincount(code), each),
        "total": total.ravel(),
        "squares": squares.ravel(),
        "batch_id": np.repeat([batches[day] for day in days], each),
    }
    return pd.DataFrame(columns)
