"""Failures that pass: told from those that come again by what kind of error it is.

What another process holds for the moment passes: a lock, memory, descriptors, a device; and so does
that a process was killed from outside. What the code or the data say comes again: to run it once
more would fail as well, and take as long. A report that took too long, or more memory than it may,
is among these.
"""

import errno
import os
import signal
from collections.abc import Iterator

__all__ = ["is_passing", "killed_from_outside", "passes", "pauses"]

_NAMES = {
    "Busy",
    "MemoryError",
    "OutOfMemoryException",  # of DuckDB
    "BlockingIOError",
    "InterruptedError",
    "DeadKernelError",
}
_NUMBERS = ("EAGAIN", "EBUSY", "ENOMEM", "EMFILE", "ENFILE", "EINTR", "ESTALE", "ETIMEDOUT")
_SAID = (*(os.strerror(getattr(errno, name)) for name in _NUMBERS), "Could not set lock on file")
_FIRST, _LONGEST = 2.0, 60.0  # seconds


def is_passing(error: BaseException) -> bool:
    "Whether what failed with an error may do well a little later."
    return any(passes(kind.__name__, str(error)) for kind in type(error).__mro__)


def passes(kind: str, says: str) -> bool:
    "The same of an error of which only its kind and what it says are known: one of a kernel."
    return kind in _NAMES or any(said in says for said in _SAID)


def killed_from_outside(exit_code: int | None) -> bool:
    "Whether a process was ended by a signal that others send: the system's, where memory is short."
    return exit_code in (-signal.SIGKILL, -signal.SIGTERM)


def pauses(retries: int) -> Iterator[float]:
    "Seconds before each of so many further tries: each four times as long, a minute at most."
    yield from (min(_FIRST * 4**n, _LONGEST) for n in range(retries))
