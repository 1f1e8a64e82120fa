"""What every picture shares: colours, style, and small helpers for axes."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ...stats.points import PER_UNIT, Grid

__all__ = [
    "INK",
    "FAINT",
    "BLUE",
    "ORANGE",
    "RED",
    "GREEN",
    "GREY",
    "ROUTES",
    "STYLE",
    "Chart",
    "panels",
    "empty",
    "all_empty",
    "nothing",
    "spare",
    "thinned",
    "risk_axis",
    "dates",
    "as_percent",
]

INK, FAINT = "#1d2733", "#dfe4ea"
BLUE, ORANGE, RED, GREEN, GREY = "#2563c9", "#d97706", "#c02626", "#15803d", "#8a97a6"
ROUTES = {"ticket": RED, "alert": ORANGE, "monitor": GREY}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "aiops_wb",
    "font.size": 9.5,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
}
POSITIONS = re.compile(r' (?:d|x|y|x1|x2|y1|y2|points|transform)="[^"]*"')
TICKS = np.array([0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999])


class Chart(MplFigure):
    "A matplotlib figure that shows itself as SVG in any notebook front end."

    def _repr_svg_(self) -> str:
        buffer = StringIO()
        with mpl.rc_context(STYLE):
            self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        svg = buffer.getvalue()
        svg = POSITIONS.sub(_rounded, svg[svg.index("<svg") :])
        return re.sub(r"font: ([\d.]+)px 'sans-serif'", r"font: \1px system-ui, sans-serif", svg)


def _rounded(match):
    "A hundredth of a point is fine enough for positions (text keeps its digits)."
    return re.sub(r"(\.\d{2})\d+", r"\1", match[0])


def panels(
    rows: int = 1, columns: int = 1, width: float = 8.6, height: float = 2.9, **options: Any
) -> tuple[Chart, np.ndarray]:
    "A chart and its panels as an array; `height` is that of a row."
    chart = Chart(figsize=(width, height * rows), layout="constrained")
    return chart, chart.subplots(rows, columns, squeeze=False, **options)


def empty(axes: Axes, text: str) -> None:
    "Say in a panel why nothing is drawn there."
    axes.set_axis_off()
    place = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, color=GREY, fontsize=11, **place)


def all_empty(axes: np.ndarray, text: str) -> None:
    "Say in every panel why nothing is drawn."
    for ax in axes.flat:
        empty(ax, text)


def nothing(text: str) -> Chart:
    "A chart that says why there is none."
    chart, axes = panels(height=1.6)
    empty(axes[0, 0], text)
    return chart


def spare(axes: np.ndarray, used: int) -> None:
    "Panels beyond those used are not drawn."
    for ax in axes.flat[used:]:
        ax.set_axis_off()


def thinned(x: Sequence, *ys: Sequence, most: int = 250) -> tuple[np.ndarray, ...]:
    "At most so many points of a long step line, ends kept: a page does not need 5,000."
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return np.asarray(x)[kept], *(np.asarray(y)[kept] for y in ys)


def risk_axis(axes: Axes, grid: Grid, low: int, high: int) -> None:
    "Ticks at round probabilities on an axis of points."
    if grid.kind == "logit":
        at = PER_UNIT * np.log(TICKS / (1 - TICKS))
        kept = (at >= low) & (at <= high)
        axes.set_xticks(at[kept], [f"{tick:g}" for tick in TICKS[kept]])
        axes.set_xlabel("score (probability, log-odds scale)")
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / PER_UNIT:g}"))
        axes.set_xlabel("score")
    axes.set_xlim(low, high)


def dates(axes: Axes) -> None:
    "A few days on the axis below."
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=4))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))


def as_percent(*axes: Axis, decimals: int | None = 0) -> None:
    "Shares as percentages on an axis."
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=decimals))
