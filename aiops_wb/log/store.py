"""The one writer, put together from its subjects."""

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .ab import AbWrites
from .alarm_states import AlarmStateWrites
from .base import WRITING
from .beside import name_folder
from .calibrations import CalibrationWrites
from .cases import CaseWrites
from .catalog import Reader
from .contributions import ContributionWrites
from .counts import CountWrites
from .dial import DialWrites
from .drift_events import DriftEventWrites
from .duck import connect, target
from .durable import fsync
from .errors import StoreError
from .exploring import ExplorationWrites
from .feature_names import FeatureNameWrites
from .forgotten import ForgottenWrites
from .handled import HandledWrites
from .happened import HappenedWrites
from .holidays import HolidayWrites
from .locks import lock_catalog
from .modes import follow_mode, gid_of, make_folder, require_closed
from .never import NeverWrites
from .nights import NightWrites
from .production import ProductionWrites
from .promises import PromiseWrites
from .proposals import ProposalWrites
from .results import ResultWrites
from .retired import retired_files
from .retraining import RetrainingWrites
from .rewriting import Rewriting
from .schema import migrate
from .shadow import ShadowWrites
from .sites import SiteWrites
from .snapshot import Publishing, snapshots
from .spool_place import hold_spool
from .taken_acts import ActWrites
from .unmatched import UnmatchedWrites
from .versions import VersionWrites
from .watching import WatchWrites

__all__ = ["Prepare", "Store", "open_store"]

logger = logging.getLogger(__name__)

_REPAIR = "'aiops-wb repair' brings it up to date. Nothing was changed."
Prepare = Callable[[Path], None]
"What is done to a folder that is held, before its catalog is opened."


