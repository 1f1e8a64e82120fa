"""Rows in Arrow: what has to be there to score them, their features in one form, and the columns
that come of it."""

import pandas as pd

from ..log.columns import DEFAULTS, PREDICTION
from ..log.errors import StoreError
from ..log.feature_schema import features_of_card
from .arrow import pa, pc
from .matrix import lacking_feature
from .version import ModelVersion

__all__ = [
    "DECIDED",
    "NAMED",
    "as_read",
    "as_rows",
    "explained_fields",
    "feature_array",
    "logged_fields",
    "require_features",
    "require_rows",
    "row_columns",
    "row_fields",
]

DECIDED = pa.schema(
    {
        "score": pa.float64(),
        "points": pa.int16(),
        "lower": pa.float64(),
        "upper": pa.float64(),
        "risk_level": pa.string(),
        "route": pa.string(),
        "automated": pa.bool_(),
        "reason": pa.string(),
        "ladder": pa.string(),
        "propensity": pa.float64(),
    }
)
"What a decision adds to a row, as `Scorer.decide` has it."
NAMED = ["prediction_id", "tenant", "event_date"]
"What an explanation of rows is told by."

_INSTANT = pa.timestamp("us", "UTC")
_TYPES = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "SMALLINT": pa.int16(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": _INSTANT,
}
_TEXTS = ("prediction_id", "tenant", "entity_id", "site_id", "event_key")
_PLAIN = "a number, a boolean or a text"
_TAKEN = dict.fromkeys(("number", "boolean"), _PLAIN)
_TAKEN |= dict.fromkeys(("text", "time"), "a number, a boolean, a text or a time")
_OFFSET = "instants are needed (a TIMESTAMP that knows its zone)"


def explained_fields(version: ModelVersion) -> pa.Schema:
    "What an explanation adds to a row: the push of each feature, and where every score starts."
    pushes = pa.struct([(name, pa.float64()) for name in version.features])
    return pa.schema({"contributions": pushes, "bias": pa.float64()})


def row_fields(given: pa.Schema, version: ModelVersion) -> pa.Schema:
    "The columns that `as_rows` makes of given ones."
    told = {name: pa.string() for name in _TEXTS} | {"predicted_at": _INSTANT}
    if features := _features_of(given, version):
        told["features"] = pa.struct(features)
    return pa.schema(told | {"event_date": pa.date32()})


def logged_fields(given: pa.Schema, version: ModelVersion) -> pa.Schema:
    "The columns of day files that come of given ones."
    logged = {name: _TYPES[kind] for name, kind in PREDICTION.items()}
    own = {field.name: field.type for field in row_fields(given, version)}
    return pa.schema(logged | {"decided_by": pa.string()} | own)


def row_columns(given: pa.Schema, version: ModelVersion) -> list[str]:
    "Those of given columns that scoring a row reads, or takes over."
    nested = _nested(given)
    features = ["features"] if nested is not None else version.features
    wanted = dict.fromkeys([*_TEXTS, "predicted_at", *features])
    return [name for name in wanted if name in given.names]


def require_features(given: pa.Schema, version: ModelVersion) -> None:
    "StoreError where columns lack a feature of a version, or one cannot be asked of it."
    for name, kind in features_of_card(version.card).items():
        found = _type_of(given, name)
        if found is None:
            raise StoreError(lacking_feature(name, version.features))
        if not _is_taken(found, kind):
            raise StoreError(
                f"feature {name!r} is of type {found}: {version.model} {version.version} takes "
                f"{_TAKEN[kind]} there."
            )


def require_rows(given: pa.Schema) -> None:
    "StoreError where columns lack an id or an instant, or hold something else there."
    for name in ("prediction_id", "predicted_at"):
        if name not in given.names:
            raise StoreError(f"column {name!r} is missing: rows have {', '.join(given.names)}.")
    for name in set(_TEXTS) & set(given.names):
        found = given.field(name).type
        if not _is_taken(found, "number") or pa.types.is_floating(found):
            raise StoreError(f"column {name!r} is of type {found}: texts are needed there.")
    at = given.field("predicted_at").type
    if not pa.types.is_timestamp(at) or at.tz is None:
        raise StoreError(f"column 'predicted_at' is of type {at}: {_OFFSET}.")


def _nested(given):
    "The type of a column of features; None where they are columns of their own."
    place = given.get_field_index("features")
    found = given.field(place).type if place >= 0 else None
    return found if found is not None and pa.types.is_struct(found) else None


def _type_of(given, name):
    "The type of a feature among some columns; None where it is not there."
    fields = given if (nested := _nested(given)) is None else nested
    place = fields.get_field_index(name)
    return fields.field(place).type if place >= 0 else None


def _features_of(given, version):
    "The fields of features that rows are logged with."
    if (nested := _nested(given)) is not None:
        return list(nested)
    return [given.field(name) for name in version.features if name in given.names]


def _is_taken(found, kind):
    "Whether values of a type can be a feature of a kind."
    of = pa.types
    if of.is_dictionary(found):
        return _is_taken(found.value_type, kind)
    plain = (of.is_integer, of.is_floating, of.is_decimal, of.is_boolean, of.is_null)
    texts = (of.is_string, of.is_large_string, of.is_string_view)
    times = (of.is_date, of.is_timestamp) if kind in ("text", "time") else ()
    return any(one(found) for one in (*plain, *texts, *times))


def feature_array(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    "A feature of a batch as it is stored; None where it is not there."
    if (nested := _nested(batch.schema)) is not None:
        at = nested.get_field_index(name)
        return pc.struct_field(batch.column("features"), [at]) if at >= 0 else None
    return batch.column(name) if name in batch.schema.names else None


def as_read(stored: pa.Array, categorical: bool) -> pd.Series:
    """A column in one form, whatever else is in its batch: whole numbers that a missing one would
    make broken are texts where they are categories, and decimals are read as they are spelt."""
    kind = stored.type
    if pa.types.is_dictionary(kind):
        return as_read(stored.dictionary_decode(), categorical)
    whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and not kind.scale)
    if whole and categorical:
        stored = stored.cast(pa.string())
    elif pa.types.is_decimal(kind):
        stored = stored.cast(pa.string()).cast(pa.float64())
    elif pa.types.is_timestamp(kind) and kind.tz:
        stored = stored.cast(pa.timestamp(kind.unit, "UTC"))
    return stored.to_pandas()


def as_rows(batch: pa.RecordBatch, version: ModelVersion, zone: str) -> pa.RecordBatch:
    "Rows as the log knows them: ids as texts, a tenant, the day in a zone, features together."
    n, held = batch.num_rows, batch.schema.names
    missing = pa.nulls(n, pa.string())
    made = {
        name: batch.column(name).cast(pa.string()) if name in held else missing for name in _TEXTS
    }
    made["tenant"] = pc.fill_null(made["tenant"], DEFAULTS["predictions"]["tenant"])
    made["predicted_at"] = at = batch.column("predicted_at").cast(_INSTANT, safe=False)
    if _nested(batch.schema) is not None:
        made["features"] = batch.column("features")
    elif fields := _features_of(batch.schema, version):
        columns = [batch.column(field.name) for field in fields]
        made["features"] = pa.StructArray.from_arrays(columns, fields=fields)
    made["event_date"] = _days(at, zone)
    return pa.RecordBatch.from_pydict(made)


def _days(at, zone):
    "The days of instants in a zone."
    local = at.to_pandas().dt.tz_convert(zone).dt.tz_localize(None)
    return pa.array(local.to_numpy().astype("datetime64[D]"), pa.date32())
