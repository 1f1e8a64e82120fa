"""Train, register, score, log."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import xgboost as xgb

from ..config import packages
from ..log.catalog import Reader, StoreError
from ..log.spool import PredictionLogger, fsync, instants
from ..log.store import Store, as_numbers, binned_days
from ..stats.automation import Certainty, certainty, level_at
from ..stats.counts import ScoreCounts, total
from ..stats.decisions import CUTS, route
from ..stats.performance import summary
from ..stats.points import Grid
from ..stats.thresholds import best_f1

__all__ = [
    "PARAMETERS",
    "ROUNDS",
    "ModelVersion",
    "feature_matrix",
    "quantile_bins",
    "train",
    "register",
    "load",
    "Scorer",
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


@dataclass(frozen=True, eq=False)
class ModelVersion:
    "A trained model version: scores frames that have its feature columns."

    model: str
    version: str
    booster: xgb.Booster = field(repr=False)
    state: dict = field(
        repr=False
    )  # features, categories, bins, window, threshold, metrics, packages ...
    grid: Grid = Grid()
    reference: pd.DataFrame | None = field(
        default=None, repr=False
    )  # after training: how the features lay, by day (event_date, feature, bin, n)

    @property
    def features(self) -> list[str]:
        "Feature names in the order the booster knows them."
        return self.state["features"]

    @property
    def threshold(self) -> int:
        "The threshold chosen at training (points); the one in force is in the audit trail."
        return self.state["threshold"]

    def matrix(self, frame: pd.DataFrame) -> xgb.DMatrix:
        "The features of a frame as the booster wants them; StoreError names a missing column."
        return feature_matrix(frame, self.features, self.state["categories"])

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        "Probability of a positive for each row."
        return (
            self.booster.predict(self.matrix(frame)).astype(np.float64)
            if len(frame)
            else np.empty(0)
        )

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Exact path-dependent TreeSHAP values in log-odds, one column a feature and `(bias)`; a
        row sums to the log-odds of its score.
        """
        values = (
            self.booster.predict(self.matrix(frame), pred_contribs=True)
            if len(frame)
            else np.empty((0, len(self.features) + 1))
        )
        return pd.DataFrame(
            values.astype(np.float64), columns=[*self.features, "(bias)"], index=frame.index
        )


def feature_matrix(
    frame: pd.DataFrame, features: Sequence[str], categories: Mapping[str, Sequence]
) -> xgb.DMatrix:
    """Features as the booster wants them, categories by their place in a list; StoreError names a
    missing column.
    """
    lacking = [f for f in features if f not in frame]
    if lacking:
        raise StoreError(
            f"feature {lacking[0]!r} is missing: the model needs {', '.join(features)}."
        )
    columns = {}
    for f in features:
        if f in categories:
            codes = (
                pd.Index(categories[f], dtype=object)
                .get_indexer(frame[f].astype(object))
                .astype(np.float32)
            )
            columns[f] = np.where(codes < 0, np.nan, codes)
        else:
            with np.errstate(over="ignore"):
                numbers = as_numbers(frame[f]).astype(np.float32)
            columns[f] = np.where(
                np.isfinite(numbers), numbers, np.nan
            )  # beyond float32 is missing
    data = (
        np.column_stack(list(columns.values()))
        if len(frame)
        else np.empty((0, len(features)), np.float32)
    )
    return xgb.DMatrix(
        data,
        feature_names=[f"f{i}" for i in range(len(features))],
        feature_types=["c" if f in categories else "q" for f in features],
        enable_categorical=True,
    )


def quantile_bins(values: pd.Series, bins: int = 20) -> dict[str, list]:
    "The rule that bins a feature: its categories, or cuts at its own quantiles."
    given = values.dropna()
    if len(given) and given.map(lambda v: isinstance(v, (bool, np.bool_))).all():
        return {"cuts": [0.5]}
    if pd.api.types.is_numeric_dtype(given):
        given = given[np.isfinite(given.astype(float))]
        values = np.unique(given.astype(float))
        if (
            0 < len(values) <= bins
        ):  # a bin for each value, and for what lies below, between and above them
            return {"cuts": sorted({float(v) for v in (*values, np.nextafter(values[-1], np.inf))})}
        cuts = np.unique(np.quantile(given, np.arange(1, bins) / bins)) if len(given) else []
        return {"cuts": [float(c) for c in cuts]}
    return {"categories": sorted(given.astype(str).unique())}


