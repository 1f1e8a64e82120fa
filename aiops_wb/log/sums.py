"""The bytes of files: their SHA-256, and whether day files are still what was committed.

A SHA-256 (FIPS 180-4) stands in the catalog beside each day file, so that no byte changes
unnoticed, by a disk or by a hand, whether or not the file can still be read. It does not protect
from whoever changes file and catalog alike: that is what counts, the trail and its anchors are for.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from zlib import crc32

import duckdb

from .duck import parquet

__all__ = ["SHARES", "Seen", "holds", "in_share", "quietly", "sha256_of", "what_changed"]

SHARES = 28
"Mornings after which each file of the log was looked at: a month."
_AT_ONCE = 1 << 23  # bytes that are read in one piece: most files, and no buffer for them
_CHUNK = 1 << 20

Seen = Callable[[int], None]
"Is told how many bytes were dealt with since it was told before."


def quietly(_: int) -> None:
    "Tell nobody."


def sha256_of(path: str | Path, seen: Seen = quietly) -> str:
    "The SHA-256 of a file's bytes, in hexadecimal. OSError where it cannot be read."
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size + 1
        while chunk := file.read(size if size <= _AT_ONCE else _CHUNK):
            digest.update(chunk)
            seen(len(chunk))
    return digest.hexdigest()


def what_changed(path: Path, sha256: str | None) -> str | None:
    """What is wrong with the bytes of a file; None where they are those of a SHA-256, or none is
    known."""
    if sha256 is None:
        return None
    try:
        same = sha256_of(path) == sha256
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if same else "is not what was written: its SHA-256 is another"


def in_share(path: str, days: Iterable[date]) -> bool:
    """Whether the morning of one of some days looks at a file: each file's turn comes once in
    `SHARES` days, by its path alone."""
    turn = crc32(path.encode("utf-8", "surrogateescape")) % SHARES
    return any(day.toordinal() % SHARES == turn for day in days)


def holds(con: duckdb.DuckDBPyConnection, path: Path, file) -> bool:
    """Whether a file is what the catalog says of a `DayFile`: its bytes, or where no SHA-256 is
    known, that it can be read to its end and holds as many bytes and rows, with the same first and
    last id."""
    if file.sha256 is not None:
        return what_changed(path, file.sha256) is None
    read = f"""
        SELECT count(*), min(prediction_id), max(prediction_id), bit_xor(hash(t))
        FROM {parquet([path])} AS t"""
    try:
        found = con.execute(read).fetchall()[0]
        same = found[:3] == (file.rows, file.min_id, file.max_id)
        return same and path.stat().st_size == file.bytes
    except (duckdb.Error, OSError):
        return False
