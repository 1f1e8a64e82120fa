"""What is logged, and every question to it."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from ..stats.automation import Certainty
from ..stats.conformal import Cuts
from ..stats.counts import Histogram, ScoreCounts
from ..stats.points import Grid

__all__ = [
    "CHAIN",
    "StoreError",
    "Busy",
    "statements",
    "migrations",
    "literal",
    "identifier",
    "parquet",
    "connect",
    "Reader",
    "open_snapshot",
]


class StoreError(RuntimeError):
    "Something about the stored data stops the work; the message says what and what to do."


class Busy(StoreError):
    "Another process is writing; the message says which."


@cache
def statements(name: str) -> dict[str, str]:
    "The named statements of one SQL file, in order."
    text = package_files("aiops_wb.sql").joinpath(name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], (p.strip() for p in parts[1::2])))


def migrations() -> list[tuple[int, str, str]]:
    "Version, name and text of each migration, ascending."
    found = (
        p for p in package_files("aiops_wb.sql").iterdir() if re.match(r"\d{4}_.*\.sql$", p.name)
    )
    return sorted((int(p.name[:4]), p.name[5:-4], p.read_text(encoding="utf-8")) for p in found)


def literal(value) -> str:
    "A SQL string literal."
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    "A SQL identifier."
    return '"' + name.replace('"', '""') + '"'


def parquet(paths: Iterable[str | Path], **options) -> str:
    "A read_parquet call over files, merged by column name."
    extra = "".join(f", {k}={'true' if v is True else v}" for k, v in options.items())
    return f"read_parquet([{', '.join(literal(p) for p in paths)}], union_by_name=true, hive_partitioning=false{extra})"


def connect(path: str | Path, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    "A connection whose session runs in UTC and draws no progress bar (DuckDB draws one on standard output, even of a program that nobody watches)."
    con = duckdb.connect(str(path), read_only=read_only)
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    return con


EMPTY_PREDICTIONS = """SELECT NULL::VARCHAR AS prediction_id, NULL::VARCHAR AS tenant, NULL::VARCHAR AS model, NULL::VARCHAR AS version,
    NULL::VARCHAR AS grid, NULL::VARCHAR AS entity_id, NULL::VARCHAR AS site_id, NULL::TIMESTAMPTZ AS predicted_at, NULL::DOUBLE AS score,
    NULL::SMALLINT AS points, NULL::SMALLINT AS threshold, NULL::VARCHAR AS calibration_id, NULL::VARCHAR AS risk_level,
    NULL::VARCHAR AS route, NULL::BOOLEAN AS automated, NULL::DOUBLE AS latency_ms, NULL AS features,
    NULL::DATE AS event_date, NULL::BIGINT AS batch_id WHERE false"""
EMPTY_OUTCOMES = """SELECT NULL::VARCHAR AS prediction_id, NULL::TINYINT AS label, NULL::TIMESTAMPTZ AS observed_at,
    NULL::VARCHAR AS source, NULL::DATE AS event_date, NULL::BIGINT AS batch_id WHERE false"""
_EPOCH = date(1970, 1, 1).toordinal()
EMPTY = {"predictions": EMPTY_PREDICTIONS, "outcomes": EMPTY_OUTCOMES}


def _where(**conditions):
    "A WHERE clause and its parameters; conditions that are None are left out. Keys: column, column__le, column__ge."
    ops = {"le": "<=", "ge": ">="}
    kept = {k: v for k, v in conditions.items() if v is not None}
    terms = []
    for k in kept:
        column, _, op = k.partition("__")
        terms.append(f"{column} {ops.get(op, '=')} ${k}")
    return (" WHERE " + " AND ".join(terms) if terms else ""), kept


class Reader:
    "Questions to a catalog or a snapshot of it; every answer can be asked as of a time (None: all that is known)."

    def __init__(self, con: duckdb.DuckDBPyConnection, root: Path):
        self.con, self.root = con, Path(root)

    def close(self) -> None:
        "Close the connection."
        self.con.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        "The rows of a query."
        return self.con.execute(sql, parameters or {}).df()

    def _value(self, sql, parameters=None):
        rows = self.con.execute(sql, parameters or {}).fetchall()
        return rows[0][0] if rows else None

    @property
    def timezone(self) -> str:
        "The zone whose calendar days are the days of this log."
        return self._value("SELECT value FROM workbench WHERE key = 'timezone'")

    def known_batch(self, as_of: datetime | None = None) -> int:
        "The last batch committed at or before a time; 0 when there is none."
        where, given = _where(committed_at__le=as_of)
        return self._value(f"SELECT coalesce(max(batch_id), 0) FROM batches{where}", given)

    def models(self) -> list[str]:
        "Every model that was logged or registered."
        return [
            m
            for (m,) in self.con.execute(
                "SELECT model FROM data_files WHERE kind = 'predictions' UNION SELECT model FROM models ORDER BY 1"
            ).fetchall()
        ]

    def require_model(self, model: str) -> str:
        "The name itself; StoreError with the known names when nothing was logged or registered under it."
        known = self.models()
        if model not in known:
            raise StoreError(
                f"model {model!r} is not known: "
                + (f"choose one of {', '.join(known)}." if known else "the log is empty.")
            )
        return model

    def days(
        self, model: str, as_of: datetime | None = None, version: str | None = None
    ) -> list[date]:
        "Days with predictions of a model."
        where, given = _where(
            kind="predictions", model=model, version=version, batch_id__le=self.known_batch(as_of)
        )
        return [
            d
            for (d,) in self.con.execute(
                f"SELECT DISTINCT event_date FROM data_files{where} ORDER BY 1", given
            ).fetchall()
        ]

    def files(self, kind: str, **conditions) -> list[tuple]:
        "(path, event_date, tenant, model, version, min_id, max_id) of the log's files that match."
        where, given = _where(kind=kind, **conditions)
        return self.con.execute(
            "SELECT path, event_date, tenant, model, version, min_id, max_id "
            f"FROM data_files{where} ORDER BY batch_id, path",
            given,
        ).fetchall()

    def score_counts(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        segment: str = "",
        as_of: datetime | None = None,
    ) -> dict[date, ScoreCounts]:
        "Counts of each day from start to end (both included); whole population unless a segment such as 'site=EWR' is named."
        where, given = _where(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            version=version,
            tenant=tenant,
            segment=segment,
            batch_id__le=self.known_batch(as_of),
        )
        grids = [
            g
            for (g,) in self.con.execute(
                f"SELECT DISTINCT grid FROM score_counts{where} ORDER BY 1", given
            ).fetchall()
        ]
        if len(grids) > 1:
            raise StoreError(
                f"{model} was logged on the grids {' and '.join(grids)}: name a version."
            )
        rows = self.con.execute(
            f"SELECT (event_date - DATE '1970-01-01')::INTEGER AS day, points, n::INTEGER AS n, n_labelled::INTEGER AS n_labelled, n_positive::INTEGER AS n_positive "
            f"FROM score_counts{where}",
            given,
        ).fetchnumpy()
        day = np.asarray(rows["day"])
        order = slice(None) if (np.diff(day) >= 0).all() else np.argsort(day, kind="stable")
        columns = [np.asarray(rows[c])[order] for c in ("points", "n", "n_labelled", "n_positive")]
        days, starts = np.unique(day[order], return_index=True)
        return {
            date.fromordinal(_EPOCH + int(d)): ScoreCounts.of(
                *(c[lo:hi] for c in columns), Grid.parse(grids[0])
            )
            for d, lo, hi in zip(days, starts, [*starts[1:], len(day)])
        }

    def segments(self, model: str, as_of: datetime | None = None) -> list[str]:
        "Names of the segments with counts, such as 'site=EWR'."
        where, given = _where(model=model, batch_id__le=self.known_batch(as_of))
        return [
            s
            for (s,) in self.con.execute(
                f"SELECT DISTINCT segment FROM score_counts{where} AND segment <> '' ORDER BY 1",
                given,
            ).fetchall()
        ]

    def segment_counts(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, ScoreCounts]:
        "Counts of every segment over the days from start to end, largest first."
        where, given = _where(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            version=version,
            batch_id__le=self.known_batch(as_of),
        )
        rows = self.frame(
            f"SELECT segment, grid, points, sum(n) AS n, sum(n_labelled) AS n_labelled, sum(n_positive) AS n_positive FROM score_counts{where} AND segment <> '' GROUP BY ALL",
            given,
        )
        found = {
            s: ScoreCounts.of(r.points, r.n, r.n_labelled, r.n_positive, Grid.parse(r.grid.iloc[0]))
            for s, r in rows.groupby("segment")
        }
        return dict(sorted(found.items(), key=lambda kv: (-kv[1].total[0], kv[0])))

    def latency(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[date, Histogram]:
        "Latency histogram (milliseconds) of each day."
        where, given = _where(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            version=version,
            tenant=tenant,
            batch_id__le=self.known_batch(as_of),
        )
        rows = self.frame(f"SELECT event_date, bin, n, total_ms FROM latency_counts{where}", given)
        return {
            day.date(): Histogram.of(r["bin"], r.n, r.total_ms.sum())
            for day, r in rows.groupby("event_date")
        }

    def feature_counts(
        self,
        model: str,
        version: str,
        start: date | None = None,
        end: date | None = None,
        *,
        as_of: datetime | None = None,
    ) -> tuple[list[date], dict[str, np.ndarray]]:
        "Days with counts of features, and for each feature a table (days, 2 + bins): unseen, missing, then its bins."
        where, given = _where(
            model=model,
            version=version,
            event_date__ge=start,
            event_date__le=end,
            batch_id__le=self.known_batch(as_of),
        )
        return self._vectors(f"FROM feature_counts{where}", given)

    def reference_counts(
        self, model: str, version: str
    ) -> tuple[list[date], dict[str, np.ndarray]]:
        "Features of the days that a version was trained and tested on, like `feature_counts`; empty for versions registered before these were kept."
        return self._vectors(
            "FROM reference_counts WHERE model = $m AND version = $v", {"m": model, "v": version}
        )

    def _vectors(self, source, given):
        rows = self.con.execute(
            f"SELECT (event_date - DATE '1970-01-01')::INTEGER AS day, feature, (bin + 2)::INTEGER AS place, sum(n)::BIGINT AS n {source} GROUP BY ALL ORDER BY feature",
            given,
        ).fetchnumpy()
        if not len(rows["day"]):
            return [], {}
        days, where = np.unique(np.asarray(rows["day"]), return_inverse=True)
        names, starts = np.unique(
            np.asarray(rows["feature"], dtype=object).astype(str), return_index=True
        )
        place, n, tables = np.asarray(rows["place"]), np.asarray(rows["n"]), {}
        for name, low, high in zip(names, starts, [*starts[1:], len(n)]):
            tables[str(name)] = table = np.zeros(
                (len(days), max(3, int(place[low:high].max()) + 1)), dtype=np.int64
            )
            np.add.at(table, (where[low:high], place[low:high]), n[low:high])
        return [date.fromordinal(_EPOCH + int(d)) for d in days], tables

    def label_arrivals(
        self, model: str, version: str, start: date, end: date, as_of: datetime | None = None
    ) -> list[tuple[int, int, int]]:
        "(age in days, positive labels, negative labels) that became known at that age, summed over days from start to end; a correction takes away what it replaces."
        where, given = _where(
            model=model,
            version=version,
            event_date__ge=start,
            event_date__le=end,
            batch_id__le=self.known_batch(as_of),
        )
        return self.con.execute(
            f"""SELECT greatest(0, (committed_at AT TIME ZONE $zone)::DATE - event_date)::INTEGER AS age, sum(n_positive)::BIGINT, sum(n_labelled - n_positive)::BIGINT
            FROM score_counts JOIN batches USING (batch_id){where} AND segment = '' GROUP BY age ORDER BY age""",
            given | {"zone": self.timezone},
        ).fetchall()

    def last_outcomes(self, as_of: datetime | None = None) -> datetime | None:
        "When labels last came in."
        where, given = _where(kind="outcomes", committed_at__le=as_of)
        return self._value(f"SELECT max(committed_at) FROM batches{where}", given)

    def drift_events(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "What alarms said each morning, oldest first: event_id, stream, state, kind, severity and the rest; of a day's rows the latest."
        where, given = _where(
            model=model,
            version=version,
            event_date__ge=start,
            event_date__le=end,
            recorded_at__le=as_of,
        )
        return self.frame(
            f"SELECT * FROM drift_events{where} QUALIFY row_number() OVER (PARTITION BY event_id, event_date ORDER BY recorded_at DESC, rowid DESC) = 1 ORDER BY event_date, opened_on, stream",
            given,
        )

    def calendar(self, model: str | None = None, as_of: datetime | None = None) -> pd.DataFrame:
        "What was known beforehand about a model's days (or everybody's): entry_id, first, last, model, name, mutes, who."
        where, given = _where(recorded_at__le=as_of)
        return self.frame(
            f"""SELECT entry_id, first, last, model, name, mutes, who, recorded_at FROM (SELECT * FROM calendar{where}
            QUALIFY row_number() OVER (PARTITION BY entry_id ORDER BY recorded_at DESC, rowid DESC) = 1) WHERE NOT removed AND (model IS NULL OR $only::VARCHAR IS NULL OR model = $only) ORDER BY first, last, name""",
            given | {"only": model},
        )

    def decisions(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "Counts of decisions: event_date, route, automated, n."
        where, given = _where(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            version=version,
            tenant=tenant,
            batch_id__le=self.known_batch(as_of),
        )
        return self.frame(
            f"SELECT event_date, route, automated, sum(n)::BIGINT AS n FROM decision_counts{where} GROUP BY ALL ORDER BY ALL",
            given,
        )

    def rows(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
        where: str = "true",
        columns: str = "*",
    ) -> pd.DataFrame:
        """Predictions of a model with the label known as of a time (NaN when none), features as columns named `feature:...`.

        `where` and `columns` are SQL over the prediction columns and `label`.
        """
        batch = self.known_batch(as_of)
        predictions = [
            self.root / f[0]
            for f in self.files(
                "predictions",
                model=model,
                version=version,
                event_date__ge=start,
                event_date__le=end,
                batch_id__le=batch,
            )
        ]
        if not predictions:
            return pd.DataFrame()
        outcomes = self._outcome_files(start, end, batch)
        source = (
            f"SELECT * FROM {parquet(outcomes)} UNION ALL BY NAME {EMPTY_OUTCOMES}"
            if outcomes
            else EMPTY_OUTCOMES
        )
        rows = self.frame(f"""WITH outcomes AS ({source}), labels AS ({statements("reductions.sql")["labels"]}),
            joined AS (SELECT p.*, l.label::DOUBLE AS label FROM {parquet(predictions)} p LEFT JOIN labels l ON p.prediction_id = l.prediction_id)
            SELECT {columns} FROM joined WHERE {where} ORDER BY predicted_at, prediction_id""")
        if "features" in rows:
            features = (
                pd.json_normalize(rows.pop("features").map(lambda f: f or {}).tolist())
                .add_prefix("feature:")
                .set_index(rows.index)
            )
            rows = pd.concat([rows, features], axis=1)
        return rows

    def labelled_rows(self, model: str, start: date, end: date) -> pd.DataFrame:
        "`rows` of which the label is known."
        return self.rows(model, start, end, where="label IS NOT NULL")

    def _outcome_files(self, start, end, batch):
        dated = self.files("outcomes", event_date__ge=start, event_date__le=end, batch_id__le=batch)
        pending = [f for f in self.files("outcomes", batch_id__le=batch) if f[1] is None]
        return [self.root / f[0] for f in dated + pending]

    def in_force(self, what: str, subject: str, as_of: datetime | None = None) -> str | None:
        "What the latest audit row says of a subject: the active version of a model, a threshold, a flag."
        where, given = _where(what=what, subject=subject, changed_at__le=as_of)
        return self._value(f"SELECT new FROM audit{where} ORDER BY seq DESC LIMIT 1", given)

    def active_version(self, model: str, as_of: datetime | None = None) -> str | None:
        "The version that scores, None before the first activation."
        return self.in_force("model", model, as_of)

    def threshold(self, model: str, version: str, as_of: datetime | None = None) -> int | None:
        "The threshold in force (points) of a version."
        value = self.in_force("threshold", f"{model}/{version}", as_of)
        return None if value is None else int(value)

    def versions(self, model: str, as_of: datetime | None = None) -> pd.DataFrame:
        "Registered versions, newest first, their state as a dict."
        where, given = _where(model=model, registered_at__le=as_of)
        frame = self.frame(f"SELECT * FROM models{where} ORDER BY registered_at DESC", given)
        return frame.assign(state=frame.state.map(json.loads))

    def version(self, model: str, version: str) -> pd.Series:
        "One registered version; StoreError names the registered ones."
        frame = self.versions(model)
        found = frame[frame.version == version]
        if found.empty:
            raise StoreError(
                f"{model} has no registered version {version!r}: "
                + (
                    f"choose one of {', '.join(frame.version)}."
                    if len(frame)
                    else "none is registered."
                )
            )
        return found.iloc[0]

    def calibration(
        self, model: str, version: str, as_of: datetime | None = None, day: date | None = None
    ) -> tuple[str, Certainty] | None:
        "What predictions are decided with and its id, None when there is none; with `day`, the latest that rests on no later day."
        where, given = _where(
            what="calibration", subject=f"{model}/{version}", changed_at__le=as_of
        )
        rows = self.con.execute(
            f"""SELECT calibration_id, state FROM audit JOIN calibrations ON calibration_id = new{where}
            AND ($day::DATE IS NULL OR through <= $day::DATE OR (through IS NULL AND (changed_at AT TIME ZONE $zone)::DATE <= $day::DATE + 1)) ORDER BY seq DESC LIMIT 1""",
            given | {"day": day, "zone": self.timezone},
        ).fetchall()
        return (rows[0][0], Certainty.from_json(json.loads(rows[0][1]))) if rows else None

    def calibrations(self, ids: Iterable[str]) -> dict[str, Certainty]:
        "Stored calibrations by id."
        rows = self.con.execute(
            "SELECT calibration_id, state FROM calibrations WHERE calibration_id IN (SELECT unnest($ids))",
            {"ids": list(ids)},
        ).fetchall()
        return {key: Certainty.from_json(json.loads(state)) for key, state in rows}

    def decided_with(
        self, model: str, version: str, days: Iterable[date], as_of: datetime | None = None
    ) -> dict[date, str]:
        """The calibration that each day was decided with: the one most of its predictions carry; where they carry none, the latest that rests on earlier days and was known by the day's end.

        Reads one column of the days' rows.
        """
        days, zone = sorted(days), self.timezone
        if not days:
            return {}
        files = [
            self.root / f[0]
            for f in self.files(
                "predictions",
                model=model,
                version=version,
                event_date__ge=days[0],
                event_date__le=days[-1],
                batch_id__le=self.known_batch(as_of),
            )
        ]
        logged = (
            self.con.execute(
                f"SELECT event_date, calibration_id FROM {parquet(files)} WHERE calibration_id IS NOT NULL GROUP BY ALL ORDER BY count(*), calibration_id"
            ).fetchall()
            if files
            else []
        )
        where, given = _where(
            what="calibration", subject=f"{model}/{version}", changed_at__le=as_of
        )
        stored = self.con.execute(
            f"SELECT through, (changed_at AT TIME ZONE $zone)::DATE, new FROM audit JOIN calibrations ON calibration_id = new{where} ORDER BY seq",
            given | {"zone": zone},
        ).fetchall()
        found = {
            day: key
            for day in days
            for through, known, key in stored
            if known <= day and (through is None or through < day)
        }
        return {day: key for day, key in (found | dict(logged)).items() if day in set(days)}

    def cuts_by_day(
        self,
        model: str,
        version: str,
        days: Iterable[date],
        coverage: float = 0.9,
        as_of: datetime | None = None,
    ) -> dict[date, Cuts]:
        "The label-conditional cuts that each day was decided with."
        keys = self.decided_with(model, version, days, as_of)
        stored = dict(
            self.con.execute(
                f"""SELECT calibration_id, json_extract(state, '$.cuts."{coverage:g}"')::BIGINT[] FROM calibrations
            WHERE calibration_id IN (SELECT unnest($ids))""",
                {"ids": sorted(set(keys.values()))},
            ).fetchall()
        )
        return {day: Cuts(*stored[key]) for day, key in keys.items() if stored.get(key)}

    def calibration_list(self, model: str, version: str | None = None) -> pd.DataFrame:
        "Every stored calibration of a model, newest first: id, version, created_at, through, n, quantiles, the rule for tickets and its threshold (points), why it was made."
        where, given = _where(model=model, version=version)
        return self.frame(
            f"""SELECT calibration_id, version, created_at, through, n, q90, q95, q99, json_extract_string(calibrations.state, '$.rule.method') AS rule,
            CAST(json_extract(calibrations.state, '$.rule.threshold') AS INTEGER) AS ticket_threshold, audit.why
            FROM calibrations LEFT JOIN audit ON audit.what = 'calibration' AND audit.new = calibration_id{where} ORDER BY created_at DESC, audit.seq DESC""",
            given,
        )

    def held_out_counts(self, model: str, version: str) -> dict[date, ScoreCounts]:
        "Counts of the days that the training of a version left out."
        rows = self.frame(
            "SELECT event_date, grid, points, n, n_labelled, n_positive FROM held_out_counts WHERE model = $m AND version = $v ORDER BY event_date",
            {"m": model, "v": version},
        )
        return {
            d.date(): ScoreCounts.of(
                r.points, r.n, r.n_labelled, r.n_positive, Grid.parse(r.grid.iloc[0])
            )
            for d, r in rows.groupby("event_date")
        }

    def ticket_outcomes(
        self, model: str, version: str, start: date, end: date, as_of: datetime | None = None
    ) -> dict[date, tuple[int, int, int]]:
        "For each day with tickets: tickets, labelled ones, false ones. Reads the rows of the days, because a route need not be a function of the points."
        found = {}
        for d in self.days(model, as_of, version):
            if start <= d <= end:
                rows = self.rows(
                    model,
                    d,
                    d,
                    version=version,
                    as_of=as_of,
                    where="route = 'ticket'",
                    columns="label, predicted_at, prediction_id",
                )
                if len(rows):
                    found[d] = (
                        len(rows),
                        int(rows.label.notna().sum()),
                        int((rows.label == 0).sum()),
                    )
        return found

    def cases(
        self,
        start: date | None = None,
        end: date | None = None,
        *,
        model: str | None = None,
        kind: str | None = None,
        state: str | None = None,
    ) -> pd.DataFrame:
        "Decisions of high risk and the cases they opened or joined, oldest first."
        where, given = _where(
            event_date__ge=start, event_date__le=end, model=model, kind=kind, state=state
        )
        return self.frame(f"SELECT * FROM cases{where} ORDER BY predicted_at, prediction_id", given)

    def sites(self) -> dict[tuple[str, str], dict[str, str | None]]:
        "(tenant, site_id) -> name, security_manager, manager: the latest row of each site."
        rows = self.con.execute("""SELECT tenant, site_id, name, security_manager, manager FROM sites
            QUALIFY row_number() OVER (PARTITION BY tenant, site_id ORDER BY loaded_at DESC, rowid DESC) = 1""").fetchall()
        return {
            (tenant, site): {"name": name, "security_manager": first, "manager": second}
            for tenant, site, name, first, second in rows
        }

    def metrics(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        segment: str | None = "",
        tenant: str | None = "",
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "The latest figures of each day and metric, of all tenants together unless one is named (None: everything stored): event_date, version, tenant, segment, metric, value, lower, upper, n, as_of."
        where, given = _where(
            model=model,
            event_date__ge=start,
            event_date__le=end,
            segment=segment,
            tenant=tenant,
            as_of__le=as_of,
        )
        return self.frame(
            f"""SELECT event_date, version, tenant, segment, metric, value, lower, upper, n, as_of FROM metrics{where}
            QUALIFY row_number() OVER (PARTITION BY event_date, tenant, version, segment, metric ORDER BY as_of DESC, run_id DESC) = 1
            ORDER BY event_date, segment, metric""",
            given,
        )

    def runs(
        self, model: str | None = None, event_date: date | None = None, step: str | None = None
    ) -> pd.DataFrame:
        "What the daily job did, oldest first."
        where, given = _where(model=model, event_date=event_date, step=step)
        return self.frame(f"SELECT * FROM runs{where} ORDER BY started_at, step", given)

    def quarantine_size(self) -> int:
        "Rows in quarantine."
        return self._value("SELECT count(*) FROM quarantine")

    def last_quarantined(self, limit: int) -> pd.DataFrame:
        "The first rows that the last batch with such rows set aside: source, line, reason."
        return self.frame(
            """SELECT source, line, reason FROM quarantine
            WHERE batch_id = (SELECT max(batch_id) FROM quarantine) ORDER BY line LIMIT $limit""",
            {"limit": limit},
        )

    def audit(self, subject: str | None = None) -> pd.DataFrame:
        "The audit trail, oldest first."
        where, given = _where(subject=subject)
        return self.frame(f"SELECT * FROM audit{where} ORDER BY seq", given)

    def verify_audit(self) -> int:
        "The number of audit rows when the hash chain is intact; StoreError names the first row that does not fit."
        broken = self._value(f"""SELECT min(seq) FROM (SELECT *, lag(hash, 1, '') OVER (ORDER BY seq) AS before,
            row_number() OVER (ORDER BY seq) AS position FROM audit) WHERE position <> seq OR hash <> {CHAIN}""")
        if broken is not None:
            raise StoreError(
                f"the audit trail does not verify: row {broken} was changed, or a row before it is missing."
            )
        return self._value("SELECT count(*) FROM audit")


CHAIN = "sha256(before || json_array(seq, epoch_us(changed_at), who, what, subject, old, new, why, evidence)::VARCHAR)"


def open_snapshot(root: str | Path) -> Reader:
    "The newest published snapshot, read-only; StoreError when there is none yet."
    current = Path(root) / "aiops.duckdb"
    if not current.exists():
        raise StoreError(
            f"no published snapshot at {current}: log some predictions and run 'aiops-wb ingest' first."
        )
    reader = Reader(connect(current.resolve(), read_only=True), Path(root))
    known, made = (
        migrations()[-1][0],
        reader.con.execute("SELECT max(version) FROM migrations").fetchall()[0][0],
    )
    if made != known:
        reader.close()
        raise StoreError(
            f"the published snapshot in {root} has schema version {made}, this aiops_wb reads {known}: "
            + (
                "run 'aiops-wb ingest' once to bring it up to date."
                if made < known
                else "upgrade aiops_wb."
            )
        )
    return reader
