"""From loosely typed columns to the log's own."""

import numpy as np
import pandas as pd

from ..stats.points import LIMIT, Grid
from .columns import COLUMNS, DEFAULTS, LONGEST_NAME, PREDICTION, REQUIRED

__all__ = ["canonical_frame", "missing"]

_TEXTS = (
    "prediction_id",
    "tenant",
    "model",
    "version",
    "grid",
    "entity_id",
    "site_id",
    "calibration_id",
    "risk_level",
    "route",
    "source",
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_LABELS = {"true": 1, "false": 0}


def canonical_frame(kind: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Canonical columns of a frame of loosely typed ones, features as they stand (`feature:...`),
    and the reason against each row (None: it is good)."""
    table = _Table(frame.reset_index(drop=True))
    for name in _TEXTS:
        if name in COLUMNS[kind]:
            table.text(name, required=name in (*REQUIRED[kind], *DEFAULTS[kind]))
    for name in ("predicted_at", "observed_at"):
        table.time(name, required=name in REQUIRED[kind])
    if kind == "outcomes":
        _labels(table)
    else:
        _predictions(table)
    features = {c: v for c, v in table.out.items() if c.startswith("feature:")}
    columns = {c: table.out.get(c) for c in COLUMNS[kind]} | features
    return pd.DataFrame(columns, index=table.frame.index), table.reason


def missing(column: pd.Series) -> pd.Series:
    "Which cells hold nothing."
    return column.isna() | (column.astype(str).str.strip() == "")


class _Table:
    """Canonical columns being made from a frame of text; remembers the first reason against each
    row."""

    def __init__(self, frame):
        self.frame, self.out = frame, {}
        self.reason = pd.Series(None, index=frame.index, dtype=object)

    def refuse(self, bad, say):
        "Give a reason, said by row, against the bad ones that have none yet."
        bad = bad & self.reason.isna()
        self.reason[bad] = [say(row) for row in bad.index[bad]]

    def text(self, name, required):
        "A column of text."
        column = self.frame.get(name)
        if column is None:
            return
        if required:
            self.refuse(missing(column), lambda i: f"{name} is missing")
        broken = column.map(lambda v: isinstance(v, str) and not _encodes(v)).astype(bool)
        self.refuse(broken, lambda i: f"{name} is not valid text")
        if name in ("tenant", "model", "version"):
            self.refuse(
                column.map(_too_long).astype(bool),
                lambda i: f"{name} is longer than {LONGEST_NAME} bytes",
            )
        kept = column.astype(object).where(~missing(column) & self.reason.isna(), None)
        self.out[name] = kept.map(lambda v: v if v is None else str(v).strip())

    def time(self, name, required):
        "A column of instants."
        column = self.frame.get(name)
        if column is None:
            return
        times, offset = _times(column)
        told = ~missing(column)
        self.refuse(
            told & ~offset,
            lambda i: (
                f"{name} {column[i]!r} is not a time with an offset, "
                "such as 2013-04-01T12:00:00+00:00"
            ),
        )
        self.refuse(told & times.isna(), lambda i: f"{name} {column[i]!r} is not a valid time")
        self.refuse(
            told & ~times.dt.year.between(1900, 2199),
            lambda i: f"{name} {column[i]!r} is not between 1900 and 2200",
        )
        if required:
            self.refuse(~told, lambda i: f"{name} is missing")
        self.out[name] = times

    def number(self, name, required, low, high):
        "A column of finite numbers from low to high."
        column = self.frame.get(name)
        if column is None:
            return
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        told = ~missing(column)
        bad = told & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
        self.refuse(bad, lambda i: f"{name} {column[i]!r} is not a number in [{low:g}, {high:g}]")
        if required:
            self.refuse(~told, lambda i: f"{name} is missing")
        self.out[name] = numbers


def _labels(table):
    "The label of outcomes."
    if "label" in table.frame:
        spelt = table.frame.label.map(lambda v: _LABELS.get(str(v).strip().lower(), v))
        table.frame["label"] = spelt
    table.number("label", True, 0, 1)
    fraction = table.out["label"].notna() & ~table.out["label"].isin([0, 1])
    table.refuse(fraction, lambda i: f"label {table.frame.label[i]!r} is not 0 or 1")


def _predictions(table):
    "What only predictions have: scores on their grid, numbers, features."
    grids = table.out["grid"].map(lambda grid: grid if grid in LIMIT else None)
    table.refuse(
        grids.isna(),
        lambda i: f"grid {table.frame.grid[i]!r} is not one of {', '.join(LIMIT)}",
    )
    logit = grids != "linear"
    for name in ("score", "threshold"):
        _score(table, name, logit)
    table.number("latency_ms", False, 0, np.inf)
    for name, source in (("points", "score"), ("threshold", "threshold")):
        if source in table.out:
            table.out[name] = _points(table, source, logit)
    if "automated" in table.frame:
        table.out["automated"] = table.frame.automated.map(
            lambda v: _BOOLEANS.get(str(v).strip().lower())
        )
    features = _features(table.frame)
    table.out |= {f"feature:{c}": features[c] for c in features.columns}


def _score(table, name, logit):
    if name not in table.frame:
        return
    table.number(name, name == "score", -np.inf, np.inf)
    value = table.out[name]
    table.refuse(
        logit & value.notna() & ~value.between(0, 1),
        lambda i: f"{name} {table.frame[name][i]!r} is not a probability in [0, 1]",
    )


def _points(table, source, logit):
    "The scores of good rows as points of their grid."
    scores = table.out[source]
    good = table.reason.isna() & scores.notna()
    points = pd.Series(np.nan, index=table.frame.index)
    for grid, rows in (("logit", good & logit), ("linear", good & ~logit)):
        points[rows] = Grid(grid).quantise(scores[rows].to_numpy())
    return points.astype("Int16")


def _features(frame):
    "Columns that are no column of a prediction, and those nested in `features`."
    loose = frame[[c for c in frame.columns if c not in PREDICTION and c != "features"]]
    if "features" not in frame:
        return loose
    nested = frame["features"].map(lambda f: f if isinstance(f, dict) else {})
    return pd.concat([loose, pd.DataFrame(nested.tolist(), index=loose.index)], axis=1)


def _times(column):
    "Instants, NaT where the text has no offset or is no time; and which have an offset."
    text = column.map(lambda v: v.isoformat() if hasattr(v, "isoformat") else v)
    text = text.astype(str).str.strip()
    offset = text.str.contains(r"[T ]\d{2}:?\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$", regex=True)
    times = pd.to_datetime(text.where(offset), format="ISO8601", utc=True, errors="coerce")
    return times.astype("datetime64[us, UTC]"), offset


def _too_long(name):
    return len(str(name).encode(errors="replace")) > LONGEST_NAME


def _encodes(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
