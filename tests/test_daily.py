import json
import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, events

from aiops_wb import daily
from aiops_wb.catalog import StoreError, open_snapshot
from aiops_wb.config import Settings
from aiops_wb.daily import due, run
from aiops_wb.engine import Job, run_jobs
from aiops_wb.monitor import View, open_view
from aiops_wb.pages import QUESTIONS, write_pages
from aiops_wb.performance import summary

NOW = datetime(2026, 3, 6, 6, tzinfo=UTC)


def go(bench, now=NOW, **options):
    options = {"show": "none", "say": lambda _: None} | options
    return run(bench.data, bench.root / "reports", now, Settings(data=bench.data), **options)


@pytest.fixture
def logged(bench):
    frame = events(days=5)
    bench.log(frame, route=np.where(frame.score > 0.6, "alert", "monitor"), automated=(frame.score <= 0.6).to_numpy())
    bench.label(frame, at="2026-03-05T12:00:00Z")
    return bench


def test_a_first_morning_makes_every_page(logged):
    ran = go(logged, show="last")
    assert ran.exit_code == 0 and len(ran.figures) == 5 and [o.state for o in ran.reports] == ["ok"] * 6, [o.error for o in ran.reports]
    reports = logged.root / "reports"
    assert {p.stem for p in (reports / "2026-03-05" / MODEL).glob("*.html")} == set(QUESTIONS)
    manifest = json.loads((reports / "2026-03-05" / "manifest.json").read_text())
    entry = manifest["models"][MODEL]
    assert entry["counts_sha256"] and entry["version"] == "v1" and manifest["packages"]["duckdb"] and manifest["audit_head"]
    assert all(r["headline"]["says"] for r in entry["reports"].values())
    for path in reports.rglob("*.html"):
        html = path.read_text()
        assert "Content-Security-Policy" in html and "<script" not in html and not re.search(r'(src|href)="https?:', html)
        for link in re.findall(r'href="([^"#]+)"', html):
            assert (path.parent / link).exists(), (path, link)
    assert "import monitor" not in (reports / "2026-03-05" / MODEL / "drift.html").read_text()


def test_stored_figures_are_those_of_the_rows(logged):
    go(logged)
    with open_snapshot(logged.data) as log:
        stored = log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4)).set_index("metric")
        oracle = summary(log.score_counts(MODEL)[date(2026, 3, 4)], 0)
        for name, figure in oracle.items():
            assert stored.value[name] == pytest.approx(figure.value, nan_ok=True) and stored.n[name] == figure.n
        assert stored.value["decisions_alert"] == log.decisions(MODEL, date(2026, 3, 4), date(2026, 3, 4)).query("route == 'alert'").n.sum()
        assert stored.value["latency_mean_ms"] == 2
        assert len(log.metrics(MODEL, segment="site=north")) > 0


def test_running_again_changes_nothing(logged):
    go(logged)
    with open_snapshot(logged.data) as log:
        before = log.frame("SELECT count(*) AS n FROM metrics").n[0]
    assert go(logged).figures == []
    again = go(logged, days=[date(2026, 3, 5)])
    with open_snapshot(logged.data) as log:
        assert again.exit_code == 0 and log.frame("SELECT count(*) AS n FROM metrics").n[0] == before
        assert log.verify_audit() == 5  # a calibration for each new day, none for the repeats


def test_the_running_day_is_not_due_and_a_new_day_is(logged):
    assert [f.day for f in go(logged, now=NOW - timedelta(1)).figures] == [date(2026, 3, d) for d in range(1, 5)]
    assert [f.day for f in go(logged).figures] == [date(2026, 3, 5)]


def test_a_day_that_failed_is_due_again_and_stops_no_other(logged, monkeypatch):
    whole = View.figures
    with monkeypatch.context() as broken:
        broken.setattr(View, "figures", lambda self: whole(self) if self.day.day != 3 else (_ for _ in ()).throw(ValueError("odd counts")))
        ran = go(logged)
    assert [f.state for f in ran.figures] == ["ok", "ok", "failed", "ok", "ok"] and ran.exit_code == 3
    assert "odd counts" in ran.figures[2].error
    assert [f.day.day for f in go(logged).figures] == [3]


