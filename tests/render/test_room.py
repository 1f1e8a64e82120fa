"""Whatever a picture shows, nothing of it is cut off, and no panel reaches into another."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from aiops_wb.render import plots
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.coverage import GroupCoverage, GroupReport
from aiops_wb.stats.performance import Figure
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import curve
from aiops_wb.watch.became import Became


def over_days(**figures):
    "A tidy table of figures over days."
    days = pd.date_range("2026-01-01", periods=20).date
    frames = [
        pd.DataFrame({"event_date": days, "metric": name, "value": values, "lower": np.nan})
        for name, values in figures.items()
    ]
    return pd.concat(frames).assign(upper=np.nan)


def numbers_of_many_lengths():
    steps = np.arange(20)
    figures = {
        "alerts": steps * 1e6,
        "latency_p95_ms": steps * 1e-7,
        "decisions_ticket": steps * 10_000,
        "pr_auc_week": 1e5 + steps / 20,
    }
    return plots.history(over_days(**figures), [*figures, "recall_week"])


def long_names_and_a_factor():
    reasons = {"reason_1": ["a name of forty letters, for a column", "b"], "push_1": [1.5e6, 2.0]}
    return plots.reason_bars(pd.DataFrame(reasons))


def turned_names():
    recent = np.array([1, 2, 30, 20, 10.0])
    rule = {"categories": ["Newark", "LaGuardia Airport", "JFK"]}
    shifts = [SimpleNamespace(name="airport", effect=0.1)]
    seen = SimpleNamespace(shifts=shifts, vectors={"airport": (recent, recent[::-1], rule)})
    return plots.feature_bins(seen)


def a_legend_above():
    labels = np.tile([0.0, 1.0], 190)
    counts = ScoreCounts.from_events(np.arange(-9_500, 9_500, 50), labels)
    return plots.threshold_curve(curve(counts), Grid(), 0, 100)


def groups_with(*names):
    pooled, own = Figure(0.8, 0.7, 0.9, 500), Figure(0.9, 0.85, 0.99, 500)
    rows = [GroupCoverage(g, 0, 28, pooled, own, (1.1, 1.2), True) for g in names]
    return plots.coverage_groups(GroupReport(tuple(rows), (), 0.95, 0.9))


def names_of_one_length():
    return groups_with("site JFK", "site EWM", "site WWW", "site jil")


def a_very_long_name():
    return groups_with("site JFK", "tenant " + "x" * 80)


def many_policies():
    days = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=90).date, "tickets": 1_000_000})
    days = days.assign(reviews=3, missed=0, false=np.arange(90))
    return plots.lived_again([Became(f"a policy called {i}", days) for i in range(3)])


CHARTS = (
    numbers_of_many_lengths,
    long_names_and_a_factor,
    turned_names,
    a_legend_above,
    names_of_one_length,
    a_very_long_name,
    many_policies,
)


@pytest.mark.parametrize("made", CHARTS)
def test_nothing_is_cut_off_and_nothing_overlaps(made):
    chart = made()
    for ax in chart.axes:  # a title wider than its panel is the chart's own fault
        ax.set_title(ax.get_title("left")[:10], loc="left")
    FigureCanvasAgg(chart).draw()
    shown = [ax for ax in chart.axes if ax.axison]
    boxes = [part.get_tightbbox() for part in (*shown, *chart.legends)]
    width, height = chart.bbox.size
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width + 1 and box.y1 <= height + 1
    for one, other in combinations(boxes, 2):
        assert (
            one.x1 <= other.x0 + 1
            or other.x1 <= one.x0 + 1
            or (one.y1 <= other.y0 + 1 or other.y1 <= one.y0 + 1)
        )


@pytest.mark.parametrize("made", CHARTS)
def test_panels_keep_most_of_a_chart(made):
    chart = made()
    FigureCanvasAgg(chart).draw()
    places = [ax.get_position() for ax in chart.axes]
    assert min(p.x0 for p in places) < 0.4 and max(p.x1 for p in places) > 0.9
    assert min(p.y0 for p in places) < 0.65 and max(p.y1 for p in places) > 0.7


def test_a_name_too_long_for_any_chart_leaves_room_for_the_panels():
    reasons = {"reason_1": ["a" * 300, "b"], "push_1": [1.0, 2.0]}
    chart = plots.reason_bars(pd.DataFrame(reasons))
    assert "Mean push" in chart._repr_svg_()
    assert all(ax.get_position().width > 0.05 for ax in chart.axes)
