"""Score counts of days as rows: of every version, and of every site or tenant, in one read."""

from datetime import date, datetime
from typing import Literal, NamedTuple

import numpy as np

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
        left = self.of(kept)
        return left._replace(day=left.day - first)

    def of(self, kept: np.ndarray) -> "CountRows":
        "Some of the rows (k,), and the versions and names that are left."
        versions, version = _left(self.versions, self.version[kept])
        names, name = _left(self.names, self.name[kept])
        columns = self.points[kept], self.counts[:, kept], self.grid
        return CountRows(versions, names, self.day[kept], version, name, *columns)


class CountRowReads(BatchReads):
    "Score counts as rows."

    def count_rows(
        self, model: str, start: date, end: date, by: By = "", as_of: datetime | None = None
    ) -> tuple[CountRows, CountRows]:
        """Counts of the days from start to end, by day, version and points: of all events (of each
        tenant, where that is asked for), and of each site (without rows unless asked for)."""
        where, values = self._between(model, start, end, as_of)
        where += "" if by == "site" else " AND segment = ''"
        name = "tenant" if by == "tenant" else "segment"
        known = self._rows(
            f"SELECT DISTINCT grid, version, {name} FROM score_counts{where}", values
        )
        versions, names = (sorted({row[i] for row in known}) for i in (1, 2))
        rows = self.con.execute(  # numbers alone: words of a column cost more than all the rest
            f"""
            SELECT (event_date - $first::DATE)::INTEGER AS day,
                   (list_position($versions::VARCHAR[], version) - 1)::INTEGER AS version,
                   (list_position($names::VARCHAR[], {name}) - 1)::INTEGER AS name,
                   points, sum(n)::INTEGER AS n,
                   sum(n_labelled)::INTEGER AS n_labelled, sum(n_positive)::INTEGER AS n_positive
            FROM score_counts{where}
            GROUP BY ALL
            HAVING sum(n) <> 0
            ORDER BY day, version, name, points""",
            values | {"first": start, "versions": versions, "names": names},
        ).fetchnumpy()
        named = [np.asarray(rows[c], dtype=np.int64) for c in ("day", "version", "name", "points")]
        counts = np.array([rows[c] for c in ("n", "n_labelled", "n_positive")], dtype=np.float64)
        grids = [
            sorted({g for g, _, n in known if (by == "site" and n != "") == p}) for p in (0, 1)
        ]
        for found in grids:
            require_one_grid(model, found)
        whole, parts = (Grid.parse(found[0]) if found else Grid() for found in grids)
        every = CountRows(tuple(versions), tuple(names), *named, counts, whole)
        if by != "site":
            return every, every.of(np.zeros(len(named[0]), dtype=bool))
        is_part = np.array([n != "" for n in names], dtype=bool)[named[2]]
        sites = every.of(is_part)
        short = tuple(n.removeprefix("site=") for n in sites.names)
        return every.of(~is_part), sites._replace(names=short, grid=parts)


def _left(names, places):
    "The names that are left, and the place of each row among them."
    left, places = np.unique(places, return_inverse=True)
    return tuple(names[i] for i in left), places
