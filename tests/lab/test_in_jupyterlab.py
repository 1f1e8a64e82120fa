"""An analyst's eight tasks in a real JupyterLab: each typed in a line or two, and looked at."""

import csv
import os
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from browser import browser, needs_chromium
from devtools import chromium
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook
from sklearn.metrics import average_precision_score, log_loss, precision_score, recall_score
from test_in_lab import lab, opened

from aiops_wb import OutcomeLogger, PredictionLogger, open_store, train
from aiops_wb.config import load_settings
from aiops_wb.daily import run
from aiops_wb.examples import flights
from aiops_wb.log.ingest import ingest
from aiops_wb.models.registry import register
from aiops_wb.stats.points import Grid
from aiops_wb.workbench.published import NEWS

pytestmark = [browser, needs_chromium]
A, B = "late-at-departure", "late-at-schedule"
FIRST, LABELLED, LAST, TOMORROW = (date(2013, 3, 8) + timedelta(n) for n in (0, 29, 30, 31))
FEATURES = ["carrier", "minute_of_day", "temp", "dep_delay"]
NIGHT = datetime(2013, 4, 8, 10, tzinfo=UTC)
SETTINGS = 'reports_folder = "ours"\ncomplete_share = 1\nlabel_delay_days = 1\n'

MORNING = f"""
import sys
from contextlib import contextmanager, suppress
from datetime import datetime
from aiops_wb.cli import call, main
call.Call.now = lambda self: datetime.fromisoformat({str(NIGHT + timedelta(days=1))!r})
sys.exit(main(["daily"]))
"""
"The command of the schedule, on the next morning."

FUNCTIONS = """
globalThis.notebook = () => jupyterapp.shell.currentWidget.content;
globalThis.codes = () => notebook().widgets.filter((cell) => cell.model.type === "code");
globalThis.over = (cell) => cell.model.executionCount && cell.prompt !== "*";
globalThis.opened = (path) => jupyterapp.commands.execute("docmanager:open", { path });
globalThis.line = (n, begins) => [...codes()[n].node.querySelectorAll(".cm-line")].find(
  (line) => line.textContent.startsWith(begins));
globalThis.ready = (at) => at?.isReady && at.session?.kernel?.status === "idle";
globalThis.output = (n) => codes()[n].node.querySelector(".jp-OutputArea-child") &&
  codes()[n].node.querySelector(".jp-Cell-outputArea");
globalThis.seen = (node) => {
  node.scrollIntoView({ block: "center" });
  const { width, height } = node.getBoundingClientRect();
  return node.checkVisibility() && width > 0 && height > 0;
};
globalThis.texts = (n) =>
  [...output(n).querySelectorAll("p, pre, .jp-RenderedText")].map((el) => el.textContent.trim());
globalThis.table = (n) => seen(output(n).querySelector("table")) &&
  [...output(n).querySelectorAll("tr")].map(
    (row) => [...row.children].map((cell) => cell.textContent));
globalThis.picture = async (n) => {
  const image = output(n).querySelector(".jp-RenderedSVG img");
  await image.decode();
  const source = decodeURIComponent(image.src.slice(image.src.indexOf(",") + 1));
  return [seen(image) && image.naturalWidth > 100, source];
};
true
"""


class House(NamedTuple):
    "A folder with a log of flights, and its flights as they were scored: `a`, `b` are points."

    root: Path
    flights: pd.DataFrame
    threshold: int


def some_flights():
    "Flights of some weeks, at most 80 a day, that left on the day of their schedule."
    every = flights.events("2013-02-08", str(TOMORROW)).dropna(subset=["dep_delay", "late", "temp"])
    same = every.departed_at.dt.tz_convert(flights.ZONE).dt.date == every.day
    return every[same].groupby("day").sample(80, random_state=0).reset_index(drop=True)


def log_days(root, rows, model, score, threshold):
    "Log predictions as a service does it, under what the events are called."
    spool = root / "data" / "spool"
    with PredictionLogger(spool, model, "v1", threshold=threshold, flush_seconds=None) as log:
        log.log(
            score,
            rows.departed_at,
            features=rows[FEATURES],
            prediction_id=f"{model}:" + rows.event_id,
            event_key=rows.event_id,
            entity_id=rows.entity_id,
            site_id=rows.site_id,
        )


