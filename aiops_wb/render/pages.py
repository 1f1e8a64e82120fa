"""The pages between the reports."""

import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from .engine import page, write_whole

__all__ = [
    "QUESTIONS",
    "STATES",
    "folder",
    "state_of",
    "gravest",
    "manifests",
    "day_page",
    "index_page",
    "write_pages",
    "navigation",
]


QUESTIONS = {
    "performance": "How is the model doing this week?",
    "drift": "Has anything moved that matters?",
    "conformal": "Which alerts are certain?",
    "explain": "Why did they fire?",
    "thresholds": "What would another threshold do?",
    "retrain": "Is a retrained model better?",
}
STATES = {"ok": "fine", "look": "look at it", "failed": "failed", "unknown": "not known yet"}


def folder(model: str) -> str:
    "A model's name as a folder name that is safe in paths and links; names that would be changed get a hash, so no two models share one."
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", model)
    return (
        plain
        if plain == model
        else f"{plain.strip('-')}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
    )


def state_of(report: Mapping) -> str:
    "ok, look, unknown or failed: of a report's manifest entry."
    return (
        "failed"
        if report["state"] == "failed"
        else (report.get("headline") or {}).get("state", "unknown")
    )


def gravest(states) -> str:
    "The state that a summary shows: the one that needs a person most."
    found = set(states)
    return next((s for s in ("failed", "look", "unknown", "ok") if s in found), "unknown")


def manifests(reports: Path) -> dict[str, dict]:
    "Every day's manifest, newest first; one that cannot be read is left out."
    found = {}
    for path in sorted(Path(reports).glob("*/manifest.json"), reverse=True):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return found


def _card(reports, base, day, model, name, report):
    link = f"{base}{folder(model)}/{name}.html"
    headline = report.get("headline") or {}
    says = (
        headline.get("says")
        if report["state"] == "ok"
        else "This report failed; its page shows the traceback."
    )
    svg = Path(reports) / day / folder(model) / f"{name}.svg"
    picture = (
        f'<a href="{link}" aria-label="{escape(name)} report">{svg.read_text(encoding="utf-8")}</a>'
        if report["state"] == "ok" and svg.exists()
        else ""
    )
    return (
        f'<div class="card"><h2><span class="dot {state_of(report)}" title="{STATES[state_of(report)]}"></span><a href="{link}">{escape(QUESTIONS.get(name, name))}</a></h2>'
        f'<p>{escape(says or "")} <span class="sub">{escape(headline.get("advice", ""))}</span></p>{picture}</div>'
    )


def _kpis(entry):
    return (
        '<div class="kpis">'
        + "".join(
            f'<div class="kpi"><b>{escape(v)}</b><span>{escape(k)}</span></div>'
            for k, v in entry.get("figures", {}).items()
        )
        + "</div>"
    )


def _model(reports, base, day, model, entry):
    state = (
        gravest(state_of(r) for r in entry["reports"].values())
        if entry["reports"]
        else ("failed" if entry["state"] == "failed" else "unknown")
    )
    failed = (
        f'<p class="headline failed"><strong>The figures of this day failed:</strong> {escape(entry["error"])}</p>'
        if entry.get("error")
        else ""
    )
    cards = "".join(
        _card(reports, base, day, model, n, entry["reports"][n])
        for n in QUESTIONS
        if n in entry["reports"]
    )
    about = f"version {escape(entry.get('version') or '-')}, threshold {escape(str(entry.get('threshold', '-')))}, {escape(entry.get('window', ''))}"
    return (
        f'<article><h1><span class="dot {state}"></span>{escape(model)}</h1><p>{about}</p>{failed}{_kpis(entry)}</article>'
        f'<div class="grid">{cards}</div><p></p>'
    )


