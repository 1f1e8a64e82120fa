"""What people do with cases and alarms: the words of it, and the arguments."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..log.store import Store
from .arguments import as_date
from .call import Call, already
from .lines import line, printable

__all__ = ["Ids", "MuteUntil", "acknowledged", "handled_words"]

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="the ids, as the list shows them")]
MuteUntil = Annotated[
    date | None,
    typer.Option(
        parser=as_date,
        metavar="DAY",
        help="send no message of them before this day; that of today ends a mute",
        show_default=False,
    ),
]


def acknowledged(log: Store, call: Call, ids: Sequence[str], why: str, until: date | None) -> None:
    "Acknowledge some cases or alarms, mute them where a day is named, and say so."
    now, who, ids = call.now(), call.who, list(dict.fromkeys(ids))
    today = now.astimezone(ZoneInfo(log.timezone)).date()
    rows = log.audit_head()[0]
    with log.transaction():
        log.acknowledge(now, who, ids, why)
        if until is not None:
            log.mute(now, who, ids, until, today, why)
    muted = f", no message before {until}" if until and until > today else ""
    for one in ids:
        line(printable(f"{one} is acknowledged{muted}{already(log, rows)}"))


def handled_words(row: Mapping[str, object], today: date) -> str:
    "The state of a case or an alarm, who said so and why, and until when it is muted on a day."
    said = str(row["state"])
    if row["by"]:
        again = "graver since it was looked at, " if said == "open" else ""
        said += f" as {row['outcome']}" if row.get("outcome") else ""
        said = f"{again}{said} by {row['by']} {row['at']:%Y-%m-%d}: {row['why']}"
        said = said.replace("open by", "last by") if again else said
    if row["muted_until"] and row["muted_until"] > today:
        said += f" (muted until {row['muted_until']})"
    return printable(said)
