"""Worlds in which the threshold in force is the right one, looked at each week of a year."""

from datetime import date, timedelta

import numpy as np
from scipy.optimize import brentq

from aiops_wb.stats.choosing import Capacity, MaxFDR, MaxFPR, MinCost
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.tuning import Daily, steps, tune

START, WINDOW, WEEKS, A_DAY = date(2026, 1, 1), 90, 52, 120
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


def chance(odds, sd):
    "Of a positive, over days whose log-odds are off by N(0, sd^2)."
    return float(WEIGHTS @ (1 / (1 + np.exp(-odds - sd * NODES)))) / WEIGHTS.sum()


def world(rng, days, sd, missed=4.0, off=0):
    "Counts by day whose cheapest threshold, where a miss costs so many false alerts, is `off`."
    even = brentq(lambda odds: chance(odds, sd) - 1 / (1 + missed), -20, 20)
    counts = {}
    for i in range(days):
        points = rng.integers(-2500, 1500, A_DAY)
        odds = (points - off) / 1000 + even + rng.normal(0, sd)
        label = rng.random(A_DAY) < 1 / (1 + np.exp(-odds))
        counts[START + timedelta(i)] = ScoreCounts.from_events(points, label)
    return counts


def just_kept(sd):
    "Goals that a threshold of 0 points just keeps, or under which it is the cheapest."
    many = world(np.random.default_rng(9), 4000, sd)
    alerts, labelled, positive = np.array([c.at_or_above(0) for c in many.values()]).T
    false = (labelled - positive).sum()
    negatives = sum(c.total[1] - c.total[2] for c in many.values())
    return (
        MinCost(4.0, false=1.0),
        MinCost(40.0, false=1.0),
        MaxFDR(float(false / labelled.sum())),
        MaxFPR(float(false / negatives)),
        Capacity(float(np.sort(alerts)[len(alerts) * 9 // 10]), 0.9),
    )


def first_change(counts, goal):
    "The number of the weekly look that first names another threshold than 0; infinite: none."
    tried = steps(0, 500)
    whole = Daily.of(counts, tried)
    for look in range(1, WEEKS + 1):
        part = np.s_[7 * look : 7 * look + WINDOW]
        tables = (t[part] for t in (whole.events, whole.labelled, whole.positive))
        daily = Daily(tried, *tables, whole.owed[part], whole.whole[:, part])
        if tune(daily, 0, goal, look).candidate is not None:
            return look
    return np.inf


def changed(rng, goal, sd, off=0):
    "In which look a world of a year is changed first."
    missed = getattr(goal, "missed", 4.0)
    return first_change(world(rng, WINDOW + 7 * WEEKS, sd, missed, off), goal)
