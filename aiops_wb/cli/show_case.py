"""One case in full: why it was opened, whose it is, what people did, and what is like it."""

from typing import Annotated

import typer

from ..log.errors import StoreError
from ..watch.case_book import Alike, Sent, age, ended, one_case
from .arguments import AsJson
from .call import Call, alone, command
from .handling import handled_words
from .lines import line, printable
from .output import print_json

app = alone()


@command(app)
def show(
    call: Call,
    case: Annotated[str, typer.Argument(metavar="ID", help="the id, as the list shows it")],
    as_json: AsJson = False,
):
    now = call.now()
    with call.reading() as log:
        row = one_case(log, case)
    if row is None:
        raise StoreError(f"there is no case {case!r}: 'aiops-wb cases list' shows their ids.")
    if as_json:
        print_json(row | {"age": age(row["predicted_at"], now)})
    else:
        _say(row, now)


def _say(row, now):
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
    for one in row["sent"]:
        line(f"  {Sent(**one)}")
    if not row["sent"]:
        line("  it was handed to no receiver")
    for done in row["history"]:
        line(printable(f"  {done['at']:%Y-%m-%d %H:%M}Z  {_done(done)}"))
    for one in (Alike(**told) for told in row["alike"]):
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
