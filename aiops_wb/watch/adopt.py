"""Adopt a version that was trained elsewhere: registered with its reference, all or nothing."""

from datetime import date, datetime
from pathlib import Path

from ..log.reading import ReadOptions
from ..log.roles import Choice
from ..log.store import Store
from ..models.adoption import Adoption, Start, from_file, from_log
from ..models.registry import register
from .choose import check_reference, choose_reference

__all__ = ["adopt_days", "adopt_file"]


def adopt_days(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    first: date,
    last: date,
    model_file: Path | None = None,
    *,
    begins: Start | None = None,
    options: dict | None = None,
    **rules,
) -> Adoption:
    """Adopt a version on days of the log, which become its reference and are not watched.

    `options` of `automation.certainty`, `rules` of `labelled_days`. StoreError with the reason
    where the days cannot be a reference.
    """
    first, last = check_reference(store, now, model, version, first, last)
    found = from_log(store, model, version, first, last, now, model_file, begins=begins, **rules)
    return _registered(store, now, who, found, options)


def adopt_file(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    path: Path,
    model_file: Path | None = None,
    *,
    begins: Start | None = None,
    choice: Choice = Choice(),
    reading: ReadOptions | None = None,
    options: dict | None = None,
    **rules,
) -> Adoption:
    """Adopt a version on rows of a file that are not in the log: every day of the log is watched.

    `choice` and `reading` as for any file of one's own; the rest as in `adopt_days`.
    """
    found = from_file(
        store, model, version, path, now, choice, reading, model_file, begins=begins, **rules
    )
    return _registered(store, now, who, found, options)


def _registered(store, now, who, found, options):
    """Register a version, count what it scored before, and choose its reference: one transaction.
    Of one that is registered as it is nothing is changed."""
    model, version = found.version.model, found.version.version
    before = version in set(store.versions(model).version)
    with store.transaction():
        register(store, found.version, found.held_out, now, who, **(options or {}))
        if before:
            return found
        store.count_earlier_features(now, who, model, version)
        if found.span:
            choose_reference(store, now, who, model, version, *found.span, "adopted on these days")
    return found
