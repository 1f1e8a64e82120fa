"""What becomes of buffered rows when their process ends or forks.

A normal end and a SIGTERM put them on the disk; a forked child starts with none of its parent's
rows. The hooks of a process belong to the process, so that this is the one place with a state of
its own.
"""

import atexit
import logging
import os
import signal
import sys
import threading
from typing import Protocol
from weakref import ref

__all__ = ["LIFELINE", "Held", "Turn"]

logger = logging.getLogger(__name__)


class Turn:
    "A lock that knows who is inside it, so that a signal handler never waits for itself."

    def __init__(self):
        self._lock, self._inside = threading.Lock(), set()

    def __enter__(self):
        self._inside.add(threading.get_ident())
        try:
            self._lock.acquire()
        except BaseException:  # Ctrl-C while it waits
            self._inside.discard(threading.get_ident())
            raise

    def __exit__(self, *_):
        self._lock.release()
        self._inside.discard(threading.get_ident())
        LIFELINE.resume()

    def is_mine(self) -> bool:
        "Whether this thread holds the lock or is about to."
        return threading.get_ident() in self._inside


class Held(Protocol):
    "What the end of a process must not lose."

    def is_busy_here(self) -> bool:
        "Whether this very thread is writing."

    def standing_still(self) -> Turn:
        "What to hold so that nobody writes."

    def secure(self) -> None:
        "Put every row on the disk."

    def last_flush(self) -> None:
        "The flush of a normal end."

    def reborn(self) -> None:
        "Begin anew, empty, in a forked child."


class _Lifeline:
    "The hooks of one process, and what hangs on them."

    def __init__(self):
        self._all, self._held = {}, {}  # every buffer, weakly; those with rows, strongly
        self._hooked, self._finalised_in, self._terminating = False, None, False
        self._forking, self._still = threading.Lock(), []

    def watch(self, buffer: Held, sigterm: bool) -> None:
        "Know a buffer for as long as it lives."
        key = id(buffer)
        self._all[key] = ref(buffer, lambda _: self._all.pop(key, None))
        if not self._hooked:
            self._hooked = True
            atexit.register(self.at_exit)
            os.register_at_fork(
                before=self._before_fork,
                after_in_parent=self._after_fork,
                after_in_child=self._in_child,
            )
        if sigterm:
            self._watch_sigterm()

    def hold(self, buffer: Held) -> None:
        "Keep a buffer that has rows."
        self._held[id(buffer)] = buffer
        processes = sys.modules.get("multiprocessing.util")
        if processes is not None and self._finalised_in != os.getpid():
            self._finalised_in = os.getpid()  # its children end without `atexit`
            processes.Finalize(None, self.at_exit, exitpriority=0)

    def release(self, buffer: Held) -> None:
        "Let go of a buffer without rows."
        self._held.pop(id(buffer), None)

    def forget(self, buffer: Held) -> None:
        "A buffer is closed; with the last one SIGTERM does again what it did before."
        self._all.pop(id(buffer), None)
        if self._all or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def at_exit(self) -> None:
        "The last flush of every buffer with rows; what fails is said."
        for buffer in list(self._held.values()):
            _or_said(buffer, buffer.last_flush)

    def _watch_sigterm(self):
        "Only where SIGTERM would simply end the process: every other handler is somebody's."
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, *_):
        self._terminating = True
        self.resume()

    def resume(self) -> None:
        "Go on with a SIGTERM, unless this very thread writes just now: then when it has written."
        if not self._terminating or threading.current_thread() is not threading.main_thread():
            return
        held = list(self._held.values())
        if any(buffer.is_busy_here() for buffer in held):
            return
        self._terminating = False
        for buffer in held:
            _or_said(buffer, buffer.secure)
        # a handler that calls this one in its turn ends the process as it likes
        if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    def _living(self):
        found = (weak() for weak in list(self._all.values()))
        return sorted((b for b in found if b is not None), key=id)

    def _before_fork(self):
        self._forking.acquire()
        self._still = self._living()  # nobody writes while the process is copied
        for buffer in self._still:
            buffer.standing_still().__enter__()

    def _after_fork(self):
        for buffer in self._still:
            buffer.standing_still().__exit__()
        self._still = []
        self._forking.release()

    def _in_child(self):
        still, self._still = self._still, []
        self._held.clear()
        self._forking = threading.Lock()
        for buffer in still:
            buffer.reborn()


def _or_said(buffer, write):
    "Write what a buffer has; what cannot be written now is lost with the process, and said."
    try:
        write()
    except Exception as error:
        logger.error("%s could not be written before the process ended: %s", buffer, error)


LIFELINE = _Lifeline()
"The hooks of this process."
