"""Tables for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from math import isnan, log, nan

import numpy as np
import pandas as pd

from ..log.catalog import statements
from ..stats.counts import ScoreCounts, total
from ..stats.performance import Figure, confusion, summary
from ..stats.retrain import Check
from ..watch.view import View
from ..watch.words import number, percent

__all__ = [
    "LABELS",
    "ORDER",
    "COUNTED",
    "WIDTHS",
    "Table",
    "note",
    "shown",
    "performance_table",
    "label_table",
    "false_positive_table",
    "segment_table",
    "alarm_table",
    "stream_table",
    "feature_table",
    "drift_table",
    "calibration_table",
    "promise_table",
    "coverage_table",
    "operator_tables",
    "alert_table",
    "simulation_table",
    "threshold_table",
    "reason_table",
    "check_table",
    "version_table",
]


@dataclass(frozen=True, eq=False)
class Table:
    "A frame of text that shows itself in full; `text` names the columns that are read and not compared."

    frame: pd.DataFrame
    text: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        first = self.frame.columns[:1].tolist()
        left = {c: "text" for c in (*first, *self.text)}
        head = "".join(
            f'<th class="{left.get(c, "")}">{escape(str(c))}</th>' for c in self.frame.columns
        )
        rows = (
            "".join(
                f'<td class="{left.get(c, "")}">{escape(str(v))}</td>'
                for c, v in zip(self.frame.columns, row)
            )
            for row in self.frame.itertuples(index=False)
        )
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(f"<tr>{r}</tr>" for r in rows)}</tbody></table></div>'

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)


def note(text: str) -> Table:
    "A table of one sentence, for what is not there."
    return Table(pd.DataFrame({"": [text]}))


LABELS = {
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "precision_top_1pct": "Precision, riskiest 1 %",
    "lift_top_1pct": "Lift, riskiest 1 %",
    "predictions": "Predictions",
    "labelled_share": "Share labelled",
    "positive_rate": "Positive rate",
    "alerts": "Above the threshold",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "fpr": "False positive rate",
    "fdr": "False discovery rate",
    "f1": "F1",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
}
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
COUNTED = {"predictions", "alerts"}


def shown(name: str, figure: Figure) -> str:
    "A figure with its interval, as a person reads it."
    if isnan(figure.value):
        return "-"
    if name in COUNTED:
        return f"{figure.value:,.0f}"
    return number(figure.value) + (
        f" ({number(figure.lower)} to {number(figure.upper)})" if not isnan(figure.lower) else ""
    )


def performance_table(view: View) -> Table:
    "Figures of the day, the recent days, 30 days and the held-out days of training."
    spans = {
        "day": view.quality.today,
        f"{view.settings.recent_days} days": view.quality.week,
        "30 days": view.quality.month,
    }
    rows = [
        {"": LABELS[k]}
        | {span: shown(k, f[k]) for span, f in spans.items()}
        | {"held-out days": "" if k in COUNTED else number(view.quality.baseline.get(k, nan))}
        for k in ORDER
        if k in view.quality.today
    ]
    return Table(pd.DataFrame(rows))


def label_table(view: View) -> Table:
    "Figures of the recent days by what is known: labels so far, what late labels will add, what the scores alone expect; and the newest days that are complete."
    naive, adjusted, expected, mature = (
        confusion(view.window(view.settings.recent_days), view.threshold),
        view.labels.adjusted,
        view.labels.expected,
        view.labels.complete,
    )
    week = {
        "positive_rate": view.quality.week["positive_rate"],
        "accuracy": naive.accuracy,
        "precision": naive.precision,
        "recall": naive.recall,
    }
    days, last = view.settings.recent_days, view.labels.complete_day
    rows = [
        {
            "": LABELS[k],
            f"labels so far, {days} days": shown(k, week[k]),
            "adjusted for late labels": shown(k, adjusted.figures[k]) if adjusted else "-",
            "expected without labels": shown(k, expected[k]) if expected else "-",
            f"{last - timedelta(days - 1):%d %b} to {last:%d %b}, complete": shown(k, mature[k]),
        }
        for k in week
    ]
    return Table(pd.DataFrame(rows))


def false_positive_table(view: View, limit: int = 12) -> Table:
    "False positives at the threshold in force: by day, by version, by site and by width of the probability interval, over the recent days."
    first, rows = view.day - timedelta(view.settings.recent_days - 1), []

    def add(by, name, counts, threshold=view.threshold):
        c = confusion(counts, int(counts.grid.cells(threshold)))
        rows.append(
            {
                "by": by,
                "": name,
                "labelled": f"{c.n:,}",
                "false positives": f"{c.fp:,}",
                "false positive rate": shown("fpr", c.fpr),
                "false among alerts": shown("fdr", c.fdr),
            }
        )

    for day, counts in view.counts_by_day.items():
        if day >= first:
            add("day", f"{day:%a %d %b}", counts)
    for version in view.versions_between(first):
        theirs = (
            view.threshold
            if version == view.version
            else view.reader.threshold(view.model, version, view.as_of)
        )
        if (
            theirs is not None
        ):  # a version whose threshold is not known here has no false positives to speak of
            add(
                "version",
                f"{view.model} {version}",
                total(
                    view.reader.score_counts(
                        view.model, first, view.day, version=version, as_of=view.as_of
                    ).values(),
                    view.grid,
                ),
                theirs,
            )
    for segment, counts in list(
        view.reader.segment_counts(
            view.model, first, view.day, version=view.version, as_of=view.as_of
        ).items()
    )[:limit]:
        add("site", segment.removeprefix("site="), counts)
    if view.tickets.stands:
        recent = view.window(view.settings.recent_days)
        lower, upper = view.tickets.stands[1].bounds.intervals(recent.points)
        place = np.digitize(upper - lower, WIDTHS)
        for i, name in enumerate(("below 0.05", "0.05 to 0.10", "0.10 to 0.20", "0.20 or wider")):
            add(
                "interval width",
                name,
                ScoreCounts(
                    recent.points,
                    *(np.where(place == i, c, 0) for c in recent.columns),
                    recent.grid,
                ),
            )
    return Table(pd.DataFrame(rows), ("",))


WIDTHS = (0.05, 0.10, 0.20)


def segment_table(view: View, limit: int = 20) -> Table:
    "Each site over the recent days, largest first."
    start = view.day - timedelta(view.settings.recent_days - 1)
    largest = list(
        view.reader.segment_counts(
            view.model, start, view.day, version=view.version, as_of=view.as_of
        ).items()
    )[:limit]
    ordered = [
        (s.removeprefix("site="), summary(c, int(c.grid.cells(view.threshold)))) for s, c in largest
    ]
    columns = ("predictions", "labelled_share", "positive_rate", "alerts", "precision", "recall")
    return (
        Table(
            pd.DataFrame(
                [
                    {"site": site} | {LABELS[k]: shown(k, f[k]) for k in columns}
                    for site, f in ordered
                ]
            )
        )
        if ordered
        else note("no site was logged")
    )


def alarm_table(view: View, closed_days: int = 30) -> Table:
    "Open alarms, gravest first, in words with their evidence at its most, and below them those that were closed in the last days."
    said = (
        view.reader.drift_events(
            view.model,
            view.day - timedelta(closed_days - 1),
            view.day,
            version=view.version,
            as_of=view.as_of,
        )
        .groupby("event_id")
        .tail(1)
    )
    closed = [
        {
            "stream": r.stream,
            "kind": r.kind,
            "severity": "withdrawn" if r.text.startswith("Withdrawn") else "closed",
            "what moved": r.text,
            "likely since": f"{r.since:%d %b}",
            "open since": f"{r.opened_on:%d %b} to {r.event_date:%d %b}",
            "evidence": "-",
        }
        for r in said[said.state == "closed"]
        .sort_values("event_date", ascending=False)
        .itertuples()
    ]
    if not view.drift.alarms and not closed:
        return note("no alarm is open" if view.drift.questions else "nothing is watched yet")
    rows = [
        {
            "stream": a.stream,
            "kind": a.kind,
            "severity": a.severity + (" (muted)" if a.muted else ""),
            "what moved": a.says(),
            "likely since": f"{a.since:%d %b}",
            "open since": f"{a.opened_on:%d %b}",
            "evidence": f"10^{round(a.log10_evidence)}",
        }
        for a in view.drift.alarms
    ]
    return Table(pd.DataFrame(rows + closed), ("kind", "severity", "what moved"))


def stream_table(view: View) -> Table:
    "Every stream, those with an open alarm first: the recent change with the lower end of its size, what is tolerated, evidence, and what the reference is worth."
    seen = view.drift
    if not seen.questions:
        return note("nothing is watched yet")
    digits, unit = (
        (lambda q: 3 if q.stream.name == "loss" else 2),
        lambda q: "" if q.stream.name == "loss" else f" {q.stream.unit}",
    )
    change = lambda q: (
        "-"
        if isnan(q.stream.effect[-1])
        else f"{q.stream.effect[-1]:+.1%}"
        if q.stream.unit == "of events"
        else f"{q.stream.effect[-1]:+.{digits(q)}f}{unit(q)}"
    )
    size = lambda q, v: f"{v:.1%}" if q.stream.unit == "of events" else f"{v:.{digits(q)}f}"
    rows = [
        {
            "stream": q.stream.name,
            "watched": q.where[q.at[-1]] if q.at is not None and len(q.at) else q.where[0],
            "recent change": change(q),
            "at least": size(q, q.stream.lower[-1]),
            "tolerated": size(q, q.stream.tolerance),
            "evidence": f"10^{round(max(-99, (seen.followed.evidence[-1, i] - seen.followed.bar[i]) / log(10)))}",
            "reference days": "own past" if q.rests_on is None else q.rests_on,
            "autocorrelation": number(q.residual.value, 2),
        }
        for i, q in sorted(
            enumerate(seen.questions), key=lambda iq: not seen.followed.open[-1, iq[0]]
        )
    ]
    return Table(pd.DataFrame(rows), ("watched",))


def feature_table(view: View) -> Table:
    "Every feature of the recent days against its reference, the largest change first."
    if not view.drift.shifts:
        return note("no feature has a reference to compare with")
    pair = lambda a: f"{percent(a[0], 1)} / {percent(a[1], 1)}"
    rows = [
        {
            "feature": f.name,
            "largest change": f"{percent(f.effect, 1)} ({percent(f.lower, 1)} to {percent(f.upper, 1)})",
            "PSI": number(f.psi),
            "PSI without drift": number(f.psi_no_drift, 4),
            "Jensen-Shannon": number(f.jensen_shannon),
            "missing, recent / reference": pair(f.missing),
            "never seen": percent(f.unseen[0], 1),
        }
        for f in view.drift.shifts
    ]
    return Table(pd.DataFrame(rows))


def drift_table(view: View) -> Table:
    "The evidence behind the severity."
    test, drop = view.scores.ks, view.quality.accuracy_drop
    rows = [
        (
            "Largest gap between the distributions",
            shown("ks", Figure(test.statistic, test.lower, test.upper)),
        ),
        ("Mean shift of the score (log-odds)", number(test.shift, 2)),
        ("KS p-value", "-" if isnan(test.pvalue) else f"{test.pvalue:.2g}"),
        ("Events, recent / reference", f"{test.n:,} / {test.m:,}"),
        ("Severity of the score's drift", test.severity),
        (
            "Accuracy, held-out days / recent days",
            f"{number(drop.baseline)} / {number(drop.recent)}",
        ),
        ("Severity of the accuracy drop", drop.severity),
        ("Severity", view.scores.reference_severity),
    ]
    return Table(pd.DataFrame(rows, columns=["evidence", "value"]))


def calibration_table(view: View) -> Table:
    "Quantiles by coverage of the calibration that the day was decided with."
    if not view.tickets.stands:
        return note("no calibration stood on this day")
    key, calibration = view.tickets.stands[0], view.tickets.stands[1].calibration
    rows = [
        {
            "coverage": percent(c),
            "quantile q": number(q),
            "widest interval": number(min(1.0, 2 * q)),
            "calibration score": number(calibration.calibration_score(c)),
            "labelled events": f"{calibration.n:,}",
            "id": key,
        }
        for c, q in calibration.quantiles.items()
    ]
    return Table(pd.DataFrame(rows), ("id",))


def promise_table(view: View) -> Table:
    "The rule for tickets in force: what it promises, on what, and what became of it."
    if not view.tickets.stands:
        return note("no calibration stood on this day")
    stands = view.tickets.stands[1]
    rule, made = stands.rule, stands.calibration.created_at
    kept = view.tickets.kept()
    kept = kept[kept.tickets > 0]
    rows = [
        ("Rule", rule.method),
        (
            "A ticket needs a score of",
            "nothing is automated"
            if rule.threshold is None
            else number(view.probability(rule.threshold)),
        ),
        ("Why, in hindsight", rule.reason),
        ("Promise", rule.guarantee or "none"),
        ("Unit", rule.unit),
        ("If", rule.assumes or "-"),
        (
            "Rests on",
            f"{rule.n:,} labelled events"
            + (f", {rule.days} days with labelled tickets" if rule.days else ""),
        ),
        (
            "Back-test",
            f"{int(kept.false.sum()):,} of {int(kept.tickets.sum()):,} labelled tickets of {len(kept)} mature days were false"
            if len(kept)
            else "no ticket has a mature label yet",
        ),
        (
            "Watch",
            f"broken, found on {stands.watch.broken_on}"
            if stands.watch.broken_on
            else f"holds; evidence against it {stands.watch.evidence:.3g} after {stands.watch.days} days; an alarm from {1 / (1 - stands.watch.confidence):.0f} on",
        ),
        (
            "Calibrated",
            f"{made:%Y-%m-%d %H:%M}Z, {stands.calibration.n:,} labelled events of {view.settings.calibration_days} days; {stands.calibration.stale(view.known_at) or 'not stale'}"
            if made
            else "by an older version, time unknown",
        ),
    ]
    return Table(pd.DataFrame(rows, columns=["about tickets", ""]), ("",))


def coverage_table(view: View) -> Table:
    "Coverage of the label-conditional sets over mature days, and how often each set was given."
    report = view.tickets.coverage
    if report is None:
        return note("no day of the calibration window has mature labels yet")
    rows = [
        {"": name, "covered": shown("coverage", f), "labelled events": f"{f.n:,}"}
        for name, f in (
            ("all", report.overall),
            ("negatives", report.by_label[0]),
            ("positives", report.by_label[1]),
        )
    ]
    return Table(pd.DataFrame(rows))


def operator_tables(view: View) -> list[Table]:
    "The three questions an operator lives by, asked of the log in plain SQL (`sql/operator.sql`) at the time of this view."
    tables = []
    for name, sql in statements("operator.sql").items():
        found = view.reader.frame(
            sql,
            {
                "model": view.model,
                "now": view.known_at,
                "batch": view.reader.known_batch(view.as_of),
            },
        )
        for column in found:
            found[column] = [
                ("-" if pd.isna(v) else percent(v, 1))
                if "share" in column
                else f"{v:,}"
                if isinstance(v, (int, float))
                else str(v)
                for v in found[column].tolist()
            ]
        tables.append(
            Table(found.rename(columns=lambda c: c.replace("_", " ")))
            if len(found)
            else note(f"{name.replace('_', ' ')}: nothing logged in this time")
        )
    return tables


def alert_table(view: View, alerts: pd.DataFrame, limit: int = 15) -> Table:
    "High-risk events with their intervals: tickets first, then the riskiest."
    shown_rows = alerts[alerts.route.isin(["ticket", "alert"])] if len(alerts) else alerts
    if shown_rows.empty:
        return note("no event of the day was of high risk")
    top = (
        shown_rows.assign(first=shown_rows.route != "ticket")
        .sort_values(["first", "probability"], ascending=[True, False])
        .head(limit)
    )
    label = top.label.map({1.0: "positive", 0.0: "negative"}).fillna("not known yet")
    time = top.predicted_at.dt.tz_convert(view.reader.timezone).dt.strftime("%H:%M")
    return Table(
        pd.DataFrame(
            {
                "entity": top.entity_id,
                "site": top.site_id,
                "time": time,
                "score": top.probability.map(number),
                "lower": top.lower.map(number),
                "upper": top.upper.map(number),
                "route": top.route.map({"ticket": "ticket", "alert": "to a person"}),
                "label": label,
            }
        ),
        ("site", "route", "label"),
    )


def simulation_table(view: View) -> Table:
    "The candidate against the threshold in force."
    if view.replay.candidate is None:
        return note("no labelled positive in the last 30 days")
    names = {
        "alerts": "Events at or above it",
        "alerts_per_day": "a day",
        "tp": "Positives caught (labelled)",
        "fp": "False alerts (labelled)",
    }
    rows = [
        (
            "Threshold (score)",
            *map(
                number,
                _with_difference(
                    view.probability(view.replay.candidate), view.probability(view.threshold)
                ),
            ),
        )
    ]
    rows += [
        (
            names.get(k, LABELS.get(k, k)),
            *((f"{v:,.0f}" if k in names else number(v)) for v in values),
        )
        for k, values in view.replay.simulate(view.replay.candidate).table.items()
    ]
    return Table(pd.DataFrame(rows, columns=["30 days", "candidate", "in force", "difference"]))


def _with_difference(a, b):
    return a, b, a - b


def threshold_table(
    view: View, scores: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
) -> Table:
    "What each of some thresholds would have done over the last 30 days."
    counts, rows = view.window(30), []
    for score in scores:
        at = int(view.grid.quantise(score))
        c = confusion(counts, at)
        rows.append(
            {
                "threshold": f"{score:g}",
                "alerts a day": f"{counts.at_or_above(at)[0] / view.replay.days_replayed:,.0f}",
                "caught in 30 days": f"{c.tp:,}",
                "false in 30 days": f"{c.fp:,}",
                "precision": number(c.precision.value),
                "recall": number(c.recall.value),
                "false positive rate": number(c.fpr.value),
            }
        )
    return Table(pd.DataFrame(rows))


def reason_table(
    view: View,
    alerts: pd.DataFrame,
    reasons: pd.DataFrame,
    words: Callable[[pd.Series], str],
    limit: int = 15,
) -> Table:
    "The riskiest alerts with their reasons in words."
    if reasons.empty:
        return note(
            "no alerts to explain"
            if alerts.empty
            else "this version was trained elsewhere: its reasons are not known here"
        )
    top = alerts.head(limit)
    return Table(
        pd.DataFrame(
            {
                "entity": top.entity_id,
                "site": top.site_id,
                "score": top.probability.map(number),
                "reasons": [words(r) for _, r in reasons.head(limit).iterrows()],
            }
        ),
        ("site", "reasons"),
    )


def check_table(checks: Sequence[Check]) -> Table:
    "The safeguards."
    return Table(
        pd.DataFrame(
            [
                {
                    "safeguard": c.name,
                    "passes": "yes" if c.passed else "no",
                    "what it saw": c.reason,
                }
                for c in checks
            ]
        ),
        ("passes", "what it saw"),
    )


def version_table(view: View) -> Table:
    "Registered versions with their windows and held-out figures; which is active."
    versions, active = (
        view.reader.versions(view.model, view.known_at),
        view.reader.active_version(view.model, view.as_of),
    )
    if versions.empty:
        return note("no version is registered: this model was trained elsewhere")
    rows = [
        {
            "version": v.version,
            "state": "active" if v.version == active else "",
            "trained from": v.state["window"][0],
            "held out": f"{v.state['held_out_from']} to {v.state['window'][1]}",
            "rows": f"{v.state['rows']:,}",
            "threshold": number(view.probability(v.state["threshold"])),
            **{
                LABELS[k]: number(v.state["metrics"].get(k) or nan)
                for k in ("pr_auc", "roc_auc", "brier")
            },
        }
        for _, v in versions.iterrows()
    ]
    return Table(pd.DataFrame(rows), ("state", "trained from", "held out"))
