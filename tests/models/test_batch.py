"""Rows are scored and explained a batch at a time as all at once: here, in another process, by
Spark (a server of Sail), to the last bit."""

import pickle
import re
import shutil
import socket
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Bench

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.engines import open_engine
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models import batch as batch_module
from aiops_wb.models.batch import Batches
from aiops_wb.models.explain import contributions
from aiops_wb.models.registry import register
from aiops_wb.models.row_form import DECIDED, require_features, require_rows
from aiops_wb.models.scored_files import of_files, of_log, write_here
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.spark_scoring import decided, explained, write_by_spark
from aiops_wb.models.training import train
from aiops_wb.models.version import feature_columns
from bench import servers

NOW = datetime(2026, 3, 20, tzinfo=UTC)
ODD = "we'ird `n\".ame"
BIG = 2**53 + 1
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 2)


def learned(n=1200):
    "Labelled rows: numbers with gaps, booleans, texts, codes that no float holds, days."
    rng = np.random.default_rng(0)
    x, kind = rng.normal(size=n), rng.choice(["a", "b", "c"], n)
    chance = 1 / (1 + np.exp(-2 * x - (kind == "a")))
    day = pd.Timestamp("2026-02-01") + pd.to_timedelta(np.arange(n) * 20 // n, unit="D")
    return pd.DataFrame(
        {
            "event_date": day,
            "label": (rng.random(n) < chance).astype(float),
            "feature:x": np.where(rng.random(n) < 0.1, np.nan, x),
            "feature:kind": kind,
            "feature:flag": x + rng.normal(size=n) > 0,
            "feature:code": [str(BIG + i) for i in (chance * 3).astype(int)],
            f"feature:{ODD}": np.round(x * 100) / 4,
            "feature:since": [f"2026-01-{1 + int(9 * c):02d}" for c in chance],
        }
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    "A log of two days whose files store features as other types, and the version in force."
    bench = Bench(tmp_path_factory.mktemp("house"))
    rng = np.random.default_rng(1)
    trained = train(learned(), "m", "v1", rounds=20, kinds={"since": "time"})
    with bench.store("America/New_York") as store:
        register(store, *trained, NOW, "ana")
        store.promote(NOW, "ana", "m", "v1", "first")
        for scope, points in ((("default", "north"), 300), (("other", None), -200)):
            store.set_own_threshold(NOW, "ana", "m", "v1", scope, points, "their own")
    for night, tenant in enumerate(("default", "other")):
        n = 90
        at = pd.Timestamp("2026-03-01T05:00Z") + pd.to_timedelta(
            24 * 60 * night + np.arange(n) * 15, unit="min"
        )
        x = rng.normal(size=n)
        features = {
            "x": np.where(rng.random(n) < 0.2, np.nan, x),
            "kind": rng.choice(["a", "c", "new", None], n),
            "flag": x > 0,
            "code": BIG + np.arange(n) % 4 if night else [str(BIG + i % 5) for i in range(n)],
            ODD: np.arange(n) if night else np.arange(n) / 4,
            "since": [f"2026-01-{1 + i % 28:02d}" for i in range(n)],
            "more": 1.0,
        }
        told = {"threshold": 0, "tenant": tenant, "flush_seconds": None}
        with PredictionLogger(bench.data / "spool", "m", "v0", **told) as logger:
            ids = [f"{tenant}{i:03d}" for i in range(n)]
            sites = rng.choice(["north", "south", None], n)
            named = {"prediction_id": ids, "site_id": sites}
            logger.log(1 / (1 + np.exp(-x)), at, features=pd.DataFrame(features), **named)
        bench.ingest(NOW + timedelta(night))
    bench.publish()
    return bench


@pytest.fixture
def log(house):
    with open_snapshot(house.data) as reader:
        yield reader


@pytest.fixture
def scorer(log):
    return Scorer.in_force(log, "m")


def odd_rows():
    "Features of many types in Arrow, and the same as values of Python, a batch's worth and more."
    n = 40
    code = [BIG + i % 5 if i % 7 else None for i in range(n)]
    weird = [Decimal(i - 9) / 4 if i % 5 else None for i in range(n)]
    since = [date(2026, 1, 1 + i % 28) if i % 6 else None for i in range(n)]
    kind = ["a", "b", "new", None, " c", ""] * 7
    flag = [True, False, None, True] * 10
    x = [float(np.float32(i / 7 - 2)) if i % 8 else None for i in range(n)]
    values = {"x": x, "kind": kind[:n], "flag": flag, "code": code, ODD: weird, "since": since}
    types = [pa.float32(), pa.string(), pa.bool_(), pa.int64(), pa.decimal128(9, 2), pa.date32()]
    columns = {name: pa.array(v, t) for (name, v), t in zip(values.items(), types)}
    texts = {"tenant": ["default", "other"] * 20, "site_id": ["north", None, "south", "x"] * 10}
    table = pa.table({"prediction_id": [f"p{i:02d}" for i in range(n)]} | texts | columns)
    return table, pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in values.items()}), texts


