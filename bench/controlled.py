"""Promises of thresholds: on independent rows, and on a year of flights under two models, each
trained on January to March, whose weeks are judged by thresholds made before them.
"""

from datetime import date
from functools import cache

import numpy as np

from aiops_wb.stats.control import Controlled, control
from aiops_wb.stats.counts import ScoreCounts

MODELS = ("late-at-schedule", "late-at-departure")
TARGET, CONFIDENCE = 0.1, 0.95
LEARNED = date(2013, 3, 31)


@cache
def flights_by_day(model: str) -> dict[date, ScoreCounts]:
    "Counts of the days after the training of a model of the flights demo."
    import xgboost as xgb

    from aiops_wb.examples.flights import events
    from aiops_wb.examples.stories import FLIGHT_MODELS
    from aiops_wb.models.training import PARAMETERS, ROUNDS
    from aiops_wb.stats.points import Grid

    features = next(one.features for one in FLIGHT_MODELS if one.model == model)
    known = events()
    known = known[known.late.notna()].reset_index(drop=True)
    texts = ("carrier", "origin", "dest")
    table = known[list(features)].astype(
        {c: "category" if c in texts else "float32" for c in features}
    )
    learned = (known.day <= LEARNED).to_numpy()
    rows = xgb.DMatrix(table[learned], known.late[learned], enable_categorical=True)
    grown = xgb.train(PARAMETERS | {"seed": 0}, rows, ROUNDS)
    said = grown.predict(xgb.DMatrix(table[~learned], enable_categorical=True))
    points, scored = Grid().quantise(said), known[~learned].reset_index(drop=True)
    late = scored.late.to_numpy()
    return {
        day: ScoreCounts.from_events(points[at], late[at])
        for day, at in scored.groupby("day").indices.items()
    }


def of_flights(model: str, risk: str, target: float, confidence: float, unit: str) -> Controlled:
    "What is promised at the end of the year, with its back-test."
    return control(flights_by_day(model), risk, target, confidence, unit, owed=0.0)


def as_printed(model: str, risk: str, target: float, confidence: float, unit: str):
    """(weeks, 2) what the confidence leaves and whether the week broke it, of each week whose
    promise was printed before it with what its own back-test then supported."""
    days, found = flights_by_day(model), []
    whole = control(days, risk, target, confidence, unit, owed=0.0)
    for week in whole.backtest.weeks:
        past = {day: counts for day, counts in days.items() if day < week.monday}
        printed = control(past, risk, target, confidence, unit, owed=0.0).confidence
        if printed is not None:
            found.append((1 - printed, week.broken / week.units))
    return np.array(found).reshape(-1, 2)


def fpr_row_broken(rng) -> bool:
    "Whether a threshold made from 500 independent rows breaks its promise on the rows to come."
    from scipy.stats import norm

    y = rng.random(500) < 0.2
    points = np.rint(1000 * rng.normal(np.where(y, 1, -1), 1)).astype(int)
    days = {LEARNED: ScoreCounts.from_events(points, y)}
    made = control(days, "fpr", TARGET, CONFIDENCE, "row", owed=0.0).threshold
    return made is not None and norm.sf((made - 0.5) / 1000, -1, 1) > TARGET


def weeks_broken(unit: str) -> tuple[list[Controlled], int, int]:
    "Of both models: what is promised, judged weeks, and those that broke it."
    made = [of_flights(model, "fpr", TARGET, CONFIDENCE, unit) for model in MODELS]
    return made, sum(m.backtest.units for m in made), sum(m.backtest.broken for m in made)
