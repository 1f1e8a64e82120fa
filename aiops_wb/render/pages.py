"""The pages between the reports: a page for each day, and the front door."""

import hashlib
import importlib.util
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from ..log.names import OF_DAY, file_name
from .drawing import alone_in, is_drawing
from .frame import FRONT_SCRIPT, Link, filled, glossary_page, led, with_script, write_whole
from .front import STANDINGS, feed_of, front_rows, news
from .glossary import GLOSSARY

__all__ = [
    "REPORTS",
    "PROMISES",
    "CASES",
    "cases_of",
    "QUESTIONS",
    "RENAMED",
    "STATES",
    "ReportName",
    "day_navigation",
    "folder",
    "folder_of",
    "state_of",
    "gravest",
    "is_own",
    "manifests",
    "of_day",
    "day_page",
    "index_page",
    "model_page",
    "write_pages",
    "note_untold",
    "navigation",
]


class ReportName(NamedTuple):
    "What a report is called in navigation, and the question that it answers."

    title: str
    question: str


REPORTS = {
    "performance": ReportName("Performance", "How is the model doing this week?"),
    "drift": ReportName("Drift", "Has anything moved that matters?"),
    "certainty": ReportName("Certainty", "Which alerts are certain?"),
    "reasons": ReportName("Reasons", "Why did they fire?"),
    "thresholds": ReportName("Thresholds", "What would another threshold do?"),
    "retrain": ReportName("Retraining", "Is a retrained model better?"),
}
"Report, as its files are named -> what people read; in the order of the pages."

QUESTIONS = {name: report.question for name, report in REPORTS.items()}
RENAMED = {"conformal": "certainty", "explain": "reasons"}
"Names that reports had in version 0.1, and have in manifests, files and runs of that time."

PROMISES = "promises.html"
"The page of promises, beside the front door."

CASES = "cases.html"
"The page of cases, beside the front door."

MADE = "made"
"The state of a report of one's own that says no headline: it counts for nothing else."
STATES = {"ok": "fine", "look": "look at it", "failed": "failed", "unknown": "not known yet"}


def folder(model: str) -> str:
    "The folder of a model's pages within the folder of their day."
    return file_name(model)


def cases_of(model: str) -> str:
    "The page of the cases of a model, beside the front door, where there are several models."
    return f"cases/{file_name(model)}.html"


def _cases_link(reports, model=None):
    "The page of the cases of a model, or of all, that there is; empty without one."
    pages = [cases_of(model), CASES] if model else [CASES]
    return next((page for page in pages if Path(reports, page).exists()), "")


def folder_of(reports: Path, day: str, model: str) -> str:
    """The folder where a day's pages of a model lie: by its name of today, or of version 0.1 when
    they were made then."""
    made, before = folder(model), _folder_before(model)
    there = Path(reports) / day
    return before if (there / before).exists() and not (there / made).exists() else made


def _folder_before(model):
    "The folder of a model's pages as version 0.1 named it."
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", model)
    if plain == model:
        return plain
    return f"{plain.strip('-')}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def state_of(report: Mapping) -> str:
    "ok, look, unknown or failed: of a report's manifest entry."
    if report["state"] == "failed":
        return "failed"
    usual = MADE if is_own(report) else "unknown"
    return (report.get("headline") or {}).get("state", usual)


def is_own(report: Mapping) -> bool:
    "Whether a report's manifest entry is of one's own: it says what the report is called."
    return "title" in report


def gravest(states: Iterable[str]) -> str:
    "The state that a summary shows: the one that needs a person most."
    present = set(states)
    return next((s for s in ("failed", "look", "unknown", "ok") if s in present), "unknown")


def manifests(reports: Path) -> dict[str, dict]:
    "Every day's manifest, newest first; one that cannot be read is left out."
    by_day = {}
    for path in sorted(Path(reports).glob("*/manifest.json"), reverse=True):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if _is_manifest(manifest):
            by_day[path.parent.name] = manifest
    return by_day


def _is_manifest(document):
    "Whether a page can be made from a document: it may come from anywhere."
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        return False
    entries = document["models"].values()
    of_models = all(
        isinstance(e, dict) and isinstance(e.get("reports"), dict) and "state" in e for e in entries
    )
    of_reports = [r for e in entries for r in e["reports"].values()] if of_models else []
    told = {"as_of", "batch", "audit_rows", "audit_head"} <= document.keys()
    return told and of_models and all(isinstance(r, dict) and "state" in r for r in of_reports)


