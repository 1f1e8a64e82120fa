"""Kill a consumer at random moments while others write events, some of them twice, some of them
corrected, some of them nothing that a log could take; then hold the log against what was written.

    python tests/consumed.py redis|file|kafka KILLS [SEED]

It prints a JSON object: how many kills met the consumer at work, and what is otherwise.
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from stops import forked
from streamed import FAST, kafka_broker, log_of, redis_server, take_in

from aiops_wb.cli import main as command

LOADED = ("aiops_wb.cli.consume", "aiops_wb.streams.redis_source", "aiops_wb.log.segment")
"What a consumer loads before it works: no kill meets it there."
ROOT = Path(__file__).parent.parent
BATCH, EACH = 7, 60
"Events that are confirmed together, and those that are written for each kill."


@dataclass
class Written:
    "What was written, and what has to come of it, counted as it is written."

    dice: random.Random
    predictions: dict[str, float] = field(default_factory=dict)
    outcomes: set[tuple] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def next(self) -> str:
        "An event: new, written before, a label, its correction, or none."
        drawn, n = self.dice.random(), len(self.predictions)
        if drawn < 0.15 and self.texts:
            return self.dice.choice(self.texts)
        if drawn < 0.25:
            text = f"nonsense {len(self.texts)}"
            self.bad.add(text)
        elif drawn < 0.55 and n:
            name, second = f"p{self.dice.randrange(n):05d}", self.dice.randrange(50)
            label, at = self.dice.randrange(2), f"2026-03-02T10:00:{second:02d}+00:00"
            self.outcomes.add((name, label, at))
            text = json.dumps({"prediction_id": name, "label": label, "observed_at": at})
        else:
            name, score = f"p{n:05d}", round(self.dice.random(), 6)
            self.predictions[name] = score
            row = {"model": self.dice.choice("ab"), "version": "v1", "prediction_id": name}
            row |= {"score": score, "predicted_at": "2026-03-01T10:00:00Z", "x": n}
            if self.dice.random() < 0.3:
                row["threshold"] = 0.6
            envelope = {"specversion": "1.0", "id": name, "source": "/s", "type": "t", "data": row}
            text = json.dumps(self.dice.choice([row, envelope]))
        self.texts.append(text)
        return text

    def differences(self, found: dict[str, list]) -> list[str]:
        "What the log has too much, too little or otherwise."
        wrong = []
        have = [(row[0], row[3]) for row in found["predictions"]]
        labels = [(row[0], row[2], row[3].isoformat()) for row in found["outcomes"]]
        raw = [row[2] for row in found["quarantine"]]
        for what, is_there, is_right in (
            ("predictions", have, self.predictions.items()),
            ("outcomes", labels, self.outcomes),
            ("quarantine", raw, self.bad),
        ):
            for one in sorted({*is_there, *is_right}, key=repr):
                times, wanted = is_there.count(one), int(one in set(is_right))
                if times != wanted:
                    wrong.append(f"{what}: {one} {times} times, not {wanted}")
        return wrong


@contextmanager
def of_file(folder: Path) -> Iterator[tuple[str, Callable[[list[str]], None]]]:
    "A file that grows, and is renamed and begun anew now and then."
    path, rotated = folder / "events.jsonl", []
    kept = folder / "data" / "consumed"

    def is_known():
        return any(
            json.loads(p.read_text())["inode"] == path.stat().st_ino for p in kept.glob("*.json")
        )

    def write(texts):
        for text in texts:  # a line is written in two parts, as it may reach the disk
            with path.open("a") as file:
                file.write(text[:5])
                file.flush()
                file.write(f"{text[5:]}\n")
        if path.stat().st_size > 20_000 and is_known():
            rotated.append(path.rename(folder / f"events.jsonl.{len(rotated)}"))
            path.touch()

    path.touch()
    yield f"file:{path}", write


@contextmanager
def of_redis(folder: Path) -> Iterator[tuple[str, Callable[[list[str]], None]]]:
    "A stream."
    import redis

    with redis_server(folder) as port, redis.Redis(port=port) as client:

        def write(texts):
            for text in texts:
                client.xadd("ev", {"event": text})

        yield f"redis://127.0.0.1:{port}/0?stream=ev&consumer=one", write


@contextmanager
def of_kafka(folder: Path) -> Iterator[tuple[str, Callable[[list[str]], None]]]:
    "A topic of four partitions."
    with kafka_broker() as (producer, at):

        def write(texts):
            for text in texts:
                producer.produce("ev", text.encode())
            assert producer.flush(20) == 0

        yield f"kafka://{at}?topic=ev&{FAST}", write


SOURCES = {"file": of_file, "redis": of_redis, "kafka": of_kafka}


def words(address, data):
    return ["consume", address, "--data", str(data), "-q", "--batch", str(BATCH)]


def killed_fork(address, data, after):
    "Run the command in a fork and kill it; whether that met it at work."
    return forked(lambda: command(words(address, data)), after)[0] == -signal.SIGKILL


def killed_process(address, data, after):
    "The same in a process of its own, where the client has threads that no fork survives."
    started = subprocess.Popen(
        [sys.executable, "-m", "aiops_wb", *words(address, data)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(after)
    started.kill()
    return started.wait(20) == -signal.SIGKILL


def ended(address, data, by_fork):
    "Take what is left in peace."
    told = [*words(address, data), "--once"]
    if by_fork:
        assert forked(lambda: command(told))[1] is not None
    else:
        run = [sys.executable, "-m", "aiops_wb", *told]
        subprocess.run(run, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=200)


def trial(source: str, kills: int, seed: str = "0") -> dict:
    "So many kills; what is otherwise than was written, and how many met the consumer at work."
    dice = random.Random(f"{source} {seed}")
    written, met, by_fork = Written(dice), 0, source != "kafka"
    longest = 0.2 if by_fork else 12.0  # Kafka gives out partitions when it has missed the dead
    for module in LOADED if by_fork else ():
        import_module(module)
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name), Path(name) / "data"
        with SOURCES[source](folder) as (address, write):
            for _ in range(kills):
                write([written.next() for _ in range(EACH)])
                kill = killed_fork if by_fork else killed_process
                met += kill(address, data, dice.uniform(0, longest))
                if dice.random() < 0.2:  # while nobody consumes
                    forked(lambda: take_in(data)) if by_fork else take_in(data)
            ended(address, data, by_fork)
        assert forked(lambda: take_in(data))[0] == 0
        return {
            "source": source,
            "kills": met,
            "events": len(written.texts),
            "predictions": len(written.predictions),
            "outcomes": len(written.outcomes),
            "bad": len(written.bad),
            "differences": written.differences(log_of(data)),
        }


if __name__ == "__main__":
    told = trial(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4])
    print(json.dumps(told))
    sys.exit(bool(told["differences"]))
