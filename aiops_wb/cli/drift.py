"""Alarms about drift."""

from ..log.base import as_rows
from ..log.drift_events import alarm_rows
from .arguments import AsJson, DaysBack, Models
from .call import Call, command, group
from .handling import handled_words
from .lines import counted, printable
from .output import show

app = group(
    {
        "explain": (
            "explain",
            "tell a model's newest days from those of its training, by features",
        ),
        "acknowledge": ("acknowledge", "say that somebody looks after alarms, or mute them"),
        "attribution": (
            "attribution",
            "tell which features push a model's scores otherwise than on its reference days",
        ),
    }
)
HANDLED = ("handled", "by", "at", "why", "muted_until")


@command(app, "list")
def list_alarms(call: Call, models: Models = None, days: DaysBack = 30, as_json: AsJson = False):
    "List alarms about drift: opened, graver than before, closed; who looks after them."
    with call.reading() as log:
        parts = [log.drift_events(log.require_model(m)) for m in models or log.models()]
        handled = log.handled_alarms().set_index("event_id").rename(columns={"state": "handled"})
    handled = dict(zip(handled.index, as_rows(handled, HANDLED)))
    recent = [row | handled[row["event_id"]] for row in alarm_rows(parts, days)]
    today = call.now().date()
    show(recent, lambda row: _text(row, today), _still_open(parts), as_json)


def _text(row, today):
    return (
        f"{row['event_id']}  {row['event_date']:%Y-%m-%d}  {row['state']:6}  "
        f"{printable(row['title'])}. {printable(row['text'])}"
        + (" (muted)" if row["muted"] else "")
        + _handled(row, today)
    )


def _handled(row, today):
    "Who looks after an alarm, where somebody does, or muted it."
    if not row["by"] and (row["muted_until"] or today) <= today:
        return ""
    return f" [{handled_words(row | {'state': row['handled']}, today)}]"


def _still_open(parts):
    if not any(map(len, parts)):
        return (
            "no alarm was raised yet by a daily run "
            "(days that are filled in after later ones raise none)"
        )
    last = [part.groupby("event_id").tail(1) for part in parts if len(part)]
    still = sum(int((part.state != "closed").sum()) for part in last)
    return f"{counted(still, 'alarm')} {'is' if still == 1 else 'are'} open"
