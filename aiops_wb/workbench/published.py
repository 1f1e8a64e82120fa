"""The newest snapshot of a folder, for a process that stays open for days.

A snapshot is a file of its own, which nobody writes to: whoever has it open holds up no night.
Before each question the pointer to the newest is looked at, which costs microseconds.
"""

import operator
from collections.abc import Hashable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from ..config import Settings
from ..log.catalog import Reader, open_snapshot
from ..log.errors import StoreError
from ..log.instants import as_date, as_instant
from ..log.names import nearest
from ..log.reading import Limits

if TYPE_CHECKING:  # it costs as much as all else that a first table needs
    from ..watch.view import View

__all__ = ["Asked", "Published", "day_of", "instant_of", "newest", "number_of", "text_of"]

_VIEWS = 8
"Models and days whose views are kept: what was read of them once is not read again."
NEWS = "A newer snapshot was published: this answer is of it, as those are that follow."


def day_of(given: date | str | None, what: str = "day") -> date | None:
    "A day as somebody gives it; StoreError names what is none."
    if given is None or given == "":
        return None
    known = given == given  # a time of pandas that is none is a datetime, too
    if known and isinstance(given, datetime):
        return given.date()
    if known and isinstance(given, date):
        return given
    try:
        return as_date(str(given))
    except ValueError as error:
        raise StoreError(f"{what}: {error}.") from None


def instant_of(given: datetime | str | None) -> datetime | None:
    "A time as which all is known; StoreError where it is none, or has no offset."
    if given is None or given == "":
        return None
    try:
        return as_instant(str(given))
    except ValueError as error:
        raise StoreError(f"as_of: {error}.") from None


def number_of(given: Any, what: str) -> int:
    "A whole number from 1 on; StoreError where it is none."
    try:
        number = operator.index(given)
    except TypeError:
        number = 0
    if number < 1:
        raise StoreError(f"{what} is {given!r}: a whole number, from 1 on, is needed.")
    return number


def text_of(given: Any, what: str) -> str:
    "A name as somebody gives it; StoreError where it is no text, or half an emoji."
    try:
        given.encode()
    except (AttributeError, UnicodeEncodeError):
        raise StoreError(f"{what} is {given!r}: a text is needed.") from None
    return given


def newest(folder: Path, spool: Path | None) -> tuple[Path | None, Reader]:
    """The newest snapshot of a folder and its file, also where another is published meanwhile;
    StoreError where there is none that can be opened."""
    path = _pointed(folder)
    try:
        return path, open_snapshot(folder, spool)
    except duckdb.IOException:  # removed since it was looked at, because a newer one is there
        path = _pointed(folder)
    try:
        return path, open_snapshot(folder, spool)
    except duckdb.IOException as error:
        problem = str(error).splitlines()[0].rstrip(".!")
        raise StoreError(f"the snapshot of {folder} cannot be opened: {problem}.") from None


def _pointed(folder) -> Path | None:
    "The file of the newest snapshot; None where there is none."
    try:
        return (folder / "aiops.duckdb").resolve(strict=True)
    except (OSError, RuntimeError):  # a link that leads to itself
        return None


