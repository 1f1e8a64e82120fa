"""Where names stand in bytes: files that mention them, and lines without them."""

import html
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from .durable import fsync

__all__ = ["IN_ITS_PLACE", "Mentions", "files_below"]

IN_ITS_PLACE = "(forgotten)"
"What stands in a text where a name stood."

SURE = 12
"""Characters from which on a name is found among letters, too; a shorter one only as a word of its
own."""
_PIECE = 1 << 24  # bytes that are looked at together
_DIGITS = frozenset(b"0123456789")
_WORD = _DIGITS | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_ESCAPED = frozenset(b"nrt")


class Mentions:
    """Names as they stand in files: plain, as JSON and HTML escape them, as part of an address.

    A name of fewer than twelve characters counts where no letter, digit or underscore touches it, a
    longer one where no digit goes on with a number at its end: that is another one's id.
    """

    def __init__(self, names: Iterable[str]):
        self.names = sorted({name for name in names if name}, key=lambda n: (-len(n), n))
        forms = (form for name in self.names for form in _forms(name))
        self.forms = list(dict.fromkeys(forms))
        self.longest = max(map(len, self.forms), default=0)

    def __bool__(self) -> bool:
        return bool(self.names)

    def in_bytes(self, data: bytes) -> bool:
        "Whether any of the names stands in some bytes."
        return any(next(_places(data, form), None) is not None for form in self.forms)

    def in_text(self, text: str | None) -> bool:
        "Whether any of the names stands in a text."
        return bool(text) and self.in_bytes(text.encode(errors="surrogateescape"))

    def without(self, text: str, instead: str = IN_ITS_PLACE) -> str:
        "A text with something else in the place of each name."
        data, other = text.encode(errors="surrogateescape"), instead.encode()
        for form in self.forms:
            for at in reversed(list(_places(data, form))):
                data = data[:at] + other + data[at + len(form) :]
        return data.decode(errors="surrogateescape")

    def in_file(self, path: Path) -> bool:
        "Whether any of the names stands in a file; read piece by piece."
        kept = b""
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                if self.in_bytes(kept + piece):
                    return True
                kept = (kept + piece)[-(self.longest + 8) :]
        return False

    def rewrite(self, path: Path) -> int:
        "Write a file of lines anew without those with a name in them; how many these were."
        aside, n = path.with_name(f".{path.name}.{os.getpid()}.tmp"), 0
        mode = stat.S_IMODE(path.stat().st_mode)
        with open(path, "rb") as old, open(aside, "wb", opener=_private) as new:
            for line in old:
                if self.in_bytes(line):
                    n += 1
                else:
                    new.write(line)
        aside.chmod(mode)
        fsync(aside)
        aside.replace(path)
        fsync(path.parent)
        return n


def files_below(folder: Path) -> Iterator[Path]:
    "The regular files of a folder and of those in it, by name, whatever their names begin with."
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _forms(name):
    "A name as it is, escaped, and escaped once more: a page in a notebook, a message in a message."
    once = [name, *_escaped(name)]
    for text in dict.fromkeys([*once, *(twice for one in once for twice in _escaped(one))]):
        yield text.encode(errors="surrogateescape")


def _escaped(text):
    yield from (json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    quotes = html.escape(text)
    yield from (quotes, html.escape(text, False))
    yield quotes.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")  # as jinja2 has them
    yield from (quote(text, errors="replace"), quote(text, "", errors="replace"))
    yield from (text.replace('"', '""'), text.replace("'", "''"))  # CSV, SQL


def _places(data, form):
    "Where a name stands in some bytes."
    at = data.find(form)
    while at >= 0:
        is_it = _is_no_longer if len(form) >= SURE else _is_alone
        if is_it(data, at, at + len(form)):
            yield at
        at = data.find(form, at + len(form))


def _is_no_longer(data, start, end):
    "Whether no digit goes on with a number at the end, or before the start, of what stands there."
    return _is_apart(data, start, end, _DIGITS)


def _is_alone(data, start, end):
    "Whether what stands there is a word of its own."
    return _is_apart(data, start, end, _WORD)


def _is_apart(data, start, end, kind):
    "Whether characters of a kind go on at neither end; what is escaped before it is no part of it."
    if end < len(data) and data[end] in kind and data[end - 1] in kind:
        return False
    if not start or data[start - 1] not in kind or data[start] not in kind:
        return True
    line = data[start - 1] in _ESCAPED and data[max(0, start - 2) : start - 1] == b"\\"
    in_address = data[max(0, start - 3) : max(0, start - 2)] == b"%"
    return line or in_address or data[max(0, start - 6) : max(0, start - 4)] == b"\\u"
