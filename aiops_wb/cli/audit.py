"""The audit trail, its chain, and the anchors that hold it."""

from pathlib import Path
from typing import Annotated

import typer

from ..log.anchor import read_anchors, verify_trail
from ..log.audit import VERIFY
from ..log.base import as_rows
from ..log.errors import StoreError
from ..render.manifest import manifest_anchors
from .arguments import AsJson
from .call import Call, command, group
from .lines import counted, line, lines, printable
from .output import print_json, show

app = group()
LISTED = ("seq", "changed_at", "who", "what", "subject", "old", "new", "why")


@command(app, "list")
def list_changes(call: Call, as_json: AsJson = False):
    "List the audit trail and verify its chain."
    with call.reading() as log:
        show(as_rows(log.audit(), LISTED), _text, as_json=as_json)
        verified = log.verify_audit()
    if not as_json:
        line(f"{counted(verified, 'row')}, chain intact")


def _text(row):
    return (
        f"{row['seq']:5} {row['changed_at']:%Y-%m-%d %H:%M}Z {row['who']}: {row['what']} of "
        f"{row['subject']}: {row['old'] or '-'} -> {row['new'] or '-'} ({row['why']})"
    )


@command(app, "verify")
def verify(
    call: Call,
    anchor: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="a file of anchors (default: audit_anchor of settings)"),
    ] = None,
    query: Annotated[
        bool,
        typer.Option("--query", help="only print the query that verifies the chain"),
    ] = False,
    as_json: AsJson = False,
):
    "Verify the audit trail: its chain, and that it is what anchors outside say it was."
    if query:
        lines(VERIFY)
        return
    path = anchor or call.settings.audit_anchor
    outside, unreadable = read_anchors(path) if path else ([], [])
    of_reports = manifest_anchors(call.settings.reports)
    with call.reading() as log:
        found = verify_trail(log, [*outside, *of_reports])
    places = {str(path): outside} if path else {}
    places |= {f"manifests in {call.settings.reports}": of_reports} if of_reports else {}
    if as_json:
        anchors = {name: len(of) for name, of in places.items()}
        print_json(
            {"rows": found.rows, "anchored": found.anchored, "anchors": anchors}
            | {"unreadable lines": unreadable, "findings": found.findings}
        )
    else:
        _tell(found, places, unreadable)
    if found.findings:
        raise StoreError(f"the audit trail does not verify: {'; '.join(found.findings)}.")


def _tell(found, places, unreadable):
    "How long the trail is, what holds it, and what nothing holds."
    line(f"{counted(found.rows, 'row')}{', chain intact' if found.intact else ''}")
    for name, anchors in places.items():
        newest = f", the last says {counted(anchors[-1].rows, 'row')}" if anchors else ""
        line(printable(f"{name}: {counted(len(anchors), 'anchor')}{newest}"))
    if unreadable:
        line(
            f"note: {counted(len(unreadable), 'line')} of the file cannot be read (first: "
            f"{unreadable[0]}): a write that was cut short, or a change."
        )
    behind = found.rows - found.anchored
    if not places:
        line(
            "note: nothing outside the catalog says how long it was: that its end is gone would "
            "not be seen. Name a file in audit_anchor."
        )
    elif behind and found.intact:
        line(
            f"note: {counted(behind, 'row')} at the end {'is' if behind == 1 else 'are'} in no "
            "anchor yet."
        )
