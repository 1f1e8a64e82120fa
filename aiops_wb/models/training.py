"""Training a version, and what its held-out days say of it."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..config import packages
from ..log.errors import StoreError
from ..log.features import as_numbers, bin_values, binned_days
from ..stats.counts import ScoreCounts, total
from ..stats.decisions import Ladder
from ..stats.performance import summary
from ..stats.points import as_points
from ..stats.thresholds import best_f1, for_alerts
from .boosting import (
    CLIPPED,
    PARAMETERS,
    ROUNDS,
    Grown,
    Learned,
    OnRound,
    age_weights,
    grow,
    logged_weights,
    propensity_weights,
)
from .version import ModelVersion, feature_columns

__all__ = [
    "PARAMETERS",
    "ROUNDS",
    "SEPARATES",
    "feature_rules",
    "held_out_metrics",
    "labelled_share",
    "quantile_bins",
    "separating",
    "train",
    "weighed_as",
]


SEPARATES, LEAST_EACH = 0.995, 10
"""Held-out ROC AUC above which a feature alone separates the labels, where there are so many of
each label."""


def train(
    rows: pd.DataFrame,
    model: str,
    version: str,
    *,
    holdout: float = 0.2,
    parameters: dict[str, Any] | None = None,
    rounds: int | None = None,
    positive_weight: float = 1.0,
    propensity: str | None = None,
    ignore_propensity: bool = False,
    half_life_days: float | None = None,
    min_labelled: int = 100,
    kinds: Mapping[str, str] = MappingProxyType({}),
    allowed: Collection[str] = (),
    events: Mapping[date, int] | None = None,
    incomplete: str = "",
    unsure: str = "",
    threshold: int = Ladder.of().high,
    alerts_per_day: float | None = None,
    on_round: OnRound = lambda _: None,
) -> tuple[ModelVersion, dict[date, ScoreCounts]]:
    """Train on labelled rows (columns `event_date`, `label`, `feature:...`); returns the version
    and the counts of each of its held-out days.

    `complete.training_rows` reads rows whose labels are in. `kinds` says what features are where
    that is known, `events` how many each day had, with a label or without (None: as many as
    `rows`), `incomplete` why labels are known not to be complete, `unsure` why that is not known:
    the card remembers them. The version starts with a threshold (points), or with that which gives
    `alerts_per_day` on the held-out days.

    Days are in order: trees learn from the first ones; as many are grown as the last fifth of these
    is scored better by (`rounds`: so many); `holdout` of all days are seen by neither. The same
    rows, parameters and seed give the same file, whatever the number of threads. A
    `positive_weight` counts while trees grow and is taken back from the log-odds; `propensity`
    names the feature that holds the chance with which a label is seen: rows weigh one over it, and
    it is no feature. Without one, rows weigh by the propensity that was logged with them where
    labels come by review alone (`logged_weights`), unless `ignore_propensity`. With
    `half_life_days` a row weighs half of one so many days younger. Raises StoreError when there are
    too few labelled rows, one class only, no days to hold out, or a feature that is not `allowed`
    to alone separates the labels.
    """
    threshold = as_points(threshold)
    known = _labelled(rows, model, min_labelled)
    weight, logged = np.ones(len(known)), None
    if propensity is None and not ignore_propensity and (logged := logged_weights(known)):
        known, weight = known[logged.kept], logged.weight
    if propensity is not None:
        weight = propensity_weights(known, model, propensity)
        known = known.drop(columns=f"feature:{propensity}")
    if half_life_days is not None:
        weight = weight * age_weights(known.event_date, half_life_days)
    split = _split_days(known, model, holdout)
    frame = feature_columns(known)
    fitted = PARAMETERS | (parameters or {})
    learns = ~split.held
    card = feature_rules(frame[learns], kinds)
    _refuse_leaks(model, frame, known.label, split.held, card["bins"], allowed)
    learned = frame[learns], known.label[learns], known.event_date[learns], weight[learns]
    grown = grow(Learned(*learned, card), fitted, rounds, on_round, positive_weight)
    trained = ModelVersion(model, version, grown.booster, card)
    held_days = _held_out_days(trained, frame[split.held], known[split.held])
    seen, n_by_day = total(held_days.values()), _events_held_out(rows, split.held_out_from, events)
    if alerts_per_day is not None:
        threshold = start_at(seen, n_by_day, alerts_per_day)
    card |= _described(split, seen, fitted, grown, threshold)
    card |= _weighed(positive_weight, propensity, ignore_propensity, logged, half_life_days)
    card |= labelled_share(card, n_by_day)
    if incomplete:
        card["incomplete_labels"] = incomplete
    if unsure:
        card["labels_unsure"] = unsure
    days = pd.to_datetime(known.event_date).dt.date
    return replace(trained, reference=binned_days(frame, days, card["bins"])), held_days


def _labelled(rows, model, least):
    "The rows whose label is known; StoreError where they, or features, are too few."
    n_features = sum(c.startswith("feature:") for c in rows.columns)
    known = rows[rows.label.notna()] if "label" in rows else rows
    if len(known) < least or not n_features:
        raise StoreError(
            f"{model}: {len(known):,} labelled rows with {n_features} features are too few to "
            f"train on: at least {least:,} and 1 are needed."
        )
    return known


class _Split(NamedTuple):
    "The days of the labelled rows, and which rows are held out: those from one day on."

    first: date
    last: date
    held_out_from: date
    held: pd.Series


def _split_days(known, model, holdout):
    "Hold out the last days; StoreError where a part lacks rows or one of the labels."
    days = np.sort(known.event_date.unique())
    if len(days) > 1:
        start = days[int(len(days) * (1 - holdout))]
        held = known.event_date >= start
    else:
        held = pd.Series(False, index=known.index)
    for part, name in ((known[~held], "training"), (known[held], "held-out")):
        if part.label.nunique() < 2:
            lacks = "no labelled rows" if part.empty else "only one label"
            raise StoreError(f"{model}: the {name} days have {lacks}; choose a longer range.")
    return _Split(*(pd.Timestamp(day).date() for day in (days[0], days[-1], start)), held)


def quantile_bins(values: pd.Series, bins: int = 20) -> dict[str, list]:
    "The rule that bins a feature: its categories, or cuts at its own quantiles."
    present = values.dropna()
    if len(present) and present.map(lambda v: isinstance(v, (bool, np.bool_))).all():
        return {"cuts": [0.5]}
    if pd.api.types.is_numeric_dtype(present):
        return {"cuts": _cuts(present[np.isfinite(present.astype(float))], bins)}
    return {"categories": sorted(present.astype(str).unique())}


def _cuts(numbers, bins):
    "Where few values are taken, a cut at each; else cuts at quantiles."
    if numbers.empty:
        return []
    values = np.unique(numbers.astype(float))
    if len(values) <= bins:
        # a bin for each value, and for what lies below, between and above them
        return sorted({float(v) for v in (*values, np.nextafter(values[-1], np.inf))})
    cuts = np.unique(np.quantile(numbers, np.arange(1, bins) / bins))
    return [float(c) for c in cuts]


def separating(column: pd.Series, label: pd.Series, held: pd.Series, rule: Mapping) -> float:
    """How well a feature alone tells the labels of held-out days apart: ROC AUC, at least .5; NaN
    with fewer than 10 of each label.

    By its order, and by the share of positives that each of its bins had on the other days: a
    leak may be a category, or that there is a value at all.
    """
    judged = label[held].to_numpy() == 1
    if min(judged.sum(), (~judged).sum()) < LEAST_EACH:
        return np.nan
    places = bin_values(column, rule) + 2
    learned, base = label[~held].to_numpy() == 1, label[~held].mean()
    size = places.max() + 1
    positives = np.bincount(places[~held], weights=learned, minlength=size)
    share = (positives + base) / (np.bincount(places[~held], minlength=size) + 1)
    by_bin = _auc(share[places[held]], judged)
    if "categories" in rule:
        return max(by_bin, 1 - by_bin)
    numbers = as_numbers(column[held])
    given = ~np.isnan(numbers)
    enough = min(judged[given].sum(), (~judged[given]).sum()) >= LEAST_EACH
    by_order = _auc(numbers[given], judged[given]) if enough else 0.5
    return max(by_bin, 1 - by_bin, by_order, 1 - by_order)


def _auc(values, positive):
    "The chance that a positive has a larger value than a negative; ties count half."
    ranks, n = pd.Series(values).rank().to_numpy(), positive.sum()
    return (ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(values) - n))


def _refuse_leaks(model, frame, label, held, bins, allowed):
    "StoreError names the features that alone separate the labels."
    held = held.to_numpy()
    leaks = {f: separating(frame[f], label, held, bins[f]) for f in frame if f not in allowed}
    leaks = {f: auc for f, auc in leaks.items() if auc > SEPARATES}
    if leaks:
        named = ", ".join(f"{f} (ROC AUC {auc:.3f})" for f, auc in leaks.items())
        options = " ".join(f"--allow-feature {shlex.quote(f)}" for f in leaks)
        raise StoreError(
            f"{model}: on the held-out days the labels are told apart by {named} alone, as if it "
            "were known only afterwards: leave it out of the log, or say that it is known when an "
            f"event is scored with {options}."
        )


def feature_rules(learned: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The features of a version, what each is, how it is binned, and the categories of those that
    have some."""
    bins = {f: quantile_bins(learned[f]) for f in learned}
    categories = {f: rule["categories"] for f, rule in bins.items() if "categories" in rule}
    known = {f: kinds[f] for f in learned if f in kinds}
    return {"features": list(learned), "categories": categories, "bins": bins, "kinds": known}


