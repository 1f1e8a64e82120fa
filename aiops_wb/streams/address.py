"""Where events come from or go to, as one address: a file, Redis streams, Kafka, a web server."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ..config import Address
from ..log.errors import StoreError

__all__ = ["FORMS", "Place", "place_of"]

FORMS = {
    "file": "file:events.jsonl",
    "redis": "redis://host:6379/0?stream=events",
    "kafka": "kafka://host:9092?topic=events",
    "http": "https://host/path",
}
"An address of each sort, as an example."

_SORTS = {"rediss": "redis", "https": "http"}
_NEEDED = {"redis": "stream", "kafka": "topic"}


@dataclass(frozen=True)
class Place:
    """An address that was read. `url` is what a client of its sort takes, secrets included;
    `options` those of the workbench (stream, topic, group ...), and `str` shows no secret."""

    sort: str  # file, redis, kafka or http
    url: str
    options: dict[str, str]
    address: Address

    def __str__(self) -> str:
        if self.sort == "file":
            return f"file:{self.url}"
        named = _NEEDED.get(self.sort)
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        shown = f"{self.address.get_secret_value().partition(':')[0].lower()}://{host}"
        return f"{shown}?{named}={self.options[named]}" if named else shown

    @property
    def path(self) -> Path:
        "Of a file."
        return Path(self.url)


def place_of(address: Address | str, known: frozenset[str] = frozenset()) -> Place:
    """Read an address; StoreError, which shows no secret, when it is none.

    `known` are the options of the workbench beside stream and topic; of Redis and Kafka further
    ones are their client's own and stay in the address, and a web server's belong to its path.
    """
    address = address if isinstance(address, Address) else Address(address)
    text = address.get_secret_value()
    scheme, found, rest = text.partition(":")
    sort = _SORTS.get(scheme.lower(), scheme.lower())
    if not found or sort not in FORMS:
        raise StoreError(f"{address} is no place of events: give {_some_forms()}.")
    if sort == "file":
        return _file(rest, address)
    try:
        parts = urlsplit(text)
        parts.port if sort != "kafka" else None
    except ValueError:
        told = f"{address} has a host or port that is none: give {FORMS[sort]}."
        raise StoreError(told) from None
    if not parts.netloc.rpartition("@")[2]:
        raise StoreError(f"{address} names no host: give {FORMS[sort]}.")
    if sort == "http":
        return Place(sort, text, {}, address)
    if sort == "redis" and not re.fullmatch(r"(/[0-9]*)?", parts.path):
        raise StoreError(f"{address} names no database by its number: give {FORMS[sort]}.")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    ours = {name: given.pop(name) for name in (_NEEDED[sort], *known) if name in given}
    if not ours.get(_NEEDED[sort]):
        raise StoreError(f"{address} names no {_NEEDED[sort]}: give {FORMS[sort]}.")
    return Place(sort, parts._replace(query=urlencode(given)).geturl(), ours, address)


def _file(rest, address):
    path = unquote(rest.removeprefix("//")) if rest.startswith("///") else rest
    if not path or "\0" in path or rest.startswith("//") and not rest.startswith("///"):
        raise StoreError(f"{address} names no file: give {FORMS['file']}.")
    return Place("file", path, {}, address)


def _some_forms():
    *some, last = FORMS.values()
    return f"{', '.join(some)} or {last}"
