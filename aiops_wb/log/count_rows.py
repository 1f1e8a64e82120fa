"""Score counts of days as rows: of every version, and of every site or tenant, in one read."""

from datetime import date, datetime
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ..stats.points import Grid
from .batches import BatchReads
from .counts import require_one_grid

__all__ = ["By", "CountRowReads", "CountRows"]

By = Literal["", "site", "tenant"]
"Of what rows are: of all events together, of each site beside that, of each tenant."


class CountRows(NamedTuple):
    "Rows of counts; those of sites are on the coarse grid, and of events with a site alone."

    versions: tuple[str, ...]
    names: tuple[str, ...]  # of sites or tenants
    day: np.ndarray  # (k,) days since the first that was asked for
    version: np.ndarray  # (k,) place in `versions`
    name: np.ndarray  # (k,) place in `names`
    points: np.ndarray  # (k,)
    counts: np.ndarray  # (3, k) events, those with a label, positive ones
    grid: Grid

    def between(self, first: int, last: int, version: str | None = None) -> "CountRows":
        "Rows of some of the days (both included), counted from the first, of a version or all."
        kept = (self.day >= first) & (self.day <= last)
        if version is not None:
            kept &= np.array(self.versions, dtype=object)[self.version] == version
        versions, placed = _left(self.versions, self.version[kept])
        names, named = _left(self.names, self.name[kept])
        columns = self.points[kept], self.counts[:, kept], self.grid
        return CountRows(versions, names, self.day[kept] - first, placed, named, *columns)


class CountRowReads(BatchReads):
    "Score counts as rows."

    def count_rows(
        self, model: str, start: date, end: date, by: By = "", as_of: datetime | None = None
    ) -> tuple[CountRows, CountRows]:
        """Counts of the days from start to end, by day, version and points: of all events (of each
        tenant, where that is asked for), and of each site (without rows unless asked for)."""
        where, values = self._between(model, start, end, as_of)
        where += "" if by == "site" else " AND segment = ''"
        rows = self.con.execute(
            f"""
            SELECT (event_date - $first::DATE)::INTEGER AS day, version, grid,
                   {"tenant" if by == "tenant" else "segment"} AS name, segment <> '' AS part,
                   points, sum(n)::INTEGER AS n,
                   sum(n_labelled)::INTEGER AS n_labelled, sum(n_positive)::INTEGER AS n_positive
            FROM score_counts{where}
            GROUP BY ALL
            HAVING sum(n) <> 0
            ORDER BY ALL""",
            values | {"first": start},
        ).fetchnumpy()
        rows = {name: np.asarray(column) for name, column in rows.items()}
        part = rows["part"].astype(bool)
        return _rows(model, rows, ~part), _rows(model, rows, part)


def _rows(model, rows, kept):
    "Some rows of a query."
    rows = {name: column[kept] for name, column in rows.items()}
    grids, _ = _coded(rows["grid"])
    require_one_grid(model, grids)
    versions, version = _coded(rows["version"])
    names, name = _coded(rows["name"])
    names = tuple(n.removeprefix("site=") for n in names)
    day, points = (rows[c].astype(np.int64) for c in ("day", "points"))
    counts = np.array([rows[c] for c in ("n", "n_labelled", "n_positive")], dtype=np.float64)
    grid = Grid.parse(grids[0]) if grids else Grid()
    return CountRows(versions, names, day, version, name, points, counts, grid)


def _left(names, places):
    "The names that are left, and the place of each row among them."
    left, places = np.unique(places, return_inverse=True)
    return tuple(names[i] for i in left), places


def _coded(words):
    "The distinct words in order, and the place of each among them."
    places, known = pd.factorize(words, sort=True)
    return tuple(map(str, known)), places
