"""Contributions beside shap's TreeExplainer; a day of 100,000 predictions with the reasons of its
1,000 alerts beside contributions of 3,000 rows alone; bytes that a row of reasons takes.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import shap

from aiops_wb.examples.flights import SCHEDULE, WEATHER, events
from aiops_wb.log.ingest import ingest
from aiops_wb.log.reason_files import OfDay
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.models.explain import contributions
from aiops_wb.models.kept_reasons import keep_reasons
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from bench.common import arguments, figure, folder, interleaved, print_error

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def trained():
    "A version of two winter months, and the flights of spring."
    winter, spring = events("2013-01-01", "2013-02-28"), events("2013-03-01", "2013-06-30")
    features = winter[SCHEDULE + WEATHER].add_prefix("feature:")
    rows = features.assign(label=winter.late, event_date=pd.to_datetime(winter.day))
    return *train(rows, "late", "v1", rounds=200), spring[SCHEDULE + WEATHER]


def log_a_day(root, version, held, frame):
    "A log of one day, each flight an event of it; the points from which 1 % of them are alerts."
    score = version.score(frame)
    seconds = np.linspace(0, 86_000, len(frame)).astype(int)
    at = pd.Timestamp(DAY, tz="UTC") + pd.to_timedelta(seconds, unit="s")
    with open_store(root, "bench") as store:
        register(store, version, held, NOW - timedelta(9), "bench")
    with PredictionLogger(root / "spool", "late", "v1", threshold=0) as log:
        for part in np.array_split(np.arange(len(frame)), max(1, len(frame) // 20_000)):
            ids = [f"flight-{i:06d}" for i in part]
            log.log(score[part], at[part], prediction_id=ids, features=frame.iloc[part])
    with open_store(root, "bench") as store:
        ingest(store, NOW, "bench")
    points = version.grid.quantise(score)
    return int(np.sort(points)[-max(1, len(points) // 100)])


def main():
    quick, root = arguments(__doc__).quick, folder()
    rows, runs = (20_000, 2) if quick else (100_000, 5)
    print_error("a version of two months of flights")
    version, held, spring = trained()
    some = spring.head(rows // 5)
    explainer = shap.TreeExplainer(version.booster)

    def ours():
        contributions(version, some)

    def peer():
        explainer.shap_values(version.matrix(some, 1))

    a, b = interleaved(ours, peer, runs=runs)
    against = "shap.TreeExplainer.shap_values on the same matrix, the explainer made beforehand"
    figure("explain_vs_treeexplainer", a, b, "CPU s", len(some), against)

    print_error(f"a day of {rows:,} predictions")
    frame = spring.head(rows)
    threshold = log_a_day(root, version, held, frame)
    of, few = OfDay("late", "v1", DAY), spring.head(3 * rows // 100)
    path = of.path(root, "reasons")
    with open_store(root, "bench") as store:

        def whole_day():
            path.unlink(missing_ok=True)
            keep_reasons(store, of, threshold)

        def alone():
            contributions(version, few)

        a, b = interleaved(whole_day, alone, runs=runs)
        alerts = len(keep_reasons(store, of, threshold).ids)
    against = f"contributions of {len(few):,} rows; ours: rows read, explained, coded, on the disk"
    figure("explain_day_vs_3000_rows", a, b, "CPU s", rows, against)
    size = path.stat().st_size / alerts
    figure("reason_bytes_per_row", size, 0, "bytes", alerts, "three reasons with the rest, a file")


if __name__ == "__main__":
    main()
