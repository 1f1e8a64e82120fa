"""A model file of somebody else, in XGBoost's own formats, brought to the features of a log."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.errors import StoreError
from ..stats.points import as_points
from .version import ModelVersion

__all__ = ["AGREES", "Foreign", "agreement", "load_booster", "read_booster"]

AGREES = 0.99
"Share of logged rows that a model file must score as they were logged, to a point."
SUFFIXES = (".ubj", ".json")
JUDGED = 20_000
"So many logged rows are scored again, evenly over all."


@dataclass(frozen=True, eq=False)
class Foreign:
    "A booster that was trained elsewhere, with names of places as the workbench gives them."

    booster: xgb.Booster
    features: list[str]  # in the order in which it knows them
    categories: dict[str, list[str]]  # of those that it takes as such


def read_booster(
    path: str | Path, logged: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> Foreign:
    """Read a model file and find its features among those that are `logged`.

    By their names where the file has some, else by their order. `categories` of the log stand in
    where the file has none of its own. StoreError says what does not fit.
    """
    path = Path(path)
    booster = load_booster(path)
    names = booster.feature_names or [f"f{i}" for i in range(booster.num_features())]
    features = _found(path, names, list(logged))
    own = _own_categories(booster)
    kinds = booster.feature_types or ["q"] * len(names)
    coded = {f: own[i] or list(categories.get(f, ())) for i, f in enumerate(features)}
    coded = {f: coded[f] for f, kind in zip(features, kinds) if kind == "c"}
    texts = [f for f in features if f in categories and f not in coded]
    if texts:
        raise StoreError(
            f"{path.name} takes {texts[0]} as a number, and the log has texts: log it as the model "
            "takes it, or adopt the version without a model file."
        )
    booster.feature_names = [f"f{i}" for i in range(len(features))]
    booster.feature_types = ["c" if f in coded else "q" for f in features]
    return Foreign(booster, features, coded)


def load_booster(path: Path) -> xgb.Booster:
    "The booster of a file; StoreError when it is none, or not one of two classes."
    if path.suffix.lower() not in SUFFIXES:
        raise StoreError(
            f"{path.name} is no model file of XGBoost: save it with save_model as .ubj or .json. A "
            "pickle is never read: it would run what it holds."
        )
    if not path.is_file():
        raise StoreError(f"{path} is not a file.")
    try:
        booster = xgb.Booster(model_file=path)
    except (xgb.core.XGBoostError, UnicodeDecodeError):  # what it complains of may be no text
        raise StoreError(f"{path.name} cannot be read by XGBoost {xgb.__version__}.") from None
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if objective != "binary:logistic":
        raise StoreError(
            f"{path.name} was trained for {objective}: only binary:logistic gives the probability "
            "of a positive. Adopt the version without a model file."
        )
    return booster


def _found(path, names, logged):
    "The logged features in the order of a model's; StoreError names one that is not logged."
    if set(names) <= set(logged):
        return list(names)
    if names == [f"f{i}" for i in range(len(names))]:  # it was trained without names
        if len(names) == len(logged):
            return logged
        raise StoreError(
            f"{path.name} names no features and takes {len(names)}; the rows have {len(logged)}: "
            f"{', '.join(logged)}. Save the model with feature_names."
        )
    lacking = [name for name in names if name not in logged]
    raise StoreError(
        f"{path.name} takes the feature {lacking[0]!r}, which the rows do not have; they have "
        f"{', '.join(logged)}: log features as the model takes them, or adopt the version without "
        "a model file."
    )


def _own_categories(booster) -> list[list[str]]:
    "The categories that a booster keeps of each feature, in the order of its codes."
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    model = model.get("model") or model["gbtree"]["model"]  # dart holds trees of its own
    kept = model.get("cats", {}).get("enc", [])
    return [_spelt(one) for one in kept] or [[]] * booster.num_features()


def _spelt(kept):
    "Categories as texts: strings are kept as bytes, one after the other."
    ends = kept.get("offsets")
    if ends is None:  # numbers
        return [str(value) for value in kept["values"]]
    text = bytes(value % 256 for value in kept["values"])
    return [text[a:b].decode() for a, b in zip(ends, ends[1:])]


def agreement(version: ModelVersion, rows: pd.DataFrame, points: np.ndarray) -> float:
    "Share of rows that a version scores as they were logged, to a point; rows as features."
    points = as_points(points, version.grid.kind)
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), JUDGED)).astype(int))
    again = version.grid.quantise(version.score(rows.iloc[some])).astype(int)
    return float(np.mean(np.abs(again - np.asarray(points, dtype=int)[some]) <= 1))
