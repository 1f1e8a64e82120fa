"""Many small day files made few: the same rows, of the same batches, in one file of each day.

Files of one day are merged where they are of one kind, tenant, model and version, on one grid, and
have the same columns of the same types: what is read of them, as of whatever time, is the same
before and after, to the type. The catalog keeps a row for each batch of a file, so every time of
which something could be asked before can be asked about as well. Counts are not touched: they are
kept by batch.

Each file is first held against its SHA-256, and what was written against what was read. A file
that is gone, damaged, recorded as lost, or without a SHA-256 leaves the files of its day as they
are. What was merged is named in the same transaction in which the old files cease to be, with a row
of the trail; the old ones stay as long as a reader may need them (`retired`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import duckdb

from .alike import shapes
from .catalog import Reader
from .duck import spelt
from .gone import DayFile
from .rewriting import Rewritten, next_name
from .store import Store

__all__ = ["AT_ONCE", "MOST_ROWS", "WHAT", "Compacted", "Pack", "Plan", "compact", "plan"]

MOST_ROWS = 2_000_000
"Rows of one file, at most, unless one had more from the beginning."
AT_ONCE = 1 << 30
"Bytes of old files after which what was merged is committed: who is stopped loses no more work."
WHAT = "compacted"
"What the trail calls it."
_TOGETHER = 500  # files whose ends are read in one query
Shown = Callable[[Sequence, str], Iterable]


def _plainly(items, what):
    return items


class Pack(NamedTuple):
    "Day files that become one."

    files: tuple[DayFile, ...]

    @property
    def path(self) -> str:
        "Where that will lie: in the place of the first, so that files keep their order."
        return next_name(self.files[0].path)

    @property
    def bytes(self) -> int:
        "Bytes of the files as they are."
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Plan:
    "What is to be merged, and what is left as it is."

    before: date
    model: str | None
    packs: tuple[Pack, ...]
    left: tuple[str, ...] = ()  # a sentence for each file whose day is left as it is

    @property
    def files(self) -> tuple[DayFile, ...]:
        "All the files that are to be merged."
        return tuple(file for pack in self.packs for file in pack.files)

    def __repr__(self) -> str:
        return f"Plan({len(self.files):,} files into {len(self.packs):,}, before {self.before})"


@dataclass(frozen=True)
class Compacted:
    "What was merged: days, files, rows and bytes, before and after."

    days: int = 0
    files: int = 0
    into: int = 0
    rows: int = 0
    bytes: int = 0
    bytes_after: int = 0
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        days = "1 day" if self.days == 1 else f"{self.days:,} days"
        return (
            f"{self.files:,} files of {days} are now {self.into:,}, with the same "
            f"{self.rows:,} rows: {self.bytes_after / 1e6:,.1f} MB in the place of "
            f"{self.bytes / 1e6:,.1f}"
        )


def plan(reader: Reader, before: date, model: str | None = None) -> Plan:
    """What can be merged of the days before one, as published or, for the writer, as committed; of
    a model its predictions alone: files of labels are of all models. StoreError for a model that is
    not known."""
    if model is not None:
        reader.require_model(model)
    files = reader.day_files(event_date__le=before - timedelta(1), model=model)
    days = {}
    for file in files:
        days.setdefault(_of(file), []).append(file)
    some = [file for of_day in days.values() if len(of_day) > 1 for file in of_day]
    left = _left_alone(reader, some)
    alike = _alike(reader, [file for file in some if file not in left], left)
    alone, packs = {_of(file) for file in left}, []
    for key in sorted(days.keys() - alone, key=str):
        groups = {}
        for file in days[key]:
            groups.setdefault(alike.get(file.path), []).append(file)
        packs += [pack for group in groups.values() for pack in _packs(group)]
    return Plan(before, model, tuple(packs), tuple(left.values()))


def _of(file):
    "What files that are merged are of."
    return file.day, file.kind, file.tenant, file.model, file.version


def _left_alone(reader, files):
    "File -> why its day stays as it is, of those that cannot be merged."
    found = {}
    for file, problem in reader.gone(files).items():
        lost = f"{file.path} is recorded as lost: the files of its day are left as they are."
        found[file] = file.says(problem) if problem else lost
    for file in files:
        if file.sha256 is None and file not in found:
            found[file] = (
                f"{file.path} has no checksum yet, so nobody can say whether it is as committed: "
                "'aiops-wb repair' takes it, and the files of its day are left as they are until "
                "then."
            )
    return found


def _alike(reader, files, left):
    """Path -> what files have to have in common: the grid, and a digest of their columns. Those
    that cannot be read are put among those `left`."""
    grids, found = dict(reader._rows('SELECT DISTINCT path, "grid" FROM data_files')), {}
    for at in range(0, len(files), _TOGETHER):
        part = files[at : at + _TOGETHER]
        try:
            found |= _shapes_of(reader, part)
        except duckdb.Error:
            for file in part:
                try:
                    found |= _shapes_of(reader, [file])
                except duckdb.Error as error:
                    left[file] = file.says(f"is damaged ({str(error).splitlines()[0]})")
    return {path: (grids[path], shape) for path, shape in found.items()}


def _shapes_of(reader, files):
    places = {spelt(reader.root / file.path): file.path for file in files}
    return {places[place]: shape for place, shape in reader._rows(shapes(places, closely=False))}


def _packs(files):
    """Files, oldest first, in runs of at most so many rows, those of several files: rows are the
    same after merging, so that what was merged is not merged again with its neighbours."""
    run, rows = [], 0
    for file in files:
        if run and rows + file.rows > MOST_ROWS:
            yield from [Pack(tuple(run))] * (len(run) > 1)
            run, rows = [], 0
        run.append(file)
        rows += file.rows
    if len(run) > 1:
        yield Pack(tuple(run))


def compact(
    store: Store, now: datetime, who: str, what: Plan, keep: int = 3, shown: Shown = _plainly
) -> Compacted:
    """Merge what was planned and publish it (`keep` snapshots); what was done. Whoever is stopped
    anywhere finds each day as it was, or merged, and gives the command again.

    OSError or StoreError where a file cannot be written, or would not hold the same rows: what was
    committed until then stays.
    """
    store.begin_replacing({file.path: pack.path for pack in what.packs for file in pack.files})
    made, done, left = [], [], list(what.left)
    for pack in shown(what.packs, "merging day files"):
        if said := store.note_changed(pack.files):
            left += [file.says(problem) for file, problem in said.items()]
            continue
        made.append(store.write_together(pack.files))
        if sum(file.bytes for one in made for file in one.old) >= AT_ONCE:
            _commit(store, now, who, what, made)
            done, made = done + made, []
    if made:
        _commit(store, now, who, what, made)
    done += made
    if done:
        store.publish(keep)
    store.finish_rewriting()
    return _told(done, tuple(left))


def _commit(store, now, who, what, made: Sequence[Rewritten]):
    "The new files are those of the log, and the old ones wait."
    store.retire((file for one in made for file in one.old), now)
    told = _told(made)
    numbers = {name: getattr(told, name) for name in ("days", "files", "into", "rows", "bytes")}
    subject = f"days before {what.before}" + (f" of {what.model}" if what.model else "")
    with store.transaction():
        for one in made:
            store.record_rewritten(one)
        store._write("DELETE FROM file_shapes WHERE path NOT IN (SELECT path FROM data_files)")
        into = f"{told.files} files into {told.into}"
        store.record(now, who, WHAT, subject, into, "the same rows in fewer files", numbers)


def _told(made, left=()):
    old = [file for one in made for file in one.old]
    return Compacted(
        len({file.day for file in old}),
        len(old),
        len(made),
        sum(file.rows for file in old),
        sum(file.bytes for file in old),
        sum(one.bytes for one in made),
        left,
    )
