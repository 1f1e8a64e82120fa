"Events below the threshold that go to review by chance: scorer, ingester and replay draw alike."

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.log.exploring import BY_SERVICE, chances_sql, drawn_sql
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.version import ModelVersion
from aiops_wb.replay.period import replay
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.selective import Exploration, exploration, lot
from aiops_wb.watch.cases import open_cases

NOW, START = datetime(2026, 3, 20, tzinfo=UTC), date(2026, 3, 1)
POINTS = np.arange(-16_000, 16_001, 7)
PLAN = exploration(ScoreCounts.from_events(np.arange(-6_000, 3_000)), 405, 0.1)
MORE = exploration(ScoreCounts.from_events(np.arange(-3_000, 3_000)), 405, 0.4)


def at(day, hour=0):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def rows_of(bench, model=MODEL, **asked):
    with bench.store() as store:
        found = store.rows(model, START, START + timedelta(30), labels=False, **asked)
    return found.set_index("prediction_id") if len(found) else found


@pytest.mark.parametrize("plan", [PLAN, MORE, Exploration(0.5, "linear", (-32_000,), (500_000,))])
def test_sql_draws_the_lots_that_python_draws(plan):
    ids = [f"it's {i} é\u2713 \\n" for i in range(len(POINTS))]
    told = {"prediction_id": ids, "points": POINTS, "model": "a'b/c", "grid": plan.grid}
    frame = pd.DataFrame(told)
    chance = chances_sql(plan)
    found = duckdb.sql(f"SELECT {chance} AS chance, {drawn_sql(chance)} AS drawn FROM frame").df()
    assert (found.chance.to_numpy() / 1e6 == plan.chance(POINTS)).all()
    drawn = plan.chooses("a'b/c", ids, POINTS)
    assert (found.drawn.to_numpy() == drawn).all() and 0 < drawn.sum() < len(drawn)
    frame["grid"] = "another"
    assert duckdb.sql(f"SELECT {chance} AS chance FROM frame").df().chance.isna().all()


def scorer(store, when, model=MODEL):
    "What is in force at a time for a version that returns its feature as the score."
    card = {"features": ["s"], "threshold": 0, "categories": {}, "bins": {}, "window": []}
    version = ModelVersion(model, "v1", None, card, scores=lambda frame: frame.s.to_numpy())
    threshold = store.threshold(model, "v1", when)
    ladder = store.dial(model, when).ladder(0 if threshold is None else threshold, Grid())
    own = store.own_thresholds(model, "v1", when)
    plan = store.exploration(model, when)
    return Scorer(version, ladder.high, None, None, ladder, own, plan)


CHANGES = (
    (at(2, 6), lambda s, t: s.explore(t, "ana", MODEL, PLAN, "begin")),
    (at(3, 9), lambda s, t: s.record(t, "ana", "threshold", f"{MODEL}/v1", "-700", "lower")),
    (at(4, 7), lambda s, t: s.explore(t, "ana", MODEL, MORE, "more")),
    (
        at(5, 1),
        lambda s, t: s.set_own_threshold(t, "ana", MODEL, "v1", ("default", "north"), 900, "own"),
    ),
    (at(7), lambda s, t: s.explore(t, "ana", MODEL, None, "enough")),
)


def explored(bench):
    "Rows that came without a route through all changes."
    frame = events(days=7, per_day=120)
    with bench.store() as store:
        for when, change in CHANGES:
            change(store, when)
    bench.log(frame)
    bench.ingest(NOW)
    return frame


def test_the_ingester_decides_as_a_scorer_does_to_the_row(bench):
    frame = explored(bench)
    rows = rows_of(bench).loc[frame.id]
    with bench.store() as store:
        for when, group in frame.groupby(np.searchsorted([t for t, _ in CHANGES], frame["at"])):
            moment = group["at"].max().to_pydatetime()
            told = scorer(store, moment).decide(
                group.rename(columns={"score": "s"}),
                moment,
                site_id=group.site,
                prediction_id=group.id,
            )
            logged = rows.loc[group.id]
            for name in ("route", "automated", "risk_level", "ladder", "propensity"):
                one, other = (of[name].to_numpy() for of in (logged, told))
                assert ((one == other) | (pd.isna(one) & pd.isna(other))).all(), name
            off = when in (0, len(CHANGES))
            assert logged.propensity.isna().all() == off
            assert told.reason.str.startswith("explored: ").any() != off
    called = rows.risk_level.isin(["HIGH", "CRITICAL"])
    below = rows[rows.propensity.notna() & ~called]
    assert set(rows[rows.propensity.notna() & called].propensity) == {1.0}
    assert (
        set(below.route) == {"alert", "monitor"}
        and not below.automated[below.route == "alert"].any()
    )
    assert not (below.route == "ticket").any()


