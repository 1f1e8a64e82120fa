"""What an event and what a day of a model cost, from which the page about many machines reckons a
day of a billion predictions: bytes, rows of the catalog, CPU of each step.

A model with six weeks behind it gets one more day: a short one and a long one of which nobody is
called, and the long one with a twentieth of its events called. The first two differ by what events
cost, the last two by what calls cost; the rest is what a day costs whatever it holds. Twenty
features, ids that grow with time, every label a day later.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.common import arguments, cpu, figure, folder, print_error
from bench.load import DAYS, MODEL, begun, log_labels, log_predictions, made, night


class Cost(NamedTuple):
    "What one more day took: CPU seconds, bytes, rows of the catalog."

    spool_s: float
    ingest_s: float
    labels_s: float
    figures_s: float
    reports_s: float
    segment_bytes: int
    prediction_bytes: int
    label_bytes: int
    files: int
    catalog_rows: int
    snapshot_bytes: int
    publish_s: float


def timed(work) -> float:
    "CPU seconds of something."
    before = cpu()
    work()
    return cpu() - before


def lived(data: Path, per_day: int, called: float) -> Cost:
    "The next day of a log with a share of its events called, from the service to the pages."
    from aiops_wb.log.catalog import open_snapshot
    from aiops_wb.log.ingest import ingest
    from aiops_wb.log.store import open_store
    from aiops_wb.models.registry import load

    rows_before, _ = catalog(data)
    with open_snapshot(data) as reader:
        version = load(reader, MODEL, "v1")
    rows = made(np.random.default_rng(2), [DAYS], per_day)
    score = version.score(rows.features)
    points = np.sort(version.grid.quantise(score))
    threshold = int(points[int(per_day * (1 - called))]) if called else int(points[-1]) + 1
    spool_s = timed(lambda: log_predictions(data / "spool", rows, score, "v1", threshold=threshold))
    segments = bytes_of(data / "spool")

    def take_in(days):
        with open_store(data, "bench") as store:
            ingest(store, night(days), "bench")
            store.publish()

    ingest_s = timed(lambda: take_in(DAYS + 1))
    figures_s = timed(lambda: morning(data, DAYS + 1, "none"))  # and cases of what was called
    log_labels(data / "spool", rows)
    labels_s = timed(lambda: take_in(DAYS + 2))
    reports_s = timed(lambda: morning(data, DAYS + 2, "last"))
    rows, files = catalog(data)
    of_day = [one for one in files if str(one.day) == str(night(DAYS).date())]
    size = {kind: sum(f.bytes for f in of_day if f.kind == kind) for kind in KINDS}
    with open_store(data, "bench") as store:
        publish_s = timed(lambda: store.publish())
    snapshot = (data / "aiops.duckdb").resolve().stat().st_size
    return Cost(
        *(spool_s, ingest_s, labels_s, figures_s, reports_s),
        *(segments, size["predictions"], size["outcomes"], len(of_day)),
        *(rows - rows_before, snapshot, publish_s),
    )


KINDS = ("predictions", "outcomes")


def morning(data, days, show):
    "The figures of the day, or its six reports as well, on the morning after so many days."
    from aiops_wb.config import Settings
    from aiops_wb.daily import run

    settings = Settings(data=data, complete_share=1, report_timeout=3600)
    of = {"models": [MODEL], "days": [night(DAYS).date()], "show": show}
    ran = run(data, data / "reports", night(days), settings, **of)
    assert ran.exit_code == 0, ran


def catalog(data):
    "Rows of all tables of a published log, and its day files."
    from aiops_wb.log.catalog import open_snapshot

    with open_snapshot(data) as reader:
        tables = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        names = [name for (name,) in reader._rows(tables)]
        rows = sum(reader._value(f'SELECT count(*) FROM "{name}"') for name in names)
        return rows, reader.day_files()


def bytes_of(folder: Path) -> int:
    "Bytes of the files below a folder."
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    quick = arguments(__doc__).quick
    short, long, share = (20_000, 60_000, 0.05) if quick else (200_000, 1_000_000, 0.05)
    root = folder()
    print_error("a model with a version, its days and figures")
    begun(root / "begun", np.random.default_rng(0))
    costs = {}
    for of in ((short, 0), (short, 0), (long, 0), (long, share)):  # the first imports for all
        print_error(f"a day of {of[0]:,} events, {of[1]:.0%} of them called")
        copy = shutil.copytree(root / "begun", root / "copy", symlinks=True)
        costs[of] = lived(copy, *of)
        shutil.rmtree(copy)
    days = costs[short, 0], costs[long, 0], costs[long, share]
    for name, few, many, called in zip(Cost._fields, *days):
        unit = "CPU s" if name.endswith("_s") else "bytes" if name.endswith("bytes") else "rows"
        each = (many - few) / (long - short)
        for what, cost in (
            ("events", 1e6 * each),
            ("calls", 1e6 * (called - many) / (share * long)),
            ("day", few - each * short),
        ):
            told = "absolute: " + ("a day of a model" if what == "day" else f"a million {what}")
            figure(f"billion_{name}_{what}", cost, 0, unit, long, told)


if __name__ == "__main__":
    main()
