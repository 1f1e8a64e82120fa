"""Who was forgotten: what is delivered of them again is dropped, and counted as that.

An entity is forgotten up to a time: what is predicted of it later is new, with grounds of its own,
unless it was forgotten for the future as well. What was older than an age was forgotten together,
by that time and without a name.
"""

import json
import logging
import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from .base import Connected, Writing
from .event_keys import EventKeyReads
from .pseudonyms import KEY_FILE, keyed, keyed_sql, known_key, made_key
from .spelling import spellings

__all__ = ["FORGOTTEN", "Forgotten", "ForgottenReads", "ForgottenWrites"]

FORGOTTEN = "forgotten"
"The reason of a row that is dropped: who it is about was forgotten."

logger = logging.getLogger(__name__)

_MARK = "key"
_WORD = re.compile(r"[^\s\"',;|{}\[\]()<>=]+")
_SCOPE = "(f.tenant IS NULL OR f.tenant = s.tenant) AND (f.model IS NULL OR f.model = s.model)"
_INTO = """
    INSERT INTO rejects
    SELECT DISTINCT filename, file_row_number, 'forgotten', true FROM gone_rows"""


class Forgotten(NamedTuple):
    "Somebody or something that is forgotten; `name` in clear is never kept."

    kind: str  # entity | prediction | before
    name: str | None = None
    tenant: str | None = None
    model: str | None = None
    until: datetime | None = None


class ForgottenReads(Connected):
    "Whether something was forgotten."

    def forgets(self) -> bool:
        "Whether anybody was forgotten."
        return bool(self._rows("SELECT 1 FROM forgotten LIMIT 1"))

    def knows_as_forgotten(self, one: Forgotten) -> bool:
        "Whether just this was forgotten, at least until its time."
        key = known_key(self.root)
        if one.name is not None and key is None:
            return False
        values = {"kind": one.kind, "tenant": one.tenant, "model": one.model, "until": one.until}
        values["hash"] = None if one.name is None else keyed(key, one.kind, one.name)
        return bool(
            self._rows(
                """
                SELECT 1 FROM forgotten
                WHERE kind = $kind AND hash IS NOT DISTINCT FROM $hash
                  AND tenant IS NOT DISTINCT FROM $tenant AND model IS NOT DISTINCT FROM $model
                  AND (until IS NULL OR until >= $until::TIMESTAMPTZ)""",
                values,
            )
        )


