"""Day files that are many and small become few: the same rows, the same answers."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..log.anchor_command import anchor_trail
from ..log.compaction import Compacted, Plan, plan
from ..log.compaction import compact as merge
from ..log.retired import OPEN_DAYS, Retired
from .arguments import AsJson, as_date, as_days, as_name
from .call import Call, alone, command
from .lines import counted, line, printable
from .meter import progress
from .output import print_json

app = alone()
DAYS = 28
LISTED = 20


@command(app)
def compact(
    call: Call,
    older_than: Annotated[
        int | None,
        typer.Option(
            parser=as_days,
            metavar="DAYS",
            help=f"days that are older than so many (default: {DAYS}): the labels of most have "
            "come by then",
            show_default=False,
        ),
    ] = None,
    before: Annotated[
        date | None,
        typer.Option(
            parser=as_date, metavar="DAY", help="days before this one", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="MODEL",
            help="only its predictions; files of labels are of all models, and stay as they are",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be merged; nothing is changed")
    ] = False,
    as_json: AsJson = False,
):
    if older_than is not None and before is not None:
        raise typer.BadParameter("name one: --older-than DAYS or --before DAY.")
    now = call.now()

    def asked(log):
        today = now.astimezone(ZoneInfo(log.timezone)).date()
        return plan(log, before or today - timedelta(older_than or DAYS), model)

    if dry_run:
        with call.reading() as log:
            _tell(asked(log), Compacted(), [], [], True, as_json)
        return 0
    with call.opened() as log:
        removed = log.remove_retired(now)
        what = asked(log)
        done = Compacted(left=what.left)
        if what.packs:
            shown = progress(call, "file", in_log=not as_json)
            done = merge(log, now, call.who, what, call.settings.snapshots_kept, shown)
            anchor_trail(log, call.settings, now)
        elif log.unpublished:  # of a run that was stopped, or what was learned of new files
            log.publish(call.settings.snapshots_kept)
        _tell(what, done, log.waiting_files(), removed, False, as_json)
        return 1 if log.damage() else 0


def _tell(
    what: Plan,
    done: Compacted,
    waiting: list[Retired],
    removed: list[Retired],
    dry_run: bool,
    as_json: bool,
) -> None:
    "Say what was merged, or would be, what is left as it is, and what waits for readers."
    if as_json:
        print_json(_document(what, done, waiting, removed, dry_run))
        return
    days = len({file.day for file in what.files})
    if not what.packs:
        line(f"nothing to do: no day before {what.before} has several files that could be one")
    elif dry_run:
        size = sum(pack.bytes for pack in what.packs) / 1e6
        line(
            f"would be merged: {len(what.files):,} files of {counted(days, 'day')} into "
            f"{len(what.packs):,}, {size:,.1f} MB"
        )
    elif done.files:
        line(done)
    left = what.left if dry_run else done.left
    for said in left[:LISTED]:
        line(printable(said))
    if len(left) > LISTED:
        line(f"and {len(left) - LISTED:,} more: --json lists all")
    if removed:
        line(f"{_size(removed)} of files that were merged before, and that nobody reads, are gone")
    if waiting:
        first = min(datetime.fromisoformat(file.at) for file in waiting) + timedelta(OPEN_DAYS)
        line(
            f"{_size(waiting)} of old files wait for whoever has an older snapshot open: from "
            f"{first.astimezone(UTC):%Y-%m-%d} on a morning, or this command, removes what no "
            "published snapshot names"
        )


def _size(files):
    return f"{sum(file.bytes for file in files) / 1e6:,.1f} MB"


def _document(what, done, waiting, removed, dry_run):
    planned = {
        "days": len({file.day for file in what.files}),
        "files": len(what.files),
        "into": len(what.packs),
        "rows": sum(file.rows for file in what.files),
        "bytes": sum(pack.bytes for pack in what.packs),
        "bytes_after": None,
    }
    merged = {name: getattr(done, name) for name in planned}
    return {
        "dry_run": dry_run,
        "before": str(what.before),
        "model": what.model,
        **(planned if dry_run else merged),
        "left": list(what.left if dry_run else done.left),
        "waiting_bytes": sum(file.bytes for file in waiting),
        "removed_bytes": sum(file.bytes for file in removed),
    }
