"""The audit trail and its chain."""

from .arguments import AsJson
from .call import Call, command, group
from .lines import counted, line
from .output import as_rows, show

app = group()
LISTED = ("seq", "changed_at", "who", "what", "subject", "old", "new", "why")


@command(app, "list")
def list_changes(call: Call, as_json: AsJson = False):
    "List the audit trail and verify its chain."
    with call.reading() as log:
        show(as_rows(log.audit(), LISTED), _text, as_json=as_json)
        verified = log.verify_audit()
    if not as_json:
        line(f"{counted(verified, 'row')}, chain intact")


def _text(row):
    return (
        f"{row['seq']:5} {row['changed_at']:%Y-%m-%d %H:%M}Z {row['who']}: {row['what']} of "
        f"{row['subject']}: {row['old'] or '-'} -> {row['new'] or '-'} ({row['why']})"
    )
