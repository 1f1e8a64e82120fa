"""What happens here goes out: to each place of `events_to` in its order, at least once, under ids
by which a receiver knows it again.

What a place is owed is asked of the published log, and recorded like every delivery: an attempt is
on the disk, in the outbox, before the next event leaves. A place that takes nothing is left alone
for a while and costs the others nothing; an event that a place refuses for itself does not hold up
the next ones, and is tried again for a week.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from ..config import Address, Settings
from ..log.catalog import Reader, open_snapshot
from ..log.errors import Busy, StoreError, raise_if_interrupted
from ..log.happened import EXPIRED, INTRODUCED, Happened, SoFar
from ..log.outbox import Outbox
from ..log.store import Store
from ..watch.messages import Told
from .address import Place, place_of
from .happened import cloud_event, source_of
from .targets import KNOWN, target_of

__all__ = [
    "Owed",
    "Receiver",
    "begin_events",
    "event_files",
    "introduce",
    "is_published",
    "not_taken",
    "owed",
    "receivers",
    "send_events",
    "wrong_addresses",
]

logger = logging.getLogger(__name__)

PATIENCE = 10
"Seconds in which another process that hands cases on may end."
GIVEN_UP = timedelta(7)
"How long an event is tried that a place refuses for itself."
IN_A_ROW = 3
"Events that a place refuses one after the other, after which no more are tried."


@dataclass(frozen=True)
class Receiver:
    "A place that hears of what happens."

    place: Place

    @property
    def name(self) -> str:
        "What it is called among deliveries: the same whatever its password or token."
        place, parts = self.place, urlsplit(self.place.url)
        user, _, host = parts.netloc.rpartition("@")
        what = place.options.get("stream") or place.options.get("topic") or ""
        told = place.sort, user.partition(":")[0], host, parts.path, what
        if place.sort == "file":
            told = place.sort, place.url
        named = hashlib.sha256(" ".join(told).encode(errors="surrogateescape")).hexdigest()
        shown = f"file:{place.path.name}" if place.sort == "file" else str(place)
        return f"events {shown} ({named[:8]})"

    def introduced(self, now: datetime, so_far: SoFar) -> dict[str, Any]:
        "A row for the outbox: what happened by now it is not owed."
        of = {"state": INTRODUCED, "detail": str(so_far), "key": INTRODUCED, "case_id": INTRODUCED}
        return {"sink": self.name, "attempted_at": now, "level": None} | of

    def attempt(self, of: Happened, now: datetime, problem: str | None) -> dict[str, Any]:
        "A row for the outbox: that an event was sent, and why it was not taken."
        state, too_old = "failed" if problem else "delivered", of.tried_since or now
        if problem and now - too_old > GIVEN_UP:
            state = EXPIRED
        return {
            # of whoever is forgotten their owner is told what left
            "case_id": of.row.get("case_id") or of.id,
            "sink": self.name,
            "state": state,
            "detail": problem,
            "attempted_at": now,
            "key": of.id,
            "level": of.row.get("risk_level") or of.row.get("severity"),
        }


def receivers(addresses: Sequence[Address]) -> list[Receiver]:
    "Those who hear; an address that is none is left out, and said by `wrong_addresses`."
    found = []
    for address in addresses:
        with suppress(StoreError):
            found.append(Receiver(place_of(address, KNOWN)))
    return list({one.name: one for one in found}.values())


def wrong_addresses(addresses: Sequence[Address]) -> list[str]:
    "What is wrong with addresses that are none, a sentence each."
    wrong = []
    for address in addresses:
        try:
            place_of(address, KNOWN)
        except StoreError as error:
            wrong.append(str(error).rstrip("."))
    return wrong


def event_files(addresses: Sequence[Address]) -> tuple[Path, ...]:
    "The files among those who hear."
    return tuple(one.place.path for one in receivers(addresses) if one.place.sort == "file")


def introduce(reader: Reader, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    "Rows for the deliveries: places that are new are owed what happens from now on."
    to = receivers(settings.events_to)
    known = reader.introduced([one.name for one in to]) if to else {}
    return [one.introduced(now, reader.so_far()) for one in to if one.name not in known]


def begin_events(store: Store, settings: Settings, now: datetime) -> None:
    "What whoever writes does before anything happens: the log has a name, new places are known."
    if settings.events_to:
        store.give_name()
        store.add_deliveries(pd.DataFrame(introduce(store, settings, now)))


@dataclass(frozen=True)
class Owed:
    "What a place has not taken, oldest first, and its attempts since it took something."

    to: Receiver
    waiting: tuple[Happened, ...]
    told: Told

    @property
    def failures(self) -> pd.DataFrame:
        "The attempts since it took anything."
        return self.told.failures(self.to.name)

    def rests_until(self, now: datetime) -> datetime | None:
        "Until when it is left alone; None where it may be tried."
        return self.told.rests_until(self.to.name, now)


def owed(
    reader: Reader, attempts: pd.DataFrame, to: Sequence[Receiver], so_far: SoFar
) -> list[Owed]:
    "What each place is owed by a log and the attempts of an outbox; of a new one nothing yet."
    sinks = [one.name for one in to]
    known, latest = reader.introduced(sinks), reader.latest_attempts(sinks)
    here = attempts[attempts.sink.isin(sinks)]
    for sink, detail in here[here.state == INTRODUCED][["sink", "detail"]].itertuples(index=False):
        known.setdefault(sink, SoFar.read(detail))
    sent = here[here.state != INTRODUCED]
    parts = [part.astype(object) for part in (latest, sent) if len(part)]
    every = pd.concat(parts, ignore_index=True) if parts else sent
    # of one time: where something was taken, nothing is left alone
    told = Told(every[every.state != EXPIRED].sort_values("state", ascending=False, kind="stable"))
    done = sent[sent.state.isin(["delivered", EXPIRED])]
    taken = {sink: set(rows.key) for sink, rows in done.groupby("sink")}
    found = []
    for one in to:
        happened = reader.happened(known.get(one.name, so_far), one.name)
        wait = tuple(h for h in happened if h.id not in taken.get(one.name, ()))
        found.append(Owed(one, wait, told))
    return found


def send_events(
    data: Path,
    settings: Settings,
    now: datetime,
    say: Callable[[str], None] = logger.info,
    going: Callable[[], bool] = lambda: True,
    resting: bool = True,
) -> list[str]:
    """Send each place of `events_to` what it is owed by the published log, for `events_timeout`
    seconds in all; `resting`: a place that failed a short while ago is left alone.

    Returns a sentence for each that could not be told, and for whatever else fails.
    """
    problems = [f"events cannot be sent: {one}" for one in wrong_addresses(settings.events_to)]
    if len(problems) == len(settings.events_to) or not is_published(data):
        return problems
    try:
        with Outbox(data).held(PATIENCE) as outbox:
            source, found = _asked(data, outbox, settings, now)
            if source is None:  # the next who writes gives it a name
                return problems
            run = _Run(outbox, settings, source, now, say, going)
            return problems + run.send(found, resting)
    except Busy as error:
        return [*problems, f"events wait for the next time: {error}"]
    except Exception as problem:  # whatever it is, it costs nothing else
        raise_if_interrupted(problem)
        return [*problems, f"events cannot be sent: {str(problem) or type(problem).__name__}"]


def is_published(data: Path) -> bool:
    "Whether there is a log of which anybody could be told."
    return (Path(data) / "aiops.duckdb").exists()


def _asked(data, outbox, settings, now):
    "The name of the workbench, and what each place is owed; new ones are introduced."
    with open_snapshot(data) as reader:
        attempts, new = outbox.attempts(), introduce(reader, settings, now)
        known = set(attempts.sink[attempts.state == INTRODUCED])
        if new := [row for row in new if row["sink"] not in known]:
            outbox.add(*new)
            attempts = outbox.attempts()
        to = receivers(settings.events_to)
        return source_of(reader, settings), owed(reader, attempts, to, reader.so_far())


@dataclass(frozen=True)
class _Run:
    "One time of sending."

    outbox: Outbox
    settings: Settings
    source: str
    now: datetime
    say: Callable[[str], None]
    going: Callable[[], bool]

    def send(self, found: Sequence[Owed], resting: bool) -> list[str]:
        "Send each place what it is owed; each has its share of the time that is left."
        end, problems = time.monotonic() + self.settings.events_timeout, []
        some = [one for one in found if one.waiting]
        for place, one in enumerate(some):
            if resting and (until := one.rests_until(self.now)):
                why = one.failures.detail.iloc[-1]
                then = f"it is not tried again before {until:%Y-%m-%d %H:%M} UTC"
                problems.append(_said(one, len(one.waiting), why, then))
                continue
            left = max(0.0, end - time.monotonic())
            until = time.monotonic() + left / (len(some) - place)
            n, why = self._send_to(one, until)
            if why:
                then = "what waits is tried again the next time"
                problems.append(_said(one, n, why, then))
        return problems

    def _send_to(self, one: Owed, end: float) -> tuple[int, str]:
        """Send a place what waits for it, in order, until a time; how much it did not take, and
        why, empty where it refused nothing."""
        waiting, refused, in_a_row = list(one.waiting), "", 0
        try:
            target = target_of(one.to.place, self.settings)
        except StoreError as error:
            refused = str(error).rstrip(".")
            self._record(one, waiting[:1], [refused])
            return len(waiting), refused
        taken = 0
        while waiting and in_a_row < IN_A_ROW and self.going():
            if (left := end - time.monotonic()) <= 0:
                self.say(f"{len(waiting):,} events for {one.to.place} wait for the next time")
                break
            some = waiting[: target.together]
            try:
                came = target.send([cloud_event(of, self.source) for of in some], left)
            except StoreError as error:
                refused = str(error).rstrip(".")
                self._record(one, waiting[:1], [refused])
                break
            self._record(one, some, came)
            waiting = waiting[len(came) :]
            for why in came:
                in_a_row, refused = (in_a_row + 1, why) if why else (0, refused)
            taken += came.count(None)
        if taken:
            self.say(f"events for {one.to.place}: {taken:,} taken")
        return len(one.waiting) - taken, refused

    def _record(self, one, some, came):
        "On the disk before anything else leaves."
        rows = zip(some, came)
        self.outbox.add(*(one.to.attempt(of, self.now, why) for of, why in rows))


def _said(one, n, why, then):
    return f"{n:,} {'event' if n == 1 else 'events'} for {one.to.place} ({why}); {then}"


def not_taken(
    data: Path, settings: Settings, reader: Reader, now: datetime
) -> list[dict[str, Any]]:
    "Places that something waits for: how much; since when, how often and why they took nothing."
    to = receivers(settings.events_to)
    found = owed(reader, Outbox(data).attempts(), to, reader.so_far()) if to else []
    rows = []
    for one in found:
        if not one.waiting:
            continue
        failed, until = one.failures, one.rests_until(now)
        rows.append(
            {
                "to": str(one.to.place),
                "waiting": len(one.waiting),
                "since": failed.attempted_at.iloc[0] if len(failed) else None,
                "times": len(failed),
                "why": failed.detail.iloc[-1] if len(failed) else None,
                "rests_until": until,
            }
        )
    return rows
