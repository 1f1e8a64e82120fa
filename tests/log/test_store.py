from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_wb.log.catalog import Busy, StoreError, migrations, open_snapshot, statements
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import bin_values, binned_days, count_numbers, open_store
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.conformal import Calibration
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


def test_no_connection_draws_a_progress_bar(bench, monkeypatch):
    plain, bars = duckdb.connect, []

    class Watched:
        def __init__(self, con):
            self.con = con
            con.execute(
                "SET enable_progress_bar = true"
            )  # as DuckDB does by itself in a program that it takes for a person's

        def __getattr__(self, name):
            return getattr(self.con, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.close()

        def close(self):
            bars.append(
                self.con.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]
            )
            self.con.close()

    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: Watched(plain(*a, **k)))
    bench.log(events(days=1))
    rows = pd.DataFrame(
        {"prediction_id": ["a"], "label": [1], "observed_at": ["2026-03-02T00:00:00Z"]}
    )
    (bench.data / "spool" / "outcomes").mkdir(parents=True)
    rows.to_csv(bench.data / "spool" / "outcomes" / "labels.csv", index=False)
    with plain() as con:
        target = bench.data / "spool" / "outcomes" / "labels.parquet"
        con.execute(
            f"COPY (SELECT 'b' AS prediction_id, 1 AS label, TIMESTAMPTZ '2026-03-02 00:00:00Z' AS observed_at) TO '{target}' (FORMAT parquet)"
        )
    bench.ingest()
    with bench.store() as store:
        assert store.known_batch() == 2
        store.publish()
    open_snapshot(bench.data).close()
    assert len(bars) >= 5 and not any(bars)


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
    "Predictions, then three batches of labels with a correction: each past time answers what was known."
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
    import pandas as pd

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


def test_a_zone_is_fixed_when_the_log_is_made(bench):
    with bench.store("Europe/Berlin"):
        pass
    with bench.store() as store:
        assert store.timezone == "Europe/Berlin"
    with pytest.raises(StoreError, match="fixed when a log is created"), bench.store("UTC"):
        pass


def test_upgrade_from_every_earlier_schema(bench, monkeypatch):
    "A catalog left at any earlier version is brought to the newest one, keeping its rows; a newer one is refused."
    steps = [
        *migrations(),
        (migrations()[-1][0] + 1, "probe", "ALTER TABLE batches ADD COLUMN note VARCHAR"),
    ]
    for done in range(1, len(steps)):
        root = bench.root / f"v{done}"
        monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda done=done: steps[:done])
        with open_store(root, "old") as store, store.transaction():
            store.record(NOW, "ana", "flag", "m", "on", "before the upgrade")
        monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda: steps)
        with open_store(root, "new") as store:
            assert store._value("SELECT max(version) FROM migrations") == steps[-1][0]
            assert "note" in store.frame("FROM batches").columns
            assert store.in_force("flag", "m") == "on" and store.verify_audit() == 1
    monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda: steps[:-1])
    with pytest.raises(StoreError, match="upgrade aiops_wb"), open_store(root, "old again"):
        pass


def test_second_writer_is_told_who_writes(bench):
    with bench.store(), pytest.raises(Busy, match="test \\(process"), bench.store():
        pass
    with bench.store():
        pass


def test_readers_do_not_hold_up_the_writer_and_see_their_own_state(bench):
    frame = events(days=1)
    bench.log(frame)
    bench.ingest()
    with bench.store() as store:
        store.publish()
    reader = open_snapshot(bench.data)
    bench.log(events(days=1, seed=1, start=date(2026, 3, 2)))
    bench.ingest()
    with bench.store() as store:
        store.publish()
        store.publish()
    assert reader.days(MODEL) == [date(2026, 3, 1)]
    with open_snapshot(bench.data) as fresh:
        assert fresh.days(MODEL) == [date(2026, 3, 1), date(2026, 3, 2)]
        with pytest.raises(duckdb.Error):
            fresh.con.execute("DELETE FROM audit")
    reader.close()


def test_snapshots_are_limited_and_the_pointer_leads_to_the_newest(bench):
    with bench.store() as store:
        made = [store.publish(keep=2) for _ in range(4)]
    assert (bench.data / "aiops.duckdb").resolve() == made[-1].resolve()
    assert sorted(p.name for p in (bench.data / "snapshots").iterdir()) == sorted(
        m.name for m in made[-2:]
    )


