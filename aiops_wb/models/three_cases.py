"""Three alerts of a day, each told from where every score starts to the score it got."""

from collections.abc import Mapping
from math import exp
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.feature_names import FeatureName
from ..log.reason_files import SAME_SCORE, OfDay
from ..stats.points import PER_UNIT, as_points
from .explain import contributions, value_in_words
from .registry import load
from .version import logged_features

__all__ = ["Case", "Step", "chosen", "three_cases"]

SHOWN = 6
"Features of a case that have a step of their own."


class Step(NamedTuple):
    "What a feature, or all others together, added to a score."

    words: str  # its plain name and value, with the unit
    push: float  # log-odds
    others: bool = False


class Case(NamedTuple):
    "An alert: its start, the steps from there, the strongest first, and where they lead."

    why: str  # it was chosen
    who: str
    score: float  # as it was logged
    start: float  # log-odds where every score of the version starts
    steps: tuple[Step, ...]  # the last one may be all other features together
    end: float  # log-odds
    threshold: float  # log-odds

    @property
    def by_file(self) -> float:
        "The score that the steps lead to."
        return 1 / (1 + exp(-self.end))

    @property
    def apart(self) -> bool:
        "Whether the score that was logged is another."
        return abs(self.by_file - self.score) > SAME_SCORE

    def says(self) -> str:
        "In two sentences: who it is, and what raised and lowered its score most."
        told = f"{self.why}: {self.who} scored {self.score:.3f}."
        if self.apart:
            told += f" The version's file gives these features {self.by_file:.3f}."
        own = [step for step in self.steps if not step.others]  # they name no feature together
        up = max(own, key=lambda s: s.push, default=None)
        down = min(own, key=lambda s: s.push, default=None)
        if up is None or up.push <= 0:
            return f"{told} No feature raised it above where every score starts."
        raised = f"Most of all it was raised by {up.words} ({up.push:+.2f} log-odds)"
        if down.push >= 0:
            return f"{told} {raised}; nothing lowered it."
        return f"{told} {raised}, and lowered by {down.words} ({down.push:+.2f})."


def chosen(alerts: pd.DataFrame, reasons: pd.DataFrame) -> dict[int, str]:
    """Which three alerts are told, by their places, and why they: the riskiest, the one nearest to
    the threshold, and of the others the riskiest whose first reason is the rarest of the day.

    `alerts` riskiest first, `reasons` a row each. Where all have the same first reason, the second
    counts, then the third; where all three are the same no third alert is told. Each is told once.
    """
    if alerts.empty or reasons.empty:
        return {}
    places = {0: "The riskiest alert"}
    if len(alerts) > 1:
        places[len(alerts) - 1] = "The alert nearest to the threshold"
    for k, ordinal in enumerate(("first", "second", "third"), 1):
        names = reasons[f"reason_{k}"].fillna("none").reset_index(drop=True)
        often = names.map(names.value_counts())
        others = often.drop(list(places))
        if often.nunique() > 1 and len(others):
            at = int(others.idxmin())
            of = f"the {ordinal} reason of {often[at]:,} of {len(alerts):,} alerts"
            places[at] = f"The one with the rarest {ordinal} reason ({of})"
            break
        if names.nunique() > 1:
            break  # all are equally rare
    return places


def three_cases(
    reader: Reader,
    of: OfDay,
    alerts: pd.DataFrame,
    reasons: pd.DataFrame,
    names: Mapping[str, FeatureName],
    threshold: int,
) -> list[Case]:
    """The alerts of a day that `chosen` names, by exact contributions of the version that scored
    them; none where there are no reasons. `threshold` in points. StoreError where the version's
    file is not here."""
    high = as_points(threshold) / PER_UNIT
    places = chosen(alerts, reasons)
    if not places:
        return []
    version = load(reader, of.model, of.version)
    rows = alerts.iloc[list(places)]
    features = logged_features(reader, of.model, version.features, rows)
    pushes = contributions(version, features)
    starts = pushes.pop("(bias)")
    values = features[list(pushes)].to_dict("records")
    return [
        Case(
            why,
            _who(row),
            float(version.grid.inverse(row.points)),
            float(start),
            _steps(push, value, names),
            float(start + push.sum()),
            high,
        )
        for why, row, start, push, value in zip(
            places.values(), rows.itertuples(), starts, pushes.to_numpy(), values
        )
    ]


def _who(row):
    "An alert as people know it."
    name = row.prediction_id if pd.isna(row.entity_id) else row.entity_id
    return name if pd.isna(row.site_id) else f"{name} at {row.site_id}"


def _steps(pushes, values, names):
    "The strongest pushes with their features in words, and the sum of all others."
    features = list(values)
    order = np.argsort(-np.abs(pushes), kind="stable")
    order = order[pushes[order] != 0]
    own = SHOWN if len(order) > SHOWN + 1 else len(order)  # one feature is not "others"
    steps = [Step(_words(features[i], values, names), float(pushes[i])) for i in order[:own]]
    if rest := len(order) - own:
        steps.append(Step(f"{rest} other features", float(pushes[order[own:]].sum()), True))
    return tuple(steps)


def _words(feature, values, names):
    name, unit = names.get(feature, FeatureName(feature))
    value = values[feature]
    return f"{name} = {value_in_words(value)}" + ("" if pd.isna(value) else f" {unit}").rstrip()
