"""Who may write: one writer of a catalog, held by a lock of the system.

Whoever takes in what services handed in holds it for a moment, and says so: a night that begins in
that moment waits for it, where it would be refused by any other.
"""

import fcntl
import os
import time
from pathlib import Path

from .errors import Busy

__all__ = ["PATIENCE", "lock_catalog"]

PATIENCE = 60.0
"Seconds that a writer waits for one that writes for a moment."
_BRIEFLY = ", for a moment"
_CHANGE, _LOOK = 0.2, 0.02  # seconds: without a name, between two tries


def lock_catalog(root: Path, owner: str, briefly: bool = False):
    """The open lock file of a folder's catalog, with its holder's name in it; Busy names the
    holder. `briefly`: others wait for this one, which waits for nobody."""
    handle = open(root / "catalog.lock", "a+", encoding="utf-8")
    began = time.monotonic()
    while not _taken(handle):
        handle.seek(0)
        holder = handle.read().strip()
        # for the moment of a change no name is there
        patience = _CHANGE if not holder else PATIENCE if holder.endswith(_BRIEFLY) else 0
        if not briefly and time.monotonic() < began + patience:
            time.sleep(_LOOK)
            continue
        handle.close()
        holder = holder.removesuffix(_BRIEFLY) or "another process"
        raise Busy(
            f"the catalog in {root} is being written by {holder}: try again when it has finished."
        ) from None
    handle.truncate(0)
    handle.write(f"{owner} (process {os.getpid()}){_BRIEFLY if briefly else ''}")
    handle.flush()
    return handle


def _taken(handle) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
