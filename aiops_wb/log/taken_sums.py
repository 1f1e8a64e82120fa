"""What the catalog says of the bytes of day files: taken of older ones, compared by mornings."""

from collections.abc import Iterable
from datetime import date

from .gone import DayFile
from .store import Store
from .sums import holds, in_share, sha256_of

__all__ = ["adopt_sums", "check_share"]


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
