"""What a morning explained once, in a small file beside the day: pages and messages read it."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from .durable import fsync
from .reason_files import OfDay

__all__ = ["Interval", "read_differences", "write_differences"]


class Interval(NamedTuple):
    "A probability interval of a score, and the days of the events that it was calibrated on."

    lower: float
    upper: float
    points: int
    first: date
    last: date

    @property
    def width(self) -> float:
        "As a probability."
        return self.upper - self.lower


def _path(root, of):
    return of.path(root, "differences").with_suffix(".json")


def write_differences(root: Path, of: OfDay, told: Mapping[str, Any]) -> Path:
    "Write what is to be kept of a day (JSON values), whole or not at all; the file's path."
    path = _path(root, of)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(json.dumps(told), encoding="utf-8")
        fsync(aside)
        aside.replace(path)
        fsync(path.parent)
    finally:
        with suppress(OSError):
            aside.unlink()
    return path


def read_differences(root: Path, of: OfDay) -> dict[str, Any] | None:
    "What is kept of a day; None without a readable file."
    try:
        told = json.loads(_path(root, of).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is made again
        return None
    return told if isinstance(told, dict) else None
