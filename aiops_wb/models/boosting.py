"""How trees are grown: when to stop, and what a row weighs.

Trees are stopped by the last of the days that they may learn from, and grown again on all of those:
the held-out days, on which a threshold and a first calibration rest, are seen by neither.
"""

import json
from collections.abc import Callable, Mapping
from math import exp, inf, log
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.errors import StoreError
from ..log.features import as_numbers
from ..stats.selective import SELDOM
from .version import feature_matrix

__all__ = [
    "CLIPPED",
    "PARAMETERS",
    "ROUNDS",
    "Grown",
    "Learned",
    "Logged",
    "age_weights",
    "grow",
    "logged_weights",
    "propensity_weights",
    "size_in_words",
    "weighed_words",
]

PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 5,
    "eta": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 10,
    "seed": 0,
}
ROUNDS = 200
"Trees where nobody says how many and there is too little to be stopped by."
MOST_ROUNDS, PATIENCE = 1000, 30
"Trees at most, and how many may follow the best one without being better."
STOP_SHARE, LEAST_EACH = 0.2, 30
"The share of the days that a training is stopped by, and how many of each label it needs there."
CLIPPED = 0.05
"A smaller propensity counts as this one: few rows would decide everything else."

SMALLEST = 0.002
"The same of a propensity that was logged: no chance of the workbench's own at 1 % is smaller."

ALONE = 20_000
"So many rows are learned from by one thread: others would cost more than they take over."

OnRound = Callable[[int], None]


class Learned(NamedTuple):
    "What is learned from: rows with a label, their days, what they weigh, what their features are."

    frame: pd.DataFrame
    label: pd.Series
    days: pd.Series
    weight: np.ndarray
    card: Mapping[str, Any]  # features, categories, kinds

    @property
    def threads(self) -> int | None:
        "How many threads learn; the trees do not depend on it."
        return 1 if len(self.frame) <= ALONE else None

    def matrix(self, rows: np.ndarray | slice = slice(None)) -> xgb.DMatrix:
        "Some of the rows as the booster wants them."
        card = self.card
        names = card["features"], card["categories"], card["kinds"]
        matrix = feature_matrix(self.frame[rows], *names, self.threads)
        matrix.set_label(self.label[rows])
        if (self.weight != 1).any():  # weights of 1 would be binned otherwise than none
            matrix.set_weight(self.weight[rows])
        return matrix


class Grown(NamedTuple):
    "Trees, how many they are, and why so many."

    booster: xgb.Booster
    rounds: int
    stopping: dict[str, Any]


def grow(
    learned: Learned,
    parameters: Mapping[str, Any],
    rounds: int | None,
    on_round: OnRound = lambda _: None,
    positive_weight: float = 1.0,
) -> Grown:
    """Trees on all rows: as many as `rounds` says (None: as the later days stop them).

    A `positive_weight` counts for each positive row as it learns, and is taken back from the
    log-odds afterwards, so that scores are probabilities again. It is 1 for a reason: on made rows
    with .2 to 5 % positives a weight that balances the labels ranked worse (average precision .016
    to .26, without .031 to .30) and left the mean score at half to two thirds of the truth.
    """
    if not positive_weight > 0:
        raise StoreError(f"a positive weight of {positive_weight:g} is not above 0.")
    heavier = np.where(learned.label == 1, positive_weight, 1.0)
    learned = learned._replace(weight=learned.weight * heavier)
    stopping = {"why": "as was asked for"}
    if rounds is None:
        rounds, stopping = _stopped_early(learned, parameters, on_round)
    callbacks = [_Told(on_round)]
    booster = xgb.train(_alone(learned, parameters), learned.matrix(), rounds, callbacks=callbacks)
    if positive_weight != 1:
        booster = _shifted(booster, -log(positive_weight))
    return Grown(booster, rounds, stopping)


def _alone(learned, parameters) -> dict:
    return dict(parameters) | ({"nthread": learned.threads} if learned.threads else {})


class _Told(xgb.callback.TrainingCallback):
    "Tells of each round."

    def __init__(self, on_round):
        self.on_round = on_round

    def after_iteration(self, model, epoch, evals_log):
        "A round is over."
        self.on_round(epoch + 1)
        return False


