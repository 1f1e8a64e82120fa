"""What an event and what a day of a model cost, from which the page about many machines reckons a
day of a billion predictions: bytes, rows of the catalog, CPU of each step.

A model with six weeks behind it gets one more day, a short or a long one: they differ by what
events cost, and the rest is what a day costs whatever it holds. Twenty features, fifty sites, ids
that grow with time, a tenth of the events called, every label a day later.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.common import arguments, cpu, figure, folder, print_error
from bench.load import DAYS, MODEL, begun, log_labels, made, new_day, night


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
    cases: int  # of these rows
    snapshot_bytes: int
    publish_s: float


def timed(work) -> float:
    "CPU seconds of something."
    before = cpu()
    work()
    return cpu() - before


def lived(data: Path, per_day: int) -> Cost:
    "The next day of a log, from the service to the pages."
    from aiops_wb.log.ingest import ingest
    from aiops_wb.log.store import open_store

    rows_before, cases_before, _ = catalog(data)
    spool_s = timed(lambda: new_day(data, per_day))
    segments = bytes_of(data / "spool")

    def take_in(days):
        with open_store(data, "bench") as store:
            ingest(store, night(days), "bench")
            store.publish()

    ingest_s = timed(lambda: take_in(DAYS + 1))
    figures_s = timed(lambda: morning(data, DAYS + 1, "none"))  # and cases of what was called
    log_labels(data / "spool", made(np.random.default_rng(2), [DAYS], per_day))
    labels_s = timed(lambda: take_in(DAYS + 2))
    reports_s = timed(lambda: morning(data, DAYS + 2, "last"))
    rows, cases, files = catalog(data)
    of_day = [one for one in files if str(one.day) == str(night(DAYS).date())]
    size = {kind: sum(f.bytes for f in of_day if f.kind == kind) for kind in KINDS}
    with open_store(data, "bench") as store:
        publish_s = timed(lambda: store.publish())
    snapshot = (data / "aiops.duckdb").resolve().stat().st_size
    return Cost(
        *(spool_s, ingest_s, labels_s, figures_s, reports_s),
        *(segments, size["predictions"], size["outcomes"], len(of_day)),
        *(rows - rows_before, cases - cases_before, snapshot, publish_s),
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
    "Rows of all tables of a published log, those of cases among them, and its day files."
    from aiops_wb.log.catalog import open_snapshot

    with open_snapshot(data) as reader:
        tables = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        names = [name for (name,) in reader._rows(tables)]
        rows = sum(reader._value(f'SELECT count(*) FROM "{name}"') for name in names)
        return rows, reader._value("SELECT count(*) FROM cases"), reader.day_files()


def bytes_of(folder: Path) -> int:
    "Bytes of the files below a folder."
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    short, long = (20_000, 60_000) if arguments(__doc__).quick else (200_000, 1_000_000)
    root = folder()
    print_error("a model with a version, its days and figures")
    begun(root / "begun", np.random.default_rng(0))
    costs = {}
    for n in (short, short, long):  # the first imports for all
        print_error(f"a day of {n:,} events")
        copy = shutil.copytree(root / "begun", root / "copy", symlinks=True)
        costs[n] = lived(copy, n)
        shutil.rmtree(copy)
    for name, few, many in zip(Cost._fields, costs[short], costs[long]):
        unit = "CPU s" if name.endswith("_s") else "bytes" if name.endswith("bytes") else "rows"
        each = (many - few) / (long - short)
        for what, cost in (("a million events", 1e6 * each), ("a day", few - each * short)):
            title = f"billion_{name}_{'day' if what == 'a day' else 'events'}"
            told = f"absolute: what {what} of a model costs"
            figure(title, cost, 0, unit, long, told)


if __name__ == "__main__":
    main()
