from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_wb.log.duck import statements
from aiops_wb.log.errors import StoreError
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.counts import Histogram, ScoreCounts, total
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def expected(frame, labelled):
    "Counts by day from the rows, by numpy."
    return {
        day: ScoreCounts.from_events(
            Grid().quantise(r.score), np.where(r.id.isin(labelled), r.label, np.nan)
        )
        for day, r in frame.groupby("day")
    }


def test_counts_equal_numpy_on_the_same_rows(bench):
    frame = events(days=3)
    bench.log(frame)
    bench.label(frame.iloc[::2])
    bench.ingest()
    with bench.store() as store:
        assert store.score_counts(MODEL) == expected(frame, frame.id.iloc[::2])
        for site in ("north", "south"):
            here = expected(frame[frame.site == site], frame.id.iloc[::2])
            assert store.score_counts(MODEL, segment=f"site={site}") == {
                d: c.coarsen(20) for d, c in here.items()
            }
        assert store.segments(MODEL) == ["site=north", "site=south"]
        assert (
            total(store.score_counts(MODEL, date(2026, 3, 2), date(2026, 3, 2)).values()).total[0]
            == 40
        )


def test_every_as_of_can_be_asked_again(bench):
    """Predictions, then three batches of labels with a correction: each past time answers what was
    known."""
    frame, known, history = events(days=4), {}, []
    bench.log(frame)
    for step in range(4):
        now = NOW + timedelta(step)
        if step:
            part = frame[frame.index % 3 == step - 1]
            flip = part.label.to_numpy() if step < 3 else 1 - part.label.to_numpy()
            bench.label(part, at=now.isoformat(), label=flip, hint=step != 2)
            known |= dict(zip(part.id, flip))
            if step == 2:  # correct some of the first
                again = frame[frame.index % 3 == 0].head(10)
                bench.label(again, at=now.isoformat(), label=1 - again.label.to_numpy())
                known |= dict(zip(again.id, 1 - again.label.to_numpy()))
        bench.ingest(now)
        history.append(
            (
                now,
                {
                    d: ScoreCounts.from_events(
                        Grid().quantise(r.score), r.id.map(known).to_numpy(dtype=float)
                    )
                    for d, r in frame.groupby("day")
                },
            )
        )
    with bench.store() as store:
        for now, then in history:
            assert store.score_counts(MODEL, as_of=now) == then
            rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 4), as_of=now)
            assert rows.label.notna().sum() == sum(
                c.total[1] for c in then.values()
            ) and rows.label.sum() == sum(c.total[2] for c in then.values())
        assert store.score_counts(MODEL, as_of=NOW - timedelta(1)) == {}


def arrive(tmp_path_factory, order, data):
    "Predictions and labels in any order, in any number of batches, end in the same counts."
    bench, frame = Bench(tmp_path_factory.mktemp("order")), events(days=2, per_day=12)
    deliveries = [lambda p=p: bench.log(frame[frame.index % 3 == p]) for p in range(3)] + [
        lambda p=p: bench.label(frame[frame.index % 3 == p], hint=bool(p)) for p in range(3)
    ]
    for k in order:
        deliveries[k]()
        if data.draw(st.booleans()):
            bench.ingest()
    bench.ingest()
    with bench.store() as store:
        assert store.score_counts(MODEL) == expected(frame, frame.id)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(6)), data=st.data())
def test_arrival_order_does_not_matter(tmp_path_factory, order, data):
    arrive(tmp_path_factory, order, data)


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(6)), data=st.data())
def test_more_orders_of_arrival_do_not_matter(tmp_path_factory, order, data):
    arrive(tmp_path_factory, order, data)


def test_days_are_calendar_days_of_the_zone_with_23_and_25_hours(bench):
    "Berlin, 2026: 29 March has 23 hours, 25 October 25; one event an hour lands on its own day."
    with bench.store("Europe/Berlin"):
        pass
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        at = pd.date_range(
            pd.Timestamp(day, tz="Europe/Berlin"),
            pd.Timestamp(day + timedelta(1), tz="Europe/Berlin"),
            freq="1h",
            inclusive="left",
        )
        assert len(at) == hours
        frame = events(days=1, per_day=hours).assign(
            id=[f"{day}-{i}" for i in range(hours)], at=at.tz_convert("UTC")
        )
        bench.log(frame)
        bench.ingest()
        with bench.store() as store:
            assert store.score_counts(MODEL)[day].total[0] == hours


