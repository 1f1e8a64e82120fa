"""How a retraining policy goes through a past: when it trains, and which version decides."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from math import ceil

import numpy as np

from ..log.errors import StoreError
from ..models.validation import Rules
from ..stats.counts import ScoreCounts
from ..stats.evidence import WEEK, Comparison, Paired, compare
from ..watch.policy import Policy
from ..watch.takeover import LONGEST
from .past import ONE_DAY, Learner, Past, summed

__all__ = ["Course", "Recorded", "steps"]


class Recorded:
    "What was really decided, as it goes."

    def __init__(self, past: Past):
        self.past, self.sums, self.counts, self.differs = past, [], ScoreCounts.empty(), False

    def take(self, events):
        "Some days went by."
        points, high = events.recorded()
        self.differs |= bool((events.rows.version != self.past.never.version).any())
        self.sums.append(summed(events, points, high))
        self.counts += events.counts(points)


class Course:
    "One policy, as it goes; without a table `retraining` it never trains."

    def __init__(self, policy: Policy, past: Past):
        self.policy, self.past, self.standing = policy, past, past.never
        self.highs = policy.highs(past.stood, past.never.grid)
        self.sums, self.counts = [], ScoreCounts.empty()
        self.trainings, self.took_over, self.not_trained = 0, 0, []
        self._shadows: list[tuple[date, Learner]] = []
        self._lost = {}  # (champion, challenger) -> day -> labelled events, losses of both

    def take(self, events):
        "Some days went by: what the version that stands would have said."
        points = events.points(self.standing)
        self.sums.append(summed(events, points, events.high(self.highs), self.standing.grid))
        self.counts += events.counts(points)

    def train(self, day: date):
        "The training of a morning; where there is none, the version that stands goes on."
        how = self.policy.retraining
        try:
            fresh = self.past.train(day, how.window_days, how.half_life_days)
        except StoreError as problem:
            self.not_trained.append(f"{day}: {problem}")
            return
        self.trainings += 1
        if how.promote == "always":
            self._stands(fresh)
        else:
            self._shadows.append((day, fresh))

    def _stands(self, fresh):
        self.standing, self.took_over = fresh, self.took_over + 1

    def look(self, day: date):
        "Of the versions in shadow the one with most evidence takes over, where it has enough."
        self._shadows = [(at, v) for at, v in self._shadows if day - at <= LONGEST]
        told = [(self._comparison(v, day), at, v) for at, v in self._shadows]
        better = [one for one in told if one[0].better]
        if better:
            _, at, best = max(better, key=lambda one: one[0].evidence)
            self._stands(best)
            self._shadows = [(other, v) for other, v in self._shadows if other > at]

    def _comparison(self, challenger, day) -> Comparison:
        "As a morning compares: on complete days that neither learned from."
        rules = Rules.of(self.past.settings)
        a_year = max(rules.a_year, ceil(365 / self.policy.retraining.every_days))
        paired = self._paired(challenger, day, rules.miss_cost)
        return compare(paired.blocks(), rules.alpha, a_year)

    def _paired(self, challenger, day, miss_cost) -> Paired:
        "What both lost on each day, by its labels of the first look at which it was complete."
        first = max(self.standing.unseen, challenger.unseen)
        last = self.past.complete(day)
        lost = self._lost.setdefault((self.standing.name, challenger.name), {})
        begin = max(lost, default=first - ONE_DAY) + ONE_DAY
        while last is not None and begin <= last:
            end = min(last, begin + timedelta(WEEK - 1))
            lost |= self._lost_on(challenger, begin, end, day, miss_cost)
            begin = end + ONE_DAY
        return Paired(list(lost), *np.array(list(lost.values()), dtype=float).reshape(-1, 3).T)

    def _lost_on(self, challenger, first, last, day, miss_cost):
        "Labelled events of each day, and what both lost on them, as known on a morning."
        lost = {first + timedelta(i): (0, 0.0, 0.0) for i in range((last - first).days + 1)}
        events = self.past.events(first, last, self.past.morning(day))
        if not len(events):
            return lost
        sides = []
        for one in (self.standing, challenger):
            of_side = summed(events, events.points(one), events.high(self.highs), one.grid)
            priced = of_side["false"] + (miss_cost or 0) * of_side.missed
            sides.append(of_side.loss if miss_cost is None else priced)
        return lost | dict(zip(of_side.day, zip(of_side.labelled, *sides)))


def steps(past: Past, courses: list[Course], recorded: Recorded) -> list[Callable[[], None]]:
    "All that is to be done from the first morning to the last day, in order."
    begins = past.first - ONE_DAY
    actions = {}
    for one in courses:
        how = one.policy.retraining
        for day in _each(begins, past.last - ONE_DAY, how.every_days) if how else ():
            actions.setdefault(day, []).append(partial(one.train, day))
    for one in courses:
        how = one.policy.retraining
        evidence = how is not None and how.promote == "evidence"
        for day in _each(begins, past.last - ONE_DAY, WEEK) if evidence else ():
            actions.setdefault(day, []).append(partial(one.look, day))
    starts = sorted({*(d + ONE_DAY for d in actions), *_each(past.first, past.last, WEEK)})
    found = []
    for first, after in zip(starts, [*starts[1:], past.last + ONE_DAY]):
        found += actions.get(first - ONE_DAY, [])
        found.append(partial(_score, past, [*courses, recorded], first, after - ONE_DAY))
    return found


def _each(first, last, days):
    "A day, and each so many days after it, up to another."
    return [first + timedelta(i) for i in range(0, (last - first).days + 1, days)]


def _score(past, courses, first, last):
    "Let some days go by."
    events = past.events(first, last)
    if len(events):
        for one in courses:
            one.take(events)
