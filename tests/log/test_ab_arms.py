"A test of two arms: who decides, what is logged of it, and what is known of the entities when."

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.log.ab import in_b_sql, plan_of, told_arm
from aiops_wb.log.deciding import Named, decided_elsewhere
from aiops_wb.log.errors import StoreError
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.models.batch import Batches
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.version import ModelVersion
from aiops_wb.stats.ab import Arm, Plan
from aiops_wb.stats.decisions import Ladder

NOW, START = datetime(2026, 3, 20, tzinfo=UTC), date(2026, 3, 1)
PLAN = Plan("t1", 0.5, Arm("v1", 0), Arm("v1", 900), 3, 2, "cost", 5.0)


def at(day, hour=0):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def begin(store, when=at(1), plan=PLAN):
    "A test of a version that is active with its threshold."
    store.record(at(1), "ana", "model", MODEL, "v1", "first")
    store.record(at(1), "ana", "threshold", f"{MODEL}/v1", "0", "first")
    return store.begin_ab(when, "ana", MODEL, plan, "is fewer calls better?")


def entities(n, days=9, seed=0):
    "Events of entities that are first seen on different days."
    made = events(days, n, seed=seed)
    rng = np.random.default_rng(seed + 1)
    return made.assign(entity=[f"it's {i} é" for i in rng.integers(0, n, len(made))])


def logged(bench, frame, version="v1", **columns):
    with PredictionLogger(
        bench.data / "spool", MODEL, version, threshold=0, flush_seconds=None
    ) as log:
        names = {"prediction_id": frame.id, "entity_id": frame.entity, "site_id": frame.site}
        log.log(frame.score, frame["at"], features=frame[["x"]], **names, **columns)


def rows_of(bench):
    with bench.store() as store:
        return store.rows(MODEL, START, START + timedelta(30)).set_index("prediction_id")


def scorer(test=None):
    "What stands, and what arm B would have, for a version that returns its feature as the score."
    card = {"features": ["s"], "threshold": 0, "categories": {}, "bins": {}, "window": []}
    version = ModelVersion(MODEL, "v1", None, card, scores=lambda frame: frame.s.to_numpy())
    a, b = (Scorer(version, high, None, None, Ladder.of().at(high)) for high in (0, 900))
    if test is None:
        return a
    return Scorer(version, 0, None, None, a.ladder, test=test, arms={"A": a, "B": b})


@pytest.mark.parametrize("share", [0.5, 0.07])
def test_sql_draws_the_arms_that_python_draws(share):
    plan = Plan("a'b/ é", share, PLAN.a, PLAN.b, 3, 2, "cost", 5.0)
    frame = pd.DataFrame({"entity_id": [f"it's {i} é\u2713 \\n" for i in range(3000)]})
    drawn = duckdb.sql(f"SELECT {in_b_sql(plan)} AS b FROM frame").df().b.to_numpy()
    assert (drawn == (plan.arms_of(frame.entity_id) == "B")).all() and 0 < drawn.sum() < 3000


def test_one_event_is_decided_and_logged_by_the_arm_of_its_entity(bench):
    "What `decide` says of a frame, `decide_one` says of its rows; the log has the arm of each."
    with bench.store() as store:
        begin(store)
    frame = entities(30, 2).rename(columns={"score": "s"})
    frame.loc[3, "entity"] = None
    decides, made = scorer(PLAN), []
    told = decides.decide(frame, entity_id=frame.entity, site_id="north")
    with decides.logger(bench.data / "spool", flush_seconds=None) as log:
        for row in frame.to_dict("records"):
            who = {"site_id": "north", "entity_id": row["entity"]}
            one = decides.decide_one(row, **who)
            decides.log_one(one, row, log, row["at"], prediction_id=row["id"], **who)
            made.append(one)
    for name in ("points", "risk_level", "route", "automated", "reason", "ladder"):
        assert [getattr(one, name) for one in made] == list(told[name]), name
    bench.ingest()
    rows = rows_of(bench).loc[frame.id]
    assert [None if pd.isna(arm) else arm for arm in rows.arm] == list(told.arm)
    assert (rows.threshold == np.where(rows.arm == "t1/B", 900, 0)).all()
    assert (rows.decided_by == "service").all() and rows.arm.nunique() == 2


def test_another_engine_draws_no_arms_and_says_so(bench):
    "Files are registered by an engine whose hashes are not asked for: what a test decides is not."
    with bench.store() as store:
        begin(store, at(5))
        before, during = (Named("default", MODEL, "v1", "logit", at(d), at(d)) for d in (3, 6))
        assert "decided" in decided_elsewhere(store, [before], ["route"])[1]
        with pytest.raises(StoreError, match="the A/B test t1 decides some of these events, and"):
            decided_elsewhere(store, [before, during], ["route"])


