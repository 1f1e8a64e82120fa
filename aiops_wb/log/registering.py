"""Day files of somebody's own job as files of the log: their rows pass through an engine, not
through this process.

A row of the log carries the number of the batch since which it is known, and nobody knows that
number before the batch is committed. So the engine reads what was landed, and writes it once more
with that number and with what was in force where nobody had decided: Spark's executors do, and this
process gives the files their names. What comes of it is what would have come of taking the same
rows in (`ingest`), but that a delivery with something wrong in it is refused as a whole: who writes
files by a job can write them again, and half a delivery helps nobody.

What looks at few columns of few rows stays here: who was forgotten (the key to these names leaves
the machine for nobody), and the content of rows whose ids the log has already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

import duckdb
import pandas as pd

from ..stats.decisions import LEVELS, RISK_CUTS
from ..stats.points import LIMIT, Grid
from .checks import drop_tables, overlapping_files, reject_repeated, reject_unknown
from .columns import LONGEST_KEY, LONGEST_NAME, PREDICTION, ROUTES
from .day_files import FILE, move_into_log, write_told
from .deciding import Named, decided_elsewhere
from .duck import footers, literal, parquet, spelt, statements
from .durable import fsync
from .engine import Engine, Query, Rows, of_one_type
from .errors import StoreError
from .feature_types import FeatureTypes, take_as_stored
from .from_rows import features_of
from .ingest import match_waiting
from .landing import LANDING, Delivery, Landed, Shape, damaged, described, remove
from .reading import shown
from .schema import EMPTY
from .store import Store

__all__ = ["Registered", "register", "registered_before"]

_DAY = ("event_date", "tenant", "model", "version")
_JUDGED = ("prediction_id", "tenant", "model", "version", "grid", "site_id", "predicted_at")
_JUDGED += ("score", "points", "route", "latency_ms", "propensity", "event_key", "risk_level")
_JUDGED += ("arm_propensity",)
_LIMITS = {
    "longest_name": 8 * LONGEST_NAME,
    "longest_key": 8 * LONGEST_KEY,
    "logit": LIMIT["logit"],
    "linear": LIMIT["linear"],
    "routes": ", ".join(map(literal, ROUTES)),
    "levels": ", ".join(map(literal, LEVELS)),
}
_ALLOWED = {
    "points are not those of the score": "Grid().quantise(score) makes them",
    "points are missing": "Grid().quantise(score) makes them",
    "model, version or tenant is too long": f"at most {LONGEST_NAME} bytes",
    "event_key is too long": f"at most {LONGEST_KEY} bytes",
    "event_key is empty": "tell none where there is none",
    "route is none": f"one of {', '.join(ROUTES)}, or none where nobody decided",
    "risk_level is none": f"one of {', '.join(LEVELS)}, or none where nobody decided",
    "prediction_id is missing": "each row has one of its own",
}
_TABLES = ("landed_groups", "landed_rows", "left_out", "wrong_rows", "suspects", "gone_rows")
_TABLES += ("gone_events", "counted_cells", "counted_few")


@dataclass(frozen=True)
class Registered:
    "What came of a delivery: rows that are in the log now, or would be."

    name: str
    state: str  # registered | already (it was) | checked (nothing was changed)
    files: int = 0
    rows: int = 0
    days: int = 0
    into: int = 0  # files of the log
    duplicates: int = 0  # the same rows were there: left out
    forgotten: int = 0  # rows about somebody who was forgotten: left out
    batch: int | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        if not self.files:
            return f"{shown(self.name)}: there is no file of rows in it"
        if self.state == "already":
            return f"{shown(self.name)}: its {self.files:,} files are in the log already"
        does = "is in the log" if self.state == "registered" else "can be registered"
        told = f"{shown(self.name)} {does}: {self.rows:,} rows of {self.days:,} days"
        if self.batch is not None:
            told += f", as batch {self.batch} in {self.into:,} files"
        left = {
            "were there already": self.duplicates,
            "are about somebody forgotten": self.forgotten,
        }
        return told + "".join(f"; {n:,} {why} and were left out" for why, n in left.items() if n)


class _Work(NamedTuple):
    "What is being registered, and by whom it is read."

    store: Store
    engine: Engine
    files: tuple[Landed, ...]
    shapes: tuple[Shape, ...]

    @property
    def rows(self) -> int:
        return sum(shape.rows for shape in self.shapes)

    @property
    def source(self) -> str:
        "All rows here, as SQL, with their places."
        paths = [file.path for file in self.files]
        found = parquet(paths, filename=True, file_row_number=True)
        return f"""(
            SELECT * REPLACE (coalesce(tenant, 'default') AS tenant,
                              coalesce("grid", 'logit') AS "grid")
            FROM (SELECT * FROM {found} UNION ALL BY NAME {EMPTY["predictions"]}))"""

    def ask(
        self,
        into: str,
        steps: Mapping[str, str],
        columns: Sequence[str] = _JUDGED,
        shape: Shape | None = None,
        also: Mapping[str, Rows] | None = None,
    ) -> None:
        "Ask the engine about the rows of all files, or those of one shape."
        names = [file.name for file in (shape or self).files]
        landed = Rows("predictions", [names], columns, sparse=True)
        query = Query({"landed": landed, **(also or {})}, {}, steps)
        self.engine.count(self.store.con, into, query)


def register(
    store: Store,
    engine: Engine,
    now: datetime,
    who: str,
    delivery: Delivery,
    *,
    new: bool = False,
    cuts: tuple[float, ...] = RISK_CUTS,
    dry_run: bool = False,
) -> Registered:
    """Make the files of a delivery files of the log, as one batch; then they leave the folder.

    What is in the log already, file for file, is done with. `new`: versions that nobody logged or
    registered before are taken as well. `cuts`: where risk levels begin of what nobody decided.
    `dry_run`: look at everything and change nothing. StoreError, and nothing is changed, where
    something is wrong.
    """
    if engine.elsewhere:
        raise StoreError(
            "files are registered by an engine that reads and writes in the data folder, and "
            "spark_data names another place: set it to what that folder is there, or count by "
            "duckdb."
        )
    known = store.ingested("predictions")
    files = tuple({f.identity: f for f in delivery.files if f.identity not in known}.values())
    if not files:
        if delivery.files and not dry_run:
            remove(delivery)
        return Registered(delivery.name, "already", len(delivery.files))
    try:
        work = _Work(store, engine, files, described(store.con, files, store.timezone))
        types = _judged(work, new)
        duplicates, forgotten = _left_out(work)
        days = store._value("SELECT count(DISTINCT event_date) FROM landed_groups")
        rows = work.rows - duplicates - forgotten
        told = len(files), rows, days, 0, duplicates, forgotten
        if dry_run:
            return Registered(delivery.name, "checked", *told)
        done = _commit(work, now, who, types, cuts, rows, duplicates)
    except FileNotFoundError as error:
        raise StoreError(
            f"{delivery.name} was taken away while it was read ({error.filename}): nothing was "
            "registered; give the command again when it is whole."
        ) from None
    except duckdb.Error as error:
        raise StoreError(damaged(store.con, files) or str(error).splitlines()[0]) from None
    finally:
        _drop(store.con)
    remove(delivery)
    waited = match_waiting(store, types, now, who)
    notes = (*done.notes, *waited.notes)
    told = (*told[:3], done.files, *told[4:])
    return Registered(delivery.name, "registered", *told, done.batch, tuple(dict.fromkeys(notes)))


def registered_before(store: Store, name: str) -> Registered | None:
    "What is told of a delivery that is in the log and left its folder; None where there was none."
    begins = shown(f"{LANDING}/{name}/")
    files = sum(segment.startswith(begins) for segment in store.segment_names())
    return Registered(name, "already", files) if files else None


def _drop(con):
    drop_tables(con)
    for table in _TABLES:
        con.execute(f"DROP TABLE IF EXISTS {table}")


def _judged(work, new) -> FeatureTypes:
    """StoreError for the first thing that is wrong with rows, versions or features; what there is
    of each day (table `landed_groups`), and the kinds that features have then."""
    store, con = work.store, work.store.con
    sql = statements("landing.sql")
    work.ask("wrong_rows", {"delivered": sql["delivered"], "wrong": sql["wrong"].format(**_LIMITS)})
    if found := store._rows("FROM wrong_rows ORDER BY n DESC, reason"):
        raise _of_rows(work, *found[0])
    steps = {name: sql[name] for name in ("delivered", "landed_groups")}
    for number, shape in enumerate(work.shapes):
        work.ask("landed_rows", steps, shape=shape)
        into = (
            "INSERT INTO landed_groups"
            if number
            else "CREATE OR REPLACE TEMP TABLE landed_groups AS"
        )
        con.execute(f"{into} SELECT *, {number} AS shape, 0 AS part FROM landed_rows")
    con.execute("UPDATE landed_groups SET part = rowid")
    _require_all(work)
    _require_versions(store, new)
    return _kinds(work)


def _of_rows(work, reason, n, example):
    "What is to be said of rows that the log cannot hold."
    there = (
        "coalesce(prediction_id, '') = ''" if not example else f"prediction_id = {literal(example)}"
    )
    one = f" ({shown(example)})" if example else ""
    allowed = f": {_ALLOWED[reason]}" if reason in _ALLOWED else ""
    return StoreError(
        f"{_file_of(work, there)}: {reason} in {n:,} of {work.rows:,} rows{one}{allowed}. Nothing "
        "was registered."
    )


def _file_of(work, condition):
    "The first file with rows that meet a condition (SQL)."
    rows = f"SELECT filename FROM {work.source} WHERE {condition} ORDER BY filename LIMIT 1"
    place = work.store._value(rows)
    named = {spelt(file.path): file.name for file in work.files}
    return shown(named.get(place, work.files[0].name))


def _require_all(work):
    "StoreError where the engine did not read the rows that the files hold."
    n = work.store._value("SELECT coalesce(sum(n), 0)::BIGINT FROM landed_groups")
    if n != work.rows:
        raise StoreError(
            f"{work.engine.name} read {n:,} rows of {work.rows:,}, so nothing was registered: does "
            "it see this folder?"
        )


def _require_versions(store, new):
    "StoreError for a version that is not known, or logged on another grid."
    known = store._rows(
        """
        SELECT model, version, arg_min("grid", place)
        FROM (SELECT model, version, "grid", 0 AS place FROM models
              UNION ALL
              SELECT model, version, "grid", batch_id FROM data_files WHERE kind = 'predictions')
        GROUP BY model, version"""
    )
    grids = {(model, version): grid for model, version, grid in known}
    landed = 'SELECT DISTINCT model, version, "grid" FROM landed_groups ORDER BY ALL'
    for model, version, grid in store._rows(landed):
        named = f"{shown(model)} {shown(version)}"
        if (model, version) not in grids and not new:
            raise StoreError(
                f"{named} is not known: nobody logged or registered such a version. --new takes "
                "what is new. Nothing was registered."
            )
        kept = grids.setdefault((model, version), grid)
        if kept != grid:
            raise StoreError(
                f"{named} is logged on the {kept} grid, not on {grid}. Nothing was registered."
            )


def _kinds(work) -> FeatureTypes:
    "Features as they are stored; StoreError where a model's is something else."
    types = FeatureTypes(work.store)
    for number, shape in enumerate(work.shapes):
        models = "SELECT DISTINCT model FROM landed_groups WHERE shape = $shape ORDER BY model"
        for model in work.store._column(models, {"shape": number}):
            for feature, kind in take_as_stored(types, model, shape.features).items():
                raise StoreError(
                    f"{shown(feature)} of {shown(model)} is stored as {shape.features[feature]} in "
                    f"{shape.files[0].name}"
                    + (f", and is a {kind}" if kind else ", which no feature is")
                    + ": write it as that, or 'aiops-wb features set' says what it is. Nothing was "
                    "registered."
                )
    return types


def _left_out(work) -> tuple[int, int]:
    """How many rows the log has already, and how many are about somebody forgotten; their ids are
    in the table `left_out`. StoreError for an id that stands twice, or has other content there."""
    store, con = work.store, work.store.con
    sql, ids = statements("landing.sql"), ["prediction_id"]
    work.ask("suspects", {"repeated": sql["repeated"]}, ids)
    if n := store._value("SELECT count(*) FROM suspects"):
        one = store._value("SELECT min(prediction_id) FROM suspects")
        raise StoreError(
            f"{_file_of(work, f'prediction_id = {literal(one)}')}: {n:,} ids stand more than once "
            f"in this delivery, such as {shown(one)!r}: each row has one of its own. Nothing was "
            "registered."
        )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE rejects (
            filename VARCHAR, file_row_number BIGINT, reason VARCHAR, duplicate BOOLEAN)"""
    )
    forgotten = store.reject_forgotten("predictions", work.source)
    _reject_known(work, ids)
    n, reason = store._rows("SELECT count(*), min(reason) FROM rejects WHERE NOT duplicate")[0]
    if n:
        raise StoreError(
            f"{n:,} of {work.rows:,} rows cannot be taken in, such as: {shown(reason)}. What is "
            "logged is never changed: give them new ids, or leave them out. Nothing was registered."
        )
    con.execute("CREATE OR REPLACE TEMP TABLE left_out (prediction_id VARCHAR)")
    if store._value("SELECT count(*) FROM rejects"):  # else no row is looked at for it
        con.execute(
            f"""
            INSERT INTO left_out
            SELECT prediction_id FROM {work.source}
            SEMI JOIN rejects USING (filename, file_row_number)"""
        )
    return store._value("SELECT count(*) FROM left_out") - forgotten, forgotten


