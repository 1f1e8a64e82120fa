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
from .errors import StoreError
from .features import NUMBERS
from .formats import read_delivery
from .segment import write_segment

__all__ = [
    "Delivered",
    "content_id",
    "normalise",
    "from_spool",
    "from_file",
    "column_types",
    "with_plain_features",
]


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


def content_id(path: Path) -> str:
    "A hash of the file's bytes: the same delivery has the same id, whatever it is called."
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def from_spool(con, kind: str, path: Path, folder: Path) -> Delivered:
    """A delivery from a spool file, as it is where it is canonical, else made so in `folder`.

    StoreError when it cannot be read to its last row.
    """
    if path.suffix == ".parquet":
        try:
            if _is_canonical(kind, column_types(con, path)):
                return Delivered(path, content_id(path), path)
        except duckdb.Error as error:
            raise StoreError(
                f"{path.name} is not a readable Parquet file: {str(error).splitlines()[0]}"
            ) from None
    return from_file(path, kind, folder)


def from_file(
    path: Path,
    kind: str,
    folder: Path,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Delivered:
    """`normalise`, with whatever a file's content can break said in a sentence; trouble with the
    disk is not the file's fault."""
    try:
        return normalise(path, kind, folder, mapping, constants)
    except (StoreError, OSError, MemoryError, duckdb.IOException):
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StoreError(f"{path.name} cannot be used: {reason}") from None


def normalise(
    path: Path,
    kind: str,
    folder: Path,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Delivered:
    """Make a canonical segment in `folder` from a CSV, JSON-lines or Parquet file.

    `mapping` is canonical name -> the file's column; `constants` fills whole columns (model,
    version, tenant, threshold as a score ...). Raises StoreError when the file cannot be used at
    all; single bad rows become rejects.
    """
    frame, lines, rejects = read_delivery(path)
    mapping, constants = dict(mapping or {}), dict(constants or {})
    _check_names(path, kind, frame, mapping, constants)
    frame = _filled(kind, _renamed(kind, frame, mapping), constants)
    lacking = [c for c in REQUIRED[kind] if c not in frame]
    if lacking and len(frame):
        raise StoreError(
            f"{path.name} has no column for {', '.join(lacking)}: name one with "
            f"--map {lacking[0]}=<column> or --set {lacking[0]}=<value>."
        )
    if len(frame):
        canonical, reason = canonical_frame(kind, frame)
    else:
        canonical, reason = pd.DataFrame(columns=list(COLUMNS[kind])), pd.Series(dtype=object)
    bad = reason.notna().to_numpy()
    refused = {"line": lines[bad], "reason": reason[bad].to_numpy(), "raw": _raw(frame[bad])}
    rejects = pd.concat([rejects, pd.DataFrame(refused)], ignore_index=True)
    features = {
        c.removeprefix("feature:"): c for c in canonical.columns if c.startswith("feature:")
    }
    written = write_segment(folder, canonical[~bad], COLUMNS[kind], features)
    return Delivered(path, content_id(path), written, lines[~bad], rejects)


def _check_names(path, kind, frame, mapping, constants):
    "StoreError when a column is named that there is not, here or in the file."
    for names, what in ((mapping, "mapped"), (constants, "set")):
        unknown = sorted(set(names) - set(COLUMNS[kind]))
        if unknown:
            raise StoreError(
                f"{unknown[0]!r} cannot be {what}: {kind} have the columns "
                f"{', '.join(COLUMNS[kind])}."
            )
    absent = sorted(set(mapping.values()) - set(frame.columns))
    if absent:
        raise StoreError(
            f"{path.name} has no column {absent[0]!r}: its columns are "
            f"{', '.join(map(str, frame.columns)) or 'none'}."
        )


def _renamed(kind, frame, mapping):
    "The file's columns under their canonical names."
    mapped = {ours: frame[theirs] for ours, theirs in mapping.items()}
    old = list({*mapping.values(), *mapping} & set(frame.columns))
    frame = frame.drop(columns=old).assign(**mapped)
    if kind == "predictions":
        # an outcome in the same file is no feature: it is what the model is to predict
        frame = frame.drop(columns=[c for c in ("label", "observed_at") if c in frame])
    return frame


def _filled(kind, frame, constants):
    "With constants in whole columns, and defaults where nothing stands."
    for name, value in (DEFAULTS[kind] | constants).items():
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
