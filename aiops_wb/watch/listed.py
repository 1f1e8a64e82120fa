"""What is listed of a log: the same rows, whether a command prints them or a service is told."""

from datetime import datetime
from typing import Any

from ..config import Settings
from ..log.base import as_rows
from ..log.catalog import Reader
from ..models.complete import held_out_words
from ..stats.points import Grid
from .threshold_changes import Standing, standing

__all__ = ["every_standing", "grid_of", "model_row", "threshold_row", "version_rows"]

_VERSION_COLUMNS = ("model", "version", "registered_at", "grid", "card")
LOGGED, VERSIONS = "as logged with the predictions", "that of the version"


def every_standing(
    log: Reader, model: str | None, now: datetime, settings: Settings
) -> list[Standing]:
    "The thresholds in force of a model, or of every one; StoreError for one that is not known."
    models = [log.require_model(model)] if model else log.models()
    return [one for name in models for one in standing(log, name, now, settings)]


def grid_of(log: Reader, model: str, version: str) -> Grid:
    "The grid of a version: as it is registered, else by its newest day."
    registered = log.versions(model)
    named = registered[registered.version == version]
    if len(named):
        return Grid.parse(named.grid.iloc[0])
    days = log.days(model, version=version)
    counts = log.score_counts(model, days[-1], days[-1], version=version) if days else {}
    return next(iter(counts.values())).grid if counts else Grid()


def threshold_row(one: Standing) -> dict[str, Any]:
    "A threshold in force: what it is, since when, by whom and why, and the ids of proposals."
    changed, scope = one.change, one.scope or (None, None)
    return {
        "model": one.model,
        "version": one.version,
        "tenant": scope[0],
        "site": scope[1],
        "threshold": round(one.score, 6),
        "points": one.points,
        "since": changed and changed.at,
        "by": changed and changed.who,
        "why": changed.why if changed else LOGGED if one.scope is None else VERSIONS,
        "dial": "on" if one.dial_on else "off",
        "proposals": ", ".join(p.key for p, _ in one.proposals) or None,
    }


def version_rows(log: Reader, model: str) -> list[dict[str, Any]]:
    "The registered versions of a model: the champion, its challengers, which are not watched."
    active, aliases = log.active_version(model), _aliases(log, model)
    rows = []
    for row in as_rows(log.versions(model), _VERSION_COLUMNS):
        held_out = _held_out(row.pop("card"))
        off = log.not_watched(model, row["version"])
        state = {
            "threshold": log.threshold(model, row["version"]),
            "active": row["version"] == active,
            "alias": aliases.get(row["version"]),
            "not_watched": str(off) if off else None,
        }
        rows.append(row | state | held_out)
    return rows


def _aliases(log, model):
    "What versions are beside the champion: those in its shadow, and the one before."
    shadows = dict.fromkeys(log.challengers(model), "challenger")
    previous = log.previous(model)
    return ({previous: "previous"} if previous else {}) | shadows


def _held_out(card):
    "Where a version that was adopted comes from, its ranking on held-out days, what that rests on."
    metrics = card.get("metrics", {})
    adopted = card.get("adopted")
    return {
        "adopted": adopted["reference"] if adopted else None,
        "roc_auc": metrics.get("roc_auc"),
        "pr_auc": metrics.get("pr_auc"),
        "held_out": held_out_words(card),
    }


def model_row(log: Reader, model: str, due_days: int) -> dict[str, Any]:
    "How far the log of a model goes, what scores, and how many days are due."
    days = log.days(model)
    return {
        "model": model,
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
        "days": len(days),
        "active_version": log.active_version(model),
        "due": due_days,
        "not_watched": [v for v in log.known_versions(model) if log.not_watched(model, v)],
    }
