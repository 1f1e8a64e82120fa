"""Retrain on what, and how often? Five policies lived over the flights of 2013.

`python -m bench.recipes` (some minutes): a model of January to March is in production from April
on; prints what became of each policy, and how long it took. It is run by itself.
"""

import json
import resource
from dataclasses import replace
from datetime import UTC, date, datetime
from time import perf_counter

import duckdb
import pandas as pd

from aiops_wb.config import Settings
from aiops_wb.examples.flights import SCHEDULE, WEATHER, ZONE, events
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from aiops_wb.replay.retrained import relive_trainings
from aiops_wb.stats.recipes import Lost, answer
from aiops_wb.watch.policy import Costs, Policy, Retraining

from .common import arguments, folder

MODEL, NOW, APRIL = "late", datetime(2014, 1, 2, tzinfo=UTC), date(2013, 4, 1)
COSTS, CALLED = Costs(missed=4, review=1), 0.2
"A missed flight costs four calls: a call pays from .2 on."
FIVE = {
    "last 30 days": {"window_days": 30},
    "last 90 days": {"window_days": 90},
    "all": {"window_days": "all"},
    "by age": {"window_days": "all", "half_life_days": 45},
    "last 90, every 14": {"window_days": 90, "every_days": 14},
}


def logged(root):
    "The year as it was known, scored by the version of January to March, which is in production."
    year = events()
    features = [*SCHEDULE, *WEATHER]
    rows = year.rename(columns={f: f"feature:{f}" for f in features})
    rows = rows.assign(label=year.late, event_date=pd.to_datetime(year.day))
    first, held_out = train(rows[rows.event_date < pd.Timestamp(APRIL)], MODEL, "v1")
    path = root / "year.parquet"
    lands = year.scheduled_at + pd.Timedelta(hours=8)
    known = {"score": first.score(year[features]), "label": year.late, "observed_at": lands}
    log = year[["event_id", "scheduled_at", "site_id", *features]].assign(**known)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("log", log)
        con.execute(f"COPY (SELECT * FROM log) TO '{path}' (FORMAT parquet)")
    names = {"prediction_id": "event_id", "predicted_at": "scheduled_at"}
    chosen = choices(MODEL, names, {"version": "v1"}, features, together=True)
    with open_store(root / "data", "bench", ZONE) as store:
        register(store, first, held_out, datetime(2013, 4, 1, 4, tzinfo=UTC), "bench")
        store.promote(datetime(2013, 4, 1, 4, tzinfo=UTC), "bench", MODEL, "v1", "the first")
        import_history(
            store, NOW, "bench", MODEL, dict.fromkeys(("predictions", "outcomes"), path), chosen
        )
        store.publish()


def main() -> None:
    quick = arguments(__doc__).quick
    root = folder()
    root.mkdir(parents=True, exist_ok=True)
    logged(root)
    last = date(2013, 5, 31) if quick else date(2013, 12, 31)
    policies = [
        Policy(name=name, threshold=CALLED, costs=COSTS, retraining=Retraining(**how))
        for name, how in FIVE.items()
    ]
    began = perf_counter()
    with open_snapshot(root / "data") as log:
        of = relive_trainings(log, MODEL, APRIL, last, policies, Settings())
    took = perf_counter() - began
    for row in of.rows():
        told(row)
    told({"by cost": of.answer.says})
    plain = [replace(one, costs=None) for one in of.policies]
    known = plain[0].known
    lost = Lost(
        list(known.day), known.labelled.to_numpy(), {p.name: p.lost.to_numpy() for p in plain}
    )
    by_loss = answer(lost, {one.name: one.words for one in plain[1:]})
    for gain in by_loss.gains:
        told(gain._asdict())
    told({"by log loss": by_loss.says, "notes": of.notes, "seconds": round(took)})
    told({"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)})


def told(what):
    "A line of JSON."
    print(json.dumps(what, default=str), flush=True)


if __name__ == "__main__":
    main()
