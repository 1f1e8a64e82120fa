"""A picture for each question."""

import re
from collections.abc import Mapping, Sequence
from io import StringIO

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from ..stats.automation import Certainty
from ..stats.counts import ScoreCounts
from ..stats.coverage import CoverageReport, automation_risk, width_shares
from ..stats.drift import FIRST, MISSING, UNSEEN, FeatureShift
from ..stats.estimates import Maturation
from ..stats.performance import proportion, reliability_bins
from ..stats.points import PER_UNIT, Grid
from ..stats.thresholds import Curve
from ..watch.alarms import Drift

__all__ = [
    "INK",
    "FAINT",
    "BLUE",
    "ORANGE",
    "RED",
    "GREEN",
    "GREY",
    "ROUTES",
    "STYLE",
    "TITLES",
    "COUNTED",
    "QUALITY",
    "SHARES",
    "FIRST_STREAMS",
    "Chart",
    "history",
    "reliability",
    "score_shift",
    "evidence",
    "stream_values",
    "feature_ranking",
    "feature_bins",
    "label_pace",
    "threshold_curve",
    "intervals",
    "certainty_curve",
    "coverage_days",
    "interval_widths",
    "decision_flow",
    "reason_bars",
    "challenge_bars",
]


INK, FAINT, BLUE, ORANGE, RED, GREEN, GREY = (
    "#1d2733",
    "#dfe4ea",
    "#2563c9",
    "#d97706",
    "#c02626",
    "#15803d",
    "#8a97a6",
)
ROUTES = {"ticket": RED, "alert": ORANGE, "monitor": GREY}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "aiops_wb",
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


class Chart(MplFigure):
    "A matplotlib figure that shows itself as SVG in any notebook front end."

    def _repr_svg_(self) -> str:
        buffer = StringIO()
        with mpl.rc_context(STYLE):
            self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        svg = buffer.getvalue()
        short = lambda match: re.sub(
            r"(\.\d{2})\d+", r"\1", match[0]
        )  # a hundredth of a point is fine enough for positions, not for text
        svg = re.sub(
            r' (?:d|x|y|x1|x2|y1|y2|points|transform)="[^"]*"', short, svg[svg.index("<svg") :]
        )
        return re.sub(r"font: ([\d.]+)px 'sans-serif'", r"font: \1px system-ui, sans-serif", svg)


def _chart(rows=1, columns=1, width=8.6, height=2.9, **options):
    chart = Chart(figsize=(width, height * rows), layout="constrained")
    return chart, chart.subplots(rows, columns, squeeze=False, **options)


def _empty(axes, text):
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes, fontsize=11
    )


def _nothing(text):
    "A figure that says why there is none."
    chart, axes = _chart(height=1.6)
    _empty(axes[0, 0], text)
    return chart


def _spare(axes, used):
    "Panels beyond those used are not drawn."
    for ax in axes.flat[used:]:
        ax.set_axis_off()


def _thin(x, *ys, most=250):
    "At most so many points of a long step line, ends kept: a page does not need 5,000."
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return np.asarray(x)[kept], *(np.asarray(y)[kept] for y in ys)


def _risk_axis(axes, grid, low, high):
    "Ticks at round probabilities on an axis of points."
    if grid.kind == "logit":
        ticks = np.array([0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999])
        at = PER_UNIT * np.log(ticks / (1 - ticks))
        kept = (at >= low) & (at <= high)
        axes.set_xticks(at[kept], [f"{t:g}" for t in ticks[kept]])
        axes.set_xlabel("score (probability, log-odds scale)")
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / PER_UNIT:g}"))
        axes.set_xlabel("score")
    axes.set_xlim(low, high)


def _dates(axes):
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=4))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))


