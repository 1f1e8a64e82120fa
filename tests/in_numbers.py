"""A chart as text: every panel with its limits and ticks, and what is drawn on it, with numbers."""

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

MANY = 14
"Points of a line that are all told; of a longer one its ends and its sums."


def in_numbers(chart) -> str:
    "All that a chart shows, but for fonts and how much room there is around a panel."
    width, height = chart.get_size_inches()
    said = [f"{_n(width)} x {_n(height)} {chart.called!r}", f"finding {chart.finding!r}"]
    said += [line for one in chart.legends for line in _legend(one)]
    for k, ax in enumerate(chart.axes):
        said += [f"panel {k}: {ax.get_subplotspec()}", *(f"  {line}" for line in _panel(ax))]
    return "\n".join(said)


def _n(value):
    return f"{float(value):.6g}"


def _color(color):
    try:
        return to_hex(color, keep_alpha=True)
    except ValueError:
        return str(color)


def _numbers(values):
    values = np.asarray(values, dtype=float).ravel()
    if len(values) <= MANY:
        return "[" + " ".join(map(_n, values)) + "]"
    known = values[np.isfinite(values)]
    ends = [*values[:3], *values[-3:]]
    weighted = (values * np.arange(len(values)))[np.isfinite(values)].sum()
    told = [len(values), len(known), *ends, known.sum(), weighted]
    return "many [" + " ".join(map(_n, told)) + "]"


def _panel(ax):
    yield f"on {ax.axison}, {ax.get_title()!r} {ax.get_title('left')!r}"
    yield from (f"text {_text(text)}" for text in ax.texts)
    if not ax.axison:
        return
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        places = axis.get_major_locator()()
        words = axis.get_major_formatter().format_ticks(places)
        labels = axis.get_ticklabels()
        turned = {text.get_rotation() for text in labels}
        sizes = {_n(text.get_fontsize()) for text in labels}
        grid = axis.get_tick_params().get("gridOn")
        yield (
            f"{axis.axis_name} {axis.get_label_text()!r} {axis.get_scale()} {_numbers(limits)} "
            f"{_numbers(places)} {words} {sorted(turned)} {sorted(sizes)} grid {grid}"
        )
    yield from (f"line {_line(line)}" for line in ax.lines)
    yield from (f"patch {_patch(patch)}" for patch in ax.patches)
    yield from (f"many {_collection(one)}" for one in ax.collections)
    if ax.get_legend():
        yield from _legend(ax.get_legend())


def _line(line):
    x, y = line.get_data(orig=False)
    return (
        f"{line.get_label()!r} {line.get_linestyle()} {line.get_drawstyle()} {line.get_marker()} "
        f"{_n(line.get_linewidth())} {_n(line.get_markersize())} {_color(line.get_color())} "
        f"{line.get_alpha()} {_numbers(x)} {_numbers(y)}"
    )


def _patch(patch):
    if isinstance(patch, Rectangle):
        where = [*patch.get_xy(), patch.get_width(), patch.get_height()]
    else:
        where = patch.get_path().vertices
    look = f"{_color(patch.get_facecolor())} {_color(patch.get_edgecolor())} {patch.get_hatch()}"
    return f"{patch.get_label()!r} {look} {_n(patch.get_linewidth())} {_numbers(where)}"


def _collection(one):
    paths = np.concatenate([p.vertices for p in one.get_paths()] or [np.empty((0, 2))])
    colors = [_color(c) for c in [*one.get_facecolor(), *one.get_edgecolor()]]
    return (
        f"{type(one).__name__} {one.get_label()!r} {sorted(set(colors))} {_numbers(paths)} "
        f"{_numbers(one.get_offsets())} {_numbers(np.atleast_1d(one.get_linewidth()))}"
    )


def _text(text):
    x, y = text.get_position()
    arrow = getattr(text, "xy", None)
    ends = f" to {_numbers(arrow)}" if arrow is not None else ""
    sides = f"{text.get_ha()} {text.get_va()} {_color(text.get_color())}"
    box = text.get_bbox_patch()
    within = f" in {_color(box.get_facecolor())} {_color(box.get_edgecolor())}" if box else ""
    return f"{text.get_text()!r} {_n(x)} {_n(y)} {sides} {_n(text.get_fontsize())}{ends}{within}"


def _legend(legend):
    words = [text.get_text() for text in legend.get_texts()]
    size = _numbers(legend.get_bbox_to_anchor().size)
    yield f"legend {words} {legend._ncols} {legend._loc} {size}"
    for handle in legend.legend_handles:
        color = handle.get_color() if hasattr(handle, "get_color") else handle.get_facecolor()
        yield f"  {type(handle).__name__} {handle.get_label()!r} {np.shape(color) or color}"
