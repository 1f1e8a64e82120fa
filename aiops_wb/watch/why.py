"""Why a figure of a model is not what it was: against the days before, others, or its reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import inf, isnan, nan
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from ..log.count_rows import By, CountRows
from ..stats.bridge import Bridge, bridge
from ..stats.performance import Figure
from ..stats.sides import Side, shared_out, side_of
from .model_day import ModelDay

__all__ = ["WITHOUT_LABELS", "Answer", "Explanations", "Span", "in_words"]

Span = tuple[date, date]
"The first and the last of some days."

WITHOUT_LABELS = ("alerts", "tickets")
"Figures that need no label: their newest days are the newest of all."
_OF_TICKETS = ("tickets", "false_tickets")
_ALL = "all"


@dataclass(frozen=True)
class Answer:
    "The account of a change, of which days against what, and what has to be known beside it."

    bridge: Bridge
    after: Span | None
    before: Span | None
    against: str
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict:
        "As plain values, parts in the unit of the figure itself; None where something is unknown."
        found = self.bridge
        known = lambda x: None if isnan(x) else x
        sized = lambda f: {n: known(getattr(f, n)) for n in ("value", "lower", "upper")}
        return {
            "figure": found.figure,
            "after": {"days": self.after, "value": known(found.after)},
            "before": {"days": self.before, "value": known(found.before), "name": self.against},
            "change": sized(found.change),
            "parts": [
                {"factor": p.factor, **sized(p.change), "because": p.because, "where": p.where}
                for p in found.parts
            ],
            "says": found.says(),
            "unknown": found.unknown or None,
            "notes": list(self.notes),
        }


class Explanations:
    """Accounts of the figures of a model up to a day, whatever versions scored.

    A side is judged by the thresholds that stood on its last day, tickets by what each day was
    decided with. `miss_cost`: what a missed positive costs, in reviews, where cost is asked for.
    """

    def __init__(self, of: ModelDay):
        self._of, self._kept = of, []

    def newest(self, figure: str) -> Span | None:
        "The newest days that say something of a figure: whose labels are in, where it needs them."
        of = self._of
        last = of.day if figure in WITHOUT_LABELS else of.complete_days.newest
        return last and (last - timedelta(of.settings.recent_days - 1), last)

    def against_before(
        self,
        figure: str,
        after: Span | None = None,
        by: By = "site",
        miss_cost: float | None = None,
    ) -> Answer:
        "Days (the newest, unless named) against as many right before them."
        after = after or self.newest(figure)
        if after is None:
            return self._no_labels(figure, "the days before")
        length = after[1] - after[0] + timedelta(1)
        if length > after[0] - date.min:
            why = "there are no events on the days before"
            return Answer(_unknown(figure, why), after, None, "the days before")
        before = after[0] - length, after[1] - length
        self._read((before[0], after[1]), by, self._of.as_of)  # both at once
        return self.against_days(figure, after, before, by, miss_cost=miss_cost)

    def against_days(
        self,
        figure: str,
        after: Span,
        before: Span,
        by: By = "site",
        then: datetime | None = None,
        miss_cost: float | None = None,
    ) -> Answer:
        """Days against others, or the same days against what was known of them.

        `then`: the days before are taken as they were known at that time, and labels that came
        later are a part of the change.
        """
        of = self._of
        sides = [self._side(before, by, then or of.as_of), self._side(after, by, of.as_of)]
        sides += [self._side(before, by, of.as_of)] if then else []
        thresholds = [
            self._thresholds(figure, s.whole, span)
            for s, span in zip(sides, (before, after, before))
        ]
        told = self._told(figure, sides, thresholds, miss_cost)
        return Answer(
            told, after, before, in_words(before), tuple(self._notes(figure, (before, after)))
        )

    def against_reference(
        self,
        figure: str,
        after: Span | None = None,
        by: By = "site",
        miss_cost: float | None = None,
    ) -> Answer:
        "Days (the newest, unless named) against those that the version of the day is held against."
        of, after = self._of, after or self.newest(figure)
        name, span = of.reference.name, of.reference.span
        if after is None:
            return self._no_labels(figure, name)
        if not of.reference.days:
            why = "there are no days that the version is held against"
        elif span and after[0] <= span[1]:
            why = f"these days are among the {name}, or lie before them"
        elif not span and (figure in WITHOUT_LABELS or figure in (*_OF_TICKETS, "cost")):
            why = f"of the {name} labelled events alone are kept"
        else:
            told = self._of_reference(figure, after, span, by, miss_cost)
            return Answer(told, after, span, name, tuple(self._notes(figure, (after,))))
        return Answer(_unknown(figure, why), after, span, name)

    def _of_reference(self, figure, after, span, by, miss_cost):
        of = self._of
        if span is None:  # days of a training are kept without segments
            newer, trained = self._side(after, "", of.as_of), of.registered.card.get("threshold")
            at = int(of.threshold if trained is None else trained)
            tables = {(day, _ALL, of.version): counts for day, counts in of.reference.days.items()}
            older, stood = _Counted(side_of(tables, at), side_of({}, {})), {of.version: at}
        else:
            newer = self._side(after, by, of.as_of)
            older = self._side(span, by, of.as_of, of.version)
            stood = self._thresholds(figure, older.whole, span)
            stood |= {} if figure in _OF_TICKETS else {of.version: of.threshold}
        thresholds = [stood, self._thresholds(figure, newer.whole, after)]
        return self._told(figure, [older, newer], thresholds, miss_cost)

    def _told(self, figure, sides, thresholds, miss_cost):
        cuts = {}
        for at in thresholds:
            for version, points in at.items():
                known = np.atleast_1d(np.asarray(points, dtype=np.float64))
                cuts.setdefault(version, []).extend(known[np.isfinite(known)].tolist())
        parted = all(len(s.parts.points) for s in sides)
        losses = figure == "brier"
        made = [s.made(at, cuts, parted, losses) for s, at in zip(sides, thresholds)]
        try:
            return bridge(
                *made[:2], figure, settled=made[2] if made[2:] else None, miss_cost=miss_cost
            )
        except ValueError as error:
            if miss_cost is None and figure == "cost":
                raise
            return _unknown(figure, str(error).rstrip("."))

    def _side(self, span, by, as_of, version=None):
        "Counts of days of the log (of one version); days before its first one are none."
        of, read = self._of, self._read(span, by, as_of)
        whole, sites = (rows.between(*read.places(span), version) for rows in read.rows)
        skipped = 0
        if (whole.day > 0).all():  # no event on the first day
            known = min(of.reader.days(of.model, as_of), default=span[0])
            skipped = min(max((known - span[0]).days, 0), (span[1] - span[0]).days)
        first = span[0] + timedelta(skipped)
        days = [first + timedelta(k) for k in range((span[1] - first).days + 1)]
        parts = _as_side(days, sites, skipped) if by == "site" else side_of({}, {})
        return _Counted(_as_side(days, whole, skipped), parts)

    def _read(self, span, by, as_of):
        "What was read already and covers some days, or is read now."
        enough = (by, "site") if by == "" else (by,)
        for read in self._kept:
            if (
                read.by in enough
                and read.as_of == as_of
                and read.first <= span[0] <= span[1] <= read.last
            ):
                return read
        rows = self._of.reader.count_rows(self._of.model, *span, by, as_of)
        self._kept.append(_Read(*span, by, as_of, rows))
        return self._kept[-1]

    def _thresholds(self, figure, side, span):
        "Version -> points from which on an event of a side is an alert, or a ticket on each day."
        stood = {v: self._threshold(v, span[1]) for v in side.versions}
        if figure not in _OF_TICKETS:
            return stood
        of, by_day = self._of, {}
        for version, floor in stood.items():
            used = of.reader.decided_with(of.model, version, side.days, of.as_of)
            rules = of.reader.calibrations(set(used.values()))
            from_ = (
                rules[used[d]].rule.threshold if used.get(d) in rules else None for d in side.days
            )
            by_day[version] = np.array([inf if at is None else max(at, floor) for at in from_])
        return by_day

    def _threshold(self, version, day):
        """The threshold (points) of a version at the end of a day: as recorded, else as its
        predictions carry it, else as recorded later, else where the cuts begin."""
        of, reader, named = self._of, self._of.reader, (self._of.model, version)
        end = datetime.combine(day + timedelta(1), time(), ZoneInfo(reader.timezone))
        recorded = reader.threshold(*named, end if of.as_of is None else min(end, of.as_of))
        if recorded is not None:
            return recorded
        logged = [
            at
            for d, at in reader.logged_thresholds(*named, of.as_of)
            if d <= day and at is not None
        ]
        if logged:
            return int(logged[-1])
        later = reader.threshold(*named, of.as_of)
        usual = of.dial.ladder(None, of.grid, of.settings.risk_cuts)
        return later if later is not None else usual.high if usual else 0

    def _no_labels(self, figure, against):
        return Answer(_unknown(figure, self._of.complete_days.why_none), None, None, against)

    def _notes(self, figure, spans):
        "What has to be known beside an account."
        of, complete = self._of, self._of.complete_days
        if figure not in WITHOUT_LABELS and any(
            not complete.newest or s[1] > complete.newest for s in spans
        ):
            until = f" of days after {complete.newest}" if complete.newest else ""
            yield (
                f"labels{until} are not known to be in: what is missing cannot be told from "
                "calibration"
            )
        if own := len(of.reader.own_thresholds(of.model, of.version, of.stood_at)):
            yield (
                f"events are judged by the threshold of the version; {own} tenants or sites have "
                "their own"
            )


class _Read(NamedTuple):
    "Rows that were read of some days: of all events or of tenants, and of sites."

    first: date
    last: date
    by: By
    as_of: datetime | None
    rows: tuple[CountRows, CountRows]

    def places(self, span: Span) -> tuple[int, int]:
        "The first and the last of some of its days as numbers."
        return (span[0] - self.first).days, (span[1] - self.first).days


class _Counted(NamedTuple):
    "Days as counted: all events, and those of sites on their coarser grid."

    whole: Side
    parts: Side

    def made(self, threshold, cuts, parted, losses) -> Side:
        "The side by segments (`parted`), or as a whole."
        whole = _with(self.whole, threshold)
        if not parted:
            return whole
        return shared_out(whole, _with(self.parts, threshold), cuts, losses=losses)


def _as_side(days: Sequence[date], rows: CountRows, skipped: int) -> Side:
    places = rows.day - skipped, rows.name, rows.version, rows.points, rows.counts
    names = [name or _ALL for name in rows.names]
    return Side(days, names, rows.versions, *places, dict.fromkeys(rows.versions, 0), rows.grid)


def _with(side, threshold):
    columns = {name: getattr(side, name) for name in Side.__dataclass_fields__}
    return Side(**columns | {"threshold": threshold})


def _unknown(figure, why):
    return Bridge(figure, nan, nan, Figure(nan), unknown=why)


def in_words(span: Span) -> str:
    "Some days, such as '10 Jun to 16 Jun 2013'."
    year = "" if span[0].year == span[1].year else f" {span[0].year}"
    return f"{span[0]:%-d %b}{year} to {span[1]:%-d %b %Y}"
