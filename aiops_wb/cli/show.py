"""What is in production, or was at any time; the card of a version."""

from datetime import datetime
from typing import Annotated

import typer

from ..log.base import as_rows
from ..log.catalog import Reader
from ..models.cards import card_of
from ..stats.points import Grid
from .arguments import AsJson, as_instant, as_name
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json

app = alone()
SPAN = ("version", "threshold", "probability", "calibration_id", "since", "until")

At = Annotated[
    datetime | None,
    typer.Option(
        parser=as_instant,
        metavar="TIME",
        help="as it was at this time, such as 2026-03-01T06:00:00+00:00 (default: now)",
    ),
]


@command(app)
def show_model(
    call: Call,
    model: Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")],
    version: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="VERSION",
            help="the card of this version (default: what is in production)",
        ),
    ] = None,
    at: At = None,
    as_json: AsJson = False,
):
    with call.reading() as log:
        log.require_model(model)
        if version is not None:
            _show_card(card_of(log, model, version, at), as_json)
            return
        told = _told(log, model, at)
    if as_json:
        print_json(told)
        return
    _print(model, told)


def _show_card(card, as_json):
    if as_json:
        print_json(card.as_json())
        return
    line(printable(f"{card.model} {card.version}"))
    for name, text in card.rows():
        line(printable(f"  {name}: {text}"))


def _told(log: Reader, model: str, at: datetime | None) -> dict:
    "What stands at a time, and every span up to then."
    stands, promoted = log.in_production(model, at), log.promoted(model, at)
    who, since, why = promoted or (None, None, None)
    shadows = {v: log.shadow_since(model, v, at) for v in log.challengers(model, at)}
    return {
        "model": model,
        "at": at,
        "champion": stands and stands.as_evidence() | _probability(log, model, stands),
        "since": since,
        "who": who,
        "why": why,
        "exploration": log.explored_at(model, at),
        "previous": log.previous(model, at),
        "challengers": [{"version": v, "since": begun} for v, begun in shadows.items()],
        "production": as_rows(log.production(model, at), SPAN),
    }


def _probability(log, model, stands):
    versions = log.versions(model).set_index("version")
    if stands.threshold is None or stands.version not in versions.index:
        return {"score": None}
    grid = Grid.parse(versions.grid[stands.version])
    return {"score": float(grid.inverse(stands.threshold))}


def _print(model, told):
    for text in _lines(model, told):
        line(printable(text))


def _lines(model, told):
    champion = told["champion"]
    if champion is None:
        yield f"{model} {'had' if told['at'] else 'has'} no version in production"
        yield from _explored(told)
        return
    since = f"{_time(told['since'])} ({told['who']}: {told['why']})"
    yield f"{model} {champion['version']} since {since}"
    yield f"  {_with(champion['score'], champion)}"
    for tenant, site, points in champion["own_thresholds"]:
        whose = f"tenant {tenant}" if site is None else f"site {site} of tenant {tenant}"
        yield f"  {whose}: threshold of its own, {points} points"
    yield from _explored(told)
    yield f"  previous: {told['previous'] or 'none'}"
    for one in told["challengers"]:
        yield f"  challenger: {one['version']}, in the shadow since {_time(one['since'])}"
    yield "in production:"
    for span in told["production"]:
        until = _time(span["until"]) if span["until"] or told["at"] is None else "then"
        lasted = f"{_time(span['since'])} to {until}"
        yield f"  {lasted}: {span['version']}, {_with(span['probability'], span)}"


def _explored(told):
    "What exploration is in force, and what it costs."
    if explored := told["exploration"]:
        share, a_day = explored["share"], explored["reviews_per_day"]
        cost = "" if a_day is None else f", some {a_day:.1f} reviews a day"
        yield f"  {100 * share:.3g}% of the events below the threshold go to review by chance{cost}"


def _with(score, stands):
    "The threshold and the calibration that stand with a version."
    threshold = "no threshold" if stands["threshold"] is None else _threshold(score, stands)
    return f"{threshold}, calibration {stands['calibration_id'] or 'none'}"


def _threshold(score, stands):
    shown = "" if score is None else f"{score:.3f} "
    return f"threshold {shown}({stands['threshold']} points)"


def _time(at):
    return "now" if at is None else f"{at:%Y-%m-%d %H:%M}Z"