class Published:
    "A data folder as its newest snapshot has it, opened anew when there is a newer one."

    def __init__(self, settings: Settings):
        self.settings = settings
        self._path: Path | None = None
        self._reader: Reader | None = None
        self._views: dict[Hashable, Any] = {}
        self._news = False

    def reader(self) -> Reader:
        """The newest snapshot. One that is removed while it is open can still be read, and where
        none is found any more the open one stays."""
        if self._reader is None or _pointed(self.settings.data) not in (None, self._path):
            self._open()
        return self._reader

    def news(self) -> str:
        "What is to be said once of a snapshot that came in place of another; else empty."
        news, self._news = self._news, False
        return NEWS if news else ""

    def view(self, reader: Reader, model: str, day: date, as_of: datetime | None) -> "View":
        "One model on one day of a snapshot; what a view has read serves all questions to it."
        from ..watch.view import View

        asked = model, day, as_of
        if reader is not self._reader:  # a newer one was opened meanwhile
            return View(reader, *asked, self.settings)
        if asked not in self._views:
            if len(self._views) >= _VIEWS:
                del self._views[next(iter(self._views))]
            self._views[asked] = View(reader, *asked, self.settings)
        return self._views[asked]

    def close(self) -> None:
        "Close it; the next question opens it again."
        if self._reader is not None:
            self._reader.close()
        self._reader, self._path, self._views = None, None, {}

    def _open(self):
        "The one before is closed when the last question to it has its answer."
        folder = self.settings.data
        if not folder.is_dir():
            raise StoreError(
                f"there is no folder {folder.absolute()}: name the data folder of a log."
            )
        path, reader = newest(folder, self.settings.spool)
        reader.limit_memory(Limits.of(self.settings).memory // self.settings.jobs)
        self._news = self._reader is not None
        self._path, self._reader, self._views = path, reader, {}


class Asked:
    """One question: of which model and day it is, and as known when; without a day of its newest.

    It is answered by one snapshot, whatever is published meanwhile.
    """

    def __init__(
        self,
        published: Published,
        model: str,
        day: date | None = None,
        as_of: datetime | None = None,
        reader: Reader | None = None,
    ):
        self.published, self.model, self.pinned, self.as_of = published, model, day, as_of
        self.reader = reader or published.reader()
        known = self.reader.models()
        if text_of(model, "model") not in known:
            there = nearest(model, known) if known else ": the log is empty."
            raise StoreError(f"model {model!r} is not known{there}")

    @property
    def settings(self) -> Settings:
        "The settings of this workbench."
        return self.published.settings

    @property
    def zone(self) -> ZoneInfo:
        "The zone whose days are the days of the log."
        return ZoneInfo(self.reader.timezone)

    @property
    def days(self) -> list[date]:
        "Days with predictions, as known; StoreError without any."
        days = self.reader.days(self.model, self.as_of)
        if not days:
            then = f" as of {self.as_of}" if self.as_of else " yet"
            raise StoreError(f"{self.model} has no predictions{then}.")
        return days

    @property
    def day(self) -> date:
        "The day that is asked about: the one that was named, or the newest that was not ahead."
        return self.pinned or newest_day(self.days, self.known_at, self.zone)

    @property
    def known_at(self) -> datetime | None:
        "As of when all is known: the time that was named, else that of the latest batch."
        return self.as_of or self.reader.last_committed()

    @property
    def view(self) -> "View":
        "The model on that day."
        return self.published.view(self.reader, self.model, self.day, self.as_of)

    def notes(self) -> tuple[str, ...]:
        "What is to be said beside an answer: that it is of a newer snapshot, once."
        news = self.published.news() if self.as_of is None else ""
        return (news,) if news else ()

    def left_out(self, first: date, last: date) -> tuple[str, ...]:
        "What is to be said beside rows of some days: that files of theirs are gone."
        files = self.reader.day_files(event_date__ge=first, event_date__le=last)
        gone = self.reader.gone(f for f in files if f.model in (None, self.model))
        n = f"{len(gone)} day file{'s' if len(gone) > 1 else ''}"
        told = f"{n} of these days cannot be read, and what is in them is left out"
        return (f"{told}: 'aiops-wb status' says more.",) if gone else ()

    def span(self, first: date | str | None, last: date | str | None) -> tuple[date, date]:
        """Days from first to last, or the day itself where none is named; StoreError where they
        are no days of the log."""
        first, last = day_of(first, "first"), day_of(last, "last")
        if first is None and last is None:
            return self.day, self.day
        return self.inside(first or last, last or max(self.day, first))

    def inside(self, first: date, last: date) -> tuple[date, date]:
        "Two days; StoreError where no prediction lies between them."
        if first > last:
            raise StoreError(f"the first day, {first}, is after the last, {last}.")
        days = self.days
        if not any(first <= day <= last for day in days):
            raise StoreError(
                f"{self.model} has no predictions from {first} to {last}: its log covers "
                f"{days[0]} to {days[-1]}."
            )
        return first, last


def newest_day(days: list[date], known_at: datetime | None, zone: ZoneInfo) -> date:
    "The newest of some days that is not ahead of a time; the newest of all where each is."
    now = known_at.astimezone(zone).date() if known_at else days[-1]
    return max((day for day in days if day <= now), default=days[-1])
