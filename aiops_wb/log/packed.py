"Files packed into one: written whole or not at all, searched, and rewritten without some of them."

import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from .durable import fsync
from .modes import as_its_folder

__all__ = ["UNFINISHED", "UNREADABLE", "named_in", "pack", "repack"]

UNREADABLE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, RuntimeError, EOFError)
UNREADABLE += (ValueError,)
"What the reading of an archive that is damaged or locked raises, besides OSError."
UNFINISHED = ".tmp"
"The end of the name of an archive that is being written, or that a killed process left."
_ANY_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same files are the same archive


def pack(place: Path, files: Mapping[str, Path]) -> None:
    """Put files into an archive under names, in the place of those of the same name there; it is on
    the disk, and read once, when this returns. Whatever stops it leaves the archive as it was."""
    _rewritten(place, lambda name: name not in files, files)


def repack(place: Path, stays: Callable[[str], bool]) -> None:
    "Write an archive anew with those of its files that stay; an empty one goes."
    _rewritten(place, stays, {})


def _rewritten(place, stays, files):
    aside = place.with_name(f".{place.name}{UNFINISHED}")
    try:
        _write_anew(place, aside, stays, files)
    finally:  # of one that was stopped nobody could tell whom it names
        aside.unlink(missing_ok=True)


def _write_anew(place, aside, stays, files):
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as new:
        if place.exists():
            with zipfile.ZipFile(place) as old:
                for name in filter(stays, old.namelist()):
                    new.writestr(_entry(name), old.read(name))
        for name, path in sorted(files.items()):
            new.writestr(_entry(name), path.read_bytes())
        left = new.namelist()
    if not left:
        place.unlink(missing_ok=True)
    else:
        with zipfile.ZipFile(aside) as made:
            if (bad := made.testzip()) is not None:
                raise OSError(f"{bad} of {aside} is not what was written")
        as_its_folder(aside)
        fsync(aside)
        os.replace(aside, place)
    fsync(place.parent)


def _entry(name):
    entry = zipfile.ZipInfo(name, _ANY_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def named_in(place: Path, wanted: Callable[[bytes], bool]) -> list[str]:
    "The names of files of an archive whose bytes are wanted."
    with zipfile.ZipFile(place) as archive:
        return [name for name in archive.namelist() if wanted(archive.read(name))]
