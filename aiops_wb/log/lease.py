"""One training, and one daily run, of a folder at a time: a lock of the system with a lease in its
file.

The lock ends with its process, however that ends. The lease is for what the lock does not see: a
process that hangs, and a child that keeps the lock of a process that was killed.
"""

import fcntl
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from .errors import Busy, StoreError

__all__ = [
    "DAILY",
    "LEASE_SECONDS",
    "Lease",
    "Training",
    "ended",
    "held",
    "holder",
    "running_training",
    "training",
]

logger = logging.getLogger(__name__)

LEASE_SECONDS = 4 * 3600
"A training that takes longer is held for one that hangs, unless its caller knows better."
TRAINING, DAILY = "training", "daily run"
"What there is one of at a time; its file is called by the first word."


@dataclass(frozen=True)
class Lease:
    "Who trains, or runs a morning, and until when at most (seconds since 1970)."

    owner: str
    pid: int
    host: str
    space: str  # where the number of the process counts: a container has numbers of its own
    born: str | None  # when the process began, as the system counts: a number is given again
    since: float
    until: float

    @classmethod
    def of_this_process(cls, owner: str, now: float, seconds: float) -> "Lease":
        "A lease for so many seconds from now."
        pid = os.getpid()
        return cls(owner, pid, platform.node(), _space(), _born(pid), now, now + seconds)

    @classmethod
    def parse(cls, text: str) -> "Lease | None":
        "What a lock file says; None where that is no lease."
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def stale(self, now: float, what: str = TRAINING) -> str:
        "Why it holds no longer, in words; empty while it holds."
        here = (self.host, self.space) == (platform.node(), _space())
        if here and _born(self.pid) != self.born:
            return f"the process of the {what} by {self} is gone"
        return f"the {what} by {self} is over its time" if now >= self.until else ""

    def __str__(self) -> str:
        since, until = (
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(t)) for t in (self.since, self.until)
        )
        return f"{self.owner} (process {self.pid} on {self.host}, {since} to {until} UTC at most)"


def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    "When a process began; None where there is none, empty where the system does not say."
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        # its name stands in brackets and may hold anything
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if state == "Z" else numbers[18]  # it has ended, and nobody has asked how


@dataclass(frozen=True)
class Training:
    "Work that holds its folder; `took_over`: whose stale lease it ended, in words."

    path: Path
    handle: IO
    took_over: str = ""

    @property
    def holds(self) -> bool:
        "Whether nobody took the lease over."
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.handle.fileno()))
        except FileNotFoundError:
            return False

    def require(self) -> None:
        "StoreError where somebody took the lease over: what was trained must not be registered."
        if not self.holds:
            raise StoreError(
                "this training took longer than its lease and another one has begun: nothing of "
                "it is kept."
            )


@contextmanager
def training(
    root: Path,
    owner: str = "somebody",
    seconds: float = LEASE_SECONDS,
    clock: Callable[[], float] = time.time,
) -> Iterator[Training]:
    """Hold the lease of a folder's training for so many seconds at most; Busy names who holds it.
    A stale one is taken over, and that is logged."""
    with held(root, TRAINING, owner, seconds, clock) as one:
        yield one


@contextmanager
def held(
    root: Path, what: str, owner: str, seconds: float, clock: Callable[[], float] = time.time
) -> Iterator[Training]:
    "The same of any work that a folder has one of at a time."
    with _alone(root):
        one = _taken(_file(root, what), clock(), what)
        lease = Lease.of_this_process(owner, clock(), seconds)
        _write(one.handle, json.dumps(asdict(lease)))
    if one.took_over:
        logger.warning("%s: its lease is taken over", one.took_over)
    try:
        yield one
    finally:
        _write(one.handle, "")
        one.handle.close()


def _file(root, what):
    return Path(root) / f"{what.split()[0]}.lock"


def running_training(root: Path, clock: Callable[[], float] = time.time) -> str:
    "Who trains in a folder, in words; empty where nobody does, or a lease is stale."
    return holder(root, TRAINING, clock)


def holder(root: Path, what: str, clock: Callable[[], float] = time.time) -> str:
    "Who is at such work in a folder, in words; empty where nobody is, or a lease is stale."
    path = _file(root, what)
    if not path.exists():
        return ""
    with _alone(root), open(path, encoding="utf-8") as handle:
        if _locked(handle):
            return ""
        lease = Lease.parse(handle.read())
        if lease is None:
            return "another process"
        return "" if lease.stale(clock(), what) else str(lease)


def ended(root: Path, what: str) -> datetime | None:
    "When such work came to its end last, well or not; None where it was killed, or never was."
    try:
        told = os.stat(_file(root, what))
    except FileNotFoundError:
        return None
    return None if told.st_size else datetime.fromtimestamp(told.st_mtime, UTC)


@contextmanager
def _alone(root):
    "Nobody else looks at leases of this folder or takes one for the moment."
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _locked(handle) -> bool:
    "Whether the lock of a file is ours now."
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken(path, now, what) -> Training:
    "The lock of a file, or of a new one in its place where the lease in it is stale."
    handle = open(path, "a+", encoding="utf-8")
    handle.seek(0)
    lease = Lease.parse(handle.read())
    if _locked(handle):
        # who ends by itself leaves no lease
        ended = f"the process of the {what} by {lease} is gone" if lease else ""
        return Training(path, handle, ended)
    handle.close()
    stale = lease.stale(now, what) if lease else ""
    if not stale:
        by = lease or "another process"
        raise Busy(f"a {what} is running, by {by}: try again when it has finished.")
    path.unlink()
    handle = open(path, "a+", encoding="utf-8")
    _locked(handle)
    return Training(path, handle, stale)


def _write(handle, text):
    handle.seek(0)
    handle.truncate()
    handle.write(text)
    handle.flush()
