"""A test of two arms begins, and is read: what became of the entities of each, which is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from hashlib import md5
from math import inf, nan
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.ab import AbTest
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.store import Store
from ..models.complete import complete_days, label_rules
from ..stats.ab import (
    ALPHA,
    ARMS,
    Arm,
    Entities,
    Look,
    Plan,
    Verdict,
    entities_needed,
    looks,
    off_ratio,
    verdict,
)
from .threshold_changes import as_threshold, newest_view
from .view import View

__all__ = ["ArmFigures", "Asked", "Reading", "ab_words", "begin_ab", "end_unwanted_ab", "read_ab"]

_LEAST, _MOST = 0.05, 0.95
"Shares of entities that an arm may have."


class Asked(NamedTuple):
    "What is asked for of a test; None: what stands, or follows from the log and the settings."

    version: str | None = None  # of arm B
    threshold: float | None = None  # of arm B, a score
    share: float = 0.5  # of the entities in arm B
    window: int = 7  # days from its first event on which an entity's events count
    mature: int | None = None  # days until labels are in
    by: str = "cost"
    miss_cost: float | None = None


def begin_ab(
    store: Store, now: datetime, who: str, model: str, asked: Asked, settings: Settings, why: str
) -> Plan:
    """Let two arms decide the events of a model from now on: what stands, and what is asked for
    beside it. StoreError with the reason where that cannot be."""
    if not settings.ab_tests:
        raise StoreError("A/B tests are off: set ab_tests = true in the settings.")
    view = newest_view(store, model, now, settings)
    a, b = _arms(store, view, asked)
    if not _LEAST <= asked.share <= _MOST:
        raise StoreError(
            f"a share of {asked.share:g} in arm B is not allowed: from {_LEAST} to {_MOST}."
        )
    costs = asked.miss_cost, settings.retrain_miss_cost, settings.tune_cost_missed
    cost = next((one for one in costs if one is not None), None)
    if cost is not None and not 0 < cost < inf:
        raise StoreError(
            f"a missed positive that costs {cost:g} false calls is not allowed: a finite number "
            "above 0 is."
        )
    if asked.by == "cost" and cost is None:
        raise StoreError(
            "to compare costs it must be known what a missed positive costs, in false calls: add "
            "--miss-cost, or compare outcomes by --by outcome."
        )
    mature = _mature(store, model, now, settings) if asked.mature is None else asked.mature
    name = md5(f"{model}/{now.isoformat()}".encode(), usedforsecurity=False).hexdigest()[:8]
    plan = Plan(name, asked.share, a, b, asked.window, mature, asked.by, cost)
    return store.begin_ab(now, who, model, plan, why)


def _arms(store, view, asked):
    "What stands, and what is tried beside it."
    model, active = view.model, store.active_version(view.model)
    if active is None:
        raise StoreError(f"{model} has no active version to test another beside.")
    if not view.dial.on or view.ladder is None:
        raise StoreError(f"the dial of {model} is off: thresholds decide nothing there.")
    a = Arm(active, _threshold(store, model, active))
    version = asked.version or active
    other = store.require_whole(model, version)
    if other.grid != store.version(model, active).grid:
        raise StoreError(f"scores of {active} and {version} are not of one kind: {other.grid}.")
    if asked.threshold is None:
        b = Arm(version, _threshold(store, model, version))
    else:
        b = Arm(version, as_threshold(view, asked.threshold))
    if a == b:
        raise StoreError(
            f"both arms would be {model} {active} at its threshold: name a --version or a "
            "--threshold of arm B."
        )
    for one in sorted({active, version}):
        if store.own_thresholds(model, one):
            raise StoreError(
                f"tenants or sites have thresholds of their own under {model} {one}: a test has "
                "one threshold for each arm."
            )
    return a, b


def _threshold(store, model, version):
    found = store.threshold(model, version)
    if found is None:
        raise StoreError(f"{model} {version} has no threshold in force.")
    return found


def _mature(reader, model, now, settings):
    "Days until labels are in, by how they have arrived; StoreError where that is not known."
    complete = complete_days(reader, model, now, **label_rules(settings))
    if not complete.established:
        raise StoreError(
            f"it is not known when labels of {model} are in ({complete.completeness.reason}): say "
            "with --mature-days how many days they take."
        )
    known = 0 if complete.at_their_word else complete.completeness.age
    return max(known, settings.label_floor)


def end_unwanted_ab(store: Store, model: str, now: datetime, who: str, settings: Settings) -> None:
    "End a test that runs although the settings allow none."
    if not settings.ab_tests and store.ab_test(model) is not None:
        store.end_ab(now, who, model, "daily: ab_tests is off in the settings")


@dataclass(frozen=True)
class ArmFigures:
    "What became of an arm; all but `entities` is of those that have entered."

    arm: str
    version: str
    threshold: int  # points
    entities: int  # in all
    entered: int
    events: int
    calls: int
    labelled: int
    positive: int
    false_calls: int
    missed: int
    outcome: float  # share of positives of an entity, in the mean over entities; NaN: none known
    cost: float  # of an event in false calls, in the mean over entities; NaN: not known


@dataclass(frozen=True, eq=False)
class Reading:
    "A test as it is known at a time."

    model: str
    test: AbTest
    through: date  # the newest cohort that has entered
    rows: pd.DataFrame  # an entity each, as `Reader.ab_entities` gives them

    @cached_property
    def entered(self) -> pd.DataFrame:
        "The entities whose labels have had their time."
        return self.rows[self.rows.cohort <= pd.Timestamp(self.through)]

    @property
    def scale(self) -> float:
        "The largest cost of an event."
        return max(1.0, self.test.plan.miss_cost or 1.0)

    @cached_property
    def values(self) -> Mapping[str, np.ndarray]:
        "Of each entity that entered: its outcome, its cost and its share of events with a label."
        of, cost = self.entered, self.test.plan.miss_cost
        n, labelled = (of[name].to_numpy(dtype=float) for name in ("n", "labelled"))
        known = np.where(labelled > 0, labelled, nan)
        values = {"outcome": of.positive.to_numpy(dtype=float) / known, "labelled": labelled / n}
        if cost is not None:
            lost = of.false_calls.to_numpy(dtype=float) + cost * of.missed.to_numpy(dtype=float)
            values["cost"] = lost / known
        return values

    @cached_property
    def compared(self) -> Mapping[str, list[Look]]:
        """For outcome, cost and labelled the difference of the arms, B less A, after each cohort,
        in their units."""
        of, share = self.entered, self.test.plan.share
        cohort = (of.cohort - pd.Timestamp(0)).dt.days.to_numpy(dtype=int)
        found = {}
        for name, value in self.values.items():
            scale = self.scale if name == "cost" else 1.0
            seen = looks(Entities(cohort, (of.arm == "B").to_numpy(), value / scale), share)
            found[name] = [Look(k.cohort, k.n, *(scale * x for x in k[2:])) for k in seen]
        return found

    def told(self, look: Look) -> dict:
        "A look as a row: the newest cohort in it, the day on whose morning that entered, figures."
        cohort = date(1970, 1, 1) + timedelta(look.cohort)
        told = {"cohort": cohort, "entered_on": self.test.plan.enters(cohort)}
        return told | {name: value for name, value in look._asdict().items() if name != "cohort"}

    @cached_property
    def arms(self) -> list[ArmFigures]:
        "What became of each arm."
        plan, found = self.test.plan, []
        sums = ("n", "calls", "labelled", "positive", "false_calls", "missed")
        for name, arm in zip(ARMS, (plan.a, plan.b)):
            inside = (self.entered.arm == name).to_numpy()
            counted = (int(self.entered[column][inside].sum()) for column in sums)
            means = (_mean(self.values.get(value), inside) for value in ("outcome", "cost"))
            every = int((self.rows.arm == name).sum())
            found.append(ArmFigures(name, *arm, every, int(inside.sum()), *counted, *means))
        return found

    @cached_property
    def off(self) -> bool:
        "Whether the entities, cohort by cohort, show that they were not drawn as stated."
        counts = self.rows.groupby(["cohort", "arm"]).size().unstack(fill_value=0)
        counts = counts.reindex(columns=list(ARMS), fill_value=0).sort_index().cumsum()
        share = self.test.plan.share
        return any(off_ratio(int(a), int(b), share) for a, b in counts.to_numpy())

    @cached_property
    def problems(self) -> list[str]:
        "What speaks against comparing the arms, in sentences."
        return [*self._of_split(), *self._of_labels()]

    def _of_split(self):
        a, b = (arm.entities for arm in self.arms)
        if self.off:
            yield (
                f"the split is off: {a:,} entities in arm A and {b:,} in arm B, of which the share "
                f"should be {self.test.plan.share:g}: the arms cannot be compared; look for events "
                "that are logged without their arm, or kept from one of them."
            )
        crossed = int(self.rows.crossed.sum())
        if crossed:
            yield f"{crossed:,} entities were decided by both arms; they count to the first."

    def _of_labels(self):
        seen = self.compared["labelled"]
        if seen and seen[-1].better:
            yield (
                f"labels are known of more events in arm {_other(seen[-1].better)}: rates of the "
                "others may differ by what is not known."
            )
        late, known = (int(self.entered[name].sum()) for name in ("late", "labelled"))
        if late > (late + known) / 20:
            yield (
                f"{late:,} of {late + known:,} labels came after their cohort had entered, and are "
                "not counted: labels take longer than the test waits."
            )

    @property
    def verdict(self) -> Verdict:
        "Which arm is better in what the test is about; none where the split is off."
        return Verdict(None, None, False) if self.off else verdict(self.compared[self.test.plan.by])

    @property
    def since(self) -> date | None:
        "The day on whose morning that was shown first."
        told = self.verdict.since
        return None if told is None else self.test.plan.enters(date(1970, 1, 1) + timedelta(told))

    @property
    def says(self) -> str:
        "Who is better, in a sentence."
        plan, seen = self.test.plan, self.compared[self.test.plan.by]
        if self.off:
            return "unknown: the split is off"
        if not seen:
            first = plan.enters(self.rows.cohort.min().date()) if len(self.rows) else None
            when = f"the first enter on {first}" if first else "no event of an entity is logged yet"
            return f"not yet: no entity has entered; {when}"
        now, told = seen[-1], self.verdict
        unit = "cost of an event in false calls" if plan.by == "cost" else "share of positives"
        about = (
            f"{unit}, B less A: {now.difference:+.4g} ({now.lower:+.4g} to {now.upper:+.4g}, at "
            f"all looks together with {1 - ALPHA:.0%}) over {now.n:,} entities"
        )
        if told.better is None:
            return f"not yet: {about}{self._still_needed()}"
        again = "" if told.stands else "; the interval holds zero again, so effects have changed"
        return f"{told.better} is better since {self.since}: {about}{again}"

    def _still_needed(self):
        "How many entities a difference of a tenth would take."
        plan, values = self.test.plan, self.values[self.test.plan.by]
        known = values[~np.isnan(values)] / (self.scale if plan.by == "cost" else 1.0)
        if len(known) < 2 or not 0 < known.mean() < 1 or not known.std():
            return ""
        needed = entities_needed(known.mean(), -0.1, plan.share, float(known.std()))
        return f"; a difference of a tenth of it takes about {needed:,}"


def _mean(values, inside):
    "The mean of known values of an arm."
    known = values[inside & ~np.isnan(values)] if values is not None else ()
    return float(np.mean(known)) if len(known) else nan


def _other(arm):
    return "A" if arm == "B" else "B"


def read_ab(
    reader: Reader, model: str, today: date, as_of: datetime | None = None
) -> list[Reading]:
    "Every test of a model, in order, as known at a time whose day is `today`."
    tests = reader.ab_tests(model, as_of)
    return [_reading(reader, model, test, today, as_of) for test in tests]


def _reading(reader, model, test, today, as_of):
    "A test with its entities."
    rows = reader.ab_entities(model, test, as_of)
    rows = rows.assign(cohort=pd.to_datetime(rows.cohort))
    return Reading(model, test, test.last_cohort(today, ZoneInfo(reader.timezone)), rows)


def ab_words(view: View) -> str:
    "How the test stands that runs on a model, as a sentence after others; empty where none does."
    tests = view.reader.ab_tests(view.model, view.stood_at)
    if not tests or tests[-1].ended is not None:
        return ""
    test, morning = tests[-1], view.day + timedelta(1)
    told = _reading(view.reader, view.model, test, morning, view.as_of)
    only = test.plan.a.version != test.plan.b.version
    of = f" This page is about the events that {view.version} scored." if only else ""
    return f" Test {test.plan.test} of two arms runs since {test.began:%-d %B}: {told.says}.{of}"
