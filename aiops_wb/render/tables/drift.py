"""Tables of what moved: alarms, streams, features, and the reference rule."""

from datetime import timedelta
from math import isnan, log, log10

import pandas as pd

from ...stats.performance import Figure
from ...watch.attribution import plain_names
from ...watch.silence import SILENCE
from ...watch.view import View
from ...watch.words import number, percent
from ..table import Table, note
from ..vocabulary import looked_at, metric, shown

__all__ = ["alarm_table", "attribution_table", "drift_table", "feature_table", "stream_tables"]


def alarm_table(view: View, closed_days: int = 30) -> Table:
    """Open alarms, gravest first, in words with their evidence at its most, and who looks after
    them.

    Below them those that were closed in the last days.
    """
    rows = [*_silence(view), *map(_open_alarm, view.drift.alarms)]
    told = _looked_after(view) if rows else {}
    for row in rows:
        row["severity"] += told.get(row["stream"], "")
    rows += _closed_alarms(view, closed_days)
    if not rows and view.drift.off:
        return note(f"not watched {view.drift.off}")
    if not rows:
        return note("no alarm is open" if view.drift.questions else "nothing is watched yet")
    return Table(pd.DataFrame(rows), ("kind", "severity", "what moved"))


def _silence(view):
    "The alarm about silence that is open on the day."
    alarm = view.silence and view.silence.open
    if not alarm:
        return []
    severity, text, chance = alarm.told[-1][1:]
    return [
        {
            "stream": SILENCE,
            "kind": "operation",
            "severity": severity,
            "what moved": text,
            "likely since": f"{alarm.since:%d %b}",
            "open since": f"{alarm.opened_on:%d %b}",
            "evidence": f"10^{round(-log10(max(chance, 1e-300)))}",
        }
    ]


def _looked_after(view):
    "Stream -> what people did with its open alarm: who acknowledged it, until when it is muted."
    handled = view.reader.handled_alarms(view.model, view.as_of)
    told = {}
    for row in handled[handled.state != "closed"].itertuples():
        words = [f"acknowledged by {row.by}"] if row.state == "acknowledged" else []
        if row.muted_until and row.muted_until > view.day:
            words.append(f"muted until {row.muted_until:%d %b} by {row.muted_by}")
        told |= {row.stream: f" ({', '.join(words)})"} if words else {}
    return told


def _open_alarm(alarm):
    return {
        "stream": alarm.stream,
        "kind": alarm.kind,
        "severity": alarm.severity + (" (muted)" if alarm.muted else ""),
        "what moved": alarm.says(),
        "likely since": f"{alarm.since:%d %b}",
        "open since": f"{alarm.opened_on:%d %b}",
        "evidence": f"10^{round(alarm.log10_evidence)}",
    }


def _closed_alarms(view, days):
    "Alarms that were closed or withdrawn in the last days, the newest first."
    first = view.day - timedelta(days - 1)
    events = view.reader.drift_events(
        view.model, first, view.day, version=view.version, as_of=view.as_of
    )
    last = events.groupby("event_id").tail(1)
    closed = last[last.state == "closed"].sort_values("event_date", ascending=False)
    return [
        {
            "stream": event.stream,
            "kind": event.kind,
            "severity": "withdrawn" if event.text.startswith("Withdrawn") else "closed",
            "what moved": event.text,
            "likely since": f"{event.since:%d %b}",
            "open since": f"{event.opened_on:%d %b} to {event.event_date:%d %b}",
            "evidence": "-",
        }
        for event in closed.itertuples()
    ]


def stream_tables(view: View) -> list[Table]:
    "Every stream that can be watched, and every one that cannot."
    return [_watched(view), _not_watched(view)]


def _watched(view):
    """Those with an open alarm first: the recent change with the lower end of its size, what is
    tolerated, evidence, and what the reference is worth."""
    drift = view.drift
    is_open = drift.followed.open[-1]
    places = sorted(range(len(drift.questions)), key=lambda i: not is_open[i])
    above = (drift.followed.evidence[-1] - drift.followed.bar) / log(10)
    days = drift.independence.figures
    watched = [i for i in places if drift.questions[i].stream.name not in drift.unwatched]
    rows = [_stream(drift.questions[i], above[i], days) for i in watched]
    return Table(pd.DataFrame(rows), ("watched",)) if rows else note("nothing is watched yet")


