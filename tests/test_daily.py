import json
import logging
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from nbformat.v4 import new_code_cell, new_notebook
from read_pages import columns, drawings, held, lost

from aiops_wb import daily
from aiops_wb.config import Settings
from aiops_wb.daily import compute, due, run, unfinished
from aiops_wb.examples import demo, stories
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.render import tables
from aiops_wb.render.engine import Job, ReportResult, run_jobs
from aiops_wb.render.glossary import in_words
from aiops_wb.render.pages import QUESTIONS, RENAMED, folder, write_pages
from aiops_wb.stats.performance import summary
from aiops_wb.watch import headlines, model_day
from aiops_wb.watch.calibrate import calibrate_now
from aiops_wb.watch.figures import day_figures
from aiops_wb.watch.view import View, open_view

NOW = datetime(2026, 3, 6, 6, tzinfo=UTC)


def go(bench, now=NOW, **options):
    options = {"show": "none", "say": lambda _: None} | options
    return run(bench.data, bench.root / "reports", now, Settings(data=bench.data), **options)


def log_five_days(bench):
    frame = events(days=5)
    bench.log(
        frame,
        route=np.where(frame.score > 0.6, "alert", "monitor"),
        automated=(frame.score <= 0.6).to_numpy(),
    )
    bench.label(frame, at="2026-03-05T12:00:00Z")
    return bench


@pytest.fixture
def logged(bench):
    return log_five_days(bench)


@pytest.fixture(scope="module")
def five_figures(tmp_path_factory):
    "A log of five days and their figures, without reports; to be read only."
    bench = log_five_days(Bench(tmp_path_factory.mktemp("figures")))
    assert go(bench).exit_code == 0
    return bench


@pytest.fixture
def figured(five_figures, tmp_path):
    "The same, to write to."
    return five_figures.copy_to(tmp_path)


@pytest.fixture(scope="module")
def first_morning(tmp_path_factory):
    "A log of five days and its first run with reports; to be read only."
    bench = log_five_days(Bench(tmp_path_factory.mktemp("morning")))
    return bench, go(bench, show="last")


def notebook(path, source, declared="x = 1"):
    "Write a notebook of one parameters cell and one other."
    cells = [new_code_cell(declared, metadata={"tags": ["parameters"]}), new_code_cell(source)]
    nbformat.write(
        new_notebook(
            cells=cells,
            metadata={
                "kernelspec": {"name": "python3", "language": "python", "display_name": "python3"}
            },
        ),
        path,
    )
    return path


def short_reports(folder, **sources):
    """Six reports that say only their model, or do what `sources` tells of them.

    For tests of when reports run, not of what is in them.
    """
    declared = "\n".join(f"{name} = ''" for name in ("data", "model", "day", "as_of", "settings"))
    return {
        name: notebook(folder / f"{name}.ipynb", sources.get(name, "print(model)"), declared)
        for name in QUESTIONS
    }


def test_a_first_morning_makes_every_page(first_morning):
    logged, ran = first_morning
    assert (
        ran.exit_code == 0
        and len(ran.figures) == 5
        and [o.state for o in ran.reports] == ["ok"] * 6
    ), [o.error for o in ran.reports]
    reports = logged.root / "reports"
    pages = {p.stem for p in (reports / "2026-03-05" / MODEL).glob("*.html")}
    assert pages == {*QUESTIONS, "index", "thresholds.segments"}
    manifest = json.loads((reports / "2026-03-05" / "manifest.json").read_text())
    entry = manifest["models"][MODEL]
    why = [entry["reports"][name]["why"]["lines"] for name in ("performance", "reasons")]
    assert ["Precision" in why[0][0]["says"], "Alerts a day" in why[1][0]["says"]] == [True, True]
    assert why[1][0]["says"] in (reports / "index.html").read_text()
    assert (
        entry["counts_sha256"]
        and entry["version"] == "v1"
        and manifest["packages"]["duckdb"]
        and manifest["audit_head"]
    )
    assert all(r["headline"]["says"] for r in entry["reports"].values())
    fronts = [reports / page for page in ("index.html", "2026-03-05/index.html", "cases.html")]
    for path in reports.rglob("*.html"):
        html = path.read_text()
        held(html)
        assert (
            "Content-Security-Policy" in html
            and html.count("<script") == (path.stem.startswith("thresholds") or path in fronts)
            and not re.search(r'(src|href)="https?:', html)
        )
        for link in re.findall(r'href="([^"#]+)"', html):
            assert (path.parent / link).exists(), (path, link)
    certainty = (reports / "2026-03-05" / MODEL / "certainty.html").read_text()
    assert f"<title>{MODEL}, 2026-03-05: Certainty</title>" in certainty
    assert "import headlines" not in (reports / "2026-03-05" / MODEL / "drift.html").read_text()


