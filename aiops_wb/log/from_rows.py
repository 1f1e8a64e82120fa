"""Days counted anew from their rows, by any engine.

Counts are changes by batch, and so is what is counted here: one pass over the rows of a day tells
what each batch changed, so that every question as of a time has the answer that it would have had.
What differs from the catalog is added to it as a change of the batch that it belongs to; nothing is
removed, and a day that is right stays as it is. Which days were changed is kept until their figures
are made again: whoever is stopped between the two would find nothing that differs.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..stats.arrival import BAND_POINTS
from ..stats.points import Grid
from .arrival import AGE, BAND
from .duck import statements
from .engine import Engine, Query, Rows, of_one_type, together
from .errors import StoreError
from .features import NUMBERS, bin_values
from .gone import DayFile
from .known import KNOWN_SINCE
from .recount import ASKED, columns_of
from .store import Store

__all__ = ["Recounted", "features_of", "recount", "score_changes", "were_run"]

_KEY = "event_date, tenant, model, version"
_DAY = ("event_date", "tenant", "model", "version")
_LABELS = ("retold", "labels_by_batch", "label_changes")
_PENDING = "recounted days"
_KNOWN = f"SELECT batch_id, {KNOWN_SINCE} AS since FROM batches"


class Recounted(NamedTuple):
    "What came of counting anew."

    rows: int  # predictions that were counted
    days: int  # and the days of versions they are of
    changed: Mapping[str, int]  # table -> cells that were not what the rows say
    dates: frozenset[date] = frozenset()  # of those cells, and of what nobody ran since
    left: tuple[str, ...] = ()  # days that were not counted, and why: a sentence each


class _Part(NamedTuple):
    "Days of versions on one grid, which are counted in one query."

    grid: Grid
    days: dict[tuple, list[DayFile]]  # (event_date, tenant, model, version) -> its predictions
    outcomes: list[DayFile]

    @property
    def keys(self) -> list[tuple]:
        return sorted(self.days)

    @property
    def predictions(self) -> list[DayFile]:
        return [file for files in self.days.values() for file in files]


def recount(
    store: Store,
    engine: Engine,
    first: date,
    last: date,
    models: Collection[str] = (),
    done: Callable[[int], object] = lambda rows: None,
) -> Recounted:
    """Count the days from first to last (both included) of some models, or all, by an engine, and
    bring the catalog's counts to what their rows say.

    `done` is told how many rows were counted. Days are counted in parts, each of which is committed
    by itself: StoreError, and no count of a part changes, where the engine counted other rows than
    its files hold. Left alone are days of which a file is gone or rows were forgotten: their counts
    cannot be told from rows.
    """
    parts, left = _parts(store, engine, first, last, models)
    rows, days, changed = 0, 0, dict[str, int]()
    waiting = (p for p in _pending(store) if not models or p[1] in models)
    dates = {day for day, _ in waiting if first <= day <= last}
    for part in parts:
        for table, found in _bring(store, engine, part).items():
            cells = sum(n for of_days in found for n in of_days.values())
            changed[table] = changed.get(table, 0) + cells
            dates.update(*found)
        counted = sum(file.rows for file in part.predictions)
        rows, days = rows + counted, days + len(part.days)
        done(counted)
    return Recounted(rows, days, changed, frozenset(dates), tuple(left))


def were_run(store: Store, days: Collection[date], models: Collection[str] = ()) -> None:
    "Figures of these days (of some models) are what their counts say."
    pending = _pending(store)
    left = {(d, m) for d, m in pending if d not in days or (models and m not in models)}
    if left != pending:
        _keep_pending(store, left)


def _pending(store) -> set[tuple[date, str]]:
    "Days of models whose counts were changed since they were run."
    told = store._value("SELECT value FROM workbench WHERE key = $key", {"key": _PENDING})
    return {(date.fromisoformat(day), model) for day, model in json.loads(told or "[]")}


def _keep_pending(store, pending):
    with store.transaction():
        store._write("DELETE FROM workbench WHERE key = $key", {"key": _PENDING})
        if pending:
            told = json.dumps(sorted((str(day), model) for day, model in pending))
            insert = "INSERT INTO workbench VALUES ($key, $value)"
            store._write(insert, {"key": _PENDING, "value": told})


def _parts(store, engine, first, last, models) -> tuple[list[_Part], list[str]]:
    """What is counted in which query, and sentences on what is not counted. No file is looked at
    here that the engine reads elsewhere."""
    files = store.day_files(kind="predictions", event_date__ge=first, event_date__le=last)
    days = {}
    for file in files:
        if not models or file.model in models:
            days.setdefault(file[1:5], []).append(file)
    blocked = store.blocked(days) if days and not engine.elsewhere else set()
    partly = set(store._rows(f"SELECT DISTINCT {_KEY} FROM forgotten_counts"))
    left = [f"{_named(key)}: a file of its rows is gone" for key in sorted(blocked)]
    left += [f"{_named(k)}: rows of it were forgotten" for k in sorted(days.keys() & partly)]
    grids = dict(store._rows("SELECT path, grid FROM data_files WHERE kind = 'predictions'"))
    outcomes = store.day_files(kind="outcomes")
    gone, parts = set() if engine.elsewhere else store.gone(outcomes), []
    grid_of = {key: grids[of_day[0].path] for key, of_day in days.items()}
    for key in sorted(days.keys() - blocked - partly, key=lambda key: (grid_of[key], *key)):
        rows, grid = sum(file.rows for file in days[key]), grid_of[key]
        if not parts or parts[-1][0] != grid or parts[-1][2] + rows > engine.together:
            parts.append([grid, {}, 0])
        parts[-1][1][key] = days[key]
        parts[-1][2] += rows
    return [_with_labels(*part[:2], [f for f in outcomes if f not in gone]) for part in parts], left


def _with_labels(grid, days, outcomes):
    "A part with the outcomes that may be of its days."
    files, dates = [file for of_day in days.values() for file in of_day], {key[0] for key in days}
    low, high = min(file.min_id for file in files), max(file.max_id for file in files)
    told = [f for f in outcomes if f.day is None or f.day in dates]
    told = [f for f in told if f.min_id <= high and f.max_id >= low]
    return _Part(Grid.parse(grid), days, told)


def _named(key):
    day, tenant, model, version = key
    return f"{day} of {model} {version}" + (f" ({tenant})" if tenant != "default" else "")


def _bring(store, engine, part) -> dict[str, list[dict]]:
    "Count a part and add what differs: table -> cells by day."
    groups = _grouped(store, engine, part.predictions)
    score_changes(store, engine, part, groups)
    _require_all(store, engine, part)
    for change, read in _ONCE.items():
        rows = {"predictions": Rows("predictions", groups, [*_DAY, *read, "batch_id"])}
        steps = {"counted": statements("reductions.sql")[change.table]}
        engine.count(store.con, f"counted_{change.table}", Query(rows, {}, steps))
    late = store._loaded_later(part.keys)
    if late:
        _observed(store, engine, part, late)
    features = _count_features(store, engine, part)
    with store.transaction():
        changed = {"score_counts": [_SCORES.add(store, part.keys, "counted_scores")]}
        for change in _ONCE:
            counted = f"counted_{change.table}"
            changed[change.table] = [change.add(store, part.keys, counted)]
        changed["arrival_counts"] = _add_arrivals(store, part.keys, late)
        changed["feature_counts"] = [_add_features(store, features)]
        found = {day for of_days in changed.values() for one in of_days for day in one}
        if found:
            some = {(key[0], key[2]) for key in part.keys if key[0] in found}
            _keep_pending(store, _pending(store) | some)
    return changed


def _grouped(store, engine, files):
    return [group for group, _ in _of_one_type(store, engine, [file.path for file in files])]


def _of_one_type(store, engine, paths):
    """Files in groups of which no two store a feature otherwise. Of those that lie elsewhere the
    catalog knows which are alike, and the engine is asked about one of each sort."""
    if not engine.elsewhere:
        return of_one_type(store.con, store.root, paths)
    known = "SELECT path, shape FROM file_shapes WHERE path IN (SELECT unnest($p::VARCHAR[]))"
    shapes, alike = dict(store._rows(known, {"p": paths})), {}
    for path in paths:
        alike.setdefault(shapes.get(path, path), []).append(path)
    return together(alike.values(), engine.features)


def score_changes(
    store: Store, engine: Engine, part: _Part, groups: Sequence[Sequence[str]]
) -> None:
    """What each batch changed in the score counts by the rows, as the temporary table
    `counted_scores`, with the columns of `score_counts`."""
    sql = statements("reductions.sql")
    rows = {
        "predictions": Rows(
            "predictions", groups, [*_DAY, "prediction_id", "site_id", "points", "batch_id"]
        ),
        "outcomes": _labels(part),
    }
    names = (*_LABELS, "moves", "changes")
    query = Query(rows, {"known": _KNOWN}, {name: sql[name] for name in names})
    engine.count(store.con, "counted_cells", query)
    store.con.execute(
        """
        CREATE OR REPLACE TEMP TABLE counted_scores AS
        SELECT event_date, tenant, model, version,
               CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
               CASE WHEN points IS NULL THEN $coarse ELSE $fine END AS grid,
               coalesce(points, cell)::SMALLINT AS points,
               n::BIGINT AS n, n_labelled::BIGINT AS n_labelled, n_positive::BIGINT AS n_positive,
               batch_id
        FROM counted_cells
        WHERE (points IS NOT NULL OR site_id IS NOT NULL)
          AND (n <> 0 OR n_labelled <> 0 OR n_positive <> 0)""",
        {"fine": part.grid.name, "coarse": part.grid.coarsen(20).name},
    )


def _labels(part):
    columns = ["prediction_id", "label", "observed_at", "batch_id"]
    return Rows("outcomes", [[f.path for f in part.outcomes]] if part.outcomes else [], columns)


def _require_all(store, engine, part):
    "StoreError where the engine did not count the rows that the files hold."
    sums = f"SELECT {_KEY}, sum(n)::BIGINT FROM counted_scores WHERE segment = '' GROUP BY ALL"
    counted = {key: n for *key, n in store._rows(sums) for key in [tuple(key)]}
    held = {key: sum(file.rows for file in files) for key, files in part.days.items()}
    for key in sorted(held.keys() | counted.keys()):
        if (n := counted.get(key, 0)) != (rows := held.get(key, 0)):
            raise StoreError(
                f"{engine.name} counted {n:,} rows of {_named(key)}, and its files hold {rows:,}, "
                "so no count was changed: does it see this folder? Else run 'aiops-wb verify'."
            )


def _observed(store, engine, part, late):
    """What each batch changed in the labels of days that were loaded later, by the age at which
    they were observed, as the temporary table `counted_observed`."""
    sql, columns = statements("reductions.sql"), [*_DAY, "prediction_id", "grid", "points"]
    store.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE late_days AS
        SELECT {_KEY}, max(batch_id) AS batch_id, any_value(since) AS since
        FROM (SELECT DISTINCT {_KEY}, batch_id, since
              FROM counted_scores JOIN ({_KNOWN}) USING (batch_id)
              SEMI JOIN ({ASKED}) USING ({_KEY})
              QUALIFY rank() OVER (PARTITION BY {_KEY} ORDER BY since DESC) = 1)
        GROUP BY ALL""",
        columns_of(late),
    )
    files = [file for key in late for file in part.days[key]]
    groups = _grouped(store, engine, files)
    rows = {
        "predictions": Rows("predictions", groups, [*columns, "batch_id"]),
        "outcomes": _labels(part),
    }
    middle, high = BAND_POINTS
    told = {
        "known": _KNOWN,
        "last_batches": f"SELECT {_KEY}, batch_id, since FROM late_days",
        "bands": f"SELECT {middle} AS middle, {high} AS high",
    }
    names = (*_LABELS, "placed_labels", "observed")
    query = Query(rows, told, {name: sql[name] for name in names})
    engine.count(store.con, "counted_days", query)
    store.con.execute(
        """
        CREATE OR REPLACE TEMP TABLE counted_observed AS
        SELECT event_date, tenant, model, version, band,
               greatest(0, observed - event_date) AS age,
               n - n_positive AS n_negative, n_positive, batch_id
        FROM counted_days"""
    )


