"""What is in force for a model at one moment, deciding and logging."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TypeAlias, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..log.catalog import Reader
from ..log.dial import Scope, threshold_of
from ..log.durable import time_ordered_id
from ..log.spool import Buffering, PredictionLogger, instants
from ..stats.ab import Plan
from ..stats.automation import NOTHING_STANDS, Certainty
from ..stats.decisions import CALLING, RISK_CUTS, Ladder, route
from ..stats.points import as_points
from ..stats.selective import Exploration, explored_words
from .one_event import DecidesOne
from .registry import load
from .version import ModelVersion

__all__ = ["Scorer"]

Values: TypeAlias = ArrayLike | Sequence[object]
"One value, or as many as there are events."

_DECIDED = ("risk_level", "route", "automated", "ladder")


@dataclass(frozen=True, eq=False)
class Scorer(DecidesOne):
    """Everything in force for one model at one moment; scores events and frames of them, and logs
    what it decided."""

    version: ModelVersion
    threshold: int
    calibration_id: str | None
    certainty: Certainty | None
    ladder: Ladder = Ladder.of()
    own: Mapping[Scope, int] = field(default_factory=dict)  # thresholds of tenants and sites
    explores: Exploration | None = None  # chances of review below the threshold
    test: Plan | None = None  # an A/B test that runs, and what decides in each of its arms
    arms: Mapping[str, "Scorer"] = field(default_factory=dict)

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
        *,
        version: str | None = None,
        scores: Callable[[pd.DataFrame], np.ndarray] | None = None,
    ) -> "Scorer":
        """A version of a model (None: the active one) with its threshold and calibration; levels
        begin at the threshold, or at fixed `cuts` where the dial of the model is off.

        `loaded` serves again while it is that version: its file is not read another time. `scores`
        is a function of the owner, from a frame of the version's features to probabilities, of a
        version that was adopted without a file. Where an A/B test of the model runs, its arms
        decide, unless a version is named.
        """
        asked, given = version, loaded
        named = version or reader.active_version(model, as_of)
        same = loaded is not None and (loaded.model, loaded.version) == (model, named)
        version = loaded if same else load(reader, model, named, as_of, scores)
        threshold = reader.threshold(model, version.version, as_of)
        key, stands = reader.calibration(model, version.version, as_of) or (None, None)
        dial = reader.dial(model, as_of)
        ladder = dial.ladder(threshold, version.grid, cuts)
        own = reader.own_thresholds(model, version.version, as_of) if dial.on else {}
        plan = reader.exploration(model, as_of)
        explores = plan if plan and plan.grid == version.grid.kind else None
        found = cls(version, threshold, key, stands, ladder, own, explores)
        if asked is not None:
            return found
        return found._tested(reader, as_of, cuts, dial, loaded=given, scores=scores)

    def decide(
        self,
        frame: pd.DataFrame,
        at: datetime | None = None,
        *,
        tenant: str = "default",
        site_id: Values | None = None,
        prediction_id: Sequence[str] | None = None,
        entity_id: Values | None = None,
    ) -> pd.DataFrame:
        """Columns score, points, lower, upper, risk_level, route, automated, reason, ladder,
        propensity for each row; decided on the points, by the threshold of its site where that has
        one.

        lower and upper are the Venn-Abers probability interval. With `at`, a calibration past its
        time to live automates nothing. Where events below the threshold are looked at by chance
        (`explores`), that is drawn by `prediction_id`, and propensity is the chance of a review:
        log it with the row. Without ids nothing is drawn, and propensity is missing. Where an A/B
        test runs, the arm of its entity decides an event, and there are columns arm,
        arm_propensity and version besides.
        """
        if self.test is not None:
            named = {"site_id": site_id, "prediction_id": prediction_id}
            return self._decide_in_arms(frame, at, tenant, entity_id, **named)
        score = self.version.score(frame)
        points = self.version.grid.quantise(score)
        parts = [
            self._decide_alike(points[rows], at, ladder).set_index(rows)
            for ladder, rows in self._ladders(len(frame), tenant, site_id)
        ]
        decided = pd.concat(parts).sort_index() if len(parts) > 1 else parts[0]
        decided = self._explored(decided.assign(score=score), prediction_id)
        return decided.set_index(frame.index)

    def _explored(self, decided, ids):
        "Decisions with the chance of a review, and those drawn sent to one."
        if self.explores is None or ids is None or not len(decided):
            return decided.assign(propensity=np.nan)
        below = ~decided.risk_level.isin(CALLING).to_numpy()
        points = decided.points.to_numpy()
        chance = np.where(below, self.explores.chance(points), 1.0)
        drawn = np.zeros(len(decided), dtype=bool)
        of_below = [str(one) for one, is_below in zip(ids, below, strict=True) if is_below]
        drawn[below] = self.explores.chooses(self.version.model, of_below, points[below])
        reasons = [explored_words(c) for c in chance[drawn]]
        decided = decided.assign(propensity=chance)
        decided.loc[drawn, ["route", "automated"]] = ["alert", False]
        decided.loc[drawn, "reason"] = reasons
        return decided

    def _ladders(self, n, tenant, site_id):
        "Ladders, and the rows (of n) that each is for."
        if not self.own:
            return [(self.ladder, np.arange(n))]
        sites = np.broadcast_to(np.asarray(site_id, dtype=object), n)
        own = pd.Series([threshold_of(self.own, tenant, site) for site in sites], dtype="Int32")
        of_rows = own.fillna(self.ladder.high).to_numpy(dtype=int)
        apart = [(at, np.flatnonzero(of_rows == at)) for at in np.unique(of_rows).tolist()]
        return [(self.ladder.at(at), rows) for at, rows in apart] or [(self.ladder, np.arange(0))]

    def _decide_alike(self, points, at, ladder):
        "Rows with the same points are decided alike: each is asked once."
        points, where = np.unique(points, return_inverse=True)
        return self._decide_points(points, at, ladder).iloc[where]

    def _decide_points(self, points, at, ladder):
        "One row for each distinct number of points."
        stands = self.certainty.at(at) if self.certainty and at else self.certainty
        if stands:
            lower, upper = stands.bounds.intervals(points)
            decisions = [stands.decide(x, ladder) for x in points.tolist()]
        else:
            lower = upper = np.full(len(points), np.nan)
            decisions = [route(ladder.level(x), False, NOTHING_STANDS) for x in points.tolist()]
        columns = {
            name: [getattr(decision, name) for decision in decisions]
            for name in ("risk_level", "route", "automated", "reason")
        }
        columns |= {"lower": lower, "upper": upper, "ladder": ladder.name}
        return pd.DataFrame({"points": points} | columns)

    def logger(
        self, spool: str | Path, tenant: str = "default", **buffering: Unpack[Buffering]
    ) -> PredictionLogger:
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
        predicted_at: Values | datetime,
        *,
        prediction_id: Values | None = None,
        entity_id: Values | None = None,
        site_id: Values | None = None,
        event_key: Values | None = None,
    ) -> pd.DataFrame:
        """Score a frame, log it (with the measured latency per call), and return the decisions with
        `prediction_id`; the call's latest time counts for the calibration's age. `event_key` is
        what the events are called by all models that score them.
        """
        named = {
            "prediction_id": prediction_id,
            "entity_id": entity_id,
            "site_id": site_id,
            "event_key": event_key,
        }
        if self.test is not None:
            return self._log_in_arms(frame, logger, predicted_at=predicted_at, **named)
        return self._logged(frame, logger, predicted_at, **named)

    def _logged(self, frame, logger, predicted_at, prediction_id, site_id, **named):
        "Decisions of a frame, logged by what is in force here, with what they are named."
        latest = instants(predicted_at, "predicted_at").max() if len(frame) else None
        started = perf_counter()
        if self.explores is not None and prediction_id is None:
            prediction_id = [time_ordered_id() for _ in range(len(frame))]
        asked = {"tenant": logger.constant["tenant"], "site_id": site_id}
        decisions = self.decide(frame, latest, prediction_id=prediction_id, **asked)
        latency = (perf_counter() - started) * 1000
        ids = logger.log(
            decisions.score.to_numpy(),
            predicted_at,
            prediction_id=prediction_id,
            features=frame[self.version.features],
            site_id=site_id,
            calibration_id=self.calibration_id,
            latency_ms=latency,
            **named,
            **{c: decisions[c].to_numpy() for c in _DECIDED},
            **({} if self.explores is None else {"propensity": decisions.propensity.to_numpy()}),
        )
        return decisions.assign(prediction_id=ids)
