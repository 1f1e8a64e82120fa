"""A model by its name, and every question to it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..log.errors import StoreError
from . import events
from .answers import Answer
from .published import Asked

if TYPE_CHECKING:  # each is loaded when it is asked for
    from ..watch.policy import Policy
    from .explained import Accounted, Explained, Simulated
    from .figures import Curves, Figures
    from .lived import Lived
    from .moved import Moved

__all__ = ["Model"]

Day = date | str | None


class Model:
    """A model on its newest day, or the day of its workbench, as known then: scores, thresholds and
    answers are probabilities (scores, where a model gives none).

    Days are dates or texts such as '2013-04-01'. Without any a question is about the day of the
    model, or about as many before it as it says. Every answer shows itself, and has `.frame`,
    `.plot()` and `.to_csv(path)`.
    """

    def __init__(self, asked: Asked):
        self._of = asked.published, asked.model, asked.pinned, asked.as_of

    @property
    def _asked(self) -> Asked:
        "A question to it, which the newest snapshot answers."
        return Asked(*self._of)

    @property
    def name(self) -> str:
        "What it is called."
        return self._of[1]

    @property
    def day(self) -> date:
        "The day that questions are about: the newest, where none was named."
        return self._asked.day

    @property
    def as_of(self) -> datetime | None:
        "The time as of which all is known; None: now."
        return self._of[3]

    @property
    def days(self) -> list[date]:
        "Days with predictions."
        return self._asked.days

    @property
    def version(self) -> str:
        "The version whose figures are told: of the day the active one."
        return self._asked.view.version

    @property
    def threshold(self) -> float:
        "The threshold in force, as a probability (a score, where scores are none)."
        view = self._asked.view
        return view.probability(view.threshold)

    @property
    def features(self) -> list[str]:
        "Names of its features."
        asked = self._asked
        known = asked.reader.feature_kinds(self.name, asked.as_of)
        return asked.reader.features_of(self.name, known)

    @property
    def sites(self) -> list[str]:
        "Names of the sites that were logged."
        found = self._asked.reader.segments(self.name, self.as_of)
        return [segment.removeprefix("site=") for segment in found]

    def top(
        self,
        n: int = 20,
        first: Day = None,
        last: Day = None,
        *,
        site: str | None = None,
        tenant: str | None = None,
        version: str | None = None,
    ) -> events.Events:
        "The n events with the highest scores, with features and label, riskiest first."
        of = {"site": site, "tenant": tenant, "version": version}
        return events.top(self._asked, n, first, last, **of)

    def rows(
        self,
        first: Day = None,
        last: Day = None,
        *,
        site: str | None = None,
        tenant: str | None = None,
        version: str | None = None,
        where: str | None = None,
        columns: Sequence[str] | str | None = None,
    ) -> events.Events:
        """Events with features and label. `where` is a condition over the columns that the answer
        has, such as `"temp > 80 and label == 1"`; `columns` names those that are wanted."""
        of = {"site": site, "tenant": tenant, "version": version}
        return events.rows(self._asked, first, last, **of, where=where, columns=columns)

    def alerts(self, first: Day = None, last: Day = None, **whose: str) -> events.Events:
        "The tickets and alerts: events that somebody was called for, riskiest first."
        return events.called(self._asked, first, last, **whose)

    def performance(
        self,
        *figures: str,
        first: Day = None,
        last: Day = None,
        days: int = 30,
        threshold: float | None = None,
    ) -> "Figures":
        """Figures with their 95 % intervals, days as units: of days from first to last, else of the
        last `days` days whose labels are in; at the threshold in force, or another."""
        from .figures import performance

        return performance(self._asked, figures, first, last, days, threshold)

    def curve(
        self,
        by: Literal["site", "tenant", "version"] | None = None,
        first: Day = None,
        last: Day = None,
        days: int = 30,
        most: int = 12,
    ) -> "Curves":
        """Precision, recall and false positive rate at every threshold, over the same days; by
        site, tenant or version for each of the largest of them."""
        from .figures import curves

        return curves(self._asked, by, first, last, days, most)

    def drift(self, feature: str | None = None) -> "Moved":
        """How far a feature of the recent days lies from its reference, bin by bin; without a name
        every feature, the largest change first, and the alarms that are open."""
        from .moved import drift

        return drift(self._asked, feature)

    def simulate(self, threshold: float) -> "Simulated":
        """What another threshold would have done beside the one in force, over the last 30 days
        whose labels are in. Nothing is changed."""
        from .explained import simulated

        return simulated(self._asked, threshold)

    def why(
        self,
        figure: str,
        first: Day = None,
        last: Day = None,
        *,
        against: Sequence[date | str] | Literal["reference"] | None = None,
        by: Literal["site", "tenant", "all"] = "site",
        miss_cost: float | None = None,
    ) -> "Accounted":
        """Why a figure changed, in parts that add up: days (the newest whose labels are in) against
        as many before them, against others (first, last), or 'reference'."""
        from .explained import why

        return why(self._asked, figure, first, last, against, by, miss_cost)

    def explain(self, prediction_id: str) -> "Explained":
        "Why an event was scored as it was: what each feature pushed, in log-odds (extra ml)."
        from .explained import explained

        return explained(self._asked, prediction_id)

    def replay(
        self,
        policy: "Policy | Mapping | str | Path | None" = None,
        first: Day = None,
        last: Day = None,
        *,
        days: int = 30,
        against: "Policy | Mapping | str | Path | None" = "actual",
    ) -> "Lived":
        """Live past days again, morning by morning, under a policy: a file, or what it says as a
        mapping such as `{"threshold": .7}`; None: what is set. `against`: another policy, or
        'actual' for what the log recorded. Nothing is written."""
        from .lived import lived

        return lived(self._asked, policy, first, last, days, against)

    def _repr_html_(self) -> str:
        return self._card()._repr_html_()

    def __repr__(self) -> str:
        try:
            return f"Model({self.name!r}, day={str(self.day)!r})"
        except StoreError:  # it has no day yet
            return f"Model({self.name!r})"

    def __dir__(self):
        return sorted(name for name in super().__dir__() if not name.startswith("_"))

    def _card(self) -> Answer:
        from .card import card

        return card(self._asked)
