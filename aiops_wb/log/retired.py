"""Day files that the catalog names no more and older snapshots still do: they stay until no reader
needs them.

A reader that opened a snapshot goes on reading the files that it names. So a file that was merged
into another is removed when no snapshot of before is there any more, and `OPEN_DAYS` after it was
merged: so long somebody may hold open what was published then. Which files wait stands beside the
catalog, and is written before the catalog names others in their place: what both name is no file
that waits.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from .base import Connected
from .durable import write_durably
from .gone import DayFile
from .snapshot import snapshots

__all__ = ["OPEN_DAYS", "RETIRED", "Retired", "RetiredFiles", "retired_files"]

RETIRED = "retired.json"
"What stands beside the catalog while files wait for readers."
OPEN_DAYS = 7
"Days that somebody may hold a snapshot open after its files were merged."


class Retired(NamedTuple):
    "A day file that waits for readers."

    path: str
    bytes: int
    at: str  # when it was merged, ISO 8601
    snapshot: int  # the number of the last snapshot that may name it


def retired_files(root: Path) -> dict[str, Retired]:
    "Path -> a file that waits, or is about to, for those that may read one of a data folder."
    try:
        told = json.loads((Path(root) / RETIRED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {row[0]: Retired(*row) for row in told}


class RetiredFiles(Connected):
    "Keeps account of what waits. Only the one writer does."

    def retire(self, files: Iterable[DayFile], now: datetime) -> None:
        "Note that files are about to be named no more."
        newest = max((made.number for made in snapshots(self.root)), default=0)
        at = now.isoformat()
        new = {f.path: Retired(f.path, f.bytes, at, newest) for f in files}
        self._keep_retired(retired_files(self.root) | new)

    def waiting_files(self) -> list[Retired]:
        "Those that wait for readers."
        known = retired_files(self.root)
        named = self._named_of(known)
        return [file for path, file in known.items() if path not in named]

    def remove_retired(self, now: datetime | None = None) -> list[Retired]:
        """Remove what nobody needs any more, and say what that was; without a time everything that
        waits, whoever reads it."""
        waiting = self.waiting_files()
        free = waiting if now is None else [file for file in waiting if self._is_free(file, now)]
        for file in free:
            (self.root / file.path).unlink(missing_ok=True)
        rest = {file.path: file for file in waiting if file not in free}
        if rest != retired_files(self.root):
            self._keep_retired(rest)
        return free

    def _is_free(self, file, now):
        oldest = min((made.number for made in snapshots(self.root)), default=0)
        since = now - datetime.fromisoformat(file.at)
        return oldest > file.snapshot and since >= timedelta(OPEN_DAYS)

    def _named_of(self, paths):
        "Those of some paths that the catalog names."
        named = "SELECT DISTINCT path FROM data_files WHERE path IN (SELECT unnest($p::VARCHAR[]))"
        return set(self._column(named, {"p": list(paths)})) if paths else set()

    def _keep_retired(self, files):
        if files:
            write_durably(self.root / RETIRED, json.dumps(list(files.values())))
        else:
            (self.root / RETIRED).unlink(missing_ok=True)