def _reject_known(work, ids):
    "Reject rows whose ids the log has: as duplicates, or because they say something else."
    store, con = work.store, work.store.con
    ends = """(SELECT unnest([min_id, max_id]) AS prediction_id, part AS filename
               FROM landed_groups)"""
    files = overlapping_files(store, "predictions", ends)
    gone = store.gone(files)
    if gone:
        reject_unknown(store, work.source, gone)
    there = [file.path for file in files if file not in gone]
    if not there:
        return
    logged = {"logged": Rows("predictions", [there], ids)}
    work.ask("suspects", {"known": statements("landing.sql")["logged_before"]}, ids, also=logged)
    if store._value("SELECT count(*) FROM suspects"):
        reject_repeated(con, work.source, [store.root / path for path in there])


class _Done(NamedTuple):
    "A batch that was committed."

    batch: int
    files: int
    notes: tuple[str, ...]


def _commit(work, now, who, types, cuts, rows, duplicates) -> _Done:
    "Write the rows that are new, and name them in the catalog, counted."
    store = work.store
    batch = store.known_batch() + 1
    late = store.late_outcome_columns(work.source)
    store.keep_forgotten(now)
    store.begin_files(batch, (file.path for file in work.files))
    segments = [
        (f.identity, "predictions", shown(f.name), f.path.stat().st_size, "ingested", None)
        for f in work.files
    ]
    files = _written(work, batch, cuts)
    if (n := int(files.rows.sum())) != rows:
        raise StoreError(
            f"{work.engine.name} wrote {n:,} rows of {rows:,}, so nothing was registered."
        )
    keyed = files.path[files.min_key.notna()]
    of_events = len(keyed) and store.keyed_files("outcomes")
    told, _ = store.find_told(keyed) if of_events else (0, [])
    logged = len(files)
    if told:
        files = pd.concat([files, write_told(store, batch)], ignore_index=True)

    def keep(batch):
        types.keep(batch, now, who, files)
        explored = "(SELECT model, 1 AS propensity FROM landed_groups WHERE chances > 0)"
        store.note_services(now, who, explored)

    store.commit_batch(
        "predictions",
        now,
        who,
        loaded=rows,
        duplicates=duplicates,
        files=files,
        outcome_columns=late,
        also=keep,
        count=lambda batch, new: _count(store, work.engine, batch, new),
        segments=segments,
    )
    said = f"{told:,} labels that were told of events before: known by event_key"
    return _Done(batch, logged, tuple([said] * bool(told) + types.told()))


