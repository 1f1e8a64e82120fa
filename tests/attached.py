"""Catalogs and snapshots that tests open: attached to one database of the process.

To start a database costs DuckDB more than to open and close a catalog in it. What is attached has
the name that it has alone, its file is locked and written at the end as if it were, and temporary
tables are of one connection in either. Where the name is taken, in a process that was forked, and
for what cannot be attached, a database is started, as the package does it.
"""

import os
import threading
from functools import cache

from aiops_wb.log import duck
from aiops_wb.log.duck import identifier, session, target

__all__ = ["connect"]

_TURN = threading.Lock()
_OPEN = {}  # name of a database -> its file, and by how many it is open


@cache
def _database(process):
    "The database that a process attaches to."
    return duck.connect(":memory:")


def connect(path, read_only=False, threads=None):
    "As `duck.connect`, attached if that is possible."
    if path == ":memory:" or threads is not None or _forked():
        return duck.connect(path, read_only, threads)
    name, wanted = path.stem, (path, read_only)
    with _TURN:
        file, n = _OPEN.get(name, (wanted, 0))
        if file != wanted or (n and not read_only):
            return duck.connect(path, read_only, threads)
        con = session(_database(os.getpid()).cursor())
        try:
            if not n:
                how = " (READ_ONLY)" if read_only else ""
                con.execute(f"ATTACH {target(path)} AS {identifier(name)}{how}")
            con.execute(f"USE {identifier(name)}")
        except Exception:
            con.close()
            return duck.connect(path, read_only, threads)
        _OPEN[name] = wanted, n + 1
    return Attached(con, name)


_BEGUN_IN = os.getpid()


def _forked():
    return os.getpid() != _BEGUN_IN


class Attached:
    "What is used of a connection whose database is one of several."

    def __init__(self, con, name):
        self._con, self._name, self._closed = con, name, False

    def __getattr__(self, name):
        return getattr(self._con, name)

    def cursor(self):
        "A further connection to the same database."
        con = self._con.cursor()
        con.execute(f"USE {identifier(self._name)}")
        return con

    def close(self):
        "Close the connection, and the database behind the last one."
        if self._closed:
            return
        self._closed = True
        self._con.close()
        with _TURN:
            file, n = _OPEN.pop(self._name)
            if n > 1:
                _OPEN[self._name] = file, n - 1
            elif not _forked():
                _database(os.getpid()).execute(f"DETACH {identifier(self._name)}")

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
