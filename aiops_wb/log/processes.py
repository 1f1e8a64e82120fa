"""Helpers: processes that end with whoever asked for them and take nothing from where he stands."""

import ctypes
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from ..config import PREFIX

__all__ = ["end_with", "helper_environment", "memory_of"]


def helper_environment() -> dict[str, str]:
    """The environment of helpers and of kernels: no settings, which reports are given, and no
    module from a folder that depends on where one stands."""
    root, named = Path(__file__).parents[2], os.environ.get("PYTHONPATH", "").split(os.pathsep)
    installed = root.name in ("site-packages", "dist-packages")
    places = ([] if installed else [str(root)]) + [p for p in named if os.path.isabs(p)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and name not in ("PYTHONPATH", "PYTHONSTARTUP")
    }
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    search = {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": os.pathsep.join(places)} if places else {})
    return kept | single | search


def end_with(pipe: int) -> None:
    """End this process when the other end of a pipe is closed, by the end of whoever holds it.

    Linux does so at once, also while a library holds the interpreter.
    """

    def watch():
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def memory_of(pid: int) -> int:
    """MB of memory that a process and those that it started hold; 0 where the system does not say.

    A limit of the system counts addresses, of which libraries take several times as many as they
    fill: what is held is looked at instead.
    """
    pages = _pages(pid)
    return (pages + sum(map(_pages, _started_by(pid)))) * os.sysconf("SC_PAGE_SIZE") // 2**20


def _pages(pid):
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0


def _started_by(pid):
    "The processes below another, as far as the system names them."
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for below in task.read_text().split():
                yield int(below)
                yield from _started_by(int(below))
