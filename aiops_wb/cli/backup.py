"""Backups: one is made while others write, and those that there are."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ..config import settings_file
from ..log.backup import Made, drop_older, make_backup, require_place
from ..log.backup_files import backups, megabytes, read_manifest
from ..log.errors import Busy, StoreError
from ..log.snapshot import snapshots
from .arguments import AsJson
from .call import Call, alone, command
from .lines import counted, line, printable
from .meter import meter
from .output import print_json, show

app = alone()
Dest = Annotated[
    Path,
    typer.Argument(
        metavar="DEST", help="a folder for backups, better on another disk", show_default=False
    ),
]


@command(app)
def backup(
    call: Call,
    dest: Dest,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="remove all but the newest N backups of DEST when this one is made (default: all "
            "are kept)",
            show_default=False,
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="only list the backups of DEST; make none")
    ] = False,
    as_json: AsJson = False,
):
    if listed:
        rows = [_row(folder) for folder in backups(dest)]
        show(rows, _text, counted(len(rows), "backup"), as_json)
        return 0
    settings = call.settings
    require_place_or_publish(call, dest)
    began = time.perf_counter()
    with meter(call, "backing up") as seen:
        file = settings_file(call.config, settings.data)
        made = make_backup(settings.data, dest, call.now(), file, seen, settings.spool)
    # an older one may have the only copy of what is not whole
    dropped = drop_older(dest, keep) if keep and not made.problems else []
    rate = seen.size / 1e6 / max(time.perf_counter() - began, 1e-3)
    if as_json:
        told = {"copied_bytes": made.manifest.size - made.linked, "linked_bytes": made.linked}
        print_json(_row(made.folder) | told | {"dropped": dropped, "problems": made.problems})
    else:
        _tell(call, made, rate, dropped)
        if made.problems:
            line(printable(f"'aiops-wb repair --from {dest}' looks for copies in earlier backups"))
    return 1 if made.problems else 0


def require_place_or_publish(call: Call, dest: Path) -> None:
    "Publish what a stopped process committed; who writes at this moment is not waited for."
    try:
        require_place(call.settings.data, dest)
    except StoreError:
        if snapshots(call.settings.data) or not (call.settings.data / "catalog.duckdb").exists():
            raise
        with call.writing():
            pass
        require_place(call.settings.data, dest)
    try:
        call.publish_the_rest()
    except Busy as error:
        call.say(f"{error} What is published is backed up, and rows that are not published yet.")


def _row(folder):
    "What there is to say of a backup, read off its manifest."
    try:
        manifest = read_manifest(folder)
    except StoreError as error:
        return dict.fromkeys(("made_at", "batch", "first", "last", "files", "bytes")) | {
            "backup": str(folder),
            "problem": str(error),
        }
    first, last = manifest.days or (None, None)
    return {
        "backup": str(folder),
        "made_at": manifest.made_at,
        "batch": manifest.batch,
        "first": first,
        "last": last,
        "files": len(manifest.files),
        "bytes": manifest.size,
        "problem": None,
    }


def _text(row):
    if row["problem"]:
        return f"{row['backup']}: {row['problem']}"
    days = f", days {row['first']} to {row['last']}" if row["first"] else ""
    batch = "no catalog" if row["batch"] is None else f"batch {row['batch']:,}"
    size = f"{counted(row['files'], 'file')}, {megabytes(row['bytes'])}"
    return f"{row['backup']}: {batch}{days}, {size}"


def _tell(call: Call, made: Made, rate: float, dropped: list[str]):
    linked = f", {megabytes(made.linked)} of them linked" if made.linked else ""
    line(printable(f"{_text(_row(made.folder))}{linked}; verified ({rate:,.0f} MB/s)"))
    if made.manifest.later:
        files = counted(len(made.manifest.later), "day file")
        line(f"{files} of rows that were not published yet: 'restore' takes them in again")
    if made.manifest.batch is None:
        line("there is no catalog yet: what waits in the spool is backed up")
    for problem in made.problems:
        line(printable(problem))
    if dropped:
        call.say(f"removed: {', '.join(dropped)}")
