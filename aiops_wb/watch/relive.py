"""A past period lived again under a policy: every morning knows what was known then."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

import numpy as np

from ..config import Settings
from ..log.dial import BEGIN, Dial
from ..log.known_then import Changes, KnownThen, moment_of
from ..models.complete import CompleteDays, label_rules
from ..stats.automation import (
    Asked,
    Certainty,
    Control,
    Grounds,
    PromiseWatch,
    Record,
    TicketRule,
    rule_on,
    standing,
    without_labels,
)
from ..stats.conformal import MIN_SAMPLES, Calibration
from ..stats.counts import ScoreCounts
from .dial import Highs
from .lived import Growing, Rungs
from .mornings import Morning, noon
from .policy import Policy
from .recalibrate import Ripe, learn
from .tuned_life import Tuner, reachable

__all__ = ["Decided", "Given", "Life", "Stands", "live"]

ON_DAYS = ("days", "days-t", "rows", "off")
"Automation that asks for nothing but what lies above thresholds."


@dataclass(frozen=True, eq=False)
class Stands:
    "What a policy decides with from a time on."

    rule: TicketRule
    watch: PromiseWatch
    control: Control | None
    counted: date | None  # the last day whose outcomes the watch and the controller know
    made_at: datetime
    rests_on: tuple = ()  # with the rule, what would have to differ for it to be written anew
    whole: Certainty | None = None  # with intervals and sets, where these were asked for

    def stopped(self, why: str) -> "Stands":
        "The same, automating nothing, where labels are not known to be in."
        whole = self.whole and without_labels(self.whole, why)
        return replace(self, rule=self.rule.stopped(why), rests_on=("nothing",), whole=whole)

    def lasts(self, when: datetime, time_to_live: timedelta) -> bool:
        "Whether it may be used at a time."
        made = Calibration({}, 0, created_at=self.made_at, time_to_live=time_to_live)
        return not made.stale(when)


class Given(NamedTuple):
    "What came to stand by other ways than a morning: at the registration of a version, or by hand."

    at: datetime
    certainty: Callable[["Life"], Certainty]


@dataclass(frozen=True)
class Decided:
    "What a day was decided with under a policy."

    day: date
    threshold: int  # from there on somebody is called
    ticket: int | None  # from there on by a ticket; None: nothing is automated
    rule: TicketRule | None  # None: nothing stood yet
    stood: bool = True  # whether it was young enough to be used


@dataclass(frozen=True, eq=False)
class _Grounds(Grounds):
    "The grounds of a morning, read off counts as they grew until then."

    growing: Growing | None = None
    rows: np.ndarray | None = None  # of the settled days
    whole_record: Record | None = None

    @property
    def labelled(self) -> int:
        return int(self.growing.above[1, self.rows, -1].sum())

    def record(self, floor: int) -> Record:
        return self.whole_record.down_to(floor)


class _Settled(Mapping):
    "Days and their counts, each made when asked."

    def __init__(self, growing, rows):
        self._growing, self._rows = growing, {growing.date_of(row): row for row in rows}

    def __getitem__(self, day):
        return self._growing.counts(self._rows[day])

    def __iter__(self):
        return iter(self._rows)

    def __len__(self):
        return len(self._rows)


class _Today:
    "A morning as all policies find it: which labels are in, and the records that they share."

    def __init__(self, growing: Growing, morning: Morning, complete: CompleteDays):
        self.growing, self.morning, self.complete = growing, morning, complete
        self.newest = complete.newest
        self._kept = {}

    def grounds(self, calibration_days, ticket_days, changed, made) -> _Grounds:
        "What a rule may rest on, of windows that end with the newest complete day."
        asked = calibration_days, ticket_days, changed
        if asked not in self._kept:
            growing, last = self.growing, self.newest
            settled = growing.rows(last - timedelta(calibration_days - 1), last)
            first = last - timedelta(ticket_days - 1)
            first = first if changed is None else max(first, changed + timedelta(1))
            rows = growing.rows(first, last)
            record = growing.record(rows, np.array([self.owed(row) for row in rows], dtype=float))
            days = _Settled(growing, settled)
            self._kept[asked] = _Grounds(days, (), growing.grid, made, growing, settled, record)
        return self._kept[asked]

    def owed(self, row) -> float:
        "The chance that an event of a day without a label still gets one."
        return self.complete.owed(self.growing.date_of(row)) if self.growing.logged[row] else 0.0


class Life:
    "One policy through the mornings of one version."

    def __init__(
        self,
        policy: Policy,
        settings: Settings,
        growing: Growing,
        named: tuple[str, str],
        highs: Highs,
    ):
        self.policy, self.growing, self.named = policy, growing, named
        self.settings = policy.settings(settings)
        self._stood = highs
        self.tuner = Tuner(self.settings, growing, highs) if policy.choose else None
        self.asked: Asked = policy.asked(settings, highs[0][1])
        self.stands: Stands | None = None
        self.decided: dict[date, Decided] = {}
        self.stood: dict[date, Stands | None] = {}  # day of a morning -> what stood after it

    @property
    def _made(self):
        model, version = self.named
        lives = self.settings.certainty["time_to_live"]
        return {
            "min_samples": MIN_SAMPLES,
            "model": model,
            "version": version,
            "time_to_live": lives,
        }

    @property
    def highs(self) -> Highs:
        "Since when and from which points on somebody is called."
        return self.tuner.highs if self.tuner else self._stood

    def called_from(self, at: datetime) -> int:
        "The points from which on somebody is called at a time."
        return next(high for since, high in reversed(self.highs) if since <= at)

    def decide(self, day: date, at: datetime) -> None:
        """What the events of a day are decided with, as it stands by its noon (`at`); a calibration
        must be young enough at its beginning."""
        stands, floor = self.stands, self.called_from(at)
        if stands is None:
            self.decided[day] = Decided(day, floor, None, None)
            return
        lasts = stands.lasts(at - timedelta(hours=12), self.settings.certainty["time_to_live"])
        ticket = stands.rule.threshold if lasts else None
        ticket = None if ticket is None else max(ticket, floor)
        self.decided[day] = Decided(day, floor, ticket, stands.rule, lasts)

    def take(self, given: Given) -> None:
        "What came to stand by other ways."
        known = given.certainty(self)
        if known is not None:
            parts = known.rule, known.watch, known.control, known.counted
            self.stands = Stands(*parts, given.at, whole=known)

    def learn_from(self, today: _Today, changed: date | None, whole: bool) -> None:
        "Calibrate on a morning, as `recalibrate` does."
        self.asked = self.asked._replace(floor=self.called_from(today.morning.at))
        self.stands = self._after(today, changed, whole)
        self.stood[today.morning.day] = self.stands

    def _after(self, today, changed, whole):
        before, newest = self.stands, today.newest
        if newest is None:
            if before is None or (
                before.rule.threshold is None and before.rests_on == ("nothing",)
            ):
                return before
            return before.stopped(today.complete.why_none)
        made = self._made | {"created_at": today.morning.at}
        days = self.settings.calibration_days, self.settings.ticket_days
        grounds = today.grounds(*days, changed, made)
        if self.growing.grid.kind != "logit" or grounds.labelled < MIN_SAMPLES:
            return self._switched_off(before)
        learnt = learn(before, self._ripe(today), newest, self.asked.target, self._started(today))
        control = learnt.control if self.asked.method == "control" else None
        rule = rule_on(grounds, self.asked, learnt.watch, control, changed)
        positive = int(self.growing.above[2, grounds.rows, -1].sum())
        rests_on = newest, len(grounds.rows), grounds.labelled, positive
        fresh = Stands(rule, learnt.watch, control, learnt.counted, today.morning.at, rests_on)
        if before and _decides(before) == _decides(fresh):
            return before
        if not whole:
            return fresh
        return replace(fresh, whole=standing(grounds, rule, learnt.watch, control, learnt.counted))

    def _switched_off(self, before):
        if self.asked.method != "off" or before is None or before.rule.threshold is None:
            return before
        rule = replace(before.rule, method="off").stopped("automation is switched off")
        return replace(before, rule=rule, whole=before.whole and replace(before.whole, rule=rule))

    def _started(self, today):
        if self.asked.method != "control":
            return None
        delay = (today.morning.day - today.newest).days
        floor = float(self.growing.grid.inverse(self.asked.floor))
        return Control.starting(self.asked.target, floor, delay)

    def _ripe(self, today) -> Iterable[Ripe]:
        "The days that became complete since those that were counted."
        counted, growing, newest = self.stands and self.stands.counted, self.growing, today.newest
        first = counted + timedelta(1) if counted else self._farthest(today)
        for row in growing.rows(first, newest):
            if growing.logged[row]:
                day = growing.date_of(row)
                decided = self.decided.get(day)
                judged = partial(self._judged, today, row, decided)
                yield Ripe(day, decided and decided.rule, judged, partial(growing.counts, row))

    def _farthest(self, today):
        "The first day that a view looks back to."
        waits = (today.morning.day - today.newest).days
        settings = self.settings
        back = max(60, settings.reference_days[1], settings.ticket_days + waits)
        return today.morning.day - timedelta(back)

    def _judged(self, today, row, decided):
        "Tickets of a complete day, and the false ones: those still owed a label are false."
        if decided.ticket is None:
            return 0, 0
        tickets, labelled, positive = self.growing.at_or_above(row, decided.ticket)
        owed = today.owed(row) * (tickets - labelled)
        return labelled + owed, labelled - positive + owed


def _decides(stands: Stands):
    "All that decides, without when it was written."
    return stands.rule, stands.watch, stands.control, stands.counted, stands.rests_on


def live(
    then: KnownThen,
    changes: Changes,
    version: str,
    looks: Sequence[Morning],
    policies: Sequence[Policy],
    settings: Settings,
    *,
    held_out: Mapping[date, ScoreCounts] = {},
    given: Sequence[Given] = (),
    changed: Callable[[Policy, Morning], date | None] = lambda policy, morning: None,
    alarms: Callable[[Policy, Morning], tuple[str, ...]] = lambda policy, morning: (),
    whole: bool = False,
    highs: Highs | None = None,
    shown: Callable[[Sequence], Iterable] = iter,
) -> list[Life]:
    """Live the mornings of a version again, one life for each policy.

    `given`: what came to stand by other ways, in order. `highs`: from which points on somebody was
    called (None: from the cut of the settings on). `changed`: the day since which an open
    alarm says that scores mean something else; `alarms`: those of any kind that are open, where a
    policy tunes the threshold. `whole`: with intervals and sets. `shown` passes the
    mornings on, a progress bar say. StoreError where a policy cannot apply to the scores.
    """
    if highs is None:
        usual = Dial(on=False).ladder(None, changes.grid, settings.risk_cuts)
        highs = ((BEGIN, usual.high),) if usual else ()
    called = [policy.highs(highs, changes.grid) for policy in policies]
    tuning = [policy.choose is not None for policy in policies]
    paths = (reachable(of, changes.grid) if tuned else of for of, tuned in zip(called, tuning))
    floors = sorted({high for path in paths for _, high in path})
    rungs = Rungs.of(floors, changes.grid, int(changes.points.max(initial=0)))
    fine = (
        whole
        or any(tuning)
        or any(p.settings(settings).automation not in ON_DAYS for p in policies)
    )
    at = np.array([moment_of(morning.at) for morning in looks], dtype=np.int64)
    growing = Growing(changes, at, rungs, held_out, fine)
    named = then.model, version
    lives = [Life(p, settings, growing, named, of) for p, of in zip(policies, called)]
    waiting, coming = sorted(changes.first_known), list(given)
    for place, morning in enumerate(shown(looks)):
        while coming and coming[0].at <= morning.at:
            _decide_until(lives, waiting, None, coming[0].at, then.timezone)
            _take(lives, coming.pop(0))
        _decide_until(lives, waiting, morning.day, morning.at, then.timezone)
        growing.to(place)
        rules, known = label_rules(settings), {"as_of": morning.at, "stood_at": morning.at}
        today = _Today(
            growing, morning, CompleteDays(then, then.model, morning.day, **known, **rules)
        )
        for life in lives:
            life.learn_from(today, changed(life.policy, morning), whole)
            if life.tuner:
                heard = partial(alarms, life.policy, morning)
                life.tuner.on(morning, today.complete, heard, partial(_calendar, then, morning))
    for one in coming:
        _decide_until(lives, waiting, None, one.at, then.timezone)
        _take(lives, one)
    _decide_until(lives, waiting, date.max, None, then.timezone)
    growing.to(len(looks))
    return lives


def _calendar(then, morning):
    "What was known beforehand about days, by then."
    return then.reader.calendar(then.model, morning.at)


def _take(lives, given):
    for life in lives:
        life.take(given)


def _decide_until(lives, waiting, day, at, zone):
    "Days up to one, and those whose noon was before a time, are decided with what stands."
    while waiting and (
        (day is not None and waiting[0] <= day) or (at is not None and noon(waiting[0], zone) < at)
    ):
        one = waiting.pop(0)
        for life in lives:
            life.decide(one, noon(one, zone))
