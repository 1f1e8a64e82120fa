"""The outbox: attempts at delivery, on the disk as they are made, until the catalog has them.

Sending may take minutes, and the catalog has one writer: an attempt is a line of a file, forced to
the disk before the next message leaves. The next one who opens the catalog to hand cases on takes
the lines in. Who was stopped between sending and writing sends that one message again, under the
same key. What people are told of a morning is kept in the same way: a line for each thing told.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pandas as pd

from .durable import fsync
from .errors import Busy

__all__ = ["ATTEMPT", "Outbox"]

ATTEMPT = ("case_id", "sink", "state", "detail", "attempted_at", "key", "level")
"The columns of an attempt, as the table of deliveries has them."


class Outbox:
    "The file of one workbench folder, and the lock of who hands on."

    def __init__(self, root: Path):
        self.path = Path(root) / "outbox" / "deliveries.jsonl"

    @contextmanager
    def held(self, seconds: float = 0) -> Iterator["Outbox"]:
        "One process at a time hands on: Busy when another still does after so many seconds."
        self.path.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + seconds
        with open(self.path.with_name("lock"), "a", encoding="utf-8") as handle:
            while not _locked(handle):
                if time.monotonic() >= end:
                    raise Busy("another process is handing cases on")
                time.sleep(_PAUSE)
            yield self

    def add(self, *attempts: dict) -> None:
        "Write attempts down; they are on the disk when this returns."
        lines = [json.dumps(a | {"attempted_at": a["attempted_at"].isoformat()}) for a in attempts]
        new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("".join(f"\n{line}\n" for line in lines))  # apart from one that was cut off
            file.flush()
            os.fsync(file.fileno())
        if new:
            fsync(self.path.parent)

    def attempts(self) -> pd.DataFrame:
        "What was written down and is not taken in; a line that was cut off was never finished."
        if not self.path.exists():
            return pd.DataFrame(columns=list(ATTEMPT))
        lines = self.path.read_text(encoding="utf-8").splitlines()
        read = [attempt for line in lines if (attempt := _read(line))]
        return pd.DataFrame(read, columns=list(ATTEMPT)).astype(object)

    def clear(self) -> None:
        "Empty it: the catalog has everything."
        self.path.unlink(missing_ok=True)


_PAUSE = 0.1  # seconds between two looks at the lock


def _locked(handle):
    "Whether the lock is taken now."
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(line):
    "An attempt, None where the line is none."
    try:
        attempt = json.loads(line)
        return attempt | {"attempted_at": datetime.fromisoformat(attempt["attempted_at"])}
    except (ValueError, KeyError, TypeError):
        return None
