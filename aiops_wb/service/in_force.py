"""What is in force for a model, taken from the snapshots that the writer publishes.

A link of the data folder leads to the newest one: it is looked at a few times a second, and a
snapshot is opened once, read and closed, so that nothing here is in the way of the writer or waits
for it. Where a snapshot cannot be read, what was in force before still is.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..log.catalog import open_snapshot
from ..models.scorer import Scorer

__all__ = ["InForce", "Standing"]

logger = logging.getLogger(__name__)

AGAIN = 5.0
"Seconds before a snapshot that could not be read is tried again."


class Standing(NamedTuple):
    "What events are decided by, and what is told of it with each answer."

    scorer: Scorer
    told: Mapping[str, Any]

    @classmethod
    def of(cls, scorer: Scorer) -> "Standing":
        "With what is told of a scorer."
        version, points = scorer.version, scorer.threshold
        told = {
            "version": version.version,
            "threshold": round(float(version.grid.inverse(points)), 6),
            "threshold_points": points,
            "calibration_id": scorer.calibration_id,
        }
        return cls(scorer, told)


class InForce:
    "What stands for a model; `standing` is replaced as a whole when `look` finds something new."

    def __init__(
        self,
        data: Path,
        model: str,
        cuts: tuple[float, ...],
        scores: Callable[[pd.DataFrame], np.ndarray] | None = None,
    ):
        self.data, self.model, self._cuts, self._scores = data, model, cuts, scores
        self.problem: str | None = None
        self.snapshot = ""
        self._tried, self._again = "", 0.0
        self.standing = self._read(self._pointer(), None)

    @property
    def scorer(self) -> Scorer:
        "What events are decided by."
        return self.standing.scorer

    def look(self) -> bool:
        "Take what a newer snapshot says; whether there was one. What is wrong with it is logged."
        pointer = self._pointer()
        if pointer in ("", self.snapshot) or pointer == self._tried and monotonic() < self._again:
            return False
        try:
            self.standing = self._read(pointer, self.scorer.version)
        except Exception as error:
            if pointer == self._pointer():  # otherwise it was replaced meanwhile
                self._tried, self._again = pointer, monotonic() + AGAIN
                self.problem = f"{pointer.rpartition('/')[2]} cannot be read: {error}"
                logger.error("what was in force still is: %s", self.problem)
            return False
        self.problem = None
        return True

    def _pointer(self):
        "Where the newest snapshot is; empty where that cannot be told."
        try:
            return os.readlink(self.data / "aiops.duckdb")
        except OSError:
            return ""

    def _read(self, pointer, before):
        "What a snapshot says, asked once before anybody waits for it."
        with open_snapshot(self.data) as reader:
            reader.con.execute("SET threads = 1")  # requests are what runs side by side
            known = {"cuts": self._cuts, "loaded": before, "scores": self._scores}
            scorer = Scorer.in_force(reader, self.model, **known)
        for one in (scorer, *scorer.arms.values()):
            _ = one.version.single  # made here, and not when the first event comes
        self.snapshot = pointer
        return Standing.of(scorer)
