"""A log made whole again: an older catalog, day files that nothing is known of, files that are
gone.

Rows come back through the spool like any others, so that nothing of them is there twice; a file
comes back from a copy when its bytes are those that were committed; a loss is recorded with its
reason, and its counts stay.
"""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import duckdb

from .checks import as_delivered
from .columns import PREDICTION
from .day_files import write_told
from .duck import connect, literal, parquet, target
from .durable import fsync
from .errors import StoreError
from .features import stored_types
from .gone import LOST, WHAT, DayFile
from .ingest import ingest
from .modes import as_its_folder, make_in_spool
from .reading import ReadOptions
from .schema import EMPTY
from .snapshot import Snapshot, snapshots
from .store import Store
from .sums import holds, sha256_of

__all__ = [
    "as_segment",
    "catalog_from_snapshot",
    "empty_rejected",
    "from_copies",
    "record_lost",
    "rejected_files",
    "segment_name",
    "take_in_again",
]

logger = logging.getLogger(__name__)

_AGAIN = "again-"
_HELD = "Could not set lock"  # what DuckDB says of a file that another process writes
WHOLE = "whole"
"What the trail says of a day file that was recorded as lost and came back."


def catalog_from_snapshot(root: Path) -> str:
    """Where the catalog is missing, unreadable or older than what was published, make it anew from
    the newest snapshot that can be read; what was done, empty when nothing was.

    Call it with the folder held. The catalog that was there is kept in `rejected`.
    """
    known = _batches_of(root / "catalog.duckdb")
    for newest in reversed(snapshots(root)):
        if known is not None and newest.batch <= known:
            break
        if _batches_of(newest.path) is None:
            _aside(root, newest.path, f"unreadable-{newest.path.name}")
            continue
        _make_catalog(root, newest)
        stood = "could not be read" if known is None else f"knew {known} batches"
        return (
            f"the catalog {stood}: it is made from the snapshot of batch {newest.batch}, with "
            "models, thresholds and trail as they were then"
        )
    if known is None:
        return (
            "there is no catalog and no snapshot to make it from: rows are taken in again, "
            "versions of models, thresholds and the trail are gone"
        )
    return ""


def _batches_of(path: Path) -> int | None:
    """How many batches a catalog or a snapshot knows, None where it cannot be read. StoreError for
    one that another process holds or that may not be opened: nothing says that it is damaged."""
    if not path.exists():
        return None
    try:
        path.open("rb").close()
        # beside an API or an analyst, who have it open as well
        con = connect(path, read_only=True)
        try:
            rows = con.execute("SELECT coalesce(max(batch_id), 0) FROM batches").fetchall()
            return rows[0][0]
        finally:
            con.close()
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}.") from None
    except duckdb.Error as error:
        if _HELD in str(error):
            raise StoreError(f"{path} is open in another process: end that first.") from None
        return None


def _make_catalog(root: Path, newest: Snapshot):
    "The catalog from a snapshot: its tables, without the views over the log's files."
    temporary = root / ".aiops-repair.tmp"
    # of a repair that was stopped: DuckDB would replay it over another file, or refuse to
    temporary.with_name(f"{temporary.name}.wal").unlink(missing_ok=True)
    shutil.copyfile(newest.path, temporary)
    con = connect(temporary)
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    for (name,) in con.execute(views).fetchall():
        con.execute(f'DROP VIEW "{name}"')
    con.execute("CHECKPOINT")
    con.close()
    fsync(temporary)
    for name in ("catalog.duckdb", "catalog.duckdb.wal"):
        if (root / name).exists():
            _aside(root, root / name, f"older-{sha256_of(root / name)[:8]}-{name}")
    temporary.replace(root / "catalog.duckdb")
    fsync(root)


def _aside(root, path, name):
    "Keep a file in `rejected`."
    folder = root / "rejected"
    folder.mkdir(exist_ok=True)
    path.rename(folder / name)
    return folder / name


