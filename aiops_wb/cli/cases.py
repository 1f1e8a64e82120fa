"""Cases: opened from new decisions and handed on, listed, looked after."""

from typing import Annotated, Literal

import typer

from ..daily import hand_on
from ..log.base import as_rows
from ..log.cases import recent_days
from ..log.handled import OPEN
from ..render.table import as_csv
from ..watch.case_book import FLAT, age, case_book, flat, matching
from .arguments import AsJson, DaysBack, Models
from .call import Call, command, group
from .handling import handled_words
from .lines import counted, lines, printable
from .output import print_json, show

app = group(
    {
        "show": ("show_case", "tell one case in full, with what people did and what is like it"),
        "acknowledge": ("acknowledge", "say that somebody looks after cases, or mute them"),
        "assign": ("assign", "give cases to somebody"),
        "comment": ("comment", "say something of cases, which stay as they are"),
        "close": ("close", "say that cases are done with, and how they ended"),
    }
)
LISTED = ("case_id", "predicted_at", "model", "state", "level", "title", "assignee", "by", "at")
LISTED += ("why", "muted_until", "late", "opened_at")

State = Annotated[
    Literal["open", "acknowledged", "closed", "muted"] | None,
    typer.Option(help="only those that are so", show_default=False),
]
Site = Annotated[
    str | None, typer.Option(metavar="SITE", help="only at this site", show_default=False)
]
Entity = Annotated[
    str | None, typer.Option(metavar="ID", help="only about this entity", show_default=False)
]
Assignee = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="only this person's; an empty one: nobody's", show_default=False
    ),
]


@command(app, "send")
def send(call: Call):
    "Take the spool in, open cases from new decisions and hand them on."
    settings = call.settings
    taken = hand_on(settings.data, call.now(), settings, call.who, call.say)
    return 0 if taken else 3


@command(app, "list")
def list_cases(
    call: Call,
    days: DaysBack = 7,
    state: State = None,
    models: Models = None,
    site: Site = None,
    assignee: Assignee = None,
    entity: Entity = None,
    as_csv_: Annotated[
        bool, typer.Option("--csv", help="print CSV: every field, safe for spreadsheets")
    ] = False,
    as_json: AsJson = False,
):
    "List the cases of the last days: their state, who looks after them, how old they are."
    if as_csv_ and as_json:
        raise typer.BadParameter("choose one of --csv and --json.")
    now = call.now()
    asked = {"state": state, "site": site, "assignee": assignee, "entity": entity}
    with call.reading() as log:
        wanted = [log.require_model(one) for one in models or ()]
        known = log.handled_cases()
        some = known[known.model.isin(wanted)] if wanted else known
        recent = matching(recent_days(some, days), now.date(), **asked)
        book = _whole(log, recent) if as_csv_ or as_json else recent
    if as_csv_:
        lines(as_csv(flat(book)).replace("\r\n", "\n").removesuffix("\n"))
        return
    ages = [age(at, now) for at in book.predicted_at]
    if as_json:
        rows = as_rows(book, [*FLAT, "sent", "alike"])
        print_json([_as_document(row) | {"age": old} for row, old in zip(rows, ages)])
        return
    total = counted(len(recent), "case") if len(known) else "no case was opened yet"
    if len(known) and not state:
        total += f", {int((recent.state == OPEN).sum())} open"
    rows = [row | {"age": old} for row, old in zip(as_rows(recent, LISTED), ages)]
    show(rows, lambda row: _text(row, now.date()), total)


def _whole(log, recent):
    "Some cases with all that is known of them, in their order."
    if recent.empty:
        return recent.assign(label=[], sent=[], alike=[])
    first = recent.event_date.min().date()
    return case_book(log, first, ids=list(recent.case_id))[::-1]


def _as_document(row):
    "A row of cases with its deliveries and those like it as objects."
    return row | {name: [one._asdict() for one in row[name]] for name in ("sent", "alike")}


def _text(row, today):
    assignee = printable(row["assignee"]) if row["assignee"] else "unassigned"
    late = ", too old to be sent" if row["late"] else ""
    return (
        f"{row['case_id']}  {row['predicted_at']:%Y-%m-%d %H:%M}Z  {printable(row['title'])}  "
        f"-> {assignee}, {row['age']} old, {handled_words(row, today)}{late}"
    )
