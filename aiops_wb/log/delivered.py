"""A delivered file: made readable as a segment of the log's own, or refused in a sentence."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import pandas as pd

from .canonical import canonical_frame, missing
from .columns import COLUMNS, DEFAULTS, REQUIRED
from .duck import parquet, source, target
from .errors import StoreError
from .formats import kind_of_file, read_delivery
from .numbers import plain_numbers
from .reading import ReadOptions, shown
from .roles import FEATURE, Choice, Roles, assign_roles
from .segment import write_segment
from .values import NULL_WORDS

__all__ = [
    "Delivered",
    "Read",
    "content_id",
    "normalise",
    "read_rows",
    "from_spool",
    "from_file",
    "column_types",
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
    notes: tuple[str, ...] = ()  # what is to be said of the file
    outcome_columns: tuple[tuple[str, str], ...] = ()  # (column, what it was mapped as)
    # values that did not fit their feature: row (place in the canonical file), feature, raw
    unreadable: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["row", "feature", "raw"])
    )


class Settling(Protocol):
    "Knows what the features of the log are."

    def settle_frame(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        "Canonical rows with their features as what they are, and what did not fit."

    def not_numbers(self) -> set[str]:
        "Features of any model that are known to be something else than numbers."


def content_id(path: Path) -> str:
    "A hash of the file's bytes: the same delivery has the same id, whatever it is called."
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def from_spool(
    con,
    kind: str,
    path: Path,
    folder: Path,
    types: Settling,
    outcomes: Outcomes = NONE,
    options: ReadOptions | None = None,
) -> Delivered:
    """A delivery from a spool file, as it is where it is canonical, else made so in `folder`.

    StoreError when it cannot be read to its last row.
    """
    if kind_of_file(path) != ".parquet":
        return from_file(path, kind, folder, types, outcomes=outcomes, options=options)
    given = _openable(path, folder)
    try:
        types_there = column_types(con, given)
        if _is_canonical(kind, types_there):
            return Delivered(path, content_id(path), given)
        if _is_canonical(kind, {"event_key": "VARCHAR"} | types_there):
            return Delivered(path, content_id(path), _with_key(con, given, folder))
    except duckdb.Error as error:
        raise StoreError(
            f"{shown(path.name)} cannot be read as Parquet: {str(error).splitlines()[0]}"
        ) from None
    made = from_file(given, kind, folder, types, outcomes=outcomes, options=options)
    return replace(made, path=path)


def _with_key(con, path, folder):
    "A segment of a logger of an earlier release, with the column that it did not know."
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{content_id(path)}-keyed.parquet"
    rows = f"SELECT *, NULL::VARCHAR AS event_key FROM {parquet([path])}"
    con.execute(f"COPY ({rows}) TO {target(made)} (FORMAT parquet)")
    return made


def _openable(path, folder):
    "A Parquet file under a name that the database can open: a link in a folder of our own."
    try:
        source(path)
    except StoreError:
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / f"{content_id(path)}-named.parquet"
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
        return link
    return path


def from_file(
    path: Path,
    kind: str,
    folder: Path,
    types: Settling,
    choice: Choice = Choice(),
    outcomes: Outcomes = NONE,
    options: ReadOptions | None = None,
) -> Delivered:
    """`normalise`, with whatever a file's content can break said in a sentence; trouble with the
    disk is not the file's fault."""
    try:
        return normalise(path, kind, folder, types, choice, outcomes, options)
    except MemoryError:
        raise StoreError(
            f"{shown(path.name)} cannot be used: the memory of this machine does not hold it."
        ) from None
    except (StoreError, OSError, duckdb.IOException):
        raise
    except Exception as error:
        reason = shown((str(error) or type(error).__name__).splitlines()[0])
        raise StoreError(f"{shown(path.name)} cannot be used: {reason}") from None


