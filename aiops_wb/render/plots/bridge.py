"""A picture of why a figure changed: a waterfall from before to after."""

from math import isnan

import matplotlib as mpl

from ...stats.bridge import Bridge
from ..vocabulary import FACTORS, metric
from .chart import BLUE, GREY, INK, ORANGE, STYLE, Chart, as_percent, nothing, panels, title

__all__ = ["waterfall"]

LEAST = 0.01
"A part smaller than this share of the largest is not drawn."


@mpl.rc_context(STYLE)
def waterfall(found: Bridge) -> Chart:
    """The figure before, each part with its interval where it leads to, the largest first, and the
    figure after; parts that days make by chance are pale."""
    if found.unknown:
        name = f"Why {metric(found.figure).column} changed"
        return nothing(name, f"w{name[1:]} is unknown, {found.unknown}")
    largest = max(abs(p.change.value) for p in found.parts)
    parts = [p for p in found.ranked if abs(p.change.value) > LEAST * largest] if largest else []
    chart, axes = panels(height=0.9 + 0.34 * (len(parts) + 2), width=8.6)
    ax, at = axes[0, 0], found.before
    names = ["before", *(FACTORS[p.factor] for p in parts), "after"]
    ax.axvline(found.before, color=GREY, lw=1, ls=":")
    for place, part in enumerate(parts, 1):
        _bar(ax, place, part, at)
        at += part.change.value
    for place, value in ((0, found.before), (len(parts) + 1, found.after)):
        ax.plot([value], [place], marker="D", color=INK, ms=5, ls="")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    called = f"{metric(found.figure).title}{' a day' if found.unit == 'a day' else ''}"
    if found.unit == "points":
        as_percent(ax.xaxis)
    else:
        ax.set_xlabel(called)
    title(ax, f"{called}: why it changed")
    chart.about(f"{called}: why it changed", found.says())
    return chart


def _bar(ax, place, part, start):
    "A part from where the ones before it led, its interval about where it leads itself."
    value, lower, upper = part.change[:3]
    pale = 1.0 if part.beyond_chance else 0.4
    ax.barh(place, value, left=start, height=0.6, color=BLUE if value < 0 else ORANGE, alpha=pale)
    if not isnan(lower):
        ax.plot([start + lower, start + upper], [place, place], color=INK, lw=1)
