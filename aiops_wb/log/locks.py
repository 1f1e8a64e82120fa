"""Who may write: one writer of a catalog, one training of a folder, held by locks of the system."""

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

from .errors import Busy

__all__ = ["lock_catalog", "training", "is_training"]


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


@contextmanager
def training(root: Path):
    "Hold the folder's training lock: one training at a time; Busy when another holds it."
    with open(Path(root) / "training.lock", "a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("a training is running: try again when it has finished.") from None
        yield


def is_training(root: Path) -> bool:
    "Whether some process holds the training lock."
    if not (Path(root) / "training.lock").exists():
        return False
    try:
        with training(root):
            return False
    except Busy:
        return True