@pytest.mark.parametrize("rows", [1, 300])
def test_what_a_scorer_logs_is_what_it_decided_with_ids_of_its_own(bench, rows):
    with bench.store() as store:
        store.explore(at(1), "ana", MODEL, MORE, "begin")
        decides = scorer(store, at(2))
    frame = pd.DataFrame({"s": np.linspace(0.02, 0.45, rows)})
    with decides.logger(bench.data / "spool", flush_seconds=None) as log:
        told = decides.score_and_log(frame, log, [at(2)] * rows)
    assert decides.decide(frame).propensity.isna().all()  # without ids nothing is drawn
    bench.ingest()
    logged = rows_of(bench).loc[told.prediction_id]
    assert (logged.decided_by == "service").all()
    assert np.array_equal(logged.propensity, MORE.chance(logged.points.to_numpy()))
    drawn = MORE.chooses(MODEL, told.prediction_id, logged.points)
    assert np.array_equal(logged.route, np.where(drawn, "alert", "monitor"))
    assert rows == 1 or 0 < drawn.sum() < rows


def test_replay_draws_the_same_and_sees_another_plan(bench):
    frame = explored(bench)
    asked = MODEL, frame.day.min(), frame.day.max(), [], Settings()
    with bench.store() as store:
        of = replay(store, *asked, against="actual")
        assert of.mismatches.decided == len(frame) and not of.mismatches.n
        assert any("reviewed by chance" in note for note in of.notes)
        assert of.policies[0].totals["missed"] == of.against.totals["missed"]
    # of a service that has a list of its own
    late = events(days=1, per_day=60, seed=5, start=date(2026, 3, 6)).assign(score=0.01)
    late["id"] = [f"late-{i}" for i in range(60)]
    bench.log(late, route="monitor", propensity=0.5)
    bench.ingest()
    drawn = MORE.chooses(MODEL, late.id, Grid().quantise(late.score)).sum()
    with bench.store() as store:
        assert replay(store, *asked, against="actual").mismatches.n == drawn > 0


def test_each_that_is_explored_has_a_case_of_its_own_that_says_why(bench):
    with bench.store() as store:
        store.explore(at(1), "ana", MODEL, MORE, "begin")
    frame = events(days=2, per_day=40).assign(site="one")  # one entity
    bench.log(frame)
    bench.ingest()
    rows = rows_of(bench)
    by_chance = rows[(rows.propensity < 1) & (rows.route == "alert")]
    with bench.store() as store:
        open_cases(store, NOW, Settings(case_max_age_hours=8000, case_hours=8000))
        cases = store.cases().set_index("prediction_id")
    assert len(by_chance) > 5 and len(cases) > len(by_chance)
    assert (cases.state[by_chance.index] == "opened").all()
    assert cases.reason[by_chance.index].str.startswith("explored: ").all()
    others = cases.drop(by_chance.index)
    assert (others.state == "opened").sum() == 1 and not others.reason.str.startswith("exp").any()
    # nor does a later one join it
    bench.log(events(days=1, per_day=40, seed=9, start=date(2026, 3, 4)).assign(site="one"))
    bench.ingest()
    with bench.store() as store:
        open_cases(store, NOW, Settings(case_max_age_hours=8000, case_hours=8000))
        late = store.cases().query("state == 'joined'")
        late = late[late.prediction_id.str.contains("-2026-03-04-")]
        (opener,) = others.index[others.state == "opened"]
        assert len(late) and set(late.case_id) == {cases.case_id[opener]}


CSV = "prediction_id,model,version,predicted_at,score,route,propensity\n"


