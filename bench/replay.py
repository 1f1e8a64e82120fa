"""A year brought in as it was known, and lived again; a published log beside what others expect."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd

from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store
from aiops_wb.replay.period import replay
from aiops_wb.watch.policy import Policy

from .common import arguments, cpu, figure, folder
from .published import beside_nannyml

DAYS, NOW = 365, datetime(2026, 1, 1, tzinfo=UTC)
TARGET = 60
YEAR = date(2025, 1, 1), date(2025, 12, 31)
PROMISES = [(share, sure) for share in (0.05, 0.1) for sure in (0.8, 0.9)]
HUNDRED = [
    Policy(
        name=f"{threshold:.2f} {share} {sure}",
        threshold=threshold,
        false_ticket_share=share,
        false_ticket_confidence=sure,
    )
    for threshold in np.linspace(0.4, 0.88, 25).round(2).tolist()
    for share, sure in PROMISES
]


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


def imported(root, rows):
    "A log with such a year, published; CPU seconds of the import."
    root.mkdir(parents=True, exist_ok=True)
    made(rows, root / "past.parquet", np.random.default_rng(0))
    files = dict.fromkeys(("predictions", "outcomes"), root / "past.parquet")
    chosen = choices("m", {}, {"version": "v1"}, together=True)
    with open_store(root / "data", "bench") as store:
        began = cpu()
        taken = import_history(store, NOW, "bench", "m", files, chosen)
        store.publish()
        took = cpu() - began
    assert taken["predictions"].loaded == rows
    return took


def lived(root, policies):
    "CPU seconds of living the year again, from opening the log to what became of each day."
    began = cpu()
    with open_snapshot(root / "data") as log:
        of = replay(log, "m", *YEAR, policies, Settings(data=root / "data"))
    assert len(of.policies[0].days) == DAYS and of.labels_in
    return cpu() - began


def mornings_of_rows(root, every):
    """CPU seconds of reading the 60 days of rows that each morning looks at, labels joined, as
    counts by day and points; every so many mornings are read, and the rest reckoned."""
    began = cpu()
    with open_snapshot(root / "data") as log:
        for i in range(0, DAYS, every):
            last = YEAR[0] + timedelta(i)
            at = datetime.combine(last + timedelta(1), datetime.min.time(), UTC)
            log.decided_counts("m", last - timedelta(59), last, at)
    return (cpu() - began) * every


def main() -> None:
    quick = arguments(__doc__).quick
    rows, root = 100_000 if quick else 1_000_000, folder()
    took = imported(root / "year", rows)
    figure(
        "import_1m_cpu_s",
        took * 1_000_000 / rows,
        0,
        "CPU seconds",
        rows,
        f"absolute: a year of predictions and labels as known, published (target {TARGET})",
    )
    figure(
        "replay_year_s",
        lived(root / "year", []),
        0,
        "CPU seconds",
        rows,
        "absolute: 365 mornings under one policy, and the back-test beside it (target 5)",
    )
    figure(
        "replay_100_policies_s",
        lived(root / "year", HUNDRED),
        0,
        "CPU seconds",
        rows,
        "absolute: the same under 100 policies (target 120)",
    )
    many = 10 * rows if quick else 10_000_000
    imported(root / "large", many)
    figure(
        "replay_vs_rows",
        lived(root / "large", []),
        mornings_of_rows(root / "large", 12),
        "CPU seconds",
        many,
        "each morning's 60 days of rows, read and counted with the labels of then; "
        "some are read, the others reckoned",
    )
    if not quick:
        beside_nannyml(root / "published")


if __name__ == "__main__":
    main()
