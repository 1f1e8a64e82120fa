"""Kills at random moments of every command that writes, and what they left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FAST = "acknowledge,approve,calendar,dial,ingest,set"
"Commands whose trials take well under a second: what fits into the minute of --quick."


def killed(kills, names=""):
    "The sums of `tests/kills.py`: kills that met a command, rows lost or double, acts half done."
    words = [sys.executable, ROOT / "tests" / "kills.py", str(kills), "figure"]
    done = subprocess.run(
        [*words, *([names] if names else [])],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    if not done.stdout:
        raise RuntimeError(f"the kills could not be tried: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