class Store(
    AbWrites,
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
    HappenedWrites,
    SiteWrites,
    DriftEventWrites,
    AlarmStateWrites,
    HolidayWrites,
    NeverWrites,
    RetrainingWrites,
    ResultWrites,
    ShadowWrites,
    ContributionWrites,
    PromiseWrites,
    UnmatchedWrites,
    ActWrites,
    HandledWrites,
    ForgottenWrites,
    Rewriting,
):
    "The one writer. Times are arguments: nothing here reads a clock."

    def _interrupted(self):
        "The batch that a stopped writer was about, and whether all that it came from is there."
        try:
            told = json.loads((self.root / WRITING).read_bytes().decode("utf-8", "surrogateescape"))
            return told["batch"], all(os.path.lexists(self.root / p) for p in told["from"])
        except FileNotFoundError:
            return None, False
        except (ValueError, LookupError, TypeError):  # what it was about is not known
            return None, False

    def unknown_files(self) -> list[Path]:
        """Day files of which the catalog knows nothing, and that no interrupted writer left: the
        catalog is older than the log."""
        batch, _ = self._interrupted()
        mine = f"b{batch or 0:08d}-"
        next_one = batch == self.known_batch() + 1
        return [p for p in self._unnamed_files() if not (next_one and p.name.startswith(mine))]

    def require_whole_log(self) -> None:
        "StoreError, and nothing is touched, where the catalog is older than log or snapshots."
        known = self.known_batch()
        published = max((made.batch for made in snapshots(self.root)), default=0)
        unknown = self.unknown_files()
        if published > known:
            raise StoreError(
                f"the catalog in {self.root} knows {known} batches, what was published knew "
                f"{published}: an older catalog was put back. {_REPAIR}"
            )
        if unknown:
            raise StoreError(
                f"the catalog in {self.root} knows {known} batches, and nothing of "
                f"{unknown[0].relative_to(self.root)}"
                + (f" and {len(unknown) - 1:,} more" if unknown[1:] else "")
                + f": an older catalog was put back. {_REPAIR}"
            )

    def give_up_files(self) -> None:
        """Remove day files that were begun and are not going to be committed: their rows are where
        they came from, and the number of their batch goes to whatever is committed next."""
        if not self._files_begun:
            return
        batch, _ = self._interrupted()
        for path in self._unnamed_files():
            if path.name.startswith(f"b{batch or 0:08d}-"):
                path.unlink()
        self._files_are_known()

    def clear_interrupted(self) -> list[Path]:
        """Remove what an interrupted writer left in the log, and drop unfinished snapshots; returns
        what was removed.

        Its rows come again from where they came from. Where that is gone, the files are kept in
        `rejected`.
        """
        _, comes_again = self._interrupted()
        unknown = set(self.unknown_files())
        left = [path for path in self._unnamed_files() if path not in unknown]
        for path in left:
            if comes_again:
                path.unlink()
                continue
            aside = self.root / "rejected" / f"interrupted-{uuid.uuid4().hex[:8]}-{path.name}"
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
            logger.warning("an interrupted writer left %s: moved to %s", path.name, aside)
        if not unknown:
            (self.root / WRITING).unlink(missing_ok=True)
        for path in [*(self.root / "snapshots").glob("*.tmp*"), *self.root.glob(".aiops-*")]:
            path.unlink()
        shutil.rmtree(self.root / "tmp", ignore_errors=True)
        return left

    def make_anew(self) -> None:
        """Copy the catalog into a new file, which takes its place: what was deleted stands in the
        free parts of the old one."""
        place, wal = self.root / "catalog.duckdb", self.root / "catalog.duckdb.wal"
        aside = self.root / ".aiops-catalog.tmp"
        self.con.execute("CHECKPOINT")
        self.con.execute(f"ATTACH {target(aside)} AS anew")
        self.con.execute("COPY FROM DATABASE catalog TO anew")
        self.con.execute("DETACH anew")
        fsync(aside)
        self.con.close()
        if wal.exists() and wal.stat().st_size:
            raise StoreError(
                f"{wal} was not taken into the catalog: free some space, run it again."
            )
        aside.replace(place)
        wal.unlink(missing_ok=True)
        fsync(self.root)
        self.con = connect(place)
        name_folder(self.con, self.root)
        self.con.execute("SET parquet_metadata_cache = true")

    def _unnamed_files(self):
        "Files in the log's folder that the catalog does not name, but for those that wait."
        paths = [*self._column("SELECT path FROM data_files"), *retired_files(self.root)]
        named = {str(self.root / path) for path in paths}
        found = (
            os.path.join(folder, name)
            for folder, folders, names in os.walk(self.root / "log")
            for name in (*folders, *names)
            if name.endswith(".parquet")
        )
        return [Path(path) for path in found if path not in named]


@contextmanager
def open_store(
    root: str | Path,
    owner: str,
    timezone: str | None = None,
    *,
    briefly: bool = False,
    prepare: Prepare | None = None,
    spool: Path | None = None,
    group: str | None = None,
) -> Iterator[Store]:
    """The catalog, for writing; creates it on first use (days in `timezone`, UTC unless given).
    Raises Busy when another process writes (who writes `briefly` is waited for), StoreError where
    it is older than the log. `prepare` is called with the folder, which is held, and may then be in
    any state: a repair. `spool`: where it does not lie in the folder. `group`: who may read a
    folder that is new, besides its owner."""
    root = Path(root)
    spool = Path(spool or root / "spool")
    try:
        if group is not None:
            gid_of(group)
        make_folder(root, group)
        follow_mode(root, group)
        require_closed(root, spool)
        lock = lock_catalog(root, owner, briefly)
    except OSError as error:
        raise StoreError(f"{root} cannot be written: {error.strerror or error}.") from None
    try:
        if prepare is not None:
            prepare(root)
        elif not (root / "catalog.duckdb").exists() and any((root / "log").rglob("*.parquet")):
            raise StoreError(
                f"{root} has a log but no catalog.duckdb: put the catalog back from a copy, or "
                f"move the log away to start anew. {_REPAIR}"
            )
        hold_spool(root, spool, group)
        store = Store(connect(root / "catalog.duckdb"), root, spool)
        try:
            # the log's files never change: what stands at their ends is read once
            store.con.execute("SET parquet_metadata_cache = true")
            migrate(store.con, timezone)
            store.finish_rewriting()
            if prepare is None:
                store.require_whole_log()
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
