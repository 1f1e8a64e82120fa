"""A trained model version: what it needs, what it says."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import xgboost as xgb

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.versions import no_file
from ..stats.points import Grid
from .matrix import feature_matrix, lacking_feature
from .single import SingleScore

__all__ = ["ModelVersion", "feature_matrix", "feature_columns", "logged_features"]

ALONE = 20_000
"So many rows are scored by one thread: others would cost more in waiting than they take over."


@dataclass(frozen=True, eq=False)
class ModelVersion:
    "A trained model version: scores frames that have its feature columns."

    model: str
    version: str
    # None where it scores elsewhere and its file is not here
    booster: xgb.Booster | None = field(repr=False)
    # the model card, what is stored when a version is registered: features, categories, bins,
    # kinds, window, threshold, metrics, packages ...
    card: dict = field(repr=False)
    grid: Grid = Grid()
    # after training: how the features lay, by day (event_date, feature, bin, n)
    reference: pd.DataFrame | None = field(default=None, repr=False)
    # what scores in place of a booster: its owner's own function, of a model in any library
    scores: Callable[[pd.DataFrame], np.ndarray] | None = field(default=None, repr=False)

    @property
    def features(self) -> list[str]:
        "Feature names in the order the booster knows them."
        return self.card["features"]

    @property
    def threshold(self) -> int:
        "The threshold chosen at training (points); the one in force is in the audit trail."
        return self.card["threshold"]

    def matrix(self, frame: pd.DataFrame, threads: int | None = None) -> xgb.DMatrix:
        "The features of a frame as the booster wants them; StoreError names a missing column."
        kinds = self.card.get("kinds", {})
        return feature_matrix(frame, self.features, self.card["categories"], kinds, threads)

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        "Probability of a positive for each row."
        if not len(frame):
            return np.empty(0)
        if self.scores is not None:
            return self._of_owner(frame)
        return self._predict(frame, len(frame)).astype(np.float64)

    @cached_property
    def single(self) -> SingleScore:
        "What scores one event after the other, as `score` does frames."
        booster = self.booster if self.scores is None else None
        return SingleScore(self.card, booster, self.score)

    def _of_owner(self, frame):
        "What the owner's function says; StoreError where that is not one number for each row."
        lacking = [f for f in self.features if f not in frame]
        if lacking:
            raise StoreError(lacking_feature(lacking[0], self.features))
        scores = np.asarray(self.scores(frame[self.features]), dtype=np.float64)
        if scores.shape != (len(frame),):
            raise StoreError(
                f"the function that scores for {self.model} {self.version} gave the shape "
                f"{scores.shape} for {len(frame):,} rows: one score for each row is needed, such "
                "as predict_proba(frame)[:, 1]."
            )
        return scores

    def _predict(self, frame, work, **options):
        "What the booster says of a frame that takes as long as scoring so many rows."
        if self.booster is None:
            raise StoreError(no_file(self.model, self.version))
        threads = 1 if work <= ALONE else 0  # 0: all there are
        self.booster.set_param({"nthread": threads})
        return self.booster.predict(self.matrix(frame, threads), **options)

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        "The log-odds of each row's score, as the trees sum them up; StoreError without a file."
        if not len(frame):
            return np.empty(0)
        return self._predict(frame, len(frame), output_margin=True).astype(np.float64)

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Exact path-dependent TreeSHAP values in log-odds, one column a feature and `(bias)`; a
        row sums to the log-odds of its score.
        """
        columns = [*self.features, "(bias)"]
        if len(frame) or self.booster is None:
            # a row takes some hundred times as long as its score
            values = self._predict(frame, 100 * len(frame), pred_contribs=True)
        else:
            values = np.empty((0, len(columns)))
        return pd.DataFrame(values.astype(np.float64), columns=columns, index=frame.index)


def feature_columns(rows: pd.DataFrame, unknown: Iterable[str] = ()) -> pd.DataFrame:
    """The features of rows of the log (`feature:...`), under their own names, and unknown ones as
    missing: what a version learned from before it was known to be an outcome."""
    columns = [c for c in rows.columns if c.startswith("feature:")]
    features = rows[columns].rename(columns=lambda c: c.removeprefix("feature:"))
    return features.assign(**dict.fromkeys(unknown, np.nan))


def logged_features(
    reader: Reader, model: str, names: Collection[str], rows: pd.DataFrame
) -> pd.DataFrame:
    """The features of rows of the log as a version takes them (`names`): one that none of these
    rows was logged with is missing, as is what turned out to be an outcome."""
    features = feature_columns(rows, reader.outcomes_among(model, names))
    lacking = [name for name in names if name not in features]
    return features.assign(**dict.fromkeys(lacking, np.nan))