def navigation(
    model: str,
    day: str,
    names: Sequence[str],
    current: str,
    told: Mapping[str, Mapping] = MappingProxyType({}),
) -> tuple[Link, ...]:
    "Links at the top of a report; `told`: what the manifest says of those of one's own."
    return (
        Link("All days", "../../index.html"),
        Link(day, "../index.html"),
        Link(model, "index.html"),
        *_links(names, current, told),
    )


def day_navigation(
    day: str, names: Sequence[str], current: str, told: Mapping[str, Mapping]
) -> tuple[Link, ...]:
    "The same of a report that is of no model."
    links = _links(names, current, told)
    return Link("All days", "../../index.html"), Link(day, "../index.html"), *links


def _links(names, current, told):
    return [
        Link(_name(n, told.get(n, {})).title, "" if n == current else f"{quote(n)}.html")
        for n in names
    ]


def _name(name, report):
    """What a report is called now: one of one's own as it was called when it was made; one that is
    not known goes by the name of its file."""
    own = ReportName(
        str(report.get("title") or name), str(report.get("question") or report.get("title") or name)
    )
    return REPORTS.get(RENAMED.get(name, name), own)


@dataclass(frozen=True)
class Card:
    "A report on a day's page; as a mark in a row of days only its link and state are shown."

    title: str
    question: str
    link: str
    state: str
    says: str = ""
    advice: str = ""
    picture: str = ""  # SVG, as the report's process made it

    @property
    def state_in_words(self) -> str:
        "The state as a person reads it."
        return (STATES | {MADE: MADE})[self.state]


class Why(NamedTuple):
    "Why a figure changed: which days against which, a sentence, and the report that says more."

    of: str
    says: str
    link: str


@dataclass(frozen=True)
class ModelPart:
    "A model on a day's page."

    name: str
    state: str
    about: str
    error: str
    figures: Mapping[str, str]
    cards: list[Card]
    alarm: str = ""  # why there is nothing else
    why: Sequence[Why] = ()


@dataclass(frozen=True)
class Cell:
    "A model in a row of days."

    marks: list[Card]
    line: str = ""
    failed: bool = False
    silent: bool = False


class Row(NamedTuple):
    "A day in the table of days."

    day: str
    cells: list[Cell]
    line: str = ""  # how many models stand how, where they are too many for a column each


def _mark(prefix, name, report):
    """A report by its link and state; `prefix` leads to the folder of the model's pages. The file
    is called as the report was when it was made."""
    return Card(*_name(name, report), link=f"{prefix}{quote(name)}.html", state=state_of(report))


def _card(folder_here, prefix, name, report):
    mark, headline = _mark(prefix, name, report), report.get("headline") or {}
    made = report["state"] == "ok"
    failed = "This report failed; its page shows the traceback."
    svg = folder_here / f"{name}.svg"
    return Card(
        mark.title,
        mark.question,
        mark.link,
        mark.state,
        (headline.get("says") or "") if made else failed,
        headline.get("advice", ""),
        _picture(svg.read_text(encoding="utf-8"), name, report) if made and svg.exists() else "",
    )


def _picture(svg, name, report):
    "The picture of a card: one that another library drew stands apart, and styles nothing else."
    if is_own(report) and not is_drawing(svg):
        return f'<img alt="" src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}">'
    return alone_in(svg, f"d-{name.replace('%', '_')}")


def _in_order(made):
    """The reports of a manifest in the order of their questions, under the names of their files,
    and those of one's own behind them."""
    order = list(REPORTS)
    known = [name for name in made if RENAMED.get(name, name) in REPORTS]
    own = sorted(name for name in made if name not in known and is_own(made[name]))
    return [*sorted(known, key=lambda name: order.index(RENAMED.get(name, name))), *own]


def of_day(manifest: Mapping) -> dict[str, Mapping]:
    "The reports of a day's manifest that are of no model, by the names of their files."
    made = manifest.get("reports")
    if not isinstance(made, dict):
        return {}
    return {name: made[name] for name in sorted(made) if _is_report(made[name])}


def _is_report(told):
    return isinstance(told, dict) and "state" in told and is_own(told)


