"""Rows survive the end of their process, however it comes, and a fork never doubles them."""

import random
import signal
import subprocess
import sys
import textwrap
import time

import duckdb
import pytest
from conftest import few

from aiops_wb.log.leftovers import finish_leftovers

HEAD = """
import os, signal, sys, threading, time
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
AT = "2026-03-01T12:00:00+01:00"
def new(**more):
    return PredictionLogger(sys.argv[1], "m", "1", threshold=0, **({"flush_seconds": 600} | more))
def say(text):
    os.write(1, (text + "\\n").encode())
"""


def start(tmp_path, body, **more):
    code = HEAD + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def run(tmp_path, body):
    "The exit code of a child that ran to its end, and what it said."
    child = start(tmp_path, body)
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def ids(tmp_path, kind="predictions"):
    "Ids after what is left has been finished, sorted; twice where they are twice."
    assert finish_leftovers(tmp_path / kind) == []
    if not list(tmp_path.rglob("*.parquet")):
        return []
    found = duckdb.sql(f"SELECT prediction_id FROM read_parquet('{tmp_path}/{kind}/*.parquet')")
    return sorted(one for (one,) in found.fetchall())


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('bad')", 1),
        ("del log", 0),
        ("threading.Thread(target=lambda: log.log(0.5, AT, prediction_id='c')).start()", 0),
    ],
)
@pytest.mark.parametrize("seconds", few([None, 600], 600))
def test_an_end_without_close_loses_nothing(tmp_path, ending, code, seconds):
    done, _, err = run(
        tmp_path,
        f"""
        log = new(flush_seconds={seconds})
        log.log(0.5, AT, prediction_id="a")
        log.log([0.5], [AT], prediction_id=["b"])
        {ending}
        """,
    )
    assert done == code, err
    assert [one for one in ids(tmp_path) if one != "c"] == ["a", "b"]
    assert ("c" in ids(tmp_path)) == ("Thread" in ending)


def test_labels_survive_alike(tmp_path):
    done, _, err = run(tmp_path, 'OutcomeLogger(sys.argv[1], "s").log("a", 1, AT)')
    assert done == 0 and ids(tmp_path, "outcomes") == ["a"], err


def test_sigterm_puts_rows_on_the_disk_and_ends_the_process_as_before(tmp_path):
    child = start(
        tmp_path,
        """
        log = new()
        log.log(0.5, AT, prediction_id="a")
        say("ready")
        time.sleep(600)
        """,
    )
    assert child.stdout.readline() == "ready\n"
    child.terminate()
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGTERM and ids(tmp_path) == ["a"]
    assert not list(tmp_path.rglob("*.open"))


@pytest.mark.parametrize("round", few(range(6), 0, 1, 2))
def test_sigterm_at_any_moment_of_writing_keeps_every_row_that_was_taken(tmp_path, round):
    child = start(
        tmp_path,
        """
        log = new(flush_rows=50, flush_seconds=.001, segment_seconds=.01)
        log.log([.5], [AT], prediction_id=["warm"])
        log.flush()
        for i in range(10**9):
            log.log(0.5, AT, prediction_id=f"{i:09d}")
            if i % 10 == 9:
                say(str(i))
        """,
    )
    assert child.stdout.readline() == "9\n"
    time.sleep(random.Random(round).uniform(0, 0.3))
    child.terminate()
    out, _ = child.communicate(timeout=60)
    found = ids(tmp_path)
    told = [int(line) for line in out.split("\n")[:-1]]
    assert child.returncode == -signal.SIGTERM
    assert len(set(found)) == len(found) >= 2 + max(told, default=9)
    assert found == [*(f"{i:09d}" for i in range(len(found) - 1)), "warm"]


