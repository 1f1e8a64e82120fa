"""Made volumes: events by day and hour, with weekday effects, hours of the day, and days that have
a will of their own.
"""

from datetime import date, timedelta

import numpy as np

from aiops_wb.stats.silence import Volumes

WEEKDAY = np.array([1.1, 1.2, 1.15, 1.1, 1.25, 0.7, 0.5])
"How many events a weekday has of the mean."
LEARN = 91


def volumes(rng, mean, days, spread=0.0, by_weekday=WEEKDAY, by_hour=None):
    """Days with `mean` events, Poisson about expectations whose relative variance is `spread`.

    All in one hour unless shares of the 24 hours are given.
    """
    span = [date(2026, 1, 5) + timedelta(i) for i in range(days)]
    expected = mean * by_weekday[np.arange(days) % 7]
    own = rng.gamma(1 / spread, spread, days) if spread else np.ones(days)
    shares = np.eye(24)[12] if by_hour is None else np.asarray(by_hour)
    return Volumes(span, rng.poisson((expected * own)[:, None] * shares), np.ones(days, dtype=bool))
