"""Labels whose prediction is not in the log."""

from .batches import BatchReads
from .duck import parquet

__all__ = ["UnmatchedReads"]


class UnmatchedReads(BatchReads):
    "What waits for a prediction, or was delivered under an id that there is not."

    def unmatched_labels(self, examples: int = 5) -> tuple[int, list[str]]:
        "How many ids have a label and no prediction, and the first of them."
        waiting = [self.root / file[0] for file in self.files("outcomes") if file[1] is None]
        if not waiting:
            return 0, []
        labels = f"SELECT prediction_id, batch_id FROM {parquet(waiting)}"
        near = self._column(
            f"""
            SELECT path FROM data_files
            WHERE kind = 'predictions' AND EXISTS (
                SELECT 1 FROM ({labels}) WHERE prediction_id BETWEEN min_id AND max_id)"""
        )
        ids = f"SELECT prediction_id, min(batch_id) AS batch FROM ({labels}) GROUP BY prediction_id"
        if near:
            predictions = parquet(self.root / path for path in near)
            ids += f" HAVING prediction_id NOT IN (SELECT prediction_id FROM {predictions})"
        found = self._rows(
            f"""
            SELECT prediction_id, count(*) OVER () FROM ({ids})
            ORDER BY batch, prediction_id LIMIT {int(examples)}"""
        )
        return (found[0][1], [name for name, _ in found]) if found else (0, [])
