"""Rows of one process on their way into a segment: in memory, then in the open file, then finished.

Whoever puts a row waits for no disk, unless the segment is full with it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from .durable import time_ordered_id
from .errors import BufferFull, NotWritten
from .lifeline import LIFELINE, Turn
from .open_file import OpenFile

__all__ = ["Buffer"]


class Buffer:
    """Buffers events (tuples) and batches, and writes them: to one open file every `seconds`, as a
    segment after `segment_seconds` or `rows` rows. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        header: Callable[[], dict],
        *,
        rows: int,
        seconds: float | None,
        segment_seconds: float,
        most_rows: int,
        sigterm: bool,
        cursor=None,
    ):
        self.folder, self._disk = folder, _Disk(folder, header, cursor)
        self._rows, self._most_rows = min(rows, most_rows), most_rows
        self._seconds, self._segment_seconds = seconds, segment_seconds
        self._sigterm = sigterm
        self.reborn()

    def reborn(self) -> None:
        "Begin anew, empty: a forked child has none of its parent's rows, nor its file."
        self._disk.let_go()
        self._turn, self._small = Turn(), Turn()
        self._items, self._more = [], 0  # a batch is one item of several rows
        self._awake, self._timer, self._beat, self._began = False, None, 0, 0.0
        self._failure, self._due = None, self._rows
        self._next_try, self._full_since = 0.0, None
        LIFELINE.watch(self, self._sigterm)

    def __len__(self) -> int:
        return len(self._items) + self._more

    def __str__(self) -> str:
        return f"{len(self):,} rows for {self.folder}"

    def put(self, item, rows: int = 1) -> None:
        """Keep an event or a batch, and write when there is enough.

        NotWritten when something could not be written, now or in the background: the item is kept
        all the same. BufferFull when it is not.
        """
        if len(self._items) + self._more >= self._most_rows:
            self._make_room()
        if rows != 1:
            with self._small:
                self._more += rows - 1
        self._items.append(item)
        if not self._awake:
            self._wake()
        if len(self._items) + self._more >= self._due:
            self._write_full()
        if self._failure is not None:
            self._say_failure()

    def flush(self) -> Path | None:
        "Write a segment of what there is; None when there is nothing. NotWritten: rows are kept."
        try:
            with self._turn:
                path = self._finish()
        except Exception as error:
            raise self._not_written(error) from error
        self._rest()
        return path

    def secure(self) -> None:
        "Force every row to the disk, into the open file. NotWritten: rows are kept."
        try:
            with self._turn:
                self._secure()
        except Exception as error:
            raise self._not_written(error) from error

    def is_busy_here(self) -> bool:
        "Whether this very thread is writing: to wait for it would be for ever."
        return self._turn.is_mine() or self._small.is_mine()

    def standing_still(self) -> Turn:
        "What to hold so that nobody writes."
        return self._turn

    def last_flush(self) -> None:
        "A segment, or at least everything in the open file."
        self.secure()
        with suppress(NotWritten):
            self.flush()

    def close(self) -> Path | None:
        "The last flush of a logger."
        path = self.flush()
        LIFELINE.forget(self)
        return path

    def _make_room(self):
        "Try to write a full buffer, once a second at most; BufferFull when that fails."
        with self._turn:
            try:
                if monotonic() >= self._next_try:
                    self._next_try = monotonic() + 1
                    self._finish()
                    self._full_since = None
            except Exception as error:
                self._full_since = error
        if len(self) >= self._most_rows:
            raise BufferFull(
                f"{len(self):,} rows wait for {self.folder} to take them, and more are not kept: "
                f"this one is lost unless it is logged again later. {self._full_since or ''}"
            ) from self._full_since

    def _say_failure(self):
        failure, self._failure = self._failure, None
        if failure is not None:
            raise self._not_written(failure) from failure

    def _not_written(self, failure):
        return NotWritten(
            f"{len(self):,} buffered rows could not be written to {self.folder}: they are still "
            f"in memory and are tried again, log none of them again. {failure}"
        )

    def _wake(self):
        with self._small:
            if self._awake:
                return
            self._awake, self._began = True, monotonic()
            LIFELINE.hold(self)
            comes_back = self._start_timer()
        LIFELINE.watch(self, self._sigterm)
        if not comes_back:
            self.secure()

    def _start_timer(self):
        "False when nobody will come back to these rows: the interpreter ends."
        if self._seconds is None:
            return True
        self._beat += 1
        self._timer = threading.Timer(self._seconds, self._tick, (self._beat,))
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:
            return False
        return True

    def _tick(self, beat):
        "What the timer does, for as long as there are rows and no later timer does it."
        try:
            with self._turn:
                self._secure()
                if monotonic() - self._began >= self._segment_seconds:
                    self._finish()
        except Exception as error:  # kept, and raised where somebody sees it
            self._failure = error
        with self._small:
            goes_on = bool(self._items) and beat == self._beat
            if goes_on:
                self._start_timer()
        if not goes_on:
            self._rest()

    def _rest(self):
        "Nothing to do until the next row."
        with self._small:
            if self._items:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._awake = None, False
            self._beat += 1
            LIFELINE.release(self)
        if self._items:  # one came just now
            self._wake()

    def _write_full(self):
        with self._turn:
            if len(self) < self._due:  # another thread was faster
                return
            try:
                self._finish()
            except Exception as error:
                self._failure, self._due = error, len(self) + self._rows

    def _secure(self):
        if self._disk.secure(self._items):
            self._failure = None

    def _finish(self):
        items = self._items[:]
        if not items:
            return None
        path = self._disk.finish(items)
        with self._small:
            self._more -= sum(len(i) - 1 for i in items if type(i) is not tuple)
            del self._items[: len(items)]
        self._failure, self._due, self._began = None, self._rows, monotonic()
        return path


class _Disk:
    "Where the items of a buffer go: their open file, and the segment that it becomes."

    def __init__(self, folder, header, cursor):
        self._folder, self._header, self._cursor = folder, header, cursor
        self._file, self._secured = None, 0  # how many items stand in the open file

    def secure(self, items) -> bool:
        "Force items to the disk, those that are not there yet; whether there were any."
        if self._file is not None and not self._file.is_there():
            self.let_go()
        waiting = items[self._secured :]
        if not waiting:
            return False
        if self._file is None:
            self._file = OpenFile(self._folder, self._header())
        self._file.append(item if type(item) is tuple else item.encoded() for item in waiting)
        self._secured += len(waiting)
        return True

    def finish(self, items) -> Path:
        "Make a segment of items, and take their open file away."
        from .segment import write_rows  # numpy and DuckDB: a service loads them here, not before

        if self._file is not None:
            with suppress(OSError):  # the same rows here and there, for whoever finishes it
                self.secure(items)
        named = self._file is not None
        header = self._file.header if named else self._header()
        name = self._file.name if named else time_ordered_id()
        path = write_rows(self._folder, name, header, items, self._cursor)
        if self._file is not None:
            self._file.remove()
        self.let_go()
        return path

    def let_go(self) -> None:
        "Know no open file any more; one that is there stays there."
        if self._file is not None:
            self._file.let_go()
        self._file, self._secured = None, 0
