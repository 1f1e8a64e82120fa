"""Stopped at a rename, an fsync, a removal or a statement, and given again: as if never stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stops import COMMANDS

# every how many places: a spread of each command within some seconds
STEP = {"ingest": 17, "daily": 37, "train": 7, "send": 31, "retrain": 13}
LONG = {"reports", "retrain"}


def trials(name, step):
    script = Path(__file__).with_name("stops.py")
    done = subprocess.run(
        [sys.executable, script, name, str(step)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - LONG))
def test_a_command_that_was_stopped_somewhere_ends_like_a_calm_one(name):
    told = trials(name, STEP.get(name, 6))
    assert told["tried"] >= 2 and not told["differences"], told["differences"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_was_stopped_anywhere_ends_like_a_calm_one(name):
    told = trials(name, 1)
    assert told["tried"] == told["places"] > 10 and not told["differences"], told["differences"]