def log_labels(root, rows, at):
    "One label for each event, whichever models score it."
    with OutcomeLogger(root / "data" / "spool", "arrivals", flush_seconds=None) as log:
        told = {"predicted_at": rows.departed_at, "observed_at": at}
        log.log(label=rows.late.to_numpy(), event_key=rows.event_id.to_numpy(), **told)


def by_schedule(rows):
    "What the other model says, who knows the hour of the schedule alone."
    return 1 / (1 + np.exp(-(rows.minute_of_day - 1_100) / 200))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    "A month of two models on the same flights, up to a morning on which the run has ended."
    root = tmp_path_factory.mktemp("house")
    (root / "aiops.toml").write_text(SETTINGS)
    rows = some_flights()
    past, live = rows[rows.day < FIRST], rows[rows.day >= FIRST]
    learnt = past[FEATURES].add_prefix("feature:")
    learnt = learnt.assign(label=past.late, event_date=pd.to_datetime(past.day))
    version, held_out = train(learnt, A, "v1", holdout=0.4, rounds=20)
    live = live.assign(score=version.score(live[FEATURES]), other=by_schedule(live))
    now = live[live.day <= LAST]
    log_days(root, now, A, now.score, version.threshold)
    late = now[now.day > LAST - timedelta(10)]
    log_days(root, late, B, late.other, 405)
    log_labels(root, now[now.day <= LABELLED], NIGHT)
    settings = load_settings(data=root / "data", config=root / "aiops.toml")
    with open_store(root / "data", "test", flights.ZONE) as store:
        eve = datetime(2013, 3, 8, 5, tzinfo=UTC)
        register(store, version, held_out, eve, "test", **settings.certainty)
        store.activate(eve, "test", A, "v1", "the first model")
        ingest(store, NIGHT, "test")
        store.publish()
    ran = run(root / "data", root / "reports", NIGHT, settings, show="none", say=lambda _: None)
    assert ran.exit_code == 0
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    write(new_notebook(cells=[new_code_cell("")], metadata=kernel), root / "asked.ipynb")
    grid = Grid()
    points = {
        name: grid.quantise(live[of].to_numpy()) for name, of in (("a", "score"), ("b", "other"))
    }
    return House(root, live.assign(**points), version.threshold)


class Desk:
    "A notebook in JupyterLab, and somebody who types in its last cell."

    def __init__(self, page):
        self.page = page

    def answers(self, *cells):
        "Where the answers to some cells stand, each typed and run: no task is more than two lines."
        assert sum(len(cell.splitlines()) for cell in cells) <= 2, cells
        return [self.types(cell) for cell in cells]

    def says(self, *cells):
        "What the last of some cells says and shows: sentences, and its table."
        place = self.answers(*cells)[-1]
        return self.texts(place), self.table(place)

    def opens(self, path):
        "Open a notebook of the same JupyterLab, or go back to it."
        self.page.ask(f"opened('{path}').then(() => 1)")
        self.page.until(f"jupyterapp.shell.currentWidget.context?.path === '{path}'")
        self.page.until("ready(jupyterapp.shell.currentWidget.sessionContext)")

    def types(self, text):
        "Type into the last cell, which is empty, and run it; the place of its answer."
        place = self.page.ask("codes().length") - 1
        editor = f"codes()[{place}].node.querySelector('.jp-InputArea-editor')"
        if not self.page.ask(f"{editor}.contains(document.activeElement)"):
            self.page.click(self.page.ask(f"placed({editor})"))
        self.page.until(f"{editor}.contains(document.activeElement)")
        self.page.write(text)
        return self.runs(place, text)

    def runs(self, place, text):
        "Run the cell that has the caret: it is that one, and has that text."
        assert self.page.ask(f"codes()[{place}].model.sharedModel.source") == text
        self.page.press("Enter", shift=True)
        self.page.until(f"over(codes()[{place}])")
        errors = self.page.ask(
            f"codes()[{place}].model.outputs.toJSON().filter((o) => o.output_type === 'error')"
        )
        assert not errors, errors
        return place

    def texts(self, place):
        "The sentences of an answer."
        self.page.until(f"output({place})")
        return self.page.ask(f"texts({place})")

    def table(self, place):
        "The table of an answer as it is seen: a frame of texts."
        self.page.until(f"output({place})?.querySelector('table')")
        shown = self.page.ask(f"table({place})")
        assert shown
        return pd.DataFrame(shown[1:], columns=shown[0])

    def picture(self, place):
        "The source of the drawing that is seen."
        self.page.until(f"output({place})?.querySelector('.jp-RenderedSVG img')")
        seen, source = self.page.ask(f"picture({place})")
        assert seen
        return source


