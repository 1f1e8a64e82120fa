"""One word for a figure, wherever it is shown."""

import re
import tarfile
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aiops_wb import Settings, open_snapshot, open_store
from aiops_wb.render import plots
from aiops_wb.render.tables.performance import OF_SITES, ORDER, performance_table
from aiops_wb.render.vocabulary import METRICS, heading, looked_at, metric, shown
from aiops_wb.stats.performance import Figure
from aiops_wb.watch.view import View

FOLDER = Path(__file__).parent.parent / "data" / "workbench-0.1.tar.xz"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    "A log that was kept for a month."
    root = tmp_path_factory.mktemp("kept")
    with tarfile.open(FOLDER) as archive:
        archive.extractall(root, filter="data")
    with open_store(root / "data", "test") as store:
        store.publish()
    return root / "data"


def test_every_figure_that_is_stored_has_an_entry(log):
    with open_snapshot(log) as reader:
        stored = set(reader.frame("SELECT DISTINCT metric FROM metrics").metric)
    assert len(stored) > 80
    assert {name for name in stored if metric(name).name not in METRICS} == set()


def test_no_two_figures_share_a_title():
    titles = [entry.heading for entry in METRICS.values()]
    assert len(set(titles)) == len(titles)
    assert {entry.kind for entry in METRICS.values()} == {"count", "share", ""}
    assert set(ORDER) | set(OF_SITES) <= set(METRICS)


def test_what_a_name_says_of_days_and_methods_is_told_apart():
    assert heading("latency_p50_ms") == "Latency p50 (ms)"
    assert heading("pr_auc_week") == "PR-AUC, 7 days"
    assert heading("expected_recall_week") == "Recall, expected without labels, 7 days"
    assert metric("adjusted_precision_week").kind == "share"
    assert metric("q99").title == "Quantile at 99 %"
    own = metric("euros_saved")
    assert own.title == "Euros saved" and own.kind == "" and not own.held_out


def test_a_title_inside_a_line_keeps_its_acronyms():
    assert metric("fpr").column == "false positive rate"
    assert metric("pr_auc").column == "PR-AUC" and metric("f1").column == "F1"


@pytest.mark.parametrize(
    ("name", "figure", "written"),
    [
        ("alerts", Figure(1234.0, n=9), "1,234"),
        ("precision", Figure(0.5, 0.25, 0.75), "0.500 (0.250 to 0.750)"),
        ("precision_week", Figure(0.5), "0.500"),
        ("score_shift", Figure(-0.126), "-0.13"),
        ("recall", Figure(nan), "-"),
    ],
)
def test_a_figure_is_written_by_its_entry(name, figure, written):
    assert shown(name, figure) == written


def test_a_stream_is_named_by_the_set_it_differs_in_most():
    assert looked_at(("above 1", "below 0"), np.array([0, 1])) == "below 0"
    assert looked_at(("above 1", "below 0"), None) == "above 1"


def test_tables_and_pictures_say_the_same(log):
    with open_snapshot(log) as reader:
        view = View(reader, "late", reader.days("late")[-1], settings=Settings(data=log))
        table = performance_table(view).frame
        chart = plots.history(view.history(28), list(ORDER))._repr_svg_()
    titles = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert set(table[""]) <= set(titles) and len(table) == len(ORDER)


@pytest.mark.parametrize(("name", "drawn"), [("recall", True), ("lift_top_1pct", False)])
def test_the_held_out_days_are_drawn_where_they_can_be_compared(name, drawn):
    days = pd.date_range("2026-01-01", periods=4).date
    metrics = pd.DataFrame({"event_date": days, "metric": name, "value": 0.5})
    chart = plots.history(metrics.assign(lower=nan, upper=nan), [name], {name: 0.6})
    dashed = [line for line in chart.axes[0].lines if line.get_linestyle() == "--"]
    assert bool(dashed) == drawn
