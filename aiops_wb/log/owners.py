"""Whose files are believed, where a file says who asked for a change or who may.

A folder of the spool may be open to services that score, which write what they like into it. A name
in a file is worth no more than the user whose file it is.
"""

import os
from pathlib import Path

__all__ = ["believed"]


def believed(data: str | Path) -> frozenset[int]:
    """The users (ids) whose files are believed: who owns the data folder, who this process runs as,
    and the system's own (0), who may do anything."""
    return frozenset((os.stat(data).st_uid, os.geteuid(), 0))
