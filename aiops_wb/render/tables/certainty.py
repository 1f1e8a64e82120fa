"""Tables of what may be done without a person: the promise, what it rests on, what came of it."""

import pandas as pd

from ...stats.coverage import LEAST_DAYS, LEAST_MISSES, least_labels
from ...watch.view import View
from ...watch.words import number, percent
from ..table import Table, note
from ..vocabulary import shown

__all__ = [
    "calibration_table",
    "promise_table",
    "coverage_table",
    "group_coverage_tables",
    "operator_tables",
    "alert_table",
]

UNCALIBRATED = "no calibration stood on this day"


def calibration_table(view: View) -> Table:
    "Quantiles by coverage of the calibration that the day was decided with."
    if not view.tickets.stands:
        return note(UNCALIBRATED)
    key, calibration = view.tickets.stands[0], view.tickets.stands[1].calibration
    rows = [
        {
            "coverage": percent(coverage),
            "quantile q": number(quantile),
            "widest interval": number(min(1.0, 2 * quantile)),
            "calibration score": number(calibration.calibration_score(coverage)),
            "labelled events": f"{calibration.n:,}",
            "id": key,
        }
        for coverage, quantile in calibration.quantiles.items()
    ]
    return Table(pd.DataFrame(rows), ("id",))


def promise_table(view: View) -> Table:
    "The rule for tickets in force: what it promises, on what, and what became of it."
    if not view.tickets.stands:
        return note(UNCALIBRATED)
    stands = view.tickets.stands[1]
    rows = [
        *_rule(view, stands.rule),
        ("Back-test", _back_test(view)),
        ("Watch", _watch(stands.watch)),
        ("Calibrated", _calibrated(view, stands.calibration)),
    ]
    return Table(pd.DataFrame(rows, columns=["about tickets", ""]), ("",))


def _rule(view, rule):
    "What the rule asks of a score, and what it promises in return."
    automated = rule.threshold is not None
    score = number(view.probability(rule.threshold)) if automated else "nothing is automated"
    days = f", {rule.days} days with labelled tickets" if rule.days else ""
    return [
        ("Rule", rule.method),
        ("A ticket needs a score of", score),
        ("Why, in hindsight", rule.reason),
        ("Promise", rule.guarantee or "none"),
        ("Unit", rule.unit),
        ("If", rule.assumes or "-"),
        ("Speaks of", view.complete_days.speaks_of if rule.guarantee else "-"),
        ("Rests on", f"{rule.n:,} labelled events{days}"),
    ]


def _back_test(view):
    kept = view.tickets.kept
    if kept.empty:
        return "no ticket has a mature label yet"
    false, tickets = int(kept.false.sum()), int(kept.tickets.sum())
    return f"{false:,} of {tickets:,} labelled tickets of {len(kept)} mature days were false"


def _watch(watch):
    if watch.broken_on:
        return f"broken, found on {watch.broken_on}"
    return (
        f"holds; evidence against it {watch.evidence:.3g} after {watch.days} days; "
        f"an alarm from {1 / (1 - watch.confidence):.0f} on"
    )


def _calibrated(view, calibration):
    made = calibration.created_at
    if not made:
        return "by an older version, time unknown"
    return (
        f"{made:%Y-%m-%d %H:%M}Z, {calibration.n:,} labelled events of "
        f"{view.settings.calibration_days} days; "
        f"{calibration.stale(view.spoken_at) or 'not stale'}"
    )


def coverage_table(view: View) -> Table:
    "Coverage of the label-conditional sets over mature days, and how many events it rests on."
    report = view.tickets.coverage
    if report is None:
        return note("no day of the calibration window has mature labels yet")
    rows = [
        {"": name, "covered": shown("coverage", figure), "labelled events": f"{figure.n:,}"}
        for name, figure in (
            ("all", report.overall),
            ("negatives", report.by_label[0]),
            ("positives", report.by_label[1]),
        )
    ]
    return Table(pd.DataFrame(rows))


def group_coverage_tables(view: View, limit: int = 20) -> list[Table]:
    "Coverage by tenant and site: what was found in words, and the worst rows."
    report = view.groups.report
    if report is None:
        return [_in_lines([("Not judged", view.groups.why_none)])]
    told = _in_lines([*_found_in_groups(report, limit), *_how_groups_were_judged(view, report)])
    rows = [_group_row(row) for row in report.rows[:limit]]
    return [told, Table(pd.DataFrame(rows), ("group", "label"))] if rows else [told]


def _in_lines(lines):
    return Table(pd.DataFrame(lines, columns=["coverage by group", ""]), ("",))


_KINDS = ("negatives", "positives")


