"""A spool that lies elsewhere, and the one data folder that takes it in.

A copy of a data folder, with its settings, names the spool of the original: what it took in would
be missing there. So a spool elsewhere says whose it is.
"""

import json
from pathlib import Path

from .durable import write_durably
from .errors import StoreError
from .modes import make_folder

__all__ = ["hold_spool", "require_ours"]

_NOTE = ".taken-in-by"


def hold_spool(root: Path, spool: Path, group: str | None = None) -> None:
    """Make the spool of a data folder where it lies elsewhere and is not there, and note whose it
    is. StoreError where it is that of another data folder."""
    if _is_inside(root, spool):
        return
    require_ours(root, spool)
    ours = _of(root)
    if _read(spool / _NOTE) != ours:
        make_folder(spool, group)
        write_durably(spool / _NOTE, json.dumps(ours))


def require_ours(root: Path, spool: Path) -> None:
    """StoreError where a spool elsewhere is that of another data folder: one of another path and
    another inode, so that neither a folder that was moved nor one that is reached by another way is
    refused."""
    theirs = None if _is_inside(root, spool) else _read(spool / _NOTE)
    if theirs and not set(_of(root).items()) & set(theirs.items()):
        raise StoreError(
            f"the spool {spool} is taken in by the data folder {theirs['data']}: name another "
            f"spool for {root}, or remove {spool / _NOTE} if that folder is gone."
        )


def _is_inside(root, spool):
    return spool.absolute() == root.absolute() / "spool"


def _of(root):
    "What a folder is known by."
    inode = root.stat().st_ino if root.exists() else 0
    return {"data": str(root.resolve()), "inode": inode}


def _read(note):
    "Whose a spool is; None where nothing, or nothing readable, says so."
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        return {"data": str(told["data"]), "inode": int(told["inode"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
