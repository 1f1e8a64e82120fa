"""Anchors: the length and the head of the audit trail, kept where the catalog cannot change them.

The chain of hashes shows a row that was changed, unless who changed it made every later hash anew,
and it never shows that its end is gone. A line of a file elsewhere (`audit_anchor` of the settings:
another disk, another user's folder, a file that may only be appended to) shows both. So does the
manifest of each day's reports, which whoever may write the reports may change.
"""

import errno
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .audit import AuditReads
from .chain import Accepted
from .durable import fsync
from .errors import StoreError

__all__ = [
    "Anchor",
    "Anchors",
    "Verified",
    "add_anchor",
    "anchor_findings",
    "read_anchors",
    "require_anchored",
    "verify_trail",
]

_MOST_ROWS = 2**63
_TAIL = 4096
"Bytes at the end of a file that hold its last line."
_GO_ON = (
    "Keep the file as it is, as evidence; 'aiops-wb audit verify' tells what differs. To go on, "
    "'aiops-wb audit accept --why ...' says so in the trail, or name another file in audit_anchor."
)


class Anchor(NamedTuple):
    "What the audit trail was at a time, as some place outside the catalog says."

    at: datetime
    rows: int
    head: str  # the hash of the last of these rows; empty where there were none
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place} ({self.at.astimezone(UTC):%Y-%m-%d %H:%M}Z, {self.rows:,} rows)"


class Anchors(NamedTuple):
    "The lines of a file of anchors, and the numbers of those that cannot be read."

    anchors: list[Anchor]
    unreadable: list[int]


def add_anchor(reader: AuditReads, path: Path, at: datetime) -> bool:
    """Append what the trail is now to a file; on the disk when this returns. False where the last
    line says it already.

    StoreError, and nothing is added, where the file cannot be written, or where its last line
    speaks of rows that the trail does not have: then it was cut off or changed.
    """
    rows, head = reader.audit_head()
    try:
        _require_file(path)
        last, whole = _last(path)
        if last is not None:
            _check_last(reader, path, last, rows)
            if (last.rows, last.head) == (rows, head):
                return False
        _append(path, {"at": at.isoformat(), "rows": rows, "head": head}, whole)
    except OSError as error:
        raise StoreError(
            f"the anchor of the audit trail cannot be written to {path}: "
            f"{error.strerror or error}. What was done is done, and is anchored by the next change."
        ) from None
    return True


def _check_last(reader, path, last, rows):
    "StoreError where the trail is not what the last anchor says it was."
    if (last.rows, last.head) in _accepted_anchors(reader):
        return
    if last.rows > rows:
        raise StoreError(
            f"{path} speaks of {last.rows:,} rows of the audit trail, which has {rows:,}: its end "
            f"was cut off, or an older catalog was put back. {_GO_ON}"
        )
    if last.rows and reader.audit_hashes([last.rows]).get(last.rows) != last.head:
        raise StoreError(
            f"row {last.rows:,} of the audit trail is not the one that {path} speaks of: the trail "
            f"was changed, or the file is of another log. {_GO_ON}"
        )


def require_anchored(reader: AuditReads, path: Path) -> None:
    """StoreError where the last line of a file of anchors is not what the trail was; nothing where
    there is no such file yet, or none that can be read."""
    with suppress(OSError):
        _require_file(path)
        last, _ = _last(path)
        if last is not None:
            _check_last(reader, path, last, reader.audit_head()[0])


def _accepted_anchors(reader):
    "Rows and heads of anchors that did not agree when an owner went on all the same."
    return frozenset().union(*(one.anchors for one in reader.accepted()))


def _require_file(path):
    "OSError for a device or a pipe, which would be read for ever."
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is no regular file")


def _last(path):
    "The last readable anchor of a file (None: none), and whether the file ends with a whole line."
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
    except FileNotFoundError:
        return None, True
    lines = tail.decode("utf-8", "replace").splitlines()
    anchors = (_read(line, str(path)) for line in reversed(lines))
    return next((a for a in anchors if a), None), not tail or tail.endswith(b"\n")


