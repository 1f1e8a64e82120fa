"""Events of a topic of Kafka, by a consumer group (extra kafka).

Offsets are committed here, after the events are safe, and never by the client itself. The place of
a message is its topic, partition and offset; a CloudEvent may come in structured or in binary mode.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from ..log.errors import StoreError
from .address import Place
from .consuming import Unreachable
from .events import Entry

__all__ = ["KafkaSource", "client_settings"]

TOGETHER = 0.02
"Seconds that messages are waited for which come right behind one."
JOINS = 60.0
"Seconds in which a group gives out its partitions, where nothing more is waited for than that."
_PATIENCE = {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 2_000}
"How long the partitions of a member that was killed wait for it."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OURS = {"group.id", "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof"}
_NEVER = {
    KafkaError._AUTHENTICATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
}
_LATER = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}
_HEADER = "ce_"


def client_settings(place: Place) -> dict[str, Any]:
    "What a client of Kafka is told of an address: servers, a user, and settings of its own."
    parts = urlsplit(place.url)
    user, at, servers = parts.netloc.rpartition("@")
    told = {"bootstrap.servers": servers}
    if at:
        name, _, secret = user.partition(":")
        told |= {"sasl.username": unquote(name), "sasl.password": unquote(secret)}
    return told | dict(parse_qsl(parts.query))


class KafkaSource:
    "Messages of one topic, for one member of a group."

    def __init__(self, place: Place, group: str):
        self.place, self.group, self.topic = place, group, place.options["topic"]
        told = client_settings(place)
        if both := sorted(told.keys() & _OURS):
            raise StoreError(f"{both[0]} of {place} cannot be chosen: take it out of the address.")
        told = {"auto.offset.reset": "earliest", "client.id": "aiops-wb"} | _PATIENCE | told
        told |= {"group.id": group, "enable.partition.eof": True}
        told |= {"enable.auto.commit": False, "enable.auto.offset.store": False}
        try:
            self._consumer = Consumer(told, logger=_Nobody())
            self._consumer.subscribe(
                [self.topic], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken
            )
        except (KafkaException, TypeError, ValueError) as error:
            raise StoreError(f"{place} cannot be used: {_said(error)}.") from None
        self._given_out, self._ended, self._notes = False, set(), []
        self._partitions: set[int] = set()

    def read(self, most: int, seconds: float) -> Sequence[Entry]:
        "The next messages."
        until = monotonic() + (seconds or JOINS)
        while True:
            found = self._polled(most, min(0.5, max(0.05, until - monotonic())))
            if found:
                return found
            if not seconds and self._given_out and self._partitions <= self._ended:
                return []
            if monotonic() >= until:
                if not seconds:
                    raise Unreachable(f"{self.place} does not answer.")
                return []

    def done(self, entries: Sequence[Entry]) -> None:
        "Commit the offsets behind messages; of partitions that others have by now they do."
        behind: dict[int, int] = {}
        for entry in entries:
            partition, offset = entry.mark
            behind[partition] = max(behind.get(partition, 0), offset + 1)
        kept = [TopicPartition(self.topic, p, n) for p, n in sorted(behind.items())]
        kept = [one for one in kept if one.partition in self._partitions]
        if not kept:
            return
        try:
            told = self._consumer.commit(offsets=kept, asynchronous=False) or []
            error = next((one.error for one in told if one.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        if error is None:
            return
        if error.code() in _LATER:
            raise Unreachable(f"{self.place} cannot be reached: {error.str()}.")
        if error.code() in _NEVER:
            raise StoreError(f"{self.place} refuses: {error.str()}.")
        self._notes.append(f"{self} takes no offsets of ours ({error.str()}): events come again.")

    def notes(self) -> list[str]:
        "What is to be said."
        told, self._notes = self._notes, []
        return told

    def close(self) -> None:
        "Leave the group."
        with suppress(KafkaException):
            self._consumer.close()

    def __str__(self) -> str:
        return f"topic {self.topic}"

    def _polled(self, most, seconds):
        with self._asking():
            messages = self._consumer.consume(1, seconds)
        if messages and most > 1 and messages[0].error() is None:
            with suppress(KafkaException):  # it is met again, and the first message is not lost
                messages += self._consumer.consume(most - 1, TOGETHER)
        found = [self._entry(message) for message in messages if message.error() is None]
        for message in messages:
            if message.error() is not None:
                self._met(message.error(), message, bool(found))
        return found

    def _entry(self, message: Message):
        partition, offset = message.partition(), message.offset()
        self._ended.discard(partition)
        kind, since = message.timestamp()
        at = None if kind == TIMESTAMP_NOT_AVAILABLE else _EPOCH + timedelta(milliseconds=since)
        place = f"partition {partition}, offset {offset}"
        identity = f"kafka {self.topic} {partition} {offset}"
        mark = (partition, offset)
        raw = message.value() or b""
        envelope = _envelope(message.headers() or [])
        return Entry(raw, str(self), place, identity, at, envelope, mark=mark)

    def _met(self, error, message, beside):
        """An error among the messages: the end of a partition, or what ends the work. What stands
        `beside` messages is met again, and they are not lost for it."""
        if error.code() == KafkaError._PARTITION_EOF:
            self._ended.add(message.partition())
        elif (
            beside or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        ):  # made by its first message
            return
        elif error.code() in _NEVER or error.fatal():
            raise StoreError(f"{self.place} refuses: {error.str()}.")
        else:
            raise Unreachable(f"{self.place} cannot be reached: {error.str()}.")

    def _given(self, consumer, partitions):
        self._given_out = True
        self._partitions |= {one.partition for one in partitions}
        self._ended -= self._partitions

    def _taken(self, consumer, partitions):
        self._partitions -= {one.partition for one in partitions}

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise Unreachable(f"{self.place} cannot be reached: {_said(error)}.") from None


class _Nobody:
    "Whom the client tells what it retries: the errors that matter are among the messages."

    def log(self, *_: object) -> None:
        "Lose it."


def _envelope(headers):
    "The attributes of a CloudEvent in binary mode; None where it is none."
    told = {}
    for name, value in headers:
        if name.startswith(_HEADER) and isinstance(value, bytes):
            told[name.removeprefix(_HEADER)] = value.decode(errors="replace")
    return told if "specversion" in told else None


def _said(error):
    told = error.args[0] if error.args else error
    return (told.str() if isinstance(told, KafkaError) else str(told)).rstrip(".")
