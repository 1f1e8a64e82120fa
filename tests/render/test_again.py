"""What fails and may pass is tried again, later and alone; what comes again is not."""

import errno
import os
import signal
from pathlib import Path

import duckdb
import pytest
from test_daily import notebook

from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.passing import is_passing, killed_from_outside, passes, pauses
from aiops_wb.render.again import run_again
from aiops_wb.render.engine import Job, ReportResult, run_jobs

PASSES = [
    Busy("another process"),
    MemoryError(),
    OSError(errno.EBUSY, os.strerror(errno.EBUSY)),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    BlockingIOError(),
    duckdb.OutOfMemoryException("out of memory"),
    duckdb.IOException("IO Error: Could not set lock on file x"),
]
COMES_AGAIN = [
    StoreError("the day file is gone."),
    ValueError("odd counts"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)),
    duckdb.ConversionException("no number"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", [*PASSES, *COMES_AGAIN], ids=repr)
def test_what_passes_is_told_by_its_kind(error):
    assert is_passing(error) == (error in PASSES)


def test_a_kernel_says_its_errors_in_words_and_a_killed_process_none():
    assert passes("MemoryError", "") and passes("OSError", "[Errno 16] Device or resource busy")
    assert not passes("NameError", "name 'x' is not defined")
    assert [killed_from_outside(-one) for one in (signal.SIGKILL, signal.SIGSEGV)] == [True, False]
    assert list(pauses(0)) == [] and list(pauses(4)) == [2, 8, 32, 60]


def job(folder, name, source):
    path = notebook(folder / f"{name}.ipynb", source)
    return Job(name, path, folder / "out" / f"{name}.html", {"x": 2}, name)


SOURCES = {
    "well": "open({place!r} + '/well', 'a').write('.')",
    "wrong": "open({place!r} + '/wrong', 'a').write('.'); raise ValueError",
    "short": "import os\nn = open({place!r} + '/short', 'a').write('.')\n"
    "if os.stat({place!r} + '/short').st_size < 2: raise MemoryError",
    "killed": "import os\nn = open({place!r} + '/killed', 'a').write('.')\nos.kill(os.getpid(), 9)",
}


def test_a_result_that_may_pass_is_asked_for_again_and_its_last_is_told():
    tries, slept, told = [], [], []
    jobs = [Job(name, Path(), Path(), {}, name) for name in ("well", "short", "never")]

    def run(some, parallel, on_done):
        tries.append((parallel, [one.name for one in some]))
        failed = {"never", "short"} if len(tries) == 1 else {"never"}
        got = [result_of(one.name, one.name in failed) for one in some]
        for one in got:
            on_done(one)
        return got

    results = run_again(run, jobs, 2, [2.0, 8.0], slept.append, told.append)
    assert [one.state for one in results] == ["ok", "ok", "failed"]
    assert tries == [(2, ["well", "short", "never"]), (1, ["short", "never"]), (1, ["never"])]
    assert slept == [2.0, 8.0] and [one.name for one in told] == ["well", "short", "never"]
    assert results[2].error == "why\n(tried 3 times)"


def result_of(name, failed):
    return ReportResult(name, *(("failed", "why") if failed else ("ok",)), passing=failed)


@pytest.mark.slow
def test_a_report_whose_failure_may_pass_is_tried_again_alone(tmp_path):
    "Two further tries: one is enough for what was short of memory, and what is killed fails."
    place, told, slept, parallels = str(tmp_path), [], [], []

    def run(jobs, parallel, on_done):
        parallels.append((len(jobs), parallel))
        return run_jobs(jobs, parallel, timeout=60, on_done=on_done)

    jobs = [job(tmp_path, name, text.format(place=place)) for name, text in SOURCES.items()]
    results = run_again(run, jobs, 2, [2.0, 8.0], slept.append, told.append)
    assert [one.name for one in results] == list(SOURCES)
    assert [one.state for one in results] == ["ok", "failed", "ok", "failed"]
    tries = {name: (tmp_path / name).stat().st_size for name in SOURCES}
    assert tries == {"well": 1, "wrong": 1, "short": 2, "killed": 3}
    assert slept == [2.0, 8.0] and parallels == [(4, 2), (2, 1), (1, 1)]
    assert sorted(one.name for one in told) == sorted(SOURCES)
    assert results[3].error.endswith("(exit code -9).\n(tried 3 times)")


def test_without_further_tries_each_result_is_told_as_it_comes(tmp_path):
    told = []
    (one,) = run_again(
        lambda jobs, _, on_done: run_jobs(jobs, on_done=on_done),
        [job(tmp_path, "killed", SOURCES["killed"].format(place=str(tmp_path)))],
        *(1, [], pytest.fail, told.append),
    )
    assert told == [one] and "tried" not in one.error
