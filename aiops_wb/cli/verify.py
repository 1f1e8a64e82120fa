"""Is the log what was committed: its bytes, its rows, its counts, what decides."""

from dataclasses import replace
from datetime import date
from time import perf_counter
from typing import Annotated

import typer

from ..log.sums import SHARES
from ..log.verify import Asked, Compared, Finding, compare_bytes, look_further
from .arguments import AsJson, as_date, as_name
from .call import Call, alone, command
from .lines import counted, line, printable
from .meter import meter
from .output import print_json

app = alone()
LISTED = 20
"Findings that are printed; the rest is counted, and all of them are in the JSON."


@command(app)
def verify(
    call: Call,
    since: Annotated[
        date | None,
        typer.Option(
            parser=as_date,
            metavar="DAY",
            help="only days from this one on, and files whose day is not known (default: all)",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="MODEL",
            help="only predictions and counts of this model; the trail is one (default: all)",
            show_default=False,
        ),
    ] = None,
    files_only: Annotated[
        bool,
        typer.Option(
            "--files-only", help="compare bytes alone: neither rows nor counts, nor the trail"
        ),
    ] = False,
    as_json: AsJson = False,
):
    with call.reading() as log:
        if model:
            log.require_model(model)
        asked = Asked(since, model)
        began = perf_counter()
        size = sum(file.bytes for file in asked.files(log))
        with meter(call, "bytes", size, leave=False) as advance:
            compared = compare_bytes(log, replace(asked, advance=advance))
        rate = compared.bytes / 1e6 / max(perf_counter() - began, 1e-9)
        findings = compared.findings
        if not files_only:
            rows = sum(file.rows for file in asked.files(log))
            broken = frozenset(file.path for file in compared.broken)
            with meter(call, "rows", rows, "row", leave=False) as advance:
                findings += look_further(log, replace(asked, advance=advance, broken=broken))
    if as_json:
        print_json(_as_json(compared, findings, rate, files_only))
    else:
        _tell(compared, findings, rate, files_only)
    return 1 if findings else 0


def _as_json(compared: Compared, findings: list[Finding], rate: float, files_only: bool):
    return {
        "files": compared.files,
        "bytes": compared.bytes,
        "verified": compared.verified,
        "without_checksum": compared.without_sum,
        "recorded_as_lost": compared.lost,
        "newer_than_the_snapshot": compared.newer,
        "mb_per_second": round(rate, 1),
        "looked_at": ["files"] if files_only else ["files", "rows", "counts", "trail"],
        "findings": [found._asdict() for found in findings],
    }


def _tell(compared, findings, rate, files_only):
    "What was found, then what was looked at and what was not."
    for found in findings[:LISTED]:
        line(printable(found.says))
    if (more := len(findings) - LISTED) > 0:
        line(f"and {counted(more, 'finding')} more: --json lists all")
    size = f"{compared.bytes / 1e6:,.1f} MB, {rate:,.0f} MB/s"
    line(f"{counted(compared.files, 'file')} ({size}): {compared.verified:,} verified")
    if n := compared.without_sum:
        line(
            f"{counted(n, 'file')} {'has' if n == 1 else 'have'} no checksum yet, so nobody can "
            f"say whether {'it is' if n == 1 else 'they are'} as committed: 'aiops-wb repair' "
            f"takes {'it' if n == 1 else 'them'} now, else {SHARES} mornings do, a share each"
        )
    if n := compared.lost:
        line(f"{counted(n, 'file')} recorded as lost: not asked")
    if n := compared.newer:
        line(f"{counted(n, 'file')} came after the snapshot that was read: not asked")
    looked = "bytes" if files_only else "bytes, rows, counts, trail and files of versions"
    if not compared.files:
        line("no file was asked: nothing is known")
    elif not findings:
        line(f"nothing differs: {looked} are what was committed, where that is known")
