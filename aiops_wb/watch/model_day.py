"""What every question about a model on a day rests on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from math import isnan
from zoneinfo import ZoneInfo

import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import Dial
from ..log.errors import StoreError
from ..log.watching import NotWatched
from ..models.complete import CompleteDays, label_rules
from ..stats.counts import Histogram, ScoreCounts, total
from ..stats.decisions import Ladder
from ..stats.drift import ALARM_SEVERITIES
from ..stats.points import Grid
from .alarms import Drift, drift_of
from .registered import Chosen, Reference, Registered, Versions

__all__ = ["ModelDay"]


def _no_predictions(reader, model, day, as_of):
    "What is said of a day on which a model scored nothing."
    days = reader.days(model, as_of)
    covers = f": its log covers {days[0]} to {days[-1]}." if days else "."
    return StoreError(f"{model} has no predictions on {day}{covers}")


def _unrecorded(of: "ModelDay") -> int:
    "The threshold of a version of which the audit trail has none."
    logged = of.reader.rows(
        of.model,
        of.day,
        of.day,
        version=of.version,
        as_of=of.as_of,
        columns="threshold, predicted_at, prediction_id",
        where="threshold IS NOT NULL",
    )
    if len(logged):
        return int(logged.threshold.iloc[-1])
    usual = of.dial.ladder(None, of.grid, of.settings.risk_cuts)
    return usual.high if of.dial.on and usual else 0


class ModelDay:
    """One model on one day, as known at a time, all tenants together.

    Where two versions scored that day, the active one. StoreError when there is no such model or
    day. `versions` of the same reader serve the views of many days.
    """

    def __init__(
        self,
        reader: Reader,
        model: str,
        day: date,
        as_of: datetime | None = None,
        settings: Settings | None = None,
        versions: Versions | None = None,
    ) -> None:
        self.reader, self.model = reader, reader.require_model(model)
        self.day, self.as_of = day, as_of
        self.settings = settings or Settings()
        scored = reader.predictions_by_version(model, day, as_of)
        if scored.empty:
            raise _no_predictions(reader, model, day, as_of)
        active = reader.active_version(model, self.stood_at)
        self.version = active if active in set(scored.version) else scored.version[0]
        self.other_versions = int(scored.n[scored.version != self.version].sum())
        self._versions = versions or Versions(reader)

    def versions_between(self, first: date) -> list[str]:
        "Versions that scored from a day to this one."
        return self.reader.versions_scored(self.model, first, self.day, self.as_of)

    @property
    def tenants(self) -> list[str]:
        "Tenants that were scored on the day."
        return self.tenants_between(self.day, self.day)

    def tenants_between(self, first: date, last: date) -> list[str]:
        "Tenants that were scored from a day to another."
        return self.reader.tenants_scored(self.model, self.version, first, last, self.as_of)

    @property
    def known_at(self) -> datetime:
        "The time that is spoken of: as_of, else that of the latest batch."
        return self.as_of or self.reader.last_committed()

    @property
    def spoken_at(self) -> datetime:
        """The time at which the day is spoken of: its end, or `known_at` where that is earlier.

        What is stale, what stood and what the last hours were is asked of this time: a page of a
        past day says the same whenever it is made, but for labels that came later.
        """
        zone = ZoneInfo(self.reader.timezone)
        return min(datetime.combine(self.day + timedelta(1), time(), zone), self.known_at)

    @cached_property
    def stood_at(self) -> datetime | None:
        """The time up to which changes of version, threshold and calibration, and declarations
        about labels, count for the day: that of its first figures; `as_of` where there are none
        yet, or all that is known counts."""
        if self.as_of is None:
            return None
        return self.reader.first_figures_at(self.model, self.day, self.as_of) or self.as_of

    @cached_property
    def registered(self) -> Registered:
        "What this version was registered with."
        return self._versions.of(self.model, self.version).as_of(self.stood_at)

    @property
    def card(self) -> Mapping:
        "The model card, stored when the version was registered; empty for one that is not."
        return self.registered.card

    @property
    def explains(self) -> bool:
        "Whether the version's file is here: what it scored can be explained."
        return "sha256" in self.card

    @cached_property
    def complete_days(self) -> CompleteDays:
        "Which days' labels are in."
        rules = label_rules(self.settings)
        at = {"as_of": self.as_of, "stood_at": self.stood_at}
        return CompleteDays(self.reader, self.model, self.day, **at, **rules)

    @cached_property
    def reference(self) -> Reference:
        "What it is held against: the days of its training or adoption, or others that were chosen."
        span = self.reader.reference_days(self.model, self.version, self.stood_at)
        # days that it was adopted on are kept with it, as those of a training are
        if span is None or span == self.registered.span:
            return self.registered
        named, complete = (self.model, self.version), self.complete_days.newest
        return Chosen(self.reader, named, span, self.as_of, complete)

    @property
    def held_out(self) -> dict[date, ScoreCounts]:
        "Counts of the days that the training of this version left out."
        return self.registered.held_out

    def counts(self, first: date, last: date, tenant: str | None = None) -> dict[date, ScoreCounts]:
        "Counts by day from `first` to `last`, this version."
        return self.reader.score_counts(
            self.model, first, last, version=self.version, tenant=tenant, as_of=self.as_of
        )

    @cached_property
    def counts_by_day(self) -> dict[date, ScoreCounts]:
        "Counts back to the farthest day that any window asks for, at least 61 days, this version."
        settings, newest = self.settings, self.complete_days.newest
        waits = (self.day - newest).days if newest else 0
        back = max(60, settings.reference_days[1], settings.ticket_days + waits)
        return self.counts(self.day - timedelta(back), self.day)

    def window(self, days: int) -> ScoreCounts:
        "Counts of the last `days` days, this version."
        first = self.day - timedelta(days - 1)
        return total((c for d, c in self.counts_by_day.items() if d >= first), self.grid)

    @cached_property
    def grid(self) -> Grid:
        "The grid of this version's points."
        return self.counts_by_day[self.day].grid

    @cached_property
    def threshold(self) -> int:
        """The threshold in force (points) when the day was first looked at: from the audit trail,
        else as logged with the predictions, else where the dial begins, else even odds."""
        recorded = self.reader.threshold(self.model, self.version, self.stood_at)
        return _unrecorded(self) if recorded is None else recorded

    @cached_property
    def dial(self) -> Dial:
        "Whether the threshold in force decides who is called."
        return self.reader.dial(self.model, self.stood_at)

    @property
    def ladder(self) -> Ladder | None:
        "From where on events are of which risk; None where scores have no cuts."
        return self.dial.ladder(self.threshold, self.grid, self.settings.risk_cuts)

    def probability(self, points: int) -> float:
        "A threshold as a score."
        return float(self.grid.inverse(points))

    @cached_property
    def latency(self) -> Histogram:
        "Latency of the day's predictions, milliseconds."
        return self.latency_of(None)

    def latency_of(self, tenant: str | None) -> Histogram:
        "Latency of the day's predictions of one tenant (None: of all), milliseconds."
        by_day = self.reader.latency(
            self.model, self.day, self.day, version=self.version, tenant=tenant, as_of=self.as_of
        )
        return by_day.get(self.day, Histogram.of([], [], 0))

    def history(self, days: int) -> pd.DataFrame:
        "Stored figures of the last `days` days, this version."
        frame = self.reader.metrics(
            self.model, self.day - timedelta(days - 1), self.day, as_of=self.as_of
        )
        return frame[frame.version == self.version]

    @cached_property
    def severity(self) -> str:
        """How grave the gravest alarm is that is not muted: none to critical, or unknown.

        As stored with the day's figures; followed now where none are stored.
        """
        figures = self.history(1)
        stored = figures.value[figures.metric == "drift_gravity"]
        if stored.empty:
            return self.drift.severity
        return "unknown" if isnan(stored.iloc[0]) else ALARM_SEVERITIES[int(stored.iloc[0])]

    @cached_property
    def drift(self) -> Drift:
        "All streams of this version, followed from its first day to this one."
        followed = drift_of(
            self.reader,
            self.model,
            self.version,
            self.day,
            self.settings,
            self.as_of,
            self.card,
            self.reference,
            self.complete_days.waits,
        )
        return replace(followed, off=self.not_watched)

    @cached_property
    def not_watched(self) -> NotWatched | None:
        "Who had switched the watch over this version off; None where it is watched."
        return self.reader.not_watched(self.model, self.version, self.stood_at)