class ForgottenWrites(ForgottenReads, EventKeyReads, Writing):
    "New names that are forgotten, and rows that are dropped."

    def add_forgotten(self, now: datetime, ones: Iterable[Forgotten]) -> None:
        "Remember, by keyed hashes, that some are forgotten; what is known so already is left out."
        new = [one for one in ones if not self.knows_as_forgotten(one)]
        key = self._key(now) if any(one.name is not None for one in new) else b""
        for one in new:
            name = None if one.name is None else keyed(key, one.kind, one.name)
            self._write(
                "INSERT INTO forgotten VALUES (?, ?, ?, ?, ?, ?)",
                [one.kind, name, one.tenant, one.model, one.until, now],
            )

    def _key(self, now):
        "The key of the folder, whose own hash stands among those that were made with it."
        key = made_key(self.root)
        mark = keyed(key, _MARK, "")
        self._write(
            """
            INSERT INTO forgotten SELECT $mark, $hash, NULL, NULL, NULL, $now
            WHERE NOT EXISTS (FROM forgotten WHERE kind = $mark AND hash = $hash)""",
            {"mark": _MARK, "hash": mark, "now": now},
        )
        return key

    def _warn_of_lost_key(self):
        "Say once that who was forgotten under another key cannot be told from others any more."
        if self._is_warned:
            return
        self._is_warned = True
        key = known_key(self.root)
        mine = "" if key is None else keyed(key, _MARK, "")
        marks = self._column("FROM (SELECT hash FROM forgotten WHERE kind = $m)", {"m": _MARK})
        if any(mark != mine for mark in marks):
            logger.warning(
                "who was forgotten cannot be told any more, and is taken in again when delivered: "
                "%s %s; put it back from a backup",
                self.root / KEY_FILE,
                "is missing" if key is None else "is not the key of that time",
            )

    _is_warned = False

    def reject_forgotten(self, kind: str, source: str) -> int:
        """Drop the rows of a chunk (table `rejects`, and `resolved` of outcomes) that are about
        somebody forgotten; how many. Their ids stay in `gone_rows` until `keep_forgotten`."""
        if not self.forgets():
            return 0
        self._warn_of_lost_key()
        rows = self._predictions_gone(source) if kind == "predictions" else self._outcomes_gone()
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE gone_rows AS {rows}")
        self._note_events(source)
        n = self._value("SELECT count(DISTINCT (filename, file_row_number)) FROM gone_rows")
        if n:
            place = "(filename, file_row_number)"
            among = f"{place} IN (SELECT {place} FROM gone_rows)"
            con = self.con  # temporary tables of the checks: nothing is kept of them
            con.execute(f"DELETE FROM rejects WHERE {among}")
            con.execute(_INTO)
            if kind == "outcomes":
                con.execute(f"UPDATE resolved SET reason = 'forgotten' WHERE {among}")
        return n

    def _note_events(self, source):
        "Fill `gone_events` with those of dropped predictions of which no other prediction is."
        con = self.con
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE gone_events AS
            SELECT DISTINCT event_key, tenant, model FROM gone_rows WHERE event_key IS NOT NULL"""
        )
        if not self._value("SELECT count(*) FROM gone_events"):
            return
        place = "(filename, file_row_number)"
        con.execute(
            f"""
            DELETE FROM gone_events WHERE event_key IN (
                SELECT event_key FROM {source}
                WHERE event_key IS NOT NULL AND {place} NOT IN (SELECT {place} FROM gone_rows))"""
        )
        self.leave_out_held("gone_events", "true")

    def _predictions_gone(self, source):
        key = known_key(self.root) or b""
        entity, one, event = (keyed_sql(key, *told) for told in _COLUMNS)
        return f"""
            WITH known AS (SELECT prediction_id, entity_id, event_key, tenant, model, predicted_at,
                                  filename, file_row_number FROM {source}),
                 entities AS (SELECT entity_id, {entity} AS hash
                              FROM (SELECT DISTINCT entity_id FROM known)
                              SEMI JOIN (FROM forgotten WHERE kind = 'entity') ON true)
            SELECT s.prediction_id, s.event_key, f.tenant, f.model, s.filename, s.file_row_number
            FROM known s JOIN entities USING (entity_id)
            JOIN forgotten f ON f.kind = 'entity' AND f.hash = entities.hash AND {_SCOPE}
                AND (f.until IS NULL OR s.predicted_at <= f.until)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, s.filename, s.file_row_number
            FROM (SELECT *, {one} AS hash FROM known) s
            JOIN forgotten f ON f.kind = 'prediction' AND f.hash = s.hash AND {_SCOPE}
            UNION ALL
            SELECT s.prediction_id, NULL, NULL, NULL, s.filename, s.file_row_number
            FROM (SELECT *, {event} AS hash FROM known
                  SEMI JOIN (FROM forgotten WHERE kind = 'event') ON event_key IS NOT NULL) s
            JOIN forgotten f ON f.kind = 'event' AND f.hash = s.hash AND {_SCOPE}
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, s.filename, s.file_row_number
            FROM known s JOIN forgotten f ON f.kind = 'before' AND {_SCOPE}
                AND s.predicted_at < f.until"""

    def _outcomes_gone(self):
        """Labels of forgotten predictions, however their ids are spelt, of forgotten events, and of
        those too old."""
        _, hashed, event = (keyed_sql(known_key(self.root) or b"", *told) for told in _COLUMNS)
        rows = "SELECT prediction_id FROM resolved"
        return f"""
            WITH spelt_so AS (SELECT DISTINCT prediction_id AS told, prediction_id FROM resolved
                              UNION ALL {spellings(rows)}),
                 gone AS (SELECT DISTINCT told FROM (SELECT told, {hashed} AS hash FROM spelt_so)
                          SEMI JOIN (FROM forgotten WHERE kind = 'prediction') USING (hash))
            SELECT NULL AS prediction_id, NULL::VARCHAR AS event_key, NULL AS tenant, NULL AS model,
                   filename, file_row_number
            FROM resolved WHERE prediction_id IN (FROM gone)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, filename, file_row_number
            FROM (SELECT *, {event} AS hash FROM resolved WHERE event_key IS NOT NULL)
            SEMI JOIN (FROM forgotten WHERE kind = 'event' AND tenant IS NULL AND model IS NULL)
                USING (hash)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, s.filename, s.file_row_number
            FROM resolved s JOIN forgotten f ON f.kind = 'before' AND f.model IS NULL
                AND f.tenant IS NULL AND s.predicted_at < f.until
            WHERE s.event_date IS NULL"""

    def keep_forgotten(self, now: datetime) -> None:
        "Remember the ids of dropped predictions of an entity: their labels are dropped as well."
        if self.forgets():
            self.remember_ids(now, "gone_rows")
            self.remember_events(now, "FROM gone_events")
            for table in ("gone_rows", "gone_events"):
                self.con.execute(f"DROP TABLE IF EXISTS {table}")

    def remember_ids(self, now: datetime, table: str) -> None:
        "Remember the ids of predictions in a table (column prediction_id) as forgotten."
        hashed = keyed_sql(self._key(now), "prediction", "prediction_id")
        self._write(
            f"""
            INSERT INTO forgotten
            SELECT 'prediction', hash, NULL, NULL, NULL, $now
            FROM (SELECT DISTINCT {hashed} AS hash FROM {table}
                  WHERE prediction_id IS NOT NULL)
            ANTI JOIN (FROM forgotten WHERE kind = 'prediction') USING (hash)""",
            {"now": now},
        )

    def remember_events(self, now: datetime, events: str) -> None:
        """Remember the keys of events (SQL: event_key, and the tenant and model whose predictions
        of them went, missing: all) as forgotten."""
        if not self._value(f"SELECT count(*) FROM ({events})"):
            return
        hashed = keyed_sql(self._key(now), "event", "event_key")
        self._write(
            f"""
            INSERT INTO forgotten
            SELECT 'event', e.hash, e.tenant, e.model, NULL, $now
            FROM (SELECT DISTINCT {hashed} AS hash, tenant, model FROM ({events})) e
            ANTI JOIN forgotten f ON f.kind = 'event' AND f.hash = e.hash
                AND f.tenant IS NOT DISTINCT FROM e.tenant
                AND f.model IS NOT DISTINCT FROM e.model""",
            {"now": now},
        )

    def without_forgotten(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        """Rows for the quarantine (reason, raw) without those in whose text a forgotten name
        stands as a word or a value of its own, and how many these are."""
        if not len(rows) or not self.forgets():
            return rows, 0
        key = known_key(self.root)
        if key is None:
            return rows, 0
        known = set(self._rows("SELECT kind, hash FROM forgotten WHERE hash IS NOT NULL"))
        named = [
            any((kind, keyed(key, kind, word)) in known for word in words for kind in _NAMED)
            for words in map(_words, rows.raw.fillna("") + "\n" + rows.reason.fillna(""))
        ]
        kept = rows[[not one for one in named]]
        return kept, len(rows) - len(kept)


_NAMED = ("entity", "prediction", "event")
_COLUMNS = (("entity", "entity_id"), ("prediction", "prediction_id"), ("event", "event_key"))


def _words(text):
    "What may be a name in a text: its words, and the values of a row in JSON."
    words = set(_WORD.findall(text))
    try:
        told = json.loads(text.partition("\n")[0])
    except ValueError:
        return words
    return words | {str(value) for value in told.values()} if isinstance(told, dict) else words
