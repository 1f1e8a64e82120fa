"""Events of other systems that say nothing the log could take: from the spool into the quarantine.

Whoever takes events writes them beside the rows, on the disk before the source is told that they
are taken: what cannot be read is not lost, and holds nothing up.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .delivered import content_id
from .durable import time_ordered_id, write_durably
from .modes import make_in_spool
from .reading import shown
from .store import Store
from .waiting import waiting

__all__ = ["FOLDER", "RefusedEvent", "Taken", "take_refused", "write_refused"]

FOLDER = "events"
"The folder of the spool, and what such rows are called in the quarantine."
_TOGETHER = 1 << 26  # bytes of files that are taken in at once


class RefusedEvent(NamedTuple):
    "An event that could not be taken: where it came from, why, and what it was."

    source: str
    reason: str
    raw: str


class Taken(NamedTuple):
    "How many rows are new in quarantine, were there before, or are about somebody forgotten."

    quarantined: int = 0
    again: int = 0
    forgotten: int = 0
    passed_over: tuple[str, ...] = ()


def write_refused(spool: Path, events: Sequence[RefusedEvent]) -> None:
    "Hand refused events to the next ingest; they are on the disk when this returns."
    make_in_spool(Path(spool) / FOLDER)
    lines = [json.dumps(event._asdict(), ensure_ascii=True) for event in events]
    write_durably(Path(spool) / FOLDER / f"{time_ordered_id()}.jsonl", "\n".join(lines) + "\n")


def take_refused(store: Store, now: datetime, owner: str, spool: Path) -> Taken:
    """Put refused events of the spool in quarantine; what stands there already, for the same
    reason, is not put there again. Files that are taken in are removed."""
    found = waiting(spool / FOLDER)
    passed_over = [*found.passed_over, *found.unreadable.values()]
    done, told, part, size = store.ingested(FOLDER), Taken(), [], 0
    for path in found.files:
        if content_id(path) in done:
            path.unlink()
            continue
        part.append(path)
        size += path.stat().st_size
        if size >= _TOGETHER:
            told, part, size = _sum(told, _taken(store, now, owner, part)), [], 0
    if part:
        told = _sum(told, _taken(store, now, owner, part))
    return told._replace(passed_over=tuple(passed_over))


def _sum(one, other):
    return Taken(*(a + b for a, b in zip(one, other)))


def _taken(store, now, owner, files):
    "One batch: rows in quarantine, and the files that they came in."
    rows = pd.DataFrame(
        [row for path in files for row in _rows(path)],
        columns=["kind", "source", "line", "reason", "raw"],
    ).drop_duplicates(["reason", "raw"])
    kept, forgotten = store.without_forgotten(rows)
    new, again, _ = store.new_in_quarantine(kept)
    store.commit_batch(
        FOLDER,
        now,
        owner,
        quarantine=new,
        segments=[
            (content_id(path), FOLDER, shown(path.name), path.stat().st_size, "ingested", None)
            for path in files
        ],
    )
    for path in files:
        path.unlink()
    return Taken(len(new), again, forgotten)


def _rows(path):
    "What stands in a file, whoever wrote it: a line of another form is a refused event itself."
    lines = path.read_text(encoding="utf-8", errors="backslashreplace").split("\n")
    for line in filter(None, lines):
        try:
            told = json.loads(line)
            source, reason, raw = (told[name] for name in RefusedEvent._fields)
            if not all(isinstance(text, str) for text in (source, reason, raw)):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            source, reason, raw = path.name, "it is no event that was refused", line
        yield FOLDER, shown(source), None, shown(reason), shown(raw)
