"""Tables of why alerts fired: the riskiest in the page, all of them beside it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from ...log.calibrations import Interval
from ...log.feature_names import FeatureName
from ...stats.drift import ALARM_SEVERITIES
from ...watch.alarm_rows import alarms_of_day
from ...watch.view import View
from ...watch.why import in_words
from ...watch.words import labelled_like, number, percent
from ..table import Table, Whole, note

if TYPE_CHECKING:  # it needs an extra
    from ...models.differences import Difference, WidthExplained

__all__ = [
    "NOT_KEPT",
    "faithfulness_table",
    "open_alarm_table",
    "reason_table",
    "shift_table",
    "width_table",
]

IN_PAGE = 200


def reason_table(
    view: View,
    alerts: pd.DataFrame,
    reasons: pd.DataFrame,
    words: Callable[..., str],
    limit: int = IN_PAGE,
) -> Table:
    """The riskiest alerts with their reasons in words, by the plain names of features.

    Every alert stands in a file and a page of its own beside this one.
    """
    if reasons.empty:
        return note(
            "no alerts to explain"
            if alerts.empty
            else "this version was trained elsewhere: its reasons are not known here"
        )
    called = view.reader.feature_names(view.model, view.as_of)
    columns = {
        "entity": alerts.entity_id,
        "site": alerts.site_id,
        "score": alerts.probability.map(number),
        "reasons": [words(row, names=called) for row in reasons.to_dict("records")],
    }
    told = pd.DataFrame(columns)
    exact = reasons.drop(columns="bias").reset_index(drop=True)
    named = alerts[["prediction_id", "predicted_at", "entity_id", "site_id", "points", "label"]]
    whole = pd.concat([named.reset_index(drop=True), exact, told[["reasons"]]], axis=1)
    return Whole(
        told.head(limit), ("site", "reasons"), told, whole.assign(bias=reasons.bias.values)
    )


def faithfulness_table(removed: pd.DataFrame) -> Table:
    "What became of scores without their first, second and third reason (`explain.faithfulness`)."
    known = removed[removed.alerts > 0]
    if known.empty:
        return note("there is no reason to take away")
    columns = {
        "without the": known.reason.map({1: "first reason", 2: "second", 3: "third"}),
        "alerts": known.alerts,
        "said to add": known.push.map(lambda x: number(x, 2)),
        "score falls by": known["drop"].map(lambda x: number(x, 2)),
        "below the threshold then": known.below.map(percent),
    }
    return Table(pd.DataFrame(columns))


NOT_ASKED = (
    "what moved the scores is asked in the first week of an alarm; "
    "'aiops-wb drift explain' says it on any other day"
)
NOT_KEPT = (
    "what moved the scores was not kept on this morning; 'aiops-wb drift explain' says it of the "
    "newest day"
)


def shift_table(
    told: "Difference | str | None",
    limit: int = 10,
    names: Mapping[str, FeatureName] = MappingProxyType({}),
    none: str = NOT_ASKED,
) -> Table:
    """What moved the scores (`explain_shift`), why that is not known, or None: `none` says why
    nothing is said. Features by their plain names."""
    if told is None:
        return note(none)
    if isinstance(told, str) or told.first is None:
        return note(f"what moved the scores is not known: {told}")
    signed = lambda x: "-" if pd.isna(x) else f"{x:+.3f}"
    parts = told.parts.head(limit)
    columns = {"feature": parts.feature.map(lambda f: names.get(f, FeatureName(f)).name)}
    columns |= {name: parts[name].map(signed) for name in ("part", "lower", "upper")}
    sums = {"all features": told.parts.part.sum(), "scores moved by": told.total}
    ends = [{"feature": name, "part": signed(x)} for name, x in sums.items()]
    ends.append({"feature": "residual", "part": f"{told.residual:.0e}"})
    return Table(pd.concat([pd.DataFrame(columns), pd.DataFrame(ends)]).fillna(""))


def open_alarm_table(view: View) -> Table:
    "What the alarms say that are open on the day, the gravest first; a sentence without any."
    alarms = alarms_of_day(view)
    if not alarms:
        return note(
            "whether anything moved is not known: the report Drift says why"
            if view.severity == "unknown" or view.not_watched
            else "no alarm is open"
        )
    order = list(ALARM_SEVERITIES)
    rows = [
        {
            "stream": alarm.stream,
            "severity": alarm.severity + (" (muted)" if alarm.muted else ""),
            "what it says": getattr(alarm, "text", None) or alarm.says(),
        }
        for alarm in sorted(alarms, key=lambda a: -order.index(a.severity))
    ]
    return Table(pd.DataFrame(rows), ("severity", "what it says"))


def width_table(
    view: View,
    wide: Interval | None,
    told: "WidthExplained | str | None",
    names: Mapping[str, FeatureName] = MappingProxyType({}),
) -> Table:
    "Why the widest interval among the day's reviews (`widest_review`) is as wide as it is."
    if wide is None:
        return note("no event of the day with an interval went to a person")
    first, last = wide.span
    rows = {
        "interval": f"{number(wide.lower)} to {number(wide.upper)}, the widest of those that a "
        "person decides",
        "score": number(view.probability(wide.points)),
        "calibrated on": f"{len(wide.days)} days of {in_words((first, last))}",
        "events like it": labelled_like(view.counts(first, last), wide.days, wide.points),
        "its ends": _ends_apart(view.settings.narrow_width, wide, told, names),
    }
    return Table(pd.DataFrame(rows.items(), columns=["", " "]), (" ",))


def _ends_apart(narrow, wide, told, names):
    if told is None and wide.width < narrow:
        return f"narrower than {number(narrow, 2)}: there is no width to explain"
    if told is None:
        return "it was not kept on this morning"
    return f"not known: {told}" if isinstance(told, str) else told.says(names=names)
