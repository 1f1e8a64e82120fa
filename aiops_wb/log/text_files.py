"""Files of text: opened, unpacked, decoded, and cut into their physical lines."""

import gzip
import io
import os
import re
import zlib
from pathlib import Path

from .errors import StoreError
from .reading import ReadOptions

__all__ = ["physical_lines", "is_broken"]

_BINARY = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_BROKEN = re.compile("[\ud800-\udfff]")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def is_broken(line: str) -> bool:
    "Whether a line held bytes that are no text."
    return not line.isascii() and _BROKEN.search(line) is not None


def physical_lines(path: Path, options: ReadOptions) -> list[str]:
    """The lines of a file, each with its own end of line (`\\r\\n`, `\\n` or `\\r`).

    A line with bytes that are no text keeps them as surrogates (`is_broken`). StoreError when the
    file as a whole is in another encoding, packed or too large.
    """
    raw = _content(path, options)
    try:
        text = _decoded(raw, options.encoding)
    except UnicodeDecodeError as error:
        if options.encoding:
            raise StoreError(
                f"it is not {options.encoding} throughout (byte {error.start + 1:,}): name its "
                "encoding with --encoding."
            ) from None
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    if options.encoding is None and _BROKEN.search(text):
        _refuse_other_encodings(raw, lines)
    return lines


def _content(path, options):
    "The bytes of a file, unpacked."
    if path.suffix.lower() != ".gz":
        options.limits.check_memory(10 * path.stat().st_size)
        return path.read_bytes()
    largest = options.limits.text
    try:
        with gzip.open(path) as handle:
            raw = handle.read(largest + 1)
    except (EOFError, zlib.error) as error:
        raise StoreError(f"it cannot be unpacked: {error}.") from None
    if len(raw) > largest:
        raise StoreError(
            f"it unpacks to more than {largest / 2**20:,.0f} MB, and {options.limits.memory:,} MB "
            "of memory are allowed: split it, or raise memory_limit."
        )
    return raw


def _decoded(raw, encoding):
    "Text, without the mark of its encoding."
    if encoding is None and raw[:2] in _MARKS:
        raise StoreError(f"it is not UTF-8: name its encoding with --encoding {_MARKS[raw[:2]]}.")
    return raw.decode(encoding or "utf-8").removeprefix("\ufeff")


def _refuse_other_encodings(raw, lines):
    """Lines that are no UTF-8 are bad rows where others speak for UTF-8, or where they are no text
    at all; else the file is in another encoding."""
    speaking = [(number, line) for number, line in enumerate(lines, 1) if not line.isascii()]
    broken = [(number, line) for number, line in speaking if is_broken(line)]
    marked = raw.startswith(b"\xef\xbb\xbf")
    if marked or len(broken) < len(speaking) or all(_BINARY.search(line) for _, line in broken):
        return
    number, line = broken[0]
    byte = os.fsencode(_BROKEN.search(line)[0])[0]
    raise StoreError(
        f"line {number} is not UTF-8 (byte 0x{byte:02x}): name the file's encoding with "
        "--encoding, such as --encoding latin-1 or cp1252."
    )
