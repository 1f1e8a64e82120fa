"""The log of car loans that NannyML ships: what either expects of it before labels, and which of
its features the product names on the first day after they moved.
"""

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np

from aiops_wb.config import Settings
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store
from aiops_wb.stats.conformal import venn_abers
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.estimates import expected_performance
from aiops_wb.stats.performance import roc_auc
from aiops_wb.stats.points import Grid
from aiops_wb.watch.adopt import adopt_days
from aiops_wb.watch.view import View

from .common import figure
from .peers import environment, run

REFERENCE = date(2018, 1, 1), date(2018, 10, 29)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOVED_ON = date(2019, 3, 31)  # from three o'clock on
MOVED = {"car_value", "salary_range", "loan_length", "repaid_loan_on_prev_car"}


def counted(score, label):
    return ScoreCounts.from_events(Grid().quantise(score), label)


def expected_and_true(folder, chunk):
    "ROC-AUC of each chunk, expected before labels and with them."
    read = lambda name: duckdb.read_parquet(str(folder / f"{name}.parquet")).fetchnumpy()
    before, now = read("reference"), read("analysis")
    probability = venn_abers(counted(before["y_pred_proba"], before["repaid"])).probability
    figures = []
    for at in range(0, len(now["repaid"]), chunk):
        score, label = (now[name][at : at + chunk] for name in ("y_pred_proba", "repaid"))
        hidden = counted(score, np.full(len(score), np.nan))
        expected = expected_performance(hidden, probability(hidden.points), 0)["roc_auc"]
        figures.append((expected.value, roc_auc(counted(score, label)).value))
    return np.array(figures).T


def named_on(folder, days):
    "Features alarmed on the mornings after some days, the version adopted on the reference."
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            f"""COPY (SELECT id::VARCHAR AS prediction_id, y_pred_proba AS score,
                timestamp::TIMESTAMPTZ AS predicted_at, repaid::INTEGER AS label,
                timestamp::TIMESTAMPTZ + INTERVAL 1 DAY AS observed_at,
                * EXCLUDE (id, timestamp, y_pred_proba, y_pred, repaid)
            FROM read_parquet(['{folder}/reference.parquet', '{folder}/analysis.parquet']))
            TO '{folder}/past.parquet' (FORMAT parquet)"""
        )
    files = dict.fromkeys(("predictions", "outcomes"), folder / "past.parquet")
    chosen = choices("car", {}, {"version": "v1", "threshold": "0.5"}, together=True)
    with open_store(folder / "data", "bench") as store:
        import_history(store, NOW, "bench", "car", files, chosen)
        adopt_days(store, NOW, "bench", "car", "v1", *REFERENCE)
        settings = Settings(data=folder / "data")
        seen = [View(store, "car", day, None, settings).drift for day in days]
    alarmed = [{a.stream for a in one.alarms if a.kind == "covariate"} - {"score"} for one in seen]
    return [names | set(one.moved_with) for names, one in zip(alarmed, seen)]


def beside_nannyml(folder) -> None:
    "Mean absolute errors of ROC-AUC over the chunks; nothing where NannyML cannot be had."
    python = environment("nannyml")
    if python is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    theirs = run(python, "nannyml_expected", folder)
    ours, truth = expected_and_true(folder, theirs["chunk"])
    named, third = named_on(folder, (MOVED_ON, MOVED_ON + timedelta(2)))
    figure(
        "cbpe_vs_nannyml",
        np.abs(ours - truth).mean(),
        np.abs(np.array(theirs["roc_auc"]) - truth).mean(),
        "mean absolute error of ROC-AUC",
        100_000,
        f"NannyML {theirs['version']} CBPE, defaults, on the car loans it ships: 50,000 rows of "
        f"reference, {len(truth)} chunks of {theirs['chunk']:,}; ours from counts; of the "
        f"{len(MOVED)} features that moved ours names {len(named & MOVED)} on the first day "
        f"({', '.join(sorted(named & MOVED))}), {len(third & MOVED)} on the third, and "
        f"{len((named | third) - MOVED)} that did not",
    )
