"""A year of flights under models trained on a quarter, or on all months before, as sums of days.

`python -m bench.flights` trains them again and rewrites bench/data/flights.csv (some minutes).
"""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from aiops_wb.stats.evidence import Paired

FILE = Path(__file__).parent / "data" / "flights.csv"
FIRST, DAYS = date(2013, 1, 1), 365
CALLED_FROM = {1: 0.5, 4: 0.2, 9: 0.1}  # cost of a missed flight -> where a call pays
PAIRS = [("q4", "q4b"), ("q4", "q5"), ("q5", "q6"), ("q4", "q7")]
"Pairs whose days are exchanged: two seeds of a recipe, neighbouring months, two quarters apart."


def first_day(model: str) -> int:
    "The first day of the year that a model has not seen; q7 and e7 were trained before July."
    month = int(model[1:].rstrip("b"))
    return (date(2013, month, 1) - FIRST).days


class Flights(NamedTuple):
    "Sums of each day: labelled flights and what each model lost."

    table: pd.DataFrame

    @property
    def n(self) -> np.ndarray:
        return self.table.n.to_numpy(dtype=np.float64)

    def lost(self, model: str, miss_cost: int | None = None) -> np.ndarray:
        "Log loss, or false calls and missed flights at their cost, where a call pays."
        if miss_cost is None:
            return self.table[f"{model}_loss"].to_numpy()
        false, missed = (self.table[f"{model}_{what}{miss_cost}"] for what in ("false", "missed"))
        return (false + miss_cost * missed).to_numpy(dtype=np.float64)

    def paired(self, champion, challenger, first: int, last: int = DAYS) -> Paired:
        "Two arrays of losses of the year's days, side by side on some of them."
        days = [FIRST + timedelta(i) for i in range(first, last)]
        return Paired(days, self.n[first:last], champion[first:last], challenger[first:last])

    def won_and_lost(self, champion: str, challenger: str) -> tuple[np.ndarray, np.ndarray]:
        "Flights that only the challenger told right at .2, and that only the champion did."
        wrong = [
            self.table[f"{m}_false4"] + self.table[f"{m}_missed4"] for m in (champion, challenger)
        ]
        apart, fewer = self.table[f"{champion}_{challenger}"], wrong[0] - wrong[1]
        return ((apart + fewer) // 2).to_numpy(), ((apart - fewer) // 2).to_numpy()


@cache
def flights() -> Flights:
    "The stored days."
    return Flights(pd.read_csv(FILE, comment="#"))


def windows() -> dict[str, tuple[int, int, int]]:
    "Model -> first and last month of its training, and its seed."
    quarters = {f"q{m}": (m - 3, m - 1, 0) for m in range(4, 13)}
    return quarters | {"q4b": (1, 3, 1)} | {f"e{m}": (1, m - 1, 0) for m in range(5, 13)}


def trained() -> pd.DataFrame:
    "Train every model, and sum what it says of each day of the year."
    import xgboost as xgb

    from aiops_wb.examples.flights import SCHEDULE, WEATHER, events
    from aiops_wb.models.training import PARAMETERS, ROUNDS

    known = events()
    known = known[known.late.notna()].reset_index(drop=True)
    when = pd.to_datetime(known.day).dt
    names = ("carrier", "origin", "dest")
    features = known[SCHEDULE + WEATHER].astype(
        {c: "category" if c in names else "float32" for c in SCHEDULE + WEATHER}
    )
    everyone = xgb.DMatrix(features, enable_categorical=True)
    said = {}
    for name, (first, last, seed) in windows().items():
        learned = when.month.between(first, last)
        rows = xgb.DMatrix(features[learned], known.late[learned], enable_categorical=True)
        said[name] = xgb.train(PARAMETERS | {"seed": seed}, rows, ROUNDS).predict(everyone)
    return _summed(when.day_of_year.to_numpy() - 1, known.late.to_numpy() == 1, said)


def _summed(day, late, said):
    "Sums of each day, for each model and pair."
    from aiops_wb.stats.evidence import log_loss

    count = lambda of: np.bincount(day, of, DAYS)
    sums = {"n": np.bincount(day, minlength=DAYS)}
    for name, p in said.items():
        sums[f"{name}_loss"] = count(log_loss(p, late)).round(3)
        for cost, start in CALLED_FROM.items():
            sums[f"{name}_false{cost}"] = count((p >= start) & ~late).astype(int)
            sums[f"{name}_missed{cost}"] = count((p < start) & late).astype(int)
    for pair in PAIRS:
        ours, theirs = (said[name] >= CALLED_FROM[4] for name in pair)
        sums["_".join(pair)] = count(ours != theirs).astype(int)
    return pd.DataFrame(sums)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    told = "# made by `python -m bench.flights`: days of 2013; q7 was trained on April to June\n"
    FILE.write_text(told + trained().to_csv(index=False), encoding="utf-8")
