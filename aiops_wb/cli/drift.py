"""Alarms about drift: a list of them, and what tells the newest days from those of training."""

import shlex
from datetime import timedelta
from typing import Annotated

import typer

from ..log.catalog import StoreError
from ..models.domain import explain_drift
from .arguments import AsJson, DaysBack, Model, Models
from .call import Call, command, group
from .lines import line, printable
from .output import as_rows, show

app = group()
LISTED = ("event_id", "event_date", "model", "state", "title", "text", "muted")


@command(app, "list")
def list_alarms(call: Call, models: Models = None, days: DaysBack = 30, as_json: AsJson = False):
    "List alarms about drift."
    with call.reading() as log:
        parts = [log.drift_events(log.require_model(m)) for m in models or log.models()]
    told = [r for p in parts for r in as_rows(p, LISTED) if r["state"] != "ongoing"]
    newest = max((row["event_date"] for row in told), default=None)
    recent = [row for row in told if row["event_date"] > newest - timedelta(days)]
    recent.sort(key=lambda row: (row["event_date"], row["event_id"]))
    show(recent, _text, _still_open(parts), as_json)


def _text(row):
    return (
        f"{row['event_id']}  {row['event_date']:%Y-%m-%d}  {row['state']:6}  "
        f"{printable(row['title'])}. {printable(row['text'])}"
        + (" (muted)" if row["muted"] else "")
    )


def _still_open(parts):
    if not any(map(len, parts)):
        return (
            "no alarm was raised yet by a daily run "
            "(days that are filled in after later ones raise none)"
        )
    last = [part.groupby("event_id").tail(1) for part in parts if len(part)]
    return f"{sum(int((part.state != 'closed').sum()) for part in last)} alarms are open"


@command(app, "explain")
def explain(
    call: Call,
    model: Model,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE",
            show_default=False,
            help="leave out a feature, to see what else differs; may be repeated",
        ),
    ] = None,
):
    "Tell the newest days of a model from those of its training, and name the features (extra ml)."
    without = without or []
    with call.reading() as log:
        version, days = log.active_version(log.require_model(model)), log.days(model)
        if version is None:
            raise StoreError(
                f"{model} has no active version that was trained here: "
                "there are no training days to compare with."
            )
        told = explain_drift(log, model, version, days[-1], without=without)
    line(
        f"{told.n_recent:,} events of the 7 days to {days[-1]} told from {told.n_reference:,} "
        f"of training: {told.says}; 0.5 is not at all"
    )
    for name, push in [p for p in told.features.items() if p[1] >= 0.005][:5]:
        line(f"  {name}: mean contribution {push:.2f} log-odds")
    if len(told.features) > 1:
        words = (f"--without {shlex.quote(n)}" for n in (*without, next(iter(told.features))))
        line(f"to see what else differs, leave out the first: {' '.join(words)}")
