"""The one writer, put together from its subjects."""

import logging
import re
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

from .calibrations import CalibrationWrites
from .cases import CaseWrites
from .catalog import Reader
from .counts import CountWrites
from .dial import DialWrites
from .drift_events import DriftEventWrites
from .duck import connect
from .errors import StoreError
from .exploring import ExplorationWrites
from .feature_names import FeatureNameWrites
from .handled import HandledWrites
from .known_days import CalendarWrites
from .locks import lock_catalog
from .never import NeverWrites
from .nights import NightWrites
from .production import ProductionWrites
from .promises import PromiseWrites
from .proposals import ProposalWrites
from .results import ResultWrites
from .retraining import RetrainingWrites
from .schema import migrate
from .shadow import ShadowWrites
from .sites import SiteWrites
from .snapshot import Publishing
from .taken_acts import ActWrites
from .unmatched import UnmatchedWrites
from .versions import VersionWrites
from .watching import WatchWrites

__all__ = ["Store", "open_store"]

logger = logging.getLogger(__name__)


class Store(
    ExplorationWrites,
    Reader,
    Publishing,
    ProductionWrites,
    ProposalWrites,
    WatchWrites,
    DialWrites,
    VersionWrites,
    FeatureNameWrites,
    NightWrites,
    CountWrites,
    CalibrationWrites,
    CaseWrites,
    SiteWrites,
    DriftEventWrites,
    CalendarWrites,
    NeverWrites,
    RetrainingWrites,
    ResultWrites,
    ShadowWrites,
    PromiseWrites,
    UnmatchedWrites,
    ActWrites,
    HandledWrites,
):
    "The one writer. Times are arguments: nothing here reads a clock."

    def clear_interrupted(self) -> list[Path]:
        """Move aside what an interrupted writer left in the log, and drop unfinished snapshots;
        returns what was moved.

        Log files that the catalog does not name can only be of the batch after its last one. Later
        ones mean that the catalog is older than the log: StoreError, and nothing is touched.
        """
        stray = self._unnamed_files()
        newest = max((int(m[1]) for p in stray if (m := re.match(r"b(\d+)-", p.name))), default=0)
        if newest > self.known_batch() + 1:
            raise StoreError(
                f"the catalog in {self.root} knows {self.known_batch()} batches, but the log has "
                f"files of batch {newest}: put the newest catalog.duckdb back. Nothing was changed."
            )
        for path in stray:
            aside = self.root / "rejected" / f"interrupted-{uuid.uuid4().hex[:8]}-{path.name}"
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
            logger.info("an interrupted writer left %s: moved to %s", path.name, aside)
        for path in [*(self.root / "snapshots").glob("*.tmp*"), *self.root.glob(".aiops-*")]:
            path.unlink()
        shutil.rmtree(self.root / "tmp", ignore_errors=True)
        return stray

    def _unnamed_files(self):
        "Files in the log's folder that the catalog does not name."
        named = set(self._column("SELECT path FROM data_files"))
        return [
            path
            for path in (self.root / "log").rglob("*.parquet")
            if str(path.relative_to(self.root)) not in named
        ]


@contextmanager
def open_store(root: str | Path, owner: str, timezone: str | None = None, briefly: bool = False):
    """The catalog, for writing; creates it on first use (days in `timezone`, UTC unless given).
    Raises Busy when another process writes; who writes `briefly` is waited for."""
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = lock_catalog(root, owner, briefly)
    except OSError as error:
        raise StoreError(f"{root} cannot be written: {error.strerror or error}.") from None
    try:
        if not (root / "catalog.duckdb").exists() and any((root / "log").rglob("*.parquet")):
            raise StoreError(
                f"{root} has a log but no catalog.duckdb: put the catalog back from a copy, or "
                "move the log away to start anew. Nothing was changed."
            )
        store = Store(connect(root / "catalog.duckdb"), root)
        try:
            # the log's files never change: what stands at their ends is read once
            store.con.execute("SET parquet_metadata_cache = true")
            migrate(store.con, timezone)
            store.clear_interrupted()
            store.adopt_features(owner)
            store.adopt_arrivals()
            store.adopt_hours()
            yield store
        finally:
            store.close()
    finally:
        lock.truncate(0)
        lock.close()