def test_what_is_scored_again_is_scored_by_what_stands():
    frame = pd.DataFrame({"s": [0.2, 0.6, 0.9]})
    again = Batches(scorer(PLAN)).scorer
    assert again.test is None and (again.decide(frame) == scorer().decide(frame)).drop(
        columns=["lower", "upper", "propensity"]
    ).all(axis=None)


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    "A log of nine days; its test begins on the second day and ends on the eighth."
    bench, frame = Bench(tmp_path_factory.mktemp("tested")), entities(60)
    with bench.store() as store:
        begin(store, at(2))
        store.end_ab(at(8), "ana", MODEL, "enough")
    logged(bench, frame)
    bench.ingest(NOW)
    return bench, frame


def test_the_ingester_decides_by_arms_as_a_scorer_does(tested):
    bench, frame = tested
    rows = rows_of(bench).loc[frame.id]
    inside = ((frame["at"] >= at(2)) & (frame["at"] < at(8))).to_numpy()
    told = scorer(PLAN).decide(frame.rename(columns={"score": "s"}), entity_id=frame.entity)
    alone = scorer().decide(frame.rename(columns={"score": "s"}))
    assert "arm" not in alone and set(told.version) == {"v1"}
    for name in ("route", "risk_level", "automated", "ladder"):
        expected = np.where(inside, told[name], alone[name])
        assert (rows[name].to_numpy() == expected).all(), name
    assert rows.arm[~inside].isna().all() and rows.arm_propensity[~inside].isna().all()
    drawn = [told_arm(PLAN, arm) for arm in PLAN.arms_of(frame.entity)]
    assert (rows.arm[inside] == np.array(drawn)[inside]).all()
    assert (told.arm == drawn).all() and set(rows.arm_propensity[inside]) == {0.5}
    assert (alone.route != told.route).any()


def test_the_arms_of_a_scorer_are_logged_each_by_its_own(bench):
    with bench.store() as store:
        begin(store)
    frame = entities(40, 2).rename(columns={"score": "s"})
    frame.loc[3, "entity"] = None
    decides = scorer(PLAN)
    with decides.logger(bench.data / "spool", flush_seconds=None) as log:
        told = decides.score_and_log(
            frame, log, frame["at"], entity_id=frame.entity, site_id="north"
        )
        log.secure()
    assert told.index.equals(frame.index) and told.arm[3] is None
    bench.ingest()
    rows = rows_of(bench).loc[told.prediction_id]
    assert (rows.decided_by == "service").all() and len(rows) == len(frame)
    assert (rows.route.to_numpy() == told.route.to_numpy()).all()
    known = told.arm.notna().to_numpy()
    assert (rows.arm.to_numpy()[known] == told.arm[known]).all() and rows.arm.isna().sum() == 1
    assert (rows.threshold == np.where(rows.arm == "t1/B", 900, 0)).all()
    one = decides.armed(frame.entity[0])
    assert (one.arm, one.chance) == (told.arm[0], 0.5) and one.scorer.test is None
    assert scorer().armed("x").scorer.test is None and len(decides.decide(frame[:0])) == 0


def test_a_version_that_is_not_of_its_arm_is_in_no_arm(bench):
    plan = Plan("t1", 0.5, Arm("v1", 0), Arm("v2", -900), 3, 2, "cost", 5.0)
    with bench.store() as store:
        begin(store, plan=plan)
        store.record(at(1), "ana", "threshold", f"{MODEL}/v2", "0", "first")
    frame = entities(60, 2)
    first = np.arange(len(frame)) % 2 == 0
    logged(bench, frame[first])
    logged(bench, frame[~first], "v2")
    bench.ingest(NOW)
    rows = rows_of(bench).loc[frame.id]
    arms = plan.arms_of(frame.entity)
    ours = arms == np.where(first, "A", "B")
    assert rows.arm.notna().to_numpy().tolist() == ours.tolist() and 0 < ours.sum() < len(ours)
    high = np.where(ours & ~first, -900, 0)
    assert (rows.route.isin(["alert", "ticket"]).to_numpy() == (rows.points >= high)).all()


CHANGES = (
    (lambda s: s.record(at(3), "ben", "model", MODEL, "v2", "go"), "version v2 was promoted"),
    (lambda s: s.record(at(3), "ben", "threshold", f"{MODEL}/v1", "1", "go"), "threshold of v1"),
    (lambda s: s.turn_dial(at(3), "ben", MODEL, False, "go"), "dial was turned off"),
    (
        lambda s: s.set_own_threshold(at(3), "ben", MODEL, "v1", ("default", "n"), 5, "go"),
        "threshold of its own",
    ),
)


@pytest.mark.parametrize("change, why", CHANGES, ids=[why for _, why in CHANGES])
def test_a_test_ends_when_what_it_stands_beside_is_changed(bench, change, why):
    with bench.store() as store:
        begin(store, at(2))
        assert store.ab_test(MODEL) == PLAN and store.ab_tests(MODEL)[0].ended is None
        change(store)
        store.record(at(3, 1), "ben", "threshold", f"{MODEL}/v1", "0", "back")
        store.record(at(3, 1), "ben", "model", MODEL, "v1", "back")
        assert store.ab_test(MODEL) is None and store.ab_test(MODEL, at(2, 5)) == PLAN
        (test,) = store.ab_tests(MODEL)
        assert test.ended == at(3) and why in test.ended_why
        assert store.ab_tests(MODEL, at(2, 5))[0].ended is None
        assert test.last_cohort(date(2026, 3, 30), UTC) == date(2026, 2, 28)
        store.end_ab(at(4), "ana", MODEL, "it is over")
        assert store.ab_tests(MODEL)[0].ended == at(3)


