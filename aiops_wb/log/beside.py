"""Where a snapshot finds the day files: in the folder that it is opened in, wherever that stands.

A data folder may be moved, copied or restored somewhere else, so no view holds the path of the
folder that it was made in. A reader of this package names the folder (`SET VARIABLE`); whoever
opens a snapshot with DuckDB alone need not: DuckDB keeps its temporary files beside the database,
and says where. Where that tells nothing, because the snapshot is attached to another database, or
could mean two folders, because two copies of it are open, a query is refused.
"""

from collections.abc import Iterable
from pathlib import Path

import duckdb

from .duck import identifier, literal, spelt

__all__ = ["VARIABLE", "beside", "name_folder", "no_other_copy"]

VARIABLE = "aiops_data"
"The variable of a connection that names the data folder."

_BETWEEN = "|"  # in no path of a day file
_SET = f"SET VARIABLE {VARIABLE} = '/the/data/folder'"


def name_folder(con: duckdb.DuckDBPyConnection, root: Path) -> None:
    "Tell a connection which folder the views of its snapshot are about."
    con.execute(f"SET VARIABLE {VARIABLE} = {literal(spelt(Path(root).resolve()))}")


def beside(paths: Iterable[str], snapshot: str) -> str:
    "A read_parquet call over files of the log, as the view of a snapshot (by its name) holds it."
    # one text: of 8,000 DuckDB makes a list sixty times as fast as it reads a list of them
    files = f"string_split({literal(_BETWEEN.join(paths))}, {literal(_BETWEEN)})"
    # brackets are what DuckDB reads as itself, where a character stands for others
    folder = f"regexp_replace({_folder(snapshot)}, '([\\[*?])', '[\\1]', 'g')"
    listed = f"list_transform({files}, lambda file: {folder} || file)"
    return f"read_parquet({listed}, union_by_name=true, hive_partitioning=false)"


def _folder(snapshot):
    "The folder with a slash at its end, as SQL; a sentence where there is none to be known."
    temporary = "current_setting('temp_directory')"
    place = literal(f"^(.*/)?(snapshots/{snapshot}|aiops)\\.duckdb\\.tmp$")
    told = f"{_SET} says where the rows of this snapshot are; without it: ".replace("'", "''")
    return (
        f"coalesce(getvariable('{VARIABLE}') || '/', CASE WHEN regexp_matches({temporary}, {place})"
        f" THEN regexp_extract({temporary}, {place}, 1) END, '{told}')"
    )


def no_other_copy(snapshot: str, columns: Iterable[str]) -> str:
    """A query without rows that is refused while two copies of a snapshot are open and nobody has
    said which one is meant; nothing of it is left in a plan where somebody has."""
    refused = f"error({literal(f'two copies of this snapshot are open: {_SET} says which')})"
    # each column refuses: a condition on one may be asked before all others, or alone
    each = (f"{refused} AS {identifier(name)}" for name in columns)
    nobody = f"getvariable('{VARIABLE}') IS NULL"
    file = literal(f"/(snapshots/{snapshot}|aiops)\\.duckdb$")
    return f"""
        SELECT {", ".join(each)}
        FROM (SELECT count(*) AS copies FROM duckdb_databases()
              WHERE {nobody} AND regexp_matches(path, {file}))
        WHERE {nobody} AND copies > 1 AND {refused} IS NULL"""
