"""A policy: who is called, when tickets open by themselves, and what mistakes cost."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config import Days, Rule, Settings, Share
from ..log.dial import BEGIN
from ..log.errors import StoreError
from ..stats.automation import Asked
from ..stats.points import Grid
from .dial import Highs

__all__ = ["Costs", "Policy", "as_set", "read_policy"]


LATER = {"choose": "thresholds", "retraining": "retraining"}
"Keys that a policy will have one day, and what brings them."

Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Costs(_Table):
    "What one of each costs, in a unit of one's own."

    missed: Cost = 0.0  # a positive below the threshold: nobody was called
    review: Cost = 0.0  # an alert that a person looks at
    false_ticket: Cost = 0.0  # a ticket about a negative


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

    def settings(self, usual: Settings) -> Settings:
        "The settings under this policy."
        own = self.model_dump(exclude={"threshold", "costs"}, exclude_none=True)
        return usual.model_copy(update=own)

    def asked(self, usual: Settings, high: int) -> Asked:
        "What it asks of a rule where somebody is called from some points on."
        told = self.settings(usual).certainty
        names = ("method", "target", "confidence", "coverage", "narrow")
        return Asked(*(told[name] for name in names), high)

    def highs(self, stood: Highs, grid: Grid) -> Highs:
        """The points from which on somebody is called: those of its threshold, else those that
        `stood`. StoreError where there are none."""
        if self.threshold is None:
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
    "StoreError for a key that a policy does not have, or not yet."
    allowed = [name for name in Policy.model_fields if name != "name"]
    for key in told:
        if key in LATER:
            raise StoreError(f"{path}: {key} comes with {LATER[key]} and cannot be replayed yet.")
        if key not in allowed:
            raise StoreError(
                f"{path}: {key!r} is not known; a policy may name {', '.join(allowed)}."
            )
    costs = told.get("costs", {})
    if not isinstance(costs, Mapping):
        raise StoreError(f"{path}: costs must be a table, such as [costs] with missed = 20 in it.")
    for key in costs:
        if key not in Costs.model_fields:
            names = ", ".join(Costs.model_fields)
            raise StoreError(f"{path}: costs.{key} is not known; costs may name {names}.")


def _problem(problem):
    place, said = ".".join(map(str, problem["loc"])), problem["msg"]
    return f"{place}: {said[0].lower()}{said[1:]}"
