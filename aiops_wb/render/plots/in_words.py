"""A chart in words, for who cannot see it: every panel with its units, its range and its lines."""

from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryLocator
from matplotlib.container import BarContainer
from matplotlib.dates import AutoDateLocator, num2date
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, PercentFormatter

__all__ = ["is_of_words", "panels_in_words", "says_unit", "shows_no_numbers"]

MOST = 6
"Lines of a panel that are told of."


def panels_in_words(chart: Figure) -> str:
    "What each panel of a chart shows; of one without a drawing, what it says in its place."
    told = [_panel(ax) for ax in chart.axes]
    return " ".join(filter(None, told))


def says_unit(axis: Axis) -> bool:
    "Whether an axis says what its numbers are: by its name, or because they are days, % or words."
    if axis.get_label_text() or isinstance(axis.get_major_formatter(), PercentFormatter):
        return True
    if _of_days(axis) or is_of_words(axis) or shows_no_numbers(axis):
        return True
    return not len(axis.get_major_locator()())


def shows_no_numbers(axis: Axis) -> bool:
    "Whether an axis leaves its numbers or words to the panel beside or below, which has the same."
    side = {"x": "labelbottom", "y": "labelleft"}[axis.axis_name]
    return not axis.get_tick_params().get(side, True)


def is_of_words(axis: Axis) -> bool:
    "Whether words stand along an axis, each at its place."
    return isinstance(axis.get_major_locator(), StrCategoryLocator) or bool(_words(axis))


def _of_days(axis):
    return isinstance(axis.get_major_locator(), AutoDateLocator)


def _words(axis):
    "What stands at the ticks of an axis whose places were chosen; nothing for any other."
    places = axis.get_major_locator()
    if not isinstance(places, FixedLocator):
        return []
    return [word for word in axis.get_major_formatter().format_ticks(places()) if word]


def _panel(ax: Axes) -> str:
    name = ax.get_title("left") or ax.get_title()
    if not ax.axison:
        return _sentence(name, [text.get_text() for text in ax.texts])
    lying = is_of_words(ax.yaxis)  # values lie from left to right, names below each other
    values = [(line, _values(line, lying)) for line in ax.get_lines()]
    along = ax.xaxis if lying else ax.yaxis
    lines = [told for line, known in values if (told := _line(along, line, known))]
    lines += _points(along, values)
    bars = [
        told for one in ax.containers if isinstance(one, BarContainer) and (told := _bars(ax, one))
    ]
    return _sentence(name, [_across(ax.xaxis), *bars, *lines[:MOST]], ax.get_ylabel())


def _is_line(line):
    "Whether it is more than signs."
    return line.get_linewidth() > 0 and line.get_linestyle() != "None"


def _values(line: Line2D, lying: bool) -> np.ndarray:
    "The values of a line that are known, along the axis that they are read from."
    values = np.asarray((line.get_xdata if lying else line.get_ydata)(orig=False), dtype=float)
    return values[np.isfinite(values)]


def _points(axis, lines):
    "Single points, each drawn on its own, put together."
    values = [v[0] for line, v in lines if len(v) == 1 and line.get_label().startswith("_")]
    if len(values) < 2:
        return []
    low, high = (_number(axis, value) for value in (min(values), max(values)))
    return [f"{len(values)} points between {low} and {high}"]


def _sentence(name, parts, unit=""):
    "A name, its unit, and what is told of it."
    parts = [part.replace("\n", " ") for part in parts if part]
    if not name and not parts:
        return ""
    named = f"{name} ({unit})" if name and unit else name or unit
    return f"{': '.join(filter(None, (named, '; '.join(parts))))}."


def _across(axis: Axis) -> str:
    "What lies from left to right, from where to where."
    if words := _words(axis):
        ends = f"{words[0]} to {words[-1]}" if len(words) > 1 else ""
    else:
        low, high = axis.get_data_interval()
        known = isfinite(low) and isfinite(high)
        ends = f"{_number(axis, low)} to {_number(axis, high)}" if known else ""
    return " ".join(filter(None, (axis.get_label_text(), ends)))


def _number(axis: Axis, value: float) -> str:
    "A value as its axis writes it."
    if _of_days(axis):
        return f"{num2date(value):%-d %B %Y}"
    if isinstance(axis.get_major_formatter(), PercentFormatter):
        return f"{value:.1%}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _line(axis: Axis, line: Line2D, values: np.ndarray) -> str:
    "A line by its lowest, highest and last value; a mark by its name."
    label = line.get_label()
    label = "" if label.startswith("_") else label
    if len(values) < 3 or (not label and not _is_line(line)):
        return label
    low, high, last = (_number(axis, v) for v in (values.min(), values.max(), values[-1]))
    told = f"{low} to {high}, at the end {last}" if low != high else f"always {low}"
    return " ".join(filter(None, (label, told)))


def _bars(ax: Axes, bars: BarContainer) -> str:
    "Bars by their number and the longest of them."
    lying = bars.orientation == "horizontal"
    sizes = [bar.get_width() if lying else bar.get_height() for bar in bars]
    if not sizes:
        return ""
    longest = int(np.argmax(np.abs(sizes)))
    along, beside = (ax.xaxis, ax.yaxis) if lying else (ax.yaxis, ax.xaxis)
    named = _named(beside, _place(bars[longest], lying))
    size = _number(along, sizes[longest])
    many = f"{len(sizes)} bars, the longest" if len(sizes) > 1 else "a bar"
    return " ".join(filter(None, (many, named, size)))


def _place(bar, lying):
    "Where the middle of a bar stands."
    return bar.get_y() + bar.get_height() / 2 if lying else bar.get_x() + bar.get_width() / 2


def _named(axis, place):
    "The word at a place of an axis of words, or the day of one of days; else nothing."
    if _of_days(axis):
        return _number(axis, place)
    told = axis.get_major_formatter().format_ticks([place]) if axis.units else []
    places = axis.get_major_locator()
    if isinstance(places, FixedLocator):
        words = axis.get_major_formatter().format_ticks(places())
        told = [word for at, word in zip(places(), words) if abs(at - place) < 1e-6]
    return told[0] if told else ""