def test_a_handler_of_the_program_is_left_alone_and_may_call_the_loggers(tmp_path):
    done, out, err = run(
        tmp_path,
        """
        before = lambda *_: say("mine")
        signal.signal(signal.SIGTERM, before)
        log = new()
        log.log(0.5, AT, prediction_id="a")
        assert signal.getsignal(signal.SIGTERM) is before
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        other = new()
        theirs = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda *given: (theirs(*given), say("after")))
        log.log(0.5, AT, prediction_id="b")
        os.kill(os.getpid(), signal.SIGTERM)
        say(str(len([p for p in os.listdir(sys.argv[1] + "/predictions") if ".open" in p])))
        os._exit(0)
        """,
    )
    assert (done, out) == (0, "mine\nafter\n1\n"), err
    assert ids(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    ("setting", "before"),
    [("", "SIG_IGN"), (", sigterm=False", "SIG_DFL")],
)
def test_sigterm_can_be_left_alone(tmp_path, setting, before):
    done, _, err = run(
        tmp_path,
        f"""
        signal.signal(signal.SIGTERM, signal.{before})
        log = PredictionLogger(sys.argv[1], "m", "1", threshold=0{setting})
        log.log(0.5, AT)
        assert signal.getsignal(signal.SIGTERM) == signal.{before}
        """,
    )
    assert done == 0, err


def test_a_thread_sets_no_handler_and_the_last_close_takes_it_away(tmp_path):
    done, out, err = run(
        tmp_path,
        """
        def work():
            with new() as log:
                log.log(0.5, AT, prediction_id="a")
        t = threading.Thread(target=work)
        t.start(), t.join()
        handled = lambda: say(str(signal.getsignal(signal.SIGTERM) != signal.SIG_DFL))
        handled()
        one, other = new(), new()
        one.close()
        handled()
        other.close()
        handled()
        one.log(0.5, AT, prediction_id="b")
        handled()
        """,
    )
    assert (done, out) == (0, "False\nTrue\nFalse\nTrue\n"), err
    assert ids(tmp_path) == ["a", "b"]


FORK = """
log = new(flush_seconds={seconds}, flush_rows=40)
if {parent_first}:
    log.log(0.5, AT, prediction_id="parent-before")
    if {secured}: log.secure()
children = []
for k in range(4):
    pid = os.fork()
    if pid == 0:
        for i in range(100):
            log.log(0.5, AT, prediction_id=f"{{k}}-{{i:03d}}")
        if {flush}: log.flush()
        sys.exit(0)
    children.append(pid)
log.log(0.5, AT, prediction_id="parent-after")
assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
"""


@pytest.mark.parametrize(
    ("parent_first", "secured", "flush", "seconds"),
    [(False, False, False, 600), (True, False, True, None), (True, True, False, 0.001)],
)
def test_a_fork_before_or_after_the_first_call(tmp_path, parent_first, secured, flush, seconds):
    body = FORK.format(**locals())
    done, _, err = run(tmp_path, body)
    assert done == 0, err
    expected = [f"{k}-{i:03d}" for k in range(4) for i in range(100)] + ["parent-after"]
    assert ids(tmp_path) == sorted(expected + ["parent-before"] * parent_first)


def test_a_fork_while_threads_write(tmp_path):
    done, _, err = run(
        tmp_path,
        """
        log = new(flush_seconds=.001, flush_rows=30, segment_seconds=.01)
        def work(k):
            for i in range(200):
                log.log(0.5, AT, prediction_id=f"t{k}-{i:03d}")
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads: t.start()
        children = []
        for k in range(6):
            pid = os.fork()
            if pid == 0:
                for i in range(20):
                    log.log(0.5, AT, prediction_id=f"c{k}-{i:03d}")
                log.close()
                os._exit(0)
            children.append(pid)
        for t in threads: t.join()
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
        """,
    )
    assert done == 0, err
    expected = [f"t{k}-{i:03d}" for k in range(4) for i in range(200)]
    expected += [f"c{k}-{i:03d}" for k in range(6) for i in range(20)]
    assert ids(tmp_path) == sorted(expected)


