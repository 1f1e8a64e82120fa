"""Events and batches of a logger as columns: what a segment is made of."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .columns import COLUMNS
from .plain import spelt

__all__ = ["NO_TIME", "Batch", "Cells", "Table", "objects", "settled", "table"]

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?")
_EXACT = 2**53  # whole numbers up to here are exact beside missing ones
_DTYPES = {
    "VARCHAR": object,
    "DOUBLE": np.float64,
    "SMALLINT": np.int16,
    "TINYINT": np.int8,
    "BOOLEAN": np.float64,  # with NaN where it is missing
    "TIMESTAMP WITH TIME ZONE": np.int64,  # microseconds since 1970
}
NO_TIME = int(np.iinfo(np.int64).min)
"Stands where a time is missing."


@dataclass(frozen=True, eq=False)
class Cells:
    "Values of one feature: their kind (null, boolean, integer, number, text) and an array."

    kind: str
    values: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Batch:
    "Rows that were logged together; a column that is not there is missing."

    rows: int
    columns: dict[str, np.ndarray]
    features: dict[str, Cells] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.rows

    def encoded(self) -> dict:
        "As JSON: numbers as their bytes, texts as they are."
        return {
            "rows": self.rows,
            "columns": {name: _encoded(array) for name, array in self.columns.items()},
            "features": {
                name: [cells.kind, _encoded(cells.values)] for name, cells in self.features.items()
            },
        }

    @classmethod
    def decoded(cls, told: Mapping) -> "Batch":
        "What `encoded` was made of."
        if not told:  # whose rows were all taken out
            return cls(0, {}, {})
        columns = {name: _decoded(array) for name, array in told["columns"].items()}
        features = {n: Cells(kind, _decoded(v)) for n, (kind, v) in told["features"].items()}
        return cls(told["rows"], columns, features)


def _encoded(array):
    if array is None:
        return None
    if array.dtype == object:
        return array.tolist()
    return {"dtype": array.dtype.str, "bytes": b64encode(array.tobytes()).decode()}


def _decoded(told):
    if told is None:
        return None
    if isinstance(told, list):
        return objects(told)
    dtype = np.dtype(told["dtype"])
    return np.frombuffer(b64decode(told["bytes"]), dtype=dtype)


def objects(values) -> np.ndarray:
    "Values as they are, as an array."
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def settled(values: Sequence, fixed: str | None = None) -> Cells:
    "Plain values as one kind: booleans are numbers among numbers, and everything is a text."
    kinds = set(map(type, values))
    absent = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return Cells("null", None)
    if fixed == "text":
        kinds.add(str)
    if kinds == {bool}:
        return Cells("boolean", np.array(values, dtype=np.float64 if absent else bool))
    if kinds == {int}:
        if not absent:
            return Cells("integer", np.array(values, dtype=np.int64))
        if all(value is None or -_EXACT <= value <= _EXACT for value in values):
            return Cells("integer", np.array(values, dtype=np.float64))
    elif str not in kinds and _exact(values):
        return Cells("number", np.array(values, dtype=np.float64))
    if kinds != {str}:
        values = [v if v is None else spelt(v) for v in values]
    return Cells("text", objects(values))


def _exact(values):
    return all(type(v) is not int or -_EXACT <= v <= _EXACT for v in values)


@dataclass(frozen=True, eq=False)
class Table:
    "Columns of a segment, and its features: name -> the type they are cast to."

    arrays: dict[str, np.ndarray]
    features: dict[str, str | None]


def _batches(header: Mapping, items: Sequence) -> list[Batch]:
    "Events that follow each other as one batch, and the batches between them."
    batches, events = [], []
    for item in items:
        if isinstance(item, Batch):
            if events:
                batches.append(_of_events(header, events))
                events = []
            batches.append(item)
        else:
            events.append(item)
    return [*batches, _of_events(header, events)] if events else batches


def _of_events(header, events):
    types = COLUMNS[header["kind"]]
    *columns, features = zip(*events, strict=True)
    named = zip(header["columns"], columns, strict=True)
    made = {name: _column(values, types[name]) for name, values in named}
    names = dict.fromkeys(name for one in features if one for name in one)
    nothing: dict = {}
    fixed = header.get("schema", nothing)
    return Batch(
        len(events),
        {name: array for name, array in made.items() if array is not None},
        {
            name: settled([(one or nothing).get(name) for one in features], fixed.get(name))
            for name in names
        },
    )


def _column(values, kind):
    "A column of events; None when nothing stands there."
    if not any(value is not None for value in values):
        return None
    if kind == "VARCHAR":
        return objects(values)
    if kind == "TIMESTAMP WITH TIME ZONE":
        values = [NO_TIME if value is None else value for value in values]
    return np.array(values, dtype=_DTYPES[kind])


def table(header: Mapping, items: Sequence) -> Table:
    "All rows as columns; types of features as `header` has them published, else the widest."
    batches = _batches(header, items)
    types, arrays = COLUMNS[header["kind"]], {}
    for name in dict.fromkeys(name for batch in batches for name in batch.columns):
        arrays[name] = _together(
            [_or_missing(batch.columns.get(name), batch.rows, types[name]) for batch in batches]
        )
    names = dict.fromkeys(name for batch in batches for name in batch.features)
    casts = {}
    for at, name in enumerate(names):
        pieces = [(batch.features.get(name, Cells("null", None)), batch.rows) for batch in batches]
        fixed = header.get("schema", {}).get(name)
        array, casts[name] = _widened(pieces, fixed, header.get("null_words", ()))
        arrays[f"feature{at}"] = array
    return Table(arrays, casts)


def _together(pieces):
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _or_missing(array, rows, kind):
    if array is not None:
        return array
    nothing = {"VARCHAR": None, "TIMESTAMP WITH TIME ZONE": NO_TIME}.get(kind, np.nan)
    return np.full(rows, nothing, dtype=_DTYPES[kind])


_CASTS = {"number": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR", "time": "VARCHAR"}


def _widened(pieces, fixed, null_words):
    "One array for a feature's pieces, and the type it is cast to where that does not follow."
    kinds = {cells.kind for cells, _ in pieces} - {"null"}
    if not kinds:
        return objects([None] * sum(rows for _, rows in pieces)), _CASTS.get(fixed)
    if fixed == "text" or "text" in kinds or not _fit(pieces, kinds):
        spelled = [_as_texts(cells, rows) for cells, rows in pieces]
        return _numbers_again(_together(spelled), fixed, null_words), None
    if fixed == "number" and kinds == {"boolean"}:
        kinds = {"number", "boolean"}
    arrays = [
        np.full(rows, np.nan) if cells.values is None else cells.values for cells, rows in pieces
    ]
    if len(kinds) > 1:
        arrays = [array.astype(np.float64) for array in arrays]
    together = _together(arrays)
    if len(kinds) == 1 and together.dtype.kind == "f":
        return together, {"boolean": "BOOLEAN", "integer": "BIGINT"}.get(*kinds)
    return together, None


def _fit(pieces, kinds):
    "Whether whole numbers stay exact beside what else there is."
    if "integer" not in kinds:
        return True
    arrays = [cells.values for cells, _ in pieces if cells.kind == "integer"]
    same = {array.dtype.kind for array in arrays}
    if (
        kinds == {"integer"}
        and len(same) == 1
        and all(cells.values is not None for cells, _ in pieces)
    ):
        return True
    return all(np.nanmax(np.abs(array.astype(np.float64)), initial=0) < _EXACT for array in arrays)


def _as_texts(cells, rows):
    if cells.values is None:
        return objects([None] * rows)
    if cells.kind == "text":
        return cells.values
    values = cells.values.tolist()
    if cells.values.dtype.kind == "f":
        exact = {"boolean": bool, "integer": int}.get(cells.kind, float)
        return objects([None if v != v else spelt(exact(v)) for v in values])
    return objects([spelt(value) for value in values])


def _numbers_again(array, fixed, null_words):
    "Texts that are all numbers or words for none, where the feature is known to be a number."
    if fixed != "number":
        return array
    given = [_told(value, null_words) for value in array.tolist()]
    if not all(value is None or _NUMBER.fullmatch(value) for value in given):
        return array  # as it was given: the ingester keeps what it cannot read
    return objects(given).astype(np.float64)


def _told(value, null_words):
    "A text, None where it is a word for a missing value."
    return None if value is None or value.strip().lower() in null_words else value
