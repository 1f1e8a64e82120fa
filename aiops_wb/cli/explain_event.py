"""Why one event was scored as it was (extra ml)."""

from datetime import timedelta
from typing import Annotated

import pandas as pd
import typer

from ..log.difference_files import Interval, calibrated_on
from ..log.errors import StoreError
from ..log.feature_names import FeatureName
from ..models.explain import contributions, value_in_words
from ..models.precedents import precedents
from ..models.registry import load
from ..models.shift_of_log import NEAR, width_or_why
from ..models.version import feature_columns
from ..watch.why import in_words
from ..watch.words import labelled_like
from .arguments import AsOf, as_name
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json

app = alone()


@command(app)
def explain(
    call: Call,
    prediction: Annotated[
        str, typer.Option("--id", metavar="ID", help="the prediction's id, as it was logged")
    ],
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
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
):
    with call.reading() as log:
        if model is not None:
            log.require_model(model)
        found = log.event(prediction, model, as_of)
        if found.empty:
            where = f"of {model} " if model else ""
            raise StoreError(f"the log has no prediction {where}with the id {prediction!r}.")
        told = _told(log, found, as_of, call.settings)
    if as_json:
        print_json(told)
    else:
        _say(told, top)


def _told(log, found, as_of, settings):
    "Everything about one event, as JSON knows it."
    row = found.iloc[0]
    version = load(log, row.model, row.version)
    features = feature_columns(found, log.outcomes_among(row.model, version.features))
    pushes = contributions(version, features)
    called = log.feature_names(row.model, as_of)
    full = pushes.drop(columns="(bias)")
    near = precedents(log, row.model, row.version, full, row.event_date.date(), as_of)[0]
    ordered = full.iloc[0].sort_values(key=abs, ascending=False, kind="stable")
    return {
        "prediction_id": row.prediction_id,
        "model": row.model,
        "version": row.version,
        "day": f"{row.event_date:%Y-%m-%d}",
        "points": int(row.points),
        "score": float(version.grid.inverse(row.points)),
        "label": None if pd.isna(row.label) else int(row.label),
        "start": float(pushes["(bias)"].iloc[0]),
        "log_odds": float(pushes.iloc[0].sum()),
        "features": [_feature(f, features[f].iloc[0], push, called) for f, push in ordered.items()],
        "alike": [one._asdict() for one in near],
        "interval": _interval(log, row, as_of, settings, called),
    }


def _interval(log, row, as_of, settings, called):
    """The probability interval that an event was decided with, and what sets its ends apart where
    it is wide (`narrow_width`); None where no calibration is known."""
    named, day = (row.model, row.version), row.event_date.date()
    stored = log.calibrations([row.calibration_id] if pd.notna(row.calibration_id) else [])
    newest = log.calibration(*named, as_of, day - timedelta(1))
    stands = stored.get(row.calibration_id) or (newest and newest[1])
    held_out = log.held_out_counts(*named)
    days = stands and calibrated_on(held_out, stands, settings.calibration_days)
    if not days:
        return None
    told = Interval(*stands.interval(row.points), int(row.points), days)
    counts = log.score_counts(row.model, *told.span, version=row.version, as_of=as_of)
    found = None
    if told.width >= settings.narrow_width:
        found = width_or_why(log, *named, told[:2], days, as_of, NEAR)
    return {
        "lower": told.lower,
        "upper": told.upper,
        "calibrated_on": days,
        "like_it": labelled_like(held_out | counts, days, told.points),
        "ends": found if found is None or isinstance(found, str) else found.says(names=called),
    }


def _feature(feature, value, push, called):
    name, unit = called.get(feature, FeatureName(feature))
    value = None if pd.isna(value) else value
    return {"feature": feature, "name": name, "value": value, "unit": unit, "push": float(push)}


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