@pytest.fixture(scope="module")
def desk(house):
    "A notebook beside the log, in a JupyterLab; a workbench is opened in two lines."
    with lab(house.root) as address, chromium() as page:
        opened(page, address, "asked.ipynb")
        page.ask(FUNCTIONS)
        desk = Desk(page)
        (at,) = desk.answers("from aiops_wb import Workbench\nwb = Workbench(); wb")
        assert list(desk.table(at).model) == [A, B]
        yield desk


def as_shown(points):
    "Probabilities of points as a table has them."
    return [f"{p:.3f}" for p in Grid().inverse(np.asarray(points))]


def numbers(column):
    "A column of texts as the numbers that they tell."
    return column.str.replace(",", "").astype(float).to_numpy()


def between(house, first, last):
    "Flights of some days."
    return house.flights[(house.flights.day >= first) & (house.flights.day <= last)]


def riskiest(rows, n):
    "The highest scores, and of the same score the first by name."
    named = rows.assign(prediction_id=f"{A}:" + rows.event_id, order=-rows.a)
    return named.sort_values(["order", "prediction_id"]).head(n)


def test_the_20_highest_scores_with_features_and_outcome(desk, house):
    page = desk.page
    place = page.ask("codes().length") - 1
    page.write('wb["')
    page.press("Tab")
    page.until("document.querySelector('.jp-Completer:not(.lm-mod-hidden)')?.checkVisibility()")
    offered = page.ask("document.querySelector('.jp-Completer').textContent")
    assert A in offered and B in offered
    page.press("Enter")  # the first of them
    page.until(f"codes()[{place}].model.sharedModel.source === 'wb[\"{A}'")
    page.write('"].top(20, last="2013-04-06")')
    desk.runs(place, f'wb["{A}"].top(20, last="2013-04-06")')
    told, best = desk.table(place), riskiest(between(house, LABELLED, LABELLED), 20)
    assert list(told.prediction_id) == list(best.prediction_id)
    assert list(told.event_key) == list(best.event_id)
    assert list(told.probability) == as_shown(best.a)
    assert list(told.label) == [f"{label:.0f}" for label in best.late]
    assert list(told.carrier) == list(best.carrier)
    for name in ("minute_of_day", "temp", "dep_delay"):
        assert numbers(told[name]) == pytest.approx(best[name].to_numpy(float), rel=5e-4), name
    words = desk.texts(place)
    assert words[0].endswith("20 events, each with its label.")
    assert words[1] == "The same of each: tenant default, version v1, threshold 0.600."


def test_precision_and_recall_of_each_site_over_30_days(desk, house):
    asked = f'wb["{A}"].curve(by="site", days=30)', "_.plot()"
    at, drawn = desk.answers(*asked)
    told, rows = desk.table(at).set_index("site"), between(house, FIRST, LABELLED)
    assert "2013-03-08 to 2013-04-06, by site" in desk.texts(at)[0]
    assert set(told.index) == set(rows.site_id) == {"EWR", "JFK", "LGA"}
    for site, of in rows.groupby("site_id"):
        counted = [f"{n:,}" for n in (len(of), len(of), int(of.late.sum()))]
        assert list(told.loc[site, ["events", "labelled", "positive"]]) == counted
        cells = Grid().coarsen(20).quantise(of.score.to_numpy())
        exact = average_precision_score(of.late, cells)
        assert told.loc[site, "PR-AUC"].split()[0] == f"{exact:.3f}"
    source = desk.picture(drawn)
    for word in ("precision", "recall", "false positive rate", "EWR", "JFK", "LGA"):
        assert f">{word}</text>" in source, word


