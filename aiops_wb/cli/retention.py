"""What is older than some days is removed: rows and what is about them; counts stay."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..log.forgetting import find, is_begun, require_free_of
from ..log.forgotten import Forgotten
from ..render.pages import write_pages
from .arguments import AsJson, Why, as_days
from .call import Call, alone, command
from .forget import DryRun, held, places, removed, tell
from .meter import progress

app = alone()


@command(app)
def retention(
    call: Call,
    days: Annotated[
        int,
        typer.Option(
            parser=as_days, metavar="N", help="how many days stay, up to yesterday, and today"
        ),
    ],
    why: Why = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
):
    now = call.now()
    if not dry_run:
        require_free_of([], why or "")
    with held(call) as log:
        zone = ZoneInfo(log.timezone)
        first = now.astimezone(zone).date() - timedelta(days)
        one = Forgotten("before", until=datetime.combine(first, datetime.min.time(), zone))
        found = find(log, one, places(call), progress(call, "file", in_log=False))
        if dry_run or (log.knows_as_forgotten(one) and not found and not is_begun(log.root)):
            tell(found, None, dry_run, as_json)
            return
        log.add_forgotten(now, [one])
        done = removed(call, log, one, now, why or "")
    if done.pages:
        write_pages(call.settings.reports, ())
    tell(found, done, False, as_json)