def expected(scorer, frame, texts):
    "What the scorer says of rows of one tenant at a time, in the order of the rows."
    tenants, sites = (np.array(texts[name], dtype=object) for name in ("tenant", "site_id"))
    parts = []
    for tenant in dict.fromkeys(tenants):
        here = tenants == tenant
        parts.append(scorer.decide(frame[here], NOW, tenant=tenant, site_id=sites[here]))
    return pd.concat(parts).sort_index()[list(DECIDED.names)]


def same_bits(table, frame, names):
    "Whether columns of Arrow hold the very values of a frame."
    for name in names:
        values = pa.array(frame[name].to_numpy(), from_pandas=True)
        found = table.column(name).combine_chunks().cast(values.type)
        assert found.equals(values), name


def unfolded(table):
    "Contributions as columns of their own."
    return pa.Table.from_arrays(
        [*table.column("contributions").combine_chunks().flatten(), table.column("bias")],
        names=[*(f.name for f in table.schema.field("contributions").type), "(bias)"],
    )


@pytest.mark.parametrize("size", [7, 100])
def test_batches_say_what_all_rows_at_once_say_in_another_process_without_a_network(
    scorer, monkeypatch, size
):
    table, frame, texts = odd_rows()
    there = pickle.loads(pickle.dumps(Batches(scorer, NOW)))
    monkeypatch.setattr(socket, "socket", None)
    batches = table.to_batches(size)
    said = pa.Table.from_batches(there.decided(batches))
    wanted = expected(scorer, frame, texts)
    assert set(wanted.route) >= {"monitor", "alert"} and wanted.ladder.nunique() == 3
    assert wanted.lower.notna().all() and wanted.score.nunique() > 20
    same_bits(said, wanted, DECIDED.names)
    pushes = unfolded(pa.Table.from_batches(there.explained(batches)))
    same_bits(pushes, contributions(scorer.version, frame), pushes.column_names)


def test_spark_says_it_of_any_frame_of_its_own(scorer, tmp_path, sail):
    table, frame, texts = odd_rows()
    with open_engine("spark", tmp_path, "Europe/Berlin", sail) as engine:
        rows = engine.session.createDataFrame(table)
        said = decided(rows, Batches(scorer, NOW)).orderBy("prediction_id").toArrow()
        pushed = explained(rows, Batches(scorer, NOW)).orderBy("prediction_id").toArrow()
    assert said.column_names == [*table.column_names, *DECIDED.names]
    same_bits(said, expected(scorer, frame, texts), DECIDED.names)
    pushes = unfolded(pushed)
    same_bits(pushes, contributions(scorer.version, frame), pushes.column_names)


def whole(folder):
    "What lies in a folder of day files, in order."
    table = pa.parquet.ParquetDataset(folder, partitioning=None).read()
    return table.sort_by([("prediction_id", "ascending")])


def by_log(log, scorer):
    "What the scorer says of the log's rows as `rows` has them, all at once."
    rows = log.rows("m", FIRST, LAST).sort_values("prediction_id", ignore_index=True)
    features = feature_columns(rows, log.outcomes_among("m", scorer.version.features))
    return rows, features, expected(scorer, features, rows)


def test_a_range_of_the_log_is_scored_as_its_rows_are(log, scorer, tmp_path, sail):
    asked = of_log(log, scorer, FIRST, LAST, NOW)
    assert len(asked.groups) == 2 and asked.rows == 180
    rows, features, wanted = by_log(log, scorer)
    with open_engine("spark", log.root, log.timezone, sail) as engine:
        for what in ("logged", "pushes"):
            into = tmp_path / f"here {what}", str(tmp_path / f"spark-{what}")
            assert write_here(log, asked, what, into[0]) == 180
            assert write_by_spark(engine, asked, what, into[1]) == 180
    scores, pushes = whole(tmp_path / "here logged"), whole(tmp_path / "here pushes")
    named = ["score", "points", "risk_level", "route", "automated", "ladder"]
    same_bits(scores, wanted, named)
    same_bits(scores, rows, ["prediction_id", "tenant", "site_id"])
    explained = unfolded(pushes)
    same_bits(explained, contributions(scorer.version, features), explained.column_names)
    assert sorted(p.name for p in (tmp_path / "here logged").iterdir()) == [
        "day=2026-03-01",
        "day=2026-03-02",
    ]
    for what, here in (("logged", scores), ("pushes", pushes)):
        there = whole(tmp_path / f"spark-{what}")
        assert there.schema.names == here.schema.names
        assert there.to_pylist() == here.to_pylist()


