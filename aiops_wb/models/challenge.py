"""Train a challenger, compare it, propose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from ..log.catalog import Reader, StoreError
from ..log.store import Store, is_training, training
from ..stats.retrain import Challenge, Check, compare, log_loss, safeguards
from .registry import load, register, train

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
) -> list[Check]:
    """The five safeguards for a model; a flag recorded in the audit trail overrides the `enabled`
    of the settings.
    """
    flag = reader.in_force("retrain", model, now)
    last = reader.versions(model, now).registered_at.max()
    labelled = sum(
        c.total[1] for c in reader.score_counts(model, *plan(day).training, as_of=now).values()
    )
    return safeguards(
        enabled=enabled if flag is None else flag == "on",
        severity=severity,
        labelled=labelled,
        now=now,
        last_trained=None if pd.isna(last) else last.to_pydatetime(),
        job_active=is_training(reader.root),
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
    if champion.state["window"][1] >= str(windows.comparison[0]):
        raise StoreError(
            f"{model} {champion.version} learned from days up to {champion.state['window'][1]}: a "
            "fair comparison cannot start on "
            f"{windows.comparison[0]}; wait, or compare on fewer days."
        )
    rows = store.rows(model, *windows.training, as_of=now)
    later = store.rows(model, *windows.comparison, as_of=now, where="label IS NOT NULL")
    if rows.empty or later.empty:
        raise StoreError(
            f"{model}: no labelled rows from {windows.training[0]} to {windows.comparison[1]}; "
            "nothing to compare."
        )
    with training(store.root):
        trained, held_out = train(rows, model, f"challenger-{day:%Y%m%d}", rounds=rounds)
        challenger = register(store, trained, held_out, now, who, **(options or {}))
    frame = later.filter(like="feature:").rename(columns=lambda c: c.removeprefix("feature:"))
    loss = {m.version: log_loss(m.score(frame), later.label) for m in (champion, challenger)}
    by_day = (
        pd.Series(loss[challenger.version] - loss[champion.version])
        .groupby(later.event_date.dt.strftime("%Y-%m-%d").to_numpy())
        .mean()
    )
    result = Challenge(
        model,
        champion.version,
        challenger.version,
        tuple(map(str, windows.comparison)),
        compare(by_day.to_dict()),
        by_day.to_dict(),
    )
    with store.transaction():
        store.record(
            now,
            who,
            "challenge",
            model,
            challenger.version,
            f"{why}; {'proposed' if result.verdict.propose else 'not proposed'}: "
            f"{result.verdict.reason}",
            asdict(result),
        )
    return result


def last_challenge(reader: Reader, model: str, as_of: datetime | None = None) -> Challenge | None:
    "The latest recorded comparison of a model."
    trail = reader.audit(model)
    trail = trail[
        (trail.what == "challenge")
        & ((trail.changed_at <= pd.Timestamp(as_of)) if as_of is not None else True)
    ]
    return Challenge.from_json(trail.evidence.iloc[-1]) if len(trail) else None
