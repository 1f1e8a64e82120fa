"""What the front page says: a row for each model, worst first, and what is new since the morning
before.

Everything is read from manifests: the log is not asked, so that a page of a day says what was known
on it, and can be made again without the log.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["STANDINGS", "Feed", "FrontRow", "News", "Spark", "feed_of", "front_rows", "news"]

STANDINGS = {
    "act": "somebody is needed now: something failed, fell silent, broke or moved",
    "unknown": "too little is known to say",
    "watch": "something is not as it was, or somebody is on it",
    "well": "looked for with enough data, and nothing found",
}
"How a model stands, in the order in which they are shown -> what it means."

GRAVE = ("medium", "high", "critical")
"Severities of an alarm that needs somebody."
LONGEST = 200
"Characters of the one sentence."
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_PROMISES = {"kept": "kept", "broken": "broken", "none": "-", "unknown": "?"}


class Spark(NamedTuple):
    "A figure over the last days as a line of SVG, in a box of 96 x 24."

    title: str
    path: str
    last: str


@dataclass(frozen=True)
class FrontRow:
    "A model on the front page."

    model: str
    link: str  # to its own page of the day; empty where it has none
    state: str
    says: str
    new: int  # alarms that opened on the day
    open: int  # alarms that are open, those among them
    tickets: str
    to_person: str
    waiting: str
    promise: str
    labels_until: str
    volume: str
    usual: str
    sparks: Sequence[Spark]
    cases: str = ""  # to the page of its cases, where there is one


class News(NamedTuple):
    "Something that is not as it was on the morning before."

    day: str
    kind: str  # opened, closed, changed
    says: str
    model: str = ""
    key: str = ""  # which alarm it is about


@dataclass(frozen=True)
class Feed:
    "Whether rows came in, and what became of the morning."

    says: Sequence[str] = ()
    problems: Sequence[str] = field(default=())


def front_rows(
    manifest: Mapping,
    before: Mapping | None,
    links: Mapping[str, str],
    cases: Mapping[str, str] = MappingProxyType({}),
) -> list[FrontRow]:
    """A row for each model of a day, worst first; `links`: model -> its own page, `cases`: that of
    its cases."""
    earlier = (before or {}).get("models", {})
    rows = [
        replace(_row(model, entry, earlier.get(model, {}), manifest["day"]), link=link, cases=to)
        for model, entry in manifest["models"].items()
        for link, to in [(links.get(model, ""), cases.get(model, ""))]
    ]
    order = list(STANDINGS)
    return sorted(rows, key=lambda row: (order.index(row.state), -row.new, -row.open, row.model))


def _row(model, entry, before, day):
    told = entry.get("triage") or {}
    alarms = told.get("alarms", [])
    opened = _opened(alarms, before, day)
    state, says = _standing(entry, alarms, opened)
    figures = entry.get("figures", {})
    course = told.get("course", {})
    return FrontRow(
        model,
        "",
        state,
        _shortened(says),
        len(opened),
        len(alarms),
        figures.get("tickets", "-"),
        figures.get("to a person", "-"),
        _waiting(told.get("waiting", {})),
        _PROMISES.get(told.get("promise", ""), "-"),
        told.get("labels_until") or "-",
        figures.get("predictions", "-"),
        "" if told.get("usual") is None else f"{told['usual']:,.0f}",
        [one for name, title in _DRAWN.items() if (one := _spark(title, course.get(name, [])))],
    )


_DRAWN = {"alerts": "above the threshold", "pr_auc_complete": "PR-AUC of complete days"}


def _opened(alarms, before, day):
    "Alarms that were not open on the morning before."
    known = {alarm["id"] for alarm in (before.get("triage") or {}).get("alarms", [])}
    if "triage" not in before:  # of a release whose manifests do not say
        return [alarm for alarm in alarms if alarm["opened_on"] == day]
    return [alarm for alarm in alarms if alarm["id"] not in known]


def _standing(entry, alarms, opened):
    "How a model stands, and the one sentence that matters."
    if entry["state"] == "failed":
        error = entry.get("error") or "no reason is known"
        return "act", f"The figures of this day failed: {error}"
    if entry["state"] == "silent":
        return "act", entry.get("alarm", "")
    reports = entry["reports"]
    if failed := [name for name, report in reports.items() if report["state"] == "failed"]:
        called = (str(reports[name].get("title") or name.capitalize()) for name in failed)
        return "act", f"Reports failed: {', '.join(called)}."
    if (entry.get("triage") or {}).get("promise") == "broken":
        return "act", _said(reports, "certainty") or "The promise about tickets broke."
    asking = [a for a in alarms if a["severity"] in GRAVE and not a["acknowledged"]]
    if asking:
        first = next((a for a in asking if a in opened), asking[0])
        return "act", _alarm(first, len(alarms) - 1)
    return _calm(reports)


def _calm(reports):
    "Where nothing needs somebody now: what the reports say."
    by_state = {}
    for name, report in reports.items():
        if "title" in report and not report.get("headline"):
            continue  # one's own that says nothing of how the model is
        state = (report.get("headline") or {}).get("state", "unknown")
        by_state.setdefault(state, []).append(name)
    if looks := by_state.get("look"):
        return "watch", _said(reports, looks[0])
    if unknown := by_state.get("unknown"):
        return "unknown", _said(reports, unknown[0]) or "No report says anything of this day."
    if not by_state:
        return "unknown", "No report was made of this day."
    first = next(iter(reports.values())).get("headline") or {}
    return "well", first.get("advice", "")


def _said(reports, name):
    return ((reports.get(name) or {}).get("headline") or {}).get("says", "")


def _alarm(alarm, others):
    more = f" {others} more {'alarms are' if others > 1 else 'alarm is'} open." if others else ""
    return f"{_SENTENCE.split(alarm['says'])[0]}{more}"


def _shortened(says):
    "As many whole sentences as a row holds; a longer first one is cut."
    kept = ""
    for sentence in _SENTENCE.split(says):
        if kept and len(kept) + 1 + len(sentence) > LONGEST:
            break
        kept = f"{kept} {sentence}".strip()
    return kept if len(kept) <= LONGEST else f"{kept[: LONGEST - 1].rstrip()}…"


def _waiting(waiting):
    "Cases that nobody has taken up, in words."
    return ", ".join(
        f"{n:,} {kind}{'' if n == 1 else 's'}" for kind, n in sorted(waiting.items(), reverse=True)
    )


def _spark(title, values):
    "A line through the days that have a figure, with gaps where one has none."
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    height = (high - low) or 1
    step = 96 / (len(values) - 1)
    parts, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{place * step:.1f} {22 - 20 * (value - low) / height:.1f}")
        pen = "L"
    last = known[-1]
    return Spark(title, "".join(parts), f"{last:,.0f}" if high >= 10 else f"{last:.2f}")


def news(manifest: Mapping, before: Mapping | None) -> list[News]:
    "What is not as it was on the morning before: alarms that opened or closed, and changes."
    day, told = manifest["day"], []
    earlier = (before or {}).get("models", {})
    for model, entry in sorted(manifest["models"].items()):
        was = earlier.get(model, {})
        if entry["state"] == "silent" != was.get("state"):
            told.append(News(day, "opened", _first(entry.get("alarm", "")), model))
        if "triage" not in entry:
            continue
        alarms = entry["triage"]["alarms"]
        for alarm in _opened(alarms, was, day):
            told.append(News(day, "opened", _first(alarm["says"]), model, alarm["id"]))
        still = {alarm["id"] for alarm in alarms}
        for alarm in (was.get("triage") or {}).get("alarms", []):
            if alarm["id"] not in still:
                told.append(News(day, "closed", _first(alarm["says"]), model, alarm["id"]))
    return told + [News(day, "changed", _change(one)) for one in manifest.get("changes", [])]


def _first(says):
    return _SENTENCE.split(says)[0]


def _change(one):
    "A change in words."
    to = "taken back" if one["new"] is None else one["new"]
    was = f" (before: {one['old']})" if one["old"] else ""
    return f"{one['what']} of {one['subject']}: {to}{was}, by {one['who']}: {one['why']}"


def feed_of(manifest: Mapping) -> Feed:
    "Whether rows come in as they should, and what failed of the morning."
    told, zone = manifest.get("feed") or {}, ZoneInfo(manifest.get("timezone", "UTC"))
    says = [
        f"last predictions {_time(told.get('predictions'), zone)}",
        f"last labels {_time(told.get('labels'), zone)}",
    ]
    problems = []
    if told.get("quarantined"):
        problems.append(f"{told['quarantined']:,} rows in quarantine")
    if told.get("unmatched"):
        problems.append(f"{told['unmatched']:,} labels without a prediction")
    says += [f"{m}: {said}" for m, e in sorted(manifest["models"].items()) if (said := _festive(e))]
    problems += [f"{m}: {said}" for m, e in sorted(manifest["models"].items()) if (said := _low(e))]
    failed = sum(
        (e["state"] == "failed") + sum(r["state"] == "failed" for r in e["reports"].values())
        for e in manifest["models"].values()
    )
    made = manifest.get("reports")
    of_day = made.values() if isinstance(made, dict) else ()
    failed += sum(isinstance(r, dict) and r.get("state") == "failed" for r in of_day)
    if failed:
        problems.append(f"{failed:,} {'part' if failed == 1 else 'parts'} of the morning failed")
    aside = [*manifest.get("gone", []), *manifest.get("untold", [])]
    return Feed(says if told else [], problems + aside)


def _low(entry):
    "What is said where fewer than half or more than twice the usual number of rows came."
    usual = (entry.get("triage") or {}).get("usual")
    course = (entry.get("triage") or {}).get("course", {}).get("predictions", [])
    today = course[-1] if course else None
    if not usual or today is None or usual / 2 <= today <= 2 * usual:
        return ""
    return f"{today:,.0f} predictions, where {usual:,.0f} are usual"


def _festive(entry):
    "What is said where a holiday has no usual number of rows."
    why = (entry.get("triage") or {}).get("not_usual", "")
    return f"how many predictions are usual is not known: {why}" if "holiday" in why else ""


def _time(at, zone):
    "A time in the zone of the log, as the rest of a page has it."
    return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M}" if at else "never"
