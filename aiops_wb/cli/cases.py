"""Cases: opened from new decisions and handed on, or listed."""

from datetime import timedelta

from ..daily import hand_on
from .arguments import AsJson, DaysBack
from .call import Call, command, group
from .lines import counted, printable
from .output import as_rows, show

app = group()
LISTED = ("case_id", "predicted_at", "model", "state", "title", "assignee")


@command(app, "send")
def send(call: Call):
    "Take the spool in, open cases from new decisions and hand them on."
    settings = call.settings
    taken = hand_on(settings.data, call.now(), settings, call.who, call.say)
    return 0 if taken else 3


@command(app, "list")
def list_cases(call: Call, days: DaysBack = 7, as_json: AsJson = False):
    "List the cases of the last days."
    with call.reading() as log:
        known = log.cases()
    if len(known):
        first = known.event_date.max() - timedelta(days)
        recent = known[(known.state != "joined") & (known.event_date > first)]
    else:
        recent = known
    total = counted(len(recent), "case") if len(known) else "no case was opened yet"
    show(as_rows(recent, LISTED), _text, total, as_json)


def _text(row):
    assignee = printable(row["assignee"]) if row["assignee"] else "unassigned"
    late = ", too old to be sent" if row["state"] == "late" else ""
    return (
        f"{row['case_id']}  {row['predicted_at']:%Y-%m-%d %H:%M}Z  {printable(row['title'])}  "
        f"-> {assignee}{late}"
    )
