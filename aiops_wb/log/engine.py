"""What counts the rows of day files: DuckDB in this process, or Spark on the same files.

An engine is asked in the plain SQL of `sql/reductions.sql`, over day files that it is named and
over small tables of the catalog, and hands back counts: they become a table beside the catalog, and
everything above them is the same whoever counted. Rows that are asked for it writes itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import duckdb

from .duck import connect, identifier, literal, parquet, schemas, spelt, target
from .features import stored_types
from .schema import EMPTY

__all__ = ["HELD", "DuckEngine", "Engine", "Query", "Rows", "of_one_type", "together"]

HELD = 50_000
"Rows that a thread holds before it hands them to files: DuckDB's 524,288 are GB of memory."


class Rows(NamedTuple):
    "Rows of day files, as a relation."

    kind: Literal["predictions", "outcomes"]
    files: Sequence[Sequence[str]]  # as the catalog names them; those of a group have like types
    columns: Sequence[str]
    features: Mapping[str, str] = {}  # name in the relation -> feature, which each group stores
    sparse: bool = False  # a file may lack some of the columns
    whole: bool = False  # and `features` as they are stored, alike in all files


class Query(NamedTuple):
    "A question to an engine."

    rows: Mapping[str, Rows]  # relation -> day files
    told: Mapping[str, str]  # relation -> a few rows of the catalog, in its own SQL
    steps: Mapping[str, str]  # relation -> plain SQL over those before it; the last one is asked

    def sql(self, before: Sequence[str] = ()) -> str:
        "The steps as one statement, behind relations (SQL) that are defined `before`."
        *first, last = self.steps.items()
        named = [*before, *(f"{name} AS (\n{sql})" for name, sql in first)]
        return f"WITH {', '.join(named)}\n{last[1]}" if named else last[1]


class Engine(Protocol):
    "What counts."

    name: str
    together: int  # rows that are counted in one query
    elsewhere: bool  # files are read from another place than the data folder

    def count(self, con: duckdb.DuckDBPyConnection, into: str, query: Query) -> None:
        "Ask, and keep the answer as a temporary table of the catalog's connection."

    def write(self, con: duckdb.DuckDBPyConnection, folder: str, query: Query, by: str) -> None:
        """Ask, and write the answer as Parquet below a new folder of the data folder: into a folder
        `by=VALUE` for each value of a column, which the files do not hold."""

    def features(self, path: str) -> dict[str, str]:
        "The features that a file stores and their types, as DuckDB calls them."

    def close(self) -> None:
        "End what was begun for it."


class DuckEngine:
    "DuckDB, on the connection of the catalog; a day is one of `zone`."

    name = "duckdb"
    together = 2_000_000
    elsewhere = False

    def __init__(self, root: str | Path, zone: str) -> None:
        self.root, self.zone = Path(root), zone

    def count(self, con: duckdb.DuckDBPyConnection, into: str, query: Query) -> None:
        "Ask, and keep the answer as a temporary table."
        self._in_zone(con, f"CREATE OR REPLACE TEMP TABLE {into} AS {self._asked(query)}")

    def write(self, con: duckdb.DuckDBPyConnection, folder: str, query: Query, by: str) -> None:
        "Ask, and write the answer."
        place = self.root / folder
        place.mkdir(parents=True)
        con.execute(f"SET partitioned_write_flush_threshold = {HELD}")
        self._in_zone(
            con,
            f"""
            COPY ({self._asked(query)}) TO {target(place)} (
                FORMAT parquet, PARTITION_BY ({by}), FILENAME_PATTERN '{{uuid}}')""",
        )

    def _asked(self, query):
        named = [f"{name} AS (\n{self._read(rows)})" for name, rows in query.rows.items()]
        return query.sql([*named, *(f"{name} AS (\n{sql})" for name, sql in query.told.items())])

    def _in_zone(self, con, sql):
        con.execute(f"SET TimeZone = {literal(self.zone)}")
        try:
            con.execute(sql)
        finally:
            con.execute("SET TimeZone = 'UTC'")

    def _read(self, rows):
        paths = [self.root / path for group in rows.files for path in group]
        if not paths:
            return EMPTY[rows.kind]
        features = [f"features.{identifier(f)} AS {name}" for name, f in rows.features.items()]
        features += ["features"] if rows.whole else []
        found = parquet(paths)
        if rows.sparse:
            found = f"(SELECT * FROM {found} UNION ALL BY NAME {EMPTY[rows.kind]})"
        return f"SELECT {', '.join([*rows.columns, *features])} FROM {found}"

    def features(self, path: str) -> dict[str, str]:
        "The features that a file stores and their types."
        with connect(":memory:") as con:
            return stored_types(con, parquet([self.root / path]))

    def close(self) -> None:
        "Nothing was begun."


def of_one_type(
    con: duckdb.DuckDBPyConnection, root: Path, paths: Sequence[str]
) -> list[tuple[list[str], dict[str, str]]]:
    """Files in groups of which no two store a feature as different types, each with the features
    and their types (as DuckDB calls them); files without features are a group of their own."""
    told = con.execute(
        f"""
        SELECT file_name, any_value(duckdb_type)
        FROM {schemas(root / path for path in paths)}
        WHERE name = 'features' AND duckdb_type LIKE 'STRUCT%' GROUP BY file_name"""
    ).fetchall()
    stored, alike = dict(told), {}
    for path in paths:
        alike.setdefault(stored.get(spelt(root / path)), []).append(path)
    return together(alike.values(), lambda path: stored_types(con, parquet([root / path])))


def together(
    alike: Iterable[list[str]], types_of: Callable[[str], dict[str, str]]
) -> list[tuple[list[str], dict[str, str]]]:
    "The same of files that are known to be alike in lists: of each list one file is asked."
    groups = []
    for some in alike:
        types = types_of(some[0])
        for files, known in groups:
            if types and known and all(known.get(f, t) == t for f, t in types.items()):
                files += some
                known |= types
                break
        else:
            groups.append((some, types))
    return groups