PLAIN = {
    *(
        "",
        "7 days",
        "30 days",
        "at least",
        "because",
        "by",
        "day",
        "days",
        "id",
        "less than stated",
    ),
    *(
        "about",
        "assigned to",
        "likely since",
        "lower",
        "model",
        "new / open",
        "not watched",
        "open since",
        "part",
        "rows",
    ),
    *("said to add", "share", "state", "time", "upper", "value", "watched", "weeks", "without the"),
    *("what is known", "what it saw", "what it says", "what matters", "what moved", MODEL),
}
"Heads of columns that mean what anybody takes them for."


def test_each_page_is_light_and_every_drawing_word_and_link_of_it_leads_on(first_morning):
    "Of at most 200 kB; drawings say in words what they show; no two parts of a page share a name."
    reports = first_morning[0].root / "reports"
    pages = list(reports.rglob("*.html"))
    drawn = 0
    for path in pages:
        html = path.read_text()
        assert len(html.encode()) <= 200_000, path
        names = re.findall(r' id="([^"]*)"', html)
        assert len(set(names)) == len(names), path
        assert not lost(path), path
        rules = {}
        for one in drawings(html):
            assert len(one.title) > 15 and len(one.says) > 15, path
            assert all(rules.setdefault(name, rule) == rule for name, rule in one.rules.items())
            used = {e.get("class") for tag in ("path", "text") for e in one.every(tag)}
            assert used - {None} == set(one.rules), path
        drawn += len(drawings(html))
    assert drawn == 15 + 3 * 6 and {p.name for p in pages} >= {"glossary.html", "promises.html"}


def test_each_head_of_a_column_has_its_word_or_is_plain(first_morning):
    found = {head for p in first_morning[0].root.rglob("*.html") for head in columns(p.read_text())}
    without = {head for head in found if in_words(head) is None} - PLAIN
    assert not [head for head in without if not head.startswith("against ")]  # some days


UNITS = """
import sys
from datetime import date
from pathlib import Path
from test_daily import MODEL, NOW
from aiops_wb.config import Settings
from aiops_wb.daily import report_jobs
from aiops_wb.render.notebook import run_job
from aiops_wb.render.plots.chart import Chart
from aiops_wb.render.plots.in_words import says_unit
root, drawn, seen = Path(sys.argv[1]), Chart._repr_svg_, []
def kept(self):
    seen.append(self)
    return drawn(self)
Chart._repr_svg_ = kept
day, settings = date.fromisoformat(sys.argv[2]), Settings(data=root / "data")
for job in report_jobs(root / "data", root / "units", day, MODEL, NOW, settings):
    assert run_job(job).state == "ok", job.name
panels = [(chart, ax) for chart in seen for ax in chart.axes if ax.axison]
bare = {(chart.called, ax.get_title("left"), axis.axis_name) for chart, ax in panels
        for axis in (ax.xaxis, ax.yaxis) if axis.get_visible() and not says_unit(axis)}
print(len(seen), len(panels) > 20, sorted(bare))
"""


@pytest.mark.slow
def test_every_axis_of_every_report_says_what_its_numbers_are(figured):
    command = [sys.executable, "-c", UNITS, figured.root, "2026-03-05"]
    path = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | path)
    assert ran.stdout.strip() == "15 True []", ran.stderr[-2000:]


def test_stored_figures_are_those_of_the_rows(figured):
    with open_snapshot(figured.data) as log:
        stored = log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4)).set_index("metric")
        oracle = summary(log.score_counts(MODEL)[date(2026, 3, 4)], 0)
        for name, figure in oracle.items():
            assert (
                stored.value[name] == pytest.approx(figure.value, nan_ok=True)
                and stored.n[name] == figure.n
            )
        assert (
            stored.value["decisions_alert"]
            == log.decisions(MODEL, date(2026, 3, 4), date(2026, 3, 4))
            .query("route == 'alert'")
            .n.sum()
        )
        assert stored.value["latency_mean_ms"] == 2
        assert len(log.metrics(MODEL, segment="site=north")) > 0


