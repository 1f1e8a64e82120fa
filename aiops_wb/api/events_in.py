"""Events that others send by HTTP, on their way into the spool of a desk."""

import logging
from collections.abc import Sequence
from threading import Lock

from ..log.reading import Limits
from ..streams.events import Entry, Reading
from ..streams.taking import Taking
from .desk import Desk

__all__ = ["EventsIn"]

logger = logging.getLogger(__name__)


class EventsIn:
    "Takes events for many callers at once: who comes while others are written is written next."

    def __init__(self, desk: Desk):
        self._desk, self._turn = desk, Lock()
        self._taking: Taking | None = None

    def take(self, entries: Sequence[Entry]) -> dict[int, str]:
        """Make events safe; the places of those that cannot be taken, and why. OSError where the
        disk takes nothing: to send all of them again doubles nothing."""
        with self._turn:
            taking = self._taking = self._taking or self._made()
            told = {at: taking.put(entry) for at, entry in enumerate(entries)}
        with self._turn:  # once for all who came meanwhile
            taking.secure()
        return {at: reason for at, reason in told.items() if reason is not None}

    def close(self) -> None:
        "Finish what was taken."
        with self._turn:
            try:
                if self._taking is not None:
                    self._taking.close()
            except OSError as error:
                logger.error("events that were taken are in no finished segment yet: %s", error)
            self._taking = None

    def _made(self):
        limits = Limits.of(self._desk.settings)
        return Taking(self._desk.spool, Reading(limits=limits))