def test_one_failing_report_does_not_stop_the_rest_and_is_shown(logged, monkeypatch, tmp_path):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    broken = new_notebook(cells=[new_code_cell('data, model, day, as_of, settings = "", "", "", "", {}\ndata = ""\nmodel = ""\nday = ""\nas_of = ""\nsettings = {}', metadata={"tags": ["parameters"]}), new_code_cell("raise ValueError('no such <thing>')")],
                          metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "python3"}})
    nbformat.write(broken, tmp_path / "drift.ipynb")
    notebooks = daily.report_notebooks() | {"drift": tmp_path / "drift.ipynb"}
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    ran = go(logged, show="last")
    assert [o.state for o in ran.reports].count("failed") == 1 and ran.exit_code == 3
    page = (logged.root / "reports" / "2026-03-05" / MODEL / "drift.html").read_text()
    assert "no such &lt;thing&gt;" in page and "Traceback" in page
    assert "This report failed" in (logged.root / "reports" / "index.html").read_text()
    with open_snapshot(logged.data) as log:
        assert log.runs(step="drift").state.tolist() == ["begun", "failed"]
    monkeypatch.undo()
    assert go(logged, days=[date(2026, 3, 5)], show="last").exit_code == 0
    assert "This report failed" not in (logged.root / "reports" / "index.html").read_text()


def test_a_report_of_the_past_stays_what_it_was(bench):
    "Figures as of a time do not change when labels arrive later."
    frame = events(days=5)
    bench.log(frame)
    bench.label(frame.iloc[:100], at="2026-03-05T00:00:00Z")
    go(bench)
    with open_snapshot(bench.data) as log:
        then = View(log, MODEL, date(2026, 3, 4), NOW).figures()
    bench.label(frame.iloc[100:], at="2026-03-07T00:00:00Z")
    go(bench, now=NOW + timedelta(2))
    with open_snapshot(bench.data) as log:
        assert View(log, MODEL, date(2026, 3, 4), NOW).figures().equals(then)
        assert not View(log, MODEL, date(2026, 3, 4)).figures().equals(then)


@pytest.mark.parametrize("label", [None, 0, 1])
def test_all_labels_missing_or_of_one_kind(bench, label):
    frame = events(days=5)
    bench.log(frame)
    if label is not None:
        bench.label(frame, label=np.full(len(frame), label))
    ran = go(bench, show="last")
    assert ran.exit_code == 0, [o.error for o in ran.reports if o.error]


def test_one_row_is_a_day(bench):
    bench.log(events(days=1, per_day=1))
    bench.label(events(days=1, per_day=1))
    ran = go(bench, show="last")
    assert ran.exit_code == 0, [o.error for o in ran.reports if o.error]


def test_what_is_not_there_is_said(logged):
    empty = type(logged)(logged.root / "empty")
    with pytest.raises(StoreError, match="the log is empty"):
        go(empty)
    with pytest.raises(StoreError, match="'lat' is not known: choose one of late"):
        go(logged, models=["lat"])
    with pytest.raises(StoreError, match="no predictions on 2026-05-01 for late: late has 2026-03-01 to 2026-03-05"):
        go(logged, days=[date(2026, 5, 1)])
    with pytest.raises(StoreError, match="all, last, none"):
        go(logged, show="some")
    go(logged)
    with pytest.raises(StoreError, match="no predictions on 2026-05-01"):
        open_view(logged.data, MODEL, "2026-05-01")


def test_without_a_name_a_view_is_the_newest_day(logged):
    go(logged)
    view = open_view(logged.data)
    assert (view.model, view.day) == (MODEL, date(2026, 3, 5))


def test_a_version_that_is_not_monitored_makes_no_day_due(logged):
    logged.log(events(days=1, start=date(2026, 2, 1), version="old"), version="old")
    logged.ingest(NOW)
    with logged.store() as store:
        assert [d.day for d, _ in due(store, NOW)] == [1, 1, 2, 3, 4, 5]
        store.record(NOW, "ana", "monitor", f"{MODEL}/old", "off", "history")
        assert [d.day for d, _ in due(store, NOW)] == [1, 2, 3, 4, 5]


def test_a_day_with_late_predictions_is_due_again(logged):
    go(logged)
    logged.log(events(days=1, seed=8, version="late").assign(id=lambda f: "x" + f.id))
    assert [f.day.day for f in go(logged).figures] == [1]
    with open_snapshot(logged.data) as log:
        assert log.metrics(MODEL, date(2026, 3, 1), date(2026, 3, 1)).set_index("metric").value["predictions"] == 80
    assert go(logged).figures == []


