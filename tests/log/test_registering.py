"""Files that a job wrote are in the log as if their rows had been taken in, or not at all."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from pandas.testing import assert_frame_equal
from test_as_of import EARLIER, LATER, QUESTIONS, ask, certain, registered
from test_from_rows import TABLES, cells

from aiops_wb.cli import main
from aiops_wb.log.engines import open_engine
from aiops_wb.log.errors import StoreError
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.ingest import ingest
from aiops_wb.log.landing import deliveries
from aiops_wb.log.registering import register
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.selective import exploration
from bench import servers

NOW = datetime(2026, 3, 7, 2, tzinfo=UTC)
DAY = date(2026, 3, 4)
TOLD = ("batches", "features", "feature_values", "forgotten", "quarantine", "outcome_columns")
ENGINES = ("duckdb", "spark")


def predict(bench, some, version="v1", **told):
    named = {"prediction_id": some.id, "site_id": some.site, "features": some[["x"]]}
    with PredictionLogger(
        bench.data / "spool",
        MODEL,
        version,
        threshold=0,
        flush_seconds=None,
        tenant=told.pop("tenant", "default"),
    ) as log:
        log.log(some.score, some["at"], **named | told)


def waiting(bench):
    """What nobody has taken in: mostly without a decision, of a day that is known, with a feature
    that is new; some of it is in the log already, some is about somebody who was forgotten, some is
    of events that have a label."""
    some = events(3, 30, seed=5, start=DAY).assign(site=lambda f: f.site.where(f.index % 3 > 0))
    predict(bench, some, latency_ms=3.5, entity_id=some.site.fillna("gone"))
    more = events(1, 20, seed=6, start=DAY + timedelta(1), version="v2").assign(y=1.0)
    predict(bench, more, "v2", event_key="of " + more.id, features=more[["x", "y"]])
    predict(bench, more.assign(id="t" + more.id), tenant="two")
    predict(bench, more.assign(id="r" + more.id), route="alert", automated=False)
    known = pd.concat([more.head(1).assign(id="first"), KNOWN])
    predict(bench, known, entity_id=known.site)
    return some, more


KNOWN = events(1, 4, seed=7, start=DAY).assign(id=lambda f: "known " + f.id)


def decided(store):
    "A threshold, those of a tenant and of a site for a while, a calibration, chances below."
    hours = [EARLIER + timedelta(hours=h) - timedelta(1) for h in range(0, 80, 8)]
    store.turn_dial(hours[0], "ana", MODEL, True, "on")
    store.set_threshold(hours[1], "ana", MODEL, "v1", 300, "lower")
    for scope, at, points in (
        (("two", None), hours[0], -400),
        (("default", "north"), hours[2], -900),
        (("default", "north"), hours[4], None),
    ):
        store.set_own_threshold(at, "ana", MODEL, "v1", scope, points, "theirs")
    counts = ScoreCounts.from_events(np.arange(-6_000, 3_000, 7))
    store.explore(hours[1], "ana", MODEL, exploration(counts, 405, 0.4), "a trial")
    store.add_calibration(hours[3], "ana", MODEL, "v1", certain(1000), "a trial")


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    "A log in which people decided a few things, with labels of what is not there yet."
    bench = Bench(tmp_path_factory.mktemp("before"))
    with bench.store("America/New_York") as store:
        registered(store)
        decided(store)
        store.add_forgotten(NOW, [Forgotten("entity", "gone", until=NOW)])
        some, more = waiting(Bench(bench.root / "scratch"))
        with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
            log.log(some.id[::4], some.label[::4], EARLIER)
            log.log(event_key="of " + more.id[:5], label=more.label[:5], observed_at=EARLIER)
        predict(bench, KNOWN, entity_id=KNOWN.site)
        ingest(store, EARLIER + timedelta(hours=1), "ana")
    return bench


def landed(bench, source, name="job"):
    "What waits in the scratch folder, as a delivery of files."
    place = bench.data / "landing" / name
    place.mkdir(parents=True)
    for path in (source.root / "scratch" / "data" / "spool" / "predictions").glob("*.parquet"):
        shutil.copy(path, place)
    (place / "_SUCCESS").touch()
    return place


def by(store, name, url=None):
    return open_engine(name, store.root, store.timezone, url)


def take(bench, name="duckdb", url=None, now=NOW, **options):
    with bench.store() as store, by(store, name, url) as engine:
        (one,) = deliveries(store.root)
        return register(store, engine, now, "ana", one, **options)


def later(store, bench):
    "Labels and corrections that come afterwards."
    some = events(3, 30, seed=5, start=DAY)[::2]
    bench.label(some, LATER - timedelta(hours=2), label=1 - some.label)
    ingest(store, LATER, "ana")


ROWS = "read_parquet('{}/log/{}/*/*.parquet', union_by_name = true, hive_partitioning = false)"


@pytest.fixture(scope="module")
def taken(before, tmp_path_factory):
    "The same rows, taken in from the spool."
    bench = before.copy_to(tmp_path_factory.mktemp("taken"))
    shutil.copytree(
        before.root / "scratch" / "data" / "spool", bench.data / "spool", dirs_exist_ok=True
    )
    with bench.store() as store:
        found = ingest(store, NOW, "ana")
        assert (found.duplicates, found.conflicts, found.forgotten) == (4, 0, 30)
        later(store, bench)
    return bench, found


def held_alike(ours, theirs):
    "Every row, every count of every batch, and what else the catalog says of them."
    for kind in ("predictions", "outcomes"):
        one, two = (
            s.frame(f"FROM {ROWS.format(s.root, kind)} ORDER BY ALL") for s in (ours, theirs)
        )
        assert_frame_equal(one[two.columns], two)
    for table in TABLES:
        assert_frame_equal(cells(ours, table), cells(theirs, table), check_dtype=False)
    for table in TOLD:
        told = [
            s.frame(f"FROM {table} ORDER BY ALL").drop(columns="hash", errors="ignore")
            for s in (ours, theirs)
        ]
        assert_frame_equal(*told)
    assert not ours.damage() and not ours.note_changed(ours.day_files())


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_registered_is_what_would_have_been_taken_in(
    before, taken, tmp_path, request, name
):
    other, found = taken
    bench = before.copy_to(tmp_path)
    place = landed(bench, before)
    done = take(bench, name, request.getfixturevalue("sail") if name == "spark" else None)
    assert (done.rows, done.duplicates, done.forgotten) == (found.loaded, 4, 30)
    assert not place.exists() and done.files == 5 and done.days == 4
    with bench.store() as ours, other.store() as theirs:
        later(ours, bench)
        rows = ours.frame(f"FROM {ROWS.format(ours.root, 'predictions')}")
        assert rows.decided_by.eq("workbench").sum() > 40 and rows.ladder.nunique() > 2
        assert rows.propensity.between(0.01, 0.99).sum() > 5  # looked at by chance
        held_alike(ours, theirs)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java: default-jre-headless")
def test_a_cluster_of_spark_writes_what_would_have_been_taken_in(before, taken, tmp_path):
    "Spark's own: a driver and two executors, processes of Java."
    other, found = taken
    bench = before.copy_to(tmp_path / "ours")
    landed(bench, before)
    (tmp_path / "spark").mkdir()
    with servers.cluster(tmp_path / "spark") as url:
        assert take(bench, "spark", url).rows == found.loaded
    with bench.store() as ours, other.store() as theirs:
        later(ours, bench)
        held_alike(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_every_answer_as_of_every_time_is_the_same(before, taken, tmp_path, request, name):
    other, _ = taken
    bench = before.copy_to(tmp_path)
    landed(bench, before)
    take(bench, name, request.getfixturevalue("sail") if name == "spark" else None)
    with bench.store() as ours, other.store() as theirs:
        later(ours, bench)
        for then in (EARLIER + timedelta(hours=2), NOW, LATER):
            for question in QUESTIONS:
                assert ask(ours, question, then) == ask(theirs, question, then), question


def written(place, change="", where="true", extra="", name="a.parquet", source=None):
    "A delivery of one file: rows of a segment with some columns changed (SQL)."
    place.mkdir(parents=True, exist_ok=True)
    rows = (
        f"SELECT *{f' REPLACE ({change})' if change else ''}{extra} FROM '{source}' WHERE {where}"
    )
    duckdb.execute(f"SET TimeZone = 'UTC'; COPY ({rows}) TO '{place / name}' (FORMAT parquet)")


ONE = "CASE WHEN points = (SELECT max(points) FROM '{source}') THEN {} ELSE {} END AS {}"
REFUSED = {  # what is changed -> what is said
    ("score", "'nan'::DOUBLE"): "score is missing or not a number in 1 of 6 rows",
    ("score", "1.5"): "score is not a probability in [0, 1] in 1 of 6 rows",
    ("points", "(points + 9)::SMALLINT"): "points are not those of the score in 1 of 6",
    ("points", "NULL::SMALLINT"): "points are missing in 1 of 6 rows (e5): Grid().quantise",
    ("prediction_id", "''"): "prediction_id is missing in 1 of 6 rows",
    ("prediction_id", "'e0'"): "1 ids stand more than once in this delivery, such as 'e0'",
    ("version", "NULL"): "model, version or tenant is missing",
    ("tenant", "repeat('é', 41)"): "tenant is too long in 1 of 6 rows (e5): at most 80 bytes",
    ("predicted_at", "TIMESTAMPTZ '1850-01-01'"): "predicted_at is not between 1900 and 2200",
    ("predicted_at", "TIMESTAMPTZ 'infinity'"): "predicted_at is not between 1900 and 2200",
    ("arm_propensity", "7.0"): "arm_propensity is not a number above 0, at most 1 in 1 of 6 rows",
    ("route", "'review'"): "route is none in 1 of 6 rows (e5): one of ticket, alert, monitor, or",
    ("risk_level", "'high'"): "risk_level is none in 1 of 6 rows (e5): one of MINIMAL, LOW, ",
    ("latency_ms", "-1.0"): "latency_ms is not a number of at least 0",
    ("propensity", "0.0"): "propensity is not a number above 0",
    ("event_key", "' '"): "event_key is empty in 1 of 6 rows (e5): tell none",
    ("event_key", "repeat('k', 257)"): "event_key is too long",
    ("grid", "'log'"): "grid is not one of logit, linear",
    ("grid", "'linear'"): "points are not those of the score",
    ("version", "'v9'"): "late v9 is not known: nobody logged or registered such a version. --new",
}
"One row of six is another: the last one, e5."
SHAPES = {
    "EXCLUDE (points)": "has no column points: each file holds prediction_id, model, version",
    "REPLACE (score::FLOAT AS score)": "score of landing/odd/a.parquet is stored as FLOAT, and has",
    "REPLACE (predicted_at::TIMESTAMP AS predicted_at)": "TIMESTAMP_MICROS",
    ", 1 AS batch_id": "has 1 columns that the log does not know, such as 'batch_id'",
    "REPLACE (1 AS features)": "features of landing/odd/a.parquet are stored as INTEGER",
    "REPLACE (struct_pack(x := 'a') AS features)": "x of late is stored as varchar in",
    "REPLACE (struct_pack(x := [1.0]) AS features)": "x of late is stored as list",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    "A log of one day of a version, and a segment of six further rows."
    bench = Bench(tmp_path_factory.mktemp("small"))
    some = events(1, 6, start=DAY)
    bench.log(some)
    bench.ingest(NOW)
    more = events(1, 6, start=DAY + timedelta(1), seed=3).sort_values("score")
    scratch = Bench(bench.root / "scratch")
    scratch.log(more.assign(id=[f"e{i}" for i in range(6)]), event_key="k")
    (source,) = (scratch.data / "spool" / "predictions").glob("*.parquet")
    return bench, source


def test_what_is_wrong_is_refused_as_a_whole_and_said(small, tmp_path):
    original, source = small
    bench, place = original.copy_to(tmp_path), tmp_path / "data" / "landing" / "odd"
    with bench.store() as store, by(store, "duckdb") as engine:

        def refused(said, name="odd", **told):
            with pytest.raises(StoreError) as error:
                register(store, engine, NOW, "ana", deliveries(store.root, name)[0], **told)
            assert said in str(error.value), error.value
            assert store.known_batch() == 1 and any(place.iterdir())

        for (column, value), said in REFUSED.items():
            one = ONE.format(value, column, column, source=source)
            written(place, one, source=source)
            refused(said)
        for change, said in SHAPES.items():
            place.mkdir(exist_ok=True)
            rows = f"SELECT * {change} FROM '{source}'"
            duckdb.execute(f"SET TimeZone = 'UTC'; COPY ({rows}) TO '{place}/a.parquet'")
            refused(said)
        # the same ids with another content, of which the log's stay
        logged_ids = (
            f"(SELECT list(prediction_id ORDER BY 1) FROM '{bench.data}/log/*/*/*.parquet')"
        )
        rank = "1 + prediction_id[2:]::INTEGER AS INTEGER)] AS prediction_id"
        written(place, f"{logged_ids}[CAST({rank}", source=source)
        refused("6 of 6 rows cannot be taken in, such as: prediction_id v1-2026-03-04-00000 is")
        # a folder that names another day
        written(place, source=source)
        shutil.move(place / "a.parquet", (place / "event_date=2026-03-04").mkdir() or place / "b")
        (place / "b").rename(place / "event_date=2026-03-04" / "a.parquet")
        refused("lies in event_date=2026-03-04 and has rows of 2026-03-05: a day is one of the")
        (place / "event_date=2026-03-04").rename(place / "event_date=soon")
        refused("lies in event_date=soon, which is no day")
        shutil.rmtree(place / "event_date=soon")
        never = "TIMESTAMPTZ 'infinity'"  # which no calendar of a day can hold
        one = ONE.format(never, "predicted_at", "predicted_at", source=source)
        written(place / "event_date=2026-03-05", one, source=source)
        refused("a.parquet: predicted_at is not between 1900 and 2200. Nothing was registered.")
        # a good end, and rows that cannot be read
        shutil.rmtree(place)
        written(place, source=source)
        content = bytearray((place / "a.parquet").read_bytes())
        content[4 : len(content) // 3] = b"\xff" * (len(content) // 3 - 4)
        (place / "a.parquet").write_bytes(content)
        refused("landing/odd/a.parquet is damaged: ")
        (place / "a.parquet").unlink()
        # what is no delivery
        (place / "_temporary").mkdir()
        refused("the job that writes")
        (place / "_temporary").rmdir()
        (place / "b.csv").write_text("x")
        refused("is no Parquet file of its own")
        (place / "b.csv").rename(place / "b.parquet")
        refused("landing/odd/b.parquet cannot be read as Parquet")
        refused("nowhere is no delivery", name="nowhere")
        assert not list((bench.data / "log").rglob("b00000002*"))


def told_by(capsys, bench, *words):
    code = main([*words, "--data", str(bench.data), "--reports-dir", str(bench.root / "r"), "-q"])
    return code, capsys.readouterr()


def test_the_command_says_what_came_of_it_and_is_done_once(small, tmp_path, capsys):
    original, source = small
    bench, place = original.copy_to(tmp_path), tmp_path / "data" / "landing" / "job"
    written(place / "event_date=2026-03-05", source=source)
    written(place.with_name("other"), "'v8' AS version", source=source)
    code, said = told_by(capsys, bench, "register-files", "--dry-run", "--json")
    told = json.loads(said.out)
    assert code == 1 and told["deliveries"][0]["rows"] == 6 and "v8" in told["refused"]["other"]
    assert told["deliveries"][0]["state"] == "checked" and place.exists()
    code, said = told_by(capsys, bench, "register-files")
    assert code == 1 and "job is in the log: 6 rows of 1 days, as batch 2 in 1 files" in said.out
    assert "other was refused: late v8 is not known" in said.out and not place.exists()
    written(place, source=source)  # once more, and a folder that a job is about to write into
    shutil.rmtree(place.with_name("other"))
    place.with_name("next").mkdir()
    code, said = told_by(capsys, bench, "register-files")
    assert code == 0 and "job: its 1 files are in the log already" in said.out
    assert "next: there is no file of rows in it" in said.out and not place.exists()
    place.with_name("next").rmdir()
    assert "nothing waits in" in told_by(capsys, bench, "register-files")[1].out
    code, said = told_by(capsys, bench, "register-files", "nowhere")
    assert code == 1 and "nowhere is no delivery" in said.err
    for named in ("job", str(place)):
        code, said = told_by(capsys, bench, "register-files", named)
        assert (code, said.out) == (0, "job: its 1 files are in the log already\n"), named
