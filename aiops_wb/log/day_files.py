"""The rows of a batch as files of the log, one folder for each day."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .columns import PREDICTION
from .deciding import Named, decided, named
from .duck import identifier, literal, parquet, target
from .durable import fsync
from .engine import HELD
from .store import Store
from .sums import sha256_of

__all__ = ["FILE", "move_into_log", "write_day_files", "write_told"]

FILE = (
    "kind",
    "path",
    "event_date",
    "tenant",
    "model",
    "version",
    "grid",
    "rows",
    "bytes",
    "sites",
    "min_id",
    "max_id",
    "min_key",
    "max_key",
    "sha256",
)
"What is told of a day file when its batch is committed."


def write_day_files(
    store: Store,
    kind: str,
    groups: dict,
    batch: int,
    cuts: tuple[float, ...],
    by_night: bool = False,
) -> pd.DataFrame:
    """Write the rows that are not rejected, decided where nobody has (by `cuts`); returns a frame
    of data files, already under their final names.

    `groups` is type of the features -> paths of canonical segments, read together. `by_night`: each
    row is of the batch of its night (tables `nights` and `known_rows`); else all are of `batch`.
    """
    tmp, files = _empty(store, batch), []
    rejects = store.con.execute("SELECT count(*) FROM rejects").fetchall()[0][0]
    for number, (features, paths) in enumerate(groups.items()):
        if kind == "predictions":
            source = _delivered(paths, rejects)
            found = named(store.con, source)
            by, same = _apart(found)
            rows = _predictions(store, features, same), decided(store, source, found, cuts)
        else:
            rows, by, same = _outcomes(rejects), ("event_date",), {}
        numbered = _by_night(kind, *rows) if by_night else _of_batch(batch, *rows)
        _add(store, kind, batch, _write(store.con, numbered, by, tmp / str(number), same), files)
    return _safe(store, tmp, files)


def write_told(store: Store, batch: int) -> pd.DataFrame:
    """Write the rows of the table `told`, labels of events whose predictions came in this batch;
    returns a frame of data files."""
    tmp, files = _empty(store, batch), []
    rows = "SELECT * FROM told"
    _add(store, "outcomes", batch, _write(store.con, rows, ("event_date",), tmp / "0", {}), files)
    return _safe(store, tmp, files)


def _empty(store, batch):
    "An empty folder for what is being written."
    tmp = store.root / "tmp" / f"batch-{batch}"
    shutil.rmtree(tmp, ignore_errors=True)
    return tmp


def _add(store, kind, batch, written_files, files):
    "Move what was written to its final names, and say so."
    for written in written_files:
        name = f"b{batch:08d}-{len(files):04d}"
        final, sha256 = _place(store.root / "log" / kind, written, name)
        files.append((*_described(store, kind, written, final), sha256))
        store.as_written(files[-1][1], sha256)


def _safe(store, tmp, files):
    "The files as a frame, once their folders are on the disk."
    for folder in {(store.root / file[1]).parent for file in files}:
        fsync(folder)
    shutil.rmtree(tmp, ignore_errors=True)
    return pd.DataFrame(files, columns=list(FILE)).astype(object)


_NOT_REJECTED = "ANTI JOIN rejects USING (filename, file_row_number)"


def _delivered(paths, rejects):
    "The predictions of segments as they were delivered, in SQL."
    rows = parquet(paths, filename=True, file_row_number=True)
    delivered = "COLUMNS(lambda c: c NOT IN ('filename', 'file_row_number', 'decided_by'))"
    return f"(SELECT {delivered} FROM {rows} {_NOT_REJECTED if rejects else ''})"


def _predictions(store, features, same):
    "Columns of predictions, in SQL; what is the same in all of them is told, not read."
    told = {name: f"{literal(value)} AS {identifier(name)}" for name, value in same.items()}
    columns = [told.get(name, identifier(name)) for name in PREDICTION]
    day = f"CAST(predicted_at AT TIME ZONE {literal(store.timezone)} AS DATE) AS event_date"
    return ", ".join([*columns, "decided_by", *(["features"] if features else []), day])


def _of_batch(batch, columns, source):
    "Rows of one batch, as SQL."
    return f"SELECT {columns}, {batch}::BIGINT AS batch_id FROM {source}"


def _by_night(kind, columns, source):
    "Rows with the batch of the night that each is known since, as SQL."
    if kind == "outcomes":
        return f"SELECT {columns}, batch_id FROM known_rows"
    rows = f"(SELECT {columns} FROM {source})"
    return f"SELECT rows.*, batch_id FROM {rows} AS rows JOIN nights USING (event_date)"


_NAMES = ("tenant", "model", "version", "grid")


def _apart(found: list[Named]):
    """What predictions are written apart by, and what is the same in all of them: most batches are
    of one version, and each name that DuckDB need not look at saves a tenth of the writing."""
    if len(found) == 1:
        return ("event_date",), {name: getattr(found[0], name) for name in _NAMES}
    return ("event_date", *_NAMES), {}


def _outcomes(rejects):
    "Columns and source, in SQL."
    columns = "prediction_id, label, observed_at, source, event_key, event_date"
    return columns, f"resolved {_NOT_REJECTED}" if rejects else "resolved"


class _Written(NamedTuple):
    "A file that DuckDB wrote, as it tells it."

    path: str
    rows: int
    bytes: int
    footer: int
    stats: dict
    keys: dict


def _write(con, rows, by, folder, same):
    "Write rows (SQL) into a folder, a file for each partition."
    folder.mkdir(parents=True)
    con.execute(f"SET partitioned_write_flush_threshold = {HELD}")
    written = con.execute(
        f"""
        COPY ({rows})
        TO {target(folder)} (
            FORMAT parquet, PARTITION_BY ({", ".join(map(identifier, by))}),
            FILENAME_PATTERN '{{uuid}}', WRITE_PARTITION_COLUMNS true, RETURN_STATS true)"""
    ).fetchall()
    return [_Written(*row[:5], same | row[5]) for row in written]


def _day(written):
    "The day of a written file as text, None where it is not known."
    day = written.keys["event_date"]
    return None if day in (None, "NULL", "__HIVE_DEFAULT_PARTITION__") else day


def _place(folder, written, name):
    "Move a file to its final name, its content safe; returns the path, and the content's SHA-256."
    final = folder / f"event_date={_day(written) or 'unknown'}" / f"{name}.parquet"
    return final, move_into_log(Path(written.path), final)


def move_into_log(path: Path, final: Path) -> str:
    "Give a file its final name, its content safe; returns the SHA-256 of that."
    final.parent.mkdir(parents=True, exist_ok=True)
    fsync(path)
    sha256 = sha256_of(path)
    path.rename(final)
    return sha256


def _described(store, kind, written, final):
    "What the catalog says of a file."
    day, keys = _day(written), written.keys
    site = written.stats.get('"site_id"', {})
    return (
        kind,
        str(final.relative_to(store.root)),
        day and datetime.fromisoformat(day).date(),
        keys.get("tenant"),
        keys.get("model"),
        keys.get("version"),
        keys.get("grid", keys.get('"grid"')),
        written.rows,
        written.bytes,
        site.get("null_count") != site.get("num_values"),  # somewhere a site is named
        *(bound or "" for bound in _range(store.con, written, final, "prediction_id")),
        *_range(store.con, written, final, "event_key"),
    )


def _range(con, written, final, column):
    "First and last text of a column of a file; None where there is none."
    known = written.stats.get(f'"{column}"', {})
    if "min" in known:
        return known["min"], known["max"]
    if known.get("null_count") == known.get("num_values"):
        return None, None
    return con.execute(  # very long ids have no statistics
        f"SELECT min({column}), max({column}) FROM {parquet([final])}"
    ).fetchall()[0]
