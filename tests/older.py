"""Catalogs as earlier releases left them."""

import re

from aiops_wb.log.duck import migrations

__all__ = ["go_back"]

_MADE = re.compile(r"^CREATE TABLE (\w+)", re.M)
_ADDED = re.compile(r"^ALTER TABLE (\w+) ADD COLUMN (?:IF NOT EXISTS )?(\w+)", re.M)


def go_back(con, version: int) -> None:
    "Drop what migrations after a version made, so that the next opening makes it again."
    for number, _, text in reversed(migrations()):
        if number > version:
            for table in _MADE.findall(text):
                con.execute(f"DROP TABLE {table}")
            for table, column in _ADDED.findall(text):
                con.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    con.execute("DELETE FROM migrations WHERE version > ?", [version])
