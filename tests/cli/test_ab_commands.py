"Two arms from the command: begun, read any day, ended by one switch; nothing of an entity stays."

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call, main
from aiops_wb.config import Settings
from aiops_wb.log.ab import AbTest
from aiops_wb.log.errors import StoreError
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.models.scorer import Scorer
from aiops_wb.stats.ab import Arm, Entities, Plan, looks
from aiops_wb.stats.points import Grid
from aiops_wb.watch.ab import Asked, Reading, begin_ab, end_unwanted_ab
from aiops_wb.watch.headlines import thresholds_headline
from aiops_wb.watch.view import View

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
    frame = frames(5, 100)
    logged(bench, frame)
    bench.ingest(at(3))
    bench.publish()
    none = give(at(3, 2), "ab", "read", MODEL)[1]
    assert "not yet: no entity has entered; the first enter on 2026-03-06" in none
    code, told, _ = give(at(12), "ab", "read")
    assert code == 0 and "  A: v1 from 0.500 (0 points): " in told and "it runs" in told
    assert "  cost, B less A: " in told and "false calls, B less A" in told
    (row,) = json.loads(give(at(12), "ab", "read", "--json")[1])
    entered = sum(arm["entered"] for arm in row["arms"])
    assert entered == row["differences"]["cost"]["n"] == frame.entity.nunique()
    assert (
        row["better"] is None and row["problems"] == [] and row["entered_through"] == "2026-03-09"
    )
    code, told, _ = give(at(13), "ab", "stop", MODEL, *WHY)
    assert code == 0 and told.startswith(f"no test of {MODEL} runs any more")
    assert "it was so already" in give(at(13), "ab", "stop", MODEL, *WHY)[1]
    assert "ended 2026-03-13 00:00Z (is it cheaper?)" in give(at(14), "ab", "read")[1]
    assert "'aiops-wb ab start' begins one" in give(at(14), "ab", "stop", MODEL, "--why", "x")[2]


@pytest.mark.slow
def test_who_is_forgotten_is_in_no_arm_and_the_log_stays_whole(give):
    bench, frame = give.bench, frames(5, 40)
    with bench.store() as store:
        registered(store, "v1")
        plan = Plan("t1", 0.5, Arm("v1", 0), Arm("v1", 900), 2, 1, "cost", 4.0)
        store.begin_ab(at(2), "ana", MODEL, plan, "why")
    logged(bench, frame)
    bench.ingest(at(3))
    bench.publish()

    def entered():
        (row,) = json.loads(give(at(12), "ab", "read", "--json")[1])
        return sum(arm["entered"] for arm in row["arms"])

    before = entered()
    assert before == frame.entity.nunique()
    assert give(at(12), "forget", "--entity", frame.entity[0], *WHY)[0] == 0
    assert entered() == before - 1
    assert give(at(12), "verify")[0] == 0 and give(at(12), "audit", "verify")[0] == 0
    kept = str(bench.root / "kept")
    assert give(at(12), "backup", kept)[0] == 0
    assert give(at(13), "restore", kept, "--replace", *WHY)[0] == 0 and entered() == before - 1


REFUSED = (
    ({}, {"ab_tests": False}, "A/B tests are off: set ab_tests = true"),
    ({}, {}, "add --miss-cost, or compare outcomes"),
    ({"by": "outcome", "version": None, "threshold": 0.5}, {}, "both arms would be"),
    ({"by": "outcome", "version": "v9"}, {}, "no registered version 'v9'"),
    ({"by": "outcome", "version": "v2", "share": 0.99}, {}, "from 0.05 to 0.95"),
    ({"by": "outcome", "mature": None}, {"complete_share": 0.05}, "it is not known when labels"),
    ({"version": "v2", "miss_cost": 0.0}, {"retrain_miss_cost": 5}, "costs 0 false calls is not"),
    ({"version": "v2", "miss_cost": -1.0}, {}, "costs -1 false calls is not allowed: a finite"),
    ({"version": "v2", "miss_cost": float("inf")}, {}, "costs inf false calls is not allowed"),
    ({"by": "outcome", "threshold": 1.5}, {}, "threshold: "),
)


def test_what_no_test_can_be_is_refused(bench):
    with bench.store() as store:
        registered(store, "v1", "v2")
    bench.log(events(2, 5, start=date(2026, 3, 2)))
    bench.ingest(at(4))
    with bench.store() as store:
        rows = store.audit_head()[0]

        def begin(asked, **settings):
            told = Settings(data=bench.data, **{"ab_tests": True} | settings)
            return begin_ab(store, at(4), "ana", MODEL, asked, told, "why not")

        for asked, settings, why in REFUSED:
            with pytest.raises(StoreError, match=why):
                begin(Asked(**{"version": "v2", "mature": 1} | asked), **settings)
        store.set_own_threshold(at(4), "ana", MODEL, "v2", ("default", None), 7, "own")
        with pytest.raises(StoreError, match=f"thresholds of their own under {MODEL} v2"):
            begin(Asked("v2", mature=1), retrain_miss_cost=3)
        store.turn_dial(at(4), "ana", MODEL, False, "off")
        with pytest.raises(StoreError, match="the dial of .* is off"):
            begin(Asked(threshold=0.9, mature=1), retrain_miss_cost=3)
        assert store.ab_tests(MODEL) == [] and store.audit_head()[0] > rows


