"""Events of other systems, written into the spool.

Each goes to the logger of its model, version, threshold and tenant, or of its source; those that
cannot be taken go beside them, for the quarantine. Nothing is safe before `secure` has returned,
and only then may a source be told that it has been taken. What a source delivers again afterwards
is the same row with the same id, which the next ingest knows.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..log.errors import NotWritten
from ..log.refused_events import RefusedEvent, write_refused
from ..log.spool import Buffering, OutcomeLogger, PredictionLogger
from ..stats.points import Grid
from .events import Entry, Outcome, Prediction, Reading, read_event

__all__ = ["MOST_LOGGERS", "Counted", "Taking"]

MOST_LOGGERS = 64
"Open loggers: one a model, version, threshold and tenant, or a source of outcomes."


@dataclass
class Counted:
    "What was made of events."

    predictions: int = 0
    outcomes: int = 0
    refused: int = 0

    @property
    def taken(self) -> int:
        "Rows for the log."
        return self.predictions + self.outcomes


class Taking:
    "Takes events into a spool; for one thread at a time."

    def __init__(
        self,
        spool: Path,
        reading: Reading,
        *,
        segment_seconds: float = 60.0,
        most_loggers: int = MOST_LOGGERS,
    ):
        self.spool, self.reading, self.counted = spool, reading, Counted()
        self._how: Buffering = {"segment_seconds": segment_seconds, "sigterm": False}
        self._most = most_loggers
        self._loggers: OrderedDict[tuple, PredictionLogger | OutcomeLogger] = OrderedDict()
        self._touched: dict[tuple, PredictionLogger | OutcomeLogger] = {}
        self._refused: list[RefusedEvent] = []

    def put(self, entry: Entry) -> str | None:
        """Keep an event until `secure`; why it cannot be taken, else None. BufferFull where the
        disk takes nothing: it is not kept."""
        try:
            told = read_event(entry, self.reading)
            self._log(told)
        except ValueError as error:
            return str(error)
        if isinstance(told, Prediction):
            self.counted.predictions += 1
        else:
            self.counted.outcomes += 1
        return None

    def refuse(self, entry: Entry, reason: str) -> None:
        "Keep an event that cannot be taken for the quarantine, until `secure`."
        self._refused.append(RefusedEvent(f"{entry.source}, {entry.place}", reason, entry.text))
        self.counted.refused += 1

    def secure(self) -> None:
        "Force what was put and refused to the disk; OSError where it cannot be: try again."
        while self._touched:
            key, logger = next(iter(self._touched.items()))
            if key in self._loggers:
                logger.secure()
            else:
                logger.close()
            del self._touched[key]
        if self._refused:
            write_refused(self.spool, self._refused)
            self._refused.clear()

    def close(self) -> None:
        "Finish what was logged, whatever becomes of one of the loggers; OSError: not all is."
        problem = _first_problem(
            [self.secure, *(logger.close for logger in self._loggers.values())]
        )
        self._loggers.clear()
        if problem is not None:
            raise problem

    def _log(self, told):
        key, made = _logger_of(told)
        logger = self._loggers.get(key) or self._touched.get(key)
        logger = logger or made(self.spool, self._how)
        self._loggers[key] = logger
        self._loggers.move_to_end(key)
        while len(self._loggers) > self._most:
            away, left = self._loggers.popitem(last=False)
            self._touched[away] = left  # finished by `secure`
        with suppress(NotWritten):  # it is kept, and `secure` says whether it could be written
            _written(logger, told)
        self._touched[key] = logger


def _first_problem(steps: Iterable[Callable[[], object]]) -> OSError | None:
    problem = None
    for step in steps:
        try:
            step()
        except OSError as error:
            problem = problem or error
    return problem


def _logger_of(told: Prediction | Outcome):
    "The key of a row's logger, and what makes one; ValueError where a name is none."
    if isinstance(told, Outcome):
        key = ("outcomes", told.source)
        return key, lambda spool, how: OutcomeLogger(spool, told.source, **how)
    key = ("predictions", told.tenant, told.model, told.version, told.grid, told.threshold)
    return key, lambda spool, how: _prediction_logger(told, spool, how)


def _prediction_logger(told, spool, how):
    named = {"tenant": told.tenant, "threshold": told.threshold, "grid": Grid(told.grid)}
    return PredictionLogger(spool, told.model, told.version, **named, **how)


def _written(logger, told):
    if isinstance(told, Outcome):
        logger.log(
            told.prediction_id,
            told.label,
            told.observed_at,
            predicted_at=told.predicted_at,
            event_key=told.event_key,
        )
    else:
        logger.log(
            told.score,
            told.predicted_at,
            prediction_id=told.prediction_id,
            features=told.features or None,
            **told.columns,
        )
