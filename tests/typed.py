"""A script of somebody who uses every public name: `mypy --strict` finds our types in it.

It is read by mypy alone (`make types`, tests/test_typing.py) and never run. `assert_type` fails
where a name comes out as `Any`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd

from aiops_wb import (
    BufferFull,
    Busy,
    Calibration,
    Certainty,
    Figure,
    Grid,
    Histogram,
    Ingested,
    ModelVersion,
    NotWritten,
    OutcomeLogger,
    PredictionLogger,
    Reader,
    ScoreCounts,
    Scorer,
    Settings,
    SettingsError,
    Store,
    StoreError,
    ThresholdExplorer,
    VennAbers,
    View,
    Workbench,
    calibrate,
    certainty,
    curve,
    ingest_file,
    load_settings,
    open_snapshot,
    open_store,
    open_view,
    scoring_app,
    simulate,
    summary,
    train,
    venn_abers,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def settings() -> Settings:
    try:
        chosen = load_settings(data=Path("data"))
    except SettingsError as error:
        raise SystemExit(str(error)) from None
    assert_type(chosen.false_ticket_share, float)
    return chosen


def figures(scores: list[float], labels: list[int]) -> dict[str, Figure]:
    grid = Grid()
    counts = ScoreCounts.from_events(grid.quantise(scores), labels)
    assert_type(counts + counts, ScoreCounts)
    assert_type(counts.total, tuple[int, int, int])
    assert_type(calibrate(counts, model="m"), Calibration)
    assert_type(venn_abers(counts), VennAbers)
    assert_type(Histogram.from_values([1.0, 2.0]).quantile(0.95), float)
    assert_type(simulate(counts, 400, 0).alerts, tuple[int, int])
    assert_type(summary(counts, 400)["recall"].value, float)
    print(curve(counts).fdr.round(2))
    return summary(counts, 400)


def stands(counts: Mapping[date, ScoreCounts]) -> Certainty:
    found = certainty(counts, date(2026, 3, 1))
    assert_type(found.interval(400), tuple[float, float])
    assert_type(found.decide(400).route, str)
    return found


def log(spool: Path) -> None:
    with PredictionLogger(spool, "m", "v1", threshold=400, flush_seconds=None) as predictions:
        assert_type(predictions, PredictionLogger)
        try:
            predictions.log(0.7, NOW, prediction_id="e1", features={"x": 1.0}, site_id="north")
            predictions.log([0.7, 0.2], [NOW, NOW], entity_id=["a", None])
        except (NotWritten, BufferFull) as error:
            assert_type(str(error), str)
    with OutcomeLogger(spool, "desk") as outcomes:
        outcomes.log("e1", 1, "2026-03-02T00:00:00Z")
        assert_type(outcomes.flush(), Path | None)


def take_in(data: Path) -> Ingested:
    try:
        with open_store(data, "me") as store:
            assert_type(store, Store)
            with store.transaction():
                store.activate(NOW, "me", "m", "v1", "the first model")
            return ingest_file(store, NOW, "me", "scores.csv", "predictions")
    except Busy as error:
        raise StoreError(str(error)) from None


def read(data: Path) -> None:
    with open_snapshot(data) as reader:
        assert_type(reader, Reader)
        assert_type(reader.score_counts("m"), dict[date, ScoreCounts])
        assert_type(reader.active_version("m"), str | None)
        assert_type(reader.rows("m", date(2026, 3, 1), date(2026, 3, 1)), pd.DataFrame)
        scorer = Scorer.in_force(reader, "m")
    assert_type(scorer, Scorer)
    assert_type(scorer.version, ModelVersion)
    assert_type(scorer.decide(pd.DataFrame({"x": [1.0]}), site_id="north"), pd.DataFrame)
    assert_type(scorer.decide_one({"x": 1.0}, site_id="north").risk_level, str)
    scoring_app(data, "m", flush_seconds=0.5).end()
    view = open_view(data, "m")
    assert_type(view, View)
    assert_type(view.day, date)


def learn(rows: pd.DataFrame) -> ModelVersion:
    version, held_out = train(rows, "m", "v2")
    assert_type(held_out, dict[date, ScoreCounts])
    assert_type(version.score(rows), np.ndarray[tuple[Any, ...], np.dtype[Any]])
    return version


def explore(data: Path) -> str:
    explorer = ThresholdExplorer(data, "m", site="north")
    assert_type(explorer.model, str)
    return explorer.propose("fewer calls")


def analyse(data: Path) -> pd.DataFrame:
    with Workbench(data) as wb:
        assert_type(wb.models, tuple[str, ...])
        late = wb["m"]
        assert_type(late.day, date)
        assert_type(late.threshold, float)
        assert_type(late.performance().frame, pd.DataFrame)
        return late.top(20).frame
