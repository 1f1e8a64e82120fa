"""What a version is held against: the days of its training, or others that a person chose."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from math import nan
from types import MappingProxyType

import numpy as np

from ..log.catalog import Reader
from ..stats.conformal import VennAbers, venn_abers
from ..stats.counts import ScoreCounts, total
from ..stats.performance import summary
from ..stats.points import as_points
from ..stats.streams import reference_fit

__all__ = ["ENOUGH_DAYS", "Chosen", "Reference", "Registered", "Versions"]

ENOUGH_DAYS = 28
"Days with predictions from which on it is known how much days differ."


class Reference:
    """What a version is held against: its days, and what their labels say of a score.

    `days` counts of the days, `labelled` those whose labels are in, `features` the days of features
    and for each feature a table of its counts on them.
    """

    name: str
    span: tuple[date, date] | None = None  # of days that a person chose from the log
    days: dict[date, ScoreCounts]
    labelled: dict[date, ScoreCounts]
    features: tuple[list[date], dict[str, np.ndarray]]

    @cached_property
    def probability(self) -> VennAbers | None:
        "The calibrated probability by the labelled days; None without labels of both kinds."
        held = total(self.labelled.values())
        both_kinds = 0 < held.total[2] < held.total[1]
        return venn_abers(held) if held.grid.kind == "logit" and both_kinds else None

    @cached_property
    def fit(self) -> VennAbers | None:
        "The same for the questions about labels, on their coarser cells."
        return reference_fit(self.labelled)


class Registered(Reference):
    """A version's model card and the days it learned from, or was adopted on, each read when asked
    for.

    All are empty for a version trained elsewhere that was not adopted.
    """

    def __init__(self, reader: Reader, model: str, version: str):
        self._reader, self._named = reader, (model, version)

    @cached_property
    def _row(self):
        "What is registered; None where nothing is."
        model, version = self._named
        versions = self._reader.versions(model)
        rows = versions[versions.version == version]
        return rows.iloc[0] if len(rows) else None

    @property
    def name(self) -> str:
        "What its days are called."
        return "reference days" if "adopted" in self.card else "held-out days"

    @property
    def card(self) -> Mapping:
        "The model card, stored when the version was registered."
        return {} if self._row is None else self._row.card

    def as_of(self, when: datetime | None) -> "Registered":
        "What was known of the version at a time: nothing, before it was adopted."
        later = when is not None and "adopted" in self.card and self._row.registered_at > when
        return NotYet(self._reader, *self._named) if later else self

    @property
    def span(self) -> tuple[date, date] | None:
        "The days of the log that it was adopted on: they are not watched."
        days = self.card.get("adopted", {}).get("days")
        return tuple(map(date.fromisoformat, days)) if days else None

    @cached_property
    def held_out(self) -> dict[date, ScoreCounts]:
        "Counts of the days that the training left out."
        return self._reader.held_out_counts(*self._named)

    @property
    def days(self) -> dict[date, ScoreCounts]:
        "The held-out days."
        return self.held_out

    @property
    def labelled(self) -> dict[date, ScoreCounts]:
        "The held-out days: training takes days whose labels are in."
        return self.held_out

    @cached_property
    def features(self) -> tuple[list[date], dict[str, np.ndarray]]:
        "Days of training and testing, and for each feature a table of its counts on them."
        return self._reader.reference_counts(*self._named)

    def figures(self, threshold: int) -> dict[str, float]:
        "Figures of the held-out days at the threshold of training, as the model card has them."
        metrics = self.card.get("metrics", {})
        return {k: nan if v is None else v for k, v in metrics.items()}


class NotYet(Registered):
    "A version trained elsewhere, before it was adopted."

    card, held_out, features = MappingProxyType({}), MappingProxyType({}), ([], {})


class Chosen(Reference):
    """Days of the log that a person chose for a version, as known at a time.

    `complete`: the newest day whose labels are in; None where none is known to be.
    """

    name = "reference days"

    def __init__(
        self,
        reader: Reader,
        named: tuple[str, str],
        span: tuple[date, date],
        as_of: datetime | None,
        complete: date | None,
    ):
        self._reader, self._named, self.span = reader, named, span
        self._as_of, self._complete = as_of, complete

    @cached_property
    def days(self) -> dict[date, ScoreCounts]:
        "Counts of the days, with labels as they are known."
        model, version = self._named
        return self._reader.score_counts(model, *self.span, version=version, as_of=self._as_of)

    @cached_property
    def labelled(self) -> dict[date, ScoreCounts]:
        "Counts of the days whose labels are in."
        last = self._complete
        return {d: c for d, c in self.days.items() if last and d <= last and c.total[1]}

    @cached_property
    def features(self) -> tuple[list[date], dict[str, np.ndarray]]:
        "The days, and for each feature a table of its counts on them."
        return self._reader.feature_counts(*self._named, *self.span, as_of=self._as_of)

    def figures(self, threshold: int) -> dict[str, float]:
        "Figures of the days whose labels are in, at a threshold (points); empty without any."
        threshold = as_points(threshold)
        if not self.labelled:
            return {}
        known = summary(total(self.labelled.values()), threshold)
        return {name: figure.value for name, figure in known.items()}


class Versions:
    """The registered versions of a log, kept for as long as a run lasts: none is ever replaced.

    A version that is not registered may be so on a later day, and is looked for again.
    """

    def __init__(self, reader: Reader):
        self._reader, self._kept = reader, {}

    def of(self, model: str, version: str) -> Registered:
        "What is known of a version."
        kept = self._kept.get((model, version))
        if kept is None:
            kept = Registered(self._reader, model, version)
            if kept.card:
                self._kept[model, version] = kept
        return kept
