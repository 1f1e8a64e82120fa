"""DuckDB: connections as this project wants them, names and paths as SQL, the files of `sql/`."""

import os
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

import duckdb

from .errors import StoreError

__all__ = [
    "connect",
    "session",
    "literal",
    "identifier",
    "spelt",
    "source",
    "target",
    "parquet",
    "footers",
    "schemas",
    "statements",
    "migrations",
]


def connect(
    path: str | Path, read_only: bool = False, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection whose session runs in UTC and draws no progress bar.

    DuckDB draws one on standard output, even of a program that nobody watches.
    """
    config = {} if threads is None else {"threads": threads}
    database = path if path == ":memory:" else spelt(_takeable(path))
    return session(duckdb.connect(database, read_only=read_only, config=config))


def session(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    "A connection or a cursor, with the settings of every session."
    con.execute(
        # to plan how a latest row is fetched late costs more than fetching it
        "SET TimeZone = 'UTC'; SET enable_progress_bar = false; "
        "SET disabled_optimizers = 'late_materialization'"
    )
    return con


def literal(value) -> str:
    "A SQL string literal."
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    "A SQL identifier."
    return '"' + name.replace('"', '""') + '"'


def spelt(path: str | Path) -> str:
    """A path as DuckDB is told it and as it tells it again (`filename`): the beginning of a
    relative one is neither a home nor a scheme. StoreError when DuckDB cannot be told it."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"{os.fsencode(text)!r} is not UTF-8: the database cannot open it; rename it."
        ) from None
    first = text.partition("/")[0]
    return f"./{text}" if first.startswith("~") or ":" in first else text


def _takeable(path):
    "A path that DuckDB can write to: StoreError for the two characters that it reads otherwise."
    for character in ("?", "\\"):
        if character in str(path):
            raise StoreError(
                f"{path} cannot hold a database: {character!r} in a path means something else to "
                "DuckDB; rename the folder."
            )
    return path


def source(path: str | Path) -> str:
    """A file as an argument of DuckDB's readers, in SQL: no character of its path stands for
    others.

    Brackets are the only escape that the readers know; StoreError where they know none.
    """
    text = spelt(path)
    escaped = re.sub(r"([\[*?])", r"[\1]", text)
    if escaped != text and "\\" in text:
        raise StoreError(f"{path} cannot be read: its path has a backslash beside a pattern.")
    return literal(escaped)


def target(path: str | Path) -> str:
    "A file or folder that DuckDB is to write or to attach, in SQL: such a path is no pattern."
    return literal(spelt(_takeable(path)))


def parquet(paths: Iterable[str | Path], **options) -> str:
    "A read_parquet call over files, merged by column name."
    extra = "".join(f", {k}={'true' if v is True else v}" for k, v in options.items())
    return f"read_parquet({_list(paths)}, union_by_name=true, hive_partitioning=false{extra})"


def footers(paths: Iterable[str | Path]) -> str:
    "A call that reads what the footers of Parquet files tell of each column, in SQL."
    return f"parquet_metadata({_list(paths)})"


def schemas(paths: Iterable[str | Path]) -> str:
    "A call that reads what the ends of Parquet files tell of their columns, in SQL."
    return f"parquet_schema({_list(paths)})"


def _list(paths):
    return f"[{', '.join(map(source, paths))}]"


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
