"""The whole threshold curve of many predictions, from files, from files with the labels apart and
from stored counts, against scikit-learn on arrays; every count at every threshold is compared.
"""

import subprocess
import sys
from datetime import date, timedelta

import duckdb
import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from bench.common import arguments, figure, folder, interleaved
from bench.counts import make

DAYS, START = 60, date(2026, 1, 1)
LABEL = "CAST(hash(prediction_id) % 1000 < 1000 / (1 + exp(-points / 1000.0)) AS TINYINT)"
PEER = "scikit-learn: roc_curve (drop_intermediate=False) and precision_recall_curve"


def with_labels(root):
    "Files of the log's labels, and others that hold points and label side by side."
    from aiops_wb.log.duck import parquet
    from aiops_wb.log.store import open_store

    with open_store(root, "bench") as store:
        for path, day, *_, rows, low, high in _predictions(store):
            source = parquet([root / path])
            told = root / "log" / "outcomes" / f"event_date={day}" / "b1.parquet"
            beside = root / "beside" / f"{day}.parquet"
            for target in (told, beside):
                target.parent.mkdir(parents=True, exist_ok=True)
            store.con.execute(
                f"COPY (SELECT prediction_id, {LABEL} AS label, TIMESTAMPTZ '2026-04-01' AS "
                f"observed_at, 2::BIGINT AS batch_id FROM {source}) TO '{told}' (FORMAT parquet)"
            )
            store.con.execute(
                f"COPY (SELECT points, {LABEL} AS label FROM {source}) "
                f"TO '{beside}' (FORMAT parquet)"
            )
            store.con.execute(
                "INSERT INTO data_files VALUES ('outcomes', ?, ?, 't', NULL, NULL, NULL, ?, 0, "
                "false, ?, ?, 2, NULL)",
                [str(told.relative_to(root)), day, rows, low, high],
            )
        store.con.execute("UPDATE data_files SET sites = false")
    _as_arrays(root)
    return root


def _predictions(store):
    return store.con.execute(
        "SELECT path, event_date, rows, min_id, max_id FROM data_files WHERE kind = 'predictions' "
        "ORDER BY event_date"
    ).fetchall()


def _as_arrays(root):
    "What the peer is given: probabilities that round to the points, and labels."
    from aiops_wb.log.duck import parquet

    source = parquet(sorted((root / "beside").iterdir()))
    rows = duckdb.sql(f"SELECT points, label FROM {source}").fetchnumpy()
    off = np.random.default_rng(0).uniform(-0.49, 0.49, len(rows["points"]))
    np.save(root / "scores.npy", 1 / (1 + np.exp(-(np.asarray(rows["points"]) + off) / 1000)))
    np.save(root / "labels.npy", np.asarray(rows["label"]))


def _curve(rows):
    "The curve of counted rows."
    from aiops_wb.stats.counts import ScoreCounts
    from aiops_wb.stats.thresholds import curve

    columns = ("points", "n", "n_labelled", "n_positive")
    whole = curve(ScoreCounts.of(*(np.asarray(rows[c]) for c in columns)))
    return whole, (whole.fpr, whole.recall, whole.precision)


def from_files(root, con=None):
    "Labels beside points: one count, one curve."
    from aiops_wb.log.duck import parquet, statements

    con = con or duckdb.connect(config={"threads": 1})
    events = f"SELECT points, label FROM {parquet(sorted((root / 'beside').iterdir()))}"
    counts = statements("reductions.sql")["counts"]
    return _curve(con.execute(f"WITH events AS ({events}) {counts}").fetchnumpy())


def from_log(store):
    "Labels apart, corrections looked for: each day counted by the package's own reduction."
    from aiops_wb.stats.counts import ScoreCounts, total
    from aiops_wb.stats.thresholds import curve

    days = [("t", "m", "v")]
    keys = [(START + timedelta(i), *days[0]) for i in range(DAYS)]
    found = []
    with store.one_thread():
        for sql in store.count_sql(keys).values():
            rows = store.con.execute(sql).fetchnumpy()
            columns = ("points", "n", "n_labelled", "n_positive")
            found.append(ScoreCounts.of(*(np.asarray(rows[c]) for c in columns)))
    whole = curve(total(found))
    return found, whole, (whole.fpr, whole.recall, whole.precision)


