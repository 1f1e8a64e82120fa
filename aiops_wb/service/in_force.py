"""What is in force for a model, taken from the snapshots that the writer publishes.

A link of the data folder leads to the newest one: it is looked at a few times a second, and a
snapshot is opened once, read and closed, so that nothing here is in the way of the writer or waits
for it. Where a snapshot cannot be read, what was in force before still is.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd

from ..log.catalog import open_snapshot
from ..models.scorer import Scorer

__all__ = ["InForce"]

logger = logging.getLogger(__name__)

AGAIN = 5.0
"Seconds before a snapshot that could not be read is tried again."


class InForce:
    "The scorer of a model; `scorer` is replaced as a whole when `look` finds something new."

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
        self.scorer = self._read(self._pointer())

    def look(self) -> bool:
        "Take what a newer snapshot says; whether there was one. What is wrong with it is logged."
        pointer = self._pointer()
        if pointer in ("", self.snapshot) or pointer == self._tried and monotonic() < self._again:
            return False
        try:
            self.scorer = self._read(pointer)
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

    def _read(self, pointer):
        "What a snapshot says, asked once before anybody waits for it."
        before = getattr(self, "scorer", None)
        with open_snapshot(self.data) as reader:
            reader.con.execute("SET threads = 1")  # requests are what runs side by side
            read = Scorer.in_force(
                reader,
                self.model,
                cuts=self._cuts,
                loaded=before and before.version,
                scores=self._scores,
            )
        self._ready(read.version)
        self.snapshot = pointer
        return read

    def _ready(self, version):
        "What scores single events is made here, and not when the first one comes."
        return version.single
