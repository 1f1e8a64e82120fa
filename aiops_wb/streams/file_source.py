"""Events of a file of JSON lines that others write to, and go on writing to.

How far it was read is kept in the data folder, with what the file is known by: after a rotation the
old file is read to its end, wherever in its folder it is called now, and the new one from its
beginning. What is read twice has the same ids: a place that is lost doubles nothing.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

from ..log.durable import write_durably
from ..log.errors import StoreError
from ..log.modes import make_folder
from ..log.reading import shown
from .consuming import Unreachable
from .events import Entry

__all__ = ["CONSUMED", "FileSource"]

CONSUMED = "consumed"
"The folder of the data folder that says how far files were read."
LOOKS = 0.2
"Seconds between two looks at a file that has nothing new."
LONGEST_LINE = 1 << 24
"Bytes of a line; of a longer one this much is kept, for the quarantine."
_TOGETHER = 1 << 26  # bytes of lines that are read at once, and one line more
_HEAD = 1024  # bytes at the beginning of a file that it is known by


@dataclass(frozen=True)
class _Place:
    "How far a file was read, and what it is known by."

    device: int
    inode: int
    offset: int
    head: str  # hash of its first bytes, up to the offset
    lines: int


class FileSource:
    "Lines of one file, in their order."

    def __init__(self, path: Path, data: Path, group: str | None = None):
        self.path, self._data, self._group = path, data, group
        named = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
        self._kept = data / CONSUMED / f"{named}.json"
        self._file: BinaryIO | None = None
        self._offset = self._lines = 0
        self._seen = ""
        self._notes: list[str] = []

    def read(self, most: int, seconds: float) -> Sequence[Entry]:
        "The next lines; a last one without an end waits, unless it is an object that is whole."
        until = monotonic() + seconds
        while True:
            found = self._next(most)
            if found or monotonic() >= until:
                return found
            sleep(LOOKS)

    def done(self, entries: Sequence[Entry]) -> None:
        "Keep how far it was read."
        self._keep(*entries[-1].mark)

    def _keep(self, offset, lines):
        found, head = os.fstat(self._file.fileno()), _head(self._file, offset)
        place = _Place(found.st_dev, found.st_ino, offset, head, lines)
        told = asdict(place) | {"path": shown(self.path.absolute())}
        try:
            make_folder(self._data, self._group)
            write_durably(self._kept, json.dumps(told))
        except OSError as error:
            raise Unreachable(f"{self._kept} cannot be written: {error.strerror}.") from None

    def notes(self) -> list[str]:
        "What is to be said."
        told, self._notes = self._notes, []
        return told

    def close(self) -> None:
        "Close the file."
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next(self, most):
        if self._file is None:
            self._open()
        elif _head(self._file, self._offset) != self._seen:  # emptied, and filled anew
            self._begin_anew(self._file)
        found = self._read_lines(most)
        if not found and self._is_replaced():
            found = self._read_lines(most, ended=True)
            if not found:
                new = self._opened(self.path)
                self.close()
                self._begin_anew(new)
                found = self._read_lines(most)
        return found

    def _open(self):
        "Open the file where it was left, or anew; Unreachable where there is none yet."
        place = self._known()
        before = place and self._found(place)
        if before is not None:
            self._begin(before, place.offset, place.lines)
        elif place is not None:
            self._begin_anew(self._opened(self.path))
        else:
            self._begin(self._opened(self.path), 0, 0)

    def _begin_anew(self, file):
        self._notes.append(f"{shown(self.path)} is another file now: it is read from its start.")
        self._begin(file, 0, 0)

    def _begin(self, file, offset, lines):
        self._file, self._offset, self._lines = file, offset, lines
        self._seen = _head(file, offset)
        if not offset:  # it is known from now on, also when it is renamed before a line is read
            self._keep(0, 0)

    def _known(self):
        try:
            told = json.loads(self._kept.read_text(encoding="utf-8"))
            place = _Place(**{name: told[name] for name in _Place.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = place.device, place.inode, place.offset, place.lines
        is_one = all(type(n) is int and 0 <= n <= sys.maxsize for n in whole)
        return place if is_one and isinstance(place.head, str) else None

    def _found(self, place):
        "The file that a place is in, under the name that it has now; None where it is gone."
        for path in (self.path, *_beside(self.path)):
            try:
                told = path.lstat() if path != self.path else path.stat()
            except OSError:
                continue
            if (told.st_dev, told.st_ino) != (place.device, place.inode):
                continue
            file = self._opened(path)
            if told.st_size >= place.offset and _head(file, place.offset) == place.head:
                return file
            file.close()
        return None

    def _opened(self, path):
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            raise Unreachable(f"{shown(path)} is not there.") from None
        except OSError as error:
            raise StoreError(f"{shown(path)} cannot be read: {error.strerror}.") from None
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise StoreError(f"{shown(path)} is no file of lines.")
        return open(opened, "rb")

    def _is_replaced(self):
        "Whether the name leads to another file now, or the file is shorter than was read."
        ours = os.fstat(self._file.fileno())
        with suppress(OSError):
            now = self.path.stat()
            return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino) or (
                ours.st_size < self._offset
            )
        return False  # it was renamed, and the new one is not there yet

    def _read_lines(self, most, ended=False):
        found, size = [], 0
        self._file.seek(self._offset)
        while len(found) < most and size < _TOGETHER:
            line = self._file.readline(LONGEST_LINE)
            whole = line.endswith(b"\n")
            if not whole and not (len(line) == LONGEST_LINE or ended or _is_object(line)):
                break
            if not line:
                break
            kept = line.strip()
            more = 0 if whole or len(line) < LONGEST_LINE else self._rest_of_line()
            self._offset += len(line) + more
            self._lines += 1
            if kept:
                found.append(self._entry(kept))
                size += len(kept)
        self._seen = _head(self._file, self._offset)
        return found

    def _rest_of_line(self):
        "Pass over the rest of a line; how many bytes these are."
        size = 0
        while part := self._file.readline(LONGEST_LINE):
            size += len(part)
            if part.endswith(b"\n"):
                break
        return size

    def _entry(self, line):
        where = f"line {self._lines:,}"
        return Entry(line, str(self), where, "file", mark=(self._offset, self._lines))

    def __str__(self) -> str:
        return shown(self.path.name)


def _beside(path):
    "Other files of the folder, whose names begin alike: what a rotation calls them."
    try:
        return sorted(p for p in path.parent.iterdir() if p.name.startswith(path.name[:-1] or "?"))
    except OSError:
        return []


def _head(file, offset):
    "A hash of the first bytes of a file, those before an offset."
    data = os.pread(file.fileno(), min(_HEAD, offset), 0)
    return hashlib.sha256(data).hexdigest()


def _is_object(line):
    "Whether a line that is not ended is an object that is: nothing more can belong to it."
    if not line.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
