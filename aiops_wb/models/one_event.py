"""One event, decided and logged by itself: what a scoring service does all day."""

from collections.abc import Mapping
from datetime import datetime
from math import nan
from typing import Any, NamedTuple

import numpy as np

from ..log.dial import Scope, threshold_of
from ..log.one_point import points_of
from ..log.spool import PredictionLogger
from ..stats.automation import NOTHING_STANDS, Certainty
from ..stats.decisions import CALLING, Ladder, route
from ..stats.selective import Exploration, explored_words
from .arms import InArms
from .version import ModelVersion

__all__ = ["Decided", "DecidesOne"]


class Decided(NamedTuple):
    "What happens with one event, and why: the columns of `Scorer.decide`."

    score: float
    points: int
    lower: float  # of the probability interval; NaN where no calibration stands
    upper: float
    risk_level: str
    route: str  # ticket, alert or monitor
    automated: bool  # decided without a person
    reason: str
    ladder: str
    propensity: float  # the chance of a review, where that is drawn below the threshold


class DecidesOne(InArms):
    "What stands for a model, asked about one event; mixed into `Scorer`, whose fields these are."

    version: ModelVersion
    calibration_id: str | None
    certainty: Certainty | None
    ladder: Ladder
    own: Mapping[Scope, int]
    explores: Exploration | None

    def decide_one(
        self,
        features: Mapping[str, Any],
        at: datetime | None = None,
        *,
        tenant: str = "default",
        site_id: str | None = None,
        prediction_id: str | None = None,
        entity_id: str | None = None,
    ) -> Decided:
        """Decide one event: to the last bit what `decide` says of a frame with this one row, in a
        twentieth of the time.

        `features` holds every feature of the version, None where it is missing; further ones count
        for nothing. StoreError names one that is not given. Where an A/B test runs, the arm of its
        entity decides, which `armed` tells.
        """
        if self.test is not None:
            arm = self.armed(entity_id).scorer
            named = {"site_id": site_id, "prediction_id": prediction_id}
            return arm.decide_one(features, at, tenant=tenant, **named)
        grid = self.version.grid
        score = self.version.single(features)
        points = points_of(score, grid.kind)
        if grid.step != 1:
            points = int(grid.cells(points))
        ladder = self._ladder_of(tenant, site_id)
        stands = self.certainty.at(at) if self.certainty and at else self.certainty
        if stands:
            lower, upper = stands.interval(points)
            decision = stands.decide(points, ladder)
        else:
            lower = upper = nan
            decision = route(ladder.level(points), False, NOTHING_STANDS)
        level, to, automated = decision.risk_level, decision.route, decision.automated
        reason, propensity = decision.reason, nan
        if self.explores is not None and prediction_id is not None:
            propensity, drawn = self._lot(level, points, prediction_id)
            if drawn:
                to, automated, reason = "alert", False, explored_words(propensity)
        return Decided(
            score, points, lower, upper, level, to, automated, reason, ladder.name, propensity
        )

    def _ladder_of(self, tenant, site_id):
        "The ladder of an event's tenant and site."
        if not self.own:
            return self.ladder
        own = threshold_of(self.own, tenant, site_id)
        return self.ladder if own is None else self.ladder.at(own)

    def _lot(self, level, points, prediction_id):
        "The chance of a review that an event had, and whether it was drawn below the threshold."
        if level in CALLING:
            return 1.0, False
        alone = np.array([points])
        drawn = self.explores.chooses(self.version.model, [str(prediction_id)], alone)
        return float(self.explores.chance(alone)[0]), bool(drawn[0])

    def log_one(
        self,
        decided: Decided,
        features: Mapping[str, Any],
        logger: PredictionLogger,
        predicted_at: datetime | str,
        *,
        prediction_id: str | None = None,
        entity_id: str | None = None,
        site_id: str | None = None,
        event_key: str | None = None,
        latency_ms: float | None = None,
    ) -> str:
        """Log what `decide_one` said of an event, and return its id (made here unless given); where
        events are explored it is the one that was decided with. Where an A/B test runs, the arm of
        its entity stands beside it. Errors are those of the logger's `log`.
        """
        scorer, arm, chance = self.armed(entity_id)
        beside = logger.beside(scorer.version.version, scorer.threshold)
        (name,) = beside.log(
            decided.score,
            predicted_at,
            prediction_id=prediction_id,
            features={name: features[name] for name in scorer.version.features},
            entity_id=entity_id,
            site_id=site_id,
            event_key=event_key,
            calibration_id=scorer.calibration_id,
            latency_ms=latency_ms,
            risk_level=decided.risk_level,
            route=decided.route,
            automated=decided.automated,
            ladder=decided.ladder,
            **({} if scorer.explores is None else {"propensity": _chance(decided.propensity)}),
            **({} if self.test is None else {"arm": arm, "arm_propensity": chance}),
        )
        return name


def _chance(propensity):
    return None if propensity != propensity else propensity