def test_what_is_in_force_has_arms_until_the_setting_ends_them(bench):
    with bench.store() as store:
        registered(store, "v1", "v2")
    bench.log(events(1, 5, start=date(2026, 3, 2)))
    bench.ingest(at(4))
    with bench.store() as store:
        settings = Settings(data=bench.data, ab_tests=True, tune_cost_missed=7)
        asked = Asked("v2", 0.9, 0.3, mature=2)
        plan = begin_ab(store, at(4), "ana", MODEL, asked, settings, "is v2 better?")
        assert plan.miss_cost == 7 and (plan.a, plan.b) == (Arm("v1", 0), Arm("v2", 2197))
        scores = lambda frame: frame.x.to_numpy()
        scorer = Scorer.in_force(store, MODEL, scores=scores)
        a, b = (scorer.arms[arm] for arm in "AB")
        assert scorer.test == plan and (a.version.version, a.threshold) == ("v1", 0)
        assert (b.version.version, b.threshold, b.ladder.high) == ("v2", 2197, 2197)
        assert (
            a.test is b.test is None
            and Scorer.in_force(store, MODEL, version="v1", scores=scores).test is None
        )
        told = scorer.decide(
            pd.DataFrame({"x": [0.7] * 200}), entity_id=[f"e{i}" for i in range(200)]
        )
        assert (told.version == np.where(told.arm.str.endswith("/B"), "v2", "v1")).all()
        assert set(told.route) == {"alert", "monitor"} and 30 < (told.version == "v2").sum() < 90
        end_unwanted_ab(store, MODEL, at(5), "daily", settings)
        assert store.ab_test(MODEL) == plan
        for _ in range(2):
            end_unwanted_ab(store, MODEL, at(6), "daily", Settings(data=bench.data))
        (test,) = store.ab_tests(MODEL)
        assert test.ended == at(6) and "ab_tests is off" in test.ended_why
        assert Scorer.in_force(store, MODEL, scores=scores).test is None


def reading(rows, by="cost", **more):
    "A test of which these entities have entered."
    plan = Plan("t", 0.5, Arm("v1", 0), Arm("v1", 900), 2, 1, by, 4.0)
    test = AbTest(plan, at(2), "ana", "why", None, None)
    made = pd.DataFrame(rows).assign(**more)
    return Reading(MODEL, test, date(2026, 3, 20), made)


def entities(n=4000, seed=1, better=0.0, **told):
    rng = np.random.default_rng(seed)
    arm = np.where(rng.random(n) < 0.5, "B", "A")
    cohort = pd.to_datetime(date(2026, 3, 3)) + pd.to_timedelta(np.arange(n) * 10 // n, unit="D")
    positive = rng.random(n) < 0.3
    missed = positive & (rng.random(n) < np.where(arm == "B", 0.5 - better, 0.5))
    counted = {"n": 2, "calls": 1, "labelled": 2, "positive": positive, "missed": missed}
    counted |= {"false_calls": ~positive, "late": 0, "crossed": False}
    return {"entity_id": np.arange(n), "cohort": cohort, "arm": arm} | counted | told


def test_a_reading_says_which_arm_is_better_and_since_when():
    same, better = reading(entities()), reading(entities(better=0.4))
    assert same.verdict.better is None and same.says.startswith("not yet: cost of an event")
    assert "a difference of a tenth of it takes about" in same.says and same.problems == []
    seen = better.compared["cost"]
    of = better.entered
    lost = (of.false_calls.astype(int) + 4 * of.missed.astype(int)).to_numpy() / 2
    cohort = (of.cohort - pd.Timestamp(0)).dt.days.to_numpy()
    by_hand = looks(Entities(cohort, (of.arm == "B").to_numpy(), lost / 4), 0.5)
    assert [k.upper for k in seen] == pytest.approx([4 * k.upper for k in by_hand])
    first = next(k for k in seen if k.better)
    since = better.told(first)["entered_on"]
    assert better.verdict.better == "B" and better.since == since
    assert better.says.startswith(f"B is better since {since}: cost of an event in false calls")
    assert reading(entities(better=0.4), by="outcome").verdict.better is None
    a, b = better.arms
    assert a.cost > b.cost and (a.threshold, b.threshold) == (0, 900)
    assert a.entities == a.entered and a.events == 2 * a.entered


def test_a_reading_says_what_speaks_against_it():
    made = entities(better=0.4)
    kept = np.where(made["arm"] == "B", np.arange(4000) % 5 > 0, True)
    off = reading({name: np.broadcast_to(v, 4000)[kept] for name, v in made.items()})
    assert off.off and off.verdict.better is None and off.says == "unknown: the split is off"
    assert "the split is off: " in off.problems[0]
    labelled = np.where(made["arm"] == "B", 2, 1)
    odd = reading(made, labelled=labelled, crossed=np.arange(4000) < 3, late=1)
    told = " ".join(odd.problems)
    assert "3 entities were decided by both arms" in told
    assert "labels are known of more events in arm B" in told and "labels came after" in told
    none = reading({name: np.broadcast_to(v, 4000)[:0] for name, v in made.items()})
    assert "no event of an entity is logged yet" in none.says and none.problems == []


def test_the_page_of_thresholds_tells_how_a_test_stands(bench):
    frame = frames(5, 60)
    with bench.store() as store:
        registered(store, "v1", "v2")
        plan = Plan("t1", 0.5, Arm("v1", 0), Arm("v2", 900), 2, 1, "cost", 4.0)
        store.begin_ab(at(2), "ana", MODEL, plan, "why")
    logged(bench, frame)
    bench.ingest(at(3))
    with bench.store() as store:
        view = View(store, MODEL, date(2026, 3, 7), None, Settings(data=bench.data))
        told = thresholds_headline(view).says
        assert " Test t1 of two arms runs since 2 March: unknown: the split is off." in told
        assert told.endswith("This page is about the events that v1 scored.")  # and v2 scored none
        store.end_ab(at(8), "ana", MODEL, "enough")
        assert "Test t1" not in thresholds_headline(view).says
