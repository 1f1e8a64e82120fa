"""A log of many files, and of long days: what a morning of one model costs beside 8,000 day files
against 500, and the memory that a morning with reports, and an ingest, take at 2M rows a day.
"""

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from bench.common import arguments, cpu, figure, folder, print_error

MODEL, FEATURES = "risk", [f"x{i:02d}" for i in range(20)]
FIRST = pd.Timestamp("2026-01-05", tz="UTC")
DAYS, PER_DAY = 45, 400
OTHERS = 20  # models that fill the log
LIMIT = 1024  # MB that an ingest may take
MORNING = """
import sys
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import run
from bench.load import DAYS, MODEL, night
data = Path(sys.argv[1])
settings = Settings(data=data, reports=data / "reports", complete_share=1, report_timeout=3600)
ran = run(data, data / "reports", night(DAYS + 1), settings, models=[MODEL], show="last")
assert ran.exit_code == 0 and len(ran.reports) == 6, ran
"""
INGEST = """
import sys
from pathlib import Path
from aiops_wb.log.ingest import ingest
from aiops_wb.log.store import open_store
from bench.load import DAYS, night
with open_store(Path(sys.argv[1]), "bench") as store:
    taken = ingest(store, night(DAYS + 1), "bench")
    assert taken.loaded == int(sys.argv[2]), taken
    store.publish()
"""


class Rows(NamedTuple):
    "Made events of some days: ids, times, features, and labels with known log-odds."

    ids: np.ndarray
    at: pd.Series
    features: pd.DataFrame
    label: np.ndarray


def made(rng, days, per_day) -> Rows:
    "Events of days (from the first), in the order of their times; some 16 % are positive."
    day = np.repeat(np.asarray(days), per_day)
    seconds = np.sort(rng.integers(0, 86_400, (len(days), per_day)), axis=1).ravel()
    at = FIRST + pd.to_timedelta(day, unit="D") + pd.to_timedelta(seconds, unit="s")
    x = rng.standard_normal((len(day), len(FEATURES)))
    label = rng.random(len(day)) < expit(1.5 * x[:, 0] + x[:, 1] - 0.7 * x[:, 2] - 2)
    place = np.arange(len(day)) % per_day
    ids = np.array([f"{d:04d}-{i:09d}" for d, i in zip(day, place)], dtype=object)
    return Rows(ids, pd.Series(at), pd.DataFrame(x, columns=FEATURES), label.astype(int))


def log_predictions(spool, rows: Rows, score, version, threshold=405, segment=20_000) -> None:
    "Events as a scoring service logs them, in segments."
    from aiops_wb.log.spool import PredictionLogger

    with PredictionLogger(
        spool, MODEL, version, threshold=threshold, flush_rows=segment, flush_seconds=None
    ) as log:
        for start in range(0, len(rows.ids), segment):
            part = slice(start, start + segment)
            log.log(
                score[part],
                rows.at[part],
                prediction_id=rows.ids[part],
                entity_id=rows.ids[part],
                site_id=np.char.add("s", (np.arange(len(rows.ids[part])) % 50).astype(str)),
                features=rows.features[part],
                latency_ms=2.0,
            )


def log_labels(spool, rows: Rows, delay=1) -> None:
    "The labels of events, a day after each."
    from aiops_wb.log.spool import OutcomeLogger

    with OutcomeLogger(spool, "bench", flush_rows=200_000, flush_seconds=None) as log:
        log.log(rows.ids, rows.label, rows.at + pd.Timedelta(delay, unit="D"), predicted_at=rows.at)


def night(days) -> datetime:
    "The morning after so many days of the log."
    return (FIRST + pd.Timedelta(days, unit="D") + timedelta(hours=3)).to_pydatetime()


def begun(data, rng) -> None:
    "A model with a version that was trained here, and its first days with labels and figures."
    from aiops_wb.config import Settings
    from aiops_wb.daily import run
    from aiops_wb.log.ingest import ingest
    from aiops_wb.log.store import open_store
    from aiops_wb.models.registry import register
    from aiops_wb.models.training import train

    rows = made(rng, range(DAYS), PER_DAY)
    learned = rows.features.add_prefix("feature:").assign(
        label=rows.label, event_date=rows.at.dt.tz_localize(None).dt.normalize()
    )
    version, held_out = train(learned[: 30 * PER_DAY], MODEL, "v1", rounds=60)
    score = version.score(rows.features)
    at = night(DAYS)
    with open_store(data, "bench") as store:
        register(store, version, held_out, at - timedelta(DAYS), "bench")
        store.activate(at - timedelta(DAYS), "bench", MODEL, "v1", "first")
        log_predictions(data / "spool", rows, score, "v1", segment=PER_DAY)
        log_labels(data / "spool", rows)
        taken = ingest(store, at, "bench")
        assert taken.loaded == 2 * len(rows.ids), taken
    run(data, data / "reports", at, Settings(data=data, complete_share=1), show="none")


