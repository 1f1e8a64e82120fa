"""Pictures of what may be done without a person: intervals, the rule for tickets, coverage."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ...stats.automation import Certainty
from ...stats.counts import ScoreCounts
from ...stats.coverage import CoverageReport, GroupReport, automation_risk, width_shares
from ...stats.points import as_points
from .chart import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    ROUTES,
    SOFT,
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
    thinned,
    title,
)

__all__ = [
    "intervals",
    "certainty_curve",
    "coverage_days",
    "coverage_groups",
    "interval_widths",
    "decision_flow",
]


@mpl.rc_context(STYLE)
def intervals(alerts: pd.DataFrame, limit: int = 40) -> Chart:
    """Prediction intervals of alerts (columns probability, lower, upper, route).

    Evenly picked from the riskiest to the last.
    """
    picked = _evenly(alerts, limit)
    chart, axes = panels(height=max(2.2, 0.07 * len(picked) + 1.0))
    chart.about("Alerts of a day with their prediction intervals, riskiest first")
    ax = axes[0, 0]
    if picked.empty or picked.lower.isna().all():
        unknown = "no calibration stands, so no interval is known"
        empty(ax, "no alerts on this day" if picked.empty else unknown)
        return chart
    colors = [ROUTES.get(route, GREY) for route in picked.route]
    ax.hlines(picked.index, picked.lower, picked.upper, color=colors, lw=2.4, alpha=0.75)
    ax.scatter(picked.probability, picked.index, color=colors, s=14, zorder=3)
    whole = f"the day's {len(alerts):,} alerts"
    part = f"{len(picked)} of {whole}, evenly picked"
    which = f"T{whole[1:]}" if len(picked) == len(alerts) else part
    ax.set(xlim=(0, 1.01), ylim=(len(picked), -1), yticks=[])
    ax.set(xlabel="score (dot) and its interval (bar)", title=f"{which}, riskiest first")
    lines = [
        Line2D([], [], color=color, lw=3, label="to a person" if route == "alert" else route)
        for route, color in ROUTES.items()
        if route in set(picked.route)
    ]
    chart.legend(handles=lines, loc="outside upper right", ncols=3)
    return chart


def _evenly(rows, limit):
    "At most so many rows, the first and the last among them."
    if not len(rows):
        return rows
    places = np.linspace(0, len(rows) - 1, min(limit, len(rows))).round().astype(int)
    return rows.iloc[np.unique(places)].reset_index(drop=True)


@mpl.rc_context(STYLE)
def certainty_curve(stands: Certainty, counts: ScoreCounts, floor: int, target: float) -> Chart:
    """The probability interval by score, and the automation-risk curve of some days' counts.

    `floor` (points) is where high risk begins, `target` the promised share.
    """
    floor = as_points(floor, counts.grid.kind)
    chart, axes = panels(1, 2, height=3.1, width=9.2)
    chart.about("How often a score is right, and what more automation would cost")
    left, right = axes[0]
    if not counts.total[0]:
        all_empty(axes, "no events")
        return chart
    _interval_by_score(left, stands.bounds, counts)
    risk = automation_risk(counts, floor)
    line = thinned(risk.automated, np.nan_to_num(risk.false, nan=0.0))
    line = line if len(risk.automated) else ([], [])
    right.plot(*line, color=BLUE, label="false share of tickets")
    right.axhline(target, color=RED, ls="--", lw=1.2, label=f"promised: at most {target:.0%}")
    if stands.rule.threshold is not None:
        from_here = max(stands.rule.threshold, floor)
        _mark_threshold(left, right, risk, from_here)
        score = counts.grid.inverse(from_here)
        chart.about(chart.called, f"Tickets begin at a score of {score:.3f}.")
    most = max((false for share, false in zip(*line) if share >= 0.1), default=0)
    right.set(xlabel="share of high-risk events automated", xlim=(0, 1.02))
    right.set(ylim=(0, min(1.02, max(2 * target, 1.1 * most))))
    as_percent(right.xaxis, right.yaxis)
    title(right, "What more automation would cost")
    both = zip(left.get_legend_handles_labels(), right.get_legend_handles_labels())
    chart.legend(*(a + b for a, b in both), loc="outside upper center", ncols=3)
    return chart


def _interval_by_score(ax, bounds, counts):
    "Between which shares of positives the truth lies, at each score; the steps are kept."
    low, high = int(counts.points[0]) - 100, int(counts.points[-1]) + 100
    steps = bounds.starts[(bounds.starts > low) & (bounds.starts < high)]
    points = np.unique(np.append(np.linspace(low, high, 250).astype(int), steps))
    points = points[np.unique(np.linspace(0, len(points) - 1, 300).astype(int))]
    band = {"step": "post", "color": BLUE, "alpha": 0.45, "lw": 0.8}
    ax.fill_between(points, *bounds.intervals(points), **band, label="share of positives, between")
    exact = counts.grid.inverse(points)
    ax.plot(points, exact, color=GREY, ls="--", lw=1.2, label="if scores were exact")
    risk_axis(ax, counts.grid, low, high)
    ax.set_ylim(-0.02, 1.02)
    as_percent(ax.yaxis)
    title(ax, "How often such a score is right")


def _mark_threshold(left, right, risk, threshold):
    "Where tickets begin: as a score, and as a share of high-risk events."
    left.axvline(threshold, color=RED, lw=1.4, label="tickets from here")
    place = np.searchsorted(-risk.thresholds, -threshold, side="right") - 1
    if place >= 0:
        at = [risk.automated[place]], [np.nan_to_num(risk.false[place])]
        right.plot(*at, color=RED, marker="o", ms=6, ls="", label="in force")


@mpl.rc_context(STYLE)
def coverage_days(report: CoverageReport | None, promised: float = 0.9) -> Chart:
    "Coverage of each label by day, and with its interval over all days."
    chart, axes = panels(1, 2, height=2.8, width=9.2, gridspec_kw={"width_ratios": [2.4, 1]})
    chart.about("Outcomes that lay inside their prediction set, by day and in all")
    left, right = axes[0]
    if report is None or not report.by_day:
        all_empty(axes, "no day with mature labels yet")
        return chart
    days = pd.to_datetime(list(report.by_day))
    for name, key, color in (("negatives", "0", GREY), ("positives", "1", BLUE)):
        shares = [figures[key].value for figures in report.by_day.values()]
        left.plot(days, shares, color=color, marker="o", ms=2.5, label=name)
    _with_interval(right, 0, report.by_label[0], GREY)
    _with_interval(right, 1, report.by_label[1], BLUE)
    right.set_xticks([0, 1], ["negatives", "positives"])
    right.set_xlim(-0.6, 1.6)
    for ax, label in ((left, f"promised {promised:.0%}"), (right, None)):
        ax.axhline(promised, color=RED, ls="--", lw=1.2, label=label)
        as_percent(ax.yaxis)
    dates(left)
    title(left, "Outcomes inside their set, by day")
    title(right, "All days, 95 % interval")
    chart.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


@mpl.rc_context(STYLE)
def coverage_groups(report: GroupReport | None, limit: int = 20) -> Chart:
    "Coverage of the worst labels of groups by the sets of all and by their own, with intervals."
    rows = report.rows[:limit] if report else ()
    if not rows:
        return nothing("Coverage by group", "no group has labels enough to be judged")
    chart, axes = panels(height=max(2.2, 1.1 + 0.22 * len(rows)))
    ax, below = axes[0, 0], np.arange(len(rows))
    short = sum(row.short for row in report.rows)
    chart.about(
        "Labels inside their prediction set by group, worst first, with 95 % intervals",
        f"{short} of {len(report.rows)} are shown to be covered less than stated.",
    )
    for figures, color, shift, label in (
        ([row.pooled for row in rows], BLUE, -0.15, "sets of all groups together"),
        ([row.own for row in rows], GREY, 0.15, "sets of its own"),
    ):
        value, lower, upper = np.array([figure[:3] for figure in figures]).T
        ax.hlines(below + shift, lower, upper, color=color, lw=1.6, alpha=0.7)
        ax.plot(value, below + shift, color=color, marker="o", ms=4, ls="", label=label)
    ax.axvline(report.coverage, color=RED, ls="--", lw=1.2, label=f"stated {report.coverage:.0%}")
    kinds = ("negatives", "positives")
    ax.set_yticks(below, [f"{in_short(row.group)}, {kinds[row.label]}" for row in rows])
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlim=(None, 1.01))
    as_percent(ax.xaxis)
    title(ax, "Labels inside their set by group, worst first")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


def _with_interval(ax, place, figure, color):
    "A share as a dot, with its interval where one is known."
    half = None
    if np.isfinite(figure.lower):
        half = [[figure.value - figure.lower], [figure.upper - figure.value]]
    ax.errorbar([place], [figure.value], yerr=half, color=color, marker="o", capsize=4)


@mpl.rc_context(STYLE)
def interval_widths(counts: ScoreCounts, stands: Certainty | None) -> Chart:
    "Share of events by the width of their probability interval."
    chart, axes = panels(height=2.4, width=6.4)
    chart.about("Events by the width of their probability interval")
    ax = axes[0, 0]
    if stands is None or not counts.total[0]:
        empty(ax, "no calibration stands" if stands is None else "no events")
        return chart
    shares = width_shares(counts, stands.bounds)
    bars = ax.bar(range(len(shares)), shares.values(), color=BLUE)
    ax.bar_label(bars, [_in_whole_percent(share) for share in shares.values()], fontsize=9)
    ax.set_xticks(range(len(shares)), shares)
    ax.set(title="Width of the probability interval", ylim=(0, 1.12))
    ax.set(ylabel="share of events", xlabel="width (share of positives)")
    as_percent(ax.yaxis)
    return chart


def _in_whole_percent(share):
    "A bar's label: none for nothing, '<1%' for what would round to it."
    if not share:
        return ""
    return f"{share:.0%}" if share >= 0.005 else "<1%"


@mpl.rc_context(STYLE)
def decision_flow() -> Chart:
    "The path of one prediction as a picture."
    chart, axes = panels(height=3.3, width=9.2)
    chart.about(
        "The path of one prediction",
        "A score becomes points. Below HIGH it is logged only. From HIGH on it is a ticket, which "
        "acts by itself, at or above the ticket threshold; else, or where no threshold stands, "
        "an alert, on which a person decides.",
    )
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set(xlim=(0, 100), ylim=(0, 40))
    _box(ax, 8, 24, "score\nas points")
    _box(ax, 33, 24, "HIGH or\nCRITICAL?")
    _box(ax, 61, 24, "at or above the\nticket threshold?")
    _box(ax, 91, 34, "ticket\nacts by itself", RED)
    _box(ax, 91, 14, "alert\na person decides", ORANGE)
    _box(ax, 33, 5, "monitor\nlogged only", SOFT)
    _arrow(ax, (14, 24), (26, 24), "")
    _arrow(ax, (40, 24), (50, 24), "yes")
    _arrow(ax, (33, 20), (33, 9), "no", dx=2.5, dy=0)
    _arrow(ax, (72, 25.5), (83, 32), "yes", dx=-2)
    _arrow(ax, (72, 22.5), (82, 16), "no, or no\nthreshold stands", dx=-4, dy=-4.5)
    return chart


def _box(ax, x, y, text, color="white"):
    "A step: a question on white, a way to end in colour."
    plain = color == "white"
    frame = {"boxstyle": "round,pad=0.6", "fc": color, "ec": GREY if plain else color}
    ink = INK if plain else "white"
    ax.text(x, y, text, ha="center", va="center", color=ink, bbox=frame)


def _arrow(ax, start, end, text, dx=0.0, dy=1.6):
    "From one step to the next, with the answer that leads there."
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": GREY, "lw": 1.4})
    x, y = ((a + b) / 2 for a, b in zip(start, end))
    ax.text(x + dx, y + dy, text, ha="center", color=INK)
