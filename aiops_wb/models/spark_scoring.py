"""Rows of Spark scored and explained with a registered version, by `mapInArrow` (extra `[spark]`).

Executors need this package with its extra `[ml]`, the same release, and the same XGBoost and numpy
(`pip install 'aiops_wb[ml]'`, or the wheel); else the job ends with a sentence. The version itself
comes with the job: its file as bytes, its card, what is in force.
"""

from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_schema

from ..log.errors import StoreError
from .arrow import pa
from .batch import Batches
from .row_form import (
    DECIDED,
    NAMED,
    explained_fields,
    logged_fields,
    require_features,
    row_columns,
    row_fields,
)
from .scored_files import Asked, What, require_all

if TYPE_CHECKING:  # a session of one's own need not be one of Spark Connect
    from ..log.spark import SparkEngine

__all__ = ["decided", "explained", "write_by_spark"]

LARGEST = 100 * 2**20
"Bytes of a version's file that go with a job: Spark Connect takes 128 MB in one message."


def decided(frame: Any, batches: Batches) -> Any:
    """A DataFrame of Spark with the columns of `Scorer.decide` behind its own: the same to the bit.

    StoreError, before anything runs, where a feature is missing or of a type that is none, and
    where a column is called as one of those that are added.
    """
    return _mapped(frame, batches, "decided", DECIDED)


def explained(frame: Any, batches: Batches) -> Any:
    """The same with contributions: a struct `contributions` with the push of each feature, in
    log-odds, and `bias`, where every score starts. StoreError as there."""
    return _mapped(frame, batches, "explained", explained_fields(batches.scorer.version))


def _mapped(frame, batches, what, added):
    given = _schema(frame)
    require_features(given, batches.scorer.version)
    _require_small(batches)
    if taken := [name for name in added.names if name in given.names]:
        raise StoreError(f"the frame has a column {taken[0]!r} already: drop it, or rename it.")
    fields = pa.schema([*given, *added])
    return _over(frame, batches, what, fields)


def _over(frame, batches, what, fields):
    packed = frame.selectExpr("struct(*) AS rows")
    return packed.mapInArrow(batches.packed(what), from_arrow_schema(fields))


def _schema(frame):
    "The columns of a frame in Arrow."
    try:
        return frame.limit(0).toArrow().schema
    except PySparkException as error:
        raise StoreError(f"the frame cannot be scored: {str(error).splitlines()[0]}") from None


def _require_small(batches):
    booster = batches.scorer.version.booster
    if booster is not None and (size := len(booster.save_raw("ubj"))) > LARGEST:
        raise StoreError(
            f"the file of {batches.scorer.version.model} {batches.scorer.version.version} has "
            f"{size / 2**20:,.0f} MB, and {LARGEST / 2**20:,.0f} MB go with a job of Spark."
        )


def write_by_spark(engine: "SparkEngine", asked: Asked, what: What, into: str) -> int:
    """Score or explain rows where Spark is, into a new folder that it sees, with one of its own for
    each day; how many rows. Rows of files that store features as other types lie apart, in
    `types-0`, `types-1` and so on: some servers refuse to write them side by side.

    StoreError before the job starts where columns are not those that are needed, and after it
    where it made other rows than the files hold. What a job that failed left stays.
    """
    _require_small(asked.batches)
    apart, rows = len(asked.groups) > 1, 0
    for number, group in enumerate(asked.groups):
        paths = [engine.seen(path) for path in group] if asked.in_log else list(group)
        place = f"{into}/types-{number}" if apart else into
        work = lambda paths=paths, place=place: _written(engine, asked, what, paths, place)
        rows += engine._asked(work, "score")
    if asked.rows is not None and rows != asked.rows:
        raise StoreError(
            f"Spark scored {rows:,} rows, and the files of these days hold {asked.rows:,}: does it "
            f"see this folder? What it wrote is in {into}."
        )
    return rows


def _written(engine, asked, what, paths, into):
    "Write what comes of the rows of some files, a folder for each day; how many rows."
    made = _made(engine, asked, what, paths).selectExpr("*", "CAST(event_date AS STRING) AS day")
    made.write.mode("error").partitionBy("day").parquet(into)
    return engine.session.read.schema("event_date DATE").parquet(into).count()


def _made(engine, asked, what, paths):
    "What comes of the rows of some files."
    version, frame = asked.batches.scorer.version, engine.files(paths)
    given = _schema(frame)
    if not given.names:
        raise StoreError(f"{paths[0]} is no Parquet file that Spark sees.")
    require_all(asked, given)
    fields = logged_fields(given, version)
    if what == "pushes":
        named = row_fields(given, version)
        fields = pa.schema([*map(named.field, NAMED), *explained_fields(version)])
    read = frame.select(*(f"`{name.replace('`', '``')}`" for name in row_columns(given, version)))
    return _over(read, asked.batches, what, fields)
