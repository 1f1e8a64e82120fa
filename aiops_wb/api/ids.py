"""A threshold's name in a URL: model, version, and the tenant or site that it is for.

Names may hold any character; in an id stand letters, digits and `._-` as they are, any other byte
as `~` and two hexadecimal digits, and a colon between the parts: `late:v1`, `late:v1:default:EWR`.
"""

import re
from typing import NamedTuple

from ..log.names import checked_name

__all__ = ["PATTERN", "ThresholdId"]

_PART = r"(?:[A-Za-z0-9._\-]|~[0-9a-f]{2})+"
PATTERN = rf"^{_PART}:{_PART}(?::{_PART}){{0,2}}$"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


class ThresholdId(NamedTuple):
    "Which threshold."

    model: str
    version: str
    tenant: str | None = None
    site: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ThresholdId":
        "The threshold of an id; ValueError where it is none."
        if not re.fullmatch(PATTERN, text) or len(text) > 4096:
            raise ValueError("an id is such as late:v1 or late:v1:default:EWR")
        named = cls(*map(_read, text.split(":")))
        checked_name(named.model)
        checked_name(named.version)
        return named

    def __str__(self) -> str:
        return ":".join(_written(part) for part in self if part is not None)


def _written(part):
    return "".join(chr(b) if b in _PLAIN else f"~{b:02x}" for b in part.encode(errors="replace"))


def _read(part):
    raw = re.sub(rb"~([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), part.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("an id holds names that are valid text") from None