def normalise(
    path: Path,
    kind: str,
    folder: Path,
    types: Settling,
    choice: Choice = Choice(),
    outcomes: Outcomes = NONE,
    options: ReadOptions | None = None,
) -> Delivered:
    """Make a canonical segment in `folder` from a CSV, JSON-lines or Parquet file.

    `types` brings features to what they are. Raises StoreError when the file cannot be used at
    all; single bad rows become rejects.
    """
    read = _read_quickly(path, kind, types.not_numbers(), choice, outcomes, options)
    good, unreadable = types.settle_frame(read.canonical)
    features = {c.removeprefix(FEATURE): c for c in good.columns if c.startswith(FEATURE)}
    written = write_segment(folder, good, COLUMNS[kind], features)
    return Delivered(
        path,
        content_id(path),
        written,
        read.lines,
        read.rejects,
        read.waiting,
        (*read.notes, *read.roles.said()),
        choice.outcome_columns(kind),
        unreadable,
    )


@dataclass(frozen=True, eq=False)
class Read:
    "The rows of a file in columns of the log, and what was said, left out or rejected on the way."

    roles: Roles
    canonical: pd.DataFrame
    lines: np.ndarray
    rejects: pd.DataFrame
    waiting: int  # rows of outcomes whose label is not known yet
    notes: tuple[str, ...]  # what is to be said of how it was read


def _read_quickly(path, kind, not_numbers, choice, outcomes, options):
    """`read_rows`, with numbers read as such where each row of the file is good: of a bad one is
    said, and kept, what stands in the file."""
    if options is None or (options.decimal, options.thousands) == (".", None):
        texts = _texts(kind, choice, not_numbers)
        read = read_rows(path, kind, choice, outcomes, options, texts)
        if not len(read.rejects):
            return read
    return read_rows(path, kind, choice, outcomes, options)


def _texts(kind, choice, not_numbers):
    "Columns of a file that are texts, whatever they look like."
    roles = [c for c, t in COLUMNS[kind].items() if t in ("VARCHAR", "BOOLEAN", _INSTANT)]
    mapped = [choice.mapping[role] for role in roles if role in choice.mapping]
    named = (name for feature in not_numbers for name in (feature, FEATURE + feature))
    return {"features", *roles, *mapped, *named}


def read_rows(
    path: Path,
    kind: str,
    choice: Choice,
    outcomes: Outcomes,
    options: ReadOptions | None = None,
    texts: Collection[str] | None = None,
) -> Read:
    """Read a file and make its columns those of the log; StoreError when it cannot be used at all.

    `texts`: as in `read_delivery`.
    """
    options, notes = options or ReadOptions(), []
    delivered, lines, rejects = read_delivery(path, options, notes.append, texts)
    roles = assign_roles(shown(path.name), kind, delivered, choice, outcomes)
    given = _without_words(kind, roles.frame, options)
    frame = _filled(kind, _respelt(kind, given, options), choice.constants)
    lacking = [c for c in REQUIRED[kind] if c not in frame]
    if kind == "outcomes" and "event_key" in frame:
        lacking = [c for c in lacking if c != "prediction_id"]
    if lacking and len(frame):
        by_event = kind == "outcomes" and lacking[0] == "prediction_id"
        raise StoreError(
            f"{shown(path.name)} has no column for {', '.join(lacking)}: name one with "
            f"--map {lacking[0]}=<column> or --set {lacking[0]}=<value>."
            + (" Labels of events are told by --map event_key=<column>." if by_event else "")
        )
    told = _told(kind, frame)
    waiting, unreadable = int((~told).sum()), roles.reason
    if waiting:
        frame, delivered, lines = frame[told], delivered[told], lines[told]
        unreadable = unreadable[told].reset_index(drop=True)
    if len(frame):
        canonical, reason = _canonical(path, kind, frame, options, notes)
        if unreadable.notna().any():
            reason = unreadable.where(unreadable.notna(), reason)
    else:
        canonical, reason = pd.DataFrame(columns=list(COLUMNS[kind])), unreadable
    bad = reason.notna().to_numpy()
    if not bad.any():
        return Read(roles, canonical, lines, rejects, waiting, tuple(notes))
    refused = {"line": lines[bad], "reason": reason[bad].to_numpy(), "raw": _raw(delivered[bad])}
    rejects = pd.concat([rejects, pd.DataFrame(refused)], ignore_index=True)
    return Read(roles, canonical[~bad], lines[~bad], rejects, waiting, tuple(notes))


