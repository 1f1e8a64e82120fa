"""Versions that are kept: registered once, never replaced, loaded only as they were registered."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import xgboost as xgb

from ..log.catalog import Reader
from ..log.durable import fsync
from ..log.errors import StoreError
from ..log.names import checked_name, file_name
from ..log.store import Store
from ..stats.automation import certainty
from ..stats.counts import ScoreCounts, total
from ..stats.points import Grid
from .version import ModelVersion

__all__ = ["register", "load"]

# a calibration from fewer labels would say next to nothing
LEAST_LABELLED = 30


def register(
    store: Store,
    trained: ModelVersion,
    held_out: Mapping[date, ScoreCounts],
    now: datetime,
    who: str,
    **options,
) -> ModelVersion:
    """Store a trained version with its threshold and first calibration (options of
    `automation.certainty`); StoreError when the name is taken.
    """
    model, version = _named(trained)
    if version in set(store.versions(model).version):
        raise StoreError(
            f"{model} already has a version {version!r}: versions are never "
            "replaced, choose a new name."
        )
    path = _save(trained, store.root)
    card = trained.card | {"sha256": _sha256(path)}
    place = str(path.relative_to(store.root))
    store.add_version(now, who, model, version, trained.grid, place, card, trained.threshold)
    store.add_held_out(model, version, held_out)
    if trained.reference is not None:
        store.add_reference(model, version, trained.reference)
    if total(held_out.values()).total[1] >= LEAST_LABELLED:
        _add_first_calibration(store, trained, held_out, now, who, options)
    return load(store, model, version)


def _named(trained):
    "Model and version; StoreError where one of them is no name."
    try:
        return checked_name(trained.model), checked_name(trained.version)
    except ValueError as error:
        raise StoreError(f"{error}.") from None


def _save(trained, root) -> Path:
    "Write the booster's file; under its name it is whole or not there."
    folder = root / "models" / file_name(trained.model) / file_name(trained.version)
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / "model.ubj", folder / "writing.ubj"
    trained.booster.save_model(temporary)
    fsync(temporary)
    temporary.rename(target)
    fsync(folder)
    return target


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _add_first_calibration(store, trained, held_out, now, who, options):
    # the labels of held-out days are in: there is none to wait for
    options = options | {"label_delay_days": 0}
    first = certainty(
        held_out,
        max(held_out),
        **options,
        model=trained.model,
        version=trained.version,
        created_at=now,
    )
    why = "held-out days of the training window"
    store.add_calibration(now, who, trained.model, trained.version, first, why)


def load(
    reader: Reader, model: str, version: str | None = None, as_of: datetime | None = None
) -> ModelVersion:
    """A registered version (the active one unless named); StoreError when there is none or its file
    was changed.
    """
    version = version or reader.active_version(model, as_of)
    if version is None:
        raise StoreError(
            f"{model} has no active version: activate one with 'aiops-wb models promote'."
        )
    row = reader.version(model, version)
    path = reader.root / row.path
    if not path.exists() or _sha256(path) != row.card["sha256"]:
        raise StoreError(
            f"{path} is missing or is not the file that was registered as {model} {version}."
        )
    booster = xgb.Booster(model_file=path)
    return ModelVersion(model, version, booster, row.card, Grid.parse(row.grid))
