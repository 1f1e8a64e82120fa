"""What a day's pages rest on: one manifest a day, with a part for each model."""

import hashlib
import json
import subprocess
from contextlib import suppress
from datetime import date, datetime, timedelta
from math import isnan, nan
from pathlib import Path

import numpy as np

from ..config import PRIVATE, Settings, packages
from ..log.anchor import Anchor
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..watch.figures import ALARMS_FAILED
from ..watch.silence import ADVICE, SilenceAlarm
from ..watch.triage import changes, feed, triage
from ..watch.view import View
from ..watch.words import number, percent
from .frame import write_whole
from .pages import is_own, manifests, of_day
from .vocabulary import metric

__all__ = ["entry", "manifest_anchors", "silent_entry", "write_manifest"]


def entry(reader: Reader, day: date, model: str, as_of: datetime, settings: Settings) -> dict:
    "A model's part of the manifest, before its reports have run: the figures stored of the day."
    try:
        view = View(reader, model, day, as_of, settings)
        history = view.history(1)
        failure = _failure(reader, day, model, as_of)
    except StoreError as error:
        return {"state": "failed", "error": str(error), "reports": {}}
    alarms_failed = failure is not None and failure.startswith(ALARMS_FAILED)
    if history.empty or (failure is not None and not alarms_failed):
        error = failure or f"no figures of {model} are stored for {day}"
        return {"state": "failed", "error": error, "reports": {}}
    severity = "not watched" if view.not_watched else view.severity
    drift = "failed" if alarms_failed else severity
    stored = dict(zip(history.metric, history.value))
    figures = _shown(stored, _complete_days(history), f"{settings.recent_days} days", drift)
    quality = number(stored.get("pr_auc_complete", nan), 2)
    alerts = str(figures[metric("alerts").column])
    return {
        "state": "ok",
        "version": view.version,
        "threshold": number(view.probability(view.threshold)),
        "threshold_points": view.threshold,
        "window": _window(view),
        "counts_sha256": _digest(view.counts_by_day),
        "figures": figures,
        "line": f"{alerts} alert{'' if alerts == '1' else 's'}, PR-AUC {quality}, drift {drift}",
        "triage": triage(view),
        "reports": {},
    }


def silent_entry(alarm: SilenceAlarm) -> dict:
    "A model's part of the manifest of a day without predictions."
    since = f"since {alarm.since}" if alarm.since < alarm.told_on else "on this day"
    return {
        "state": "silent",
        "alarm": f"{alarm.text} {ADVICE}",
        "line": f"no predictions {since}",
        "reports": {},
    }


def _failure(reader, day, model, as_of):
    "Why the figures of a day failed by the last run that knew as much; None when they did not."
    runs = reader.runs(model, day, "figures")
    runs = runs[runs.as_of <= as_of]
    return runs.detail.iloc[-1] if len(runs) and runs.state.iloc[-1] == "failed" else None


def _complete_days(history):
    "The days whose labels are in, as the figures of them say; none where none is known to be."
    windows = history[history.metric == "pr_auc_complete"]
    if windows.empty:
        return "labels not in"
    first, last = windows.window_first.iloc[0], windows.window_last.iloc[0]
    return f"{first:%-d %b} to {last:%-d %b}"


def _shown(stored, complete, span, drift):
    "The figures at the top of a model's part of the page."
    called = {name: metric(name).column for name in ("predictions", "alerts", "latency_p95_ms")}
    quality = {
        f"{metric(name).column}, {complete}": number(stored.get(f"{name}_complete", nan), 2)
        for name in ("precision", "recall", "pr_auc")
    }
    slow = stored["latency_p95_ms"]
    return {
        called["predictions"]: f"{stored['predictions']:,.0f}",
        called["alerts"]: f"{stored['alerts']:,.0f}",
        "tickets": f"{stored['decisions_ticket']:,.0f}",
        "to a person": f"{stored['decisions_alert']:,.0f}",
        **quality,
        f"labelled, {span}": percent(stored["labelled_share_week"]),
        "drift": drift,
        called["latency_p95_ms"]: "-" if isnan(slow) else f"{slow:.0f} ms",
    }


