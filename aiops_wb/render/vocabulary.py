"""What each figure is called, and how it is written: one list under tables, plots and pages."""

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from ..stats.performance import Figure

__all__ = ["FACTORS", "METRICS", "Metric", "metric", "heading", "shown", "looked_at"]


class Metric(NamedTuple):
    "A figure in words: `kind` is 'count', 'share' or '' for any other value."

    name: str
    title: str
    unit: str = ""
    kind: str = ""
    digits: int = 3
    held_out: bool = False  # whether the held-out days of training are a line to compare with
    scale: str = ""  # what its numbers are, where neither a unit nor its kind says so

    @property
    def axis(self) -> str:
        "What stands beside an axis of it."
        return (
            self.scale or self.unit or {"count": "events", "share": "share"}.get(self.kind, "value")
        )

    @property
    def heading(self) -> str:
        "The title with its unit."
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def column(self) -> str:
        "The title inside a line: 'false positive rate', but 'PR-AUC'."
        word = self.title[1:2].islower()  # and no acronym
        return self.title[:1].lower() + self.title[1:] if word else self.title


def _share(name, title, held_out=False):
    return Metric(name, title, kind="share", held_out=held_out)


def _count(name, title):
    return Metric(name, title, kind="count", digits=0)


def _milliseconds(name, title):
    return Metric(name, title, "ms", digits=0)


_PART = "0 to 1"
_QUALITY = (
    _share("positive_rate", "Positive rate", held_out=True),
    _share("accuracy", "Accuracy", held_out=True),
    _share("precision", "Precision", held_out=True),
    _share("recall", "Recall", held_out=True),
    _share("specificity", "Specificity"),
    _share("fpr", "False positive rate", held_out=True),
    _share("fdr", "False discovery rate", held_out=True),
    Metric("f1", "F1", held_out=True, scale=_PART),
    _share("precision_top_1pct", "Precision, riskiest 1 %", held_out=True),
    Metric("lift_top_1pct", "Lift, riskiest 1 %", scale="times"),
    Metric("pr_auc", "PR-AUC", held_out=True, scale=_PART),
    Metric("roc_auc", "ROC-AUC", held_out=True, scale=_PART),
    Metric("brier", "Brier score", held_out=True, scale=_PART),
    Metric("log_loss", "Log loss", held_out=True, scale="nats"),
    Metric("ece", "Calibration error", held_out=True, scale=_PART),
    _count("tp", "Positives caught"),
    _count("fp", "False positives"),
    _count("fn", "Positives missed"),
    _count("tn", "Negatives left alone"),
    Metric("missed_per_day", "Positives missed a day", digits=1, scale="events"),
)
_LOG = (
    _count("predictions", "Predictions"),
    _share("labelled_share", "Share labelled"),
    _count("alerts", "Above the threshold"),
    _count("decisions_ticket", "Tickets a day"),
    _count("decisions_alert", "To a person, a day"),
    _count("decisions_monitor", "Logged only, a day"),
    _count("decisions_automated", "Automated, a day"),
    _count("decisions_manual", "Not automated, a day"),
    _share("automated_share", "Share automated"),
    _milliseconds("latency_mean_ms", "Mean latency"),
    _milliseconds("latency_p50_ms", "Latency p50"),
    _milliseconds("latency_p95_ms", "Latency p95"),
    _milliseconds("latency_p99_ms", "Latency p99"),
)
_DRIFT = (
    _share("ks", "Largest gap between the distributions"),
    Metric("ks_pvalue", "KS p-value", scale=_PART),
    Metric("score_shift", "Mean shift of the score", "log-odds", digits=2),
    Metric("accuracy_drop", "Accuracy drop", scale=_PART),
    Metric("drift_severity", "Severity by the reference rule"),
    _count("drift_alarms", "Open alarms"),
    Metric("drift_gravity", "Severity of the alarms"),
    Metric("drift_effect", "Recent change"),
    Metric("drift_log10_evidence", "Evidence", "powers of ten", digits=0),
    Metric("degraded", "Not to be relied on", digits=0),
    Metric("label_offset", "Offset of the label", "log-odds"),
)
_CERTAINTY = (
    Metric("calibration_score", "Calibration score", scale=_PART),
    Metric("q90", "Quantile at 90 %", scale=_PART),
    Metric("q95", "Quantile at 95 %", scale=_PART),
    Metric("q99", "Quantile at 99 %", scale=_PART),
    Metric("mean_width", "Mean interval width", scale=_PART),
    _share("narrow_share", "Share with a narrow interval"),
    Metric("ticket_threshold", "Score that a ticket needs", scale="score"),
    Metric("promise_evidence", "Evidence against the promise", scale="times likelier"),
    _count("mature_tickets", "Tickets, labels complete"),
    _count("mature_false_tickets", "False tickets of a day, labels complete"),
    _share("false_ticket_share", "False tickets, labels complete"),
    _share("coverage", "Outcomes covered"),
    _share("coverage_positive", "Positives covered"),
    _share("coverage_negative", "Negatives covered"),
)

METRICS = {entry.name: entry for entry in (*_QUALITY, *_LOG, *_DRIFT, *_CERTAINTY)}
"Every figure of the tidy table by name, without what says of which days and by which method."

FACTORS = {
    "volume": "events that came",
    "mix": "mix of segments",
    "scores": "scores within segments",
    "calibration": "positives at equal scores",
    "threshold": "threshold",
    "version": "version that scores",
    "labels": "labels that are known",
}
"What makes a figure change, in words."

_METHODS = {
    "adjusted_": "adjusted for late labels",
    "expected_": "expected without labels",
    "weighted_": "weighted by what was reviewed by chance",
}


def metric(name: str) -> Metric:
    "A figure of the tidy table in words; one of somebody's own goes by its name."
    base = name.removesuffix("_week").removesuffix("_complete")
    for prefix, words in _METHODS.items():
        rest = base.removeprefix(prefix)
        if rest != base and rest in METRICS:
            entry = METRICS[rest]
            return entry._replace(title=f"{entry.title}, {words}")
    return METRICS.get(base) or Metric(base, base.replace("_", " ").capitalize())


def heading(name: str) -> str:
    "What stands over a picture of a figure: its title, its unit and its days."
    days = {"week": ", 7 days", "complete": ", complete days"}
    return metric(name).heading + days.get(name.rpartition("_")[2], "")


def shown(name: str, figure: Figure) -> str:
    "A figure with its interval, as a person reads it; '-' when it is unknown."
    if isnan(figure.value):
        return "-"
    entry = metric(name)
    if entry.kind == "count":
        return f"{figure.value:,.0f}"
    value, lower, upper = (f"{x:.{entry.digits}f}" for x in figure[:3])
    return value if isnan(figure.lower) else f"{value} ({lower} to {upper})"


def looked_at(where: Sequence[str], at: Sequence[int] | None) -> str:
    "The set that a stream differs in most by now, in words; `at` are its places day by day."
    return where[at[-1]] if at is not None and len(at) else where[0]