def test_a_lost_or_older_catalog_never_costs_the_log(bench):
    import shutil

    for seed in range(3):
        bench.log(events(days=1, seed=seed, start=date(2026, 3, 1 + seed)))
        bench.ingest()
        shutil.copy(bench.data / "catalog.duckdb", bench.root / f"copy{seed}")
    files = set((bench.data / "log").rglob("*.parquet"))
    (bench.data / "catalog.duckdb").unlink()
    with pytest.raises(StoreError, match=r"no catalog\.duckdb"):
        bench.ingest()
    shutil.copy(bench.root / "copy0", bench.data / "catalog.duckdb")
    with pytest.raises(StoreError, match="files of batch 3"):
        bench.ingest()
    assert set((bench.data / "log").rglob("*.parquet")) == files
    shutil.copy(bench.root / "copy2", bench.data / "catalog.duckdb")
    with bench.store() as store:
        assert len(store.days(MODEL)) == 3


def test_no_snapshot_yet_is_said(bench):
    with pytest.raises(StoreError, match="aiops-wb ingest"):
        open_snapshot(bench.data)


def test_the_fraud_log_view_runs_the_sql_of_such_a_log(bench):
    frame = events(days=2)
    with bench.store() as store, store.transaction():
        store.con.execute(
            "INSERT INTO calibrations VALUES ('c1', 'late', 'v1', '2026-03-01', NULL, 100, 0.3, 0.4, NULL, '{}')"
        )
    bench.log(frame, calibration_id="c1", risk_level="HIGH", route="alert", automated=False)
    bench.label(frame.iloc[:50])
    bench.ingest()
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        rows = log.frame("""SELECT fraud_probability, prediction_lower_bound, prediction_upper_bound, confidence_interval_width, calibration_score, risk_level,
            actual_fraud_detected, predicted_at, prediction_id FROM noc_fraud_prediction_log ORDER BY prediction_id""")
        by_width = log.frame("""SELECT round(confidence_interval_width, 1) AS width, count(*) AS n, avg(actual_fraud_detected::INT) AS share
            FROM noc_fraud_prediction_log WHERE predicted_at >= TIMESTAMPTZ '2026-03-01 00:00:00+00' GROUP BY 1 ORDER BY 1""")
    p = Grid().inverse(Grid().quantise(frame.score))
    assert np.allclose(rows.fraud_probability, frame.score) and by_width.n.sum() == 80
    assert np.allclose(rows.prediction_lower_bound, np.maximum(0, p - 0.3)) and np.allclose(
        rows.prediction_upper_bound, np.minimum(1, p + 0.3)
    )
    assert (
        np.allclose(
            rows.confidence_interval_width,
            rows.prediction_upper_bound - rows.prediction_lower_bound,
        )
        and (rows.calibration_score == 0.7).all()
    )
    assert rows.actual_fraud_detected.notna().sum() == 50
    assert (rows.actual_fraud_detected[:50].astype(int).to_numpy() == frame.label[:50]).all()


def test_an_interval_is_unknown_without_a_calibration_and_all_of_it_with_an_infinite_one(bench):
    frame = events(days=1).head(4)
    with bench.store() as store:
        store.con.execute(
            "INSERT INTO calibrations VALUES ('small', 'late', 'v1', '2026-03-01', NULL, 5, NULL, NULL, NULL, '{}')"
        )
    bench.log(frame.head(2))
    bench.log(frame.tail(2), calibration_id="small")
    bench.ingest()
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        rows = log.frame(
            "SELECT prediction_lower_bound AS lo, prediction_upper_bound AS up, confidence_interval_width AS w, calibration_score AS s FROM noc_fraud_prediction_log ORDER BY prediction_id"
        )
    assert rows.head(2).isna().all(axis=None) and rows.tail(2).values.tolist() == [[0, 1, 1, 0]] * 2


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


def test_feature_counts_use_the_training_cuts(bench):
    frame = events(days=1)
    with bench.store() as store:
        store.add_version(
            NOW,
            "ana",
            MODEL,
            "v1",
            Grid(),
            "nowhere",
            {"bins": {"x": {"cuts": [-1.0, 0.0, 1.0]}, "gone": {"categories": ["a"]}}},
            0,
        )
    bench.log(frame)
    bench.ingest()
    with bench.store() as store:
        found = store.frame("SELECT feature, bin, n FROM feature_counts ORDER BY feature, bin")
    oracle = np.bincount(np.digitize(frame.x, [-1, 0, 1]), minlength=4)
    assert found[found.feature == "x"].n.tolist() == oracle[oracle > 0].tolist()
    assert found[found.feature == "gone"][["bin", "n"]].values.tolist() == [[-1, 40]]


