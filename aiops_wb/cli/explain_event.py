"""Why one event was scored as it was, or many (extra ml)."""

from typing import Annotated

import typer

from ..models.explain import value_in_words
from ..watch.explained_event import explained_event
from ..watch.why import in_words
from .arguments import AsJson, AsOf, as_name
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json
from .over import By, Files, From, Into, Over, Scorer, To, over

app = alone()


@command(app)
def explain(
    call: Call,
    prediction: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="the prediction's id, as it was logged",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="MODEL",
            help="of this model (default: of any)",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="so many features; the others are one line"),
    ] = 10,
    as_of: AsOf = None,
    as_json: AsJson = False,
    start: From = None,
    end: To = None,
    files: Files = None,
    into: Into = None,
    version: Scorer = None,
    engine: By = "duckdb",
):
    many = Over(start, end, files, into, engine)
    if prediction is None:
        if model is None:
            raise typer.BadParameter(
                "give it, or --model with --from, --to and --into.", param_hint="'--id'"
            )
        if as_json:
            raise typer.BadParameter("--into writes Parquet.", param_hint="'--json'")
        return over(call, "pushes", many, model, version)
    if any(many[:4]) or version:
        raise typer.BadParameter(
            "it is one event, and goes with none of many.", param_hint="'--id'"
        )
    with call.reading() as log:
        if model is not None:
            log.require_model(model)
        told = explained_event(log, prediction, call.settings, model, as_of)
    if as_json:
        print_json(told)
    else:
        _say(told, top)


def _say(told, top):
    label = {1: "positive", 0: "negative"}.get(told["label"], "not known yet")
    line(
        printable(
            f"{told['prediction_id']}: {told['model']} {told['version']} scored "
            f"{told['score']:.3f} on {told['day']}; its outcome is {label}"
        )
    )
    line(f"  {told['start']:+.2f}  where every score of this version starts (log-odds)")
    for one in told["features"][:top]:
        value = "missing" if one["value"] is None else value_in_words(one["value"])
        line(printable(f"  {one['push']:+.2f}  {one['name']} = {value} {one['unit']}".rstrip()))
    rest = told["features"][top:]
    if rest:
        line(f"  {sum(one['push'] for one in rest):+.2f}  {len(rest)} other features")
    off = 1000 * told["log_odds"] - told["points"]
    says = "as it was logged" if abs(off) <= 2 else f"{off / 1000:+.3f} off what was logged"
    line(f"  {told['log_odds']:+.2f}  in all, {says}")
    if told["interval"]:
        _say_interval(told["interval"])
    if told["alike"]:
        line("past alerts that were scored most alike:")
    for one in told["alike"]:
        became = "positive" if one["positive"] else "negative"
        who = one["entity_id"] or one["prediction_id"]
        line(printable(f"  {one['event_date']}  {who}: {became} ({one['distance']:.2f} away)"))


def _say_interval(told):
    days = told["calibrated_on"]
    line(
        f"of events with this score {told['lower']:.3f} to {told['upper']:.3f} are positive, by "
        f"{len(days)} days of {in_words((days[0], days[-1]))}: {told['like_it']}"
    )
    if told["ends"]:
        line(printable(f"  why so wide: {told['ends']}"))
