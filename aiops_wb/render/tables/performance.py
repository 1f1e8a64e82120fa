"""Tables of how a model does: its figures, what is late in labels, false positives, sites."""

from datetime import date, timedelta
from math import nan

import pandas as pd

from ...models.complete import UNTIL_COMPLETE
from ...stats.performance import confusion, summary
from ...watch.false_positives import GROUPS, false_positives, sites_between
from ...watch.view import View
from ...watch.words import number
from ..table import Table, note
from ..vocabulary import metric, shown

__all__ = [
    "ORDER",
    "performance_table",
    "label_table",
    "arrival_table",
    "false_positive_table",
    "segment_table",
]

ORDER = (
    "predictions",
    "labelled_share",
    "positive_rate",
    "alerts",
    "accuracy",
    "precision",
    "recall",
    "fpr",
    "fdr",
    "f1",
    "precision_top_1pct",
    "lift_top_1pct",
    "pr_auc",
    "roc_auc",
    "brier",
    "log_loss",
    "ece",
)
"Figures of the table of performance, from top to bottom."

OF_SITES = ("predictions", "labelled_share", "positive_rate", "alerts", "precision", "recall")


def performance_table(view: View) -> Table:
    """Figures of the newest complete days, the day, the recent days, 30 days and the reference:
    held-out days, or chosen ones."""
    window = view.labels.complete_window
    complete = {_complete_span(window): view.labels.complete} if window else {}
    spans = complete | {
        "day": view.quality.today,
        f"{view.settings.recent_days} days": view.quality.week,
        "30 days": view.quality.month,
    }
    if view.selective.figures:
        spans[_weighted_span(view.selective.window)] = view.selective.figures
    rows = [
        {"": metric(name).title}
        | {span: _figure(name, figures) for span, figures in spans.items()}
        | {view.reference.name: _reference(view, name)}
        for name in ORDER
        if name in view.quality.today
    ]
    return Table(pd.DataFrame(rows))


def _figure(name, figures):
    "A figure as it is shown; nothing where it is not one of some."
    return shown(name, figures[name]) if name in figures else ""


def _weighted_span(window):
    "The days whose events were reviewed by chance, as the head of a column."
    return "{:%-d %b} to {:%-d %b}, weighted".format(*window)


def _complete_span(window):
    "The newest days whose labels are in, as the head of a column."
    return "{:%-d %b} to {:%-d %b}, complete".format(*window)


def _reference(view, name):
    "A figure of the reference days; counts of other days are not to be compared."
    return "" if metric(name).kind == "count" else number(view.quality.baseline.get(name, nan))


def label_table(view: View) -> Table:
    """Figures of the recent days by what is known.

    Labels so far, what late labels will add, what the scores alone expect; and the newest days
    that are complete.
    """
    days, window = view.settings.recent_days, view.labels.complete_window
    so_far = _labels_so_far(view)
    adjusted = view.labels.adjusted.figures if view.labels.adjusted else {}
    expected, complete, held = view.labels.expected, view.labels.complete, view.backtests.held

    def told(kind, figures, name):
        "A figure, and whether its intervals failed in the past."
        if name not in figures:
            return "-"
        state = held[f"{kind}_{name}_week"].state if held else "unknown"
        return shown(name, figures[name]) + (" (unreliable)" if state == "unreliable" else "")

    span = _complete_span(window) if window else "complete days"
    rows = [
        {
            "": metric(name).title,
            f"labels so far, {days} days": shown(name, so_far[name]),
            "adjusted for late labels": told("adjusted", adjusted, name),
            "expected without labels": told("expected", expected, name),
            span: shown(name, complete[name]) if window else "-",
        }
        for name in so_far
    ]
    return Table(pd.DataFrame(rows))


def arrival_table(view: View) -> Table:
    "When labels are in, what waits for them, and how far figures without them held, in words."
    labels, seen, declared = view.labels, view.labels.completeness, view.complete_days.declared
    rows = [
        ("labels", seen.reason),
        ("days that count as complete", _waited(view)),
        (
            "events that never get a label",
            shown("labelled_share", seen.never) if seen.plateau else "not known",
        ),
        *([("declared never to get one", declared)] if declared else []),
        ("adjusted figures", labels.not_adjusted or _held_words(view, "adjusted")),
        ("expected figures", _held_words(view, "expected")),
    ]
    return Table(pd.DataFrame(rows, columns=["", "what is known"]), ("what is known",))


def _waited(view):
    "Which days count as complete, and what the log says of that."
    last, floor = view.labels.complete_day, view.settings.label_floor
    if last is None:
        return "none: " + UNTIL_COMPLETE
    if view.settings.complete_share >= 1:
        return f"up to {last:%d %b}, as label_delay_days = {floor} says; nothing has to be shown"
    came, age = view.labels.newest, view.labels.completeness.age
    waits = f"; label_delay_days = {floor} waits longer" if last < came - timedelta(age) else ""
    return f"up to {last:%d %b}, the last labels came on {came:%d %b}{waits}"


def _held_words(view, kind):
    "How far the intervals of a kind of figures held: the worst of them, or that nothing is known."
    of_kind = {n: h for n, h in view.backtests.held.items() if n.startswith(kind)}
    judged = [(h.share.value, n, h) for n, h in of_kind.items() if h.state != "unknown"]
    if not judged:
        return "intervals cannot be judged before 60 of them are scored by complete labels"
    _, name, worst = min(judged, key=lambda one: one[0])
    return f"{metric(name).title}: {worst.reason}"


def _labels_so_far(view):
    "What the labels that are in say of the recent days."
    at_threshold = confusion(view.window(view.settings.recent_days), view.threshold)
    return {
        "positive_rate": view.quality.week["positive_rate"],
        "accuracy": at_threshold.accuracy,
        "precision": at_threshold.precision,
        "recall": at_threshold.recall,
    }


def false_positive_table(view: View, limit: int = 12) -> Table:
    """False positives at the threshold in force, over the recent days.

    By day, by version, by site and by width of the probability interval.
    """
    rows = [
        _false_positives(view, by, of) for by in GROUPS for of in false_positives(view, by, limit)
    ]
    return Table(pd.DataFrame(rows), ("",))


_NAMED = {
    "day": lambda view, name: f"{date.fromisoformat(name):%a %d %b}",
    "version": lambda view, name: f"{view.model} {name}",
}


def _false_positives(view, by, of):
    "A row of the table of false positives."
    known, named = of.at_threshold, _NAMED.get(by, lambda _, name: name)
    return {
        "by": {"width": "interval width"}.get(by, by),
        "": named(view, of.name),
        "labelled": f"{known.n:,}",
        metric("fp").column: f"{known.fp:,}",
        metric("fpr").column: shown("fpr", known.fpr),
        metric("fdr").column: shown("fdr", known.fdr),
    }


def segment_table(view: View, limit: int = 20) -> Table:
    "Each site over the recent days, largest first."
    first = view.day - timedelta(view.settings.recent_days - 1)
    rows = []
    for site, counts in sites_between(view, first, limit):
        figures = summary(counts, int(counts.grid.cells(view.threshold)))
        named = {metric(name).title: shown(name, figures[name]) for name in OF_SITES}
        rows.append({"site": site} | named)
    return Table(pd.DataFrame(rows)) if rows else note("no site was logged")
