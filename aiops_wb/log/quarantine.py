"""Rows that were not loaded: what they held is kept for a while, and each is kept once."""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from .base import Connected, Writing

__all__ = ["COLUMNS", "NO_ROWS", "Quarantined", "QuarantineReads", "QuarantineWrites"]

COLUMNS = ["kind", "source", "line", "reason", "raw", "content"]
NO_ROWS = pd.DataFrame(columns=COLUMNS)
_CAP = 4_000  # characters of a row that are kept


class Quarantined(NamedTuple):
    "Rows for the quarantine, and how many are there already: of these, how many were conflicts."

    rows: pd.DataFrame
    again: int
    conflicts_again: int


class QuarantineReads(Connected):
    "What stands in quarantine."

    def quarantine_size(self) -> int:
        "Rows in quarantine."
        return self._value("SELECT count(*) FROM quarantine")

    def last_quarantined(self, limit: int) -> pd.DataFrame:
        "The first rows that the last batch with such rows set aside: source, line, reason."
        return self.frame(
            """
            SELECT source, line, reason
            FROM quarantine
            WHERE batch_id = (SELECT max(batch_id) FROM quarantine)
            ORDER BY line
            LIMIT $limit""",
            {"limit": limit},
        )


class QuarantineWrites(QuarantineReads, Writing):
    "New rows in quarantine, and the end of old texts."

    def new_in_quarantine(self, rows: pd.DataFrame) -> Quarantined:
        "Rows (kind, source, line, reason, raw), without those that are there already."
        if not len(rows):
            return Quarantined(NO_ROWS, 0, 0)
        rows = rows.assign(content=_contents(rows))
        self.con.register("incoming", rows[["content"]])
        known = self._column(
            "SELECT DISTINCT content FROM quarantine SEMI JOIN incoming USING (content)"
        )
        self.con.unregister("incoming")
        again = rows.content.isin(known)
        conflicts = int(rows[again].reason.str.contains("already logged").sum())
        kept = rows[~again]
        return Quarantined(kept.assign(raw=kept.raw.map(_capped)), int(again.sum()), conflicts)

    def drop_quarantined_text(self, now: datetime, days: int) -> int:
        """Forget what rows held that came into quarantine longer ago, and what values were that did
        not fit their feature; returns how many rows did."""
        long_ago = "batch_id IN (SELECT batch_id FROM batches WHERE committed_at < $before)"
        old = f"FROM quarantine WHERE raw IS NOT NULL AND {long_ago}"
        before = {"before": now - timedelta(days=days)}
        n = self._value(f"SELECT count(*) {old}", before)
        if n:
            self._write(
                f"UPDATE quarantine SET raw = NULL WHERE rowid IN (SELECT rowid {old})", before
            )
        self._write(f"DELETE FROM unreadable WHERE {long_ago}", before)
        return n


def _contents(rows):
    "A hash of each row, whatever its file and its line."
    parts = zip(rows.kind, rows.reason, rows.raw.fillna(""))
    return [
        hashlib.md5("\x1f".join(part).encode(), usedforsecurity=False).hexdigest() for part in parts
    ]


def _capped(raw):
    if not isinstance(raw, str) or len(raw) <= _CAP:
        return raw
    return f"{raw[:_CAP]}... ({len(raw):,} characters)"
