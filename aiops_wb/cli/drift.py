"""Alarms about drift."""

from datetime import timedelta

from ..stats.drift import ALARM_SEVERITIES
from .arguments import AsJson, DaysBack, Models
from .call import Call, command, group
from .handling import handled_words
from .lines import counted, printable
from .output import as_rows, show

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
LISTED = ("event_id", "event_date", "model", "state", "title", "text", "muted")
HANDLED = ("handled", "by", "at", "why", "muted_until")


@command(app, "list")
def list_alarms(call: Call, models: Models = None, days: DaysBack = 30, as_json: AsJson = False):
    "List alarms about drift: opened, graver than before, closed; who looks after them."
    with call.reading() as log:
        parts = [log.drift_events(log.require_model(m)) for m in models or log.models()]
        handled = log.handled_alarms().set_index("event_id").rename(columns={"state": "handled"})
    handled = dict(zip(handled.index, as_rows(handled, HANDLED)))
    told = [r | handled[r["event_id"]] for p in parts for r in as_rows(_told(p), LISTED)]
    newest = max((row["event_date"] for row in told), default=None)
    recent = [row for row in told if row["event_date"] > newest - timedelta(days)]
    recent.sort(key=lambda row: (row["event_date"], row["event_id"]))
    today = call.now().date()
    show(recent, lambda row: _text(row, today), _still_open(parts), as_json)


def _told(events):
    "Alarms as they open, close and become graver: what goes on as before is not told again."
    order = {severity: place for place, severity in enumerate(ALARM_SEVERITIES)}
    rank = events.severity.map(order).fillna(0)
    before = rank.groupby(events.event_id).cummax().groupby(events.event_id).shift()
    graver = (events.state == "ongoing") & (rank > before)
    events = events.assign(state=events.state.mask(graver, "graver"))
    return events[events.state != "ongoing"]


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