def confusion(rows, points):
    "Alerts, and what they were, by hand."
    called, late = rows.a >= points, rows.late == 1
    return [int(x.sum()) for x in (called, called & late, called & ~late, ~called & late)]


def test_a_threshold_of_point_seven(desk, house):
    words, told = desk.says(f'wb["{A}"].simulate(.7)')
    rows = between(house, FIRST, LABELLED)
    assert words[0].startswith("0.700 instead of 0.600 on 30 days, 2013-03-08 to 2013-04-06")
    told = told.set_index("")
    names = ["Alerts", "Positives caught", "False positives", "Positives missed"]
    for column, points in (("candidate", int(Grid().quantise(0.7))), ("in force", house.threshold)):
        assert list(told.loc[names, column]) == [f"{n:,}" for n in confusion(rows, points)]


def test_two_models_on_the_same_events(desk, house):
    words, told = desk.says(f'wb.compare("{A}", "{B}")')
    rows = between(house, LAST - timedelta(9), LABELLED)
    told = told.set_index("")
    for name, of, threshold in ((A, "a", house.threshold), (B, "b", 405)):
        p, called = Grid().inverse(rows[of].to_numpy()), rows[of] >= threshold
        exact = {
            "Events": f"{len(rows):,}",
            "Labelled": f"{len(rows):,}",
            "Log loss": f"{log_loss(rows.late, p):.3f}",
            "Precision": f"{precision_score(rows.late, called):.3f}",
            "Recall": f"{recall_score(rows.late, called):.3f}",
        }
        assert told[name][list(exact)].to_dict() == exact
    assert f"{A} loses less than {B}: log loss lower by" in words[0]


def test_the_drift_of_one_feature(desk, house):
    at, drawn = desk.answers(f'wb["{A}"].drift("temp")', "_.plot()")
    told = desk.table(at)
    recent = between(house, LAST - timedelta(6), LAST).temp
    cuts = [float(text.split()[-1]) for text in told.bin if text.startswith(("below", "from"))]
    cuts[1:1] = [float(text.split(" to ")[1]) for text in told.bin if " to " in text][:-1]
    found = np.histogram(recent, [-np.inf, *sorted(cuts), np.inf])[0] / len(recent)
    shares = [float(text.rstrip("%")) / 100 for text in told.recent]
    assert shares[-2:] == [0, 0] and shares[:-2] == pytest.approx(found, abs=0.0006)
    assert "temp of the 7 days to 2013-04-07 lies apart from the held-out days" in desk.texts(at)[0]
    source = desk.picture(drawn)
    assert ">temp</text>" in source and ">of events</text>" in source