def _part(reports, prefix, day, model, entry):
    """A model's part of a page: what is known of it on a day; `prefix` leads from the page to the
    folder of the model's pages."""
    made = entry["reports"]
    if entry["state"] == "silent":
        return ModelPart(model, "look", "", "", {}, [], entry.get("alarm", ""))
    if made:
        state = gravest(state_of(report) for report in made.values())
    else:
        state = "failed" if entry["state"] == "failed" else "unknown"
    threshold = entry.get("threshold", "-")
    about = (
        f"version {entry.get('version') or '-'}, threshold {threshold}, {entry.get('window', '')}"
    )
    here = Path(reports) / day / folder_of(reports, day, model)
    cards = [_card(here, prefix, name, made[name]) for name in _in_order(made)]
    why = [line for name in _in_order(made) for line in _why(prefix, name, made[name])]
    error, figures = entry.get("error") or "", entry.get("figures", {})
    return ModelPart(model, state, about, error, figures, cards, why=why)


def _why(prefix, name, report):
    "What a report says of why a figure changed; those of version 0.1 say nothing."
    link = _mark(prefix, name, report).link
    told = (report.get("why") or {}).get("lines", []) if report["state"] == "ok" else []
    return [Why(line["of"], line["says"], link) for line in told]


def _triage(reports, base, day, by_day, order):
    """What a page of a day begins with: a row for each model, the feed, what is new, and where
    there is a single model its cards. `base` leads from the page to the day's folder."""
    manifest, before = by_day[day], by_day.get(_neighbour(day, order, 1))
    up = "" if base else "../"
    cases = {m: f"{up}{page}" for m in manifest["models"] if (page := _cases_link(reports, m))}
    place = {m: f"{base}{quote(folder_of(reports, day, m))}/" for m in manifest["models"]}
    links = {m: f"{prefix}index.html" for m, prefix in place.items()}
    alone = manifest["models"] if len(manifest["models"]) == 1 else {}
    return {
        "front": front_rows(manifest, before, links, cases),
        "standings": STANDINGS,
        "feed": feed_of(manifest),
        "unasked": "changes" not in manifest,
        "unseen": any("triage" not in entry for entry in manifest["models"].values()),
        "models": [_part(reports, place[m], day, m, e) for m, e in alone.items()],
        "cards": _cards_of_day(reports, base, day, manifest),
    }


def _cards_of_day(reports, base, day, manifest):
    "A card for each report of a day that is of no model."
    here = Path(reports) / day / OF_DAY
    made = of_day(manifest).items()
    return [_card(here, f"{base}{OF_DAY}/", name, report) for name, report in made]


def day_page(reports: Path, day: str, by_day: Mapping[str, Mapping]) -> str:
    "The page of one day: every model in a row, what was new; `by_day` as `manifests` has them."
    manifest, order = by_day[day], list(by_day)
    before = by_day.get(_neighbour(day, order, 1))
    return filled(
        "day.html",
        f"{day} - aiops_wb",
        "../",
        day=day,
        known=_known(manifest),
        news=news(manifest, before),
        navigation=[
            Link("All days", "../index.html"),
            Link(day),
            *_days_around(day, order),
            *_to_cases(reports, "../"),
        ],
        footer=_footer(manifest),
        **_triage(reports, "", day, by_day, order),
        **with_script(FRONT_SCRIPT),
    )


def model_page(reports: Path, day: str, model: str, by_day: Mapping[str, Mapping]) -> str:
    "The page of a model on a day: what its reports say first, and where they lead."
    manifest, order = by_day[day], list(by_day)
    names = sorted(manifest["models"])
    return filled(
        "model_day.html",
        f"{model}, {day} - aiops_wb",
        "../../",
        day=day,
        known=_known(manifest),
        model=_part(reports, "", day, model, manifest["models"][model]),
        navigation=[
            Link("All days", "../../index.html"),
            Link(day, "../index.html"),
            Link(model),
            *_days_of_model(reports, day, model, by_day, order),
            *_models_beside(reports, day, model, names, manifest["models"]),
            *_to_cases(reports, "../../", model),
        ],
        footer=_footer(manifest),
    )


def _lead_on(page, links):
    "A report that was made before is led to what lies beside it now."
    with suppress(OSError, UnicodeError):  # what is lost or spoilt is told by its link
        html = page.read_text(encoding="utf-8")
        if (now := led(html, links)) != html:
            write_whole(page, now)


def _around_report(reports, day, model, name, by_day):
    """A report's navigation, with the same report of the days around and of the models beside;
    where one has none, its page."""
    entries, order = by_day[day]["models"], list(by_day)
    names, made = sorted(entries), entries[model]["reports"]
    return [
        *navigation(model, day, _in_order(made), name, made),
        *_days_of_model(reports, day, model, by_day, order, name),
        *_models_beside(reports, day, model, names, entries, name),
    ]