def test_acts_are_recorded_once_and_refused_where_they_cannot_be(bench):
    with bench.store() as store:
        assert store.ab_test(MODEL) is None and store.ab_tests(MODEL) == []
        with pytest.raises(StoreError, match="no test of .* runs: 'aiops-wb ab start'"):
            store.end_ab(at(1), "ana", MODEL, "why")
        begin(store)
        rows = store.audit_head()[0]
        again = Plan("t2", *list(vars(PLAN).values())[1:])
        assert store.begin_ab(at(2), "ana", MODEL, again, "is fewer calls better?") == PLAN
        assert store.audit_head()[0] == rows and plan_of("off") is None
        with pytest.raises(StoreError, match="test t1 of .* runs: end it"):
            store.begin_ab(at(2), "ben", MODEL, again, "me too")
        store.end_ab(at(3), "ana", MODEL, "enough")
        store.end_ab(at(4), "ana", MODEL, "enough")
        assert store.audit_head()[0] == rows + 1 and store.ab_test(MODEL) is None
        assert store.ab_test(MODEL, at(2)) == PLAN
        store.begin_ab(at(5), "ben", MODEL, again, "again")
        first, second = store.ab_tests(MODEL)
        assert (first.plan, first.ended, first.ended_why) == (PLAN, at(3), "enough")
        assert second.plan == again and second.began == at(5) and second.who == "ben"


def by_hand(frame, plan, labels, asked):
    "What is known of entities, with loops: labels are (prediction, known at, label), in order."
    found = {}
    inside = frame[frame.inside]
    for entity, of in inside.groupby("entity"):
        cohort = min(of.day)
        enters = datetime.combine(
            cohort + timedelta(plan.window + plan.mature), datetime.min.time(), UTC
        )
        rows = of[[d < cohort + timedelta(plan.window) for d in of.day]]
        counts = dict.fromkeys(("labelled", "positive", "false_calls", "missed", "late"), 0)
        for row in rows.itertuples():
            told = [(known, label) for known, label in labels.get(row.id, ()) if known <= asked]
            known = [label for since, label in told if since <= enters]
            counts["late"] += bool(told) and not known
            if known:
                counts["labelled"] += 1
                counts["positive"] += known[-1]
                counts["false_calls"] += row.called and not known[-1]
                counts["missed"] += not row.called and known[-1]
        found[entity] = {"cohort": cohort, "n": len(rows), "calls": int(rows.called.sum())} | counts
    return found


def test_entities_are_counted_with_the_labels_that_were_in_when_their_cohort_entered(tmp_path):
    bench, frame = Bench(tmp_path), entities(30, seed=4)
    with bench.store() as store:
        begin(store, at(2))
    logged(bench, frame)
    bench.ingest(at(1))  # taken in at once, for this trial
    rng, labels = np.random.default_rng(9), {}
    for when in (at(5), at(7), at(14)):
        some = frame[rng.random(len(frame)) < 0.4]
        drawn = rng.integers(0, 2, len(some))
        with OutcomeLogger(bench.data / "spool", "test", flush_seconds=None) as log:
            log.log(some.id, drawn, when - timedelta(hours=1), predicted_at=some["at"])
        bench.ingest(when)
        for one, label in zip(some.id, drawn):
            labels.setdefault(one, []).append((when, int(label)))
    rows = rows_of(bench).loc[frame.id]
    frame["called"] = rows.route.isin(["ticket", "alert"]).to_numpy()
    frame["inside"] = rows.arm.notna().to_numpy()
    with bench.store() as store:
        for asked in (at(10), at(20)):
            test = store.ab_tests(MODEL, asked)[-1]
            told = store.ab_entities(MODEL, test, asked).set_index("entity_id")
            expected = by_hand(frame, PLAN, labels, asked)
            assert list(told.index) == sorted(expected, key=lambda e: e.encode())
            for name in ("n", "calls", "labelled", "positive", "false_calls", "missed", "late"):
                assert told[name].to_dict() == {e: one[name] for e, one in expected.items()}, name
            assert [d.date() for d in told.cohort] == [expected[e]["cohort"] for e in told.index]
            assert not told.crossed.any() and (told.late.sum() > 0) == (asked == at(20))
        entered = store.ab_entities(MODEL, test, at(10))
        later = store.ab_entities(MODEL, test, at(20))
        done = (entered.cohort.dt.date <= PLAN.newest(date(2026, 3, 10))).to_numpy()
        same = ["entity_id", "n", "calls", "labelled", "positive", "false_calls", "missed"]
        assert done.any() and entered[done][same].equals(later[done][same])
