"""Run a report by hand, of the package or one's own, with parameters of its own."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..render.by_hand import Asked, job_by_hand, values_given
from ..render.engine import require_reports, run_jobs
from ..render.frame import write_whole
from ..render.own_reports import built_in_reports, own_reports, report_named
from ..render.pdf import browser, print_page
from .arguments import AsOf, as_date, as_instant, as_name
from .call import Call, alone, command
from .lines import line
from .meter import Bar

app = alone()


@command(app)
def run_report(
    call: Call,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="the report, as its notebook is called")
    ],
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=VALUE",
            help="a parameter; may be repeated",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(parser=as_name, metavar="MODEL", help="the model (default: the first)"),
    ] = None,
    day: Annotated[
        date | None,
        typer.Option(parser=as_date, metavar="DAY", help="the day (default: the newest)"),
    ] = None,
    as_of: AsOf = None,
    to: Annotated[
        Literal["html", "pdf"],
        typer.Option("--to", help="a page, or the same as PDF by the browser of this machine"),
    ] = "html",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="where it goes, which 'forget' does not search (default: beside the pages of the "
            "day, as NAME-by-hand)",
        ),
    ] = None,
):
    require_reports()
    program = browser() if to == "pdf" else ""
    if out is not None and out.suffix != f".{to}":
        raise StoreError(f"--out {out} has to end in .{to}, or give --to otherwise.")
    own = own_reports(call.settings)
    beside = *own.wrong, *own.left_out
    report = report_named(name, [*built_in_reports(), *own.reports], beside)
    options = {"model": model, "day": day and str(day), "as_of": as_of and as_of.isoformat()}
    given = {name: text for name, text in options.items() if text is not None}
    values, chosen = values_given(report, _as_dict(pairs), given)
    with TemporaryDirectory(prefix="aiops-wb-") as aside:
        alone = out and Path(aside, out.with_suffix(".html").name)
        with call.reading() as log:
            where = call.settings.data, call.settings
            job = job_by_hand(log, report, values, _asked(chosen), *where, alone)
        bar = Bar(call, "report")
        bar.expect(1)
        limits = call.settings.report_timeout, bar.done, call.settings.report_memory
        (result,) = run_jobs([job], 1, *limits)
        line(f"open {_placed(job.target, out, program)}")
    return 1 if result.state == "failed" else 0


def _as_dict(pairs):
    "Names and values; StoreError for what is no pair, or a name with two values."
    told = {}
    for text in pairs or ():
        name, found, value = text.partition("=")
        if not found or not name.strip():
            raise StoreError(f"-p {text!r} is not NAME=VALUE.")
        if told.setdefault(name.strip(), value) != value:
            raise StoreError(f"{name.strip()} is given twice, as {told[name.strip()]} and {value}.")
    return told


def _asked(chosen):
    "Model, day and time of texts; StoreError where one is none."
    try:
        day, as_of = chosen.get("day"), chosen.get("as_of")
        when = as_date(day) if day else None, as_instant(as_of) if as_of else None
        return Asked(as_name(chosen["model"]) if chosen.get("model") else "", *when)
    except ValueError as error:
        raise StoreError(f"{error}.") from None


def _placed(page, out, program):
    """Where a page that was made lies: as it was asked for, and with what stands beside it; not its
    notebook, which could take the place of the one that was run."""
    if program:
        place = (out or page.with_suffix(".pdf")).absolute()
        print_page(page, place, program)
        return place
    if out is None:
        return page
    for made in sorted(page.parent.iterdir()):
        if made.suffix in (".html", ".csv"):
            write_whole(out.absolute().parent / made.name, made.read_bytes().decode())
    return out.absolute()
