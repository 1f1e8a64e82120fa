"""A delivered file: made readable as a segment of the log's own, or refused in a sentence."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from .canonical import canonical_frame, missing
from .columns import COLUMNS, DEFAULTS, REQUIRED
from .duck import identifier, literal, parquet
from .durable import write_segment
from .errors import StoreError
from .features import NUMBERS
from .formats import read_delivery
from .roles import FEATURE, Choice, Roles, assign_roles

__all__ = [
    "Delivered",
    "Read",
    "content_id",
    "normalise",
    "read_rows",
    "from_spool",
    "from_file",
    "column_types",
    "with_plain_features",
]


Outcomes = Mapping[str, Mapping[str, str]]  # model -> column that is an outcome -> mapped as
NONE: Outcomes = {}


@dataclass(frozen=True, eq=False)
class Delivered:
    "One delivered file: where its canonical rows are, and what was rejected on the way there."

    path: Path
    segment_id: str
    canonical: Path
    # line of each canonical row in the file, where it differs from its position
    lines: np.ndarray | None = None
    rejects: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["line", "reason", "raw"])
    )
    waiting: int = 0  # rows of outcomes whose label is not known yet
    said: tuple[str, ...] = ()  # what a person should know of its columns
    outcome_columns: tuple[tuple[str, str], ...] = ()  # (column, what it was mapped as)


def content_id(path: Path) -> str:
    "A hash of the file's bytes: the same delivery has the same id, whatever it is called."
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def from_spool(con, kind: str, path: Path, folder: Path, outcomes: Outcomes = NONE) -> Delivered:
    """A delivery from a spool file, as it is where it is canonical, else made so in `folder`.

    StoreError when it cannot be read to its last row.
    """
    if path.suffix == ".parquet":
        try:
            if _is_canonical(kind, column_types(con, path)):
                return Delivered(path, content_id(path), path)
        except duckdb.Error as error:
            raise StoreError(
                f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}"
            ) from None
    return from_file(path, kind, folder, outcomes=outcomes)


def from_file(
    path: Path, kind: str, folder: Path, choice: Choice = Choice(), outcomes: Outcomes = NONE
) -> Delivered:
    """`normalise`, with whatever a file's content can break said in a sentence; trouble with the
    disk is not the file's fault."""
    try:
        return normalise(path, kind, folder, choice, outcomes)
    except (StoreError, OSError, MemoryError, duckdb.IOException):
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StoreError(f"{path.name} cannot be used: {reason}") from None


def normalise(
    path: Path, kind: str, folder: Path, choice: Choice = Choice(), outcomes: Outcomes = NONE
) -> Delivered:
    """Make a canonical segment in `folder` from a CSV, JSON-lines or Parquet file.

    Raises StoreError when the file cannot be used at all; single bad rows become rejects.
    """
    read = read_rows(path, kind, choice, outcomes)
    features = {c.removeprefix(FEATURE): c for c in read.canonical.columns if c.startswith(FEATURE)}
    written = write_segment(folder, read.canonical, COLUMNS[kind], features)
    return Delivered(
        path,
        content_id(path),
        written,
        read.lines,
        read.rejects,
        read.waiting,
        read.roles.said(),
        choice.outcome_columns(kind),
    )


@dataclass(frozen=True, eq=False)
class Read:
    "The rows of a file in columns of the log, and what was said, left out or rejected on the way."

    roles: Roles
    canonical: pd.DataFrame
    lines: np.ndarray
    rejects: pd.DataFrame
    waiting: int  # rows of outcomes whose label is not known yet


def read_rows(path: Path, kind: str, choice: Choice, outcomes: Outcomes) -> Read:
    "Read a file and make its columns those of the log; StoreError when it cannot be used at all."
    delivered, lines, rejects = read_delivery(path)
    roles = assign_roles(path.name, kind, delivered, choice, outcomes)
    frame = _filled(kind, roles.frame, choice.constants)
    lacking = [c for c in REQUIRED[kind] if c not in frame]
    if lacking and len(frame):
        raise StoreError(
            f"{path.name} has no column for {', '.join(lacking)}: name one with "
            f"--map {lacking[0]}=<column> or --set {lacking[0]}=<value>."
        )
    told = _told(kind, frame)
    waiting = int((~told).sum())
    frame, delivered, lines = frame[told], delivered[told], lines[told]
    unreadable = roles.reason[told].reset_index(drop=True)
    if len(frame):
        canonical, reason = canonical_frame(kind, frame)
        reason = unreadable.where(unreadable.notna(), reason)
    else:
        canonical, reason = pd.DataFrame(columns=list(COLUMNS[kind])), unreadable
    bad = reason.notna().to_numpy()
    refused = {"line": lines[bad], "reason": reason[bad].to_numpy(), "raw": _raw(delivered[bad])}
    rejects = pd.concat([rejects, pd.DataFrame(refused)], ignore_index=True)
    return Read(roles, canonical[~bad], lines[~bad], rejects, waiting)


def _told(kind, frame):
    "The rows that say something: an outcome without a label is not known yet, and no fault."
    if kind == "outcomes" and "label" in frame and "prediction_id" in frame:
        return ~missing(frame.label).to_numpy() | missing(frame.prediction_id).to_numpy()
    return np.ones(len(frame), dtype=bool)


def _filled(kind, frame, constants):
    "With constants in whole columns, and defaults where nothing stands."
    for name, value in (DEFAULTS[kind] | dict(constants)).items():
        if name in frame and name not in constants:
            frame[name] = frame[name].where(~missing(frame[name]), value)
        else:
            frame[name] = value
    return frame


def _raw(rows):
    "Rows as they were delivered, each as JSON that any disk takes."
    texts = [json.dumps(row, default=str, ensure_ascii=False) for row in rows.to_dict("records")]
    return [text.encode(errors="backslashreplace").decode() for text in texts]


def column_types(con, path: Path) -> dict[str, str]:
    "Column types of a Parquet file by its footer."
    described = con.execute(f"DESCRIBE SELECT * FROM {parquet([path])}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _is_canonical(kind, types):
    columns = COLUMNS[kind]
    return all(types.get(c) == t for c, t in columns.items()) and set(types) <= {
        *columns,
        "features",
    }


def with_plain_features(con, delivery: Delivered, folder: Path) -> Delivered:
    """The delivery with features that are neither numbers, booleans nor text as text: files are
    read together, and a list in one cannot be read beside a number in another."""
    rows = parquet([delivery.canonical])
    source = con.sql(f"FROM {rows}")
    features = dict(zip(source.columns, source.types)).get("features")
    kinds = {name: kind.id for name, kind in features.children} if features is not None else {}
    plain = NUMBERS | {"varchar", "null"}  # a column without any value has no type
    if plain.issuperset(kinds.values()):
        return delivery
    fields = ", ".join(
        f"{identifier(f)} := features.{identifier(f)}" + ("" if kind in plain else "::VARCHAR")
        for f, kind in kinds.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{delivery.segment_id}-plain.parquet"
    con.execute(
        f"""
        COPY (SELECT * REPLACE (struct_pack({fields}) AS features) FROM {rows})
        TO {literal(made)} (FORMAT parquet)"""
    )
    return replace(delivery, canonical=made)
