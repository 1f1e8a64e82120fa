"""Was the promotion a mistake? What each morning shows of it without labels, and what by them."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.special import bdtr, bdtrc

from ..log.catalog import Reader
from ..log.shadow import Pair
from ..stats.evidence import Comparison, Paired, Scatter, compare, day_scatter, regret
from ..stats.retrain import Check
from .validation import Rules, as_paired

__all__ = [
    "WATCHED_DAYS",
    "Guarded",
    "guarded",
    "guarded_at_once",
    "promoted_on",
    "watched_pair",
]

WATCHED_DAYS = 28
"So long after a promotion the version before scores on, and can come back by itself."
VOLUME, CHANCE = 2.0, 1e-4
"Calls more than so many times those of the version before, or fewer, beyond so small a chance."
MISSING = 0.2
"A share of a feature's values that is missing, beyond that at the version's training."
SLOWER = 3.0
"The mean latency of a call, against that of the version before."
LEAST_EVENTS = 100


def watched_pair(reader: Reader, model: str, now: datetime) -> Pair | None:
    "The champion with the version before in its shadow, for 28 days after its promotion."
    since, before = reader.promoted_at(model, now), reader.previous(model, now)
    if before is None or since is None or now - since > timedelta(WATCHED_DAYS):
        return None
    return Pair(model, reader.active_version(model, now), before)


def promoted_on(reader: Reader, pair: Pair, now: datetime) -> date:
    "The day on which the champion of a watched pair took over."
    return reader.promoted_at(pair.model, now).astimezone(ZoneInfo(reader.timezone)).date()


@dataclass(frozen=True)
class Guarded:
    "What is known of a promotion so far."

    pair: Pair  # the version before is the challenger here
    since: date  # the first whole day
    checks: list[Check]

    @property
    def mistaken(self) -> list[Check]:
        "The checks that speak for going back."
        return [check for check in self.checks if not check.passed]


def guarded(reader: Reader, pair: Pair, now: datetime, complete: date | None, rules: Rules):
    """Every guard of a promotion, each with its reason; `complete`: the last day whose labels are
    in."""
    seen, shadow = guarded_at_once(reader, pair, now, rules), _shadow(reader, pair, now)
    labels = _by_labels(reader, pair, seen.since, complete, shadow, rules, now)
    return Guarded(pair, seen.since, [*seen.checks, labels])


def guarded_at_once(
    reader: Reader, pair: Pair, now: datetime, rules: Rules, fresh: pd.DataFrame | None = None
) -> Guarded:
    """The guards of a promotion that need no label. `fresh`: days that stand for those that are
    kept, as in `Reader.shadow_days`, one that is not over among them."""
    promoted, shadow = promoted_on(reader, pair, now), _shadow(reader, pair, now)
    days = reader.shadow_days(pair, promoted, as_of=now)
    if fresh is not None and len(fresh):
        days = pd.concat([days[~days.event_date.isin(fresh.event_date)], fresh], ignore_index=True)
    checks = [
        _calls(days, shadow),
        _missing(reader, pair, promoted),
        _latency(reader, pair, promoted),
        _flips(days, shadow, rules.flips),
    ]
    return Guarded(pair, promoted + timedelta(1), checks)


def _shadow(reader, pair, now):
    "What was known of the shadow of a version before it took over."
    last = promoted_on(reader, pair, now) - timedelta(1)
    return reader.shadow_days(_before(pair), None, last, as_of=now)


def _before(pair):
    "The pair as it stood before the promotion."
    return Pair(pair.model, pair.challenger, pair.champion)


def _calls(days, shadow):
    """Whether the new version calls somebody much more often than the one before, or much less,
    than was known of its shadow."""
    n = int(days.n.sum())
    ours, theirs = int(days.champion_calls.sum()), int(days.challenger_calls.sum())
    both = int(days.both_call.sum())
    said = (
        f"{ours:,} calls on {n:,} events from the day of the promotion on; the version before "
        f"would have made {theirs:,}"
    )
    if n < LEAST_EVENTS:
        return Check("calls", True, f"{said}: fewer than {LEAST_EVENTS} events say nothing")
    usual = _in_shadow(shadow)
    times = (ours + 1) / (theirs + 1) / usual.times
    by_chance = _chance(ours - both, theirs - both, usual.alone)
    odd = max(times, 1 / times) > VOLUME and by_chance < CHANCE
    evidence = {"events": n, "calls": ours, "before": theirs, "both": both, "chance": by_chance}
    return Check("calls", not odd, said + usual.told, evidence | {"usual": usual.times})


class _InShadow(NamedTuple):
    "How it called before its promotion, beside the version that decided then."

    times: float = 1.0  # as often
    alone: float = 0.5  # of the events that one of them called, the share that it did
    told: str = ""


def _in_shadow(shadow) -> _InShadow:
    if shadow.n.sum() < LEAST_EVENTS:
        return _InShadow()
    ours, theirs = int(shadow.challenger_calls.sum()), int(shadow.champion_calls.sum())
    alone = ours - int(shadow.both_call.sum()) + 1, theirs - int(shadow.both_call.sum()) + 1
    told = f" (in its shadow {ours:,}, and {theirs:,})"
    return _InShadow((ours + 1) / (theirs + 1), alone[0] / sum(alone), told)


def _chance(ours, theirs, usual) -> float:
    "The chance of so many calls of one alone, or fewer, or of as few of the other; doubled."
    n = ours + theirs
    tail = min(bdtr(ours, n, usual), bdtr(theirs, n, 1 - usual))
    return min(1.0, 2 * float(tail))


def _flips(days, shadow, allowed):
    """Whether more events are decided otherwise than the version before would, than may be at a
    promotion, and than were in its shadow."""
    n, flips = _flipped(days)
    said = f"{flips:,} of {n:,} events are decided otherwise than by the version before"
    if n < LEAST_EVENTS:
        return Check("flips", True, f"{said}: fewer than {LEAST_EVENTS} events say nothing")
    known, before = _flipped(shadow)
    if known < LEAST_EVENTS:
        return Check("flips", True, f"{said}; without a shadow it is not known how many should be")
    usual = min(1.0, max(VOLUME * before / known, allowed))
    by_chance = float(bdtrc(flips - 1, n, usual)) if flips else 1.0
    odd = flips > usual * n and by_chance < CHANCE
    said += f" (in its shadow {before / known:.1%}); at most {usual:.0%} may be"
    evidence = {"events": n, "flips": flips, "usual": before / known, "chance": by_chance}
    return Check("flips", not odd, said, evidence)


def _flipped(days):
    "Events, and those that only one of the two calls."
    calls = days.champion_calls.sum() + days.challenger_calls.sum() - 2 * days.both_call.sum()
    return int(days.n.sum()), int(calls)


def _missing(reader, pair, first):
    "Whether a feature arrives empty that the version before does without."
    usual = _missing_shares(reader.reference_counts(pair.model, pair.champion))
    now = _missing_shares(reader.feature_counts(pair.model, pair.champion, first))
    if not now:
        few = f"no feature has {LEAST_EVENTS} events yet: what is missing is unknown"
        return Check("features", True, few)
    gone = {f: (now[f], usual[f]) for f in now if f in usual and now[f] > usual[f] + MISSING}
    if not gone:
        return Check("features", True, "no feature is missing more often than at its training")
    told = ", ".join(f"{f} ({now:.0%}, {usual:.0%} before)" for f, (now, usual) in gone.items())
    said = f"missing more often than at its training: {told}"
    if gone.keys() <= set(reader.version(pair.model, pair.challenger).card["features"]):
        return Check("features", True, f"{said}; the version before would miss them too", gone)
    return Check("features", False, said, gone)


def _missing_shares(days_and_tables):
    "The share of the values of each feature that is missing; of a table the second column."
    tables = days_and_tables[1]
    return {name: t[:, 1].sum() / t.sum() for name, t in tables.items() if t.sum() >= LEAST_EVENTS}


def _latency(reader, pair, first):
    "Whether a call takes much longer than it did."
    ours = _mean_latency(reader.latency(pair.model, first, version=pair.champion))
    theirs = _mean_latency(reader.latency(pair.model, version=pair.challenger))
    if ours is None or theirs is None:
        return Check("latency", True, "latency is not logged for both versions: it is not known")
    said = f"a call takes {ours:.3g} ms in the mean; with the version before it took {theirs:.3g}"
    return Check("latency", ours <= SLOWER * theirs, said, {"ms": ours, "before": theirs})


def _mean_latency(days):
    "Milliseconds of a call; None where fewer than 100 were timed."
    n = sum(int(day.n.sum()) for day in days.values())
    return sum(day.total for day in days.values()) / n if n >= LEAST_EVENTS else None


def _by_labels(reader, pair, first, complete, shadow, rules, now):
    "Whether labels say that the version before was better."
    since = reader.shadow_days(pair, first, complete, as_of=now) if complete else pd.DataFrame()
    told = _regret(since, shadow, rules)
    return Check("labels", not told.better, told.reason, asdict(told))


def _regret(since: pd.DataFrame, shadow: pd.DataFrame, rules: Rules) -> Comparison:
    paired = as_paired(since, rules.miss_cost) if len(since) else Paired([], *np.zeros((3, 0)))
    unit = "nats" if rules.miss_cost is None else "false calls"
    scatter: Scatter | None = None
    if len(shadow):
        scatter = day_scatter(as_paired(shadow, rules.miss_cost))
    if scatter is not None and scatter.variance > 0:
        return regret(paired, scatter, rules.alpha, unit=unit)
    # promoted without a shadow: how days scatter is not known, weeks have to show it
    return compare(paired.blocks(), rules.alpha, 1, unit=unit)
