"""Logging that an answer never waits for, nor fails by.

The log is a circuit of its own: where the disk takes nothing, events are decided all the same, and
each answer says what became of its row. Rows wait in memory meanwhile, as many as may; what comes
beyond is counted as not logged. Once a second the disk is tried, and logging goes on by itself.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeAlias

from ..log.errors import BufferFull, NotWritten, StoreError
from ..log.spool import Buffering, PredictionLogger
from ..models.one_event import Decided
from ..models.scorer import Scorer
from .tally import Tally

__all__ = ["Journal", "Logged"]

logger = logging.getLogger(__name__)

Logged: TypeAlias = Literal["yes", "waiting", "no"]
"""yes: on the disk within `flush_seconds`. waiting: the disk takes nothing, and the row is kept in
memory until it does. no: the row is lost, and counted."""

MOST_LOGGERS = 16
"Open loggers: one a version, threshold and tenant."
MOST_ROWS = 300_000
"Rows that a logger keeps for a disk that takes none."
AGAIN = 1.0
"Seconds between two tries."


class Journal:
    "Loggers of what is decided; `log` from one thread, `tend` from another."

    def __init__(
        self,
        spool: Path,
        tally: Tally,
        flush_seconds: float = 1.0,
        segment_seconds: float = 60.0,
        most_rows: int = MOST_ROWS,
    ):
        self.spool, self.tally, self.problem = spool, tally, None
        # a segment is finished by the thread of the logger: nobody who logs waits for it
        self._how: Buffering = {
            "flush_rows": 2 * most_rows,
            "flush_seconds": flush_seconds,
            "segment_seconds": segment_seconds,
            "buffer_rows": 2 * most_rows,
            "sigterm": False,
        }
        self._most = most_rows
        self._loggers: OrderedDict[tuple, PredictionLogger] = OrderedDict()
        self._leaving: list[PredictionLogger] = []
        self._waiting, self._next_try = 0, 0.0

    def log(
        self,
        scorer: Scorer,
        decided: Decided,
        features: Mapping[str, Any],
        at: datetime,
        *,
        tenant: str,
        **columns: Any,
    ) -> Logged:
        "Log a decision; ValueError where the event has what no log could hold."
        try:
            log = self._logger(scorer, tenant)
            if log.buffered >= self._most:
                raise BufferFull(self.problem or f"{log.buffered:,} rows wait for the disk.")
            scorer.log_one(decided, features, log, at, **columns)
        except NotWritten as error:  # this row is kept
            self._trip(error)
        except (ValueError, StoreError):
            raise
        except Exception as error:
            self._trip(error)
            self.tally.add("not_logged")
            return "no"
        if self.problem is None:
            return "yes"
        self._waiting += 1
        self.tally.tell("waiting", self._waiting)
        return "waiting"

    def _trip(self, error):
        "From now on answers say that the disk takes nothing."
        if self.problem is None:
            logger.error("events are decided and not logged: %s", error)
        self.problem = str(error)
        self.tally.tell("failing", 1)

    def _logger(self, scorer, tenant):
        key = scorer.version.version, scorer.threshold, tenant
        found = self._loggers.get(key)
        if found is None:
            found = scorer.logger(self.spool, tenant, **self._how)
            self._retire(key[:2])
            self._loggers[key] = found
        self._loggers.move_to_end(key)
        return found

    def _retire(self, now):
        "What is logged by another version or threshold than now is finished by `tend`."
        for key in [key for key in self._loggers if key[:2] != now]:
            self._leaving.append(self._loggers.pop(key))
        while len(self._loggers) >= MOST_LOGGERS:
            self._leaving.append(self._loggers.popitem(last=False)[1])

    def tend(self) -> None:
        "Finish what is not logged to any more, and try a disk that took nothing."
        if not (self._leaving or self.problem) or monotonic() < self._next_try:
            return
        self._next_try = monotonic() + AGAIN
        for log in self._leaving[:]:
            with suppress(NotWritten):  # its rows are kept, and tried again
                log.close()
                self._leaving.remove(log)
        if self.problem is not None:
            self._try()

    def _try(self):
        try:
            for log in list(self._loggers.values()):
                log.secure()
        except NotWritten as error:
            self.problem = str(error)
            return
        logger.warning("events are logged again")
        self.problem, self._waiting = None, 0
        for gauge in ("waiting", "failing"):
            self.tally.tell(gauge, 0)

    def close(self) -> None:
        "Everything is in finished segments when this returns; what cannot be is logged as lost."
        for log in (*self._leaving, *self._loggers.values()):
            try:
                log.close()
            except NotWritten as error:
                logger.error("%s", error)
        self._leaving, self._loggers = [], OrderedDict()