TITLES = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "f1": "F1",
    "fpr": "False positive rate",
    "fdr": "False discovery rate",
    "ks": "Score distance (KS)",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "precision_top_1pct": "Precision, riskiest 1 %",
    "lift_top_1pct": "Lift, riskiest 1 %",
    "label_offset": "Offset of the label (log-odds)",
    "drift_alarms": "Open alarms",
    "latency_p50_ms": "Latency p50 (ms)",
    "latency_p99_ms": "Latency p99 (ms)",
    "labelled_share": "Share labelled",
    "positive_rate": "Positive rate",
    "latency_p95_ms": "Latency p95 (ms)",
    "latency_mean_ms": "Mean latency (ms)",
    "automated_share": "Share automated",
    "decisions_ticket": "Tickets a day",
    "decisions_alert": "To a person, a day",
    "alerts": "Above the threshold, a day",
    "score_shift": "Mean shift (log-odds)",
    "mean_width": "Mean interval width",
    "brier": "Brier score",
    "ticket_threshold": "Score that a ticket needs",
    "false_ticket_share": "False tickets, labels complete",
    "coverage_positive": "Positives covered",
    "promise_evidence": "Evidence against the promise",
}
COUNTED = {"predictions", "alerts", "decisions_ticket", "decisions_alert", "drift_alarms"}
QUALITY = {
    "log_loss",
    "ece",
    "precision_top_1pct",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "pr_auc",
    "roc_auc",
    "brier",
    "fpr",
    "fdr",
    "positive_rate",
}
SHARES = {
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "fpr",
    "fdr",
    "labelled_share",
    "positive_rate",
    "automated_share",
    "narrow_share",
    "ks",
    "precision_top_1pct",
    "false_ticket_share",
    "coverage_positive",
}


@mpl.rc_context(STYLE)
def history(
    metrics: pd.DataFrame,
    names: Sequence[str],
    baseline: Mapping[str, float] | None = None,
    columns: int = 3,
) -> Chart:
    "Small multiples over days of a tidy table (event_date, metric, value, lower, upper)."
    rows = -(-len(names) // columns)
    chart, axes = _chart(rows, columns, height=1.9, width=9.2, sharex=True)
    for ax, name in zip(axes.flat, names):
        frame = metrics[metrics.metric == name].sort_values("event_date")
        base = name.removesuffix("_week")
        title = TITLES.get(base, base.replace("_", " ").capitalize())
        ax.set_title(title + (", 7 days" if name.endswith("_week") else ""))
        if frame.value.notna().sum() == 0:
            _empty(ax, "not known yet")
            continue
        days = pd.to_datetime(frame.event_date)
        ax.plot(days, frame.value, color=BLUE, marker="o", ms=2.5)
        ax.fill_between(
            days, frame.lower.astype(float), frame.upper.astype(float), color=BLUE, alpha=0.14, lw=0
        )
        target = (baseline or {}).get(base) if base in QUALITY else None
        if target is not None and np.isfinite(target):
            ax.axhline(target, color=GREY, ls="--", lw=1.2)
        if base in COUNTED:
            ax.set_ylim(bottom=0, top=max(1, frame.value.max() * 1.08))
        if base in SHARES:
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        if len(days) < 3:
            ax.set_xlim(days.min() - pd.Timedelta(days=3), days.max() + pd.Timedelta(days=3))
        _dates(ax)
    _spare(axes, len(names))
    return chart


@mpl.rc_context(STYLE)
def reliability(counts: ScoreCounts, bins: int = 10) -> Chart:
    "Observed share of positives against the mean score, in bins of equal size, with Wilson intervals."
    chart, axes = _chart(width=4.4, height=3.4)
    ax = axes[0, 0]
    if not counts.n_labelled.sum():
        _empty(ax, "no labels are known yet")
        return chart
    for mean, positive, n in reliability_bins(counts, bins):
        share = proportion(int(round(positive * n)), int(n))
        ax.errorbar(
            mean,
            share.value,
            yerr=[[share.value - share.lower], [share.upper - share.value]],
            color=BLUE,
            marker="o",
            ms=4,
            lw=1.2,
        )
    ax.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2)
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="mean score",
        ylabel="share that was positive",
        title="Calibration",
    )
    return chart


