"""Reports: those of the package and one's own; make one, list them, run one by hand."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..render.by_hand import Asked, job_by_hand, values_given
from ..render.engine import require_reports, run_jobs
from ..render.frame import write_whole
from ..render.own_reports import (
    Report,
    built_in_reports,
    make_report,
    own_reports,
    report_named,
    reports_folder_of,
)
from ..render.pdf import browser, print_page
from .arguments import AsJson, AsOf, as_date, as_instant, as_name
from .call import Call, command, group
from .lines import counted, line, printable
from .meter import Bar
from .output import print_json, show

app = group()

Name = Annotated[str, typer.Argument(metavar="NAME", help="the report, as its notebook is called")]


@command(app, "new")
def new_report(
    call: Call,
    name: Name,
    per: Annotated[
        Literal["model", "day"],
        typer.Option("--per", help="whether it runs for each model, or once a day"),
    ] = "model",
    title: Annotated[
        str, typer.Option(metavar="TEXT", help="what people read (default: the name)")
    ] = "",
):
    "Write a report of your own from a template, to be changed in JupyterLab."
    folder = reports_folder_of(call.settings)
    if folder is None:
        raise StoreError(
            'no folder is named for reports of your own: write reports_folder = "reports-of-ours" '
            "into aiops.toml, or another folder, which is made."
        )
    made = make_report(folder, name, per, title, call.settings.data)
    line(f"{made} is there: open it in JupyterLab, change it, and run it cell by cell")
    line(f"'aiops-wb reports run {name}' runs it as the night does; the next 'aiops-wb daily' will")
    line("its cell tagged 'parameters' says what it may be told: 'aiops-wb reports list' reads it")


@command(app, "list")
def list_reports(call: Call, as_json: AsJson = False):
    "List reports of the package and your own: their parameters, and how they ended last."
    found = own_reports(call.settings)
    ended = _ended(call)
    rows = [_row(one, ended.get(one.file)) for one in [*built_in_reports(), *found.reports]]
    beside = [*found.left_out, *found.wrong]
    if as_json:
        print_json({"reports": rows, "no_reports": beside})
        return
    shown = [{k: v for k, v in row.items() if k != "notebook"} for row in rows]
    shown = [row | {"parameters": ", ".join(map(_in_short, row["parameters"]))} for row in shown]
    of_own = counted(len(found.reports), "report") + " of your own"
    show(shown, _text, f"{of_own} in {reports_folder_of(call.settings) or 'no folder'}")
    for sentence in beside:
        line(sentence)


def _ended(call):
    "How reports ended last, by the names of their steps; empty where no log can be read."
    try:
        with call.reading() as log:
            runs = log.runs()
    except StoreError:
        return {}
    last = runs[runs.state != "begun"].drop_duplicates("step", keep="last")
    return {row.step: row for row in last.itertuples()}


def _row(report: Report, run):
    "A report in a list."
    ended = run and {"state": run.state, "day": run.event_date.date(), "at": run.started_at}
    return {
        "report": report.name,
        "title": report.title,
        "per": report.per,
        "own": report.own,
        "last": ended,
        "parameters": [_told(one) for one in report.parameters],
        "notebook": str(report.notebook),
    }


def _told(parameter):
    return {
        "name": parameter.name,
        "type": parameter.kind or "any",
        "default": parameter.default,
        "lowest": parameter.lowest,
        "highest": parameter.highest,
        "choices": list(parameter.choices),
        "says": parameter.says,
    }


def _in_short(told):
    "A parameter as one would give it."
    bounds = "|".join(told["choices"])
    if told["lowest"] is not None or told["highest"] is not None:
        ends = ("" if end is None else f"{end:g}" for end in (told["lowest"], told["highest"]))
        bounds = "..".join(ends)
    return f"{told['name']}={told['default']}{f' ({bounds})' if bounds else ''}"


def _text(row):
    own = "your own" if row["own"] else "of the package"
    last = row["last"]
    ran = f"{last['state']} on {last['day']}" if last else "not run yet"
    told = row["parameters"]
    each = f"{row['report']}  {row['title']}: {own}, once a {row['per']}, {ran}; {told}"
    return printable(each)


@command(app, "run")
def run_report(
    call: Call,
    name: Name,
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
    "Run a report by hand, of the package or your own, with parameters of its own."
    require_reports()
    program = browser() if to == "pdf" else ""
    if out is not None and out.suffix != f".{to}":
        raise StoreError(f"--out {out} has to end in .{to}, or give --to otherwise.")
    report = report_named(name, [*built_in_reports(), *own_reports(call.settings).reports])
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
            write_whole(out.absolute().parent / made.name, made.read_text(encoding="utf-8"))
    return out.absolute()
