"""Servers of Spark Connect on this machine: Sail, which needs no JVM, and Spark's own cluster."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from bench.peers import HERE, environment

__all__ = ["NoServer", "cluster", "sail"]

_SAIL = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()  # ends with whoever started it
"""
_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
SECONDS = 300
"In which a cluster has to answer: it takes a minute on two processors that do nothing else."


class NoServer(RuntimeError):
    "A server that cannot be started here, and why."


@contextmanager
def sail() -> Iterator[str]:
    "The address of a server of Sail (extra `[dev]`)."
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    command = [sys.executable, "-c", _SAIL]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True) as started:
        port = started.stdout.readline().strip()
        try:
            if not port:
                raise NoServer("Sail does not start: is pysail installed (extra dev)?")
            yield f"sc://127.0.0.1:{port}"
        finally:
            started.kill()


@contextmanager
def cluster(
    scratch: Path, executors: int = 2, place: Path = HERE, python: str | None = None
) -> Iterator[str]:
    """The address of Spark's own local cluster, each executor a process; `scratch`: where it may
    write, `python`: what runs functions there (None: Spark's own, which has no other package).
    Needs Java; Spark itself is installed into `place` on first use (some 500 MB)."""
    if which("java") is None:
        raise NoServer("Spark's own cluster needs Java: apt-get install default-jre-headless")
    own = environment("spark", place)
    if own is None:
        raise NoServer("Spark could not be installed")
    (home,) = own.parent.parent.glob("lib/python*/site-packages/pyspark")
    port = _free_port()
    told = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": scratch,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 4,
    }
    options = [word for key, value in told.items() for word in ("--conf", f"{key}={value}")]
    master = ["--master", f"local-cluster[{executors},1,1024]"]
    started = subprocess.Popen(
        [home / "bin" / "spark-submit", *master, *options, "--class", _CLASS],
        cwd=scratch,
        env=os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": str(python or own)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(started, port)
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(started.pid, signal.SIGKILL)  # its executors, too
        started.wait()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def _wait(started, port):
    "Until somebody answers."
    end = time.monotonic() + SECONDS
    while started.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise NoServer(f"Spark's own cluster did not answer within {SECONDS} seconds")
