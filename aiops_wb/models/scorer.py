"""What is in force for a model at one moment, deciding and logging."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.spool import PredictionLogger, instants
from ..stats.automation import Certainty, level_at
from ..stats.decisions import RISK_CUTS, route
from ..stats.points import as_points
from .registry import load
from .version import ModelVersion

__all__ = ["Scorer"]


@dataclass(frozen=True, eq=False)
class Scorer:
    "Everything in force for one model at one moment; scores frames and logs what it decided."

    version: ModelVersion
    threshold: int
    calibration_id: str | None
    certainty: Certainty | None
    cuts: tuple[float, ...] = RISK_CUTS

    def __post_init__(self):
        as_points(self.threshold, self.version.grid.kind)

    @classmethod
    def in_force(
        cls,
        reader: Reader,
        model: str,
        as_of: datetime | None = None,
        cuts: tuple[float, ...] = RISK_CUTS,
        loaded: ModelVersion | None = None,
    ) -> "Scorer":
        """The active version of a model with its threshold and calibration.

        `loaded` serves again while it is the active one: its file is not read another time.
        """
        active = reader.active_version(model, as_of)
        same = loaded is not None and (loaded.model, loaded.version) == (model, active)
        version = loaded if same else load(reader, model, active, as_of)
        threshold = reader.threshold(model, version.version, as_of)
        key, stands = reader.calibration(model, version.version, as_of) or (None, None)
        return cls(version, threshold, key, stands, cuts)

    def decide(self, frame: pd.DataFrame, at: datetime | None = None) -> pd.DataFrame:
        """Columns score, points, lower, upper, risk_level, route, automated, reason for each row;
        decided on the points.

        lower and upper are the Venn-Abers probability interval. With `at`, a calibration past its
        time to live automates nothing.
        """
        score = self.version.score(frame)
        points, where = np.unique(self.version.grid.quantise(score), return_inverse=True)
        decided = self._decide_points(points, at)
        return decided.iloc[where].assign(score=score).set_index(frame.index)

    def _decide_points(self, points, at):
        "One row for each distinct number of points: rows with the same points are decided alike."
        stands = self.certainty.at(at) if self.certainty and at else self.certainty
        if stands:
            lower, upper = stands.bounds.intervals(points)
            decisions = [stands.decide(x, self.cuts) for x in points.tolist()]
        else:
            lower = upper = np.full(len(points), np.nan)
            decisions = [
                route(level_at(x, self.cuts), False, "but no calibration stands")
                for x in points.tolist()
            ]
        columns = {
            name: [getattr(decision, name) for decision in decisions]
            for name in ("risk_level", "route", "automated", "reason")
        }
        return pd.DataFrame({"points": points, "lower": lower, "upper": upper} | columns)

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