def test_the_package_logs_and_prints_nothing(logged, capsys, caplog):
    caplog.set_level(logging.INFO, logger="aiops_wb")
    run(logged.data, logged.root / "reports", NOW, Settings(data=logged.data), show="none")
    assert capsys.readouterr() == ("", "")
    assert {"aiops_wb.daily", "aiops_wb.log.snapshot"} <= {record.name for record in caplog.records}
    assert any("figures ok" in record.getMessage() for record in caplog.records)


def test_running_again_changes_nothing(figured):
    with open_snapshot(figured.data) as log:
        before = log.frame("SELECT count(*) AS n FROM metrics").n[0]
    assert go(figured).figures == []
    again = go(figured, days=[date(2026, 3, 5)])
    with open_snapshot(figured.data) as log:
        assert (
            again.exit_code == 0 and log.frame("SELECT count(*) AS n FROM metrics").n[0] == before
        )
        assert log.verify_audit() == 5  # a calibration for each new day, none for the repeats


def test_the_running_day_is_not_due_and_a_new_day_is(logged):
    assert [f.day for f in go(logged, now=NOW - timedelta(1)).figures] == [
        date(2026, 3, d) for d in range(1, 5)
    ]
    assert [f.day for f in go(logged).figures] == [date(2026, 3, 5)]


def test_a_day_that_failed_is_due_again_and_stops_no_other(logged, monkeypatch):
    def odd(view):
        if view.day.day == 3:
            raise ValueError("odd counts")
        return day_figures(view)

    with monkeypatch.context() as broken:
        broken.setattr(daily, "day_figures", odd)
        ran = go(logged)
    assert [f.state for f in ran.figures] == [
        "ok",
        "ok",
        "failed",
        "ok",
        "ok",
    ] and ran.exit_code == 3
    assert "odd counts" in ran.figures[2].error
    assert [f.day.day for f in go(logged).figures] == [3]


def test_figures_whose_failure_may_pass_are_tried_again(logged, monkeypatch):
    "A day that is short of memory once; one that always is fails behind three tries."
    tried, slept, said = [], [], []

    def short(view):
        tried.append(view.day.day)
        if view.day.day == 3 or (view.day.day == 2 and tried.count(2) == 1):
            raise MemoryError("short of it")
        return day_figures(view)

    monkeypatch.setattr(daily, "day_figures", short)
    monkeypatch.setattr(daily, "sleep", slept.append)
    ran = go(logged, say=said.append)
    assert tried == [1, 2, 2, 3, 3, 3, 4, 5] and slept == [2, 2, 8]
    assert [f.state for f in ran.figures] == ["ok", "ok", "failed", "ok", "ok"]
    assert sum("tried again in" in text for text in said) == 3
    with open_snapshot(logged.data) as log:
        assert [day for day, _ in due(log, NOW)] == [date(2026, 3, 3)]


def test_a_second_run_is_told_who_is_at_work_also_while_reports_are_made(figured, monkeypatch):
    def run_jobs(jobs, *_, **__):
        with pytest.raises(Busy, match="a daily run is running, by ana .process "):
            go(figured, who="bob")
        return [ReportResult(job.name, "ok") for job in jobs]

    monkeypatch.setattr(daily, "run_jobs", run_jobs)
    day = [date(2026, 3, 5)]
    assert len(go(figured, days=day, show="last", who="ana").reports) == 6
    assert go(figured, days=day).exit_code == 0


def test_reports_of_old_days_are_packed_where_settings_say_so(figured):
    reports = figured.root / "reports"
    for day in (1, 3):
        (place := reports / f"2026-03-0{day}" / MODEL).mkdir(parents=True)
        (place / "drift.html").write_text("<p>drift")
    told = Settings(data=figured.data, archive_reports_days=3)  # NOW is on 6 March

    def packed():
        run(figured.data, reports, NOW, told, show="none")
        return [path.parent.name for path in reports.glob("*/reports.zip")]

    assert packed() == ["2026-03-01"]
    (reports / "2026-03-01" / "reports.zip").write_bytes(b"none")
    (reports / "2026-03-01" / MODEL / "drift.html").write_text("<p>again")
    ran = run(figured.data, reports, NOW, told, show="none")
    assert ran.exit_code == 4 and "could not be written" in ran.reports[0].error


