"""Parquet segments: what a logger hands over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from .columns import COLUMNS
from .duck import connect, identifier, literal, target
from .durable import fsync, time_ordered_id
from .modes import as_its_folder, make_below, make_in_spool
from .tables import NO_TIME, Table, table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cursor", "write_rows", "write_segment"]

_READ_ONCE = ", COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"
"What is read once and removed is written and read a fifth faster as it is."

Cursor = Callable[[], duckdb.DuckDBPyConnection]
"Opens a connection to a database that is open already."


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
    fields = [f"CAST({identifier(c)} AS {t}) AS {identifier(c)}" for c, t in columns.items()]
    packed = {name: identifier(column) for name, column in (features or {}).items()}
    return _copied(folder, time_ordered_id(), frame, fields, packed, cursor, _READ_ONCE)


def write_rows(
    folder: Path, name: str, header: Mapping, items: Sequence, cursor: Cursor | None = None
) -> Path:
    """Write events and batches of one logger as the segment of this name; the same items always
    make the same bytes."""
    make_in_spool(folder)
    made = table(header, items)
    fields = [
        f"{_expression(made, header, column, kind)} AS {identifier(column)}"
        for column, kind in COLUMNS[header["kind"]].items()
    ]
    features = {name: _feature(at, cast) for at, (name, cast) in enumerate(made.features.items())}
    return _copied(folder, name, made.arrays, fields, features, cursor)


def _expression(made: Table, header, column, kind):
    "A column of a segment: the same in every row, read from the table, or missing."
    if column in header["constant"]:
        return f"CAST({literal(header['constant'][column])} AS {kind})"
    if column not in made.arrays:
        return f"CAST(NULL AS {kind})"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamptz(nullif({identifier(column)}, {NO_TIME}))"
    return f"CAST({identifier(column)} AS {kind})"


def _feature(at, cast):
    column = identifier(f"feature{at}")
    return column if cast is None else f"CAST({column} AS {cast})"


def _copied(folder, name, rows, fields, features, cursor, options=""):
    "Write aside, force to the disk, rename."
    make_below(folder)
    temporary, final = folder / f".{name}.parquet.tmp", folder / f"{name}.parquet"
    if features:
        packed = ", ".join(f"{identifier(f)} := {column}" for f, column in features.items())
        fields = [*fields, f"struct_pack({packed}) AS features"]
    try:
        with cursor() if cursor else connect(":memory:", threads=1) as con:
            con.register("rows_to_write", rows)
            con.execute(
                f"COPY (SELECT {', '.join(fields)} FROM rows_to_write) "
                f"TO {target(temporary)} (FORMAT parquet{options})"
            )
            con.unregister("rows_to_write")
        as_its_folder(temporary)
        fsync(temporary)
        temporary.rename(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync(folder)
    return final
