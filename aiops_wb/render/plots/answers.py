"""Pictures of what somebody asks in a notebook."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from .chart import (
    BLUE,
    CELL,
    GREEN,
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
    thinned,
    title,
)

__all__ = ["both_losses", "curves_of", "pushes", "scores_by_label", "with_intervals"]

COLOURS = (BLUE, ORANGE, GREEN, RED, GREY, INK)
LINES = ("-", "--", ":")


@mpl.rc_context(STYLE)
def scores_by_label(scores: pd.Series, label: pd.Series | None, name: str) -> Chart:
    "How many events have which score, by label; `name` is what the score is."
    if not len(scores):
        return nothing("Scores of events", "there is no event")
    chart, axes = panels(height=2.8, width=7.4)
    chart.about(f"Scores of {len(scores):,} events, by label")
    ax = axes[0, 0]
    known = pd.Series(pd.NA, index=scores.index) if label is None else label
    parts = [
        ("positive", scores[(known == 1).fillna(False)], RED),
        ("negative", scores[(known == 0).fillna(False)], BLUE),
        ("no label", scores[known.isna()], GREY),
    ]
    parts = [part for part in parts if len(part[1])]
    low, high = (0.0, 1.0) if name == "probability" else (scores.min(), scores.max())
    edges = np.linspace(low, high if high > low else low + 1, 26)
    told = [part[1].to_numpy(dtype=float) for part in parts]
    looks = {"color": [part[2] for part in parts], "label": [part[0] for part in parts]}
    ax.hist(told, edges, stacked=True, **looks)
    ax.set(xlabel=name, ylabel="events")
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.legend(loc="best")
    title(ax, "Scores by label")
    return chart


@mpl.rc_context(STYLE)
def with_intervals(names: Sequence[str], figures: Sequence[tuple], says: str = "") -> Chart:
    "Figures between 0 and 1 below each other: value, lower and upper end of each."
    known = [(n, f) for n, f in zip(names, figures) if np.isfinite(f[0])]
    if not known:
        return nothing("Figures with their intervals", "none of these figures is known")
    chart, axes = panels(height=0.9 + 0.26 * max(3, len(known)), width=7.4)
    chart.about("Figures with their 95 % intervals", says)
    ax, places = axes[0, 0], range(len(known))
    for place, (_, (value, lower, upper)) in zip(places, known):
        if np.isfinite(lower):
            ax.plot([lower, upper], [place, place], color=BLUE, lw=2)
        ax.plot([value], [place], "o", color=BLUE, ms=5)
    ax.set_yticks(places, [name for name, _ in known])
    ax.set(xlim=(-0.02, 1.02), ylim=(len(known) - 0.5, -0.5), xlabel="0 to 1, with 95 % intervals")
    ax.grid(axis="y", visible=False)
    title(ax, "Figures and what is known of them")
    return chart


@mpl.rc_context(STYLE)
def curves_of(groups: Mapping[str, pd.DataFrame], says: str = "") -> Chart:
    """Precision over recall, and recall over the false positive rate, of each group: frames with
    precision, recall and fpr by threshold, ascending."""
    chart, axes = panels(1, 2, height=3.4, width=CELL)
    chart.about("Precision over recall, and the ROC curve, of each group", says)
    known = {name: of for name, of in groups.items() if of.recall.notna().any()}
    if not known:
        all_empty(axes, "no positive event is known")
        return chart
    precise, caught = axes[0]
    for place, (name, of) in enumerate(known.items()):
        look = {"color": COLOURS[place % 6], "ls": LINES[place // 6 % 3], "lw": 1.5}
        precise.step(*thinned(of.recall.to_numpy(), of.precision.to_numpy()), where="post", **look)
        fpr, recall = (np.append(of[column].to_numpy(), 0.0) for column in ("fpr", "recall"))
        caught.plot(*thinned(fpr, recall), label=in_short(name), **look)
    precise.set(xlabel="recall", ylabel="precision")
    caught.set(xlabel="false positive rate", ylabel="recall")
    caught.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1)
    for ax, text in ((precise, "Precision and recall"), (caught, "ROC curve")):
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        as_percent(ax.xaxis, ax.yaxis)
        title(ax, text)
    if len(known) > 1:
        lines = caught.get_legend_handles_labels()
        chart.legend(*lines, loc="outside upper center", ncols=min(6, len(known)))
    return chart


@mpl.rc_context(STYLE)
def pushes(
    features: Sequence[tuple[str, float]], called: str, says: str = "", most: int = 12
) -> Chart:
    "What each feature pushed, in log-odds, the strongest first; the rest as one bar."
    if not features:
        return nothing(called, "no feature pushed")
    told = list(features[:most])
    if rest := features[most:]:
        told.append((f"{len(rest)} others", sum(push for _, push in rest)))
    chart, axes = panels(height=0.8 + 0.28 * max(3, len(told)), width=7.4)
    chart.about(called, says)
    ax = axes[0, 0]
    colours = [ORANGE if push > 0 else BLUE for _, push in told]
    ax.barh(range(len(told)), [push for _, push in told], color=colours, height=0.62)
    ax.axvline(0, color=INK, lw=1)
    ax.set_yticks(range(len(told)), [in_short(name, 36) for name, _ in told])
    ax.set(xlabel="push, log-odds", ylim=(len(told) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    title(ax, called)
    return chart


@mpl.rc_context(STYLE)
def both_losses(
    days: pd.DataFrame,
    names: tuple[str, str],
    counted: Mapping[str, int],
    says: str = "",
) -> Chart:
    """Two models on the same events: the mean log loss of each day (columns day, a, b), and how
    many events both call, and each alone."""
    if not counted:
        return nothing(f"{names[0]} and {names[1]} on the same events", "no event is in both")
    chart, axes = panels(1, 2, height=2.9, width=CELL)
    chart.about(f"{names[0]} and {names[1]} on the same events", says)
    over_time, called = axes[0]
    if days.empty:
        empty(over_time, "no loss is known")
    else:
        at = pd.to_datetime(days.day)
        for column, name, colour in zip(("a", "b"), names, (BLUE, ORANGE)):
            over_time.plot(at, days[column], color=colour, marker="o", ms=2.5, label=in_short(name))
        over_time.set_ylabel("log loss, nats")
        over_time.legend(loc="best")
        dates(over_time)
        title(over_time, "Mean loss of a day")
    shown = list(counted.items())
    colours = [RED, BLUE, ORANGE][: len(shown)]
    called.barh(range(len(shown)), [n for _, n in shown], color=colours, height=0.6)
    called.set_yticks(range(len(shown)), [in_short(name, 24) for name, _ in shown])
    called.set(xlabel="events", ylim=(len(shown) - 0.5, -0.5))
    called.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    called.grid(axis="y", visible=False)
    title(called, "Events that are called")
    return chart
