"""Writing predictions down, from any process, without a database."""

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..stats.points import Grid
from .columns import LONGEST_NAME, OUTCOME, PREDICTION
from .durable import Cursor, time_ordered_id, write_segment

__all__ = ["instants", "PredictionLogger", "OutcomeLogger"]


def instants(values, name: str) -> pd.Series:
    """Times as UTC instants; refuses those without an offset and those that are missing.

    Give strings with an offset or aware datetimes.
    """
    series = pd.Series(values if isinstance(values, pd.Series) else np.atleast_1d(values))
    series = series.reset_index(drop=True)
    parsed, naive = _parsed(series)
    if naive:
        raise ValueError(
            f"{name} has times without an offset (such as {series.iloc[0]}): "
            "give '2013-04-01T12:00:00+00:00' or aware datetimes."
        )
    parsed = pd.to_datetime(parsed, utc=True).astype("datetime64[us, UTC]")
    if parsed.isna().any():
        position = int(np.flatnonzero(parsed.isna())[0])
        raise ValueError(f"{name} is missing at position {position}: every event needs its time.")
    return parsed


def _parsed(series):
    "Times as far as they parse with their offsets, and whether one has none."
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return series, False
    text = series.map(lambda v: isinstance(v, str)).any()
    try:
        parsed = pd.to_datetime(series, format="ISO8601" if text else None, utc=False)
        return parsed, parsed.dt.tz is None
    except (AttributeError, ValueError, TypeError):  # a mix of offsets parses only to UTC
        aware = series.map(lambda v: getattr(pd.Timestamp(v), "tzinfo", None) is not None)
        return series, not aware.all()


class _Logger:
    "Buffers frames and writes segments; safe to use from several threads."

    kind = None

    def __init__(self, spool, flush_rows, flush_seconds, cursor):
        self.folder = Path(spool) / self.kind
        self.flush_rows, self.flush_seconds = flush_rows, flush_seconds
        self.cursor = cursor  # None: a DuckDB of its own for each segment, which a fork cannot harm
        self._frames, self._rows = [], 0
        self._lock, self._timer, self._failure = threading.RLock(), None, None

    def _append(self, frame):
        with self._lock:
            self._raise_late_failure()
            self._frames.append(frame)
            self._rows += len(frame)
            if self._rows >= self.flush_rows:
                self.flush()
            elif self._timer is None and self.flush_seconds is not None:
                self._timer = threading.Timer(self.flush_seconds, self._flush_in_background)
                self._timer.daemon = True
                self._timer.start()

    def _flush_in_background(self):
        try:
            self.flush()
        except Exception as error:  # kept, and raised where somebody sees it
            self._failure = error

    def _raise_late_failure(self):
        failure, self._failure = self._failure, None
        if failure is not None:
            raise OSError(
                f"{self._rows} buffered rows could not be written to {self.folder} "
                f"and are still in memory: {failure}"
            ) from failure

    def flush(self) -> Path | None:
        """Write what is buffered; the rows are safe when it returns.

        None when there was nothing. On failure the rows stay buffered.
        """
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._frames:
                return None
            one = len(self._frames) == 1
            path = self._write(
                self._frames[0] if one else pd.concat(self._frames, ignore_index=True)
            )
            self._frames, self._rows, self._failure = [], 0, None
            return path

    def close(self) -> Path | None:
        "The last flush."
        return self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _check_columns(columns):
    "Refuse values that could not be written later, when good rows are buffered with them."
    told = pd.Series(np.atleast_1d(columns.get("latency_ms", 0.0)), dtype=object)
    latency = pd.to_numeric(told, errors="coerce").astype(float)
    if not ((latency >= 0) & np.isfinite(latency) | told.isna()).all():
        raise ValueError("latency_ms must be numbers of at least 0, or missing.")
    automated = np.atleast_1d(columns.get("automated", True)).tolist()
    if not all(v is None or v is pd.NA or isinstance(v, (bool, np.bool_)) for v in automated):
        raise ValueError("automated must be True, False or missing.")


def _feature_frame(features):
    "Features as a frame; refuses names that a file could not hold apart."
    if features is None:
        return pd.DataFrame()
    if not isinstance(features, pd.DataFrame):
        features = pd.DataFrame({name: np.atleast_1d(v) for name, v in features.items()})
    names = [str(name).lower() for name in features.columns]
    if len(set(names)) < len(names) or "" in names:
        raise ValueError(
            "feature names must differ, in more than case, and must not be empty: "
            f"{', '.join(map(str, features.columns))}."
        )
    return features


def _check_lengths(columns, features, rows):
    "Refuse columns that are not as long as the scores."
    lengths = {name: np.size(v) for name, v in columns.items() if np.ndim(v)}
    if features.shape[1]:
        lengths["features"] = len(features)
    if any(length != rows for length in lengths.values()):
        raise ValueError(f"columns have different lengths: {lengths}; score has {rows}.")


_OPTIONAL = (
    "entity_id",
    "site_id",
    "calibration_id",
    "risk_level",
    "route",
    "automated",
    "latency_ms",
)


