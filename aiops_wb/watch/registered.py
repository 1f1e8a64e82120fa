"""What is fixed once a version is registered: read, and fitted, once for many days."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property

import numpy as np

from ..log.catalog import Reader
from ..stats.conformal import VennAbers, venn_abers
from ..stats.counts import ScoreCounts, total
from ..stats.streams import reference_fit

__all__ = ["Registered", "Versions"]


class Registered:
    """A version's model card and the days it learned from, each read when asked for.

    All are empty for a version trained elsewhere.
    """

    def __init__(self, reader: Reader, model: str, version: str):
        self._reader, self._named = reader, (model, version)

    @cached_property
    def card(self) -> Mapping:
        "The model card, stored when the version was registered."
        model, version = self._named
        versions = self._reader.versions(model)
        cards = versions.card[versions.version == version]
        return cards.iloc[0] if len(cards) else {}

    @cached_property
    def held_out(self) -> dict[date, ScoreCounts]:
        "Counts of the days that the training left out."
        return self._reader.held_out_counts(*self._named)

    @cached_property
    def features(self) -> tuple[list[date], dict[str, np.ndarray]]:
        "Days of training and testing, and for each feature a table of its counts on them."
        return self._reader.reference_counts(*self._named)

    @cached_property
    def probability(self) -> VennAbers | None:
        "The calibrated probability by the held-out days; None without labels of both kinds."
        held = total(self.held_out.values())
        both_kinds = 0 < held.total[2] < held.total[1]
        return venn_abers(held) if held.grid.kind == "logit" and both_kinds else None

    @cached_property
    def fit(self) -> VennAbers | None:
        "The same for the questions about labels, on their coarser cells."
        return reference_fit(self.held_out)


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
