"""Acts are taken in as soon as the writer is free: a thread that looks when one was handed in."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from ..config import Settings
from ..log.acts import waiting
from ..log.errors import Busy
from ..streams.outgoing import send_events
from ..watch.acts import take_in_now

__all__ = ["TakingIn"]

logger = logging.getLogger(__name__)

TOGETHER = 0.1
"Seconds that an act waits for others, with which it is published at once."
AGAIN, LATEST = 5.0, 300.0
"""Seconds until the next try while another process writes, or what waits could not be taken in:
then twice as long each time, since each try writes a snapshot."""


class TakingIn:
    "Takes in what waits, for itself or once more when the writer was busy."

    def __init__(self, data: Path, settings: Settings, clock: Callable[[], datetime]):
        self.data, self.settings, self.clock = data, settings, clock
        self._woken, self._stopped = Event(), Event()
        self._thread = Thread(target=self._work, name="aiops-wb-acts", daemon=True)

    def start(self) -> None:
        "Begin, with what waited before."
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        "An act was handed in."
        self._woken.set()

    def stop(self) -> None:
        "End, when what is being taken in is in."
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self):
        again = None
        self._tell_others()  # who is new hears of what is taken in from now on
        while not self._stopped.is_set():
            self._woken.wait(again)
            self._stopped.wait(TOGETHER)
            self._woken.clear()
            if not self._stopped.is_set():
                began = time.monotonic()
                again = self._again(again)
                # a night that waits has its turn
                self._stopped.wait(min(time.monotonic() - began, AGAIN))

    def _again(self, before: float | None) -> float | None:
        "Take in what waits; seconds until the next try, None where nothing of it is left."
        try:
            if not self._waiting():
                return None
            told = take_in_now(self.data, self.settings, self.clock())
            if isinstance(told, Busy):
                return AGAIN
            self._tell_others()
            left = bool(self._waiting())
        except Exception:
            logger.exception("acts wait: they could not be taken in")
            left = True
        return min(LATEST, 2 * (before or AGAIN / 2)) if left else None

    def _tell_others(self):
        "Other systems hear of what was taken in; what they did not take waits for the morning."
        now = self.clock()
        for problem in send_events(self.data, self.settings, now, going=self._goes_on):
            logger.warning(problem)

    def _goes_on(self):
        return not self._stopped.is_set()

    def _waiting(self):
        return waiting(self.settings.spool_of(self.data), self.data)
