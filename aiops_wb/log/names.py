"""Any name as a file name, and back; what a name that is not known was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import unquote_to_bytes

from .columns import LONGEST_NAME

__all__ = ["OF_DAY", "checked_name", "file_name", "name_of_file", "nearest"]

OF_DAY = "+day"
"The folder of a day's pages that are of no model: no name is written so."
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")
_LONGEST = 240  # a file system takes 255 bytes: some are left for an ending
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(10)}


def file_name(name: str) -> str:
    """A file name of its own for any name: what is not a lower-case letter, a digit, `-`, `_` or
    `.` is percent-encoded, and so are a dot in front or at the end and the first letter of names
    that some systems keep for themselves.

    Two names differ in more than case. `name_of_file` is the inverse. ValueError when the name is
    empty, not valid text, or too long for a file name.
    """
    encoded = _encode(name)
    if len(encoded) > _LONGEST:
        raise ValueError(
            f"the name {name[:20]!r}... is too long for a file: {len(encoded)} characters when it "
            f"is spelt out, {_LONGEST} are allowed."
        )
    return encoded


def _encode(name):
    raw = name.encode()  # UnicodeEncodeError, a ValueError, for half an emoji
    if not raw:
        raise ValueError("a name must not be empty.")
    held_back = {0} if name.partition(".")[0].lower() in _RESERVED else set()
    held_back |= {at for at in (0, len(raw) - 1) if raw[at] == ord(".")}
    return "".join(
        chr(byte) if byte in _PLAIN and at not in held_back else f"%{byte:02x}"
        for at, byte in enumerate(raw)
    )


def name_of_file(name: str) -> str:
    "The name that `file_name` made a file name of."
    return unquote_to_bytes(name).decode()


def checked_name(name: str) -> str:
    "The name itself; ValueError when no model, version or tenant can be called so."
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{name!a} is not valid text") from None
    if not 0 < length <= LONGEST_NAME or "\0" in name:
        shown = name if length <= LONGEST_NAME else f"{name[:20]}..."
        raise ValueError(
            f"{shown!r} is no name: a name has 1 to {LONGEST_NAME} bytes, none of them zero"
        )
    return name


def nearest(name: str, known: Iterable[str]) -> str:
    "The end of a sentence about a name that is not known: which one was meant, and what there is."
    names = sorted(known)
    alike = get_close_matches(name, names, 1)
    meant = f": did you mean {alike[0]!r}?" if alike else "."
    return f"{meant} There is {_listed(names)}." if names else "."


def _listed(names, shown=24):
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(repr, names[:shown])) + more
