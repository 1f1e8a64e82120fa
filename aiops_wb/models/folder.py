"""A registered version as a folder of its own, which mlflow can load, and back into a log.

Nothing here needs mlflow, and nothing of a folder is run when it is imported: the model is read in
XGBoost's own format, the rest is JSON and CSV, each checked by its hash.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files as package_files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from .. import __version__
from ..config import NULL_WORDS
from ..log.catalog import Reader
from ..log.durable import fsync
from ..log.errors import StoreError
from ..log.reading import shown
from ..log.store import Store
from ..log.sums import sha256_of
from ..log.versions import no_file
from ..stats.counts import ScoreCounts, total
from ..stats.points import Grid
from .booster_file import load_booster
from .mlmodel import descriptions
from .pyfunc import CARD
from .registry import register
from .version import ModelVersion

__all__ = ["Folder", "export_version", "import_version", "read_folder"]

FORMAT = 1
MODEL, HELD_OUT, REFERENCE = "model.ubj", "held_out.csv", "reference.csv"
_GOES_WITH_IT = ("log/values.py", "log/errors.py", "models/matrix.py", "models/pyfunc.py")
"Modules of this package that score what was exported, as they stand."
_COUNTS = ("event_date", "points", "n", "n_labelled", "n_positive")
_AGAIN = ("sha256", "has_reference", "has_calibration")
"What a card gets anew when it is registered."


@dataclass(frozen=True, eq=False)
class Folder:
    "A version that was exported, whole."

    version: ModelVersion
    held_out: Mapping[date, ScoreCounts]
    in_force: Mapping[str, Any]  # what stood with it when it was exported


def export_version(reader: Reader, model: str, version: str, folder: Path, now: datetime) -> Path:
    """Write a registered version into a new folder: the model's file as it is registered, its card,
    held-out counts and reference, and what mlflow needs to load it (flavours `xgboost` and
    `python_function`, which scores from features as they are logged).

    StoreError when the folder holds something, or the version is not whole or has no file. The
    folder is there whole, or not at all.
    """
    row = reader.require_whole(model, version)
    if not row.path:
        raise StoreError(no_file(model, version))
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there already: name a new folder.")
    aside = folder.with_name(f"{folder.name}.writing")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write_data(reader, row, aside)
        told = _told(reader, row, aside, now)
        _write_described(aside, told)
        for path in (*aside.rglob("*"), aside):
            fsync(path)
        os.replace(aside, folder)
        fsync(folder.absolute().parent)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return folder


def _write_data(reader, row, folder):
    "The model's file, byte for byte, and the counts of its days."
    named = row.model, row.version
    shutil.copyfile(reader.root / row.path, folder / MODEL)
    days = reader.held_out_counts(*named)
    parts = [
        pd.DataFrame(dict(zip(_COUNTS, (day, counts.points, *counts.columns))))
        for day, counts in days.items()
    ]
    held = pd.concat(parts) if parts else pd.DataFrame(columns=_COUNTS)
    held.to_csv(folder / HELD_OUT, index=False)
    reference = reader.reference_list(*named)
    reference.assign(event_date=reference.event_date.dt.date).to_csv(
        folder / REFERENCE, index=False
    )


def _told(reader, row, folder, now) -> dict[str, Any]:
    "What the folder says of itself."
    return {
        "format": FORMAT,
        "aiops_wb": __version__,
        "model": row.model,
        "version": row.version,
        "grid": row.grid,
        "registered_at": row.registered_at.isoformat(),
        "exported_at": now.isoformat(),
        "in_force": reader.standing(row.model, row.version).as_evidence(),
        "card": row.card,
        "sha256": {name: sha256_of(folder / name) for name in (MODEL, HELD_OUT, REFERENCE)},
    }


def _write_described(folder, told):
    "The card, what mlflow reads, and the code that scores."
    texts = {CARD: json.dumps(told, indent=2, ensure_ascii=False)}
    code = f"aiops_wb_{__version__.replace('.', '_')}"  # apart from an installed one, or another
    texts |= descriptions(told, f"{code}.models.pyfunc")
    package = package_files("aiops_wb")
    for module in _GOES_WITH_IT:
        texts[f"code/{code}/{module}"] = package.joinpath(module).read_text(encoding="utf-8")
    for part in ("", "log/", "models/"):
        texts[f"code/{code}/{part}__init__.py"] = f'"Of aiops_wb {__version__}: what scores."\n'
    texts[f"code/{code}/config.py"] = (
        f'"Words for a missing value."\n\nNULL_WORDS = {NULL_WORDS!r}\n'
    )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def import_version(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    folder: Path,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Folder:
    """Register what a folder holds, under a name of its own (`options` of `automation.certainty`);
    StoreError when it is not whole, or the name is taken."""
    found = read_folder(folder)
    card = {k: v for k, v in found.version.card.items() if k not in _AGAIN}
    if adopted := card.get("adopted"):  # on days of another log
        card["adopted"] = {k: v for k, v in adopted.items() if k != "days"}
    named = f"{found.version.model} {found.version.version}"
    card["imported"] = {"folder": shown(Path(folder).absolute().name), "named": named}
    brought = ModelVersion(
        model,
        version,
        found.version.booster,
        card,
        found.version.grid,
        found.version.reference,
    )
    registered = register(store, brought, found.held_out, now, who, **options)
    return Folder(registered, found.held_out, found.in_force)


def read_folder(folder: Path) -> Folder:
    "What a folder holds; StoreError names what is missing, was changed or is of a later release."
    folder = Path(folder)
    try:
        told = json.loads((folder / CARD).read_text(encoding="utf-8"))
        made = told["format"]
        if made != FORMAT:
            raise StoreError(
                f"{folder} was exported in format {made}, this aiops_wb reads {FORMAT}."
            )
        for name, expected in told["sha256"].items():
            _check(folder, name, expected)
        return _read(folder, told)
    except OSError as error:
        raise StoreError(
            f"{folder} holds no whole version: {Path(error.filename or folder).name} cannot be "
            f"read ({error.strerror})."
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"{folder} holds no whole version: its {CARD} is not as 'aiops-wb models export' "
            f"writes it ({type(error).__name__} {error})."
        ) from None


def _check(folder, name, expected):
    if sha256_of(folder / name) != expected:
        raise StoreError(
            f"{folder} holds no whole version: {name} is not the file that was exported."
        )


def _read(folder, told):
    "The version of a folder whose files are those that were exported."
    card, grid = told["card"], Grid.parse(told["grid"])
    if card["sha256"] != told["sha256"][MODEL]:
        raise StoreError(f"{folder} holds no whole version: its card is of another {MODEL}.")
    booster = load_booster(folder / MODEL)
    if booster.num_features() != len(card["features"]):
        raise StoreError(
            f"{folder} holds no whole version: {MODEL} takes {booster.num_features()} features, "
            f"its card names {len(card['features'])}."
        )
    held = pd.read_csv(folder / HELD_OUT, dtype=dict.fromkeys(_COUNTS[1:], "int64"))
    held_out = {
        date.fromisoformat(day): ScoreCounts.of(*(rows[c].to_numpy() for c in _COUNTS[1:]), grid)
        for day, rows in held.groupby("event_date")
    }
    if total(held_out.values(), grid).total[1] != card.get("held_out_rows", 0):
        raise StoreError(f"{folder} holds no whole version: its card is of other held-out days.")
    reference = pd.read_csv(folder / REFERENCE, keep_default_na=False, dtype={"feature": "str"})
    reference["event_date"] = [date.fromisoformat(day) for day in reference.event_date]
    version = ModelVersion(told["model"], told["version"], booster, card, grid, reference)
    return Folder(version, held_out, told["in_force"])