def test_day_files_of_old_days_are_made_few_where_settings_say_so(figured):
    more = events(days=5, per_day=2, seed=3)
    figured.log(more.assign(id="more-" + more.id))
    settings, told = Settings(data=figured.data, compact_after_days=3), []
    ran = [
        run(figured.data, figured.root / "reports", at, settings, show="none", say=told.append)
        for at in (NOW, NOW + timedelta(1), NOW + timedelta(9))
    ]
    assert [one.exit_code for one in ran] == [0, 0, 0]
    with open_snapshot(figured.data) as log:
        files = log.day_files(kind="predictions")
        assert [file.rows for file in files] == [42] * 5
    merged = [line for line in told if "files of" in line]
    assert [line.partition(",")[0] for line in merged] == [
        "4 files of 2 days are now 2",
        "2 files of 1 day are now 1",
        "4 files of 2 days are now 2",
    ]
    assert len(list((figured.data / "log").glob("predictions/*/*"))) < 15  # old ones are gone


def test_a_night_that_was_missed_is_caught_up_by_the_next(logged):
    "Runs on the nights of 3 and 6 March."
    for night, days in ((3, [1, 2]), (6, [3, 4, 5])):
        at = NOW.replace(day=night)
        assert [f.day.day for f in go(logged, now=at).figures] == days
        with open_snapshot(logged.data) as log:
            assert due(log, at) == []


def test_one_failing_report_does_not_stop_the_rest_and_is_shown(logged, monkeypatch, tmp_path):
    notebooks = short_reports(tmp_path, drift="raise ValueError('no such <thing>')")
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    ran = go(logged, show="last")
    assert (
        [o.state for o in ran.reports].count("failed") == 1
        and [o.state for o in ran.reports].count("ok") == 5
        and ran.exit_code == 3
    )
    page = (logged.root / "reports" / "2026-03-05" / MODEL / "drift.html").read_text()
    assert "no such &lt;thing&gt;" in page and "Traceback" in page
    assert "This report failed" in (logged.root / "reports" / "index.html").read_text()
    with open_snapshot(logged.data) as log:
        assert log.runs(step="drift").state.tolist() == ["begun", "failed"]
    short_reports(tmp_path)
    assert go(logged, days=[date(2026, 3, 5)], show="last").exit_code == 0
    assert "This report failed" not in (logged.root / "reports" / "index.html").read_text()


def test_a_report_of_the_past_stays_what_it_was(bench):
    "Figures as of a time do not change when labels arrive later."
    frame = events(days=5)
    bench.log(frame)
    bench.label(frame.iloc[:100], at="2026-03-05T00:00:00Z")
    go(bench)
    with open_snapshot(bench.data) as log:
        then = day_figures(View(log, MODEL, date(2026, 3, 4), NOW))
    bench.label(frame.iloc[100:], at="2026-03-07T00:00:00Z")
    go(bench, now=NOW + timedelta(2))
    with open_snapshot(bench.data) as log:
        assert day_figures(View(log, MODEL, date(2026, 3, 4), NOW)).equals(then)
        assert not day_figures(View(log, MODEL, date(2026, 3, 4))).equals(then)


@pytest.mark.parametrize(
    "kinds",
    [{"none": None, "ones": 1}, pytest.param({"zeros": 0}, marks=pytest.mark.slow)],
    ids="+".join,
)
def test_all_labels_missing_or_of_one_kind_and_one_row_is_a_day(bench, kinds):
    for model, label in kinds.items():
        frame = events(days=5, version=model)
        bench.log(frame, model=model)
        if label is not None:
            bench.label(frame, label=np.full(len(frame), label))
    single = events(days=1, per_day=1, start=date(2026, 3, 5), version="single")
    bench.log(single, model="single")
    bench.label(single)
    ran = go(bench, show="last")
    assert ran.exit_code == 0 and len(ran.reports) == 6 * (len(kinds) + 1), [
        o.error for o in ran.reports if o.error
    ]


