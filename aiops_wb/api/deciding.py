"""What is in force for a model, kept in memory to decide events; and loggers, where they are asked.

A version's file is read once while it stays the champion, whatever else a new snapshot brings.
"""

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

import pandas as pd

from ..log.spool import PredictionLogger
from ..models.scorer import Scorer
from .desk import Desk, Snapshot

__all__ = ["Deciding", "deciding"]

MOST_LOGGERS = 16
"Open loggers: one a model, version, threshold and tenant."


class Deciding:
    "Scorers and loggers of a desk; one decision at a time."

    def __init__(self, desk: Desk):
        self.desk = desk
        self._turn, self._loaded = Lock(), {}
        self._loggers: OrderedDict[Hashable, PredictionLogger] = OrderedDict()

    @contextmanager
    def scorer(self, snapshot: Snapshot, model: str):
        "What is in force, for one at a time; StoreError where nothing is."
        scorer = snapshot.answer(("scorer", model), lambda log: self._in_force(log, model))
        with self._turn:
            yield scorer

    def _in_force(self, log, model):
        cuts, loaded = self.desk.settings.risk_cuts, self._loaded.get(model)
        scorer = Scorer.in_force(log, model, cuts=cuts, loaded=loaded)
        self._loaded[model] = scorer.version
        return scorer

    def logger(self, scorer: Scorer, tenant: str) -> PredictionLogger:
        "The logger of a scorer's decisions; the one that was not used for longest is closed."
        version = scorer.version
        key = version.model, version.version, scorer.threshold, tenant
        if key not in self._loggers:
            self._loggers[key] = scorer.logger(self.desk.spool, tenant, sigterm=False)
        self._loggers.move_to_end(key)
        while len(self._loggers) > MOST_LOGGERS:
            self._loggers.popitem(last=False)[1].close()
        return self._loggers[key]

    def close(self) -> None:
        "Finish what was logged."
        with self._turn:
            while self._loggers:
                self._loggers.popitem()[1].close()


def deciding(
    of: Deciding, snapshot: Snapshot, model: str, events: list[dict[str, Any]], **how
) -> dict[str, Any]:
    "Decisions of events as rows, with what they rest on."
    with of.scorer(snapshot, model) as scorer:
        decided = _decided(of, scorer, events, **how)
    return {
        "model": model,
        "version": scorer.version.version,
        "threshold": round(float(scorer.version.grid.inverse(scorer.threshold)), 6),
        "points": scorer.threshold,
        "calibration_id": scorer.calibration_id,
        "logged": how["logged"],
        "decisions": decided.to_dict("records"),
    }


def _decided(
    of: Deciding,
    scorer: Scorer,
    events: list[dict[str, Any]],
    at: datetime,
    tenant: str,
    logged: bool,
) -> pd.DataFrame:
    frame = pd.DataFrame([event["features"] for event in events], dtype=object)
    ids, sites, entities, keys = (
        [event[name] for event in events]
        for name in ("prediction_id", "site_id", "entity_id", "event_key")
    )
    named = {"prediction_id": ids, "site_id": sites, "entity_id": entities}
    if not logged:
        return scorer.decide(frame, at, tenant=tenant, **named).assign(prediction_id=ids)
    logger = of.logger(scorer, tenant)
    named |= {"event_key": keys}
    decided = scorer.score_and_log(frame, logger, [at] * len(frame), **named)
    logger.secure()  # on the disk before anybody is told so
    return decided
