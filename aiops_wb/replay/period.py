"""Live a past period again: what policies would have decided, and what became of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from math import isnan
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import own_since
from ..log.errors import StoreError
from ..log.known_then import KnownThen, moment_of
from ..models.complete import CompleteDays, label_rules
from ..stats.performance import Figure
from ..watch.became import Became, Tuned, became, difference, promised, recorded, together
from ..watch.dial import Highs, called_from
from ..watch.given import given
from ..watch.heard import Heard
from ..watch.mornings import mornings, noon
from ..watch.policy import Policy, as_set
from ..watch.registered import Registered
from ..watch.relive import Life, live

__all__ = [
    "ACTUAL",
    "Compared",
    "Mismatches",
    "Replayed",
    "highs_of",
    "replay",
    "look_ahead_words",
    "sentences",
]

ACTUAL = "actual"
"What is compared with where the log's own decisions are meant."
DIFFERENCES = ("tickets", "false", "reviews", "missed", "cost")


@dataclass(frozen=True, eq=False)
class Mismatches:
    "Rows whose recorded route is not what the settings would have decided on that day."

    decided: int  # rows with a route
    rows: pd.DataFrame  # event_date, version, points, route, should, n

    @property
    def n(self) -> int:
        "How many rows."
        return int(self.rows.n.sum())


@dataclass(frozen=True)
class Compared:
    "How a policy differs from what it is compared with, a week."

    name: str
    against: str
    a_week: dict[str, Figure]


@dataclass(frozen=True, eq=False)
class Replayed:
    "What came of living a period again."

    model: str
    first: date
    last: date
    policies: list[Became]
    claimed: list[Became]  # what a back-test with the labels of the end would have claimed
    against: Became | None = None
    mismatches: Mismatches | None = None
    labels_in: date | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def compared(self) -> list[Compared]:
        "Each policy with what it is compared with: what was named, else the first policy."
        base = self.against or self.policies[0]
        others = self.policies if self.against else self.policies[1:]
        return [Compared(one.name, base.name, _a_week(one, base)) for one in others]

    @property
    def look_ahead(self) -> list[tuple[str, int, int, float, float]]:
        "Of each policy: its name, tickets lived and claimed, false share lived and claimed."
        return [
            (
                lived.name,
                lived.totals["tickets"],
                claimed.totals["tickets"],
                lived.false_share,
                claimed.false_share,
            )
            for lived, claimed in zip(self.policies, self.claimed)
        ]


def _a_week(one, base):
    names = [n for n in DIFFERENCES if n != "cost" or (one.costs and base.costs)]
    return {name: difference(one, base, name) for name in names}


def replay(
    reader: Reader,
    model: str,
    first: date,
    last: date,
    policies: Sequence[Policy],
    settings: Settings,
    *,
    against: Policy | str | None = None,
    version: str | None = None,
    as_of: datetime | None = None,
    shown: Callable[[Sequence], Iterable] = iter,
) -> Replayed:
    """Live the days of a model from first to last again under policies (none: what is set).

    Every morning since the log begins is lived, so that what was learnt before the period is known
    in it; nothing is written. `against`: a policy, or 'actual' for the recorded decisions. `as_of`:
    what became of the days by labels known then. StoreError where there is nothing to live.
    """
    named = [*policies, *([against] if isinstance(against, Policy) else [])]
    if trains := next((p.name for p in named if p.retraining), None):
        raise StoreError(
            f"{trains} names [retraining], and trainings are lived by 'relive_trainings'."
        )
    then = KnownThen(reader, model, last, as_of)
    chosen = _versions(then, first, last, version)
    asked = list(policies) or [as_set()]
    base = [as_set()] if against == ACTUAL else [against] if against else []
    rows = _decisions(reader, model, chosen, first, last, as_of) if against == ACTUAL else None
    looks, heard = mornings(then), Heard(reader, model, settings)
    labels_in = _labels_in(then, settings)
    lived, claimed, highs = [], [], {}
    for name in chosen:
        past = _past(then, name, looks, settings)
        highs[name] = past["highs"]
        lived.append(_lived(then, past, asked + base, settings, heard, shown))
        claimed.append(_claimed(then, past, asked, settings))
    span = first, last, labels_in
    costs = next((p.costs for p in asked if p.costs), None)
    made = [_together(lived, i, p, chosen, *span) for i, p in enumerate(asked + base)]
    mismatches, compared = None, made[-1] if base else None
    if rows is not None:
        lives = {n: lives[-1] for n, lives in zip(chosen, lived)}
        mismatches = _mismatches(rows, lives, {n: _stood(then, n, highs[n]) for n in chosen})
        days = recorded(rows, first, last, labels_in)
        compared = Became(ACTUAL, days, costs)
    elif base and compared.costs is None:
        compared = replace(compared, costs=costs)
    return Replayed(
        model,
        first,
        last,
        made[: len(asked)],
        [_together(claimed, i, p, chosen, *span) for i, p in enumerate(asked)],
        compared,
        mismatches,
        labels_in,
        _notes(then, chosen, first, last, labels_in, asked) + _explored(rows),
    )


def _decisions(reader, model, versions, first, last, as_of) -> pd.DataFrame:
    "How the events of a period were decided, counted; StoreError where nothing was."
    rows = reader.decided_counts(model, first, last, as_of, reader.drawn_then(model))
    rows = rows[rows.version.isin(versions)] if len(rows) else rows
    if not len(rows) or (rows.route == "").all():
        raise StoreError(
            f"{model} has no recorded decision from {first} to {last}: compare with a policy "
            "(--against FILE)."
        )
    return rows


def _versions(then, first, last, version):
    "The versions that scored in the period; StoreError where there is none."
    model, logged = then.model, [d for c in then.versions.values() for d in c.first_known]
    if not logged:
        raise StoreError(f"{model} has no predictions up to {last}.")
    if first > last:
        raise StoreError(f"the period from {first} to {last} ends before it begins.")
    named = [version] if version else list(then.versions)
    if version and version not in then.versions:
        choices = ", ".join(then.versions)
        raise StoreError(f"{model} has no predictions of a version {version!r}: choose {choices}.")
    scored = [n for n in named if any(first <= d <= last for d in then.versions[n].first_known)]
    if not scored:
        raise StoreError(
            f"{model} has no predictions from {first} to {last}: its log covers {min(logged)} to "
            f"{max(logged)}."
        )
    return scored


def _past(then, version, looks, settings) -> dict:
    "What `live` has to know of a version beside its counts."
    own = [morning for morning in looks if morning.version == version]
    held_out = _held_out(then, version, own)
    stood = given(then.reader, then.model, version, held_out, settings, then.as_of)
    called = highs_of(then, version, settings)
    return {
        "version": version,
        "looks": own,
        "held_out": held_out,
        "given": stood,
        "highs": called,
    }


def _lived(then, past, policies, settings, heard, shown) -> list[Life]:
    changes = then.versions[past["version"]]
    asked = {"policies": policies, "settings": settings, "changed": heard, "shown": shown}
    asked["alarms"] = heard.open_alarms
    try:
        return live(then, changes, **past, **asked)
    except StoreError as error:
        raise StoreError(f"{then.model} {past['version']}: {error}") from None


def _claimed(then, past, policies, settings) -> list[Life]:
    "The same, had every label of the end been known as soon as its event: a naive back-test."
    changes = then.versions[past["version"]].at_once()
    known = settings.model_copy(update={"complete_share": 1.0, "label_delay_days": "auto"})
    return live(then, changes, **past, policies=policies, settings=known)


def highs_of(then: KnownThen, version: str, settings: Settings) -> Highs:
    "From which points on somebody was called, as the audit trail and the predictions say."
    grid, cuts = then.versions[version].grid, settings.risk_cuts
    return called_from(then.reader, then.model, version, grid, cuts, then.last, then.as_of)


def _held_out(then, version, looks):
    "The days that the training of a version left out, as far as it was registered in time."
    if not looks:
        return {}
    return Registered(then.reader, then.model, version).as_of(looks[0].at).held_out


def _labels_in(then, settings) -> date | None:
    "The newest day whose labels are known to be in, in the end."
    end = then.as_of or then.reader.last_committed()
    at = {"as_of": end, "stood_at": end}
    return CompleteDays(then, then.model, then.last, **at, **label_rules(settings)).newest


def _together(lived, i, policy, versions, first, last, labels_in) -> Became:
    "What became of one policy over all versions; what it promised is that of the last."
    parts = [became(lives[i], v, first, last, labels_in) for v, lives in zip(versions, lived)]
    newest = max(range(len(parts)), key=lambda k: max(parts[k].day, default=date.min))
    of = policy.name, together(parts), policy.costs, *promised(lived[newest][i])
    return Became(*of, _tuned([lives[i].tuner for lives in lived], last))


def _tuned(tuners, last) -> Tuned | None:
    "What became of a threshold that followed its labels, over all versions."
    if None in tuners:
        return None
    changes = (change for tuner in tuners for change in tuner.changes if change.day <= last)
    stopped = sum((tuner.stopped for tuner in tuners), Counter())
    looks = sum(tuner.looks for tuner in tuners)
    found = tuple(sorted(changes, key=lambda c: c.day))
    return Tuned(found, looks, stopped, tuners[-1].last_word)


def _stood(then, version, highs) -> Callable[[date], tuple[int, int]]:
    "The lowest and the highest points from which on somebody was called on a day, anywhere."
    own, zone = own_since(then.reader, then.model, version, then.as_of), ZoneInfo(then.timezone)
    every = ([(at, {high}) for at, high in highs], [(at, {*of.values()}) for at, of in own])

    @cache
    def on(day):
        begin, end = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(1)))
        points = set()
        for changes in every:
            ends = [at for at, _ in changes[1:]] + [end]
            for (at, stood), until in zip(changes, ends):
                points |= stood if at < end and until > begin else set()
        return min(points), max(points)

    return on


def _mismatches(rows, lives, stood) -> Mismatches:
    """Rows that the settings would have decided otherwise; those without a route were not decided.

    Several thresholds stood on a day that one was changed on, or where sites have their own: what
    lies between them is right either way, if it is of the route of one.
    """
    rows = rows[rows.route != ""]
    decided = [
        lives[version].decided[day.date()] for version, day in zip(rows.version, rows.event_date)
    ]
    called = rows.points.to_numpy() >= np.array([d.threshold for d in decided], dtype=int)
    never = np.iinfo(np.int64).max
    ticket = np.array([never if d.ticket is None else d.ticket for d in decided], dtype=np.int64)
    should = np.where(rows.points.to_numpy() >= ticket, "ticket", "alert")
    spans = [stood[v](day.date()) for v, day in zip(rows.version, rows.event_date)]
    low, high = np.array(spans, dtype=int).reshape(-1, 2).T
    between = (rows.points >= low) & (rows.points < high)
    by_chance = rows.drawn & (rows.route == "alert")
    either = between & ((rows.route == "monitor") | (rows.route == should) | by_chance)
    below = np.where(rows.drawn, "alert", "monitor")
    rows = rows.assign(should=np.where(called, should, below))
    differ = (rows.route != rows.should) & ~either
    return Mismatches(int(rows.n.sum()), rows[differ].reset_index(drop=True))


def _explored(rows) -> list[str]:
    "What is to be said of events that somebody looked at by chance."
    n = 0 if rows is None else int(rows.n[rows.explored].sum())
    told = "events below the threshold were reviewed by chance: they count as not called"
    return [f"{n:,} {told}"] if n else []


def _notes(then, versions, first, last, labels_in, policies) -> list[str]:
    "What is to be kept in mind."
    days = {
        d: at
        for version in versions
        for d, at in then.versions[version].first_known.items()
        if first <= d <= last
    }
    notes = []
    late = [d for d, at in days.items() if at > moment_of(noon(d + timedelta(2), then.timezone))]
    if late:
        notes.append(
            f"{len(late)} of {len(days)} days were not known until later: on their mornings "
            "nothing was known of them. A past that is brought in with 'aiops-wb history import' "
            "is known as it was"
        )
    open_ = [d for d in days if labels_in is None or d > labels_in]
    if open_:
        notes.append(
            f"labels of {len(open_)} of {len(days)} days are not known to be in: what became of "
            "them may change"
        )
    looked_at = {day for day, _ in then.reader.nights(then.model, then.as_of)} - then.told_later
    unlived = len(days.keys() - looked_at)
    if unlived and any(p.drift_level is None for p in policies):
        notes.append(
            f"no daily run looked at {unlived} of {len(days)} mornings in their time: no alarm is "
            "heard on them unless the policy names a drift_level, at which alarms are followed anew"
        )
    if any(own_since(then.reader, then.model, v, then.as_of) for v in versions):
        notes.append(
            "tenants or sites have, or had, thresholds of their own: their events are lived by "
            "that of the version"
        )
    if len(versions) > 1:
        notes.append(f"each version was lived on its own: {', '.join(versions)}")
    return notes


def sentences(of: Replayed, which: int = 0) -> list[str]:
    "What a policy would have saved, what it would have missed, and whether its promise was kept."
    one = of.policies[which]
    return [_saved(one, of), _missed(one, of), _promised(one), *_followed(one)]


def _saved(one, of):
    sums, days = one.totals, int((one.days.tickets > 0).sum())
    called = sums["tickets"] + sums["reviews"]
    base = of.against if of.against is not None and of.against is not one else None
    if not sums["tickets"]:
        why = f": {one.why_not}" if one.why_not else ""
        told = (
            f"No ticket would have opened by itself{why}; {called:,} events would have been "
            "reviewed"
        )
    else:
        told = (
            f"{sums['tickets']:,} of {called:,} events that call somebody would have become "
            f"tickets by themselves, on {days:,} of {len(one.days):,} days: so many reviews saved"
        )
    if base is None:
        return f"{told}."
    more = sums["reviews"] - base.totals["reviews"]
    if not more:
        return f"{told}; as many reviews as {base.name}."
    return f"{told}; {abs(more):,} {'more' if more > 0 else 'fewer'} reviews than {base.name}."


def _missed(one, of):
    sums = one.totals
    if not sums["positives"]:
        return "What it would have missed is unknown: no positive is known in the period."
    share = sums["missed"] / sums["positives"]
    told = (
        f"{sums['missed']:,} of {sums['positives']:,} known positives ({share:.1%}) lay below the "
        "threshold: nobody would have been called"
    )
    if of.against is None:
        return f"{told}."
    more = sums["missed"] - of.against.totals["missed"]
    if not more:
        return f"{told}, as many as under {of.against.name}."
    return f"{told}, {abs(more):,} {'more' if more > 0 else 'fewer'} than under {of.against.name}."


def _promised(one):
    promise = one.promise
    states = {"kept": "The promise would have been kept", "broken": "The promise would have broken"}
    lead = states.get(promise.state)
    if lead:
        return f"{lead}: {promise.says}."
    return f"{promise.says[0].upper()}{promise.says[1:]}."


def _followed(one):
    "How a threshold that is tuned would have gone."
    if one.tuned is None:
        return []
    changes, looks, stopped, last_word = one.tuned
    seen = f"{looks} weekly look{'' if looks == 1 else 's'}"
    if waits := {name: n for name, n in stopped.items() if name != "better"}:
        told = (f"{name} on {n} morning{'' if n == 1 else 's'}" for name, n in waits.items())
        seen += f"; in the way were {' and '.join(told)}"
    if not changes:
        return [f"Its threshold would never have been changed ({seen}), in the end: {last_word}."]
    times = "once" if len(changes) == 1 else f"{len(changes)} times"
    back = sum(change.put_back for change in changes)
    told = f", {back} of them to put one back" if back else ""
    every = "; ".join(map(str, changes))
    return [f"Its threshold would have been changed {times}{told} ({seen}): {every}."]


def look_ahead_words(of: Replayed, which: int = 0) -> str:
    "What a back-test would have claimed beside what was lived, in a sentence."
    name, lived, claimed, share, told = of.look_ahead[which]
    shown = lambda value: "" if isnan(value) else f", {value:.1%} of them false"
    return (
        f"A back-test with the labels of the end would have claimed {claimed:,} tickets"
        f"{shown(told)}; lived morning by morning there were {lived:,}{shown(share)}."
    )
