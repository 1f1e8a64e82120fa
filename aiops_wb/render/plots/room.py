"""Room around the panels of a chart for what stands there: tick labels, titles, names, a legend.

Three labels of an axis are measured: the first, the longest and the last. matplotlib's own layout
measures every text of a picture twice, which takes as long as to draw it.
"""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

__all__ = ["Cuts", "make_room"]

EDGE, GAP, TICK, NAME, TITLE, FACTOR = 3, 3, 8, 4, 18, 10
"Points: around a chart, between panels, from an axis to its labels, on to its name; heights."


class _Sides(NamedTuple):
    "What a panel, or a chart, needs on each side."

    left: float = 0
    right: float = 0
    bottom: float = 0
    top: float = 0


class Cuts(NamedTuple):
    """Where a chart could be cut into its panels, pixels from the left and from the top: each
    column and row begins at one and ends at the next."""

    across: list[float]
    down: list[float]


def make_room(chart: Figure, renderer: RendererBase) -> Cuts | None:
    """Place the panels of a chart's grid so that nothing is cut off and nothing overlaps.

    None for a chart without panels.
    """
    panels = [(ax.get_subplotspec(), _needed(ax, renderer)) for ax in chart.axes]
    if not panels:
        return None
    rows, columns = panels[0][0].get_gridspec().get_geometry()
    of_column = [_most(s for spec, s in panels if spec.colspan.start == i) for i in range(columns)]
    of_row = [_most(s for spec, s in panels if spec.rowspan.start == i) for i in range(rows)]
    edge, gap = (renderer.points_to_pixels(size) for size in (EDGE, GAP))
    beside = max((a.right + b.left for a, b in zip(of_column, of_column[1:])), default=0) + gap
    between = max((a.bottom + b.top for a, b in zip(of_row, of_row[1:])), default=0) + gap
    legend = sum(one.get_window_extent(renderer).height for one in chart.legends)
    left, right, wspace = _placed(
        edge + of_column[0].left,
        beside,
        edge + of_column[-1].right,
        columns,
        chart.bbox.width,
    )
    bottom, top, hspace = _placed(
        edge + of_row[-1].bottom, between, edge + of_row[0].top + legend, rows, chart.bbox.height
    )
    chart.subplots_adjust(left, bottom, right, top, wspace, hspace)
    begins = {
        i: ax.bbox.x0 for (spec, _), ax in zip(panels, chart.axes) for i in [spec.colspan.start]
    }
    tops = {
        i: ax.bbox.y1 for (spec, _), ax in zip(panels, chart.axes) for i in [spec.rowspan.start]
    }
    width, height = chart.bbox.width, chart.bbox.height
    across = [begins[i] - of_column[i].left - gap / 2 for i in range(1, columns)]
    down = [height - tops[i] - of_row[i].top - gap / 2 for i in range(rows)]
    return Cuts([0.0, *across, width], [*down, height])


def _most(sides):
    "The most that any panel of a row or column needs, on each side."
    return _Sides(*map(max, zip(_Sides(), *sides)))


def _placed(before, gap, behind, panels, whole):
    """Where panels begin and end, as shares of a chart, and their gap as a share of a panel.

    However long a name is, 15 % is left for panels.
    """
    fit = min(1, 0.85 * whole / (before + gap * (panels - 1) + behind))
    begin, gap, end = before * fit, gap * fit, whole - behind * fit
    panel = (end - begin - gap * (panels - 1)) / panels
    return begin / whole, end / whole, gap / panel


def _needed(ax: Axes, renderer: RendererBase) -> _Sides:
    "What stands around a panel: a label may reach beyond its ends, by half of itself at most."
    tick, title, factor = (renderer.points_to_pixels(size) for size in (TICK, TITLE, FACTOR))
    above = title if ax.get_title() or ax.get_title("left") else 0
    if not ax.axison:
        return _Sides(top=above)
    x, y = (_labels(axis, renderer) for axis in (ax.xaxis, ax.yaxis))
    before = [min(e.width / 2, ax.bbox.x0 - e.x0) for e in x]
    behind = [min(e.width / 2, e.x1 - ax.bbox.x1) for e in x]
    x_factor, y_factor = (factor * _has_factor(axis) for axis in (ax.xaxis, ax.yaxis))
    low, long = max((e.height for e in x), default=0), max((e.width for e in y), default=0)
    return _Sides(
        left=max([long + tick + _name(ax.yaxis, renderer).width, *before]),
        right=max([0, *behind]),
        bottom=low + tick + x_factor + _name(ax.xaxis, renderer).height,
        top=above + y_factor,
    )


def _labels(axis: Axis, renderer: RendererBase) -> list[Bbox]:
    "Where the first, the longest and the last label of an axis stand."
    texts = [text for text in axis.get_ticklabels(which="both") if text.get_text()]
    if not texts:
        return []
    longest = max(texts, key=lambda text: _breadth(text.get_text()))
    return [text.get_window_extent(renderer) for text in (texts[0], longest, texts[-1])]


def _breadth(text: str) -> float:
    "About how wide a text is, in usual letters: texts of one length differ by their capitals."
    return len(text) + sum(0.5 if c in "mwMW%" else 0.25 * c.isupper() for c in text)


def _has_factor(axis: Axis) -> bool:
    "Whether labels are to be multiplied or added to, as is said at the end of the axis."
    return bool(axis.get_major_formatter().get_offset())


def _name(axis: Axis, renderer: RendererBase) -> Bbox:
    "The room for what an axis is called."
    if not axis.label.get_text():
        return Bbox.from_bounds(0, 0, 0, 0)
    return axis.label.get_window_extent(renderer).padded(renderer.points_to_pixels(NAME / 2))
