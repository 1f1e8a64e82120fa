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
LONG = {"calendar", "calibrate", "promote", "reports", "retrain", "rollback", "send", "set"}
"Commands that take long, or whose places are like those of others."
KILLS = {"logger": 60, "ingest": 60, "damaged": 30, "daily": 40, "reports": 30, "train": 40}


def trials(name, stops, kills):
    script = Path(__file__).with_name("stops.py")
    done = subprocess.run(
        [sys.executable, script, name, str(stops), str(kills)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"OMP_NUM_THREADS": "1"},  # two trainings at once would wait for each other
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LONG])
def test_a_command_that_was_stopped_somewhere_ends_like_a_calm_one(name):
    told = trials(name, 2, 1 if name in ("logger", "ingest", "daily") else 0)
    assert told["tried"] == 2 and not told["differences"], told["differences"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_was_stopped_anywhere_ends_like_a_calm_one(name):
    told = trials(name, 0, KILLS.get(name, 3))
    assert told["tried"] == told["places"] > 10 and not told["differences"], told["differences"]