def test_what_is_not_there_is_said(logged):
    empty = type(logged)(logged.root / "empty")
    with pytest.raises(StoreError, match="the log is empty"):
        go(empty)
    with pytest.raises(StoreError, match="'lat' is not known: choose one of late"):
        go(logged, models=["lat"])
    with pytest.raises(
        StoreError, match="no predictions on 2026-05-01 for late: late has 2026-03-01 to 2026-03-05"
    ):
        go(logged, days=[date(2026, 5, 1)])
    with pytest.raises(StoreError, match="all, last, none"):
        go(logged, show="some")
    go(logged)
    with pytest.raises(StoreError, match="no predictions on 2026-05-01"):
        open_view(logged.data, MODEL, "2026-05-01")


def test_without_a_name_a_view_is_the_newest_day(figured):
    view = open_view(figured.data)
    assert (view.model, view.day) == (MODEL, date(2026, 3, 5))


@pytest.mark.parametrize("flag", ["watch", "monitor"], ids=["watch", "as version 0.1 wrote it"])
def test_a_version_that_is_not_watched_makes_no_day_due(logged, flag):
    logged.log(events(days=1, start=date(2026, 2, 1), version="old"), version="old")
    logged.ingest(NOW)
    with logged.store() as store:
        assert [d.day for d, _ in due(store, NOW)] == [1, 1, 2, 3, 4, 5]
        store.record(NOW, "ana", flag, f"{MODEL}/old", "off", "history")
        assert [d.day for d, _ in due(store, NOW)] == [1, 2, 3, 4, 5]
        store.record(NOW, "ana", "watch", f"{MODEL}/old", "on", "we look at it after all")
        assert [d.day for d, _ in due(store, NOW)] == [1, 1, 2, 3, 4, 5]


def test_a_day_with_late_predictions_is_due_again(figured):
    figured.log(events(days=1, seed=8, version="late").assign(id=lambda f: "x" + f.id))
    assert [f.day.day for f in go(figured).figures] == [1]
    with open_snapshot(figured.data) as log:
        assert (
            log.metrics(MODEL, date(2026, 3, 1), date(2026, 3, 1))
            .set_index("metric")
            .value["predictions"]
            == 80
        )
    assert go(figured).figures == []


