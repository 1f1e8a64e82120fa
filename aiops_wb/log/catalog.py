"""Every question to a catalog, put together from its subjects."""

from pathlib import Path

import duckdb

from .ab import AbReads
from .alarm_states import AlarmStateReads
from .alike_cases import AlikeReads
from .audit import AuditReads
from .batches import BatchReads
from .calibrations import CalibrationReads
from .cases import CaseReads
from .contributions import ContributionReads
from .count_rows import CountRowReads
from .counts import ArrivalReads, FeatureCountReads, ScoreCountReads, TrafficReads
from .dial import DialReads
from .drift_events import DriftEventReads
from .duck import connect, migrations
from .errors import StoreError
from .event_lookup import EventLookups
from .exploring import ExplorationReads
from .feature_names import FeatureNameReads
from .feature_schema import FeatureSchemaReads
from .handled import HandledReads
from .happened import HappenedReads
from .holidays import HolidayReads
from .never import NeverReads
from .production import ProductionReads
from .promises import PromiseReads
from .proposals import ProposalReads
from .quarantine import QuarantineReads
from .results import ResultReads
from .retraining import RetrainingReads
from .same_events import SameEventReads
from .series_hours import SeriesHourReads
from .shadow import ShadowReads
from .shown import RowsOfDays
from .sites import SiteReads
from .taken_acts import ActReads
from .unmatched import UnmatchedReads
from .versions import VersionReads
from .watching import WatchReads

__all__ = ["Reader", "open_reader", "open_snapshot"]


class Reader(
    RowsOfDays,
    AbReads,
    ExplorationReads,
    SameEventReads,
    EventLookups,
    ScoreCountReads,
    CountRowReads,
    TrafficReads,
    SeriesHourReads,
    ArrivalReads,
    FeatureCountReads,
    ProductionReads,
    ProposalReads,
    CalibrationReads,
    WatchReads,
    DialReads,
    VersionReads,
    FeatureNameReads,
    FeatureSchemaReads,
    CaseReads,
    HappenedReads,
    AlikeReads,
    SiteReads,
    DriftEventReads,
    AlarmStateReads,
    HolidayReads,
    NeverReads,
    RetrainingReads,
    ResultReads,
    ShadowReads,
    ContributionReads,
    PromiseReads,
    UnmatchedReads,
    ActReads,
    HandledReads,
    QuarantineReads,
    BatchReads,
    AuditReads,
):
    """Questions to a catalog or a snapshot of it; every answer can be asked as of a time (None: all
    that is known)."""


def open_snapshot(root: str | Path, spool: Path | None = None) -> Reader:
    """The newest published snapshot, read-only; StoreError when there is none yet. `spool`: where
    it does not lie in the folder."""
    current = Path(root) / "aiops.duckdb"
    if not current.exists():
        raise StoreError(
            f"no published snapshot at {current}: log some predictions and run "
            "'aiops-wb ingest' first."
        )
    return open_reader(current.resolve(), Path(root), "published snapshot", spool)


def open_reader(path: Path, root: Path, what: str, spool: Path | None = None) -> Reader:
    "A catalog or a snapshot of it in a folder, read-only; StoreError for one of another schema."
    reader = Reader(connect(path, read_only=True), root, spool)
    try:
        known, made = migrations()[-1][0], reader._value("SELECT max(version) FROM migrations")
    except duckdb.CatalogException:
        reader.close()
        raise StoreError(
            f"the {what} in {root} is a database of something else: name the data folder of a log."
        ) from None
    if made != known:
        reader.close()
        next_step = (
            "run 'aiops-wb ingest' once to bring it up to date."
            if made < known
            else "upgrade aiops_wb."
        )
        raise StoreError(
            f"the {what} in {root} has schema version {made}, "
            f"this aiops_wb reads {known}: {next_step}"
        )
    return reader
