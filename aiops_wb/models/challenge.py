"""May a model be retrained; and a challenger, trained and put into the champion's shadow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.lease import running_training
from ..log.shadow import Pair
from ..log.store import Store
from ..stats.decisions import RISK_CUTS
from ..stats.retrain import Check, Consent, Limits, safeguards
from .complete import COMPLETE_SHARE, complete_days, label_rules, still_arriving
from .handover import Trained
from .jobs import Order, clear_job, train_challenger
from .registry import register
from .shadow import follow
from .training import weighed_as

__all__ = [
    "Plan",
    "Prepared",
    "challenge",
    "challenger_of",
    "check",
    "conclude",
    "plan",
    "prepare",
    "refuse_stopped",
    "safeguard_rules",
]


@dataclass(frozen=True)
class Plan:
    "Days to train on and days to compare on, both ends included."

    training: tuple[date, date]
    comparison: tuple[date, date]


def plan(day: date, train_days: int = 90, compare_days: int = 28, maturity_days: int = 7) -> Plan:
    "The windows for a challenge on the evening of `day`."
    last = day - timedelta(maturity_days)
    first = last - timedelta(compare_days - 1)
    return Plan((first - timedelta(train_days), first - timedelta(1)), (first, last))


class _Windows(NamedTuple):
    "The plan of a challenge on days whose labels are in; why they are not, where labels arrive."

    plan: Plan
    arriving: str
    unsure: str  # why no day is known to be complete


def _complete_plan(
    reader: Reader, model, day, now, as_of, *, share, floor, maturity_days=7, **lengths
) -> _Windows:
    "The plan that ends on the newest complete day, at least `maturity_days` before `day`."
    complete = complete_days(reader, model, now, share=share, floor=floor, as_of=as_of)
    age = max(maturity_days, floor, (day - complete.newest).days if complete.newest else 0)
    windows = plan(day, maturity_days=age, **lengths)
    if complete.established:
        return _Windows(windows, "", complete.why_none)
    span = windows.training[0], windows.comparison[1]
    falls = still_arriving(reader.labelled(model, *span, as_of), share)
    arriving = falls and f"labels still arrive ({complete}); {falls}"
    return _Windows(windows, arriving, complete.why_none)


def safeguard_rules(settings: Settings) -> dict:
    "What the settings say of the safeguards, as arguments of `check`."
    limits = Limits(
        settings.retrain_cooldown_days,
        settings.retrain_min_labelled,
        settings.retrain_min_positives,
        settings.retrain_challengers,
    )
    return {"enabled": settings.retrain_enabled, "limits": limits} | label_rules(settings)


def check(
    reader: Reader,
    model: str,
    day: date,
    now: datetime,
    severity: str,
    harm: Sequence[str],
    *,
    enabled: bool = False,
    limits: Limits = Limits(),
    job: str | None = None,
    as_of: datetime | None = None,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
) -> list[Check]:
    """The safeguards for a model at a time; a flag recorded in the audit trail overrides the
    `enabled` of the settings.

    `severity` as the front page shows it, `harm` the alarms that rest on labels. `job`: who trains
    (None: look). `as_of`: which labels are known (None: those of `now`). Labels count on days that
    are complete (`share`, `floor`: as in `complete_days`), and none does where they still arrive.
    """
    flag, left_out = reader.retraining_flag(model, now), reader.tenants_left_out(model, now)
    consent = Consent(
        enabled if flag is None else flag,
        _said(reader.retraining_stopped(now)),
        _said(reader.retraining_approved(model, day, severity, now)),
        left_out,
    )
    known = as_of or now
    windows = _complete_plan(reader, model, day, now, known, share=share, floor=floor)
    labelled, positive = reader.known_labels(model, *windows.plan.training, known, left_out)
    checks = safeguards(
        consent=consent,
        severity=severity,
        harm=harm,
        activated=reader.activated_at(model, now),
        now=now,
        labelled=labelled,
        positive=positive,
        job=running_training(reader.root) if job is None else job,
        begun=reader.shadows_begun(model, now - timedelta(365), now),
        limits=limits,
    )
    if windows.arriving:
        stopped = Check("samples", False, windows.arriving, {"arriving": windows.arriving})
        checks = [stopped if c.name == stopped.name else c for c in checks]
    return checks


def _said(word) -> str:
    return "" if word is None else str(word)


class Prepared(NamedTuple):
    "A challenge that may begin: what is to be trained, beside which version, up to which day."

    order: Order
    champion: str
    day: date


def challenger_of(day: date) -> str:
    "The name of the version that is trained on a day."
    return f"challenger-{day:%Y%m%d}"


def prepare(
    reader: Reader,
    model: str,
    day: date,
    now: datetime,
    *,
    train_days: int = 90,
    compare_days: int = 28,
    maturity_days: int = 7,
    rounds: int | None = None,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
    allow_incomplete: bool = False,
) -> Prepared:
    """What is to be trained. Rows are weighed as those of the champion were.

    It learns from `train_days` and holds out about the `compare_days` behind them: its threshold
    and first calibration rest on these, and they are its first days beside the champion. All are
    complete for labels as known at `now` (`share`, `floor`: as in `complete_days`), and
    `maturity_days` old at least. StoreError where labels still arrive, unless `allow_incomplete`,
    where no version is active, where the day has its challenger, and where retraining is stopped.
    """
    refuse_stopped(reader, now)
    version, champion = challenger_of(day), reader.active_version(model)
    if champion is None:
        raise StoreError(f"{model} has no active version to challenge: promote one first.")
    if version in set(reader.versions(model).version):
        raise StoreError(
            f"{model} {version} is registered already, and versions are never replaced: put that "
            f"one into the shadow ('aiops-wb models shadow'), or train on another day."
        )
    lengths = {"train_days": train_days, "compare_days": compare_days}
    rules = {"share": share, "floor": floor, "maturity_days": maturity_days}
    windows, arriving, unsure = _complete_plan(reader, model, day, now, now, **rules, **lengths)
    _check_complete(model, arriving, allow_incomplete)
    left_out = reader.tenants_left_out(model, now)
    first, last = windows.training[0], windows.comparison[1]
    if not reader.known_labels(model, first, last, now, left_out)[0]:
        raise StoreError(
            f"{model}: no labelled rows from {first} to {last}; nothing to learn from."
        )
    options = {"rounds": rounds, "holdout": compare_days / (train_days + compare_days)}
    order = Order(
        model,
        version,
        first,
        last,
        now,
        left_out,
        arriving,
        unsure,
        options | weighed_as(reader.version(model, champion).card),
    )
    return Prepared(order, champion, day)


def conclude(
    store: Store,
    prepared: Prepared,
    trained: Trained,
    now: datetime,
    who: str,
    why: str,
    options: Mapping | None = None,
    cuts: tuple[float, ...] = RISK_CUTS,
) -> Pair:
    """Register what was trained (not active; `options` of `automation.certainty`), put it into the
    champion's shadow, and score the days that neither learned from (`cuts`: as in `follow`)."""
    order = prepared.order
    refuse_stopped(store, now)
    with store.transaction():  # one that nothing compares would be of no use
        challenger = register(store, *trained, now, who, **(options or {}))
        store.shadow(now, who, order.model, challenger.version, why)
    clear_job(store.root, order)
    pair = Pair(order.model, store.active_version(order.model), challenger.version)
    try:
        follow(store, pair, prepared.day, now, cuts)
    except StoreError as problem:
        raise StoreError(
            f"{pair.model} {pair.challenger} is registered and in the shadow of {pair.champion}, "
            f"but cannot be followed: {problem}"
        ) from None
    return pair


def challenge(
    store: Store,
    model: str,
    day: date,
    now: datetime,
    who: str,
    *,
    why: str,
    options: Mapping | None = None,
    **rules,
) -> Pair:
    """Prepare, train in this process, and conclude; `rules` as in `prepare`."""
    prepared = prepare(store, model, day, now, **rules)
    trained = train_challenger(store, prepared.order, who)
    return conclude(store, prepared, trained, now, who, why, options)


def refuse_stopped(reader: Reader, now: datetime) -> None:
    "StoreError where somebody stopped the retraining of every model: no override goes past it."
    if stopped := reader.retraining_stopped(now):
        raise StoreError(
            f"retraining of every model is stopped {stopped}; 'aiops-wb retrain --resume-all WHY' "
            "lets it go on."
        )


def _check_complete(model, arriving, allowed):
    "StoreError where labels still arrive on the days of a challenge and nobody allowed that."
    if arriving and not allowed:
        raise StoreError(
            f"{model}: {arriving}. Models would be trained and compared on labels that are known "
            "early: wait until some days are complete."
        )
