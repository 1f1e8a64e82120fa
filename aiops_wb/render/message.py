"""What a morning has to say to people who are not looking: a few lines, the worst first.

A message names models, versions, features, figures, and who changed something. It holds no entity
and no id of an event, no value of a category, no reason that somebody wrote and no text of an
error, for it is read by whoever can read a mailbox. The pages have all of that.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from ..config import Settings
from ..watch.messages import Item, Message
from .front import FrontRow, front_rows, news
from .pages import REPORTS, of_day

__all__ = [
    "SEE_PAGES",
    "changed",
    "failed_figures",
    "failed_report",
    "failures",
    "recent",
    "written",
]

LATE = timedelta(days=7)
"So long what an address is owed is tried again, beside what is new."
MOST_MODELS, MOST_OF_MODEL, MOST_LINES, LONGEST = 8, 3, 6, 160
_IS = {
    "act": "needs somebody",
    "unknown": "cannot be told",
    "watch": "is worth a look",
    "well": "is well",
}
"How a model stands -> what is said of it."
_CATEGORY = re.compile(r"the share (?:= .*|up to .* in the alphabet) (rose|fell) by ")


def changed(by_day: Mapping[str, Mapping], day: str) -> list[Item]:
    "What is not as it was on the morning before; `by_day`: manifests, the newest first."
    manifest = by_day[day]
    before = next((told for known, told in by_day.items() if known < day), None)
    items = [
        Item(f"{one.kind} {one.key} {day}", "changed", f"{one.kind}: {one.says}", one.model, day)
        for one in news(manifest, before)
        if one.key
    ]
    for model, entry in sorted(manifest["models"].items()):
        was = (before or {}).get("models", {}).get(model, {})
        items += [Item(f"{k} {model} {day}", "changed", k, model, day) for k in _fell(entry, was)]
    return items + [
        Item(f"change {one['seq']}", "changed", _change(one), day=day, about=_about(one))
        for one in manifest.get("changes", [])
    ]


def _fell(entry, was):
    "What is worse of a model than on the morning before, and no alarm says: its line does."
    if entry["state"] == "silent" != was.get("state"):
        yield "no predictions came"
    promises = [(one.get("triage") or {}).get("promise") for one in (entry, was)]
    if promises[0] == "broken" != promises[1]:
        yield "the promise about tickets broke"


def _change(one):
    "A change in words; the reason stays in the house."
    to = "taken back" if one["new"] is None else _value(one, "new", 60)
    was = f" (before: {_value(one, 'old', 40)})" if one["old"] else ""
    of = "" if one["subject"] == one["what"] else f" of {one['subject']}"
    return f"{one['what']}{of}: {to}{was}, by {one['who']}"


def _about(one):
    "The model of a change: its subject begins with it."
    return one["subject"].partition("/")[0]


def _value(one, which, longest):
    "What something was or is; of a threshold with its unit."
    value = str(one[which])
    points = one["what"] == "threshold" and value.removeprefix("-").isdigit()
    return f"{value} points" if points else _cut(value, longest)


def failures(manifest: Mapping) -> list[Item]:
    "What failed of a day by its pages, as the run that made them told it."
    day, found = manifest["day"], []
    for model, entry in sorted(manifest["models"].items()):
        if entry["state"] == "failed":
            found.append(failed_figures(day, model))
        reports = entry["reports"].items()
        found += _failed_of(day, model, reports)
    return found + _failed_of(day, "", of_day(manifest).items())


def _failed_of(day, model, reports):
    return [
        failed_report(day, model, name, told.get("title", ""))
        for name, told in reports
        if told["state"] == "failed"
    ]


def failed_figures(day: object, model: str, which: str = "figures") -> Item:
    "The figures of a day and model failed, or the alarms alone."
    says = f"the {which} of {model}, {day}"
    return Item(f"figures {day} {model}", "failed", says, model, do=SEE_PAGES)


def failed_report(day: object, model: str, report: str, title: str = "") -> Item:
    "A report failed; `title`: what one of one's own is called. One that is of no model has none."
    called = REPORTS[report].title if report in REPORTS else title or report
    says = f"the report {called} of {f'{model}, {day}' if model else day}"
    return Item(f"report {day} {model} {report}", "failed", says, model, do=SEE_PAGES)


SEE_PAGES = "The pages show why; the next 'aiops-wb daily' makes up for it."
"What to do about most of what fails."


def recent(by_day: Mapping[str, Mapping], since: datetime | None, waiting: set[str]) -> list[Item]:
    """What changed on the newest day; of the week before, what an address is owed: what it was sent
    in vain, and what came to be known since it is known itself, in a run that was stopped."""
    if not by_day:
        return []
    newest = next(iter(by_day))
    oldest = str(date.fromisoformat(newest) - LATE)
    older = [day for day in by_day if oldest <= day < newest]
    owed = {day for day in older if since and datetime.fromisoformat(by_day[day]["as_of"]) > since}
    late = [item for day in older for item in changed(by_day, day)]
    late = [item for item in late if item.day in owed or item.id in waiting]
    return [*changed(by_day, newest), *late]


def written(
    by_day: Mapping[str, Mapping],
    items: Sequence[Item],
    settings: Settings,
    models: Collection[str] = (),
) -> Message:
    "A message that tells some items, to somebody who hears of some models (none: of every one)."
    day = next(iter(by_day), "")
    manifest = by_day.get(day, {})
    before = next((told for known, told in by_day.items() if known < day), None)
    rows = front_rows(manifest, before, {}) if manifest else []
    rows = [row for row in rows if not models or row.model in models]
    failed = [item for item in items if item.kind == "failed"]
    touched = {item.model for item in items}
    parts = [
        _of_models(
            [_without_error(row, manifest) for row in rows if row.model in touched], items, day
        ),
        _listed("Failed", [f"{item.says}" for item in failed]),
        "\n".join(dict.fromkeys(item.do for item in failed if item.do)),
        _listed("Changed", [_dated(i, day) for i in items if i.kind != "failed" and not i.model]),
        _still([row.model for row in rows if row.state == "act" and row.model not in touched]),
        _end(manifest, day, items, settings),
    ]
    acting = [row.model for row in rows if row.state == "act" and row.model in touched]
    kind = "failure" if failed else "warning" if acting else "info"
    return Message(_title(day, failed, acting, items), "\n\n".join(filter(None, parts)), kind)


def _title(day, failed, acting, items):
    said = []
    if failed:
        said.append(f"{len(failed):,} {'step' if len(failed) == 1 else 'steps'} failed")
    if len(acting) == 1:
        said.append(f"{acting[0]} needs somebody")
    elif acting:
        said.append(f"{len(acting):,} models need somebody")
    if not said:
        said.append(f"{len(items):,} {'thing' if len(items) == 1 else 'things'} changed")
    return _line(f"aiops_wb{f' {day}' if day else ''}: {', '.join(said)}", 200)


def _of_models(rows: Sequence[FrontRow], items, day):
    "A line for each model, with what the line does not say below it."
    lines = []
    for row in rows[:MOST_MODELS]:
        says = _plain(row.says)
        lines.append(_line(f"{row.model} {_IS[row.state]}{f': {says}' if says else '.'}", 300))
        own = [i for i in items if i.model == row.model and i.kind != "failed"]
        said = [_plain(_dated(item, day)) for item in own]
        lines += _few([one for one in said if one.partition(": ")[2] not in says], MOST_OF_MODEL)
    if len(rows) > MOST_MODELS:
        lines.append(f"{len(rows) - MOST_MODELS:,} more models: see the page.")
    return "\n".join(lines)


def _without_error(row, manifest):
    "A row that says that something failed, and not with which words."
    if manifest["models"][row.model]["state"] != "failed":
        return row
    return replace(row, says="The figures of this day failed.")


def _dated(item, day):
    "What an item says, with its day where that is not the newest."
    return item.says if item.day in ("", day) else f"{item.day} {item.says}"


def _listed(title, texts):
    return "\n".join([title, *_few(texts)]) if texts else ""


def _few(texts, most=MOST_LINES):
    "Some lines of a list; how many more there are."
    lines = [_line(f"- {text}") for text in texts[:most]]
    return lines + ([f"- {len(texts) - most:,} more"] if len(texts) > most else [])


def _still(models):
    if not models:
        return ""
    names = ", ".join(models[:MOST_LINES]) + (" ..." if len(models) > MOST_LINES else "")
    return _line(f"Told before, and still open: {names}", 300)


def _end(manifest, day, items, settings):
    "Where the page is, as of when, and what the message is known by, so that one of two is seen."
    told = hashlib.sha256(" ".join(sorted(item.id for item in items)).encode()).hexdigest()[:8]
    lines = []
    if day:
        place = f"{day}/index.html"
        base = settings.pages_url
        lines.append(f"{base.rstrip('/')}/{place}" if base else str(Path(settings.reports, place)))
    known = ""
    if manifest:
        at = manifest["as_of"][:16].replace("T", " at ")
        known = f"As known on {at} ({manifest.get('timezone', 'UTC')}). "
    return "\n".join([*lines, f"{known}Message {told}."])


def _plain(says):
    "A sentence without the value of a category, which may name somebody."
    return _CATEGORY.sub(r"the share of a category \1 by ", says)


def _cut(text, longest=LONGEST):
    text = str(text)
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."


def _line(text, longest=LONGEST):
    "One line without what steers a terminal, or begins another header of a mail."
    return _cut(" ".join("".join(c if c.isprintable() else " " for c in text).split()), longest)
