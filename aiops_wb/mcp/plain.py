"""What a client is told: plain values in named fields, and never more than fits.

Texts of a log are those of others: ids, names of features, reasons. A client hands them to a
program that reads sentences, so they come in fields of their own, as one line each, without
escapes and without characters that are not seen.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Any

import pandas as pd

__all__ = ["LONGEST_TEXT", "MOST_BYTES", "MOST_ROWS", "bounded", "clean", "few"]

LONGEST_TEXT = 1_000
"Characters of one text."
MOST_ROWS = 200
"Rows of one list."
MOST_BYTES = 100_000
"Of one answer, as JSON."

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]?)")


def clean(text: str) -> str:
    "A text as one line that holds what is seen of it, and no more than `LONGEST_TEXT` characters."
    seen = "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", text))
    line = " ".join(seen.split())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"


def few(rows: Sequence[Any], most: int = MOST_ROWS) -> dict[str, Any]:
    "The first rows of a list, and how many were left off."
    return {"rows": list(rows[:most]), "left_off": max(0, len(rows) - most)}


def bounded(told: Mapping[str, Any]) -> dict[str, Any]:
    "An answer as plain values; ValueError where it is too much."
    answer = _plain(told)
    size = len(json.dumps(answer, ensure_ascii=False).encode())
    if size > MOST_BYTES:
        told_of = f"the answer has {size:,} bytes and {MOST_BYTES:,} are told"
        raise ValueError(f"{told_of}: ask for fewer days or figures.")
    return answer


def _plain(value):
    "None for what is unknown or infinite."
    if isinstance(value, Mapping):
        return {clean(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.9g}") if isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else clean(str(value))
