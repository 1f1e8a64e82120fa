"""Made and real days of mean contributions of features: whether a quiet year names any, and how
soon one that moved is named.
"""

from datetime import date
from functools import cache

import numpy as np

LEVEL, DAYS, FEATURES = 0.05, 365, 15


def _together(rng, draw, days, features=FEATURES):
    "Effects of days on features, half of whose variance is common to all."
    return (draw(rng, (days, 1)) + draw(rng, (days, features))) / np.sqrt(2)


def normal(rng, days):
    "Normal days."
    return _together(rng, lambda r, size: r.normal(size=size), days)


def wild(rng, days):
    "Skewed days with tails: of a log-normal law, one in a hundred is ten times the median."
    return _together(rng, lambda r, size: np.exp(r.normal(size=size)), days)


def weekly(rng, days):
    "Days of which weekends lie two standard deviations higher and spread twice as far."
    weekend = (np.arange(days) % 7 >= 5)[:, None]
    return normal(rng, days) * (1 + weekend) + 2 * weekend


def resembling(rng, days, by=0.5):
    "Days that resemble the day before, which is not exchangeable."
    found = normal(rng, days)
    for day in range(1, days):
        found[day] = by * found[day - 1] + np.sqrt(1 - by**2) * found[day]
    return found


@cache
def _flights():
    "Weekday -> the days of March to June 2013, explained by a model of two winter months."
    import pandas as pd

    from aiops_wb.examples.flights import SCHEDULE, WEATHER, events
    from aiops_wb.models.kept_contributions import ROWS
    from aiops_wb.models.training import train

    flights = events("2013-01-01", "2013-06-30")
    winter = flights[flights.day < date(2013, 3, 1)]
    rows = winter[SCHEDULE + WEATHER].add_prefix("feature:").assign(label=winter.late)
    version, _ = train(rows.assign(event_date=pd.to_datetime(winter.day)), "late", "v1", rounds=60)
    spring = flights[flights.day >= date(2013, 3, 1)].groupby("day").sample(ROWS, random_state=0)
    pushes = version.contributions(spring).drop(columns="(bias)")
    means = pushes.groupby(spring.day).mean()
    weekday = np.array([day.weekday() for day in means.index])
    return [means.to_numpy()[weekday == w] for w in range(7)]


def flights(rng, days):
    "Real days, each drawn from those of its weekday."
    of = _flights()
    return np.array([of[d % 7][rng.integers(len(of[d % 7]))] for d in range(days)])


WORLDS = {
    "normal days, 28 of reference": (normal, 28),
    "normal, 60": (normal, 60),
    "wild, 28": (wild, 28),
    "weekends apart, 60": (weekly, 60),
    "flights' own days drawn anew, 28": (flights, 28),
}


def named_after(rng, draw, reference, days=DAYS, moved=0.0, since=0):
    """The first day on which any feature is named, read every day, None where none is; `moved`
    standard deviations of the reference days are added to one from day `since` on."""
    from aiops_wb.stats.attribution import alike, named, order_evidence

    values = draw(rng, reference + days)
    values[reference + since :, 0] += moved * values[:reference, 0].std(ddof=1)
    groups, lots = alike(np.arange(len(values)) % 7, reference), rng.random(len(values))
    for day in range(reference + 1, len(values) + 1):
        evidence = order_evidence(values[:day], reference, groups[:day], lots[:day])
        if named(evidence, LEVEL).any():
            return day - reference
    return None


def quiet(seed, world, years):
    "Share of years in which a feature is named while nothing moved."
    draw, reference = world
    found = [named_after(np.random.default_rng([*seed, i]), draw, reference) for i in range(years)]
    return np.mean([day is not None for day in found])


def delays(seed, reference, moved, runs, within=120, since=14):
    "Days from a change to the morning that names a feature, `within` + 1 where none does in time."
    found = [
        named_after(
            np.random.default_rng([*seed, i]), normal, reference, since + within, moved, since
        )
        for i in range(runs)
    ]
    return np.array([within + 1 if day is None else day - since for day in found])
