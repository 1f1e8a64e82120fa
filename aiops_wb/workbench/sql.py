"""SQL on the newest snapshot, which may read the log and nothing else.

The snapshot is attached read-only to a database in memory that is locked before the first query:
it opens no file but the day files of the log, attaches, installs and writes nothing, and no setting
of it can be changed any more. Only one statement that selects is taken. So much holds against
accidents and curious queries; it is no wall between users: whoever may ask here may read the files
of the log by other means.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from ..config import Settings
from ..log.beside import name_folder
from ..log.duck import connect, identifier, literal, source, spelt, statements, target
from ..log.errors import StoreError, raise_if_interrupted
from ..log.names import nearest
from ..log.reading import Limits
from .published import newest

__all__ = ["Found", "Questions", "questions"]


_READ_ONLY = "a snapshot is read-only, and nothing is written from it"


class Found(NamedTuple):
    "Rows of a query, in order; `more`: there are others, which were not asked for."

    columns: list[str]
    rows: list[tuple]
    more: bool


class Questions:
    "The newest snapshot, or the days of it that were named, for SQL that selects."

    def __init__(self, con: duckdb.DuckDBPyConnection):
        self._con = con

    def frame(self, sql: str) -> pd.DataFrame:
        "The rows of a query as a frame; StoreError in one sentence where it cannot be answered."
        return self._asked(sql, lambda asked: asked.df())

    def rows(self, sql: str, limit: int | None = None) -> Found:
        "The first rows of a query (None: all), as tuples."

        def read(asked):
            names = [column[0] for column in asked.description]
            told = asked.fetchall() if limit is None else asked.fetchmany(limit + 1)
            return Found(names, told[:limit], limit is not None and len(told) > limit)

        return self._asked(sql, read)

    @property
    def tables(self) -> list[str]:
        "Names of tables and views, by name."
        names = self._con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'snapshot' "
            "UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        return sorted({name for (name,) in names})

    def _asked(self, sql, read):
        try:
            return read(self._con.execute(_one_that_selects(sql)))
        except duckdb.Error as error:
            raise StoreError(self._sentence(error, sql)) from None
        except RuntimeError as error:
            raise_if_interrupted(error)
            raise

    def _sentence(self, error, sql) -> str:
        "What is wrong with a query, and which name was meant."
        text = str(error)
        for pattern, what in _UNKNOWN:
            if found := re.search(pattern, text):
                known = self._known(what, text, sql)
                return f"there is no {what} {found[1]!r}{nearest(found[1], known)}"
        if "read-only mode" in text:
            return f"a statement in it writes, and {_READ_ONLY}."
        if isinstance(error, duckdb.ParserException):
            return f"the query cannot be read: {_plain(text)}"
        if "file system operations are disabled" in text:
            return "a query reads the log, and no other file: its tables are named without a path."
        if gone := re.search(r'No files found that match the pattern "(.+)"', text):
            return f"{gone[1]} is missing: 'aiops-wb status' says more."
        if isinstance(error, duckdb.OutOfMemoryException):
            return "the query needs more memory than memory_limit allows: ask for fewer days."
        return _plain(text)

    def _known(self, what, text, sql) -> list[str]:
        if what == "table":
            return self.tables
        named = re.search(r"Candidate (?:bindings|Entries): (.*)", text)
        told = re.findall(r'"((?:[^"]|"")+)"', named[1]) if named else []
        return told or self._columns(sql)

    def _columns(self, sql) -> list[str]:
        "Columns of the tables that a query speaks of."
        known = []
        for table in sorted({*re.findall(r"\w+", sql)} & {*self.tables}):
            about = f"DESCRIBE SELECT * FROM {identifier(table)}"
            known += [row[0] for row in self._con.execute(about).fetchall()]
        return known


_UNKNOWN = (
    (r'Referenced column "(.+?)" (?:not found|was not found)', "column"),
    (r'does not have a column named "(.+?)"', "column"),
    (r'Could not find key "(.+?)" in struct', "feature"),
    (r"Table with name (.+?) does not exist", "table"),
)
"What DuckDB says of a name that it does not know, and what that would be a name of."


def _plain(text):
    "What DuckDB says, in one line: without its kind of error, and without the place."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not re.match(r"LINE \d|\^", line)][:2]
    told = re.sub(r"^[A-Z][\w ]* Error: ", "", " ".join(said)).strip()
    return told if told.endswith((".", "?", "!")) else f"{told}."


def _one_that_selects(sql: str) -> str:
    """The query itself; StoreError where it is none, several, or one that does more than select:
    also EXPLAIN, which runs what it explains where it is told to."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise StoreError("the query is no text in UTF-8.") from None
    found = duckdb.extract_statements(sql)
    if not found:
        raise StoreError("there is no query: write one such as SELECT count(*) FROM predictions.")
    if len(found) > 1:
        raise StoreError(f"{len(found)} statements are given: one query is asked at a time.")
    if found[0].type != duckdb.StatementType.SELECT:
        kind = found[0].type.name.replace("_", " ")
        raise StoreError(
            f"{kind} is not allowed: {_READ_ONLY}; a query begins with SELECT, FROM, WITH, SHOW, "
            "DESCRIBE or SUMMARIZE."
        )
    return sql


@contextmanager
def questions(
    settings: Settings, first: date | None = None, last: date | None = None
) -> Iterator[Questions]:
    """The newest snapshot of a data folder, for SQL; closed at the end.

    With days from `first` to `last`, `predictions`, `outcomes` and the views over them have the
    rows of these days, and no file of another day is opened; counts and other tables are whole.
    StoreError where there is no snapshot.
    """
    if first and last and first > last:
        raise StoreError(f"the first day, {first}, is after the last, {last}.")
    folder = settings.data
    with newest(folder, settings.spool)[1] as reader:
        path = _database(reader.con)
        rows = reader.rows_of_days(first, last) if first or last else {}
        con = _attached(path, folder, rows, Limits.of(settings).memory)
    try:
        yield Questions(con)
    finally:
        con.close()


def _database(con) -> str:
    "The file of an open snapshot."
    query = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    return con.execute(query).fetchall()[0][0]


def _attached(path: str, folder: Path, rows: dict[str, str], memory: int):
    "A database in memory with the snapshot of a folder, which can only be read from now on."
    con = connect(":memory:")
    try:
        name_folder(con, folder)
        con.execute(f"ATTACH {target(path)} AS snapshot (READ_ONLY); USE snapshot")
        for kind, sql in rows.items():
            con.execute(f"CREATE TEMP VIEW {kind} AS {sql}")
        for sql in statements("views.sql").values() if rows else ():
            con.execute(sql.replace("CREATE VIEW", "CREATE TEMP VIEW"))
        con.execute(f"SET memory_limit = '{memory:d}MB'")
        for name, value in _locks(path, folder).items():
            con.execute(f"SET {name} = {value}")
    except BaseException:
        con.close()
        raise
    return con


def _locks(path: str, folder: Path) -> dict[str, Any]:
    "Settings that take from a connection what it does not need, in order; the last is for good."
    log = folder.resolve() / "log"
    # DuckDB asks for a file as it is spelt for its readers, and then as it is called
    names = {source(log)[:-1] + "/'", literal(f"{spelt(log)}/")}
    return {
        "temp_directory": literal(f"{path}.tmp"),  # as of any other reader
        "allowed_directories": f"[{', '.join(sorted(names))}]",
        "python_enable_replacements": "false",  # no variable of a program is a table
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "allow_community_extensions": "false",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
