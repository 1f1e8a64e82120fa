"""From the spool into the log: nothing lost, nothing counted twice."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from ..stats.points import LIMIT, Grid
from .catalog import StoreError, connect, identifier, literal, parquet
from .features import NUMBERS
from .spool import LONGEST_NAME, OUTCOME, PREDICTION, fsync, write_segment
from .store import Store

__all__ = [
    "REQUIRED",
    "COLUMNS",
    "DEFAULTS",
    "SUFFIXES",
    "Ingested",
    "Delivered",
    "content_id",
    "canonical_frame",
    "normalise",
    "ingest",
    "ingest_file",
]


@dataclass(frozen=True)
class Ingested:
    "What one ingest did; adds up."

    loaded: int = 0
    duplicates: int = 0  # the same row again: counted once
    conflicts: int = 0  # the same id with other content: in quarantine
    quarantined: int = 0  # rows in quarantine, conflicts included
    refused: tuple[str, ...] = ()  # files set aside, with the reason

    def __add__(self, other: "Ingested") -> "Ingested":
        return Ingested(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        lines = [
            f"{self.loaded:,} loaded, {self.duplicates:,} duplicates, {self.conflicts:,} conflicts, {self.quarantined:,} quarantined"
        ]
        return "\n".join(lines + [f"set aside: {r}" for r in self.refused])


REQUIRED = {
    "predictions": ("prediction_id", "model", "version", "predicted_at", "score"),
    "outcomes": ("prediction_id", "label", "observed_at"),
}
COLUMNS = {"predictions": PREDICTION, "outcomes": OUTCOME}
DEFAULTS = {"predictions": {"tenant": "default", "grid": "logit"}, "outcomes": {"source": "file"}}
SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".csv")


@dataclass(frozen=True, eq=False)
class Delivered:
    "One delivered file: where its canonical rows are, and what was rejected on the way there."

    path: Path
    segment_id: str
    canonical: Path
    lines: np.ndarray | None = (
        None  # line of each canonical row in the file, where it differs from its position
    )
    rejects: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["line", "reason", "raw"])
    )


def content_id(path: Path) -> str:
    "A hash of the file's bytes: the same delivery has the same id, whatever it is called."
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _read_csv(path):
    with connect(":memory:") as con:
        frame = con.execute(
            f"SELECT * FROM read_csv({literal(path)}, all_varchar=true, header=true, store_rejects=true)"
        ).df()
        bad = con.execute(
            "SELECT line, any_value(error_message) AS reason, any_value(csv_line) AS raw FROM reject_errors GROUP BY line ORDER BY line"
        ).df()
    lines = np.setdiff1d(np.arange(2, len(frame) + len(bad) + 2), bad.line)[: len(frame)]
    return frame, lines, bad.assign(reason=bad.reason.str.split("\n").str[0])


def _read_jsonl(path):
    rows, lines, bad = [], [], []
    with open(path, encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("not an object")
                rows.append(row)
                lines.append(number)
            except ValueError as error:
                bad.append((number, f"not a line of JSON: {error}", line.rstrip("\n")))
    return (
        pd.DataFrame(rows, dtype=object),
        np.array(lines, dtype=np.int64),
        pd.DataFrame(bad, columns=["line", "reason", "raw"]),
    )


def _read_parquet(path):
    with connect(":memory:") as con:
        relation = con.sql(f"FROM {parquet([path])}")
        naive = [
            c
            for c, t in zip(relation.columns, relation.types)
            if c in ("predicted_at", "observed_at")
            and str(t).startswith("TIMESTAMP")
            and "TIME ZONE" not in str(t)
        ]
        if naive:
            raise StoreError(
                f"{path.name}: column {naive[0]} holds timestamps without an offset; store it as a timestamp with time zone."
            )
        frame = relation.df()
    return frame, np.arange(1, len(frame) + 1), pd.DataFrame(columns=["line", "reason", "raw"])


def _missing(column):
    return column.isna() | (column.astype(str).str.strip() == "")


def _times(column):
    "Instants, NaT where the text has no offset or is no time."
    text = (
        column.map(lambda v: v.isoformat() if hasattr(v, "isoformat") else v)
        .astype(str)
        .str.strip()
    )
    offset = text.str.contains(r"[T ]\d{2}:?\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$", regex=True)
    return pd.to_datetime(text.where(offset), format="ISO8601", utc=True, errors="coerce").astype(
        "datetime64[us, UTC]"
    ), offset


class _Table:
    "Canonical columns being made from a frame of text; remembers the first reason against each row."

    def __init__(self, frame):
        self.frame, self.out = frame, {}
        self.reason = pd.Series(None, index=frame.index, dtype=object)

    def refuse(self, bad, say):
        bad = bad & self.reason.isna()
        self.reason[bad] = [say(v) for v in bad.index[bad]]

    def text(self, name, required):
        column = self.frame.get(name)
        if column is None:
            return
        if required:
            self.refuse(_missing(column), lambda i: f"{name} is missing")
        self.refuse(
            column.map(lambda v: isinstance(v, str) and not _encodes(v)).astype(bool),
            lambda i: f"{name} is not valid text",
        )
        if name in ("tenant", "model", "version"):
            self.refuse(
                column.map(lambda v: len(str(v).encode(errors="replace")) > LONGEST_NAME).astype(
                    bool
                ),
                lambda i: f"{name} is longer than {LONGEST_NAME} bytes",
            )
        self.out[name] = (
            column.astype(object)
            .where(~_missing(column) & self.reason.isna(), None)
            .map(lambda v: v if v is None else str(v).strip())
        )

    def time(self, name, required):
        column = self.frame.get(name)
        if column is None:
            return
        times, offset = _times(column)
        given = ~_missing(column)
        self.refuse(
            given & ~offset,
            lambda i: (
                f"{name} {column[i]!r} is not a time with an offset, such as 2013-04-01T12:00:00+00:00"
            ),
        )
        self.refuse(given & times.isna(), lambda i: f"{name} {column[i]!r} is not a valid time")
        self.refuse(
            given & ~times.dt.year.between(1900, 2199),
            lambda i: f"{name} {column[i]!r} is not between 1900 and 2200",
        )
        if required:
            self.refuse(~given, lambda i: f"{name} is missing")
        self.out[name] = times

    def number(self, name, required, low, high):
        column = self.frame.get(name)
        if column is None:
            return
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        given = ~_missing(column)
        bad = given & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
        self.refuse(bad, lambda i: f"{name} {column[i]!r} is not a number in [{low:g}, {high:g}]")
        if required:
            self.refuse(~given, lambda i: f"{name} is missing")
        self.out[name] = numbers


def _encodes(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _typed(column):
    "A feature as numbers when every given value is one, as text otherwise."
    numbers = pd.to_numeric(column, errors="coerce")
    return (
        numbers.astype(float)
        if (numbers.notna() | _missing(column)).all()
        else column.astype(object)
        .where(~_missing(column), None)
        .map(lambda v: v if v is None else str(v))
    )


def canonical_frame(kind: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    "Canonical columns (features as `feature:...`) of a frame of loosely typed ones, and the reason against each row (None: it is good)."
    table = _Table(frame.reset_index(drop=True))
    for name in (
        "prediction_id",
        "tenant",
        "model",
        "version",
        "grid",
        "entity_id",
        "site_id",
        "calibration_id",
        "risk_level",
        "route",
        "source",
    ):
        if name in COLUMNS[kind]:
            table.text(name, required=name in (*REQUIRED[kind], *DEFAULTS[kind]))
    for name in ("predicted_at", "observed_at"):
        table.time(name, required=name in REQUIRED[kind])
    if kind == "outcomes":
        words = {"true": 1, "false": 0}
        if "label" in table.frame:
            table.frame["label"] = table.frame.label.map(
                lambda v: words.get(str(v).strip().lower(), v)
            )
        table.number("label", True, 0, 1)
        fraction = table.out["label"].notna() & ~table.out["label"].isin([0, 1])
        table.refuse(fraction, lambda i: f"label {table.frame.label[i]!r} is not 0 or 1")
    else:
        grids = table.out["grid"].map(lambda g: g if g in LIMIT else None)
        table.refuse(
            grids.isna(), lambda i: f"grid {table.frame.grid[i]!r} is not one of {', '.join(LIMIT)}"
        )
        logit = grids != "linear"
        for name in ("score", "threshold"):
            if name in table.frame:
                table.number(name, name == "score", -np.inf, np.inf)
                value = table.out[name]
                table.refuse(
                    logit & value.notna() & ~value.between(0, 1),
                    lambda i, n=name: f"{n} {table.frame[n][i]!r} is not a probability in [0, 1]",
                )
        table.number("latency_ms", False, 0, np.inf)
        for name, source in (("points", "score"), ("threshold", "threshold")):
            if source in table.out:
                good = table.reason.isna() & table.out[source].notna()
                points = pd.Series(np.nan, index=table.frame.index)
                for kind_of, rows in (("logit", good & logit), ("linear", good & ~logit)):
                    points[rows] = Grid(kind_of).quantise(table.out[source][rows].to_numpy())
                table.out[name] = points.astype("Int16")
        if "automated" in table.frame:
            table.out["automated"] = table.frame.automated.map(
                lambda v: {"true": True, "1": True, "false": False, "0": False}.get(
                    str(v).strip().lower()
                )
            )
        nested = (
            table.frame["features"].map(lambda f: f if isinstance(f, dict) else {})
            if "features" in table.frame
            else None
        )
        loose = table.frame[
            [c for c in table.frame.columns if c not in PREDICTION and c != "features"]
        ]
        if nested is not None:
            loose = pd.concat([loose, pd.DataFrame(nested.tolist(), index=loose.index)], axis=1)
        table.out |= {f"feature:{c}": _typed(loose[c]) for c in loose.columns}
    return pd.DataFrame(
        {c: table.out.get(c) for c in COLUMNS[kind]}
        | {c: v for c, v in table.out.items() if c.startswith("feature:")},
        index=table.frame.index,
    ), table.reason


def normalise(
    path: Path,
    kind: str,
    folder: Path,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Delivered:
    """Make a canonical segment in `folder` from a CSV, JSON-lines or Parquet file.

    `mapping` is canonical name -> the file's column; `constants` fills whole columns (model, version, tenant, threshold as a score ...).
    Raises StoreError when the file cannot be used at all; single bad rows become rejects.
    """
    readers = {
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
    }
    if path.suffix not in readers:
        raise StoreError(f"{path.name}: files must end in {', '.join(SUFFIXES)}.")
    try:
        frame, lines, rejects = readers[path.suffix](path)
    except (duckdb.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(f"{path.name} cannot be read: {str(error).splitlines()[0]}.") from None
    mapping, constants = dict(mapping or {}), dict(constants or {})
    for names, what in ((mapping, "mapped"), (constants, "set")):
        unknown = sorted(set(names) - set(COLUMNS[kind]))
        if unknown:
            raise StoreError(
                f"{unknown[0]!r} cannot be {what}: {kind} have the columns {', '.join(COLUMNS[kind])}."
            )
    absent = sorted(set(mapping.values()) - set(frame.columns))
    if absent:
        raise StoreError(
            f"{path.name} has no column {absent[0]!r}: its columns are {', '.join(map(str, frame.columns)) or 'none'}."
        )
    mapped = {ours: frame[theirs] for ours, theirs in mapping.items()}
    frame = frame.drop(columns=list({*mapping.values(), *mapping} & set(frame.columns))).assign(
        **mapped
    )
    if (
        kind == "predictions"
    ):  # an outcome in the same file is no feature: it is what the model is to predict
        frame = frame.drop(columns=[c for c in ("label", "observed_at") if c in frame])
    for name, value in (DEFAULTS[kind] | constants).items():
        frame[name] = (
            frame[name].where(~_missing(frame[name]), value)
            if name in frame and name not in constants
            else value
        )
    lacking = [c for c in REQUIRED[kind] if c not in frame]
    if lacking and len(frame):
        raise StoreError(
            f"{path.name} has no column for {', '.join(lacking)}: name one with --map {lacking[0]}=<column> or --set {lacking[0]}=<value>."
        )
    canonical, reason = (
        canonical_frame(kind, frame)
        if len(frame)
        else (pd.DataFrame(columns=list(COLUMNS[kind])), pd.Series(dtype=object))
    )
    bad = reason.notna().to_numpy()
    raw = [
        json.dumps(r, default=str, ensure_ascii=False).encode(errors="backslashreplace").decode()
        for r in frame[bad].to_dict("records")
    ]
    rejects = pd.concat(
        [rejects, pd.DataFrame({"line": lines[bad], "reason": reason[bad].to_numpy(), "raw": raw})],
        ignore_index=True,
    )
    features = {
        c.removeprefix("feature:"): c for c in canonical.columns if c.startswith("feature:")
    }
    written = write_segment(folder, canonical[~bad], COLUMNS[kind], features)
    return Delivered(path, content_id(path), written, lines[~bad], rejects)


_IMPOSSIBLE = {
    "predictions": f"""CASE WHEN coalesce(prediction_id, '') = '' THEN 'prediction_id is missing'
        WHEN coalesce(model, '') = '' OR coalesce(version, '') = '' OR coalesce(tenant, '') = '' THEN 'model, version or tenant is missing'
        WHEN greatest(strlen(model), strlen(version), strlen(tenant)) > {LONGEST_NAME} THEN 'model, version or tenant is longer than {LONGEST_NAME} bytes'
        WHEN predicted_at IS NULL THEN 'predicted_at is missing'
        WHEN NOT predicted_at BETWEEN TIMESTAMPTZ '1900-01-01 00:00:00+00' AND TIMESTAMPTZ '2200-01-01 00:00:00+00' THEN 'predicted_at is not between 1900 and 2200'
        WHEN coalesce("grid", '') NOT IN ('logit', 'linear') THEN 'grid ' || coalesce("grid", 'NULL') || ' is not one of logit, linear'
        WHEN score IS NULL OR NOT isfinite(score) THEN 'score is missing or not a number'
        WHEN "grid" = 'logit' AND NOT score BETWEEN 0 AND 1 THEN 'score ' || score || ' is not a probability in [0, 1]'
        WHEN points IS NULL OR abs(points::INTEGER) > CASE "grid" WHEN 'logit' THEN {LIMIT["logit"]} ELSE {LIMIT["linear"]} END THEN 'points are missing or off the grid'
        WHEN NOT coalesce(latency_ms, 0) >= 0 OR NOT isfinite(coalesce(latency_ms, 0)) THEN 'latency_ms is not a number of at least 0' END""",
    "outcomes": """CASE WHEN coalesce(prediction_id, '') = '' THEN 'prediction_id is missing'
        WHEN label IS NULL OR label NOT IN (0, 1) THEN 'label ' || coalesce(label::VARCHAR, 'NULL') || ' is not 0 or 1'
        WHEN observed_at IS NULL OR NOT isfinite(observed_at) THEN 'observed_at is missing' END""",
}


def _schema(con, path):
    "Column types of a Parquet file by its footer."
    described = con.execute(f"DESCRIBE SELECT * FROM {parquet([path])}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _is_canonical(kind, schema):
    return all(schema.get(c) == t for c, t in COLUMNS[kind].items()) and set(schema) <= {
        *COLUMNS[kind],
        "features",
    }


def _overlapping(store, kind, con, source, condition="true"):
    "Paths of the log's files whose id range meets the ids of a source."
    low, high = con.execute(
        f"SELECT min(prediction_id), max(prediction_id) FROM {source} WHERE {condition}"
    ).fetchall()[0]
    return [] if low is None else [f for f in store.files(kind, min_id__le=high, max_id__ge=low)]


def _reject_predictions(store, source):
    "Fill the table `rejects` (filename, file_row_number, reason, duplicate) for one chunk of predictions."
    con = store.con
    con.execute(f"""CREATE OR REPLACE TEMP TABLE rejects AS SELECT filename, file_row_number, reason, false AS duplicate
        FROM (SELECT filename, file_row_number, {_IMPOSSIBLE["predictions"]} AS reason FROM {source}) WHERE reason IS NOT NULL""")
    _reject_other_grids(con, source)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE suspects AS SELECT prediction_id FROM {source} WHERE prediction_id IS NOT NULL GROUP BY prediction_id HAVING count(*) > 1"
    )
    stored = [store.root / f[0] for f in _overlapping(store, "predictions", con, source)]
    if stored:
        con.execute(f"""INSERT INTO suspects SELECT prediction_id FROM {parquet(stored)}
            WHERE prediction_id IN (SELECT prediction_id FROM {source})""")
    if not con.execute("SELECT count(*) FROM suspects").fetchall()[0][0]:
        return
    columns = ", ".join(f"{identifier(c)}" for c in PREDICTION if c != "prediction_id")
    before = (
        f"UNION ALL BY NAME SELECT *, NULL AS filename, -1 AS file_row_number FROM {parquet(stored)} WHERE prediction_id IN (FROM suspects)"
        if stored
        else ""
    )
    con.execute(f"""CREATE OR REPLACE TEMP TABLE compared AS
        SELECT prediction_id, filename, file_row_number, hash({columns}, to_json(features)::VARCHAR) AS content
        FROM (SELECT * FROM {source} WHERE prediction_id IN (FROM suspects) {before} UNION ALL BY NAME SELECT NULL AS features WHERE false)
        ANTI JOIN rejects USING (filename, file_row_number)""")
    con.execute("""INSERT INTO rejects SELECT filename, file_row_number,
            'prediction_id ' || prediction_id || ' is already logged with other content', same
        FROM (SELECT *, content = first(content) OVER ids AS same, row_number() OVER ids AS place FROM compared
              WINDOW ids AS (PARTITION BY prediction_id ORDER BY filename NULLS FIRST, file_row_number ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
        WHERE place > 1 AND filename IS NOT NULL""")


def _reject_other_grids(con, source):
    "A version keeps the grid it was first registered or logged with; rows on another one are rejected."
    con.execute(f"""CREATE OR REPLACE TEMP TABLE grids AS SELECT model, version, arg_min("grid", place) AS kept FROM (
        SELECT model, version, "grid", 0 AS place FROM models
        UNION ALL SELECT model, version, "grid", batch_id FROM data_files WHERE kind = 'predictions'
        UNION ALL SELECT model, version, "grid", {2**60} + file_row_number FROM {source} WHERE "grid" IN ('logit', 'linear')) GROUP BY model, version""")
    con.execute(f"""INSERT INTO rejects SELECT filename, file_row_number, model || ' ' || version || ' is logged on the ' || kept || ' grid, not on ' || "grid", false
        FROM {source} JOIN grids USING (model, version) WHERE "grid" <> kept AND (filename, file_row_number) NOT IN (SELECT (filename, file_row_number) FROM rejects)""")


def _reject_outcomes(store, source):
    "Fill `rejects` and `resolved` (the rows with the day of their prediction) for one chunk; returns the days touched."
    con, zone = store.con, literal(store.timezone)
    con.execute(f"""CREATE OR REPLACE TEMP TABLE staged AS SELECT *, {_IMPOSSIBLE["outcomes"]} AS reason,
        row_number() OVER (PARTITION BY prediction_id, label, observed_at, source ORDER BY filename, file_row_number) > 1 AS again,
        CAST(predicted_at AT TIME ZONE {zone} AS DATE) AS hint FROM {source}""")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE found (prediction_id VARCHAR, event_date DATE, tenant VARCHAR, model VARCHAR, version VARCHAR)"
    )
    hinted = {d for (d,) in con.execute("SELECT DISTINCT hint FROM staged").fetchall()}
    files = _overlapping(store, "predictions", con, "staged", "reason IS NULL")
    for near in (True, False):
        paths = [store.root / f[0] for f in files if (f[1] in hinted) == near]
        if paths:
            con.execute(f"""INSERT INTO found SELECT prediction_id, event_date, tenant, model, version FROM {parquet(paths)}
                SEMI JOIN (SELECT prediction_id FROM staged ANTI JOIN found USING (prediction_id)) USING (prediction_id)""")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE resolved AS SELECT s.*, f.event_date FROM staged s LEFT JOIN found f USING (prediction_id)"
    )
    known = [
        store.root / f[0] for f in _overlapping(store, "outcomes", con, "staged", "reason IS NULL")
    ]
    seen = (
        f"SELECT prediction_id, label, observed_at, source FROM {parquet(known)}"
        if known
        else "SELECT prediction_id, label, observed_at, source FROM staged WHERE false"
    )
    con.execute(f"""CREATE OR REPLACE TEMP TABLE rejects AS SELECT filename, file_row_number, reason, reason IS NULL AS duplicate FROM resolved r
        WHERE reason IS NOT NULL OR again OR EXISTS (SELECT 1 FROM ({seen}) k WHERE k.prediction_id = r.prediction_id AND k.label = r.label
            AND k.observed_at = r.observed_at AND k.source IS NOT DISTINCT FROM r.source)""")
    return con.execute("""SELECT DISTINCT event_date, tenant, model, version FROM found
        SEMI JOIN (SELECT prediction_id FROM staged ANTI JOIN rejects USING (filename, file_row_number)) USING (prediction_id)""").fetchall()


def _write_day_files(store, kind, groups, batch):
    "Write the rows that are not rejected; returns a frame of data files, already under their final names."
    tmp, rows = store.root / "tmp" / f"batch-{batch}", []
    shutil.rmtree(tmp, ignore_errors=True)
    rejects = store.con.execute("SELECT count(*) FROM rejects").fetchall()[0][0]
    keep = "ANTI JOIN rejects USING (filename, file_row_number)" if rejects else ""
    for number, (features, paths) in enumerate(groups.items()):
        if kind == "predictions":
            columns = [
                *map(identifier, PREDICTION),
                *(["features"] if features else []),
                f"CAST(predicted_at AT TIME ZONE {literal(store.timezone)} AS DATE) AS event_date",
            ]
            source, by = (
                parquet(paths, filename=True, file_row_number=True) if rejects else parquet(paths),
                'event_date, tenant, model, version, "grid"',
            )
        else:
            columns, source, by = (
                ["prediction_id", "label", "observed_at", "source", "event_date"],
                "resolved",
                "event_date",
            )
        target = tmp / str(number)
        target.mkdir(parents=True)
        written = store.con.execute(f"""COPY (SELECT {", ".join(columns)}, {batch}::BIGINT AS batch_id FROM {source} {keep})
            TO {literal(target)} (FORMAT parquet, PARTITION_BY ({by}), WRITE_PARTITION_COLUMNS true, RETURN_STATS true)""").fetchall()
        for name, count, size, _, stats, keys, *_ in written:
            day = (
                None
                if keys["event_date"] in (None, "NULL", "__HIVE_DEFAULT_PARTITION__")
                else keys["event_date"]
            )
            final = (
                store.root
                / "log"
                / kind
                / f"event_date={day or 'unknown'}"
                / f"b{batch:08d}-{len(rows):04d}.parquet"
            )
            final.parent.mkdir(parents=True, exist_ok=True)
            fsync(name)
            Path(name).rename(final)
            ids, site = stats['"prediction_id"'], stats.get('"site_id"', {})
            if "min" not in ids:  # very long ids have no statistics
                ids = dict(
                    zip(
                        ("min", "max"),
                        store.con.execute(
                            f"SELECT min(prediction_id), max(prediction_id) FROM {parquet([final])}"
                        ).fetchall()[0],
                    )
                )
            sites = site.get("null_count") != site.get("num_values")  # somewhere a site is named
            rows.append(
                (
                    kind,
                    str(final.relative_to(store.root)),
                    day and datetime.fromisoformat(day).date(),
                    keys.get("tenant"),
                    keys.get("model"),
                    keys.get("version"),
                    keys.get("grid", keys.get('"grid"')),
                    count,
                    size,
                    sites,
                    ids["min"],
                    ids["max"],
                )
            )
    for folder in {(store.root / r[1]).parent for r in rows}:
        fsync(folder)
    shutil.rmtree(tmp, ignore_errors=True)
    return pd.DataFrame(
        rows,
        columns=[
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
        ],
    ).astype(object)


def _quarantine(store, kind, source, deliveries):
    "Rejected rows that are no duplicates, as quarantine rows, with those rejected while the file was read."
    raw = store.con.execute(f"""SELECT filename, file_row_number, reason, to_json(s)::VARCHAR AS raw FROM (SELECT * FROM {source}) s
        JOIN (FROM rejects WHERE NOT duplicate) USING (filename, file_row_number) ORDER BY ALL""").df()
    by_path = {str(d.canonical): d for d in deliveries}
    origin = [by_path[f] for f in raw.filename]
    line = [
        int(d.lines[i]) if d.lines is not None else int(i) + 1
        for d, i in zip(origin, raw.file_row_number)
    ]
    late = pd.DataFrame(
        {
            "kind": kind,
            "source": [d.path.name for d in origin],
            "line": line,
            "reason": raw.reason,
            "raw": raw.raw,
        }
    )
    early = [d.rejects.assign(kind=kind, source=d.path.name) for d in deliveries if len(d.rejects)]
    return pd.concat([*early, late], ignore_index=True)[["kind", "source", "line", "reason", "raw"]]


def _plain(con, delivery, folder):
    "The delivery with features that are neither numbers, booleans nor text as text: files are read together, and a list in one cannot be read beside a number in another."
    source = con.sql(f"FROM {parquet([delivery.canonical])}")
    features = dict(zip(source.columns, source.types)).get("features")
    kinds = {name: kind.id for name, kind in features.children} if features is not None else {}
    odd = (
        set(kinds.values()) - NUMBERS - {"varchar", "null"}
    )  # a column without any value has no type
    if not odd:
        return delivery
    fields = ", ".join(
        f"{identifier(f)} := features.{identifier(f)}" + ("::VARCHAR" if kind in odd else "")
        for f, kind in kinds.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{delivery.segment_id}-plain.parquet"
    con.execute(
        f"COPY (SELECT * REPLACE (struct_pack({fields}) AS features) FROM {parquet([delivery.canonical])}) TO {literal(made)} (FORMAT parquet)"
    )
    return replace(delivery, canonical=made)


def _load(store, kind, deliveries, now, owner):
    "One batch: check, write, commit."
    if kind == "predictions":
        deliveries = [_plain(store.con, d, store.root / "tmp" / "made") for d in deliveries]
    paths = [d.canonical for d in deliveries]
    source, con = parquet(paths, filename=True, file_row_number=True), store.con
    groups = {}
    for path in paths:
        features = _schema(con, path).get("features")
        groups.setdefault(features, []).append(path)
    touched = (
        _reject_outcomes(store, source)
        if kind == "outcomes"
        else _reject_predictions(store, source) or []
    )
    duplicates, conflicts = con.execute(
        "SELECT count(*) FILTER (duplicate), count(*) FILTER (NOT duplicate AND reason LIKE '%already logged%') FROM rejects"
    ).fetchall()[0]
    quarantine = _quarantine(store, kind, source, deliveries)
    files = _write_day_files(
        store, kind, groups if kind == "predictions" else {None: paths}, store.known_batch() + 1
    )
    loaded = int(files.rows.sum())
    store.commit_batch(
        kind,
        now,
        owner,
        loaded=loaded,
        duplicates=duplicates,
        conflicts=conflicts,
        quarantine=quarantine,
        files=files,
        touched=touched,
        segments=[
            (d.segment_id, kind, d.path.name, d.path.stat().st_size, "ingested", None)
            for d in deliveries
        ],
    )
    for table in ("rejects", "grids", "suspects", "compared", "staged", "found", "resolved"):
        con.execute(f"DROP TABLE IF EXISTS {table}")
    return Ingested(loaded, duplicates, conflicts, len(quarantine))


def _set_aside(store, kind, path, reason, now, owner):
    folder = store.root / "rejected"
    folder.mkdir(exist_ok=True)
    identity = content_id(path)
    nothing = pd.DataFrame(columns=["kind", "source", "line", "reason", "raw"])
    store.commit_batch(
        kind,
        now,
        owner,
        loaded=0,
        duplicates=0,
        conflicts=0,
        quarantine=nothing,
        files=pd.DataFrame(columns=["event_date", "tenant", "model", "version"]),
        segments=[(identity, kind, path.name, path.stat().st_size, "corrupt", reason)],
    )
    path.rename(folder / f"{identity[:8]}-{path.name}")
    return Ingested(refused=(reason,))


def _deliver(store, kind, path):
    "A Delivered from a spool file; StoreError when it cannot be read to its last row."
    if path.suffix == ".parquet":
        try:
            if _is_canonical(kind, _schema(store.con, path)):
                return Delivered(path, content_id(path), path)
        except duckdb.Error as error:
            raise StoreError(
                f"{path.name} is not a readable Parquet file: {str(error).splitlines()[0]}"
            ) from None
    return _usable(path, kind, store.root / "tmp" / "made")


def _usable(path, kind, folder, mapping=None, constants=None):
    "`normalise`, with whatever a file's content can break said in a sentence; trouble with the disk is not the file's fault."
    try:
        return normalise(path, kind, folder, mapping, constants)
    except (StoreError, OSError, MemoryError, duckdb.IOException):
        raise
    except Exception as error:
        raise StoreError(
            f"{path.name} cannot be used: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from None


def _rows_of(con, path):
    return (
        con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(path)})").fetchall()[
            0
        ][0]
        or 0
    )


def _unreadable(con, deliveries):
    "Which of these cannot be read to the last row, with the reason."
    bad = {}
    for d in deliveries:
        try:
            con.execute(f"SELECT bit_xor(hash(t)) FROM {parquet([d.canonical])} AS t").fetchall()
        except duckdb.Error as error:
            bad[d.path] = f"{d.path.name} is damaged: {str(error).splitlines()[0]}"
    return bad


def ingest(
    store: Store,
    now: datetime,
    owner: str,
    *,
    spool: Path | None = None,
    chunk_rows: int = 2_000_000,
) -> Ingested:
    "Load everything in the spool, predictions before outcomes; spool files are removed once they are committed."
    result, spool = Ingested(), Path(spool or store.root / "spool")
    for kind in ("predictions", "outcomes"):
        done = {
            i
            for (i,) in store.con.execute(
                "SELECT segment_id FROM segments WHERE state = 'ingested' AND kind = $kind",
                {"kind": kind},
            ).fetchall()
        }
        chunk, size = [], 0
        for path in sorted(
            p
            for p in (spool / kind).rglob("*")
            if p.suffix in SUFFIXES and not p.name.startswith(".")
        ):
            try:
                delivered = _deliver(store, kind, path)
            except StoreError as error:
                result += _set_aside(store, kind, path, str(error), now, owner)
                continue
            rows = _rows_of(store.con, delivered.canonical)
            if delivered.segment_id in done:
                result += Ingested(duplicates=int(rows))
                path.unlink()
                continue
            done.add(delivered.segment_id)
            chunk.append(delivered)
            size += rows
            if size >= chunk_rows:
                result += _load_or_set_aside(store, kind, chunk, now, owner)
                chunk, size = [], 0
        result += _load_or_set_aside(store, kind, chunk, now, owner)
    return result


def _load_or_set_aside(store, kind, chunk, now, owner):
    "Load a chunk; when it holds a damaged file, set that aside and load the rest."
    result = Ingested()
    if not chunk:
        return result
    try:
        result += _load(store, kind, chunk, now, owner)
    except duckdb.Error as error:
        damaged = _unreadable(store.con, chunk)
        if not damaged:
            raise StoreError(
                f"{kind} could not be written: {str(error).splitlines()[0]} Nothing was loaded from this batch; free some space or fix the folder and run it again."
            ) from None
        for path, reason in damaged.items():
            result += _set_aside(store, kind, path, reason, now, owner)
        return result + _load_or_set_aside(
            store, kind, [d for d in chunk if d.path not in damaged], now, owner
        )
    for d in chunk:
        d.path.unlink()
        if d.canonical != d.path:
            d.canonical.unlink()
    return result


def ingest_file(
    store: Store,
    now: datetime,
    owner: str,
    path: str | Path,
    kind: str,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Ingested:
    "Load one file of your own (CSV, JSON lines, Parquet), which stays where it is. StoreError when it cannot be used at all."
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path} is not a file.")
    return _load(
        store,
        kind,
        [_usable(path, kind, store.root / "tmp" / "made", mapping, constants)],
        now,
        owner,
    )
