"""What the catalog says of the bytes of day files: taken of older ones, compared a share a morning,
and taken anew of one that was rewritten on purpose."""

from collections.abc import Iterable
from datetime import date

import duckdb

from .duck import parquet
from .errors import StoreError
from .gone import DayFile
from .store import Store
from .sums import holds, in_share, sha256_of

__all__ = ["adopt_sums", "check_share", "record_rewritten"]


def check_share(store: Store, days: Iterable[date]) -> None:
    """Compare the share of the log that the mornings of some days look at, and take the SHA-256 of
    those of it that have none; what is wrong is noted, so that it costs its own day."""
    days = list(days)
    files = [file for file in store.day_files() if in_share(file.path, days)]
    store.note_changed(files)
    adopt_sums(store, files)


def adopt_sums(store: Store, files: Iterable[DayFile]) -> int:
    """Take the SHA-256 of those of some files that have none; of how many. A log that was made
    before has none: nothing says that these files are as they were, but for what is asked first,
    that each can be read to its end and holds the rows that were committed."""
    files, found, taken = [file for file in files if file.sha256 is None], {}, []
    gone = store.gone(files)
    for file in files:
        if file in gone:
            continue
        if holds(store.con, store.root / file.path, file):
            taken.append((file.path, sha256_of(store.root / file.path)))
        else:
            found[file] = "does not hold the rows that were committed"
    store.note(found)
    if taken:
        paths, sums = map(list, zip(*taken))
        store.set_sums(paths, sums)
    return len(taken)


def record_rewritten(store: Store, path: str) -> DayFile:
    """Record what a file that the catalog names holds from now on, its rows, bytes, ids and
    SHA-256: it was rewritten, or lies under another name, on purpose. Its day, model and version
    stay.

    Call it within the transaction of the rewriting, with the file under its final name and on the
    disk. StoreError where the catalog does not name it, it cannot be read or holds no row.
    """
    place = store.root / path
    if not store.day_files(path=path):
        raise StoreError(f"{path} is no day file of this log.")
    try:
        rows, low, high = store.con.execute(
            f"SELECT count(*), min(prediction_id), max(prediction_id) FROM {parquet([place])}"
        ).fetchall()[0]
        size, sha256 = place.stat().st_size, sha256_of(place)
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not rows:
        raise StoreError(f"{path} holds no row: take it out of the catalog instead.")
    store.set_file(path, rows, size, low, high, sha256)
    return store.day_files(path=path)[0]
