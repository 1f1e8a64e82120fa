"""An A/B test that runs: which of two scorers decides an event, by its entity."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd

from ..log.ab import told_arm
from ..log.catalog import Reader
from ..log.dial import Dial
from ..log.errors import StoreError
from ..stats.ab import Plan, arm_of

__all__ = ["Armed", "InArms"]

Deciding = TypeVar("Deciding")
logger = logging.getLogger(__name__)


class Armed(NamedTuple, Generic[Deciding]):
    "What decides an event: a scorer, its arm as the log has it (TEST/B), and the chance of that."

    scorer: Deciding
    arm: str | None  # None: the event has no entity, and is in no arm
    chance: float | None


class InArms:
    "The scorers of a test that runs; mixed into `Scorer`, whose fields these are."

    test: Plan | None
    arms: Mapping[str, Self]

    def armed(self, entity_id: str | None) -> Armed[Self]:
        "What decides the events of an entity: the arm of the test that runs, else this scorer."
        if self.test is None:
            return Armed(self, None, None)
        if pd.isna(entity_id):
            return Armed(self.arms["A"], None, None)
        name = arm_of(str(entity_id), self.test.test, self.test.share)
        return Armed(self.arms[name], told_arm(self.test, name), self.test.chance(name))

    def all_armed(self, entity_id: Any, n: int) -> Iterator[tuple[Armed[Self], np.ndarray]]:
        "What decides n events, with the places of those that it decides; a part for no event, too."
        given = np.broadcast_to(np.asarray(entity_id, dtype=object), n)
        entities = [None if pd.isna(one) else str(one) for one in given.tolist()]
        known = {one: self.armed(one) for one in (entities or [None])}
        for armed in dict.fromkeys(known.values()):
            rows = [at for at, one in enumerate(entities) if known[one] == armed]
            yield armed, np.array(rows, dtype=np.int64)

    def _decide_in_arms(self, frame, at, tenant, entities, /, **named):
        "Decisions of a frame, each by the arm of its entity."
        work = lambda armed, of, told: armed.scorer.decide(of, at, tenant=tenant, **told)
        return self._in_arms(frame, entities, work, **named)

    def _log_in_arms(self, frame, logger, /, **named):
        "The same, logged: each arm under its own version and threshold."

        def work(armed, of, told):
            beside = logger.beside(armed.scorer.version.version, armed.scorer.threshold)
            told |= {"arm": armed.arm, "arm_propensity": armed.chance}
            return armed.scorer._logged(of, beside, **told)

        return self._in_arms(frame, named["entity_id"], work, **named)

    def _in_arms(self, frame, entities, work, /, **values):
        """What `work` makes of the events of each arm (armed, their frame, their values), as one
        frame in their order."""
        n, parts = len(frame), []
        for armed, rows in self.all_armed(entities, n):
            of_rows = {name: _some(given, rows, n) for name, given in values.items()}
            decided = work(armed, frame.iloc[rows], of_rows)
            told = {"arm": armed.arm, "arm_propensity": armed.chance}
            told |= {"version": armed.scorer.version.version}
            parts.append(decided.assign(**told).set_axis(rows))
        told = pd.concat(parts).sort_index().set_axis(frame.index)
        return told.assign(arm=told.arm.astype(object).where(told.arm.notna(), None))

    def _tested(self, reader: Reader, as_of: datetime | None, cuts, dial: Dial, **loading) -> Self:
        "This scorer, or that of the test of its model where one runs (`Reader.ab_test`)."
        model, plan = self.version.model, reader.ab_test(self.version.model, as_of)
        if plan is None:
            return self
        version, threshold = plan.b
        other = self
        if version != self.version.version:
            try:
                other = type(self).in_force(reader, model, as_of, cuts, version=version, **loading)
            except StoreError as error:  # what stands goes on; the split shows it, too
                logger.warning("arm B of %s cannot decide, A decides alone: %s", model, error)
                return self
        ladder = dial.ladder(threshold, other.version.grid, cuts)
        other = replace(other, threshold=threshold, ladder=ladder)
        return replace(self, test=plan, arms={"A": self, "B": other})


def _some(given, rows, n):
    "Some of the values of n events; one value for all of them as it is."
    if given is None or isinstance(given, (str, datetime)) or np.ndim(given) == 0:
        return given
    if isinstance(given, (pd.Series, pd.Index)):
        return given.take(rows) if isinstance(given, pd.Index) else given.iloc[rows]
    if isinstance(given, np.ndarray):
        return given[rows]
    if len(given) != n:
        raise ValueError(f"columns have different lengths: {len(given)} values for {n} events.")
    return [given[at] for at in rows]
