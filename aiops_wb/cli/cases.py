"""Cases: opened from new decisions and handed on, listed, looked after."""

from datetime import datetime
from typing import Annotated, Literal

import typer

from ..daily import hand_on
from ..log.base import as_rows
from ..log.cases import recent_days
from ..log.handled import OPEN
from .arguments import AsJson, DaysBack
from .call import Call, command, group
from .handling import handled_words
from .lines import counted, printable
from .output import show

app = group(
    {
        "acknowledge": ("acknowledge", "say that somebody looks after cases, or mute them"),
        "close": ("close", "say that cases are done with"),
    }
)
LISTED = ("case_id", "predicted_at", "model", "state", "level", "title", "assignee", "by", "at")
LISTED += ("why", "muted_until", "late", "opened_at")

State = Annotated[
    Literal["open", "acknowledged", "closed"] | None,
    typer.Option(help="only those that are so", show_default=False),
]


@command(app, "send")
def send(call: Call):
    "Take the spool in, open cases from new decisions and hand them on."
    settings = call.settings
    taken = hand_on(settings.data, call.now(), settings, call.who, call.say)
    return 0 if taken else 3


@command(app, "list")
def list_cases(call: Call, days: DaysBack = 7, state: State = None, as_json: AsJson = False):
    "List the cases of the last days: their state, who looks after them, how old they are."
    with call.reading() as log:
        known = log.handled_cases()
    recent = recent_days(known, days)
    if state:
        recent = recent[recent.state == state]
    total = counted(len(recent), "case") if len(known) else "no case was opened yet"
    if len(known) and not state:
        total += f", {int((recent.state == OPEN).sum())} open"
    now = call.now()
    rows = [row | {"age": _age(row["predicted_at"], now)} for row in as_rows(recent, LISTED)]
    show(rows, lambda row: _text(row, now.date()), total, as_json)


def _age(since: datetime, now: datetime) -> str:
    "How long ago something was, in days, or hours of the first day."
    hours = max(0, int((now - since).total_seconds() // 3600))
    return f"{hours // 24} d" if hours >= 24 else f"{hours} h"


def _text(row, today):
    assignee = printable(row["assignee"]) if row["assignee"] else "unassigned"
    late = ", too old to be sent" if row["late"] else ""
    return (
        f"{row['case_id']}  {row['predicted_at']:%Y-%m-%d %H:%M}Z  {printable(row['title'])}  "
        f"-> {assignee}, {row['age']} old, {handled_words(row, today)}{late}"
    )
