"""Processes that are forked from one which has imported what they need.

To start a helper takes a second of processor time, a short report of a test a tenth of it. From its
order on such a helper is the engine's own; how one is started is tested where `started_anew` is
asked for, and wherever a command makes its reports in a process of its own.
"""

import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing import forkserver, get_context
from pathlib import Path
from unittest import mock

from aiops_wb.log.processes import helper_environment
from aiops_wb.render import engine

__all__ = ["Helper", "forked", "prepare"]

_NURSERY = get_context("forkserver")


def prepare() -> None:
    "In the process that forks: import what reports need."
    engine._preload()


def forked(work, *arguments):
    "A process at some work, a function of a module; returned when it begins."
    _begin()
    told, tell = _NURSERY.Pipe(duplex=False)
    process = _NURSERY.Process(target=_at_work, args=(tell, work, arguments))
    process.start()
    told.recv()
    for pipe in (told, tell):
        pipe.close()
    return process


def _at_work(tell, work, arguments):
    tell.send(None)
    work(*arguments)


class Helper:
    "What the engine uses of a `subprocess.Popen`."

    def __init__(self, home: dict[str, str]):
        _begin()
        order, stdin = _NURSERY.Pipe(duplex=False)
        stdout, answers = _NURSERY.Pipe(duplex=False)
        environment = helper_environment() | home
        self.process = _NURSERY.Process(target=_serve, args=(order, answers, environment))
        self.process.start()
        self.stdin = os.fdopen(os.dup(stdin.fileno()), "wb")
        self.stdout = os.fdopen(os.dup(stdout.fileno()), "rb")
        for pipe in (order, stdin, stdout, answers):
            pipe.close()

    @property
    def returncode(self):
        return self.process.exitcode

    def terminate(self):
        self.process.terminate()

    def kill(self):
        self.process.kill()

    def wait(self, timeout=None):
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("helper", timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stdout.close()
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.wait()


def _begin():
    "Start the process that forks, unless it runs; it finds what it imports first on its path."
    _NURSERY.set_forkserver_preload(["nursed"])
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with mock.patch.dict(os.environ, {"PYTHONPATH": path}):
        forkserver.ensure_running()


def _serve(order, answers, environment):
    "The life of a helper, as `engine._started` begins it."
    os.environ.clear()
    os.environ.update(environment)
    os.setsid()
    os.chdir(os.sep)
    os.dup2(order.fileno(), 0)
    os.dup2(answers.fileno(), 1)
    order.close()
    answers.close()
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
    engine._preload = lambda: None
    engine.serve()
    os._exit(0)
