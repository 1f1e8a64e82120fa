"""One event decided by itself, beside XGBoost's own `inplace_predict` of the same row; and a
scoring service under 500 requests a second while a night runs at the lowest priority, beside an
empty endpoint of the same server, asked between; then the same with its processes killed, and every
answer held against the log.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from aiops_wb.models.scorer import Scorer
from aiops_wb.models.version import ModelVersion
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import Ladder
from aiops_wb.stats.points import Grid
from bench.common import arguments, cpu, figure, print_error

ROOT = Path(__file__).parent.parent
FEATURES = [f"x{i}" for i in range(10)]
TREES, DEPTH = 200, 5
NOW = datetime(2026, 3, 20, tzinfo=UTC)
PER_SECOND = 500


def standing():
    "A scorer of 200 trees of depth 5 over ten features, one a category, and events for it."
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 10)).astype(np.float32)
    x[:, 9] = rng.integers(0, 8, len(x))
    label = rng.random(len(x)) < 1 / (1 + np.exp(-x[:, 0] - x[:, 1] * x[:, 2] - (x[:, 9] == 3)))
    rows = xgb.DMatrix(x, label, feature_types=["q"] * 9 + ["c"], enable_categorical=True)
    told = {"objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.08, "nthread": 1}
    booster = xgb.train(told, rows, TREES)
    card = {"features": FEATURES, "categories": {"x9": list("abcdefgh")}, "threshold": 405}
    points = Grid().quantise(booster.predict(rows))
    days = {
        date(2026, 2, 1) + timedelta(i): ScoreCounts.from_events(points[i::40], label[i::40])
        for i in range(40)
    }
    lives = {"created_at": NOW, "time_to_live": timedelta(30)}
    stands = certainty(days, max(days), method="venn-abers", target=0.3, **lives)
    version = ModelVersion("live", "v1", booster, card)
    scorer = Scorer(version, 405, "C-1", stands, Ladder.of().at(405))
    events = [dict(zip(FEATURES, [*row[:9], "abcdefgh"[int(row[9])]])) for row in x[:1000].tolist()]
    return scorer, events, [x[i : i + 1].copy() for i in range(1000)]


def decided(calls, rounds):
    "CPU microseconds of a decision, and of the booster's own answer for a row, by turns."
    scorer, events, rows = standing()
    frame = scorer.decide(pd.DataFrame(events[:50]), NOW)
    assert [scorer.decide_one(e, NOW).score for e in events[:50]] == frame.score.tolist()
    booster = scorer.version.booster
    booster.set_param({"nthread": 1})
    many, numbers = cycle(events), cycle(rows)
    taken = []
    for _ in range(rounds + 1):
        before = cpu()
        for _ in range(calls):
            scorer.decide_one(next(many), NOW, site_id="north")
        between = cpu()
        for _ in range(calls):
            booster.inplace_predict(next(numbers))
        taken.append((between - before, cpu() - between))
    return (1e6 / calls * np.median(taken[1:], axis=0)).tolist()


def asked(seconds, kills):
    "What `tests/asked.py` tells of a service that was asked for so long."
    words = [sys.executable, ROOT / "tests" / "asked.py", str(seconds), str(kills), str(PER_SECOND)]
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"PYTHONPATH": path}
    )
    return json.loads(done.stdout.splitlines()[-1])


def served(quick):
    "Answers of a service in peace, and what it lost of what it was asked while it was killed."
    told = asked(8 if quick else 60, 0)
    print_error(f"in peace: {told}")
    what = (
        f"an empty endpoint of the same server, {PER_SECOND} requests a second, one in five of it"
    )
    for name in ("p50", "p99"):
        figure(
            f"serve_{name}_vs_empty",
            told[f"score_{name}"],
            told[f"empty_{name}"],
            "ms",
            told["asked"],
            f"{what}, two processes, two processors, a night beside it at the lowest priority; "
            f"{told['refused']} were answered 429",
        )
    killed = asked(8 if quick else 60, 2 if quick else 12)
    print_error(f"killed: {killed}")
    figure(
        "serve_lost",
        told["lost"] + told["double"] + killed["lost"] + killed["double"],
        0,
        "events",
        killed["asked"],
        f"absolute: events said to be logged that the log has not, or twice, after "
        f"{killed['kills']} kill -9 (target 0); {killed['in_memory']} of {killed['logged']:,} "
        "were logged in the last second before one",
    )


def main():
    quick = arguments(__doc__).quick
    one, predict = decided(200 if quick else 1000, 9 if quick else 21)
    size = f"{TREES} trees of depth {DEPTH}, ten features"
    figure("decide_one_us", one, 0, "us", 1, f"absolute: one event decided, {size} (target 400)")
    figure("decide_one_vs_predict", one, predict, "us", 1, f"inplace_predict of a row, {size}")
    served(quick)


if __name__ == "__main__":
    main()
