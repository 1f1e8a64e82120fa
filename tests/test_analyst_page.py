"""Examples of the documentation run: SQL and Python of its pages on a log like that of the demo."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import Bench, events

from aiops_wb import ScoreCounts, summary
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "analyst.md").read_text(encoding="utf-8")
SQL = re.findall(r"```sql\n-- (.*?)\n(.*?)```", PAGE, re.S)
PYTHON = {
    f"{page}-{i}": code
    for page in ("analyst.md", "developer.md")
    for i, code in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.S)
    )
}
ASKED = re.findall(r"^>>> (.*)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
UNKNOWN_YET = ("a figure of each", "what decided")  # no morning was run, no version is in force
MODELS = ("late-at-departure", "late-at-schedule")
"Those of the demo, which the pages ask."


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Three days of the demo's models, made up, labelled and published."
    bench = Bench(tmp_path_factory.mktemp("log"))
    frame = events(start=date(2013, 6, 18))
    for model in MODELS:
        told = {"prediction_id": f"{model}:" + frame.id, "event_key": frame.id}
        with PredictionLogger(bench.data / "spool", model, "v1", threshold=0) as log:
            log.log(
                frame.score,
                frame["at"],
                **told,
                site_id=frame.site,
                features=frame[["x"]].rename(columns={"x": "dep_delay"}),
            )
    with OutcomeLogger(bench.data / "spool", "test") as log:
        keys, known = frame.id.to_numpy(), "2013-06-27T00:00:00Z"
        log.log(label=frame.label.to_numpy(), event_key=keys, observed_at=known)
    bench.ingest(datetime(2013, 6, 27, 6, tzinfo=UTC))
    bench.publish()
    return bench


@pytest.mark.parametrize(("asks", "query"), SQL, ids=[asks for asks, _ in SQL])
def test_a_query_of_the_page_for_analysts_is_answered(logged, asks, query):
    with duckdb.connect(str(logged.data / "aiops.duckdb"), read_only=True) as log:
        answer = log.sql(query).df()
    assert len(SQL) >= 5 and len(answer.columns) > 1
    assert len(answer) > 0 or asks.startswith(UNKNOWN_YET)


@pytest.mark.parametrize("code", PYTHON.values(), ids=PYTHON)
def test_python_of_the_pages_runs(logged, monkeypatch, code):
    monkeypatch.chdir(logged.root)
    names = {}
    exec(compile(code, "the page", "exec"), names)
    for opened in (name for name in ("log", "view") if name in names):
        getattr(names[opened], "reader", names[opened]).close()
    assert len(PYTHON) >= 4


def test_the_page_names_every_figure_of_a_performance():
    named = PAGE.partition("`performance` knows")[2].partition("\n\n`late.why")[0]
    assert set(re.findall(r"`(\w+)`", named)) == set(summary(ScoreCounts.empty(), 0))


def test_what_the_readme_asks_of_the_demo_is_answered(logged, monkeypatch):
    monkeypatch.chdir(logged.root)
    exec(compile("\n".join(ASKED), "README.md", "exec"), {})
    assert len(ASKED) >= 5
