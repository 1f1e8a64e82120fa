"""Which streams of a version drift: read from what the log counted, followed to a morning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from math import isinf, isnan, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.alarm_states import KeptState
from ..log.catalog import Reader
from ..log.features import binned_days
from ..log.watching import NotWatched
from ..stats import sequential
from ..stats.conformal import VennAbers
from ..stats.counts import ScoreCounts
from ..stats.days import Independence, Residuals, independence
from ..stats.drift import FeatureShift, feature_shift
from ..stats.performance import Figure
from ..stats.points import Grid
from ..stats.streams import (
    SHARES,
    Alarm,
    Findings,
    Question,
    calibration_question,
    feature_questions,
    label_offset,
    labelled_question,
    later,
    loss_question,
    mix_offset,
    moved_since,
    moved_with,
    open_alarms,
    padded,
    places,
    positive_question,
    ranked_question,
    reference_fit,
    score_question,
)
from .marked import MUTED, holidays_in, marks_of, muted_days, without_events
from .past_alarms import EVERY, Basis, Past, Said, newest_past, states
from .registered import ENOUGH_DAYS, Reference, Registered
from .unwatched import Situation, not_asked, too_little

__all__ = [
    "Drift",
    "Observed",
    "lots",
    "count_rows",
    "observe",
    "follow_version",
    "drift_of",
    "muted_days",
]

SILENCE_DAYS = 60
"A few days before a silence longer than this are not the beginning of a version."


@dataclass(frozen=True, eq=False)
class Drift:
    """What the questions said on every morning from the first to `days[-1]`.

    Questions tell of the days from place `begin` on, and of all of them how far they lie from the
    usual; `wider` asks them of the days from an earlier place on.
    """

    days: list[date]
    questions: list[Question]
    followed: sequential.Followed
    muted: np.ndarray
    calendar: pd.DataFrame
    offset: Figure  # by how many logits recent labels differ from the probabilities; 95 % interval
    mix_offset: Figure  # what the score distribution says about the prior's log-odds
    level: float
    situation: Situation
    vectors: Mapping[str, tuple[np.ndarray, np.ndarray, Mapping]] = field(
        default_factory=dict
    )  # feature -> counts of the recent days, of the reference, binning rule
    off: NotWatched | None = None  # who switched the watch off: nothing is an alarm
    begin: int = 0
    wider: Callable[[int], "Drift"] | None = None
    to_keep: Callable[[], list[KeptState]] = list  # for the mornings to come

    @cached_property
    def shifts(self) -> list[FeatureShift]:
        "How each feature of the recent days differs from its reference, the largest change first."
        shifts = []
        for name, (recent, reference, rule) in self.vectors.items():
            kind = "category" if "categories" in rule else "numeric"
            shifts.append(feature_shift(name, kind, recent, reference))
        return sorted(shifts, key=_change, reverse=True)

    @cached_property
    def alarms(self) -> list[Alarm]:
        "The alarms open on the last morning, gravest first; none where the watch is switched off."
        return [] if self.off else self.found

    @cached_property
    def found(self) -> list[Alarm]:
        "What the evidence says on the last morning, whether somebody wants to be told or not."
        return open_alarms(self._findings)

    @property
    def alarms_of_week(self) -> list[Alarm]:
        "Those that opened on one of the last seven days."
        return [a for a in self.alarms if (self.days[-1] - a.opened_on).days < 7]

    @cached_property
    def moved_with(self) -> list[str]:
        "Features without an alarm of their own that moved together with an input that has one."
        if self.off:
            return []
        since = moved_since(self._findings)
        return moved_with((self if since is None else self.since(since))._findings)

    def since(self, place: int) -> "Drift":
        "The same, with questions that tell of the days from a place on, or from an earlier one."
        return self if place >= self.begin or self.wider is None else self.wider(max(0, place))

    def last(self, days: int) -> tuple[list[date], list[Question]]:
        "Questions that tell of the last days, also of labels, and the days they tell of."
        longest = max((q.lag for q in self.questions), default=0)
        told = self.since(len(self.days) - days - longest)
        return self.days[told.begin :], told.questions

    @property
    def _findings(self):
        told = self.days, self.questions, self.followed, self.muted, self.offset, self.mix_offset
        return Findings(*told, self.begin)

    @property
    def severity(self) -> str:
        """The gravest open alarm's that is not muted.

        none without any; unknown when nothing but volume and latency can be watched, or when
        the watch is switched off.
        """
        if self.off:
            return "unknown"
        heard = [a for a in self.alarms if not a.muted]
        if heard:
            return heard[0].severity
        about_the_world = (i for i, q in enumerate(self.questions) if q.about != "volume")
        return "none" if any(not self._too_little(i) for i in about_the_world) else "unknown"

    @cached_property
    def unwatched(self) -> dict[str, str]:
        "Streams that cannot be watched on the last morning, each with the reason."
        names = [q.stream.name for q in self.questions]
        little = {name: why for i, name in enumerate(names) if (why := self._too_little(i))}
        return not_asked(self.questions, self.situation) | little

    @property
    def watched(self) -> list[Question]:
        "The questions that can be answered."
        return [q for q in self.questions if q.stream.name not in self.unwatched]

    def _too_little(self, i):
        "Why a question cannot be answered; what raised an alarm can."
        if self.followed.open[-1, i]:
            return ""
        bar = self.followed.bar[i]
        return too_little(self.questions[i], bar, sequential.HORIZON, self.situation)

    @cached_property
    def independence(self) -> Independence:
        """Whether days are independent, on which the promised level rests.

        Of the reference's days and all later ones but those of an alarm: violated, unknown (it
        cannot be checked yet), or holds as far as could be seen.
        """
        apart = {q.stream.name: q.apart for q in self.questions if q.apart is not None}
        return independence(apart, self._disturbed())

    def _disturbed(self):
        "For each stream the days (days,) of its alarms, from when the change most likely began."
        disturbed = {}
        for i, question in enumerate(self.questions):
            mornings = self.followed.open[:, i].copy()
            for first in np.flatnonzero(np.diff(mornings, prepend=False) & mornings):
                mornings[max(0, self.followed.since[first, i]) : first] = True
            apart, lag = question.apart, question.lag
            if apart is not None:  # a day is looked at `lag` mornings later
                later = mornings[lag:][: len(apart.since)]
                disturbed[question.stream.name] = np.pad(later, (0, len(apart.since) - len(later)))
        return disturbed

    @property
    def autocorrelated(self) -> list[str]:
        "Streams whose days are not independent of the day before."
        return list(self.independence.resembling)

    @property
    def caveats(self) -> list[str]:
        "Why the promised level cannot be claimed; empty where nothing is known against it."
        caveats = []
        if self.independence.state == "violated":
            caveats.append(
                f"the days of {', '.join(self.autocorrelated)} resemble the day before, "
                "so days are not independent"
            )
        rests_on = {q.stream.name: q.rests_on for q in self.questions if q.rests_on is not None}
        short = [name for name, days in rests_on.items() if days < ENOUGH_DAYS]
        if short:
            caveats.append(
                f"{', '.join(short)} rest on {min(rests_on.values())} reference days, "
                f"too few to know how much days differ ({ENOUGH_DAYS} are enough)"
            )
        return caveats


def _change(shift):
    return max(0.0 if isnan(shift.effect) else shift.effect, shift.missing[0] - shift.missing[1])


def _no_calendar():
    return pd.DataFrame({"first": [], "last": [], "mutes": np.array([], dtype=bool), "name": []})


@dataclass(frozen=True, eq=False)
class Observed:
    """What was counted of one version: scores and labels by day, features by day, their references,
    latency, and what the calendar says."""

    counts: Mapping[date, ScoreCounts]
    # held-out days, or those that were chosen; empty for a version trained elsewhere without any
    reference: Mapping[date, ScoreCounts]
    feature_days: list[date] = field(default_factory=list)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)  # (days, places)
    reference_days: list[date] = field(default_factory=list)
    reference_features: Mapping[str, np.ndarray] = field(default_factory=dict)  # (days, places)
    bins: Mapping[str, Mapping] = field(default_factory=dict)
    latency: Mapping[date, float] = field(default_factory=dict)  # mean milliseconds
    calendar: pd.DataFrame = field(default_factory=_no_calendar)
    # feature -> day -> values that were delivered and could not be read; they are missing, too
    unreadable: Mapping[str, Mapping[date, int]] = field(default_factory=dict)
    chosen: tuple[date, date] | None = None  # days of the log that a person made the reference
    since: date | None = None  # the first day that was read; None: of whatever day there is

    @cached_property
    def holidays(self) -> frozenset[date]:
        "Days that the calendar calls holidays, of whichever tenant."
        return holidays_in(self.calendar)

    @property
    def compared(self) -> list[str]:
        "Features that were counted and have a reference."
        return [f for f in self.bins if f in self.features and f in self.reference_features]


def count_rows(
    rows: pd.DataFrame,
    points,
    bins: Mapping[str, Mapping],
    reference: pd.DataFrame,
    held_out: Mapping[date, ScoreCounts],
    grid: Grid = Grid(),
) -> Observed:
    """What daily runs would have counted, from a table in memory. For trying things out.

    `rows` with `day`, `label` (NaN where unknown) and the features of `bins`, their points, the
    counted `reference` (event_date, feature, bin, n) and the held-out days.
    """
    label, points = rows.label.to_numpy(), np.asarray(points)
    counts = {
        day: ScoreCounts.from_events(points[at], label[at], grid)
        for day, at in sorted(rows.groupby("day").indices.items())
    }
    now, before = _tables(binned_days(rows, rows.day, bins), bins), _tables(reference, bins)
    return Observed(counts, held_out, *now, *before, bins)


def _tables(counted, bins):
    "Days, and for each feature a table (days, places), of a frame event_date, feature, bin, n."
    days = sorted(counted.event_date.unique())
    place = {d: i for i, d in enumerate(days)}
    tables = {f: np.zeros((len(days), places(rule)), dtype=np.int64) for f, rule in bins.items()}
    for feature, rows in counted.groupby("feature"):
        np.add.at(tables[feature], (rows.event_date.map(place), rows["bin"] + 2), rows.n)
    return days, tables


def observe(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    as_of: datetime | None = None,
    bins: Mapping | None = None,
    reference: Reference | None = None,
    since: date | None = None,
) -> Observed:
    """Read what was counted of a version up to a day, as known at a time.

    `reference` is what the version is held against (None: what it was registered with); `since`:
    the first day that is read.
    """
    reference = reference or Registered(reader, model, version)
    counts = reader.score_counts(model, since, day, version=version, as_of=as_of)
    latency = reader.latency(model, since, day, version=version, as_of=as_of)
    return Observed(
        counts,
        reference.days,
        *reader.feature_counts(model, version, since, day, as_of=as_of),
        *reference.features,
        bins or {},
        {d: h.mean for d, h in latency.items()},
        reader.calendar(model, as_of),
        _by_feature(reader.unreadable_counts(model, version, as_of)),
        reference.span,
        since,
    )


def _by_feature(counted):
    "Feature -> day -> n, of a frame event_date, feature, n."
    return {
        feature: dict(zip(rows.event_date.dt.date, rows.n))
        for feature, rows in counted.groupby("feature")
    }


def drift_of(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    settings: Settings,
    as_of: datetime | None = None,
    card: Mapping | None = None,
    reference: Reference | None = None,
    waits: float | None = None,
) -> Drift:
    """Follow a version by what is stored, as known at a time: on from the evidence that is kept,
    where that is still what following from the first day would come to.

    `card` is the model card, stored when the version was registered; `reference` as in `observe`,
    `waits` as in `follow_version`.
    """
    reference = reference or Registered(reader, model, version)
    waits = settings.label_floor if waits is None else waits
    bins = (card or {}).get("bins") or {}
    asked = _Asked(reader, (model, version), day, as_of, bins, reference, settings, waits)
    calendar = reader.calendar(model, as_of)
    marks = lambda first, last: marks_of(_each(first, last), calendar)
    basis = asked.basis(holidays_in(calendar))
    past = newest_past(reader, model, version, day, basis, marks)
    return (past and asked.follow(basis, past)) or asked.follow(basis, None)


class _Asked(NamedTuple):
    "A version on a day, as known at a time, what it is held against, and when labels are in."

    reader: Reader
    named: tuple[str, str]
    day: date
    as_of: datetime | None
    bins: Mapping
    reference: Reference
    settings: Settings
    waits: float

    def basis(self, holidays: frozenset[date]) -> Basis:
        "What evidence rests on."
        counted = _by_feature(self.reader.unreadable_counts(*self.named, self.as_of))
        unreadable = [f for f, days in counted.items() if min(days) <= self.day]
        rules = self.settings, self.bins, unreadable, self.waits, self.as_of, holidays
        return Basis.of(self.reader, self.reference, *rules)

    def follow(self, basis: Basis, past: Past | None, begin: int | None = None) -> Drift | None:
        "Follow it on from its past, with questions from a place on; None where they are others."
        if past and begin is None:
            begin = max(0, past.days - self._back)
        seen = self._seen(past, begin)
        fit = self.reference.fit if seen.reference else None
        drift = follow_version(seen, self.day, self.settings, fit, self.waits, past, basis)
        return drift and replace(drift, wider=partial(self.follow, basis, past) if past else None)

    @property
    def _back(self):
        "Days before the first that is followed on which its bets and its recent change rest."
        return (0 if isinf(self.waits) else 3 * int(self.waits)) + self.settings.recent_days - 1

    def _seen(self, past, begin):
        "What was counted: from a place on, and on the days that a version is its own reference."
        since = past.first + timedelta(begin) if past else None
        at = self.day, self.as_of, self.bins, self.reference, since
        seen = observe(self.reader, *self.named, *at)
        span = seen.chosen
        if past and not seen.reference:
            span = past.first, past.first + timedelta(past.learned - 1)
        if past is None or span is None:
            return seen
        model, version = self.named
        own = self.reader.score_counts(model, *span, version=version, as_of=self.as_of)
        return replace(seen, counts=own | dict(seen.counts))


def follow_version(
    seen: Observed,
    day: date,
    settings: Settings,
    fit: VennAbers | None = None,
    waits: float | None = None,
    past: Past | None = None,
    basis: Basis | None = None,
) -> Drift | None:
    """Follow a version from its first day to `day`, or on from its `past`; None where other
    questions were asked then.

    Days of labels count when they are `waits` days old (None: as old as is set; infinite: they are
    never known to be in, and nothing is asked about labels). References: the days of training for
    features, the held-out days for the score and the labels; for a version trained elsewhere its
    own first 28 days with events, and no features. They never move by themselves: only where days
    were `chosen` by a person these are the reference, and nothing before their end is watched.
    `fit` is `reference_fit` of the reference, where it has been made already. `basis`: what the
    evidence rests on, where it is to be kept.
    """
    waits = settings.label_floor if waits is None else waits
    span = _span(seen, day, past)
    marks = marks_of(span.days, seen.calendar)
    muted = marks & MUTED > 0
    tables = _on_days(seen, span.days[span.begin :])
    labelled = _labelled_reference(seen, span, waits)
    fit = fit or reference_fit(labelled)
    questions = _questions(seen, span, tables, _Labels(labelled, fit, waits), settings)
    for q in questions:
        _count_for_nothing(q, muted[span.begin :], span)
    if past and past.asked != _asked(questions):
        return None
    calibration = next((q for q in questions if q.stream.name == "calibration"), None)
    followed, questions, to_keep = _evidence(questions, span, marks, settings, past, basis, waits)
    return Drift(
        span.days,
        questions,
        followed,
        muted,
        seen.calendar,
        label_offset(calibration),
        Figure(nan)
        if isinf(waits)
        else mix_offset(
            without_events(span.counts, seen.holidays), labelled, settings.recent_days, waits, fit
        ),
        settings.drift_level,
        _situation(seen, span, labelled, waits, settings.recent_days),
        _vectors(seen, tables, span.days, settings.recent_days),
        begin=span.begin,
        to_keep=to_keep,
    )


def _asked(questions):
    "Which streams these are."
    return repr([(q.stream.name, q.stream.bets.shape[1], q.stream.weight) for q in questions])


def _evidence(questions, span, marks, settings, past, basis, waits):
    """What was said on every morning, the questions with how far all days lie from the usual, and
    what is to be kept of it."""
    place = past.days if past else 0
    since = sequential.follow(
        [q.stream.days(place - span.begin) for q in questions],
        settings.drift_level,
        hold=settings.recent_days,
        muted=marks[place:] & MUTED > 0,
        known=past.standing if past else None,
        keep=EVERY,
    )
    before = past.said if past else None
    evidence, is_open, began = (
        table if before is None else np.concatenate([getattr(before, name), table])
        for name, table in (
            ("evidence", since.evidence),
            ("open", since.open),
            ("since", since.since),
        )
    )
    questions = [_of_all_days(q, i, span, past) for i, q in enumerate(questions)]
    followed = replace(since, evidence=evidence, open=is_open, since=began)

    def to_keep():
        if basis is None or (past and len(span.days) % EVERY):
            return []
        settled = len(span.days) - (28 if isinf(waits) else 3 * int(waits))
        kept = [s for s in since.standings[:-1] if s.days <= settled and _known(span, s.days)]
        said = _said(questions, span, followed)
        return states(past, span.days[0], said, kept, _asked(questions), marks, basis)

    return followed, questions, to_keep


def _known(span, days):
    "Whether first day and reference are what they will be, after some days."
    return days >= span.learned and np.count_nonzero(span.events[:days]) >= ENOUGH_DAYS


def _of_all_days(question, i, span, past):
    "A question with how far all its days lie from the usual."
    apart = question.apart
    if not span.begin:
        return question
    since = np.concatenate([past.said.apart[: span.begin, i], apart.since])
    groups = np.concatenate([past.said.groups[: span.begin, i], apart.groups])
    return replace(question, apart=Residuals(apart.before, since, groups))


def _said(questions, span, followed):
    "What was counted and said of every day."
    shape = len(span.days), len(questions)
    apart, groups = np.full(shape, nan), np.zeros(shape, dtype=int)
    for i, q in enumerate(questions):
        known = len(q.apart.since)
        apart[:known, i], groups[:known, i] = q.apart.since, q.apart.groups
    counted = span.events, span.labelled, span.latency
    return Said.of(counted, followed.evidence, apart, (followed.open, followed.since, groups))


def _situation(seen, span, labelled, waits, recent):
    "What decides whether a stream can be watched."
    lately = [int(n) for n in span.events[-recent:]]
    return Situation(
        reference_days=sum(c.total[0] > 0 for c in span.reference.values()),
        labelled_days=sum(c.total[1] > 0 for c in labelled.values()),
        learning=not seen.reference and span.learned == len(span.days),
        own_day=seen.chosen is not None and span.learned == len(span.days),
        waits=waits,
        probabilities=all(c.grid.kind == "logit" for c in span.counts.values()),
        bins=seen.bins,
        latest=sum(lately) / len(lately),
        festive=np.array([day in seen.holidays for day in span.days], dtype=bool),
        recent=recent,
    )


class _Span(NamedTuple):
    "The days that a version is followed over, and what they are compared with."

    days: list[date]
    begin: int  # place of the first day that questions tell of
    counts: dict[date, ScoreCounts]  # of every day from there on, with events or not
    events: np.ndarray  # (days,)
    labelled: np.ndarray  # (days,)
    latency: np.ndarray  # (days,) mean, NaN where unknown
    reference: Mapping[date, ScoreCounts]
    learned: int  # days from the first that the reference was learned from


def _span(seen, day, past):
    if past:
        first = past.first
    elif seen.chosen:
        first = seen.chosen[0]
    else:
        first = _beginning([d for d, c in seen.counts.items() if c.total[0]], day)
    first = min(first, day)  # days that are chosen later say nothing of this one
    days = _each(first, day)
    begin = (seen.since - first).days if past else 0
    grids = [c.grid for c in seen.counts.values()]
    empty = ScoreCounts.empty(grids[0]) if grids else ScoreCounts.empty()
    counts = {d: seen.counts.get(d, empty) for d in days[begin:]}  # a day without events is a day
    totals = [c.total for c in counts.values()]
    latency = [seen.latency.get(d, nan) for d in counts]
    columns = [t[0] for t in totals], [t[1] for t in totals], latency
    before = past.said.counted[:, :begin] if past else np.zeros((3, 0))
    known = [np.concatenate([b, np.array(c, dtype=float)]) for b, c in zip(before, columns)]
    if seen.reference:
        learned = (seen.chosen[1] - first).days + 1 if seen.chosen else 0
        return _Span(days, begin, counts, *known, seen.reference, min(learned, len(days)))
    with_events = np.flatnonzero(known[0])
    enough = len(with_events) >= ENOUGH_DAYS
    learned = int(with_events[ENOUGH_DAYS - 1]) + 1 if enough else len(days)
    own = {days[i]: seen.counts[days[i]] for i in with_events if i < learned}
    return _Span(days, begin, counts, *known, own, learned)


def _each(first, last):
    "Every day from one to another."
    return [first + timedelta(i) for i in range((last - first).days + 1)]


def _beginning(days, last):
    """The first day of the first stretch without a long silence that is enough for a reference.

    One row with a date of long ago must not be the beginning; what a version was held against
    before a silence, it is held against afterwards. Where no stretch is enough, the last.
    """
    days = sorted(days) or [last]
    breaks = [i for i in range(1, len(days)) if (days[i] - days[i - 1]).days > SILENCE_DAYS]
    starts, ends = [0, *breaks], [*breaks, len(days)]
    enough = (i for i, end in zip(starts, ends) if end - i >= ENOUGH_DAYS)
    return days[next(enough, starts[-1])]


def _on_days(seen, days):
    "The tables of features with a row for each of the days."
    row = {d: i for i, d in enumerate(seen.feature_days)}
    none = lambda table: np.zeros(table.shape[1], dtype=np.int64)
    return {
        feature: np.array([table[row[d]] if d in row else none(table) for d in days])
        for feature, table in seen.features.items()
    }


def _older_than(span, days):
    "Counts of the days that are at least so old on the last."
    return dict(list(span.counts.items())[: max(0, len(span.counts) - days)])


class _Labels(NamedTuple):
    "What is asked about labels."

    reference: Mapping[date, ScoreCounts]
    fit: VennAbers | None
    waits: float  # days after which they are in


def _labelled_reference(seen, span, waits):
    "The reference's days with labels; of a version trained elsewhere, those that are complete."
    known = span.reference
    if span.learned:
        last = -1 if isinf(waits) else len(span.days) - 1 - int(waits)
        first = span.days[0]
        old = (d for d in sorted(span.reference) if 0 <= (d - first).days <= last)
        known = {d: seen.counts[d] for d in old if d in seen.counts}
    return {d: c for d, c in known.items() if c.total[1]}


def _questions(seen, span, tables, labels, settings):
    "All questions to a version, in the order in which people read them."
    tolerance, recent, days = settings.drift_tolerance, settings.recent_days, list(span.counts)
    inputs = SHARES["inputs"] / (1 + len(seen.compared))
    ranked = {"volume": span.events, "latency": span.latency}
    unreadable = {
        feature: np.array([n.get(d, 0) for d in days])
        for feature, n in seen.unreadable.items()
        if any(span.days[0] <= d <= span.days[-1] and n[d] for d in n)
    }
    asked = [
        score_question(span.counts, span.reference, tolerance, recent, inputs, seen.holidays),
        *feature_questions(
            days,
            tables,
            seen.reference_days,
            seen.reference_features,
            seen.bins,
            tolerance,
            recent,
            inputs,
            unreadable,
            seen.holidays,
        ),
        *_about_labels(span, labels, settings, seen.holidays),
        *(
            ranked_question(
                name,
                span.days,
                values,
                lots(name, days),
                SHARES[name],
                recent,
                span.begin,
                seen.holidays,
            )
            for name, values in ranked.items()
        ),
    ]
    return [q for q in asked if q is not None]


def _about_labels(span, labels, settings, holidays):
    "Questions about labels, asked when the labels of their days are complete."
    tolerance, recent, mornings = settings.drift_tolerance, settings.recent_days, len(span.counts)
    labelled, fit, lag = labels
    if isinf(lag):
        return []
    known = _older_than(span, lag)
    late = [
        calibration_question(
            without_events(known, holidays),
            without_events(labelled, holidays),
            settings.calibration_tolerance,
            recent,
            SHARES["calibration"],
            fit,
        ),
        positive_question(known, labelled, tolerance, recent, SHARES["positive rate"], holidays),
        loss_question(known, labelled, tolerance, recent, SHARES["loss"], holidays),
    ]
    # labels that trickle in later must not look like fewer labels
    long_known = slice(max(0, len(span.days) - 3 * lag))
    share = labelled_question(
        *(column[long_known] for column in (span.days, span.labelled, span.events)),
        tolerance,
        recent,
        SHARES["share labelled"],
        begin=span.begin,
        holidays=holidays,
    )
    return [*(later(q, lag, mornings) for q in late), later(share, 3 * lag, mornings)]


def _count_for_nothing(question, muted, span):
    "No bets on days that the calendar mutes, nor on days that the reference was learned from."
    bets, lag = question.stream.bets, question.lag
    events = muted[: max(0, len(bets) - lag)]  # a bet stands `lag` mornings after its day
    bets[lag:][events] = 0
    counted = question.apart.since
    counted[muted[: len(counted)]] = nan
    if span.learned and question.about != "volume":
        bets[: max(0, span.learned + lag - span.begin)] = 0
        counted[: max(0, span.learned - span.begin)] = nan


def lots(name: str, days: list[date]) -> np.ndarray:
    "A lot in [0, 1] for each day, the same whenever it is drawn, to break ties of a ranked stream."
    return np.array([np.random.default_rng([d.toordinal(), len(name)]).random() for d in days])


def _vectors(seen, tables, days, recent):
    "feature -> counts of the recent days, of the reference, and its binning rule; no holidays."
    vectors = {}
    before = [day not in seen.holidays for day in seen.reference_days]
    now = [day not in seen.holidays for day in days[-recent:]]
    for feature in seen.compared:
        rule = seen.bins[feature]
        recent_days, reference = (
            padded(table[ordinary], places(rule)).sum(axis=0)
            for table, ordinary in (
                (tables[feature][-recent:], now),
                (seen.reference_features[feature], before),
            )
        )
        vectors[feature] = (recent_days, reference, rule)
    return vectors
