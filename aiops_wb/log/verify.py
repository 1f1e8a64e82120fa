"""Is the log what was committed? Every byte of its files against their SHA-256, every row against
the counts, what decides against the trail.

It asks a published snapshot and writes nothing but the note of what is wrong, so that the night
goes on beside it. A file without a SHA-256, of a log that was made before, is read to its end and
counted, and never called verified.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from .catalog import Reader, open_snapshot
from .duck import parquet, spelt
from .errors import StoreError
from .gone import DayFile, problem_of
from .retired import retired_files
from .rewriting import replacements
from .sealed import deciding_findings
from .sums import Seen, quietly, what_changed
from .verify_counts import arrivals_differ, counts_differ, features_differ, once_differ

__all__ = [
    "CHECKS",
    "Asked",
    "Compared",
    "Finding",
    "compare_bytes",
    "look_further",
    "rows_differ",
    "trail_differs",
]

THREADS = 2
"That read files at once: hashing does not hold Python's lock."
_A_TURN = 16  # files that a thread reads before it tells how far it is
_TOGETHER = 500  # files whose rows are asked for in one query


class Finding(NamedTuple):
    "Something that is not what was committed."

    check: str  # which of the checks found it
    subject: str  # the file, or the day of a model
    says: str  # a sentence, with what to do


@dataclass(frozen=True)
class Asked:
    "What is to be verified."

    since: date | None = None  # days before it are not asked; files of an unknown day always are
    model: str | None = None  # predictions, counts and versions of this model alone
    advance: Seen = quietly  # told of progress, in bytes or rows
    broken: frozenset[str] = frozenset()  # paths of files that are known not to be whole

    def files(self, reader: Reader) -> list[DayFile]:
        "The day files that are asked, those whose loss is recorded left out."
        lost = reader.lost_files()
        return [file for file in reader.day_files() if self.asks(file) and file.path not in lost]

    def asks(self, file: DayFile) -> bool:
        "Whether a file is asked."
        late = self.since is None or file.day is None or file.day >= self.since
        return late and (self.model is None or file.model in (None, self.model))


@dataclass(frozen=True)
class Compared:
    "What came of comparing bytes."

    files: int
    bytes: int
    verified: int  # whose bytes are those that were committed
    without_sum: int  # of which nobody knows what they were
    lost: int  # whose loss is recorded: they were not asked
    newer: int  # that stand in the folder and came after the snapshot: they were not asked
    broken: dict[DayFile, str] = field(repr=False)
    findings: list[Finding] = field(repr=False)


def compare_bytes(reader: Reader, asked: Asked) -> Compared:
    """Compare the bytes of the log's files with what was committed, and look for files that nobody
    committed. What is wrong is noted, so that it costs its own day from now on."""
    files = asked.files(reader)
    broken = _still_broken(reader.root, _problems(reader.root, files, asked.advance))
    with suppress(OSError):  # who may only read has said it all the same
        reader.note(broken, (file for file in files if file.sha256 and file not in broken))
    unknown, newer = _unknown(reader)
    without = sum(file.sha256 is None for file in files if file not in broken)
    findings = [Finding("files", file.path, file.says(said)) for file, said in broken.items()]
    return Compared(
        len(files),
        sum(file.bytes for file in files),
        len(files) - len(broken) - without,
        without,
        sum(map(asked.asks, reader.day_files())) - len(files),
        newer,
        broken,
        findings + unknown,
    )


def _problems(root, files, advance):
    "File -> what is wrong with its bytes, of those where something is; some are read at once."

    def look(part):
        return {file: problem for file in part if (problem := _problem(root, file))}

    parts, found = [files[at : at + _A_TURN] for at in range(0, len(files), _A_TURN)], {}
    with ThreadPoolExecutor(THREADS) as pool:
        for part, told in zip(parts, pool.map(look, parts)):
            found |= told
            advance(sum(file.bytes for file in part))
    return found


def _problem(root, file):
    path = root / file.path
    # whether a file ends as Parquet does is asked where nobody knows its bytes
    short = problem_of(path, file.bytes, closely=file.sha256 is None)
    return short or what_changed(path, file.sha256)


def _still_broken(root, found):
    "Those that are wrong by the newest snapshot, too: a file may be rewritten while others read."
    if not found:
        return {}
    with open_snapshot(root) as newest:
        named, lost = {file.path: file for file in newest.day_files()}, newest.lost_files()
    again = [named[file.path] for file in found if file.path in named and file.path not in lost]
    return _problems(root, again, quietly)


def _unknown(reader):
    """Findings about files in the log's folder that no catalog names, and the number of those that
    came after the snapshot."""
    named, known = {file.path for file in reader.day_files()}, reader.known_batch()
    there = [os.path.relpath(path, reader.root) for path in _under(reader.root / "log")]
    waiting = retired_files(reader.root).keys()
    unnamed = [name for name in there if name not in named and name not in waiting]
    replacing = _replacing(reader.root) if unnamed else set()
    found, newer = [], 0
    for name in unnamed:
        batch = _batch_of(name)
        if name in replacing or (batch is not None and batch > known):
            newer += 1
            continue
        says = (
            f"{name} is in the log's folder and nobody committed it: 'aiops-wb repair' takes its "
            "rows in, or keeps it in rejected where it has none."
            if name.endswith(".parquet")
            else f"{name} is no file of the log: move it away."
        )
        found.append(Finding("files", name, says))
    return found, newer


def _replacing(root):
    "Files that are to replace others, and those that do since a snapshot was opened."
    coming = {new for _, new in replacements(root)}  # what is no longer to come is published
    with open_snapshot(root) as newest:
        return coming | {file.path for file in newest.day_files()}


def _under(folder):
    "The files below a folder, but for those that are about to be renamed."
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            if not (name.startswith(".") and name.endswith(".tmp")):
                yield os.path.join(place, name)


def _batch_of(name):
    "The batch of which a file's name says that it is; None where it says nothing."
    stem = Path(name).name.partition("-")[0]
    return int(stem[1:]) if stem[:1] == "b" and stem[1:].isdecimal() else None


def rows_differ(reader: Reader, asked: Asked) -> Iterator[Finding]:
    "Files whose rows are not those that the catalog says, or that cannot be read to their end."
    files = [file for file in asked.files(reader) if file.path not in asked.broken]
    whole = []
    for file in files:
        if file.sha256 is None and (problem := reader.unreadable(file)):
            yield Finding("rows", file.path, file.says(problem))
        else:
            whole.append(file)
    for at in range(0, len(whole), _TOGETHER):
        part = whole[at : at + _TOGETHER]
        held = _held(reader, part)
        for file in part:
            told = held.get(spelt(reader.root / file.path), (0, "", ""))
            if told != (file.rows, file.min_id, file.max_id):
                yield Finding("rows", file.path, _said_of_rows(file, told))
        asked.advance(sum(file.rows for file in part))


def _held(reader, files):
    "Path -> (rows, first id, last id) of files."
    rows = parquet((reader.root / file.path for file in files), filename=True)
    try:
        found = reader.con.execute(
            f"""
            SELECT filename, count(*), coalesce(min(prediction_id), ''),
                   coalesce(max(prediction_id), '')
            FROM {rows} GROUP BY filename"""
        ).fetchall()
    except duckdb.Error as error:  # one of them was taken away meanwhile
        raise StoreError(f"the log cannot be read: {str(error).splitlines()[0]}") from None
    return {name: tuple(told) for name, *told in found}


def _said_of_rows(file, told):
    rows, low, high = told
    return (
        f"{file.path} holds {rows:,} {file.kind} ({low} to {high}), the catalog says {file.rows:,} "
        f"({file.min_id} to {file.max_id}): the catalog was changed; put it back from a backup, "
        "then 'aiops-wb repair' brings it up to date."
    )


def trail_differs(reader: Reader, asked: Asked) -> Iterator[Finding]:
    """What the audit trail says against itself, and what decides and is not what it recorded:
    versions and their files, calibrations, kinds of features. It is one for all models and
    days."""
    of_itself = [*reader.chain_findings(), *reader.length_findings()]
    for said in [*of_itself, *deciding_findings(reader)]:
        says = (
            f"{said}: put what was changed back from a backup; 'aiops-wb audit verify' asks the "
            "trail's anchors as well."
        )
        yield Finding("trail", "audit trail", says)


Check = Callable[[Reader, Asked], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    rows_differ,
    counts_differ,
    once_differ,
    features_differ,
    arrivals_differ,
    trail_differs,
)
"What is looked at beyond the bytes: each asks a reader, and tells what is not as it was."


def look_further(reader: Reader, asked: Asked) -> list[Finding]:
    "What all the checks find."
    return [Finding(*found) for check in CHECKS for found in check(reader, asked)]
