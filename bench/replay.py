"""A year brought in as it was known; a published log beside what others expect of it."""

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd

from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store

from .common import arguments, cpu, figure, folder
from .published import beside_nannyml

DAYS, NOW = 365, datetime(2026, 1, 1, tzinfo=UTC)
TARGET = 60


def made(rows, path, rng):
    "Scores of a year in order, three sites, labels 1 to 14 days late, as one Parquet file."
    start = pd.Timestamp(NOW - timedelta(DAYS))
    seconds = np.sort(rng.integers(0, DAYS * 86_400, rows))
    predicted = start + pd.to_timedelta(seconds, unit="s")
    observed = predicted + pd.to_timedelta(rng.integers(86_400, 14 * 86_400, rows), unit="s")
    score = 1 / (1 + np.exp(-rng.normal(-1, 1.5, rows)))
    known = observed < NOW
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i:09d}" for i in range(rows)],
            "predicted_at": predicted,
            "score": score,
            "site_id": rng.choice(["north", "south", "west"], rows),
            "label": np.where(known, rng.random(rows) < score, np.nan),
            "observed_at": observed.where(known),
        }
    )
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("made", frame)
        con.execute(
            f"COPY (SELECT * REPLACE (label::INTEGER AS label) FROM made) "
            f"TO '{path}' (FORMAT parquet)"
        )


def main() -> None:
    quick = arguments(__doc__).quick
    rows = 100_000 if quick else 1_000_000
    root = folder()
    made(rows, root / "past.parquet", np.random.default_rng(0))
    files = dict.fromkeys(("predictions", "outcomes"), root / "past.parquet")
    chosen = choices("m", {}, {"version": "v1"}, together=True)
    with open_store(root / "data", "bench") as store:
        began = cpu()
        taken = import_history(store, NOW, "bench", "m", files, chosen)
        store.publish()
        took = cpu() - began
    assert taken["predictions"].loaded == rows
    figure(
        "import_1m_cpu_s",
        took * 1_000_000 / rows,
        0,
        "CPU seconds",
        rows,
        f"absolute: a year of predictions and labels as known, published (target {TARGET})",
    )
    if not quick:
        beside_nannyml(root / "published")


if __name__ == "__main__":
    main()
