"""Days counted anew from their rows are what nights counted, whoever counts: DuckDB, or Spark by a
server of Sail, which needs no JVM."""

import re
import shutil
import sys
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import Bench
from pandas.testing import assert_frame_equal

from aiops_wb.cli import main
from aiops_wb.log.duck import statements
from aiops_wb.log.engine import Query, Rows, of_one_type
from aiops_wb.log.engines import open_engine
from aiops_wb.log.errors import StoreError
from aiops_wb.log.from_rows import recount
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.stats.points import Grid
from bench import scale, servers

NOW = datetime(2026, 3, 5, tzinfo=UTC)
ODD = "we'ird `n\".ame"
BINS = {
    "x": {"cuts": [-1.0, 0.1, 1.0]},
    "kind": {"categories": ["a", "5", "true"]},
    "flag": {"cuts": [0.5]},
    ODD: {"cuts": [1.5]},
    "gone": {"cuts": [0.5]},
}
TABLES = {
    "score_counts": ("n", "n_labelled", "n_positive"),
    "arrival_counts": ("n", "n_negative", "n_positive"),
    "decision_counts": ("n",),
    "hour_counts": ("n",),
    "latency_counts": ("n", "total_ms"),
    "feature_counts": ("n",),
}
ALWAYS = date(2026, 1, 1), date(2026, 12, 31)


def made(n=450):
    "Events of a day, which are two in New York: some without a site, some whose `x` is missing."
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    at = pd.Timestamp("2026-03-02T00:00Z")
    frame = pd.DataFrame(
        {
            "id": [f"e{i:04d}" for i in range(n)],
            "at": at + pd.to_timedelta(rng.integers(0, 86_400, n), unit="s"),
            "score": 1 / (1 + np.exp(-x)),
            "x": x,
            "site": rng.choice(["north", "south", None], n),
            "label": (rng.random(n) < 0.4).astype(int),
        }
    )
    frame.loc[frame.index % 17 == 0, "x"] = np.nan
    return frame


def log(bench, part, model="m", version="v1", tenant="default", grid=Grid(), kind=None):
    "Predictions; with a `kind` another feature is whole in some files and broken in others."
    features = pd.DataFrame({"x": part.x, "flag": part.x > 0})
    if kind is not None:
        count = np.arange(len(part)) % 3
        odd = count if version == "v1" else count / 2
        features = features.assign(**{"kind": kind, ODD: odd})
    told = {"tenant": tenant, "grid": grid, "flush_seconds": None}
    with PredictionLogger(bench.data / "spool", model, version, threshold=0, **told) as logger:
        logger.log(
            part.score,
            part["at"],
            prediction_id=part.id,
            site_id=part.site,
            features=features,
            latency_ms=np.exp2(np.arange(len(part)) % 9 - 3.0),  # edges of their bins
            route=np.where(part.score > 0.6, "alert", "monitor"),
            automated=(part.score <= 0.6).to_numpy(),
        )


def label(bench, part, at, values=None, hint=True):
    with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as logger:
        told = part["at"] if hint else None
        logger.log(part.id, part.label if values is None else values, at, predicted_at=told)


def told_over_nights(bench, frame=None):
    """Three versions on four nights, in a zone that is not UTC: labels before their predictions,
    corrections, labels that are observed after they came, features that change their type."""
    frame = made() if frame is None else frame
    with bench.store("America/New_York") as store:
        for version in ("v1", "v2"):
            store.add_version(NOW, "ana", "m", version, Grid(), "nowhere", {"bins": BINS}, 0)
    one, two, rest = (frame[frame.index % 3 == i] for i in range(3))
    fifth = len(one) // 5
    log(bench, one, kind=np.arange(len(one)) % 7)
    label(bench, two.head(fifth), "2026-03-04T22:00Z", hint=False)
    bench.ingest(NOW)
    log(bench, two, version="v2", kind=np.where(np.arange(len(two)) % 2, "a", "zz"))
    log(bench, rest.head(2 * fifth), tenant="other")
    label(bench, one.head(3 * fifth), "2026-03-05T03:00Z")
    bench.ingest(NOW + timedelta(1))
    far = rest.tail(fifth).assign(score=lambda f: 9 * f.score)
    log(bench, far, model="z", grid=Grid("linear"))
    wrong = one.head(2 * fifth)
    label(bench, wrong, "2026-03-06T12:00Z", 1 - wrong.label.to_numpy())
    label(bench, rest.head(2 * fifth), "2027-01-01T00:00Z")
    label(bench, far, "2026-03-06T12:00Z", hint=False)
    bench.ingest(NOW + timedelta(2))
    log(bench, rest.iloc[2 * fifth : 3 * fifth], kind=np.arange(fifth) % 2 > 0)
    again = one.iloc[fifth : 3 * fifth]
    label(bench, again, "2026-03-07T12:00Z", 1 - again.label.to_numpy())
    bench.ingest(NOW + timedelta(3))


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("nights"))
    told_over_nights(bench)
    return bench


