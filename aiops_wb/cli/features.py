"""What the features of models are: listed, set, put back."""

from typing import Annotated, Literal

import typer

from ..log.base import as_rows
from ..log.errors import StoreError
from ..log.feature_names import FeatureName
from .arguments import AsJson, Why
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group()
LISTED = (
    "model",
    "feature",
    "name",
    "unit",
    "kind",
    "fixed",
    "since",
    "who",
    "why",
    "unreadable",
    "allowed",
    "outcome",
)


@command(app, "list")
def list_features(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="only features of this model (default: of every model)"),
    ] = None,
    as_json: AsJson = False,
):
    "List features: what each is, since when and why, and how many values could not be read."
    with call.reading() as log:
        known = log.features(model and log.require_model(model))
        rows = as_rows(_with_names(log, known), LISTED)
    show(rows, _text, counted(len(rows), "feature"), as_json)


def _with_names(log, features):
    "Features with the plain name and the unit that somebody gave them, '' where nobody did."
    called = {model: log.feature_names(model) for model in features.model.unique()}
    none = FeatureName("")
    named = [called[m].get(f, none) for m, f in zip(features.model, features.feature)]
    return features.assign(name=[n.name for n in named], unit=[n.unit for n in named])


def _text(row):
    state = "fixed" if row["fixed"] else "so far"
    since = f" since {row['since']:%Y-%m-%d}" if row["since"] else ""
    return (
        f"{printable(row['model'])} {printable(row['feature'])}{_called(row)}  {row['kind']}, "
        f"{state}{since}: "
        f"{printable(row['why'])}"
        + (f"; {row['unreadable']:,} values unreadable" if row["unreadable"] else "")
        + ("; allowed although it alone separates the labels" if row["allowed"] else "")
        + (f"; no model learns from it: mapped as {row['outcome']}" if row["outcome"] else "")
    )


def _called(row):
    "The plain name and unit of a feature in brackets; nothing where nobody named it."
    told = ", ".join(printable(row[part]) for part in ("name", "unit") if row[part])
    return f" ({told})" if told else ""


@command(app, "set")
def set_feature(
    call: Call,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="the model")],
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="the feature")],
    kind: Annotated[
        Literal["number", "boolean", "text", "time"] | None,
        typer.Argument(
            help="what it is; a time is kept as seconds since 1970 (default: as it stands)",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="what people call it, in reasons; '' takes that back"),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="what it is measured in; '' takes that back"),
    ] = None,
    why: Why = None,
):
    "Say what a feature is, for all files to come, or what people call it."
    if kind is None and name is None and unit is None:
        raise StoreError("nothing is set: give a KIND, --name or --unit.")
    _require_reason(why)
    with call.writing() as log:
        if kind is not None:
            again, left = log.set_feature(call.now(), call.who, model, feature, kind, why)
            line(f"{feature} of {model} is a {kind}; {_read_again(again, left)}")
        if name is not None or unit is not None:
            log.require_model(model)
            told = log.name_feature(call.now(), call.who, model, feature, name, unit, why)
            measured = f", in {told.unit}" if told.unit else ""
            line(f"{feature} of {model} is called {told.name}{measured}")


@command(app, "rollback")
def roll_back(
    call: Call,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="the model")],
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="the feature")],
    why: Why = None,
):
    "Put back what a feature was before it was set, or mapped for outcomes by mistake."
    _require_reason(why)
    with call.writing() as log:
        log.require_model(model)
        if log.take_back_outcome_column(call.now(), call.who, model, feature, why):
            line(
                f"{feature} of {model} is no outcome any more: files to come bring it as a "
                "feature; in rows that came meanwhile it is missing"
            )
            return
        kind, again, left = log.roll_back_feature(call.now(), call.who, model, feature, why)
    line(f"{feature} of {model} is a {kind} again; {_read_again(again, left)}")


def _require_reason(why):
    if not why:
        raise StoreError("a change of a feature needs a reason: add --why.")


def _read_again(again, left):
    return f"{again:,} values that could not be read were read" + (
        f", {left:,} still cannot be" if left else ""
    )
