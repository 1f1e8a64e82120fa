"""Acts: changes that were handed in for the one writer, and what came of each."""

from datetime import timedelta

from ..log.acts import waiting
from ..log.ingest import set_aside_acts
from ..log.taken_acts import FAILED
from ..watch.acts import take_in_acts, told_of
from .arguments import AsJson, DaysBack
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group()


@command(app, "list")
def list_acts(call: Call, days: DaysBack = 30, as_json: AsJson = False):
    "List what was handed in: what waits, and what came of the rest."
    wait = [_row(act, "waiting", "the next writer takes it in") for act in _waiting(call)]
    with call.reading() as log:
        taken = log.acts()
    known = {one.id for one in taken}
    wait = [row for row in wait if row["id"] not in known]
    newest = max((one.taken_in_at for one in taken), default=None)
    recent = [t for t in taken if t.taken_in_at > newest - timedelta(days)]
    told = [_row(t.act, t.state, t.says, t) for t in recent]
    total = f"{counted(len(wait), 'act')} {'waits' if len(wait) == 1 else 'wait'}"
    show([*told, *wait], _text, total, as_json)


def _waiting(call):
    return waiting(call.settings.spool_of(call.settings.data), call.settings.data)


def _row(act, state, says, taken=None):
    return {
        "id": act.id,
        "handed_in_at": act.at,
        "who": act.who,
        "kind": act.kind,
        "state": state,
        "says": says,
        "model": taken.model if taken else act.what.get("model"),
        "taken_in_at": taken and taken.taken_in_at,
        "proposal": taken.proposal if taken else act.what.get("proposal"),
        "audit_seq": taken and taken.audit_seq,
        "what": dict(act.what),
    }


def _text(row):
    said = printable(f"{row['who']}: {row['kind']}, {row['state']}: {row['says']}")
    return f"{row['id']}  {row['handed_in_at']:%Y-%m-%d %H:%M}Z  {said}"


@command(app, "take")
def take(call: Call):
    "Take in what was handed in, and nothing else of the spool."
    with call.writing() as log:
        aside = set_aside_acts(log, call.now(), call.who, log.spool)
        taken = take_in_acts(log, call.now(), call.settings)
    for told in told_of(taken):
        line(printable(told))
    for reason in (*aside.refused, *aside.passed_over):
        line(printable(reason))
    line(f"{counted(len(taken), 'act')} taken in")
    failed = any(one.state == FAILED for one in taken)
    return 1 if failed or aside.refused or aside.passed_over else 0
