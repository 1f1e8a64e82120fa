"""Choose the days of the log that a version is held against."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from ..log.errors import StoreError
from ..log.store import Store
from .registered import ENOUGH_DAYS

__all__ = ["check_reference", "choose_reference"]


def choose_reference(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    first: date,
    last: date,
    why: str,
) -> None:
    """Hold a version against days of the log from now on, with a row in the audit trail.

    They are kept from the first to the last on which it scored. StoreError for days in the wrong
    order, days that are not over, or fewer than 28 on which the version scored: how much days
    differ would not be known.
    """
    if not why.strip():
        raise StoreError("a change of a reference needs a reason: add --why.")
    first, last = check_reference(store, now, model, version, first, last)
    store.set_reference(now, who, model, version, first, last, why)


def check_reference(
    store: Store, now: datetime, model: str, version: str, first: date, last: date
) -> tuple[date, date]:
    """The first and the last of some days on which a version scored; StoreError where they can be
    no reference: why."""
    if last < first:
        raise StoreError(f"a reference from {first} to {last} ends before it begins.")
    if last >= now.astimezone(ZoneInfo(store.timezone)).date():
        raise StoreError(f"{last} is not over: choose days up to yesterday.")
    scored = [d for d in store.days(model, version=version) if first <= d <= last]
    if len(scored) < ENOUGH_DAYS:
        raise StoreError(
            f"{model} {version} scored on {len(scored)} days from {first} to {last}: choose at "
            f"least {ENOUGH_DAYS}, so that it is known how much days differ."
        )
    return scored[0], scored[-1]
