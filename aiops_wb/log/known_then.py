"""What was known of a model at any time of its past, from one read of what was counted.

Counts are changes by batch, and every batch says since when it is known. So one read of the changes
answers for each of many mornings what a reader would have to be asked again and again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from ..stats.arrival import Arrivals
from ..stats.points import Grid
from .base import conditions
from .catalog import Reader
from .counts import arrivals_of
from .known import KNOWN_SINCE
from .never import NeverLabelled

__all__ = ["Changes", "KnownThen"]

EPOCH = date(1970, 1, 1).toordinal()
NEVER = np.iinfo(np.int64).max
_DAY = "(event_date - DATE '1970-01-01')::INTEGER AS day"


def moment_of(at: datetime) -> int:
    "A time as microseconds since 1970."
    whole = at - datetime(1970, 1, 1, tzinfo=at.tzinfo and ZoneInfo("UTC"))
    return whole.days * 86_400_000_000 + whole.seconds * 1_000_000 + whole.microseconds


@dataclass(frozen=True, eq=False)
class Changes:
    "What batches changed in the counts of one version, in any order."

    day: np.ndarray  # days since 1970
    since: np.ndarray  # microseconds since 1970: known from then on
    points: np.ndarray
    columns: tuple[np.ndarray, np.ndarray, np.ndarray]  # n, n_labelled, n_positive
    grid: Grid = field(default_factory=Grid)

    @cached_property
    def _first(self):
        "Days, the place of each change among them, and since when there were events of each."
        days, place = np.unique(self.day, return_inverse=True)
        first = np.full(len(days), NEVER)
        np.minimum.at(first, place, np.where(self.columns[0] > 0, self.since, NEVER))
        return days, place, first

    @cached_property
    def first_known(self) -> Mapping[date, int]:
        "Since when there were events of each day."
        days, _, first = self._first
        known = zip(days.tolist(), first.tolist())
        return {date.fromordinal(EPOCH + day): at for day, at in known if at < NEVER}

    def at_once(self) -> "Changes":
        "The same, had every label been known as soon as the events of its day."
        _, place, first = self._first
        return replace(self, since=first[place])


class KnownThen:
    """What a model's log knew at times in the past, up to `as_of` (None: now), of all tenants.

    It answers, as a reader does, when labels arrived.
    """

    def __init__(self, reader: Reader, model: str, last: date, as_of: datetime | None = None):
        self.reader, self.model, self.last, self.as_of = (
            reader,
            reader.require_model(model),
            last,
            as_of,
        )
        self.timezone = reader.timezone
        self._where, self._values = conditions(
            model=model, event_date__le=last, batch_id__in=reader.known(as_of)
        )

    def _read(self, sql, values):
        return {
            k: np.asarray(v) for k, v in self.reader.con.execute(sql, values).fetchnumpy().items()
        }

    @cached_property
    def _batches(self):
        "Since when each batch is known, and which brought labels that may be of this model."
        return self._read(
            f"""
            SELECT batch_id, epoch_us({KNOWN_SINCE}) AS since,
                   kind = 'outcomes' AND (only_model IS NULL OR only_model = $model) AS labels,
                   known_at < committed_at AS told
            FROM batches ORDER BY batch_id""",
            {"model": self.model},
        )

    def _by_batch(self, batch, name):
        "A column of the batches, for each of some rows."
        numbers, column = self._batches["batch_id"], self._batches[name]
        if not len(numbers):
            return np.zeros(len(batch), dtype=column.dtype)
        return column[np.searchsorted(numbers, np.maximum(batch, numbers[0]))]

    @cached_property
    def versions(self) -> dict[str, Changes]:
        "What was counted of each version."
        where = f"{self._where} AND segment = ''"
        named = self.reader._rows(
            f"SELECT version, min(grid) FROM score_counts{where} GROUP BY 1 ORDER BY 1",
            self._values,
        )
        return {version: self._changes(where, version, grid) for version, grid in named}

    def _changes(self, where, version, grid):
        rows = self._read(
            f"""
            SELECT {_DAY}, batch_id, points, n::INTEGER AS n, n_labelled::INTEGER AS n_labelled,
                   n_positive::INTEGER AS n_positive
            FROM score_counts{where} AND version = $version""",
            self._values | {"version": version},
        )
        columns = rows["n"], rows["n_labelled"], rows["n_positive"]
        since = self._by_batch(rows["batch_id"], "since")
        return Changes(rows["day"], since, rows["points"], columns, Grid.parse(grid))

    @cached_property
    def told_later(self) -> set[date]:
        "Days whose first events were brought in as a history: known before they were committed."
        rows = self.reader._rows(
            f"""
            SELECT event_date
            FROM data_files JOIN batches USING (batch_id)
            {self._where} AND data_files.kind = 'predictions'
            GROUP BY event_date
            HAVING bool_and(coalesce(known_at < committed_at, false))""",
            self._values,
        )
        return {day for (day,) in rows}

    @cached_property
    def _arrived(self):
        "Arrivals of labels by what brought them, in the order in which they are known."
        rows = self._read(
            f"""
            SELECT {_DAY}, band, age, n, n_negative AS negative, n_positive AS positive, batch_id
            FROM arrival_counts{self._where}""",
            self._values,
        )
        since = self._by_batch(rows.pop("batch_id"), "since")
        order = np.argsort(since, kind="stable")
        return since[order], {name: column[order] for name, column in rows.items()}

    def arrivals(
        self, model: str, until: date, as_of: datetime, days: int = 365
    ) -> tuple[list[date], Arrivals]:
        "How labels of the days up to `until` had arrived by then, as `Reader.arrivals`."
        since, columns = self._arrived
        known = np.searchsorted(since, moment_of(as_of), side="right")
        day, last = columns["day"][:known], until.toordinal() - EPOCH
        within = np.flatnonzero((day <= last) & (day > last - days))
        rows = {name: column[:known][within] for name, column in columns.items()}
        return arrivals_of(rows, self.last_outcomes(model, as_of))

    def last_outcomes(self, model: str, as_of: datetime) -> date | None:
        "The day on which labels last came in by then, in the log's zone."
        labels = self._batches["since"][self._batches["labels"]]
        labels = labels[labels <= min(moment_of(as_of), self._end)]
        if not len(labels):
            return None
        at = datetime.fromtimestamp(int(labels.max()) // 1_000_000, ZoneInfo(self.timezone))
        return at.date()

    @cached_property
    def _end(self):
        return moment_of(self.as_of) if self.as_of else NEVER

    def never_labelled(self, model: str, as_of: datetime | None = None) -> NeverLabelled | None:
        "The declaration about labels that never come which was in force."
        return self.reader.never_labelled(model, as_of)