def train(
    rows: pd.DataFrame,
    model: str,
    version: str,
    *,
    holdout: float = 0.2,
    parameters: dict[str, Any] | None = None,
    rounds: int = ROUNDS,
    min_labelled: int = 100,
) -> tuple[ModelVersion, dict[date, ScoreCounts]]:
    """Train on labelled rows (columns `event_date`, `label`, `feature:...`); returns the version
    and the counts of each of its held-out days.

    Raises StoreError when there are too few labelled rows, one class only, or no days to hold out.
    """
    features = [c.removeprefix("feature:") for c in rows.columns if c.startswith("feature:")]
    known = rows[rows.label.notna()] if "label" in rows else rows
    if len(known) < min_labelled or not features:
        raise StoreError(
            f"{model}: {len(known):,} labelled rows with {len(features)} features are too few to "
            f"train on: at least {min_labelled:,} and 1 are needed."
        )
    days = np.sort(known.event_date.unique())
    cut = days[int(len(days) * (1 - holdout))] if len(days) > 1 else None
    held = known.event_date >= cut if cut is not None else pd.Series(False, index=known.index)
    for part, name in ((known[~held], "training"), (known[held], "held-out")):
        if part.label.nunique() < 2:
            raise StoreError(
                f"{model}: the {name} days have "
                f"{'no labelled rows' if part.empty else 'only one label'}; choose a longer range."
            )
    frame = known.filter(like="feature:").rename(columns=lambda c: c.removeprefix("feature:"))
    bins = {f: quantile_bins(frame.loc[~held, f]) for f in features}
    categories = {f: rule["categories"] for f, rule in bins.items() if "categories" in rule}
    matrix = feature_matrix(frame[~held], features, categories)
    matrix.set_label(known.label[~held])
    booster = xgb.train(PARAMETERS | (parameters or {}), matrix, rounds)
    trained = ModelVersion(
        model, version, booster, {"features": features, "categories": categories, "bins": bins}
    )
    points = pd.Series(trained.grid.quantise(trained.score(frame[held])), index=frame.index[held])
    held_days = {
        pd.Timestamp(d).date(): ScoreCounts.from_events(points[rows.index], rows.label)
        for d, rows in known[held].groupby("event_date")
    }
    held_counts = total(held_days.values())
    threshold = best_f1(held_counts)
    stamp = lambda d: str(pd.Timestamp(d).date())
    trained.state.update(
        window=[stamp(days[0]), stamp(days[-1])],
        held_out_from=stamp(cut),
        rows=int((~held).sum()),
        held_out_rows=int(held.sum()),
        threshold=threshold,
        rounds=rounds,
        parameters=PARAMETERS | (parameters or {}),
        metrics={
            k: None if np.isnan(f.value) else f.value
            for k, f in summary(held_counts, threshold).items()
        },
        packages=packages(),
    )
    return replace(
        trained, reference=binned_days(frame, pd.to_datetime(known.event_date).dt.date, bins)
    ), held_days


def register(
    store: Store,
    trained: ModelVersion,
    held_out: Mapping[date, ScoreCounts],
    now: datetime,
    who: str,
    **options,
) -> ModelVersion:
    """Store a trained version with its threshold and first calibration (options of
    `automation.certainty`); StoreError when the name is taken.
    """
    if trained.version in set(store.versions(trained.model).version):
        raise StoreError(
            f"{trained.model} already has a version {trained.version!r}: versions are never "
            "replaced, choose a new name."
        )
    folder = store.root / "models" / quote(trained.model, safe="") / quote(trained.version, safe="")
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / "model.ubj", folder / "writing.ubj"
    trained.booster.save_model(temporary)
    fsync(temporary)
    temporary.rename(target)
    fsync(folder)
    state = trained.state | {"sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    store.add_version(
        now,
        who,
        trained.model,
        trained.version,
        trained.grid,
        str(target.relative_to(store.root)),
        state,
        trained.threshold,
    )
    store.add_held_out(trained.model, trained.version, held_out)
    if trained.reference is not None:
        store.add_reference(trained.model, trained.version, trained.reference)
    if total(held_out.values()).total[1] >= 30:
        first = certainty(
            held_out,
            max(held_out),
            **options | {"label_delay_days": 0},
            model=trained.model,
            version=trained.version,
            created_at=now,
        )
        store.add_calibration(
            now, who, trained.model, trained.version, first, "held-out days of the training window"
        )
    return load(store, trained.model, trained.version)


