"""Rows taken out of an open file of the spool, whose process goes on writing to it.

Nobody but its process may write such a file anew. A line is overwritten where it stands by one of
the same length without the row; the end of the file, where its process appends, is not touched.
The process has the row in its memory until it finishes the segment: then the ingester drops it.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np

from .tables import Batch, Cells

__all__ = ["blank_rows"]

_HEAD = 9  # the checksum of a line, and a blank
_NOTHING: dict = {}
"A batch without rows, in fewer bytes than any line has."
_NAMED = ("prediction_id", "entity_id", "event_key")


def blank_rows(path: Path, gone: Callable[[dict], bool]) -> int:
    "Overwrite the rows (column -> value) of an open file that are `gone`; how many these were."
    n, header = 0, None
    with open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+b", buffering=0) as file:
        at = 0
        for line in file.readall().splitlines(keepends=True):
            data = line.removesuffix(b"\n")[_HEAD:]
            if line.endswith(b"\n") and line.startswith(b"%08x " % crc32(data)):
                item = json.loads(data)
                if header is None:
                    header = item if isinstance(item, dict) else {}
                elif left := _without(item, header.get("columns", ()), gone):
                    kept, rows = left
                    _overwrite(file, at, kept, len(data))
                    n += rows
            at += len(line)
        os.fsync(file.fileno())
    return n


def _overwrite(file, at, item, length):
    text = json.dumps(item, separators=(",", ":")).encode("ascii").ljust(length)
    os.pwrite(file.fileno(), b"%08x %s" % (crc32(text), text), at)


def _without(item, columns, gone):
    "What is left of a line, and how many rows go; None where all stay."
    if isinstance(item, list):
        return (_NOTHING, 1) if gone(dict(zip(columns, item))) else None
    batch = Batch.decoded(item)
    named = {c: batch.columns[c] for c in _NAMED if c in batch.columns}
    rows = zip(*named.values())
    keep = np.array([not gone(dict(zip(named, row))) for row in rows], dtype=bool)
    if keep.all():
        return None
    taken = {name: array[keep] for name, array in batch.columns.items()}
    features = {
        name: Cells(cells.kind, None if cells.values is None else cells.values[keep])
        for name, cells in batch.features.items()
    }
    return Batch(int(keep.sum()), taken, features).encoded(), int((~keep).sum())
