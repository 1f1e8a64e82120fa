"""How a drawing of several columns stands on a phone: panel below panel, as wide as the page."""

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

from .in_words import is_of_words, shows_no_numbers
from .room import Cuts
from .sheet import OWN, TENTHS

__all__ = ["stacked"]

NARROW = "@media screen and (max-width:560px)"


def stacked(chart: Figure, cuts: Cuts | None, renderer: RendererBase) -> str:
    """CSS that moves the panels of a drawing below each other where a report is narrow.

    The drawing is as much wider than the page as its widest column needs, and leaves room below
    for what is moved there. A single column needs nothing; bars that share their words with those
    beside stay there; in a card a drawing stays as it is.
    """
    if cuts is None or len(cuts.across) < 3 or any(map(_needs_words_beside, chart.axes)):
        return ""
    widest = max(b - a for a, b in zip(cuts.across, cuts.across[1:]))
    moved, end = _below_each_other(chart, cuts)
    width, height = chart.bbox.width, chart.bbox.height
    whole = (
        f".output_area>svg[aria-labelledby^={OWN}-t]{{width:{width / widest:.2%};"
        f"max-width:none!important;overflow:visible;margin-bottom:{(end - height) / widest:.2%}}}"
    )
    rules = [
        f".output_area .{OWN}-p{k}{{transform:translate({_px(-x)},{_px(y)})}}"
        for k, (x, y) in moved.items()
    ]
    legends = [
        _legend(k, one.get_window_extent(renderer), widest, height)
        for k, one in enumerate(chart.legends)
    ]
    return f"{NARROW}{{{whole}{''.join(rules)}{''.join(legends)}}}"


def _px(points):
    "A length in the units of a drawing."
    return f"{round(points * TENTHS)}px"


def _below_each_other(chart, cuts):
    "Place of a panel -> how far it moves to the left and down; where the last one ends."
    moved, down = {}, cuts.down[0]
    placed = [(ax.get_subplotspec(), k) for k, ax in enumerate(chart.axes) if _shows(ax)]
    for spec, k in sorted(placed, key=lambda one: (one[0].rowspan.start, one[0].colspan.start)):
        row, column = spec.rowspan.start, spec.colspan.start
        moved[k] = cuts.across[column], down - cuts.down[row]
        down += cuts.down[row + 1] - cuts.down[row]
    return moved, down


def _needs_words_beside(ax):
    return ax.axison and shows_no_numbers(ax.yaxis) and is_of_words(ax.yaxis)


def _shows(ax):
    "Whether anything stands in a panel."
    return ax.axison or bool(ax.texts) or bool(ax.get_title("left"))


def _legend(k, box, widest, height):
    "A legend begins at the left, and is made smaller where it is wider than a column."
    fits = min(1.0, widest / box.width)
    top = height - box.y1
    left, down = _px(-box.x0 * fits), _px(top - top * fits)
    return f".output_area .{OWN}-l{k}{{transform:translate({left},{down}) scale({fits:.3f})}}"
