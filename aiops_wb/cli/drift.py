"""Alarms about drift."""

from ..log.drift_events import alarm_rows
from .arguments import AsJson, DaysBack, Models
from .call import Call, command, group
from .lines import counted, printable
from .output import show

app = group(
    {"explain": ("explain", "tell a model's newest days from those of its training, by features")}
)


@command(app, "list")
def list_alarms(call: Call, models: Models = None, days: DaysBack = 30, as_json: AsJson = False):
    "List alarms about drift: opened, graver than before, closed."
    with call.reading() as log:
        parts = [log.drift_events(log.require_model(m)) for m in models or log.models()]
    recent = alarm_rows(parts, days)
    show(recent, _text, _still_open(parts), as_json)


def _text(row):
    return (
        f"{row['event_id']}  {row['event_date']:%Y-%m-%d}  {row['state']:6}  "
        f"{printable(row['title'])}. {printable(row['text'])}"
        + (" (muted)" if row["muted"] else "")
    )


def _still_open(parts):
    if not any(map(len, parts)):
        return (
            "no alarm was raised yet by a daily run "
            "(days that are filled in after later ones raise none)"
        )
    last = [part.groupby("event_id").tail(1) for part in parts if len(part)]
    still = sum(int((part.state != "closed").sum()) for part in last)
    return f"{counted(still, 'alarm')} {'is' if still == 1 else 'are'} open"
