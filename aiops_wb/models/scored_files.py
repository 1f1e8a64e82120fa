"""Rows of the log, or of files of others, scored or explained into a folder of Parquet.

Whoever does it, each batch goes through the same functions (`batch.Batches`): DuckDB reads the
files here, Spark reads them where it is (`spark_scoring`). Files of scores are day files in the
log's own form.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from ..log.catalog import Reader
from ..log.duck import identifier, parquet
from ..log.engine import of_one_type
from ..log.errors import StoreError
from .arrow import pa, pc, pq
from .batch import Batches
from .row_form import require_features, require_rows, row_columns
from .scorer import Scorer

__all__ = ["Asked", "What", "of_files", "of_log", "require_all", "write_here"]

What = Literal["logged", "pushes"]
"Scores as the log holds them, or contributions: the function of `Batches` that makes them."
ROWS = 10_000
"Rows of a batch: as many as Spark hands over at once."


class Asked(NamedTuple):
    "Rows that are asked for."

    batches: Batches
    groups: Sequence[Sequence[str]]  # files; those of a group have like types
    rows: int | None  # so many, where the catalog knows
    in_log: bool  # files are named as the catalog names them


def of_log(reader: Reader, scorer: Scorer, first: date, last: date, at: datetime) -> Asked:
    """The events of a model that the log holds from a day to another (both included), whichever
    version scored them; StoreError without any, or where none of them has a feature."""
    version = scorer.version
    period = {"event_date__ge": first, "event_date__le": last}
    there = reader.day_files(kind="predictions", model=version.model, **period)
    files = reader.usable(there, first == last)
    if not files:
        raise StoreError(f"{version.model} has no events from {first} to {last}.")
    raw = reader.read_again(version.model, first, last, reader.known(None))
    again = {
        feature: dict(zip(part.prediction_id, part.raw)) for feature, part in raw.groupby("feature")
    }
    unknown = frozenset(reader.outcomes_among(version.model, version.features))
    kinds = reader.feature_kinds(version.model)
    batches = Batches(scorer, at, kinds, again, unknown, reader.timezone)
    groups = of_one_type(reader.con, reader.root, [file.path for file in files])
    stored = {name for _, types in groups for name in types}
    lacking = [name for name in version.features if name not in stored | unknown]
    if lacking:
        raise StoreError(
            f"feature {lacking[0]!r} was not logged from {first} to {last}: {version.model} "
            f"{version.version} needs {', '.join(version.features)}."
        )
    return Asked(batches, [group for group, _ in groups], sum(file.rows for file in files), True)


def of_files(scorer: Scorer, paths: Sequence[str], at: datetime, zone: str) -> Asked:
    """The rows of Parquet files or folders of them: `prediction_id`, `predicted_at`, the features
    of the version, and `tenant`, `entity_id`, `site_id` and `event_key` where they have them."""
    return Asked(Batches(scorer, at, zone=zone), [list(paths)], None, False)


def require_all(asked: Asked, given: pa.Schema) -> None:
    "StoreError where the columns of files are not those that are needed."
    require_rows(given)
    if not asked.in_log:
        require_features(given, asked.batches.scorer.version)


def write_here(
    reader: Reader,
    asked: Asked,
    what: What,
    into: Path,
    done: Callable[[int], object] = lambda rows: None,
) -> int:
    """Score or explain rows in this process, into a new folder with one of its own for each day;
    how many rows. `done` is told of each part. The folder is there whole, or not at all."""
    into = Path(into)
    if into.exists():
        raise StoreError(f"{into} is there already: name a new folder.")
    aside, rows = into.with_name(f"{into.name}.writing"), 0
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for number, group in enumerate(asked.groups):
            made = getattr(asked.batches, what)(_read(reader, asked, group))
            for written in _by_day(made, aside, f"{number:04d}"):
                rows += written
                done(written)
        os.replace(aside, into)
    except OSError as error:
        raise StoreError(f"{into} cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return rows


def _read(reader, asked, group) -> Iterable[pa.RecordBatch]:
    "The rows of some files, those of a day together; StoreError where they cannot be scored."
    paths = [reader.root / path for path in group] if asked.in_log else _found(group)
    files = parquet(paths)
    with reader.cursor() as con:
        given = con.sql(f"FROM {files} LIMIT 0").to_arrow_table().schema
        require_all(asked, given)
        columns = map(identifier, row_columns(given, asked.batches.scorer.version))
        order = "" if asked.in_log else "ORDER BY predicted_at"
        rows = con.sql(f"SELECT {', '.join(columns)} FROM {files} {order}")
        yield from rows.to_arrow_reader(ROWS)


def _found(paths):
    "Files, and those of folders; StoreError where there is none."
    found = []
    for path in map(Path, paths):
        inside = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise StoreError(f"{path} is no Parquet file, and no folder that holds one.")
        found += inside
    return found


def _by_day(batches, folder, name):
    "Write batches, a file for each day as long as it lasts; yields how many rows of each."
    day, parts = None, {}
    with ExitStack() as opened:
        for batch in batches:
            days = batch.column("event_date")
            for one in days.unique().to_pylist():
                if one != day:
                    opened.close()
                    day, place = one, folder / f"day={one}"
                    place.mkdir(exist_ok=True)
                    parts[day] = parts.get(day, -1) + 1
                    file = place / f"part-{name}-{parts[day]:04d}.parquet"
                    writer = opened.enter_context(pq.ParquetWriter(file, batch.schema))
                writer.write_batch(batch.filter(pc.equal(days, pa.scalar(one))))
            yield batch.num_rows