def test_known_at_never_runs_backwards(bench):
    "The clock is set back between two batches: the later batch is still known later."
    frame = events(days=1)
    bench.log(frame)
    bench.ingest(NOW)
    bench.label(frame)
    bench.ingest(NOW - timedelta(5))
    with bench.store() as store:
        times = [
            t
            for (t,) in store.con.execute(
                "SELECT committed_at FROM batches ORDER BY batch_id"
            ).fetchall()
        ]
        assert times == sorted(times)
        assert store.score_counts(MODEL, as_of=NOW - timedelta(1)) == {}


def test_latency_and_decision_counts_equal_the_rows(bench):
    frame = events(days=2)
    bench.log(
        frame,
        route=np.where(frame.score > 0.6, "alert", "monitor"),
        automated=(frame.score <= 0.6).to_numpy(),
    )
    bench.ingest()
    with bench.store() as store:
        latency = store.latency(MODEL)[date(2026, 3, 1)]
        oracle = Histogram.from_values(np.full(40, 2.0))
        assert (
            np.array_equal(latency.bins, oracle.bins)
            and np.array_equal(latency.n, oracle.n)
            and latency.mean == 2
        )
        decisions = store.decisions(MODEL)
        assert (
            decisions.n.sum() == 80
            and decisions[decisions.route == "alert"].n.sum() == (frame.score > 0.6).sum()
        )
        assert not decisions[decisions.route == "alert"].automated.any()


def test_latencies_are_counted_whatever_features_the_models_of_a_batch_have(bench):
    frame = events(days=2)
    kinds = {"a": frame.x, "b": frame.site, "c": frame.x > 0}
    for model, values in kinds.items():
        with PredictionLogger(bench.data / "spool", model, "v1", threshold=0) as log:
            features = pd.DataFrame({"x": values})
            log.log(frame.score, frame["at"], features=features, latency_ms=3.0, route="monitor")
    assert bench.ingest().loaded == 240
    with bench.store() as store:
        for model in kinds:
            assert [h.n.sum() for h in store.latency(model).values()] == [40, 40]


def test_reductions_are_plain_ansi_sql():
    "No DuckDB dialect in what other engines run: no //, ::, $, QUALIFY, FILTER, GROUP BY ALL."
    text = " ".join(statements("reductions.sql").values())
    for dialect in ("//", "::", "$", "QUALIFY", "FILTER", "GROUP BY ALL", "EXCLUDE", "arg_max"):
        assert dialect not in text


def test_counts_of_a_linear_grid(bench):
    grid = Grid("linear")
    with PredictionLogger(bench.data / "spool", "z", "v1", threshold=3000, grid=grid) as log:
        log.log([0.5, 3.2, 40.0], ["2026-03-01T00:00:00Z"] * 3)
    bench.ingest()
    with bench.store() as store:
        (counts,) = store.score_counts("z").values()
    assert counts.grid == grid and counts.at_or_above(3000)[0] == 2


def test_who_scored_for_whom_and_when(bench):
    "Versions and tenants of a day, newest batches and the last commit, against the rows."
    frame = events(days=2)
    first, second = frame[frame.day == date(2026, 3, 1)], frame[frame.day == date(2026, 3, 2)]
    bench.log(first)
    bench.ingest()
    bench.log(first.head(5).assign(id=lambda f: "b-" + f.id), version="v2")
    bench.log(second.assign(id=lambda f: "c-" + f.id), version="v2")
    with PredictionLogger(bench.data / "spool", MODEL, "v2", threshold=0, tenant="a") as log:
        log.log(0.5, second["at"].iloc[0])
    bench.ingest(NOW + timedelta(1))
    one, two = date(2026, 3, 1), date(2026, 3, 2)
    with bench.store() as store:
        assert store.versions_scored(MODEL, one, two) == ["v1", "v2"]
        assert store.versions_scored(MODEL, two, two) == ["v2"]
        assert store.versions_scored(MODEL, one, two, as_of=NOW) == ["v1"]
        scored = store.predictions_by_version(MODEL, one)
        assert scored.values.tolist() == [["v1", 40], ["v2", 5]]
        assert store.predictions_by_version(MODEL, two, as_of=NOW).empty
        assert store.tenants_scored(MODEL, "v2", two, two) == ["a", "default"]
        assert store.tenants_scored(MODEL, "v2", one, one) == ["default"]
        newest = store.newest_batches(MODEL).sort_values(["event_date", "version"])
        assert newest.version.tolist() == ["v1", "v2", "v2"] and newest.batch.tolist() == [1, 2, 2]
        assert store.last_committed() == NOW + timedelta(1)


