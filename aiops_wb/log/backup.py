"""A backup of a data folder, made while others write to it: one state, verified.

The order makes it one. First the spool is copied, then the newest snapshot, then the day files
that it names and those that lie beside them, then all the rest. A row that was safe when the
backup began stands in the spool, or was committed before its file left the spool: then its day
file is in the log, and the snapshot names it, or it is one of those that lie beside. Whoever
restores takes these in again, as rows that the log may know already.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

import duckdb

from .backup_files import (
    DATA,
    SETTINGS,
    Manifest,
    Rights,
    backups,
    copied,
    held_folder,
    megabytes,
    read_manifest,
    resolved,
    verify_backup,
    write_manifest,
)
from .catalog import Reader
from .duck import connect
from .durable import fsync
from .errors import StoreError
from .retired import RETIRED, retired_files
from .snapshot import Snapshot, snapshots
from .sums import Seen, quietly, sha256_of

__all__ = ["Made", "drop_older", "make_backup", "require_place"]

_PARTIAL, _REMOVED = ".partial", ".removed-"
_TRIES = 5
_WAITING = ("spool", "outbox")
_ELSEWHERE = {  # copied in another way, made anew, or of a process that lives
    "aiops.duckdb",
    "catalog.duckdb",
    "catalog.duckdb.wal",
    "catalog.lock",
    "daily.lock",
    "landing",  # whoever wrote it can write it again
    "log",
    "outbox",
    RETIRED,
    "snapshots",
    "spool",
    "tmp",
    "training.lock",
    "unpublished",
    "writing.json",
}


@dataclass(frozen=True)
class Made:
    "A backup that was made."

    folder: Path
    manifest: Manifest
    linked: int  # bytes that the backup before had already
    problems: list[str]  # a sentence for each day file that was not whole


class _Moved(Exception):
    "What was to be copied belongs to a snapshot that is no longer the newest."


def make_backup(
    root: Path,
    dest: Path,
    now: datetime,
    settings: Path | None = None,
    seen: Seen = quietly,
    spool: Path | None = None,
) -> Made:
    """Back a data folder up into a folder of its own in `dest`, named by the time, which appears
    whole or not at all. What the newest backup there holds already is linked, not copied.

    `settings`: the file of settings. `spool`: where it does not lie in the data folder. StoreError
    where nothing is to be backed up, where `dest` lies in the data folder or is too small, Busy
    where another backup is under way there.
    """
    require_place(root, dest)
    dest.mkdir(parents=True, exist_ok=True, mode=0o700)
    with held_folder(dest, "a backup"):
        for _ in range(_TRIES):
            _remove_unfinished(dest)
            try:
                return _made(root, dest, now, settings, seen, spool or root / "spool")
            except _Moved:
                continue
            except BaseException:
                with suppress(OSError):
                    _remove_unfinished(dest)
                raise
    raise StoreError(
        f"the log in {root} was rewritten {_TRIES} times while it was copied: try again later."
    )


def require_place(root: Path, dest: Path) -> None:
    "StoreError where a data folder cannot be backed up into another one."
    known = ("log", "spool", "models", "catalog.duckdb")
    if not any((root / name).exists() for name in known):
        raise StoreError(f"{root} is no data folder: there is nothing to back up.")
    if dest.exists() and not dest.is_dir():
        raise StoreError(f"{dest} is a file: name a folder for backups.")
    if resolved(dest).is_relative_to(root.resolve()):
        raise StoreError(
            f"{dest} lies in the data folder {root}, and would be lost with it: name a folder "
            "elsewhere, better on another disk."
        )
    if not snapshots(root) and (root / "catalog.duckdb").exists():
        raise StoreError(
            f"nothing of the log in {root} is published yet: run 'aiops-wb ingest' first."
        )


def _remove_unfinished(dest):
    "Remove what a stopped backup, or the removal of an old one, left."
    for path in [*dest.glob(f"*{_PARTIAL}"), *dest.glob(f"{_REMOVED}*")]:
        shutil.rmtree(path)


def _made(root, dest, now, settings, seen, spool):
    folder = dest / f".{_free_name(dest, now)}{_PARTIAL}"
    newest = backups(dest)[-1:]
    before = newest[0] if newest and _readable(newest[0]) else None
    work = _Copying(root, folder, before, seen, spool)
    _require_space(root, dest, work, settings)
    folder.mkdir(mode=0o700)
    work.folder("")
    work.spool()
    chosen = snapshots(root)[-1:]
    told = work.log(chosen[0]) if chosen else _nothing_known()
    work.rest()
    if settings is not None and not settings.resolve().is_relative_to(root.resolve()):
        work.put(SETTINGS, settings, folder / SETTINGS)
        told["settings"] = str(settings.resolve())
        told["beside"] = settings.resolve() == root.resolve().with_name(SETTINGS)
    manifest = Manifest(made_at=now, folders=work.folders, files=work.files, **told)
    _verify(root, folder, manifest, work, settings, seen)
    write_manifest(folder, manifest)
    for place, _, _ in os.walk(folder):
        fsync(Path(place))
    final = folder.with_name(folder.name[1 : -len(_PARTIAL)])
    folder.rename(final)
    fsync(dest)
    problems = [f"{path} {problem}" for path, problem in manifest.gone.items()]
    return Made(final, manifest, work.linked, problems)


def _free_name(dest, now):
    name = f"{now.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"
    names = chain([name], (f"{name}-{n}" for n in count(2)))
    return next(one for one in names if not (dest / one).exists())


def _readable(folder):
    try:
        return bool(read_manifest(folder))
    except StoreError:
        return False


def _nothing_known():
    "What is told of a folder without a catalog."
    return {"batch": None, "trail": (0, ""), "days": None, "rows": {}, "snapshot": None}


def _require_space(root, dest, work, settings):
    "StoreError where a folder has less space than the backup needs."
    newest = [snapshots(root)[-1].path] if snapshots(root) else []
    places = [root / "log", *_others(root)]
    files = [(os.path.relpath(p, root), p) for top in places for p in _walk(top)]
    files += work.waiting()
    files += [(p.name, p) for p in [*newest, *([settings] if settings else [])]]
    needed = 0
    for path, place in files:
        with suppress(OSError):  # it may be gone by now
            size = place.stat().st_size
            needed += 0 if work.had(path, size) else size
    free = shutil.disk_usage(dest).free
    if needed > free:
        raise StoreError(
            f"{dest} has {megabytes(free)} free, and this backup needs {megabytes(needed)}: free "
            "some space, or name a folder on another disk."
        )


def _others(root):
    "What stands in a data folder beside its log, its spool and its catalog."
    names = sorted(os.listdir(root))
    return [root / n for n in names if n not in _ELSEWHERE and not n.startswith(".")]


def _walk(top: Path) -> Iterator[Path]:
    "The regular files of a folder and below, through links, but for those that are being written."
    if top.is_file():
        yield top
        return
    been = set()
    for place, folders, names in os.walk(top, followlinks=True):
        been.add(os.path.realpath(place))
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(place, f)) not in been]
        for name in sorted(names):
            path = Path(place) / name
            if not (name.startswith(".") and name.endswith(".tmp")) and path.is_file():
                yield path


def _verify(root, folder, manifest, work, settings, seen):
    "Read what was written; what differs is copied once more, and then StoreError."
    for path in verify_backup(folder, manifest, seen):
        source = settings if path == SETTINGS else work.source(path)
        if path == manifest.snapshot or path not in work.links:
            raise StoreError(f"{path} was not written as it was read: {folder.parent} is damaged.")
        place = folder / DATA / path  # what the backup before holds has changed since
        place.unlink()
        if copied(source, place, seen).sha256 != manifest.files[path].sha256:
            raise StoreError(f"{source} was changed while it was copied: try again.")


class _Copying:
    "Copies files into a backup that is not finished, and keeps what its manifest says of them."

    def __init__(self, root: Path, folder: Path, before: Path | None, seen: Seen, spool: Path):
        self.root, self.target, self.before, self.seen = root, folder, before, seen
        self.tops = {name: root / name for name in _WAITING} | {"spool": spool}
        self.known = read_manifest(before).files if before else {}
        self.files, self.folders, self.links, self.linked = {}, {}, set(), 0

    def had(self, path: str, size: int) -> bool:
        "Whether the backup before has a file of this path and size."
        return path in self.known and self.known[path].size == size

    def folder(self, path: str) -> None:
        "Make a folder and those above it, and note their permissions."
        for part in reversed([path, *map(str, Path(path).parents)]):
            part = "" if part == "." else part
            if part not in self.folders:
                self.folders[part] = Rights.of(self.source(part).stat())
                (self.target / DATA / part).mkdir(mode=0o700, exist_ok=True)

    def source(self, path: str) -> Path:
        "Where what has a path in the backup stands: the spool may lie elsewhere."
        top, _, rest = path.partition("/")
        return self.tops[top] / rest if top in self.tops else self.root / path

    def waiting(self) -> list[tuple[str, Path]]:
        "What waits to be taken in or sent: its path in the backup, and where it stands."
        return [
            (os.path.join(name, os.path.relpath(path, top)), path)
            for name, top in self.tops.items()
            for path in _walk(top)
        ]

    def put(self, path: str, source: Path, place: Path | None = None) -> None:
        "Copy a file, or link it where the backup before has the same bytes."
        if place is None:
            self.folder(os.path.dirname(path))
            place = self.target / DATA / path
        found = source.stat()
        if self.had(path, found.st_size) and self._linked(path, source, place):
            self.files[path] = self.known[path]._replace(rights=Rights.of(found))
            return
        self.files[path] = copied(source, place, self.seen)

    def _linked(self, path, source, place):
        if path == SETTINGS or sha256_of(source, self.seen) != self.known[path].sha256:
            return False
        try:
            os.link(self.before / DATA / path, place)
        except OSError:  # a disk without such links, or too many of them
            return False
        self.links.add(path)
        self.linked += self.known[path].size
        return True

    def spool(self) -> None:
        """Copy what waits to be taken in, again and again until no file left in between: it may
        have a new name."""
        left = True
        while left:
            left = False
            for path, source in self.waiting():
                if path not in self.files:
                    left |= not self._put_if_there(path, source)

    def _put_if_there(self, path, source):
        try:
            self.put(path, source)
        except FileNotFoundError:
            if source.exists():  # it is the folder for backups that is gone
                raise
            (self.target / DATA / path).unlink(missing_ok=True)
            return False
        return True

    def log(self, chosen: Snapshot) -> dict:
        "Copy a snapshot and the day files, those that it names and those behind it; what it says."
        path = f"snapshots/{chosen.path.name}"
        try:
            self.put(path, chosen.path)
            reader = Reader(connect(self.target / DATA / path, read_only=True), self.root)
        except FileNotFoundError:
            raise _Moved from None
        except duckdb.Error as error:
            raise StoreError(
                f"{chosen.path} cannot be read ({str(error).splitlines()[0]}): a command that "
                "writes, such as 'aiops-wb ingest', publishes another."
            ) from None
        with reader:
            return self._day_files(reader, chosen) | {"snapshot": path}

    def _day_files(self, reader, chosen):
        named, gone = {file.path: file for file in reader.day_files()}, {}
        for file, problem in reader.gone().items():
            if problem:
                gone[file.path] = problem
        for path in named:
            if not self._put_if_there(path, self.root / path) and path not in gone:
                gone[path] = "is missing"
        if gone and snapshots(self.root)[-1].path != chosen.path:
            raise _Moved  # it was not damaged: a later snapshot names others
        later, waiting = [], retired_files(self.root)
        for source in _walk(self.root / "log"):
            path = os.path.relpath(source, self.root)
            finished = source.suffix == ".parquet" and not source.name.startswith(".")
            known = path in named or path in waiting
            if finished and not known and self._put_if_there(path, source):
                later.append(path)
        days = sorted(str(file.day) for file in named.values() if file.day)
        kinds = sorted({file.kind for file in named.values()})
        return {
            "batch": reader.known_batch(),
            "trail": reader.audit_head(),
            "days": (days[0], days[-1]) if days else None,
            "rows": {k: sum(f.rows for f in named.values() if f.kind == k) for k in kinds},
            "later": later,
            "gone": gone,
        }

    def rest(self) -> None:
        "Copy what stands beside log, spool and catalog: models, what was set aside, tokens ..."
        for top in _others(self.root):
            for source in _walk(top):
                self._put_if_there(os.path.relpath(source, self.root), source)


def drop_older(dest: Path, keep: int) -> list[str]:
    "Remove all but the newest so many backups of a folder; the names of those removed."
    dropped = []
    with held_folder(dest, "a backup"):
        for folder in backups(dest)[:-keep]:
            removed = dest / f"{_REMOVED}{folder.name}"
            folder.rename(removed)  # half of it is taken for no backup
            shutil.rmtree(removed)
            dropped.append(folder.name)
    return dropped