def take_in_again(
    store: Store, now: datetime, owner: str, options: ReadOptions | None = None
) -> list[str]:
    """Take in the rows of day files of which the catalog knows nothing, with whatever waits in the
    spool; what there is to say.

    They are known from now on: since when they were is what the catalog lost. A file is put into
    the spool before it leaves the log, and removed once its rows are committed.
    """
    told = []
    for path in store.unknown_files():
        kind = path.relative_to(store.root / "log").parts[0]
        try:
            as_segment(store, kind, path)
        except duckdb.Error as error:
            _aside(store.root, path, f"damaged-{path.name}")
            told.append(f"{path.name} cannot be read and is in rejected: {_first(error)}")
            continue
        _aside(store.root, path, f"{_AGAIN}{path.parent.name}-{path.name}")
    store.clear_interrupted()
    kept = list((store.root / "rejected").glob(f"{_AGAIN}*"))
    if not kept:
        return told
    taken = ingest(store, now, owner, options=options)
    if not any(store.spool.glob(f"*/{_AGAIN}*.parquet")):
        for path in kept:
            path.unlink()
    files = "1 day file" if len(kept) == 1 else f"{len(kept):,} day files"
    return [*told, f"{files} of which the catalog knew nothing: {taken}"]


def _first(error):
    return str(error).splitlines()[0]


def segment_name(identity: str) -> str:
    "The name under which a day file of some hash is a segment of the spool."
    return f"{_AGAIN}{identity[:24]}.parquet"


def as_segment(store: Store, kind: str, path: Path) -> Path:
    "Put the rows of a day file into the spool as a segment, always under the same name."
    rows, folder = parquet([path]), store.spool / kind
    if kind == "predictions":
        features = ["features"] if stored_types(store.con, rows) else []
        columns = [f"{as_delivered(name)} AS {name_of}" for name, name_of in _named(PREDICTION)]
        # files of earlier releases have fewer columns
        whole = f"(SELECT * FROM {rows} UNION ALL BY NAME {EMPTY[kind]})"
        sql = f"SELECT {', '.join([*columns, *features])} FROM {whole}"
    else:
        noon = f"(event_date + INTERVAL 12 HOUR) AT TIME ZONE {literal(store.timezone)}"
        columns = f"prediction_id, label, observed_at, source, {noon} AS predicted_at, event_key"
        sql = f"SELECT {columns} FROM (SELECT * FROM {rows} UNION ALL BY NAME {EMPTY[kind]})"
    make_in_spool(folder)
    segment = folder / segment_name(sha256_of(path))
    temporary = segment.with_name(f".{segment.name}.tmp")
    store.con.execute(f"COPY ({sql}) TO {target(temporary)} (FORMAT parquet)")
    as_its_folder(temporary)
    fsync(temporary)
    temporary.rename(segment)
    fsync(folder)
    return segment


def _named(columns):
    return ((name, '"' + name + '"') for name in columns)


def from_copies(store: Store, now: datetime, owner: str, folder: Path) -> list[str]:
    """Put day files that are gone back from copies of them in a folder, and count their days anew;
    what there is to say of each. All are read, so that none that was changed is passed over."""
    store.note_changed(store.day_files())
    gone = store.gone()
    if not gone:
        return ["no day file is gone: nothing was taken from a copy"]
    told, back = [], []
    if None in gone.values():  # recorded as lost: that it is back is recorded, too
        store.require_whole_trail()
    whole = {file: _whole_copy(store, folder, file) for file in gone}
    _tell_events(store, now, owner, {file: copy for file, copy in whole.items() if copy})
    for file, problem in gone.items():
        if whole[file] is None:
            told.append(f"{folder} has no whole copy of {file.path}")
            continue
        _put_back(store.root / file.path, whole[file])
        back.append(file)
        if problem is None:
            why = "taken in again from a copy"
            store.record(now, owner, WHAT, file.path, WHOLE, why)
        told.append(f"{file.path} is there again: {file.rows:,} {file.kind}")
    if back:
        _count_again(store, now, owner, back)
    return told


