"""What a morning explained once, in a small file beside the day: pages and messages read it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .durable import write_durably
from .reason_files import OfDay

__all__ = ["read_differences", "write_differences"]


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