def _written(work, batch, cuts) -> pd.DataFrame:
    "Let the engine write the rows that are not left out, and give the files their names."
    store, files = work.store, []
    folder = f"tmp/registered-{batch}-{uuid4().hex[:8]}"  # what a stopped job goes on writing: away
    for number, shape in enumerate(work.shapes):
        place = f"{folder}/{number}"
        if shape.rows:
            work.engine.write(store.con, place, _to_write(work, number, shape, batch, cuts), "part")
            files += sorted((store.root / place).rglob("[!._]*.parquet"))
    found = _rows_in(store, files)
    groups = {row[0]: row[1:] for row in store._rows(f"SELECT part, {_OF_FILE} FROM landed_groups")}
    told = []
    for path in files:
        if not found.get(spelt(path)):
            continue
        (part,) = (p for p in path.parts if p.startswith("part="))
        day, *names, sites, low, high, low_key, high_key = groups[int(part.removeprefix("part="))]
        name = f"b{batch:08d}-{len(told):04d}.parquet"
        final = store.root / "log" / "predictions" / f"event_date={day}" / name
        size, sha256 = path.stat().st_size, move_into_log(path, final)
        place = final.relative_to(store.root).as_posix()
        ends = sites > 0, low, high, low_key, high_key
        told.append(("predictions", place, day, *names, found[spelt(path)], size, *ends, sha256))
        store.as_written(place, sha256)
    for made in {(store.root / row[1]).parent for row in told}:
        fsync(made)
    return pd.DataFrame(told, columns=list(FILE)).astype(object)


