"""Labels of those alone that somebody looked at: what they leave unknown, and what a share of the
others, looked at by chance, says of it."""

from datetime import date, timedelta
from functools import cached_property, partial
from math import nan

import numpy as np

from ..stats.counts import total
from ..stats.performance import Figure
from ..stats.selective import (
    Blind,
    Exploration,
    Reviewed,
    WeightedCurve,
    blind_below,
    weighted,
    weighted_curve,
)
from .labels import Labels
from .model_day import ModelDay
from .words import number, percent

__all__ = ["DAYS", "Selective"]

STEPS = 100
"Thresholds of a curve."
DAYS = 28
"Complete days that weighted figures speak of."
_NONE = Reviewed(*(np.zeros(0) for _ in range(5)))


class Selective:
    "What cannot be known from labels of the called alone, and what exploration says of it."

    def __init__(self, of: ModelDay, labels: Labels):
        self._of, self._labels = of, labels

    @cached_property
    def exploration(self) -> Exploration | None:
        "The chances of review that were in force; None where nothing is looked at by chance."
        return self._of.reader.exploration(self._of.model, self._of.stood_at)

    @property
    def window(self) -> tuple[date, date] | None:
        "The first and the last of the complete days that are spoken of; None where there is none."
        last = self._labels.complete_day
        return last and (last - timedelta(DAYS - 1), last)

    @cached_property
    def reviewed(self) -> dict[date, Reviewed]:
        """What went to review on each of these days whose chances were logged, if anything did by
        chance. Reads rows, of a model that explores or did."""
        of, window = self._of, self.window
        if window is None or not of.reader.explores(of.model, of.stood_at):
            return {}
        found = of.reader.reviewed(of.model, of.version, *window, of.as_of)
        if not any(day.explored[0] for day in found.values()):
            return {}
        begun = min(found)
        scored = (d for d in of.counts_by_day if begun <= d <= window[1])
        return {day: found.get(day, _NONE) for day in scored}

    @cached_property
    def reviewed_today(self) -> int:
        "Events of the day that somebody was asked about by chance."
        of = self._of
        if not of.reader.explores(of.model, of.stood_at):
            return 0
        found = of.reader.reviewed(of.model, of.version, of.day, of.day, of.as_of)
        return sum(day.explored[0] for day in found.values())

    @cached_property
    def explored(self) -> tuple[int, int]:
        "Events of these days that were looked at by chance, and how many have a label."
        counted = [day.explored for day in self.reviewed.values()]
        return tuple(map(sum, zip(*counted))) if counted else (0, 0)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Recall, false positive rate, precision and missed positives a day at the threshold in
        force, weighted; empty where nothing that was looked at by chance has a label."""
        if not self.explored[1]:
            return {}
        return weighted(list(self.reviewed.values()), self._of.threshold)

    @cached_property
    def curve(self) -> WeightedCurve | None:
        "Weighted rates at thresholds from the lowest score to the highest; None without `figures`."
        points = self._of.window(30).points
        return self.at(np.unique(np.linspace(points[0], points[-1], STEPS).astype(int)))

    def at(self, thresholds) -> WeightedCurve | None:
        "Weighted rates at some thresholds (points); None where `figures` are empty."
        return weighted_curve(list(self.reviewed.values()), thresholds) if self.figures else None

    def of_candidate(self, candidate: int) -> str:
        "What can be said of another threshold (points), in words; empty where all labels come."
        at = number(self._of.probability(candidate))
        if self.figures:
            known = self.at([candidate])
            recall, precision = (Figure(*c[0]) for c in (known.recall, known.precision))
            return (
                f"Weighted by what was reviewed by chance, at {at}: recall "
                f"{_span(recall, percent)}, precision {_span(precision, percent)}."
            )
        if self.unknown and candidate < self.blind.below:
            return (
                f"{at} lies where labels hardly ever come (below "
                f"{number(self._of.probability(self.blind.below))}): what it would catch, and how "
                "often it would be wrong there, is unknown."
            )
        return ""

    @cached_property
    def blind(self) -> Blind | None:
        """Where labels end, by complete days or as the settings say (`labels_of`); None where they
        do not, or where that is not known."""
        of, told = self._of, self._of.settings.labels_of
        if told == "all" or self.window is None and told == "auto":
            return None
        first, last = self.window or (of.day, of.day)
        counts = total((c for d, c in of.counts_by_day.items() if first <= d <= last), of.grid)
        high = of.ladder.high if of.ladder else of.threshold
        found = blind_below(counts, high)
        return found or (Blind(high, nan, nan) if told == "called" else None)

    @property
    def unknown(self) -> bool:
        "Whether figures that need labels from below the threshold are unknown."
        return self.blind is not None and not self.figures

    @property
    def says(self) -> str:
        "What is unknown, or known by chance, in a sentence; empty where all labels come."
        parts = [self._unknown() if self.unknown else "", self._known()]
        return " ".join(filter(None, parts))

    def _unknown(self):
        below, share, called = self.blind
        counted = (
            f", {percent(share)} of the events below it and {percent(called)} of those at or above "
            "the threshold"
            if share == share
            else ", as labels_of says"
        )
        return (
            f"Labels hardly ever come below {number(self._of.probability(below))}{counted}: "
            "recall, false positive rate and all lower thresholds are unknown."
        )

    def _known(self):
        if not self.figures:
            waits = "Events below it are reviewed by chance; their labels are not in yet."
            return waits if self.unknown and self.exploration else ""
        n, labelled = self.explored
        recall, missed = self.figures["recall"], self.figures["missed_per_day"]
        return (
            f"By {n:,} events below the threshold that were reviewed by chance ({labelled:,} have "
            f"a label), weighted, the model finds {_span(recall, percent)} of all positives and "
            f"misses {_span(missed, partial(number, digits=1))} a day."
        )


def _span(figure, shown):
    "A figure with its interval."
    if figure.lower != figure.lower:
        return shown(figure.value)
    return f"{shown(figure.value)} ({shown(figure.lower)} to {shown(figure.upper)})"
