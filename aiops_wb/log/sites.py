"""Sites and who is asked about them."""

from datetime import datetime
from difflib import get_close_matches

import pandas as pd

from .audit import AuditWrites
from .base import Connected
from .errors import StoreError

__all__ = ["SiteReads", "SiteWrites", "columns_not_read"]

_COLUMNS = ("tenant", "site_id", "name", "security_manager", "manager")


class SiteReads(Connected):
    "Who is asked."

    def sites(self) -> dict[tuple[str, str], dict[str, str | None]]:
        "(tenant, site_id) -> name, security_manager, manager: the latest row of each site."
        rows = self._rows(
            """
            SELECT tenant, site_id, name, security_manager, manager
            FROM sites
            QUALIFY row_number() OVER (
                PARTITION BY tenant, site_id ORDER BY loaded_at DESC, rowid DESC) = 1"""
        )
        return {
            (tenant, site): {"name": name, "security_manager": first, "manager": second}
            for tenant, site, name, first, second in rows
        }


class SiteWrites(SiteReads, AuditWrites):
    "A new table of sites."

    def set_sites(self, now: datetime, who: str, sites: pd.DataFrame, why: str) -> int:
        """Add rows of sites (site_id, and any of tenant, name, security_manager, manager); the
        latest of a site counts. Returns how many changed or are new."""
        rows, known = _checked(sites), self.sites()
        changed = rows[[_told(row) != known.get(key) for key, row in _by_site(rows)]]
        if len(changed):
            with self.transaction():
                newest = self._value("SELECT max(loaded_at) FROM sites")
                # a clock that was set back must not hide a table
                loaded_at = max(now, newest) if newest else now
                self._insert("sites", changed.assign(loaded_at=loaded_at, who=who))
                told = changed.head(100).to_dict("records")
                self.record(now, who, "sites", "sites", f"{len(changed)} rows", why, told)
        return len(changed)


def _by_site(rows):
    "(tenant, site_id) and the rest of each row."
    return [((row["tenant"], row["site_id"]), row) for row in rows.to_dict("records")]


def _told(row):
    "What a row says of its site."
    return {column: row[column] for column in ("name", "security_manager", "manager")}


def _text(value):
    return None if pd.isna(value) or not str(value).strip() else str(value).strip()


def columns_not_read(frame: pd.DataFrame) -> list[str]:
    """The columns of a table of sites that nothing is done with; StoreError where one looks like a
    misspelt one that is read."""
    unknown = [str(column) for column in frame.columns if column not in _COLUMNS]
    for column in unknown:
        meant = get_close_matches(column, [c for c in _COLUMNS if c not in frame.columns], 1, 0.8)
        if meant:
            raise StoreError(
                f"the table of sites has a column {column!r}: is {meant[0]!r} meant? "
                f"{', '.join(_COLUMNS)} are read; rename it, or leave it out."
            )
    return unknown


def _checked(frame):
    "Sites as rows of text or None; StoreError names what is missing, misspelt or twice there."
    columns_not_read(frame)
    if "site_id" not in frame.columns:
        raise StoreError(
            f"the table of sites has no column site_id: it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}; "
            "site_id, tenant, name, security_manager and manager are read."
        )
    columns = {
        column: [_text(value) for value in frame[column]]
        if column in frame
        else [None] * len(frame)
        for column in _COLUMNS
    }
    rows = pd.DataFrame(columns, dtype=object).assign(tenant=lambda r: r.tenant.fillna("default"))
    if rows.site_id.isna().any():
        number = int(rows.site_id.isna().argmax()) + 1
        raise StoreError(f"row {number} of the sites has no site_id.")
    twice = rows[rows.duplicated(["tenant", "site_id"])]
    if len(twice):
        raise StoreError(
            f"site {twice.site_id.iloc[0]} is in the table twice: give one row for each site."
        )
    return rows
