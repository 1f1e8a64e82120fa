"""Versions in shadow, every morning: what they would have said, whether one takes over, and whether
the last that did was a mistake."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.store import Store
from ..models.complete import complete_days, label_rules
from ..models.guards import Guarded, guarded, guarded_at_once, promoted_on, watched_pair
from ..models.shadow import follow, pairs, unkept
from ..models.validation import Rules, Validation, validation
from .promotion import promote, roll_back

__all__ = [
    "LONGEST",
    "SeenNow",
    "each_morning",
    "go_back",
    "known_validations",
    "promotion_now",
    "watched_promotion",
]

LONGEST = timedelta(weeks=26)
"A version that has not shown to be better after so long in the shadow leaves it."
A_YEAR = timedelta(365)


def each_morning(
    store: Store, model: str, day: date, now: datetime, settings: Settings, who: str
) -> list[str]:
    """Score what is new of the days of each version in shadow, go back where a promotion was a
    mistake, else promote or propose a version that has shown to be better; what there is to say.

    Every step is whole by itself: a morning that was stopped is gone through again.
    """
    return [
        *_scored(store, model, day, now, settings),
        *(
            go_back(store, watched_promotion(store, model, now, settings), now, settings, who)
            or _took_over(store, model, now, settings, who)
        ),
        *_left(store, model, now, who),
    ]


def _scored(store, model, day, now, settings) -> Iterator[str]:
    "Score the days that are new; what cannot be scored is said and costs the others nothing."
    followed = dict.fromkeys(pairs(store, model, now))
    if watched := watched_pair(store, model, now):
        followed.setdefault(watched, promoted_on(store, watched, now))
    for pair, first in followed.items():
        try:
            follow(store, pair, day, now, settings.risk_cuts, first)
        except StoreError as problem:
            yield f"{model} {pair.challenger} in shadow cannot be followed: {problem}"


def known_validations(
    reader: Reader, model: str, now: datetime, settings: Settings, as_of: datetime | None = None
) -> list[Validation]:
    "What is known of each version in the champion's shadow, the strongest evidence first."
    as_of = as_of or now
    shadows = pairs(reader, model, as_of)
    if not shadows:
        return []
    complete = _complete(reader, model, now, settings, as_of)
    if complete is None:
        return []
    rules = Rules.of(settings)
    found = [validation(reader, pair, complete, rules, as_of) for pair in shadows]
    return sorted(found, key=lambda one: -one.comparison.evidence)


def watched_promotion(
    reader: Reader, model: str, now: datetime, settings: Settings, as_of: datetime | None = None
) -> Guarded | None:
    "What is known of the last promotion; None where it is older than 28 days, or the first."
    as_of = as_of or now
    pair = watched_pair(reader, model, as_of)
    if pair is None:
        return None
    complete = _complete(reader, model, now, settings, as_of)
    return guarded(reader, pair, as_of, complete, Rules.of(settings))


def _complete(reader, model, now, settings, as_of):
    "The last day whose labels are in."
    return complete_days(reader, model, now, as_of=as_of, **label_rules(settings)).newest


class SeenNow(NamedTuple):
    "What is known of a promotion now, without labels; why some events are not known, if so."

    promotion: Guarded
    problem: str


def promotion_now(reader: Reader, model: str, now: datetime, settings: Settings) -> SeenNow | None:
    """What all events that are taken in say of the last promotion, those of today among them; None
    as in `watched_promotion`. Today is not over: nothing of it is kept, the morning does that."""
    pair = watched_pair(reader, model, now)
    if pair is None:
        return None
    today, first = now.astimezone(ZoneInfo(reader.timezone)).date(), promoted_on(reader, pair, now)
    fresh, problem = None, ""
    try:
        fresh = unkept(reader, pair, today, now, settings.risk_cuts, first)
    except StoreError as error:
        problem = f"{model} {pair.challenger} in shadow cannot be followed: {error}"
    seen = guarded_at_once(reader, pair, now, Rules.of(settings), fresh)
    return SeenNow(seen, problem)


def go_back(
    store: Store, seen: Guarded | None, now: datetime, settings: Settings, who: str
) -> list[str]:
    "Put the version before back where something speaks for it, or say so."
    if seen is None or not seen.mistaken:
        return []
    model = seen.pair.model
    why = "; ".join(check.reason for check in seen.mistaken)
    told = f"{model} {seen.pair.champion} was promoted by mistake: {why}"
    if settings.retrain_rollback != "automatic" or not _allowed(store, model, now, settings):
        return [f"{told}; 'aiops-wb models rollback --model {model} --why ...' goes back"]
    evidence = {"guards": {c.name: dict(c.evidence) for c in seen.checks}}
    roll_back(store, now, who, model, why, settings, evidence)
    return [f"{told}; {seen.pair.challenger} decides again"]


def _took_over(store, model, now, settings, who) -> list[str]:
    "Promote or propose the version that has shown most, where one passes every check."
    ready = [one for one in known_validations(store, model, now, settings) if one.passes]
    if not ready:
        return []
    best = ready[0]
    told = f"{model} {best.pair.challenger}: {best.comparison.reason}"
    allowed, over = _allowed(store, model, now, settings), _over_budget(store, model, now, settings)
    if settings.retrain_policy == "promote" and allowed and not over:
        why = f"better in shadow: {best.comparison.reason}"
        promote(store, now, who, model, best.pair.challenger, why, settings, best.as_evidence())
        return [f"{told}; it is the champion now"]
    _propose(store, best, now, who)
    return [
        f"{told}{over}; proposed, not active: 'aiops-wb models promote --model {model} --version "
        f"{best.pair.challenger} --why ...' promotes it"
    ]


def _allowed(reader, model, now, settings):
    "Whether models may change without a person."
    flag = reader.retraining_flag(model, now)
    allowed = settings.retrain_enabled if flag is None else flag
    return allowed and reader.retraining_stopped(now) is None


def _over_budget(reader, model, now, settings):
    "Why the promise of a year does not hold, in words; empty while it does."
    begun = reader.shadows_begun(model, now - A_YEAR, now)
    if begun <= settings.retrain_challengers:
        return ""
    return (
        f"; {begun} versions have been in the shadow within a year, and the chance of a mistake is "
        f"shared by {settings.retrain_challengers}: a person has to decide"
    )


def _propose(store, best: Validation, now, who):
    "Record a proposal, once for each pair."
    pair = best.pair
    subject, new = f"{pair.model}/{pair.challenger}", f"instead of {pair.champion}"
    if store.in_force("proposal", subject) != new:
        with store.transaction():
            store.record(
                now, who, "proposal", subject, new, best.comparison.reason, best.as_evidence()
            )


def _left(store, model, now, who) -> Iterator[str]:
    "Versions that have been in the shadow for half a year leave it."
    for version in store.challengers(model):
        since = store.shadow_since(model, version)
        if now - since > LONGEST:
            why = f"it was not promoted in {LONGEST.days // 7} weeks"
            store.end_shadow(now, who, model, version, why)
            yield f"{model} {version} leaves the shadow: {why}"
