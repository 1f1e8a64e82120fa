"""Many days at once."""

from datetime import timedelta
from typing import Annotated, Literal

import typer

from ..log.engines import open_engine
from ..log.errors import StoreError
from ..log.from_rows import Recounted, recount, were_run
from .arguments import AsOf, FirstDay, LastDay, Models, Reports
from .call import Call, alone, command
from .daily import run_days
from .lines import counted, line, printable
from .meter import meter

app = alone()
LISTED = 20
"Days that were not counted and are told; the rest is a number."


@command(app)
def backfill(
    call: Call,
    start: FirstDay,
    end: LastDay,
    models: Models = None,
    as_of: AsOf = None,
    reports: Reports = "last",
    again: Annotated[
        bool,
        typer.Option(
            "--recount",
            help="count the days anew from their rows, and run those alone whose counts were "
            "not what the rows say",
        ),
    ] = False,
    engine: Annotated[
        Literal["duckdb", "spark"] | None,
        typer.Option(
            "--engine", help="the same, by this engine (default: count_engine of the settings)"
        ),
    ] = None,
):
    if end < start:
        raise StoreError(f"--to {end} lies before --from {start}.")
    days = [start + timedelta(i) for i in range((end - start).days + 1)]
    if again or engine:
        found = _recount(call, engine or call.settings.count_engine, start, end, models or ())
        days = [day for day in days if day in found.dates]
        if not days:
            return 0
    code = run_days(call, days, models, as_of, reports)
    if (again or engine) and code == 0 and as_of is None:
        with call.writing() as store:
            were_run(store, days, models or ())
    return code


def _recount(call, name, start, end, models) -> Recounted:
    "Count days anew, and say what came of it."
    settings = call.settings
    url = settings.spark_url and settings.spark_url.get_secret_value()
    with call.writing() as store:
        for model in models:
            store.require_model(model)
        place = store.root, store.timezone, url, settings.spark_data
        with (
            open_engine(name, *place) as engine,
            meter(call, "rows", _size(store, start, end, models), "row", leave=False) as done,
        ):
            found = recount(store, engine, start, end, models, done)
    for sentence in found.left[:LISTED]:
        line(f"not counted: {printable(sentence)}")
    if (more := len(found.left) - LISTED) > 0:
        line(f"and {counted(more, 'day')} more that could not be counted")
    line(_said(found, name))
    return found


def _size(store, start, end, models):
    "Rows that there are to count."
    files = store.day_files(kind="predictions", event_date__ge=start, event_date__le=end)
    return sum(file.rows for file in files if not models or file.model in models)


def _said(found: Recounted, name: str) -> str:
    of = f"{counted(found.rows, 'row')} of {counted(found.days, 'day')} of versions"
    if not found.days:
        return "no rows of these days were counted"
    off = [f"{n:,} of {table}" for table, n in found.changed.items() if n]
    if not off:
        return f"{of} counted by {name}: every count is what the rows say"
    return f"{of} counted by {name}; cells that were not what the rows say: {', '.join(off)}"
