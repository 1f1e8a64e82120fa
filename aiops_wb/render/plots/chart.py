"""What every picture shares: colours, style, and small helpers for axes."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, PercentFormatter, ScalarFormatter

from ...stats.points import PER_UNIT, Grid
from .in_words import panels_in_words
from .narrow import stacked
from .room import make_room
from .svg import SvgRenderer

__all__ = [
    "INK",
    "SOFT",
    "FAINT",
    "BLUE",
    "ORANGE",
    "RED",
    "GREEN",
    "GREY",
    "ROUTES",
    "STYLE",
    "Chart",
    "rehearse",
    "panels",
    "empty",
    "all_empty",
    "nothing",
    "spare",
    "thinned",
    "risk_axis",
    "dates",
    "in_a_cell",
    "title",
    "as_percent",
    "in_short",
]

INK, SOFT, FAINT = "#1d2733", "#5b6877", "#dfe4ea"
BLUE, ORANGE, RED, GREEN, GREY = "#2563c9", "#d97706", "#c02626", "#15803d", "#8a97a6"
ROUTES = {"ticket": RED, "alert": ORANGE, "monitor": GREY}
STYLE = {
    "text.parse_math": False,  # a name is no formula
    "axes.facecolor": "none",
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
CELL = 7.9
"Inches that a cell of a JupyterLab has beside its file browser, in a window of 1,200 pixels."
POINTS = 72
"Points in an inch."
TICKS = np.array([0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999])


class Chart(MplFigure):
    "A matplotlib figure that shows itself as SVG in any notebook front end."

    called, finding = "A drawing", ""

    def about(self, called: str, finding: str = "") -> None:
        "What it is called, and what it shows in a sentence, for who cannot see it."
        self.called, self.finding = called, finding

    def draw(self, renderer: RendererBase) -> None:
        "Draw it, once there is room around the panels."
        self._cuts = make_room(self, renderer)
        super().draw(renderer)

    def _repr_svg_(self) -> str:
        dpi, (width, height) = self.dpi, self.get_size_inches() * POINTS
        renderer = SvgRenderer(width, height)
        try:
            self.dpi = POINTS
            with mpl.rc_context(STYLE):
                self.draw(renderer)
            narrow = stacked(self, self._cuts, renderer)
        finally:
            self.dpi = dpi
        says = f"{self.finding} {panels_in_words(self)}".strip()
        return renderer.svg(narrow, self.called, says)


def rehearse() -> None:
    "Draw a line once: fonts and styles are read before a process forks, and not in each fork."
    chart, axes = panels()
    axes[0, 0].plot([0, 1], [0, 1], marker="o")
    axes[0, 0].set_title("A")
    chart._repr_svg_()


def panels(
    rows: int = 1, columns: int = 1, width: float = 8.6, height: float = 2.9, **options: Any
) -> tuple[Chart, np.ndarray]:
    "A chart and its panels as an array; `height` is that of a row."
    chart = Chart(figsize=(width, height * rows))
    return chart, chart.subplots(rows, columns, squeeze=False, **options)


def empty(axes: Axes, text: str) -> None:
    "Say in a panel why nothing is drawn there."
    axes.set_axis_off()
    place = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, color=SOFT, fontsize=11, **place)


def all_empty(axes: np.ndarray, text: str) -> None:
    "Say in every panel why nothing is drawn."
    for ax in axes.flat:
        empty(ax, text)


def nothing(called: str, text: str) -> Chart:
    "A chart that says why there is none."
    chart, axes = panels(height=1.6)
    chart.about(called)
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


class _DayTicks(AutoDateLocator):
    "Ticks of days, looked for once an interval: a drawing asks thirty times."

    def __call__(self):
        shown = tuple(self.axis.get_view_interval())
        if getattr(self, "_shown", None) != shown:
            self._ticks, self._shown = super().__call__(), shown
        return self._ticks


def dates(axes: Axes) -> None:
    "A few days on the axis below."
    axes.xaxis.set_major_locator(_DayTicks(minticks=2, maxticks=4))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))


def in_a_cell(chart: Chart, height: float | None = None) -> Chart:
    "A drawing made for a page, no wider than a cell of a notebook, which would cut it off."
    width, tall = chart.get_size_inches()
    chart.set_size_inches(min(width, CELL), height or tall)
    return chart


def title(axes: Axes, text: str, **look: Any) -> None:
    """A title, given when all else is drawn.

    matplotlib measures the axis to place it only where an exponent may stand above.
    """
    low, high = axes.get_ylim()
    size = max(abs(low), abs(high))
    plain = 1e-3 < size < 1e5 and abs(high - low) > size / 100
    exponent = isinstance(axes.yaxis.get_major_formatter(), ScalarFormatter) and not plain
    axes.set_title(text, y=None if exponent else 1.0, **look)


def in_short(name: str, most: int = 28) -> str:
    "A name that leaves room for the picture."
    return name if len(name) <= most else f"{name[: most - 1]}…"


def as_percent(*axes: Axis, decimals: int | None = None) -> None:
    "Shares as percentages on an axis."
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=decimals))
