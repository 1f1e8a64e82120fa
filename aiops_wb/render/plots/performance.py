"""Pictures of how a model does: figures over days, calibration, and the pace of labels."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ...stats.counts import ScoreCounts
from ...stats.pace import Pace
from ...stats.performance import proportion, reliability_bins
from ..vocabulary import heading, metric
from .chart import BLUE, GREY, STYLE, Chart, as_percent, dates, empty, panels, spare, title

__all__ = ["history", "reliability", "label_pace"]


@mpl.rc_context(STYLE)
def history(
    metrics: pd.DataFrame,
    names: Sequence[str],
    baseline: Mapping[str, float] | None = None,
    columns: int = 3,
) -> Chart:
    "Small multiples over days of a tidy table (event_date, metric, value, lower, upper)."
    rows = -(-len(names) // columns)
    chart, axes = panels(rows, columns, height=1.9, width=9.2, sharex=True)
    chart.about(f"Day by day: {', '.join(metric(name).title for name in names)}")
    for ax, name in zip(axes.flat, names):
        frame = metrics[metrics.metric == name].sort_values("event_date")
        if frame.value.notna().any():
            _over_days(ax, frame, name, (baseline or {}).get(metric(name).name))
            title(ax, heading(name))
        else:
            ax.set_title(heading(name))
            empty(ax, "not known yet")
    spare(axes, len(names))
    return chart


def _over_days(ax, frame, name, target):
    "One figure with its interval, and the held-out days as a line where they can be compared."
    days, entry = pd.to_datetime(frame.event_date), metric(name)
    lower, upper = frame.lower.astype(float), frame.upper.astype(float)
    ax.plot(days, frame.value, color=BLUE, marker="o", ms=2.5)
    ax.fill_between(days, lower, upper, color=BLUE, alpha=0.14, lw=0)
    if entry.held_out and target is not None and np.isfinite(target):
        ax.axhline(target, color=GREY, ls="--", lw=1.2)
    if entry.kind == "count":
        ax.set_ylim(bottom=0, top=max(1, frame.value.max() * 1.08))
    if entry.kind == "share":
        as_percent(ax.yaxis)
    else:
        ax.set_ylabel(entry.axis, fontsize=8)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    dates(ax)
    if len(days) < 3:
        ax.set_xlim(days.min() - pd.Timedelta(days=3), days.max() + pd.Timedelta(days=3))
        ax.set_xticks(days)


@mpl.rc_context(STYLE)
def reliability(counts: ScoreCounts, bins: int = 10) -> Chart:
    "Observed share of positives against the mean score, in bins of equal size, Wilson intervals."
    chart, axes = panels(width=4.4, height=3.4)
    chart.about("Calibration: what was positive beside the mean score, with 95 % intervals")
    ax = axes[0, 0]
    if not counts.n_labelled.sum():
        empty(ax, "no labels are known yet")
        return chart
    if counts.grid.kind != "logit":
        empty(ax, "the scores are no probabilities")
        return chart
    for mean, positive, n in reliability_bins(counts, bins):
        share = proportion(int(round(positive * n)), int(n))
        half = [[share.value - share.lower], [share.upper - share.value]]
        ax.errorbar(mean, share.value, yerr=half, color=BLUE, marker="o", ms=4, lw=1.2)
    ax.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2)
    ax.set(xlim=(-0.02, 1.02), xlabel="mean score")
    ax.set(ylim=(-0.02, 1.02), ylabel="share that was positive")
    title(ax, "Calibration")
    return chart


@mpl.rc_context(STYLE)
def label_pace(pace: Pace | None) -> Chart:
    "Which share of the labels that ever arrive is there by age, for each label and band of score."
    chart, axes = panels(height=3.0, width=6.4)
    chart.about("Labels that are in, by days after the event, label and band of score")
    ax = axes[0, 0]
    if pace is None:
        empty(ax, "the pace of labels is not known yet")
        return chart
    ages = np.arange(pace.age + 1)
    for kind, shares, color in (
        ("positives", pace.positive, BLUE),
        ("negatives", pace.negative, GREY),
    ):
        for band, share, line in zip(("low", "middle", "high"), shares, (":", "--", "-")):
            ax.step(ages, share, where="post", color=color, ls=line, label=f"{kind}, {band} score")
    ax.set(title="Labels that are in, by age", xlabel="days after the event", ylim=(0, 1.05))
    as_percent(ax.yaxis)
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart
