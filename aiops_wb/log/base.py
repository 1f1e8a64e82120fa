"""What every part of a reader and of the store stands on: a connection, and rows in and out."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from .beside import name_folder
from .duck import session
from .durable import fsync, write_durably
from .known import Known

__all__ = [
    "LEAST_MEMORY",
    "WRITING",
    "Connected",
    "Writing",
    "as_rows",
    "conditions",
    "known_by",
    "moment",
    "unpublished",
]

LEAST_MEMORY = 128
"MB without which a query has no room to begin."
_UNPUBLISHED = "unpublished"
WRITING = "writing.json"
"What stands beside the catalog while day files are written that no commit knows of yet."
_OPERATORS = {"le": "<=", "ge": ">="}
_WRITTEN = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")


def conditions(**values) -> tuple[str, dict[str, Any]]:
    """A WHERE clause and its parameters; values that are None are left out.

    Keys: column, column__le, column__ge; column__in with batches that were known; column__null,
    of which True says that it is missing.
    """
    kept, terms = {}, []
    for key, value in values.items():
        column, _, operator = key.partition("__")
        if isinstance(value, Known):
            terms.append(value.sql(column))
        elif operator == "null" and value is not None:
            terms.append(f"{column} IS {'' if value else 'NOT '}NULL")
        elif value is not None:
            terms.append(f"{column} {_OPERATORS.get(operator, '=')} ${key}")
            kept[key] = value
    return (" WHERE " + " AND ".join(terms) if terms else ""), kept


def moment(at: datetime | None) -> tuple:
    "A time as part of a question: when clocks go back, an hour is there twice."
    return at, getattr(at, "fold", 0)


def as_rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    "Some columns of a frame as rows; what is missing is None."
    known = frame[list(columns)].astype(object)
    return known.where(known.notna(), None).to_dict("records")


def known_by(at: datetime, as_of: datetime | None) -> bool:
    "Whether what happened at a time is known at another; one without a zone is one of UTC."
    if as_of is None:
        return True
    return at <= (as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC))


def unpublished(root: str | Path) -> bool:
    "Whether something was, or may have been, written in a folder since its last snapshot."
    return (Path(root) / _UNPUBLISHED).exists()


class Connected:
    "A connection to a catalog or to a snapshot of it, and the folder that its files stand in."

    def __init__(self, con: duckdb.DuckDBPyConnection, root: Path, spool: Path | None = None):
        self.con, self.root = con, Path(root)
        self.spool = Path(spool or self.root / "spool")
        name_folder(con, self.root)
        self._kept = {}  # (table, part of it) -> question -> its answer, until that is written to

    def close(self) -> None:
        "Close the connection."
        self.con.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        "A further connection to the same database, with temporary tables of its own."
        con = session(self.con.cursor())
        name_folder(con, self.root)
        return con

    def limit_memory(self, mb: int) -> None:
        "Queries of this database take no more memory (MB) from now on; what is more goes to disk."
        self.con.execute(f"SET memory_limit = '{max(LEAST_MEMORY, mb):d}MB'")

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        "The rows of a query."
        return self.con.execute(sql, parameters or {}).df()

    def _rows(self, sql, parameters=None):
        "The rows of a query as tuples."
        return self.con.execute(sql, parameters or {}).fetchall()

    def _column(self, sql, parameters=None):
        "The only column of a query."
        return [value for (value,) in self._rows(sql, parameters)]

    def _value(self, sql, parameters=None):
        "The first value of a query, None when it has no rows."
        rows = self._rows(sql, parameters)
        return rows[0][0] if rows else None

    def _until_written(self, table, question, answer, part=None):
        """An answer that is asked for again and again and rests on one table alone, or on a part
        of it. It is one object for all who ask: nobody changes it.
        """
        kept = self._kept.setdefault((table, part), {})
        if question not in kept:
            kept[question] = answer()
        return kept[question]

    @cached_property
    def timezone(self) -> str:
        "The zone whose calendar days are the days of this log."
        return self._value("SELECT value FROM workbench WHERE key = 'timezone'")


class Writing(Connected):
    "Rows into the catalog, all or nothing."

    _marked = False  # whether the mark is known to be there
    _within = False  # whether a transaction is open: an act inside another is part of it
    _alone = False  # whether queries run on one thread
    _files_begun = False  # whether files are written that no commit knows of yet

    @contextmanager
    def transaction(self):
        "All or nothing; inside another transaction a part of that one."
        if self._within:
            yield
            return
        self._will_write()
        self.con.execute("BEGIN")
        self._within = True
        try:
            yield
            self.con.execute("COMMIT")
            self._files_are_known()
        except BaseException:
            with suppress(duckdb.Error):  # the database may have ended it already
                self.con.execute("ROLLBACK")
            self._kept.clear()  # what was asked of rows that are gone
            raise
        finally:
            self._within = False

    @property
    def unpublished(self) -> bool:
        "Whether something was, or may have been, written since the last snapshot."
        return unpublished(self.root)

    def _will_write(self):
        "A mark beside the catalog until the next snapshot, which a stopped process leaves."
        if not self._marked:
            (self.root / _UNPUBLISHED).touch()
            fsync(self.root)  # on the disk before what it speaks of
            self._marked = True

    def _is_published(self):
        (self.root / _UNPUBLISHED).unlink(missing_ok=True)
        self._marked = False

    def begin_files(self, batch: int, sources: Iterable[Path]) -> None:
        """Note, before day files of a batch are written, which batch that is and what its
        rows come from: until they are committed it tells an interrupted writer's files from those
        of a catalog that was lost. What lies in the folder is told as it lies there: a copy of the
        folder has its own."""
        root = self.root.resolve()
        places = ((p.parent.resolve() / p.name) for p in sources)
        told = [str(p.relative_to(root) if p.is_relative_to(root) else p) for p in places]
        told = {"batch": batch, "from": told}
        write_durably(self.root / WRITING, json.dumps(told))
        self._files_begun = True

    def _files_are_known(self):
        "Day files that were begun are committed: nothing in the spool is removed before this."
        if self._files_begun:
            (self.root / WRITING).unlink()
            fsync(self.root)
            self._files_begun = False

    @contextmanager
    def one_thread(self):
        "Many small queries cost a third less on one thread."
        if self._alone:
            yield
            return
        self.con.execute("SET threads = 1")
        self._alone = True
        try:
            yield
        finally:
            self.con.execute("RESET threads")
            self._alone = False

    def _write(self, sql, parameters=None, part=None):
        "Run what changes the catalog: one table, or no more than a part of it."
        self._will_write()
        self.con.execute(sql, parameters or {})
        written = _WRITTEN.match(sql)[1]
        for table, of in list(self._kept):
            if table == written and (part is None or of in (None, part)):
                del self._kept[table, of]

    def _insert(self, table, frame):
        self.con.register("incoming", frame)
        self._write(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        self.con.unregister("incoming")