@mpl.rc_context(STYLE)
def score_shift(
    recent: ScoreCounts,
    reference: ScoreCounts,
    at: int | None = None,
    names: tuple[str, str] = ("last 7 days", "30-60 days ago"),
) -> Chart:
    "Densities of the score in two windows, and their cumulative shares below; `at` (points) marks the largest gap."
    chart, axes = _chart(1, 2, height=3.0, width=9.2)
    if not recent.total[0] or not reference.total[0]:
        for ax in axes.flat:
            _empty(ax, "one of the windows is empty")
        return chart
    everything = np.concatenate([recent.points, reference.points])
    low, high = everything.min() - 300, everything.max() + 300
    edges = np.arange(low, high + 250, 250)
    for counts, name, color in ((reference, names[1], GREY), (recent, names[0], BLUE)):
        share = np.histogram(counts.points, edges, weights=counts.n)[0] / counts.n.sum()
        axes[0, 0].stairs(
            share,
            edges,
            color=color,
            fill=color == GREY,
            alpha=0.45 if color == GREY else 1,
            lw=1.8,
        )
        axes[0, 1].step(
            *_thin(
                np.r_[low, counts.points, high], np.r_[0, np.cumsum(counts.n) / counts.n.sum(), 1]
            ),
            where="post",
            color=color,
            label=name,
        )
    axes[0, 0].set(title="Where scores lie", ylabel="share of events")
    axes[0, 1].set(title="Share of events scored at or below")
    if at is not None:
        gap = [np.interp(at, c.points, np.cumsum(c.n) / c.n.sum()) for c in (recent, reference)]
        axes[0, 1].plot(
            [at, at], gap, color=RED, lw=2.5, label=f"largest gap {abs(gap[0] - gap[1]):.0%}"
        )
    for ax in axes.flat:
        _risk_axis(ax, recent.grid, low, high)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    chart.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


FIRST_STREAMS = ("score", "calibration", "positive rate")


def _mark_days(ax, days, chosen, **look):
    "Shade runs of chosen days."
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(chosen, dtype=int), [0]])))
    for start, end in zip(edges[::2], edges[1::2]):
        ax.axvspan(
            days[start] - np.timedelta64(12, "h"), days[end - 1] + np.timedelta64(12, "h"), **look
        )


