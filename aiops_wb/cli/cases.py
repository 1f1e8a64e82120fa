"""Cases: opened from new decisions and handed on, or listed."""

from ..daily import hand_on
from ..log.base import as_rows
from ..log.cases import CASE_COLUMNS
from .arguments import AsJson, DaysBack
from .call import Call, command, group
from .lines import counted, printable
from .output import show

app = group()


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
        recent = log.recent_cases(days)
    rows = [] if recent is None else as_rows(recent, CASE_COLUMNS)
    total = "no case was opened yet" if recent is None else counted(len(rows), "case")
    show(rows, _text, total, as_json)


def _text(row):
    assignee = printable(row["assignee"]) if row["assignee"] else "unassigned"
    late = ", too old to be sent" if row["state"] == "late" else ""
    return (
        f"{row['case_id']}  {row['predicted_at']:%Y-%m-%d %H:%M}Z  {printable(row['title'])}  "
        f"-> {assignee}{late}"
    )
