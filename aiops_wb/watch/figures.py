"""The figures of a day as a tidy table, of all tenants together and of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import nan

import numpy as np
import pandas as pd

from ..stats.counts import Histogram, ScoreCounts
from ..stats.drift import ALARM_SEVERITIES, KS, SEVERITIES, AccuracyDrop, ks, worst
from ..stats.performance import Figure, summary
from .quality import quality_losses
from .view import View

__all__ = ["ALARMS_FAILED", "day_figures", "drift_figures", "unknown_drift"]

ALARMS_FAILED = "all figures but the alarms are stored, which failed"
"How the record of a day begins whose streams could not be followed."

SEGMENT_METRICS = (
    "predictions",
    "alerts",
    "labelled_share",
    "positive_rate",
    "precision",
    "recall",
    "fpr",
)


def day_figures(view: View) -> pd.DataFrame:
    """The tidy table of the day, but for what alarms say (`drift_figures`).

    Columns tenant ('' for all together), segment, metric, value, lower, upper, n, window_first and
    window_last. Each tenant has rows of its own where more than one was scored on the day.
    """
    whole = _common(_of_all(view)) | _of_all_only(view)
    parts = [_tidy(view, {("", k): f for k, f in whole.items()} | _segments(view))]
    tenants = view.tenants
    for tenant in tenants if len(tenants) > 1 else []:
        one = _of_tenant(view, tenant)
        own = _common(one) | {"degraded": _degraded(view, one)} | _coverage_of(view, tenant)
        parts.append(_tidy(view, {("", k): f for k, f in own.items()}, tenant))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Counted:
    "What is counted of all tenants together, or of one, on the day of a view."

    view: View
    today: ScoreCounts
    figures_today: Mapping[str, Figure]
    week: Mapping[str, Figure]
    ordinary: Mapping[str, Figure]  # of the days of the week that are no holidays
    score: KS
    drop: AccuracyDrop
    decisions: Mapping[str, int]
    latency: Histogram


def _of_all(view):
    quality, scores = view.quality, view.scores
    return _Counted(
        view,
        view.window(1),
        quality.today,
        quality.week,
        quality.week,
        scores.ks,
        quality.accuracy_drop,
        view.tickets.decisions,
        view.latency,
    )


def _of_tenant(view, tenant):
    recent, reference = view.scores.recent_and_reference(tenant)
    today = view.counts(view.day, view.day, tenant)[view.day]
    week, ordinary = (summary(c, view.threshold) for c in (view.scores.recent(tenant), recent))
    return _Counted(
        view,
        today,
        summary(today, view.threshold),
        week,
        ordinary,
        ks(recent, reference),
        view.quality.drop_from_baseline(ordinary),
        view.tickets.decisions_of(tenant),
        view.latency_of(tenant),
    )


def _common(counted):
    "Figures that all tenants together have, and each alone."
    stands = counted.view.tickets.stands
    return (
        dict(counted.figures_today)
        | {f"{k}_week": f for k, f in counted.week.items()}
        | _shift(counted.score, counted.drop, counted.week["accuracy"].n)
        | (_intervals(stands[1], counted.today, counted.view.settings) if stands else {})
        | _decided(counted.decisions)
        | _latency(counted.latency)
    )


def _shift(score, drop, labelled):
    "Score shift and accuracy drop; `drift_severity` is that of the reference rule."
    severity = worst(score.severity, drop.severity)
    rank = nan if severity == "unknown" else SEVERITIES.index(severity)
    return {
        "ks": Figure(score.statistic, score.lower, score.upper, score.n),
        "ks_pvalue": Figure(score.pvalue, n=score.n),
        "score_shift": Figure(score.shift, n=score.n),
        "accuracy_drop": Figure(drop.drop, n=labelled),
        "drift_severity": Figure(rank, n=score.n),
    }


def _intervals(stands, counts, settings):
    "How wide the intervals of the day's events are by what stands."
    calibration, n = stands.calibration, int(counts.n.sum())
    lower, upper = stands.bounds.intervals(counts.points)
    width = upper - lower
    score = calibration.calibration_score(settings.coverage)
    return {
        "calibration_score": Figure(score, n=calibration.n),
        "mean_width": Figure(float((width * counts.n).sum() / n), n=n),
        "narrow_share": Figure(float(counts.n[width < settings.narrow_width].sum() / n), n=n),
    }


def _decided(decisions):
    "Decisions by route, and how many were automated."
    counted = decisions["ticket"] + decisions["alert"] + decisions["monitor"]
    automated = decisions["automated"]
    return {f"decisions_{k}": Figure(v, n=counted) for k, v in decisions.items()} | {
        "automated_share": Figure(automated / counted if counted else nan, n=counted),
        "decisions_manual": Figure(counted - automated, n=counted),
    }


def _latency(latency):
    calls = int(latency.n.sum())
    return {"latency_mean_ms": Figure(latency.mean, n=calls)} | {
        f"latency_p{q}_ms": Figure(latency.quantile(q / 100), n=calls) for q in (50, 95, 99)
    }


def _degraded(view, counted):
    "Whether a tenant's own figures are clearly worse: its streams are not followed."
    n = counted.ordinary["accuracy"].n
    known = view.quality.baseline and n
    losses = quality_losses(counted.ordinary, view.quality.baseline) if known else []
    return Figure(float(bool(losses)) if known else nan, n=n)


def _of_all_only(view):
    "Figures of all tenants together: calibrations are made and tickets promised for all of them."
    adjusted, complete = view.labels.adjusted, view.labels.complete
    return (
        _promised(view)
        | ({f"{k}_complete": f for k, f in complete.items()} if view.labels.complete_day else {})
        | {f"expected_{k}_week": f for k, f in view.labels.expected.items()}
        | ({f"adjusted_{k}_week": f for k, f in adjusted.figures.items()} if adjusted else {})
        | {f"weighted_{k}": f for k, f in view.selective.figures.items()}
    )


def _promised(view):
    "The reference method's quantiles, the rule for tickets, and what became of both."
    if not view.tickets.stands:
        return {"calibration_score": Figure(nan)}
    stands = view.tickets.stands[1]
    calibration, rule = stands.calibration, stands.rule
    at = nan if rule.threshold is None else view.probability(rule.threshold)
    quantiles = calibration.quantiles.items()
    figures = {f"q{round(100 * c)}": Figure(q, n=calibration.n) for c, q in quantiles}
    figures |= {
        "ticket_threshold": Figure(at, n=rule.n),
        "promise_evidence": Figure(stands.watch.evidence, n=stands.watch.days),
    }
    return figures | _became_of_tickets(view) | _coverage(view.tickets.coverage)


def _coverage_of(view, tenant):
    "Coverage of a tenant's events by the sets of all, each interval for itself."
    days = view.groups.tenants.get(tenant, {})
    return _coverage(view.tickets.coverage_of(days))


def _became_of_tickets(view):
    "What became of the tickets of the newest complete day."
    last = view.labels.complete_day
    tickets, labelled, false = view.tickets.outcomes(last) if last else (0, 0, 0)
    return {
        "mature_tickets": Figure(labelled, n=tickets),
        "mature_false_tickets": Figure(false, n=tickets),
        "false_ticket_share": Figure(false / labelled if labelled else nan, n=labelled),
    }


def _coverage(report):
    if not report:
        return {}
    return {
        "coverage": report.overall,
        "coverage_positive": report.by_label[1],
        "coverage_negative": report.by_label[0],
    }


def _segments(view):
    "Figures of each segment of the day."
    figures = {}
    by_segment = view.reader.segment_counts(
        view.model, view.day, view.day, version=view.version, as_of=view.as_of
    )
    for segment, counts in by_segment.items():
        known = summary(counts, int(counts.grid.cells(view.threshold)))
        figures |= {(segment, k): known[k] for k in SEGMENT_METRICS}
    return figures


def drift_figures(view: View) -> pd.DataFrame:
    "The rows about alarms and their streams, and whether the model is degraded."
    drift, degraded = view.drift, view.quality.degraded
    n, asked = view.window(1).total[0], drift.questions and not drift.off
    rank = nan if drift.severity == "unknown" else ALARM_SEVERITIES.index(drift.severity)
    figures = {
        ("", "drift_alarms"): Figure(len(drift.alarms) if asked else nan, n=n),
        ("", "drift_gravity"): Figure(rank, n=n),
        ("", "degraded"): Figure(nan if degraded is None else float(degraded), n=n),
        ("", "label_offset"): drift.offset,
    }
    followed = drift.followed
    for i, question in enumerate(drift.questions):
        stream = question.stream
        over = float(max(-300, (followed.evidence[-1, i] - followed.bar[i]) / np.log(10)))
        effect = Figure(float(stream.effect[-1]), float(stream.lower[-1]), n=n)
        figures[f"stream={stream.name}", "drift_effect"] = effect
        figures[f"stream={stream.name}", "drift_log10_evidence"] = Figure(over, n=n)
    return _tidy(view, figures)


def unknown_drift(view: View) -> pd.DataFrame:
    "The rows that stand in for `drift_figures` where those cannot be computed: nothing is known."
    n = view.window(1).total[0]
    metrics = ("drift_alarms", "drift_gravity", "degraded")
    return _tidy(view, {("", metric): Figure(nan, n=n) for metric in metrics})


def _window(view, metric):
    "The first and the last day that a figure speaks of."
    if metric.endswith("_complete"):
        return view.labels.complete_window
    if metric.startswith("weighted_"):
        return view.selective.window
    recent = view.settings.recent_days if metric.endswith("_week") else 1
    return view.day - timedelta(recent - 1), view.day


def _tidy(view, figures, tenant=""):
    rows = [
        {
            "tenant": tenant,
            "segment": segment,
            "metric": metric,
            **figure._asdict(),
            **dict(zip(("window_first", "window_last"), _window(view, metric))),
        }
        for (segment, metric), figure in figures.items()
    ]
    return pd.DataFrame(rows)
