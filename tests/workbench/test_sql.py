"""SQL on a snapshot: it reads the log and nothing else, in a cell, at a terminal, in a program."""

import csv
import io
import json
from datetime import date, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import aiops_wb
from aiops_wb import Settings, StoreError, Workbench
from aiops_wb.cli import main
from aiops_wb.log import alike
from aiops_wb.workbench.sql import questions

START = date(2026, 3, 1)
MADE = events(6, 20, start=START)
ALL = "SELECT count(*), sum(label) FROM predictions JOIN labels USING (prediction_id)"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Six days; the ids of two events steer a terminal, and a spreadsheet."
    bench = Bench(tmp_path_factory.mktemp("asked in [SQL] it's"))
    frame = MADE.assign(id=["\x1b[31mred\nid", "=1+1", *MADE.id[2:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "ALIKE", 3)
        bench.log(frame)
        bench.label(frame)
        bench.ingest()
        bench.publish()
    return bench


@pytest.fixture(scope="module")
def settings(logged):
    return Settings(data=logged.data, config="no file")


@pytest.fixture(scope="module")
def asked(settings):
    with questions(settings) as log:
        yield log


def quoted(path):
    "A path inside a literal of SQL."
    return str(path).replace("'", "''")


def test_rows_are_those_of_the_log(asked):
    assert asked.rows(ALL).rows == [(len(MADE), MADE.label.sum())]
    frame = asked.frame("SELECT event_date, count(*) AS n FROM predictions GROUP BY ALL ORDER BY 1")
    assert list(frame.n) == [20] * 6 and str(frame.event_date[0].date()) == str(START)
    view = asked.frame("SELECT sum(actual_fraud_detected::INT) AS n FROM noc_fraud_prediction_log")
    assert view.n[0] == MADE.label.sum()
    few = asked.rows("FROM predictions", 3)
    assert len(few.rows) == 3 and few.more and not asked.rows("FROM predictions LIMIT 3", 3).more
    assert {"predictions", "labels", "audit", "score_counts"} <= set(asked.tables)


def test_days_alone_are_read_and_no_file_of_another_day_is_opened(logged, settings, tmp_path):
    own = logged.copy_to(tmp_path)
    for path in (own.data / "log").rglob("*.parquet"):
        if date.fromisoformat(path.parent.name.removeprefix("event_date=")) != START:
            path.write_bytes(bytes(path.stat().st_size - 4) + b"PAR1")
    asked_of = settings.model_copy(update={"data": own.data})
    with questions(asked_of, START, START) as log:
        of_day = MADE[MADE.day == START]
        assert log.rows(ALL).rows == [(20, of_day.label.sum())]
        shown = log.frame("SELECT sum(features.x) AS x FROM noc_fraud_prediction_log")
        assert shown.x[0] == pytest.approx(of_day.x.sum())
    with pytest.raises(StoreError), questions(asked_of) as log:
        log.rows("SELECT sum(points) FROM predictions")


def test_days_that_are_named_show_what_the_published_view_shows(settings):
    first, last = START + timedelta(2), START + timedelta(3)
    of = "SELECT * FROM predictions{} ORDER BY prediction_id"
    with questions(settings) as whole, questions(settings, first, last) as days:
        between = whole.frame(of.format(f" WHERE event_date BETWEEN '{first}' AND '{last}'"))
        pd.testing.assert_frame_equal(between, days.frame(of.format("")), check_like=True)
    with questions(settings, first=START + timedelta(5)) as days:
        assert days.rows("SELECT count(*) FROM predictions").rows == [(20,)]
    with questions(settings, last=START - timedelta(1)) as days:
        assert days.rows("SELECT count(features.x) FROM predictions").rows == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE mine AS SELECT 1",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "INSERT INTO batches SELECT * FROM batches",
        "UPDATE audit SET who = 'me'",
        "DELETE FROM audit",
        "DROP VIEW labels",
        "COPY (SELECT 1) TO '{log}/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{log}/x.csv'",
        "EXPORT DATABASE '{log}/x'",
        "ATTACH '{log}/x.db'",
        "USE memory",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET VARIABLE aiops_data = '/'",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CHECKPOINT",
        "BEGIN",
    ],
)
def test_whatever_does_more_than_select_is_refused(asked, logged, sql):
    with pytest.raises(StoreError, match="is not allowed: a snapshot is read-only"):
        asked.rows(sql.format(log=quoted(logged.data / "log")))
    assert not (logged.data / "log" / "x.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{data}/catalog.lock')",
        "SELECT * FROM read_text('{data}/log/../catalog.lock')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM parquet_schema('/etc/passwd')",
        "SELECT * FROM read_duckdb('{data}/catalog.duckdb')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "FROM '/etc/passwd'",
        "WITH a AS (INSERT INTO batches SELECT * FROM batches RETURNING *) SELECT * FROM a",
        "SELECT * FROM query('COPY (SELECT 1) TO ''x''')",
        "SELECT getenv('HOME')",
        "FROM MADE",
        "SELECT 1; SELECT 2",
        " -- nothing",
        "SELEC 1",
    ],
)
def test_a_query_opens_no_other_file_and_sees_no_variable(asked, logged, sql):
    with pytest.raises(StoreError) as error:
        asked.rows(sql.format(data=quoted(logged.data)))
    assert str(error.value).count("\n") == 0 and str(error.value).endswith((".", "?"))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT scor FROM predictions", "there is no column 'scor': did you mean 'score'?"),
        ("SELECT p.scor FROM predictions p", "there is no column 'scor': did you mean 'score'?"),
        ("FROM predictons", "there is no table 'predictons': did you mean 'predictions'?"),
        ("SELECT features.xx FROM predictions", "there is no feature 'xx': did you mean 'x'?"),
        ("SELECT avgg(score) FROM predictions", 'Did you mean "avg"?'),
        ("SELECT score FRM predictions", "the query cannot be read: syntax error"),
        ("SELECT '\udcff'", "the query is no text in UTF-8."),
    ],
)
def test_a_wrong_name_names_the_nearest(asked, sql, says):
    with pytest.raises(StoreError) as error:
        asked.frame(sql)
    assert says in str(error.value)


def test_a_workbench_and_its_queries_stand_beside_each_other_and_beside_a_night(logged, tmp_path):
    own = logged.copy_to(tmp_path)
    wb = Workbench(own.data)
    assert len(wb[MODEL].top(2)) == 2
    settings = Settings(data=own.data, config="no file")
    with questions(settings) as log:
        own.log(events(1, 5, seed=4, version="v9"), version="v9")
        own.ingest()
        own.publish()
        assert log.rows("SELECT count(*) FROM predictions").rows == [(len(MADE),)]
    assert len(wb[MODEL].top(2)) == 2 and len(wb[MODEL].rows(START, START)) == 25
    with questions(settings) as log:
        assert log.rows("SELECT count(*) FROM predictions").rows == [(len(MADE) + 5,)]


def test_a_snapshot_that_is_open_beside_it_is_another(logged, tmp_path):
    other = Bench(tmp_path)
    other.log(events(1, 3))
    other.ingest()
    other.publish()
    with aiops_wb.open_snapshot(other.data), aiops_wb.open_snapshot(logged.data):
        for bench, n in ((other, 3), (logged, len(MADE))):
            with questions(Settings(data=bench.data, config="no file")) as log:
                assert log.rows("SELECT count(*) FROM predictions").rows == [(n,)]


def test_a_terminal_gets_a_table_csv_or_json(logged, capsys):
    def said(*words):
        code = main(["sql", *words, "--data", str(logged.data)])
        return code, *capsys.readouterr()

    ids = "SELECT prediction_id, score FROM predictions ORDER BY event_date, prediction_id DESC"
    code, out, err = said(f"{ids} LIMIT 2", "--from", str(START), "--to", str(START))
    assert code == 0 and len(out.splitlines()) == 2 and not err
    _, out, err = said(ids, "--limit", "1")
    assert len(out.splitlines()) == 1 and "only the first 1 row: --limit N prints N" in err
    odd = (
        "SELECT prediction_id AS id, NULL AS nothing, 'nan'::DOUBLE AS x, 1.5 AS d FROM predictions"
    )
    odd = f"{odd} WHERE prediction_id < '>' ORDER BY 1"
    code, out, _ = said(odd, "--csv")
    told = list(csv.reader(io.StringIO(out)))
    assert told[1] == [" [31mred id", "", "", "1.5"] and told[2][0] == "'=1+1" and "\x1b" not in out
    _, out, _ = said(odd, "--json")
    first = {"id": "\x1b[31mred\nid", "nothing": None, "x": None, "d": 1.5}
    assert json.loads(out)[0] == first and "\x1b" not in out
    _, out, _ = said(odd)
    assert out.startswith("id  [31mred id  nothing -") and out.count("\n") == 2
    assert said("SELECT 1 AS a, 2 AS a")[1] == "a 1  a_2 2\n"
    every = {"a": 1, "a_3": 2, "a_2": 3, "a_4": 4}  # no column takes the place of another
    assert json.loads(said("SELECT 1 a, 2 a, 3 a_2, 4 a", "--json")[1])[0] == every
    assert said("SELECT 1 WHERE false")[:2] == (0, "no rows\n")
    for words, says in (
        (["FROM predictons"], "there is no table 'predictons': did you mean 'predictions'?"),
        (["DROP TABLE audit"], "DROP is not allowed: a snapshot is read-only"),
        (["SELECT 1", "--csv", "--json"], "--csv and --json are given: choose one."),
        (["SELECT 1", "--from", "2026-03-02", "--to", "2026-03-01"], "is after the last"),
    ):
        code, out, err = said(*words)
        assert code == 1 and not out and says in err


@pytest.fixture
def shell():
    made = InteractiveShell()
    aiops_wb.load_ipython_extension(made)
    yield made
    InteractiveShell.clear_instance()


def test_a_cell_gives_a_frame_or_keeps_it_under_a_name(logged, shell):
    data = f'--data "{logged.data}"'
    frame = shell.run_cell_magic("wbsql", data, "SELECT count(*) AS n FROM predictions")
    assert frame.n[0] == len(MADE)
    day = f"--from {START} --to {START} {data} kept <<"
    assert shell.run_cell_magic("wbsql", day, "SELECT * FROM predictions") is None
    assert len(shell.user_ns["kept"]) == 20
    for line, cell, says in (
        (data, "SELECT scor FROM predictions", "no column 'scor': did you mean 'score'"),
        (data, "DELETE FROM audit", "DELETE is not allowed"),
        ("--from tomorrow", "SELECT 1", "'tomorrow' is not a day such as"),
        ("--day 1", "SELECT 1", "unrecognized arguments: --day 1"),
        ("1x <<", "SELECT 1", "'1x' is no name of a variable"),
        ("class <<", "SELECT 1", "'class' is no name of a variable"),
        ("--data /nowhere", "SELECT 1", "no published snapshot at /nowhere"),
    ):
        with pytest.raises(UsageError, match=says):
            shell.run_cell_magic("wbsql", line, cell)
