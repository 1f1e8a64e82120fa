"Two arms from the command: begun, read any day, ended by one switch; nothing of an entity stays."

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call, main
from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.models.scorer import Scorer
from aiops_wb.stats.ab import Arm
from aiops_wb.stats.points import Grid
from aiops_wb.watch import ab
from aiops_wb.watch.ab import Reading, read_ab

WHY = ["--why", "is it cheaper?"]
START = ["ab", "start", MODEL, "--threshold", "0.9", "--miss-cost", "4", *WHY]
WAITS = ["--window-days", "2", "--mature-days", "1"]


def at(day, hour=0):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def registered(store, *versions):
    "Versions that could score, the first of them active."
    for version in versions:
        store.add_version(at(1), "ana", MODEL, version, Grid(), "p", {"features": ["x"]}, 0)
    store.record(at(1), "ana", "model", MODEL, versions[0], "first")


def logged(bench, frame, **columns):
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as log:
        names = {"prediction_id": frame.id, "entity_id": frame.entity}
        log.log(frame.score, frame["at"], **names, **columns)
    with OutcomeLogger(bench.data / "spool", "test", flush_seconds=None) as log:
        log.log(frame.id, frame.label, frame["at"], predicted_at=frame["at"])


@pytest.fixture
def give(tmp_path, capsys, monkeypatch):
    "Give a command at a time: exit code, what was told, what was wrong."
    monkeypatch.setenv("AIOPS_AB_TESTS", "true")
    bench = Bench(tmp_path)

    def given(now, *words):
        monkeypatch.setattr(call.Call, "now", lambda self: now)
        code = main([*words, "--data", str(bench.data)])
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "Traceback" not in told.err
        return code, told.out, told.err

    given.bench = bench
    return given


def frames(days, n, seed=0):
    made = events(days, n, seed=seed, start=date(2026, 3, 3))
    return made.assign(
        entity=[f"e{i}" for i in np.random.default_rng(seed).integers(0, 150, len(made))]
    )


def test_a_test_is_begun_read_and_ended(give):
    bench = give.bench
    with bench.store() as store:
        registered(store, "v1", "v2")
    bench.log(events(1, 5, start=date(2026, 3, 2)).assign(id=lambda f: "old" + f.id))
    bench.ingest(at(2, 12))
    code, told, _ = give(at(2, 13), *START, *WAITS)
    assert code == 0 and "test " in told and "(it was so already" not in told
    assert "A: v1 from 0.500 (0 points), 50% of the entities" in told
    assert "B: v1 from 0.900 (2197 points), 50%" in told and "enters the comparison 3 days" in told
    assert "(it was so already: nothing was written)" in give(at(2, 14), *START, *WAITS)[1]
    assert "runs: end it with" in give(at(2, 14), *START, "--share", "0.2", *WAITS)[2]
    frame = frames(5, 100)
    logged(bench, frame)
    with bench.store() as store:
        for day in range(3, 9):  # what was logged is taken in, in one delivery here
            bench.log(events(1, 1, seed=day, start=date(2026, 3, day)).assign(id=f"n{day}"))
    bench.ingest(at(3))
    bench.publish()
    none = give(at(3, 2), "ab", "read", MODEL)[1]
    assert "not yet: no entity has entered; the first enter on 2026-03-06" in none
    code, told, _ = give(at(12), "ab", "read")
    assert code == 0 and "  A: v1 from 0.500 (0 points): " in told and "it runs" in told
    assert "  cost, B less A: " in told and "false calls, B less A" in told
    (row,) = json.loads(give(at(12), "ab", "read", "--json")[1])
    entered = sum(arm["entered"] for arm in row["arms"])
    assert entered == row["differences"]["cost"]["n"] == frame.entity.nunique() + 2
    assert (
        row["better"] is None and row["problems"] == [] and row["entered_through"] == "2026-03-09"
    )
    assert give(at(12), "verify")[0] == 0 and give(at(12), "audit", "verify")[0] == 0
    gone = frame.entity[0]
    assert give(at(12), "forget", "--entity", gone, *WHY, "--yes")[0] in (0, 2)
    code, told, _ = give(at(13), "ab", "stop", MODEL, *WHY)
    assert code == 0 and told.startswith(f"no test of {MODEL} runs any more")
    assert "it was so already" in give(at(13), "ab", "stop", MODEL, *WHY)[1]
    assert "ended 2026-03-13 00:00Z (is it cheaper?)" in give(at(14), "ab", "read")[1]
    assert "'aiops-wb ab start' begins one" in give(at(14), "ab", "stop", MODEL, "--why", "x")[2]
