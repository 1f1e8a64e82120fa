"""Pictures of what moved: the score, the evidence of every stream, features and their bins."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ...stats.counts import ScoreCounts
from ...stats.drift import FIRST, MISSING, UNSEEN, FeatureShift
from ...stats.points import as_points
from ...watch.alarms import Drift
from ..vocabulary import looked_at
from .chart import (
    BLUE,
    FAINT,
    GREY,
    INK,
    ORANGE,
    RED,
    STYLE,
    Chart,
    all_empty,
    as_percent,
    dates,
    empty,
    in_short,
    nothing,
    panels,
    risk_axis,
    spare,
    thinned,
    title,
)

__all__ = [
    "FIRST_STREAMS",
    "score_shift",
    "evidence",
    "stream_values",
    "feature_ranking",
    "feature_bins",
]

FIRST_STREAMS = ("score", "calibration", "positive rate")


@mpl.rc_context(STYLE)
def score_shift(
    recent: ScoreCounts,
    reference: ScoreCounts,
    at: int | None = None,
    names: tuple[str, str] = ("last 7 days", "30-60 days ago"),
) -> Chart:
    """Densities of the score in two windows, and the shares at or below each score.

    `at` (points) marks the largest gap.
    """
    at = as_points(at, recent.grid.kind)
    chart, axes = panels(1, 2, height=3.0, width=9.2)
    chart.about(f"Scores of the {names[0]} beside those of {names[1]}")
    if not recent.total[0] or not reference.total[0]:
        all_empty(axes, "one of the windows is empty")
        return chart
    density, shares = axes[0]
    scores = np.concatenate([recent.points, reference.points])
    low, high = scores.min() - 300, scores.max() + 300
    _window(density, shares, reference, (low, high), names[1], GREY)
    _window(density, shares, recent, (low, high), names[0], BLUE)
    density.set(title="Where scores lie", ylabel="share of events")
    shares.set(title="Share of events scored at or below")
    if at is not None:
        _mark_gap(shares, recent, reference, at)
    for ax in axes.flat:
        risk_axis(ax, recent.grid, low, high)
        as_percent(ax.yaxis)
    chart.legend(*shares.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


def _window(density, shares, counts, span, name, color):
    "One window in both panels; the one in grey is filled."
    low, high = span
    edges = np.arange(low, high + 250, 250)
    heights = np.histogram(counts.points, edges, weights=counts.n)[0] / counts.n.sum()
    filled = color == GREY
    density.stairs(heights, edges, color=color, fill=filled, alpha=0.45 if filled else 1, lw=1.8)
    below = np.r_[0, np.cumsum(counts.n) / counts.n.sum(), 1]
    line = thinned(np.r_[low, counts.points, high], below)
    shares.step(*line, where="post", color=color, label=name)


def _mark_gap(shares, recent, reference, at):
    "The largest distance between the two lines."
    ends = [np.interp(at, c.points, np.cumsum(c.n) / c.n.sum()) for c in (recent, reference)]
    label = f"largest gap {abs(ends[0] - ends[1]):.0%}"
    shares.plot([at, at], ends, color=RED, lw=2.5, label=label)


def _mark_days(ax, days, chosen, **look):
    "Shade runs of chosen days."
    steps = np.diff(np.concatenate([[0], np.asarray(chosen, dtype=int), [0]]))
    edges, half = np.flatnonzero(steps), np.timedelta64(12, "h")
    for start, end in zip(edges[::2], edges[1::2]):
        ax.axvspan(days[start] - half, days[end - 1] + half, **look)


def _as_dates(days):
    return np.array(days, dtype="datetime64[D]").astype("datetime64[s]")


@mpl.rc_context(STYLE)
def evidence(seen: Drift, most: int = 9, last: int = 120, columns: int = 3) -> Chart:
    """Small multiples of log10 evidence over the last days, for the streams that matter most.

    0 is the alarm of a stream on its own.
    """
    if not seen.questions:
        return nothing("Evidence of change, stream by stream", "nothing is watched yet")
    heights = (seen.followed.evidence - seen.followed.bar)[-last:] / np.log(10)
    chosen = _most_telling(seen, heights)[:most]
    rows, days = -(-len(chosen) // columns), _as_dates(seen.days[-last:])
    chart, axes = panels(rows, columns, height=1.75, width=9.2, sharex=True, sharey=True)
    for ax, i in zip(axes.flat, chosen):
        _mark_days(ax, days, seen.followed.open[-last:, i], color=ORANGE, alpha=0.18, lw=0)
        silent = {"facecolor": "none", "edgecolor": FAINT, "hatch": "///"}
        _mark_days(ax, days, seen.muted[-last:], **silent, lw=0)
        _path(ax, days, heights[:, i])
        dates(ax)
        title(ax, seen.questions[i].stream.name)
    spare(axes, len(chosen))
    for ax in axes[:, 0]:
        ax.set_ylabel("powers of ten", fontsize=8)
    alarmed = [seen.questions[i].stream.name for i in chosen if seen.followed.open[-1, i]]
    chart.about(
        "Evidence of change, stream by stream, in powers of ten over days",
        f"At 0 a stream raises the alarm on its own. In alarm: {', '.join(alarmed) or 'none'}.",
    )
    return chart


def _most_telling(seen, heights):
    "Places of streams: the first three, then those in alarm, then those with most evidence."
    streams = [question.stream.name for question in seen.questions]
    return sorted(
        range(len(streams)),
        key=lambda i: (
            streams[i] not in FIRST_STREAMS,
            not seen.followed.open[-1, i],
            -heights[:, i].max(),
        ),
    )


def _path(ax, days, height):
    "The evidence of a stream; what is beyond the panel is marked at its top."
    ax.plot(days, np.clip(height, -6, 8), color=BLUE)
    ax.axhline(0, color=RED, ls="--", lw=1.2)
    ax.set_ylim(-6.5, 8.9)
    beyond = height > 8
    ax.plot(days[beyond], np.full(beyond.sum(), 8.3), color=BLUE, marker="^", ms=3, lw=0)


@mpl.rc_context(STYLE)
def stream_values(
    seen: Drift, names: Sequence[str] | None = None, last: int = 120, columns: int = 3
) -> Chart:
    """What a stream watches, day by day, against what its reference expects (dashed).

    Of the named streams, or of those in alarm and the score.
    """
    first = dict.fromkeys([*(alarm.stream for alarm in seen.alarms), *FIRST_STREAMS])
    wanted = list(first)[:6] if names is None else list(names)
    days, questions = seen.last(last)
    chosen = [q for name in wanted for q in questions if q.stream.name == name]
    if not chosen:
        return nothing("What streams watch, day by day", "nothing is watched yet")
    chart, axes = panels(-(-len(chosen) // columns), columns, height=1.85, width=9.2)
    for ax, question in zip(axes.flat, chosen):
        _values(ax, question, days, last)
    spare(axes, len(chosen))
    chart.about("What streams watch, day by day, beside what their reference expects")
    lines = [
        Line2D([], [], color=BLUE, marker="o", ms=2.5, lw=1),
        Line2D([], [], color=GREY, ls="--", lw=1.2),
    ]
    words = ["day by day", "expected by the reference"]
    chart.legend(lines, words, loc="outside upper center", ncols=2)
    return chart


def _values(ax, question, days, last):
    "One stream and what its reference expects."
    days = _as_dates(days[: len(question.series)][-last:])
    ax.plot(days, question.series[-last:], color=BLUE, marker="o", ms=1.8, lw=1)
    ax.plot(days, question.normal[-last:], color=GREY, ls="--", lw=1.2, label="expected")
    if question.stream.unit == "of events":
        as_percent(ax.yaxis)
    ax.set_ylabel(_UNITS.get(question.stream.unit, question.stream.unit), fontsize=8)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    dates(ax)
    title(ax, _stream_title(question), fontsize=9.5)


_UNITS = {"of events": "of events", "logits": "log-odds", "log ratio": "times"}
"What a panel says of the unit of a stream."


def _stream_title(question):
    "The name of a stream, and where it is looked at when that says more."
    name, unit = question.stream.name, question.stream.unit
    where = looked_at(question.where, question.at)
    if where == name or unit == "log ratio":
        return name
    if unit == "logits":
        return "label, difference of log-odds"
    return f"{in_short(name, max(8, 32 - len(where)))} {where}"


@mpl.rc_context(STYLE)
def feature_ranking(shifts: Sequence[FeatureShift], tolerance: float, limit: int = 30) -> Chart:
    """Bars of the largest share of events that moved across a cut, or changed category.

    With 95 % intervals for independent rows; the dashed line is the tolerance.
    """
    chosen = [f for f in shifts if np.isfinite(f.effect)][:limit][::-1]
    chart, axes = panels(height=0.6 + 0.26 * max(3, len(chosen)), width=7.4)
    ax = axes[0, 0]
    moved = sum(f.practical(tolerance) for f in chosen)
    chart.about(
        "How far each feature moved: the largest change, as a share of events",
        f"{moved} of {len(chosen)} features moved by more than the tolerated {tolerance:.1%}.",
    )
    if not chosen:
        empty(ax, "no feature has a reference to compare with")
        return chart
    values = np.array([f.effect for f in chosen])
    colors = [ORANGE if f.practical(tolerance) else GREY for f in chosen]
    ax.barh([f.name for f in chosen], values, color=colors, height=0.62)
    half = [values - [f.lower for f in chosen], [f.upper - f.effect for f in chosen]]
    ax.errorbar(values, range(len(chosen)), xerr=half, fmt="none", ecolor=INK, lw=0.9)
    ax.axvline(tolerance, color=RED, ls="--", lw=1, label=f"tolerated: {tolerance:.1%}")
    ax.legend(loc="lower right")
    as_percent(ax.xaxis)
    farthest = min(1.0, max(0.05, 1.05 * max(f.upper for f in chosen)))
    ax.set_xlim(0, farthest)
    title(ax, "Largest change, share of events")
    ax.grid(axis="y", visible=False)
    return chart


@mpl.rc_context(STYLE)
def feature_bins(seen: Drift, limit: int = 6, columns: int = 3) -> Chart:
    """Recent days (bars) and reference (line) in the bins of training, of what moved most.

    `-` is missing, `?` never seen in training.
    """
    chosen = [f for f in seen.shifts if np.isfinite(f.effect)][:limit]
    if not chosen:
        return nothing(
            "Features in their bins, recent days beside the reference",
            "no feature has a reference to compare with",
        )
    chart, axes = panels(-(-len(chosen) // columns), columns, height=1.9, width=9.2)
    for ax, feature in zip(axes.flat, chosen):
        _bins(ax, *seen.vectors[feature.name])
        ax.set_ylabel("of events", fontsize=8)
        title(ax, feature.name)
    spare(axes, len(chosen))
    chart.about("Features in their bins: shares of events, recent days beside the reference")
    marks = [Rectangle((0, 0), 1, 1, color=BLUE), Line2D([], [], color=INK, lw=1.2)]
    words = ["recent days", "reference (-: missing, ?: never seen)"]
    chart.legend(marks, words, loc="outside upper center", ncols=2)
    return chart


def _bins(ax, recent, reference, rule):
    "One feature: the twelve largest categories, or every bin between cuts with some of its names."
    categories = rule.get("categories")
    if categories is None:
        names = [f"{cut:.4g}" for cut in (*rule["cuts"], np.inf)]
        order = np.arange(len(names))
    else:
        names = [str(category) for category in categories]
        order = np.argsort(-(recent + reference)[FIRST:])[:12]
    places = [MISSING, UNSEEN, *(FIRST + order)]
    labels = ["-", "?", *(names[i] for i in order)]
    x = np.arange(len(places))
    ax.bar(x, recent[places] / max(1, recent.sum()), color=BLUE, width=0.8)
    ax.step(x, reference[places] / max(1, reference.sum()), where="mid", color=INK, lw=1.2)
    step = max(1, len(x) // 5)
    few = [0, *range(1 + max(2, len(x) // 5), len(x) - 1, step)]
    named = x[few] if categories is None else x
    turned = 60 if categories is not None and max(map(len, labels)) > 3 else 0
    ax.set_xticks(named, [labels[i] for i in named], fontsize=7.5, rotation=turned)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    as_percent(ax.yaxis, decimals=None)
    ax.grid(axis="x", visible=False)
