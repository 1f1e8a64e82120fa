"""Countries whose holidays the calendar holds, for everybody or for one tenant."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from .known_days import CalendarReads, CalendarWrites, Entry

__all__ = ["Declared", "HolidayReads", "HolidayWrites"]


class Declared(NamedTuple):
    "A country whose holidays the calendar holds."

    country: str
    region: str | None = None  # None: what is a holiday in all of the country
    tenant: str | None = None  # None: every one

    def __str__(self) -> str:
        where = self.country + (f", {self.region}" if self.region else "")
        return where + (f", for tenant {self.tenant}" if self.tenant else "")


class HolidayReads(CalendarReads):
    "Whose holidays were entered, and up to when."

    def declared_holidays(self, as_of: datetime | None = None) -> dict[Declared, tuple[str, date]]:
        """Whose holidays the calendar holds, and is to hold of years to come: the id, and the last
        day of which they are known."""
        changes = """
            SELECT subject, new IS NOT NULL, evidence FROM audit
            WHERE what = 'holidays' AND ($as_of::TIMESTAMPTZ IS NULL OR changed_at <= $as_of)
            QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1
            ORDER BY subject"""
        declared = {}
        for key, stands, told in self._rows(changes, {"as_of": as_of}):
            if stands:
                said = json.loads(told)
                whose = Declared(said["country"], said["region"], said["tenant"])
                declared[whose] = key, date.fromisoformat(said["until"])
        return declared

    def declared_days(self, key: str) -> dict[date, str | None]:
        """Days that were ever entered of a country, each with the id of its entry; None where it
        was taken out."""
        rows = self._rows(
            """
            SELECT first, CASE WHEN NOT removed THEN entry_id END FROM calendar
            WHERE declared = $key
            QUALIFY row_number() OVER (
                PARTITION BY entry_id ORDER BY recorded_at DESC, rowid DESC) = 1
            ORDER BY first""",
            {"key": key},
        )
        return dict(rows)


class HolidayWrites(HolidayReads, CalendarWrites):
    "Holidays of a country, entered and taken out together."

    def enter_holidays(
        self,
        now: datetime,
        who: str,
        whose: Declared,
        days: Mapping[date, str],
        until: date,
        why: str,
    ) -> tuple[str, list[str]]:
        """Enter a country's holidays, known up to a day, each as an entry of its own, and keep in
        the trail whose they are: the id of all together, and of those that are new. A day that was
        ever entered of it is left as it is: what a person took out stays out. Where there is
        nothing new, nothing is written."""
        self.require_tenant(whose.tenant)
        key, known_until = self.declared_holidays().get(whose, (self._next_key(), date.min))
        known = self.declared_days(key)
        new = {day: name for day, name in sorted(days.items()) if day not in known}
        if not new and until <= known_until:
            return key, []
        said = (
            Entry(day, day, name, tenant=whose.tenant, holiday=True, declared=key)
            for day, name in new.items()
        )
        entries = dict(zip(self.new_entries(len(new)), said))
        until = max(until, known_until)
        with self.transaction():
            self.enter(now, who, entries)
            told = {name: str(entry) for name, entry in entries.items()}
            evidence = whose._asdict() | {"until": str(until), "entries": told}
            self.record(now, who, "holidays", key, f"{whose}, known to {until}", why, evidence)
        return key, list(entries)

    def _next_key(self):
        known = self._value("SELECT count(DISTINCT subject) FROM audit WHERE what = 'holidays'")
        return f"H-{known + 1}"

    def strike(self, now: datetime, who: str, entry_id: str, why: str) -> None:
        """Take an entry out of the calendar, or all holidays of a country with what would be
        entered of years to come; StoreError names the entries there are. What is taken out already
        stays so."""
        of_country = self._value(
            "SELECT count(*) FROM audit WHERE what = 'holidays' AND subject = $key",
            {"key": entry_id},
        )
        if not of_country:
            super().strike(now, who, entry_id, why)
        elif self.in_force("holidays", entry_id) is not None:
            standing = self._entries().items()
            entries = {key: entry for key, entry in standing if entry.declared == entry_id}
            with self.transaction():
                self.enter(now, who, entries, removed=True)
                gone = {"entries": dict.fromkeys(entries)}
                self.record(now, who, "holidays", entry_id, None, why, gone)
