"""Processes that run tests in a copy of the repository, each copy of its own, forked from one that
has imported what tests import of others: to import it costs more than most tests do."""

import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

__all__ = ["LATE", "in_copies", "run"]

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("aiops_wb", "tests", "nbs", "docs", "bench", "pytest.ini", "settings.ini", "setup.py")
COPIED += ("ruff.toml", "Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
HELD = ("numpy", "scipy.stats", "scipy.optimize", "pandas", "duckdb", "pytest", "hypothesis")
HELD += ("typer", "rich.table", "jinja2", "fastapi.testclient", "sklearn.metrics", "tqdm")
MEMORY = 6 << 30  # of one run: a change may ask for any amount
LATE = 124  # exit code of a run that was ended, as that of `timeout`


def in_copies(work: Callable[[Path, Any], Any], tasks: Iterable[Any], jobs: int):
    "Each task with its result, as they are done, by `jobs` processes with a copy each."
    for name in HELD:
        importlib.import_module(name)
    tasks = iter(tasks)
    with tempfile.TemporaryDirectory(prefix="mutants-") as aside:
        at_work = {}
        try:
            for number in range(jobs):
                ours, theirs = Pipe()
                if not (process := os.fork()):
                    ours.close()
                    _serve(theirs, work, _copied(Path(aside) / str(number)))
                theirs.close()
                at_work[ours] = process
                ours.send(next(tasks, None))
            while at_work:
                for pipe in wait(list(at_work)):
                    done = _received(pipe)
                    if done is None:
                        os.waitpid(at_work.pop(pipe), 0)
                    else:
                        yield done
                        pipe.send(next(tasks, None))
        finally:
            for process in at_work.values():
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)


def _received(pipe):
    with suppress(EOFError):
        return pipe.recv()


def _serve(pipe, work, copy):
    try:
        while (task := pipe.recv()) is not None:
            pipe.send((task, work(copy, task)))
    except BaseException as error:
        if not isinstance(error, (EOFError, KeyboardInterrupt)):
            sys.excepthook(type(error), error, error.__traceback__)
        os._exit(1)
    os._exit(0)


def _copied(to):
    to.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, to / name)
    for name in ("data", "reports"):
        (to / name).mkdir()
    if (ROOT / ".venv").exists():
        (to / ".venv").symlink_to((ROOT / ".venv").resolve())
    return to


def run(copy: Path, arguments: list[str], plugins: list[Any], limit: float, done=None) -> int:
    """The exit code of pytest in a forked process, `LATE` after `limit` seconds of its processor
    time (and ten times as long by the clock). `done` is called in that
    process where tests were run."""
    if not (process := os.fork()):
        code = 3
        try:
            code = _tests(copy, arguments, plugins, limit)
            if done and code in (0, 1):
                done()
        finally:
            os._exit(code)
    end = time.monotonic() + 10 * limit
    while time.monotonic() < end:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            killed = os.WIFSIGNALED(status)
            return LATE if killed else os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return LATE


def _tests(copy, arguments, plugins, limit):
    os.setpgid(0, 0)
    os.closerange(3, 1 << 12)  # a changed line may read from any of them: tasks come on one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    sys.path[:] = [str(copy), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(copy / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    import pytest

    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow and not browser"]
    return int(pytest.main([*quiet, *arguments], plugins=plugins))