def _around_day_report(day, name, by_day):
    "The navigation of a report that is of no model, with the same one of the days around."
    made, order = of_day(by_day[day]), list(by_day)
    near = ((_neighbour(day, order, step), text) for step, text in _STEPS)
    around = [
        Link(text, f"../../{other}/{OF_DAY}/{quote(name)}.html")
        for other, text in near
        if other and name in of_day(by_day[other])
    ]
    return [*day_navigation(day, list(made), name, made), *around]


def _page_of(entry, name):
    "The page of a report in the folder of its model; of the model itself where it has none."
    return f"{quote(name)}.html" if name in entry["reports"] else "index.html"


def _neighbour(day, order, step):
    "The day before (1) or after (-1) another; `order` is newest first. None at an end."
    at = order.index(day) + step
    return order[at] if 0 <= at < len(order) else None


def _to_cases(reports, up, model=None):
    "A link to the page of cases, where there is one."
    page = _cases_link(reports, model)
    return [Link("cases", f"{up}{page}")] if page else []


_STEPS = ((1, "previous day"), (-1, "next day"))


def _days_around(day, order):
    "Links to the days around one."
    near = ((_neighbour(day, order, step), text) for step, text in _STEPS)
    return [Link(text, f"../{other}/index.html") for other, text in near if other]


def _days_of_model(reports, day, model, by_day, order, name="index"):
    "Links to a model's pages of the days around one, where it was figured on them."
    near = ((_neighbour(day, order, step), text) for step, text in _STEPS)
    return [
        Link(
            text,
            f"../../{other}/{quote(folder_of(reports, other, model))}/"
            f"{_page_of(by_day[other]['models'][model], name)}",
        )
        for other, text in near
        if other and model in by_day[other]["models"]
    ]


def _models_beside(reports, day, model, names, entries, name="index"):
    "Links to the models before and after one."
    at = names.index(model)
    near = ((at - 1, "previous model"), (at + 1, "next model"))
    return [
        Link(
            f"{text}: {names[i]}",
            f"../{quote(folder_of(reports, day, names[i]))}/{_page_of(entries[names[i]], name)}",
        )
        for i, text in near
        if 0 <= i < len(names)
    ]


def _known(manifest):
    at = manifest["as_of"][:16].replace("T", " at ")
    known = f"Everything on this page is as known on {at} ({manifest.get('timezone', 'UTC')})."
    return " ".join([known, *(f"Not there: {said}" for said in manifest.get("gone", []))])


def _footer(manifest):
    version = manifest.get("packages", {}).get("aiops_wb", "")
    head, commit = manifest["audit_head"][:12] or "-", (manifest.get("git") or "-")[:12]
    return (
        f"aiops_wb {version}, batch {manifest['batch']}, "
        f"{manifest['audit_rows']} audit rows (head {head}), git {commit}"
    )


def index_page(reports: Path) -> str:
    """The front door: the newest day, what is new, then every day by model; without a day of which
    no page can be made."""
    by_day = manifests(reports)
    try:
        return _index(reports, by_day)
    except Exception:  # what a day of them says is not of its kind
        return _index(reports, _shown(reports, by_day))


def _shown(reports, by_day):
    "The days of which a page can be made, each by itself."
    return {day: told for day, told in by_day.items() if _shows(reports, day, told)}


def _shows(reports, day, manifest):
    "Whether all that pages say of a day can be told from its manifest, and by the next one's."
    try:
        return bool(_index(reports, {day: manifest})) and news(manifest, manifest) is not None
    except Exception:  # it may come from anywhere
        return False


def _index(reports, by_day):
    if not by_day:
        return filled("empty.html", "aiops_wb")
    order = list(by_day)
    day, newest = order[0], by_day[order[0]]
    names = sorted({m for d in order[:SHOWN_DAYS] for m in by_day[d]["models"]})
    names = names if len(names) <= MOST_COLUMNS else []
    return filled(
        "index.html",
        "aiops_wb",
        "",
        glossary=GLOSSARY,
        day=day,
        known=_known(newest),
        states=STATES,
        names=names,
        rows=[_day_row(reports, d, by_day[d], names) for d in order[:SHOWN_DAYS]],
        months=_months(order[SHOWN_DAYS:]),
        news=[
            one
            for d in order[:NEWS_DAYS]
            for one in news(by_day[d], by_day.get(_neighbour(d, order, 1)))
        ],
        promises=PROMISES if Path(reports, PROMISES).exists() else "",
        cases=_cases_link(reports),
        footer=_footer(newest),
        **_triage(reports, f"{day}/", day, by_day, order),
        **with_script(FRONT_SCRIPT),
    )


