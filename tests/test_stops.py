"""Stopped at a rename, an fsync, a removal or a statement, or killed at any moment, and given
again: as if never stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stops import COMMANDS

NAMES = sorted([*COMMANDS, "logger"])
LONG = {
    "accept",
    "acknowledge",
    "acts",
    "adopt",
    "approve",
    "arms",
    "assign",
    "back",
    "backed",
    "backup",
    "calendar",
    "calibrate",
    "close",
    "comment",
    "compact",
    "dial",
    "disarmed",
    "events",
    "explored",
    "features",
    "guard",
    "holidays",
    "import",
    "followed",
    "forget",
    "never",
    "new",
    "own",
    "promises",
    "promote",
    "propose",
    "putback",
    "recount",
    "reference",
    "register",
    "reject",
    "repair",
    "reports",
    "retention",
    "restore",
    "retrain",
    "rollback",
    "send",
    "set",
    "shadow",
    "sites",
    "spelling",
    "tune",
    "history",
    "train",
    "tuned",
    "undecided",
    "watch",
}
"Commands that take long, or whose places are like those of others."
KILLS = {
    "acts": 40,
    "compact": 100,
    "logger": 60,
    "ingest": 60,
    "damaged": 30,
    "daily": 40,
    "reports": 30,
    "train": 40,
}


def trials(kills, *stops):
    "What was told of each command, whose number of kills is named: one process imports for all."
    script = Path(__file__).with_name("stops.py")
    words = ",".join(f"{name}:{number}" for name, number in kills.items())
    done = subprocess.run(
        [sys.executable, script, words, *map(str, stops)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"OMP_NUM_THREADS": "1"},  # two trainings at once would wait for each other
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(kills), done.stdout + done.stderr
    return dict(zip(kills, map(json.loads, lines)))


KILLED = {"logger", "ingest", "daily"}
SHORT = [name for name in NAMES if name not in LONG]


@pytest.fixture(scope="module")
def few():
    "Two stops of each of the shorter commands, and a kill of some."
    return trials({name: int(name in KILLED) for name in SHORT}, 2)


@pytest.mark.parametrize("name", SHORT)
def test_a_command_that_was_stopped_somewhere_ends_like_a_calm_one(name, few):
    told = few[name]
    assert "failed" not in told, told["failed"]
    assert told["tried"] == 2 and not told["differences"], told["differences"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_was_stopped_anywhere_ends_like_a_calm_one(name):
    told = trials({name: KILLS.get(name, 3)})[name]
    assert "failed" not in told, told["failed"]
    assert told["tried"] == told["places"] > 10 and not told["differences"], told["differences"]
