"""A policy: who is called, when tickets open by themselves, and what mistakes cost."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..config import GOALS, Days, Rule, Settings, Share
from ..log.dial import BEGIN
from ..log.errors import StoreError
from ..stats.automation import Asked
from ..stats.points import Grid
from .dial import Highs

__all__ = ["Choose", "Costs", "Policy", "Retraining", "as_set", "read_policy"]


Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Costs(_Table):
    "What one of each costs, in a unit of one's own."

    missed: Cost = 0.0  # a positive below the threshold: nobody was called
    review: Cost = 0.0  # an alert that a person looks at
    false_ticket: Cost = 0.0  # a ticket about a negative


class Choose(_Table):
    """The threshold is tuned once a week, and changed without a person: one goal, and limits, as
    `tune_...` of the settings, which count where they are not named."""

    cost_missed: Annotated[float, Field(gt=0, le=1e6)] | None = None
    max_fdr: Share | None = None
    max_fpr: Share | None = None
    alerts_per_day: Annotated[float, Field(gt=0, le=1e9)] | None = None
    days: Days | None = None
    min_days: Days | None = None
    min_labelled: Annotated[int, Field(ge=1, le=10**12)] | None = None
    max_step: Annotated[int, Field(ge=50, le=32000)] | None = None
    cooldown_days: Annotated[int, Field(ge=0, le=36500)] | None = None
    false_changes: Share | None = None
    rollback_days: Days | None = None

    @model_validator(mode="after")
    def _one_goal(self):
        if len(self.goals) > 1:
            raise ValueError(f"{' and '.join(self.goals)} are two goals: name one")
        return self

    @property
    def goals(self) -> list[str]:
        "The goals that are named."
        names = [name.removeprefix("tune_") for name in GOALS]
        return [name for name in names if getattr(self, name) is not None]

    def settings(self) -> dict:
        "What it says, as settings; a goal that it names is the only one."
        named = {
            f"tune_{name}": value for name, value in self.model_dump(exclude_none=True).items()
        }
        return (dict.fromkeys(GOALS) if self.goals else {}) | named


class Retraining(_Table):
    "From which past days a model learns, how often, and whether a new version has to prove itself."

    window_days: int | Literal["all"] = 90  # the newest days whose labels are in
    half_life_days: Annotated[float, Field(gt=0, le=3650)] | None = None  # age at which rows halve
    every_days: Annotated[int, Field(ge=1, le=366)] = 28
    # always: a new version decides at once; evidence: when its weeks show that it is better
    promote: Literal["always", "evidence"] = "always"

    @field_validator("window_days", mode="plain")
    @classmethod
    def _days_or_all(cls, value):
        if value == "all" or (type(value) is int and 2 <= value <= 36500):
            return value
        raise ValueError("a number of days, from 2 on, or 'all' is allowed")

    def __str__(self) -> str:
        days = (
            "all days before" if self.window_days == "all" else f"the last {self.window_days} days"
        )
        weighed = f", weights halved every {self.half_life_days:g}" if self.half_life_days else ""
        proof = ", promoted on evidence" if self.promote == "evidence" else ""
        return f"on {days}{weighed}, every {self.every_days} days{proof}"


class Policy(_Table):
    """What is decided otherwise than the settings say; what is not named is as there.

    Names are those of the settings, but for the threshold: from that score on somebody is called.
    """

    name: str = Field(default="", exclude=True)
    threshold: Score | None = None
    automation: Rule | None = None
    false_ticket_share: Share | None = None
    false_ticket_confidence: Share | None = None
    ticket_days: Days | None = None
    # alarms are followed at this level; not named: those that the log recorded are heard
    drift_level: Share | None = None
    costs: Costs | None = None
    choose: Choose | None = None
    retraining: Retraining | None = None

    def settings(self, usual: Settings) -> Settings:
        "The settings under this policy."
        no_settings = {"threshold", "costs", "choose", "retraining"}
        own = self.model_dump(exclude=no_settings, exclude_none=True)
        tuned = self.choose.settings() if self.choose else {}
        settings = usual.model_copy(update=own | tuned)
        if self.choose and all(getattr(settings, name) is None for name in GOALS):
            goals = ", ".join(name.removeprefix("tune_") for name in GOALS)
            raise StoreError(f"choose needs a goal: name one of {goals} in [choose].")
        return settings

    def asked(self, usual: Settings, high: int) -> Asked:
        "What it asks of a rule where somebody is called from some points on."
        told = self.settings(usual).certainty
        names = ("method", "target", "confidence", "coverage", "narrow")
        return Asked(*(told[name] for name in names), high)

    def highs(self, stood: Highs, grid: Grid) -> Highs:
        """The points from which on somebody is called: those of its threshold, else those that
        `stood`. StoreError where there are none."""
        if self.threshold is None:
            if stood and self.choose:  # what people changed later is not its own
                return stood[:1]
            if not stood:
                raise StoreError(
                    "scores of this version are no probabilities, and nothing says from where on "
                    "somebody is called: name it in the policy, such as threshold = 3.5."
                )
            return stood
        if grid.kind == "logit" and not 0 <= self.threshold <= 1:
            raise StoreError(
                f"threshold {self.threshold:g} is no probability: it must lie in [0, 1]."
            )
        return ((BEGIN, int(grid.quantise(self.threshold))),)


def as_set(name: str = "settings") -> Policy:
    "What the settings say."
    return Policy(name=name)


def read_policy(path: Path) -> Policy:
    "The policy of a TOML file, named after it; StoreError names what is wrong and what is allowed."
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist: name a file of a policy.") from None
    except (ValueError, OSError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read as TOML: {error}.") from None
    _refuse_unknown(path, told)
    try:
        return Policy(**told | {"name": path.stem})
    except ValidationError as error:
        raise StoreError(f"{path}: {'; '.join(map(_problem, error.errors()))}.") from None


def _refuse_unknown(path, told: Mapping):
    "StoreError for a key that a policy does not have."
    allowed = [name for name in Policy.model_fields if name != "name"]
    for key in told:
        if key not in allowed:
            raise StoreError(
                f"{path}: {key!r} is not known; a policy may name {', '.join(allowed)}."
            )
    for name, (table, such_as) in _TABLES.items():
        _refuse_unknown_in(path, name, told.get(name, {}), table, such_as)


_TABLES = {
    "costs": (Costs, "missed = 20"),
    "choose": (Choose, "max_fdr = 0.2"),
    "retraining": (Retraining, "every_days = 28"),
}
"Keys that are tables: what they may hold, and an example of it."


def _refuse_unknown_in(path, name, told, table, such_as):
    "StoreError where a table is none, or has a key that it may not have."
    if not isinstance(told, Mapping):
        raise StoreError(f"{path}: {name} must be a table, such as [{name}] with {such_as} in it.")
    for key in told:
        if key not in table.model_fields:
            names = ", ".join(table.model_fields)
            raise StoreError(f"{path}: {name}.{key} is not known; {name} may name {names}.")


def _problem(problem):
    place, said = ".".join(map(str, problem["loc"])), problem["msg"]
    said = said.removeprefix("Value error, ")
    return f"{place}: {said[0].lower()}{said[1:]}"
