"""Whether expected and adjusted figures held what the labels said in the end."""

from datetime import date, datetime, timedelta
from functools import cached_property
from math import nan

from ..stats.backtest import Held, held
from ..stats.counts import ScoreCounts, total
from ..stats.performance import Figure, confusion, proportion
from .labels import Labels
from .model_day import ModelDay

__all__ = ["Backtests", "BACKTESTED"]

BACKTESTED = ("positive_rate", "accuracy", "precision", "recall")
MORNINGS_BACK = 91
"Mornings that are looked at, before the newest one whose labels are in."


class Backtests:
    "Figures as they were shown on past mornings, scored by the labels that are in since."

    def __init__(self, of: ModelDay, labels: Labels):
        self._of, self._labels = of, labels
        self._truths: dict[tuple[date, int], dict[str, Figure]] = {}
        self._thresholds: dict[datetime, int] = {}

    @property
    def _mornings(self) -> list[date]:
        "Mornings whose weeks have their labels, oldest first; none where their pace is not known."
        pace, newest = self._labels.pace, self._labels.newest
        if pace is None or newest is None:
            return []
        last = min(self._of.day, newest - timedelta(pace.age))
        return [last - timedelta(back) for back in reversed(range(MORNINGS_BACK))]

    @cached_property
    def held(self) -> dict[str, Held]:
        "How often the intervals of each figure held; keyed by the name under which it is stored."
        of, mornings = self._of, self._mornings
        if not mornings:
            return {}
        shown = of.reader.first_metrics(of.model, of.version, mornings[0], mornings[-1], of.as_of)
        found = {}
        for name in BACKTESTED:
            for kind in ("adjusted", "expected"):
                stored = f"{kind}_{name}_week"
                scored = [self._scored(day, name, shown.get((day, stored))) for day in mornings]
                found[stored] = held(*zip(*scored), window=of.settings.recent_days)
        return found

    def _scored(self, day, name, stored):
        "A figure as it was shown, and what the labels that are in now say; NaN where none was."
        if stored is None:
            return Figure(nan), nan
        figure, as_of = stored
        return figure, self._truth(day, self._threshold(as_of))[name].value

    def _threshold(self, as_of):
        "The threshold that was in force at a time."
        if as_of not in self._thresholds:
            recorded = self._of.reader.threshold(self._of.model, self._of.version, as_of)
            self._thresholds[as_of] = self._of.threshold if recorded is None else recorded
        return self._thresholds[as_of]

    def _truth(self, day, threshold):
        "The figures of a morning's recent days at the threshold that was in force then."
        recent, key = self._of.settings.recent_days, (day, threshold)
        if key not in self._truths:
            week = (c for d, c in self._counts.items() if 0 <= (day - d).days < recent)
            self._truths[key] = _rates(total(week, self._of.grid), threshold)
        return self._truths[key]

    @cached_property
    def _counts(self):
        "Counts of all days that a morning may speak of, by the labels that are in now."
        first = self._mornings[0] - timedelta(self._of.settings.recent_days - 1)
        return self._of.counts(first, self._mornings[-1])


def _rates(counts: ScoreCounts, threshold: int) -> dict[str, Figure]:
    "The figures that are tested, of nearly a hundred mornings: a whole `summary` takes ten times."
    at, (_, labelled, positive) = confusion(counts, threshold), counts.total
    rates = {name: getattr(at, name) for name in BACKTESTED if name != "positive_rate"}
    return rates | {"positive_rate": proportion(positive, labelled)}