def _append(path, told, whole):
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ("" if whole else "\n") + json.dumps(told) + "\n"  # apart from a line that was cut off
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if new:
        fsync(path.parent)


def read_anchors(path: Path) -> Anchors:
    "The anchors of a file, in its order. StoreError where there is no such file."
    try:
        _require_file(path)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StoreError(
            f"the anchors of the audit trail in {path} cannot be read "
            f"({error.strerror or error}): without them nobody can tell whether its end was cut "
            "off. The next change begins a new file."
        ) from None
    read = {n: _read(line, f"line {n} of {path.name}") for n, line in enumerate(lines, 1) if line}
    return Anchors([a for a in read.values() if a], [n for n, a in read.items() if not a])


def _read(line, place):
    "An anchor, None where the line is none."
    try:
        told = json.loads(line)
        at, rows = datetime.fromisoformat(told["at"]), told["rows"]
        if at.tzinfo is None or not isinstance(rows, int) or not 0 <= rows < _MOST_ROWS:
            return None
        return Anchor(at.astimezone(UTC), rows, str(told["head"]), place)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


@dataclass(frozen=True)
class Verified:
    "What the audit trail is, and everything that speaks against it; nothing does where it holds."

    rows: int
    anchored: int  # rows of the longest anchor that agrees
    findings: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()  # what an owner went on from
    differing: tuple[Anchor, ...] = ()  # anchors that do not agree and were not accepted

    @property
    def intact(self) -> bool:
        "Whether nothing was found."
        return not self.findings


def verify_trail(reader: AuditReads, anchors: Sequence[Anchor] = ()) -> Verified:
    """Check the chain by its one query, and the trail against anchors.

    Rows that an anchor speaks of cannot be changed, swapped, deleted or cut off unseen, by whatever
    means, as long as the anchor itself is safe. Rows behind the longest anchor are held by the
    chain alone: who makes all of their hashes anew, or cuts them off, is not seen. Anchors that an
    owner accepted as differing speak of nothing any more; the row that accepts them says so.
    """
    rows, accepted = reader.audit_head()[0], reader.accepted()
    findings = reader.chain_findings()
    known = _accepted_anchors(reader)
    good, bad = _agreeing(reader, [a for a in anchors if (a.rows, a.head) not in known])
    if bad:
        findings.append(_differs(bad[0], rows, [a for a in good if a.rows < bad[0].rows]))
    longest = max((a.rows for a in good), default=0)
    return Verified(rows, longest, tuple(findings), tuple(accepted), tuple(bad))


def anchor_findings(reader: AuditReads, anchors: Sequence[Anchor]) -> list[str]:
    "What anchors alone say against the trail, in words; nothing where they agree."
    known = _accepted_anchors(reader)
    _, bad = _agreeing(reader, [a for a in anchors if (a.rows, a.head) not in known])
    return [_differs(bad[0], reader.audit_head()[0], [])] if bad else []


def _agreeing(reader, anchors):
    "Anchors that the trail agrees with and those that it does not, the shortest first."
    ordered = sorted(anchors, key=lambda a: (a.rows, a.at))
    hashes = reader.audit_hashes([a.rows for a in ordered]) | {0: ""}
    good = [a for a in ordered if hashes.get(a.rows) == a.head]
    return good, [a for a in ordered if hashes.get(a.rows) != a.head]


def _differs(first, rows, before):
    "What the shortest anchor that does not agree shows, in words."
    held = f"; rows up to {before[-1].rows:,} are as in {before[-1]}" if before else ""
    if first.rows > rows:
        return (
            f"the trail has {rows:,} rows and had more in {first}: its end was cut off since, or "
            f"an older catalog was put back{held}"
        )
    begins = before[-1].rows + 1 if before else 1
    span = f"row {first.rows:,}" if begins == first.rows else f"a row from {begins:,} to"
    span += "" if begins == first.rows else f" {first.rows:,}"
    return (
        f"{span} is not what it was in {first}: it was changed, swapped, deleted or put in "
        f"since{held}"
    )