class _Change(NamedTuple):
    "What may differ in a table: its cells, what is counted in them, and when that is a difference."

    table: str
    cells: tuple[str, ...]
    measures: tuple[str, ...]
    others: tuple[str, ...] = ()  # what else the table counts, and is not looked at
    differs: str = ""
    # where batches are not looked at as long as their sums are right: the cells within which that
    # is asked, beside the day
    whole: tuple[str, ...] | None = None

    def add(self, store: Store, keys: Sequence[tuple], counted: str, stored: str = "") -> dict:
        """Add to the table what was `counted` (a table) beyond what is `stored` (SQL; all of it),
        by cell and batch, on some days: how many cells of each day that are."""
        names, sums = ", ".join([_KEY, *self.cells]), ", ".join(self.measures)
        differs = self.differs or " OR ".join(f"sum({m}) <> 0" for m in self.measures)
        values = [f"sum({m}) AS {m}" for m in self.measures] + [f"0 AS {o}" for o in self.others]
        store.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE beyond AS
            FROM (SELECT {names}, batch_id, {sums} FROM {counted}
                  UNION ALL
                  SELECT {names}, batch_id, {", ".join(f"-{m}" for m in self.measures)}
                  FROM {stored or self.table})
            SEMI JOIN ({ASKED}) USING ({_KEY})""",
            columns_of(keys),
        )
        only = ""
        if self.whole is not None:
            of = ", ".join([_KEY, *self.whole])
            off = f"SELECT {of} FROM beyond GROUP BY {names} HAVING {differs}"
            only = f"SEMI JOIN ({off}) USING ({of})"
        store.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE difference AS
            SELECT {names}, batch_id, {", ".join(values)}
            FROM beyond {only} GROUP BY {names}, batch_id HAVING {differs}"""
        )
        found = dict(store._rows("SELECT event_date, count(*) FROM difference GROUP BY 1"))
        if found:
            store._write(f"INSERT INTO {self.table} BY NAME SELECT * FROM difference")
        return found


