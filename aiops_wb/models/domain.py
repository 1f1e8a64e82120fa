"""Can a classifier tell last week from training?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import isnan, sqrt

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.catalog import Reader, StoreError
from ..log.store import as_numbers
from ..stats.counts import ScoreCounts
from ..stats.performance import Figure, roc_auc
from ..stats.points import Grid
from .registry import feature_matrix

__all__ = ["PARAMETERS", "DomainShift", "domain_shift", "explain_drift"]


PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.15,
    "subsample": 0.8,
    "min_child_weight": 10,
    "seed": 0,
    "nthread": 1,
}


@dataclass(frozen=True, eq=False)
class DomainShift:
    """How well recent events can be told from the reference: cross-fitted AUC with an interval for
    independent rows, and by which features (mean absolute contribution in log-odds, largest
    first).
    """

    auc: Figure
    features: dict[str, float]
    n_recent: int
    n_reference: int

    @property
    def says(self) -> str:
        """The AUC with its interval; none is claimed where some days are told apart without a
        single mistake.
        """
        why = (
            "nothing tells them apart"
            if self.auc.value == 0.5
            else "some days are told apart without a mistake"
        )
        return f"AUC {self.auc.value:.3f} " + (
            f"(no interval: {why})"
            if isnan(self.auc.lower)
            else f"({self.auc.lower:.3f} to {self.auc.upper:.3f})"
        )

    def __repr__(self) -> str:
        by = ", ".join(f"{name} {push:.2f}" for name, push in list(self.features.items())[:3])
        return f"DomainShift({self.says} by {by}; {self.n_recent:,} recent, {self.n_reference:,} reference)"


def _folds(days, recent, folds, seed):
    "A fold for each row: whole days, recent and reference ones dealt out separately."
    rng, fold = np.random.default_rng(seed), np.zeros(len(days), dtype=int)
    for side in (True, False):
        own = np.unique(days[recent == side])
        dealt = dict(zip(own, rng.permutation(len(own)) % folds))
        fold[recent == side] = [dealt[d] for d in days[recent == side]]
    return fold


def domain_shift(
    recent: pd.DataFrame,
    reference: pd.DataFrame,
    features: Sequence[str],
    seed: int = 0,
    folds: int = 4,
    rounds: int = 60,
) -> DomainShift:
    """Tell two tables of events apart by their features; both need a column `day`. Text columns are
    categories.

    Needs at least `folds` days on each side: StoreError says how many there are. The interval takes
    rows as independent within their fold.
    """
    sides = pd.concat([recent, reference], ignore_index=True)
    label = np.repeat([True, False], [len(recent), len(reference)])
    days = sides.day.astype(str).to_numpy()
    for side, name in ((label, "recent"), (~label, "reference")):
        if len(np.unique(days[side])) < folds:
            raise StoreError(
                f"the {name} events lie on {len(np.unique(days[side]))} days: at least {folds} "
                "are needed to judge each by a model that has not seen its day."
            )
    texts = [
        f
        for f in features
        if not pd.api.types.is_numeric_dtype(sides[f])
        and (sides[f].notna() & np.isnan(as_numbers(sides[f]))).any()
    ]
    for f in texts:
        sides[f] = sides[f].map(str).where(sides[f].notna(), None)
    categories = {f: sorted(sides[f].dropna().unique()) for f in texts}
    fold, parts, pushes = _folds(days, label, folds, seed), [], np.zeros(len(features))
    for k in range(folds):
        learn, judge = (
            feature_matrix(sides[at], list(features), categories) for at in (fold != k, fold == k)
        )
        learn.set_label(label[fold != k])
        booster = xgb.train(PARAMETERS, learn, rounds)
        score = booster.predict(judge).astype(np.float64)
        parts.append(roc_auc(ScoreCounts.from_events(Grid().quantise(score), label[fold == k])))
        pushes += np.abs(booster.predict(judge, pred_contribs=True)[:, :-1]).mean(axis=0) / folds
    half = [f.upper - f.value if f.upper < 1 else f.value - f.lower for f in parts]
    value = float(np.mean([f.value for f in parts]))
    spread = sqrt(float(np.mean(np.square(half))) / folds)
    auc = (
        Figure(value, n=len(sides))
        if isnan(spread)
        else Figure(value, max(0.0, value - spread), min(1.0, value + spread), len(sides))
    )
    return DomainShift(
        auc,
        {f: float(p) for f, p in sorted(zip(features, pushes), key=lambda fp: -fp[1])},
        len(recent),
        len(reference),
    )


def explain_drift(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    recent_days: int = 7,
    as_of: datetime | None = None,
    most: int = 5000,
    seed: int = 0,
    without: Sequence[str] = (),
) -> DomainShift:
    """Tell the recent days of a registered version from its training window, by at most `most`
    sampled rows a side and all features but those of `without`; StoreError when rows are
    missing, or features.
    """
    state = reader.version(model, version).state
    first, last = (date.fromisoformat(d) for d in state["window"])
    sides = []
    for start, end, name in (
        (day - timedelta(recent_days - 1), day, "recent"),
        (first, last, "training"),
    ):
        rows = reader.rows(
            model, start, end, as_of=as_of, version=version if name == "recent" else None
        )
        if rows.empty:
            raise StoreError(f"the log has no {name} rows of {model} from {start} to {end}.")
        sides.append(
            rows.sample(min(most, len(rows)), random_state=seed).rename(
                columns={"event_date": "day"}
            )
        )
    unknown = sorted(set(without) - set(state["features"]))
    names = [
        f
        for f in state["features"]
        if all(f"feature:{f}" in side for side in sides) and f not in without
    ]
    if unknown or not names:
        raise StoreError(
            f"{', '.join(unknown)} is no feature of {model}/{version}: it has "
            f"{', '.join(state['features'])}."
            if unknown
            else f"no feature of {model}/{version} is left to compare."
        )
    found = domain_shift(*sides, [f"feature:{f}" for f in names], seed)
    return replace(
        found, features={f.removeprefix("feature:"): push for f, push in found.features.items()}
    )
