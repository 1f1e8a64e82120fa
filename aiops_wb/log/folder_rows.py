"""Rows that another data folder has and this log has not: one that was put aside by a restore."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from .delivered import content_id
from .durable import fsync
from .ingest import ingest
from .modes import as_its_folder, make_in_spool
from .open_file import SUFFIX
from .reading import ReadOptions
from .repair import as_segment, segment_name
from .store import Store
from .sums import sha256_of

__all__ = ["TakenRows", "rows_not_here", "spool_to_its_place", "take_rows_of"]


def rows_not_here(store: Store, folder: Path) -> list[Path]:
    "Day files and files of the spool of another data folder that this log has not."
    named = {file.path: file.bytes for file in store.day_files()}
    segments = store.segment_names()
    return [*_day_files_not_here(store, folder, named, segments), *_spool_not_here(store, folder)]


def _day_files_not_here(store, folder, named, segments):
    for path in sorted((folder / "log").rglob("*.parquet")):
        name, identity = str(path.relative_to(folder)), sha256_of(path)
        mine = store.root / name
        # a batch of the same number may have been another since
        same = named.get(name) == path.stat().st_size and mine.exists()
        same = same and sha256_of(mine) == identity
        if not same and segment_name(identity) not in segments:
            yield path


def _spool_not_here(store, folder):
    for kind in ("predictions", "outcomes"):
        taken = store.ingested(kind)
        place = folder / "spool" / kind
        for path in sorted([*place.glob("[!.]*"), *place.glob(f".*{SUFFIX}")]):
            mine = store.spool / kind / path.name
            same = mine.is_file() and sha256_of(mine) == sha256_of(path)
            if path.is_file() and not same and content_id(path) not in taken:
                yield path


class TakenRows(NamedTuple):
    "What came of taking in the rows of another folder: what there is to say, and what failed."

    told: list[str]
    unread: list[str]  # a sentence for each file that cannot be read


def take_rows_of(
    store: Store, now: datetime, owner: str, folder: Path, options: ReadOptions | None = None
) -> TakenRows:
    """Take in what another data folder (one that was put aside) has of rows and this log has not,
    which is known from now on. Nothing of that folder is changed."""
    unread, wanted = [], rows_not_here(store, folder)
    for path in wanted:
        if path.is_relative_to(folder / "spool"):
            _into_spool(store, path)
            continue
        kind = path.relative_to(folder / "log").parts[0]
        try:
            as_segment(store, kind, path)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            unread.append(f"{path} cannot be read, and nothing of it was taken in: {reason}")
    if not wanted:
        return TakenRows([f"{folder} has no rows that this log has not"], unread)
    n = len(wanted) - len(unread)
    taken = f"{n:,} file{'' if n == 1 else 's'} of {folder}"
    return TakenRows([f"{taken}: {ingest(store, now, owner, options=options)}"], unread)


def _into_spool(store, path):
    "A copy of a file of a spool in the spool, under its name, which is of no other."
    place = store.spool / path.parent.name / path.name
    make_in_spool(place.parent)
    if place.exists():  # the same open file, of an earlier moment
        stem = place.name.removesuffix(place.suffix)
        place = place.with_name(f"{stem}-{sha256_of(path)[:8]}{place.suffix}")
    temporary = place.with_name(f".{place.name}.tmp")
    shutil.copyfile(path, temporary)
    as_its_folder(temporary)
    fsync(temporary)
    temporary.replace(place)
    fsync(place.parent)


def spool_to_its_place(store: Store) -> int:
    """Where the spool lies elsewhere: what a backup brought of it into the data folder goes there,
    and what is known of features is published there; how many files."""
    here = store.root / "spool"
    if store.spool.resolve() == here.resolve():
        return 0
    found = [p for kind in ("predictions", "outcomes") for p in (here / kind).glob("*")]
    found = sorted(path for path in found if path.is_file())
    for path in found:
        _into_spool(store, path)
        path.unlink()
    store.publish_features()
    return len(found)
