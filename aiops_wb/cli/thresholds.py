"""A model's threshold: shown, tried on the last days, changed, put back."""

from typing import Annotated

import typer

from ..log.catalog import Reader, StoreError
from ..watch.view import View
from .arguments import Model, Why, as_number
from .call import Call, command, group
from .lines import line

app = group()
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
        result = view.replay.simulate(_as_points(view, score))
    for name, (candidate, current, difference) in result.table.items():
        line(f"  {name:15} {candidate:12.3f} {current:12.3f} {difference:+12.3f}")
    line(result.recommendation)


@command(app, "set")
def set_threshold(call: Call, score: Score, model: Model, why: Why = None):
    "Change the threshold."
    _require_reason(why)
    with call.writing() as log:
        view = newest_view(log, call, model)
        points = _as_points(view, score)
        log.set_threshold(
            call.now(),
            call.who,
            model,
            view.version,
            points,
            why,
            {"replay": view.replay.simulate(points).table},
            logged=view.threshold,
        )
        _print_change(log, view)


@command(app, "rollback")
def roll_back(call: Call, model: Model, why: Why = None):
    "Put back the threshold before."
    _require_reason(why)
    with call.writing() as log:
        view = newest_view(log, call, model)
        log.roll_back(call.now(), call.who, "threshold", f"{model}/{view.version}", why)
        _print_change(log, view)


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


def _print_change(log, view):
    now_at = log.threshold(view.model, view.version)
    line(
        f"{view.model} {view.version}: threshold is now {view.probability(now_at):.3f} "
        f"({now_at} points)"
    )
