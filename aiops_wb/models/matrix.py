"""Features as a booster takes them. Needs no more than `log.values`: this file goes with every
version that is exported."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.errors import StoreError
from ..log.values import category_codes, typed

__all__ = ["feature_matrix", "lacking_feature"]


def feature_matrix(
    frame: pd.DataFrame,
    features: Sequence[str],
    categories: Mapping[str, Sequence],
    kinds: Mapping[str, str] = MappingProxyType({}),
    threads: int | None = None,
) -> xgb.DMatrix:
    """Features as the booster wants them, however they are spelt: categories by their place in a
    list, everything else as a number, or as what `kinds` says; StoreError names a missing column.
    `threads` fill it (None: as many as XGBoost likes).
    """
    lacking = [f for f in features if f not in frame]
    if lacking:
        raise StoreError(lacking_feature(lacking[0], features))
    columns = {
        f: _codes(frame[f], categories[f])
        if f in categories
        else _float32(frame[f], kinds.get(f, "number"))
        for f in features
    }
    if len(frame):
        data = np.column_stack(list(columns.values()))
    else:
        data = np.empty((0, len(features)), np.float32)
    return xgb.DMatrix(
        data,
        feature_names=[f"f{i}" for i in range(len(features))],
        feature_types=["c" if f in categories else "q" for f in features],
        enable_categorical=True,
        nthread=threads,
    )


def _codes(column, categories):
    "The place of each value among the categories; what is not among them is missing."
    codes = category_codes(column, categories).astype(np.float32)
    return np.where(codes < 0, np.nan, codes)


def _float32(column, kind):
    "Numbers as the booster holds them; what float32 cannot hold is missing."
    values = typed(column, kind)[0].to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def lacking_feature(feature: str, features: Sequence[str]) -> str:
    "What is to be said of a feature that is missing."
    return f"feature {feature!r} is missing: the model needs {', '.join(features)}."