@mpl.rc_context(STYLE)
def evidence(seen: Drift, most: int = 9, last: int = 120, columns: int = 3) -> Chart:
    "Small multiples of log10 evidence over the last days, the streams that matter most; 0 is the alarm of a stream on its own."
    if not seen.questions:
        return _nothing("nothing is watched yet")
    height = (seen.followed.evidence - seen.followed.bar)[-last:] / np.log(10)
    shown = sorted(
        range(len(seen.questions)),
        key=lambda i: (
            seen.questions[i].stream.name not in FIRST_STREAMS,
            not seen.followed.open[-1, i],
            -height[:, i].max(),
        ),
    )[:most]
    rows, days = (
        -(-len(shown) // columns),
        np.array(seen.days[-last:], dtype="datetime64[D]").astype("datetime64[s]"),
    )
    chart, axes = _chart(rows, columns, height=1.75, width=9.2, sharex=True, sharey=True)
    for ax, i in zip(axes.flat, shown):
        _mark_days(ax, days, seen.followed.open[-last:, i], color=ORANGE, alpha=0.18, lw=0)
        _mark_days(
            ax, days, seen.muted[-last:], facecolor="none", edgecolor=FAINT, hatch="///", lw=0
        )
        ax.plot(days, np.clip(height[:, i], -6, 8), color=BLUE)
        ax.axhline(0, color=RED, ls="--", lw=1.2)
        ax.set_title(seen.questions[i].stream.name)
        ax.set_ylim(-6.5, 8.9)
        beyond = height[:, i] > 8
        ax.plot(days[beyond], np.full(beyond.sum(), 8.3), color=BLUE, marker="^", ms=3, lw=0)
        _dates(ax)
    _spare(axes, len(shown))
    chart.supylabel("evidence, powers of ten", fontsize=9)
    return chart


@mpl.rc_context(STYLE)
def stream_values(
    seen: Drift, names: Sequence[str] | None = None, last: int = 120, columns: int = 3
) -> Chart:
    "What a stream watches, day by day, against what its reference expects (dashed); the named ones, or those in alarm and the score."
    wanted = (
        list(names)
        if names is not None
        else list(dict.fromkeys([*(a.stream for a in seen.alarms), *FIRST_STREAMS]))[:6]
    )
    shown = [q for name in wanted for q in seen.questions if q.stream.name == name]
    if not shown:
        return _nothing("nothing is watched yet")
    chart, axes = _chart(-(-len(shown) // columns), columns, height=1.85, width=9.2)
    for ax, q in zip(axes.flat, shown):
        days = np.array(seen.days[: len(q.series)][-last:], dtype="datetime64[D]").astype(
            "datetime64[s]"
        )
        ax.plot(days, q.series[-last:], color=BLUE, marker="o", ms=1.8, lw=1)
        ax.plot(days, q.normal[-last:], color=GREY, ls="--", lw=1.2)
        where = q.where[q.at[-1]] if q.at is not None and len(q.at) else q.where[0]
        ax.set_title(
            q.stream.name
            if where == q.stream.name or q.stream.unit == "log ratio"
            else "label, difference of log-odds"
            if q.stream.unit == "logits"
            else f"{q.stream.name} {where}",
            fontsize=9.5,
        )
        if q.stream.unit == "of events":
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        _dates(ax)
    _spare(axes, len(shown))
    chart.legend(
        [
            Line2D([], [], color=BLUE, marker="o", ms=2.5, lw=1),
            Line2D([], [], color=GREY, ls="--", lw=1.2),
        ],
        ["day by day", "expected by the reference"],
        loc="outside upper center",
        ncols=2,
    )
    return chart


@mpl.rc_context(STYLE)
def feature_ranking(shifts: Sequence[FeatureShift], tolerance: float, limit: int = 30) -> Chart:
    "Bars of the largest share of events that moved across a cut, or changed category, with 95 % intervals for independent rows; the dashed line is the tolerance."
    shown = [f for f in shifts if np.isfinite(f.effect)][:limit][::-1]
    chart, axes = _chart(height=0.6 + 0.26 * max(3, len(shown)), width=7.4)
    ax = axes[0, 0]
    if not shown:
        _empty(ax, "no feature has a reference to compare with")
        return chart
    values = np.array([f.effect for f in shown])
    ax.barh(
        [f.name for f in shown],
        values,
        color=[ORANGE if f.practical(tolerance) else GREY for f in shown],
        height=0.62,
    )
    ax.errorbar(
        values,
        range(len(shown)),
        xerr=[values - [f.lower for f in shown], [f.upper - f.effect for f in shown]],
        fmt="none",
        ecolor=INK,
        lw=0.9,
    )
    ax.axvline(tolerance, color=RED, ls="--", lw=1, label=f"tolerated: {tolerance:.1%}")
    ax.legend(loc="lower right")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(
        title="Largest change, share of events",
        xlim=(0, min(1.0, max(0.05, 1.05 * max(f.upper for f in shown)))),
    )
    ax.grid(axis="y", visible=False)
    return chart


@mpl.rc_context(STYLE)
def feature_bins(seen: Drift, limit: int = 6, columns: int = 3) -> Chart:
    "Recent days (bars) and reference (line) in the bins of training, for the features that moved most; `-` missing, `?` never seen in training."
    shown = [f for f in seen.shifts if np.isfinite(f.effect)][:limit]
    if not shown:
        return _nothing("no feature has a reference to compare with")
    chart, axes = _chart(-(-len(shown) // columns), columns, height=1.9, width=9.2)
    for ax, f in zip(axes.flat, shown):
        recent, reference, rule = seen.vectors[f.name]
        names = (
            [str(c) for c in rule["categories"]]
            if "categories" in rule
            else [f"{c:.4g}" for c in (*rule["cuts"], np.inf)]
        )
        order = (
            np.argsort(-(recent + reference)[FIRST:])[:12]
            if "categories" in rule
            else np.arange(len(names))
        )
        places = [MISSING, UNSEEN, *(FIRST + order)]
        labels = ["-", "?", *(names[i] for i in order)]
        x = np.arange(len(places))
        ax.bar(x, recent[places] / max(1, recent.sum()), color=BLUE, width=0.8)
        ax.step(x, reference[places] / max(1, reference.sum()), where="mid", color=INK, lw=1.2)
        kept = (
            x
            if "categories" in rule
            else x[[0, *range(1 + max(2, len(x) // 5), len(x) - 1, max(1, len(x) // 5))]]
        )
        ax.set_xticks(
            kept,
            [labels[i] for i in kept],
            fontsize=7.5,
            rotation=60 if "categories" in rule and max(map(len, labels)) > 3 else 0,
        )
        ax.set_title(f.name)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.grid(axis="x", visible=False)
    _spare(axes, len(shown))
    chart.legend(
        [Rectangle((0, 0), 1, 1, color=BLUE), Line2D([], [], color=INK, lw=1.2)],
        ["recent days", "training (-: missing, ?: never seen)"],
        loc="outside upper center",
        ncols=2,
    )
    return chart


@mpl.rc_context(STYLE)
def label_pace(pace: Maturation | None) -> Chart:
    "Which share of the labels that ever arrive is there after so many days, for each label."
    chart, axes = _chart(height=2.4, width=6.4)
    ax = axes[0, 0]
    if pace is None:
        _empty(ax, "no complete days with labels of both kinds yet")
        return chart
    ages = np.arange(len(pace.positive))
    ax.step(ages, pace.positive, where="post", color=BLUE, label="positives")
    ax.step(ages, pace.negative, where="post", color=GREY, label="negatives")
    ax.set(title="Labels that are in, by age", xlabel="days after the event", ylim=(0, 1.05))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(loc="lower right")
    return chart


@mpl.rc_context(STYLE)
def threshold_curve(
    curve: Curve, grid: Grid, current: int, candidate: int | None = None, days: int = 1
) -> Chart:
    "Precision, recall and alerts a day over all thresholds; the one in force and a candidate are marked."
    chart, axes = _chart(1, 2, height=3.0, width=9.2)
    if not len(curve.thresholds):
        for ax in axes.flat:
            _empty(ax, "no events")
        return chart
    low, high = curve.thresholds[0] - 100, curve.thresholds[-1] + 100
    for values, name, color in (
        (curve.precision, "precision", BLUE),
        (curve.recall, "recall", GREEN),
        (curve.fpr, "false positive rate", ORANGE),
    ):
        axes[0, 0].step(*_thin(curve.thresholds, values), where="pre", color=color, label=name)
    axes[0, 0].set_ylim(-0.02, 1.02)
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0, 0].set_title("What a threshold buys")
    axes[0, 1].step(*_thin(curve.thresholds, curve.alerts / days), where="pre", color=BLUE)
    axes[0, 1].set_yscale("log")
    axes[0, 1].set_title("Alerts a day")
    axes[0, 1].yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    for ax in axes.flat:
        ax.axvline(current, color=INK, lw=1.4, label="in force")
        if candidate is not None and candidate != current:
            ax.axvline(candidate, color=RED, ls="--", lw=1.4, label="candidate")
        _risk_axis(ax, grid, low, high)
    chart.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return chart


@mpl.rc_context(STYLE)
def intervals(alerts: pd.DataFrame, limit: int = 40) -> Chart:
    "Prediction intervals of alerts (columns probability, lower, upper, route), evenly picked from the riskiest to the last."
    shown = (
        alerts.iloc[
            np.unique(np.linspace(0, len(alerts) - 1, min(limit, len(alerts))).round().astype(int))
        ].reset_index(drop=True)
        if len(alerts)
        else alerts
    )
    chart, axes = _chart(height=max(2.2, 0.07 * len(shown) + 1.0))
    ax = axes[0, 0]
    if shown.empty or shown.lower.isna().all():
        _empty(
            ax,
            "no alerts on this day"
            if shown.empty
            else "no calibration stands, so no interval is known",
        )
        return chart
    colors = [ROUTES.get(r, GREY) for r in shown.route]
    ax.hlines(shown.index, shown.lower, shown.upper, color=colors, lw=2.4, alpha=0.75)
    ax.scatter(shown.probability, shown.index, color=colors, s=14, zorder=3)
    title = (
        f"The day's {len(alerts):,} alerts"
        if len(shown) == len(alerts)
        else f"{len(shown)} of the day's {len(alerts):,} alerts, evenly picked"
    )
    ax.set(
        xlim=(0, 1.01),
        ylim=(len(shown), -1),
        yticks=[],
        xlabel="score (dot) and its interval (bar)",
        title=f"{title}, riskiest first",
    )
    chart.legend(
        handles=[
            Line2D([], [], color=c, lw=3, label={"alert": "to a person"}.get(r, r))
            for r, c in ROUTES.items()
            if r in set(shown.route)
        ],
        loc="outside upper right",
        ncols=3,
    )
    return chart


@mpl.rc_context(STYLE)
def certainty_curve(stands: Certainty, counts: ScoreCounts, floor: int, target: float) -> Chart:
    "The probability interval by score and the automation-risk curve of some days' counts; `floor` (points) is where high risk begins, `target` the promised share."
    chart, axes = _chart(1, 2, height=3.1, width=9.2)
    left, right = axes[0]
    if not counts.total[0]:
        for ax in axes.flat:
            _empty(ax, "no events")
        return chart
    low, high = int(counts.points[0]) - 100, int(counts.points[-1]) + 100
    ladder = np.unique(
        np.append(
            np.linspace(low, high, 250).astype(int),
            stands.bounds.starts[(stands.bounds.starts > low) & (stands.bounds.starts < high)],
        )
    )
    ladder = ladder[np.unique(np.linspace(0, len(ladder) - 1, 300).astype(int))]
    lower, upper = stands.bounds.intervals(ladder)
    left.fill_between(
        ladder,
        lower,
        upper,
        step="post",
        color=BLUE,
        alpha=0.45,
        lw=0.8,
        label="share of positives, between",
    )
    left.plot(
        ladder,
        counts.grid.inverse(ladder),
        color=GREY,
        ls="--",
        lw=1.2,
        label="if scores were exact",
    )
    _risk_axis(left, counts.grid, low, high)
    left.set(title="How often such a score is right", ylim=(-0.02, 1.02))
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    risk = automation_risk(counts, floor)
    x, y = (
        _thin(risk.automated, np.nan_to_num(risk.false, nan=0.0))
        if len(risk.automated)
        else ([], [])
    )
    right.plot(x, y, color=BLUE, label="false share of tickets")
    right.axhline(target, color=RED, ls="--", lw=1.2, label=f"promised: at most {target:.0%}")
    threshold = stands.rule.threshold
    if threshold is not None:
        left.axvline(max(threshold, floor), color=RED, lw=1.4, label="tickets from here")
        at = np.searchsorted(-risk.thresholds, -max(threshold, floor), side="right") - 1
        if at >= 0:
            right.plot(
                [risk.automated[at]],
                [np.nan_to_num(risk.false[at])],
                color=RED,
                marker="o",
                ms=6,
                ls="",
                label="in force",
            )
    right.set(
        title="What more automation would cost",
        xlabel="share of high-risk events automated",
        xlim=(0, 1.02),
        ylim=(
            0,
            min(1.02, max(2 * target, 1.1 * max((b for a, b in zip(x, y) if a >= 0.1), default=0))),
        ),
    )
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    chart.legend(
        *(
            a + b
            for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels())
        ),
        loc="outside upper center",
        ncols=3,
    )
    return chart


@mpl.rc_context(STYLE)
def coverage_days(report: CoverageReport | None, promised: float = 0.9) -> Chart:
    "Coverage of each label by day, and with its interval over all days."
    chart, axes = _chart(1, 2, height=2.8, width=9.2, gridspec_kw={"width_ratios": [2.4, 1]})
    left, right = axes[0]
    if report is None or not report.by_day:
        for ax in axes.flat:
            _empty(ax, "no day with mature labels yet")
        return chart
    days = pd.to_datetime(list(report.by_day))
    for name, key, color in (("negatives", "0", GREY), ("positives", "1", BLUE)):
        left.plot(
            days,
            [f[key].value for f in report.by_day.values()],
            color=color,
            marker="o",
            ms=2.5,
            label=name,
        )
    for place, (figure, color) in enumerate(
        ((report.by_label[0], GREY), (report.by_label[1], BLUE))
    ):
        known = np.isfinite(figure.lower)
        right.errorbar(
            [place],
            [figure.value],
            yerr=[[figure.value - figure.lower], [figure.upper - figure.value]] if known else None,
            color=color,
            marker="o",
            capsize=4,
        )
    right.set_xticks([0, 1], ["negatives", "positives"])
    right.set(xlim=(-0.6, 1.6), title="All days, 95 % interval")
    left.set_title("Outcomes inside their set, by day")
    for ax in axes.flat:
        ax.axhline(
            promised,
            color=RED,
            ls="--",
            lw=1.2,
            label=f"promised {promised:.0%}" if ax is left else None,
        )
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _dates(left)
    chart.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


@mpl.rc_context(STYLE)
def interval_widths(counts: ScoreCounts, stands: Certainty | None) -> Chart:
    "Share of events by the width of their probability interval."
    chart, axes = _chart(height=2.4, width=6.4)
    ax = axes[0, 0]
    if stands is None or not counts.total[0]:
        _empty(ax, "no calibration stands" if stands is None else "no events")
        return chart
    shares = width_shares(counts, stands.bounds)
    bars = ax.bar(range(len(shares)), shares.values(), color=BLUE)
    ax.bar_label(
        bars,
        [f"{v:.0%}" if v >= 0.005 else ("" if not v else "<1%") for v in shares.values()],
        fontsize=9,
    )
    ax.set_xticks(range(len(shares)), shares)
    ax.set(
        title="Width of the probability interval",
        ylabel="share of events",
        xlabel="width (share of positives)",
        ylim=(0, 1.12),
    )
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return chart


@mpl.rc_context(STYLE)
def decision_flow() -> Chart:
    "The path of one prediction as a picture."
    chart, axes = _chart(height=3.3, width=9.2)
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set(xlim=(0, 100), ylim=(0, 40))
    box = lambda x, y, text, color: ax.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        color="white" if color != "white" else INK,
        bbox={"boxstyle": "round,pad=0.6", "fc": color, "ec": color if color != "white" else GREY},
    )
    arrow = lambda x, y, to_x, to_y, text, dx=0.0, dy=1.6: (
        ax.annotate(
            "", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "->", "color": GREY, "lw": 1.4}
        ),
        ax.text((x + to_x) / 2 + dx, (y + to_y) / 2 + dy, text, ha="center", color=INK),
    )
    box(8, 24, "score\nas points", "white")
    box(33, 24, "HIGH or\nCRITICAL?", "white")
    box(61, 24, "at or above the\nticket threshold?", "white")
    box(91, 34, "ticket\nacts by itself", RED)
    box(91, 14, "alert\na person decides", ORANGE)
    box(33, 5, "monitor\nlogged only", "#5b6776")
    arrow(14, 24, 26, 24, "")
    arrow(40, 24, 50, 24, "yes")
    arrow(33, 20, 33, 9, "no", dx=2.5, dy=0)
    arrow(72, 25.5, 83, 32, "yes", dx=-2)
    arrow(72, 22.5, 82, 16, "no, or no\nthreshold stands", dx=-4, dy=-4.5)
    return chart


@mpl.rc_context(STYLE)
def reason_bars(reasons: pd.DataFrame, top: int = 3, limit: int = 10) -> Chart:
    "Features among the top reasons of alerts: in how many alerts, and the mean push in log-odds when they are."
    chart, axes = _chart(1, 2, height=3.0, width=9.2, sharey=True)
    names = [c for c in (f"reason_{k + 1}" for k in range(top)) if c in reasons]
    long = (
        pd.concat(
            [
                pd.DataFrame({"feature": reasons[c], "push": reasons[c.replace("reason", "push")]})
                for c in names
            ]
        ).dropna()
        if names
        else pd.DataFrame()
    )
    if long.empty:
        for ax in axes.flat:
            _empty(ax, "no alert has a reason to show")
        return chart
    table = long.groupby("feature").push.agg(["size", "mean"]).sort_values("size").tail(limit)
    axes[0, 0].barh(table.index, table["size"] / len(reasons), color=BLUE)
    axes[0, 0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0, 0].set_title(f"Among the top {top} reasons, share of alerts")
    axes[0, 1].barh(table.index, table["mean"], color=ORANGE)
    axes[0, 1].set_title("Mean push when a reason (log-odds)")
    for ax in axes.flat:
        ax.grid(axis="y", visible=False)
    return chart


@mpl.rc_context(STYLE)
def challenge_bars(differences: Mapping[str, float], champion: str, challenger: str) -> Chart:
    "Mean log loss difference of each day, challenger - champion (nats per event)."
    chart, axes = _chart(height=2.6)
    ax = axes[0, 0]
    if not differences:
        _empty(ax, "no challenger was compared yet")
        return chart
    days, values = pd.to_datetime(list(differences)), np.array(list(differences.values()))
    ax.bar(days, values, color=np.where(values < 0, GREEN, ORANGE), width=0.8)
    ax.axhline(0, color=INK, lw=1)
    ax.set(
        title=f"Log loss of {challenger} minus {champion}, by day (below zero: the challenger is better)",
        ylabel="nats per event",
    )
    ax.title.set_size(9.5)
    _dates(ax)
    return chart
