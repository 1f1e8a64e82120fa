"""Messages to people: who is told, what they know already, when a failure is tried again.

A message is made of items, each of which an address is told once. An attempt is a row for each item
in the table of deliveries, by way of the outbox, as attempts to hand on cases are. An address is
known there by its scheme, its host where that is no secret, and a short hash of what it names;
passwords are no part of that.
"""

import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

import pandas as pd

from ..config import PREFIX, Address
from . import courier
from .sinks import idempotency_key

__all__ = ["INTRODUCED", "Item", "Message", "Recipient", "Told", "recipients", "send"]


class Item(NamedTuple):
    "Something that an address is told once: an alarm that opened, a threshold, a step that failed."

    key: str  # what it is known by
    kind: Literal["changed", "failed"]
    says: str
    model: str = ""
    day: str = ""
    do: str = ""  # what to do about a failure
    about: str = ""  # the model whose trail a change stands in

    @property
    def id(self) -> str:
        "What it is called among deliveries."
        return f"M-{hashlib.sha256(self.key.encode(errors='surrogateescape')).hexdigest()[:16]}"


class Message(NamedTuple):
    "What an address is sent."

    title: str
    body: str
    kind: Literal["info", "warning", "failure"] = "info"


INTRODUCED = "introduced"
_MODELS = "models="


@dataclass(frozen=True)
class Recipient:
    """An address that is told.

    `models=a,b` among its options names those that it hears of; it hears as well of what failed of
    no single model. That option is the workbench's own, and apprise never sees it.
    """

    address: Address

    @property
    def models(self) -> frozenset[str]:
        "The models that it hears of; empty: every one."
        told = [option for option in self._options if option.startswith(_MODELS)]
        names = ",".join(option.removeprefix(_MODELS) for option in told).split(",")
        return frozenset(unquote(name) for name in names if name)

    @property
    def of_apprise(self) -> Address:
        "The address as apprise reads it."
        place = self.address.get_secret_value().partition("?")[0]
        rest = [option for option in self._options if not option.startswith(_MODELS)]
        return Address("?".join([place, *(["&".join(rest)] if rest else [])]))

    @property
    def _options(self):
        query = self.address.get_secret_value().partition("?")[2]
        return query.split("&") if query else []

    def hears_of(self, item: Item) -> bool:
        "Whether an item is for this address."
        of = item.model or item.about
        return not self.models or of in self.models or (item.kind == "failed" and not of)

    @property
    def name(self) -> str:
        "What it is called among deliveries."
        named = hashlib.sha256(_named(self.address.get_secret_value()).encode()).hexdigest()
        return f"{self.address} ({named[:8]})"

    def introduced(self, now: datetime) -> dict:
        "A row for the outbox: from now on this address is owed what happens."
        return self.attempt(INTRODUCED, now, None) | {"state": INTRODUCED}

    def attempt(self, item_id: str, now: datetime, problem: str | None) -> dict:
        "A row for the outbox: that an item was sent, and why it was not taken."
        return {
            "case_id": item_id,
            "sink": self.name,
            "state": "failed" if problem else "delivered",
            "detail": problem,
            "attempted_at": now,
            "key": idempotency_key(item_id, self.name, None),
            "level": None,
        }


def recipients(addresses: Sequence[Address]) -> list[Recipient]:
    "Those who are told."
    return [Recipient(address) for address in addresses]


def _named(address):
    "What an address names: no password, and of its options those alone that say to whom."
    scheme, _, rest = address.partition("://")
    place, query = re.match(r"([^?#]*)(.*)", rest, re.DOTALL).groups()
    user, found, server = place.rpartition("@")
    to = [part for part in re.split("[?&#]", query) if re.match("(to|cc|bcc|models)=", part)]
    return " ".join([scheme.lower(), user.partition(":")[0], server if found else place, *to])


FIRST, LATEST = timedelta(minutes=15), timedelta(hours=12)
"How long an address that failed is left alone: twice as long after each failure, up to the second."


class Told:
    "What addresses were sent, by the attempts of the catalog and the outbox together."

    def __init__(self, attempts: pd.DataFrame):
        self.attempts = attempts.sort_values("attempted_at", kind="stable")

    def since(self, sink: str) -> datetime | None:
        "Since when an address is known; None where it is not."
        of = self.attempts.attempted_at[self.attempts.sink == sink]
        return of.iloc[0] if len(of) else None

    def taken(self, sink: str) -> set[str]:
        "Ids of the items that an address has taken."
        return self._ids(sink, "delivered")

    def waiting(self, sink: str) -> set[str]:
        "Ids of the items that it was sent and has not taken."
        return self._ids(sink, "failed") - self.taken(sink)

    def failures(self, sink: str) -> pd.DataFrame:
        "The attempts at an address since it took the last one, a row for each time."
        of = self._of(sink).drop_duplicates("attempted_at", keep="last")
        good = (of.state == "delivered").to_numpy().nonzero()[0]
        return of.iloc[good[-1] + 1 :] if len(good) else of

    def rests_until(self, sink: str, now: datetime) -> datetime | None:
        "Until when an address that failed is left alone; None where it may be tried."
        failed = self.failures(sink)
        if failed.empty:
            return None
        wait = min(LATEST, FIRST * 2 ** min(len(failed) - 1, 16))
        until = min(failed.attempted_at.iloc[-1], now) + wait
        return until if until > now else None

    def _of(self, sink):
        of = self.attempts
        return of[(of.sink == sink) & (of.state != INTRODUCED)]

    def _ids(self, sink, state):
        of = self._of(sink)
        return set(of.case_id[of.state == state])


NOT_INSTALLED = "apprise is not installed: messages need pip install 'aiops_wb[messages]'"


def send(
    messages: Sequence[tuple[Address, Message]], seconds: float
) -> Iterator[tuple[int, str | None]]:
    """Send messages by apprise, all at once and in a process of its own, which is ended after so
    many seconds. Yields the place of each, as it ends, and why it was not taken (None: it was)."""
    left = dict.fromkeys(range(len(messages)))
    if find_spec("apprise") is None:
        yield from ((place, NOT_INSTALLED) for place in left)
        return
    told = [{"address": to.get_secret_value(), **message._asdict()} for to, message in messages]
    try:
        process = _started()
    except OSError as error:
        why = f"the process that sends could not be started: {error.strerror}"
        yield from ((place, why) for place in left)
        return
    try:
        for place, problem in _answers(process, json.dumps(told), time.monotonic() + seconds):
            if place in left:
                del left[place]
                yield place, problem
        late = process.poll() is None
    finally:
        _end(process)
    why = "it was not taken in time (message_timeout)" if late else "the process that sends died"
    yield from ((place, why) for place in left)


def _started():
    "The courier, which knows nothing of the workbench."
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(courier.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,  # Ctrl-C at a terminal is for this process, which ends it
    )


def _answers(process, told, end):
    "What the courier answers until it ends or a time is over."
    with suppress(BrokenPipeError), process.stdin as given:
        given.write(told.encode())
    read = b""
    while (left := end - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left)[0]:
            return
        more = os.read(process.stdout.fileno(), 1 << 16)
        if not more:
            process.wait(max(left, 1))
            return
        *lines, read = (read + more).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            yield answer["place"], answer["problem"]


def _end(process):
    "End the courier with all that it began."
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
