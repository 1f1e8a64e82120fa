"""What waits in a folder of the spool: regular files of its own are taken, all else is named."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from .formats import SUFFIXES, kind_of_file
from .reading import shown

__all__ = ["Waiting", "waiting"]


class Waiting(NamedTuple):
    "Files to be taken, by name; those that nobody can read; what is passed over, with the reason."

    files: list[Path]
    unreadable: dict[Path, str]
    passed_over: list[str]


def waiting(folder: Path) -> Waiting:
    """The finished files of a folder of the spool and of the folders in it.

    A link could lead to a file of somebody else, a FIFO would never end. Names that begin with a
    dot are files that are still being written.
    """
    found = Waiting([], {}, [])
    for path in _entries(folder, found.passed_over):
        reason = _not_taken(path)
        if isinstance(reason, OSError):
            found.unreadable[path] = f"{shown(path.name)} cannot be read: {reason.strerror}."
        elif reason is not None:
            found.passed_over.append(f"{shown(path.relative_to(folder))} {reason}")
        else:
            found.files.append(path)
    return found


def _entries(folder, passed_over):
    "Everything in a folder that is no folder to look into, by name."
    if not folder.is_dir():
        return []
    found = []

    def failed(error):
        passed_over.append(f"{shown(Path(error.filename).name)} cannot be read: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=failed):
        named_as_files = [n for n in folders if _is_file_name(n) or Path(place, n).is_symlink()]
        folders[:] = [n for n in folders if not n.startswith(".") and n not in named_as_files]
        found += [Path(place, n) for n in (*names, *named_as_files) if not n.startswith(".")]
    return sorted(found, key=os.fsencode)


def _is_file_name(name):
    return kind_of_file(Path(name)) is not None


def _not_taken(path):
    "Why something in the spool is not taken (an OSError: it cannot be read); None when it is."
    if path.is_symlink():
        return "is a link: put the file itself there"
    kind = path.lstat().st_mode
    if not stat.S_ISREG(kind):
        return f"is {_what(kind)}, not a file"
    if not _is_file_name(path.name):
        return f"has a name that does not end in {', '.join(SUFFIXES)}"
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return error
    try:
        now = os.fstat(opened)
    finally:
        os.close(opened)
    if not stat.S_ISREG(now.st_mode):
        return f"is {_what(now.st_mode)}, not a file"
    if now.st_nlink > 1:
        return "has a second name (a hard link): put a copy there"
    return None


def _what(mode):
    for is_it, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if is_it(mode):
            return name
    return "a device"