SHOWN_DAYS = 60
"Days in the table of days; older ones are a link."
MOST_COLUMNS = 6
"Models of which each has a column there; more are counted."
NEWS_DAYS = 14
"Days of which the front page says what was new."


def _day_row(reports, day, manifest, names):
    "A day in the table of days: each model, or how many stand how."
    if names:
        alone = len(names) == 1
        entries = ((name, manifest["models"].get(name)) for name in names)
        return Row(day, [_cell(reports, day, name, entry, alone) for name, entry in entries])
    standing = Counter(row.state for row in front_rows(manifest, None, {}))
    return Row(day, [], ", ".join(f"{standing[s]:,} {s}" for s in STANDINGS if standing[s]))


def _cell(reports, day, model, entry, alone):
    """A model in a row of days: a mark for each report where it is the only one, else one for its
    page."""
    if entry is None:
        return Cell([])
    if entry["state"] == "failed":
        return Cell([], failed=True)
    if entry["state"] == "silent":
        return Cell([], entry.get("line", ""), silent=True)
    prefix, made = f"{day}/{quote(folder_of(reports, day, model))}/", entry["reports"]
    if alone:
        marks = [_mark(prefix, name, report) for name, report in made.items()]
    else:
        state = gravest(state_of(report) for report in made.values())
        marks = [Card(model, "", f"{prefix}index.html", state)] if made else []
    return Cell(marks, entry.get("line", ""))


def _months(days):
    "Older days by month, newest first."
    return [(month, list(of_month)) for month, of_month in groupby(days, lambda day: day[:7])]


def write_pages(reports: Path, days: Iterable[str] | None = None) -> None:
    """Write the pages of days and of their models (all, or those given and their neighbours), and
    the index.

    They are made from the manifests; what is wrong with a day is raised when all others are
    written. Without jinja2 (extra `lab`) no report can have been made
    here, and there is nothing to write.
    """
    if importlib.util.find_spec("jinja2") is None:
        return
    by_day = manifests(reports)
    order, chosen = list(by_day), set(by_day if days is None else days)
    wanted = {
        order[near]
        for place, day in enumerate(order)
        if day in chosen
        for near in (place - 1, place, place + 1)
        if 0 <= near < len(order)
    }
    problems = _problems(reports, wanted, by_day)
    if problems:  # it costs its own day and no other: not that which names the day before
        shown = _shown(reports, by_day)
        again = _problems(reports, problems.keys() & shown.keys(), shown)
        problems = {day: said for day, said in problems.items() if day not in shown} | again
    write_whole(Path(reports) / GLOSSARY, glossary_page())
    write_whole(Path(reports) / "index.html", index_page(reports))
    if problems:
        raise problems[min(problems)]


def _problems(reports, days, by_day):
    "Write the pages of days; day -> what was wrong with it, of those that could not be written."
    found = {}
    for day in sorted(days):
        try:
            _write_day(reports, day, by_day)
        except Exception as problem:
            found[day] = problem
    return found


def _write_day(reports, day, by_day):
    "The page of a day, and of each model on it."
    place_of_day = Path(reports) / day
    for model, entry in by_day[day]["models"].items():
        page, place = (
            model_page(reports, day, model, by_day),
            place_of_day / folder_of(reports, day, model),
        )
        write_whole(place / "index.html", page)
        for name in _in_order(entry["reports"]):
            _lead_on(place / f"{name}.html", _around_report(reports, day, model, name, by_day))
    for name in of_day(by_day[day]):
        _lead_on(place_of_day / OF_DAY / f"{name}.html", _around_day_report(day, name, by_day))
    write_whole(place_of_day / "index.html", day_page(reports, day, by_day))


def note_untold(reports: Path, day: str, sentences: Sequence[str]) -> None:
    "Say on the pages of a day whom its morning could not tell; nothing is written where they do."
    told = manifests(reports).get(day)
    if told is None or told.get("untold", []) == list(sentences):
        return
    place = Path(reports) / day / "manifest.json"
    write_whole(place, json.dumps(told | {"untold": list(sentences)}, indent=1))
    write_pages(reports, [day])
