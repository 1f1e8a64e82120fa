"""Pictures of a challenger beside the champion."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ...stats.counts import ScoreCounts
from ...stats.evidence import Block, log_evidence
from ...stats.thresholds import curve
from .chart import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    STYLE,
    Chart,
    all_empty,
    as_percent,
    dates,
    panels,
    thinned,
    title,
)

__all__ = ["both_curves", "evidence_path"]


@mpl.rc_context(STYLE)
def evidence_path(blocks: Sequence[Block], needed: float, unit: str = "nats") -> Chart:
    "What each week said of a challenger, and what all of them together say."
    chart, axes = panels(1, 2, height=2.8, width=9.2)
    if not blocks:
        all_empty(axes, "no whole week of shadow has its labels yet")
        return chart
    ends = pd.to_datetime([block.last for block in blocks])
    gains = np.array([block.gain for block in blocks])
    weeks, path = axes[0]
    weeks.bar(ends, gains, color=np.where(gains > 0, GREEN, ORANGE), width=5)
    weeks.axhline(0, color=INK, lw=1)
    weeks.set_ylabel(f"{unit} less per event")
    title(weeks, "What the challenger saves, by week")
    path.plot(ends, np.exp(log_evidence(gains)), color=BLUE, marker="o", ms=3)
    path.axhline(needed, color=RED, ls="--", lw=1.4, label=f"needed: {needed:g}")
    path.axhline(1, color=GREY, lw=1)
    path.set_yscale("log")
    path.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    path.set_ylabel("evidence (likelihood ratio)")
    path.legend(loc="best")
    title(path, "Evidence so far")
    for ax in axes.flat:
        dates(ax)
    return chart


@mpl.rc_context(STYLE)
def both_curves(counts: Mapping[str, ScoreCounts]) -> Chart:
    "Precision over recall, and calls over recall, of two versions on the same labelled events."
    chart, axes = panels(1, 2, height=2.8, width=9.2)
    known = {name: table for name, table in counts.items() if table.total[2]}
    if not known:
        all_empty(axes, "no positive label on these days yet")
        return chart
    precision, calls = axes[0]
    for (name, table), color in zip(known.items(), (INK, BLUE)):
        _curves(precision, calls, name, table, color)
    for ax in axes.flat:
        as_percent(ax.xaxis)
        ax.set_xlabel("share of the positives found (recall)")
    as_percent(precision.yaxis)
    as_percent(calls.yaxis)
    title(precision, "Precision")
    title(calls, "Share of events that are called")
    chart.legend(*precision.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


def _curves(precision: Axes, calls: Axes, name: str, table: ScoreCounts, color: str):
    at = curve(table)
    order = np.argsort(at.recall, kind="stable")
    precision.plot(*thinned(at.recall[order], at.precision[order]), color=color, label=name)
    calls.plot(*thinned(at.recall[order], at.alerts[order] / table.total[0]), color=color)
