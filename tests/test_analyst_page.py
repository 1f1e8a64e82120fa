"""Examples of the documentation run: SQL and Python of `docs/` on a log."""

import re
from pathlib import Path

import duckdb
import pytest
from conftest import Bench, events

PAGE = (Path(__file__).parent.parent / "docs" / "analyst.md").read_text(encoding="utf-8")
SQL = re.findall(r"```sql\n-- (.*?)\n(.*?)```", PAGE, re.S)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.S)
UNKNOWN_YET = ("a daily figure", "what decided")  # no morning was run, no version is in production


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Three days of a model, labelled and published."
    bench = Bench(tmp_path_factory.mktemp("log"))
    frame = events()
    bench.log(frame)
    bench.label(frame)
    bench.ingest()
    bench.publish()
    return bench


@pytest.mark.parametrize(("asks", "query"), SQL, ids=[asks for asks, _ in SQL])
def test_a_query_of_the_page_for_analysts_is_answered(logged, asks, query):
    with duckdb.connect(str(logged.data / "aiops.duckdb"), read_only=True) as log:
        answer = log.sql(query).df()
    assert len(SQL) >= 5 and len(answer.columns) > 1
    assert len(answer) > 0 or asks.startswith(UNKNOWN_YET)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_of_the_page_for_analysts_runs(logged, monkeypatch, code):
    monkeypatch.chdir(logged.root)
    names = {}
    exec(compile(code, "analyst.md", "exec"), names)
    for opened in (name for name in ("log", "view") if name in names):
        getattr(names[opened], "reader", names[opened]).close()
    assert len(PYTHON) >= 2