def test_lists_and_structs_are_kept_as_text_and_stop_no_ingest(bench):
    frame = events(days=1).head(4)
    rules = {
        "x": {"cuts": [0.0]},
        "tags": {"categories": ["a"]},
        "pair": {"cuts": [0.0]},
        "place": {"categories": ["a"]},
    }
    with bench.store() as store:
        store.add_version(NOW, "ana", MODEL, "v1", Grid(), "nowhere", {"bins": rules}, 0)
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as log:
        log.log(
            frame.score,
            frame["at"],
            features=pd.DataFrame(
                {
                    "x": frame.x,
                    "tags": [["a"], ["a", "b"], [], None],
                    "pair": [(1.0, 2.0)] * 4,
                    "place": [{"row": 1, "seat": "a"}] * 4,
                }
            ),
        )
    assert bench.ingest().loaded == 4
    with bench.store() as store:
        found = store.frame("SELECT feature, bin, n FROM feature_counts ORDER BY feature, bin")
    assert found[found.feature != "x"].values.tolist() == [
        ["pair", -1, 4],
        ["place", -2, 4],
        ["tags", -2, 3],
        ["tags", -1, 1],
    ]
    assert found[found.feature == "x"].n.sum() == 4 and (found.bin[found.feature == "x"] >= 0).all()


def test_bins_of_missing_and_unseen_values():
    assert bin_values([1.0, None, 5.0], {"cuts": [2.0]}).tolist() == [0, -1, 1]
    assert bin_values(["a", None, "z"], {"categories": ["a", "b"]}).tolist() == [0, -1, -2]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET new = '9' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET evidence = 'x' WHERE seq = 1",
        "INSERT INTO audit SELECT 5, changed_at, who, what, subject, old, new, why, evidence, hash FROM audit WHERE seq = 3",
    ],
)
def test_a_changed_audit_trail_does_not_verify(bench, change):
    with bench.store() as store:
        for i in range(3):
            store.record(NOW, "ana", "threshold", "m/v1", str(i), "because", {"i": i})
        assert store.verify_audit() == 3
        assert store.audit().old.tolist()[1:] == ["0", "1"]
        store.con.execute(change)
        with pytest.raises(StoreError, match="does not verify"):
            store.verify_audit()


def test_roll_back_is_one_step_and_recorded(bench):
    with bench.store() as store:
        store.add_version(NOW, "ana", "m", "v1", Grid(), "p", {}, 100)
        store.set_threshold(NOW, "ana", "m", "v1", 900, "fewer alerts")
        assert (
            store.threshold("m", "v1") == 900
            and store.threshold("m", "v1", NOW - timedelta(1)) is None
        )
        assert store.roll_back(NOW, "ana", "threshold", "m/v1", "too few") == "100"
        assert store.threshold("m", "v1") == 100
        with pytest.raises(StoreError, match="nothing to roll back"):
            store.roll_back(NOW, "ana", "model", "m", "no")
        with pytest.raises(StoreError, match="never replaced"):
            store.add_version(NOW, "ana", "m", "v1", Grid(), "p", {}, 100)
        with pytest.raises(StoreError, match="choose one of v1"):
            store.activate(NOW, "ana", "m", "v2", "typo")
        store.activate(NOW, "ana", "m", "v1", "go")
        with pytest.raises(StoreError, match="already active"):
            store.activate(NOW, "ana", "m", "v1", "again")
        assert store.verify_audit() == 5


def test_calibrations_in_force_as_of(bench):
    with bench.store() as store:
        first, second = (
            Calibration({0.9: 0.1, 0.95: 0.2, 0.99: float("inf")}, 50),
            Calibration({0.9: 0.3, 0.95: 0.4, 0.99: 0.5}, 60),
        )
        store.add_calibration(NOW, "d", "m", "v1", first, "daily")
        store.add_calibration(NOW + timedelta(1), "d", "m", "v1", second, "daily")
        assert (
            store.calibration("m", "v1", NOW)[1].calibration == first
            and store.calibration("m", "v1")[1].calibration == second
        )
        assert store.frame("SELECT q90, q95, q99 FROM calibrations ORDER BY created_at").iloc[
            0
        ].tolist()[:2] == [0.1, 0.2]
        assert store.calibration("m", "v2") is None


