"""What dead processes left in their open files, finished."""

from pathlib import Path

import duckdb

from .open_file import SUFFIX, Left, locked, read
from .segment import write_rows
from .tables import Batch

__all__ = ["finish_leftovers"]


def finish_leftovers(folder: Path) -> list[str]:
    """Make segments of the open files in a folder whose processes are gone; returns what there is
    to say, a sentence each.

    A file makes the segment of its own name, and the same bytes whenever it is done again: to stop
    anywhere in between loses nothing and doubles nothing.
    """
    said = []
    for path in sorted(folder.glob(f".*{SUFFIX}")):
        with locked(path) as fd:
            if fd is not None:
                said += _finish(folder, path, fd)
    return said


def _finish(folder, path, fd):
    name = path.name[1 : -len(SUFFIX)]
    try:
        left = read(fd)
        items = _items(left)
        if items and not (folder / f"{name}.parquet").exists():
            if left.header is None:
                raise ValueError("its first line is not whole")
            write_rows(folder, name, left.header, items)
    except (OSError, MemoryError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        return [
            f"{path.name} of a process that ended could not be finished and stays: {_first(error)}"
        ]
    except Exception as error:  # whatever stands in it, the other files are not its fault
        said = f"{path.name} of a process that ended cannot be read: {_first(error)}"
        return [_kept_aside(path, said)]
    if left.damaged:
        many = f"{left.damaged} lines of {path.name} are damaged"
        return [_kept_aside(path, f"{many}, the rest was taken")]
    path.unlink()
    if left.torn:
        return [
            f"{path.name} of a process that ended has a last line of {left.torn} bytes that was "
            "never finished: it was left out."
        ]
    return []


def _items(left: Left):
    items = (tuple(i) if isinstance(i, list) else Batch.decoded(i) for i in left.items)
    return [item for item in items if len(item)]  # of a row that was taken out nothing is left


def _first(error):
    return (str(error) or type(error).__name__).splitlines()[0]


def _kept_aside(path, reason):
    aside = path.with_suffix(".damaged")
    path.rename(aside)
    return f"{reason}; it is kept as {aside.name}."