_OF_FILE = """event_date, tenant, model, version, "grid", sites, min_id, max_id, min_key, max_key"""


def _rows_in(store, files):
    "Path -> rows, by the ends of files."
    if not files:
        return {}
    return dict(
        store._rows(
            f"""
            SELECT file_name, sum(row_group_num_rows)::BIGINT FROM {footers(files)}
            WHERE path_in_schema = 'prediction_id' GROUP BY 1"""
        )
    )


def _to_write(work, number, shape, batch, cuts) -> Query:
    "Rows of one shape as rows of the log, each with the number of its day of a version."
    store, names = work.store, [*PREDICTION]
    found = store._rows(
        """
        SELECT tenant, model, version, "grid", first_at, last_at FROM landed_groups
        WHERE shape = $shape""",
        {"shape": number},
    )
    usual = {
        "tenant": "COALESCE(tenant, 'default') AS tenant",
        "grid": "COALESCE(grid, 'logit') AS grid",
    }
    stored = [*names, *(["features"] if shape.features else [])]
    told, steps = decided_elsewhere(store, [Named(*row) for row in found], stored, cuts)
    told["days"] = f"""
        SELECT part, event_date, tenant, model, version, "grid", {batch}::BIGINT AS batch_id
        FROM landed_groups WHERE shape = {number}"""
    anti = where = ""
    if store._value("SELECT count(*) FROM left_out"):
        told["left_out"] = "SELECT DISTINCT prediction_id FROM left_out"
        anti = "LEFT JOIN left_out AS x ON x.prediction_id = d.prediction_id"
        where = "WHERE x.prediction_id IS NULL"
    logged = [*names, "decided_by", *stored[len(names) :]]
    placed = f"""
        SELECT {", ".join(f"d.{name}" for name in logged)}, g.event_date, g.batch_id, g.part
        FROM decided AS d JOIN days AS g
            ON g.tenant = d.tenant AND g.model = d.model AND g.version = d.version
           AND g.grid = d.grid AND g.event_date = CAST(d.predicted_at AS DATE)
        {anti} {where}"""
    delivered = f"SELECT {', '.join(usual.get(name, name) for name in stored)} FROM landed"
    landed = Rows(
        "predictions",
        [[file.name for file in shape.files]],
        names,
        sparse=True,
        whole=bool(shape.features),
    )
    return Query({"landed": landed}, told, {"delivered": delivered, **steps, "placed": placed})


