"""Batches: what became known when, and the files that hold it."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from .arrival import ArrivalCounting
from .base import conditions, moment
from .errors import StoreError
from .gone import GoneReads
from .hours import HourCounting
from .known import KNOWN_SINCE, Known
from .outcome_columns import OutcomeColumnWrites
from .quarantine import NO_ROWS, QuarantineWrites
from .recount import Recounting

__all__ = ["BatchReads", "BatchWrites"]

logger = logging.getLogger(__name__)
_NO_FILES = pd.DataFrame(columns=["kind", "event_date", "tenant", "model", "version"])


class BatchReads(GoneReads):
    "What was logged until when."

    def known_batch(self, as_of: datetime | None = None) -> int:
        "The batch up to which all were known at a time; 0 when the first was not."
        return self.known(as_of).up_to

    def known(self, as_of: datetime | None = None) -> Known:
        "The batches that were known at a time; None: all of them."
        asked = "known", *moment(as_of)
        return self._until_written("batches", asked, lambda: self._known(as_of))

    def _known(self, as_of):
        "Runs of the numbers of batches that were known at a time."
        if as_of is None:
            newest = self._value("SELECT coalesce(max(batch_id), 0) FROM batches")
            return Known(((1, newest),) if newest else ())
        runs = self._rows(
            f"""
            SELECT min(batch_id), max(batch_id)
            FROM (SELECT batch_id, batch_id - row_number() OVER (ORDER BY batch_id) AS run
                  FROM batches WHERE {KNOWN_SINCE} <= $as_of)
            GROUP BY run ORDER BY 1""",
            {"as_of": as_of},
        )
        return Known(tuple(runs))

    def known_since(self) -> dict[int, datetime]:
        "Batch -> since when it is known, of those of a history: before they were committed."
        return dict(
            self._rows("SELECT batch_id, known_at FROM batches WHERE known_at < committed_at")
        )

    def last_committed(self) -> datetime | None:
        "When the last batch was committed, None before the first."
        return self._value("SELECT max(committed_at) FROM batches")

    def last_outcomes(self, model: str, as_of: datetime | None = None) -> date | None:
        """The day on which labels last came in, in the log's zone: of any model, but for those that
        a history of another one brought."""
        where, values = conditions(kind="outcomes", batch_id__in=self.known(as_of))
        newest = f"""
            SELECT max({KNOWN_SINCE}) FROM batches{where}
              AND (only_model IS NULL OR only_model = $model)"""
        asked = "outcomes", model, *moment(as_of)
        look = lambda: self._value(newest, values | {"model": model})
        last = self._until_written("batches", asked, look)
        return last and last.astimezone(ZoneInfo(self.timezone)).date()

    def last_loaded(self, kind: str, as_of: datetime | None = None) -> datetime | None:
        "When rows of a kind (predictions, outcomes) were taken in last; None where none ever were."
        where, values = conditions(kind=kind, committed_at__le=as_of)
        last = f"SELECT max(committed_at) FROM batches{where} AND loaded > 0"
        return self._value(last, values)

    def models(self) -> list[str]:
        "Every model that was logged or registered."
        logged = "SELECT DISTINCT model FROM data_files WHERE kind = 'predictions'"
        known = {"data_files": logged, "models": "SELECT DISTINCT model FROM models"}
        names = (
            self._until_written(table, "names", lambda sql=sql: self._column(sql))
            for table, sql in known.items()
        )
        return sorted(set().union(*names))

    def require_model(self, model: str) -> str:
        """The name itself; StoreError with the known names when nothing was logged or registered
        under it."""
        known = self.models()
        if model not in known:
            choices = f"choose one of {', '.join(known)}." if known else "the log is empty."
            raise StoreError(f"model {model!r} is not known: {choices}")
        return model

    def days(
        self, model: str, as_of: datetime | None = None, version: str | None = None
    ) -> list[date]:
        "Days with predictions of a model."
        where, values = conditions(
            kind="predictions", model=model, version=version, batch_id__in=self.known(as_of)
        )
        return self._column(f"SELECT DISTINCT event_date FROM data_files{where} ORDER BY 1", values)

    def newest_batches(self, model: str) -> pd.DataFrame:
        "The last batch with predictions of each day and version: event_date, version, batch."
        return self.frame(
            """
            SELECT event_date, version, max(batch_id) AS batch
            FROM data_files
            WHERE kind = 'predictions' AND model = $model
            GROUP BY ALL""",
            {"model": model},
        )

    def files(self, kind: str, **where: Any) -> list[tuple[Any, ...]]:
        """(path, event_date, tenant, model, version, min_id, max_id) of the log's files that match
        and are there (`GoneReads.usable`)."""
        first, last = (where.get(f"event_date__{end}") for end in ("ge", "le"))
        found = self.day_files(kind=kind, **where)
        return [file[:7] for file in self.usable(found, first is not None and first == last)]

    def ingested(self, kind: str, state: str = "ingested") -> set[str]:
        "Ids of the segments that were loaded (`corrupt`: that were set aside)."
        where, values = conditions(state=state, kind=kind)
        return set(self._column(f"SELECT segment_id FROM segments{where}", values))

    def segment_names(self) -> set[str]:
        "The names that loaded segments had."
        return set(self._column("SELECT name FROM segments WHERE state = 'ingested'"))

    def _changed_by(self, table, as_of, **where):
        """The batches known at a time up to the last that changed a table: most never do, and what
        was asked of it before holds."""
        clause, values = conditions(**where)
        newest = f"SELECT coalesce(max(batch_id), 0) FROM {table}{clause}"
        asked = "changed", *values.values()
        changed = self._until_written(table, asked, lambda: self._value(newest, values))
        return self.known(as_of).until(changed)

    def _between(self, model, start, end, as_of, **where):
        "Conditions on a model's days from start to end, both included, as known at a time."
        return conditions(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            batch_id__in=self.known(as_of),
            **where,
        )


class BatchWrites(
    QuarantineWrites, BatchReads, OutcomeColumnWrites, Recounting, ArrivalCounting, HourCounting
):
    "One ingested batch, recorded and counted."

    def commit_batch(
        self,
        kind: str,
        now: datetime,
        owner: str,
        *,
        loaded: int = 0,
        duplicates: int = 0,
        conflicts: int = 0,
        quarantine: pd.DataFrame = NO_ROWS,
        segments: Sequence[tuple] = (),
        files: pd.DataFrame = _NO_FILES,
        touched: Iterable[tuple] = (),
        outcome_columns: Iterable[tuple] = (),
        also: Callable[[int], None] = lambda batch: None,
        count: Callable[[int, pd.DataFrame], None] | None = None,
    ) -> int:
        """Record one ingested batch and recount the days it touched, in one transaction; returns
        the batch id.

        files: kind, path, event_date, tenant, model, version, grid, rows, bytes, sites, min_id,
        max_id, min_key, max_key, sha256; among predictions those of labels that were told of their
        events before. touched: (event_date, tenant, model, version) whose labels changed.
        segments: (id, kind, name, bytes, state, detail). outcome_columns: (model, column, what it
        was mapped as). also: called with the batch id in the same transaction. count: counts the
        new predictions (batch id, files) in the place of this process.
        Known-at times never run backwards.
        """
        batch, keys = self.known_batch() + 1, set(touched)
        with self.transaction():
            numbers = (loaded, duplicates, conflicts, len(quarantine))
            self._add_batch(batch, kind, now, owner, numbers)
            self._add_segments(batch, segments)
            if len(quarantine):
                self._insert("quarantine", quarantine.assign(batch_id=batch))
            if len(files):
                self._insert("data_files", files.assign(batch_id=batch))
            new = files[files.kind == "predictions"] if kind == "predictions" else _NO_FILES
            keys.update(zip(new.event_date, new.tenant, new.model, new.version))
            self._count_batch(batch, new, keys, count)
            self.add_outcome_columns(batch, now, owner, outcome_columns)
            also(batch)
        told = "batch %d of %s: %d loaded, %d duplicates, %d conflicts, %d quarantined"
        logger.info(told, batch, kind, *numbers)
        return batch

    def _count_batch(self, batch, new, keys, count):
        "What new predictions, and labels of days of these `keys`, change in the counts."
        if count is not None:
            count(batch, new)
        elif len(new):
            self._count_new(batch, new)
        blocked = self.blocked(keys)
        with self.one_thread():
            if count is None and len(new):
                self.count_hours(batch, new)
                self._count_alone(batch, blocked)
            if count is None:
                self._recount_days(batch, keys - blocked)
            self.count_arrivals(batch, keys - blocked)

    def set_sums(self, paths: Sequence[str], sums: Sequence[str]) -> None:
        "Keep the SHA-256 of day files, by their paths."
        with self.transaction():
            self._write(
                """
                UPDATE data_files SET sha256 = taken.sha256
                FROM (SELECT unnest($paths::VARCHAR[]) AS path,
                             unnest($sums::VARCHAR[]) AS sha256) AS taken
                WHERE data_files.path = taken.path""",
                {"paths": list(paths), "sums": list(sums)},
            )

    def _add_batch(self, batch, kind, now, owner, numbers):
        last = self.last_committed()
        loaded, duplicates, conflicts, quarantined = numbers
        self._write(
            """
            INSERT INTO batches (
                batch_id, kind, committed_at, owner, loaded, duplicates, conflicts, quarantined)
            VALUES (
                $batch, $kind, greatest($now::TIMESTAMPTZ, $last::TIMESTAMPTZ), $owner,
                $loaded, $duplicates, $conflicts, $quarantined)""",
            {
                "batch": batch,
                "kind": kind,
                "now": now,
                "last": last,
                "owner": owner,
                "loaded": loaded,
                "duplicates": duplicates,
                "conflicts": conflicts,
                "quarantined": quarantined,
            },
        )

    def _add_segments(self, batch, segments):
        for segment in segments:
            self._write("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", [*segment, batch])
