"""Events of a Redis stream, by a consumer group (extra redis).

What was delivered to this consumer before and not confirmed comes first, then what others left
behind, then what is new. The id of an entry, which Redis gives once, is its place and holds its
time.
"""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError
from redis.retry import Retry

from ..log.errors import StoreError
from .address import Place
from .consuming import Unreachable
from .events import Entry

__all__ = ["RedisSource"]

CLAIMS = 60.0
"Seconds after which an entry that another consumer did not confirm is taken from it."
_EPOCH, _SENSIBLE = datetime(1970, 1, 1, tzinfo=UTC), 946_684_800_000  # ms: the year 2000
_LOST = ("NOGROUP", "UNBLOCKED")
_NEVER = ("WRONGTYPE", "WRONGPASS", "NOAUTH", "NOPERM", "unknown command")
_REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)
_OURS = {"protocol", "decode_responses"}


class RedisSource:
    "Entries of one stream, for one consumer of a group."

    def __init__(self, place: Place, group: str, claims: float = CLAIMS):
        self.place, self.group, self._claims = place, group, claims
        self.stream = place.options["stream"]
        self.consumer = place.options.get("consumer") or socket.gethostname()
        self._redis = _client(place)
        self._before: str | None = "0"  # of our own entries, the last that was seen again
        self._next_claim, self._notes = monotonic() + claims, []
        self._has_group = False

    def read(self, most: int, seconds: float) -> Sequence[Entry]:
        "The next entries."
        with self._asking():
            try:
                return self._next(most, seconds)
            except redis.ResponseError as error:
                if not str(error).startswith(_LOST):
                    raise
            self._has_group, self._before = False, "0"
            self._notes.append(f"{self} has no group {self.group} any more: it is made anew.")
            return self._next(most, seconds)

    def done(self, entries: Sequence[Entry]) -> None:
        "Confirm entries."
        with self._asking():
            self._redis.xack(self.stream, self.group, *(entry.mark for entry in entries))

    def notes(self) -> list[str]:
        "What is to be said."
        told, self._notes = self._notes, []
        return told

    def close(self) -> None:
        "Close the connection."
        self._redis.close()

    def __str__(self) -> str:
        return f"stream {self.stream}"

    def _next(self, most, seconds):
        if not self._has_group:
            self._make_group()
        found = self._entries(self._own(most)) or self._entries(self._left(most))
        return found or self._entries(self._new(most, seconds))

    def _own(self, most):
        "What was delivered here and not confirmed, until all of it has been seen."
        if self._before is None:
            return []
        found = self._asked(self._before, most)
        self._before = found[-1][0].decode() if found else None
        return found

    def _left(self, most):
        "What others did not confirm in time."
        if monotonic() < self._next_claim:
            return []
        idle = int(self._claims * 1000)
        _, found, *_ = self._redis.xautoclaim(
            self.stream, self.group, self.consumer, idle, count=most
        )
        if len(found) < most:
            self._next_claim = monotonic() + self._claims
        return found

    def _new(self, most, seconds):
        return self._asked(">", most, max(1, int(seconds * 1000)) if seconds else None)

    def _asked(self, after, most, block=None):
        streams = {self.stream: after}
        told = self._redis.xreadgroup(self.group, self.consumer, streams, most, block)
        return told[0][1] if told else []

    def _entries(self, found):
        "Entries to be taken; of those that are gone from the stream only the id is left."
        gone = [key for key, fields in found if not fields]
        if gone:
            self._redis.xack(self.stream, self.group, *gone)
            n = f"{len(gone):,} entries" if len(gone) > 1 else "1 entry"
            self._notes.append(f"{n} of {self} went from the stream before they were taken.")
        return [self._entry(key, fields) for key, fields in found if fields]

    def _entry(self, key, fields):
        name = key.decode()
        since = int(name.partition("-")[0])
        at = _EPOCH + timedelta(milliseconds=since) if since >= _SENSIBLE else None
        identity = f"redis {self.stream} {name}"
        told = fields.get(b"event", fields.get(b"data"))
        if told is not None and (len(fields) == 1 or told.lstrip().startswith(b"{")):
            return Entry(told, str(self), name, identity, at, mark=key)
        row = {_text(field): _text(cell) for field, cell in fields.items()}
        raw = json.dumps(row, ensure_ascii=False)
        return Entry(raw, str(self), name, identity, at, loose=True, mark=key)

    def _make_group(self):
        try:
            self._redis.xgroup_create(self.stream, self.group, "0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._has_group = True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        "Meanwhile what Redis says is told as what can be tried again, and what cannot."
        try:
            yield
        except (redis.RedisError, OSError) as error:
            text = _without_secrets(str(error).rstrip("."), self.place)
            self._before = "0"  # what was sent and did not arrive comes again
            if isinstance(error, _REFUSED) or any(word in text for word in _NEVER):
                raise StoreError(f"{self.place} refuses: {text}.") from None
            raise Unreachable(f"{self.place} cannot be reached: {text}.") from None
        except TypeError:  # which a connection says, once it is made
            raise StoreError(_no_option(self.place)) from None


def _client(place):
    "A client of Redis; StoreError where the address has an option that it cannot have."
    told = parse_qs(urlsplit(place.url).query)
    if both := sorted(told.keys() & _OURS):
        raise StoreError(f"{both[0]} of {place} cannot be chosen: take it out of the address.")
    try:
        return redis.Redis.from_url(
            place.url, protocol=2, socket_timeout=10, retry=Retry(NoBackoff(), 0)
        )
    except (ValueError, TypeError):
        raise StoreError(_no_option(place)) from None


def _without_secrets(text, place):
    "What Redis says; where it repeats what it was told as a login, only that."
    parts = urlsplit(place.url)
    told = [word for word in (parts.username, parts.password) if word]
    if any(word in text for one in told for word in (one, unquote(one))):
        return "it does not take the user and password of the address"
    return text


def _no_option(place):
    return f"{place} has an option that is none of Redis, or a value that is none of it."


def _text(cell):
    return cell.decode(errors="surrogateescape")
