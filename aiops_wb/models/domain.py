"""Can a classifier tell last week from training?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import isnan, sqrt

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.features import as_numbers
from ..stats.counts import ScoreCounts
from ..stats.performance import Figure, roc_auc
from ..stats.points import Grid
from .version import feature_matrix

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
        value, lower, upper, _ = self.auc
        if not isnan(lower):
            interval = f"{lower:.3f} to {upper:.3f}"
        elif value == 0.5:
            interval = "no interval: nothing tells them apart"
        else:
            interval = "no interval: some days are told apart without a mistake"
        return f"AUC {value:.3f} ({interval})"

    def __repr__(self) -> str:
        first = list(self.features.items())[:3]
        by = ", ".join(f"{name} {push:.2f}" for name, push in first)
        sizes = f"{self.n_recent:,} recent, {self.n_reference:,} reference"
        return f"DomainShift({self.says} by {by}; {sizes})"


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
    both = pd.concat([recent, reference], ignore_index=True)
    is_recent = np.repeat([True, False], [len(recent), len(reference)])
    days = both.day.astype(str).to_numpy()
    _check_days(days, is_recent, folds)
    categories = _make_categories(both, features)
    fold = _deal_days(days, is_recent, folds, seed)
    figures = []
    pushes = np.zeros(len(features))
    for k in range(folds):
        auc, push = _judge_fold(both, is_recent, fold == k, features, categories, rounds)
        figures.append(auc)
        pushes += push / folds
    largest = sorted(zip(features, pushes), key=lambda pair: -pair[1])
    by = {name: float(push) for name, push in largest}
    return DomainShift(_mean_auc(figures, len(both)), by, len(recent), len(reference))


def _check_days(days, is_recent, folds):
    for side, name in ((is_recent, "recent"), (~is_recent, "reference")):
        n = len(np.unique(days[side]))
        if n < folds:
            raise StoreError(
                f"the {name} events lie on {n} days: at least {folds} "
                "are needed to judge each by a model that has not seen its day."
            )


def _make_categories(both, features):
    "Turn the columns of text into strings; their values, sorted."
    texts = [f for f in features if _is_text(both[f])]
    for f in texts:
        both[f] = both[f].map(str).where(both[f].notna(), None)
    return {f: sorted(both[f].dropna().unique()) for f in texts}


def _is_text(column):
    "Whether a column has values that are not numbers."
    if pd.api.types.is_numeric_dtype(column):
        return False
    return (column.notna() & np.isnan(as_numbers(column))).any()


def _deal_days(days, is_recent, folds, seed):
    "A fold for each row: whole days, recent and reference ones dealt out separately."
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(days), dtype=int)
    for side in (is_recent, ~is_recent):
        own = np.unique(days[side])
        dealt = dict(zip(own, rng.permutation(len(own)) % folds))
        fold[side] = [dealt[day] for day in days[side]]
    return fold


def _judge_fold(both, is_recent, judged, features, categories, rounds):
    "The AUC on one fold of a model that learned from the others, and how far features pushed."
    learn = feature_matrix(both[~judged], list(features), categories)
    judge = feature_matrix(both[judged], list(features), categories)
    learn.set_label(is_recent[~judged])
    booster = xgb.train(PARAMETERS, learn, rounds)
    score = booster.predict(judge).astype(np.float64)
    counts = ScoreCounts.from_events(Grid().quantise(score), is_recent[judged])
    pushes = booster.predict(judge, pred_contribs=True)[:, :-1]
    return roc_auc(counts), np.abs(pushes).mean(axis=0)


def _mean_auc(figures, n):
    "The mean over folds; without an interval where a fold has none."
    value = float(np.mean([f.value for f in figures]))
    # an end that was cut off at 1 says nothing about the width: take the other half
    halves = [f.upper - f.value if f.upper < 1 else f.value - f.lower for f in figures]
    spread = sqrt(float(np.mean(np.square(halves))) / len(figures))
    if isnan(spread):
        return Figure(value, n=n)
    return Figure(value, max(0.0, value - spread), min(1.0, value + spread), n)


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
    card = reader.version(model, version).card
    sample = lambda rows: rows.sample(min(most, len(rows)), random_state=seed)
    first = day - timedelta(recent_days - 1)
    recent = sample(_rows(reader, model, first, day, "recent", as_of, version))
    first, last = (date.fromisoformat(d) for d in card["window"])
    reference = sample(_rows(reader, model, first, last, "training", as_of))
    names = _shared_features(recent, reference, card["features"], without, f"{model}/{version}")
    shift = domain_shift(recent, reference, [f"feature:{f}" for f in names], seed)
    by = {f.removeprefix("feature:"): push for f, push in shift.features.items()}
    return replace(shift, features=by)


def _rows(reader, model, first, last, name, as_of, version=None):
    "Rows of the log with their day; StoreError where there are none."
    rows = reader.rows(model, first, last, as_of=as_of, version=version)
    if rows.empty:
        raise StoreError(f"the log has no {name} rows of {model} from {first} to {last}.")
    return rows.rename(columns={"event_date": "day"})


def _shared_features(recent, reference, features, without, version):
    "The features to compare by; StoreError where one to leave out is unknown, or none is left."
    unknown = sorted(set(without) - set(features))
    if unknown:
        raise StoreError(
            f"{', '.join(unknown)} is no feature of {version}: it has {', '.join(features)}."
        )
    logged = [f for f in features if f"feature:{f}" in recent and f"feature:{f}" in reference]
    names = [f for f in logged if f not in without]
    if not names:
        raise StoreError(f"no feature of {version} is left to compare.")
    return names