def load(
    reader: Reader, model: str, version: str | None = None, as_of: datetime | None = None
) -> ModelVersion:
    """A registered version (the active one unless named); StoreError when there is none or its file
    was changed.
    """
    version = version or reader.active_version(model, as_of)
    if version is None:
        raise StoreError(f"{model} has no active version: activate one with 'aiops-wb activate'.")
    row = reader.version(model, version)
    path = reader.root / row.path
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != row.state["sha256"]:
        raise StoreError(
            f"{path} is missing or is not the file that was registered as {model} {version}."
        )
    return ModelVersion(
        model, version, xgb.Booster(model_file=path), row.state, Grid.parse(row.grid)
    )


@dataclass(frozen=True, eq=False)
class Scorer:
    "Everything in force for one model at one moment; scores frames and logs what it decided."

    version: ModelVersion
    threshold: int
    calibration_id: str | None
    certainty: Certainty | None
    cuts: tuple[float, ...] = CUTS

    @classmethod
    def in_force(
        cls,
        reader: Reader,
        model: str,
        as_of: datetime | None = None,
        cuts: tuple[float, ...] = CUTS,
    ) -> "Scorer":
        "The active version of a model with its threshold and calibration."
        version = load(reader, model, as_of=as_of)
        key, stands = reader.calibration(model, version.version, as_of) or (None, None)
        return cls(version, reader.threshold(model, version.version, as_of), key, stands, cuts)

    def decide(self, frame: pd.DataFrame, at: datetime | None = None) -> pd.DataFrame:
        """Columns score, points, lower, upper, risk_level, route, automated, reason for each row;
        decided on the points.

        lower and upper are the Venn-Abers probability interval. With `at`, a calibration past its
        time to live automates nothing.
        """
        stands = self.certainty.at(at) if self.certainty and at else self.certainty
        score = self.version.score(frame)
        points = self.version.grid.quantise(score)
        ladder, where = np.unique(points, return_inverse=True)
        lower, upper = (
            stands.bounds.intervals(ladder) if stands else (np.full(len(ladder), np.nan),) * 2
        )
        if stands:
            decided = [stands.decide(x, self.cuts) for x in ladder.tolist()]
        else:
            decided = [
                route(level_at(x, self.cuts), False, "but no calibration stands")
                for x in ladder.tolist()
            ]
        table = pd.DataFrame(
            {
                "points": ladder,
                "lower": lower,
                "upper": upper,
                "risk_level": [d.risk_level for d in decided],
                "route": [d.route for d in decided],
                "automated": [d.automated for d in decided],
                "reason": [d.reason for d in decided],
            }
        )
        return table.iloc[where].assign(score=score).set_index(frame.index)

    def logger(self, spool: str | Path, tenant: str = "default", **buffering) -> PredictionLogger:
        "A logger for this version and threshold."
        return PredictionLogger(
            spool,
            self.version.model,
            self.version.version,
            threshold=self.threshold,
            tenant=tenant,
            grid=self.version.grid,
            **buffering,
        )

    def score_and_log(
        self,
        frame: pd.DataFrame,
        logger: PredictionLogger,
        predicted_at,
        *,
        prediction_id=None,
        entity_id=None,
        site_id=None,
    ) -> pd.DataFrame:
        """Score a frame, log it (with the measured latency per call), and return the decisions with
        `prediction_id`; the call's latest time counts for the calibration's age.
        """
        latest = instants(predicted_at, "predicted_at").max() if len(frame) else None
        started = perf_counter()
        decisions = self.decide(frame, latest)
        latency = (perf_counter() - started) * 1000
        ids = logger.log(
            decisions.score.to_numpy(),
            predicted_at,
            prediction_id=prediction_id,
            features=frame[self.version.features],
            entity_id=entity_id,
            site_id=site_id,
            calibration_id=self.calibration_id,
            latency_ms=latency,
            **{c: decisions[c].to_numpy() for c in ("risk_level", "route", "automated")},
        )
        return decisions.assign(prediction_id=ids)
