"""What statsforecast's and pyod's detectors name in the last week of a table of hours: python
baselines_hours.py counts.npy prints a JSON line: for each detector its cells, by site and hour.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HOURS = 168


def seasonal(counts, level):
    "Hours of the last week outside the interval of a seasonal naive forecast."
    from statsforecast import StatsForecast
    from statsforecast.models import SeasonalNaive

    weeks, _, sites = counts.shape
    y = counts.reshape(weeks * HOURS, sites)
    hours = pd.date_range("2024-01-01", periods=weeks * HOURS, freq="h")
    past = (weeks - 1) * HOURS
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(sites), past),
            "ds": np.tile(hours[:past], sites),
            "y": y[:past].T.ravel(),
        }
    )
    told = StatsForecast(models=[SeasonalNaive(HOURS)], freq="h", n_jobs=1).forecast(
        df=frame, h=HOURS, level=[level]
    )
    low, high = (
        told[f"SeasonalNaive-{side}-{level:g}"].to_numpy().reshape(sites, HOURS)
        for side in ("lo", "hi")
    )
    now = y[past:].T
    return (now < low) | (now > high)


def outlying(counts, contamination):
    """Hours of the last week that ECOD names, fitted for each site on the past: the count, and its
    difference to the median of the hour of the week."""
    from pyod.models.ecod import ECOD

    usual = np.median(counts[:-1], axis=0)
    found = np.zeros((counts.shape[2], HOURS), dtype=bool)
    for site in range(counts.shape[2]):
        rows = np.stack([counts[..., site], counts[..., site] - usual[:, site]], axis=2)
        model = ECOD(contamination=contamination)
        model.fit(rows[:-1].reshape(-1, 2))
        found[site] = model.predict(rows[-1]) == 1
    return found


def main():
    counts, told = np.load(sys.argv[1]), {}
    for name, side in (
        ("statsforecast SeasonalNaive 99 %", lambda: seasonal(counts, 99)),
        ("statsforecast SeasonalNaive 99.99 %", lambda: seasonal(counts, 99.99)),
        ("pyod ECOD .001", lambda: outlying(counts, 0.001)),
    ):
        begun = time.process_time()
        cells = side()
        told[name] = {
            "cells": [[int(s), int(h)] for s, h in np.argwhere(cells)],
            "cpu": time.process_time() - begun,
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
