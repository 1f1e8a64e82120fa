"""A log that is not whole: an older catalog, day files that are gone, files that were set aside."""

from pathlib import Path
from typing import Annotated

import typer

from ..log.folder_rows import take_rows_of
from ..log.reading import Limits, ReadOptions
from ..log.repair import (
    catalog_from_snapshot,
    empty_rejected,
    from_copies,
    record_lost,
    take_in_again,
)
from ..log.taken_sums import adopt_sums
from .arguments import Why
from .call import Call, alone, command
from .lines import counted, line, lines

app = alone()


@command(app)
def repair(
    call: Call,
    copies: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="take day files that are gone in again from copies in this folder or below",
            show_default=False,
        ),
    ] = None,
    rows_of: Annotated[
        Path | None,
        typer.Option(
            "--rows-from",
            metavar="FOLDER",
            help="take in what another data folder has of rows and this log has not: one that "
            "'restore' put aside",
            show_default=False,
        ),
    ] = None,
    lost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="record that this day file is lost; its counts stay; may be repeated",
            show_default=False,
        ),
    ] = None,
    empty: Annotated[
        bool,
        typer.Option(
            "--empty-rejected", help="remove the files that were set aside: they are dealt with"
        ),
    ] = False,
    why: Why = None,
):
    if copies is not None and not copies.is_dir():
        raise typer.BadParameter(f"{copies} is no folder: --from names one with copies.")
    if rows_of is not None and not (rows_of / "log").is_dir() and not (rows_of / "spool").is_dir():
        raise typer.BadParameter(f"{rows_of} is no data folder: --rows-from names one.")
    settings, told, unread = call.settings, [], []

    def prepare(root):
        if not (root / "snapshots").exists() and not (root / "log").exists():
            return
        if done := catalog_from_snapshot(root):
            told.append(done)

    with call.writing(prepare=prepare) as log:
        at = call.now(), call.who
        options = ReadOptions(limits=Limits.of(settings), risk_cuts=settings.risk_cuts)
        told += take_in_again(log, *at, options)
        if copies is not None:
            told += from_copies(log, *at, copies)
        if rows_of is not None:
            taken, unread = take_rows_of(log, *at, rows_of, options)
            told += taken
        if lost:
            told += record_lost(log, *at, lost, why or "")
        if empty:
            told.append(empty_rejected(log, *at, why or ""))
        if taken := adopt_sums(log, log.day_files()):
            told.append(f"the checksum of {counted(taken, 'day file')} that had none was taken")
        gone = log.damage()
    for said in told:
        lines(said)
    for sentence in [*unread, *gone]:
        line(sentence)
    if not told and not gone:
        line("nothing is to be repaired: the catalog knows every day file, and each is there")
    return 1 if gone or unread else 0
