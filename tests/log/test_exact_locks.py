"""How long one who writes waits for another, by a clock that is moved by hand."""

import fcntl
import os

import pytest

from aiops_wb.log import locks
from aiops_wb.log.errors import Busy
from aiops_wb.log.locks import lock_catalog


@pytest.fixture
def clock(monkeypatch):
    "A clock that goes on when somebody sleeps; what was slept is kept."
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds * 50  # so that a minute is soon over

    monkeypatch.setattr(locks.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(locks.time, "sleep", sleep)
    return slept


@pytest.mark.parametrize(
    ("holder", "waits"),
    [
        ("ana (process 7), for a moment", 60),
        ("ana (process 7)", 0),
        ("", 1),
    ],
)
def test_who_writes_for_a_moment_is_waited_for_a_minute(tmp_path, clock, holder, waits):
    (tmp_path / "catalog.lock").write_text(holder)
    with open(tmp_path / "catalog.lock", "a+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        name = holder.removesuffix(", for a moment") or "another process"
        says = f"the catalog in {tmp_path} is being written by {name}: try again when it has "
        with pytest.raises(Busy) as busy:
            lock_catalog(tmp_path, "ben")
        assert str(busy.value) == f"{says}finished."
        assert set(clock) <= {0.02} and len(clock) == waits
        with pytest.raises(Busy):
            lock_catalog(tmp_path, "ben", briefly=True)
        assert len(clock) == waits, "who writes for a moment waits for nobody"


@pytest.mark.parametrize(("briefly", "said"), [(False, ""), (True, ", for a moment")])
def test_who_holds_it_is_named(tmp_path, briefly, said):
    (tmp_path / "catalog.lock").write_text("somebody before, with a longer name")
    with lock_catalog(tmp_path, "ana", briefly):
        assert (tmp_path / "catalog.lock").read_text() == f"ana (process {os.getpid()}){said}"