def by(name, store, url=None):
    return open_engine(name, store.root, store.timezone, url)


def cells(store, table):
    "What a table holds, changes of the same cell and batch added up."
    measures = TABLES[table]
    names = [c for c in store.frame(f"FROM {table} LIMIT 0") if c not in measures]
    sums = ", ".join(f"sum({m})::DOUBLE AS {m}" for m in measures)
    some = " OR ".join(f"sum({m}) <> 0" for m in measures)
    listed = ", ".join(names)
    return store.frame(
        f"SELECT {listed}, {sums} FROM {table} GROUP BY {listed} HAVING {some} ORDER BY {listed}"
    )


def emptied(store):
    "What the tables of counts hold, which are empty then."
    held = {table: cells(store, table) for table in TABLES}
    assert all(map(len, held.values()))
    for table in TABLES:
        store.con.execute(f"DELETE FROM {table}")
    return held


@pytest.mark.parametrize("name", ["duckdb", "spark"])
def test_rows_say_what_nights_counted_batch_by_batch(nights, tmp_path, sail, name):
    "Nothing differs; and where nothing was counted, every cell of every batch comes out."
    bench = nights.copy_to(tmp_path)
    with bench.store() as store, by(name, store, sail) as engine:
        if name == "duckdb":
            found = recount(store, engine, *ALWAYS)
            assert found.rows == 420 and not any(found.changed.values()) and not found.left
        held = emptied(store)
        assert recount(store, engine, *ALWAYS).changed.keys() == held.keys()
        for table, before in held.items():
            assert_frame_equal(cells(store, table), before, check_dtype=False)


def test_spark_adds_what_is_missing_and_nothing_else(nights, tmp_path, sail):
    "Some cells of a day are lost, in two batches; other days are not looked at."
    bench, day = nights.copy_to(tmp_path), date(2026, 3, 2)
    with bench.store() as store:
        before = cells(store, "score_counts")
        lost = "event_date = '2026-03-02' AND version = 'v1' AND points < 0 AND batch_id > 1"
        n = len(store.frame(f"DELETE FROM score_counts WHERE {lost} RETURNING *"))
        with by("spark", store, sail) as engine:
            found = recount(store, engine, day, day, ["m"])
        assert found.changed["score_counts"] == n > 20 and found.dates == {day}
        assert_frame_equal(cells(store, "score_counts"), before)


def files_until(store, kind, batch):
    return [f.path for f in store.day_files(kind=kind, batch_id__le=batch)]


@pytest.mark.parametrize("batch", [3, 7])
def test_each_reduction_is_the_same_on_spark_as_of_two_batches(nights, sail, batch):
    "Labels in force, the labelled join, its counts: row by row."
    sql = statements("reductions.sql")
    keys = ["event_date", "tenant", "model", "version", "prediction_id", "site_id", "points"]
    with nights.store() as store:
        groups = of_one_type(store.con, store.root, files_until(store, "predictions", batch))
        outcomes = files_until(store, "outcomes", batch)
        rows = {
            "predictions": Rows("predictions", [group for group, _ in groups], keys),
            "outcomes": Rows(
                "outcomes", [outcomes], ["prediction_id", "label", "observed_at", "batch_id"]
            ),
        }
        steps = {"labels": "labels", "events": "events_by_day", "counted": "counts_by_day"}
        engines = [by("duckdb", store), by("spark", store, sail)]
        with engines[0] as duck, engines[1] as spark:
            for last in range(1, len(steps) + 1):
                query = Query(rows, {}, {n: sql[s] for n, s in list(steps.items())[:last]})
                found = []
                for engine in (duck, spark):
                    engine.count(store.con, "answer", query)
                    found.append(sorted(map(repr, store._rows("FROM answer"))))
                assert found[0] == found[1] and len(found[0]) >= 30


def test_a_server_that_reads_other_rows_changes_nothing(nights, tmp_path, sail):
    "It sees another folder under the path: an older copy of the log."
    bench = nights.copy_to(tmp_path / "one")
    other = nights.copy_to(tmp_path / "other")
    frame = made(30).assign(id=lambda f: "x" + f.id)
    log(bench, frame)
    bench.ingest(NOW + timedelta(4))
    with bench.store() as store:
        (late,) = [f for f in store.day_files(batch_id=9, event_date=date(2026, 3, 1))]
        shutil.copy(
            other.data / store.day_files(kind="predictions")[0].path, other.data / late.path
        )
        before = {table: cells(store, table) for table in TABLES}
        where = store.root, store.timezone, sail, str(other.data.absolute())
        with open_engine("spark", *where) as engine:
            with pytest.raises(StoreError, match=r"spark counted \d+ rows of 2026-.* files hold"):
                recount(store, engine, *ALWAYS)
        for table, held in before.items():
            assert_frame_equal(cells(store, table), held)


