"""A small log that tests share: made events of one model, known truth, any number of days."""

import gc
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import attached
import numpy as np
import objects
import pandas as pd
import pytest
from hypothesis import settings
from nursery import Helper

from aiops_wb.log import catalog, csv_columns, formats, segment, store
from aiops_wb.log.duck import connect, session
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.render import engine

MODEL = "late"
settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


# made logs of some days show nothing about their labels: complete is what they are told to be
os.environ["AIOPS_COMPLETE_SHARE"] = "1"
# libraries that share work among threads wait for them in loops: two workers of one test run each
# would take the processors from the other
os.environ.setdefault("OMP_NUM_THREADS", "1")
# grammars of addresses, which jsonschema compiles where it finds them: a second for each worker,
# and nothing here asks it whether a text is an address
sys.modules.setdefault("rfc3987_syntax", None)
# what tests start is compiled once, not by each command anew, also where Python is told otherwise
os.environ["PYTHONDONTWRITEBYTECODE"] = ""


@pytest.fixture(autouse=True)
def labels_by_evidence(request, monkeypatch):
    "Tests marked `evidence` ask the log whether labels are in."
    if "evidence" in request.keywords:
        monkeypatch.delenv("AIOPS_COMPLETE_SHARE")


def events(days=3, per_day=40, seed=0, start=date(2026, 3, 1), version="v1"):
    "Made events: columns id, day, at, score, label, site, x."
    rng = np.random.default_rng(seed)
    n = days * per_day
    x = rng.normal(size=n)
    score = 1 / (1 + np.exp(-x))
    day = np.repeat([start + timedelta(i) for i in range(days)], per_day)
    at = pd.to_datetime(day).tz_localize("UTC") + pd.to_timedelta(
        rng.integers(0, 86_400, n), unit="s"
    )
    return pd.DataFrame(
        {
            "id": [f"{version}-{d}-{i:05d}" for i, d in enumerate(day)],
            "day": day,
            "at": at,
            "score": score,
            "label": (rng.random(n) < score).astype(int),
            "site": rng.choice(["north", "south"], n),
            "x": x,
        }
    )


def few(every, *kept):
    "Values that take the same way, as cases: those that are kept, the others in the slow run."
    parts = lambda one: one if isinstance(one, tuple) else (one,)
    slow = pytest.mark.slow
    return [one if one in kept else pytest.param(*parts(one), marks=slow) for one in every]


def until(true, seconds=20):
    "Wait for what another thread does."
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.005)
    return found


@cache
def _empty_catalog():
    """A catalog as the first opening makes it, of no zone yet: to walk the migrations takes as long
    as all the rest of an opening, and a checkpoint."""
    folder = Path(tempfile.mkdtemp())
    with open_store(folder, "test") as made:
        made.con.execute("DELETE FROM workbench WHERE key = 'timezone'")
        made.con.execute("CHECKPOINT")
    return folder / "catalog.duckdb"


@pytest.fixture(scope="session", autouse=True)
def _new_catalogs():
    "A catalog that is opened for the first time is a copy of an empty one; all are attached."
    empty = _empty_catalog()

    def connected(path, *arguments, **options):
        if not path.exists():
            shutil.copy(empty, path)
        return attached.connect(path, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "connect", connected)
        patch.setattr(catalog, "connect", lambda *a, **k: attached.connect(*a, **k))
        yield


@cache
def _writing():
    """A database that segments are written and texts are read with: to start one for each takes
    longer than the work. Processes that tests start do that."""
    return connect(":memory:", threads=1)


@cache
def _reading():
    "One that Parquet files of others are read with: for each its memory is limited anew."
    return connect(":memory:", threads=1)


segment.connect = csv_columns.connect = lambda *_, **__: session(_writing().cursor())
formats.connect = lambda *_, **__: session(_reading().cursor())


@pytest.fixture
def databases_of_their_own(monkeypatch):
    "A database is started for each catalog, snapshot and file, as the package does it."
    for module in (attached, csv_columns, formats):
        monkeypatch.setattr(module, "connect", connect)


@pytest.fixture
def walked(monkeypatch, databases_of_their_own):
    "A catalog that is opened for the first time walks through all migrations."
    monkeypatch.setattr(store, "connect", connect)


_STARTED = engine._started


@pytest.fixture(scope="session", autouse=True)
def _helpers_of_the_nursery():
    "Helpers that run reports are forked."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_started", Helper)
        yield


@pytest.fixture
def started_anew(monkeypatch):
    "Helpers that run reports are started as the package does it."
    monkeypatch.setattr(engine, "_started", _STARTED)


@dataclass
class Bench:
    "A workbench folder with helpers to log and ingest."

    root: Path

    @property
    def data(self):
        return self.root / "data"

    def log(self, frame, model=MODEL, version="v1", threshold=0, **columns):
        with PredictionLogger(
            self.data / "spool", model, version, threshold=threshold, flush_seconds=None
        ) as log:
            log.log(
                frame.score,
                frame["at"],
                prediction_id=frame.id,
                site_id=frame.site,
                entity_id=frame.site,
                features=frame[["x"]],
                latency_ms=2.0,
                **columns,
            )

    def label(self, frame, at="2026-03-20T00:00:00Z", hint=True, label=None):
        with OutcomeLogger(self.data / "spool", "test", flush_seconds=None) as log:
            log.log(
                frame.id,
                frame.label if label is None else label,
                at,
                predicted_at=frame["at"] if hint else None,
            )

    def ingest(self, now=datetime(2026, 3, 20, tzinfo=UTC)):
        with self.store() as store:
            return ingest(store, now, "test")

    def store(self, timezone=None):
        return open_store(self.data, "test", timezone)

    def publish(self):
        "What was written is what readers see."
        with self.store() as store:
            store.publish()

    def copy_to(self, root):
        "A folder like this one, to go on in."
        return Bench(Path(shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def object_store():
    "Name of a bucket -> the folder that holds its objects."
    with objects.served() as (url, buckets), pytest.MonkeyPatch.context() as patch:
        for name, value in {"ENDPOINT": url, "ALLOW_HTTP": "true", "REGION": "here"}.items():
            patch.setenv(f"AWS_{name}", value)
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            patch.setenv(f"AWS_{name}", "anybody")
        yield buckets


@pytest.fixture(scope="session")
def sail(object_store):
    "The address of a server of Spark Connect, which reaches the object store."
    from bench import servers  # which no script finds that does not begin in the repository

    with servers.sail() as url:
        yield url


LONG_FILES = ("test_stops.py", "test_project.py", "test_terminals.py", "test_daily.py")


def pytest_collection_modifyitems(items):
    "Files that take long begin first: at the end of the run nobody waits for one of them."
    items.sort(key=lambda item: item.path.name not in LONG_FILES)


def pytest_collection_finish():
    "What was imported and collected stays to the end: the collector need not look at it again."
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_unconfigure():
    gc.unfreeze()
