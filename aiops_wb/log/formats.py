"""Reading what others deliver: CSV, JSON lines, Parquet."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from .duck import connect, literal, parquet
from .errors import StoreError

__all__ = ["SUFFIXES", "read_delivery"]

_REJECTS = ["line", "reason", "raw"]


def _read_csv(path):
    with connect(":memory:") as con:
        frame = con.execute(
            f"""
            SELECT * FROM read_csv(
                {literal(path)}, all_varchar=true, header=true, store_rejects=true)"""
        ).df()
        bad = con.execute(
            """
            SELECT line, any_value(error_message) AS reason, any_value(csv_line) AS raw
            FROM reject_errors
            GROUP BY line
            ORDER BY line"""
        ).df()
    numbered = np.setdiff1d(np.arange(2, len(frame) + len(bad) + 2), bad.line)
    return frame, numbered[: len(frame)], bad.assign(reason=bad.reason.str.split("\n").str[0])


def _read_jsonl(path):
    rows, lines, bad = [], [], []
    with open(path, encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                rows.append(_json_object(line))
                lines.append(number)
            except ValueError as error:
                bad.append((number, f"not a line of JSON: {error}", line.rstrip("\n")))
    frame = pd.DataFrame(rows, dtype=object)
    return frame, np.array(lines, dtype=np.int64), pd.DataFrame(bad, columns=_REJECTS)


def _json_object(line):
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("not an object")
    return row


def _read_parquet(path):
    with connect(":memory:") as con:
        relation = con.sql(f"FROM {parquet([path])}")
        for column, kind in zip(relation.columns, map(str, relation.types)):
            naive = kind.startswith("TIMESTAMP") and "TIME ZONE" not in kind
            if naive and column in ("predicted_at", "observed_at"):
                raise StoreError(
                    f"{path.name}: column {column} holds timestamps without an offset; "
                    "store it as a timestamp with time zone."
                )
        frame = relation.df()
    return frame, np.arange(1, len(frame) + 1), pd.DataFrame(columns=_REJECTS)


_READERS = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
}
SUFFIXES = tuple(_READERS)
"How the name of a delivered file ends."


def read_delivery(path: Path) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """A file's rows as they stand there, the line of each, and what is no row: line, reason, raw.

    StoreError when the file cannot be read at all.
    """
    if path.suffix not in _READERS:
        raise StoreError(f"{path.name}: files must end in {', '.join(SUFFIXES)}.")
    try:
        return _READERS[path.suffix](path)
    except (duckdb.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(f"{path.name} cannot be read: {str(error).splitlines()[0]}.") from None
