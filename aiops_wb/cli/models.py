"""Versions of models: which there are, switching one on, putting one back."""

from typing import Annotated, Literal

import typer

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..models.complete import held_out_words
from .arguments import AsJson, Model, Version, as_name
from .call import Call, command, group
from .lines import counted, line, printable
from .output import as_rows, show

app = group(
    {
        "train": ("train", "train a version on a range of the log's days and register it"),
        "adopt": ("adopt", "register a version trained elsewhere, with what one trained here has"),
    }
)
COLUMNS = ("model", "version", "registered_at", "grid", "card")
Reason = Annotated[str, typer.Option(metavar="TEXT", help="the reason, for the audit trail")]


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
    "List the registered versions, which of them scores, and which are not watched."
    rows = []
    with call.reading() as log:
        for one in [log.require_model(model)] if model else log.models():
            active = log.active_version(one)
            for row in as_rows(log.versions(one), COLUMNS):
                held_out = _held_out(row.pop("card"))
                threshold = log.threshold(one, row["version"])
                off = log.not_watched(one, row["version"])
                state = {"threshold": threshold, "active": row["version"] == active}
                state["not_watched"] = str(off) if off else None
                rows.append(row | state | held_out)
    show(rows, _text, counted(len(rows), "version"), as_json)


def _held_out(card):
    "Where a version that was adopted comes from, its ranking on held-out days, what that rests on."
    metrics = card.get("metrics", {})
    adopted = card.get("adopted")
    return {
        "adopted": adopted["reference"] if adopted else None,
        "roc_auc": metrics.get("roc_auc"),
        "pr_auc": metrics.get("pr_auc"),
        "held_out": held_out_words(card),
    }


def _text(row):
    return (
        f"{row['model']} {row['version']}  registered {row['registered_at']:%Y-%m-%d %H:%M}Z, "
        f"threshold {row['threshold']} points"
        + (", active" if row["active"] else "")
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
    "Make a registered version the one that scores."
    with call.writing() as log:
        log.activate(call.now(), call.who, model, version, why)
    line(f"{model} {version} is active")


@command(app, "rollback")
def roll_back(call: Call, model: Model, why: Reason):
    "Put back the version that was active before."
    with call.writing() as log:
        back = log.roll_back(call.now(), call.who, "model", model, why)
    line(f"{model} {back} is active again")


@command(app, "watch")
def watch(
    call: Call,
    version: Annotated[
        str,
        typer.Argument(metavar="MODEL/VERSION", help="the version, such as late/v1"),
    ],
    state: Annotated[
        Literal["on", "off"],
        typer.Argument(
            metavar="on|off",
            help="off closes its alarms and raises no more, nor misses its events; days before the "
            "switch that have no figures yet are left as they are",
        ),
    ],
    why: Reason,
):
    "Switch alarms about a version and their messages on or off; figures and pages go on."
    with call.writing() as log:
        model, named = _version(log, version)
        log.watch(call.now(), call.who, model, named, state == "on", why)
        off = log.not_watched(model, named)
    line(
        printable(f"{model} {named} is not watched {off}" if off else f"{model} {named} is watched")
    )


def _version(log: Reader, text: str) -> tuple[str, str]:
    "The model and the version that MODEL/VERSION names: both may hold slashes themselves."
    known = [(m, v) for m in log.models() for v in log.known_versions(m)]
    for model, version in known:
        if text == f"{model}/{version}":
            return model, version
    choices = ", ".join("/".join(one) for one in known)
    raise StoreError(f"{text!r} is no version of this log: choose one of {choices or 'none'}.")