class PredictionLogger(_Logger):
    """Logs the predictions of one model version into a spool folder.

    Scores are quantised here, once. `threshold` is in points. A bad row raises ValueError before
    anything is buffered.
    """

    kind = "predictions"

    def __init__(
        self,
        spool: str | Path,
        model: str,
        version: str,
        *,
        threshold: int,
        tenant: str = "default",
        grid: Grid = Grid(),
        flush_rows: int = 20_000,
        flush_seconds: float | None = 60,
        cursor: Cursor | None = None,
    ):
        super().__init__(spool, flush_rows, flush_seconds, cursor)
        self.constant = {"tenant": tenant, "model": model, "version": version, "grid": grid.name}
        for name, value in self.constant.items():
            if not value or not isinstance(value, str) or len(value.encode()) > LONGEST_NAME:
                raise ValueError(
                    f"{name} is {value!r}: give a name of at most {LONGEST_NAME} bytes."
                )
        if grid.step != 1:
            raise ValueError(f"predictions are logged on the fine grid, not on {grid.name}.")
        if threshold != int(threshold) or abs(threshold) > grid.limit:
            raise ValueError(
                f"threshold {threshold} is not in points: give a whole number up to {grid.limit}, "
                "such as Grid().quantise(0.6)."
            )
        self.grid, self.threshold = grid, int(threshold)

    def log(
        self,
        score,
        predicted_at,
        *,
        prediction_id=None,
        features: pd.DataFrame | Mapping | None = None,
        **columns,
    ) -> np.ndarray:
        """Log one prediction or many (arrays of equal length) and return their ids (made here
        unless given).

        Further columns: entity_id, site_id, calibration_id, risk_level, route, automated,
        latency_ms.
        """
        unknown = sorted(set(columns) - set(_OPTIONAL))
        if unknown:
            raise ValueError(f"unknown column {unknown[0]!r}: allowed are {', '.join(_OPTIONAL)}.")
        score = np.atleast_1d(np.asarray(score, dtype=np.float64))
        if prediction_id is None:
            ids = [time_ordered_id() for _ in score]
        else:
            ids = np.atleast_1d(prediction_id)
        logged = {
            "prediction_id": ids,
            "predicted_at": instants(predicted_at, "predicted_at"),
            "score": score,
            "points": self.grid.quantise(score),
            "threshold": np.full(score.shape, self.threshold),
        }
        _check_columns(columns)
        for name, values in columns.items():  # by position, whatever the index
            logged[name] = values.to_numpy() if isinstance(values, pd.Series) else values
        features = _feature_frame(features)
        _check_lengths(logged, features, len(score))
        frame = pd.DataFrame(
            {c: logged.get(c, self.constant.get(c)) for c in PREDICTION}, index=range(len(score))
        )
        named = features.reset_index(drop=True).add_prefix("feature:")
        self._append(pd.concat([frame, named], axis=1))
        return np.asarray(ids)

    def _write(self, frame):
        features = {
            c.removeprefix("feature:"): c for c in frame.columns if c.startswith("feature:")
        }
        return write_segment(self.folder, frame, PREDICTION, features, self.cursor)


class OutcomeLogger(_Logger):
    "Logs labels as they become known. A later row for the same prediction is a correction."

    kind = "outcomes"

    def __init__(
        self,
        spool: str | Path,
        source: str,
        *,
        flush_rows: int = 20_000,
        flush_seconds: float | None = 60,
        cursor: Cursor | None = None,
    ):
        super().__init__(spool, flush_rows, flush_seconds, cursor)
        self.source = source

    def log(self, prediction_id, label, observed_at, *, predicted_at=None) -> None:
        """Log labels (0 or 1) of predictions; `predicted_at`, where known, saves the ingester a
        search."""
        ids, label = np.atleast_1d(prediction_id), np.atleast_1d(label)
        allowed = pd.Series(label).isin([0, 1])
        if not allowed.all():
            raise ValueError(
                f"label {pd.Series(label)[~allowed].iloc[0]!r} is not allowed: a label is 0 or 1; "
                "log nothing for an unknown one."
            )
        observed = instants(observed_at, "observed_at")
        if len(observed) != len(ids):
            observed = observed.repeat(len(ids)).reset_index(drop=True)
        if predicted_at is None:
            predicted = pd.Series(pd.NaT, index=range(len(ids)), dtype="datetime64[us, UTC]")
        else:
            predicted = instants(predicted_at, "predicted_at")
        if not len(ids) == len(label) == len(observed) == len(predicted):
            raise ValueError(
                f"columns have different lengths: {len(ids)} ids, {len(label)} labels, "
                f"{len(observed)} observed_at, {len(predicted)} predicted_at."
            )
        self._append(
            pd.DataFrame(
                {
                    "prediction_id": ids,
                    "label": label,
                    "observed_at": observed,
                    "source": self.source,
                    "predicted_at": predicted,
                }
            )
        )

    def _write(self, frame):
        return write_segment(self.folder, frame, OUTCOME, cursor=self.cursor)
