"""One case in full: why it was opened, whose it is, what people did, and what is like it."""

from typing import Annotated

import typer

from ..log.base import as_rows
from ..log.errors import StoreError
from ..watch.case_book import FLAT, age, case_book, ended
from .arguments import AsJson
from .call import Call, alone, command
from .handling import handled_words
from .lines import line, printable
from .output import print_json

app = alone()
DONE = ("at", "who", "what", "old", "new", "why", "outcome")


@command(app)
def show(
    call: Call,
    case: Annotated[str, typer.Argument(metavar="ID", help="the id, as the list shows it")],
    as_json: AsJson = False,
):
    now = call.now()
    with call.reading() as log:
        known = log.handled_cases(ids=[case])
        if known.empty:
            raise StoreError(f"there is no case {case!r}: 'aiops-wb cases list' shows their ids.")
        book = case_book(log, known.event_date.min().date(), ids=[case])
        history = as_rows(log.case_history(case), DONE)
    (row,) = as_rows(book, [*FLAT, "sent", "alike"])
    if as_json:
        told = {name: [one._asdict() for one in row[name]] for name in ("sent", "alike")}
        print_json(row | told | {"age": age(row["predicted_at"], now), "history": history})
        return
    _say(row, history, now)


def _say(row, history, now):
    old, label = age(row["predicted_at"], now), row["label"]
    truth = "not known yet" if label is None else "positive" if label == 1 else "negative"
    line(f"{row['case_id']}  {row['title']}, {row['level']}, {old} old; its label is {truth}")
    for told in row["text"].split("\n"):
        line(f"  {told}")
    whose = row["assignee"] or "nobody"
    by = f" (given by {row['assigned_by']})" if row["assigned_by"] else ""
    line(f"  it is {whose}'s{by}, and {handled_words(row, now.date())}")
    if row["comment"]:
        line(f"  {row['comment_by']} said: {row['comment']}")
    for one in row["sent"] or ["it was handed to nobody"]:
        line(f"  {one}")
    for done in history:
        line(printable(f"  {done['at']:%Y-%m-%d %H:%M}Z  {_done(done)}"))
    for one in row["alike"]:
        of = "same entity" if one.of == "entity" else "same site and first reason"
        line(f"  like it: {one.case_id} of {one.at:%Y-%m-%d}, {of}: {ended(one)}")


def _done(done):
    "A row of the trail about a case, in words."
    act = {
        "case": f"{done['new']}{' as ' + done['outcome'] if done['outcome'] else ''}",
        "case mute": f"muted {done['new']}",
        "case assignee": f"given to {done['new']}",
        "case comment": "commented on",
    }[done["what"]]
    return f"{act} by {done['who']}: {done['why']}"
