"""What moved the scores of a day's alerts, as files beside the day: reasons in a few bytes a row,
and full contributions to compare later ones with."""

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd

from .base import Connected
from .duck import literal, parquet, source, target
from .durable import fsync
from .names import file_name

__all__ = [
    "SAME_SCORE",
    "STEP",
    "OfDay",
    "ReasonCodes",
    "ids_hash",
    "read_codes",
    "read_pushes",
    "write_codes",
]

SAME_SCORE = 0.001
"Scores that differ by more are of another model, or of other features."
STEP = 10
"Points to which a push is rounded where it is kept."

_HELD = np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64)


class OfDay(NamedTuple):
    "Which alerts a file is of."

    model: str
    version: str
    day: date

    def path(self, root: Path, kind: str) -> Path:
        "Where its file of a kind (reasons, contributions) lies."
        place = Path(root) / kind / file_name(self.model) / file_name(self.version)
        return place / f"{self.day}.parquet"


class ReasonCodes(NamedTuple):
    """The strongest features of some events and the rest, in points (1/1000 log-odds).

    `bias` + the pushes + `rest` is the log-odds of the score, rounded once: within half a point.
    A push is rounded to ten points, and `rest` takes up what that left over.
    """

    place: np.ndarray  # (n, k) which feature of the version; -1: none
    push: np.ndarray  # (n, k) its contribution with its sign; 0 where there is none
    rest: np.ndarray  # (n,) of all other features together
    bias: int  # where every score of the version starts

    @property
    def points(self) -> np.ndarray:
        "The log-odds of each score, in points."
        return self.bias + self.push.sum(axis=1) + self.rest


def ids_hash(ids: Iterable[str]) -> int:
    "A number that tells one list of ids from another: a file of reasons holds no ids."
    return zlib.crc32("\n".join(ids).encode())


def write_codes(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    of: OfDay,
    codes: ReasonCodes,
    about: Mapping[str, Any],
    ids: Iterable[str],
    pushes: pd.DataFrame,
) -> Path:
    """Write reasons and full contributions (`pushes`: a column a feature, in log-odds) of a day,
    each file whole or not at all; the path of the reasons.

    The contributions come first: where the reasons lie, both do.
    """
    kept = {f"c{i}": _held(np.rint(1000 * pushes[f])) for i, f in enumerate(pushes)}
    full = pd.DataFrame({"prediction_id": list(ids)} | kept)
    names = {"features": list(pushes)}
    _write(con, of.path(root, "contributions"), full, names)
    columns = {"reasons": _held(_together(codes.place, len(pushes.columns)))}
    columns |= {f"push_{k + 1}": _held(push // STEP) for k, push in enumerate(codes.push.T)}
    told = dict(about) | names | {"bias": codes.bias}
    path = of.path(root, "reasons")
    _write(con, path, pd.DataFrame(columns | {"rest": _held(codes.rest)}), told)
    return path


def _together(place, features):
    "The places of all reasons of a row as one number, with as many digits as there are reasons."
    number = np.zeros(len(place), dtype=np.int64)
    for digit in place.T:
        number = number * (features + 1) + digit + 1
    return number


def _apart(number, features, width):
    "What `_together` put together."
    digits = [number // (features + 1) ** k % (features + 1) for k in range(width - 1, -1, -1)]
    return np.array(digits, dtype=np.int64).T.reshape(len(number), width) - 1


def _held(values):
    "Whole numbers in the fewest bytes that hold them."
    values = np.asarray(values)
    most = np.abs(values).max(initial=0)
    return values.astype(next(d for d in _HELD if most <= np.iinfo(d).max))


def _write(con, path, frame, about):
    "A file that is there whole or not at all."
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    con.register("kept_reasons", frame)
    try:
        con.execute(
            f"""
            COPY kept_reasons TO {target(aside)} (
                FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2,
                KV_METADATA {{about: {literal(json.dumps(about))}}})"""
        )
        fsync(aside)
        aside.replace(path)
        fsync(path.parent)
    finally:
        con.unregister("kept_reasons")
        with suppress(OSError):
            aside.unlink()


def read_codes(log: Connected, of: OfDay) -> tuple[ReasonCodes, dict[str, Any]] | None:
    "The reasons that are kept of a day, and what they are about; None without a readable file."
    found = _read(log, of.path(log.root, "reasons"))
    if found is None:
        return None
    rows, about = found
    pushes = [rows[c].to_numpy(dtype=np.int64) for c in rows if c.startswith("push_")]
    push = STEP * np.array(pushes, dtype=np.int64).T.reshape(len(rows), -1)
    place = _apart(rows.reasons.to_numpy(dtype=np.int64), len(about["features"]), push.shape[1])
    return ReasonCodes(place, push, rows.rest.to_numpy(dtype=np.int64), about["bias"]), about


def _read(log, path):
    "Rows of a file and what it says of itself; None where it is not there, or not whole."
    if not path.exists():
        return None
    try:
        rows = log.con.execute(f"FROM {parquet([path])}").df()
        (told,) = log.con.execute(
            f"SELECT value FROM parquet_kv_metadata({source(path)}) WHERE key = 'about'"
        ).fetchone()
        return rows, json.loads(bytes(told))
    except (duckdb.Error, TypeError, ValueError):  # it is made again
        return None


def read_pushes(log: Connected, days: Iterable[OfDay], features: list[str]) -> pd.DataFrame:
    """Full contributions that are kept of the alerts of some days, in log-odds: a row an alert, by
    prediction_id, a column a feature."""
    parts = []
    for of in days:
        found = _read(log, of.path(log.root, "contributions"))
        if found is not None and found[1]["features"] == features:
            parts.append(found[0].set_index("prediction_id"))
    if not parts:
        return pd.DataFrame(columns=features, dtype=np.float64)
    together = pd.concat(parts) / 1000
    return together.set_axis(features, axis=1)
