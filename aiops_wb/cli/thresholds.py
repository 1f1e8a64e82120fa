"""A model's threshold: shown, changed, put back."""

from typing import Annotated

import typer

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..watch import threshold_changes
from ..watch.dial import DAYS, Calls
from ..watch.explore import explored_words
from ..watch.threshold_changes import Changed, as_threshold, whose
from ..watch.threshold_promises import Bound
from ..watch.view import View
from .arguments import Model, Why, as_name, as_number
from .call import Call, command, group
from .lines import line, printable

app = group(
    {
        "list": ("threshold_list", "every threshold in force, since when and by whom; proposals"),
        "simulate": ("simulate", "replay the last 30 days with another threshold"),
        "choose": ("choose", "choose a threshold for a goal, and what can be promised of one"),
        "propose": ("propose", "propose a threshold, which decides nothing until it is approved"),
        "approve": ("approve", "put a proposal into force"),
        "reject": ("reject", "close a proposal without a change; one's own is withdrawn"),
        "history": ("threshold_history", "every change of a model's thresholds, and what it did"),
        "tune": ("tune", "look whether another threshold is shown to be better, and propose it"),
    }
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
Promised = Annotated[
    str | None,
    typer.Option(
        "--promise",
        metavar="RISK=X",
        help="promise that a risk stays at most there, fpr=0.1, fdr=0.2 (in a week) or alerts=100 "
        "(on a day), where the past carries it; 'aiops-wb promises' tells what was kept",
        show_default=False,
    ),
]
Confidence = Annotated[
    float, typer.Option(parser=as_number, metavar="X", help="confidence of the promise")
]
Score = Annotated[float, typer.Argument(parser=as_number, metavar="SCORE", help="the threshold")]


@command(app, "show")
def show(call: Call, model: Model):
    "Show the threshold in force."
    with call.reading() as log:
        print_in_force(newest_view(log, call, model))


@command(app, "set")
def set_threshold(
    call: Call,
    score: Score,
    model: Model,
    tenant: Tenant = None,
    site: Site = None,
    promise: Promised = None,
    confidence: Confidence = 0.9,
    why: Why = None,
):
    "Change the threshold: of the version, or of one tenant or site."
    _require_reason(why)
    scope = scope_of(tenant, site)
    with call.writing() as log:
        view = newest_view(log, call, model)
        who, points = (call.now(), call.who), as_threshold(view, score)
        bound = promise and Bound.parse(promise, confidence)
        told = (*who, view, scope, points, why or "", bound)
        print_change(log, threshold_changes.set_threshold(log, *told))


@command(app, "rollback")
def roll_back(call: Call, model: Model, tenant: Tenant = None, site: Site = None, why: Why = None):
    "Put back the threshold before: of the version, or of one tenant or site."
    _require_reason(why)
    scope = scope_of(tenant, site)
    with call.writing() as log:
        view = newest_view(log, call, model)
        who = call.now(), call.who
        print_change(log, threshold_changes.roll_back(log, *who, view, scope, why or ""))


def scope_of(tenant: str | None, site: str | None) -> tuple[str, str | None] | None:
    "The tenant or site that is spoken of; None for all."
    return None if tenant is None and site is None else (tenant or "default", site)


def newest_view(log: Reader, call: Call, model: str) -> View:
    "The view of a model's newest day that is not ahead of the clock."
    return threshold_changes.newest_view(log, model, call.now(), call.settings)


def _require_reason(why):
    if not why:
        raise StoreError("a change of a threshold needs --why.")


def print_in_force(view: View) -> None:
    "The threshold of a version, those of tenants and sites, and what is explored."
    line(
        f"{view.model} {view.version}: threshold {view.probability(view.threshold):.3f} "
        f"({view.threshold} points)"
    )
    if explored := explored_words(view):
        line(f"  {explored}")
    for scope, own in view.reader.own_thresholds(view.model, view.version).items():
        line(printable(f"  {whose(scope)}: {view.probability(own):.3f} ({own} points)"))


def print_change(log: Reader, changed: Changed) -> None:
    "What stands now instead of a threshold before, and how often it calls somebody."
    view, scope, now_at = changed.view, changed.scope, changed.after
    of = f" of {whose(scope)}" if scope else ""
    told = "was changed so already:" if changed.again else "is now"
    line(
        printable(f"{view.model} {view.version}: threshold{of} {told} ")
        + f"{view.probability(now_at):.3f} ({now_at} points)"
    )
    print_calls(log, view, scope, changed.before, now_at)
    for says in changed.ended:
        line(f"no longer promised: {says}")
    if changed.promise:
        line(f"promised: {changed.promise}; 'aiops-wb promises' tells what was kept")


def print_calls(log: Reader, view: View, scope, before: int, after: int, new: str = "now") -> None:
    "How often two thresholds call somebody."
    calls, both = Calls(view), (before, after)
    stood, stands = (calls.within(log, at, *scope) if scope else calls.at(at) for at in both)
    acts = "" if view.dial.on else " (in figures: the dial is off, and people are called by cuts)"
    line(
        f"events a day at or above it over the last {DAYS} days: {stood:.1f} before, "
        f"{stands:.1f} {new}{acts}"
    )
    if scope and not calls.within(log, -view.grid.limit, *scope):
        line(printable(f"note: {whose(scope)} had no event in these days: is it spelt so?"))
