"""Versions that are kept: registered once, never replaced, loaded only as they were registered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import xgboost as xgb

from ..log.catalog import Reader
from ..log.durable import fsync
from ..log.errors import StoreError
from ..log.names import checked_name, file_name
from ..log.store import Store
from ..log.sums import sha256_of
from ..log.versions import LEAST_LABELLED, no_file
from ..stats.automation import Certainty, certainty, without_labels
from ..stats.counts import ScoreCounts, total
from ..stats.points import Grid
from .cards import kept_figures
from .version import ModelVersion

__all__ = ["register", "load"]


def register(
    store: Store,
    trained: ModelVersion,
    held_out: Mapping[date, ScoreCounts],
    now: datetime,
    who: str,
    **options,
) -> ModelVersion:
    """Store a trained or adopted version with its threshold, the figures of its held-out days with
    their intervals, and its first calibration (options of `automation.certainty`); StoreError when
    the name is taken by another or it cannot be calibrated. The same version again stays as it is.

    All of it is there afterwards, or nothing: one transaction, which the file comes before.
    """
    model, version = _named(trained)
    if version in set(store.versions(model).version):
        return _registered_before(store, trained, held_out)
    stands = store.calibration(model, version)  # of a version that scored before it is registered
    # where the dial is on, events are of high risk from the threshold on
    high = trained.threshold if store.dial(model).on else None
    first = None if stands else _first_calibration(trained, held_out, now, high, options)
    target = _place(store.root, model, version) if trained.booster else None
    written = _written_aside(trained, target) if target else None
    kept = {"sha256": sha256_of(written)} if target else {}
    kept["has_reference"] = trained.reference is not None and len(trained.reference) > 0
    kept["has_calibration"] = first is not None
    kept["figures"] = kept_figures(held_out, trained.threshold)
    place = str(target.relative_to(store.root)) if target else ""
    with store.transaction():
        card, chosen = trained.card | kept, trained.threshold
        store.add_held_out(model, version, held_out)
        if trained.reference is not None:
            store.add_reference(model, version, trained.reference)
        store.add_version(now, who, model, version, trained.grid, place, card, chosen)
        if first is not None:
            adopted = trained.card.get("adopted")
            days = f"adopted on {adopted['reference']}" if adopted else None
            why = days or "held-out days of the training window"
            store.add_calibration(now, who, model, version, first, why)
        if target:
            # what a stopped registration left there has no row in the catalog: it gives way
            written.replace(target)
            for folder in target.parents[:3]:  # each may be new
                fsync(folder)
    return load(store, model, version) if target else replace(trained, card=card)


def _registered_before(store, trained, held_out):
    "A version that is registered under its name as it is; StoreError where that is another."
    model, version = trained.model, trained.version
    known = store.version(model, version).card
    fresh = trained.card | {"figures": kept_figures(held_out, trained.threshold)}
    if trained.booster:
        written = _written_aside(trained, _place(store.root, model, version))
        fresh["sha256"] = sha256_of(written)
        written.unlink()
    if _as_stored(known, fresh) != _as_stored(fresh, fresh):
        raise StoreError(
            f"{model} already has a version {version!r}, which is not this one: versions are never "
            "replaced, choose a new name."
        )
    return load(store, model, version) if trained.booster else replace(trained, card=known)


def _as_stored(card, names):
    "Some of a card as it is kept; where a threshold came from is told otherwise once it stands."
    kept = {name: card.get(name) for name in names}
    if adopted := kept.get("adopted"):
        kept["adopted"] = {k: v for k, v in adopted.items() if k != "threshold"}
    return json.dumps(kept, sort_keys=True)


def _named(trained):
    "Model and version; StoreError where one of them is no name."
    try:
        return checked_name(trained.model), checked_name(trained.version)
    except ValueError as error:
        raise StoreError(f"{error}.") from None


def _first_calibration(trained, held_out, now, high, options) -> Certainty | None:
    """From the held-out days; None where they hold too few labels to say anything, scores are no
    probabilities, or labels are known to be missing: what is certain would be said of those that
    are known early."""
    if trained.card.get("incomplete_labels") or trained.grid.kind != "logit":
        return None
    if total(held_out.values()).total[1] < LEAST_LABELLED:
        return None
    # the labels of held-out days are in: there is none to wait for
    options = {"high": high} | options
    named = {"model": trained.model, "version": trained.version, "created_at": now}
    try:
        first = certainty(held_out, max(held_out), **options, **named)
    except ValueError as error:
        raise StoreError(
            f"{trained.model} {trained.version} cannot be calibrated on its held-out days "
            f"({error}), so nothing was registered: choose a range with more labels."
        ) from None
    unsure = trained.card.get("labels_unsure")
    return without_labels(first, unsure) if unsure else first


def _place(root, model, version) -> Path:
    "Where a version's file lies."
    return root / "models" / file_name(model) / file_name(version) / "model.ubj"


def _written_aside(trained, target) -> Path:
    "The booster's file, on the disk, beside the place where it will be."
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name("writing.ubj")
    trained.booster.save_model(written)
    fsync(written)
    return written


def load(
    reader: Reader,
    model: str,
    version: str | None = None,
    as_of: datetime | None = None,
    scores: Callable | None = None,
) -> ModelVersion:
    """A registered version (the active one unless named); StoreError when there is none or its file
    was changed.

    `scores`: a function from a frame of features to probabilities, which scores in place of a file:
    no file is read then.
    """
    version = version or reader.active_version(model, as_of)
    if version is None:
        raise StoreError(
            f"{model} has no active version: activate one with 'aiops-wb models promote'."
        )
    row = reader.version(model, version)
    if scores is not None:
        return ModelVersion(model, version, None, row.card, Grid.parse(row.grid), scores=scores)
    if not row.path:
        raise StoreError(no_file(model, version))
    path = reader.root / row.path
    if not path.exists() or sha256_of(path) != row.card["sha256"]:
        raise StoreError(
            f"{path} is missing or is not the file that was registered as {model} {version}."
        )
    booster = xgb.Booster(model_file=path)
    return ModelVersion(model, version, booster, row.card, Grid.parse(row.grid))