def _found_in_groups(report, limit):
    "What is shown of groups, which can be judged, and how many rows there are."
    rows, (to_calibrate, to_judge) = report.rows, least_labels(report.coverage)
    groups = len({row.group for row in rows}) + len(report.too_few)
    short = sum(row.short for row in rows)
    named = [f"{_KINDS[row.label]} of {row.group}" for row in rows[: min(short, 3)]]
    more = f" and {short - 3:,} more" if short > 3 else ""
    stated = f"less than the {percent(report.coverage)} stated"
    found = f"covered {stated}: {', '.join(named)}{more}" if short else f"none shown {stated}"
    shown_rows = f"the worst {limit} of {len(rows):,}" if len(rows) > limit else "all rows"
    few = f"{len(report.too_few):,} {'has' if len(report.too_few) == 1 else 'have'}"
    judged = [sum(row.label == label for row in rows) for label in (0, 1)]
    return [
        ("Found", found if rows else "no group can be judged"),
        (
            "Can be judged",
            f"negatives of {judged[0]:,} and positives of {judged[1]:,} of {groups:,} groups; "
            f"{few} too few labels of both",
        ),
        (
            "It takes",
            f"{to_judge} labels of a kind on {LEAST_DAYS} days ({LEAST_MISSES} outside their sets "
            f"are to be expected); to calibrate its own sets {to_calibrate} earlier ones, else "
            "they all hold that label",
        ),
        (
            "Shown here",
            f"{shown_rows}; set sizes are labels in a set on "
            "average over a group's events, by what stood / by its own",
        ),
    ]


def _how_groups_were_judged(view, report):
    "Which days, and what the intervals mean."
    judged, earlier = (
        f"{first:%-d %b} to {last:%-d %b %Y}"
        for first, last in (view.groups.judged, view.groups.calibrating)
    )
    tested, wrong = max(len(report.rows), 1), 1 - report.confidence
    return [
        (
            "Days",
            f"{judged}, {len(view.groups.bounds)} complete days that had sets, each by what stood; "
            f"a group's own sets rest on {earlier}",
        ),
        (
            "Intervals",
            f"over days as units, {percent(1 - wrong / tested, 2)} each (Bonferroni over "
            f"{tested:,}): a chance of at most {percent(wrong)} that anything is called less that "
            "is not",
        ),
    ]


def _group_row(row):
    return {
        "group": row.group,
        "label": _KINDS[row.label],
        "days": row.days,
        "labels": f"{row.pooled.n:,}",
        "covered": shown("coverage", row.pooled),
        "by its own sets": shown("coverage", row.own),
        "set sizes": " / ".join(number(size, 2) for size in row.sizes),
        "less than stated": "shown" if row.short else "not shown",
    }


def operator_tables(view: View) -> list[Table]:
    """The three questions an operator lives by, asked of the log at the end of the day.

    In plain SQL: `sql/operator.sql`.
    """
    answers = view.reader.operator_answers(view.model, view.spoken_at, view.as_of)
    tables = []
    for name, answer in answers.items():
        if len(answer):
            tables.append(_in_words(answer))
        else:
            tables.append(note(f"{name.replace('_', ' ')}: nothing logged in this time"))
    return tables


def _in_words(answer):
    "A query's answer as text: shares as percentages, counts with their thousands apart."
    written = {
        column.replace("_", " "): [_written(column, value) for value in answer[column].tolist()]
        for column in answer
    }
    return Table(pd.DataFrame(written))


def _written(column, value):
    if "share" in column:
        return "-" if pd.isna(value) else percent(value, 1)
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def alert_table(
    view: View, alerts: pd.DataFrame, limit: int = 15, reasons: pd.DataFrame | None = None
) -> Table:
    """High-risk events with their intervals: tickets first, then the riskiest.

    `reasons` of the alerts, a row each: the first of them is named.
    """
    high_risk = alerts[alerts.route.isin(["ticket", "alert"])] if len(alerts) else alerts
    if high_risk.empty:
        return note("no event of the day was of high risk")
    ordered = high_risk.assign(person=high_risk.route != "ticket").sort_values(
        ["person", "probability"], ascending=[True, False]
    )
    top = ordered.head(limit)
    columns = {
        "entity": top.entity_id,
        "site": top.site_id,
        "time": top.predicted_at.dt.tz_convert(view.reader.timezone).dt.strftime("%H:%M"),
        "score": top.probability.map(number),
        "lower": top.lower.map(number),
        "upper": top.upper.map(number),
        "route": top.route.map({"ticket": "ticket", "alert": "to a person"}),
        "label": top.label.map({1.0: "positive", 0.0: "negative"}).fillna("not known yet"),
    }
    if reasons is not None and len(reasons):
        columns["first reason"] = _named(view, reasons.reason_1).reindex(top.index)
    return Table(pd.DataFrame(columns), ("site", "route", "label", "first reason"))


def _named(view, features):
    "Features by their plain names, - where there is none."
    called = view.reader.feature_names(view.model, view.as_of)
    plain = {feature: named.name for feature, named in called.items()}
    return features.map(lambda f: plain.get(f, f) if isinstance(f, str) else "-")
