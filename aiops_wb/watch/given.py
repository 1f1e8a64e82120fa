"""What came to stand other than by a night: at the registration of a version, or by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from ..config import Settings
from ..log.catalog import Reader
from ..stats.automation import Certainty, PromiseWatch, certainty, without_labels
from ..stats.counts import ScoreCounts
from .relive import Given, Life

__all__ = ["given"]


def given(
    reader: Reader,
    model: str,
    version: str,
    held_out: Mapping[date, ScoreCounts],
    settings: Settings,
    as_of: datetime | None = None,
) -> list[Given]:
    """Calibrations of a version that no night made, oldest first.

    A policy that asks what the settings ask takes each as it was stored. Another one calibrates at
    a registration from the same held-out days; where a person calibrated by hand, its watch begins
    anew and its rule stays until the next morning.
    """
    found = reader.given_calibrations(model, version, as_of)
    return [
        Given(at, partial(_by_hand if by_hand else _registered, stored, held_out, settings))
        for at, stored, by_hand in found
    ]


def _asks_the_same(life: Life, settings):
    return life.policy.threshold is None and life.settings.certainty == settings.certainty


def _registered(stored: Certainty, held_out, settings, life: Life) -> Certainty | None:
    if _asks_the_same(life, settings):
        return stored
    if not held_out:
        return None
    model, version = life.named
    at = stored.calibration.created_at
    options = life.settings.certainty | {"high": life.called_from(at)}
    made = {"model": model, "version": version, "created_at": at}
    first = certainty(held_out, max(held_out), **options, **made)
    nothing_sure = all(b.zero >= 16_000 and b.one <= -16_000 for b in stored.set_bounds.values())
    return without_labels(first, stored.rule.reason) if nothing_sure else first


def _by_hand(stored: Certainty, held_out, settings, life: Life) -> Certainty:
    if _asks_the_same(life, settings):
        return stored
    stands = life.stands
    rule = stands.rule if stands else stored.rule.stopped("calibrated by hand for another policy")
    return replace(stored, rule=rule, watch=PromiseWatch(life.asked.target), control=None)
