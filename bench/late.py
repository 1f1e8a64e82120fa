"""Made logs whose labels come late, as counts with the truth known; and how often the intervals of
expected and adjusted figures hold that truth.
"""

import numpy as np
from scipy.special import expit, ndtr

from aiops_wb.stats.arrival import Arrivals
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.estimates import (
    day_spread,
    delay_adjusted,
    expected_over_days,
)
from aiops_wb.stats.pace import pace_by_band
from aiops_wb.stats.performance import summary

CELLS = np.arange(-4000, 4001, 400)  # points of the score: log-odds N(-1.5, 1.4)
CUTS = np.array([-1000, 1000])
BAND = np.searchsorted(CUTS, CELLS, side="right")
AGES = 90  # no label comes later
WEEK = 7
NAMES = ("positive_rate", "accuracy", "precision", "recall")


def _exponential(means):
    "Share of labels that are in by age, (cells, ages), for a mean delay of each cell."
    means = np.broadcast_to(np.asarray(means, dtype=float), CELLS.shape)
    return 1 - np.exp(-np.arange(1, AGES + 1) / means[:, None])


def _two_humps(share):
    ages = np.arange(1, AGES + 1)
    late = (1 - share) * ndtr((ages - 4) / 1.0) + share * ndtr((ages - 25) / 3.0)
    return np.broadcast_to(late, (len(CELLS), AGES))


HIGH = BAND == 2
DELAYS = {  # of negatives, of positives
    "exponential": (_exponential(6), _exponential(6)),
    "two humps": (_two_humps(0.3), _two_humps(0.3)),
    "by score": (_exponential(np.where(HIGH, 12, 3)),) * 2,
    "by label": (_exponential(4), _exponential(12)),
    "by both": (_exponential(np.where(HIGH, 6, 2)), _exponential(np.where(HIGH, 15, 5))),
}


class Log:
    """Days of events whose labels come late.

    never: share of events without a label ever; spread: standard deviation of a day's own shift of
    the log-odds, slope: of its own slope; heavy: these shifts follow Student's t with 4 degrees of
    freedom; moved: what is added to the log-odds, by day and cell; slower: from a day on delays are
    so many times as long.
    """

    def __init__(
        self,
        rng,
        delay="by both",
        days=150,
        events=300,
        never=0.0,
        spread=0.0,
        slope=0.0,
        heavy=False,
        moved=0.0,
        slower=None,
    ):
        shape = np.exp(-0.5 * ((CELLS + 1500) / 1400) ** 2)
        own = rng.standard_t(4, days) / np.sqrt(2) if heavy else rng.normal(size=days)
        odds = CELLS / 1000 * (1 + slope * rng.normal(size=(days, 1))) + spread * own[:, None]
        self.events = rng.multinomial(rng.poisson(events, days), shape / shape.sum())
        positive = rng.binomial(self.events, expit(odds + moved))
        by_label = zip((self.events - positive, positive), DELAYS[delay])
        drawn = [_come(rng, n, share, never, slower) for n, share in by_label]
        self.come = np.stack(drawn, axis=3)  # (days, cells, ages, labels)
        self.known = self.come.cumsum(axis=2)

    def counts(self, day, age):
        "A day as its labels are known at an age; below 0 none is."
        known = self.known[day, :, min(age, AGES - 1)] * (age >= 0)
        return ScoreCounts.of(CELLS, self.events[day], known.sum(axis=1), known[:, 1])

    def week(self, today, age=None):
        "Counts of the newest days and their ages today, or when the newest is so old."
        ages = [(day, today - day + (age or 0)) for day in range(today - WEEK + 1, today + 1)]
        return [(self.counts(day, at), at) for day, at in ages]

    def arrivals(self, today):
        "The table of arrivals as it is known today."
        ages, followed = min(today + 1, AGES), today - np.arange(today + 1)
        labels = np.zeros((today + 1, len(CUTS) + 1, today + 1, 2), dtype=np.int64)
        for band in range(len(CUTS) + 1):
            labels[:, band, :ages] = self.come[: today + 1, band == BAND, :ages].sum(axis=1)
        labels *= (np.arange(today + 1) <= followed[:, None])[:, None, :, None]
        events = [self.events[: today + 1, band == BAND].sum(axis=1) for band in range(3)]
        return Arrivals(np.stack(events, axis=1), labels, followed)


def _come(rng, n, share, never, slower):
    "Labels by the age at which they come, (days, cells, ages)."
    share = np.broadcast_to(share, (len(n), *share.shape)).copy()
    if slower:
        first, times = slower
        stretched = np.maximum(np.arange(1, AGES + 1) // times - 1, 0).astype(int)
        share[first:] = share[first:][:, :, stretched]
    share *= (1 - never) / share[:, :, -1:]
    chances = np.diff(share, axis=2, prepend=0.0, append=1.0).clip(0)
    return rng.multinomial(n, chances / chances.sum(axis=2, keepdims=True))[..., :-1]


def of_score(points):
    "The probability of the reference: the score itself."
    return expit(np.asarray(points) / 1000)


def adjusted_mornings(log: Log, mornings):
    "(figures, truths) by name of adjusted figures on consecutive mornings, the pace read weekly."
    found = {name: ([], []) for name in NAMES}
    for at, today in enumerate(mornings):
        if at % WEEK == 0:
            pace = pace_by_band(log.arrivals(today), CUTS)
            old = range(max(0, today - pace.age - 60), today - pace.age + 1)
            spread = day_spread([log.counts(d, today - d) for d in old], of_score)
        adjusted = delay_adjusted(log.week(today), of_score, pace, 0, spread=spread)
        truth = summary(total(c for c, _ in log.week(today, pace.age)), 0)
        for name, (figures, truths) in found.items():
            figures.append(adjusted.figures[name])
            truths.append(truth[name].value)
    return found


def expected_mornings(log: Log, reference, mornings, probability):
    "(figures, truths) by name of the expected figures, by so many first days as the reference."
    found = {name: ([], []) for name in NAMES}
    days = [log.counts(day, AGES) for day in range(reference)]
    for today in mornings:
        window = [c for c, _ in log.week(today, AGES)]
        expected, truth = (
            expected_over_days(window, days, probability, 0),
            summary(total(window), 0),
        )
        for name, (figures, truths) in found.items():
            figures.append(expected[name])
            truths.append(truth[name].value)
    return found


def share_held(runs):
    "Share of the intervals that held, by name, over many logs; and how many there were."
    held = {name: [] for name in NAMES}
    for run in runs:
        for name, (figures, truths) in run.items():
            held[name] += [
                f.lower <= t <= f.upper for f, t in zip(figures, truths) if f.lower == f.lower
            ]
    return {name: float(np.mean(hits)) for name, hits in held.items()}, len(held[NAMES[0]])
