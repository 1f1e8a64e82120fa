"""Frames, arrays and lists that a logger is given, checked and as batches."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..stats.points import Grid
from .event import event_key
from .plain import LONGEST_TEXT, plain, spelt
from .tables import Batch, Cells, objects, settled

__all__ = ["instants", "prediction_batch", "outcome_batch"]

_FIRST, _LAST = pd.Timestamp("1900-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")


def instants(values, name: str) -> pd.Series:
    """Times as UTC instants; refuses those without an offset and those that are missing.

    Give strings with an offset or aware datetimes.
    """
    column = values if isinstance(values, pd.Series) else np.atleast_1d(values)
    if column.ndim > 1:
        raise ValueError(f"{name} has {column.ndim} dimensions: a time for each event is needed.")
    series = pd.Series(column).reset_index(drop=True)
    if not len(series):
        return series.astype("datetime64[us, UTC]")
    parsed, naive = _parsed(series, name)
    if naive:
        example = next(value for value in series if not _is_aware(value, name))
        raise ValueError(
            f"{name} has times without an offset (such as {example}): "
            "give '2013-04-01T12:00:00+00:00' or aware datetimes."
        )
    try:
        parsed = pd.to_datetime(parsed, utc=True).astype("datetime64[us, UTC]")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} has what is no time: {error}.") from None
    if parsed.isna().any():
        position = int(np.flatnonzero(parsed.isna())[0])
        raise ValueError(f"{name} is missing at position {position}: every event needs its time.")
    return parsed


def _parsed(series, name):
    "Times as far as they parse with their offsets, and whether one has none."
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return series, False
    text = series.map(lambda v: isinstance(v, str)).any()
    try:
        parsed = pd.to_datetime(series, format="ISO8601" if text else None, utc=False)
        return parsed, parsed.dt.tz is None
    except (AttributeError, ValueError, TypeError):  # a mix of offsets parses only to UTC
        return series, not all([_is_aware(value, name) for value in series])


def _is_aware(value, name):
    "Whether a time has an offset; ValueError when it is none."
    try:
        return getattr(pd.Timestamp(value), "tzinfo", None) is not None
    except (ValueError, TypeError):
        raise ValueError(
            f"{name} {str(value)[:60]!r} is not a time: "
            "give '2013-04-01T12:00:00+00:00' or aware datetimes."
        ) from None


def _moments(values, name):
    "Times as a column of a batch."
    found = instants(values, name)
    if len(found) and not _FIRST <= found.min() <= found.max() <= _LAST:
        odd = found[(found < _FIRST) | (found > _LAST)].iloc[0]
        raise ValueError(f"{name} {odd} is not between 1900 and 2200.")
    return found.dt.tz_localize(None).to_numpy().view(np.int64)


def prediction_batch(
    score, predicted_at, ids, features, columns: Mapping, grid: Grid, check_names
) -> Batch:
    """Predictions as a batch; ValueError before anything is kept.

    `ids` is a column or makes one for a number of rows; `check_names` takes the names of features
    and returns them as text.
    """
    score = _scores(score)
    told = {
        "prediction_id": texts(
            ids(len(score)) if callable(ids) else ids, "prediction_id", required=True
        ),
        "predicted_at": _moments(predicted_at, "predicted_at"),
        "score": score,
        "points": grid.quantise(score),
    }
    for name, values in columns.items():
        if values is not None:
            column = _READ.get(name, texts)(values, name)
            told[name] = column if _is_column(values) else np.repeat(column, len(score))
    named = _feature_columns(features)
    names = check_names(tuple(named))
    _check_lengths(told, named, len(score))
    found = {name: cells(named[key], f"feature {name}") for name, key in zip(names, named)}
    return Batch(len(score), told, found)


def _scores(score):
    "Scores as a column of numbers."
    try:
        given = np.atleast_1d(score)
        if given.ndim == 1 and given.dtype.kind in "biufOSU":
            return np.array(given, dtype=np.float64)
    except (ValueError, TypeError):
        pass
    raise ValueError(f"score {str(score)[:60]!r} is not a number, nor a column of numbers.")


def _is_column(values):
    "Whether these are values, one a row, and not one value."
    if isinstance(values, (str, bytes, Mapping)):
        return False
    return getattr(values, "ndim", 0) > 0 or isinstance(values, (list, tuple))


def _feature_columns(features):
    "Name -> column, whatever the features came in."
    if features is None:
        return {}
    if isinstance(features, pd.DataFrame):
        if not features.columns.is_unique:
            raise ValueError(
                "feature names must differ, in more than case, and must not be empty: "
                f"{', '.join(map(str, features.columns))}."
            )
        return dict(features.items())
    if not hasattr(features, "items"):
        what = type(features).__name__
        raise ValueError(f"features are a {what}: give them by name, as a mapping or a DataFrame.")
    return {name: _column(values, name) for name, values in features.items()}


def _column(values, name):
    if not _is_column(values):
        return [values]
    if getattr(values, "ndim", 1) > 1:
        raise ValueError(f"feature {name} has {values.ndim} dimensions: give a column of values.")
    return values


def _check_lengths(columns, features, rows):
    "Refuse columns that are not as long as the scores."
    lengths = {name: len(v) for name, v in columns.items()}
    lengths |= {f"feature {name}": len(v) for name, v in features.items() if len(v) != rows}
    if any(length != rows for length in lengths.values()):
        raise ValueError(f"columns have different lengths: {lengths}; score has {rows}.")


def _latency(values, name):
    numbers, absent = _numbers(values)
    if not ((numbers >= 0) & np.isfinite(numbers) | absent).all():
        raise ValueError("latency_ms must be numbers of at least 0, or missing.")
    return numbers.to_numpy()


def _propensity(values, name):
    numbers, absent = _numbers(values)
    if not ((numbers > 0) & (numbers <= 1) | absent).all():
        raise ValueError(f"{name} must be numbers above 0, at most 1, or missing.")
    return numbers.to_numpy()


def _numbers(values):
    "Values as numbers, infinite where they are complex ones, and which are missing."
    told = pd.Series(np.atleast_1d(values), dtype=object)
    numbers = pd.to_numeric(told, errors="coerce")
    if numbers.dtype.kind == "c":
        numbers = told.where(told.isna(), np.inf)
    return numbers.astype(float), told.isna()


def _automated(values, name):
    told = np.atleast_1d(values).tolist()
    if not set(map(type, told)) <= {bool, np.bool_, type(None), type(pd.NA)}:
        raise ValueError("automated must be True, False or missing.")
    if pd.NA in set(told):
        told = [None if value is pd.NA else value for value in told]
    return np.array(told, dtype=np.float64)


def _keys(values, name):
    return objects([event_key(one) for one in texts(values, name)])


_READ = {
    "latency_ms": _latency,
    "automated": _automated,
    "propensity": _propensity,
    "event_key": _keys,
    "arm_propensity": _propensity,
}


def outcome_batch(prediction_id, label, observed_at, predicted_at, event_key=None) -> Batch:
    "Labels as a batch; ValueError before anything is kept."
    about, given = _about(prediction_id, event_key), label
    rows = len(next(iter(about.values())))
    label = np.atleast_1d(given)
    if label.ndim > 1 or not pd.Series(label).isin([0, 1]).all():
        raise ValueError(
            f"label {_odd_label(given)} is not allowed: a label is 0 or 1; log nothing for an "
            "unknown one."
        )
    observed = _moments(observed_at, "observed_at")
    if len(observed) != rows:
        observed = observed.repeat(rows)
    predicted = None if predicted_at is None else _moments(predicted_at, "predicted_at")
    known = rows if predicted is None else len(predicted)
    named = [len(names) for names in about.values()]
    if {len(label), len(observed), known, *named} != {rows}:
        what = "event keys" if "prediction_id" not in about else "ids"
        raise ValueError(
            f"columns have different lengths: {rows} {what}, {len(label)} labels, "
            f"{len(observed)} observed_at, {known} predicted_at."
            + (f" {named[1]} event keys." if len(named) > 1 else "")
        )
    told = about | {"label": label.astype(np.int8), "observed_at": observed}
    return Batch(rows, told if predicted is None else told | {"predicted_at": predicted})


def _about(prediction_id, event_key):
    "What labels are about, by name: their predictions, their events, or both."
    if event_key is None:
        return {"prediction_id": texts(prediction_id, "prediction_id", required=True)}
    keys = _keys(event_key, "event_key")
    if prediction_id is None:
        if None in (given := keys.tolist()):
            at = given.index(None)
            raise ValueError(
                f"event_key is missing at position {at}, and no prediction_id is told."
            )
        return {"event_key": keys}
    ids = texts(prediction_id, "prediction_id")
    ids = objects([one if one and one.strip() else None for one in ids.tolist()])
    for at, (one, key) in enumerate(zip(ids.tolist(), keys.tolist())):
        if one is None and key is None:
            raise ValueError(f"prediction_id and event_key are both missing at position {at}.")
    return {"prediction_id": ids, "event_key": keys}


def _odd_label(given):
    "The first that is no label as it was given: beside a text numpy makes texts of the others."
    if np.ndim(given) != 1:
        return repr(given)
    known = [getattr(value, "item", lambda value=value: value)() for value in given]
    at = next((i for i, value in enumerate(known) if value not in (0, 1)), 0)
    return f"{known[at]!r} at position {at}"


_TEXTS = {str, type(None)}


def texts(values, name: str, required: bool = False) -> np.ndarray:
    "A column of text, None where it is missing."
    given, kinds = _listed(values if _is_column(values) else [values])
    if not kinds <= _TEXTS:
        given = [_id_text(value, name) for value in given]
        kinds = set(map(type, given))
    _check_texts(given, kinds, name)
    if required and not (all(given) and all(map(str.strip, given))):
        at = [bool(value and value.strip()) for value in given].index(False)
        raise ValueError(f"{name} is missing at position {at}.")
    return objects(given)


def _listed(values):
    "Values of a column one by one, missing texts as None, and their types."
    if isinstance(values, (pd.Series, pd.Index)):
        values = values.to_numpy(dtype=object)
    # a list of numpy's own times would be one of numbers
    numpys = isinstance(values, np.ndarray) and values.dtype.kind in "OU"
    given = values.tolist() if numpys else list(values)
    kinds = set(map(type, given))
    if kinds == {str, float}:
        given = [None if value != value else value for value in given]
        kinds = set(map(type, given))
    return given, kinds


def _id_text(value, name):
    value = plain(value, name)
    if value is None or type(value) is str:
        return value
    return spelt(value) if type(value) is bool else repr(value)


def _check_texts(values, kinds, name):
    "Refuse half characters and endless texts; looked at together, which costs little."
    joined = "".join(filter(None, values) if type(None) in kinds else values)
    try:
        odd = len(joined) > LONGEST_TEXT or not joined.isascii() and not joined.encode()
    except UnicodeEncodeError:
        odd = True
    if odd:
        for at, value in enumerate(values):
            plain(value, f"{name} at position {at}")


def cells(values, name: str) -> Cells:
    "The values of a feature, copied; ValueError names what no file can hold."
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        array = np.array(values)
        if dtype.kind == "f" and dtype.itemsize not in (4, 8):
            array = array.astype(np.float64)
        return Cells({"b": "boolean", "f": "number"}.get(dtype.kind, "integer"), array)
    given, kinds = _listed(values)
    if kinds <= _TEXTS:
        _check_texts(given, kinds, name)
    else:
        given = [plain(value, name) for value in given]
    return settled(given)
