"""What a morning explained once, in a small file beside the day: pages and messages read it."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..stats.automation import Certainty
from .durable import write_durably
from .reason_files import OfDay

__all__ = ["Interval", "calibrated_on", "read_differences", "write_differences"]


class Interval(NamedTuple):
    "A probability interval of a score, and the days of the events that it was calibrated on."

    lower: float
    upper: float
    points: int
    days: tuple[date, ...]  # in order

    @property
    def width(self) -> float:
        "As a probability."
        return self.upper - self.lower

    @property
    def span(self) -> tuple[date, date]:
        "The first and the last of its days."
        return self.days[0], self.days[-1]

    def as_json(self) -> list:
        "As JSON values."
        return [*self[:3], list(map(str, self.days))]


def calibrated_on(held_out: Iterable[date], stands: Certainty, days: int) -> tuple[date, ...]:
    """The days of the labelled events that a calibration rests on: so many up to the newest whose
    labels were in; of one that was made when its version was registered, the held-out days."""
    if stands.counted is None:
        return tuple(sorted(held_out))
    return tuple(stands.counted - timedelta(back) for back in range(days - 1, -1, -1))


def _path(root, of):
    return of.path(root, "differences").with_suffix(".json")


def write_differences(root: Path, of: OfDay, told: Mapping[str, Any]) -> Path:
    "Write what is to be kept of a day (JSON values), whole or not at all; the file's path."
    path = _path(root, of)
    write_durably(path, json.dumps(told))
    return path


def read_differences(root: Path, of: OfDay) -> dict[str, Any] | None:
    "What is kept of a day; None without a readable file."
    try:
        told = json.loads(_path(root, of).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is made again
        return None
    return told if isinstance(told, dict) else None