def _count(store, engine, batch, new) -> None:
    "Add what new files of predictions change: by the engine, from these files and labels alone."
    for grid, files in new.groupby("grid"):
        paths = list(files.path)
        groups = of_one_type(store.con, store.root, paths)
        alike = [group for group, _ in groups]
        _count_scores(store, engine, batch, Grid.parse(grid), files, alike)
        for table, read in _FEW.items():
            rows = {"predictions": Rows("predictions", alike, [*_DAY, *read, "batch_id"])}
            steps = {"counted": statements("reductions.sql")[table]}
            engine.count(store.con, "counted_few", Query(rows, {}, steps))
            store._write(f"INSERT INTO {table} BY NAME SELECT * FROM counted_few")
        for (model, version), some in files.groupby(["model", "version"]):
            _count_features(store, engine, model, version, list(some.path))


_FEW = {
    "decision_counts": ("route", "automated"),
    "hour_counts": ("predicted_at",),
    "latency_counts": ("latency_ms",),
}


def _count_scores(store, engine, batch, grid, files, alike):
    "New predictions by their points, with the labels that are known of them."
    days, low, high = set(files.event_date), files.min_id.min(), files.max_id.max()
    told = [f for f in store.day_files(kind="outcomes") if f.day is None or f.day in days]
    told = [f for f in told if f.min_id <= high and f.max_id >= low]
    lost = store.gone(told)
    labels = [f.path for f in told if f not in lost]
    of_labels = ["prediction_id", "label", "observed_at", "batch_id"]
    rows = {
        "predictions": Rows("predictions", alike, [*_DAY, "prediction_id", "site_id", "points"]),
        "outcomes": Rows("outcomes", [labels] if labels else [], of_labels),
    }
    sql = statements("reductions.sql")
    steps = {
        "labels": sql["labels"],
        "events": sql["events_by_day"],
        "counted": sql["counts_by_day"],
    }
    engine.count(store.con, "counted_cells", Query(rows, {}, steps))
    store._write(
        """
        INSERT INTO score_counts BY NAME
        SELECT event_date, tenant, model, version,
               CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
               CASE WHEN points IS NULL THEN $coarse ELSE $fine END AS "grid",
               coalesce(points, cell)::SMALLINT AS points, n, n_labelled, n_positive,
               $batch AS batch_id
        FROM counted_cells WHERE points IS NOT NULL OR site_id IS NOT NULL""",
        {"fine": grid.name, "coarse": grid.coarsen(20).name, "batch": batch},
    )


def _count_features(store, engine, model, version, paths):
    "Features in the bins of a registered version."
    bins = store._bins(model, version)
    for group, types in of_one_type(store.con, store.root, paths) if bins else ():
        counted = features_of(store, engine, group, types, bins)
        store._insert("feature_counts", counted.assign(model=model, version=version))
