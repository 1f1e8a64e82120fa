"""Day files that are gone: missing, cut short, damaged or changed, and those whose loss was
recorded.

A file that is gone costs its own day: what is asked about that day alone is refused with a
sentence, what is asked about more days leaves that day out. Counts were taken when the file came
in, and stay.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from .base import Connected, conditions
from .duck import parquet
from .durable import write_durably
from .errors import StoreError
from .known import Known
from .sums import what_changed

__all__ = ["DayFile", "GoneReads", "problem_of"]

logger = logging.getLogger(__name__)

LOST = "lost"
"What the trail says of a day file whose loss was recorded."
WHAT = "day file"
_NOTED = "damaged.json"


class DayFile(NamedTuple):
    "A file of the log as the catalog names it."

    path: str
    day: date | None
    tenant: str | None
    model: str | None
    version: str | None
    min_id: str
    max_id: str
    bytes: int
    kind: str
    rows: int
    sha256: str | None = None  # of its bytes; None: it was taken in before they were kept

    def says(self, problem: str) -> str:
        "What there is to say of it."
        of = f"{self.kind} of {self.day or 'an unknown day'}"
        of += f" of {self.model} {self.version}" if self.model else ""
        return (
            f"{self.path} ({self.rows:,} {of}) {problem}: 'aiops-wb repair --from FOLDER' takes it "
            "in again from a copy, 'aiops-wb repair --lost FILE --why ...' records that it is lost."
        )


_FILES = """
    SELECT path, event_date, tenant, model, version, min_id, max_id, bytes, kind, rows, sha256,
           sites
    FROM data_files{where} ORDER BY batch_id, path"""
_MERGED = """
    SELECT path, event_date, tenant, model, version, coalesce(min(nullif(min_id, '')), ''),
           max(max_id), bytes, kind, sum(rows)::BIGINT, sha256, bool_or(sites)
    FROM data_files{where}
    GROUP BY path, event_date, tenant, model, version, bytes, kind, sha256
    ORDER BY min(batch_id), path"""


def problem_of(path: Path, size: int, closely: bool = True) -> str | None:
    """What is wrong with a day file, None where nothing is seen: it is missing, not as long as it
    was written, or (`closely`) does not end as Parquet does."""
    try:
        found = os.stat(path).st_size
        if found != size:
            return f"has {found:,} bytes instead of {size:,}"
        if not closely:
            return None
        with open(path, "rb") as file:
            file.seek(-4, os.SEEK_END)
            return None if file.read() == b"PAR1" else "is damaged"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _stands(path):
    """What is another once a file is written to or replaced, also by a copy that keeps its times;
    None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_ctime_ns]


class DayFileReads(Connected):
    "Which day files there are."

    def day_files(self, **where: Any) -> list[DayFile]:
        "The files of the log that match, as the catalog names them, oldest first."
        clause, values = conditions(**where)
        return [file for file, _ in self._files_where(clause, values)]

    def _files_where(self, clause, values):
        """Files whose rows in `data_files` meet a WHERE clause, each with whether a site is named.
        A row there is what one batch brought of a day: of a file that holds what several brought,
        ids and rows are those of the batches that meet it."""
        sql = _MERGED if self._merged_files() else _FILES  # which costs less, and mostly tells all
        rows = self._rows(sql.format(where=clause), values)
        return [(DayFile(*row), sites) for *row, sites in rows]

    def _merged_files(self):
        "The paths of files that hold what several batches brought."
        merged = "SELECT path FROM data_files GROUP BY path HAVING count(*) > 1"
        look = lambda: frozenset(self._column(merged))
        return self._until_written("data_files", "merged files", look)

    def known_rows(self, paths: Iterable[str], known: Known) -> str:
        """The rows of files of predictions (as the catalog names them) that were known, as SQL: of
        those that were merged, rows of later batches are left out."""
        paths = list(paths)
        rows = parquet(self.root / path for path in paths)
        merged = not self._merged_files().isdisjoint(paths)
        return f"(SELECT * FROM {rows} WHERE {known.sql()})" if merged else rows


