"""From the spool into the log: nothing lost, nothing counted twice."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from ..stats.decisions import RISK_CUTS
from .acts import found as found_acts
from .checks import (
    Held,
    count_rejects,
    drop_tables,
    loaded_outcomes,
    models_of_outcomes,
    models_of_predictions,
    quarantine_rows,
    reject_outcomes,
    reject_predictions,
    touched_by_outcomes,
    unmatched_outcomes,
    unreadable_values,
)
from .day_files import write_day_files, write_told
from .delivered import Delivered, column_types, content_id, from_file, from_spool
from .duck import parquet, source, target
from .errors import StoreError
from .event_checks import NoEvents
from .feature_types import FeatureTypes
from .leftovers import finish_leftovers
from .reading import ReadOptions, shown
from .refused_events import take_refused
from .roles import Choice
from .store import Store
from .waiting import waiting

__all__ = [
    "AtOnce",
    "Ingested",
    "feature_types",
    "ingest",
    "ingest_file",
    "load_file",
    "match_waiting",
    "read_file",
    "said_of_unmatched",
    "set_aside_acts",
]

_LISTED = 20  # sentences of one sort that are printed
_PLACE = "filename, file_row_number"
CHUNK_ROWS = 250_000
"Rows of segments that are taken in as one batch: of 20 features they take some 600 MB."
_SMALL = 1 << 25  # bytes of a batch that one thread takes in


@dataclass(frozen=True)
class Ingested:
    "What one ingest did; adds up."

    loaded: int = 0
    duplicates: int = 0  # the same row again, loaded or in quarantine: counted once
    conflicts: int = 0  # the same id with other content: in quarantine
    quarantined: int = 0  # rows new in quarantine, conflicts included
    refused: tuple[str, ...] = ()  # files set aside, with the reason
    passed_over: tuple[str, ...] = ()  # what is still in the spool, with the reason
    unreadable: int = 0  # values that did not fit their feature: missing, their text is kept
    # beside the numbers: what is to be known of files that were loaded, labels that are not known
    # yet, labels without a prediction and some of their ids
    notes: tuple[str, ...] = field(default=(), compare=False)
    waiting: int = field(default=0, compare=False)
    unmatched: int = field(default=0, compare=False)
    examples: tuple[str, ...] = field(default=(), compare=False)
    forgotten: int = 0  # rows about somebody who was forgotten: dropped

    def __add__(self, other: "Ingested") -> "Ingested":
        added = Ingested(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))
        return replace(added, notes=tuple(dict.fromkeys(added.notes)), examples=added.examples[:5])

    def __str__(self) -> str:
        numbers = (
            f"{self.loaded:,} loaded, {self.duplicates:,} duplicates, "
            f"{self.conflicts:,} conflicts, {self.quarantined:,} quarantined"
            + (f", {self.unreadable:,} values unreadable" if self.unreadable else "")
        )
        if self.forgotten:
            numbers += f", {self.forgotten:,} forgotten and dropped"
        if self.waiting:
            numbers += f", {self.waiting:,} without a label yet"
        lines = [numbers, *_told("note: ", self.notes)]
        if self.unmatched:
            lines.append(said_of_unmatched(self.unmatched, self.examples))
        lines += [*_told("set aside: ", self.refused), *_told("passed over: ", self.passed_over)]
        return "\n".join(lines)


def _told(what, sentences):
    "Sentences as lines; of many, the first."
    lines = [f"{what}{' '.join(sentence.splitlines())}" for sentence in sentences[:_LISTED]]
    more = len(sentences) - _LISTED
    return lines if more <= 0 else [*lines, f"{what}and {more:,} more"]


def said_of_unmatched(n: int, examples: Sequence[str]) -> str:
    "A sentence about labels whose prediction is not in the log."
    some = ("such as " if n > len(examples) else "") + ", ".join(map(repr, examples))
    what = "1 label has" if n == 1 else f"{n:,} labels have"
    return f"{what} no prediction in the log yet ({some}): compare how the ids are spelt."


def ingest(
    store: Store,
    now: datetime,
    owner: str,
    *,
    spool: Path | None = None,
    chunk_rows: int = CHUNK_ROWS,
    options: ReadOptions | None = None,
) -> Ingested:
    """Load everything in the spool, predictions before outcomes, with what dead processes left in
    their open files; spool files are removed once they are committed."""
    spool = Path(spool or store.spool)
    result, options = set_aside_acts(store, now, owner, spool), options or ReadOptions()
    result += _refused_events(store, now, owner, spool)
    types = feature_types(store, now, owner, options)
    with _limited(store.con, options):
        for kind in ("predictions", "outcomes"):
            result += Ingested(notes=tuple(finish_leftovers(spool / kind)))
            result += _ingest_folder(
                store, kind, spool / kind, types, now, owner, chunk_rows, options
            )
            if kind == "predictions":
                result += match_waiting(store, types, now, owner)
    return result


def _refused_events(store, now, owner, spool):
    "Put what was refused of streams and files of events in quarantine."
    taken = take_refused(store, now, owner, spool)
    return Ingested(
        duplicates=taken.again,
        quarantined=taken.quarantined,
        forgotten=taken.forgotten,
        passed_over=taken.passed_over,
    )


def _ingest_folder(store, kind, folder, types, now, owner, chunk_rows, options):
    "Load what waits in one folder of the spool."
    found = waiting(folder)
    result = Ingested(passed_over=tuple(found.passed_over))
    for path, reason in found.unreadable.items():
        result += _set_aside(store, kind, path, reason, now, owner)
    done, chunk, size, known = store.ingested(kind), [], 0, AtOnce(options.risk_cuts)
    for path in found.files:
        try:
            delivered = _from_spool(store, kind, path, types, options)
            rows = _count_rows(store.con, delivered.canonical)
            options.limits.check_rows(rows)
        except (StoreError, FileNotFoundError) as error:
            if os.path.lexists(path):  # else somebody took it
                result += _set_aside(store, kind, path, _reason(path, error), now, owner)
            continue
        if delivered.segment_id in done:
            result += Ingested(duplicates=int(rows)) + _remove(path)
            continue
        done.add(delivered.segment_id)
        chunk.append(delivered)
        size += rows
        if size >= chunk_rows:
            result += _load_or_set_aside(store, kind, chunk, types, now, owner, known)
            chunk, size = [], 0
    return result + _load_or_set_aside(store, kind, chunk, types, now, owner, known)


def feature_types(store: Store, now: datetime, owner: str, options: ReadOptions) -> FeatureTypes:
    "What features are; words for a missing value are kept by the log, so that loggers know them."
    if options.null_words is not None:
        store.keep_null_words(now, owner, options.null_words)
    return FeatureTypes(store)


def _reason(path, error):
    "Why a file cannot be used, with its name."
    text, name = str(error), shown(path.name)
    return text if text.startswith(name) else f"{name} cannot be used: {text}"


@contextmanager
def _limited(con, options):
    "The memory that one file may take, while files are taken in."
    before = con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    con.execute(f"SET memory_limit = '{options.limits.memory}MB'")
    try:
        yield
    finally:
        con.execute(f"SET memory_limit = '{before}'")


def ingest_file(
    store: Store,
    now: datetime,
    owner: str,
    path: str | Path,
    kind: str,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    options: ReadOptions | None = None,
    *,
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
) -> Ingested:
    """Load one file of your own (CSV, JSON lines, Parquet), which stays where it is.

    `mapping` is our name -> the file's column; `constants` fills whole columns (model, version,
    tenant, threshold as a score ...); of the other columns `features` become features (None: all
    but what numbers the rows or tells the outcome), and none of `exclude`. `options` say how it is
    spelt. StoreError when the file cannot be used at all.
    """
    options, only = options or ReadOptions(), None if features is None else tuple(features)
    choice = Choice(dict(mapping or {}), dict(constants or {}), only, tuple(exclude))
    types = feature_types(store, now, owner, options)
    read = read_file(store, path, kind, choice, types, options)
    return load_file(store, now, owner, kind, read, types, options)


def read_file(
    store: Store,
    path: str | Path,
    kind: str,
    choice: Choice,
    types: FeatureTypes,
    options: ReadOptions,
) -> Delivered:
    "Read one file of your own; StoreError when it cannot be used at all."
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{shown(path)} is not a file.")
    if choice:  # else it may be a file of the log's own form
        made, outcomes = store.root / "tmp" / "made", store.outcome_columns()
        return from_file(path, kind, made, types, choice, outcomes, options)
    return _from_spool(store, kind, path, types, options)


def load_file(
    store: Store,
    now: datetime,
    owner: str,
    kind: str,
    delivered: Delivered,
    types: FeatureTypes,
    options: ReadOptions,
    known: "AtOnce | None" = None,
) -> Ingested:
    "Load a file that was read; `known`: since when its rows are."
    with _limited(store.con, options):
        known = known or AtOnce(options.risk_cuts)
        try:
            loaded = _load(store, kind, [delivered], types, now, owner, known)
        except NoEvents as error:
            raise StoreError(_reason(delivered.path, error)) from None
        if kind == "predictions":
            loaded += match_waiting(store, types, now, owner)
        return loaded


def _from_spool(store, kind, path, types, options):
    "A spool file with its features as what they are; StoreError when it cannot be used."
    made, outcomes = store.root / "tmp" / "made", store.outcome_columns()
    delivered = from_spool(store.con, kind, path, made, types, outcomes, options)
    if kind == "outcomes" or delivered.lines is not None:  # it was made, and settled, from others
        return delivered
    try:
        return types.settle_segment(delivered, made)
    except duckdb.Error as error:
        for reason in _damaged(store.con, [delivered]).values():
            raise StoreError(reason) from None
        raise _not_written(kind, error) from None


def match_waiting(store: Store, types: FeatureTypes, now: datetime, owner: str) -> Ingested:
    "Load labels that waited for predictions which spell their ids otherwise, under these ids."
    rows = store.labels_spelt_otherwise()
    if rows is None:
        store.labels_matched()
        return Ingested()
    path = store.root / "tmp" / "made" / f"labels-that-waited-{store.known_batch()}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    store.con.execute(f"COPY ({rows}) TO {target(path)} (FORMAT parquet)")
    found = Delivered(path, content_id(path), path)
    taken = _load(store, "outcomes", [found], types, now, owner, AtOnce(), store.labels_matched)
    path.unlink()
    note = f"labels that waited, found under another spelling of their id: {taken.loaded:,}"
    return Ingested(notes=(note,)) if taken.loaded else Ingested()


def _count_rows(con, path):
    "Rows of a Parquet file by its footer."
    rows = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({source(path)})")
    return rows.fetchall()[0][0] or 0


@dataclass
class AtOnce:
    "Rows that are known since they are committed: one batch."

    cuts: tuple[float, ...] = RISK_CUTS  # of what is decided here
    model: str | None = None  # the only one whose events labels are told of

    def reject(self, store: Store, kind: str, source: str) -> None:
        "Reject further rows of those that have been checked: none."

    def write(self, store: Store, kind: str, groups: dict) -> pd.DataFrame:
        "Write the rows that are not rejected; returns the data files."
        return write_day_files(store, kind, groups, store.known_batch() + 1, self.cuts)

    def write_told(self, store: Store) -> pd.DataFrame:
        "Write the labels that were told of events before (table `told`); returns the data files."
        return write_told(store, store.known_batch() + 1)

    def commit(self, store: Store, kind: str, now: datetime, owner: str, **told) -> None:
        "Record and count them, as `commit_batch` does."
        store.commit_batch(kind, now, owner, **told)

    def by_batch(self, batch: int, rows: pd.DataFrame) -> Iterable[tuple[int, pd.DataFrame]]:
        "Rows of days (event_date) with the batch they belong to, `batch` being the first."
        return [(batch, rows)]


def _load(store, kind, deliveries, types, now, owner, known, also=lambda: None):
    "One batch: check, write, commit, and what else belongs to it."
    small = sum(delivered.canonical.stat().st_size for delivered in deliveries) < _SMALL
    with store.one_thread() if small else nullcontext():
        try:
            return _loaded(store, kind, deliveries, types, now, owner, known, also)
        except (duckdb.Error, Held, NoEvents):  # which go on with other files, in another batch
            store.give_up_files()
            raise


def _loaded(store, kind, deliveries, types, now, owner, known, also):
    "What came of one batch."
    con = store.con
    groups = _by_features(con, kind, deliveries)
    paths = [delivered.canonical for delivered in deliveries]
    rows, touched = parquet(paths, filename=True, file_row_number=True), []
    named = {pair: None for delivered in deliveries for pair in delivered.outcome_columns}
    by_event = False
    if kind == "outcomes":
        by_event = reject_outcomes(store, rows, known.model)
        known.reject(store, kind, rows)
        forgotten = store.reject_forgotten(kind, rows)
        touched = touched_by_outcomes(con)
        unmatched, examples = unmatched_outcomes(con)
        models = [*models_of_outcomes(con), *([None] if unmatched else [])] if named else []
        late = []
    else:
        reject_predictions(store, rows)
        known.reject(store, kind, rows)
        forgotten = store.reject_forgotten(kind, rows)
        unmatched, examples = 0, ()
        models = models_of_predictions(con, rows) if named else []
        late = store.late_outcome_columns(rows)
    found = [*late, *((model, *pair) for model in models for pair in named)]
    notes = [*(n for delivered in deliveries for n in delivered.notes), *_said_of(store, found)]
    duplicates, conflicts, waiting = count_rejects(con)
    rejected, named = store.without_forgotten(quarantine_rows(con, kind, rows, deliveries))
    quarantine, again, conflicts_again = store.new_in_quarantine(rejected)
    store.keep_forgotten(now)
    duplicates, conflicts = duplicates + again, conflicts - conflicts_again
    unreadable = unreadable_values(store, rows, deliveries)

    def keep(batch):
        types.keep(batch, now, owner, files)
        if kind == "predictions":
            store.note_services(now, owner, f"{rows} ANTI JOIN rejects USING ({_PLACE})")
        for of_batch, values in known.by_batch(batch, unreadable):
            store.add_unreadable(of_batch, values)
        also()

    store.begin_files(store.known_batch() + 1, (delivered.path for delivered in deliveries))
    files = known.write(store, kind, groups)
    loaded = loaded_outcomes(con) if by_event else int(files.rows.sum())
    told, no_events = _told_before(store, kind, files)
    if told:
        files = pd.concat([files, known.write_told(store)], ignore_index=True)
    notes += _said_of_told(told, no_events)
    known.commit(
        store,
        kind,
        now,
        owner,
        loaded=loaded,
        duplicates=duplicates,
        conflicts=conflicts,
        quarantine=quarantine,
        files=files,
        touched=touched,
        outcome_columns=found,
        also=keep,
        segments=[
            (d.segment_id, kind, shown(d.path.name), d.path.stat().st_size, "ingested", None)
            for d in deliveries
        ],
    )
    drop_tables(con)
    return Ingested(
        loaded,
        duplicates,
        conflicts,
        len(quarantine),
        unreadable=len(unreadable),
        notes=tuple(dict.fromkeys([*notes, *types.told(), *_said_of_unreadable(unreadable)])),
        waiting=waiting + sum(delivered.waiting for delivered in deliveries),
        unmatched=unmatched,
        examples=examples,
        forgotten=forgotten + named,
    )


def _told_before(store, kind, files):
    """How many labels were told of the events of new predictions before they came (table `told`),
    and keys that name no event."""
    keyed = files.min_key.notna() if kind == "predictions" else None
    return store.find_told(files.path[keyed]) if keyed is not None and keyed.any() else (0, [])


def _said_of_told(n, no_events):
    "Sentences about labels that were told of events before these predictions of them came."
    if n:
        what = "1 label that was" if n == 1 else f"{n:,} labels that were"
        yield f"{what} told of an event before a prediction of it came: known by event_key"
    if no_events:
        some = ", ".join(map(repr, no_events[:5]))
        yield (
            f"event_key {some} names no single event, so many predictions and labels have it: the "
            "labels that were told of it are not those of these predictions"
        )


def _said_of(store, found):
    "Sentences about columns that turn out to be outcomes."
    known, new = store.outcome_columns(), {}
    for model, column, _ in found:
        if model is not None and column.casefold() not in known.get(model, {}):
            new.setdefault(model, []).append(column)
    for model, columns in new.items():
        versions = store.learned_from(model, columns)
        again = f"; trained on it: {', '.join(versions)} (train a new version)" if versions else ""
        names = ", ".join(dict.fromkeys(columns))
        yield f"no features of {model}, because they are mapped for outcomes: {names}{again}"


def _said_of_unreadable(unreadable):
    "What did not fit, in a sentence for each feature."
    for (model, feature), rows in unreadable.groupby(["model", "feature"]):
        yield (
            f"{feature} of {model}: {len(rows):,} values could not be read and are missing, such "
            f"as {rows.raw.iloc[0][:40]!r}; their text is kept, and 'aiops-wb features set' reads "
            "it again"
        )


def _not_written(kind, error):
    return StoreError(
        f"{kind} could not be written: {str(error).splitlines()[0]} Nothing was loaded "
        "from this batch; free some space or fix the folder and run it again."
    )


def _by_features(con, kind, deliveries):
    "Type of the features -> the segments that have it; outcomes have none and go together."
    if kind == "outcomes":
        return {None: [delivered.canonical for delivered in deliveries]}
    groups = {}
    for delivered in deliveries:
        features = column_types(con, delivered.canonical).get("features")
        groups.setdefault(features, []).append(delivered.canonical)
    return groups


def _load_or_set_aside(store, kind, chunk, types, now, owner, known):
    """Load a chunk; when it holds a damaged file, set that aside and load the rest. What is too
    large to be loaded together is tried file by file."""
    if not chunk:
        return Ingested()
    try:
        result = _load(store, kind, chunk, types, now, owner, known)
    except (duckdb.OutOfMemoryException, Held, NoEvents) as error:
        return _load_alone(store, kind, chunk, error, types, now, owner, known)
    except duckdb.Error as error:
        damaged = _damaged(store.con, chunk)
        if not damaged and store.note_damaged():  # a day file: it is out of the way from now on
            drop_tables(store.con)
            return _load_or_set_aside(store, kind, chunk, types, now, owner, known)
        if not damaged:
            raise _not_written(kind, error) from None
        result = Ingested()
        for path, reason in damaged.items():
            result += _set_aside(store, kind, path, reason, now, owner)
        whole = [delivered for delivered in chunk if delivered.path not in damaged]
        return result + _load_or_set_aside(store, kind, whole, types, now, owner, known)
    for delivered in chunk:
        result += _remove(delivered.path)
        if delivered.canonical != delivered.path:
            delivered.canonical.unlink()
    return result


def _load_alone(store, kind, chunk, error, types, now, owner, known):
    """Load the files of a chunk that needs too much memory, each alone; a single one is set aside.
    One with rows of a day whose file is gone waits in the spool."""
    drop_tables(store.con)
    if len(chunk) == 1:
        path = chunk[0].path
        if isinstance(error, Held):
            return Ingested(passed_over=(f"{shown(path.name)} waits: {error}",))
        if isinstance(error, NoEvents):
            return _set_aside(store, kind, path, _reason(path, error), now, owner)
        reason = (
            f"{shown(path.name)} needs more memory than is allowed: split it, or raise "
            f"memory_limit ({str(error).splitlines()[0]})"
        )
        return _set_aside(store, kind, path, reason, now, owner)
    half = len(chunk) // 2
    result = _load_or_set_aside(store, kind, chunk[:half], types, now, owner, known)
    return result + _load_or_set_aside(store, kind, chunk[half:], types, now, owner, known)


def _damaged(con, deliveries):
    "Which of these cannot be read to the last row, with the reason."
    damaged = {}
    for d in deliveries:
        try:
            con.execute(f"SELECT bit_xor(hash(t)) FROM {parquet([d.canonical])} AS t").fetchall()
        except duckdb.Error as error:
            damaged[d.path] = f"{shown(d.path.name)} is damaged: {str(error).splitlines()[0]}"
    return damaged


def _remove(path):
    "Remove a file of the spool that is in the log; what cannot be removed is said."
    try:
        path.unlink()
    except OSError as error:
        told = f"{shown(path.name)} is loaded and cannot be removed: {error.strerror}"
        return Ingested(passed_over=(told,))
    return Ingested()


def set_aside_acts(store: Store, now: datetime, owner: str, spool: Path) -> Ingested:
    "Move files that are no acts out of the folder of those that wait, and record why."
    found = found_acts(spool, store.root)
    result = Ingested(passed_over=tuple(found.passed_over))
    for path, reason in found.unreadable.items():
        result += _set_aside(store, "acts", path, reason, now, owner)
    return result


def _set_aside(
    store: Store, kind: str, path: Path, reason: str, now: datetime, owner: str
) -> Ingested:
    """Move a file that cannot be used out of the spool, and record why.

    It is recorded first: an ingester that is stopped before it moves the file finds it again, and
    what stands recorded is not recorded twice.
    """
    folder = store.root / "rejected"
    folder.mkdir(exist_ok=True)
    identity, size = _identity(path), path.lstat().st_size
    if identity not in store.ingested(kind, "corrupt"):
        store.commit_batch(
            kind,
            now,
            owner,
            segments=[(identity, kind, shown(path.name), size, "corrupt", reason)],
        )
    try:
        shutil.move(path, folder / _set_aside_name(identity, path.name))
    except OSError as error:
        return Ingested(passed_over=(f"{reason} It cannot be moved: {error.strerror}.",))
    return Ingested(refused=(reason,))


def _identity(path):
    "The hash of a file's content; of one that cannot be read, a hash of what is known of it."
    try:
        return content_id(path)
    except OSError:
        known = path.lstat()
        return f"{hash((known.st_ino, known.st_size, known.st_mtime_ns)) & (2**128 - 1):032x}"


def _set_aside_name(identity, name):
    "A file's name in the folder of those set aside, as long as a name may be."
    return os.fsdecode(os.fsencode(f"{identity[:8]}-") + os.fsencode(name)[-200:])
