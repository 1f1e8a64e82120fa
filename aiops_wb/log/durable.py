"""Files that are on the disk when the call returns."""

import os
import time
from contextlib import suppress
from pathlib import Path

from .modes import as_its_folder, make_below

__all__ = ["fsync", "time_ordered_id", "write_durably"]


def fsync(path: Path) -> None:
    "Force a file or a folder to the disk."
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, text: str, mode: int = 0o644, aside: str | None = None) -> None:
    """Write a small file whole or not at all, on the disk when this returns; its folder is made
    where there is none. It is never written through a link, is as open as its folder, and allows no
    more than `mode`.

    `aside`: its name meanwhile, which nobody else may write at the same time; always the same one,
    as here, replaces what a stopped writer left. OSError where it cannot be written.
    """
    make_below(path.parent)
    temporary = path.with_name(aside or f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        # made here and by nobody else: a link that stands in the way has no other file written
        opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(opened, "w", encoding="utf-8", errors="surrogateescape") as handle:
            handle.write(text)
            handle.flush()
            as_its_folder(temporary, mode)
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    fsync(path.parent)


def time_ordered_id() -> str:
    """A unique id whose first 12 hex digits are the time (UUID version 7, RFC 9562).

    Ids of one day lie together.
    """
    rest = int.from_bytes(os.urandom(10))
    value = (
        (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80
        | 7 << 76
        | (rest >> 68 & 0xFFF) << 64
        | 2 << 62
        | rest & (1 << 62) - 1
    )
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
