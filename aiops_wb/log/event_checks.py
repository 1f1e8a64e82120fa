"""Labels that are told of events: which predictions they are of, and which are known already."""

from .errors import StoreError
from .event_keys import MOST, keyed_rows
from .store import Store

__all__ = ["NoEvents", "find_events", "mark_known", "of_events", "reject_by_row"]


class NoEvents(StoreError):
    "What is delivered as the keys of events names something else."


def find_events(store: Store, model: str | None) -> bool:
    """Fill `keyed` with the predictions (of one model) of the events that staged outcomes name, and
    give a reason against rows whose prediction is of another event; whether any names one."""
    con = store.con
    named = "SELECT 1 FROM staged WHERE event_key IS NOT NULL AND reason IS NULL LIMIT 1"
    if not con.execute(named).fetchall():
        return False
    events = "(SELECT * FROM staged WHERE event_key IS NOT NULL AND reason IS NULL)"
    store.find_events(events, model)
    _require_events(con, events)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE doubtful AS
        SELECT s.filename, s.file_row_number, p.prediction_id, s.event_key
        FROM {events} s
        LEFT JOIN spelt ON spelt.told = s.prediction_id
        JOIN predicted p ON p.prediction_id = coalesce(spelt.meant, s.prediction_id)
        ANTI JOIN keyed k ON k.prediction_id = p.prediction_id AND k.event_key = s.event_key"""
    )
    if con.execute("SELECT 1 FROM doubtful LIMIT 1").fetchall():
        _refuse_other_events(store)
    con.execute(
        """
        INSERT INTO predicted
        SELECT DISTINCT ON (prediction_id) prediction_id, event_date, tenant, model, version
        FROM keyed ANTI JOIN predicted USING (prediction_id)"""
    )
    return True


def _require_events(con, events):
    "NoEvents where labels name far more predictions than labels of events do."
    ((told, rows),) = con.execute(
        f"""
        SELECT sum(n)::BIGINT, coalesce(sum(n * m), 0)::BIGINT
        FROM (SELECT event_key, count(*) AS n FROM {events} GROUP BY 1)
        LEFT JOIN (SELECT event_key, count(*) AS m FROM keyed GROUP BY 1) USING (event_key)"""
    ).fetchall()
    if rows > max(MOST, 100 * told):
        raise NoEvents(
            f"its {told:,} labels are of {rows:,} predictions by event_key: a key names one event, "
            "map the column that does."
        )


def _refuse_other_events(store):
    "A row that names a prediction and an event must name a prediction of this event."
    store.find_keys_of("doubtful")
    store.con.execute(
        """
        UPDATE staged SET reason = d.reason
        FROM (SELECT d.filename, d.file_row_number,
                     'prediction_id ' || d.prediction_id || ' is of the event ' || k.event_key
                         || ', not of ' || d.event_key AS reason
              FROM doubtful d JOIN their_keys k USING (prediction_id)
              WHERE k.event_key <> d.event_key) AS d
        WHERE d.filename = staged.filename AND d.file_row_number = staged.file_row_number"""
    )


def of_events() -> str:
    """Staged outcomes as rows of the predictions of their events (SQL), beside those that they name
    by id; what has none yet is a row without a prediction."""
    return """
        SELECT s.* REPLACE (k.prediction_id AS prediction_id), k.event_date
        FROM staged s
        LEFT JOIN spelt ON spelt.told = s.prediction_id
        LEFT JOIN keyed k ON k.event_key = s.event_key AND s.reason IS NULL
        WHERE s.event_key IS NOT NULL
          AND (s.prediction_id IS NULL OR k.prediction_id <> coalesce(meant, s.prediction_id))"""


_SAME = """k.label = r.label AND k.observed_at = r.observed_at
           AND k.source IS NOT DISTINCT FROM r.source"""


def mark_known(store: Store, paths: list) -> None:
    """Fill `there` (rowid) with the rows of `resolved` that the log has already: `paths` are the
    files of outcomes in which rows that name a prediction may stand."""
    waiting = "(SELECT * FROM resolved WHERE prediction_id IS NULL AND reason IS NULL)"
    ranges = (
        f"SELECT min(event_key) AS low, max(event_key) AS high FROM {waiting} GROUP BY filename"
    )
    pending = store.files_with_keys("outcomes", ranges, "event_date IS NULL")
    known = keyed_rows("outcomes", paths)
    told = keyed_rows("outcomes", [store.root / file.path for file in pending])
    store.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE there AS
        WITH known AS MATERIALIZED (
            SELECT prediction_id, label, observed_at, source, event_key FROM {known}
            SEMI JOIN resolved USING (prediction_id))
        SELECT r.rowid AS place FROM resolved r SEMI JOIN known k
            ON r.event_key IS NULL AND k.prediction_id = r.prediction_id AND {_SAME}
        UNION ALL
        SELECT r.rowid FROM resolved r SEMI JOIN known k
            ON k.event_key = r.event_key AND k.prediction_id = r.prediction_id AND {_SAME}
        UNION ALL
        SELECT r.rowid FROM resolved r SEMI JOIN {told} k
            ON r.prediction_id IS NULL AND k.event_key = r.event_key AND {_SAME}"""
    )


def reject_by_row(con, bad: str, into: str) -> None:
    """Reject the delivered rows of which every row of `resolved` is `bad` (SQL), and leave out the
    bad ones of the others; `into` is what begins the query."""
    con.execute(
        f"""
        {into}
        SELECT filename, file_row_number, first(reason) AS reason,
               first(reason) IS NULL AS duplicate
        FROM resolved
        GROUP BY filename, file_row_number
        HAVING bool_and({bad})"""
    )
    place = "(filename, file_row_number)"
    con.execute(
        f"DELETE FROM resolved WHERE ({bad}) AND {place} NOT IN (SELECT {place} FROM rejects)"
    )
