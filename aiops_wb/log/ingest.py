"""From the spool into the log: nothing lost, nothing counted twice."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from .checks import (
    count_rejects,
    drop_tables,
    quarantine_rows,
    reject_outcomes,
    reject_predictions,
)
from .day_files import write_day_files
from .delivered import column_types, content_id, from_file, from_spool, with_plain_features
from .duck import literal, parquet
from .errors import StoreError
from .formats import SUFFIXES
from .leftovers import finish_leftovers
from .store import Store

__all__ = ["Ingested", "ingest", "ingest_file"]


@dataclass(frozen=True)
class Ingested:
    "What one ingest did; adds up."

    loaded: int = 0
    duplicates: int = 0  # the same row again: counted once
    conflicts: int = 0  # the same id with other content: in quarantine
    quarantined: int = 0  # rows in quarantine, conflicts included
    refused: tuple[str, ...] = ()  # files set aside, with the reason
    told: tuple[str, ...] = ()  # what else is worth a sentence

    def __add__(self, other: "Ingested") -> "Ingested":
        return Ingested(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        numbers = (
            f"{self.loaded:,} loaded, {self.duplicates:,} duplicates, "
            f"{self.conflicts:,} conflicts, {self.quarantined:,} quarantined"
        )
        aside = [f"set aside: {reason}" for reason in self.refused]
        return "\n".join([numbers, *aside, *self.told])


def ingest(
    store: Store,
    now: datetime,
    owner: str,
    *,
    spool: Path | None = None,
    chunk_rows: int = 2_000_000,
) -> Ingested:
    """Load everything in the spool, predictions before outcomes, with what dead processes left in
    their open files; spool files are removed once they are committed."""
    result, spool = Ingested(), Path(spool or store.root / "spool")
    for kind in ("predictions", "outcomes"):
        result += Ingested(told=tuple(finish_leftovers(spool / kind)))
        done, chunk, size = store.ingested(kind), [], 0
        for path in _waiting(spool / kind):
            try:
                delivered = from_spool(store.con, kind, path, store.root / "tmp" / "made")
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
    return result


def ingest_file(
    store: Store,
    now: datetime,
    owner: str,
    path: str | Path,
    kind: str,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Ingested:
    """Load one file of your own (CSV, JSON lines, Parquet), which stays where it is. StoreError
    when it cannot be used at all."""
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path} is not a file.")
    delivered = from_file(path, kind, store.root / "tmp" / "made", mapping, constants)
    return _load(store, kind, [delivered], now, owner)


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
    if kind == "outcomes":
        touched = reject_outcomes(store, source)
    else:
        reject_predictions(store, source)
    duplicates, conflicts = count_rejects(con)
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
        segments=[
            (d.segment_id, kind, d.path.name, d.path.stat().st_size, "ingested", None)
            for d in deliveries
        ],
    )
    drop_tables(con)
    return Ingested(loaded, duplicates, conflicts, len(quarantine))


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
