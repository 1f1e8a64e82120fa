"""What is known beforehand about days."""

from datetime import date
from typing import Annotated

import typer

from ..log.base import as_rows
from ..log.errors import StoreError
from .arguments import AsJson, Why, as_date, as_name
from .call import Call, already, command, group
from .lines import counted, line, printable
from .output import show

LATER = {"holidays": ("holidays", "show or enter the holidays of a country")}
app = group(LATER)
LISTED = ("entry_id", "first", "last", "name", "model", "mutes", "tenant", "holiday", "declared")


@command(app, "list")
def list_entries(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="MODEL",
            help="only what concerns this model (default: everything)",
        ),
    ] = None,
    as_json: AsJson = False,
):
    "List what is known beforehand about days."
    with call.reading() as log:
        rows = as_rows(log.calendar(model), LISTED)
    show(rows, _text, counted(len(rows), "entry", "entries"), as_json)


def _text(row):
    return (
        f"{row['entry_id']}  {row['first']:%Y-%m-%d} to {row['last']:%Y-%m-%d}  "
        f"{printable(row['name'])}"
        + (f" ({row['model']})" if row["model"] else "")
        + (f" (tenant {printable(row['tenant'])})" if row["tenant"] else "")
        + (", muted" if row["mutes"] else "")
        + (", holiday" if row["holiday"] else "")
        + (f" of {row['declared']}" if row["declared"] else "")
    )


@command(app, "add")
def add(
    call: Call,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="a name for the days, such as 'Easter' or 'new cameras'"
        ),
    ],
    start: Annotated[
        date | None,
        typer.Option("--from", parser=as_date, metavar="DAY", help="first day (needed)"),
    ] = None,
    end: Annotated[
        date | None,
        typer.Option("--to", parser=as_date, metavar="DAY", help="last day (default: the first)"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name, metavar="MODEL", help="only for this model (default: every model)"
        ),
    ] = None,
    mute: Annotated[
        bool, typer.Option("--mute", help="these days raise no alarm and count for none")
    ] = False,
    holiday: Annotated[
        bool, typer.Option("--holiday", help="these days are compared with holidays alone")
    ] = False,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TENANT", help="only of this tenant (default: every tenant)"),
    ] = None,
    why: Why = None,
):
    "Annotate days."
    _require_reason(why)
    if start is None:
        raise StoreError("which days: give --from, and --to where there are more than one.")
    end = end or start
    with call.writing() as log:
        key = log.annotate(
            call.now(), call.who, start, end, name, why, model, mute, tenant, holiday
        )
        marks = (", muted" if mute else "") + (", holiday" if holiday else "")
        line(printable(f"{key}: {name}, {start} to {end}{marks}"))


@command(app, "remove")
def remove(
    call: Call,
    entry: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="the id of the entry, or of the holidays of a country: of all"
        ),
    ],
    why: Why = None,
):
    "Take an entry out, or all holidays of a country."
    _require_reason(why)
    with call.writing() as log:
        rows = log.audit_head()[0]
        log.strike(call.now(), call.who, entry, why)
        line(f"{entry} is taken out{already(log, rows)}")


def _require_reason(why):
    if not why:
        raise StoreError("a change of the calendar needs a reason: add --why.")
