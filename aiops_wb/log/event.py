"""The parts of one event, checked with the standard library alone."""

from collections.abc import Mapping
from math import inf
from threading import Lock

from .columns import LONGEST_KEY
from .plain import LARGEST_INT, LONGEST_TEXT, Several, plain, text_of

__all__ = [
    "MOST_FEATURES",
    "FeatureNames",
    "automated",
    "event_key",
    "feature_values",
    "label",
    "latency",
    "number",
    "propensity",
]

MOST_FEATURES = 5_000
"Different features that one logger takes."

_MOST_SHAPES = 1_000


def number(value) -> float:
    "A score as a number; Several when it is not simply one."
    if isinstance(value, (float, int)) or _is_of_numpy(value) and value.dtype.kind in "biuf":
        return float(value)
    raise Several


def latency(value) -> float | None:
    "A latency; Several when it is not simply a number of at least 0."
    if value is None or type(value) is float and 0.0 <= value < inf:
        return value
    taken = number(value)
    if 0.0 <= taken < inf:
        return taken
    raise Several


def propensity(value) -> float | None:
    "The chance of a review, or of an arm; Several when it is not simply a number in (0, 1]."
    if value is None or type(value) is float and 0.0 < value <= 1.0:
        return value
    taken = number(value)
    if 0.0 < taken <= 1.0:
        return taken
    raise Several


def automated(value) -> bool | None:
    "Whether nobody was asked; Several when it is not simply true, false or missing."
    if value is None or type(value) is bool:
        return value
    if _is_of_numpy(value) and value.dtype.kind == "b":
        return bool(value)
    raise Several


def event_key(value) -> str | None:
    """What an event is called, without blanks around it, None where nothing is told; Several when
    it is not simply one text."""
    if value is None:
        return None
    text = text_of(value, "event_key")
    key = text and text.strip()
    if key and len(key) * 4 > LONGEST_KEY and len(key.encode()) > LONGEST_KEY:
        raise ValueError(
            f"event_key {key[:40]!r}... has {len(key.encode()):,} bytes: {LONGEST_KEY} are allowed."
        )
    return key or None


def label(value) -> int:
    "A label; Several when it is not simply 0 or 1."
    if _is_of_numpy(value):
        value = value.item()
    if isinstance(value, (int, float)) and value in (0, 1):
        return int(value)
    raise Several


def _is_of_numpy(value):
    "Whether this is one value of numpy."
    return type(value).__module__ == "numpy" and not value.ndim


class FeatureNames:
    """The names of a logger's features: those that a file could not hold apart are refused.

    `published` holds the names that a schema has fixed.
    """

    def __init__(self, published: Mapping[str, str] = {}):
        self._spelt = {name.lower(): name for name in published}
        self._shapes: dict[tuple, tuple[str, ...]] = {}
        self._lock = Lock()

    def checked(self, names: tuple) -> tuple[str, ...]:
        "Names of one call as text; ValueError when they or those of earlier calls clash."
        found = self._shapes.get(names)
        return self._new(names) if found is None else found

    def _new(self, names):
        found = tuple(_name(name) for name in names)
        folded = [name.lower() for name in found]
        if len(set(folded)) < len(folded):
            raise ValueError(
                "feature names must differ, in more than case, and must not be empty: "
                f"{', '.join(found)}."
            )
        with self._lock:
            self._check_others(found, folded)
            self._spelt.update(zip(folded, found))
            if all(type(name) is str for name in names):
                if len(self._shapes) >= _MOST_SHAPES:
                    self._shapes.clear()
                self._shapes[names] = found
        return found

    def _check_others(self, found, folded):
        for name, fold in zip(found, folded):
            if self._spelt.get(fold, name) != name:
                raise ValueError(
                    f"feature {name!r} differs only in case from {self._spelt[fold]!r}, which is "
                    "logged or published already: feature names must differ in more than case."
                )
        if len(self._spelt.keys() | set(folded)) > MOST_FEATURES:
            raise ValueError(f"a logger takes at most {MOST_FEATURES:,} different features.")


def _name(name):
    text = name if type(name) is str else str(name)
    if not text or "\0" in text:
        raise ValueError(
            f"feature names must differ, in more than case, and must not be empty: {name!r} is "
            "none."
        )
    return plain(text, f"the feature name {name!r}")


def feature_values(features, names: FeatureNames) -> dict | None:
    "The features of one event as a file can hold them; Several when they come as columns."
    if features is None:
        return None
    if type(features) is not dict and (
        not isinstance(features, Mapping) or hasattr(features, "columns")
    ):
        raise Several
    values = []
    for name, value in features.items():
        kind = type(value)
        if kind is float:
            if value != value:
                value = None
        elif kind is int:
            if not -LARGEST_INT <= value <= LARGEST_INT:
                value = plain(value, f"feature {name}")
        elif kind is str:
            if len(value) > LONGEST_TEXT or not value.isascii():
                value = plain(value, f"feature {name}")
        elif value is not None and kind is not bool:
            value = plain(_one(value, name), f"feature {name}")
        values.append(value)
    return dict(zip(names.checked(tuple(features)), values))


def _one(value, name):
    "The one value of a column of length one."
    if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
        if len(value) != 1:
            raise ValueError(
                f"columns have different lengths: feature {name} has {len(value)}; score has 1."
            )
        return getattr(value, "iloc", value)[0]
    return value
