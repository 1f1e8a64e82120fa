"""Day files that have the same columns: views over many read what columns there are in one of each
sort, and open no file of another day than those that are asked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from .base import Writing
from .beside import beside
from .duck import schemas, spelt
from .gone import GoneReads

__all__ = ["ALIKE", "AlikeFiles", "shapes"]

ALIKE = 50
"So many files alike are read as one of them is; of fewer all are opened, which costs little."


class AlikeFiles(GoneReads, Writing):
    "What columns day files have, looked up once."

    def note_shapes(self) -> None:
        "Look at the ends of day files that nobody has looked at yet."
        known = "ANTI JOIN file_shapes USING (path, bytes)"
        new = self._rows(f"SELECT DISTINCT path, bytes FROM data_files {known} ORDER BY ALL")
        gone = {file.path for file in self.gone(closely=False)} if new else set()
        there = {spelt(self.root / path): path for path, _ in new if path not in gone}
        if not there:
            return
        self._write(
            f"""
            INSERT INTO file_shapes
            SELECT path, bytes, shape
            FROM (SELECT unnest($places::VARCHAR[]) AS place, unnest($paths::VARCHAR[]) AS path)
            JOIN ({shapes(there)}) USING (place)
            JOIN (SELECT DISTINCT path, bytes FROM data_files) USING (path)""",
            {"places": list(there), "paths": list(there.values())},
        )

    def rows_of_files(self, kind: str, paths: Sequence[str], snapshot: str) -> str:
        """The rows of day files, as the view of a snapshot holds them: many that are alike by
        themselves, all others merged by the names of their columns."""
        whole, apart = beside(paths, snapshot), self._apart(kind, set(paths))
        if not apart:
            return whole
        alike = {path for files in apart for path in files}
        rest = [path for path in paths if path not in alike]
        parts = [beside(files, snapshot, alike=True) for files in apart]
        parts += [beside(rest, snapshot)] if rest else []
        each = (f"SELECT * FROM {part}" for part in parts)
        together = f"({' UNION ALL BY NAME '.join(each)})"
        # what all of them would be together, by one of each sort
        few = beside([*(files[0] for files in apart), *rest], snapshot)
        return together if self._columns(together) == self._columns(few) else whole

    def _apart(self, kind, paths):
        "Those of some files of known days of which there are many alike, in lists."
        found = {}
        for path, shape in self._rows(
            """
            SELECT DISTINCT path, shape
            FROM data_files JOIN file_shapes USING (path, bytes)
            WHERE kind = $kind AND event_date IS NOT NULL ORDER BY path""",
            {"kind": kind},
        ):
            if path in paths:
                found.setdefault(shape, []).append(path)
        return [files for files in found.values() if len(files) >= ALIKE]

    def _columns(self, rows):
        "Names and types of the columns of rows (SQL)."
        return sorted(row[:2] for row in self._rows(f"DESCRIBE SELECT * FROM {rows}"))


def shapes(places: Iterable[str | Path], closely: bool = True) -> str:
    """The columns of Parquet files, in their order, as a digest, as SQL: place, shape. `closely`:
    with how they are written, which differs where a value is missing; else what is read."""
    told = "name, duckdb_type, num_children"
    if closely:
        told = "name, duckdb_type, type, type_length, repetition_type, num_children, logical_type"
    return f"""
        SELECT file_name AS place,
               md5(string_agg(concat_ws(' ', {told}), ',' ORDER BY column_id)) AS shape
        FROM {schemas(places)} GROUP BY file_name"""
