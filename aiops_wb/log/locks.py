"""Who may write: one writer of a catalog, held by a lock of the system."""

import fcntl
import os
from pathlib import Path

from .errors import Busy

__all__ = ["lock_catalog"]


def lock_catalog(root: Path, owner: str):
    "The open lock file of a folder's catalog, with its holder's name in it; Busy names the holder."
    handle = open(root / "catalog.lock", "a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "another process"
        handle.close()
        raise Busy(
            f"the catalog in {root} is being written by {holder}: try again when it has finished."
        ) from None
    handle.truncate(0)
    handle.write(f"{owner} (process {os.getpid()})")
    handle.flush()
    return handle
