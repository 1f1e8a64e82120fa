"""Files that are on the disk when the call returns."""

import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from .duck import connect, identifier, target

__all__ = ["Cursor", "fsync", "time_ordered_id", "write_segment"]

Cursor = Callable[[], duckdb.DuckDBPyConnection]
"Opens a connection to a database that is open already."


def fsync(path: Path) -> None:
    "Force a file or a folder to the disk."
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def time_ordered_id() -> str:
    """A unique id whose first 12 hex digits are the time (UUID version 7, RFC 9562).

    Ids of one day lie together.
    """
    stamp, rest = time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10))
    value = (
        (stamp & (1 << 48) - 1) << 80
        | 7 << 76
        | (rest >> 68 & 0xFFF) << 64
        | 2 << 62
        | rest & (1 << 62) - 1
    )
    return str(uuid.UUID(int=value))


def write_segment(
    folder: Path,
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    features: Mapping[str, str] | None = None,
    cursor: Cursor | None = None,
) -> Path:
    """Write one Parquet segment and return its path; the rows are safe when this returns.

    `columns` maps names to DuckDB types; `features` maps feature names to the frame's columns that
    hold them. `cursor` opens a connection to write with: to start a DuckDB costs most of a segment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time_ordered_id()}.parquet"
    temporary, final = folder / f".{name}.tmp", folder / name
    with cursor() if cursor else connect(":memory:", threads=1) as con:
        con.register("frame", frame)
        con.execute(
            f"COPY (SELECT {_selected(columns, features)} FROM frame) "
            f"TO {target(temporary)} (FORMAT parquet)"
        )
    fsync(temporary)
    temporary.rename(final)
    fsync(folder)
    return final


def _selected(columns, features):
    "A segment's columns, features as one STRUCT, from the columns of a frame."
    fields = [f"CAST({identifier(c)} AS {t}) AS {identifier(c)}" for c, t in columns.items()]
    if features:
        packed = ", ".join(f"{identifier(f)} := {identifier(c)}" for f, c in features.items())
        fields.append(f"struct_pack({packed}) AS features")
    return ", ".join(fields)