def others(data, files) -> None:
    "So many day files of other models, with two events each, taken in and looked through once."
    from aiops_wb.config import Settings
    from aiops_wb.daily import hand_on
    from aiops_wb.log.spool import PredictionLogger

    days, rng = files // OTHERS, np.random.default_rng(1)
    back = np.repeat(np.arange(days), 2)
    last = FIRST + pd.Timedelta(DAYS - 1, unit="D")
    at = pd.Series(last - pd.to_timedelta(back, unit="D") + pd.Timedelta(9, unit="h"))
    for m in range(OTHERS):
        with PredictionLogger(
            data / "spool", f"other-{m:02d}", "v1", threshold=0, flush_seconds=None
        ) as log:
            log.log(
                rng.random(len(at)),
                at,
                prediction_id=[f"o{m:02d}-{i:08d}" for i in range(len(at))],
                features=pd.DataFrame(rng.normal(size=(len(at), 4)), columns=list("abcd")),
            )
    assert hand_on(data, night(DAYS), Settings(data=data), "bench")


def new_day(data, per_day) -> int:
    "The next day of the model, in the spool; how many events."
    from aiops_wb.log.catalog import open_snapshot
    from aiops_wb.models.registry import load

    with open_snapshot(data) as reader:
        version = load(reader, MODEL, "v1")
    rows = made(np.random.default_rng(2), [DAYS], per_day)
    log_predictions(data / "spool", rows, version.score(rows.features), "v1")
    return per_day


def mornings(begun_here, root, files, runs) -> list[float]:
    "Median CPU seconds of the same morning with so many files of others, in turn."
    logs = []
    for n in files:
        logs.append(shutil.copytree(begun_here, root / f"log{n}", symlinks=True))
        others(logs[-1], n)
        new_day(logs[-1], PER_DAY)
    taken = {log: [] for log in logs}
    for _ in range(runs):
        for log in logs:
            copy = shutil.copytree(log, root / "copy", symlinks=True)
            before = cpu()
            subprocess.run([sys.executable, "-c", MORNING, copy], check=True)
            taken[log].append(cpu() - before)
            shutil.rmtree(copy)
    return [float(np.median(taken[log])) for log in logs]


def _family(process) -> list[int]:
    "A process and all below it."
    found = [process]
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            children = Path(f"/proc/{process}/task/{thread}/children").read_text().split()
            found += [one for child in children for one in _family(int(child))]
    except OSError:  # it has ended
        pass
    return found


def _own(process) -> int:
    "kB that a process holds, its share of what it holds with others."
    try:
        told = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in told if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def peak_together(code, *arguments) -> float:
    "MB that a Python process and all that it starts hold at once at most, looked at often."
    most, running = 0, subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])
    while running.poll() is None:
        most = max(most, sum(map(_own, _family(running.pid))))
        time.sleep(0.02)
    assert running.returncode == 0
    return most / 1024


def main():
    from aiops_wb.log.reading import half_of_the_machine

    quick, root = arguments(__doc__).quick, folder()
    few, many, runs, rows = (100, 800, 1, 40_000) if quick else (500, 8_000, 5, 2_000_000)
    print_error("a model with a version, its days and figures")
    data = root / "begun"
    begun(data, np.random.default_rng(0))
    a, b = mornings(data, root, (many, few), runs)
    against = f"the same morning, six reports, with {few:,} day files in the log; ours {many:,}"
    figure("files_8000_vs_500", a, b, "CPU s", PER_DAY, against)
    of_day = f"a day of {rows:,} events with 20 features, a tenth of them called"
    new_day(data, rows)
    taken = peak_together(INGEST, data, rows)
    figure("ingest_peak_mb_2m", taken, LIMIT, "MB", rows, f"1 GB; {of_day}")
    lived = peak_together(MORNING, data)
    half = f"memory_limit, half of the machine's, of all processes at once; {of_day}"
    figure("daily_peak_mb_2m", lived, half_of_the_machine(), "MB", rows, half)


if __name__ == "__main__":
    main()