def day_page(reports: Path, day: str, manifest: Mapping, days: list[str]) -> str:
    "The page of one day: every model, every question."
    where = days.index(day) if day in days else 0
    around = [
        (f"../{d}/index.html", label)
        for d, label in (
            (days[where + 1] if where + 1 < len(days) else None, "previous day"),
            (days[where - 1] if where else None, "next day"),
        )
        if d
    ]
    navigation = (
        '<a href="../index.html">All days</a>'
        + f"<b>{day}</b>"
        + "".join(f'<a href="{h}">{t}</a>' for h, t in around)
    )
    body = "".join(_model(reports, "", day, m, e) for m, e in sorted(manifest["models"].items()))
    return page(
        f"{day} - aiops_wb",
        f'<h1>{day}</h1><p class="sub">{_known(manifest)}</p>{body}',
        navigation,
        _footer(manifest),
    )


def _known(manifest):
    return f"Everything on this page is as known on {escape(manifest['as_of'][:16].replace('T', ' at '))} ({escape(manifest.get('timezone', 'UTC'))})."


def _footer(manifest):
    versions = manifest.get("packages", {})
    return escape(
        f"aiops_wb {versions.get('aiops_wb', '')}, batch {manifest['batch']}, {manifest['audit_rows']} audit rows (head {manifest['audit_head'][:12] or '-'}), git {(manifest.get('git') or '-')[:12]}"
    )


def index_page(reports: Path) -> str:
    "The front door: the newest day in full, then every day by model."
    found = manifests(reports)
    if not found:
        return page(
            "aiops_wb",
            "<article><h1>No reports yet</h1><p>Log some predictions, then run <code>aiops-wb daily</code>.</p></article>",
        )
    day, newest = next(iter(found.items()))
    models = sorted({m for f in found.values() for m in f["models"]})
    heads = "".join(f"<th>{escape(m)}</th>" for m in models)
    rows = "".join(
        f'<tr><td><a href="{d}/index.html">{d}</a></td>'
        + "".join(f"<td>{_cell(d, m, f['models'].get(m))}</td>" for m in models)
        + "</tr>"
        for d, f in found.items()
    )
    legend = " ".join(f'<span class="dot {s}"></span>{t}&ensp;' for s, t in STATES.items())
    body = (
        f'<h1>{day}</h1><p class="sub">The newest day. {_known(newest)}</p>'
        + "".join(
            _model(reports, f"{day}/", day, m, e) for m, e in sorted(newest["models"].items())
        )
        + f'<article><h2>All days</h2><p class="sub">{legend}</p><div class="wide"><table class="text"><thead><tr><th>day</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></article>'
    )
    return page("aiops_wb", body, "<b>aiops_wb</b><span>daily reports</span>", _footer(newest))


def _cell(day, model, entry):
    if entry is None:
        return ""
    if entry["state"] == "failed":
        return '<span class="dot failed"></span>figures failed'
    marks = " ".join(
        f'<a href="{day}/{folder(model)}/{n}.html" title="{escape(n)}: {STATES[state_of(r)]}"><span class="dot {state_of(r)}"></span></a>'
        for n, r in entry["reports"].items()
    )
    return f"{marks} {escape(entry.get('line', ''))}"


def write_pages(reports: Path, days=None) -> None:
    "Write the day pages (all, or those given and their neighbours) and the index from the manifests."
    found = manifests(reports)
    order = list(found)
    wanted = set(order if days is None else days)
    wanted |= {
        order[i + s]
        for i, d in enumerate(order)
        if d in wanted
        for s in (-1, 1)
        if 0 <= i + s < len(order)
    }
    for day in wanted & set(order):
        write_whole(Path(reports) / day / "index.html", day_page(reports, day, found[day], order))
    write_whole(Path(reports) / "index.html", index_page(reports))


def navigation(model: str, day: str, names: list[str], current: str) -> str:
    "Links at the top of a report."
    links = "".join(f"<b>{n}</b>" if n == current else f'<a href="{n}.html">{n}</a>' for n in names)
    return f'<a href="../../index.html">All days</a><a href="../index.html">{day}</a><b>{escape(model)}</b>{links}'