def test_a_service_that_explores_says_so_itself(bench):
    told = [
        ("0.3", "alert", "0.02"),
        ("0.9", "ticket", "1"),
        ("0.2", "monitor", ""),
        ("0.2", "alert", "0"),
    ]
    told += [("0.1", "alert", "1.5"), ("0.1", "alert", "often"), ("0.1", "monitor", "0.25")]
    lines = [f"p{i},{MODEL},v1,2026-03-01T08:00:00Z,{','.join(row)}" for i, row in enumerate(told)]
    (bench.root / "f.csv").write_text(CSV + "\n".join(lines))
    with bench.store() as store:
        taken = ingest_file(store, NOW, "ana", bench.root / "f.csv", "predictions")
        assert (taken.loaded, taken.quarantined) == (4, 3)
        reasons = store.last_quarantined(9).reason.tolist()
        assert all("propensity" in reason for reason in reasons) and "above 0" in " ".join(reasons)
        assert store.in_force("exploration", MODEL) == BY_SERVICE
        assert store.explores(MODEL) and store.exploration(MODEL) is None
        again = ingest_file(store, NOW, "ana", bench.root / "f.csv", "predictions")
        assert again.duplicates == 7 and len(store.audit(MODEL)) == 1
    rows = rows_of(bench)
    assert rows.propensity.dropna().to_dict() == {"p0": 0.02, "p1": 1.0, "p6": 0.25}
    with bench.store() as store:  # p3 went to review by nobody knows what chance
        (of,) = store.reviewed(MODEL, "v1", START, START).values()
        assert sorted(of.chance[of.n > 0].tolist()) == [0.02, 1.0] and of.n.sum() == 2


@pytest.mark.parametrize("chance", [0, -0.1, 1.1, "x", np.inf])
def test_a_logger_refuses_what_is_no_chance(bench, chance):
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        for score in (0.5, [0.5, 0.5]):
            with pytest.raises(ValueError, match="propensity must be"):
                log.log(score, [at(1)] * np.size(score), propensity=chance)
        log.log([0.5, 0.6], [at(1)] * 2, propensity=[np.nan, 0.25])
        log.log(0.5, at(1), propensity=1)


def test_days_of_an_older_version_and_of_one_that_explores_are_read_together(bench):
    bench.log(events(days=2, per_day=30))
    bench.ingest()
    first, *_ = sorted((bench.data / "log" / "predictions").rglob("*.parquet"))
    told = duckdb.sql(f"SELECT * EXCLUDE (propensity) FROM read_parquet('{first}')").df()
    duckdb.sql(f"COPY told TO '{first}' (FORMAT parquet)")
    with bench.store() as store:
        size = first.stat().st_size, str(first.relative_to(bench.data))
        store.con.execute("UPDATE data_files SET bytes = ?, sha256 = NULL WHERE path = ?", size)
        assert store.reviewed(MODEL, "v1", START, START) == {} and not store.explores(MODEL)
        store.explore(at(3), "ana", MODEL, MORE, "begin")
    frame = events(days=2, per_day=60, start=date(2026, 3, 3))
    bench.log(frame)
    bench.label(frame[::2])
    bench.ingest()
    with bench.store() as store:
        found = store.reviewed(MODEL, "v1", START, START + timedelta(9))
        assert list(found) == [date(2026, 3, 3), date(2026, 3, 4)]
        rows = store.rows(MODEL, START, START + timedelta(9)).query(
            "propensity.notna() and route != 'monitor'"
        )
    for day, of in found.items():
        of_day = rows[rows.event_date.dt.date == day]
        cells = of_day.groupby(["points", "propensity"]).label.agg(["size", "count", "sum"])
        order = np.lexsort([of.chance, of.points])
        told = [column[order] for column in (of.n, of.n_labelled, of.n_positive)]
        assert np.array_equal(np.stack(told, axis=1), cells.to_numpy(dtype=int))
        assert of.explored[0] == (of_day.propensity < 1).sum() > 0


def test_nobody_was_called_in_a_past_that_was_brought_in(bench):
    frame = events(days=2, per_day=60, start=date(2026, 3, 3))
    file, names = bench.root / "past.csv", {"prediction_id": "id", "predicted_at": "at"}
    told = frame[["id", "at", "score", "label"]].assign(observed_at=frame["at"])
    told.to_csv(file, index=False)
    with bench.store("UTC") as store:
        store.explore(at(1), "ana", MODEL, MORE, "begin")
        chosen = choices(MODEL, names, {"version": "v1"}, [], together=True)
        import_history(store, NOW, "test", MODEL, dict.fromkeys(chosen, file), chosen)
        rows = store.rows(MODEL, START, START + timedelta(9), labels=False)
        assert ((rows.propensity < 1) & (rows.route == "alert")).any(), "as if they were"
        assert store.reviewed(MODEL, "v1", START, START + timedelta(9)) == {}


def test_lots_are_even():
    lots = np.array([lot(MODEL, f"{i}") for i in range(20_000)]) / 2**32
    # five standard errors of a uniform mean and of a decile
    assert abs(lots.mean() - 0.5) < 5 / np.sqrt(12 * 20_000)
    assert np.abs(np.histogram(lots, 10, (0, 1))[0] - 2000).max() < 5 * np.sqrt(1800)
