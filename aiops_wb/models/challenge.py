"""Train a challenger, compare it, propose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import pandas as pd

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.locks import is_training, training
from ..log.store import Store
from ..stats.retrain import Challenge, Check, compare, log_loss, safeguards
from .complete import COMPLETE_SHARE, complete_days, still_arriving
from .registry import load, register
from .training import train
from .version import ModelVersion, feature_columns

__all__ = ["Plan", "plan", "check", "challenge", "last_challenge"]


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


def check(
    reader: Reader,
    model: str,
    day: date,
    now: datetime,
    severity: str,
    *,
    enabled: bool = False,
    cooldown_days: int = 7,
    min_labelled: int = 100,
    job_active: bool | None = None,
    as_of: datetime | None = None,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
) -> list[Check]:
    """The five safeguards for a model at a time; a flag recorded in the audit trail overrides the
    `enabled` of the settings.

    `job_active`: whether a training is running (None: look). `as_of`: which labels are known
    (None: those of `now`). Labels count on days that are complete (`share`, `floor`: as in
    `complete_days`), and none does where they still arrive.
    """
    flag = reader.in_force("retrain", model, now)
    last = reader.versions(model, now).registered_at.max()
    known = as_of or now
    windows = _complete_plan(reader, model, day, now, known, share=share, floor=floor)
    days = reader.labelled(model, *windows.plan.training, as_of=known)
    checks = safeguards(
        enabled=enabled if flag is None else flag == "on",
        severity=severity,
        labelled=sum(labelled for _, labelled in days.values()),
        now=now,
        last_trained=None if pd.isna(last) else last.to_pydatetime(),
        job_active=is_training(reader.root) if job_active is None else job_active,
        cooldown_days=cooldown_days,
        min_labelled=min_labelled,
    )
    if windows.arriving:
        stopped = Check("samples", False, windows.arriving)
        checks = [stopped if c.name == stopped.name else c for c in checks]
    return checks


def challenge(
    store: Store,
    model: str,
    day: date,
    now: datetime,
    who: str,
    *,
    why: str,
    train_days: int = 90,
    compare_days: int = 28,
    maturity_days: int = 7,
    rounds: int = 200,
    options: Mapping | None = None,
    share: float = COMPLETE_SHARE,
    floor: int = 0,
    allow_incomplete: bool = False,
) -> Challenge:
    """Train a challenger, register it (not active; `options` of `automation.certainty`), compare it
    with the champion on later days, and record the verdict.

    The days are complete for labels as known at `now` (`share`, `floor`: as in `complete_days`),
    and `maturity_days` old at least. StoreError where labels still arrive, unless
    `allow_incomplete`.
    """
    champion = load(store, model)
    lengths = {"train_days": train_days, "compare_days": compare_days}
    rules = {"share": share, "floor": floor, "maturity_days": maturity_days}
    windows, arriving, unsure = _complete_plan(store, model, day, now, now, **rules, **lengths)
    _check_complete(model, arriving, allow_incomplete)
    _check_fair(champion, windows)
    earlier, later = _labelled_rows(store, model, windows, now)
    with training(store.root):
        trained, held_out = train(
            earlier,
            model,
            f"challenger-{day:%Y%m%d}",
            rounds=rounds,
            kinds=store.feature_kinds(model, now),
            allowed=store.allowed_features(model),
            incomplete=arriving,
            unsure=unsure,
        )
    unknown = store.outcomes_among(model, champion.features)
    with store.transaction():  # a challenger without its verdict could never be given one
        challenger = register(store, trained, held_out, now, who, **(options or {}))
        result = _compared(champion, challenger, feature_columns(later, unknown), later, windows)
        _record(store, result, now, who, why)
    return result


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


def _labelled_rows(store, model, windows, now):
    "Rows to train on, and later rows to compare on; StoreError where either are missing."
    earlier = store.rows(model, *windows.training, as_of=now)
    later = store.rows(model, *windows.comparison, as_of=now, where="label IS NOT NULL")
    if earlier.empty or later.empty:
        raise StoreError(
            f"{model}: no labelled rows from {windows.training[0]} to {windows.comparison[1]}; "
            "nothing to compare."
        )
    return earlier, later


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