def test_alerts_as_csv(desk, house):
    (at,) = desk.answers(f'wb["{A}"].alerts("2013-04-01").to_csv("alerts.csv")')
    assert "alerts.csv" in desk.texts(at)[0]
    with open(house.root / "alerts.csv", newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    rows = between(house, date(2013, 4, 1), LAST)
    called = riskiest(rows[rows.a >= house.threshold], None)
    assert len(called) > 10 and [row["event_key"] for row in written] == list(called.event_id)
    assert [float(row["probability"]) for row in written] == pytest.approx(Grid().inverse(called.a))


def test_sql_of_one_day_and_a_question_of_another(desk, house):
    desk.types("%load_ext aiops_wb")
    of_day = "%%wbsql --from 2013-04-01 --to 2013-04-01\n"
    at = desk.types(f"{of_day}SELECT model, count(*) AS n FROM predictions GROUP BY ALL ORDER BY 1")
    day = date(2013, 4, 1)
    counted = str(len(between(house, day, day)))
    assert desk.table(at)[["model", "n"]].to_numpy().tolist() == [[A, counted], [B, counted]]
    told = desk.table(*desk.answers(f'wb.at("{FIRST}")["{A}"].top(3)'))
    assert list(told.prediction_id) == list(riskiest(between(house, FIRST, FIRST), 3).prediction_id)


def test_a_report_of_ones_own_with_other_parameters(desk, house):
    (at,) = desk.answers('!aiops-wb reports new worth-it --title "Is it worth it?"')
    assert "ours/worth-it.ipynb is there: open it in JupyterLab" in desk.texts(at)[0]
    (at,) = desk.answers("!aiops-wb reports run worth-it -p top=5")
    page = re.search(r"open (\S+)", desk.texts(at)[0])[1]
    with beside(desk.page, house.root / page) as shown:
        told = shown.ask("document.body.innerText")
        rows = shown.ask("[...document.querySelectorAll('table')][0].rows.length")
    assert f"The 5 highest scores of {A} on 2013-04-07: 5 events" in told and rows == 6
    assert "Is it worth it?" in told


def test_a_parameter_that_is_changed_in_the_notebook_itself(desk, house):
    "It is run there cell by cell, and is of the night's report as well, once it is saved."
    desk.opens("ours/worth-it.ipynb")
    page = desk.page
    page.click(page.ask("placed(line(0, 'top: '))"))
    page.press("Home")
    page.press("End", shift=True)
    page.write("top: int = 3")
    assert "\ntop: int = 3\n" in page.ask("codes()[0].model.sharedModel.source")
    page.press("Enter", times=page.ask("codes().length"), shift=True)
    page.until("codes().slice(0, 4).every(over)")
    best = riskiest(between(house, LAST, LAST), 3)
    assert desk.texts(1)[0].startswith(f"The 3 highest scores of {A} on 2013-04-07: 3 events")
    assert list(desk.table(1).prediction_id) == list(best.prediction_id)
    assert desk.texts(3)[0].startswith("Precision is")
    page.press("Control+s")
    page.until("!jupyterapp.shell.currentWidget.context.model.dirty")
    desk.opens("asked.ipynb")


@contextmanager
def beside(page, path):
    "A page in another tab of the same browser."
    other = page.beside()
    try:
        other.show(path.as_uri())
        other.until("document.readyState === 'complete'")
        yield other
    finally:
        other.close()


def held_open(folder):
    "Whether another process has a file of a folder open."
    for held in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if Path(os.readlink(held)).parent == folder.resolve():
                return True
    return False


def test_it_stands_on_the_page_of_tomorrow_and_an_open_kernel_is_in_nobodys_way(desk, house):
    root, rows = house.root, between(house, TOMORROW, TOMORROW)
    log_days(root, rows, A, rows.score, house.threshold)
    log_days(root, rows, B, rows.other, 405)
    log_labels(root, between(house, LAST, LAST), NIGHT + timedelta(hours=20))
    assert held_open(root / "data" / "snapshots"), "the kernel reads one"
    command = [sys.executable, "-c", MORNING]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert held_open(root / "data" / "snapshots")
    of_model = root / "reports" / str(TOMORROW) / A
    with beside(desk.page, of_model / "index.html") as page:
        found = "(a) => a.textContent.includes('is it right')"
        card = f"[...document.querySelectorAll('h2 a')].find({found})"
        assert page.ask(f"{card}.textContent") == "When the model calls somebody, is it right?"
        assert page.ask(f"{card}.href") == (of_model / "worth-it.html").as_uri()
        assert "Precision is" in page.ask("document.body.innerText"), "what it found"
        page.ask(f"{card}.click()")
        page.until("location.pathname.endsWith('worth-it.html')")
        page.until("document.readyState === 'complete'")
        told = page.ask("document.body.innerText")
    assert f"The 3 highest scores of {A} on {TOMORROW}: 3 events" in told


def test_the_workbench_has_the_newer_day_and_says_so_once(desk, house):
    asked = f'wb["{A}"].top(20)'
    best = list(riskiest(between(house, TOMORROW, TOMORROW), 20).prediction_id)
    first, again = (desk.says(asked) for _ in range(2))
    assert first[0].count(NEWS) == 1 and NEWS not in again[0]
    for words, told in (first, again):
        assert words[0].startswith(f"The 20 highest scores of {A} on {TOMORROW}: 20 events")
        assert list(told.prediction_id) == best
    assert not desk.page.errors