def _not_watched(view):
    "Each with the reason."
    rows = [{"not watched": name, "because": why} for name, why in view.drift.unwatched.items()]
    return Table(pd.DataFrame(rows), ("because",)) if rows else note("every stream is watched")


def _stream(question, powers, days):
    """A row of the table of streams; evidence in powers of ten over what a stream alone needs, and
    how far its days resemble the day before.
    """
    stream, rests_on = question.stream, question.rests_on
    return {
        "stream": stream.name,
        "watched": looked_at(question.where, question.at),
        "recent change": _change(stream),
        "at least": _size(stream, stream.lower[-1]),
        "tolerated": _size(stream, stream.tolerance),
        "evidence": f"10^{round(max(-99, powers))}",
        "reference days": "own past" if rests_on is None else rests_on,
        "autocorrelation": number(days[stream.name].value, 2) if stream.name in days else "-",
    }


def _change(stream):
    "By how much the recent days differ, with its sign and unit."
    change = stream.effect[-1]
    if isnan(change):
        return "-"
    bare = stream.unit == "of events" or stream.name == "loss"  # a percentage says its unit
    return _size(stream, change, "+") + ("" if bare else f" {stream.unit}")


def _size(stream, value, sign=""):
    "A size on the scale of its stream."
    if stream.unit == "of events":
        return f"{value:{sign}.1%}"
    return f"{value:{sign}.{3 if stream.name == 'loss' else 2}f}"


def feature_table(view: View) -> Table:
    "Every feature of the recent days against its reference, the largest change first."
    if not view.drift.shifts:
        return note("no feature has a reference to compare with")
    rows = [
        {
            "feature": f.name,
            "largest change": f"{percent(f.effect, 1)} "
            f"({percent(f.lower, 1)} to {percent(f.upper, 1)})",
            "PSI": number(f.psi),
            "PSI without drift": number(f.psi_no_drift, 4),
            "Jensen-Shannon": number(f.jensen_shannon),
            "missing, recent / reference": " / ".join(percent(share, 1) for share in f.missing[:2]),
            "never seen": percent(f.unseen[0], 1),
        }
        for f in view.drift.shifts
    ]
    return Table(pd.DataFrame(rows))


def drift_table(view: View) -> Table:
    "The evidence behind the severity."
    test, drop = view.scores.ks, view.quality.accuracy_drop
    gap = Figure(test.statistic, test.lower, test.upper)
    rows = [
        (metric("ks").heading, shown("ks", gap)),
        (metric("score_shift").heading, shown("score_shift", Figure(test.shift))),
        (metric("ks_pvalue").heading, "-" if isnan(test.pvalue) else f"{test.pvalue:.2g}"),
        ("Events, recent / reference", f"{test.n:,} / {test.m:,}"),
        ("Severity of the score's drift", test.severity),
        (
            f"Accuracy, {view.reference.name} / recent days",
            f"{number(drop.baseline)} / {number(drop.recent)}",
        ),
        ("Severity of the accuracy drop", drop.severity),
        ("Severity", view.scores.reference_severity),
    ]
    return Table(pd.DataFrame(rows, columns=["evidence", "value"]))


def attribution_table(view: View) -> Table:
    "Features whose contributions moved, most evidence first, in log-odds."
    told = view.attribution
    if not told.moved:
        return note("what moved is not known" if told.unknown else "no contribution moved")
    called = plain_names(view)
    rows = [
        {
            "feature": called.get(m.feature, m.feature),
            "pushes": "higher" if m.higher else "lower",
            "likely since": f"{m.since:%d %b}",
            "reference days": f"{m.before:+.3f}",
            "last days": f"{m.now:+.3f}",
            "change": "-" if isnan(m.lower) else f"{m.lower:+.3f} to {m.upper:+.3f}",
            "evidence": f"10^{m.evidence:.1f}",
        }
        for m in told.moved
    ]
    return Table(pd.DataFrame(rows), ("pushes",))