def test_what_was_scored_is_taken_into_a_log_as_it_is(log, scorer, tmp_path):
    asked = of_log(log, scorer, FIRST, FIRST, NOW)
    write_here(log, asked, "logged", tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*.parquet")
    other = Bench(tmp_path / "other")
    with other.store("America/New_York") as store:
        ingest_file(store, NOW, "ana", file, "predictions")
        rows = store.rows("m", FIRST, FIRST)
    scores = whole(tmp_path / "out")
    assert len(rows) == 90 and set(rows.decided_by) == {"service"}
    kept = rows.sort_values("prediction_id", ignore_index=True)
    for name in ("prediction_id", "points", "ladder", "automated", "calibration_id"):
        assert kept[name].to_list() == scores.column(name).to_pylist(), name
    again = scorer.version.score(feature_columns(kept))
    assert np.array_equal(again, kept.score)


def test_rows_of_files_are_scored_and_their_days_are_those_of_the_log(log, scorer, tmp_path):
    table, frame, texts = odd_rows()
    at = pd.date_range("2026-03-01T02:00Z", periods=40, freq="30min", unit="ns")
    table = table.append_column("predicted_at", pa.array(at)).append_column(
        "other", pa.array(at.hour)
    )
    (tmp_path / "in").mkdir()
    pa.parquet.write_table(table, tmp_path / "in" / "[rows].parquet")
    asked = of_files(scorer, [str(tmp_path / "in")], NOW, log.timezone)
    assert write_here(log, asked, "logged", tmp_path / "out") == 40
    found = whole(tmp_path / "out")
    same_bits(found, expected(scorer, frame, texts), ["score", "points", "ladder", "route"])
    days = pd.Series(at).dt.tz_convert("America/New_York").dt.date
    assert found.column("event_date").to_pylist() == days.to_list() and days.nunique() == 2
    assert found.schema.field("features").type.get_field_index("other") == -1


def test_a_text_that_is_read_again_stands_in(scorer):
    table, frame, texts = odd_rows()
    instead = Batches(scorer, NOW, {"x": "number"}, {"x": {"p03": " 2.5 ", "p09": "n/a"}})
    frame.loc[3, "x"], frame.loc[9, "x"] = 2.5, None
    said = pa.Table.from_batches(instead.decided(table.to_batches(9)))
    same_bits(said, expected(scorer, frame, texts), ["score", "points"])


def test_what_cannot_be_scored_is_said_before_anything_runs(log, scorer, tmp_path):
    table, *_ = odd_rows()
    without = table.drop_columns(["code"]).schema
    with pytest.raises(StoreError, match="feature 'code' is missing: the model needs x, kind"):
        require_features(without, scorer.version)
    for name, kind, takes in (
        ("x", pa.timestamp("us"), "a number, a boolean or a text there"),
        ("kind", pa.list_(pa.string()), "a number, a boolean, a text or a time there"),
    ):
        wrong = table.schema.set(table.schema.get_field_index(name), pa.field(name, kind))
        with pytest.raises(StoreError, match=f"feature '{name}' is of type .*: m v1 takes {takes}"):
            require_features(wrong, scorer.version)
    with pytest.raises(StoreError, match="column 'predicted_at' is missing"):
        require_rows(table.schema)
    naive = table.schema.append(pa.field("predicted_at", pa.timestamp("us")))
    with pytest.raises(StoreError, match=r"'predicted_at' is of type timestamp\[us\]: instants"):
        require_rows(naive)
    with pytest.raises(StoreError, match="m has no events from 2027"):
        of_log(log, scorer, date(2027, 1, 1), date(2027, 1, 2), NOW)
    gone = of_files(scorer, [str(tmp_path / "none")], NOW, "UTC")
    with pytest.raises(StoreError, match="none is no Parquet file, and no folder that holds one"):
        write_here(log, gone, "logged", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_row_without_an_id_is_no_row(log, scorer, tmp_path):
    table, *_ = odd_rows()
    at = pd.date_range("2026-03-01", periods=40, tz="UTC")
    ids = pa.array([None, *map(str, range(39))])
    table = table.append_column("predicted_at", pa.array(at)).set_column(0, "prediction_id", ids)
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    asked = of_files(scorer, [str(tmp_path / "rows.parquet")], NOW, "UTC")
    with pytest.raises(StoreError, match="prediction_id is missing in a row"):
        write_here(log, asked, "logged", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_spark_refuses_before_the_job_and_other_software_is_told(
    scorer, tmp_path, sail, monkeypatch
):
    table, *_ = odd_rows()
    with open_engine("spark", tmp_path, "UTC", sail) as engine:
        rows = engine.session.createDataFrame(table)
        with pytest.raises(StoreError, match="feature 'x' is missing"):
            decided(rows.drop("x"), Batches(scorer))
        with pytest.raises(StoreError, match="the frame has a column 'score' already"):
            decided(rows.withColumn("score", rows.x), Batches(scorer))
        gone = of_files(scorer, [f"{tmp_path}/none.parquet"], NOW, "UTC")
        with pytest.raises(StoreError, match="none.parquet"):
            write_by_spark(engine, gone, "logged", f"{tmp_path}/out")
    sent = pickle.dumps(Batches(scorer))
    monkeypatch.setattr(batch_module, "_software", lambda: "xgboost 0")
    with pytest.raises(StoreError, match="xgboost 0 are installed there, .* aiops_wb"):
        pickle.loads(sent)


def test_the_commands_score_and_explain_many(house, tmp_path, capsys, sail):
    settings = tmp_path / "aiops.toml"
    settings.write_text(f'spark_url = "{sail}"\n')
    place = ["--data", str(house.data), "--config", str(settings), "--model", "m"]
    days = ["--from", "2026-03-01", "--to", "2026-03-01", "--into"]
    assert main(["score", *place, *days, str(tmp_path / "a"), "--engine", "spark"]) == 0
    assert main(["explain", *place, *days, str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.match("90 events scored by m v1 into .*a$", said[0])
    assert re.match("90 events explained by m v1 into .*b$", said[1])
    assert main(["score", *place, *days, str(tmp_path / "b")]) == 1
    assert main(["score", *place, *days]) == 2 == main(["score", *place, "--from", "2026-03-01"])
    assert main(["explain", *place[:4]]) == 2
    assert main(["explain", *place, "--id", "default001", *days, "x"]) == 2
    assert main(["explain", *place, *days, str(tmp_path / "c"), "--json"]) == 2
    for inside in ("log/predictions/x", "spool/predictions/x", "models", "landing", "landing/a/b"):
        assert main(["score", *place, *days, str(house.data / inside)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "is there already: name a new folder" in said[0] and len(said) == 11
    assert all("in the data folder: name a folder elsewhere, or landing" in one for one in said[6:])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java: default-jre-headless")
def test_executors_of_a_cluster_say_what_is_said_here(log, scorer, tmp_path):
    "Spark's own: a driver and two executors, whose Python has the package."
    (tmp_path / "spark").mkdir()
    asked = of_log(log, scorer, FIRST, LAST, NOW)
    table, frame, texts = odd_rows()
    with servers.cluster(tmp_path / "spark", python=sys.executable) as url:
        with open_engine("spark", log.root, log.timezone, url) as engine:
            rows = engine.session.createDataFrame(table).repartition(4)
            said = decided(rows, Batches(scorer, NOW)).orderBy("prediction_id").toArrow()
            same_bits(said, expected(scorer, frame, texts), DECIDED.names)
            for what in ("logged", "pushes"):
                write_here(log, asked, what, tmp_path / f"here-{what}")
                write_by_spark(engine, asked, what, str(tmp_path / f"spark-{what}"))
            with pytest.raises(StoreError, match="could not score: prediction_id is missing"):
                lacking = table.set_column(0, "prediction_id", pa.nulls(40, pa.string()))
                at = pa.array(pd.date_range("2026-03-01", periods=40, tz="UTC", unit="us"))
                lacking = lacking.append_column("predicted_at", at)
                pa.parquet.write_table(lacking, tmp_path / "lacking.parquet")
                of = of_files(scorer, [str(tmp_path / "lacking.parquet")], NOW, "UTC")
                write_by_spark(engine, of, "logged", str(tmp_path / "out"))
    for what in ("logged", "pushes"):
        here, there = whole(tmp_path / f"here-{what}"), whole(tmp_path / f"spark-{what}")
        assert there.schema.names == here.schema.names and there.to_pylist() == here.to_pylist()
