"""The calendar: what is known beforehand about days."""

from datetime import date, datetime

import pandas as pd

from .audit import AuditWrites
from .base import Connected, conditions, known_by
from .batches import BatchReads
from .errors import StoreError

__all__ = ["CalendarReads", "CalendarWrites"]


class CalendarReads(Connected):
    "What was entered."

    def calendar(self, model: str | None = None, as_of: datetime | None = None) -> pd.DataFrame:
        """What was known beforehand about a model's days (or everybody's): entry_id, first, last,
        model, name, mutes, who."""
        entered = self._until_written(
            "calendar", "times", lambda: self._column("SELECT recorded_at FROM calendar")
        )
        asked = model, sum(known_by(at, as_of) for at in entered)
        look = lambda: self._calendar(model, as_of)
        return self._until_written("calendar", asked, look).copy(deep=False)

    def _calendar(self, model, as_of):
        where, values = conditions(recorded_at__le=as_of)
        return self.frame(
            f"""
            SELECT entry_id, first, last, model, name, mutes, who, recorded_at
            FROM (SELECT * FROM calendar{where}
                  QUALIFY row_number() OVER (
                      PARTITION BY entry_id ORDER BY recorded_at DESC, rowid DESC) = 1)
            WHERE NOT removed AND (model IS NULL OR $only::VARCHAR IS NULL OR model = $only)
            ORDER BY first, last, name""",
            values | {"only": model},
        )


class CalendarWrites(CalendarReads, BatchReads, AuditWrites):
    "Entries made and struck out."

    def annotate(
        self,
        now: datetime,
        who: str,
        first: date,
        last: date,
        name: str,
        why: str,
        model: str | None = None,
        mutes: bool = False,
    ) -> str:
        """Enter what is known beforehand about days, for one model or all; with `mutes` these days
        raise no alarm and count for none.

        Returns the entry's id, that of the same entry where there is one; StoreError for a range
        that ends before it begins.
        """
        name = name.strip()
        if last < first:
            raise StoreError(f"the range from {first} to {last} ends before it begins.")
        if not name:
            raise StoreError("an entry of the calendar needs a name.")
        if model is not None:
            self.require_model(model)
        if same := self._standing(first, last, name, model, mutes):
            return same
        key = f"C-{self._value('SELECT count(DISTINCT entry_id) FROM calendar') + 1}"
        told = f"{first} to {last}: {name}" + (" (muted)" if mutes else "")
        with self.transaction():
            self._write(
                """
                INSERT INTO calendar VALUES (
                    $key, $first, $last, $model, $name, $mutes, false, $who, $now)""",
                {
                    "key": key,
                    "first": first,
                    "last": last,
                    "model": model,
                    "name": name,
                    "mutes": mutes,
                    "who": who,
                    "now": now,
                },
            )
            self.record(now, who, "calendar", key, told, why, {"model": model})
        return key

    def _standing(self, first, last, name, model, mutes):
        "The id of an entry that says just this; None when there is none."
        entries = self.calendar()
        told = zip(
            entries.entry_id,
            entries["first"].dt.date,
            entries["last"].dt.date,
            entries["name"],
            entries.model.where(entries.model.notna(), None),
            entries.mutes.astype(bool),
        )
        return next((key for key, *said in told if said == [first, last, name, model, mutes]), None)

    def strike(self, now: datetime, who: str, entry_id: str, why: str) -> None:
        """Take an entry out of the calendar; StoreError names the entries there are. One that is
        taken out already stays so."""
        entries = self.calendar()
        if self._is_struck(entry_id):
            return
        if entry_id not in set(entries.entry_id):
            choices = ", ".join(entries.entry_id)
            raise StoreError(
                f"the calendar has no entry {entry_id!r}: "
                + (f"choose one of {choices}." if choices else "it is empty.")
            )
        with self.transaction():
            self._write(
                """
                INSERT INTO calendar
                SELECT entry_id, first, last, model, name, mutes, true, $who,
                       greatest($now::TIMESTAMPTZ, recorded_at)
                FROM calendar
                WHERE entry_id = $key
                ORDER BY recorded_at DESC
                LIMIT 1""",
                {"who": who, "now": now, "key": entry_id},
            )
            self.record(now, who, "calendar", entry_id, None, why)

    def _is_struck(self, entry_id):
        "Whether an entry was taken out."
        return bool(
            self._value(
                """
                SELECT removed FROM calendar WHERE entry_id = $key
                ORDER BY recorded_at DESC, rowid DESC LIMIT 1""",
                {"key": entry_id},
            )
        )
