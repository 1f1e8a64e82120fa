"""Another version decides: what changes with it, for whom, and how often somebody is called."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import Scope
from ..log.production import Production
from ..log.store import Store
from ..models.passed_on import passed_on
from ..stats.counts import total
from ..stats.points import Grid
from .dial import DAYS

__all__ = ["Change", "UsualCalls", "promote", "roll_back", "usual_calls"]


class UsualCalls(NamedTuple):
    "How many events a day of a version reach what calls somebody, and on which days."

    per_day: float
    days: str

    def __str__(self) -> str:
        return f"{self.per_day:.1f} times a day ({self.days})"


@dataclass(frozen=True)
class Change:
    "What decided for a model, what decides now, and how often each calls somebody (None: unknown)."

    model: str
    before: Production | None
    after: Production
    calls_before: UsualCalls | None
    calls_after: UsualCalls | None
    grid: Grid = Grid()
    again: str = ""  # since when and why it decided already: nothing was written

    @property
    def lost(self) -> dict[Scope, int]:
        "Thresholds of tenants and sites that are no longer in force: the version's counts there."
        before = self.before.own if self.before else {}
        return {scope: points for scope, points in before.items() if scope not in self.after.own}

    def told(self) -> Iterator[str]:
        "What changed, in lines."
        before, after = self.before, self.after
        was = f"; with {before.version} it was " if before else ""
        shown = self._shown(after.threshold) + (was and was + self._shown(before.threshold))
        yield f"threshold {shown}"
        stood = was and was + str(before.calibration_id or "none")
        yield f"calibration {after.calibration_id or 'none'}{stood}"
        now = self.calls_after or "not known how often"
        then = f", before {self.calls_before or 'not known how often'}" if before else ""
        yield f"somebody is called {now}{then}"
        yield from self._told_of_own()

    def _told_of_own(self):
        before = self.before.own if self.before else {}
        for scope, points in self.after.own.items():
            stood = f", it was {self._shown(before[scope])}" if scope in before else ""
            yield f"{_whose(scope)}: threshold of its own {self._shown(points)}{stood}"
        for scope, points in self.lost.items():
            yield (
                f"{_whose(scope)}: its own threshold {self._shown(points)} is no longer in force, "
                "that of the version counts: set another with 'aiops-wb thresholds set'"
            )

    def _shown(self, points):
        if points is None:
            return "none"
        return f"{float(self.grid.inverse(points)):.3f} ({points} points)"


def _whose(scope):
    tenant, site = scope
    return f"tenant {tenant}" if site is None else f"site {site} of tenant {tenant}"


def promote(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    why: str,
    settings: Settings | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Change:
    """Make a version the champion (`Store.promote`); thresholds of tenants and sites pass to it
    where they can (`passed_on`). Returns what changed: nothing where it is the champion."""
    before = store.in_production(model)
    if before and before.version == version:
        since = "since {1:%Y-%m-%d %H:%M}Z, by {0}: {2}".format(*store.promoted(model))
        return replace(_changed(store, model, None, now, settings), again=since)
    own = passed_on(store, model, before, version) if before else {}
    store.promote(now, who, model, version, why, evidence, own)
    return _changed(store, model, before, now, settings)


def roll_back(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    why: str,
    settings: Settings | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Change:
    "Make the previous version the champion again (`Store.roll_back_version`): what changed."
    before = store.in_production(model)
    store.roll_back_version(now, who, model, why, evidence)
    return _changed(store, model, before, now, settings)


def _changed(store, model, before, now, settings):
    after, settings = store.in_production(model), settings or Settings()
    grid = Grid.parse(store.version(model, after.version).grid)
    calls = [
        usual_calls(store, model, one, grid, now, settings.risk_cuts) if one else None
        for one in (before, after)
    ]
    return Change(model, before, after, *calls, grid)


def usual_calls(
    reader: Reader,
    model: str,
    stands: Production,
    grid: Grid,
    now: datetime,
    cuts: tuple[float, ...],
) -> UsualCalls | None:
    """How often a version calls somebody where no tenant or site has a threshold of its own: on the
    days that it scored of the last 30, else on its held-out days; None where neither says."""
    ladder = reader.dial(model).ladder(stands.threshold, grid, cuts)
    if ladder is None:
        return None
    last = _last_day(reader, model, now.astimezone(ZoneInfo(reader.timezone)).date())
    if last is not None:
        first = last - timedelta(DAYS - 1)
        scored = reader.score_counts(model, first, last, version=stands.version)
        if scored:
            above = total(scored.values()).at_or_above(ladder.high)[0]
            return UsualCalls(above / len(scored), f"on {len(scored)} of the last {DAYS} days")
    card = reader.version(model, stands.version).card
    known = total(reader.held_out_counts(model, stands.version).values(), grid)
    if not (known.total[0] and card.get("held_out_events")):
        return None
    share = known.total[0] / card["held_out_events"]  # of a training only labelled ones are counted
    days = card["held_out_days"]
    above = known.at_or_above(ladder.high)[0]
    return UsualCalls(above / share / days, f"on its {days} held-out days")


def _last_day(reader, model, today: date):
    "The newest day of a model that is not ahead of the clock."
    return max((d for d in reader.days(model) if d <= today), default=None)
