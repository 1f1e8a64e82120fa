"""What may be asked: each answer is read from a snapshot, and nothing is written.

Entities, other events and texts among the values of features are told where `mcp_names` is set.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import pandas as pd

from ..log.acts import waiting
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..render.pages import manifests
from ..render.vocabulary import FACTORS, metric
from ..stats.sides import FIGURES
from ..watch.explained_event import explained_event
from ..watch.headlines import (
    certainty_headline,
    drift_headline,
    performance_headline,
    thresholds_headline,
)
from ..watch.listed import every_standing, grid_of, threshold_row
from ..watch.threshold_changes import as_threshold, newest_view
from ..watch.triage import triage
from ..watch.view import View
from .house import House
from .plain import few

__all__ = [
    "alarms",
    "day_page",
    "explain",
    "figures",
    "models",
    "proposals",
    "simulate",
    "state",
    "why",
]

HEADLINES = {
    "performance": performance_headline,
    "drift": drift_headline,
    "certainty": certainty_headline,
    "thresholds": thresholds_headline,
}
MOST_DAYS = 366
"Days of figures that one question may be about."
_HANDLED = ("event_id", "model", "version", "stream", "kind", "severity", "state", "muted")


def models(log: Reader, house: House) -> dict[str, Any]:
    "Every model: its log, its thresholds in force, what is open."
    alarms = log.handled_alarms()
    open_now = alarms[(alarms.state != "closed") & ~alarms.muted.astype(bool)].model.value_counts()
    cases = log.waiting_by_model()
    rows = []
    for model in log.models():
        days = log.days(model)
        standing = every_standing(log, model, house.now(), house.settings)
        rows.append(
            {
                "model": model,
                "first_day": days[0] if days else None,
                "last_day": days[-1] if days else None,
                "active_version": log.active_version(model),
                "thresholds": few([_threshold(one) for one in standing]),
                "open_alarms": int(open_now.get(model, 0)),
                "waiting_cases": int(cases.get(model, 0)),
            }
        )
    known = {"timezone": log.timezone, "newest_batch_at": log.last_committed()}
    return known | {"models": few(rows)}


def _threshold(one):
    told = threshold_row(one)
    names = ("version", "tenant", "site", "threshold", "points", "since", "dial", "proposals")
    return {name: told[name] for name in names}


def state(log: Reader, house: House, model: str, day: date | None = None) -> dict[str, Any]:
    "A model on a day, as it is known now: a headline for each report, and what is open."
    view = _view(log, house, model, day)
    headlines = {name: of(view) for name, of in HEADLINES.items()}
    told = triage(view)
    return {
        "model": view.model,
        "day": view.day,
        "version": view.version,
        "threshold": view.probability(view.threshold),
        "headlines": {
            name: {"state": one.state, "says": one.says, "advice": one.advice}
            for name, one in headlines.items()
        },
        "alarms": few(told["alarms"]),
        "waiting_cases": told["waiting"],
        "promise_about_tickets": told["promise"],
        "labels_in_until": told["labels_until"],
        "usual_predictions": told["usual"],
    }


def _view(log, house, model, day=None) -> View:
    "The view of a day, or of the newest."
    if day is None:
        return newest_view(log, model, house.now(), house.settings)
    days = log.days(log.require_model(model))
    if day not in days:
        covers = f"its log covers {days[0]} to {days[-1]}" if days else "its log is empty"
        raise StoreError(f"{model} has no predictions on {day}: {covers}.")
    return View(log, model, day, None, house.settings)


def figures(
    log: Reader,
    house: House,
    model: str,
    names: Sequence[str] = (),
    first: date | None = None,
    last: date | None = None,
    tenant: str | None = None,
) -> dict[str, Any]:
    "Stored figures of days, each with its interval and of how many events it is."
    days = log.days(log.require_model(model))
    last = last or (days[-1] if days else None)
    first = first or last
    if first is None or last is None:
        raise StoreError(f"{model} has no predictions yet.")
    if not timedelta(0) <= last - first < timedelta(MOST_DAYS):
        raise StoreError(f"{first} to {last} is no span of 1 to {MOST_DAYS} days.")
    stored = log.metrics(model, first, last, tenant=tenant or "")
    if stored.empty:
        of = f" and {tenant}" if tenant else ""
        covers = f"its log covers {days[0]} to {days[-1]}" if days else "its log is empty"
        raise StoreError(f"no figure of {model}{of} is stored of {first} to {last}: {covers}.")
    known = sorted(set(stored.metric))
    if unknown := [name for name in names if name not in known]:
        raise StoreError(f"no figure {unknown[0]!r} is stored of these days: {', '.join(known)}.")
    kept = stored[stored.metric.isin(names)] if names else stored
    return {
        "model": model,
        "tenant": tenant,
        "figures": few([_figure(r) for r in kept.itertuples()]),
    }


def _figure(row):
    told = {name: getattr(row, name) for name in ("value", "lower", "upper", "version")}
    window = {"first": row.window_first, "last": row.window_last}
    title = metric(row.metric).heading
    named = {"day": row.event_date.date(), "figure": row.metric, "title": title}
    return named | told | {"n": None if pd.isna(row.n) else int(row.n), "window": window}


def alarms(
    log: Reader, house: House, model: str | None = None, closed: bool = False
) -> dict[str, Any]:
    "Alarms, those that were opened last first; closed ones where they are asked for."
    told = log.handled_alarms(log.require_model(model) if model else None)
    told = told if closed else told[told.state != "closed"]
    told = told.sort_values("opened_on", ascending=False, kind="stable")
    return {"alarms": few([_alarm(row) for row in told.itertuples()])}


def _alarm(row):
    named = {name: getattr(row, name) for name in _HANDLED} | {"says": row.text}
    return named | {"opened_on": row.opened_on.date(), "last_said_on": row.event_date.date()}


def why(
    log: Reader,
    house: House,
    model: str,
    figure: str,
    first: date | None = None,
    last: date | None = None,
    by: str = "site",
) -> dict[str, Any]:
    "Why a figure is another than in as many days right before: exact parts, with intervals."
    if figure not in FIGURES:
        raise StoreError(f"{figure!r} is none of {', '.join(FIGURES)}.")
    cost = house.settings.retrain_miss_cost
    if figure == "cost" and cost is None:
        raise StoreError("cost needs what a missed positive costs: the setting retrain_miss_cost.")
    days = (first, last) if first and last else None
    if (first is None) != (last is None) or (days and first > last):
        raise StoreError("name a first and a last day, in this order, or none of them.")
    if days and last - first >= timedelta(MOST_DAYS):
        raise StoreError(f"at most {MOST_DAYS} days are explained at once.")
    view = _view(log, house, model, _newest(log, model, last))
    told = {"by": "" if by == "all" else by, "miss_cost": cost}
    answer = view.why.against_before(figure, days, **told).as_json()
    for part in answer["parts"]:
        part["in_words"] = FACTORS[part["factor"]]
    return {"model": model} | answer


def _newest(log, model, last):
    "The newest day of a log that is not after another; None for the newest of all."
    if last is None:
        return None
    known = [day for day in log.days(log.require_model(model)) if day <= last]
    return known[-1] if known else last


def explain(log: Reader, house: House, model: str, prediction_id: str) -> dict[str, Any]:
    "What each feature pushed the score of an event by, and what became of past alerts like it."
    told = explained_event(log, prediction_id, house.settings, log.require_model(model))
    if house.settings.mcp_names:
        return told
    for feature in told["features"]:
        if isinstance(feature["value"], str):
            feature["value"] = HIDDEN
    alike = [{n: one[n] for n in ("event_date", "positive", "distance")} for one in told["alike"]]
    return told | {"reasons": HIDDEN, "alike": alike}


HIDDEN = "not told: mcp_names is not set"


def simulate(log: Reader, house: House, model: str, threshold: float) -> dict[str, Any]:
    "What another threshold would have done in the last 30 days whose labels are in."
    view = newest_view(log, model, house.now(), house.settings)
    candidate = as_threshold(view, threshold)
    others, unseen = view.other_thresholds, view.selective
    result = others.simulate(candidate)
    limits = lambda figure: {n: getattr(figure, n) for n in ("value", "lower", "upper")}
    of = {
        name: {
            "candidate": limits(one.candidate),
            "in_force": limits(one.current),
            "difference": limits(one.difference),
        }
        for name, one in result.record.items()
    }
    return {
        "model": view.model,
        "version": view.version,
        "candidate": {"threshold": view.probability(candidate), "points": candidate},
        "in_force": {"threshold": view.probability(view.threshold), "points": view.threshold},
        "first_day": others.first,
        "last_day": others.through,
        "days": others.days_replayed,
        "labels_are_in": others.complete,
        "figures": of,
        "recommendation": result.recommendation,
        "unseen": " ".join(filter(None, (unseen.of_candidate(candidate), unseen.says))),
    }


def proposals(log: Reader, house: House, model: str | None = None) -> dict[str, Any]:
    "Proposed thresholds, the newest first, and those that wait to be taken in."
    found = log.proposals(log.require_model(model) if model else None)
    acts = [a for a in waiting(house.spool, house.data) if a.kind == "propose"]
    taken = {act.id for act in log.acts()}
    wait = [a for a in acts if a.id not in taken and model in (None, a.what["model"])]
    return {
        "proposals": few([_proposal(log, house, one) for one in reversed(found)]),
        "not_taken_in_yet": few([{"id": a.id, "at": a.at, "asks": dict(a.what)} for a in wait]),
    }


def _proposal(log, house, of):
    score = partial(_score, log, of.model, of.version)
    tenant, site = of.scope or (None, None)
    told = {name: getattr(of, name) for name in ("key", "model", "version", "at", "state", "why")}
    told |= {"tenant": tenant, "site": site, "ours": of.who == house.who}
    told |= {"threshold": score(of.points), "instead_of": score(of.instead_of)}
    if of.decided_at:
        told |= {"decided_at": of.decided_at, "decided_why": of.decided_why}
    return told | ({"who": of.who, "decided_by": of.decided_by} if house.settings.mcp_names else {})


def _score(log, model, version, points):
    return float(grid_of(log, model, version).inverse(points))


def day_page(house: House, day: date | None = None) -> str:
    "The front page of a morning, as lines of text; StoreError where there is none."
    known = manifests(house.settings.reports)
    named = str(day) if day else next(iter(known), None)
    if named not in known:
        newest = f": the newest is of {next(iter(known))}" if known else ""
        raise StoreError(f"there is no page of {day or 'any day'}{newest}.")
    told = known[named]
    lines = [f"{named}, as known at {told['as_of']}"]
    for model, entry in told["models"].items():
        lines += ["", f"{model}: {entry.get('line') or entry.get('error') or entry['state']}"]
        lines += _said(entry["reports"])
        alarms = entry.get("triage", {}).get("alarms", [])
        lines += [f"  open since {one['opened_on']}: {one['says']}" for one in alarms]
    of_day = told.get("reports")
    lines += ["", *_said(of_day)] if of_day and isinstance(of_day, dict) else []
    return "\n".join(lines)


def _said(reports):
    "What each report says, in a line."
    for name, report in reports.items():
        headline = report.get("headline") or {"says": report["state"], "advice": ""}
        yield f"  {name}: {headline['says']} {headline['advice']}"