_SCORES = _Change("score_counts", ("segment", "grid", "points"), ("n", "n_labelled", "n_positive"))
# sums of milliseconds may be off by how they are rounded
_ONCE = {
    _Change("decision_counts", ("route", "automated"), ("n",)): ("route", "automated"),
    _Change("hour_counts", ("hour",), ("n",)): ("predicted_at",),
    _Change(
        "latency_counts",
        ("bin",),
        ("n", "total_ms"),
        differs="sum(n) <> 0 OR abs(sum(total_ms)) > 1e-9 * sum(abs(total_ms))",
    ): ("latency_ms",),
}
"What only new predictions change, and what is read for it."
_AGES = ("band", "age")
_ARRIVALS = _Change("arrival_counts", _AGES, ("n", "n_negative", "n_positive"))
_CAME = _Change("arrival_counts", _AGES, ("n",), ("n_negative", "n_positive"))
_KNOWN_AT = _Change("arrival_counts", _AGES, ("n_negative", "n_positive"), ("n",), whole=())
_FEATURES = _Change("feature_counts", ("feature", "bin"), ("n",), whole=("feature",))


def _add_arrivals(store, keys, late) -> list[dict]:
    """What the score counts say of ages; labels of days that were loaded later stand at the age at
    which they were observed, as of the last batch of the day."""
    store.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE counted_came AS
        SELECT {_KEY}, {BAND} AS band, {AGE.format(moment=KNOWN_SINCE)} AS age, sum(n) AS n,
               sum(n_labelled - n_positive) AS n_negative, sum(n_positive) AS n_positive, batch_id
        FROM counted_scores JOIN batches USING (batch_id)
        WHERE segment = '' GROUP BY ALL""",
        {"zone": store.timezone},
    )
    live = sorted(set(keys) - set(late))
    found = [_ARRIVALS.add(store, live, "counted_came")] if live else []
    if not late:
        return found
    found.append(_CAME.add(store, late, "counted_came"))
    return [*found, _KNOWN_AT.add(store, late, "counted_observed")]


def _count_features(store, engine, part) -> pd.DataFrame:
    """Features in the bins of registered versions, by day and batch. Days that were counted before
    their version had bins have none, and get none."""
    counted = []
    before = set(store._rows(f"SELECT DISTINCT {_KEY} FROM feature_counts"))
    new = set(part.keys) - set(store._rows(f"SELECT DISTINCT {_KEY} FROM score_counts"))
    for model, version in sorted({key[2:] for key in part.keys}):
        keys = [key for key in part.keys if key[2:] == (model, version) and key in before | new]
        bins = store._bins(model, version) if keys else {}
        paths = [file.path for key in keys for file in part.days[key]]
        for group, types in _of_one_type(store, engine, paths) if bins else ():
            of_group = features_of(store, engine, group, types, bins)
            counted.append(of_group.assign(model=model, version=version))
    return pd.concat(counted) if counted else pd.DataFrame()


def features_of(
    store: Store,
    engine: Engine,
    group: Sequence[str],
    types: Mapping[str, str],
    bins: Mapping[str, Mapping],
) -> pd.DataFrame:
    "Features of files that store them alike: event_date, tenant, batch_id, feature, bin, n."
    stored = [feature for feature in bins if feature in types]
    names = {f"f{i}": feature for i, feature in enumerate(stored)}
    rows = {"predictions": Rows("predictions", [group], [*_FILES, "batch_id"], names)}
    steps = _feature_steps({n: _placed(n, types[f], bins[f]) for n, f in names.items()})
    engine.count(store.con, "counted_features", Query(rows, {}, steps))
    whole = " AND ".join(f"g_{name} = 1" for name in names) or "true"
    parts = []
    for feature in bins:
        name = next((n for n, f in names.items() if f == feature), None)
        value, where = (f"b_{name}", f"g_{name} = 0") if name else ("-1", whole)
        found = store.frame(
            f"""
            SELECT event_date, tenant, batch_id, {value} AS value, n FROM counted_features
            WHERE {where}"""
        )
        numeric = name is None or _is_numeric(types[feature], bins[feature])
        places = found.value if numeric else bin_values(found.value, bins[feature])
        parts.append(found.assign(feature=feature, bin=np.asarray(places, dtype=np.int32)))
    return pd.concat(parts).drop(columns="value")


_FILES = ("event_date", "tenant")


def _is_numeric(kind, rule):
    return "cuts" in rule and kind in NUMBERS


def _placed(name, kind, rule):
    "The bin of a number by the cuts of a rule, in plain SQL; other values as they are."
    if not _is_numeric(kind, rule):
        return f"CAST({name} AS DOUBLE)" if kind.startswith("u") else name
    number = f"CAST({name} AS DOUBLE)"
    below = " ".join(
        f"WHEN {number} < CAST('{float(cut)!r}' AS DOUBLE) THEN {i}"
        for i, cut in enumerate(rule["cuts"])
    )
    last = len(rule["cuts"])
    missing = f"WHEN {number} IS NULL OR ISNAN({number}) THEN -1"
    return f"CASE {missing} {below} ELSE {last} END"


def _feature_steps(placed: Mapping[str, str]) -> dict[str, str]:
    "Values by day, tenant and batch, each feature by itself (`g_` of it is 0 there), and all rows."
    by = ", ".join([*_FILES, "batch_id"])
    named = [f"{sql} AS b_{name}" for name, sql in placed.items()]
    sets = [f"({by}, b_{name})" for name in placed] + [f"({by})"]
    told = [f"b_{name}, GROUPING(b_{name}) AS g_{name}" for name in placed]
    return {
        "placed": f"SELECT {', '.join([by, *named])} FROM predictions",
        "counted": f"SELECT {', '.join([by, *told])}, COUNT(*) AS n FROM placed "
        f"GROUP BY GROUPING SETS ({', '.join(sets)})",
    }


def _add_features(store, counted: pd.DataFrame) -> dict:
    """Add features whose bins are not what the rows say; those that were made another kind, or
    counted, by a person since are what that says, not the rows."""
    if counted.empty:
        return {}
    of = f"{_KEY}, feature"
    store.con.register("counted_frame", counted)
    store.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE counted_bins AS
        SELECT {of}, bin, sum(n)::BIGINT AS n, batch_id
        FROM (SELECT * REPLACE (event_date::DATE AS event_date) FROM counted_frame)
        ANTI JOIN (SELECT {of} FROM feature_counts JOIN batches USING (batch_id)
                   WHERE kind = 'features') USING ({of})
        GROUP BY ALL"""
    )
    store.con.unregister("counted_frame")
    stored = f"(SELECT * FROM feature_counts SEMI JOIN counted_bins USING ({of}))"
    days = store._rows(f"SELECT DISTINCT {_KEY} FROM counted_bins")
    return _FEATURES.add(store, days, "counted_bins", stored) if days else {}
