"""Reading what others deliver: CSV, JSON lines, Parquet."""

from collections.abc import Callable, Collection
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from .csv_columns import read_columns
from .csv_rows import read_csv
from .duck import connect, identifier, parquet, source
from .errors import StoreError
from .json_rows import read_json_lines
from .reading import ReadOptions, Rejects, shown
from .text_files import physical_lines

__all__ = ["SUFFIXES", "kind_of_file", "read_delivery"]

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".csv", ".jsonl.gz", ".ndjson.gz", ".csv.gz")
"How the name of a delivered file ends, in any case."


def kind_of_file(path: Path) -> str | None:
    "The suffix by which a file is read; None when it is none of `SUFFIXES`."
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def read_delivery(
    path: Path,
    options: ReadOptions | None = None,
    say: Callable[[str], None] = lambda _: None,
    texts: Collection[str] | None = None,
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """A file's rows as they stand there, the line of each, and what is no row: line, reason, raw.

    Cells of text are text or None; where `texts` names the columns that have to be, others may be
    numbers if nothing is lost by it but their spelling. `say` takes sentences about what is left
    out. StoreError when the file cannot be read at all.
    """
    options, suffix = options or ReadOptions(), kind_of_file(path)
    name = shown(path.name)
    if suffix is None:
        raise StoreError(f"{name}: files must end in {', '.join(SUFFIXES)}.")
    try:
        if suffix == ".parquet":
            frame, numbers, rejects = _read_parquet(path, options)
        else:
            frame, numbers, rejects = _read_text(
                path, suffix, options, lambda told: say(f"{name}: {told}"), texts
            )
    except StoreError as error:
        raise StoreError(f"{name} cannot be read: {error}") from None
    except FileNotFoundError:
        raise
    except (duckdb.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StoreError(f"{name} cannot be read: {shown(reason).rstrip('.')}.") from None
    return frame, numbers, pd.DataFrame(rejects.rows, columns=list(Rejects.columns))


def _read_text(path, suffix, options, say, texts):
    "The rows of a file of text."
    if suffix == ".csv" and (plain := read_columns(path, options, say, texts)) is not None:
        return *plain, Rejects()
    read = read_csv if suffix.startswith(".csv") else read_json_lines
    return read(physical_lines(path, options), options, say)


def _read_parquet(path, options):
    "The rows of a Parquet file; instants of any precision are instants."
    limits = options.limits
    with connect(":memory:") as con:
        con.execute(f"SET memory_limit = '{limits.memory}MB'")
        relation = con.sql(f"FROM {parquet([path])}")
        limits.check_columns(len(relation.columns))
        types = dict(zip(relation.columns, map(str, relation.types)))
        limits.check_rows(_rows(con, path))
        limits.check_memory(_size(con, path, types))
        frame = con.sql(f"SELECT {_selected(types)} FROM {parquet([path])}").df()
    return frame, np.arange(1, len(frame) + 1), Rejects()


def _selected(types):
    """The columns; pandas is given instants of nanoseconds without a zone, and days as times: the
    first are cast to microseconds, the others stay days, as text."""
    casts = {"TIMESTAMPTZ_NS": "::TIMESTAMPTZ", "DATE": "::VARCHAR"}
    return ", ".join(
        f"{identifier(c)}{casts[t]} AS {identifier(c)}" if t in casts else identifier(c)
        for c, t in types.items()
    )


def _rows(con, path):
    "Rows by the footer."
    told = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({source(path)})")
    return told.fetchall()[0][0] or 0


def _size(con, path, types):
    """About how many bytes the rows take in memory, measured row group by row group: a small file
    can hold one long text a million times."""
    texts = [c for c, t in types.items() if not _is_plain(t)]
    rows = _rows(con, path)
    size = rows * 16 * len(types)
    if texts:
        lengths = "+".join(f"coalesce(sum(strlen({identifier(c)}::VARCHAR)), 0)" for c in texts)
        length = con.execute(f"SELECT {lengths} FROM {parquet([path])}").fetchall()[0][0]
        size += int(length) + 100 * rows * len(texts)
    return 2 * size


def _is_plain(kind):
    "Whether the values of a type are of one size."
    return (
        kind in ("BOOLEAN", "FLOAT", "DOUBLE", "DATE")
        or kind.endswith(("INT", "INTEGER"))
        or (kind.startswith(("TIME", "DECIMAL")) and not kind.endswith("]"))
    )