def _stopped_early(learned, parameters, on_round) -> tuple[int, dict]:
    "After how many trees the later days are scored no better, and what the card says of it."
    days = np.sort(learned.days.unique())
    start = days[int(len(days) * (1 - STOP_SHARE))]
    later = (learned.days >= start).to_numpy()
    fewest = min((learned.label[part] == kind).sum() for part in (later, ~later) for kind in (0, 1))
    if fewest < LEAST_EACH:
        why = f"fewer than {LEAST_EACH} of each label on the days that would stop it"
        return ROUNDS, {"why": why}
    booster = xgb.train(
        _alone(learned, parameters) | {"eval_metric": "logloss"},
        learned.matrix(~later),
        MOST_ROUNDS,
        evals=[(learned.matrix(later), "later")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
        callbacks=[_Told(on_round)],
    )
    told = {"why": "stopped early", "from": str(pd.Timestamp(start).date()), "patience": PATIENCE}
    return booster.best_iteration + 1, told


def _shifted(booster, logits) -> xgb.Booster:
    "The same trees, their log-odds moved by a constant."
    state = json.loads(booster.save_raw("json"))
    parameters = state["learner"]["learner_model_param"]
    base = float(parameters["base_score"].strip("[]"))
    moved = 1 / (1 + exp(-(log(base / (1 - base)) + logits)))
    parameters["base_score"] = f"[{moved:.9E}]"
    same = xgb.Booster()
    same.load_model(bytearray(json.dumps(state).encode()))
    return same


def propensity_weights(rows: pd.DataFrame, model: str, feature: str) -> np.ndarray:
    """What each row weighs whose label was seen with the chance that was logged with it: one over
    that, 1 on the mean; StoreError where it is no chance above 0."""
    column = f"feature:{feature}"
    if column not in rows:
        raise StoreError(f"{model} has no feature {feature!r} on these days: name the propensity.")
    chance = as_numbers(rows[column])
    fine = (chance > 0) & (chance <= 1)
    if not fine.all():
        first = rows[column].iloc[int(np.argmin(fine))]
        raise StoreError(
            f"{model}: the propensity {feature!r} must lie in (0, 1] wherever a label is known; "
            f"in {(~fine).sum():,} of {len(rows):,} rows it does not, such as {first!r}."
        )
    weight = 1 / np.maximum(chance, CLIPPED)
    return weight / weight.mean()


class Logged(NamedTuple):
    "What rows weigh whose chance of a review was logged, and which of them are learned from."

    weight: np.ndarray
    kept: (
        np.ndarray
    )  # bool: not those whose label came without the review that others had by chance
    told: dict[str, Any]  # for the card


def logged_weights(rows: pd.DataFrame) -> Logged | None:
    """Weights of labelled rows by the propensity that was logged with them: one over it, 1 on the
    mean; a row without one counts once. None where nothing was reviewed by chance, or where labels
    come without a review as well: then rows are alike.

    A label that came to an event which was not drawn is no random one: such rows are left out.
    """
    if not {"propensity", "route"} <= set(rows.columns):
        return None
    chance = rows.propensity.to_numpy(dtype=float, na_value=np.nan)
    by_chance = chance < 1  # false where it is missing
    reviewed = rows.route.isin(("ticket", "alert")).to_numpy()
    drawn, others = by_chance & reviewed, by_chance & ~reviewed
    not_drawn = (1 / chance[drawn] - 1).sum()  # so many events stand behind those that were
    if not drawn.any() or others.sum() >= SELDOM * not_drawn:
        return None
    weight = np.where(drawn, 1 / np.maximum(np.where(drawn, chance, 1), SMALLEST), 1.0)[~others]
    told = {"logged": True, "rows": int(drawn.sum()), "clipped_below": SMALLEST}
    return Logged(weight / weight.mean(), ~others, told | {"left_out": int(others.sum())})


def weighed_words(card: Mapping[str, Any]) -> str:
    "How rows were weighed by a logged propensity, for who trains; empty where they were not."
    of = card.get("propensity", {})
    if "logged" not in of:
        return ""
    left = f"; {of['left_out']:,} left out whose label came otherwise" if of["left_out"] else ""
    told = "rows that were reviewed by chance weigh one over their propensity"
    return f"{of['rows']:,} {told}{left}"


def age_weights(days: pd.Series, half_life: float) -> np.ndarray:
    """What each row weighs where older ones weigh less: half of what rows weigh that are so many
    days younger, 1 on the mean; StoreError where `half_life` is no number of days above 0."""
    if not 0 < half_life < inf:
        raise StoreError(f"a half-life of {half_life:g} days is not above 0.")
    age = (days.max() - days) / pd.Timedelta(days=1)
    weight = 0.5 ** (age.to_numpy() / half_life)
    return weight / weight.mean()


def size_in_words(rows: int, features: int) -> str:
    "How much memory the numbers take that trees are grown on."
    # float32 as they are, and a byte or two for the bin of each
    return f"{rows:,} rows of {features} features: {rows * features * 6 / 2**20:,.1f} MB as numbers"
