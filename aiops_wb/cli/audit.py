"""The audit trail, its chain, what holds it from outside, and what it says of all that decides."""

from pathlib import Path
from typing import Annotated

import typer

from ..log.accepting import INCIDENTS, accept_trail
from ..log.anchor import Anchor, anchor_findings, read_anchors, verify_trail
from ..log.as_written import open_as_written, published_anchor, published_findings
from ..log.base import as_rows
from ..log.chain import VERIFY
from ..log.errors import StoreError
from ..log.sealed import deciding_findings, what_decides
from ..render.manifest import manifest_anchors
from .arguments import AsJson, Why
from .call import Call, command, group
from .lines import counted, line, lines, printable
from .output import print_json, show

app = group()
LISTED = ("seq", "changed_at", "who", "what", "subject", "old", "new", "why")
_MOST = 5  # names of one sort that are printed

AnchorFile = Annotated[
    Path | None,
    typer.Option(
        "--anchor",
        metavar="FILE",
        help="a file of anchors, as audit_anchor keeps it or as a command was given its lines "
        "(default: audit_anchor of settings)",
    ),
]


@command(app, "list")
def list_changes(call: Call, as_json: AsJson = False):
    "List the audit trail and verify its chain."
    with _as_written(call) as (log, instead):
        show(as_rows(log.audit(), LISTED), _text, as_json=as_json)
        verified = log.verify_audit()
    if not as_json:
        _tell_instead(instead)
        line(f"{counted(verified, 'row')}, chain intact")


def _as_written(call):
    "The catalog itself, or where it cannot be held the newest snapshot and why."
    return open_as_written(call.settings.data, call.who, call.settings.spool)


def _text(row):
    return (
        f"{row['seq']:5} {row['changed_at']:%Y-%m-%d %H:%M}Z {row['who']}: {row['what']} of "
        f"{row['subject']}: {row['old'] or '-'} -> {row['new'] or '-'} ({row['why']})"
    )


def _tell_instead(instead):
    "That the catalog itself was not read."
    if instead:
        line(
            printable(
                f"note: {instead}, so the newest published snapshot was read: what was written "
                "since is not seen."
            )
        )


@command(app, "verify")
def verify(
    call: Call,
    anchor: AnchorFile = None,
    query: Annotated[
        bool,
        typer.Option("--query", help="only print the query that verifies the chain"),
    ] = False,
    as_json: AsJson = False,
):
    "Verify the audit trail: its chain, against anchors outside, and all that decides against it."
    if query:
        lines(VERIFY)
        return
    places, unreadable = _anchors(call, anchor)
    with _as_written(call) as (log, instead):
        found = verify_trail(log, sum(places.values(), []))
        decides, shorter = what_decides(log), log.length_findings()
        findings = [*found.findings, *shorter, *anchor_findings(log, _published(call))]
        findings += decides.findings
    findings += (
        [] if instead else published_findings(call.settings.data, findings, call.settings.spool)
    )
    if as_json:
        print_json(
            {
                "read": "snapshot" if instead else "catalog",
                "rows": found.rows,
                "anchored": found.anchored,
                "anchors": {name: len(of) for name, of in places.items()},
                "unreadable lines": unreadable,
                "compared": decides.compared,
                "not recorded": list(decides.unrecorded),
                "accepted": list(map(str, found.accepted)),
                "findings": findings,
            }
        )
    else:
        _tell_instead(instead)
        _tell(found, places, unreadable, not findings)
        _tell_decides(decides)
    if findings:
        raise StoreError(f"the audit trail does not verify: {'; '.join(findings)}.")


def _anchors(call, file) -> tuple[dict[str, list[Anchor]], list[int]]:
    "Anchors by the place that keeps them, and the numbers of lines that cannot be read."
    path = file or call.settings.audit_anchor
    outside, unreadable = read_anchors(path) if path else ([], [])
    of_reports = manifest_anchors(call.settings.reports)
    places = {str(path): outside} if path else {}
    if of_reports:
        places[f"manifests in {call.settings.reports}"] = of_reports
    return places, unreadable


def _published(call):
    "What is published of the trail, which is inside, and holds nothing that is outside."
    made = published_anchor(call.settings.data)
    return [made] if made else []


def _tell(found, places, unreadable, intact):
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
    for one in found.accepted:
        line(printable(f"note: {one}"))
    behind = found.rows - found.anchored
    if not places:
        line(
            "note: nothing outside the catalog says how long it was: that its end is gone would "
            "not be seen. Name a file in audit_anchor."
        )
    elif behind and intact:
        line(
            f"note: {counted(behind, 'row')} at the end {'is' if behind == 1 else 'are'} in no "
            "anchor yet."
        )


def _tell_decides(decides):
    "What was held against the trail, and of what nobody can tell whether it changed."
    same = decides.compared and decides.intact
    line(
        f"{decides.compared:,} calibrations, versions, features and entries of the calendar "
        f"compared{', all as recorded' if same else ''}"
    )
    if unrecorded := decides.unrecorded:
        more = f" and {len(unrecorded) - _MOST:,} more" if len(unrecorded) > _MOST else ""
        line(
            printable(
                f"note: not recorded: {', '.join(unrecorded[:_MOST])}{more}: made before hashes "
                "were kept, so nobody can tell whether it changed. The next 'aiops-wb ingest' "
                "records what stands."
            )
        )


@command(app, "accept")
def accept(call: Call, why: Why = None, anchor: AnchorFile = None):
    "Go on from a trail that does not hold: a row says so, and what stands before it is sealed."
    if not (why or "").strip():
        raise StoreError("to go on from a trail that does not hold needs a reason: add --why.")
    places, _ = _anchors(call, anchor)
    with call.writing() as log:
        inside = [made for made in _published(call) if anchor_findings(log, [made])]
        anchors = [*sum(places.values(), []), *inside]
        findings = accept_trail(log, call.now(), call.who, why, anchors)
        rows, left = log.audit_head()[0], deciding_findings(log)
    for finding in findings:
        line(printable(f"accepted: {finding}"))
    for finding in left:
        line(printable(f"note: a row does not mend this: {finding}"))
    line(f"row {rows:,} of the audit trail says so; the trails as they were are in {INCIDENTS}")