def _window(view):
    counts, others = view.counts_by_day, view.other_versions
    predictions = sum(c.total[0] for c in counts.values())
    says = f"{min(counts)} to {max(counts)}, {predictions:,} predictions"
    if others:
        says += f"; not shown: {others:,} predictions of this day by other versions"
    return says


def _digest(counts):
    "A hash of everything that was counted in the window."
    digest = hashlib.sha256()
    for day in sorted(counts):
        digest.update(f"{day} {counts[day].grid.name}".encode())
        for column in (counts[day].points, *counts[day].columns):
            digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return digest.hexdigest()


_ANCHOR = ("as_of", "audit_rows", "audit_head")
"What a manifest says of the audit trail."


def write_manifest(
    reader: Reader | None,
    reports: Path,
    day: date,
    as_of: datetime,
    settings: Settings,
    models: dict,
) -> None:
    """Write a day's manifest with the parts of some models; those of others stay.

    Without a reader (the log cannot be read) it says nothing of the log.
    """
    by_day = manifests(reports)
    before = by_day.get(str(day), {})
    document = {
        "day": str(day),
        "as_of": as_of.isoformat(),
        **_of_log(reader, as_of),
        **_news(reader, by_day, day, as_of),
        "audit_before": _other_trails(reader, before),
        "git": _git(),
        "packages": packages(),
        "settings": settings.model_dump(mode="json", exclude=PRIVATE),
        "models": before.get("models", {}) | _with_own(before, models),
        **({"reports": made} if (made := of_day(before)) else {}),
    }
    write_whole(Path(reports) / str(day) / "manifest.json", json.dumps(document, indent=1))


def _with_own(before, models):
    "Parts of models, with what was told of reports of one's own: those are made later, or gone."
    earlier = before.get("models", {})
    kept = {model: earlier.get(model, {}).get("reports", {}) for model in models}
    return {
        model: part
        | {"reports": part["reports"] | {n: r for n, r in kept[model].items() if is_own(r)}}
        for model, part in models.items()
    }


def _of_log(reader, as_of):
    "What a day's pages rest on in the log."
    if reader is None:
        return {"timezone": "UTC", "batch": 0, "audit_rows": 0, "audit_head": "", "gone": []}
    rows, head = reader.audit_head()
    return {
        "timezone": reader.timezone,
        "batch": reader.known_batch(as_of),
        "audit_rows": rows,
        "audit_head": head,
        "gone": reader.damage(),
    }


def _news(reader, by_day, day, as_of):
    "Whether rows come in as they should, and what was changed since the morning before."
    if reader is None:
        return {"feed": {}}
    since = as_of - timedelta(1)
    with suppress(TypeError, ValueError):  # of a morning that another tool wrote
        earlier = (told["as_of"] for known, told in by_day.items() if known < str(day))
        since = max(map(datetime.fromisoformat, earlier), default=since)
    return {"feed": feed(reader, as_of), "changes": changes(reader, since, as_of)}


def _other_trails(reader, before):
    """What a manifest that is written anew said of a trail that is another now: else a further run
    of the day would take away what shows it."""
    kept = before.get("audit_before")
    kept = list(kept) if isinstance(kept, list) else []
    told = {name: before.get(name) for name in _ANCHOR}
    with suppress(TypeError, ValueError):
        rows, head = int(told["audit_rows"]), told["audit_head"]
        stands = reader.audit_hashes([rows]).get(rows) if reader and rows else head
        if stands != head and told not in kept:
            kept.append(told)
    return kept


def manifest_anchors(reports: Path) -> list[Anchor]:
    "What each day's manifest says of the audit trail, oldest first."
    found = []
    for day, told in reversed(manifests(reports).items()):
        kept = told.get("audit_before")
        for one in (*(kept if isinstance(kept, list) else ()), told):
            with suppress(KeyError, TypeError, ValueError):  # of a version that knew no anchors
                at, rows = datetime.fromisoformat(one["as_of"]), int(one["audit_rows"])
                found.append(Anchor(at, rows, str(one["audit_head"]), f"the manifest of {day}"))
    return found


def _git():
    "The commit of the working directory, None outside a repository."
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
