"""How an owner goes on from a trail that does not hold, when what happened has been looked into.

Nothing of it is removed or hashed anew: a row says who goes on, why, and all that speaks against
what stands before it. The rows before are sealed as they are, the hashes of what decides are taken
again, and each trail that differs is kept as a file: what stands, what published snapshots held.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from .anchor import Anchor, verify_trail
from .catalog import open_reader
from .duck import target
from .errors import StoreError
from .sealed import as_it_stands, deciding_findings
from .snapshot import snapshots
from .store import Store

__all__ = ["INCIDENTS", "accept_trail", "trail_findings"]

INCIDENTS = "incidents"
"The folder beside the catalog where trails are kept that an owner went on from."


def trail_findings(reader, anchors: Sequence[Anchor] = ()) -> list[str]:
    "All that speaks against the trail and against what decides, one sentence each."
    found = [*verify_trail(reader, anchors).findings, *reader.length_findings()]
    return found + deciding_findings(reader)


def accept_trail(
    store: Store, now: datetime, who: str, why: str, anchors: Sequence[Anchor] = ()
) -> list[str]:
    """Go on from the trail as it stands, with a row that says so; what spoke against it.

    StoreError where nothing does, or without a reason; the same once more, by the same person for
    the same reason, is what it was. Anchors that differ are named in the row and speak of nothing
    any more; numbers go on behind the longest of them.
    """
    if not why.strip():
        raise StoreError("to go on from a trail that does not hold needs a reason: add --why.")
    verified, findings = verify_trail(store, anchors), trail_findings(store, anchors)
    before = next(reversed(verified.accepted), None)
    if (
        not findings
        and before
        and (before.seq, before.who, before.why) == (verified.rows, who, why)
    ):
        return list(before.findings)
    if not findings:
        raise StoreError("nothing speaks against the audit trail: there is nothing to accept.")
    rows, head = store.audit_head()
    longest = max([rows, store.appended_rows(), *(a.rows for a in verified.differing)])
    evidence = {
        "rows": rows,
        "digest": store.digest_of(rows),
        "findings": findings,
        "anchors": sorted({(a.rows, a.head) for a in verified.differing}),
        "kept": _keep_trails(store, longest + 1),
        "sealed": as_it_stands(store),
    }
    store.go_on_from(now, who, why, longest + 1, head, evidence)
    return findings


def _keep_trails(store, seq):
    "Write the trail, and those of snapshots that differ from it, as files; their names."
    folder = store.root / INCIDENTS / f"trail-{seq}"
    folder.mkdir(parents=True, exist_ok=True)
    known, kept = _heads(store) | {(0, "")}, [_written(store, folder / "catalog.jsonl")]
    for made in reversed(snapshots(store.root)):
        try:
            with open_reader(made.path, store.root, "snapshot") as reader:
                if reader.audit_head() not in known:  # else all of it is part of one that is kept
                    known |= _heads(reader)
                    kept.append(_written(reader, folder / f"{made.path.stem}.jsonl"))
        except (StoreError, duckdb.Error):  # of another schema, or damaged: it says nothing
            continue
    return [str(path.relative_to(store.root)) for path in kept]


def _heads(reader):
    "The number and the hash of every row."
    return set(reader._rows("SELECT seq, hash FROM audit"))


def _written(reader, path: Path):
    rows = "SELECT * FROM audit ORDER BY seq"
    reader.con.execute(f"COPY ({rows}) TO {target(path)} (FORMAT json)")
    return path
