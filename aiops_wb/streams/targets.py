"""Where events go: a file, a web server, Redis streams, Kafka."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from ..config import Settings
from ..log.errors import StoreError
from ..watch.bounded import AGAIN, Post, within
from ..watch.sinks import JsonLines
from .address import Place
from .cloud_events import MEDIA_TYPE, CloudEvent

__all__ = ["KNOWN", "Target", "missing_extra", "target_of"]

KNOWN = frozenset({"maxlen"})
"Options of an address beside stream and topic."

ANSWERS_IN = 5.0
"Seconds in which a server answers, at most."


class Target(Protocol):
    """Where events go, `together` at once.

    `send` returns of the first of some events what became of each: None where it was taken, else
    why it, and it alone, was refused. StoreError, whose sentence shows no secret, when nothing can
    be taken now.
    """

    together: int

    def send(self, events: Sequence[CloudEvent], seconds: float) -> list[str | None]: ...


class FileTarget:
    "Appends to a file of JSON lines; what stands at its end is not written again."

    together = 500

    def __init__(self, path: Path, group: str | None):
        self.lines = JsonLines(path, group, "id")

    def send(self, events: Sequence[CloudEvent], seconds: float) -> list[str | None]:
        "On the disk when this returns."
        try:
            self.lines.send(*(one.as_object() for one in events))
        except OSError as error:
            raise StoreError(f"the file cannot be written: {error.strerror or error}") from None
        return [None] * len(events)


class HttpTarget:
    "POSTs each event in structured mode, under its id as `Idempotency-Key`."

    together = 1
    RETRIES, PAUSE = 2, 0.5
    OF_ITSELF = (400, 409, 413, 415, 422)
    "Answers that are about the event, and no other."

    def __init__(self, url: str):
        self.url = url

    def send(self, events: Sequence[CloudEvent], seconds: float) -> list[str | None]:
        "One event; answers that may be others soon are asked for again."
        seconds -= self.PAUSE * (2**self.RETRIES - 1)
        retries, wait = (self.RETRIES, seconds / (1 + self.RETRIES)) if seconds > 0 else (0, 1.0)
        post = Post(self.url, min(ANSWERS_IN, wait), retries, self.PAUSE)
        headers = {"Content-Type": MEDIA_TYPE, "Idempotency-Key": events[0].id}
        try:
            status = post.status(_bytes(events[0]), headers)
        except TimeoutError:
            raise StoreError("it did not answer in time") from None
        except Exception as error:
            reason = type(getattr(error, "reason", None) or error).__name__
            raise StoreError(f"it could not be reached: {reason}") from None
        if status in self.OF_ITSELF:
            return [f"it answered {status}"]
        if not 200 <= status < 300:
            again = " several times" if status in AGAIN else ""
            raise StoreError(f"it answered {status}{again}")
        return [None]


class RedisTarget:
    "Adds to a stream, all of some events or none: field `event`, one event in structured mode."

    together = 500
    NO_OPTION = "its address has an option that is none of Redis"

    def __init__(self, place: Place):
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.stream, self.maxlen = place.options["stream"], _maxlen(place)
        self.errors, self.refused = redis.RedisError, redis.ResponseError
        try:
            self.client = redis.Redis.from_url(
                place.url,
                socket_timeout=ANSWERS_IN,
                socket_connect_timeout=ANSWERS_IN,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):
            raise StoreError(self.NO_OPTION) from None

    def send(self, events: Sequence[CloudEvent], seconds: float) -> list[str | None]:
        "In one transaction."
        try:
            within(min(seconds, 2 * ANSWERS_IN), lambda: self._add(events))
        except TimeoutError:
            raise StoreError("it did not answer in time") from None
        except self.refused as error:
            raise StoreError(f"Redis answered {_code(error)}") from None
        except TypeError:  # which a connection says, once it is made
            raise StoreError(self.NO_OPTION) from None
        except (self.errors, OSError, ValueError) as error:
            raise StoreError(f"it could not be reached: {type(error).__name__}") from None
        return [None] * len(events)

    def _add(self, events):
        with self.client.pipeline(transaction=True) as pipe:
            for one in events:
                pipe.xadd(self.stream, {"event": _bytes(one)}, maxlen=self.maxlen)
            answers = pipe.execute(raise_on_error=False)  # which would say what was sent
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer


def _code(error):
    "The code that an answer of Redis begins with: what follows may repeat what was sent."
    first = str(error).partition(" ")[0].strip(":")
    return first if first.isalpha() and first.isupper() else "an error"


def _maxlen(place):
    "How many events a stream keeps, about; None: all."
    told = place.options.get("maxlen")
    if told is None:
        return None
    if not (told.isascii() and told.isdigit() and int(told)):
        raise StoreError(f"maxlen of {place} is a whole number from 1 on.")
    return int(told)


class KafkaTarget:
    """Produces to a topic in structured mode, keyed by the subject, so that what is told of one
    case keeps its order; each event is acknowledged by all replicas, and written once however often
    the client has to repeat it."""

    together = 1000
    NOBODY = "_ALL_BROKERS_DOWN"
    PATIENCE = 3.0

    def __init__(self, place: Place):
        import confluent_kafka

        self.kafka = confluent_kafka
        self.topic, self.told = place.options["topic"], []
        log = logging.getLogger("aiops_wb.kafka")
        log.propagate = False  # its lines name hosts, and come from other threads
        log.addHandler(logging.NullHandler())
        try:
            self.producer = confluent_kafka.Producer(
                kafka_options(place)
                | {"enable.idempotence": True, "acks": "all", "error_cb": self.told.append},
                logger=log,
            )
        except (confluent_kafka.KafkaException, ValueError, TypeError):
            raise StoreError("its address has an option that is none of Kafka") from None

    def send(self, events: Sequence[CloudEvent], seconds: float) -> list[str | None]:
        "Waits until all are acknowledged, or the time is over."
        came: dict[int, Any] = {}
        headers = {"content-type": f"{MEDIA_TYPE}; charset=UTF-8"}
        outcomes: list[str | None] = []
        for at, one in enumerate(events):
            key = (one.subject or one.id).encode(errors="backslashreplace")
            try:
                self.producer.produce(
                    self.topic, _bytes(one), key, headers=headers, on_delivery=_note(came, at)
                )
            except self.kafka.KafkaException as error:  # too large, say
                came[at] = error.args[0]
            except BufferError:
                break
        self._flush(came, min(seconds, 4 * ANSWERS_IN))
        for at in range(len(events)):
            error = came.get(at, self.kafka.KafkaError._NO_OFFSET)
            if error is None:
                outcomes.append(None)
            elif self._is_of_itself(error):
                outcomes.append(f"Kafka refused it: {error.name()}")
            else:
                break
        if not outcomes:
            raise StoreError(self._why(came.get(0)))
        return outcomes

    def _flush(self, came, seconds):
        "Wait for what was produced; less long where no broker is there."
        began = time.monotonic()
        while self.producer.flush(max(0.0, min(0.25, began + seconds - time.monotonic()))):
            waited = time.monotonic() - began
            nobody = not came and any(one.name() == self.NOBODY for one in self.told)
            if waited >= seconds or (nobody and waited >= self.PATIENCE):
                self.producer.purge()  # or it would be sent some time later
                self.producer.flush(1)
                return

    def _is_of_itself(self, error):
        codes = (self.kafka.KafkaError.MSG_SIZE_TOO_LARGE, self.kafka.KafkaError.INVALID_MSG)
        return hasattr(error, "code") and error.code() in codes

    def _why(self, error):
        "Why nothing was taken: by the name of an error, for its words name hosts and users."
        told = [one.name() for one in self.told if one.name() != self.NOBODY]
        if told and error is None or error is not None and error.name().startswith("_PURGE"):
            return f"it could not be reached: {(told or ['no answer in time'])[-1].strip('_')}"
        return "it did not answer in time" if error is None else f"Kafka answered {error.name()}"


def _note(came, at):
    "Keeps what became of an event: its error, None where it was acknowledged."
    return lambda error, message: came.update({at: error})


def kafka_options(place: Place) -> dict[str, Any]:
    "Options of a client of Kafka by an address: its brokers, user and password, and its query."
    parts = urlsplit(place.url)
    user, found, brokers = parts.netloc.rpartition("@")
    options: dict[str, Any] = {"bootstrap.servers": brokers}
    if found:
        name, _, word = user.partition(":")
        options |= {"sasl.username": unquote(name), "sasl.password": unquote(word)}
        options |= {"sasl.mechanisms": "PLAIN", "security.protocol": "SASL_SSL"}
    return options | dict(parse_qsl(parts.query))


def _bytes(event):
    "An event on one line; half a character, as some sources deliver it, as JSON escapes it."
    return event.as_json().encode(errors="backslashreplace")


_EXTRAS = {"redis": ("redis", "redis"), "kafka": ("confluent_kafka", "kafka")}
_EXTRAS |= {"http": ("urllib3", "webhook")}


def missing_extra(place: Place, find: Callable[[str], object]) -> str:
    "What is to be installed for a place, as pip knows it; empty where nothing is."
    package, extra = _EXTRAS.get(place.sort, (None, ""))
    return f"aiops_wb[{extra}]" if package and find(package) is None else ""


def target_of(place: Place, settings: Settings) -> Target:
    "What sends to a place; StoreError when its extra is not installed, or an option is none."
    made: Mapping[str, Callable[[], Target]] = {
        "file": lambda: FileTarget(place.path, settings.group),
        "http": lambda: HttpTarget(place.url),
        "redis": lambda: RedisTarget(place),
        "kafka": lambda: KafkaTarget(place),
    }
    try:
        return made[place.sort]()
    except ModuleNotFoundError as error:
        extra = _EXTRAS[place.sort][1]
        raise StoreError(
            f"{error.name} is not installed: {place} needs pip install 'aiops_wb[{extra}]'"
        ) from None
