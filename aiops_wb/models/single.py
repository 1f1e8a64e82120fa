"""The score of one event: what a frame with this one row would get, without the frame.

A frame of one row costs twenty times what its score does: columns, their types, a matrix. Here each
feature is read by the function that reads a cell of such a column, and the booster is asked for a
row of numbers, so that the answer is the same to the last bit.
"""

import json
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_float, c_uint64
from math import nan
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.errors import StoreError
from ..log.values import as_boolean, as_number, as_seconds, category_place
from .matrix import lacking_feature

__all__ = ["SingleScore"]

_HOW = b"""{"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0,
            "missing": NaN, "strict_shape": false, "cache_id": 0}"""
"The arguments of a prediction: all trees, as a probability."


class SingleScore:
    "The score of one event after the other, as a version scores frames; from any thread."

    def __init__(
        self,
        card: Mapping[str, Any],
        booster: xgb.Booster | None,
        of_frame: Callable[[pd.DataFrame], np.ndarray],
    ):
        "From a version's card, its booster (None: a function of its owner) and how it scores many."
        self._features, self._score, self._lock = card["features"], of_frame, Lock()
        self._readers, self._booster = _readers(card), None
        if booster is not None and None not in self._readers and _has_plain_trees(booster):
            self._booster = _OneRow(booster, len(self._features))

    def __call__(self, features: Mapping[str, Any]) -> float:
        """Probability of a positive. A value that cannot be read, and a category that training did
        not know, are missing, as in a frame; StoreError names a feature that is not given."""
        if not isinstance(features, Mapping):
            kind = type(features).__name__
            raise StoreError(f"features are a {kind}: give a dict of each feature and its value.")
        names = self._features
        try:
            values = [features[name] for name in names]
        except KeyError:
            lacking = next(name for name in names if name not in features)
            raise StoreError(lacking_feature(lacking, names)) from None
        if self._booster is None:
            return self._of_frame(dict(zip(names, values)))
        return self._booster([read(value) for read, value in zip(self._readers, values)])

    def _of_frame(self, features):
        "Of a version that scores frames alone, such as its owner's function."
        with self._lock:  # nobody promised that it may be asked twice at once
            return float(self._score(pd.DataFrame([features]))[0])


class _OneRow:
    """A booster asked for one row of numbers at a time, by XGBoost's C interface: its Python takes
    longer to look at a row than the trees do. What float32 cannot hold is missing."""

    def __init__(self, booster: xgb.Booster, n: int):
        # a copy: the other is told anew how many threads each frame takes
        self._booster, self._lock = booster.copy(), Lock()
        self._booster.set_param({"nthread": 1})
        self._row = np.full((1, n), nan, np.float32)
        place = self._row.__array_interface__
        told = {name: place[name] for name in ("data", "shape", "typestr", "version")}
        self._where = json.dumps(told | {"strides": None}).encode()
        self._shape, self._dims = POINTER(c_uint64)(), c_uint64()
        self._scores = POINTER(c_float)()
        self([nan] * n)

    def __call__(self, numbers: list[float]) -> float:
        "The score of a row."
        with self._lock, np.errstate(over="ignore"):
            self._row[0] = numbers
            self._row[~np.isfinite(self._row)] = nan
            code = xgb.core._LIB.XGBoosterPredictFromDense(
                self._booster.handle,
                self._where,
                _HOW,
                None,
                byref(self._shape),
                byref(self._dims),
                byref(self._scores),
            )
            xgb.core._check_call(code)
            return float(self._scores[0])


def _boolean(value):
    told = as_boolean(value)
    return nan if told is None else float(told)


_READ: dict[str, Callable[[Any], float]] = {
    "number": as_number,
    "time": as_seconds,
    "boolean": _boolean,
}


def _readers(card):
    "What reads the value of each feature; None for one that only a frame can tell."
    categories, kinds = card["categories"], card.get("kinds", {})
    return [
        _code(category_place(categories[f]))
        if f in categories
        else _READ.get(kinds.get(f, "number"))
        for f in card["features"]
    ]


def _code(place_of):
    "A category as the booster holds it; what is not among them is missing."

    def code(value):
        place = place_of(value)
        return nan if place < 0 else place

    return code


def _has_plain_trees(booster):
    "Whether rows are scored to the same bit with and without a matrix: those of dart are not."
    told = json.loads(booster.save_config())
    return told["learner"]["gradient_booster"]["name"] == "gbtree"
