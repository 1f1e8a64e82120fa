"""Pictures of a challenger beside the champion."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from ...stats.counts import ScoreCounts
from ...stats.evidence import A_YEAR, ALPHA, Block, log_evidence
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

__all__ = ["evidence_path"]


@mpl.rc_context(STYLE)
def evidence_path(
    blocks: Sequence[Block],
    needed: float = A_YEAR / ALPHA,
    unit: str = "nats",
    counts: Mapping[str, ScoreCounts] = MappingProxyType({}),
) -> Chart:
    """What each week said of a challenger, what all of them together say, and the precision of both
    versions on the same labelled events (`counts` by version) over what they find."""
    chart, axes = panels(1, 3, height=2.8, width=9.2)
    chart.about("A challenger beside the champion: saved by week, evidence, precision")
    if not blocks:
        all_empty(axes, "no whole week of shadow has its labels yet")
        return chart
    weeks, path, precision = axes[0]
    _weeks(weeks, path, blocks, needed, unit)
    reached = np.exp(log_evidence(np.array([block.gain for block in blocks])))[-1]
    chart.about(
        chart.called, f"Evidence {reached:,.3g} after {len(blocks)} weeks; {needed:g} is needed."
    )
    for (name, table), color in zip(counts.items(), (INK, BLUE)):
        if table.total[2]:
            at = curve(table)
            precision.plot(*thinned(at.recall, at.precision), color=color, label=name)
            precision.legend(loc="best")
    precision.set_xlabel("share of the positives found")
    as_percent(precision.xaxis)
    as_percent(precision.yaxis)
    title(precision, "Precision")
    return chart


def _weeks(weeks: Axes, path: Axes, blocks, needed, unit):
    "Bars of what is saved, and the evidence on the way to what is needed."
    ends = pd.to_datetime([block.last for block in blocks])
    gains = np.array([block.gain for block in blocks])
    weeks.bar(ends, gains, color=np.where(gains > 0, GREEN, ORANGE), width=5)
    weeks.axhline(0, color=INK, lw=1)
    weeks.set_ylabel(f"{unit} less per event")
    title(weeks, "Saved, by week")
    path.plot(ends, np.exp(log_evidence(gains)), color=BLUE, marker="o", ms=3)
    path.axhline(needed, color=RED, ls="--", lw=1.4, label=f"needed: {needed:g}")
    path.axhline(1, color=GREY, lw=1)
    path.set_yscale("log")
    path.yaxis.set_minor_locator(NullLocator())
    path.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    path.set_ylabel("times likelier if better", fontsize=8)
    path.legend(loc="best")
    title(path, "Evidence")
    for ax in (weeks, path):
        dates(ax)
