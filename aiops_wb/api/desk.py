"""What answers rest on: the newest snapshot, opened once, and what was asked of it before.

A snapshot never changes, so an answer from it is made once and kept, as bytes with their ETag,
until a newer one is published. What is asked for at once by many is made by one of them. Only the
newest snapshot is open, and older ones as long as somebody still reads them: a file that was
removed meanwhile stays readable to whoever has it open, and no reader is in the way of the writer.
"""

import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock, RLock
from typing import Any
from weakref import WeakSet

import duckdb

from ..config import Settings
from ..log.acts import Act, waiting
from ..log.catalog import Reader, open_snapshot
from ..log.errors import StoreError
from ..watch.threshold_changes import Standing, newest_view, standing
from ..watch.view import View
from .problems import Problem

__all__ = ["Desk", "Kept", "Snapshot", "Snapshots"]

logger = logging.getLogger(__name__)

MOST_KEPT = 512
"Answers of one snapshot that are kept; the one that was not asked for longest goes first."
MOST_LISTS = 32
"Whole lists, of which answers tell a page, that are kept of one snapshot: each may be large."
MOST_REMEMBERED = 10_000
_TRIES = 5
_LATER = {"Retry-After": "30"}


@dataclass(frozen=True)
class Kept:
    "An answer as bytes, and its ETag: a hash of them."

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> "Kept":
        "With its ETag."
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@dataclass
class _Slot:
    "A place for an answer; whoever holds the lock makes it."

    lock: Lock = field(default_factory=Lock)
    made: bool = False
    value: Any = None


class Snapshot:
    "One published snapshot, open; use it from any thread."

    def __init__(self, reader: Reader, name: str):
        self.reader, self.name = reader, name
        reader.con.execute("SET threads = 1")  # requests are what runs side by side
        self.batch = reader.known_batch()
        self._slots, self._lists, self._lock = OrderedDict(), OrderedDict(), Lock()
        # readers of views: a view that is given up takes its reader with it
        self._lasting: WeakSet[Reader] = WeakSet()
        self.users, self.retired = 0, False

    def close(self) -> None:
        "Close its file."
        for reader in (*self._lasting, self.reader):
            reader.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        "A reader of one's own."
        with Reader(self.reader.cursor(), self.reader.root) as log:
            yield log

    def known(self, key: Hashable) -> Any:
        "An answer that was made before; None where it was not."
        slot = self._slots.get(key)
        return slot.value if slot is not None and slot.made else None

    def answer(self, key: Hashable, make: Callable[[Reader], Any]) -> Any:
        "What a function of a reader gives, made once for all who ask with the same key."
        return self._made(self._slot(key), make)

    def rows(self, key: Hashable, make: Callable[[Reader], Any]) -> Any:
        "The same for whole lists, of which fewer are kept."
        return self._made(self._slot(key, self._lists, MOST_LISTS), make)

    def _made(self, slot, make):
        with slot.lock:
            if not slot.made:
                with self.reading() as log:
                    slot.value = make(log)
                slot.made = True
        return slot.value

    def standing(self, model: str, now: datetime, settings: Settings) -> list[Standing]:
        "The thresholds in force of a model."
        key = ("standing", model, now.date())
        return self.answer(key, lambda log: standing(log, model, now, settings))

    @property
    def models_with_days(self) -> list[str]:
        "Models that scored anything."
        return self.answer("scored", lambda log: [m for m in log.models() if log.days(m)])

    @contextmanager
    def view(self, model: str, now: datetime, settings: Settings) -> Iterator[View]:
        "The view of a model's newest day, which one at a time uses; StoreError without any."
        slot = self._slot(("view", model, now.date()))
        with slot.lock:
            if not slot.made:
                slot.value = self._view(model, now, settings)
                slot.made = True
            yield slot.value

    def _view(self, model, now, settings):
        "A view with a reader of its own, which is closed where there is no view."
        log = Reader(self.reader.cursor(), self.reader.root)
        try:
            made = newest_view(log, model, now, settings)
        except BaseException:
            log.close()
            raise
        self._lasting.add(log)
        return made

    def _slot(self, key, kept=None, most=MOST_KEPT):
        kept = self._slots if kept is None else kept
        with self._lock:
            slot = kept.setdefault(key, _Slot())
            kept.move_to_end(key)
            while len(kept) > most:
                kept.popitem(last=False)
            return slot


class Snapshots:
    "The newest snapshot of a data folder, opened when it is first asked for."

    def __init__(self, root: Path):
        self.root, self._lock = root, Lock()
        self._newest: Snapshot | None = None

    @property
    def opened(self) -> bool:
        "Whether the newest snapshot is open already, so that nobody waits for it."
        return self._newest is not None and self._newest.name == self._pointer()

    def _pointer(self):
        try:
            return os.readlink(self.root / "aiops.duckdb")
        except OSError:
            return None

    @contextmanager
    def newest(self) -> Iterator[Snapshot]:
        "The newest snapshot; Problem 503 where none is published yet, or this version reads none."
        lent = self._borrow()
        try:
            yield lent
        finally:
            self._give_back(lent)

    def _borrow(self):
        with self._lock:
            if not self.opened:
                fresh = self._open()
                if self._newest is not None:
                    self._retire(self._newest)
                self._newest = fresh
            self._newest.users += 1
            return self._newest

    def _give_back(self, lent):
        with self._lock:
            lent.users -= 1
            if lent.retired and not lent.users:
                lent.close()

    def _retire(self, old):
        old.retired = True
        if not old.users:
            old.close()

    def _open(self):
        "The snapshot that is published now: the pointer may move on while it is opened."
        for left in reversed(range(_TRIES)):
            name = self._pointer()
            try:
                return Snapshot(open_snapshot(self.root), name)
            except StoreError as error:
                raise Problem(503, str(error), _LATER) from None
            except duckdb.Error as error:
                if not left or name == self._pointer():
                    logger.warning("%s cannot be read: %s", name, error)
                    told = "the published snapshot cannot be read: 'aiops-wb ingest' makes another."
                    raise Problem(503, told, _LATER) from None
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        "Close what is open."
        with self._lock:
            if self._newest is not None:
                self._retire(self._newest)
                self._newest = None


@dataclass(frozen=True)
class Desk:
    "Everything that a request is answered with."

    data: Path
    settings: Settings
    clock: Callable[[], datetime]
    who: str  # whose acts those without a token are
    host: str  # the address that is listened at
    snapshots: Snapshots
    handed_in: Callable[[], None] = lambda: None  # what is told of an act that was handed in
    handing_in: RLock = field(default_factory=RLock, repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False)  # of acts handed in here

    def pending(self, snapshot: Snapshot) -> list[Act]:
        """The acts that a snapshot does not know yet, in order: those that wait in the spool, and
        those of here that were taken in since and are not published."""
        taken = snapshot.answer("taken in", lambda log: {one.id for one in log.acts()})
        with self.handing_in:
            for known in self.kept.keys() & taken:
                del self.kept[known]
            here = dict(self.kept)
        found = here | {act.id: act for act in waiting(self.spool, self.data)}
        return [found[one] for one in sorted(found.keys() - taken)]

    def remember(self, act: Act) -> None:
        "An act was handed in here; the first of very many is forgotten."
        with self.handing_in:
            self.kept[act.id] = act
            while len(self.kept) > MOST_REMEMBERED:
                del self.kept[next(iter(self.kept))]

    @property
    def spool(self) -> Path:
        "Where acts and events wait."
        return self.settings.spool_of(self.data)

    def now(self) -> datetime:
        "The time."
        return self.clock()
