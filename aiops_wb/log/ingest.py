"""From the spool into the log: nothing lost, nothing counted twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from .checks import (
    count_rejects,
    drop_tables,
    models_of_outcomes,
    models_of_predictions,
    quarantine_rows,
    reject_outcomes,
    reject_predictions,
    unmatched_outcomes,
)
from .day_files import write_day_files
from .delivered import (
    Delivered,
    column_types,
    content_id,
    from_file,
    from_spool,
    with_plain_features,
)
from .duck import literal, parquet
from .errors import StoreError
from .formats import SUFFIXES
from .roles import Choice
from .store import Store

__all__ = ["Ingested", "ingest", "ingest_file", "said_of_unmatched"]


@dataclass(frozen=True)
class Ingested:
    "What one ingest did; adds up."

    loaded: int = 0
    duplicates: int = 0  # the same row again: counted once
    conflicts: int = 0  # the same id with other content: in quarantine
    quarantined: int = 0  # rows in quarantine, conflicts included
    refused: tuple[str, ...] = ()  # files set aside, with the reason
    # beside the numbers: labels that are not known yet, labels without a prediction and some of
    # their ids, what a person should know of the columns
    waiting: int = field(default=0, compare=False)
    unmatched: int = field(default=0, compare=False)
    examples: tuple[str, ...] = field(default=(), compare=False)
    said: tuple[str, ...] = field(default=(), compare=False)

    def __add__(self, other: "Ingested") -> "Ingested":
        added = Ingested(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))
        return replace(added, said=tuple(dict.fromkeys(added.said)), examples=added.examples[:5])

    def __str__(self) -> str:
        numbers = (
            f"{self.loaded:,} loaded, {self.duplicates:,} duplicates, "
            f"{self.conflicts:,} conflicts, {self.quarantined:,} quarantined"
        )
        if self.waiting:
            numbers += f", {self.waiting:,} without a label yet"
        told = [*self.said, *(f"set aside: {reason}" for reason in self.refused)]
        if self.unmatched:
            told.append(said_of_unmatched(self.unmatched, self.examples))
        return "\n".join([numbers, *told])


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
    chunk_rows: int = 2_000_000,
) -> Ingested:
    """Load everything in the spool, predictions before outcomes; spool files are removed once they
    are committed."""
    result, spool = Ingested(), Path(spool or store.root / "spool")
    for kind in ("predictions", "outcomes"):
        done, chunk, size = store.ingested(kind), [], 0
        for path in _waiting(spool / kind):
            try:
                made = store.root / "tmp" / "made"
                delivered = from_spool(store.con, kind, path, made, store.outcome_columns())
            except StoreError as error:
                result += _set_aside(store, kind, path, str(error), now, owner)
                continue
            rows = _count_rows(store.con, delivered.canonical)
            if delivered.segment_id in done:
                result += Ingested(duplicates=int(rows))
                path.unlink()
                continue
            done.add(delivered.segment_id)
            chunk.append(delivered)
            size += rows
            if size >= chunk_rows:
                result += _load_or_set_aside(store, kind, chunk, now, owner)
                chunk, size = [], 0
        result += _load_or_set_aside(store, kind, chunk, now, owner)
        if kind == "predictions":
            result += _match_waiting(store, now, owner)
    return result


def ingest_file(
    store: Store,
    now: datetime,
    owner: str,
    path: str | Path,
    kind: str,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    *,
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
) -> Ingested:
    """Load one file of your own (CSV, JSON lines, Parquet), which stays where it is.

    `mapping` is our name -> the file's column; `constants` fills whole columns (model, version,
    tenant, threshold as a score ...); of the other columns `features` become features (None: all
    but what numbers the rows or tells the outcome), and none of `exclude`. StoreError when the
    file cannot be used at all.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path} is not a file.")
    only = None if features is None else tuple(features)
    choice = Choice(dict(mapping or {}), dict(constants or {}), only, tuple(exclude))
    made, outcomes = store.root / "tmp" / "made", store.outcome_columns()
    delivered = (
        from_file(path, kind, made, choice, outcomes)
        if choice  # else it may be a file of the log's own form
        else from_spool(store.con, kind, path, made, outcomes)
    )
    loaded = _load(store, kind, [delivered], now, owner)
    return loaded + _match_waiting(store, now, owner) if kind == "predictions" else loaded


def _match_waiting(store, now, owner):
    "Load labels that waited for predictions which spell their ids otherwise, under these ids."
    rows = store.labels_spelt_otherwise()
    if rows is None:
        store.labels_matched()
        return Ingested()
    path = store.root / "tmp" / "made" / f"labels-that-waited-{store.known_batch()}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    store.con.execute(f"COPY ({rows}) TO {literal(path)} (FORMAT parquet)")
    taken = _load(store, "outcomes", [Delivered(path, content_id(path), path)], now, owner)
    path.unlink()
    store.labels_matched()  # an ingester that is stopped before this does it once more: duplicates
    said = f"labels that waited, found under another spelling of their id: {taken.loaded:,}"
    return Ingested(said=(said,)) if taken.loaded else Ingested()


