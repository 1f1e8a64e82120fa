"""Features as numbers and as counts in the bins of a model version."""

from collections.abc import Mapping
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd

from .duck import identifier
from .values import category_codes, typed

__all__ = [
    "NUMBERS",
    "as_numbers",
    "bin_values",
    "binned_days",
    "count_numbers",
    "feature_counts",
    "stored_types",
]

NUMBERS = {
    "double",
    "float",
    "decimal",
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "uhugeint",
}
"DuckDB's names of the types that are counted as numbers."


def as_numbers(values) -> np.ndarray:
    """A feature as float64: booleans are 0 and 1, spelt out or not; what is missing or no number
    is NaN."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return typed(series, "number")[0].to_numpy(dtype=np.float64, copy=True)


def bin_values(values, rule: Mapping) -> np.ndarray:
    """Bin of each value by a rule {'cuts': [...]} (ascending numbers) or {'categories': [...]};
    -1 missing, -2 unseen category."""
    if "categories" in rule:
        return category_codes(values, rule["categories"])
    numbers = as_numbers(values)
    placed = np.searchsorted(rule["cuts"], numbers, side="right")
    return np.where(np.isnan(numbers), -1, placed).astype(np.int32)


def binned_days(frame: pd.DataFrame, days, bins: Mapping[str, Mapping]) -> pd.DataFrame:
    """How the features of a frame lie in their bins on each day: event_date, feature, bin, n.

    Rows without a day are left out.
    """
    codes, keys = pd.factorize(np.asarray(days), sort=True)
    order = slice(None) if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(keys) + 1))
    parts = []
    for feature, rule in bins.items():
        numeric = "cuts" in rule
        values = as_numbers(frame[feature]) if numeric else bin_values(frame[feature], rule)
        values = values[order]
        table = np.array(
            [_counted(values[a:b], rule) for a, b in pairwise(ends)], dtype=np.int64, ndmin=2
        )
        day, place = np.nonzero(table)
        columns = {"event_date": keys[day], "feature": feature, "bin": place - 2}
        parts.append(pd.DataFrame(columns | {"n": table[day, place]}))
    return pd.concat(parts, ignore_index=True)


def _counted(values, rule):
    "Counts of a feature's numbers or bins by its rule, from bin -2 (never seen in training) on."
    if "cuts" in rule:
        return np.concatenate([[0], count_numbers(values, rule["cuts"])])
    return np.bincount(values + 2, minlength=len(rule["categories"]) + 2)


def count_numbers(values: np.ndarray, cuts) -> np.ndarray:
    """Counts of float64 values: missing (masked or NaN), then each bin (cuts + 1 of them).

    For few cuts comparing takes a sixth of the time of placing each value, for many sorting does.
    """
    unmasked = np.ma.compressed(values)
    known = int(np.count_nonzero(unmasked == unmasked))
    if len(cuts) <= 40:
        below = [np.count_nonzero(unmasked < cut) for cut in cuts]
    else:
        ascending = np.sort(unmasked)[:known]  # NaN sorts last
        below = np.searchsorted(ascending, np.asarray(cuts, dtype=np.float64), side="left")
    return np.diff([known - len(values), 0, *below, known])


def feature_counts(
    con: duckdb.DuckDBPyConnection, source: str, bins: Mapping[str, Mapping]
) -> pd.DataFrame:
    """Columns feature, bin, n: each feature of the rows in `source` (SQL) counted by its rule.

    Features that were not logged count as missing.
    """
    kinds = stored_types(con, source)
    size = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    numeric = [f for f, rule in bins.items() if "cuts" in rule and kinds.get(f) in NUMBERS]
    counted = _count_numeric(con, source, bins, numeric, size)
    for feature in bins.keys() - set(numeric):
        if feature in kinds:
            counted[feature] = _count_distinct(con, source, feature, bins[feature])
        else:
            counted[feature] = np.array([-1]), np.array([size])
    places, n = (np.concatenate([counted[f][part] for f in bins]) for part in (0, 1))
    feature = np.repeat(np.array(list(bins), dtype=object), [len(counted[f][0]) for f in bins])
    kept = n > 0
    return pd.DataFrame({"feature": feature[kept], "bin": places[kept], "n": n[kept]})


def stored_types(con: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    "Feature -> DuckDB's name of the type that it is stored as, of the features that rows hold."
    columns = con.sql(f"FROM {source}")
    kind = dict(zip(columns.columns, columns.types)).get("features")
    if getattr(kind, "id", "") != "struct":
        return {}
    return {name: child.id for name, child in kind.children}


def _count_numeric(con, source, bins, numeric, size):
    "Feature -> (bins, counts) of features that are stored as numbers, many read at once."
    counted, together = {}, max(1, 20_000_000 // max(1, size))  # some 160 MB at once
    for at in range(0, len(numeric), together):
        some = numeric[at : at + together]
        cast = [f"TRY_CAST(features.{identifier(f)} AS DOUBLE) AS c{i}" for i, f in enumerate(some)]
        columns = con.execute(f"SELECT {', '.join(cast)} FROM {source}").fetchnumpy()
        for i, feature in enumerate(some):
            n = count_numbers(columns[f"c{i}"], bins[feature]["cuts"])
            counted[feature] = np.arange(-1, len(n) - 1), n
    return counted


def _count_distinct(con, source, feature, rule):
    "(bins, counts) of a feature whose distinct values are few enough to be placed one by one."
    distinct = con.execute(
        f"SELECT features.{identifier(feature)} AS v, count(*) AS n FROM {source} GROUP BY v"
    ).df()
    places, where = np.unique(bin_values(distinct.v, rule), return_inverse=True)
    return places, np.bincount(where, weights=distinct.n).astype(np.int64)
