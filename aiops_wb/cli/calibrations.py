"""Calibrations of a version: which there are, and making one by hand."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..log.base import as_rows
from ..log.errors import StoreError
from ..watch.calibrate import calibrate_now
from .arguments import AsJson, Model, as_days, as_name
from .call import Call, command, group
from .lines import counted, line
from .output import show

app = group()
LISTED = ("calibration_id", "version", "created_at", "n", "q90", "rule", "ticket_threshold", "why")


@command(app, "list")
def list_calibrations(
    call: Call,
    model: Model,
    version: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="VERSION",
            help="only of this version (default: of every version)",
        ),
    ] = None,
    as_json: AsJson = False,
):
    "List the calibrations of a model."
    with call.reading() as log:
        rows = as_rows(log.calibration_list(log.require_model(model), version), LISTED)
    show(rows, _text, counted(len(rows), "calibration"), as_json)


def _text(row):
    points, q90 = row["ticket_threshold"], row["q90"]
    at = "none automated" if points is None else f"tickets from {_probability(points):.3f}"
    return (
        f"{row['calibration_id']}  {row['created_at']:%Y-%m-%d %H:%M}Z  "
        f"{row['n']:,} labelled events, q90 {'-' if q90 is None else format(q90, '.3f')}, "
        f"{row['rule'] or 'reference only'}, {at} ({row['why']})"
    )


def _probability(points):
    return 1 / (1 + math.exp(-points / 1000))


@command(app, "make")
def make(
    call: Call,
    model: Model,
    version: Annotated[
        str | None,
        typer.Option(
            parser=as_name, metavar="VERSION", help="the version (default: the active one)"
        ),
    ] = None,
    source: Annotated[
        Literal["prediction_log", "fraud_log", "csv"],
        typer.Option(
            help="labelled predictions of the log, only those that became cases, or a file"
        ),
    ] = "prediction_log",
    file: Annotated[
        Path | None,
        typer.Option(
            help="with --source csv: a file with the columns prediction, actual and, "
            "for the rule for tickets, day"
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            parser=as_days,
            metavar="N",
            help="use the last so many days of the log for sets and intervals",
        ),
    ] = 30,
    min_samples: Annotated[int, typer.Option(help="refuse fewer labelled predictions")] = 30,
):
    "Calibrate a version by hand."
    with call.writing() as log:
        chosen = version or log.active_version(log.require_model(model))
        if chosen is None:
            raise StoreError(f"{model} has no active version: name one with --version.")
        done = calibrate_now(
            log,
            call.now(),
            call.who,
            model,
            chosen,
            source,
            call.settings,
            file=file,
            days=days,
            min_samples=min_samples,
        )
    line(_summary(done.calibration_id, done.summary))
    line(done.rule)
    if done.note:
        line(f"note: {done.note}")


def _summary(key, s):
    return (
        f"{key}: {s['n']:,} labelled predictions, mean prediction {s['mean_prediction']:.3f}, "
        f"mean outcome {s['positive_rate']:.3f} (positive rate {s['positive_rate']:.1%}), "
        f"standard deviation {s['sd_prediction']:.3f}, mean error {s['mean_error']:.3f}"
    )
