"""Logs whose labels come late, lived through morning by morning: what is called complete, what is
automated on it, and what becomes of that when all labels are in.
"""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from aiops_wb.stats.arrival import (
    BAND_POINTS,
    arrivals,
    chance_to_come,
    complete_age,
)
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts

FIRST, TARGET = date(2026, 1, 1), 0.2
PER_DAY, STEP = 250, 5


def _exponential(mean):
    return lambda rng, high, label: rng.exponential(mean(high, label))


def _two_humps(rng, high, label):
    late = rng.random(len(high)) < 0.3
    return np.where(late, rng.normal(12, 1, len(high)), rng.normal(3, 1, len(high)))


WORLDS = {  # how many days a label takes, by whether the score is high and what the label is
    "exponential": _exponential(lambda high, label: np.full(len(high), 3.0)),
    "two humps": _two_humps,
    "by score": _exponential(lambda high, label: np.where(high, 5.0, 2.0)),
    "by label": _exponential(lambda high, label: np.where(label, 2.0, 5.0)),
    "by both": _exponential(lambda high, label: np.where(high, 3.0, 1.0) * np.where(label, 1, 2)),
    "slow": _exponential(lambda high, label: np.where(high & ~label, 56.0, 14.0)),
}


class Log(NamedTuple):
    "Events in the order of their days; `age`: when the label becomes known (NaN: never)."

    day: np.ndarray
    points: np.ndarray
    label: np.ndarray
    age: np.ndarray

    def counts(self, day, today):
        "A day's counts as known on a later one."
        at = slice(*np.searchsorted(self.day, [day, day + 1]))
        known = self.age[at] <= today - day
        return ScoreCounts.from_events(self.points[at], np.where(known, self.label[at], np.nan))


def made(rng, world, days, never=0.0, never_negative=0.0) -> Log:
    "Calibrated scores; days have shifts of their own (.2 logits). never_negative: more of these."
    day = np.repeat(np.arange(days), PER_DAY)
    points = np.rint(rng.normal(-1500, 1800, len(day))).clip(-9000, 9000).astype(int)
    label = rng.random(len(day)) < expit(points / 1000 + rng.normal(0, 0.2, days)[day])
    high = points >= BAND_POINTS[1]
    age = np.floor(np.maximum(WORLDS[world](rng, high, label), 0)) + 1
    lost = rng.random(len(day)) < never + np.where(label, 0, never_negative)
    return Log(day, points, label, np.where(lost, np.nan, age))


class Morning(NamedTuple):
    "What a morning knew, and what became of the days after it."

    today: int
    left: float  # share of the labels of the day called complete that were still to come; NaN: none
    false: list  # of each day after it with tickets whose label comes, the share that was negative
    truly: list  # the same of all tickets, whether anybody ever learns it or not
    covered: np.ndarray  # (2, 2) negatives and positives: in their set, and how many; zeros: no set
    tickets: int
    high: int


def lived(rng, log: Log, days: int, first=40):
    "The mornings of a log, every fifth day."
    band = np.searchsorted(BAND_POINTS, log.points, side="right")
    for today in range(first, days - STEP, STEP):
        seen = log.day <= today
        table = arrivals(log.day[seen], band[seen], log.age[seen], log.label[seen], today)
        found = complete_age(table)
        yield _morning(log, today, found, table)


def at_once(log: Log, mornings) -> np.ndarray:
    "(mornings,) tickets after each, were every label that ever comes known at once."
    log = log._replace(age=np.where(np.isfinite(log.age), 0.0, np.nan))
    day, tickets = lambda d: FIRST + timedelta(d), []
    for today in (m.today for m in mornings):
        known = {day(d): log.counts(d, today) for d in range(today - 59, today + 1)}
        rule = certainty(known, day(today), target=TARGET).rule
        at = slice(*np.searchsorted(log.day, [today + 1, today + 1 + STEP]))
        certain = rule.threshold is not None and log.points[at] >= rule.threshold
        tickets.append(int(np.sum(certain)))
    return np.array(tickets)


def _morning(log, today, found, table):
    nothing = Morning(today, np.nan, [], [], np.zeros((2, 2), int), 0, 0)
    if found.age is None:
        return nothing._replace(high=_high(log, today))
    newest = today - found.age
    of_day = log.age[log.day == newest]
    left = float((of_day > found.age).sum() / np.isfinite(of_day).sum())
    day = lambda d: FIRST + timedelta(d)
    known = {day(d): log.counts(d, today) for d in range(max(0, newest - 59), newest + 1)}
    chances = _chances(table, found)
    owed = {day(d): float(chances[today - d]) for d in range(max(0, newest - 59), newest + 1)}
    try:
        stands = certainty(known, day(today), complete=day(newest), owed=owed, target=TARGET)
    except ValueError:
        return nothing._replace(left=left, high=_high(log, today))
    false, truly, tickets, covered = [], [], 0, np.zeros((2, 2), int)
    for d in range(today + 1, today + 1 + STEP):
        at = slice(*np.searchsorted(log.day, [d, d + 1]))
        points, label = log.points[at], log.label[at]
        if stands.rule.threshold is not None:
            chosen = points >= stands.rule.threshold
            known = chosen & np.isfinite(log.age[at])
            tickets += int(chosen.sum())
            false += [float((~label[known]).mean())] if known.any() else []
            truly += [float((~label[chosen]).mean())] if chosen.any() else []
        bounds = stands.set_bounds[0.9]
        inside = np.where(label, points >= bounds.one, points <= bounds.zero)
        covered += [[inside[label == y].sum(), (label == y).sum()] for y in (False, True)]
    return Morning(today, left, false, truly, covered, tickets, _high(log, today))


def _chances(table, found):
    if not found.by_band:
        return chance_to_come(table)
    apart = [table.together(i) for i in range(table.events.shape[1])]
    return np.max([chance_to_come(a) for a in apart if a.labels.sum()], axis=0)


def _high(log, today):
    "Events of high risk of the days after a morning."
    at = slice(*np.searchsorted(log.day, [today + 1, today + 1 + STEP]))
    return int((log.points[at] >= BAND_POINTS[1]).sum())
