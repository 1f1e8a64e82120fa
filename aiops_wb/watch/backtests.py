"""Whether expected and adjusted figures held what the labels said in the end."""

from datetime import date, timedelta
from functools import cached_property
from math import nan

from ..stats.backtest import Held, held
from ..stats.counts import total
from ..stats.performance import Figure, summary
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

    @property
    def _mornings(self) -> list[date]:
        "Mornings whose weeks have their labels, oldest first; none where their pace is not known."
        pace, newest = self._labels.pace, self._labels.newest
        if pace is None or newest is None:
            return []
        last = min(self._of.day, newest - timedelta(pace.age))
        return [last - timedelta(back) for back in reversed(range(MORNINGS_BACK))]

    @cached_property
    def _truths(self) -> dict[date, dict[str, Figure]]:
        "The figures of each morning's recent days, by the labels that are in now."
        of, recent = self._of, self._of.settings.recent_days
        mornings = self._mornings
        if not mornings:
            return {}
        counts = of.counts(mornings[0] - timedelta(recent - 1), mornings[-1])
        return {
            day: summary(
                total((c for d, c in counts.items() if 0 <= (day - d).days < recent), of.grid),
                of.threshold,
            )
            for day in mornings
        }

    @cached_property
    def held(self) -> dict[str, Held]:
        "How often the intervals of each figure held; keyed by the name under which it is stored."
        of, mornings = self._of, self._mornings
        if not mornings:
            return {}
        shown = of.reader.first_metrics(of.model, of.version, mornings[0], mornings[-1], of.as_of)
        found = {}
        for name in BACKTESTED:
            truths = [self._truths[day][name].value for day in mornings]
            for kind in ("adjusted", "expected"):
                stored = f"{kind}_{name}_week"
                figures = [shown.get((day, stored), Figure(nan)) for day in mornings]
                found[stored] = held(figures, truths, window=of.settings.recent_days)
        return found