def _held_out_days(trained, frame, known) -> dict[date, ScoreCounts]:
    "The counts of each held-out day."
    points = pd.Series(trained.grid.quantise(trained.score(frame)), index=frame.index)
    return {
        pd.Timestamp(day).date(): ScoreCounts.from_events(points[rows.index], rows.label)
        for day, rows in known.groupby("event_date")
    }


def _events_held_out(rows, start, events) -> dict[date, int]:
    "How many events each held-out day had, with a label or without."
    if events is None:
        events = pd.to_datetime(rows.event_date).dt.date.value_counts().to_dict()
    return {day: n for day, n in events.items() if day >= start}


def labelled_share(card: Mapping, events: Mapping[date, int]) -> dict[str, Any]:
    "What the held-out figures of a card rest on: events, days, and the share with a label."
    # a person who was removed is still counted, never the other way round
    n = max(sum(events.values()), card["held_out_rows"])
    metrics = card["metrics"] | {"labelled_share": card["held_out_rows"] / n}
    return {"held_out_events": n, "held_out_days": len(events), "metrics": metrics}


def start_at(known: ScoreCounts, events: Mapping[date, int], alerts_per_day: float) -> int:
    """The threshold (points) with which a version starts that is to call people so often, as its
    labelled events of some days lie and as many as these days had; StoreError where none does."""
    share = known.total[0] / max(sum(events.values()), known.total[0])
    try:
        return for_alerts(known, len(events), alerts_per_day * share)
    except ValueError as error:
        raise StoreError(f"--alerts-per-day {alerts_per_day:g}: {error}") from None


