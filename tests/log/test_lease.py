"""One training at a time, and nobody holds it for ever."""

import json
import os
import signal
import subprocess
import sys

import pytest

from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.lease import Lease, running_training, training

HOLD = """
import os, sys, time
from aiops_wb.log.lease import training
with training(sys.argv[1], "bob"):
    if os.fork() == 0:  # a child keeps the lock
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lease_names_its_holder_and_is_gone_afterwards(tmp_path):
    assert running_training(tmp_path) == ""
    with training(tmp_path, "ana", seconds=3600) as held:
        told = running_training(tmp_path)
        assert told.startswith(f"ana (process {os.getpid()} on ") and "UTC at most" in told
        with pytest.raises(Busy, match="a training is running, by ana .*try again"):
            with training(tmp_path, "bob"):
                pass
        held.require()
    assert running_training(tmp_path) == "" and (tmp_path / "training.lock").read_text() == ""
    with training(tmp_path) as again:
        assert again.took_over == ""


def test_the_lease_of_a_process_that_hangs_is_taken_over_when_its_time_is_over(tmp_path, caplog):
    now = [1000.0]
    clock = lambda: now[0]
    with training(tmp_path, "ana", seconds=60, clock=clock) as hung:
        now[0] = 1059.0
        assert running_training(tmp_path, clock)
        with pytest.raises(Busy):
            with training(tmp_path, "bob", clock=clock):
                pass
        now[0] = 1060.0
        assert running_training(tmp_path, clock) == ""
        with training(tmp_path, "bob", clock=clock) as next_one:
            assert "by ana" in next_one.took_over and "over its time" in next_one.took_over
            assert next_one.took_over in caplog.text
            assert not hung.holds and next_one.holds
            with pytest.raises(StoreError, match="nothing of it is kept"):
                hung.require()
            with pytest.raises(Busy, match="by bob"):
                with training(tmp_path, "cyd", clock=clock):
                    pass
    # the one that hung ended last, and took nothing from anybody
    assert running_training(tmp_path, clock) == ""


def test_a_killed_process_holds_nothing_even_where_its_child_keeps_the_lock(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"by bob .process {holder.pid} "):
            with training(tmp_path):
                pass
        holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # which is not asked how
        with training(tmp_path, "ana") as held:
            assert "by bob" in held.took_over and "is gone" in held.took_over
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()


def test_a_process_with_the_same_number_is_another_one(tmp_path):
    lease = Lease.of_this_process("ana", 0, 60)
    assert lease.stale(59) == "" and "over its time" in lease.stale(60)
    named = json.loads(json.dumps(vars(lease)))
    assert "is gone" in Lease(**named | {"born": "1"}).stale(0)
    # of another machine nothing but the time is known
    assert Lease(**named | {"born": "1", "host": "elsewhere"}).stale(59) == ""


def test_a_lock_without_a_lease_is_nobody_in_particular(tmp_path):
    with training(tmp_path) as held:
        held.handle.seek(0)
        held.handle.truncate()
        held.handle.write('{"pid": 1}')
        held.handle.flush()
        assert running_training(tmp_path) == "another process"
        with pytest.raises(Busy, match="by another process"):
            with training(tmp_path):
                pass