class GoneReads(DayFileReads):
    "Which day files are gone."

    def lost_files(self) -> set[str]:
        "The paths of day files whose loss was recorded."
        look = lambda: set(
            self._column(
                """
                SELECT subject FROM audit WHERE what = $what
                QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1
                    AND new = $lost""",
                {"what": WHAT, "lost": LOST},
            )
        )
        return self._until_written("audit", "lost files", look)

    def lost_days(self, model: str) -> set[date]:
        "Days of a model of which predictions are recorded as lost."
        if not (lost := self.lost_files()):
            return set()
        files = self.day_files(kind="predictions", model=model)
        return {file.day for file in files if file.path in lost}

    def gone(
        self, files: Iterable[DayFile] | None = None, closely: bool = True
    ) -> dict[DayFile, str | None]:
        """Those of some files (all) that are gone, with what is wrong; None: the loss is recorded.
        Not `closely`: no file is opened."""
        lost, found = self.lost_files(), {}
        for file in self.day_files() if files is None else files:
            if file.path in lost:
                found[file] = None
            elif problem := self._problem(file, closely):
                found[file] = problem
        return found

    def damage(self) -> list[str]:
        "A sentence for each day file that is gone and not recorded as lost."
        found = self.gone().items()
        return [file.says(problem) for file, problem in found if problem]

    def require_day(self, model: str, day: date) -> None:
        """StoreError where a day file of a model's day is gone or not what was written, and its
        loss is not recorded."""
        predictions = self.day_files(kind="predictions", model=model, event_date=day)
        for files in predictions, self.day_files(kind="outcomes", event_date=day):
            self.note_changed(files)
            self.usable(files, True)

    def usable(self, files: list[DayFile], one_day: bool) -> list[DayFile]:
        """The files without those that are gone. Of `one_day`: StoreError where the loss of one is
        not recorded; else the days of predictions that are gone are left out, which is logged."""
        gone = self.gone(files)
        if not gone:
            return files
        said = [file.says(problem) for file, problem in gone.items() if problem]
        if one_day and said:
            raise StoreError(said[0])
        if one_day:
            return [file for file in files if file not in gone]
        for sentence in said:
            if sentence not in self._told:
                self._told.add(sentence)
                logger.warning("a day is left out: %s", sentence)
        days = {(f.model, f.day) for f in gone if f.kind == "predictions"}
        return [f for f in files if f not in gone and (f.model, f.day) not in days]

    @cached_property
    def _told(self):
        "What was said of this log already: a warning is given once."
        return set()

    def changed(self, file: DayFile) -> str | None:
        """What is wrong with the bytes of a file; None where they are those that were committed,
        or these are not known. A file that nobody touched since is not read again."""
        path = self.root / file.path
        stands = _stands(path)
        if stands and self._same.get(file.path) == (stands, file.sha256):
            return None
        problem = what_changed(path, file.sha256)
        if problem is None:
            self._same[file.path] = stands, file.sha256
        return problem

    @cached_property
    def _same(self):
        "Path -> (how a file stood, what it was to be) when its bytes were those."
        return {}

    def as_written(self, path: str, sha256: str) -> None:
        "A file was just written, and its bytes are those of a SHA-256."
        self._same[path] = _stands(self.root / path), sha256

    def note_changed(self, files: Iterable[DayFile]) -> dict[DayFile, str]:
        """Those of some files whose bytes are not those that were committed, with what is wrong,
        noted as `note_damaged` does; not those that are known to be gone."""
        files = list(files)
        gone = self.gone(files)
        found = {f: said for f in files if f not in gone and (said := self.changed(f))}
        self.note(found)
        return found

    def unreadable(self, file: DayFile) -> str | None:
        "What is wrong with a file that is read to its end; None where nothing is."
        if problem := self.changed(file):
            return problem
        try:
            rows = parquet([self.root / file.path])
            self._rows(f"SELECT bit_xor(hash(t)) FROM {rows} AS t")
        except duckdb.Error as error:
            return f"is damaged ({str(error).splitlines()[0]})"
        return None

    def note_damaged(self) -> list[str]:
        """Read every file that is not known to be gone to its end, and note beside the catalog
        which cannot be: a sentence for each. For when a question failed that must not; what was
        noted holds until the file is replaced."""
        gone, found = self.gone(), {}
        for file in self.day_files():
            if file not in gone and (problem := self.unreadable(file)):
                found[file] = problem
        self.note(found)
        return [file.says(problem) for file, problem in found.items()]

    def note(self, found: Mapping[DayFile, str], whole: Iterable[DayFile] = ()) -> None:
        """Note beside the catalog what is wrong with files, beside what others noted meanwhile; of
        those that turned out to be `whole` nothing is noted any more."""
        known = self._noted | self._read_noted()
        right = known.keys() & {file.path for file in whole}
        if not found and not right:
            return
        stand = {f.path: (_stands(self.root / f.path), said) for f, said in found.items()}
        self._noted = {p: told for p, told in known.items() if p not in right} | stand
        write_durably(self.root / _NOTED, json.dumps(self._noted))

    @cached_property
    def _noted(self):
        "Path -> (how it stood, what is wrong) of files that were found damaged inside."
        return self._read_noted()

    def _read_noted(self):
        try:
            told = json.loads((self.root / _NOTED).read_text(encoding="utf-8"))
            return {path: (stood, problem) for path, (stood, problem) in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):  # it is noted again
            return {}

    def _problem(self, file, closely):
        "What is wrong with a file, as far as that is seen or was noted."
        path = self.root / file.path
        stands, (noted, problem) = _stands(path), self._noted.get(file.path, (None, None))
        if stands and stands == self._whole.get(file.path):
            seen = None
        elif seen := problem_of(path, file.bytes, closely):
            self._whole.pop(file.path, None)
        elif closely:
            self._whole[file.path] = stands
        return seen or (problem if noted and noted == stands else None)

    @cached_property
    def _whole(self):
        "Path -> how a file stood when its end was looked at; another one is opened again."
        return {}

    def blocked(self, keys: Iterable[tuple]) -> set[tuple]:
        """Those of some (event_date, tenant, model, version) that cannot be counted from the files:
        one of their predictions, or of the labels of their day, is gone or not what was written."""
        keys = set(keys)
        of_days = self._files_where(
            " WHERE event_date IN (SELECT unnest($days::DATE[]))",
            {"days": sorted({key[0] for key in keys})},
        )
        files = [file for file, _ in of_days if file.kind == "outcomes" or file[1:5] in keys]
        self.note_changed(files)
        gone = self.gone(files)
        labels = {file.day for file in gone if file.kind == "outcomes"}
        named = {file[1:5] for file in gone}
        return {key for key in keys if key[0] in labels or key in named}
