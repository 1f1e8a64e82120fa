"""A threshold for a goal, and what can be promised of one: nothing is changed."""

from math import isnan
from typing import Annotated, Literal

import typer

from ..stats.choosing import Capacity, Goal, MaxFDR, MaxFPR, MinCost, MinRecall
from ..watch.other_thresholds import DAYS
from .arguments import AsJson, Model, as_days, as_number, number_option
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import print_json
from .thresholds import newest_view

app = alone()

GOALS = (
    "name one goal: --max-fpr, --max-fdr, --min-recall, --alerts-per-day, or --cost-missed "
    "with --cost-false or --cost-review"
)
RISKS = {
    MaxFPR: ("fpr", "target"),
    MaxFDR: ("fdr", "target"),
    Capacity: ("alerts", "alerts_per_day"),
}


@command(app)
def choose(
    call: Call,
    model: Model,
    max_fpr: number_option("at most this false positive rate: false alerts of negatives") = None,
    max_fdr: number_option("at most this false discovery rate: false alerts of alerts") = None,
    min_recall: number_option("at least this recall: caught of positives") = None,
    alerts_per_day: number_option(
        "at most so many alerts on a day to come, with --confidence"
    ) = None,
    cost_missed: number_option("least cost: what a missed positive costs") = None,
    cost_false: number_option("least cost: what a false alert costs") = None,
    cost_review: number_option("least cost: what a look at an alert costs") = None,
    confidence: Annotated[
        float, typer.Option(parser=as_number, metavar="X", help="confidence of what is promised")
    ] = 0.9,
    unit: Annotated[
        Literal["row", "day", "week"] | None,
        typer.Option(help="unit of what is promised (default: day for alerts, week for rates)"),
    ] = None,
    by: Annotated[
        Literal["site"] | None, typer.Option(help="a threshold for each site, too")
    ] = None,
    days: Annotated[
        int, typer.Option(parser=as_days, metavar="N", help="complete days to choose from")
    ] = DAYS,
    as_json: AsJson = False,
):
    costs = {"missed": cost_missed, "false": cost_false, "review": cost_review}
    shares = {MaxFPR: max_fpr, MaxFDR: max_fdr, MinRecall: min_recall}
    goal = _goal(shares, alerts_per_day, costs, confidence)
    asked = _asked(goal, confidence, unit)
    with call.reading() as log:
        view = newest_view(log, call, model)
        others = view.other_thresholds
        choice = others.choose(goal, days)
        kept = asked and others.control(*asked)
        own, apart = others.choose_by_site(goal, days) if by else ({}, [])
        told = {"model": view.model, "version": view.version, "in_force": view.threshold}
        in_force = view.probability(view.threshold)
        own_ones = log.own_thresholds(view.model, view.version)
    if as_json:
        print_json(told | _as_json(choice, kept, own, apart))
        return
    line(printable(f"{view.model} {view.version}: {choice.says}"))
    if kept:
        line(printable(f"promised: {kept.says}"))
    if own_ones:
        line(
            f"note: {counted(len(own_ones), 'tenant or site', 'tenants or sites')} with a "
            "threshold of its own is counted as the others are"
        )
    for site, one in own.items():
        line(printable(f"{site}: {one.says}"))
    if apart:
        line(f"errors of sites at the threshold in force, {in_force:.3f}:")
    for row in apart:
        line(printable(_compared(row)))


def _goal(shares, alerts_per_day, costs, confidence) -> Goal:
    "The one goal that the options name; wrong usage where they name none or several."
    named = {kind: share for kind, share in shares.items() if share is not None}
    priced = {name: cost for name, cost in costs.items() if cost is not None}
    if len(named) + bool(priced) + (alerts_per_day is not None) != 1:
        raise typer.BadParameter(GOALS)
    try:
        if named:
            return next(kind(share) for kind, share in named.items())
        if priced:
            return MinCost(**{"missed": 0.0} | priced)
        return Capacity(alerts_per_day, confidence)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _asked(goal, confidence, unit):
    "Risk, target, confidence and unit of what is to be promised; None where nothing can be."
    risk, target = RISKS.get(type(goal), (None, None))
    if risk is None:
        if unit:
            raise typer.BadParameter(f"nothing is promised of {goal}: leave --unit out.")
        return None
    if risk == "alerts" and unit == "row":
        raise typer.BadParameter("alerts are counted a day: use --unit day or week.")
    if not 0 < confidence < 1:
        raise typer.BadParameter(f"--confidence {confidence:g} does not lie between 0 and 1.")
    return risk, getattr(goal, target), confidence, unit or ("day" if risk == "alerts" else "week")


def _as_json(choice, kept, own, apart):
    "All of it as plain values."
    sites = {site: one.to_json() for site, one in own.items()}
    return {
        "choice": choice.to_json(),
        "promise": kept and kept.to_json(),
        "sites": sites or None,
        "parity": [_plain(row) for row in apart] or None,
    }


def _plain(row):
    figures = {name: _figure(getattr(row, name)) for name in ("own", "others", "difference")}
    return {"site": row.segment, "rate": row.rate, "differs": row.differs} | figures


def _figure(figure):
    "Value and limits; None where they are not known."
    names = ("value", "lower", "upper")
    return {n: None if isnan(x := getattr(figure, n)) else float(x) for n in names}


def _compared(row):
    "An error rate of a site beside that of the others."
    value, lower, upper, _ = row.difference
    known = "no interval" if isnan(lower) else f"{lower:+.3f} to {upper:+.3f}"
    apart = ": they differ" if row.differs else ""
    return (
        f"{row.segment} {row.rate}: {row.own.value:.3f}, others {row.others.value:.3f}, "
        f"difference {value:+.3f} ({known}){apart}"
    )
