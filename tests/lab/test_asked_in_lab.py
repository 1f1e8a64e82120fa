"""An analyst's questions in a real JupyterLab: each is one cell of one or two lines."""

import csv
import json

import pytest
from browser import browser, needs_chromium
from conftest import MODEL, Bench, events
from devtools import chromium
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook
from test_in_lab import lab, opened, run

pytestmark = [browser, needs_chromium]
MADE = events(days=12, per_day=60)
CELLS = {
    "setup": "from aiops_wb import Workbench\nwb = Workbench('data'); wb",
    "top": "wb['late'].top(20, last='2026-03-10')",
    "curve": "wb['late'].curve(by='site', days=30).plot()",
    "threshold": "wb['late'].simulate(.7)",
    "compare": "wb.compare('late', 'other')",
    "drift": "wb['late'].drift('x')",
    "csv": "wb['late'].alerts().to_csv('alerts.csv')",
    "sql": "%load_ext aiops_wb",
    "query": "%%wbsql --data data --from 2026-03-02 --to 2026-03-02\n"
    "SELECT model, count(*) AS of_the_day FROM predictions GROUP BY ALL",
    "day": "day = '2026-03-04'",
    "asked": "wb.at(day)['late'].top(3)",
}
NAMES = list(CELLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "Two models on the same events at two sites, and a notebook beside their log."
    root = tmp_path_factory.mktemp("asked")
    bench = Bench(root)
    keys = "e-" + MADE.id
    bench.log(MADE, threshold=405, event_key=keys)
    bench.log(MADE.assign(id="o-" + MADE.id, score=0.5), "other", event_key=keys)
    bench.label(MADE[MADE.day < MADE.day.max()])
    bench.ingest()
    bench.publish()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [new_code_cell(cell) for cell in CELLS.values()]
    write(new_notebook(cells=cells, metadata=kernel), root / "asked.ipynb")
    return root


@pytest.fixture(scope="module")
def page(folder):
    "The notebook in a JupyterLab, its cells run one after the other from the keyboard."
    with lab(folder) as address, chromium() as page:
        opened(page, address, "asked.ipynb")
        run(page, 0)
        for name in NAMES[1:]:
            page.until(f"{ran(NAMES[NAMES.index(name) - 1])}")
            page.press("Enter", shift=True)
        page.until(ran(NAMES[-1]))
        yield page


def cell(name):
    "A cell of the notebook that is shown, as JupyterLab has it."
    notebook = "[...jupyterapp.shell.widgets('main')][0].content"
    return f"{notebook}.widgets[{NAMES.index(name)}]"


def ran(name):
    "Whether a cell was run to its end."
    return f"{cell(name)}.model.executionCount && {cell(name)}.prompt !== '*'"


def told(page, name, form="text/html"):
    "What a cell gave, in a form."
    outputs = json.loads(page.ask(f"JSON.stringify({cell(name)}.model.outputs.toJSON())"))
    assert all(of["output_type"] != "error" for of in outputs), outputs
    found = [of["data"].get(form, "") for of in outputs if "data" in of]
    return "".join("".join(text) for text in found)


def test_each_question_is_answered_in_the_lab(page, folder):
    assert MODEL in told(page, "setup") and "2 models" in told(page, "setup")
    top = told(page, "top")
    best = MADE[MADE.day.astype(str) == "2026-03-10"].sort_values("score", ascending=False)
    assert top.count("<tr>") == 21 and best.id.iloc[0] in top and "<th>x</th>" in top
    assert "<svg" in told(page, "curve", "image/svg+xml")
    assert "north" in told(page, "curve", "image/svg+xml")
    assert "0.700 instead of 0.600" in told(page, "threshold")
    assert "late loses less than other" in told(page, "compare")
    assert "unknown: it has no reference to compare with" in told(page, "drift")
    with open(folder / "alerts.csv", newline="", encoding="utf-8") as file:
        alerts = list(csv.DictReader(file))
    day = MADE[MADE.day == MADE.day.max()]
    assert {row["prediction_id"] for row in alerts} == set(day.id[day.score >= 0.6])
    assert "of_the_day" in told(page, "query") and ">60<" in told(page, "query")
    assert "on 2026-03-04: 3 events" in told(page, "asked")
    assert not page.errors


def test_a_table_stands_on_the_page_and_a_model_completes_to_questions(page):
    page.until("document.querySelector('.jp-OutputArea-output table td')")
    page.write("wb['late'].dri")  # in the cell that the last one made
    page.press("Tab")
    page.until("document.body.innerText.includes(\"wb['late'].drift\")")
    assert not page.errors
