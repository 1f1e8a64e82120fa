"""From a source into the spool, until it is told to stop: read, write down, make safe, tell it.

The source is told only after the rows are on the disk, so that a stop at any moment repeats events
and loses none. Where the disk takes nothing, or the source is not there, the work waits with pauses
that grow, says so once, and goes on by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from time import monotonic
from typing import Protocol

from ..log.errors import BufferFull, StoreError
from .events import Entry
from .taking import Counted, Taking

__all__ = ["Consumed", "Source", "Unreachable", "consume"]

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"Seconds until the next try, and at most."
LISTENS = 1.0
"Seconds that a source is listened to before it is seen whether to stop."
TELLS = 30.0
"Seconds between two sentences about how far the work is."


class Unreachable(StoreError):
    "A source cannot be asked just now; it will be tried again."


class Source(Protocol):
    "Where events come from. Unreachable: later again; StoreError: never."

    def read(self, most: int, seconds: float) -> Sequence[Entry]:
        """The next events, at most so many, as soon as there is one; none where none comes within
        some seconds (0: what is there)."""

    def done(self, entries: Sequence[Entry]) -> None:
        "Events that were read are safe: never bring them again."

    def notes(self) -> list[str]:
        "What is to be said of the source since it was asked last."

    def close(self) -> None:
        "Let the source go."


@dataclass
class Consumed:
    "What was taken from a source, and whether it ended with nothing left to be written."

    counted: Counted
    whole: bool = True
    problem: str | None = field(default=None, compare=False)


def consume(
    source: Source,
    taking: Taking,
    stop: Event,
    *,
    batch: int,
    once: bool,
    tell: Callable[[str], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Consumed:
    """Take events from a source until `stop` is set, or (`once`) nothing more waits. `tell` takes
    what a person has to know, `progress` how far it is. Where the source cannot be reached `once`
    raises Unreachable."""
    work = _Work(source, taking, stop, tell)
    try:
        _go_on(source, work, stop, batch, once, tell, progress)
    except BaseException:
        work.ended()
        raise
    return work.ended()


def _go_on(source, work, stop, batch, once, tell, progress):
    "Read and take, until it is enough."
    read = partial(source.read, batch, 0 if once else LISTENS)
    told = monotonic()
    while not stop.is_set():
        entries = work.tried(read, give_up=once)
        for note in source.notes():
            tell(note)
        if entries and not work.take(entries):
            break
        if entries:
            work.tried(partial(source.done, entries), give_up=once)
        elif once and entries is not None:
            break
        if monotonic() - told >= TELLS and work.has_news():
            told = monotonic()
            progress(_so_far(work.taking.counted))


def _so_far(counted):
    return (
        f"{counted.predictions:,} predictions and {counted.outcomes:,} outcomes taken, "
        f"{counted.refused:,} events refused"
    )


class _Work:
    "One run: what is tried again, and what was said of it."

    def __init__(self, source, taking, stop, tell):
        self.source, self.taking, self.stop, self.tell = source, taking, stop, tell
        self._said, self._known = None, 0

    def take(self, entries):
        "Write events down, whatever the disk says at first; False where a stop came before."
        for entry in entries:
            if not self._until_kept(partial(self._put, entry)):
                return False
        return self._until_kept(self.taking.secure)

    def _put(self, entry):
        reason = self.taking.put(entry)
        if reason is not None:
            self.taking.refuse(entry, reason)

    def _until_kept(self, step):
        pause = FIRST_PAUSE
        while True:
            try:
                step()
            except (BufferFull, OSError) as error:
                pause = self._wait(pause, f"events wait: {error}")
                if pause is None:
                    return False
            else:
                self._fine("the disk takes events again")
                return True

    def tried(self, step, give_up):
        "What a step gives; None where the source stays away until a stop."
        pause = FIRST_PAUSE
        while pause is not None:
            try:
                found = step()
            except Unreachable as error:
                if give_up:
                    raise
                pause = self._wait(pause, f"{error} It is tried again.")
            else:
                self._fine("the source is there again")
                return found
        return None

    def _wait(self, pause, what):
        "Say what is wrong, once, and wait; the next pause, None where a stop came."
        if self._said is None:
            self._said = what
            self.tell(what)
        return None if self.stop.wait(pause) else min(2 * pause, LONGEST_PAUSE)

    def _fine(self, what):
        if self._said is not None:
            self._said = None
            self.tell(f"{what}.")

    def has_news(self):
        "Whether there is more than was told of last."
        counted = self.taking.counted
        before, self._known = self._known, counted.taken + counted.refused
        return self._known != before

    def ended(self):
        "Finish what was taken."
        try:
            self.taking.close()
        except OSError as error:
            return Consumed(self.taking.counted, False, str(error))
        return Consumed(self.taking.counted)
