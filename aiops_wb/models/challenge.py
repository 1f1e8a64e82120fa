"""Train a challenger, compare it, propose."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.lease import running_training
from ..log.store import Store
from ..stats.retrain import Challenge, Check, Consent, Limits, compare, log_loss, safeguards
from .complete import COMPLETE_SHARE, complete_days, label_rules, still_arriving
from .handover import Trained
from .jobs import Order, clear_job, train_challenger
from .registry import load, register
from .training import weighed_as
from .version import ModelVersion, feature_columns

__all__ = [
    "Plan",
    "Prepared",
    "challenge",
    "check",
    "conclude",
    "last_challenge",
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
    """The five safeguards for a model at a time; a flag recorded in the audit trail overrides the
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
        limits=limits,
    )
    if windows.arriving:
        stopped = Check("samples", False, windows.arriving, {"arriving": windows.arriving})
        checks = [stopped if c.name == stopped.name else c for c in checks]
    return checks


def _said(word) -> str:
    return "" if word is None else str(word)


class Prepared(NamedTuple):
    "A challenge that may begin: what is to be trained, and the days to compare on."

    order: Order
    windows: Plan


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
    """What is to be trained and compared. Rows are weighed as those of the champion were.

    The days are complete for labels as known at `now` (`share`, `floor`: as in `complete_days`),
    and `maturity_days` old at least. StoreError where labels still arrive, unless
    `allow_incomplete`, where the champion has learned from the days of the comparison, and where
    retraining is stopped.
    """
    refuse_stopped(reader, now)
    champion = load(reader, model)
    lengths = {"train_days": train_days, "compare_days": compare_days}
    rules = {"share": share, "floor": floor, "maturity_days": maturity_days}
    windows, arriving, unsure = _complete_plan(reader, model, day, now, now, **rules, **lengths)
    _check_complete(model, arriving, allow_incomplete)
    _check_fair(champion, windows)
    left_out = reader.tenants_left_out(model, now)
    for first, last in (windows.training, windows.comparison):
        if not reader.known_labels(model, first, last, now, left_out)[0]:
            raise StoreError(
                f"{model}: no labelled rows from {first} to {last}; nothing to compare."
            )
    order = Order(
        model,
        f"challenger-{day:%Y%m%d}",
        *windows.training,
        now,
        left_out,
        arriving,
        unsure,
        {"rounds": rounds} | weighed_as(champion.card),
    )
    return Prepared(order, windows)


def conclude(
    store: Store,
    prepared: Prepared,
    trained: Trained,
    now: datetime,
    who: str,
    why: str,
    options: Mapping | None = None,
) -> Challenge:
    """Register what was trained (not active; `options` of `automation.certainty`), compare it with
    the champion on later days, and record the verdict."""
    order, windows = prepared
    refuse_stopped(store, now)
    champion = load(store, order.model)
    _check_fair(champion, windows)
    known = order.as_of
    later = store.labelled_rows(order.model, *windows.comparison, as_of=known)
    unknown = store.outcomes_among(order.model, champion.features)
    with store.transaction():  # a challenger without its verdict could never be given one
        challenger = register(store, *trained, now, who, **(options or {}))
        result = _compared(champion, challenger, feature_columns(later, unknown), later, windows)
        _record(store, result, now, who, why)
    clear_job(store.root, order)
    return result


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
) -> Challenge:
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


def _check_fair(champion, windows):
    "StoreError where the champion learned from days that it would be judged on."
    learned_to = champion.card["window"][1]
    if learned_to >= str(windows.comparison[0]):
        raise StoreError(
            f"{champion.model} {champion.version} learned from days up to {learned_to}: a "
            f"fair comparison cannot start on {windows.comparison[0]}; wait, or compare on fewer "
            "days."
        )


def _compared(
    champion: ModelVersion,
    challenger: ModelVersion,
    frame: pd.DataFrame,
    later: pd.DataFrame,
    windows: Plan,
) -> Challenge:
    "The challenger's mean loss minus the champion's on each day, and the verdict."
    ours = log_loss(challenger.score(frame), later.label)
    theirs = log_loss(champion.score(frame), later.label)
    days = later.event_date.dt.strftime("%Y-%m-%d").to_numpy()
    differences = pd.Series(ours - theirs).groupby(days).mean().to_dict()
    return Challenge(
        champion.model,
        champion.version,
        challenger.version,
        tuple(map(str, windows.comparison)),
        compare(differences),
        differences,
    )


def _record(store, result, now, who, why):
    proposed = "proposed" if result.verdict.propose else "not proposed"
    why = f"{why}; {proposed}: {result.verdict.reason}"
    store.record(now, who, "challenge", result.model, result.challenger, why, asdict(result))


def last_challenge(reader: Reader, model: str, as_of: datetime | None = None) -> Challenge | None:
    "The latest recorded comparison of a model."
    trail = reader.audit(model)
    known = trail.what == "challenge"
    if as_of is not None:
        known &= trail.changed_at <= pd.Timestamp(as_of)
    evidence = trail.evidence[known]
    return Challenge.from_json(evidence.iloc[-1]) if len(evidence) else None