def _whole_copy(store, folder, file):
    "A copy of a day file that is what the catalog says of it; None where there is none."
    return next((path for path in _copies(folder, file) if holds(store.con, path, file)), None)


def _copies(folder: Path, file: DayFile) -> Iterator[Path]:
    "Files of a folder that could be copies of a day file: names are of one batch."
    wanted = Path(file.path)
    for place, _, names in os.walk(folder):
        if wanted.name in names:
            yield Path(place) / wanted.name


def _put_back(place: Path, copy: Path):
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.tmp")
    shutil.copyfile(copy, temporary)
    fsync(temporary)
    temporary.replace(place)
    fsync(place.parent)


def _count_again(store, now, owner, files):
    "Count the days of files anew: what came for them meanwhile was not counted with them."
    days = {file.day for file in files if file.day is not None}
    keys = {f[1:5] for day in days for f in store.day_files(kind="predictions", event_date=day)}
    store.commit_batch("predictions", now, owner, touched=keys)


def _tell_events(store, now, owner, copies):
    """Labels that predictions and their events did not find while files (with their copies) were
    gone: before these are back, so that whoever is stopped finds them gone again."""
    keyed = store._column("SELECT path FROM data_files WHERE min_key IS NOT NULL")
    copies = {file: copy.resolve() for file, copy in copies.items() if file.path in set(keyed)}
    labels = {file.path: copy for file, copy in copies.items() if file.kind == "outcomes"}
    events = [copy for file, copy in copies.items() if file.kind == "predictions"]
    if labels:
        ranges = """
            SELECT min_key AS low, max_key AS high FROM data_files
            WHERE path IN (SELECT unnest($labels::VARCHAR[]))"""
        near = store.files_with_keys("predictions", ranges, labels=list(labels))
        events += [file.path for file in near]
    if not events or not store.find_told(events, labels.values())[0]:
        return
    batch = store.known_batch() + 1
    store.begin_files(batch, ())
    files = write_told(store, batch)
    days = set(files.event_date)
    keys = {f[1:5] for f in store.day_files(kind="predictions") if f.day in days}
    store.commit_batch("predictions", now, owner, touched=keys, files=files)


def record_lost(
    store: Store, now: datetime, owner: str, names: Iterable[str], why: str
) -> list[str]:
    """Record that day files are lost, by their path or name; their counts stay. StoreError for one
    that is no day file, or is there."""
    if not why.strip():
        raise StoreError("to record a loss needs a reason: add --why.")
    files, told = store.day_files(), []
    with store.transaction():
        for name in names:
            file = _named_file(files, name)
            problem = store.gone([file]).get(file) or store.unreadable(file)
            if file.path in store.lost_files():
                told.append(f"{file.path} is recorded as lost already")
                continue
            if problem is None:
                raise StoreError(f"{file.path} is there and can be read: it is not lost.")
            evidence = {"problem": problem, "rows": file.rows, "bytes": file.bytes}
            store.record(now, owner, WHAT, file.path, LOST, why, evidence)
            stay = f"the counts of its {file.rows:,} rows stay"
            told.append(f"{file.path} is recorded as lost; {stay}")
    return told


def _named_file(files, name):
    for file in files:
        if name == file.path or Path(name).name == Path(file.path).name:
            return file
    raise StoreError(f"{name!r} is no day file of this log: name one as 'aiops-wb status' does.")


def rejected_files(root: Path) -> list[str]:
    "The names of files that were set aside."
    folder = Path(root) / "rejected"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def empty_rejected(store: Store, now: datetime, owner: str, why: str) -> str:
    "Remove what was set aside, with a row in the audit trail; what was done."
    names = rejected_files(store.root)
    if not why.strip():
        raise StoreError("to remove what was set aside needs a reason: add --why.")
    if not names:
        return "nothing is set aside"
    store.record(now, owner, "rejected", "rejected", f"{len(names)} removed", why, names)
    for path in (store.root / "rejected" / name for name in names):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return f"{len(names):,} files that were set aside are removed"
