"""Room around the panels of a chart for what stands there: tick labels, titles, names, a legend.

One label of an axis is measured, the longest. matplotlib's own layout measures every text of a
picture twice, which takes as long as to draw it.
"""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

__all__ = ["make_room"]

EDGE, GAP, TICK, NAME, TITLE, EXPONENT = 3, 3, 8, 4, 18, 10
"Points: around a chart, between panels, from an axis to its labels, on to its name; heights."


class _Sides(NamedTuple):
    "What a panel, or a chart, needs on each side."

    left: float = 0
    right: float = 0
    bottom: float = 0
    top: float = 0


class _Size(NamedTuple):
    "Pixels of a text; of none, nothing."

    width: float = 0
    height: float = 0


def make_room(chart: Figure, renderer: RendererBase) -> None:
    "Place the panels of a chart's grid so that nothing is cut off and nothing overlaps."
    panels = [(ax.get_subplotspec(), _needed(ax, renderer)) for ax in chart.axes]
    if not panels:
        return
    rows, columns = panels[0][0].get_gridspec().get_geometry()
    of_column = [_most(s for spec, s in panels if spec.colspan.start == i) for i in range(columns)]
    of_row = [_most(s for spec, s in panels if spec.rowspan.start == i) for i in range(rows)]
    edge, gap = (renderer.points_to_pixels(size) for size in (EDGE, GAP))
    beside = max((a.right + b.left for a, b in zip(of_column, of_column[1:])), default=0) + gap
    between = max((a.bottom + b.top for a, b in zip(of_row, of_row[1:])), default=0) + gap
    legend = sum(one.get_window_extent(renderer).height for one in chart.legends)
    name = renderer.points_to_pixels(TITLE) if chart.get_supylabel() else 0
    wide, high = chart.bbox.width, chart.bbox.height
    left, right = edge + name + of_column[0].left, wide - edge - of_column[-1].right
    bottom, top = edge + of_row[-1].bottom, high - edge - of_row[0].top - legend
    chart.subplots_adjust(
        left=left / wide,
        right=right / wide,
        bottom=bottom / high,
        top=top / high,
        wspace=_share(beside, right - left, columns),
        hspace=_share(between, top - bottom, rows),
    )


def _most(sides):
    "The most that any panel of a row or column needs, on each side."
    return _Sides(*map(max, zip(_Sides(), *sides)))


def _share(gap, whole, parts):
    "A gap between panels as matplotlib wants it: a share of a panel."
    return gap * parts / (whole - gap * (parts - 1))


def _needed(ax: Axes, renderer: RendererBase) -> _Sides:
    "What stands around a panel; half of a label may stand beyond its end."
    title = renderer.points_to_pixels(TITLE) if ax.get_title() or ax.get_title("left") else 0
    if not ax.axison:
        return _Sides(top=title)
    x, y = (_longest(axis, renderer) for axis in (ax.xaxis, ax.yaxis))
    tick = renderer.points_to_pixels(TICK)
    exponent = ax.yaxis.get_major_formatter().get_offset()
    return _Sides(
        left=max(y.width + tick + _name(ax.yaxis, renderer).width, x.width / 2),
        right=x.width / 2,
        bottom=max(x.height + tick + _name(ax.xaxis, renderer).height, y.height / 2),
        top=max(title + (renderer.points_to_pixels(EXPONENT) if exponent else 0), y.height / 2),
    )


def _longest(axis: Axis, renderer: RendererBase) -> _Size:
    "Of the labels of an axis."
    texts = [text for text in axis.get_ticklabels(which="both") if text.get_text()]
    if not texts:
        return _Size()
    extent = max(texts, key=lambda text: len(text.get_text())).get_window_extent(renderer)
    return _Size(extent.width, extent.height)


def _name(axis: Axis, renderer: RendererBase) -> _Size:
    "Of what an axis is called."
    if not axis.label.get_text():
        return _Size()
    extent, away = axis.label.get_window_extent(renderer), renderer.points_to_pixels(NAME)
    return _Size(extent.width + away, extent.height + away)
