"""A model's threshold: shown, tried on the last days, changed, put back."""

from typing import Annotated

import typer

from ..log.catalog import Reader
from ..log.dial import subject_of, threshold_of
from ..log.errors import StoreError
from ..watch.dial import DAYS, Calls
from ..watch.view import View
from .arguments import Model, Why, as_name, as_number
from .call import Call, command, group
from .lines import line, printable

app = group(
    {"choose": ("choose", "choose a threshold for a goal, and what can be promised of one")}
)


def _as_site(text: str) -> str:
    "The name of a site; ValueError when there is none."
    if not text.strip():
        raise ValueError(f"{text!r} is no name of a site")
    return text


Tenant = Annotated[
    str | None,
    typer.Option(
        parser=as_name,
        metavar="TENANT",
        help="the threshold of this tenant's events alone (default: of all without one of their "
        "own)",
    ),
]
Site = Annotated[
    str | None,
    typer.Option(
        parser=_as_site,
        metavar="SITE",
        help="of this site of the tenant alone (tenant 'default' unless named)",
    ),
]
Score = Annotated[float, typer.Argument(parser=as_number, metavar="SCORE", help="the threshold")]


@command(app, "show")
def show(call: Call, model: Model):
    "Show the threshold in force."
    with call.reading() as log:
        _print_in_force(newest_view(log, call, model))


@command(app, "simulate")
def simulate(call: Call, score: Score, model: Model):
    "Replay the last 30 days with another threshold."
    with call.reading() as log:
        view = newest_view(log, call, model)
        _print_in_force(view)
        result = view.other_thresholds.simulate(_as_points(view, score))
    for name, (candidate, current, difference) in result.table.items():
        line(f"  {name:15} {candidate:12.3f} {current:12.3f} {difference:+12.3f}")
    line(result.recommendation)


@command(app, "set")
def set_threshold(
    call: Call,
    score: Score,
    model: Model,
    tenant: Tenant = None,
    site: Site = None,
    why: Why = None,
):
    "Change the threshold: of the version, or of one tenant or site."
    _require_reason(why)
    scope = _scope(tenant, site)
    with call.writing() as log:
        view = newest_view(log, call, model)
        points, before = _as_points(view, score), _in_force(view, scope)
        evidence = {"replay": view.other_thresholds.simulate(points).table}
        change = call.now(), call.who, model, view.version
        if scope is None:
            log.set_threshold(*change, points, why, evidence, logged=view.threshold)
        else:
            log.set_own_threshold(*change, scope, points, why)
        _print_change(log, view, scope, before)


@command(app, "rollback")
def roll_back(call: Call, model: Model, tenant: Tenant = None, site: Site = None, why: Why = None):
    "Put back the threshold before: of the version, or of one tenant or site."
    _require_reason(why)
    scope = _scope(tenant, site)
    with call.writing() as log:
        view = newest_view(log, call, model)
        subject, before = subject_of(model, view.version, scope), _in_force(view, scope)
        log.roll_back(call.now(), call.who, "threshold", subject, why)
        _print_change(log, view, scope, before)


def _scope(tenant, site):
    "The tenant or site that is spoken of; None for all."
    return None if tenant is None and site is None else (tenant or "default", site)


def newest_view(log: Reader, call: Call, model: str) -> View:
    "The view of a model's newest day that is not ahead of the clock."
    days = log.days(log.require_model(model))
    if not days:
        raise StoreError(f"{model} has no predictions yet.")
    today = call.now().date()
    newest = max((d for d in days if d <= today), default=days[-1])
    return View(log, model, newest, None, call.settings)


def _as_points(view, score):
    try:
        return int(view.grid.quantise(score))
    except ValueError as error:
        raise StoreError(f"threshold: {error}") from None


def _require_reason(why):
    if not why:
        raise StoreError("a change of a threshold needs --why.")


def _print_in_force(view):
    line(
        f"{view.model} {view.version}: threshold {view.probability(view.threshold):.3f} "
        f"({view.threshold} points)"
    )
    own_ones = view.reader.own_thresholds(view.model, view.version)
    for (tenant, site), own in own_ones.items():
        whose = _whose(tenant, site)
        line(printable(f"  {whose}: {view.probability(own):.3f} ({own} points)"))


def _whose(tenant, site):
    return f"tenant {tenant}" if site is None else f"site {site} of tenant {tenant}"


def _in_force(view, scope):
    "The threshold of a scope, as a view that was just opened knows it."
    known = view.reader.own_thresholds(view.model, view.version) if scope else {}
    own = threshold_of(known, *scope) if scope else None
    return view.threshold if own is None else own


def _print_change(log, view, scope, before):
    "What stands now instead of a threshold before, and how often it calls somebody."
    now_at = _in_force(View(log, view.model, view.day, None, view.settings), scope)
    whose = f" of {_whose(*scope)}" if scope else ""
    line(
        printable(f"{view.model} {view.version}: threshold{whose} is now ")
        + f"{view.probability(now_at):.3f} ({now_at} points)"
    )
    calls, both = Calls(view), (before, now_at)
    before, after = (calls.within(log, at, *scope) if scope else calls.at(at) for at in both)
    acts = "" if view.dial.on else " (in figures: the dial is off, and people are called by cuts)"
    line(
        f"events a day at or above it over the last {DAYS} days: {before:.1f} before, {after:.1f} "
        f"now{acts}"
    )
    if scope and not calls.within(log, -view.grid.limit, *scope):
        line(printable(f"note: {_whose(*scope)} had no event in these days: is it spelt so?"))
