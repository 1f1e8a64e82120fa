"""DuckDB: connections as this project wants them, names and paths as SQL, the files of `sql/`."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

import duckdb

__all__ = ["connect", "session", "literal", "identifier", "parquet", "statements", "migrations"]


def connect(
    path: str | Path, read_only: bool = False, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection whose session runs in UTC and draws no progress bar.

    DuckDB draws one on standard output, even of a program that nobody watches.
    """
    config = {} if threads is None else {"threads": threads}
    return session(duckdb.connect(str(path), read_only=read_only, config=config))


def session(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    "A connection or a cursor, with the settings of every session."
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    return con


def literal(value) -> str:
    "A SQL string literal."
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    "A SQL identifier."
    return '"' + name.replace('"', '""') + '"'


def parquet(paths: Iterable[str | Path], **options) -> str:
    "A read_parquet call over files, merged by column name."
    listed = ", ".join(literal(path) for path in paths)
    extra = "".join(f", {k}={'true' if v is True else v}" for k, v in options.items())
    return f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{extra})"


@cache
def statements(name: str) -> dict[str, str]:
    "The named statements of one SQL file, in order."
    text = package_files("aiops_wb.sql").joinpath(name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2])))


def migrations() -> list[tuple[int, str, str]]:
    "Version, name and text of each migration, ascending."
    folder = package_files("aiops_wb.sql")
    numbered = [path for path in folder.iterdir() if re.match(r"\d{4}_.*\.sql$", path.name)]
    return sorted(
        (int(path.name[:4]), path.name[5:-4], path.read_text(encoding="utf-8")) for path in numbered
    )
