"""A thousand kills over all commands: nothing lost, nothing twice, nothing half done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROCESSES, KILLS = 2, 500


@pytest.mark.slow
def test_a_thousand_kills_lose_nothing_double_nothing_and_leave_nothing_half_done():
    script = Path(__file__).with_name("kills.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = [[sys.executable, script, str(KILLS), f"slow {n}"] for n in range(PROCESSES)]
    running = [
        subprocess.Popen(
            w, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for w in words
    ]
    told = [process.communicate() for process in running]
    for process, (out, err) in zip(running, told):
        lines = [json.loads(line) for line in out.splitlines()]
        assert lines, err
        wrong = [line for line in lines[:-1] if line["differences"]]
        assert process.returncode == 0 and not wrong, (wrong, err)
        # a kill that comes when its command is done is none: a few more are tried, not for ever
        assert lines[-1]["kills"] >= 0.9 * KILLS, lines[-1]
        assert not any(lines[-1][key] for key in ("lost", "double", "half"))
