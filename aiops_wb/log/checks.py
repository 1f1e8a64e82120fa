"""Which rows of a batch are not loaded: impossible ones, repeated ones, conflicts."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from ..stats.points import LIMIT
from .canonical import NAMES_NOTHING
from .columns import LONGEST_KEY, LONGEST_NAME, PREDICTION
from .deciding import DECIDED
from .duck import identifier, literal, parquet, spelt
from .errors import StoreError
from .event_checks import find_events, mark_known, of_events, reject_by_row
from .feature_schema import UNREADABLE
from .features import stored_types
from .forgotten import FORGOTTEN
from .gone import DayFile
from .quarantine import NO_ROWS
from .reading import shown
from .spelling import spellings
from .store import Store
from .values import content_sql

__all__ = [
    "Held",
    "as_delivered",
    "overlapping_files",
    "reject_repeated",
    "reject_unknown",
    "reject_predictions",
    "reject_outcomes",
    "reject_future",
    "reject_foreign",
    "count_rejects",
    "loaded_outcomes",
    "models_of_outcomes",
    "models_of_predictions",
    "touched_by_outcomes",
    "unmatched_outcomes",
    "quarantine_rows",
    "unreadable_values",
    "drop_tables",
]

_IMPOSSIBLE_KEY = f"""
    WHEN strlen(event_key) > {LONGEST_KEY}
        THEN 'event_key is longer than {LONGEST_KEY} bytes'
    WHEN trim(event_key) = ''
        THEN 'event_key is empty: tell none where there is none'"""

_IMPOSSIBLE_PREDICTION = f"""CASE
    WHEN coalesce(prediction_id, '') = ''
        THEN 'prediction_id is missing'
    WHEN coalesce(model, '') = '' OR coalesce(version, '') = '' OR coalesce(tenant, '') = ''
        THEN 'model, version or tenant is missing'
    WHEN greatest(strlen(model), strlen(version), strlen(tenant)) > {LONGEST_NAME}
        THEN 'model, version or tenant is longer than {LONGEST_NAME} bytes'
    WHEN predicted_at IS NULL
        THEN 'predicted_at is missing'
    WHEN NOT predicted_at BETWEEN TIMESTAMPTZ '1900-01-01 00:00:00+00'
                              AND TIMESTAMPTZ '2200-01-01 00:00:00+00'
        THEN 'predicted_at is not between 1900 and 2200'
    WHEN coalesce("grid", '') NOT IN ('logit', 'linear')
        THEN 'grid ' || coalesce("grid", 'NULL') || ' is not one of logit, linear'
    WHEN score IS NULL OR NOT isfinite(score)
        THEN 'score is missing or not a number'
    WHEN "grid" = 'logit' AND NOT score BETWEEN 0 AND 1
        THEN 'score ' || score || ' is not a probability in [0, 1]'
    WHEN points IS NULL OR abs(points::INTEGER)
            > CASE "grid" WHEN 'logit' THEN {LIMIT["logit"]} ELSE {LIMIT["linear"]} END
        THEN 'points are missing or off the grid'
    WHEN NOT coalesce(latency_ms, 0) >= 0 OR NOT isfinite(coalesce(latency_ms, 0))
        THEN 'latency_ms is not a number of at least 0'
    WHEN NOT (coalesce(propensity, 1) > 0 AND coalesce(propensity, 1) <= 1)
        THEN 'propensity is not a number above 0, at most 1'
    WHEN NOT (coalesce(arm_propensity, 1) > 0 AND coalesce(arm_propensity, 1) <= 1)
        THEN 'arm_propensity is not a number above 0, at most 1'
    {_IMPOSSIBLE_KEY}
    END"""

_NOT_YET = "label is not known yet"

_IMPOSSIBLE_OUTCOME = f"""CASE
    WHEN coalesce(prediction_id, '') = '' AND coalesce(event_key, '') = ''
        THEN '{NAMES_NOTHING}'
    WHEN prediction_id = ''
        THEN 'prediction_id is empty'
    {_IMPOSSIBLE_KEY}
    WHEN label IS NULL
        THEN '{_NOT_YET}'
    WHEN label NOT IN (0, 1)
        THEN 'label ' || label || ' is not 0 or 1'
    WHEN observed_at IS NULL OR NOT isfinite(observed_at)
        THEN 'observed_at is missing'
    END"""


def overlapping_files(
    store: Store, kind: str, source: str, condition: str = "true"
) -> list[DayFile]:
    """The log's files whose range of ids meets that of a segment of a source: a segment's ids lie
    closer together than those of all."""
    found = store._files_where(
        f"""
        WHERE kind = $kind AND EXISTS (
            SELECT 1
            FROM (SELECT min(prediction_id) AS low, max(prediction_id) AS high
                  FROM {source} WHERE {condition} GROUP BY filename) AS segments
            WHERE min_id <= high AND max_id >= low)""",
        {"kind": kind},
    )
    return [file for file, _ in found]


def _there(store, files):
    "The paths of files that are not gone, and the days."
    gone = store.gone(files)
    return [(store.root / file.path, file.day) for file in files if file not in gone]


class Held(StoreError):
    "Whether rows are new is not known, because a day file is gone: they wait."


def reject_unknown(store: Store, source: str, gone: Mapping[DayFile, str | None]) -> None:
    """Rows that may stand in a day file that is gone, by their day and the range of its ids: Held,
    and of a loss that is recorded they are rejected, so that nothing is counted twice."""
    day = f"CAST(predicted_at AT TIME ZONE {literal(store.timezone)} AS DATE)"
    for file, problem in gone.items():
        told = {"day": file.day, "low": file.min_id, "high": file.max_id}
        told |= {"model": file.model, "version": file.version}
        rows = f"""{source} ANTI JOIN rejects USING (filename, file_row_number)
            WHERE {day} = $day AND model = $model AND version = $version
              AND prediction_id BETWEEN $low AND $high"""
        if problem and store.con.execute(f"FROM {rows} LIMIT 1", told).fetchall():
            raise Held(file.says(problem))
        store.con.execute(
            f"""
            INSERT INTO rejects
            SELECT filename, file_row_number,
                   'it may have stood in ' || $path || ', which is recorded as lost', false
            FROM {rows}""",
            told | {"path": file.path},
        )


def reject_predictions(store: Store, source: str) -> None:
    """Fill the table `rejects` (filename, file_row_number, reason, duplicate) for one chunk of
    predictions."""
    con = store.con
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rejects AS
        SELECT filename, file_row_number, reason, false AS duplicate
        FROM (SELECT filename, file_row_number, {_IMPOSSIBLE_PREDICTION} AS reason FROM {source})
        WHERE reason IS NOT NULL"""
    )
    _reject_other_grids(con, source)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE suspects AS
        SELECT prediction_id FROM {source}
        WHERE prediction_id IS NOT NULL
        GROUP BY prediction_id
        HAVING count(*) > 1"""
    )
    files = overlapping_files(store, "predictions", source)
    gone = store.gone(files)
    reject_unknown(store, source, gone)
    stored = [store.root / file.path for file in files if file not in gone]
    if stored:
        con.execute(
            f"""
            INSERT INTO suspects SELECT prediction_id FROM {parquet(stored)}
            WHERE prediction_id IN (SELECT prediction_id FROM {source})"""
        )
    if con.execute("SELECT count(*) FROM suspects").fetchall()[0][0]:
        reject_repeated(con, source, stored)


def _reject_other_grids(con, source):
    """A version keeps the grid it was first registered or logged with; rows on another one are
    rejected."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE grids AS
        SELECT model, version, arg_min("grid", place) AS kept
        FROM (SELECT model, version, "grid", 0 AS place FROM models
              UNION ALL
              SELECT model, version, "grid", batch_id FROM data_files WHERE kind = 'predictions'
              UNION ALL
              SELECT model, version, "grid", {2**60} + file_row_number FROM {source}
              WHERE "grid" IN ('logit', 'linear'))
        GROUP BY model, version"""
    )
    con.execute(
        f"""
        INSERT INTO rejects
        SELECT filename, file_row_number,
               model || ' ' || version || ' is logged on the ' || kept || ' grid, not on '
                   || "grid",
               false
        FROM {source} JOIN grids USING (model, version)
        WHERE "grid" <> kept
          AND (filename, file_row_number) NOT IN (
              SELECT (filename, file_row_number) FROM rejects)"""
    )


def reject_repeated(con, source: str, stored: Sequence[Path]) -> None:
    """Of the rows with one id (of those in the table `suspects`) the first stays, which is that of
    the log's files `stored`; the others are duplicates, or conflicts with it."""
    before = ""
    if stored:
        before = f"""
            UNION ALL BY NAME
            SELECT *, NULL AS filename, -1 AS file_row_number FROM {parquet(stored)}
            WHERE prediction_id IN (FROM suspects)"""
    rows = f"""
        SELECT * FROM {source} WHERE prediction_id IN (FROM suspects) {before}
        UNION ALL BY NAME
        SELECT NULL AS features, NULL::VARCHAR AS decided_by WHERE false"""
    columns = [as_delivered(c) for c in PREDICTION if c != "prediction_id"]
    content = ", ".join([*columns, *_contents(con, rows)])
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE compared AS
        SELECT prediction_id, filename, file_row_number, hash({content}) AS content
        FROM ({rows})
        ANTI JOIN rejects USING (filename, file_row_number)"""
    )
    con.execute(
        """
        INSERT INTO rejects
        SELECT filename, file_row_number,
               'prediction_id ' || prediction_id || ' is already logged with other content', same
        FROM (SELECT *, content = first(content) OVER ids AS same, row_number() OVER ids AS place
              FROM compared
              WINDOW ids AS (
                  PARTITION BY prediction_id ORDER BY filename NULLS FIRST, file_row_number
                  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
        WHERE place > 1 AND filename IS NOT NULL"""
    )


_DECIDED_ELSEWHERE = "route IS NOT NULL AND coalesce(decided_by, '') <> 'workbench'"


def as_delivered(column):
    "A column as it was delivered: what was decided here came without a decision."
    if column not in DECIDED:
        return identifier(column)
    return f"CASE WHEN {_DECIDED_ELSEWHERE} THEN {column} END"


def _contents(con, rows):
    "The features of some rows as SQL by which the same value is the same, however it is stored."
    for feature, physical in stored_types(con, f"({rows})").items():
        value = f"features.{identifier(feature)}"
        yield content_sql(value) if physical == "varchar" else value


def reject_outcomes(store: Store, source: str, model: str | None = None) -> bool:
    """Fill `rejects` and `resolved` (the rows with the day of their prediction) for one chunk;
    whether labels of events are among them, which are told of the predictions of one model alone
    where one is named."""
    con = store.con
    _stage(con, source, store.timezone)
    _find_predictions(store)
    _find_spelt(store)
    by_event = find_events(store, model)
    # what names neither is one of the rows by id
    beside = (
        f"WHERE s.prediction_id IS NOT NULL OR s.event_key IS NULL UNION ALL {of_events()}"
        if by_event
        else ""
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE resolved AS
        SELECT *, row_number() OVER (
                   PARTITION BY prediction_id, {"event_key," if by_event else ""}
                       label, observed_at, source
                   ORDER BY filename, file_row_number) > 1 AS again
        FROM (SELECT s.* REPLACE (coalesce(meant, s.prediction_id) AS prediction_id), p.event_date
              FROM staged s
              LEFT JOIN spelt ON spelt.told = s.prediction_id
              LEFT JOIN predicted p
                  ON p.prediction_id = coalesce(spelt.meant, s.prediction_id) {beside})"""
    )
    days = {day for (day,) in con.execute("SELECT DISTINCT event_date FROM resolved").fetchall()}
    known = _there(store, overlapping_files(store, "outcomes", "resolved", "reason IS NULL"))
    paths = [path for path, day in known if day is None or day in days]
    if by_event:
        mark_known(store, paths)
        known_already = "reason IS NOT NULL OR again OR rowid IN (SELECT place FROM there)"
        reject_by_row(con, known_already, "CREATE OR REPLACE TEMP TABLE rejects AS")
        return True
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rejects AS
        SELECT filename, file_row_number, reason, reason IS NULL AS duplicate
        FROM resolved r
        WHERE reason IS NOT NULL OR again OR EXISTS (
            SELECT 1
            FROM (SELECT prediction_id, label, observed_at, source
                  FROM {parquet(paths) if paths else "resolved WHERE false"}) k
            WHERE k.prediction_id = r.prediction_id AND k.label = r.label
              AND k.observed_at = r.observed_at AND k.source IS NOT DISTINCT FROM r.source)"""
    )
    return False


def reject_future(con, source: str, now: datetime) -> None:
    "Reject, too, the predictions of a history that were made later than it is brought in."
    con.execute(
        f"""
        INSERT INTO rejects
        SELECT filename, file_row_number, 'predicted_at is later than the import', false
        FROM {source} ANTI JOIN rejects USING (filename, file_row_number)
        WHERE predicted_at > $now""",
        {"now": now},
    )


def reject_foreign(store: Store, model: str) -> None:
    """Reject, too, the outcomes of a history that are of predictions of other models, or were
    observed before their predictions were made."""
    con = store.con
    con.execute(
        """
        UPDATE resolved SET reason = 'its prediction is of the model ' || p.model
        FROM predicted p
        WHERE reason IS NULL AND p.prediction_id = resolved.prediction_id AND p.model <> $model""",
        {"model": model},
    )
    early = con.execute(
        f"""
        SELECT DISTINCT event_date FROM resolved
        WHERE reason IS NULL
          AND CAST(observed_at AT TIME ZONE {literal(store.timezone)} AS DATE) <= event_date"""
    ).fetchall()
    days = {day for (day,) in early}
    paths = [
        store.root / path
        for path, day, *_ in store.files("predictions", model=model)
        if day in days
    ]
    if paths:
        con.execute(
            f"""
            UPDATE resolved SET reason = 'observed_at is before predicted_at'
            FROM (SELECT prediction_id, predicted_at AS made FROM {parquet(paths)}) p
            WHERE reason IS NULL AND p.prediction_id = resolved.prediction_id
              AND observed_at < made"""
        )
    place = "(filename, file_row_number)"
    new = f"reason IS NOT NULL AND {place} NOT IN (SELECT {place} FROM rejects)"
    reject_by_row(con, new, "INSERT INTO rejects")


def _stage(con, source, zone):
    "The outcomes with what speaks against each, and the day it hints at."
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE staged AS
        SELECT *, {_IMPOSSIBLE_OUTCOME} AS reason,
               CAST(predicted_at AT TIME ZONE {literal(zone)} AS DATE) AS hint
        FROM {source}"""
    )