def test_files_are_grouped_by_what_they_store(nights):
    "No two files of a group make a feature different types."
    with nights.store() as store:
        paths = files_until(store, "predictions", 9)
        groups = of_one_type(store.con, store.root, paths)
        assert sorted(path for group, _ in groups for path in group) == sorted(paths)
        assert [types[ODD] for _, types in groups] == ["bigint", "double"]


def test_what_cannot_be_counted_is_said_and_left(nights, tmp_path):
    bench = nights.copy_to(tmp_path)
    with bench.store() as store:
        gone = store.day_files(kind="predictions", event_date=date(2026, 3, 1), version="v2")[0]
        (store.root / gone.path).unlink()
        store.con.execute(
            "INSERT INTO forgotten_counts SELECT * EXCLUDE (batch_id) FROM score_counts "
            "WHERE version = 'v1' AND model = 'm' AND event_date = '2026-03-02' LIMIT 1"
        )
        with by("duckdb", store) as engine:
            found = recount(store, engine, *ALWAYS)
    assert not any(found.changed.values()) and len(found.left) == 2
    assert "2026-03-01 of m v2: a file of its rows is gone" in found.left
    assert re.match(r"2026-03-02 of m v1.*: rows of it were forgotten", found.left[1])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "spark_url is not set"),
        ("http://localhost", "no address of a Spark Connect server"),
        ("sc://127.0.0.1:1/;token=canary", "nobody answers at 127.0.0.1:1 (Connection refused)"),
    ],
)
def test_a_server_that_is_not_there_is_said_without_its_token(tmp_path, url, says):
    with pytest.raises(StoreError, match=re.escape(says)) as raised:
        open_engine("spark", tmp_path, "UTC", url)
    assert "canary" not in str(raised.value)


def test_spark_reads_no_pattern(tmp_path):
    with pytest.raises(StoreError, match=r"'\[' in a path stands for other characters"):
        open_engine("spark", tmp_path / "log[1]", "UTC", "sc://127.0.0.1:1")


def test_without_its_client_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    monkeypatch.delitem(sys.modules, "aiops_wb.log.spark", raising=False)
    with pytest.raises(StoreError, match=r"pip install 'aiops_wb\[spark\]'"):
        open_engine("spark", tmp_path, "UTC", "sc://127.0.0.1:1")


def test_backfill_recounts_by_the_engine_of_the_settings(nights, tmp_path, capsys, sail):
    bench = nights.copy_to(tmp_path)
    settings = tmp_path / "aiops.toml"
    settings.write_text(f'count_engine = "spark"\nspark_url = "{sail}"\n')
    asked = ["backfill", "--data", str(bench.data), "--config", str(settings), "--recount"]
    asked += ["--from", "2026-03-01", "--to", "2026-03-02", "--model", "z"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert (
        said == "30 rows of 2 days of versions counted by spark: every count is what the rows say\n"
    )


@pytest.mark.slow
def test_rows_say_on_sail_what_nights_counted_of_two_million(tmp_path, sail):
    "Made days with corrections and late labels, features of two types, as of two batches."
    with open_store(tmp_path, "t", "Europe/Berlin") as store:
        batches = scale.make(store, 2_000_000, 40)
        with by("spark", store, sail) as engine:
            same, there = scale.equal_cells(store, engine, batches[1:3])
    assert same == there > 300_000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java: default-jre-headless")
def test_rows_say_on_a_cluster_of_spark_what_nights_counted(nights, tmp_path):
    "Spark's own: a driver and two executors, processes of Java."
    (tmp_path / "spark").mkdir()
    bench = nights.copy_to(tmp_path / "nights")
    with servers.cluster(tmp_path / "spark") as url:
        with bench.store() as store, by("spark", store, url) as engine:
            assert not any(recount(store, engine, *ALWAYS).changed.values())
            held = emptied(store)
            recount(store, engine, *ALWAYS)
            for table, before in held.items():
                assert_frame_equal(cells(store, table), before, check_dtype=False)
        with open_store(tmp_path / "made", "t", "Europe/Berlin") as store:
            batches = scale.make(store, 200_000, 4)
            with by("spark", store, url) as engine:
                same, there = scale.equal_cells(store, engine, batches[1:3])
            assert same == there > 50_000
