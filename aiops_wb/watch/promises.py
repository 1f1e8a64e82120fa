"""The ledger of promises: issued as they are shown, scored when their labels are in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from math import isinf, isnan, nan
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.dial import USUAL, subject_of
from ..log.promises import Look, Promise, Unit
from ..log.store import Store
from ..models.complete import CompleteDays, complete_days, label_rules
from ..stats.conformal import in_percent
from ..stats.evidence import ALPHA
from ..stats.promises import KINDS, Due, Kept, Observed, came_due, kept, observed

__all__ = ["Ledger", "keep_ledger", "ledger"]

A_YEAR = timedelta(364)
BY_ITSELF = "better in shadow: "
"How the reason of a promotion begins that no person made."


def keep_ledger(store: Store, model: str, now: datetime, settings: Settings) -> int:
    """Issue what is promised for a year, and score every unit whose labels are in, or of which
    something became known since; returns how many units were written."""
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    _issue_yearly(store, model, today, now, settings)
    if _looked_already(store, model, today):
        return 0
    issued = store.promises(model)
    complete = complete_days(store, model, now, **label_rules(settings))
    scoring = _Scoring(store, model, today - timedelta(1), complete, issued)
    units = list(scoring.units())
    store.add_promise_units(now, model, units, scoring.looked_through)
    return len(units)


def _looked_already(store, model, today):
    "Whether this day's morning has looked, and nothing came or was promised since."
    look = store.last_look(model)
    same_day = look.at.astimezone(ZoneInfo(store.timezone)).date() == today
    return (
        same_day and look.batch == store.known_batch() and not store.promised_since(model, look.at)
    )


def _issue_yearly(store, model, today, now, settings):
    "What is promised about a year, once in each."
    level = settings.drift_level
    sure = in_percent(1 - level)
    told = [("alarms", level, f"no false alarm in a year with {sure} confidence")]
    if store.challengers(model):
        says = f"no version that is no better is promoted in a year with {1 - ALPHA:.0%} confidence"
        told.append(("promotions", ALPHA, says))
    for kind, level, says in told:
        new = Promise(model, "", kind, 0.0, 1 - level, "year", today, says)
        standing = store.standing_promise(new)
        if standing is not None:
            before = standing[1]
            same = (before.target, before.confidence) == (new.target, new.confidence)
            if same and today <= before.starts + A_YEAR:
                continue
        store.issue_promise(now, new._replace(evidence=f"the year from {today}"))


class _Span(NamedTuple):
    "A promise, and the days on which it stood."

    row: object  # of `Reader.promises`
    first: date
    last: date  # or that of the log


class _Scoring:
    "Which units of a model's promises came due, or changed, and how they ended."

    def __init__(
        self, store: Store, model: str, last: date, complete: CompleteDays, issued: pd.DataFrame
    ):
        self.store, self.model, self.last, self.complete = store, model, last, complete
        self.issued = list(issued.itertuples())
        self.daily = any(row.unit != "year" for row in self.issued)
        self.look = self._since(store.last_look(model)) if self.daily else Look()
        self.days = store.changed_days(model, self.look, last) if self.daily else {}

    @cached_property
    def known(self) -> Mapping[tuple[str, date], int]:
        "The batch by which each unit was last scored."
        written = self.store.promise_units(self.model)
        return {(row.promise_id, row.first.date()): row.known_batch for row in written.itertuples()}

    def _since(self, look):
        "The last look, but for days that it did not know to be promised."
        new = [row.starts.date() for row in self.issued if row.issued_at > look.at]
        before = min(new, default=date.max) - timedelta(1)
        return look._replace(through=min(look.through, before))

    def units(self) -> Iterator[Unit]:
        "All of them."
        yield from self._tickets()
        for span in self._spans():
            if span.row.kind in ("fpr", "fdr", "alerts"):
                yield from self._of_threshold(span)
            elif span.row.unit == "year" and span.first + A_YEAR <= span.last:
                yield from self._of_year(span)

    def _spans(self):
        "Each promise that promises something, until the next about the same."
        ends = {}
        for row in reversed(self.issued):
            subject = (row.version, row.kind, row.tenant, row.segment)
            first, until = row.starts.date(), ends.get(subject, date.max)
            if not pd.isna(row.target) and first < until and row.kind != "tickets":
                yield _Span(row, first, min(until - timedelta(1), self.last))
            ends[subject] = min(first, until)

    # tickets ------------------------------------------------------------------------------------

    @property
    def looked_through(self) -> date | None:
        "The day up to which days are looked at; None where nothing asks for it, or none is known."
        return self.complete.newest if self.daily else None

    @property
    def _ticket_promises(self) -> Mapping[str, object]:
        return {row.evidence: row for row in self.issued if row.kind == "tickets"}

    def _tickets(self):
        "Days that were decided with a calibration that promises something about its tickets."
        promised = self._ticket_promises
        newest = self.complete.newest if promised else None
        if newest is None:
            return
        fresh = [
            (day, version)
            for (day, version), changed in self.days.items()
            if day <= newest and (day > self.look.through or changed > self.look.batch)
        ]
        for version in sorted({version for _, version in fresh}):
            days = [day for day, of in fresh if of == version]
            keys = self.store.decided_with(self.model, version, days)
            for day in sorted(keys):
                row = promised.get(keys[day])
                if row is not None and row.starts.date() <= day:
                    yield self._tickets_of(row, day)

    def _tickets_of(self, row, day):
        by_day = self.store.ticket_outcomes(self.model, row.version, day, day)
        tickets, labelled, false = by_day.get(day, (0, 0, 0))
        owed = self.complete.owed(day) * (tickets - labelled)
        seen = Observed(labelled + owed, false + owed)
        nothing = "no ticket has a label that counts" if tickets else "no ticket was opened"
        return _unit(row, came_due(day, 1, row.target, None, seen), seen, nothing)

    # thresholds ---------------------------------------------------------------------------------

    def _of_threshold(self, span):
        row, newest = span.row, self.last if span.row.kind == "alerts" else self.complete.newest
        if newest is None:
            return
        confidence = None if pd.isna(row.confidence) else row.confidence
        for days in _periods(row.unit, span.first, min(span.last, newest)):
            batches = [b for day in days if (b := self.days.get((day, row.version)))]
            known = self.known.get((row.promise_id, days[0]), 0)
            if batches and max(batches) > known and self._in_force(row, days):
                seen = self._observed(row, days)
                due = came_due(days[0], len(days), row.target, confidence, seen)
                yield _unit(row, due, seen, f"no {_TRIED[row.kind]} has a label that counts")

    def _observed(self, row, days):
        "What was counted; of a segment a cell that the threshold lies in counts as above it."
        threshold = int(row.threshold)
        if row.segment:
            threshold = threshold // 20 * 20
        at = {"version": row.version, "tenant": row.tenant or None, "segment": row.segment}
        counts = self.store.score_counts(self.model, days[0], days[-1], **at)
        owed = [self.complete.owed(day) for day in counts] if row.kind != "alerts" else ()
        return observed(row.kind, list(counts.values()), threshold, owed)

    def _in_force(self, row, days):
        "Whether the threshold that a promise is about was in force all the time, for all events."
        zone = ZoneInfo(self.store.timezone)
        begin, end = (
            datetime.combine(day, time(), zone) for day in (days[0], days[-1] + timedelta(1))
        )
        scope = (row.tenant, row.segment.removeprefix("site=") or None) if row.tenant else None
        subject = subject_of(self.model, row.version, scope)
        changes = self.store.changed_at([("threshold", of) for of in (subject, *self._own(row))])
        stood = self.store.in_force("threshold", subject, begin)
        unchanged = not any(begin < at < end for at in changes)
        if not row.tenant and self.store.own_thresholds(self.model, row.version, begin):
            return False
        return unchanged and stood in (None, str(int(row.threshold))) and stood != USUAL

    def _own(self, row):
        "What the trail calls thresholds of some of the events that a promise is about."
        scopes = [] if row.tenant else self.store.threshold_scopes(self.model, row.version)
        return [subject_of(self.model, row.version, scope) for scope in scopes]

    # years --------------------------------------------------------------------------------------

    def _of_year(self, span):
        row, first = span.row, span.first
        if (row.promise_id, first) in self.known:
            return
        found, broken, why = _YEARLY[row.kind](self.store, self.model, first, first + A_YEAR)
        lost = 1.0 if broken else nan if found else 0.0
        due = Due(first, A_YEAR.days + 1, 1 - row.confidence, lost)
        yield _unit(row, due, Observed(1.0, float(found)), why)


_TRIED = {"fpr": "negative", "fdr": "alert", "alerts": "event"}


def _periods(unit: str, first: date, last: date) -> Iterator[Sequence[date]]:
    "Days, or whole weeks from Monday on, between two days."
    if unit == "day":
        yield from ([first + timedelta(k)] for k in range((last - first).days + 1))
        return
    monday = first + timedelta(-first.weekday() % 7)
    while monday + timedelta(6) <= last:
        yield [monday + timedelta(k) for k in range(7)]
        monday += timedelta(7)


def _unit(row, due: Due, seen: Observed, nothing: str) -> Unit:
    "A unit as it is kept."
    last = due.first + timedelta(due.days - 1)
    lost = None if isnan(due.lost) else due.lost
    ended = (due.state, due.allowed, lost, seen.n, seen.bad, nothing if lost is None else None)
    return Unit(row.promise_id, due.first, last, *ended)


def _alarms(store, model, first, last):
    "Alarms of a year; whether one was false nobody says."
    events = store.drift_events(model, first, last)
    opened = events[(events.state == "opened") & ~events.muted.astype(bool)]
    n = opened.event_id.nunique()
    return n, False, f"{n} alarms were raised; which of them were false is not known"


def _promotions(store, model, first, last):
    "Promotions of a year that no person made, and whether labels said that one was a mistake."
    trail = store.audit(model)
    trail = trail[(trail.what == "model") & (trail.changed_at.dt.date >= first)]
    trail = trail[trail.changed_at.dt.date <= last]
    made = trail.why.str.startswith(BY_ITSELF) & trail.who.eq("daily")
    back = trail.evidence.fillna("").str.contains('"guards"', regex=False)
    n = int(made.sum())
    why = f"{n} versions were promoted; whether one of them was no better is not known"
    return n, bool(n and back.any()), why


_YEARLY = {"alarms": _alarms, "promotions": _promotions}


@dataclass(frozen=True, eq=False)
class Ledger:
    "What became of a model's promises, as known at a time."

    model: str
    kinds: Mapping[str, Kept]  # those of which anything was ever promised
    units: pd.DataFrame  # `Reader.promise_units`
    issued: pd.DataFrame  # `Reader.promises`

    @property
    def failures(self) -> pd.DataFrame:
        "Units that were broken, the newest first."
        return self.units[self.units.state == "broken"].iloc[::-1]

    def by_week(self, kind: str) -> list[tuple[date, float]]:
        """Mondays, and how many times what was allowed so far was lost by the end of each week
        (NaN: nothing was judged yet)."""
        units = self.units[self.units.kind == kind]
        if units.empty:
            return []
        monday = units["first"] - pd.to_timedelta(units["first"].dt.day_of_week, unit="D")
        allowed = units.allowed.where(units.lost.notna(), 0.0)
        sums = pd.DataFrame({"lost": units.lost.fillna(0.0), "allowed": allowed}).groupby(monday)
        sums = sums.sum().asfreq("7D", fill_value=0.0).cumsum()
        times = sums.lost / sums.allowed.where(sums.allowed > 0)
        return [(day.date(), value) for day, value in times.items()]

    def says(self, kind: str) -> str:
        "What became of the promises of a kind, in a sentence."
        of = self.kinds[kind]
        if of.due or of.not_judged:
            return of.reason
        since = self.issued[self.issued.kind == kind].issued_at.min()
        what = "its year is not over" if isinf(of.needed) else "its labels have to be in"
        what = "its first day or week has to be over" if kind == "alerts" else what
        return f"{of.reason}: the first was made on {since:%Y-%m-%d}, and {what}"


def ledger(reader: Reader, model: str, as_of: datetime | None = None) -> Ledger:
    "Kept against due by kind of promise, as known at a time (None: now)."
    issued = reader.promises(model, as_of=as_of)
    units = reader.promise_units(model, as_of=as_of)
    promised = set(issued.kind[issued.target.notna()])
    kinds = {
        kind: kept(kind, [_due(row) for row in units[units.kind == kind].itertuples()])
        for kind in KINDS
        if kind in promised
    }
    return Ledger(model, kinds, units, issued)


def _due(row) -> Due:
    mean = pd.isna(row.confidence)
    days = (row.last - row.first).days + 1
    events = max(row.n, 1.0) if mean else 1.0
    return Due(row.first.date(), days, row.allowed, row.lost, events)
