"""Counts of one version as they grew from morning to morning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ..log.known_then import Changes
from ..stats.automation import Record, thresholds_down
from ..stats.counts import ScoreCounts
from ..stats.points import Grid, as_points

__all__ = ["Growing", "Rungs"]


@dataclass(frozen=True, eq=False)
class Rungs:
    "The thresholds at which some policies may let tickets and alerts begin, from the lowest up."

    grid: Grid
    rungs: np.ndarray  # points

    @classmethod
    def of(cls, floors: Sequence[int], grid: Grid, highest: int) -> "Rungs":
        "Of policies whose high risk begins at `floors`, up to the highest score there is."
        rungs = np.unique(np.concatenate([thresholds_down(floor, grid) for floor in floors]))
        return cls(grid, rungs[(rungs <= highest) | np.isin(rungs, floors)])


class Growing:
    """Days (rows) by cells of score, as known on a morning; `to` brings them to the next one.

    `mornings`: microseconds since 1970, ascending. Cells are single scores where policies have to
    look at them (`fine`), else what lies between two rungs of the ladder. `held_out`: days that no
    batch brought.
    """

    def __init__(
        self,
        changes: Changes,
        mornings: np.ndarray,
        ladder: Rungs,
        held_out: Mapping[date, ScoreCounts],
        fine: bool = False,
    ):
        self.grid, self.ladder, self.fine = changes.grid, ladder, fine
        self._keep_in_order(changes, mornings)
        own = {int(d): None for d in np.unique(changes.day)}
        others = {_number(d): c for d, c in held_out.items() if _number(d) not in own}
        self.days = np.array(sorted(own | others), dtype=np.int64)
        self.logged = np.isin(self.days, list(own))
        self._starts = self._cells(changes, others.values())
        self.table = np.zeros((3, len(self.days), len(self._starts)), dtype=np.int64)
        self.above = np.zeros((3, len(self.days), len(ladder.rungs) + 1), dtype=np.int64)
        self.morning = -1
        for day, counts in others.items():
            cells = np.searchsorted(self._starts, counts.points, side="right") - 1
            row = np.searchsorted(self.days, day)
            for place, column in enumerate(counts.columns):
                np.add.at(self.table[place, row], cells, column)
        self._add_up(~self.logged)

    def _keep_in_order(self, changes, mornings):
        "Changes by the first morning that knows them."
        known = np.searchsorted(mornings, changes.since, side="left").astype(np.int32)
        order = np.argsort(known, kind="stable")
        self._until = np.searchsorted(known[order], np.arange(len(mornings) + 1), side="right")
        self._day, self._points = changes.day[order], changes.points[order]
        self._columns = [column[order] for column in changes.columns]

    def _cells(self, changes, held_out):
        "The lowest points of the cells."
        lowest = np.array([-self.grid.limit])
        if not self.fine:
            return np.unique(np.concatenate([lowest, self.ladder.rungs]))
        points = [np.unique(changes.points), *(c.points for c in held_out), self.ladder.rungs]
        return np.unique(np.concatenate([lowest, *points]).astype(np.int64))

    def to(self, morning: int) -> None:
        "Take in what became known up to a morning, later than the last."
        first = self._until[self.morning] if self.morning >= 0 else 0
        part, self.morning = slice(first, self._until[morning]), morning
        if part.start == part.stop:
            return
        rows = np.searchsorted(self.days, self._day[part])
        cells = np.searchsorted(self._starts, self._points[part], side="right") - 1
        low, high = rows.min(), rows.max() + 1
        at, shape = (rows - low) * len(self._starts) + cells, (high - low, len(self._starts))
        for table, column in zip(self.table, self._columns):
            added = np.bincount(at, column[part], shape[0] * shape[1])
            table[low:high] += added.astype(np.int64).reshape(shape)
        self._add_up(slice(low, high))

    def _add_up(self, rows):
        "What lies at or above each rung of some days, and of all scores behind the last."
        cells = self.table[:, rows]
        above = np.cumsum(cells[:, :, ::-1], axis=2)[:, :, ::-1]
        places = np.searchsorted(self._starts, self.ladder.rungs)
        self.above[:, rows, :-1] = above[:, :, places]
        self.above[:, rows, -1] = above[:, :, 0]

    def rows(self, first: date, last: date) -> np.ndarray:
        "Rows of the days from first to last that have events."
        low, high = np.searchsorted(self.days, [_number(first), _number(last) + 1])
        return low + np.flatnonzero(self.above[0, low:high, -1])

    def date_of(self, row: int) -> date:
        "The day of a row."
        return date.fromordinal(_EPOCH + int(self.days[row]))

    def row_of(self, day: date) -> int:
        "The row of a day."
        return int(np.searchsorted(self.days, _number(day)))

    def record(self, rows: np.ndarray, owed: np.ndarray) -> Record:
        "The record of some days; `owed`: the chance of each that an unlabelled event gets a label."
        n, labelled, positive = self.above[:, rows]
        tickets = labelled + owed[:, None] * (n - labelled)
        down, all_ = slice(-2, None, -1), -1
        return Record(
            self.ladder.rungs[::-1],
            tickets[:, down],
            (tickets - positive)[:, down],
            tickets[:, all_],
            self.grid,
        )

    def at_or_above(self, row: int, threshold: int) -> tuple[int, int, int]:
        "Events, labelled, positives of a day from a threshold on, a rung unless cells are fine."
        start = np.searchsorted(self._starts, as_points(threshold, self.grid.kind))
        return tuple(int(n) for n in self.table[:, row, start:].sum(axis=1))

    def tails(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        "The lowest points of the cells, and (3, days, cells + 1) what lies at or above each."
        cells = self.table[:, rows]
        above = np.cumsum(cells[:, :, ::-1], axis=2)[:, :, ::-1]
        return self._starts, np.pad(above, ((0, 0), (0, 0), (0, 1)))

    def counts(self, row: int) -> ScoreCounts:
        "The counts of a day; only where cells are single scores."
        return self._counted(self.table[:, row])

    def together(self, rows: np.ndarray) -> ScoreCounts:
        "The counts of some days."
        return self._counted(self.table[:, rows].sum(axis=1))

    def _counted(self, columns):
        some = np.flatnonzero(columns.any(axis=0))
        return ScoreCounts(self._starts[some], *columns[:, some], self.grid)


_EPOCH = date(1970, 1, 1).toordinal()


def _number(day):
    return day.toordinal() - _EPOCH
