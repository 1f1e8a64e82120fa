"""Processes of the service side by side: started, started again where one died, ended in order.

All of them accept from one socket, so that what is asked for is answered while one begins anew.
Each writes a spool file of its own: what a killed one left there is taken in once its lock is free.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..config import PREFIX
from ..log.errors import StoreError
from ..log.processes import helper_environment
from .tally import Tally

__all__ = ["Workers"]

logger = logging.getLogger(__name__)

_START = """
import sys
sys.modules.setdefault("sklearn", None)  # XGBoost imports it where it is installed
from aiops_wb.service.process import main
sys.exit(main(sys.argv[1:]))
"""
WATCH = 0.1
"Seconds between two looks at who is alive."
SHORT, LONGEST = 10.0, 30.0
"A process that lived shorter is started again later, and later each time, at most so many seconds."
END = 60.0
"Seconds in which processes finish what is under way and write their rows."


@dataclass
class _Worker:
    "A place for a process, and the one that is there."

    place: int
    process: subprocess.Popen | None = None
    began: float = 0.0
    in_a_row: int = 0  # how often one that had just begun died
    again: float = 0.0  # when the next one may begin
    ready: bool = False  # whether what it said at its beginning was read


class Workers:
    "So many processes that serve at a socket."

    def __init__(self, at: socket.socket, number: int, told: Mapping[str, Any], log_level: int):
        self._at, self._memory = at, Tally.file(number)
        self._told = dict(told) | {"workers": number, "level": log_level}
        self._told |= {"socket": at.fileno(), "tally": self._memory.fileno()}
        self._workers = [_Worker(place) for place in range(number)]
        self._ending = threading.Event()

    @property
    def pids(self) -> list[int]:
        "The processes that are there."
        return [one.process.pid for one in self._workers if one.process is not None]

    def start(self) -> None:
        "Start all, and wait until they are ready; StoreError with what the first one misses."
        for one in self._workers:
            self._begin(one)
        try:
            for one in self._workers:
                self._await(one)
        except BaseException:
            self.end()
            raise

    def run(self) -> int:
        "Start again what dies, until a signal says that it is enough; the exit code."
        with self._until_signalled():
            while not self._ending.wait(WATCH):
                for one in self._workers:
                    self._keep(one)
        return self.end()

    def stop(self) -> None:
        "Let `run` end."
        self._ending.set()

    def end(self) -> int:
        "Tell all to end in order, and wait; 0 where all of them did."
        living = [one.process for one in self._workers if one.process is not None]
        for process in living:
            process.send_signal(signal.SIGTERM)
        until, codes = time.monotonic() + END, []
        for process in living:
            try:
                codes.append(process.wait(max(0.1, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                logger.error("process %d did not end in %g seconds: killed", process.pid, END)
                process.kill()
                codes.append(process.wait())
            _close(process)
        self._memory.close()
        # one that had not begun yet ends by the signal itself
        return int(any(code not in (0, -signal.SIGTERM) for code in codes))

    def _begin(self, one):
        told = json.dumps(self._told | {"place": one.place})
        words = [sys.executable, "-c", _START, told]
        one.began, one.ready = time.monotonic(), False
        one.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._at.fileno(), self._memory.fileno()),
            env=_settings_of_variables() | helper_environment(),
        )

    def _await(self, one):
        "Wait for a process to say that it is ready, or why it is not."
        said = _said(one.process)
        if "ready" not in said:
            why = said.get("error", "a process of the service ended before it was ready.")
            raise StoreError(why)
        one.ready = True

    def _keep(self, one):
        "Start a process again where one died."
        now = time.monotonic()
        if one.process is not None:
            code = one.process.poll()
            if code is None:
                return
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            why = why if one.ready else _said(one.process).get("error", why)
            one.in_a_row = one.in_a_row + 1 if now - one.began < SHORT else 0
            pause = min(LONGEST, 2.0 ** (one.in_a_row - 1)) if one.in_a_row else 0.0
            logger.error("process %d ended (%s): another begins", one.process.pid, why)
            _close(one.process)
            one.process, one.again = None, now + pause
        if now >= one.again:
            Tally(self._memory, len(self._workers), one.place).restarted()
            self._begin(one)

    @contextmanager
    def _until_signalled(self) -> Iterator[None]:
        "Meanwhile a signal ends the watch, where this is the main thread."
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {n: signal.signal(n, lambda *_: self._ending.set()) for n in ours}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _settings_of_variables():
    return {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}


def _said(process) -> dict[str, Any]:
    "What a process says once, of itself; nothing where it ended without a word."
    return json.loads(process.stdout.readline() or b"{}")


def _close(process):
    for pipe in (process.stdin, process.stdout):
        pipe.close()
