"""Reports: those of the package and one's own; make one, list them, run one by hand."""

import json
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..render.by_hand import KEPT
from ..render.own_reports import (
    Report,
    built_in_reports,
    make_report,
    own_reports,
    reports_folder_of,
)
from ..render.parameters import shown
from .arguments import AsJson
from .call import Call, command, group
from .lines import counted, line, printable
from .output import print_json, show

app = group(
    {"run": ("run_report", "run a report by hand, with parameters of its own, as page or PDF")}
)

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
    "Write a report of your own from a template into reports_folder."
    folder = reports_folder_of(call.settings)
    if folder is None:
        raise StoreError(
            'no folder is named for reports of your own: write reports_folder = "reports-of-ours" '
            "into aiops.toml, or another folder, which is made."
        )
    made = make_report(folder, name, per, title, call.settings.data)
    line(f"{made} is there: open it in JupyterLab, change it, and run it cell by cell")
    call.say(f"'aiops-wb reports run {name}' runs it by hand, the next 'aiops-wb daily' by itself")
    call.say("what it may be told stands in its cell tagged 'parameters'")


@command(app, "list")
def list_reports(call: Call, as_json: AsJson = False):
    "List reports of the package and your own: their parameters, and how they ended last."
    found = own_reports(call.settings)
    ended, why = _ended(call)
    rows = [_row(one, ended.get(one.file)) for one in [*built_in_reports(), *found.reports]]
    beside = [*found.left_out, *found.wrong]
    if as_json:
        print_json({"reports": rows, "no_reports": beside, "not_known": why})
        return
    told = [_in_words(row) for row in rows]
    of_own = counted(len(found.reports), "report") + " of your own"
    show(told, _text, f"{of_own} in {reports_folder_of(call.settings) or 'no folder'}")
    for sentence in (*beside, *([f"how they ended last is not known: {why}"] if why else [])):
        line(printable(sentence))


def _ended(call):
    "How reports ended last, by the names of their steps; or why that is not known."
    try:
        with call.reading() as log:
            runs = log.runs()
    except StoreError as error:
        return {}, str(error)
    last = runs[runs.state != "begun"].drop_duplicates("step", keep="last")
    return {row.step: row for row in last.itertuples()}, ""


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
        "default": _plain(parameter.default),
        "lowest": parameter.lowest,
        "highest": parameter.highest,
        "choices": list(parameter.choices),
        "says": parameter.says,
    }


def _plain(value):
    "A value that JSON knows; others as Python writes them."
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value


def _in_words(row):
    "The same row for people: what a run gives by itself is left out."
    last, asked = row["last"], [p for p in row["parameters"] if p["name"] not in KEPT]
    return {
        "report": row["report"],
        "title": row["title"],
        "of": "your own" if row["own"] else "the package",
        "runs": "for each model" if row["per"] == "model" else "once a day",
        "last": f"{last['state']} on {last['day']}" if last else "no run is known",
        "parameters": ", ".join(map(_in_short, asked)),
    }


def _in_short(told):
    "A parameter as one would give it."
    bounds = "|".join(told["choices"])
    if told["lowest"] is not None or told["highest"] is not None:
        ends = ("" if end is None else shown(end) for end in (told["lowest"], told["highest"]))
        bounds = "..".join(ends)
    return f"{told['name']}={told['default']}{f' ({bounds})' if bounds else ''}"


def _text(row):
    each = "{report}  {title}: of {of}, {runs}, {last}; {parameters}".format_map(row)
    return printable(each.replace("of your own", "your own"))
