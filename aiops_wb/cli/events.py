"""Events to other systems: what happened, whom it waits for; send it now."""

from datetime import timedelta

from ..log.errors import StoreError
from ..log.happened import SoFar
from ..log.outbox import Outbox
from ..streams.happened import cloud_event, source_of
from ..streams.outgoing import begin_events, owed, receivers, send_events
from .arguments import AsJson, DaysBack
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group()


@command(app, "list")
def list_events(call: Call, days: DaysBack = 7, as_json: AsJson = False):
    "List what happened in the last days as other systems are told, and for whom it waits."
    settings = call.settings
    to = receivers(settings.events_to)
    with call.reading() as log:
        source = source_of(log, settings) or ""
        every = log.happened(SoFar())
        found = owed(log, Outbox(settings.data).attempts(), to, log.so_far()) if to else []
    waits = {}
    for one in found:
        for of in one.waiting:
            waits.setdefault(of.id, []).append(str(one.to.place))
    if every:
        every = [of for of in every if of.at > every[-1].at - timedelta(days)]
    rows = [
        cloud_event(of, source).as_object() | {"waits_for": waits.get(of.id, [])} for of in every
    ]
    total = f"{counted(len(rows), 'event')} in {counted(days, 'day')}"
    for one in found:
        if one.waiting:
            n = len(one.waiting)
            total += f"; {n:,} {'waits' if n == 1 else 'wait'} for {one.to.place}"
    if not to:
        total += "; events_to names nobody who hears of them"
    show(rows, _text, total if rows else "nothing happened yet", as_json)


def _text(row):
    waits = f", waits for {', '.join(row['waits_for'])}" if row["waits_for"] else ""
    return printable(f"{row['time'][:16]}Z  {row['type']}  {row['subject']}{waits}")


@command(app, "send")
def send(call: Call):
    "Send what waits to every place of events_to, also to those that failed a short while ago."
    settings = call.settings
    if not settings.events_to:
        raise StoreError(
            "nobody hears of events: name a place in events_to, such as "
            "['redis://host:6379/0?stream=aiops'] or ['file:events.jsonl']."
        )
    _begin(call)
    problems = send_events(settings.data, settings, call.now(), call.say, resting=False)
    for problem in problems:
        line(printable(problem))
    return 3 if problems else 0


def _begin(call):
    "The log has a name, and what a stopped process committed is published."
    call.publish_the_rest()
    with call.reading() as log:
        begun = source_of(log, call.settings)
    if not begun:
        with call.writing() as log:
            begin_events(log, call.settings, call.now())
