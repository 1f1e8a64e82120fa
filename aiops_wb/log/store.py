"""The one writer."""

import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from ..stats.automation import Certainty
from ..stats.conformal import Calibration
from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from .catalog import (
    CHAIN,
    EMPTY,
    Busy,
    Reader,
    StoreError,
    connect,
    identifier,
    literal,
    migrations,
    parquet,
    statements,
)
from .spool import fsync

__all__ = [
    "NUMBERS",
    "as_numbers",
    "bin_values",
    "binned_days",
    "count_numbers",
    "feature_counts",
    "training",
    "is_training",
    "Store",
    "open_store",
]


def _scalars(values):
    "Values with lists and structs, which are no feature, as missing."
    series = pd.Series(values)
    return (
        series.map(lambda v: None if isinstance(v, (list, tuple, dict, np.ndarray)) else v)
        if series.dtype == object
        else series
    )


_SPELT = {"true": 1.0, "false": 0.0}  # booleans of a file that was read beside one with text


def as_numbers(values) -> np.ndarray:
    "A feature as float64: booleans are 0 and 1, spelt out or not; what is missing or no number is NaN."
    series = _scalars(values)
    if series.dtype == object or isinstance(series.dtype, pd.StringDtype):
        series = series.astype(object).map(
            lambda v: (
                float(v)
                if isinstance(v, (bool, np.bool_))
                else _SPELT.get(v, v)
                if isinstance(v, str)
                else v
            )
        )
    return (
        pd.to_numeric(series, errors="coerce")
        .astype(float)
        .to_numpy(dtype=np.float64, na_value=np.nan)
    )


def bin_values(values, rule: Mapping) -> np.ndarray:
    "Bin of each value by a rule {'cuts': [...]} (ascending numbers) or {'categories': [...]}; -1 missing, -2 unseen category."
    series = _scalars(values)
    if "categories" in rule:
        codes = {c: i for i, c in enumerate(rule["categories"])}
        return series.map(lambda v: -1 if pd.isna(v) else codes.get(v, -2)).to_numpy(
            dtype=np.int32, na_value=-1
        )
    numbers = as_numbers(series)
    return np.where(
        np.isnan(numbers), -1, np.searchsorted(rule["cuts"], numbers, side="right")
    ).astype(np.int32)


def binned_days(frame: pd.DataFrame, days, bins: Mapping[str, Mapping]) -> pd.DataFrame:
    "How the features of a frame lie in their bins on each day: columns event_date, feature, bin, n. Rows without a day are left out."
    codes, keys = pd.factorize(np.asarray(days), sort=True)
    order = slice(None) if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")
    ends, parts = np.searchsorted(codes[order], np.arange(len(keys) + 1)), []
    for f, rule in bins.items():
        values = (as_numbers(frame[f]) if "cuts" in rule else bin_values(frame[f], rule))[order]
        table = np.array(
            [_counted(values[a:b], rule) for a, b in pairwise(ends)], dtype=np.int64, ndmin=2
        )
        day, place = np.nonzero(table)
        parts.append(
            pd.DataFrame(
                {"event_date": keys[day], "feature": f, "bin": place - 2, "n": table[day, place]}
            )
        )
    return pd.concat(parts, ignore_index=True)


def _counted(values, rule):
    "Counts of the numbers or the bins of a feature by its rule, from bin -2 (never seen in training) on."
    return (
        np.concatenate([[0], count_numbers(values, rule["cuts"])])
        if "cuts" in rule
        else np.bincount(values + 2, minlength=len(rule["categories"]) + 2)
    )


def count_numbers(values: np.ndarray, cuts) -> np.ndarray:
    "Counts of float64 values: missing (masked or NaN), then each bin (cuts + 1 of them). For few cuts comparing takes a sixth of the time of placing each value, for many sorting does."
    given = np.ma.compressed(values)
    known = int(np.count_nonzero(given == given))
    below = (
        [np.count_nonzero(given < c) for c in cuts]
        if len(cuts) <= 40
        else np.searchsorted(
            np.sort(given)[:known], np.asarray(cuts, dtype=np.float64), side="left"
        )
    )  # NaN sorts last
    return np.diff([known - len(values), 0, *below, known])


