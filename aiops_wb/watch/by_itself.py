"""Retraining by itself: where people allow it and something is wrong, a challenger is trained.

It is trained in its own process from the published snapshot, so that nobody waits for the catalog;
what it decides is nothing, until its weeks in the shadow speak for it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path

from ..config import Settings
from ..log.catalog import open_snapshot
from ..log.store import Store
from ..models.challenge import check, conclude, prepare, safeguard_rules
from ..models.complete import label_rules
from ..models.jobs import JobLimits, train_challenger
from .harm import label_alarms
from .view import View

__all__ = ["retrain_by_itself"]


def retrain_by_itself(
    data: Path,
    model: str,
    day: date,
    now: datetime,
    settings: Settings,
    who: str,
    writing: Callable[[], AbstractContextManager[Store]],
) -> Iterator[str]:
    """Ask the safeguards of a model on a day, and train a challenger for its shadow where each
    passes; what there is to say, as it goes. StoreError says why a training failed."""
    with open_snapshot(data) as reader:
        view = View(reader, model, day, None, settings)
        rules = safeguard_rules(settings)
        checks = check(reader, model, day, now, view.severity, label_alarms(view), **rules)
        stopped = [c for c in checks if not c.passed]
        if stopped:
            yield f"{model} is not retrained: {'; '.join(c.reason for c in stopped)}"
            return
        prepared = prepare(reader, model, day, now, **label_rules(settings))
        yield f"{model}: every safeguard passes, {prepared.order.version} is trained"
        trained = train_challenger(reader, prepared.order, who, JobLimits.of(settings))
    with writing() as store:
        why, options = "every safeguard passed", (settings.certainty, settings.risk_cuts)
        pair = conclude(store, prepared, trained, now, who, why, *options)
    yield f"{model} {pair.challenger} is in the shadow of {pair.champion}"
