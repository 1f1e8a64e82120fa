"""Ask a scoring service so many times a second, an empty endpoint of it between, while a night runs
at the lowest priority; kill its processes meanwhile; then hold every answer against the log.

    python tests/asked.py SECONDS KILLS [PER_SECOND]

It prints a JSON object: how long answers took, in ms, and what became of the events.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from aiops_wb.api.server import listening
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from aiops_wb.service.workers import Workers

ROOT = Path(__file__).parent.parent
MODEL, FEATURES = "live", [f"x{i}" for i in range(10)]
FIRST, DAYS = date(2026, 1, 5), 20
FLUSH = 1.0
SLACK = 0.5
"Seconds beyond `FLUSH` that the write itself may take on a machine that does much else."
EMPTY = 5
"Every so many requests one is of the empty endpoint."
NIGHT = """
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import run
data, first, days = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3])
settings = Settings(data=data, reports=data / "reports", complete_share=1, config="no file")
print("begins", flush=True)
while True:
    for i in range(days):
        day = first + timedelta(i)
        now = datetime.fromisoformat(f"{day + timedelta(1)}T02:00:00+00:00")
        run(data, data / "reports", now, settings, days=[day], show="all")
"""


def made(n, seed):
    "Made events: ten features, a label by three of them."
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, len(FEATURES))), columns=FEATURES)
    logit = 2 * x.x0 - x.x1 + x.x2 * x.x3 - 1
    return x, logit, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


def world(data: Path, rounds: int = 200, per_day: int = 300) -> None:
    "A log of some days with labels, and a champion of some trees, published."
    x, logit, label = made(20_000, 0)
    learned = x.rename(columns=lambda c: f"feature:{c}").assign(label=label)
    learned["event_date"] = pd.to_datetime(FIRST) - pd.to_timedelta(np.arange(20_000) % 60, "D")
    x, logit, label = made(DAYS * per_day, 1)
    at = pd.Timestamp(FIRST, tz="UTC") + pd.to_timedelta(np.arange(len(x)) * 86_400 // per_day, "s")
    ids, score = [f"past-{i:06d}" for i in range(len(x))], 1 / (1 + np.exp(-logit))
    then = datetime(2026, 1, 4, tzinfo=UTC)
    with open_store(data, "test", "UTC") as store:
        register(store, *train(learned, MODEL, "v1", rounds=rounds, holdout=0.3), then, "test")
        store.promote(then, "test", MODEL, "v1", "first")
        with PredictionLogger(data / "spool", MODEL, "v1", threshold=405, sigterm=False) as log:
            log.log(score, pd.Series(at), prediction_id=ids, features=x)
        with OutcomeLogger(data / "spool", "test", sigterm=False) as log:
            log.log(ids, label, pd.Series(at + pd.Timedelta("2h")))
        ingest(store, datetime(2026, 2, 1, tzinfo=UTC), "test")
        store.publish()


class Answer(NamedTuple):
    "What became of a request: when it was sent and answered (time.time), and what was said."

    id: str | None  # None: of the empty endpoint
    sent: float
    took: float
    status: int  # 0: the connection broke
    logged: str | None


class _Wire(asyncio.Protocol):
    "One connection, one request at a time: no client library takes part of the time."

    def __init__(self):
        self.read, self.waiting, self.open = b"", None, True

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.read += data
        head, found, body = self.read.partition(b"\r\n\r\n")
        if not found:
            return
        size = next(
            (int(h[15:]) for h in head.split(b"\r\n") if h[:15].lower() == b"content-length:"), 0
        )
        if len(body) >= size and self.waiting is not None:
            self.read = body[size:]
            waiting, self.waiting = self.waiting, None
            waiting.set_result((int(head[9:12]), body[:size]))

    def connection_lost(self, error):
        self.open = False
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.set_result((0, b""))

    def send(self, request):
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiting


@dataclass
class Asking:
    "Requests at an even pace, whatever becomes of those before."

    port: int
    per_second: float
    seconds: float

    async def all(self) -> list[Answer]:
        "Ask for as long as it takes; answers in the order in which they came."
        self.free, self.answers = [], []
        rows, _, _ = made(500, 2)
        bodies = [json.dumps(row) for row in rows.round(4).to_dict("records")]
        begun, tasks = time.perf_counter(), set()
        for i in range(int(self.per_second * self.seconds)):
            wait = begun + i / self.per_second - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.add(task := asyncio.create_task(self._one(i, bodies[i % 500])))
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        for wire in self.free:
            wire.transport.close()
        return self.answers

    async def _one(self, i, features):
        named = None if i % EMPTY == 0 else f"asked-{i:07d}"
        body = f'{{"features": {features}, "prediction_id": "{named}"}}' if named else ""
        line = (
            f"POST /score HTTP/1.1\r\ncontent-length: {len(body)}"
            if named
            else "GET /alive HTTP/1.1"
        )
        request = f"{line}\r\nhost: 127.0.0.1\r\n\r\n{body}".encode()
        sent, before = time.time(), time.perf_counter()
        try:
            wire = await self._wire()
            before = time.perf_counter()
            status, told = await asyncio.wait_for(wire.send(request), 30)
        except (OSError, TimeoutError):
            status, told = 0, b""
        else:
            if wire.open:
                self.free.append(wire)
        took = time.perf_counter() - before
        logged = json.loads(told)["logged"] if named and status == 200 else None
        self.answers.append(Answer(named, sent, took, status, logged))

    async def _wire(self):
        while self.free:
            wire = self.free.pop()
            if wire.open:
                return wire
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(_Wire, "127.0.0.1", self.port)
        return wire


@contextmanager
def night(data: Path) -> Iterator[None]:
    "Meanwhile mornings are run one after the other, at the lowest priority."
    words = [sys.executable, "-c", NIGHT, str(data), str(FIRST), str(DAYS)]
    path = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        ["nice", "-n", "19", *words], env=path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        process.stdout.readline()
        try:
            yield
            assert process.poll() is None, "the night ended"
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def service(data: Path, workers: int) -> Iterator[tuple[Workers, int]]:
    "Meanwhile processes serve, watched as the command does it; and the port."
    told = {"data": str(data), "config": None, "model": MODEL, "who": "test", "host": "127.0.0.1"}
    told |= {"most_waiting": 128, "flush_seconds": FLUSH, "segment_seconds": 60.0}
    with listening("127.0.0.1", 0) as at:
        house, ended = Workers(at, workers, told, 50), []
        house.start()
        watch = threading.Thread(target=lambda: ended.append(house.run()))
        watch.start()
        try:
            yield house, at.getsockname()[1]
        finally:
            house.stop()
            watch.join()
        assert ended == [0], "a process did not end in order"


def killing(house: Workers, kills: int, seconds: float, killed: list[float]) -> None:
    "Kill a process now and then, where one is there, and say when."
    dice = random.Random(0)
    for _ in range(kills):
        time.sleep(seconds / (kills + 1) * dice.uniform(0.8, 1.1))
        if there := list(house.pids):
            os.kill(dice.choice(there), signal.SIGKILL)
            killed.append(time.time())


def asked(data: Path, seconds: float, kills: int, per_second: float, workers: int = 2) -> dict:
    "Ask, kill, and count: the log against the answers."
    killed: list[float] = []
    with service(data, workers) as (house, port):
        asyncio.run(Asking(port, per_second, 1).all())  # nobody is measured while all is warmed up
        with night(data):
            thread = threading.Thread(target=killing, args=(house, kills, seconds, killed))
            thread.start()
            answers = asyncio.run(Asking(port, per_second, seconds).all())
            thread.join()
    return _took(answers) | _counted(data, answers, killed)


def _took(answers):
    "Milliseconds of answers: of events, and of the empty endpoint."
    told = {}
    for name, of in (("score", True), ("empty", False)):
        took = [
            1000 * a.took for a in answers if (a.id is not None) == of and a.status in (200, 204)
        ]
        told |= {f"{name}_p50": np.median(took), f"{name}_p99": np.percentile(took, 99)}
    return {name: round(float(ms), 3) for name, ms in told.items()}


def _counted(data, answers, killed):
    "Every event that was said to be logged, looked for in the log; and what is there twice."
    with open_store(data, "test") as store:
        ingest(store, datetime.now(UTC) + timedelta(1), "test")
        store.publish()
    with open_snapshot(data) as reader:
        rows = reader.con.execute(
            "SELECT prediction_id, count(*) FROM predictions WHERE prediction_id LIKE 'asked-%' "
            "GROUP BY 1"
        ).fetchall()
    there = Counter(dict(rows))
    events = [a for a in answers if a.id is not None]
    gone = [a for a in events if a.logged == "yes" and a.id not in there]
    excused = [a for a in gone if any(-SLACK < k - a.sent - a.took < FLUSH + SLACK for k in killed)]
    codes = Counter(a.status for a in events)
    return {
        "asked": len(events),
        "answered": codes[200],
        "refused": codes[429],
        "broken": codes[0],
        "other": len(events) - codes[200] - codes[429] - codes[0],
        "logged": sum(a.logged == "yes" for a in events),
        "in_the_log": len(there),
        "kills": len(killed),
        "in_memory": len(excused),
        "lost": len(gone) - len(excused),
        "double": sum(n > 1 for n in there.values()),
    }


def main() -> None:
    "As the text above says."
    seconds, kills = float(sys.argv[1]), int(sys.argv[2])
    per_second = float(sys.argv[3]) if len(sys.argv) > 3 else 500.0
    with tempfile.TemporaryDirectory() as root:
        world(Path(root) / "data")
        print(json.dumps(asked(Path(root) / "data", seconds, kills, per_second)))


if __name__ == "__main__":
    main()