def _told(kind, frame):
    "The rows that say something: an outcome without a label is not known yet, and no fault."
    named = [name for name in ("prediction_id", "event_key") if name in frame]
    if kind == "outcomes" and "label" in frame and named:
        nameless = np.logical_and.reduce([missing(frame[name]) for name in named])
        return ~missing(frame.label).to_numpy() | nameless
    return np.ones(len(frame), dtype=bool)


def _canonical(path, kind, frame, options, notes):
    "`canonical_frame`, which knows no file, with the file's name in what it says."
    name = shown(path.name)

    def say(told):
        notes.append(f"{name}: {told}")

    def refuse(told):
        raise StoreError(f"{name}: {told}")

    return canonical_frame(kind, frame, options.naive_timezone, say, refuse)


def _without_words(kind, frame, options):
    "With nothing where a word for a missing value stands instead of a number of the log's own."
    told = options.null_words
    words = NULL_WORDS if told is None else {"", *told}

    def meant(cell):
        return None if isinstance(cell, str) and cell.strip().lower() in words else cell

    numbers = [c for c in frame if c in _NUMBERS[kind] and frame[c].dtype.kind == "O"]
    return frame.assign(**{c: frame[c].map(meant) for c in numbers}) if numbers else frame


def _respelt(kind, frame, options):
    "Numbers as programs write them, and scores as probabilities, as a person said the file's are."
    changed = {}
    if (options.decimal, options.thousands) != (".", None):
        numbers = [c for c in frame if COLUMNS[kind].get(c) not in ("VARCHAR", _INSTANT)]
        spelling = (options.decimal, options.thousands)
        changed = {c: plain_numbers(frame[c], *spelling) for c in numbers}
    if options.score_scale == "percent":
        for name in {"score", "threshold"} & set(frame.columns):
            told = changed.get(name, frame[name]).astype(object)
            percent = pd.to_numeric(told, errors="coerce").astype(float)
            changed[name] = told.where(percent.isna(), percent / 100)
    return frame.assign(**changed) if changed else frame


_INSTANT = "TIMESTAMP WITH TIME ZONE"
_NUMBERS = {
    kind: {name for name, made in columns.items() if made not in ("VARCHAR", _INSTANT)}
    for kind, columns in COLUMNS.items()
}


def _filled(kind, frame, constants):
    "With constants in whole columns, and defaults where nothing stands."
    for name, value in (DEFAULTS[kind] | dict(constants)).items():
        if name in frame and name not in constants:
            frame[name] = frame[name].where(~missing(frame[name]), value)
        else:
            frame[name] = value
    return frame


def _raw(rows):
    """Rows as they were delivered, each as JSON that any disk takes: the same row is the same text,
    whichever columns other rows of its file have."""
    return [
        shown(json.dumps(_given(row), default=str, ensure_ascii=False, sort_keys=True))
        for row in rows.to_dict("records")
    ]


def _given(row):
    "The cells of a row that hold something, or an empty text."
    return {
        name: cell
        for name, cell in row.items()
        if cell is not None and not (isinstance(cell, float) and np.isnan(cell))
    }


def column_types(con, path: Path) -> dict[str, str]:
    "Column types of a Parquet file by its footer."
    described = con.execute(f"DESCRIBE SELECT * FROM {parquet([path])}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _is_canonical(kind, types):
    columns = COLUMNS[kind]
    return all(types.get(c) == t for c, t in columns.items()) and set(types) <= {
        *columns,
        "features",
        "decided_by",  # a file of a log
    }
