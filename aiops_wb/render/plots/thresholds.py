"""A picture of what every threshold would do."""

import matplotlib as mpl
from matplotlib.ticker import FuncFormatter, NullFormatter

from ...stats.points import Grid, as_points
from ...stats.selective import WeightedCurve
from ...stats.thresholds import Curve
from .chart import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    STYLE,
    Chart,
    all_empty,
    as_percent,
    panels,
    risk_axis,
    thinned,
    title,
)

__all__ = ["threshold_curve"]


@mpl.rc_context(STYLE)
def threshold_curve(
    curve: Curve,
    grid: Grid,
    current: int,
    candidate: int | None = None,
    days: int = 1,
    *,
    blind: int | None = None,
    weighted: WeightedCurve | None = None,
) -> Chart:
    """Precision, recall and alerts a day over all thresholds.

    The one in force and a candidate (points) are marked. Below `blind` (points) labels hardly ever
    come: rates there are shaded. `weighted`: rates by what was reviewed by chance.
    """
    blind = as_points(blind, grid.kind)
    current, candidate = as_points(current, grid.kind), as_points(candidate, grid.kind)
    chart, axes = panels(1, 2, height=3.0, width=9.2)
    chart.about("Precision, recall, false positive rate and alerts a day at every threshold")
    if not len(curve.thresholds):
        all_empty(axes, "no events")
        return chart
    rates, alerts = axes[0]
    _rates(rates, curve)
    if weighted is not None:
        _weighted(rates, weighted)
    if blind is not None and blind > curve.thresholds[0]:
        look = {"color": INK, "alpha": 0.1, "lw": 0, "label": "hardly a label"}
        rates.axvspan(curve.thresholds[0] - 100, blind, **look)
    alerts.step(*thinned(curve.thresholds, curve.alerts / days), where="pre", color=BLUE)
    alerts.set_yscale("log")
    alerts.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    alerts.yaxis.set_minor_formatter(NullFormatter())
    alerts.set_ylabel("events a day", fontsize=8)
    title(alerts, "Alerts a day")
    for ax in axes.flat:
        ax.axvline(current, color=INK, lw=1.4, label="in force")
        if candidate is not None and candidate != current:
            ax.axvline(candidate, color=RED, ls="--", lw=1.4, label="candidate")
        risk_axis(ax, grid, curve.thresholds[0] - 100, curve.thresholds[-1] + 100)
    chart.legend(*rates.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return chart


def _weighted(ax, known):
    "Recall by what was reviewed by chance, with its interval."
    value, lower, upper = known.recall.T
    ax.plot(known.thresholds, value, color=GREEN, ls="--", label="recall, weighted")
    ax.fill_between(known.thresholds, lower, upper, color=GREEN, alpha=0.14, lw=0)


def _rates(ax, curve):
    "What is right, found and wrongly raised at each threshold."
    for values, name, color in (
        (curve.precision, "precision", BLUE),
        (curve.recall, "recall", GREEN),
        (curve.fpr, "false positive rate", ORANGE),
    ):
        ax.step(*thinned(curve.thresholds, values), where="pre", color=color, label=name)
    ax.set_ylim(-0.02, 1.02)
    as_percent(ax.yaxis)
    title(ax, "What a threshold buys")