def _waiting(folder):
    "Finished files of a folder of the spool, by name."
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and not path.name.startswith(".")
    )


def _count_rows(con, path):
    "Rows of a Parquet file by its footer."
    rows = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(path)})")
    return rows.fetchall()[0][0] or 0


def _load(store, kind, deliveries, now, owner):
    "One batch: check, write, commit."
    con, made = store.con, store.root / "tmp" / "made"
    if kind == "predictions":
        deliveries = [with_plain_features(con, delivered, made) for delivered in deliveries]
    groups = _by_features(con, kind, deliveries)
    paths = [delivered.canonical for delivered in deliveries]
    source, touched = parquet(paths, filename=True, file_row_number=True), []
    named = {pair: None for delivered in deliveries for pair in delivered.outcome_columns}
    if kind == "outcomes":
        touched = reject_outcomes(store, source)
        unmatched, examples = unmatched_outcomes(con)
        models = [*models_of_outcomes(con), *([None] if unmatched else [])] if named else []
        late = []
    else:
        reject_predictions(store, source)
        unmatched, examples = 0, ()
        models = models_of_predictions(con, source) if named else []
        late = store.late_outcome_columns(source)
    found = [*late, *((model, *pair) for model in models for pair in named)]
    said = [*(s for delivered in deliveries for s in delivered.said), *_said_of(store, found)]
    duplicates, conflicts, waiting = count_rejects(con)
    quarantine = quarantine_rows(con, kind, source, deliveries)
    files = write_day_files(store, kind, groups, store.known_batch() + 1)
    loaded = int(files.rows.sum())
    store.commit_batch(
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
        segments=[
            (d.segment_id, kind, d.path.name, d.path.stat().st_size, "ingested", None)
            for d in deliveries
        ],
    )
    drop_tables(con)
    return Ingested(
        loaded,
        duplicates,
        conflicts,
        len(quarantine),
        waiting=waiting + sum(delivered.waiting for delivered in deliveries),
        unmatched=unmatched,
        examples=examples,
        said=tuple(dict.fromkeys(said)),
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


def _by_features(con, kind, deliveries):
    "Type of the features -> the segments that have it; outcomes have none and go together."
    if kind == "outcomes":
        return {None: [delivered.canonical for delivered in deliveries]}
    groups = {}
    for delivered in deliveries:
        features = column_types(con, delivered.canonical).get("features")
        groups.setdefault(features, []).append(delivered.canonical)
    return groups


def _load_or_set_aside(store, kind, chunk, now, owner):
    "Load a chunk; when it holds a damaged file, set that aside and load the rest."
    result = Ingested()
    if not chunk:
        return result
    try:
        result += _load(store, kind, chunk, now, owner)
    except duckdb.Error as error:
        damaged = _damaged(store.con, chunk)
        if not damaged:
            raise StoreError(
                f"{kind} could not be written: {str(error).splitlines()[0]} Nothing was loaded "
                "from this batch; free some space or fix the folder and run it again."
            ) from None
        for path, reason in damaged.items():
            result += _set_aside(store, kind, path, reason, now, owner)
        whole = [delivered for delivered in chunk if delivered.path not in damaged]
        return result + _load_or_set_aside(store, kind, whole, now, owner)
    for delivered in chunk:
        delivered.path.unlink()
        if delivered.canonical != delivered.path:
            delivered.canonical.unlink()
    return result


def _damaged(con, deliveries):
    "Which of these cannot be read to the last row, with the reason."
    damaged = {}
    for d in deliveries:
        try:
            con.execute(f"SELECT bit_xor(hash(t)) FROM {parquet([d.canonical])} AS t").fetchall()
        except duckdb.Error as error:
            damaged[d.path] = f"{d.path.name} is damaged: {str(error).splitlines()[0]}"
    return damaged


def _set_aside(store, kind, path, reason, now, owner):
    "Move a file that cannot be used out of the spool, and record why."
    folder = store.root / "rejected"
    folder.mkdir(exist_ok=True)
    identity = content_id(path)
    store.commit_batch(
        kind,
        now,
        owner,
        loaded=0,
        duplicates=0,
        conflicts=0,
        quarantine=pd.DataFrame(columns=["kind", "source", "line", "reason", "raw"]),
        files=pd.DataFrame(columns=["event_date", "tenant", "model", "version"]),
        segments=[(identity, kind, path.name, path.stat().st_size, "corrupt", reason)],
    )
    path.rename(folder / f"{identity[:8]}-{path.name}")
    return Ingested(refused=(reason,))
