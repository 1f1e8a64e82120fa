"""Files that are on the disk when the call returns."""

import os
import time
from pathlib import Path

__all__ = ["fsync", "time_ordered_id", "write_durably"]


def fsync(path: Path) -> None:
    "Force a file or a folder to the disk."
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, text: str) -> None:
    "Write a small file whole or not at all, on the disk when this returns."
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    fsync(temporary)
    temporary.replace(path)
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
