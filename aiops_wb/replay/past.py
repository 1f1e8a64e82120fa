"""A past that versions are trained in: what was known on its mornings, what came of its days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.errors import StoreError
from ..log.known_then import KnownThen, moment_of
from ..models.complete import CompleteDays, complete_days, label_rules, training_rows
from ..models.registry import load
from ..models.shadow import unseen_from
from ..models.training import train, weighed_as
from ..models.version import ModelVersion, feature_columns
from ..stats.counts import ScoreCounts
from ..stats.decisions import Ladder
from ..stats.evidence import log_loss
from ..stats.points import Grid
from ..watch.dial import Highs, called_from
from ..watch.mornings import AFTER, noon

__all__ = ["ONE_DAY", "SUMS", "Events", "Learner", "Past", "summed"]

SUMS = ("day", "events", "labelled", "positives", "loss", "calls", "false", "missed")
"What is kept of each day: sums over its events (loss in nats; false, missed: of labelled ones)."
ONE_DAY = timedelta(1)


@dataclass(frozen=True, eq=False)
class Learner:
    "A version that learned on a past morning, or the one that never learns again."

    name: str
    version: str  # that decided, for the one that never learns again
    trained: ModelVersion | None = None
    unseen: date = date.min  # the first day that it learned nothing from
    grid: Grid = Grid()


class Past:
    "The days of a model from first to last, and all that was known before."

    def __init__(self, then: KnownThen, first: date, last: date, settings: Settings):
        self.then, self.first, self.last, self.settings = then, first, last, settings
        self.reader, self.model, self.as_of = then.reader, then.model, then.as_of
        self.zone = ZoneInfo(then.timezone)
        _require_days(then, first, last)
        self.complete, self.train = cache(self._complete), cache(self._train)
        self.called_from = cache(self._called_from)

    def morning(self, day: date) -> datetime:
        "When a training of a day takes place."
        return datetime.combine(day, time(), self.zone) + AFTER

    @cached_property
    def never(self) -> Learner:
        "The version in production on the first morning, else the one that scored most."
        at = self.morning(self.first - ONE_DAY)
        version = self.reader.active_version(self.model, at) or self._scored_most()
        rows = self.reader.versions(self.model)
        known = rows[rows.version == version]
        grid = Grid.parse(known.grid.iloc[0]) if len(known) else self.then.versions[version].grid
        self.require_probabilities(version, grid)
        unseen = unseen_from(known.card.iloc[0]) if len(known) else date.min
        return Learner("never", version, None, unseen, grid)

    def _scored_most(self):
        "The version with most events of the period."
        span = [(d - date(1970, 1, 1)).days for d in (self.first, self.last)]
        events = {
            version: of.columns[0][(of.day >= span[0]) & (of.day <= span[1])].sum()
            for version, of in self.then.versions.items()
        }
        return max(sorted(events), key=events.get)

    def require_probabilities(self, version: str, grid: Grid) -> None:
        "StoreError where scores are none."
        if grid.kind != "logit":
            raise StoreError(
                f"{self.model} {version}: its scores are no probabilities, so they have no log "
                "loss to compare."
            )

    @cached_property
    def labels_in(self) -> date | None:
        "The newest day whose labels are in, in the end."
        return self._in_the_end.newest_as_set

    @cached_property
    def why_unknown(self) -> str:
        "Why no day's labels are known to be in."
        return self._in_the_end.why_none

    @cached_property
    def _in_the_end(self):
        end = self.as_of or self.reader.last_committed()
        at = {"as_of": end, "stood_at": end}
        return CompleteDays(self.then, self.model, self.last, **at, **label_rules(self.settings))

    def is_known(self, day: date) -> bool:
        "Whether the labels of a day are in."
        return self.labels_in is not None and day <= self.labels_in

    @cached_property
    def known_late(self) -> tuple[int, int]:
        "How many of the days were not known until two days later, and of how many."
        known = {}
        for changes in self.then.versions.values():
            for day, since in changes.first_known.items():
                if self.first <= day <= self.last:
                    known[day] = min(since, known.get(day, since))
        by_then = lambda d: moment_of(noon(d + 2 * ONE_DAY, self.zone.key))
        return sum(at > by_then(day) for day, at in known.items()), len(known)

    def _complete(self, day: date) -> date | None:
        "The newest day whose labels were in, as known on the morning of a day."
        at = self.morning(day)
        rules = label_rules(self.settings)
        return complete_days(self.reader, self.model, at, as_of=at, **rules).newest_as_set

    def _train(self, day: date, days: int | str, half_life: float | None) -> Learner:
        """A version as the morning of a day would have trained it, from the newest complete days of
        then; StoreError says why there is none."""
        at, reader, model = self.morning(day), self.reader, self.model
        last = min(self.complete(day) or day, day - ONE_DAY)
        first = min(reader.days(model)) if days == "all" else last - timedelta(days - 1)
        known = training_rows(
            reader, model, first, last, at, as_of=at, **label_rules(self.settings)
        )
        rows = known.rows
        if len(rows) and (left_out := reader.tenants_left_out(model, at)):
            rows = rows[~rows.tenant.isin(left_out)].reset_index(drop=True)
        name = f"{days}-{half_life}-{day}"
        trained, _ = train(
            rows,
            model,
            name,
            kinds=reader.feature_kinds(model, at),
            allowed=reader.allowed_features(model),
            events=known.events,
            incomplete=known.told if known.incomplete else "",
            unsure=known.unsure,
            threshold=Ladder.of(self.settings.risk_cuts).high,
            **self._weighed | ({"half_life_days": half_life} if half_life else {}),
        )
        return Learner(name, "", trained, unseen_from(trained.card), trained.grid)

    @cached_property
    def _weighed(self):
        "How rows are weighed: as those of the version in production, but for their age."
        rows = self.reader.versions(self.model)
        cards = rows.card[rows.version == self.never.version]
        weighed = weighed_as(cards.iloc[0]) if len(cards) else {}
        return {name: how for name, how in weighed.items() if name != "half_life_days"}

    @cached_property
    def stood(self) -> Highs:
        "From which points on somebody was called by the version that never learns again."
        return self.called_from(self.never.version)

    def _called_from(self, version: str) -> Highs:
        "From which points on somebody was called by a version."
        known = self.then.versions.get(version)
        grid = known.grid if known else Grid()
        cuts = self.settings.risk_cuts
        return called_from(self.reader, self.model, version, grid, cuts, self.last, self.as_of)

    def events(self, first: date, last: date, as_of: datetime | None = None) -> "Events":
        "Events of some days with the labels known at a time (None: in the end)."
        return Events(self, self.reader.rows(self.model, first, last, as_of=as_of or self.as_of))

    @cached_property
    def scorer(self) -> ModelVersion:
        "The version that never learns again, to score what others decided."
        return load(self.reader, self.model, self.never.version)


def _require_days(then, first, last):
    "StoreError where there is nothing to live."
    logged = sorted({day for of in then.versions.values() for day in of.first_known})
    if first > last:
        raise StoreError(f"the period from {first} to {last} ends before it begins.")
    if not logged:
        raise StoreError(f"{then.model} has no predictions up to {last}.")
    if not any(first <= day <= last for day in logged):
        raise StoreError(
            f"{then.model} has no predictions from {first} to {last}: its log covers {logged[0]} "
            f"to {logged[-1]}."
        )


class Events:
    "Some days of a log, as read once, and what versions say of them."

    def __init__(self, past: Past, rows: pd.DataFrame):
        self.past, self.rows, self._said = past, rows, {}
        if len(rows):
            self.day = pd.to_datetime(rows.event_date).dt.date.to_numpy()
            self.label = rows.label.to_numpy(dtype=np.float64)

    def __len__(self) -> int:
        return len(self.rows)

    def points(self, of: Learner) -> np.ndarray:
        "What a version says of each; StoreError where it cannot."
        if of.name not in self._said:
            self._said[of.name] = self._points(of)
        return self._said[of.name]

    def _points(self, of):
        if of.trained is not None:
            return of.grid.quantise(of.trained.score(self._features(of.trained)))
        points = self.rows.points.to_numpy(dtype=np.int16).copy()
        others = (self.rows.version != of.version).to_numpy()
        if others.any():
            points[others] = of.grid.quantise(self._scored(others))
        return points

    def _scored(self, others):
        "Scores of the version that never learns again where others decided."
        try:
            version = self.past.scorer
            return version.score(self._features(version)[others])
        except StoreError as problem:
            raise StoreError(
                f"{self.past.model} {self.past.never.version} did not decide all of these days, "
                f"and to know what it would have said it has to score them: {problem}"
            ) from None

    def _features(self, version):
        "Features as a version takes them; missing where none was logged, or it tells an outcome."
        logged = {c.removeprefix("feature:") for c in self.rows if c.startswith("feature:")}
        return feature_columns(self.rows, [f for f in version.features if f not in logged])

    def recorded(self) -> tuple[np.ndarray, np.ndarray]:
        "Points as they were logged, and from which on each event called somebody."
        highs = np.empty(len(self), dtype=np.int32)
        for version in self.rows.version.unique():
            of = (self.rows.version == version).to_numpy()
            self.past.require_probabilities(version, self.past.then.versions[version].grid)
            highs[of] = self.high(self.past.called_from(version))[of]
        return self.rows.points.to_numpy(dtype=np.int16), highs

    def high(self, highs: Highs) -> np.ndarray:
        "From which points on somebody is called on the day of each event."
        zone = self.past.zone.key
        at = {day: _stood(highs, noon(day, zone)) for day in np.unique(self.day)}
        return np.array([at[day] for day in self.day], dtype=np.int32)

    def counts(self, points: np.ndarray) -> ScoreCounts:
        "Scores of the events whose day's labels are in."
        known = np.array([self.past.is_known(day) for day in self.day], dtype=bool)
        return ScoreCounts.from_events(points[known], self.label[known])


def _stood(highs, at):
    return [high for since, high in highs if since <= at][-1]


def summed(
    events: Events, points: np.ndarray, high: np.ndarray, grid: Grid = Grid()
) -> pd.DataFrame:
    "The `SUMS` of each day of some events under a version."
    known, positive = ~np.isnan(events.label), events.label == 1
    called = points >= high
    lost = np.where(known, log_loss(grid.inverse(points), positive), 0.0)
    columns: Mapping[str, np.ndarray] = {
        "events": np.ones(len(points), dtype=int),
        "labelled": known,
        "positives": positive,
        "loss": lost,
        "calls": called,
        "false": called & known & ~positive,
        "missed": ~called & positive,
    }
    frame = pd.DataFrame(columns).astype({n: int for n in columns if n != "loss"})
    return frame.groupby(pd.Index(events.day, name="day")).sum().reset_index()
