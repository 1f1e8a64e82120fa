"""A row that could not be written is kept, and said once; the buffer has an end."""

import errno
import os
import threading
from contextlib import suppress

import duckdb
import pytest
from conftest import until

from aiops_wb.log import buffer, open_file
from aiops_wb.log.errors import BufferFull, NotWritten
from aiops_wb.log.leftovers import finish_leftovers
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

AT = "2026-03-01T12:00:00+01:00"


def ids(folder):
    "Ids in finished segments, sorted; twice where they are twice."
    if not list(folder.rglob("*.parquet")):
        return []
    found = duckdb.sql(f"SELECT prediction_id FROM read_parquet('{folder}/**/*.parquet')")
    return sorted(one for (one,) in found.fetchall())


def new(spool, **more):
    return PredictionLogger(spool, "m", "1", threshold=0, **({"flush_seconds": None} | more))


class Disk:
    "A disk that can be full: for the open file, for segments, or for both."

    def __init__(self, monkeypatch):
        self.full, self.refused, self._fsync = False, 0, os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, fd):
        if self.full:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._fsync(fd)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_a_failed_flush_keeps_its_rows(tmp_path, disk):
    log = new(tmp_path)
    log.log(0.5, AT, prediction_id="a")
    disk.full = True
    for _ in range(2):
        with pytest.raises(NotWritten, match="1 buffered rows .* still in memory .* No space"):
            log.flush()
    assert isinstance(NotWritten(), OSError) and log.buffered == 1
    log.log(0.6, AT, prediction_id="b")  # said already
    disk.full = False
    assert log.flush() and ids(tmp_path) == ["a", "b"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_full_buffer_that_fails_keeps_the_row_that_filled_it(tmp_path, disk):
    log = new(tmp_path, flush_rows=2)
    log.log(0.5, AT, prediction_id="a")
    disk.full = True
    with pytest.raises(NotWritten):
        log.log(0.5, AT, prediction_id="b")
    log.log(0.5, AT, prediction_id="c")  # not tried at each row while nothing can be written
    disk.full = False
    log.log(0.5, AT, prediction_id="d")
    assert log.buffered == 0 and ids(tmp_path) == list("abcd")


def test_a_failure_in_the_background_is_said_once_and_the_next_row_is_kept(tmp_path, disk):
    log = new(tmp_path, flush_seconds=600)
    disk.full = True
    log.log(0.5, AT, prediction_id="a")
    log._rows._tick(log._rows._beat)  # as the timer does
    with pytest.raises(NotWritten, match="log none of them again"):
        log.log(0.5, AT, prediction_id="b")
    disk.full = False
    log.close()
    assert ids(tmp_path) == ["a", "b"]


def test_the_background_tries_again_by_itself(tmp_path, disk):
    log = new(tmp_path, flush_seconds=0.05, segment_seconds=0)
    disk.full = True
    with suppress(NotWritten):  # the timer may be faster than this call
        log.log(0.5, AT, prediction_id="a")
    assert until(lambda: disk.refused > 3)
    disk.full = False
    assert until(lambda: log.buffered == 0)
    assert until(lambda: log._rows._timer is None) and ids(tmp_path) == ["a"]
    log.log(0.5, AT, prediction_id="b")  # nothing to say any more
    log.close()
    assert ids(tmp_path) == ["a", "b"]


def test_labels_are_kept_alike(tmp_path, disk):
    log = OutcomeLogger(tmp_path, "s", flush_rows=2, flush_seconds=None)
    log.log("a", 1, AT)
    disk.full = True
    with pytest.raises(NotWritten):
        log.log("b", 0, AT)
    disk.full = False
    log.close()
    assert ids(tmp_path) == ["a", "b"]


def test_a_half_written_open_file_is_taken_back(tmp_path, monkeypatch):
    "A write that fails after some bytes leaves nothing of its rows in the file."
    log = new(tmp_path)
    log.log(0.5, AT, prediction_id="a")
    log.secure()
    (path,) = tmp_path.rglob("*.open")
    size, write = path.stat().st_size, os.write
    log.log(0.5, AT, prediction_id="b")

    def half(fd, data):
        if len(data) < 80:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: len(data) // 2])

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", half)
        with pytest.raises(OSError):
            log.secure()
    assert path.stat().st_size == size
    log.secure()
    assert path.stat().st_size > size
    log.close()
    assert ids(tmp_path) == ["a", "b"] and not list(tmp_path.rglob("*.open"))


def test_the_buffer_has_an_end(tmp_path, disk):
    log = new(tmp_path, flush_rows=2, buffer_rows=3)
    disk.full = True
    log.log(0.5, AT, prediction_id="a")
    with pytest.raises(NotWritten):
        log.log([0.5, 0.5], [AT, AT], prediction_id=["b", "c"])
    for _ in range(2):
        with pytest.raises(BufferFull, match="lost unless it is logged again"):
            log.log(0.5, AT, prediction_id="d")
    assert log.buffered == 3
    disk.full = False
    log.flush()
    log.log(0.5, AT, prediction_id="d")
    log.close()
    assert ids(tmp_path) == list("abcd")


def test_a_full_buffer_writes_itself_when_there_is_room_again(tmp_path, disk, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(buffer, "monotonic", lambda: clock[0])
    log = new(tmp_path, flush_rows=100, buffer_rows=2)
    disk.full = True
    log.log(0.5, AT, prediction_id="a")
    with pytest.raises(NotWritten):
        log.log(0.5, AT, prediction_id="b")
    with pytest.raises(BufferFull, match="No space"):
        log.log(0.5, AT, prediction_id="c")
    tried = disk.refused
    with pytest.raises(BufferFull):
        log.log(0.5, AT, prediction_id="c")
    assert disk.refused == tried  # not at each call
    disk.full = False
    clock[0] += 2
    log.log(0.5, AT, prediction_id="d")
    log.close()
    assert ids(tmp_path) == ["a", "b", "d"]


def test_rows_are_safe_before_a_segment_is_finished(tmp_path):
    log = new(tmp_path, flush_seconds=0.01, segment_seconds=1e9)
    log.log(0.5, AT, prediction_id="a")
    assert until(lambda: list(tmp_path.rglob("*.open"))) and until(lambda: log._rows._disk._secured)
    assert not list(tmp_path.rglob("*.parquet"))
    assert finish_leftovers(log.folder) == [] and ids(tmp_path) == []  # its process lives
    path = log.flush()
    assert ids(tmp_path) == ["a"] and not list(tmp_path.rglob("*.open"))
    assert not path.name.startswith(".")


def test_the_same_rows_make_the_same_segment_from_memory_and_from_the_file(tmp_path, monkeypatch):
    log = new(tmp_path)
    log.log(0.5, AT, prediction_id="a", features={"x": 1, "k": "é", "b": True}, site_id="n")
    log.log(
        [0.25, 0.75],
        [AT, AT],
        prediction_id=["b", "c"],
        features={"x": [1.5, None], "k": ["u", None], "i": [2**60, 1]},
        automated=[True, None],
        latency_ms=2.0,
    )
    log.log(0.5, AT, prediction_id="d", features={"x": None, "n": float("inf"), "k": 7})
    log.secure()
    # as if the process died between the renaming and the removal
    monkeypatch.setattr(open_file.OpenFile, "remove", open_file.OpenFile.let_go)
    path = log.flush()
    mine = path.read_bytes()
    assert len(ids(tmp_path)) == 4
    assert finish_leftovers(log.folder) == [] and path.read_bytes() == mine
    log.log(0.5, AT, prediction_id="e", features={"x": 1})
    log.secure()
    path = log.flush()
    mine = path.read_bytes()
    path.unlink()  # taken by an ingest meanwhile
    finish_leftovers(log.folder)
    assert path.read_bytes() == mine


def test_a_lost_folder_is_made_again(tmp_path):
    log = new(tmp_path)
    log.log(0.5, AT, prediction_id="a")
    log.secure()
    (path,) = tmp_path.rglob("*.open")
    path.unlink()
    log.folder.rmdir()
    log.log(0.5, AT, prediction_id="b")
    log.secure()
    assert len(list(tmp_path.rglob("*.open"))) == 1
    log.close()
    assert ids(tmp_path) == ["a", "b"]


def test_a_segment_is_finished_even_where_the_open_file_cannot_grow(tmp_path, monkeypatch):
    log = new(tmp_path)
    log.log(0.5, AT, prediction_id="a")
    log.secure()
    log.log(0.5, AT, prediction_id="b")
    monkeypatch.setattr(
        buffer.OpenFile, "append", lambda *_: (_ for _ in ()).throw(OSError("broken"))
    )
    assert log.flush() and ids(tmp_path) == ["a", "b"]


def test_threads_lose_nothing_and_write_nothing_twice(tmp_path):
    "Events and batches of 16 threads, with segments, writes to the open file and flushes between."
    log = new(tmp_path, flush_rows=97, flush_seconds=0.001, segment_seconds=0.02)

    def work(k):
        for i in range(0, 120, 3):
            log.log(0.5, AT, prediction_id=f"{k}-{i}", features={"x": i, "y": "a"})
            log.log([0.5, 0.6], [AT, AT], prediction_id=[f"{k}-{i + 1}", f"{k}-{i + 2}"])
            if i % 60 == 0:
                log.flush()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    log.close()
    assert log.buffered == 0 and not list(tmp_path.rglob(".*"))
    assert ids(tmp_path) == sorted(f"{k}-{i}" for k in range(16) for i in range(120))
