"""A backup put where a data folder is to stand, or only checked."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ..log.anchor_command import anchor_trail
from ..log.backup_files import megabytes, newest_or_itself, read_manifest
from ..log.catalog import open_snapshot
from ..log.errors import StoreError
from ..log.folder_rows import spool_to_its_place
from ..log.reading import Limits, ReadOptions
from ..log.restore import require_whole_backup, restore_backup
from ..log.store import open_store
from .arguments import AsJson, Why
from .call import Call, alone, command
from .lines import counted, line, printable
from .meter import meter
from .output import print_json

app = alone()


@command(app)
def restore(
    call: Call,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="a backup, or a folder of backups: the newest of them",
            show_default=False,
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="where the data folder is to stand (default: that of --data or the settings)",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="put what stands there aside as FOLDER.before-restore; all of it stays",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="only read the backup to its last byte and verify it")
    ] = False,
    why: Why = None,
    as_json: AsJson = False,
):
    folder = newest_or_itself(source)
    if check:
        return _check(call, folder, as_json)
    settings = call.settings
    options = ReadOptions(limits=Limits.of(settings), risk_cuts=settings.risk_cuts)
    place, size = into or settings.data, read_manifest(folder).size
    with meter(call, "restoring", 2 * size) as seen:
        done = restore_backup(
            *(folder, place, call.now(), call.who, why or ""),
            replace=replace,
            keep=settings.snapshots_kept,
            options=options,
            seen=seen,
        )
    told = [*done.told, *_spooled(call, done), *_anchored(call, done)]
    batch = done.manifest.batch
    held = (
        "no catalog, only what waits" if batch is None else f"{counted(batch, 'batch', 'batches')}"
    )
    if as_json:
        print_json({"backup": str(folder), "into": str(done.into), "batch": batch, "told": told})
        return 0
    line(printable(f"{done.into} is restored from {folder}: {held}"))
    for said in told:
        line(printable(said))
    return 0


def _check(call, folder, as_json):
    "Read a backup to its last byte."
    size, began = read_manifest(folder).size, time.perf_counter()
    with meter(call, "verifying", size) as seen:
        manifest = require_whole_backup(folder, seen)
    rate = size / 1e6 / max(time.perf_counter() - began, 1e-3)
    if as_json:
        told = {"backup": str(folder), "files": len(manifest.files), "bytes": size}
        print_json(told | {"batch": manifest.batch, "verified": True, "mb_s": round(rate, 1)})
        return 0
    files = counted(len(manifest.files), "file")
    line(
        printable(f"{folder}: {files}, {megabytes(size)}, every byte as it was ({rate:,.0f} MB/s)")
    )
    return 0


def _spooled(call, done):
    "What waited goes where the settings have the spool; what there is to say."
    settings = call.settings
    if settings.spool is None or done.into != settings.data.resolve():
        return []
    where = {"spool": settings.spool, "group": settings.group}
    with open_store(settings.data, call.who, **where) as store:
        n = spool_to_its_place(store)
    return [f"{counted(n, 'file')} that waited: {settings.spool}"] if n else []


def _anchored(call, done):
    "Anchor the restored trail; a sentence where an anchor speaks of a longer one."
    if done.manifest.batch is None or done.into != call.settings.data.resolve():
        return []
    try:
        with open_snapshot(done.into) as reader:
            anchor_trail(reader, call.settings, call.now())
    except StoreError as error:
        return [str(error)]
    return []
