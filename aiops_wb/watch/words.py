"""How figures are written."""

from collections.abc import Iterable, Mapping
from datetime import date
from math import isnan

import numpy as np

from ..stats.counts import ScoreCounts
from ..stats.points import as_points

__all__ = ["percent", "number", "labelled_like"]


def percent(x: float, digits: int = 0) -> str:
    "A share as a percentage, '-' when unknown; nearly all is not 100 %."
    if isnan(x):
        return "-"
    text = f"{x:.{digits}%}"
    if x >= 1 or float(text[:-1]) < 100:
        return text
    return percent(x, digits + 1) if digits < 2 else "over 99.99%"


def number(x: float, digits: int = 3) -> str:
    "A figure with fixed digits, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}f}"


def labelled_like(
    by_day: Mapping[date, ScoreCounts], days: Iterable[date], points: int, reach: int = 500
) -> str:
    "How many labelled events of some days have a score like one (points), in words."
    points, n, known = as_points(points), 0, 0
    for counts in (by_day[day] for day in days if day in by_day):
        near = np.abs(counts.points.astype(np.int64) - points) <= reach
        n, known = n + int(counts.n_labelled[near].sum()), known + int(counts.n_labelled.sum())
    return f"{n:,} of {known:,} labelled events scored within {reach / 1000:g} log-odds of it"
