"""Day files without some of their rows: written aside under a new name, and named by the catalog in
the same transaction in which the rows leave everything else.

What was counted of the rows stays counted: it is kept as numbers without ids, which are added when
a day is counted anew. A file whose rows all go stays as one without rows: its day is known.
"""

import json
import re
import shutil
from collections.abc import Iterable
from typing import NamedTuple

from .arrival import AGE, BAND, ArrivalCounting
from .duck import parquet, statements, target
from .durable import fsync, write_durably
from .gone import DayFile
from .known import KNOWN_SINCE
from .recount import Recounting
from .schema import EMPTY
from .sums import sha256_of

__all__ = ["JOURNAL", "Rewritten", "Rewriting"]

JOURNAL = "rewriting.json"
"What stands beside the catalog while day files are replaced: each old path with its new one."

_AGAIN = re.compile(r"(.*?)(?:-f(\d+))?\.parquet")
TOGETHER = 50
"Day files of which remainders are counted in one query."


class Rewritten(NamedTuple):
    "A day file that is replaced, and what the catalog says of the new one."

    old: DayFile
    path: str
    rows: int
    bytes: int
    min_id: str
    max_id: str
    min_key: str | None
    max_key: str | None
    sha256: str


class Rewriting(Recounting, ArrivalCounting):
    "Takes rows out of day files."

    def write_without(self, file: DayFile, condition: str) -> Rewritten:
        "Write a day file aside without the rows that meet a condition (SQL)."
        name = _next_name(file.path)
        aside = self.root / "tmp" / "rewritten" / name
        aside.parent.mkdir(parents=True, exist_ok=True)
        rows = parquet([self.root / file.path])
        kept = f"SELECT * FROM {rows} WHERE ({condition}) IS NOT TRUE"
        self.con.execute(f"COPY ({kept}) TO {target(aside)} (FORMAT parquet)")
        fsync(aside)
        sha256 = sha256_of(aside)
        told = f"""
            SELECT count(*), coalesce(min(prediction_id), ''), coalesce(max(prediction_id), ''),
                   min(event_key), max(event_key)
            FROM (SELECT * FROM {parquet([aside])} UNION ALL BY NAME {EMPTY[file.kind]})"""
        ((n, *ranges),) = self._rows(told)
        aside.rename(self.root / name)
        fsync((self.root / name).parent)
        return Rewritten(file, name, n, (self.root / name).stat().st_size, *ranges, sha256)

    def begin_rewriting(self, files: Iterable[DayFile]) -> None:
        "Note which files are about to be replaced, before the first new one stands in the log."
        pairs = [(file.path, _next_name(file.path)) for file in files]
        if pairs:
            write_durably(self.root / JOURNAL, json.dumps(pairs))

    def record_rewritten(self, made: Rewritten) -> None:
        "The one place where the catalog is told of a file that replaces another."
        self._write(
            """
            UPDATE data_files
            SET path = $path, rows = $rows, bytes = $bytes, min_id = $low, max_id = $high,
                min_key = $min_key, max_key = $max_key, sha256 = $sha256
            WHERE path = $old""",
            {
                "path": made.path,
                "rows": made.rows,
                "bytes": made.bytes,
                "low": made.min_id,
                "high": made.max_id,
                "min_key": made.min_key,
                "max_key": made.max_key,
                "sha256": made.sha256,
                "old": made.old.path,
            },
        )

    def finish_rewriting(self) -> None:
        """Remove the files that the catalog does not name of those that were being replaced: new
        ones of a writer that was stopped before it committed, else the old ones."""
        try:
            pairs = json.loads((self.root / JOURNAL).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        named = set(self._column("SELECT path FROM data_files"))
        for pair in pairs:
            for path, other in (pair, pair[::-1]):
                # where the catalog names neither, it is another one's: nothing is removed
                if path not in named and other in named and (self.root / other).exists():
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


def _next_name(path):
    "The name of a day file that is written anew."
    stem, times = _AGAIN.fullmatch(path).groups()
    return f"{stem}-f{int(times or 0) + 1}.parquet"