def test_reports_that_were_cut_off_or_lost_are_made_again(logged, monkeypatch):
    import shutil

    with monkeypatch.context() as broken:
        broken.setattr(daily, "run_jobs", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            go(logged, show="last")
    again = go(logged, show="last")
    assert again.figures == [] and len(again.reports) == 6
    assert go(logged, show="last").reports == []
    shutil.rmtree(logged.root / "reports")
    assert len(go(logged, show="last").reports) == 6


@pytest.mark.parametrize(("held_out", "state", "says"), [
    ({"accuracy": 0.1, "roc_auc": 0.99, "brier": 0.01}, "look", ["ROC-AUC fell", "Brier score rose"]), ({"accuracy": 0.99, "roc_auc": 0.1, "brier": 0.9}, "look", ["accuracy fell"]),
    ({"accuracy": 0.1, "roc_auc": 0.1, "brier": 0.9}, "ok", ["hold"])])
def test_the_headline_sees_every_loss_of_quality(logged, held_out, state, says):
    from aiops_wb.monitor import performance_headline
    from aiops_wb.points import Grid

    logged.ingest(NOW)
    with logged.store() as store:
        store.add_version(NOW, "ana", MODEL, "v1", Grid(), "nowhere", {"metrics": held_out}, 0)
        headline = performance_headline(View(store, MODEL, date(2026, 3, 5), NOW))
    assert headline.state == state and all(s in headline.advice for s in says)


def test_a_demo_killed_while_it_logs_the_history_goes_on(tmp_path, monkeypatch):
    from aiops_wb import demo

    whole, calls = demo._log_outcomes, []

    def killed(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*args)

    again = lambda: demo.demo(tmp_path / "data", tmp_path / "reports", Settings(data=tmp_path / "data"), until=date(2013, 4, 1), report_days=0, rounds=3, say=lambda _: None)
    with monkeypatch.context() as broken:
        broken.setattr(demo, "_log_outcomes", killed)
        with pytest.raises(KeyboardInterrupt):
            again()
    assert again() == []
    with open_snapshot(tmp_path / "data") as log:
        for case in demo.FLIGHT_MODELS:
            assert log.active_version(case.model) == "v1"
            labelled = sum(c.total[1] for c in log.score_counts(case.model, version="history").values())
            assert labelled > 70_000
        assert log.frame("SELECT count(*) AS n FROM quarantine").n[0] == 0


def test_a_slow_report_is_stopped_and_a_dead_one_is_noticed(tmp_path):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    def job(name, source):
        nb = new_notebook(cells=[new_code_cell("x = 1", metadata={"tags": ["parameters"]}), new_code_cell(source)], metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "python3"}})
        nbformat.write(nb, tmp_path / f"{name}.ipynb")
        return Job(name, tmp_path / f"{name}.ipynb", tmp_path / "out" / f"{name}.html", {"x": 2}, name)

    slow, dead, fine = run_jobs([job("slow", "import time; time.sleep(600)"), job("dead", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), job("fine", "assert x == 2")], parallel=2, timeout=20)
    assert slow.state == "failed" and "longer than 20 seconds" in slow.error
    assert dead.state == "failed" and "exit code -9" in dead.error
    assert fine.state == "ok"
    assert all((tmp_path / "out" / f"{n}.html").exists() for n in ("slow", "dead", "fine"))
    assert not list((tmp_path / "out").glob(".*"))


def test_the_kernel_engine_gives_the_same_page(logged):
    from aiops_wb.daily import report_jobs

    go(logged)
    texts = []
    for engine in ("inline", "kernel"):
        settings = Settings(data=logged.data, engine=engine)
        jobs = [j for j in report_jobs(logged.data, logged.root / engine, date(2026, 3, 5), MODEL, NOW, settings) if j.name.endswith("thresholds")]
        outcome, = run_jobs(jobs)
        assert outcome.state == "ok", outcome.error
        texts.append((outcome.headline["says"], re.sub(r"(clip|id|xlink:href|#)[^ ]*", "", outcome.picture)))
    assert texts[0] == texts[1]


def test_a_broken_manifest_costs_one_day_only(logged):
    go(logged, show="last")
    reports = logged.root / "reports"
    (reports / "2026-03-04").mkdir()
    (reports / "2026-03-04" / "manifest.json").write_text("{half")
    write_pages(reports)
    assert "2026-03-05" in (reports / "index.html").read_text()
