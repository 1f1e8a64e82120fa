"""A writer of a moment is waited for, any other is not."""

import threading

import pytest

from aiops_wb.log import locks
from aiops_wb.log.errors import Busy
from aiops_wb.log.locks import lock_catalog


def test_a_night_waits_for_a_writer_of_a_moment(tmp_path):
    held = lock_catalog(tmp_path, "acts", briefly=True)
    threading.Timer(0.1, held.close).start()
    with lock_catalog(tmp_path, "daily") as night:
        night.seek(0)
        assert night.read().startswith("daily (process ")


def test_nobody_waits_for_a_night(tmp_path):
    with lock_catalog(tmp_path, "daily"):
        for briefly in (True, False):
            with pytest.raises(Busy, match=r"written by daily \(process \d+\): try again"):
                lock_catalog(tmp_path, "acts", briefly)


def test_patience_ends_and_a_writer_of_a_moment_has_none(tmp_path, monkeypatch):
    with lock_catalog(tmp_path, "acts", briefly=True):
        with pytest.raises(Busy, match=r"written by acts \(process \d+\): try again"):
            lock_catalog(tmp_path, "other acts", briefly=True)
        monkeypatch.setattr(locks, "PATIENCE", 0.05)
        with pytest.raises(Busy):
            lock_catalog(tmp_path, "daily")
