"""Writing predictions down, from any process, without a database.

What survives what: a row is in memory until the next write to the open file, `flush_seconds` later
at most. From then on it is on the disk, and the next ingest takes it whatever becomes of the
process. A normal end without `close`, an exception and a SIGTERM write what is in memory; a forked
child begins empty and never writes its parent's rows; on a full disk rows wait in memory. A kill -9
or a power failure loses what was logged since the last write, and nothing else.

Single events need the standard library alone; numpy and DuckDB are loaded when a frame is logged or
a segment is finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from .buffer import Buffer
from .columns import LONGEST_NAME
from .durable import time_ordered_id
from .event import FeatureNames, automated, feature_values, latency, number, propensity
from .event import event_key as one_key
from .event import label as one_label
from .one_point import LIMITS, points_of
from .plain import Several, microseconds, text_of
from .published import read_null_words, read_schema

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from ..stats.points import Grid
    from .segment import Cursor

    Values = ArrayLike | Sequence[object]  # one value, or as many as there are events
    Times = Values | datetime

__all__ = ["Buffering", "Further", "instants", "PredictionLogger", "OutcomeLogger"]


class Buffering(TypedDict, total=False):
    "How rows of a logger get to the disk."

    flush_rows: int
    flush_seconds: float | None
    segment_seconds: float
    buffer_rows: int
    sigterm: bool
    cursor: Cursor | None


class Further(TypedDict, total=False):
    "Columns of a prediction that may be logged beside its score, one value or one for each event."

    entity_id: Values | None
    site_id: Values | None
    calibration_id: Values | None
    risk_level: Values | None
    route: Values | None
    ladder: Values | None
    automated: Values | None
    latency_ms: Values | None
    propensity: Values | None
    event_key: Values | None
    arm: Values | None
    arm_propensity: Values | None


def instants(values, name: str) -> pd.Series:
    """Times as UTC instants; refuses those without an offset and those that are missing.

    Give strings with an offset or aware datetimes.
    """
    from .frames import instants

    return instants(values, name)


class _Logger:
    "One kind of rows on their way into the spool; safe to use from several threads."

    kind = ""

    def __init__(
        self,
        spool: str | Path,
        *,
        flush_rows: int = 20_000,
        flush_seconds: float | None = 5,
        segment_seconds: float = 60,
        buffer_rows: int = 200_000,
        sigterm: bool = True,
        cursor: Cursor | None = None,
    ) -> None:
        self.spool, self.folder = Path(spool), Path(spool) / self.kind
        # without a cursor each segment has a DuckDB of its own, which a fork cannot harm
        self._rows = Buffer(
            self.folder,
            self._header,
            rows=flush_rows,
            seconds=flush_seconds,
            segment_seconds=segment_seconds,
            most_rows=buffer_rows,
            sigterm=sigterm,
            cursor=cursor,
        )

    @property
    def buffered(self) -> int:
        "Rows that stand in no finished segment yet."
        return len(self._rows)

    def flush(self) -> Path | None:
        """Write what is buffered as a finished segment; the rows are safe when it returns.

        None when there was nothing. On failure the rows stay buffered, and NotWritten says why.
        """
        return self._rows.flush()

    def secure(self) -> None:
        "Force what is buffered to the disk now, without finishing a segment."
        self._rows.secure()

    def close(self) -> Path | None:
        "The last flush."
        return self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_TEXTS = ("entity_id", "site_id", "calibration_id", "risk_level", "route", "ladder")
_OPTIONAL = (*_TEXTS, "automated", "latency_ms", "propensity", "event_key", "arm", "arm_propensity")
_ALLOWED = frozenset(_OPTIONAL)


class PredictionLogger(_Logger):
    """Logs the predictions of one model version into a spool folder.

    Scores are quantised here, once. `threshold` is in points; None: it is not known here, and what
    is in force decides when the rows are taken in. A bad row raises ValueError before anything is
    buffered; NotWritten says that rows could not be written and are kept, BufferFull that a row is
    not.

    Rows are forced to the disk every `flush_seconds` (None: only by `flush`), and become a segment
    after `segment_seconds` or `flush_rows` rows. At most `buffer_rows` rows wait for a disk that
    takes none. SIGTERM writes what is buffered and then ends the process as before, where nobody
    handles it otherwise; `sigterm=False` leaves it alone.
    """

    kind = "predictions"

    def __init__(
        self,
        spool: str | Path,
        model: str,
        version: str,
        *,
        threshold: int | None,
        tenant: str = "default",
        grid: Grid | None = None,
        **buffering: Unpack[Buffering],
    ) -> None:
        kind, step = ("logit", 1) if grid is None else (grid.kind, grid.step)
        if step != 1:
            raise ValueError(f"predictions are logged on the fine grid, not on {grid.name}.")
        self.constant = {"tenant": tenant, "model": model, "version": version, "grid": kind}
        for name, value in self.constant.items():
            _check_name(name, value)
        self.threshold, self._kind = _threshold_points(threshold, kind), kind
        self._names = FeatureNames(read_schema(spool, model))
        self._buffering, self._beside = buffering, {}
        super().__init__(spool, **buffering)

    @cached_property
    def grid(self) -> Grid:
        "The grid of the scores."
        from ..stats.points import Grid

        return Grid(self._kind)

    def log(
        self,
        score: Values,
        predicted_at: Times,
        *,
        prediction_id: Values | None = None,
        features: pd.DataFrame | Mapping[str, Any] | None = None,
        **columns: Unpack[Further],
    ) -> np.ndarray | list[str]:
        """Log one prediction or many (arrays of equal length) and return their ids (made here
        unless given): a list for a single one.

        Further columns: entity_id, site_id, calibration_id, risk_level, route, ladder, automated,
        latency_ms, propensity (the chance, in (0, 1], that it had of going to review; of a service
        that explores below its threshold), event_key (what the event is called by all models that
        score it, at most 256 bytes: its label is then told once), arm and arm_propensity (the A/B
        test and the arm that decided, as TEST/B, and the chance of it). ValueError: the row is
        refused. NotWritten: it is kept, and earlier rows wait for the disk. BufferFull: it is not
        kept.
        """
        if not columns.keys() <= _ALLOWED:
            unknown = sorted(set(columns) - _ALLOWED)
            raise ValueError(f"unknown column {unknown[0]!r}: allowed are {', '.join(_OPTIONAL)}.")
        try:
            row = self._event(score, predicted_at, prediction_id, features, columns)
        except Several:
            return self._log_batch(score, predicted_at, prediction_id, features, columns)
        self._rows.put(row)
        return [row[0]]

    def beside(self, version: str, threshold: int | None) -> PredictionLogger:
        """The logger of another version or threshold (points) that decides beside this one, in an
        A/B test: of the same model, tenant and grid, into the same spool; flushed, secured and
        closed with this one."""
        if (version, threshold) == (self.constant["version"], self.threshold):
            return self
        if (version, threshold) not in self._beside:
            named = self.constant | {"version": version, "threshold": threshold}
            named |= {"grid": self.grid}
            made = PredictionLogger(self.spool, **named, **self._buffering)
            self._beside.setdefault((version, threshold), made)
        return self._beside[version, threshold]

    @property
    def buffered(self) -> int:
        "Rows that stand in no finished segment yet, here and beside."
        return super().buffered + sum(logger.buffered for logger in self._beside.values())

    def flush(self) -> Path | None:
        """Write what is buffered as a finished segment, and what is logged beside it; the rows are
        safe when it returns.

        None when there was nothing. On failure the rows stay buffered, and NotWritten says why.
        """
        written = [logger.flush() for logger in self._beside.values()]
        return next(filter(None, [super().flush(), *written]), None)

    def secure(self) -> None:
        "Force what is buffered to the disk now, here and beside, without finishing a segment."
        super().secure()
        for logger in self._beside.values():
            logger.secure()

    def close(self) -> Path | None:
        "The last flush, here and beside."
        written = [logger.close() for logger in self._beside.values()]
        return next(filter(None, [super().close(), *written]), None)

    def _event(self, score, predicted_at, prediction_id, features, columns):
        "One prediction as a row; Several when it is not simply one."
        if type(score) is not float:
            score = number(score)
        moment = microseconds(predicted_at, "predicted_at")
        points = points_of(score, self._kind)
        if prediction_id is None:
            prediction_id = time_ordered_id()
        else:
            prediction_id = _given_id(prediction_id)
        told = columns.get
        return (
            prediction_id,
            moment,
            score,
            points,
            *[text_of(told(name), name) for name in _TEXTS],
            automated(told("automated")),
            latency(told("latency_ms")),
            propensity(told("propensity")),
            one_key(told("event_key")),
            text_of(told("arm"), "arm"),
            propensity(told("arm_propensity")),
            feature_values(features, self._names),
        )

    def _log_batch(self, score, predicted_at, prediction_id, features, columns):
        from .frames import prediction_batch

        ids = _made_ids if prediction_id is None else prediction_id
        batch = prediction_batch(
            score, predicted_at, ids, features, columns, self.grid, self._names.checked
        )
        if len(batch):
            self._rows.put(batch, len(batch))
        return batch.columns["prediction_id"]

    def _header(self):
        "What an open file says about all of its rows."
        known = {} if self.threshold is None else {"threshold": self.threshold}
        return {
            "kind": self.kind,
            "constant": self.constant | known,
            "columns": ["prediction_id", "predicted_at", "score", "points", *_OPTIONAL],
            "schema": read_schema(self.spool, self.constant["model"]),
            "null_words": read_null_words(self.spool, self.constant["model"]),
        }


class OutcomeLogger(_Logger):
    """Logs labels as they become known. A later row for the same prediction, or the same event, is
    a correction.

    Rows are written as those of a PredictionLogger are, and survive the same.
    """

    kind = "outcomes"

    def __init__(self, spool: str | Path, source: str, **buffering: Unpack[Buffering]) -> None:
        _check_name("source", source)
        self.source = source
        super().__init__(spool, **buffering)

    def log(
        self,
        prediction_id: Values | None = None,
        label: Values | None = None,
        observed_at: Times | None = None,
        *,
        predicted_at: Times | None = None,
        event_key: Values | None = None,
    ) -> None:
        """Log labels (0 or 1) of predictions, or of events: with `event_key` instead of an id, a
        label is that of every prediction logged with this key, also of those that come later.

        A row that names both must name a prediction of this event. `predicted_at`, where known,
        saves the ingester a search. Errors as those of `PredictionLogger.log`."""
        try:
            key = one_key(event_key)
            row = (
                None if prediction_id is None and key else _given_id(prediction_id),
                one_label(label),
                microseconds(observed_at, "observed_at"),
                None if predicted_at is None else microseconds(predicted_at, "predicted_at"),
                key,
                None,
            )
        except Several:
            from .frames import outcome_batch

            row = outcome_batch(prediction_id, label, observed_at, predicted_at, event_key)
        if type(row) is tuple:
            self._rows.put(row)
        elif len(row):
            self._rows.put(row, len(row))

    def _header(self):
        return {
            "kind": self.kind,
            "constant": {"source": self.source},
            "columns": ["prediction_id", "label", "observed_at", "predicted_at", "event_key"],
        }


def _threshold_points(threshold, kind):
    if threshold is None:
        return None
    if threshold != int(threshold):
        from ..stats.points import as_points

        as_points(threshold, kind)  # refuses it, and says what to write
    if abs(threshold) > LIMITS[kind]:
        raise ValueError(
            f"threshold {threshold} is not in points: give a whole number up to "
            f"{LIMITS[kind]}, such as Grid().quantise(0.6)."
        )
    return int(threshold)


def _check_name(name, value):
    if (
        not value
        or not isinstance(value, str)
        or len(value.encode(errors="replace")) > LONGEST_NAME
    ):
        raise ValueError(f"{name} is {value!r}: give a name of at most {LONGEST_NAME} bytes.")
    text_of(value, name)


def _given_id(value):
    if type(value) is float:  # an id that was read as a number: as pandas writes it
        raise Several
    value = text_of(value, "prediction_id")
    if not value or value.isspace():
        raise ValueError("prediction_id is missing at position 0.")
    return value


def _made_ids(rows):
    return [time_ordered_id() for _ in range(rows)]
