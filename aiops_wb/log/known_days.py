"""The calendar: what is known beforehand about days."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

import pandas as pd

from .audit import AuditWrites
from .base import Connected, as_rows, conditions, known_by
from .batches import BatchReads
from .errors import StoreError

__all__ = ["CalendarReads", "CalendarWrites", "Entry", "said_of_entry"]


class Entry(NamedTuple):
    "What is known beforehand about days."

    first: date
    last: date
    name: str
    model: str | None = None  # None: every one
    mutes: bool = False  # these days raise no alarm and count for none
    tenant: str | None = None  # None: every one
    holiday: bool = False  # these days are compared with holidays
    declared: str | None = None  # the id of the country's holidays that it is of

    def __str__(self) -> str:
        return said_of_entry(
            self.first, self.last, self.name, self.mutes, self.holiday, self.tenant
        )


def said_of_entry(
    first: date, last: date, name: str, mutes: bool, holiday: bool, tenant: str | None
) -> str:
    "What an entry says, as the trail keeps it."
    marks = [word for word, on in (("muted", mutes), ("holiday", holiday)) if on]
    marks += [f"tenant {tenant}"] if tenant else []
    return f"{first} to {last}: {name}" + (f" ({', '.join(marks)})" if marks else "")


class CalendarReads(Connected):
    "What was entered."

    def calendar(self, model: str | None = None, as_of: datetime | None = None) -> pd.DataFrame:
        """What was known beforehand about a model's days (or everybody's): entry_id, first, last,
        model, name, mutes, who, recorded_at; tenant (None: every one), whether it is a holiday,
        and declared, the id of the country's holidays that it is of."""
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
            SELECT entry_id, first, last, model, name, mutes, who, recorded_at,
                   tenant, coalesce(holiday, false) AS holiday, declared
            FROM (SELECT * FROM calendar{where}
                  QUALIFY row_number() OVER (
                      PARTITION BY entry_id ORDER BY recorded_at DESC, rowid DESC) = 1)
            WHERE NOT removed AND (model IS NULL OR $only::VARCHAR IS NULL OR model = $only)
            ORDER BY first, last, name""",
            values | {"only": model},
        )

    def require_tenant(self, tenant: str | None) -> None:
        "StoreError for a tenant without a prediction; None is every one."
        if tenant is None:
            return
        known = self._column("SELECT DISTINCT tenant FROM score_counts ORDER BY 1")
        if tenant not in known:
            choices = ", ".join(known[:20])
            raise StoreError(
                f"the log has no tenant {tenant!r}: "
                + (f"choose one of {choices}." if choices else "it is empty.")
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
        tenant: str | None = None,
        holiday: bool = False,
    ) -> str:
        """Enter what is known beforehand about days, for one model or all, one tenant or all; with
        `mutes` these days raise no alarm and count for none, with `holiday` they are compared with
        holidays.

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
        self.require_tenant(tenant)
        entry = Entry(first, last, name, model, mutes, tenant, holiday)
        if same := self._standing(entry):
            return same
        (key,) = self.new_entries(1)
        with self.transaction():
            self.enter(now, who, {key: entry})
            self.record(now, who, "calendar", key, str(entry), why, {"model": model})
        return key

    def new_entries(self, n: int) -> list[str]:
        "Ids of so many entries that are to be made."
        known = self._value("SELECT count(DISTINCT entry_id) FROM calendar")
        return [f"C-{known + i + 1}" for i in range(n)]

    def enter(
        self, now: datetime, who: str, entries: Mapping[str, Entry], removed: bool = False
    ) -> None:
        "Append entries by id, or that they are taken out; who calls records it."
        if removed:  # the latest row counts, whatever the clock says
            now = max(now, self._value("SELECT max(recorded_at) FROM calendar"))
        at = {"who": who, "recorded_at": now, "removed": removed}
        rows = [entry._asdict() | {"entry_id": key} | at for key, entry in entries.items()]
        if rows:
            self._insert("calendar", pd.DataFrame(rows))

    def _standing(self, entry):
        "The id of an entry that says just this; None when there is none."
        return next((key for key, one in self._entries().items() if one == entry), None)

    def _entries(self):
        "The entries that stand, by id."
        rows = self.calendar()
        rows = rows.assign(first=rows["first"].dt.date, last=rows["last"].dt.date)
        told = as_rows(rows, ("entry_id", *Entry._fields))
        return {row.pop("entry_id"): Entry(**row) for row in told}

    def strike(self, now: datetime, who: str, entry_id: str, why: str) -> None:
        """Take an entry out of the calendar; StoreError names the entries there are. One that is
        taken out already stays so."""
        entries = self._entries()
        if self._is_struck(entry_id):
            return
        if entry_id not in entries:
            choices = ", ".join(entries)
            raise StoreError(
                f"the calendar has no entry {entry_id!r}: "
                + (f"choose one of {choices}." if choices else "it is empty.")
            )
        with self.transaction():
            self.enter(now, who, {entry_id: entries[entry_id]}, removed=True)
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