def peer(scores, labels):
    "Both curves, every threshold."
    return roc_curve(labels, scores, drop_intermediate=False), precision_recall_curve(
        labels, scores
    )


def peer_with_join(predictions, outcomes):
    "Labels by the id of their prediction, one each."
    rows = predictions.merge(outcomes, on="prediction_id", how="left")
    return peer(rows.score.to_numpy(), rows.label.to_numpy())


def _assert_equal(whole, points, labels):
    "Every threshold, and the counts that the rates are made of."
    (fpr, tpr, at), (precision, recall, steps) = peer(points, labels)
    assert (at[:0:-1] == whole.thresholds).all() and (steps == whole.thresholds).all()
    assert (fpr[:0:-1] == whole.fpr).all() and (tpr[:0:-1] == whole.recall).all()
    assert (recall[:-1] == whole.recall).all()
    assert np.allclose(precision[:-1], whole.precision, rtol=0, atol=1e-15)
    assert (np.rint(fpr[:0:-1] * whole.negatives) == whole.fp).all()


def main():
    import pandas as pd

    from aiops_wb.log.store import open_store
    from aiops_wb.stats.counts import total
    from aiops_wb.stats.thresholds import curve

    rows = 1_000_000 if arguments(__doc__).quick else 10_000_000
    root = with_labels(make(folder(), rows, DAYS))
    ours_mb, peer_mb = (_fresh_peak(side, root) for side in ("from_files", "from_arrays"))
    scores, labels = np.load(root / "scores.npy"), np.load(root / "labels.npy")
    con = duckdb.connect(config={"threads": 1})
    with open_store(root, "bench") as store:
        days, joined, _ = from_log(store)
        _assert_equal(joined, np.rint(1000 * np.log(scores / (1 - scores))), labels)
        beside = from_files(root, con)[0]
        for name in ("thresholds", "alerts", "tp", "fp"):
            assert (getattr(beside, name) == getattr(joined, name)).all()
        ours, counted, theirs, alone = interleaved(
            lambda: from_files(root, con),
            lambda: curve(total(days)).fpr,
            lambda: peer(scores, labels),
            lambda: roc_curve(labels, scores, drop_intermediate=False),
        )
        files = [str(root / path) for path, *_ in _predictions(store)]
        ids = con.execute(f"SELECT prediction_id FROM read_parquet({files})").df().prediction_id
        predictions = pd.DataFrame({"prediction_id": ids, "score": scores})
        outcomes = pd.DataFrame({"prediction_id": ids, "label": labels})
        outcomes = outcomes.sample(frac=1, random_state=0, ignore_index=True)
        with_join, their_join = interleaved(
            lambda: from_log(store), lambda: peer_with_join(predictions, outcomes), runs=3
        )
    arrays = f"{PEER}; probabilities and labels in memory"
    figure(
        "curve_vs_sklearn", ours, theirs, "CPU s", rows, f"{arrays}; ours reads 60 files", ours_mb
    )
    once = "scikit-learn: roc_curve alone, which has no precision"
    figure("curve_vs_roc_curve", ours, alone, "CPU s", rows, once)
    figure("curve_from_counts", counted, theirs, "CPU s", rows, f"{arrays}; ours adds 60 tables")
    merged = f"pandas.merge on the id, frames in memory, then {PEER}"
    note = "ours reads files and looks for corrections"
    figure("curve_join_vs_sklearn", with_join, their_join, "CPU s", rows, f"{merged}; {note}")
    figure("curve_memory_vs_sklearn", ours_mb, peer_mb, "MB", rows, f"{PEER}, with its arrays")


def from_arrays(root):
    "The peer with what it needs in memory."
    return peer(np.load(root / "scores.npy"), np.load(root / "labels.npy"))


def _fresh_peak(side, root):
    "Peak memory (MB) that a side adds to a new process; a fork of this one would reuse its free."
    code = (
        "from pathlib import Path; import aiops_wb.log.duck, aiops_wb.stats.thresholds; "
        "from bench import common, thresholds; "
        f"print(common.peak_mb(lambda: thresholds.{side}(Path({str(root)!r}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
