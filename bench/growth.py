"""A morning's alarms of one model with 15 features and labels a week late: after three years of
history, against after 60 days.
"""

from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bench.common import arguments, figure, folder, interleaved
from bench.years import Year

MODEL, VERSION, FEATURES, LAG = "scored", "v1", 15, 7


def morning_of(day: date) -> datetime:
    "When a day is looked at: two hours after its end."
    return datetime.combine(day + timedelta(1), time(2), UTC)


def settings(lag: int = LAG):
    from aiops_wb.config import Settings

    return Settings(complete_share=1, label_delay_days=lag)


def made(root: Path, year: Year, lag: int = LAG) -> None:
    """A log of a year, as the nights would have counted it: one batch a night, which brings a day's
    events and the labels of the day `lag` days before."""
    from aiops_wb.log.store import open_store
    from aiops_wb.stats.points import Grid

    rules = {name: {"cuts": year.cuts.tolist()} for name in year.features}
    card = {"bins": rules, "features": list(rules), "kinds": dict.fromkeys(rules, "number")}
    m = len(year.reference)
    with open_store(root, "bench", "UTC") as store:
        store.add_version(
            morning_of(year.reference[-1]), "bench", MODEL, VERSION, Grid(), "", card, 0
        )
        store.add_held_out(MODEL, VERSION, dict(zip(year.reference, year.scores[:m])))
        counted = _features(year, year.reference, slice(m))
        store.add_reference(MODEL, VERSION, counted)
        with store.transaction():
            for table, rows in _counted(year, lag).items():
                store._insert(table, rows)
        store.publish()


def _features(year, days, part):
    "Counts of features: event_date, feature, bin, n."
    frames = []
    for name, table in year.features.items():
        at, place = np.nonzero(table[part])
        on = np.array(days, dtype=object)[at]
        n = table[part][at, place]
        frames.append(pd.DataFrame({"event_date": on, "feature": name, "bin": place - 2, "n": n}))
    return pd.concat(frames, ignore_index=True)


def _counted(year, lag):
    "Rows of the tables of counts, and of the batches that brought them."
    m, days = len(year.reference), year.days
    batch = {day: i + 1 for i, day in enumerate(days)}
    named = {"tenant": "", "model": MODEL, "version": VERSION}
    scores = []
    for day, c in zip(days, year.scores[m:]):
        of_day = {"event_date": day, "points": c.points, "segment": "", "grid": c.grid.name}
        none = np.zeros_like(c.n)
        came = {"n": c.n, "n_labelled": none, "n_positive": none, "batch_id": batch[day]}
        scores.append(pd.DataFrame(of_day | came))
        if night := batch.get(day + timedelta(lag)):
            labels = {"n": none, "n_labelled": c.n_labelled, "n_positive": c.n_positive}
            scores.append(pd.DataFrame(of_day | labels | {"batch_id": night}))
    features = _features(year, days, slice(m, None))
    each = {"event_date": days, "batch_id": list(batch.values())}
    volume = np.array([c.total[0] for c in year.scores[m:]])
    total = volume * year.latency[m:]
    latency = pd.DataFrame(each | {"bin": 48, "n": volume, "total_ms": total})
    hours = pd.concat(
        [pd.DataFrame(each | {"hour": h, "n": volume // 24}) for h in range(24)], ignore_index=True
    )
    return {
        "batches": pd.DataFrame(
            {
                "batch_id": list(batch.values()),
                "kind": "outcomes",
                "committed_at": [morning_of(day) - timedelta(hours=1) for day in days],
                "owner": "bench",
                "loaded": 1,
                "duplicates": 0,
                "conflicts": 0,
                "quarantined": 0,
            }
        ),
        "score_counts": pd.concat(scores, ignore_index=True).assign(**named),
        "feature_counts": features.assign(**named, batch_id=features.event_date.map(batch)),
        "latency_counts": latency.assign(**named),
        "hour_counts": hours.assign(**named),
    }


def alarms(store, day: date, rules=None):
    "All that a morning asks and writes about the alarms of a day; what was said."
    from aiops_wb.watch.alarm_rows import any_to_tell, keep_evidence, record_alarms
    from aiops_wb.watch.silence_rows import record_silence
    from aiops_wb.watch.view import View

    at = morning_of(day)
    with store.one_thread():
        view = View(store, MODEL, day, at, rules or settings())
        any_to_tell(store, view)
        with store.transaction():
            record_alarms(store, view, at, at)
            keep_evidence(store, view)
            record_silence(store, MODEL, day, at, at)
        return view.drift


class Morning:
    "A log with alarms of all days but the last, whose morning is lived again and again."

    def __init__(self, root: Path, days: int):
        self.root, self.year = root, Year(5, days=days, features=FEATURES, wobble=0.02)
        made(root, self.year)
        from aiops_wb.log.store import open_store

        self._open = ExitStack()
        self.store = self._open.enter_context(open_store(root, "bench"))
        for day in self.year.days[-15:-1]:
            alarms(self.store, day)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open.close()

    def __call__(self) -> None:
        "What it costs is paid again: nothing that was asked is remembered, nothing is written."
        self.store._kept.clear()
        try:
            with self.store.transaction():
                alarms(self.store, self.year.days[-1])
                raise _Again
        except _Again:
            pass


class _Again(Exception):
    "The transaction is undone."


def main():
    options = arguments(__doc__)
    long = 365 if options.quick else 3 * 365
    with Morning(folder(), 60) as short, Morning(folder(), long) as many:
        ours, reference = interleaved(many, short)
        against = f"the same after 60 days; days of history: {long:,}"
        figure("alarm_growth", ours, reference, "CPU s", long, against)


if __name__ == "__main__":
    main()
