"""The pages between the reports: a page for each day, and the front door."""

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ..log.names import file_name
from .frame import Link, filled, write_whole

__all__ = [
    "REPORTS",
    "PROMISES",
    "QUESTIONS",
    "RENAMED",
    "STATES",
    "ReportName",
    "folder",
    "folder_of",
    "state_of",
    "gravest",
    "manifests",
    "day_page",
    "index_page",
    "write_pages",
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

STATES = {"ok": "fine", "look": "look at it", "failed": "failed", "unknown": "not known yet"}


def folder(model: str) -> str:
    "The folder of a model's pages within the folder of their day."
    return file_name(model)


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
    return (report.get("headline") or {}).get("state", "unknown")


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


def navigation(model: str, day: str, names: Sequence[str], current: str) -> tuple[Link, ...]:
    "Links at the top of a report."
    links = [Link(_name(n).title, "" if n == current else f"{n}.html") for n in names]
    return (
        Link("All days", "../../index.html"),
        Link(day, "../index.html"),
        Link(model),
        *links,
    )


def _name(name):
    "What a report is called now; one that is not known goes by the name of its file."
    return REPORTS.get(RENAMED.get(name, name), ReportName(name, name))


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
        return STATES[self.state]


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


def _mark(base, place, name, report):
    "A report by its link and state. The file is called as the report was when it was made."
    return Card(*_name(name), link=f"{base}{quote(place)}/{name}.html", state=state_of(report))


def _card(reports, base, day, place, name, report):
    mark, headline = _mark(base, place, name, report), report.get("headline") or {}
    made = report["state"] == "ok"
    failed = "This report failed; its page shows the traceback."
    svg = Path(reports) / day / place / f"{name}.svg"
    return Card(
        mark.title,
        mark.question,
        mark.link,
        mark.state,
        (headline.get("says") or "") if made else failed,
        headline.get("advice", ""),
        svg.read_text(encoding="utf-8") if made and svg.exists() else "",
    )


def _in_order(made):
    "The reports of a manifest in the order of their questions, under the names of their files."
    order = list(REPORTS)
    known = [name for name in made if RENAMED.get(name, name) in REPORTS]
    return sorted(known, key=lambda name: order.index(RENAMED.get(name, name)))


def _part(reports, base, day, model, entry):
    "A model's part of a day's page; `base` leads from the page to the day's folder."
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
    place = folder_of(reports, day, model)
    cards = [_card(reports, base, day, place, name, made[name]) for name in _in_order(made)]
    why = [line for name in _in_order(made) for line in _why(base, place, name, made[name])]
    error, figures = entry.get("error") or "", entry.get("figures", {})
    return ModelPart(model, state, about, error, figures, cards, why=why)


def _why(base, place, name, report):
    "What a report says of why a figure changed; those of version 0.1 say nothing."
    link = _mark(base, place, name, report).link
    told = (report.get("why") or {}).get("lines", []) if report["state"] == "ok" else []
    return [Why(line["of"], line["says"], link) for line in told]


def _parts(reports, base, day, manifest):
    return [_part(reports, base, day, m, e) for m, e in sorted(manifest["models"].items())]


def day_page(reports: Path, day: str, manifest: Mapping, days: Sequence[str]) -> str:
    "The page of one day: every model, every question."
    return filled(
        "day.html",
        f"{day} - aiops_wb",
        day=day,
        known=_known(manifest),
        models=_parts(reports, "", day, manifest),
        navigation=[Link("All days", "../index.html"), Link(day), *_neighbours(day, days)],
        footer=_footer(manifest),
    )


def _neighbours(day, days):
    "Links to the days around one; `days` are newest first."
    place = days.index(day) if day in days else 0
    around = ((place + 1, "previous day"), (place - 1, "next day"))
    return [Link(text, f"../{days[at]}/index.html") for at, text in around if 0 <= at < len(days)]


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
    "The front door: the newest day in full, then every day by model."
    by_day = manifests(reports)
    if not by_day:
        return filled("empty.html", "aiops_wb")
    day, newest = next(iter(by_day.items()))
    names = sorted({model for manifest in by_day.values() for model in manifest["models"]})
    rows = [
        Row(d, [_cell(reports, d, name, manifest["models"].get(name)) for name in names])
        for d, manifest in by_day.items()
    ]
    return filled(
        "index.html",
        "aiops_wb",
        day=day,
        known=_known(newest),
        models=_parts(reports, f"{day}/", day, newest),
        states=STATES,
        names=names,
        rows=rows,
        promises=PROMISES if Path(reports, PROMISES).exists() else "",
        footer=_footer(newest),
    )


def _cell(reports, day, model, entry):
    if entry is None:
        return Cell([])
    if entry["state"] == "failed":
        return Cell([], failed=True)
    if entry["state"] == "silent":
        return Cell([], entry.get("line", ""), silent=True)
    place = folder_of(reports, day, model)
    marks = [_mark(f"{day}/", place, name, made) for name, made in entry["reports"].items()]
    return Cell(marks, entry.get("line", ""))


def write_pages(reports: Path, days: Iterable[str] | None = None) -> None:
    """Write the day pages (all, or those given and their neighbours) and the index.

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
    problems = []
    for day in sorted(wanted):
        try:
            page = day_page(reports, day, by_day[day], order)
            write_whole(Path(reports) / day / "index.html", page)
        except Exception as problem:  # it costs this day's page and no other
            problems.append(problem)
    write_whole(Path(reports) / "index.html", index_page(reports))
    if problems:
        raise problems[0]
