"""Day files that a job of yours wrote and the log does not hold yet: the folder `landing` of the
data folder.

It lies inside the data folder because whatever counts the log sees that folder already, and because
what forgets a person or makes a backup has to know of it. Each folder directly in it is a delivery:
it is registered as a whole or not at all. Like the spool it is the workbench's own: what is in the
log leaves it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from .alike import shapes
from .columns import PREDICTION, REQUIRED
from .delivered import column_types, content_id
from .duck import footers, parquet, spelt
from .errors import StoreError
from .features import stored_types
from .reading import shown

__all__ = ["LANDING", "Delivery", "Landed", "Shape", "deliveries", "described", "remove"]

LANDING = "landing"
"The folder below the data folder."
_NEEDED = (*REQUIRED["predictions"], "points")
_TAKEN = {*PREDICTION, "features", "decided_by", "event_date"}
_AT_WORK = "_temporary"
_DAY = "event_date="
_INSTANT = "TIMESTAMP WITH TIME ZONE"


class Landed(NamedTuple):
    "A file that was landed."

    path: Path
    name: str  # below the data folder
    identity: str  # a hash of its bytes

    @property
    def day(self) -> str | None:
        "The day that its folder says it is of."
        told = [part for part in Path(self.name).parts[:-1] if part.startswith(_DAY)]
        return told[-1].removeprefix(_DAY) if told else None


class Delivery(NamedTuple):
    "What is registered together."

    name: str
    place: Path
    files: tuple[Landed, ...]


class Shape(NamedTuple):
    "Files with the same columns, and the features that they store."

    files: tuple[Landed, ...]
    rows: int
    features: Mapping[str, str]  # feature -> its type, as DuckDB calls it


def deliveries(root: Path, only: str | Path | None = None) -> list[Delivery]:
    """What waits in a data folder, oldest name first, or one of it, by its name or path.

    StoreError for one that is not there, that a job still writes, or that holds something else.
    """
    landing = root / LANDING
    if only is not None:
        return [_delivery(root, _chosen(landing, Path(only)))]
    names = sorted(os.listdir(landing)) if landing.is_dir() else []
    return [_delivery(root, landing / name) for name in names if name[0] not in "._"]


def _chosen(landing, only):
    for place in (landing / only, only):
        if place.exists() and place.parent.resolve() == landing.resolve():
            return landing / place.name
    raise StoreError(
        f"{shown(only)} is no delivery: what is registered is a folder directly in {landing}, "
        "where whatever counts the log sees it."
    )


def _delivery(root, place):
    files = [
        Landed(path, path.relative_to(root).as_posix(), content_id(path)) for path in _walk(place)
    ]
    return Delivery(place.name, place, tuple(files))


def _walk(place) -> Iterator[Path]:
    "Files of rows, but for what a job writes about itself."
    if not place.is_dir() or place.is_symlink():
        raise StoreError(f"{place} is no folder: what is registered is a folder of Parquet files.")
    for folder, folders, names in os.walk(place):
        if _AT_WORK in folders:
            raise StoreError(
                f"{Path(folder) / _AT_WORK} is there: the job that writes {place} has not ended; "
                "register it when it has."
            )
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        for name in sorted(name for name in names if name[0] not in "._"):
            path = Path(folder) / name
            if path.suffix != ".parquet" or path.is_symlink() or not path.is_file():
                raise StoreError(
                    f"{shown(path)} is no Parquet file of its own (.parquet): take it out of the "
                    "delivery."
                )
            yield path


def described(
    con: duckdb.DuckDBPyConnection, files: Sequence[Landed], zone: str
) -> tuple[Shape, ...]:
    """Files by their columns, which are those that the log knows, and of the days that their
    folders name; StoreError with the first that is otherwise. Their ends are read, not their
    rows."""
    found = {}
    for file, shape in _shapes(con, files).items():
        found.setdefault(shape, []).append(file)
    made = []
    for alike in found.values():
        _require_columns(alike[0], column_types(con, alike[0].path))
        rows = _require_days(con, alike, zone)
        stored = stored_types(con, parquet([alike[0].path]))
        made.append(Shape(tuple(alike), rows, stored))
    return tuple(made)


def _shapes(con, files):
    "File -> a digest of its columns."
    places = {spelt(file.path): file for file in files}
    try:
        rows = con.execute(shapes(places, closely=False)).fetchall()
    except duckdb.Error as error:
        raise StoreError(_unreadable(con, places) or str(error).splitlines()[0]) from None
    return {places[place]: shape for place, shape in rows}


def _unreadable(con, places):
    "The first file that cannot be read alone, and why."
    for place, file in places.items():
        try:
            con.execute(shapes([place])).fetchall()
        except duckdb.Error as error:
            return f"{file.name} cannot be read as Parquet: {str(error).splitlines()[0]}"
    return None


def damaged(con: duckdb.DuckDBPyConnection, files: Iterable[Landed]) -> str | None:
    "Which of some files cannot be read to its last row, and why; None: all can be."
    for file in files:
        try:
            con.execute(f"SELECT bit_xor(hash(t)) FROM {parquet([file.path])} AS t").fetchall()
        except duckdb.Error as error:
            return f"{file.name} is damaged: {str(error).splitlines()[0]} Nothing was registered."
    return None


def _require_columns(file, types):
    "StoreError where columns lack, are unknown, or of another type."
    if lacking := [name for name in _NEEDED if name not in types]:
        raise StoreError(
            f"{file.name} has no column {', '.join(lacking)}: each file holds "
            f"{', '.join(_NEEDED)} (what a job names in partitionBy is not in its files: let it "
            "partition by a copy)."
        )
    if unknown := sorted(types.keys() - _TAKEN):
        raise StoreError(
            f"{file.name} has {len(unknown)} columns that the log does not know, such as "
            f"{shown(unknown[0])!r}: features are fields of the struct `features`."
        )
    for name, kind in PREDICTION.items():
        if name in types and types[name] != kind:
            hint = (
                "; Spark writes one with spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS"
                if kind == _INSTANT
                else ""
            )
            raise StoreError(
                f"{name} of {file.name} is stored as {types[name]}, and has to be {kind}{hint}."
            )
    if not types.get("features", "STRUCT").startswith("STRUCT"):
        raise StoreError(
            f"features of {file.name} are stored as {types['features']}, and have to be a struct "
            "with a field for each feature."
        )


def _require_days(con, files, zone) -> int:
    "How many rows files have; StoreError where one has rows of another day than its folder says."
    places = {spelt(file.path): file for file in files}
    ends = con.execute(
        f"""
        SELECT file_name, path_in_schema, sum(row_group_num_rows)::BIGINT,
               min(stats_min_value), max(stats_max_value),
               bool_and(stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL)
        FROM {footers(places)} WHERE path_in_schema IN ('prediction_id', 'predicted_at')
        GROUP BY ALL"""
    ).fetchall()
    for place, column, rows, low, high, told in ends:
        day = places[place].day
        if column == "predicted_at" and day is not None and rows:
            if not told:
                low, high = con.execute(
                    f"SELECT min(predicted_at), max(predicted_at) FROM {parquet([place])}"
                ).fetchall()[0]
            _require_day(places[place], day, _days_of(places[place], low, high, zone))
    return sum(rows for _, column, rows, *_ in ends if column == "prediction_id")


def _days_of(file, low, high, zone):
    try:
        instants = [datetime.fromisoformat(str(one)) for one in (low, high) if one is not None]
        return [one.astimezone(ZoneInfo(zone)).date() for one in instants]
    except (ValueError, OverflowError):  # infinity, say, or the year 1
        raise StoreError(
            f"{file.name}: predicted_at is not between 1900 and 2200. Nothing was registered."
        ) from None


def _require_day(file, day, found):
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise StoreError(
            f"{file.name} lies in {_DAY}{day}, which is no day (YYYY-MM-DD)."
        ) from None
    if other := [one for one in found if one != wanted]:
        raise StoreError(
            f"{file.name} lies in {_DAY}{day} and has rows of {other[0]}: a day is one of the "
            "log's zone, by predicted_at."
        )


def remove(delivery: Delivery) -> None:
    "Take a delivery that is in the log out of the way: its files, then what is left of its folder."
    for file in delivery.files:
        file.path.unlink(missing_ok=True)
    for folder, _, names in os.walk(delivery.place, topdown=False):
        if all(name[0] in "._" for name in names):  # what a job writes about itself
            for name in names:
                (Path(folder) / name).unlink(missing_ok=True)
    if not any(path.is_file() for path in delivery.place.rglob("*")):
        shutil.rmtree(delivery.place, ignore_errors=True)
