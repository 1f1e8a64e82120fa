"""Train a challenger, compare it, propose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.locks import is_training, training
from ..log.store import Store
from ..stats.retrain import Challenge, Check, compare, log_loss, safeguards
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
) -> list[Check]:
    """The five safeguards for a model at a time; a flag recorded in the audit trail overrides the
    `enabled` of the settings.

    `job_active`: whether a training is running (None: look). `as_of`: which labels are known
    (None: those of `now`).
    """
    flag = reader.in_force("retrain", model, now)
    last = reader.versions(model, now).registered_at.max()
    counts = reader.score_counts(model, *plan(day).training, as_of=as_of or now)
    return safeguards(
        enabled=enabled if flag is None else flag == "on",
        severity=severity,
        labelled=sum(c.total[1] for c in counts.values()),
        now=now,
        last_trained=None if pd.isna(last) else last.to_pydatetime(),
        job_active=is_training(reader.root) if job_active is None else job_active,
        cooldown_days=cooldown_days,
        min_labelled=min_labelled,
    )


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
) -> Challenge:
    """Train a challenger, register it (not active; `options` of `automation.certainty`), compare it
    with the champion on later mature days, and record the verdict.
    """
    champion = load(store, model)
    windows = plan(day, train_days, compare_days, maturity_days)
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
        )
    unknown = store.outcomes_among(model, champion.features)
    with store.transaction():  # a challenger without its verdict could never be given one
        challenger = register(store, trained, held_out, now, who, **(options or {}))
        result = _compared(champion, challenger, feature_columns(later, unknown), later, windows)
        _record(store, result, now, who, why)
    return result


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
