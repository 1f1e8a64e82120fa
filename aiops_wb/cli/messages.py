"""Messages to people: what one would say, what was sent, and whether addresses work."""

from datetime import date, timedelta
from typing import Annotated

import typer

from ..log.errors import StoreError
from ..render.message import changed, failures, written
from ..render.pages import manifests
from ..render.telling import HEARTBEAT, known_attempts
from ..watch.heartbeat import beat
from ..watch.messages import INTRODUCED, Message, recipients, send
from .arguments import AsJson, DaysBack, as_date
from .call import Call, command, group
from .lines import counted, line, lines, printable
from .output import print_json, show

app = group()


@command(app, "show")
def show_message(
    call: Call,
    date_: Annotated[
        date | None,
        typer.Option(
            "--date", parser=as_date, metavar="DAY", help="the day (default: the newest with pages)"
        ),
    ] = None,
    as_json: AsJson = False,
):
    "Show what a message about a day's pages says; nothing is sent."
    by_day = manifests(call.settings.reports)
    if not by_day:
        raise StoreError(
            f"there are no pages in {call.settings.reports}: 'aiops-wb daily' makes them."
        )
    day = str(date_ or next(iter(by_day)))
    if day not in by_day:
        raise StoreError(f"there are no pages of {day}: the newest are of {next(iter(by_day))}.")
    until = {known: told for known, told in by_day.items() if known <= day}
    every = [*failures(until[day]), *changed(until, day)]
    items = [item for item in every if item.kind in call.settings.message_on]
    message = written(until, items, call.settings) if items else None
    none = (
        "nothing that message_on asks for happened"
        if every
        else "nothing changed and nothing failed"
    )
    if as_json:
        print_json({"day": day, "message": message and message._asdict()})
    elif message is None:
        line(f"{day}: {none}, so nothing is sent")
    else:
        line(message.title)
        line()
        lines(message.body)


@command(app, "list")
def list_messages(call: Call, days: DaysBack = 7, as_json: AsJson = False):
    "List what was sent to the addresses of messages and of the heartbeat, and what was not taken."
    settings = call.settings
    sinks = {one.name: str(one.address) for one in recipients(settings.messages)}
    sinks |= {HEARTBEAT: f"{HEARTBEAT} {settings.heartbeat_url or ''}".strip()}
    sent = known_attempts(settings.data, list(sinks))
    sent = sent[sent.state != INTRODUCED]
    if len(sent):
        sent = sent[sent.attempted_at > sent.attempted_at.max() - timedelta(days)]
    rows = [
        {
            "at": at,
            "to": sinks[sink],
            "state": of.state.iloc[0],
            "things": len(of),
            "why": of.detail.iloc[0],
        }
        for (at, sink), of in sent.groupby(["attempted_at", "sink"], sort=True)
    ]
    refused = sum(row["state"] == "failed" for row in rows)
    total = counted(len(rows), "time") + f" in {counted(days, 'day')}, {refused} not taken"
    show(rows, _text, total if rows else "nothing was sent", as_json)


def _text(row):
    what = "" if row["to"].startswith(HEARTBEAT) else f", {counted(row['things'], 'thing')} told"
    why = f": {printable(row['why'])}" if row["why"] else what
    return f"{row['at']:%Y-%m-%d %H:%M}Z  {row['to']}  {row['state']}{why}"


TEST = Message(
    "aiops_wb: a test",
    "This address is told what changed or failed in a morning. This is a test: nothing did.",
)


@command(app, "test")
def send_test(
    call: Call,
    heartbeat: Annotated[
        bool,
        typer.Option("--heartbeat", help="give a sign of life to heartbeat_url, too"),
    ] = False,
    as_json: AsJson = False,
):
    "Send a test to each address of messages, and say whether it was taken."
    settings = call.settings
    to = settings.messages
    if heartbeat and not settings.heartbeat_url:
        raise StoreError("no address is set in heartbeat_url.")
    if not to and not heartbeat:
        raise StoreError(
            "no address is set: name one in messages, such as "
            '["mailto://user:password@mail.example.org?to=ops@example.org"].'
        )
    told = [(one.of_apprise, TEST) for one in recipients(to)]
    sent = send(told, settings.message_timeout) if to else ()
    rows = [{"to": str(to[place]), "problem": problem} for place, problem in sent]
    if heartbeat:
        problem = beat(settings.heartbeat_url, settings.heartbeat_timeout)
        rows.append({"to": f"{HEARTBEAT} {settings.heartbeat_url}", "problem": problem})
    failed = sum(row["problem"] is not None for row in rows)
    show(rows, _tested, f"{len(rows) - failed} of {len(rows)} taken", as_json)
    return 3 if failed else 0


def _tested(row):
    return f"{row['to']}: {printable(row['problem'] or 'taken')}"
