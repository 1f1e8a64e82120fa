"""Hashes of what decides, as they stand in the audit trail.

The hash of a row is a SHA-256 over all of its fields, each with its type: two rows have the same
one only when they say the same. It is taken of what was written, read back in the transaction that
wrote it.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from .base import Connected

__all__ = ["COUNTED", "calibration_seals", "counts_seal", "seal", "version_seals"]

COUNTED = {
    "held_out_counts": ("event_date", "grid", "points", "n", "n_labelled", "n_positive"),
    "reference_counts": ("event_date", "feature", "bin", "n"),
}
"Tables of what a version began with -> the columns that say it."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seal(kind: str, fields: Mapping[str, Any]) -> str:
    """The SHA-256 of a row of a kind, as 64 hex digits: of its fields in the order of their names,
    numbers exactly, times to the microsecond.

    TypeError for a value that is no text, number, boolean, date, time or None.
    """
    told = [kind, sorted((name, _typed(value)) for name, value in fields.items())]
    text = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _typed(value):
    "A value with its type, as texts."
    match value:
        case None:
            return ["none", ""]
        case bool():
            return ["boolean", str(value)]
        case str():
            return ["text", value]
        case int():
            return ["integer", str(value)]
        case float():
            return ["number", value.hex()]
        case datetime():
            since = value - _EPOCH if value.tzinfo else value.replace(tzinfo=UTC) - _EPOCH
            return ["time", str((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds)]
        case date():
            return ["day", value.isoformat()]
    raise TypeError(f"{type(value).__name__} is no field of a row that is hashed")


def calibration_seals(reader: Connected, key: str | None = None) -> dict[str, list[str]]:
    "Id of each stored calibration, or of one -> the hashes of the rows with it: one, usually."
    return _seals(reader, "calibrations", "calibration_id", "calibration_id = $key", {"key": key})


def _seals(reader, table, name, where, values):
    "Value of a column, or of several -> the hashes of the rows of a table with it."
    only = all(value is not None for value in values.values())
    told = reader.con.execute(
        f"SELECT * FROM {table}" + (f" WHERE {where}" if only else ""), values if only else {}
    )
    columns, found = [column[0] for column in told.description], {}
    for row in told.fetchall():
        fields = dict(zip(columns, row))
        key = fields[name] if isinstance(name, str) else tuple(fields[part] for part in name)
        found.setdefault(key, []).append(seal(table, fields))
    return found


def version_seals(
    reader: Connected, model: str | None = None, version: str | None = None
) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Model and version -> for each row with them the hash of it, which holds its card and with it
    that of its file, and of the counts that it began with."""
    rows = _seals(
        reader,
        "models",
        ("model", "version"),
        "model = $model AND version = $version",
        {"model": model, "version": version},
    )
    return {
        named: [
            {"row": one} | {table: counts_seal(reader, table, *named) for table in COUNTED}
            for one in hashes
        ]
        for named, hashes in rows.items()
    }


def counts_seal(reader: Connected, table: str, model: str, version: str) -> str:
    "The hash of all counts of a version in a table of `COUNTED`, in whatever order they lie."
    said = f"json_array({', '.join(COUNTED[table])})::VARCHAR"
    return reader._value(
        f"""
        SELECT sha256(coalesce(string_agg({said}, chr(10) ORDER BY {said}), ''))
        FROM {table} WHERE model = $model AND version = $version""",
        {"model": model, "version": version},
    )
