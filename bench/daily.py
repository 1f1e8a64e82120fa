"""Six report notebooks of one day, against one bare papermill run of a notebook with nothing in it."""

import json
import subprocess
import sys
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bench.common import arguments, figure, folder, interleaved, print_error

EMPTY = {
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["parameters"]},
            "source": "x = 1",
            "outputs": [],
            "execution_count": None,
        }
    ],
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}
REPORTS = """
import json, sys
from datetime import date, datetime
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import report_jobs
from aiops_wb.render.engine import run_jobs
root, day, at = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
outcomes = run_jobs(report_jobs(root / "data", root / "reports", day, "late-at-departure", at, Settings(data=root / "data")))
assert all(o.state == "ok" for o in outcomes), outcomes
print(json.dumps([[o.name, o.cpu] for o in outcomes]))
"""


def main():
    from aiops_wb.config import Settings
    from aiops_wb.examples.demo import demo

    quick = arguments(__doc__).quick
    root, day = folder(), date(2013, 4, 2 if quick else 10)
    demo(
        root / "data",
        root / "reports",
        Settings(data=root / "data"),
        until=day,
        report_days=1,
        rounds=20,
        say=print_error,
    )
    at = datetime.combine(
        day + timedelta(1), datetime.min.time(), ZoneInfo("America/New_York")
    ).replace(hour=2)
    (root / "empty.ipynb").write_text(json.dumps(EMPTY))
    split = []

    def ours():
        done = subprocess.run(
            [sys.executable, "-c", REPORTS, str(root), str(day), at.isoformat()],
            check=True,
            capture_output=True,
            text=True,
        )
        split.append(json.loads(done.stdout.splitlines()[-1]))

    def imports():
        subprocess.run(
            [sys.executable, "-c", "from aiops_wb.render.engine import _preload; _preload()"],
            check=True,
        )

    def bare():
        subprocess.run(
            [
                sys.executable,
                "-m",
                "papermill",
                "--no-progress-bar",
                str(root / "empty.ipynb"),
                str(root / "out.ipynb"),
            ],
            check=True,
            capture_output=True,
        )

    a, b, c = interleaved(ours, bare, imports, runs=3 if quick else 5)
    execute, render = (sum(cpu[part] for _, cpu in split[-1]) for part in ("execute", "render"))
    print_error(
        f"six reports {a:.2f} CPU s: imports {c:.2f}, queries and figures {execute:.2f}, rendering {render:.2f}; bare papermill {b:.2f}"
    )
    figure(
        "daily_vs_papermill",
        a - execute,
        b,
        "CPU s",
        6,
        f"papermill on an empty notebook; ours is what six reports cost beside their own queries and figures ({execute:.2f} s)",
    )


if __name__ == "__main__":
    main()