def test_a_day_was_decided_with_what_its_rows_say_or_what_was_known_by_its_end(bench):
    "The first calibration is known in the night of 1 March; nights are missed; one made on 4 March holds that day; the last rests on days up to 3 March, but is known on 5 March only."
    at = lambda day, hour=2: datetime(2026, 3, day, hour, tzinfo=UTC)
    made = lambda points: certainty(
        {
            date(2026, 2, 1): ScoreCounts.from_events(
                np.r_[np.full(50, points), np.full(50, -points)], np.r_[np.ones(50), np.zeros(50)]
            )
        },
        date(2026, 2, 1),
    )
    with bench.store() as store:
        first = store.add_calibration(
            at(2), "daily", MODEL, "v1", made(1000), "daily", date(2026, 3, 1)
        )
        store.add_calibration(
            at(4, 23), "ana", MODEL, "v1", made(2000), "by hand", date(2026, 3, 4)
        )
        second = store.add_calibration(
            at(5), "daily", MODEL, "v1", made(3000), "daily", date(2026, 3, 3)
        )
    frame = events(days=6).groupby("day").head(3)
    for day, keys in (
        (1, [None] * 3),
        (2, [None] * 3),
        (3, [None] * 3),
        (4, [None] * 3),
        (5, [None] * 3),
        (6, [first, first, second]),
    ):
        bench.log(frame[frame.day == date(2026, 3, day)], calibration_id=keys)
    bench.ingest()
    days, expected = (
        sorted(set(frame.day)),
        {
            date(2026, 3, d): key
            for d, key in ((2, first), (3, first), (4, first), (5, second), (6, first))
        },
    )
    with bench.store() as store:
        assert store.decided_with(MODEL, "v1", days) == expected
        assert store.cuts_by_day(MODEL, "v1", days) == {
            d: store.calibrations([key])[key].cuts[0.9] for d, key in expected.items()
        }
        assert len(set(store.cuts_by_day(MODEL, "v1", days).values())) == 2
        assert store.decided_with(MODEL, "v1", days[:5], at(4)) == {
            d: first for d in days[1:5]
        }  # as known before the second


def test_reductions_are_plain_ansi_sql():
    "No DuckDB dialect in what other engines run: no //, ::, $, QUALIFY, FILTER, GROUP BY ALL."
    text = " ".join(statements("reductions.sql").values())
    for dialect in ("//", "::", "$", "QUALIFY", "FILTER", "GROUP BY ALL", "EXCLUDE", "arg_max"):
        assert dialect not in text


def test_counts_of_a_linear_grid(bench):
    from aiops_wb.log.spool import PredictionLogger

    grid = Grid("linear")
    with PredictionLogger(bench.data / "spool", "z", "v1", threshold=3000, grid=grid) as log:
        log.log([0.5, 3.2, 40.0], ["2026-03-01T00:00:00Z"] * 3)
    bench.ingest()
    with bench.store() as store:
        (counts,) = store.score_counts("z").values()
    assert counts.grid == grid and counts.at_or_above(3000)[0] == 2


@pytest.mark.parametrize("cuts", [0, 1, 19, 60])
def test_counted_numbers_equal_binned_values(cuts):
    rng = np.random.default_rng(cuts)
    rule = {"cuts": np.unique(rng.integers(-30, 30, cuts) / 4.0).tolist()}
    values = np.where(rng.random(500) < 0.1, np.nan, rng.integers(-40, 40, 500) / 4.0)
    values[:2] = np.inf, -np.inf
    expected = np.bincount(bin_values(values, rule) + 1, minlength=len(rule["cuts"]) + 2)
    assert np.array_equal(count_numbers(values, rule["cuts"]), expected)
    masked = np.ma.MaskedArray(
        np.where(np.isnan(values), -7.0, values), mask=np.isnan(values)
    )  # as the database hands them over
    assert np.array_equal(count_numbers(masked, rule["cuts"]), expected)


@pytest.mark.parametrize("in_order", [True, False])
def test_binned_days_equal_a_group_by(in_order):
    rng = np.random.default_rng(3)
    day = [
        date(2026, 3, 1) + timedelta(int(i))
        for i in (np.sort if in_order else np.asarray)(rng.integers(0, 6, 400))
    ]
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
            "kind": rng.choice(["a", "b", "new", None], 400),
            "flag": rng.random(400) < 0.5,
        }
    )
    bins = {
        "x": {"cuts": [-1.0, 0.0, 1.0]},
        "kind": {"categories": ["a", "b", "c"]},
        "flag": {"cuts": [0.5]},
    }
    found = binned_days(frame, day, bins)
    for f, rule in bins.items():
        expected = (
            pd.DataFrame({"event_date": day, "bin": bin_values(frame[f], rule)})
            .value_counts()
            .sort_index()
        )
        counted = found[found.feature == f].set_index(["event_date", "bin"]).n.sort_index()
        assert counted.to_dict() == expected.to_dict() and (counted > 0).all()
    assert (
        binned_days(frame, [None, *day[1:]], bins).n.sum() == found.n.sum() - 3
        and binned_days(frame[:0], [], bins).empty
    )
