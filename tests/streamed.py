"""Where events come from, for tests: a Redis and a Kafka of one's own; and what became of them,
read off the files of the log themselves."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from receivers import free_port

from aiops_wb.log.ingest import ingest
from aiops_wb.log.store import open_store

LATER = datetime(2026, 12, 20, tzinfo=UTC)
FAST = "session.timeout.ms=5000&heartbeat.interval.ms=200"
"How soon a member of a Kafka group that was killed is given up: the broker waits three seconds."


@contextmanager
def redis_server(folder: Path, *options: str, port: int | None = None) -> Iterator[int]:
    """A Redis, which keeps nothing on the disk unless options say so; its port. Skips where there
    is none."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    port = port or free_port()
    words = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder]
    words += ["--save", "", *options]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL) as process:
        try:
            while not _listens(port):
                assert process.poll() is None, "redis-server ended"
                time.sleep(0.02)
            yield port
        finally:
            process.kill()
            process.wait(20)


def _listens(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextmanager
def kafka_broker() -> Iterator[tuple[object, str]]:
    "A broker inside of a producer, which others reach by its address: both."
    kafka = pytest.importorskip("confluent_kafka")
    made = {"test.mock.num.brokers": 1, "bootstrap.servers": "made", "log_level": 0}
    producer = kafka.Producer(made)
    (broker,) = producer.list_topics(timeout=20).brokers.values()
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush(20)


def take_in(data: Path) -> None:
    "An ingest of what stands in the spool."
    with open_store(data, "test") as store:
        ingest(store, LATER, "test")


def log_of(data: Path) -> dict[str, list]:
    "Rows of the log and of the quarantine, sorted, each as often as it is there."
    found = {}
    for kind, columns in (
        ("predictions", "prediction_id, model, threshold, score, predicted_at, entity_id"),
        ("outcomes", "prediction_id, event_key, label, observed_at, source"),
    ):
        found[kind] = []
        for path in (data / "log" / kind).rglob("*.parquet"):
            query = f"SELECT {columns} FROM read_parquet(?)"
            found[kind] += duckdb.execute(query, [str(path)]).fetchall()
        found[kind].sort(key=repr)
    with open_store(data, "test") as store:
        quarantine = store.con.execute("SELECT kind, reason, raw FROM quarantine").fetchall()
    return found | {"quarantine": sorted(quarantine)}