@pytest.mark.parametrize("show, pages", [("last", 6), ("all", 30)])
def test_a_morning_that_stops_behind_its_figures_is_reported_by_the_next(
    logged, monkeypatch, tmp_path, show, pages
):
    notebooks = short_reports(tmp_path)
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    with monkeypatch.context() as broken:
        broken.setattr(daily, "_with_drift", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            go(logged, show=show)
    again = go(logged, show=show)
    assert again.figures == [] and len(again.reports) == pages
    assert {report.state for report in again.reports} == {"ok"}


def test_reports_that_were_cut_off_or_lost_are_made_again(logged, monkeypatch, tmp_path):
    notebooks = short_reports(tmp_path)
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    with monkeypatch.context() as broken:
        broken.setattr(daily, "run_jobs", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            go(logged, show="last")
    again = go(logged, show="last")
    assert again.figures == [] and len(again.reports) == 6
    assert go(logged, show="last").reports == []
    shutil.rmtree(logged.root / "reports")
    assert len(go(logged, show="last").reports) == 6


@pytest.mark.parametrize(
    ("held_out", "state", "says"),
    [
        (
            {"accuracy": 0.1, "roc_auc": 0.99, "brier": 0.01},
            "look",
            ["ROC-AUC fell", "Brier score rose"],
        ),
        ({"accuracy": 0.99, "roc_auc": 0.1, "brier": 0.9}, "look", ["accuracy fell"]),
        ({"accuracy": 0.1, "roc_auc": 0.1, "brier": 0.9}, "ok", ["hold"]),
    ],
)
def test_the_headline_sees_every_loss_of_quality(logged, held_out, state, says):
    from aiops_wb.stats.points import Grid
    from aiops_wb.watch.headlines import performance_headline

    logged.ingest(NOW)
    with logged.store() as store:
        store.add_version(NOW, "ana", MODEL, "v1", Grid(), "nowhere", {"metrics": held_out}, 0)
        headline = performance_headline(View(store, MODEL, date(2026, 3, 5), NOW))
    assert headline.state == state and all(s in headline.advice for s in says)


@pytest.mark.slow
def test_a_demo_killed_while_it_logs_the_history_goes_on(tmp_path, monkeypatch):
    """Every tenth flight of ten weeks before the first live day, and of that day; short reports.

    Ten weeks, so that 14 days are held out.
    """
    first, live = date(2013, 1, 20), stories.STORIES["flights"].live
    streams = {
        one: rows[rows.scored_on >= first].iloc[::10]
        for one, rows in stories.flight_streams(live).items()
    }
    story, notebooks, whole, calls = (
        replace(stories.STORIES["flights"], first=first, events=lambda *_: streams),
        short_reports(tmp_path),
        demo._log_outcomes,
        [],
    )
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)

    def killed(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*args)

    again = lambda: demo.demo(
        tmp_path / "data",
        tmp_path / "reports",
        Settings(data=tmp_path / "data"),
        story=story,
        until=live,
        report_days=1,
        rounds=3,
        say=lambda _: None,
    )
    with monkeypatch.context() as broken:
        broken.setattr(demo, "_log_outcomes", killed)
        with pytest.raises(KeyboardInterrupt):
            again()
    outcomes = again()
    assert [o.state for o in outcomes] == ["ok"] * 12, [o.error for o in outcomes if o.error]
    assert (tmp_path / "reports" / "index.html").exists()
    with open_snapshot(tmp_path / "data") as log:
        for one, rows in streams.items():
            assert log.active_version(one.model) == "v1"
            past, eve = rows[rows.scored_on < live], pd.Timestamp(story.night(live - timedelta(1)))
            counts = log.score_counts(one.model, version="history", as_of=eve).values()
            assert (
                sum(c.total[0] for c in counts) == len(past)
                and sum(c.total[1] for c in counts)
                == (past.label.notna() & (past.known_at <= eve)).sum()
                > 2000
            )
            assert (
                sum(c.total[0] for c in log.score_counts(one.model, version="v1").values())
                == (rows.scored_on == live).sum()
                > 50
            )
        assert log.frame("SELECT count(*) AS n FROM quarantine").n[0] == 0


def a_job(folder, name, source):
    path = notebook(folder / f"{name}.ipynb", source)
    return Job(name, path, folder / "out" / f"{name}.html", {"x": 2}, name)


def test_a_slow_report_is_stopped_and_a_dead_one_is_noticed(tmp_path):
    job = partial(a_job, tmp_path)
    (slow,) = run_jobs([job("slow", "import time; time.sleep(600)")], timeout=1)
    dead, fine = run_jobs(
        [
            job("dead", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
            job("fine", "assert x == 2"),
        ],
        parallel=2,
    )
    assert slow.state == "failed" and "longer than 1 seconds" in slow.error
    assert dead.state == "failed" and "exit code -9" in dead.error
    assert fine.state == "ok"
    assert all((tmp_path / "out" / f"{n}.html").exists() for n in ("slow", "dead", "fine"))
    assert not list((tmp_path / "out").glob(".*"))


def test_a_report_cannot_write_where_results_go(tmp_path):
    everywhere = (
        "import contextlib, os\n"
        "for descriptor in range(3, 64):\n"
        "    with contextlib.suppress(OSError):\n"
        "        os.write(descriptor, b'garbage\\n')"
    )
    job = partial(a_job, tmp_path)
    hostile, fine = run_jobs([job("hostile", everywhere), job("fine", "assert x == 2")], parallel=2)
    assert fine.state == "ok"
    assert hostile.state == "failed" and "no readable result" in hostile.error
    assert "no readable result" in (tmp_path / "out" / "hostile.html").read_text(encoding="utf-8")


def test_reports_read_no_file_of_settings(logged, monkeypatch, tmp_path):
    "Figures and reports of a run use the settings of that run, whatever lies where it is called."
    settings = Settings(data=logged.data.resolve())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aiops.toml").write_text("broken = [")
    (logged.data / "aiops.toml").write_text("misspelt = 1")
    ran = run(logged.data, tmp_path / "reports", NOW, settings, say=lambda _: None)
    assert ran.states and set(ran.states) == {"ok"}, [r.error for r in ran.reports if r.error]


def test_what_a_report_prints_below_python_costs_nothing(tmp_path):
    """DuckDB draws a progress bar on file descriptor 1 where a query takes its time.

    Results of reports went there, too.
    """
    job = lambda name, source: Job(
        name,
        notebook(tmp_path / f"{name}.ipynb", source),
        tmp_path / "out" / f"{name}.html",
        {"x": 2},
        name,
    )
    printed = "import os; os.write(1, b' 42%  half a bar'); os.write(2, b'and more'); 'done'"
    slow = (
        "import duckdb; con = duckdb.connect(); con.execute('SET enable_progress_bar = true; "
        "SET enable_progress_bar_print = true; SET progress_bar_time = 0'); "
        "con.execute('SELECT sum(a.range * b.range) "
        "FROM range(20_000) a, range(10_000) b').fetchall()"
    )
    outcomes = run_jobs(
        [job("printed", printed), job("slow", slow), job("fine", "assert x == 2")], parallel=3
    )
    assert [o.state for o in outcomes] == ["ok"] * 3, [o.error for o in outcomes]


def test_the_kernel_engine_gives_the_same_page(figured):
    from aiops_wb.daily import report_jobs

    texts = []
    for engine in ("inline", "kernel"):
        settings = Settings(data=figured.data, engine=engine)
        jobs = [
            j
            for j in report_jobs(
                figured.data, figured.root / engine, date(2026, 3, 5), MODEL, NOW, settings
            )
            if j.name.endswith("thresholds")
        ]
        (outcome,) = run_jobs(jobs)
        assert outcome.state == "ok", outcome.error
        texts.append(
            (outcome.headline["says"], re.sub(r"(clip|id|xlink:href|#)[^ ]*", "", outcome.picture))
        )
    assert texts[0] == texts[1]


def test_a_broken_manifest_costs_one_day_only(first_morning, tmp_path):
    reports = shutil.copytree(first_morning[0].root / "reports", tmp_path / "reports")
    (reports / "index.html").unlink()
    (reports / "2026-03-04").mkdir()
    (reports / "2026-03-04" / "manifest.json").write_text("{half")
    write_pages(reports)
    assert "2026-03-05" in (reports / "index.html").read_text()


def test_reports_made_under_their_old_names_are_not_made_again(figured):
    day, reports = date(2026, 3, 5), figured.root / "reports"
    pages = reports / str(day) / folder(MODEL)
    pages.mkdir(parents=True)
    old = {new: old for old, new in RENAMED.items()}
    before = [old.get(name, name) for name in QUESTIONS]
    for name in before:
        (pages / f"{name}.html").write_text("made before")

    def record(state, *steps, minutes=0):
        rows = pd.DataFrame({"step": steps}).assign(
            run_id=str(minutes), event_date=day, model=MODEL, state=state, as_of=NOW, batch_id=1
        )
        started = NOW + timedelta(minutes=minutes)
        store.add_runs(rows.assign(started_at=started, seconds=1.0, detail=None))

    again = [(day, MODEL, NOW)]
    with figured.store() as store:
        record("ok", *before)
        assert unfinished(store, reports) == []
        (pages / "conformal.html").rename(pages / "elsewhere.html")
        assert unfinished(store, reports) == again
        (pages / "elsewhere.html").rename(pages / "conformal.html")
        record("begun", "explain", minutes=1)
        assert unfinished(store, reports) == again
        record("ok", "reasons", minutes=2)
        assert unfinished(store, reports) == again  # the page of that run is not there
        (pages / "reasons.html").write_text("made now")
        assert unfinished(store, reports) == []


def test_a_day_follows_its_alarms_once_for_everything(logged, monkeypatch, tmp_path):
    "The figures do; the manifest, its page and the safeguard of retraining read what they say."
    notebooks = short_reports(tmp_path)
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    followed = []
    follow = model_day.drift_of
    monkeypatch.setattr(
        model_day, "drift_of", lambda *a, **k: (followed.append(a[3]), follow(*a, **k))[1]
    )
    ran = go(logged, show="all")
    assert followed == [f.day for f in ran.figures] and len(followed) == 5
    shown = json.loads((logged.root / "reports" / "2026-03-05" / "manifest.json").read_text())
    with open_snapshot(logged.data) as log:
        view = View(log, MODEL, date(2026, 3, 5), NOW)
        assert view.severity == shown["models"][MODEL]["figures"]["drift"] == view.drift.severity
    assert len(followed) == 6  # by the last line alone


def test_a_day_whose_figures_are_not_stored_says_how_grave_it_is(logged):
    logged.ingest(NOW)
    with logged.store() as store:
        view = View(store, MODEL, date(2026, 3, 5), NOW)
        assert view.severity == view.drift.severity


def test_figures_asked_as_of_a_past_time_are_kept_under_it(bench):
    "A page as of then reads them, though the same figures are known today: nothing came in since."
    bench.log(events(days=5))
    bench.ingest(NOW)
    day, then, now = date(2026, 3, 4), NOW + timedelta(hours=1), NOW + timedelta(hours=4)
    go(bench, now=now)
    with open_snapshot(bench.data) as log:
        assert log.metrics(MODEL, day, day, as_of=then).empty
    go(bench, now=now, days=[day], as_of=then)
    with open_snapshot(bench.data) as log:
        asked, known = (log.metrics(MODEL, day, day, as_of=t) for t in (then, now))
    assert len(asked) > 30 and (asked.as_of < known.as_of).all()
    pd.testing.assert_frame_equal(asked.drop(columns="as_of"), known.drop(columns="as_of"))


def test_a_day_whose_figures_failed_says_so_in_its_manifest(logged, monkeypatch, tmp_path):
    notebooks = short_reports(tmp_path)
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)

    def odd(view):
        raise ValueError("odd counts")

    monkeypatch.setattr(daily, "day_figures", odd)
    assert go(logged, show="last").exit_code == 3
    shown = json.loads((logged.root / "reports" / "2026-03-05" / "manifest.json").read_text())
    assert shown["models"][MODEL]["state"] == "failed"
    assert "odd counts" in shown["models"][MODEL]["error"]
    assert "odd counts" in (logged.root / "reports" / "index.html").read_text()


def test_a_page_of_a_past_day_speaks_of_that_day(bench):
    """Made again weeks later, after the threshold, the calibration and the version were changed and
    another training ran: what it says and shows is what it said then."""
    frame = events(days=5, per_day=60)
    bench.log(frame, route=np.where(frame.score > 0.6, "alert", "monitor"), automated=False)
    bench.label(frame, at="2026-03-05T12:00:00Z")
    go(bench)
    day, texts = date(2026, 3, 5), []
    weeks_later = NOW + timedelta(days=40)

    def told(as_of):
        with open_snapshot(bench.data) as reader:
            view = View(reader, MODEL, day, as_of, Settings(data=bench.data))
            shown = [
                *tables.operator_tables(view),
                tables.calibration_table(view),
                tables.version_table(view),
            ]
            says = headlines.certainty_headline(view), headlines.thresholds_headline(view)
            return view.threshold, says, [table._repr_html_() for table in shown]

    texts.append(told(NOW))
    with bench.store() as store:
        store.set_threshold(weeks_later, "ana", MODEL, "v1", 700, "later", logged=0)
        made = calibrate_now(
            store, weeks_later, "ana", MODEL, "v1", "prediction_log", Settings(data=bench.data)
        )
        assert made.calibration_id
        store.publish()
    texts.append(told(weeks_later))
    assert texts[0] == texts[1]


def test_figures_made_again_are_those_of_the_threshold_that_stood(figured):
    with figured.store() as store:
        before = store.frame("SELECT count(*) AS n FROM metrics").n[0]
        later = NOW + timedelta(days=40)
        store.set_threshold(later, "ana", MODEL, "v1", 700, "later", logged=0)
        done = compute(store, date(2026, 3, 4), MODEL, later, Settings(data=figured.data))
        assert done.state == "ok", done.error
        assert store.frame("SELECT count(*) AS n FROM metrics").n[0] == before
        assert View(store, MODEL, date(2026, 3, 4)).threshold == 700  # all that is known


def test_what_is_not_known_of_silence_costs_no_figure(logged, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(daily, "record_silence", fails)
    ran = go(logged)
    with logged.store() as store:
        states = set(store.runs(step="figures").state)
        assert states == {"ok"} and len(store.metrics(MODEL)) and not due(store, NOW)
    assert ran.exit_code == 3 and any("silence of" in str(r.name) for r in ran.reports)
