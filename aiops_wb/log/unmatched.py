"""Labels whose prediction is not in the log."""

from .base import Writing
from .batches import BatchReads
from .duck import parquet
from .event_keys import EventKeyReads, keyed_rows
from .spelling import spellings

__all__ = ["UnmatchedReads", "UnmatchedWrites"]


class UnmatchedReads(BatchReads, EventKeyReads):
    "What waits for a prediction, or was delivered under an id that there is not."

    def unmatched_labels(self, examples: int = 5) -> tuple[int, list[str]]:
        "How many ids or events have a label and no prediction, and the first of them."
        waiting = self._waiting_labels()
        if not waiting:
            return 0, []
        rows, events = keyed_rows("outcomes", waiting), self._waiting_events()
        labels = f"SELECT prediction_id, batch_id FROM {rows} WHERE prediction_id IS NOT NULL"
        ids = f"SELECT prediction_id, min(batch_id) AS batch FROM ({labels}) GROUP BY prediction_id"
        meant = f"SELECT prediction_id AS told, prediction_id FROM ({ids}) UNION ALL "
        meant += spellings(labels)
        near = self._files_with("predictions", meant)
        if near:
            ids = f"""
                SELECT * FROM ({ids}) ANTI JOIN (
                    SELECT told AS prediction_id
                    FROM ({meant}) AS m JOIN {parquet(near)} AS p USING (prediction_id)
                    GROUP BY told
                    HAVING bool_or(told = prediction_id) OR count(DISTINCT prediction_id) = 1
                ) USING (prediction_id)"""
        found = self._rows(
            f"""
            SELECT prediction_id, count(*) OVER () FROM (
                SELECT prediction_id, batch FROM ({ids}) {events})
            ORDER BY batch, prediction_id LIMIT {int(examples)}"""
        )
        return (found[0][1], [name for name, _ in found]) if found else (0, [])

    def _waiting_events(self):
        "Events that have a label and no prediction, as SQL to go on with; empty where none waits."
        waiting = self.keyed_files("outcomes", "event_date IS NULL")
        if not waiting:
            return ""
        rows = keyed_rows("outcomes", [self.root / file.path for file in waiting])
        told = f"SELECT event_key, batch_id FROM {rows} WHERE prediction_id IS NULL"
        ranges = f"SELECT event_key AS low, event_key AS high FROM ({told})"
        near = self.files_with_keys("predictions", ranges)
        there = keyed_rows("predictions", [self.root / file.path for file in near])
        return f"""
            UNION ALL SELECT 'event_key ' || event_key, min(batch_id) FROM ({told})
            ANTI JOIN {there} AS p USING (event_key) GROUP BY event_key"""

    def labels_spelt_otherwise(self) -> str | None:
        """The labels that waited for predictions which have come, since that was last looked at,
        under another spelling of the id, as SQL; None when there are none."""
        waiting = self._waiting_labels()
        if not waiting:
            return None
        labels = f"""
            SELECT prediction_id, label, observed_at, source, event_key
            FROM {keyed_rows("outcomes", waiting)} WHERE prediction_id IS NOT NULL"""
        meant = spellings(labels)
        came_since = f"batch_id > {self._matched_to()}"
        new = self._files_with("predictions", meant, came_since)
        if not new:
            return None
        rows = f"""
            SELECT * EXCLUDE (event_key), NULL::TIMESTAMPTZ AS predicted_at, event_key
            FROM ({labels})
            WHERE prediction_id IN (
                SELECT told FROM ({meant})
                SEMI JOIN (FROM {parquet(new)} WHERE {came_since}) USING (prediction_id))"""
        return rows if self._value(f"SELECT count(*) FROM ({rows})") else None

    def _matched_to(self):
        "The batch up to which predictions have been compared with the labels that wait."
        return self._value(
            """
            SELECT coalesce(max(value::BIGINT), 0) FROM workbench
            WHERE key = 'labels matched to batch'"""
        )

    def _waiting_labels(self):
        "The files of labels whose predictions were not known when they came."
        return [self.root / file[0] for file in self.files("outcomes") if file[1] is None]

    def _files_with(self, kind, ids, condition="true"):
        "The files of a kind in whose range of ids some of these (SQL) lie."
        paths = self._column(
            f"""
            SELECT path FROM data_files
            WHERE kind = $kind AND {condition} AND EXISTS (
                SELECT 1 FROM ({ids}) WHERE prediction_id BETWEEN min_id AND max_id)
            GROUP BY path ORDER BY min(batch_id), path""",
            {"kind": kind},
        )
        return [self.root / path for path in paths]


class UnmatchedWrites(UnmatchedReads, Writing):
    "How far waiting labels have been looked at."

    def labels_matched(self) -> None:
        "All predictions of now have been compared with the labels that wait."
        if not self._waiting_labels() or self.known_batch() <= self._matched_to():
            return
        self._write(
            "INSERT INTO workbench VALUES ('labels matched to batch', $batch)",
            {"batch": str(self.known_batch())},
        )