@pytest.mark.parametrize("way", few(["fork", "spawn"], "fork"))
def test_children_of_multiprocessing(tmp_path, way):
    script = tmp_path / "program.py"
    script.write_text(
        HEAD
        + textwrap.dedent(
            f"""
            import multiprocessing
            def work(k):
                log = new(flush_rows=30)
                def some(t):
                    for i in range(5):
                        log.log(0.5, AT, prediction_id=f"{{k}}-{{t}}-{{i}}")
                threads = [threading.Thread(target=some, args=(t,)) for t in range(16)]
                for t in threads: t.start()
                for t in threads: t.join()
            if __name__ == "__main__":
                context = multiprocessing.get_context({way!r})
                children = [context.Process(target=work, args=(k,)) for k in range(8)]
                for c in children: c.start()
                for c in children: c.join()
                assert [c.exitcode for c in children] == [0] * 8
            """
        )
    )
    spool = tmp_path / "spool"
    done = subprocess.run([sys.executable, script, spool], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = [f"{k}-{t}-{i}" for k in range(8) for t in range(16) for i in range(5)]
    assert ids(spool) == sorted(expected)


def test_a_full_disk_that_is_freed_again(tmp_path):
    "No file may grow beyond 2 kB for a while: rows wait, errors are said, and all are there."
    done, out, err = run(
        tmp_path,
        """
        import resource, sys
        sys.dont_write_bytecode = True  # none is to stay half-written
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        log = new(flush_seconds=.002, segment_seconds=.01, flush_rows=100)
        log.log(0.5, AT, prediction_id="warm")
        log.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, unlimited[1]))
        said = 0
        for i in range(300):
            try:
                log.log(0.5, AT, prediction_id=f"{i:03d}", features={"x": 0.1 * i})
            except OSError as error:
                said += "still in memory" in str(error)
            if i == 200:
                resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        say("said" if said else "silent")
        """,
    )
    assert (done, out) == (0, "said\n"), err
    assert ids(tmp_path) == [*(f"{i:03d}" for i in range(300)), "warm"]


def test_rows_that_die_with_their_process_are_said(tmp_path):
    done, _, err = run(
        tmp_path,
        """
        import resource, sys
        sys.dont_write_bytecode = True  # none is to stay half-written
        log = new()
        log.log(0.5, AT)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        """,
    )
    assert done == 0 and "1 rows for" in err and "before the process ended" in err
    assert ids(tmp_path) == []


def killed(tmp_path, seed):
    "Kill -9 a child that writes and says what is safe; all of that is there, and nothing twice."
    child = start(
        tmp_path,
        """
        log = new(flush_rows=40, flush_seconds=.002, segment_seconds=.02)
        for i in range(10**9):
            log.log(0.5, AT, prediction_id=f"{os.getpid()}-{i:09d}", features={"x": i, "k": "é"})
            if i % 7 == 0:
                log.secure() if i % 2 else log.flush()
                say(str(i))
        """,
    )
    child.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.35))
    child.kill()
    out, _ = child.communicate(timeout=60)
    return child.pid, max((int(line) for line in out.split("\n")[:-1]), default=0)


def check_kills(tmp_path, rounds):
    safe, said, kind = {}, [], tmp_path / "predictions"
    for seed in rounds:
        pid, last = killed(tmp_path, seed)
        safe[pid] = last
        if seed % 2:
            said += finish_leftovers(kind)
    said += finish_leftovers(kind)
    assert all("never finished" in one for one in said)
    found = ids(tmp_path)
    assert len(set(found)) == len(found)
    for pid, last in safe.items():
        mine = [one for one in found if one.startswith(f"{pid}-")]
        assert mine == [f"{pid}-{i:09d}" for i in range(len(mine))] and len(mine) > last
    assert not list(tmp_path.rglob("*.open"))


def test_kill_9_loses_nothing_that_was_safe(tmp_path):
    check_kills(tmp_path, range(12))


@pytest.mark.slow
def test_kill_9_many_times(tmp_path):
    check_kills(tmp_path, range(100, 200))


def test_the_road_of_single_events_loads_nothing_heavy(tmp_path):
    "Importing, logging events and forcing them to the disk; `os._exit` leaves no last flush."
    done, out, err = run(
        tmp_path,
        """
        log, labels = new(), OutcomeLogger(sys.argv[1], "s")
        log.log(0.5, AT, prediction_id="a", features={"x": 1.0, "k": "a"}, site_id="n")
        labels.log("a", 1, AT, predicted_at=AT)
        log.secure(), labels.secure()
        loaded = lambda: say(str([m for m in ("numpy", "pandas", "duckdb")  if m in sys.modules]))
        loaded()
        log.log(0.5, AT, prediction_id="b")
        log.flush()
        loaded()
        os._exit(0)
        """,
    )
    assert (done, out) == (0, "[]\n['numpy', 'duckdb']\n"), err
    assert (ids(tmp_path), ids(tmp_path, "outcomes")) == (["a", "b"], ["a"])