def _described(split, held_out, parameters, grown: Grown, threshold) -> dict[str, Any]:
    "What is kept of a training: its days and rows, a threshold and the figures at it."
    return {
        "window": [str(split.first), str(split.last)],
        "held_out_from": str(split.held_out_from),
        "rows": int((~split.held).sum()),
        "held_out_rows": int(split.held.sum()),
        "threshold": threshold,
        "best_f1": best_f1(held_out),
        "rounds": grown.rounds,
        "stopping": grown.stopping,
        "parameters": parameters,
        "metrics": held_out_metrics(held_out, threshold),
        "packages": packages(),
    }


def _weighed(positive_weight, propensity, ignored, logged, half_life_days) -> dict[str, Any]:
    "What is kept of how rows were weighed; nothing where all were alike."
    told = {}
    if positive_weight != 1:
        told["positive_weight"] = positive_weight
    if propensity is not None:
        told["propensity"] = {"feature": propensity, "clipped_below": CLIPPED}
    elif logged is not None:
        told["propensity"] = logged.told
    elif ignored:
        told["propensity"] = {"ignored": True}
    if half_life_days is not None:
        told["half_life_days"] = half_life_days
    return told


def weighed_as(card: Mapping[str, Any]) -> dict[str, Any]:
    "How the rows of a version were weighed, as arguments of `train`."
    told = {k: card[k] for k in ("positive_weight", "half_life_days") if k in card}
    of = card.get("propensity", {})
    if "feature" in of:
        told["propensity"] = of["feature"]
    if "ignored" in of:
        told["ignore_propensity"] = True
    return told


def held_out_metrics(held_out: ScoreCounts, threshold: int) -> dict[str, float | None]:
    "Figures of held-out days at a threshold (points), as a card keeps them; None: not known."
    figures = summary(held_out, threshold)
    return {k: None if np.isnan(f.value) else f.value for k, f in figures.items()}
