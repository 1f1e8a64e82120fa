"""A country's holidays, for the calendar."""

import re
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..log.errors import StoreError
from ..watch.holidays import AHEAD, declared, holidays_of, last_needed
from .arguments import AsJson
from .call import Call, alone, command
from .lines import counted, printable
from .output import print_json, show

app = alone()


def as_years(text: str) -> range:
    "Years from one to another, or one; ValueError when the text is none."
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 < last - first + 1 <= 100:
        raise ValueError(f"{text!r} is not a year such as 2026, or years such as 2024-2027")
    return range(first, last + 1)


@command(app)
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
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TENANT", help="only of this tenant (default: every tenant)"),
    ] = None,
    years: Annotated[
        range | None,
        typer.Option(
            parser=as_years,
            metavar="YEARS",
            help="such as 2026 or 2024-2027 (default: from the log's first day to the year that "
            f"lies {AHEAD} days ahead)",
        ),
    ] = None,
    why: Annotated[
        str | None,
        typer.Option(help="the reason, for the audit trail; without it nothing is written"),
    ] = None,
    as_json: AsJson = False,
):
    "Show the holidays of a country; with --why enter them."
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
