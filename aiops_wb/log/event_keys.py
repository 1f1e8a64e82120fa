"""One label for an event: of every prediction that was logged with its key, whenever it comes.

A label that is told by a key is kept as a row of outcomes for each prediction of the event, so that
counts, views and all else read rows by prediction and nothing more. A label whose event has no
prediction yet waits as a row without one. A prediction that comes later gets, in its own batch, all
that was told of its event: rows that say in which batch it was told, so that the latest word wins
as if every prediction had been told by itself.

Files are found by their first and last key, which stand in the catalog: a log without keys opens
none, and keys that begin with the day keep the search to the files of few days.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .duck import parquet
from .gone import DayFile, GoneReads
from .schema import EMPTY

__all__ = ["MOST", "EventKeyReads", "keyed_rows"]

MOST = 1_000_000
"""Rows that the labels of one event make of its predictions, or those of a delivery of theirs; more
than that, and a key names something else than an event: a carrier, say."""

_SAME = (
    "t.label = o.label AND t.observed_at = o.observed_at AND t.source IS NOT DISTINCT FROM o.source"
)
_KEYED = "prediction_id, event_date, tenant, model, version, event_key"


def keyed_rows(kind: str, paths: Sequence[str | Path]) -> str:
    "Rows of day files of a kind as SQL, with the columns that files of earlier releases lack."
    empty = EMPTY[kind]
    return f"(SELECT * FROM {parquet(paths)} UNION ALL BY NAME {empty})" if paths else f"({empty})"


class EventKeyReads(GoneReads):
    "Files and rows by the keys of events."

    def keyed_files(self, kind: str, condition: str = "true", **values: Any) -> list[DayFile]:
        "The day files of a kind in which keys stand, that meet a condition (SQL) and are there."
        where = f" WHERE kind = $kind AND min_key IS NOT NULL AND {condition}"
        files = [file for file, _ in self._files_where(where, {"kind": kind} | values)]
        gone = self.gone(files)
        return [file for file in files if file not in gone]

    def files_with_keys(
        self, kind: str, keys: str, condition: str = "true", **values: Any
    ) -> list[DayFile]:
        """The day files of a kind, those that are there, in whose range of keys some lie; `keys` is
        SQL with the columns low and high."""
        near = f"SELECT 1 FROM ({keys}) AS ranges WHERE min_key <= high AND max_key >= low"
        return self.keyed_files(kind, f"{condition} AND EXISTS ({near})", **values)

    def find_events(self, source: str, model: str | None = None) -> None:
        """Fill the table `keyed` with the predictions (of one model) of the events that rows of a
        source (SQL with event_key and filename) are about."""
        ranges = f"""
            SELECT min(event_key) AS low, max(event_key) AS high FROM {source} GROUP BY filename"""
        of_model = "true" if model is None else "model = $model"
        values = {} if model is None else {"model": model}
        files = self.files_with_keys("predictions", ranges, of_model, **values)
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE keyed AS
            SELECT {_KEYED} FROM {self._rows_in("predictions", files)}
            SEMI JOIN (SELECT DISTINCT event_key FROM {source}) USING (event_key)"""
        )

    def find_keys_of(self, table: str) -> None:
        "Fill the table `their_keys` with the keys of the predictions of a table that have one."
        places = f"SELECT 1 FROM {table} WHERE prediction_id BETWEEN min_id AND max_id"
        keyed = self.keyed_files("predictions", f"EXISTS ({places})")
        rows = self._rows_in("predictions", keyed)
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE their_keys AS
            SELECT prediction_id, event_key FROM {rows}
            WHERE event_key IS NOT NULL AND prediction_id IN (SELECT prediction_id FROM {table})"""
        )

    def find_told(
        self, paths: Iterable[str | Path], labels: Iterable[Path] = ()
    ) -> tuple[int, list[str]]:
        """Fill the table `told` with the labels that were told of the events of predictions (paths
        of their files) and are not theirs yet: columns of outcomes. How many there are, and the
        keys that name no event (`MOST`), whose labels are left out. `labels` are further files of
        outcomes."""
        new = keyed_rows("predictions", [self.root / path for path in paths])
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE new_events AS
            SELECT prediction_id, event_key, event_date::DATE AS event_date
            FROM {new} WHERE event_key IS NOT NULL"""
        )
        ranges = (
            "SELECT min(event_key) AS low, max(event_key) AS high FROM new_events "
            "GROUP BY event_date"
        )
        there = self.files_with_keys("outcomes", ranges)
        rows = keyed_rows("outcomes", [*(self.root / file.path for file in there), *labels])
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE known_words AS
            SELECT prediction_id, event_key, label, observed_at, source, batch_id FROM {rows}
            SEMI JOIN new_events USING (event_key)"""
        )
        words = """
            SELECT event_key, label, observed_at, source, min(batch_id) AS batch_id
            FROM known_words GROUP BY ALL"""
        none = self._column(
            f"""
            SELECT event_key FROM (SELECT event_key, count(*) AS n FROM new_events GROUP BY 1)
            JOIN (SELECT event_key, count(*) AS m FROM ({words}) GROUP BY 1) USING (event_key)
            WHERE n * m > {MOST} ORDER BY event_key"""
        )
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE told AS
            SELECT n.prediction_id, t.label, t.observed_at, t.source, n.event_key, n.event_date,
                   t.batch_id
            FROM (FROM new_events WHERE event_key NOT IN (SELECT unnest($none::VARCHAR[]))) n
            JOIN ({words}) t USING (event_key)
            ANTI JOIN known_words o
                ON o.prediction_id = n.prediction_id AND o.event_key = n.event_key AND {_SAME}""",
            {"none": none},
        )
        for table in ("new_events", "known_words"):
            self.con.execute(f"DROP TABLE {table}")
        return self._value("SELECT count(*) FROM told"), none

    def note_gone_events(self) -> None:
        """Fill the table `gone_keys` with the events all of whose predictions, and labels that name
        one, are of those in `gone_ids`."""
        ids = "(SELECT prediction_id FROM gone_ids)"
        places = "SELECT 1 FROM gone_ids WHERE prediction_id BETWEEN min_id AND max_id"
        theirs = [
            f"SELECT event_key FROM {self._rows_in(kind, files)} "
            f"WHERE event_key IS NOT NULL AND prediction_id IN {ids}"
            for kind in EMPTY
            if (files := self.keyed_files(kind, f"EXISTS ({places})"))
        ]
        told = " UNION ALL ".join([*theirs, "SELECT NULL::VARCHAR AS event_key WHERE false"])
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE gone_keys AS SELECT DISTINCT event_key FROM ({told})"
        )
        self.leave_out_held("gone_keys", f"prediction_id NOT IN {ids}")

    def leave_out_held(self, table: str, condition: str) -> None:
        """Take the events out of a temporary table (event_key) that predictions, or labels that
        name one, are about, of those that meet a condition (SQL)."""
        if not self._value(f"SELECT count(*) FROM {table}"):
            return
        ranges, con = f"SELECT event_key AS low, event_key AS high FROM {table}", self.con
        for kind in EMPTY:
            files = self.files_with_keys(kind, ranges)
            con.execute(
                f"""
                DELETE FROM {table} WHERE event_key IN (
                    SELECT event_key FROM {self._rows_in(kind, files)}
                    WHERE event_key IS NOT NULL AND prediction_id IS NOT NULL AND {condition})"""
            )

    def _rows_in(self, kind, files):
        "Rows of day files as SQL."
        return keyed_rows(kind, [self.root / file.path for file in files])
