"""Limits of the system: one sentence that names the limit, and the next call goes on."""

import contextlib
import errno
import io
import os
import resource

import duckdb
import pytest
from conftest import events
from stops import forked, load

from aiops_wb.cli import main
from aiops_wb.cli.limits import LEAST_FILES, LEAST_MEMORY, limit_met, too_low_a_limit
from aiops_wb.log.errors import StoreError
from aiops_wb.log.store import Store


def limited(bench, which, most, *words):
    "A command under a limit: its exit code and what it says."
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        resource.setrlimit(which, (most(), resource.getrlimit(which)[1]))
        code = main([*words, "--data", str(bench.data), "--reports-dir", str(bench.root / "r")])
    return code, err.getvalue()


LIMITS = {
    "files": (
        resource.RLIMIT_NOFILE,
        lambda: len(os.listdir("/proc/self/fd")) + LEAST_FILES // 2,
        "ulimit -n",
    ),
    "size": (resource.RLIMIT_FSIZE, lambda: 6000, "ulimit -f"),
    "memory": (resource.RLIMIT_AS, lambda: LEAST_MEMORY, "ulimit -v"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_named_in_one_sentence_and_nothing_is_lost(bench, name):
    load()
    bench.log(events(days=1, per_day=30))
    with bench.store():
        pass
    which, most, says = LIMITS[name]
    ended, (code, said) = forked(lambda: limited(bench, which, most, "ingest"))
    assert ended == 0 and code == 1
    lines = said.splitlines()  # what is not published yet is a warning of its own
    assert says in lines[-1] and len(lines) <= 2 and "Traceback" not in said, said
    assert all(line.startswith("aiops-wb: ") for line in lines)
    assert bench.ingest().loaded == 30


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), "the disk is full"),
        (duckdb.IOException("Could not write: No space left on device"), "the disk is full"),
        (StoreError("p could not be written: No space left on device Nothing"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
        (OSError(errno.EMFILE, "Too many open files"), "RLIMIT_NOFILE"),
        (MemoryError(), "memory"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), "memory"),
        (OSError(errno.ENOENT, "No such file"), None),
        (StoreError("m has no version v"), None),
        (ValueError(), None),
    ],
)
def test_an_error_that_tells_of_a_limit_is_known(error, says):
    said = limit_met(error)
    assert said is None if says is None else says in said and said.endswith("twice.")


def test_a_full_disk_is_called_full(bench, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "catalog.duckdb")

    bench.log(events(days=1, per_day=5))
    with monkeypatch.context() as broken:
        broken.setattr(Store, "begin_files", full)
        assert main(["ingest", "--data", str(bench.data)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("aiops-wb: the disk is full") and said.count("\n") == 1
    assert bench.ingest().loaded == 5


def test_memory_for_each_processor_is_asked_for(monkeypatch):
    "2 GB and 128 MB a processor."
    allowed, limit = (2048 + 4 * 128) << 20, resource.RLIM_INFINITY
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for soft, says in ((allowed, None), (allowed - 1, "2,559 MB of memory")):
        monkeypatch.setattr(resource, "getrlimit", lambda which, soft=soft: (soft, limit))
        said = too_low_a_limit()
        assert (said is None) == (says is None)
    assert says in said and "needs 2,560 MB at least" in said


def test_without_a_limit_nothing_is_said():
    assert too_low_a_limit() is None
