"""Versions of models: which there are, switching one on, putting one back."""

from typing import Annotated

import typer

from ..watch import promotion
from ..watch.listed import version_rows
from .arguments import AsJson, Model, Reason, Version, as_name
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group(
    {
        "train": ("train", "train a version on a range of the log's days and register it"),
        "adopt": ("adopt", "register a version trained elsewhere, with what one trained here has"),
        "dial": ("dial", "let the threshold in force decide who is called, or fixed cuts again"),
        "show": ("show", "what is in production, or was at any time; the card of a version"),
        "compare": ("compare", "two versions, card beside card"),
        "export": ("export", "write a version into a folder that mlflow can load"),
        "import": ("import_folder", "register a version from a folder that 'models export' wrote"),
        "shadow": (
            "shadow",
            "let a version score in the champion's shadow, where it decides nothing",
        ),
        "guard": (
            "guard",
            "look now whether the last promotion was a mistake; to be called every few minutes",
        ),
        "watch": (
            "watch",
            "switch alarms about a version and their messages on or off; figures and pages go on",
        ),
    }
)


@command(app, "list")
def list_models(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="MODEL",
            help="only versions of this model (default: of every model)",
        ),
    ] = None,
    as_json: AsJson = False,
):
    "List the registered versions: the champion, its challengers, and which are not watched."
    with call.reading() as log:
        models = [log.require_model(model)] if model else log.models()
        rows = [row for one in models for row in version_rows(log, one)]
    show(rows, _text, counted(len(rows), "version"), as_json)


def _text(row):
    return (
        f"{row['model']} {row['version']}  registered {row['registered_at']:%Y-%m-%d %H:%M}Z, "
        f"threshold {row['threshold']} points"
        + (", active" if row["active"] else "")
        + (f", {row['alias']}" if row["alias"] else "")
        + (f", not watched {row['not_watched']}" if row["not_watched"] else "")
        + (f", adopted on {row['adopted']}" if row["adopted"] else "")
        + (f"; held-out ROC-AUC {row['roc_auc']:.3f} {row['held_out']}" if row["roc_auc"] else "")
    )


@command(app, "promote")
def promote(
    call: Call,
    model: Model,
    version: Version,
    why: Reason,
):
    "Make a registered version the champion, with its threshold and calibration."
    with call.writing() as log:
        done = promotion.promote(log, call.now(), call.who, model, version, why, call.settings)
    _print(done, "")


@command(app, "rollback")
def roll_back(call: Call, model: Model, why: Reason):
    "Make the version before the champion again, with the threshold and calibration it had then."
    with call.writing() as log:
        done = promotion.roll_back(log, call.now(), call.who, model, why, call.settings)
    _print(done, " again")


def _print(done, again):
    again = f" already, {done.again}" if done.again else again
    others = done.before and done.before.version != done.after.version
    instead = f", instead of {done.before.version}" if others else ""
    line(printable(f"{done.model} {done.after.version} is active{again}{instead}"))
    for told in done.told():
        line(printable(f"  {told}"))