def feature_counts(
    con: duckdb.DuckDBPyConnection, source: str, bins: Mapping[str, Mapping]
) -> pd.DataFrame:
    "Columns feature, bin, n: each feature of the rows in `source` (SQL) counted by its rule; features that were not logged count as missing."
    columns = con.sql(f"FROM {source}")
    types = dict(zip(columns.columns, columns.types))
    logged = (
        {name for name, _ in types["features"].children}
        if getattr(types.get("features"), "id", "") == "struct"
        else set()
    )
    kinds = {name: kind.id for name, kind in types["features"].children} if logged else {}
    numeric = [f for f, rule in bins.items() if "cuts" in rule and kinds.get(f) in NUMBERS]
    size = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    together = max(1, 20_000_000 // max(1, size))  # columns read at once: some 160 MB
    found = {}  # feature -> (bins, counts)
    for at in range(0, len(numeric), together):
        some = numeric[at : at + together]
        columns = con.execute(
            "SELECT "
            + ", ".join(
                f"TRY_CAST(features.{identifier(f)} AS DOUBLE) AS c{i}" for i, f in enumerate(some)
            )
            + f" FROM {source}"
        ).fetchnumpy()
        for i, f in enumerate(some):
            counted = count_numbers(columns[f"c{i}"], bins[f]["cuts"])
            found[f] = np.arange(-1, len(counted) - 1), counted
    for f in bins.keys() - set(numeric):
        if f in logged:
            distinct = con.execute(
                f"SELECT features.{identifier(f)} AS v, count(*) AS n FROM {source} GROUP BY v"
            ).df()
            places, where = np.unique(bin_values(distinct.v, bins[f]), return_inverse=True)
            found[f] = places, np.bincount(where, weights=distinct.n).astype(np.int64)
        else:
            found[f] = np.array([-1]), np.array([size])
    places, n = (np.concatenate([found[f][part] for f in bins]) for part in (0, 1))
    feature = np.repeat(np.array(list(bins), dtype=object), [len(found[f][0]) for f in bins])
    kept = n > 0
    return pd.DataFrame({"feature": feature[kept], "bin": places[kept], "n": n[kept]})


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


def _lock(root, owner):
    handle = open(root / "catalog.lock", "a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "another process"
        handle.close()
        raise Busy(
            f"the catalog in {root} is being written by {holder}: try again when it has finished."
        ) from None
    handle.truncate(0)
    handle.write(f"{owner} (process {os.getpid()})")
    handle.flush()
    return handle


def _migrate(con, timezone):
    exists = con.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'migrations'"
    ).fetchall()[0][0]
    done = (
        con.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchall()[0][0]
        if exists
        else 0
    )
    known = migrations()
    if done > known[-1][0]:
        raise StoreError(
            f"this catalog has schema version {done}, this aiops_wb knows {known[-1][0]}: upgrade aiops_wb."
        )
    for version, name, text in known:
        if version > done:
            con.execute("BEGIN")
            con.execute(text)
            con.execute(
                "INSERT INTO migrations VALUES ($version, $name)",
                {"version": version, "name": name},
            )
            con.execute("COMMIT")
            con.execute("CHECKPOINT")
    stored = con.execute("SELECT value FROM workbench WHERE key = 'timezone'").fetchall()
    if not stored:
        con.execute("INSERT INTO workbench VALUES ('timezone', $zone)", {"zone": timezone or "UTC"})
    elif timezone is not None and stored[0][0] != timezone:
        raise StoreError(
            f"this log counts days in {stored[0][0]}, not in {timezone}: the zone is fixed when a log is created; leave it out, or choose another folder with --data."
        )


@contextmanager
def training(root: Path):
    "Hold the folder's training lock: one training at a time; Busy when another holds it."
    with open(Path(root) / "training.lock", "a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("a training is running: try again when it has finished.") from None
        yield


def is_training(root: Path) -> bool:
    "Whether some process holds the training lock."
    if not (Path(root) / "training.lock").exists():
        return False
    try:
        with training(root):
            return False
    except Busy:
        return True


def _checked_sites(frame):
    "Sites as rows of text or None; StoreError names what is missing or twice there."
    lacking = {"site_id"} - set(frame.columns)
    if lacking:
        raise StoreError(
            f"the table of sites has no column site_id: it has {', '.join(map(str, frame.columns)) or 'none'}; site_id, tenant, name, security_manager and manager are read."
        )
    text = lambda v: None if pd.isna(v) or not str(v).strip() else str(v).strip()
    columns = {
        c: [text(v) for v in frame[c]] if c in frame else [None] * len(frame)
        for c in ("tenant", "site_id", "name", "security_manager", "manager")
    }
    rows = pd.DataFrame(columns, dtype=object).assign(tenant=lambda r: r.tenant.fillna("default"))
    if rows.site_id.isna().any():
        raise StoreError(
            f"row {int(rows.site_id.isna().argmax()) + 1} of the sites has no site_id."
        )
    twice = rows[rows.duplicated(["tenant", "site_id"])]
    if len(twice):
        raise StoreError(
            f"site {twice.site_id.iloc[0]} is in the table twice: give one row for each site."
        )
    return rows


class Store(Reader):
    "The one writer. Times are arguments: nothing here reads a clock."

    def commit_batch(
        self,
        kind: str,
        now: datetime,
        owner: str,
        *,
        loaded: int,
        duplicates: int,
        conflicts: int,
        quarantine: pd.DataFrame,
        segments: Sequence[tuple],
        files: pd.DataFrame,
        touched: Iterable[tuple] = (),
    ) -> int:
        """Record one ingested batch and recount the days it touched, in one transaction; returns the batch id.

        files: kind, path, event_date, tenant, model, version, grid, rows, bytes, sites, min_id, max_id. touched: (event_date, tenant,
        model, version) whose labels changed. segments: (id, kind, name, bytes, state, detail). Known-at times never run backwards.
        """
        batch = self.known_batch() + 1
        with self.transaction():
            last = self._value("SELECT max(committed_at) FROM batches")
            self.con.execute(
                "INSERT INTO batches VALUES ($b, $kind, greatest($now::TIMESTAMPTZ, $last::TIMESTAMPTZ), $owner, $loaded, $dup, $conf, $quar)",
                dict(
                    b=batch,
                    kind=kind,
                    now=now,
                    last=last,
                    owner=owner,
                    loaded=loaded,
                    dup=duplicates,
                    conf=conflicts,
                    quar=len(quarantine),
                ),
            )
            for segment in segments:
                self.con.execute(
                    "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", [*segment, batch]
                )
            if len(quarantine):
                self._insert("quarantine", quarantine.assign(batch_id=batch))
            if len(files):
                self._insert("data_files", files.assign(batch_id=batch))
            keys = set(touched)
            if kind == "predictions":
                for key, group in files.groupby(["event_date", "tenant", "model", "version"]):
                    keys.add(key)
                    self._count_new(batch, key, list(group.path))
            with self.one_thread():
                for key, sql in self.count_sql(sorted(keys)).items():
                    self._recount(batch, key, sql)
        return batch

    @contextmanager
    def one_thread(self):
        "Many small queries cost a third less on one thread."
        self.con.execute("SET threads = 1")
        try:
            yield
        finally:
            self.con.execute("RESET threads")

    @contextmanager
    def transaction(self):
        "All or nothing."
        self.con.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def _insert(self, table, frame):
        self.con.register("incoming", frame)
        self.con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _recount(self, batch, key, sql):
        "Bring one day's score counts up to date: what the rows say now, minus what the table says, is the change."
        day, tenant, model, version = key
        grid = Grid.parse(
            self._value(
                "SELECT any_value(grid) FROM data_files WHERE kind = 'predictions' AND model = $m AND version = $v",
                {"m": model, "v": version},
            )
        )
        self.con.execute(
            f"""INSERT INTO score_counts
            SELECT $day, $tenant, $model, $version, segment, grid, points, sum(n), sum(n_labelled), sum(n_positive), $batch
            FROM (SELECT CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
                         CASE WHEN points IS NULL THEN $coarse ELSE $fine END AS grid,
                         coalesce(points, cell) AS points, n, n_labelled, n_positive
                  FROM ({sql}) WHERE points IS NOT NULL OR site_id IS NOT NULL
                  UNION ALL
                  SELECT segment, grid, points, -n, -n_labelled, -n_positive FROM score_counts
                  WHERE event_date = $day AND tenant = $tenant AND model = $model AND version = $version)
            GROUP BY segment, grid, points
            HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0""",
            dict(
                day=day,
                tenant=tenant,
                model=model,
                version=version,
                batch=batch,
                fine=grid.name,
                coarse=grid.coarsen(20).name,
            ),
        )

    def count_sql(self, keys: Iterable[tuple]) -> dict[tuple, str]:
        "For each (event_date, tenant, model, version), the reduction that counts it from the log's files."
        keys, by_key, by_day = list(keys), {}, {}
        named = self.con.execute(
            """SELECT kind, path, sites, min_id, max_id, event_date, tenant, model, version FROM data_files
            WHERE event_date IN (SELECT unnest($days::DATE[])) OR event_date IS NULL ORDER BY batch_id, path""",
            {"days": sorted({k[0] for k in keys})},
        ).fetchall()
        for kind, path, sites, low, high, *key in named:
            found = (
                by_key.setdefault(tuple(key), [])
                if kind == "predictions"
                else by_day.setdefault(key[0], [])
            )
            found.append((self.root / path, sites, low, high))
        return {
            key: self._reduction(by_key[key], by_day.get(key[0], []) + by_day.get(None, []))
            for key in keys
        }

    def _reduction(self, predictions, outcomes):
        sql = statements("reductions.sql")
        low, high = min(p[2] for p in predictions), max(p[3] for p in predictions)
        outcomes = [path for path, _, first, last in outcomes if first <= high and last >= low]
        rows = parquet(p[0] for p in predictions)
        counted = (
            ("" if outcomes else "unlabelled_")
            + "counts"
            + ("_with_sites" if any(p[1] for p in predictions) else "")
        )
        if not outcomes:
            return f"WITH predictions AS (SELECT site_id, points FROM {rows}), events AS ({sql['unlabelled_events']}) {sql[counted]}"
        return (
            f"WITH predictions AS (SELECT prediction_id, site_id, points FROM {rows}), "
            f"outcomes AS (SELECT prediction_id, label, observed_at, batch_id FROM {parquet(outcomes)}), "
            f"labels AS ({sql['labels']}), events AS ({sql['events']}) {sql[counted]}"
        )

    def _count_new(self, batch, key, paths):
        "Counts that only new predictions change: latencies, decisions, features."
        source, sql = parquet(self.root / p for p in paths), statements("reductions.sql")
        given = dict(zip(("day", "tenant", "model", "version"), key)) | {"batch": batch}
        for table, columns in (
            ("latency_counts", "bin, n, total_ms"),
            ("decision_counts", "route, automated, n"),
        ):
            self.con.execute(
                f"INSERT INTO {table} WITH predictions AS (SELECT * FROM {source}) "
                f"SELECT $day, $tenant, $model, $version, {columns}, $batch FROM ({sql[table]})",
                given,
            )
        state = self._value(
            "SELECT state FROM models WHERE model = $model AND version = $version LIMIT 1",
            {"model": key[2], "version": key[3]},
        )
        bins = json.loads(state).get("bins", {}) if state else {}
        if bins:
            counted = feature_counts(self.con, source, bins)
            keys = dict(zip(("event_date", "tenant", "model", "version"), key))
            self._insert("feature_counts", counted.assign(**keys, batch_id=batch))

    def record(
        self,
        now: datetime,
        who: str,
        what: str,
        subject: str,
        new: str | None,
        why: str,
        evidence: Any = None,
    ) -> None:
        "Append one change to the audit trail; the old value is read from it. Use inside or outside a transaction."
        if not why.strip():
            raise StoreError(f"a change of {what} needs a reason.")
        last = self.con.execute(
            "SELECT seq, hash, changed_at FROM audit ORDER BY seq DESC LIMIT 1"
        ).fetchall()
        last = last[0] if last else (0, "", None)
        given = dict(
            seq=last[0] + 1,
            before=last[1],
            now=now,
            last=last[2],
            who=who,
            what=what,
            subject=subject,
            old=self.in_force(what, subject),
            new=new,
            why=why,
            evidence=None if evidence is None else json.dumps(evidence, sort_keys=True),
        )
        self.con.execute(
            f"""INSERT INTO audit SELECT seq, changed_at, who, what, subject, old, new, why, evidence, {CHAIN} FROM (
            SELECT $seq::BIGINT AS seq, greatest($now::TIMESTAMPTZ, $last::TIMESTAMPTZ) AS changed_at, $who::VARCHAR AS who, $what::VARCHAR AS what,
            $subject::VARCHAR AS subject, $old::VARCHAR AS old, $new::VARCHAR AS new, $why::VARCHAR AS why, $evidence::VARCHAR AS evidence,
            $before::VARCHAR AS before)""",
            given,
        )

    def add_version(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        grid: Grid,
        path: str,
        state: dict,
        threshold: int,
    ) -> None:
        "Register a version with its threshold (points); StoreError when the name is taken. It does not become active."
        if version in set(self.versions(model).version):
            raise StoreError(
                f"{model} already has a version {version!r}: versions are never replaced, choose a new name."
            )
        with self.transaction():
            self.con.execute(
                "INSERT INTO models VALUES ($model, $version, $grid, $now, $path, $state)",
                dict(
                    model=model,
                    version=version,
                    grid=grid.name,
                    now=now,
                    path=path,
                    state=json.dumps(state),
                ),
            )
            self.record(
                now,
                who,
                "registered",
                f"{model}/{version}",
                version,
                "trained",
                state.get("metrics"),
            )
            self.record(
                now,
                who,
                "threshold",
                f"{model}/{version}",
                str(threshold),
                "chosen when the version was trained",
            )

    def activate(self, now: datetime, who: str, model: str, version: str, why: str) -> None:
        "Make a registered version the one that scores."
        self.version(model, version)
        if self.active_version(model) == version:
            raise StoreError(f"{model} {version} is already active.")
        with self.transaction():
            self.record(now, who, "model", model, version, why)

    def roll_back(self, now: datetime, who: str, what: str, subject: str, why: str) -> str:
        "Put back what stood before the latest change of a subject; returns it. StoreError when nothing stood before."
        old = self._value(
            "SELECT old FROM audit WHERE what = $what AND subject = $subject ORDER BY seq DESC LIMIT 1",
            {"what": what, "subject": subject},
        )
        if old is None:
            raise StoreError(
                f"there is nothing to roll back: {what} of {subject} has no earlier value."
            )
        with self.transaction():
            self.record(now, who, what, subject, old, why)
        return old

    def set_threshold(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        points: int,
        why: str,
        evidence: Any = None,
        logged: int | None = None,
    ) -> None:
        "Change the threshold (points) of a version; `logged` is the one its predictions carried, recorded first where the trail knows none."
        if not self.files("predictions", model=model, version=version):
            self.version(model, version)
        with self.transaction():
            if logged is not None and self.threshold(model, version) is None:
                self.record(
                    now,
                    who,
                    "threshold",
                    f"{model}/{version}",
                    str(int(logged)),
                    "as logged with the predictions",
                )
            self.record(
                now, who, "threshold", f"{model}/{version}", str(int(points)), why, evidence
            )

    def add_calibration(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        calibration: Calibration | Certainty,
        why: str,
        through: date | None = None,
    ) -> str:
        "Store a calibration that rests on labels of days up to `through` and put it in force; returns its id."
        state = calibration.to_json()
        number = (
            self._value(
                "SELECT count(*) FROM calibrations WHERE model = $m AND version = $v",
                {"m": model, "v": version},
            )
            + 1
        )
        key = f"{model}/{version}/{number}"
        quantiles = {
            f"q{c}": state["quantiles"].get(f"0.{c}" if c != 90 else "0.9") for c in (90, 95, 99)
        }
        with self.transaction():
            self.con.execute(
                "INSERT INTO calibrations VALUES ($key, $model, $version, $now, $through, $n, $q90, $q95, $q99, $state)",
                dict(
                    key=key,
                    model=model,
                    version=version,
                    now=now,
                    through=through,
                    n=state["n"],
                    state=json.dumps(state),
                    **quantiles,
                ),
            )
            self.record(
                now,
                who,
                "calibration",
                f"{model}/{version}",
                key,
                why,
                {k: v for k, v in state.items() if k not in ("bounds", "watch")},
            )
        return key

    def add_held_out(self, model: str, version: str, days: Mapping[date, ScoreCounts]) -> None:
        "Keep the counts of the days that the training of a version left out."
        for day, c in days.items():
            self._insert(
                "held_out_counts",
                pd.DataFrame(
                    {
                        "event_date": day,
                        "model": model,
                        "version": version,
                        "grid": c.grid.name,
                        "points": c.points,
                        "n": c.n,
                        "n_labelled": c.n_labelled,
                        "n_positive": c.n_positive,
                    }
                ),
            )

    def add_reference(self, model: str, version: str, counts: pd.DataFrame) -> None:
        "Keep how the features of a version lay on the days of its training: event_date, feature, bin, n."
        if len(counts):
            self._insert("reference_counts", counts.assign(model=model, version=version))

    def add_drift_events(self, frame: pd.DataFrame) -> None:
        "Append what alarms said of a day."
        if len(frame):
            newest = self._value(
                "SELECT max(recorded_at) FROM drift_events"
            )  # the latest row counts, whatever the clock says
            self._insert(
                "drift_events",
                frame.assign(
                    recorded_at=[max(t, newest) if newest else t for t in frame.recorded_at]
                ),
            )

    def undelivered_drift(self, sinks: Sequence[str]) -> dict[str, pd.DataFrame]:
        "For each sink, the alarms that are still open, not muted, and that it has not taken yet, oldest first; an alarm waits as long as it is open."
        return {
            sink: self.frame(
                """SELECT * FROM (SELECT * FROM drift_events QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY event_date DESC, recorded_at DESC, rowid DESC) = 1)
            WHERE state <> 'closed' AND NOT muted AND event_id NOT IN (SELECT case_id FROM deliveries WHERE sink = $sink AND state = 'delivered') ORDER BY opened_on, event_id""",
                {"sink": sink},
            )
            for sink in sinks
        }

    def annotate(
        self,
        now: datetime,
        who: str,
        first: date,
        last: date,
        name: str,
        why: str,
        model: str | None = None,
        mutes: bool = False,
    ) -> str:
        "Enter what is known beforehand about days, for one model or all; with `mutes` these days raise no alarm and count for none. Returns the entry's id; StoreError for a range that ends before it begins."
        if last < first:
            raise StoreError(f"the range from {first} to {last} ends before it begins.")
        if not name.strip():
            raise StoreError("an entry of the calendar needs a name.")
        if model is not None:
            self.require_model(model)
        key = f"C-{self._value('SELECT count(DISTINCT entry_id) FROM calendar') + 1}"
        with self.transaction():
            self.con.execute(
                "INSERT INTO calendar VALUES ($key, $first, $last, $model, $name, $mutes, false, $who, $now)",
                dict(
                    key=key,
                    first=first,
                    last=last,
                    model=model,
                    name=name.strip(),
                    mutes=mutes,
                    who=who,
                    now=now,
                ),
            )
            self.record(
                now,
                who,
                "calendar",
                key,
                f"{first} to {last}: {name.strip()}" + (" (muted)" if mutes else ""),
                why,
                {"model": model},
            )
        return key

    def strike(self, now: datetime, who: str, entry_id: str, why: str) -> None:
        "Take an entry out of the calendar; StoreError names the entries there are."
        entries = self.calendar()
        if entry_id not in set(entries.entry_id):
            raise StoreError(
                f"the calendar has no entry {entry_id!r}: "
                + (
                    f"choose one of {', '.join(entries.entry_id)}."
                    if len(entries)
                    else "it is empty."
                )
            )
        with self.transaction():
            self.con.execute(
                """INSERT INTO calendar SELECT entry_id, first, last, model, name, mutes, true, $who, greatest($now::TIMESTAMPTZ, recorded_at) FROM calendar WHERE entry_id = $key
                ORDER BY recorded_at DESC LIMIT 1""",
                {"who": who, "now": now, "key": entry_id},
            )
            self.record(now, who, "calendar", entry_id, None, why)

    def set_sites(self, now: datetime, who: str, sites: pd.DataFrame, why: str) -> int:
        "Add rows of sites (site_id, and any of tenant, name, security_manager, manager); the latest of a site counts. Returns how many changed or are new."
        rows = _checked_sites(sites)
        known = self.sites()
        changed = rows[
            [
                known.get((r.tenant, r.site_id))
                != {"name": r.name_, "security_manager": r.security_manager, "manager": r.manager}
                for r in rows.rename(columns={"name": "name_"}).itertuples()
            ]
        ]
        if len(changed):
            with self.transaction():
                newest = self._value("SELECT max(loaded_at) FROM sites")
                self._insert(
                    "sites", changed.assign(loaded_at=max(now, newest) if newest else now, who=who)
                )  # a clock that was set back must not hide a table
                self.record(
                    now,
                    who,
                    "sites",
                    "sites",
                    f"{len(changed)} rows",
                    why,
                    changed.head(100).to_dict("records"),
                )
        return len(changed)

    def cases_from(self) -> int:
        "The first batch whose predictions have not been turned into cases."
        return self._value("SELECT coalesce(max(batch_id), 0) + 1 FROM case_batches")

    def open_since(
        self, since: datetime, state: str
    ) -> dict[tuple[str, str, str, str], list[tuple[str, datetime]]]:
        "(tenant, model, kind, entity) -> the predictions that opened its cases since a time, with their times; state: opened or late."
        found = {}
        for *key, opener, at in self.con.execute(
            """SELECT tenant, model, kind, entity_id, prediction_id, predicted_at FROM cases
                WHERE state = $state AND entity_id IS NOT NULL AND predicted_at >= $since""",
            {"since": since, "state": state},
        ).fetchall():
            found.setdefault(tuple(key), []).append((opener, at))
        return found

    def expire(self, sinks: Sequence[str], before: datetime, now: datetime) -> int:
        "Mark the cases that a sink refused until they were too old; returns how many."
        expired = [
            (case, sink, now)
            for sink in sinks
            for (case,) in self.con.execute(
                """SELECT case_id FROM cases WHERE state = 'opened' AND predicted_at < $before
            AND case_id IN (SELECT case_id FROM deliveries WHERE sink = $sink) AND case_id NOT IN (SELECT case_id FROM deliveries WHERE sink = $sink AND state IN ('delivered', 'expired'))""",
                {"before": before, "sink": sink},
            ).fetchall()
        ]
        for case, sink, at in expired:
            self.con.execute(
                "INSERT INTO deliveries VALUES (?, ?, 'expired', 'refused until it was too old to be sent', ?)",
                [case, sink, at],
            )
        return len(expired)

    def add_cases(self, now: datetime, cases: pd.DataFrame, through: int) -> None:
        "Append decisions of high risk with their cases, found in all batches up to `through`, in one transaction."
        with self.transaction():
            if len(cases):
                self._insert("cases", cases)
            n = cases.state.value_counts() if len(cases) else {}
            self.con.execute(
                "INSERT INTO case_batches VALUES ($through, $opened, $joined, $late, $now)",
                dict(
                    through=through,
                    now=now,
                    **{s: int(n.get(s, 0)) for s in ("opened", "joined", "late")},
                ),
            )

    def undelivered(self, sinks: Sequence[str], newest_before: datetime) -> dict[str, pd.DataFrame]:
        "For each sink, the opened cases about predictions after a time that it has not taken yet, oldest first."
        return {
            sink: self.frame(
                """SELECT * FROM cases WHERE state = 'opened' AND predicted_at >= $since
            AND case_id NOT IN (SELECT case_id FROM deliveries WHERE sink = $sink AND state = 'delivered') ORDER BY predicted_at, case_id""",
                {"sink": sink, "since": newest_before},
            )
            for sink in sinks
        }

    def add_deliveries(self, frame: pd.DataFrame) -> None:
        "Append attempts at delivery."
        self._insert("deliveries", frame)

    def add_metrics(self, frame: pd.DataFrame) -> None:
        "Append tidy figures."
        self._insert("metrics", frame)

    def add_runs(self, frame: pd.DataFrame) -> None:
        "Append run records."
        self._insert("runs", frame)

    def publish(self, keep: int = 3) -> Path:
        "Write a snapshot with the views over the log, make `aiops.duckdb` lead to it, drop all but the newest `keep`."
        folder = self.root / "snapshots"
        folder.mkdir(exist_ok=True)
        target = folder / f"aiops-{self.known_batch():08d}-{uuid.uuid4().hex[:8]}.duckdb"
        temporary = target.with_suffix(".tmp")
        self.con.execute(f"ATTACH {literal(temporary)} AS snapshot")
        try:
            self.con.execute("COPY FROM DATABASE catalog TO snapshot")
            self.con.execute("USE snapshot")
            for kind in ("predictions", "outcomes"):
                paths = [(self.root / f[0]).resolve() for f in self.files(kind)]
                rows = f"SELECT * FROM {parquet(paths)} UNION ALL BY NAME " if paths else ""
                self.con.execute(f"CREATE VIEW {kind} AS {rows}{EMPTY[kind]}")
            for sql in statements("views.sql").values():
                self.con.execute(sql)
        finally:
            self.con.execute("USE catalog")
            self.con.execute("DETACH snapshot")
        fsync(temporary)
        temporary.rename(target)
        pointer = self.root / f".aiops-{uuid.uuid4().hex[:8]}"
        pointer.symlink_to(target.relative_to(self.root))
        pointer.replace(self.root / "aiops.duckdb")
        fsync(self.root)
        for old in sorted(folder.glob("aiops-*.duckdb"), key=lambda p: p.stat().st_mtime_ns)[
            :-keep
        ]:
            old.unlink()
        return target

    def clear_interrupted(self) -> list[Path]:
        """Move aside what an interrupted writer left in the log, and drop unfinished snapshots; returns what was moved.

        Log files that the catalog does not name can only be of the batch after its last one. Later ones mean that the catalog is
        older than the log: StoreError, and nothing is touched.
        """
        named = {p for (p,) in self.con.execute("SELECT path FROM data_files").fetchall()}
        stray = [
            p
            for p in (self.root / "log").rglob("*.parquet")
            if str(p.relative_to(self.root)) not in named
        ]
        newest = max((int(m[1]) for p in stray if (m := re.match(r"b(\d+)-", p.name))), default=0)
        if newest > self.known_batch() + 1:
            raise StoreError(
                f"the catalog in {self.root} knows {self.known_batch()} batches, but the log has files of batch {newest}: put the newest catalog.duckdb back. Nothing was changed."
            )
        for path in stray:
            aside = self.root / "rejected" / f"interrupted-{uuid.uuid4().hex[:8]}-{path.name}"
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        for path in [*(self.root / "snapshots").glob("*.tmp*"), *self.root.glob(".aiops-*")]:
            path.unlink()
        shutil.rmtree(self.root / "tmp", ignore_errors=True)
        return stray


@contextmanager
def open_store(root: str | Path, owner: str, timezone: str | None = None):
    "The catalog, for writing; creates it on first use (days in `timezone`, UTC unless given). Raises Busy when another process writes."
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = _lock(root, owner)
    except (PermissionError, OSError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{root} cannot be written: {error.strerror or error}.") from None
    try:
        if not (root / "catalog.duckdb").exists() and any((root / "log").rglob("*.parquet")):
            raise StoreError(
                f"{root} has a log but no catalog.duckdb: put the catalog back from a copy, or move the log away to start anew. Nothing was changed."
            )
        store = Store(connect(root / "catalog.duckdb"), root)
        try:
            _migrate(store.con, timezone)
            store.clear_interrupted()
            yield store
        finally:
            store.close()
    finally:
        lock.truncate(0)
        lock.close()
