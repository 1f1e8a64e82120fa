"""A trained version as files: from the process that trained it to the one that registers it."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import xgboost as xgb

from ..log.durable import fsync
from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from .version import ModelVersion

__all__ = ["Trained", "forget_trained", "read_trained", "write_trained"]

_TREES, _REST = "trees.ubj", "trained.json"

Trained = tuple[ModelVersion, Mapping[date, ScoreCounts]]


def write_trained(folder: Path, trained: ModelVersion, held_out: Mapping[date, ScoreCounts]):
    "All of it is there afterwards, or nothing that would be read."
    trained.booster.save_model(folder / _TREES)
    fsync(folder / _TREES)
    rest = {
        "model": trained.model,
        "version": trained.version,
        "card": trained.card,
        "grid": trained.grid.name,
        "reference": _columns(trained.reference),
        "held_out": {str(day): _table(counts) for day, counts in held_out.items()},
    }
    written = folder / "writing.json"
    written.write_text(json.dumps(rest), encoding="utf-8")
    fsync(written)
    written.replace(folder / _REST)
    fsync(folder)


def read_trained(folder: Path) -> Trained | None:
    "What was written whole; None where nothing was."
    if not (folder / _REST).exists():
        return None
    rest = json.loads((folder / _REST).read_text(encoding="utf-8"))
    booster, grid = xgb.Booster(), Grid.parse(rest["grid"])
    booster.load_model(folder / _TREES)
    version = ModelVersion(
        rest["model"],
        rest["version"],
        booster,
        rest["card"],
        grid,
        _frame(rest["reference"]),
    )
    held_out = {
        date.fromisoformat(day): ScoreCounts.of(*table, grid)
        for day, table in rest["held_out"].items()
    }
    return version, held_out


def forget_trained(folder: Path) -> None:
    "Remove what was written, if anything was."
    for name in (_REST, _TREES):  # the trees alone are read by nobody
        (folder / name).unlink(missing_ok=True)


def _table(counts):
    return [column.tolist() for column in (counts.points, *counts.columns)]


def _columns(frame):
    "A frame of counts by day as lists; None where there is none."
    if frame is None:
        return None
    return frame.assign(event_date=frame.event_date.astype(str)).to_dict("list")


def _frame(columns):
    if columns is None:
        return None
    frame = pd.DataFrame(columns)
    return frame.assign(event_date=pd.to_datetime(frame.event_date).dt.date)
