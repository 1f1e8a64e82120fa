"""Day files written anew, without some of their rows or several as one: aside, under a new name,
and named by the catalog in the same transaction in which the rows leave everything else.

What was counted of rows that go stays counted: it is kept as numbers without ids, which are added
when a day is counted anew. A file whose rows all go stays as one without rows: its day is known.
The catalog goes on saying what each batch brought of a day, wherever that lies now: what is asked
as of a time looks for batches, and finds them.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .arrival import AGE, BAND, ArrivalCounting
from .duck import parquet, statements, target
from .durable import fsync, write_durably
from .errors import StoreError
from .gone import DayFile
from .known import KNOWN_SINCE
from .recount import Recounting
from .retired import RetiredFiles, retired_files
from .schema import EMPTY
from .sums import sha256_of

__all__ = ["JOURNAL", "Part", "Rewritten", "Rewriting", "next_name", "replacements"]

JOURNAL = "rewriting.json"
"What stands beside the catalog while day files are replaced: each old path with its new one."

_AGAIN = re.compile(r"(.*?)(?:-f(\d+))?\.parquet")
TOGETHER = 50
"Day files of which remainders are counted in one query."


class Part(NamedTuple):
    "What a batch has in a day file."

    batch: int
    rows: int
    min_id: str
    max_id: str
    min_key: str | None
    max_key: str | None


class Rewritten(NamedTuple):
    "Day files that are replaced by one, and what the catalog says of that."

    old: tuple[DayFile, ...]
    path: str
    bytes: int
    sha256: str
    parts: tuple[Part, ...]


class Rewriting(Recounting, ArrivalCounting, RetiredFiles):
    "Takes rows out of day files, and makes one file of several."

    def write_without(self, file: DayFile, condition: str) -> Rewritten:
        "Write a day file aside without the rows that meet a condition (SQL)."
        rows = parquet([self.root / file.path])
        return self._anew([file], f"SELECT * FROM {rows} WHERE ({condition}) IS NOT TRUE")

    def write_together(self, files: Sequence[DayFile]) -> Rewritten:
        """Write the rows of some day files of one kind, with the same columns, into one, in their
        order. StoreError, and nothing stays, where it does not hold the same rows."""
        rows = f"FROM {parquet(self.root / file.path for file in files)}"
        made = self._anew(files, rows)
        told, anew = "SELECT count(*), bit_xor(hash(t)) {} AS t", parquet([self.root / made.path])
        held, holds = self._rows(told.format(rows)), self._rows(told.format(f"FROM {anew}"))
        known = sum(file.rows for file in files)
        if held != holds or holds[0][0] != known:
            (self.root / made.path).unlink()
            raise StoreError(
                f"{files[0].path} and {len(files) - 1:,} more hold {held[0][0]:,} rows, {known:,} "
                f"by the catalog, and {holds[0][0]:,} as one file: they were not merged; "
                "'aiops-wb verify' looks further."
            )
        return made

    def _anew(self, files, rows):
        "Write rows (SQL) in the place of some files, the first of which gives the name."
        name, kind = next_name(files[0].path), files[0].kind
        aside = self.root / "tmp" / "rewritten" / name
        aside.parent.mkdir(parents=True, exist_ok=True)
        self.con.execute(f"COPY ({rows}) TO {target(aside)} (FORMAT parquet)")
        fsync(aside)
        sha256 = sha256_of(aside)
        told = f"""
            SELECT batch_id, count(*), coalesce(min(prediction_id), ''),
                   coalesce(max(prediction_id), ''), min(event_key), max(event_key)
            FROM (SELECT * FROM {parquet([aside])} UNION ALL BY NAME {EMPTY[kind]})
            GROUP BY batch_id ORDER BY batch_id"""
        parts = tuple(Part(*row) for row in self._rows(told))
        aside.rename(self.root / name)
        fsync((self.root / name).parent)
        size = (self.root / name).stat().st_size
        return Rewritten(tuple(files), name, size, sha256, parts)

    def begin_rewriting(self, files: Iterable[DayFile]) -> None:
        "Note which files are about to be replaced, before the first new one stands in the log."
        self.begin_replacing({file.path: next_name(file.path) for file in files})

    def begin_replacing(self, pairs: Mapping[str, str]) -> None:
        "The same, of old paths with the new one of each."
        if pairs:
            write_durably(self.root / JOURNAL, json.dumps(list(pairs.items())))

    def record_rewritten(self, made: Rewritten) -> None:
        """The one place where the catalog is told of a file that replaces others. A batch that has
        no rows in it stands there all the same."""
        old = {"old": [file.path for file in made.old]}
        self.con.execute(
            """
            CREATE OR REPLACE TEMP TABLE replaced AS
            SELECT kind, event_date, tenant, model, version, grid, batch_id,
                   bool_or(sites) AS sites
            FROM data_files WHERE path IN (SELECT unnest($old::VARCHAR[])) GROUP BY ALL""",
            old,
        )
        self._write("DELETE FROM data_files WHERE path IN (SELECT unnest($old::VARCHAR[]))", old)
        columns = zip(*made.parts) if made.parts else [()] * len(Part._fields)
        batch, rows, low, high, low_key, high_key = map(list, columns)
        # rows of a history's labels are of more batches than the one that names their file
        self._write(
            """
            INSERT INTO data_files BY NAME
            WITH parts AS (
                SELECT unnest($batch::BIGINT[]) AS batch_id, unnest($rows::BIGINT[]) AS rows,
                       unnest($low::VARCHAR[]) AS min_id, unnest($high::VARCHAR[]) AS max_id,
                       unnest($low_key::VARCHAR[]) AS min_key,
                       unnest($high_key::VARCHAR[]) AS max_key),
                 one AS (SELECT DISTINCT kind, event_date, tenant, model, version, grid
                         FROM replaced),
                 found AS (SELECT batch_id, sites FROM replaced
                           UNION ALL
                           SELECT batch_id, (SELECT bool_or(sites) FROM replaced)
                           FROM parts ANTI JOIN replaced USING (batch_id))
            SELECT one.*, batch_id, sites, $path AS path, $bytes AS bytes, $sha256 AS sha256,
                   coalesce(rows, 0) AS rows, coalesce(min_id, '') AS min_id,
                   coalesce(max_id, '') AS max_id, min_key, max_key
            FROM found CROSS JOIN one LEFT JOIN parts USING (batch_id)""",
            {
                "path": made.path,
                "bytes": made.bytes,
                "sha256": made.sha256,
                "batch": batch,
                "rows": rows,
                "low": low,
                "high": high,
                "low_key": low_key,
                "high_key": high_key,
            },
        )

    def finish_rewriting(self) -> None:
        """Remove the files that the catalog does not name of those that were being replaced: new
        ones of a writer that was stopped before it committed, else the old ones, unless they wait
        for readers."""
        if not (self.root / JOURNAL).exists():
            return
        named = set(self._column("SELECT path FROM data_files"))
        waiting = retired_files(self.root).keys() - named
        for pair in replacements(self.root):
            for path, other in (pair, pair[::-1]):
                # where the catalog names neither, it is another one's: nothing is removed
                known = path in named or path in waiting
                if not known and other in named and (self.root / other).exists():
                    (self.root / path).unlink(missing_ok=True)
        shutil.rmtree(self.root / "tmp" / "rewritten", ignore_errors=True)
        (self.root / JOURNAL).unlink()
        fsync(self.root)

    def keep_counts(self, files: Iterable[DayFile], condition: str) -> None:
        "Keep what is counted of the rows of day files of predictions that meet a condition (SQL)."
        files = [file for file in files if file.kind == "predictions"]
        late = set(self._loaded_later({file[1:5] for file in files})) if files else set()
        for at in range(0, len(files), TOGETHER):
            part = files[at : at + TOGETHER]
            self._keep_score_counts(part, condition)
            self._keep_arrivals([file for file in part if file[1:5] in late], condition)

    def _gone_rows(self, files, condition):
        "Rows that go and the outcomes of their days, as SQL."
        days = sorted({file.day for file in files})
        outcomes = self.day_files(kind="outcomes")
        there = [f for f in outcomes if f.day is None or f.day in days]
        lost = self.gone(there)
        paths = [self.root / file.path for file in there if file not in lost]
        rows = f"SELECT * FROM {parquet(self.root / f.path for f in files)} WHERE {condition}"
        labels = f"SELECT prediction_id, label, observed_at, batch_id FROM {parquet(paths)}"
        return rows, labels if paths else EMPTY["outcomes"]

    def _keep_score_counts(self, files, condition):
        rows, outcomes = self._gone_rows(files, condition)
        sql = statements("reductions.sql")
        self._write(
            f"""
            INSERT INTO forgotten_counts
            WITH predictions AS ({rows}), outcomes AS ({outcomes}), labels AS ({sql["labels"]}),
                 events AS ({sql["events_by_day"]}), counted AS ({sql["counts_by_day"]}),
                 grids AS (SELECT DISTINCT event_date, tenant, model, version, segment = '' AS fine,
                                  grid FROM score_counts)
            SELECT event_date, tenant, model, version, segment, grid, points,
                   n, n_labelled, n_positive
            FROM (SELECT * EXCLUDE (points, cell), coalesce(points, cell) AS points,
                         points IS NOT NULL AS fine,
                         CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment
                  FROM counted WHERE points IS NOT NULL OR site_id IS NOT NULL)
            JOIN grids USING (event_date, tenant, model, version, fine)"""
        )

    def _keep_arrivals(self, files, condition):
        if not files:
            return
        rows, outcomes = self._gone_rows(files, condition)
        moment = AGE.format(moment="least(l.observed_at, known_since)")
        self._write(
            f"""
            INSERT INTO forgotten_arrivals
            WITH outcomes AS ({outcomes}),
                 labels AS ({statements("reductions.sql")["observed_labels"]}),
                 now AS (SELECT max({KNOWN_SINCE}) AS known_since FROM batches)
            SELECT event_date, tenant, model, version, {BAND} AS band, {moment} AS age,
                   sum(1 - l.label), sum(l.label)
            FROM ({rows}) JOIN labels l USING (prediction_id) CROSS JOIN now
            GROUP BY ALL""",
            {"zone": self.timezone},
        )


def replacements(root: Path) -> list[list[str]]:
    "Old paths with the new one of each, of the day files that are being replaced in a folder."
    try:
        return json.loads((Path(root) / JOURNAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []


def next_name(path: str) -> str:
    "The name of a day file that is written anew."
    stem, times = _AGAIN.fullmatch(path).groups()
    return f"{stem}-f{int(times or 0) + 1}.parquet"
