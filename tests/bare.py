"""What an installation without any extra does: log, ingest, read, and figures of own arrays.

Run by `wheel_check.py` in an environment that has nothing else; it prints nothing when all is well.
"""

import importlib.util
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

import aiops_wb
from aiops_wb import (
    Grid,
    OutcomeLogger,
    PredictionLogger,
    ScoreCounts,
    calibrate,
    certainty,
    curve,
    open_snapshot,
    open_view,
    simulate,
    summary,
    venn_abers,
)

COMMAND = Path(sys.executable).parent / "aiops-wb"
NEEDS = {  # what asks for an extra -> the one that it names
    ("models", "train"): "aiops_wb[ml,lab]",
    ("serve",): "aiops_wb[api]",
    ("score-service", "m"): "aiops_wb[api]",
    ("consume", "redis://h/0?stream=s"): "aiops_wb[redis]",
    ("consume", "kafka://h?topic=t"): "aiops_wb[kafka]",
    ("mcp",): "aiops_wb[mcp]",
    ("demo",): "aiops_wb[ml,lab]",
    ("daily",): "aiops_wb[ml,lab]",
    ("calendar", "holidays", "--country", "DE"): "aiops_wb[calendar]",
}


def command(*words):
    "A call of the command: what it prints, what it says of errors, its exit code."
    call = [COMMAND, *words, "--data", "data"]
    done = subprocess.run(call, capture_output=True, text=True)
    return done.stdout, done.stderr, done.returncode


def own_arrays(scores, labels):
    "Statistics of arrays that no log knows."
    points, threshold = Grid().quantise(scores), int(Grid().quantise(0.6))
    counts = ScoreCounts.from_events(points, labels)
    assert counts.total == (len(scores), len(scores), int(labels.sum()))
    assert 0.5 < summary(counts, threshold)["roc_auc"].value < 1
    assert simulate(counts, threshold, 0).alerts[0] == (points >= threshold).sum()
    assert len(curve(counts).thresholds) == len(np.unique(points))
    assert venn_abers(counts).n == calibrate(counts).n == len(scores)
    assert certainty({date(2026, 3, 1): counts}, date(2026, 3, 1)).rule.reason


def logged_and_read(scores, labels):
    "What services log is taken in and read."
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    threshold = int(Grid().quantise(0.6))
    ids = [f"e{i}" for i in range(len(scores))]
    with PredictionLogger("data/spool", "m", "v1", threshold=threshold, sigterm=False) as log:
        log.log(scores, [at] * len(ids), prediction_id=ids, features={"x": scores})
    with OutcomeLogger("data/spool", "test", sigterm=False) as log:
        log.log(ids, labels, [datetime(2026, 3, 2, tzinfo=UTC)] * len(ids))
    said, wrong, code = command("ingest")
    assert code == 0 and "1,000 loaded" in said, (said, wrong)
    with open_snapshot("data") as reader:
        counts = reader.score_counts("m")[date(2026, 3, 1)]
        assert counts.total == (len(ids), len(ids), int(labels.sum()))
        assert len(reader.rows("m", date(2026, 3, 1), date(2026, 3, 1))) == len(ids)
    assert open_view("data", "m").window(1).total == counts.total
    figures = command("daily", "--reports", "none")
    assert figures[2] == 0, figures


def extras_are_named():
    "What needs an extra says which."
    for words, extra in NEEDS.items():
        said, wrong, code = command(*words)
        assert code == 1 and extra in wrong and wrong.count("\n") == 1, (words, said, wrong)
    for name, extra in {"Scorer": "ml", "train": "ml", "ThresholdExplorer": "lab"}.items():
        try:
            getattr(aiops_wb, name)
        except ModuleNotFoundError as error:
            assert f"aiops_wb[{extra}]" in str(error), error
        else:
            raise AssertionError(f"{name} needs no extra")


def main():
    there = [name for name in ("xgboost", "jinja2", "IPython", "fastapi") if known(name)]
    assert not there, f"{', '.join(there)} came with the package"
    rng = np.random.default_rng(0)
    scores = rng.random(500)
    labels = (rng.random(500) < scores).astype(int)
    own_arrays(scores, labels)
    logged_and_read(scores, labels)
    extras_are_named()


def known(name):
    "Whether a package is installed."
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    main()
