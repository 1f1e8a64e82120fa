"""A data folder from a backup: made beside the place where it is to stand, then put there.

What stood there is put aside, never removed, and is compared with what was restored.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import duckdb

from .backup_files import (
    DATA,
    SETTINGS,
    Manifest,
    copied,
    held_folder,
    manifest_hash,
    megabytes,
    place_of,
    read_manifest,
    resolved,
    verify_backup,
)
from .catalog import Reader, open_snapshot
from .duck import connect, parquet
from .durable import fsync
from .errors import StoreError
from .folder_rows import rows_not_here
from .locks import lock_catalog
from .reading import ReadOptions
from .repair import catalog_from_snapshot, take_in_again
from .snapshot import snapshots
from .store import open_store
from .sums import Seen, quietly, sha256_of

__all__ = ["BEFORE", "Restored", "require_whole_backup", "restore_backup"]

BEFORE = ".before-restore"
"What the name of a folder ends with that was put aside."
_WHAT, _SUBJECT = "restore", "log"
_SHOWN = 3
_COUNT = "SELECT count(*) FROM {}"


@dataclass(frozen=True)
class Restored:
    "What was restored, and what there is to say of it."

    into: Path
    manifest: Manifest
    told: list[str]


def require_whole_backup(folder: Path, seen: Seen = quietly) -> Manifest:
    "The manifest of a backup of which every byte was read. StoreError names what is wrong."
    manifest = read_manifest(folder)
    wrong = verify_backup(folder, manifest, seen)
    if wrong:
        named = "; ".join(f"{path} {wrong[path]}" for path in sorted(wrong)[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise StoreError(
            f"the backup {folder} is damaged: {named}{more}. Nothing was changed; take another "
            "backup."
        )
    return manifest


def restore_backup(
    source: Path,
    into: Path,
    now: datetime,
    who: str,
    why: str,
    *,
    replace: bool = False,
    keep: int = 3,
    options: ReadOptions | None = None,
    seen: Seen = quietly,
) -> Restored:
    """Put a backup where a data folder is to stand, with a row in the audit trail.

    A folder with content is put aside where `replace` says so, else StoreError, as for a backup
    that is damaged; nothing is changed then. Busy while somebody writes there. `keep`: snapshots.
    """
    if not why.strip():
        raise StoreError("to restore a log needs a reason: add --why.")
    into = resolved(into)
    if into.is_relative_to(source.resolve()) or source.resolve().is_relative_to(into):
        raise StoreError(f"{into} holds, or lies in, the backup: name another folder with --into.")
    _make_parent(into)
    with held_folder(into.parent, "a restore"):
        if _is_restored(source, into, who):
            _publish(into, who, keep)
            told = "it was restored already: nothing was changed but published again"
            return Restored(into, read_manifest(source), [told])
        with _unwritten(into, who, replace):
            manifest = require_whole_backup(source, seen)
            stood = _stood(into)
            made, told = _built(source, manifest, into, seen), []
            if manifest.batch is not None:
                told += _opened(source, manifest, made, stood, (now, who, why), options)
            aside = _swapped(made, into)
        if manifest.batch is not None:
            told += _publish(into, who, keep, aside or stood, manifest)
            told += _to_forget_again(into, aside or stood, manifest)
        elif aside:
            told.append(f"what stood there is in {aside}")
    return Restored(into, manifest, [*_of_settings(source, manifest, into), *told])


def _make_parent(into):
    if into.exists() and not into.is_dir():
        raise StoreError(f"{into} is a file: name a folder with --into.")
    into.parent.mkdir(parents=True, exist_ok=True)


def _content(folder) -> bool:
    "Whether anything stands in a folder, but for the lock of who looked."
    return folder.is_dir() and any(p.name != "catalog.lock" for p in folder.iterdir())


@contextmanager
def _unwritten(into, who, replace) -> Iterator[None]:
    "Hold what stands in the way, so that nobody writes to it while it is put aside."
    if not _content(into):
        yield
        return
    if not replace:
        raise StoreError(
            f"{into} is not empty: --replace puts it aside as {_free(into).name}, where nothing of "
            "it is lost; --into names another folder. Nothing was changed."
        )
    # its name stays in the lock that is put aside: who waited for it is told so
    with lock_catalog(into, who):
        yield


def _free(into):
    "The name under which a folder is put aside."
    first = into.with_name(into.name + BEFORE)
    if not os.path.lexists(first):
        return first
    names = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(name for name in names if not os.path.lexists(name))


def _stood(into):
    "What the restored log is compared with: what stands there, or was put aside by a stopped one."
    if _content(into):
        return into
    aside = sorted(into.parent.glob(f"{into.name}{BEFORE}*"), key=lambda p: p.stat().st_mtime_ns)
    return aside[-1] if aside and not into.exists() else None


def _built(source, manifest, into, seen):
    "The files of a backup in a folder beside the place where they are to stand."
    made = into.with_name(f".{into.name}.restoring")
    if made.exists():
        shutil.rmtree(made)
    free = shutil.disk_usage(into.parent).free
    if manifest.size > free:
        raise StoreError(
            f"{into.parent} has {megabytes(free)} free, and the backup needs "
            f"{megabytes(manifest.size)}: free some space, or name another disk with --into."
        )
    try:
        made.mkdir(mode=0o700)
        _copy(source, manifest, made, seen)
        if manifest.snapshot:
            catalog_from_snapshot(made)
            shutil.rmtree(made / "snapshots")  # its views lead to where it was made
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return made


def _copy(source, manifest, made, seen):
    for path in sorted(manifest.folders):
        (made / path).mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, kept in manifest.files.items():
        if path != SETTINGS:
            found = copied(place_of(source, path), made / path, seen)
            if found.sha256 != kept.sha256:
                raise StoreError(f"{source / DATA / path} is damaged: take another backup.")
            kept.rights.give(made / path)
    for path, rights in sorted(manifest.folders.items(), reverse=True):
        rights.give(made / path)
        fsync(made / path)


def _opened(source, manifest, made, stood, by, options):
    "Take in the rows behind the snapshot, and record the restore; what there is to say."
    now, who, why = by
    try:
        with open_store(made, who, prepare=lambda _: None) as store:
            rows, head = store.audit_head()
            told = take_in_again(store, now, who, options)
            evidence = {
                "backup": source.resolve().name,
                "manifest": manifest_hash(source),
                "batch": manifest.batch,
                "known": store.known_batch(),
                "trail": [rows, head],
                "stood": _trail_of(stood) if stood else None,
            }
            made_at = f"{manifest.made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
            told_of = f"backup of {made_at}, batch {manifest.batch}"
            store.record(now, who, _WHAT, _SUBJECT, told_of, why, evidence)
            return told
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _trail_of(folder):
    "Rows and head of the trail that stood in a folder, and its batch; None where none can be read."
    from_snapshot = snapshots(folder)[-1:]
    if not from_snapshot:
        return None
    try:
        with Reader(connect(from_snapshot[0].path, read_only=True), folder) as reader:
            return {"batch": reader.known_batch(), "trail": list(reader.audit_head())}
    except duckdb.Error:
        return None


def _swapped(made, into):
    "Put a folder in its place, and what stood there aside; where that is now."
    aside = None
    try:
        if _content(into):
            aside = _free(into)
            into.rename(aside)
        made.rename(into)
    except OSError as error:
        back = f" What stood in {into} is in {aside}." if aside and not into.exists() else ""
        raise StoreError(
            f"{into} cannot be replaced ({error.strerror}): it may be where a disk is mounted, or "
            f"somebody has written there meanwhile. What was restored is in {made}.{back}"
        ) from None
    fsync(into.parent)
    return aside


def _is_restored(source, into, who):
    "Whether a folder is what this backup was restored to, and nothing was done there since."
    if not (into / "catalog.duckdb").exists():
        return False
    with lock_catalog(into, who):
        try:
            with Reader(connect(into / "catalog.duckdb", read_only=True), into) as reader:
                row = reader.audit().tail(1)
                if row.empty or row.what.iloc[0] != _WHAT:
                    return False
                told = json.loads(row.evidence.iloc[0])
                same = told["manifest"] == manifest_hash(source)
                return same and told["known"] == reader.known_batch()
        except (duckdb.Error, ValueError, LookupError, TypeError):  # it is not known to be
            return False


def _publish(into, who, keep, stood=None, manifest=None):
    "Publish a log where it stands; what there is to say of what stood there before."
    with open_store(into, who) as store:
        store.publish(keep)
        return _differences(store, stood, manifest) if stood else []


def _differences(store, stood, manifest):
    "What stood there and is not in what was restored."
    files = rows_not_here(store, stood)
    told = _trail_of(stood)
    if not files and (told is None or told["trail"][0] <= manifest.trail[0]):
        return [f"what stood there is in {stood}: nothing of its rows is missing"]
    said = [f"what stood there is in {stood}"]
    if told:
        said[0] += f": it knew {told['batch']:,} batches, the backup {manifest.batch:,}"
        if (more := told["trail"][0] - manifest.trail[0]) > 0:
            said.append(
                f"{more:,} changes of its audit trail (models, thresholds, cases handled ...) are "
                "not in what was restored; cases sent since are opened again under the same keys"
            )
    if files:
        said.append(
            f"{_named(store, files, stood)} not in what was restored: 'aiops-wb repair --rows-from "
            f"{stood}' takes them in"
        )
    return said


def _to_forget_again(into, stood, manifest):
    "Who was forgotten after a backup was made stands in it: what there is to say of them."
    again = "'aiops-wb forget' and 'aiops-wb retention' have to be given again"
    known, here = (_forgotten_in(folder) if folder else None for folder in (stood, into))
    if known is None or here is None:
        since = f"{manifest.made_at.astimezone(UTC):%Y-%m-%d %H:%M}Z"
        return [f"whoever was forgotten after {since} is in what was restored: {again}"]
    if not (more := known - here):
        return []
    said = ", ".join(sorted({subject for _, subject in more})[:_SHOWN])
    return [f"{_many(len(more), 'removal')} ({said}) since the backup was made: {again}"]


def _forgotten_in(folder):
    "When and whom the trail of a folder says that it forgot; None where it cannot be read."
    try:
        with open_snapshot(folder) as reader:
            trail = reader.audit()
    except (StoreError, OSError, duckdb.Error):
        return None
    trail = trail[trail.what == "forgotten"]
    return set(zip(trail.changed_at, trail.subject))


def _named(store, files, stood):
    "Files of rows in words: how many, and of which days."
    of_days = [file for file in files if file.is_relative_to(stood / "log")]
    days = sorted({file.parent.name.partition("=")[2] for file in of_days})
    said = []
    if of_days:
        try:
            counted = store.cursor().execute(_COUNT.format(parquet(of_days))).fetchall()
            rows = f"{counted[0][0]:,} rows"
        except duckdb.Error:  # one of them is damaged
            rows = "rows"
        span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        said.append(f"{rows} of {span} in {_many(len(of_days), 'day file')}")
    if others := len(files) - len(of_days):
        said.append(f"{_many(others, 'file')} of its spool")
    return " and ".join(said) + (" is" if len(files) == 1 and not of_days else " are")


def _many(n, one):
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def _of_settings(source, manifest, into):
    "Put the file of settings where it stood beside the data folder; what there is to say of it."
    if manifest.settings is None:
        return []
    place, kept = into.parent / SETTINGS, manifest.files[SETTINGS]
    if not os.path.lexists(place) and manifest.beside:
        copied(source / SETTINGS, place)
        kept.rights.give(place)
        fsync(into.parent)
        return [f"settings: {place}"]
    if place.is_file() and sha256_of(place) == kept.sha256:
        return []
    stands = f", and {place} is another" if place.exists() else ""
    return [
        f"the settings of the backup stay in {source / SETTINGS} (they stood in "
        f"{manifest.settings}{stands}): put them where you want them"
    ]