def _find_predictions(store):
    "Fill `predicted` with the predictions of staged outcomes: on the hinted days, then elsewhere."
    con = store.con
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE predicted (
            prediction_id VARCHAR, event_date DATE,
            tenant VARCHAR, model VARCHAR, version VARCHAR)"""
    )
    hinted = {day for (day,) in con.execute("SELECT DISTINCT hint FROM staged").fetchall()}
    files = _there(store, overlapping_files(store, "predictions", "staged", "reason IS NULL"))
    for near in (True, False):
        paths = [path for path, day in files if (day in hinted) == near]
        if paths and _unresolved(con):  # to open every file of the log for nothing costs most
            con.execute(
                f"""
                INSERT INTO predicted
                SELECT prediction_id, event_date, tenant, model, version FROM {parquet(paths)}
                SEMI JOIN (SELECT prediction_id FROM staged
                           ANTI JOIN predicted USING (prediction_id)) USING (prediction_id)"""
            )


def _find_spelt(store):
    """Fill `spelt` (told, meant) with ids that are those of exactly one prediction but for their
    spelling: blanks around them, or a whole number as a float. Their predictions join
    `predicted`."""
    con = store.con
    con.execute("CREATE OR REPLACE TEMP TABLE spelt (told VARCHAR, meant VARCHAR)")
    if not _unresolved(con):
        return
    unresolved = "FROM staged ANTI JOIN predicted USING (prediction_id) WHERE reason IS NULL"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE spellings AS
        SELECT *, 'all' AS filename FROM ({spellings(unresolved)})"""
    )
    files = _there(store, overlapping_files(store, "predictions", "spellings"))
    if not files:
        return
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE meant AS
        SELECT told, p.* FROM spellings JOIN (
            SELECT prediction_id, event_date, tenant, model, version
            FROM {parquet(path for path, _ in files)}) p USING (prediction_id)
        QUALIFY count(*) OVER (PARTITION BY told) = 1"""
    )
    con.execute("INSERT INTO spelt SELECT told, prediction_id FROM meant")
    con.execute(
        """
        INSERT INTO predicted
        SELECT DISTINCT ON (prediction_id) prediction_id, event_date, tenant, model, version
        FROM meant ANTI JOIN predicted USING (prediction_id)"""
    )


def touched_by_outcomes(con) -> list[tuple]:
    "(event_date, tenant, model, version) of the predictions that the chunk's outcomes are about."
    return con.execute(
        """
        SELECT DISTINCT event_date, tenant, model, version FROM predicted
        SEMI JOIN (SELECT prediction_id FROM resolved
                   ANTI JOIN rejects USING (filename, file_row_number)) USING (prediction_id)"""
    ).fetchall()


def unmatched_outcomes(con) -> tuple[int, tuple[str, ...]]:
    "Of the chunk's outcomes: how many ids or events have no prediction yet, and the first of them."
    ids = con.execute(
        """
        SELECT coalesce(prediction_id, 'event_key ' || event_key) FROM resolved
        WHERE reason IS NULL AND event_date IS NULL
        GROUP BY ALL
        ORDER BY min((filename, file_row_number))"""
    ).fetchall()
    return len(ids), tuple(name for (name,) in ids[:5])


def loaded_outcomes(con) -> int:
    "How many of the chunk's rows are loaded: one of an event may be that of many predictions."
    return con.execute(
        """
        SELECT count(DISTINCT (filename, file_row_number))
        FROM resolved ANTI JOIN rejects USING (filename, file_row_number)"""
    ).fetchall()[0][0]


def models_of_outcomes(con) -> list[str]:
    "The models whose predictions the chunk's outcomes are about."
    found = con.execute(
        """
        SELECT DISTINCT model FROM predicted
        SEMI JOIN (FROM resolved WHERE reason IS NULL) USING (prediction_id)
        ORDER BY model"""
    )
    return [model for (model,) in found.fetchall()]


def models_of_predictions(con, source: str) -> list[str]:
    "The models of a chunk of predictions."
    found = con.execute(f"SELECT DISTINCT model FROM {source} WHERE model <> '' ORDER BY model")
    return [model for (model,) in found.fetchall()]


def _unresolved(con):
    "How many staged outcomes still lack their prediction."
    return con.execute(
        """
        SELECT count(*) FROM (FROM staged WHERE prediction_id IS NOT NULL)
        ANTI JOIN predicted USING (prediction_id)"""
    ).fetchall()[0][0]


def count_rejects(con) -> tuple[int, int, int]:
    "How many rejected rows are duplicates, how many conflicts, and how many are not known yet."
    return con.execute(
        f"""
        SELECT count(*) FILTER (duplicate AND coalesce(reason, '') <> {literal(FORGOTTEN)}),
               count(*) FILTER (NOT duplicate AND reason LIKE '%already logged%'),
               count(*) FILTER (reason = {literal(_NOT_YET)})
        FROM rejects"""
    ).fetchall()[0]


def quarantine_rows(con, kind: str, source: str, deliveries) -> pd.DataFrame:
    """Rejected rows that are no duplicates and known, as quarantine rows (kind, source, line,
    reason, raw), with those rejected while the file was read."""
    kept = f"FROM rejects WHERE NOT duplicate AND reason <> {literal(_NOT_YET)}"
    late = con.execute(f"SELECT count(*) {kept}").fetchall()[0][0]
    if not late and not any(len(d.rejects) for d in deliveries):
        return NO_ROWS
    rejected = con.execute(
        f"""
        SELECT filename, file_row_number, reason, to_json(s)::VARCHAR AS raw
        FROM (SELECT * FROM {source}) s JOIN ({kept}) USING (filename, file_row_number)
        ORDER BY ALL"""
    ).df()
    by_path = {spelt(d.canonical): d for d in deliveries}
    origin = [by_path[name] for name in rejected.filename]
    line = [
        int(d.lines[i]) if d.lines is not None else int(i) + 1
        for d, i in zip(origin, rejected.file_row_number)
    ]
    columns = {"kind": kind, "source": [shown(d.path.name) for d in origin], "line": line}
    late = pd.DataFrame(columns | {"reason": rejected.reason, "raw": rejected.raw.map(_delivered)})
    early = [
        d.rejects.assign(kind=kind, source=shown(d.path.name)) for d in deliveries if len(d.rejects)
    ]
    return pd.concat([*early, late], ignore_index=True)[["kind", "source", "line", "reason", "raw"]]


def unreadable_values(store: Store, source: str, deliveries) -> pd.DataFrame:
    """Values of loaded rows that did not fit their feature: event_date, tenant, model, version,
    feature, prediction_id, raw."""
    lost = [
        d.unreadable.assign(filename=spelt(d.canonical)) for d in deliveries if len(d.unreadable)
    ]
    if not lost:
        return pd.DataFrame(columns=UNREADABLE)
    store.con.register("lost", pd.concat(lost, ignore_index=True))
    found = store.con.execute(
        f"""
        SELECT CAST(predicted_at AT TIME ZONE {literal(store.timezone)} AS DATE) AS event_date,
               tenant, model, version, feature, prediction_id, raw
        FROM (SELECT filename, row AS file_row_number, feature, raw FROM lost) AS lost
        JOIN {source} USING (filename, file_row_number)
        ANTI JOIN rejects USING (filename, file_row_number)
        ORDER BY ALL"""
    ).df()
    store.con.unregister("lost")
    return found[UNREADABLE]


def _delivered(raw):
    "A row without the file that it stood in: the same row is the same in another one."
    row = json.loads(raw)
    row = {c: v for c, v in row.items() if c not in _PLACE}
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


_PLACE = ("filename", "file_row_number")
_TABLES = (
    "rejects",
    "grids",
    "suspects",
    "compared",
    "staged",
    "predicted",
    "resolved",
    "spelt",
    "spellings",
    "meant",
    "keyed",
    "doubtful",
    "their_keys",
    "there",
    "told",
)


def drop_tables(con) -> None:
    "Drop the tables that the checks of a chunk have made."
    for table in _TABLES:
        con.execute(f"DROP TABLE IF EXISTS {table}")
