"""The one file that a process appends to, and how it is read when the process is gone.

Each line is a checksum and JSON: the first tells what the rows belong to, each further one is an
event (a list) or a batch (an object). Whoever holds the lock of the file may write or finish it;
the system frees the lock of a dead process.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from .durable import fsync, time_ordered_id
from .modes import as_its_folder, make_in_spool

__all__ = ["FORMAT", "SUFFIX", "OpenFile", "Left", "locked", "read"]

FORMAT, SUFFIX = 1, ".open"
_encode = json.JSONEncoder(separators=(",", ":")).encode


class OpenFile:
    "An open file of this process; what `append` was given is safe when it returns."

    def __init__(self, folder: Path, header: dict):
        make_in_spool(folder)
        self.header = {"format": FORMAT} | header
        self._fd = None
        while self._fd is None:
            self.name = time_ordered_id()
            self.path = folder / f".{self.name}{SUFFIX}"
            self._fd = _created(self.path)
        self._end = 0
        try:
            self.append([self.header])
            fsync(folder)
        except BaseException:
            self.remove()
            raise

    def append(self, items: Iterable) -> None:
        "Write lines and force them to the disk; on failure none of them is in the file."
        data = b"".join(_line(_encode(item)) for item in items)
        try:
            written = memoryview(data)
            while written:
                written = written[os.write(self._fd, written) :]
            os.fsync(self._fd)
        except BaseException:
            os.ftruncate(self._fd, self._end)
            os.lseek(self._fd, self._end, os.SEEK_SET)
            raise
        self._end += len(data)

    def is_there(self) -> bool:
        "Whether the file still has its name: somebody may have emptied the folder."
        return os.fstat(self._fd).st_nlink > 0

    def remove(self) -> None:
        "Take the file away: its rows stand elsewhere."
        with suppress(OSError):  # what stays is finished once more, and its rows are known then
            self.path.unlink()
        self.let_go()

    def let_go(self) -> None:
        "Close this process's hold of the file, which stays."
        fd, self._fd = self._fd, None
        if fd is not None:
            with suppress(OSError):
                os.close(fd)


def _created(path):
    "A new file, locked; None when somebody was faster to lock or remove it."
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        as_its_folder(path)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return fd
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _line(text):
    data = text.encode("ascii")
    return b"%08x %s\n" % (crc32(data), data)


@contextmanager
def locked(path: Path) -> Iterator[int | None]:
    "A file that a dead process left, locked and open to read; None when it is not that."
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # gone, a link, not ours to read
        yield None
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(fd)
        yield fd if stat.S_ISREG(found.st_mode) and found.st_nlink else None
    except BlockingIOError:
        yield None
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Left:
    "What stood in an open file: its header (None: not even that), its rows, what is broken."

    header: dict | None
    items: list
    torn: int  # bytes at the end that are no whole lines
    damaged: int  # lines before the last good one whose checksum is wrong


def read(fd: int) -> Left:
    "Everything that was written whole."
    items, torn, damaged, doubtful = [], 0, 0, 0
    with open(fd, "rb", closefd=False) as handle:
        for line in handle:
            checksum, _, data = line.removesuffix(b"\n").partition(b" ")
            if line.endswith(b"\n") and checksum == b"%08x" % crc32(data):
                items.append(json.loads(data))
                damaged, torn, doubtful = damaged + doubtful, 0, 0
            else:
                torn, doubtful = torn + len(line), doubtful + 1
    whole = bool(items) and isinstance(items[0], dict) and items[0].get("format") == FORMAT
    return Left(items[0] if whole else None, items[1:] if whole else items, torn, damaged)
