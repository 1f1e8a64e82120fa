"""What is known beforehand about days."""

import re
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..log.base import as_rows
from ..log.errors import StoreError
from ..watch.holidays import AHEAD, declared, holidays_of, last_needed
from .arguments import AsJson, Why, as_date, as_name
from .call import Call, already, command, group
from .lines import counted, line, printable
from .output import print_json, show

app = group()
LISTED = ("entry_id", "first", "last", "name", "model", "mutes", "tenant", "holiday", "declared")

Tenant = Annotated[
    str | None,
    typer.Option(metavar="TENANT", help="only of this tenant (default: every tenant)"),
]


def as_years(text: str) -> range:
    "Years from one to another, or one; ValueError when the text is none."
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 < last - first + 1 <= 100:
        raise ValueError(f"{text!r} is not a year such as 2026, or years such as 2024-2027")
    return range(first, last + 1)


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
    tenant: Tenant = None,
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


@command(app, "holidays")
def holidays(
    call: Call,
    country: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="country, by its two letters such as VN (needed)"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="with the holidays of this region, such as BY (Bayern)"),
    ] = None,
    tenant: Tenant = None,
    years: Annotated[
        range | None,
        typer.Option(
            parser=as_years,
            metavar="YEARS",
            help="such as 2026 or 2024-2027 (default: from the log's first day to the year that "
            f"lies {AHEAD} days ahead)",
        ),
    ] = None,
    why: Why = None,
    as_json: AsJson = False,
):
    """Enter the holidays of a country: without --why they are shown, and nothing is written. Each
    daily run enters those of the years to come."""
    if country is None:
        raise StoreError("whose holidays: give --country, by its two letters such as VN.")
    whose = declared(country, region, tenant)
    with call.reading() if why is None else call.writing() as log:
        log.require_tenant(tenant)
        today = call.now().astimezone(ZoneInfo(log.timezone)).date()
        years = years or range(_first_year(log, today), last_needed(today).year + 1)
        until, days = date(years[-1], 12, 31), holidays_of(whose, years)
        key, _ = log.declared_holidays().get(whose, (None, None))
        known = log.declared_days(key) if key else {}
        new = []
        if why is not None:
            key, new = log.enter_holidays(call.now(), call.who, whose, days, until, why)
        known = {**dict.fromkeys(days, ""), **known, **(log.declared_days(key) if new else {})}
    rows = [
        {"day": day, "name": name, "entry_id": known[day] or None, "state": _state(known[day], new)}
        for day, name in days.items()
    ]
    if as_json:
        told = {"id": key, **whose._asdict(), "until": until, "written": len(new), "days": rows}
        print_json(told)
        return
    show(rows, _of_holiday, _said_of(whose, key, rows, why))


def _first_year(log, today):
    "Of the first day with predictions of any model; the running one without any."
    return min((days[0].year for m in log.models() if (days := log.days(m))), default=today.year)


def _state(entry, new):
    if entry is None:
        return "taken out"
    return ("entered" if entry in new else "there already") if entry else "not entered"


def _of_holiday(row):
    return f"{row['day']:%Y-%m-%d %a}  {printable(row['name'])}  ({row['state']})"


def _said_of(whose, key, rows, why):
    n = sum(row["state"] in ("not entered", "entered") for row in rows)
    whose = printable(str(whose))
    if not n:
        return f"{key}: all {len(rows)} holidays of {whose} stand so already: nothing was written"
    if why is None:
        return f"{counted(n, 'holiday')} of {whose}: nothing is written; add --why to enter them"
    undone = f"'aiops-wb calendar remove {key}' takes them out"
    return f"{key}: {counted(n, 'holiday')} of {whose} entered; {undone}"


def _require_reason(why):
    if not why:
        raise StoreError("a change of the calendar needs a reason: add --why.")