def test_tenants_and_sites_by_day_are_their_own_counts(bench):
    "In one read what `score_counts` gives one by one, with a correction and as known before it."
    frame = events(days=3, per_day=60)
    for tenant, part in (("a", frame[::3]), ("b", frame.drop(frame.index[::3]))):
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, tenant=tenant, flush_seconds=None
        ) as log:
            log.log(part.score, part["at"], prediction_id=part.id, site_id=part.site)
    bench.label(frame.head(100))
    bench.ingest()
    bench.label(frame.head(30), at="2026-03-21T00:00:00Z", label=np.ones(30))
    bench.ingest(NOW + timedelta(1))
    one, two, three = (date(2026, 3, d) for d in (1, 2, 3))
    with bench.store() as store:
        for as_of in (None, NOW):
            known = {"version": "v1", "as_of": as_of}
            tenants = store.tenant_counts_by_day(MODEL, one, two, **known)
            sites = store.segment_counts_by_day(MODEL, one, two, **known)
            assert list(tenants) == ["a", "b"]
            assert list(sites) == ["site=north", "site=south"]
            whole = store.tenant_counts(MODEL, one, three, **known)
            segments = store.segment_counts(MODEL, one, three, **known)
            for tenant in "ab":
                alone = store.score_counts(MODEL, one, three, tenant=tenant, **known)
                assert tenants[tenant] == {d: c for d, c in alone.items() if d < three}
                assert whole[tenant] == total(alone.values())
            for site in sites:
                alone = store.score_counts(MODEL, one, three, segment=site, **known)
                assert sites[site] == {d: c for d, c in alone.items() if d < three}
                assert segments[site] == total(alone.values(), alone[one].grid)
            assert list(whole) == ["b", "a"]  # largest first
        corrected = store.tenant_counts(MODEL, one, three)["a"].total[2]
        assert corrected > store.tenant_counts(MODEL, one, three, as_of=NOW)["a"].total[2]
        assert store.tenant_counts(MODEL, date(2025, 1, 1), date(2025, 1, 2)) == {}
        assert store.tenants_scored(MODEL, "v1", one, three) == ["a", "b"]


def test_versions_of_two_grids_do_not_add_up_by_tenant(bench):
    for version, grid in (("v1", Grid()), ("v2", Grid("linear"))):
        with PredictionLogger(bench.data / "spool", "z", version, threshold=0, grid=grid) as log:
            log.log([0.5], ["2026-03-01T00:00:00Z"])
    bench.ingest()
    day = date(2026, 3, 1)
    with bench.store() as store:
        with pytest.raises(StoreError, match="z was logged on the grids linear and logit: name a"):
            store.tenant_counts("z", day, day)
        assert store.tenant_counts("z", day, day, version="v2")["default"].grid == Grid("linear")


def test_days_are_counted_together_as_one_by_one(tmp_path, monkeypatch):
    "With labels of some days, corrections, and days without any."
    counted = {}
    for name, most in (("together", 20_000), ("apart", 0)):
        monkeypatch.setattr("aiops_wb.log.recount.TOGETHER", most)
        bench, frame = Bench(tmp_path / name), events(days=4)
        bench.log(frame)
        bench.ingest()
        bench.label(frame.iloc[:100])
        bench.ingest()
        bench.label(frame.iloc[50:60], label=1 - frame.label.to_numpy()[50:60])
        bench.ingest()
        with bench.store() as store:
            counted[name] = sorted(store.con.execute("FROM score_counts").fetchall())
    assert counted["together"] == counted["apart"] and len(counted["apart"]) > 100
