"""A morning's six reports, and ten days replayed without any, against one bare papermill run of a
notebook with nothing in it.
"""

import json
import shutil
import subprocess
import sys
from datetime import timedelta

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
root, day = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
at = datetime.fromisoformat(sys.argv[3])
data = root / "data"
jobs = report_jobs(data, root / "reports", day, "late-at-departure", at, Settings(data=data))
results = run_jobs(jobs)
assert all(r.state == "ok" for r in results), results
print(json.dumps([[r.name, r.cpu] for r in results]))
"""
KEPT = """
import sys
from datetime import date, datetime
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import QUESTIONS, compute
from aiops_wb.log.store import open_store
data, day = Path(sys.argv[1]) / "data", date.fromisoformat(sys.argv[2])
at, settings = datetime.fromisoformat(sys.argv[3]), Settings(data=Path(sys.argv[1]) / "data")
with open_store(data, "bench") as store:
    for _ in range(6):  # earlier mornings have explained their days
        told = compute(store, day, "late-at-departure", at, settings, "bench", then=QUESTIONS)
        assert told.state == "ok", told
    store.publish()
"""
REPLAY = """
import sys
from datetime import date
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.examples.demo import demo
root, rounds = Path(sys.argv[1]), int(sys.argv[3])
asked = {"until": date.fromisoformat(sys.argv[2]), "report_days": 0, "rounds": rounds}
demo(root / "data", root / "reports", Settings(data=root / "data"), **asked)
"""
COMMAND = """
import sys
from aiops_wb.cli import main
sys.exit(main())
"""


def python(*arguments) -> str:
    "What a Python process of its own prints."
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def demo(root, until) -> None:
    "`aiops-wb demo` to a day, without reports."
    folders = ("--data", root / "data", "--reports-dir", root / "reports")
    python("-c", COMMAND, "demo", *folders, "--until", until, "--report-days", "0")


def main():
    from aiops_wb.examples.stories import STORIES

    quick, story, root = arguments(__doc__).quick, STORIES["flights"], folder()
    days, rounds = (2, 20) if quick else (10, 200)
    last = story.live + timedelta(days) if quick else story.until
    first, whole, copy = root / "first", root / "whole", root / "copy"
    print_error("a log with its first models and one replayed day, and one to the last day")
    python("-c", REPLAY, first, story.live, rounds)
    shutil.copytree(first, whole, symlinks=True)
    demo(whole, last)
    at = story.night(last).isoformat()
    python("-c", KEPT, whole, last, at)  # what a morning keeps for its reports beside the figures
    (root / "empty.ipynb").write_text(json.dumps(EMPTY))
    split = []

    def replay():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(first, copy, symlinks=True)
        demo(copy, story.live + timedelta(days))

    def reports():
        split.append(json.loads(python("-c", REPORTS, whole, last, at)))

    def imports():
        python("-c", "from aiops_wb.render.engine import _preload; _preload()")

    def bare():
        quiet = ("--no-progress-bar", "--log-level", "ERROR")
        python("-m", "papermill", *quiet, root / "empty.ipynb", root / "out.ipynb")

    a, b, c, d = interleaved(reports, bare, imports, replay, runs=2 if quick else 5)
    execute, render = (sum(cpu[part] for _, cpu in split[-1]) for part in ("execute", "render"))
    print_error(
        f"six reports {a:.2f} CPU s: imports {c:.2f}, queries and figures {execute:.2f}, "
        f"rendering {render:.2f}; bare papermill {b:.2f}; {days} days {d:.2f}"
    )
    figure(
        "daily_vs_papermill",
        a - execute,
        b,
        "CPU s",
        6,
        "papermill on an empty notebook; ours is what six reports cost beside their own "
        f"queries and figures ({execute:.2f} s)",
    )
    figure(
        "morning_vs_papermill",
        a,
        b,
        "CPU s",
        6,
        f"the same; ours is all of six reports of {last}, with queries and drawings",
    )
    figure(
        "demo_vs_papermill",
        d * 10 / days,
        b,
        "CPU s",
        10,
        "the same; ours is `aiops-wb demo` over ten more days of two models, flights read and "
        "libraries imported, without reports; history and training are made beforehand"
        + (f" (measured on {days} days, scaled)" if quick else ""),
    )


if __name__ == "__main__":
    main()
