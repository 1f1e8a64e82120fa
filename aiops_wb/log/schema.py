"""The catalog's tables: brought up to date step by step, and tables of the log without rows."""

import duckdb

from .columns import OUTCOME, PREDICTION
from .duck import identifier, migrations
from .errors import StoreError

__all__ = ["EMPTY", "LOGGED", "migrate"]


def _no_rows(columns, *untyped):
    "A query with these columns and no rows."
    typed = [f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in columns.items()]
    return f"SELECT {', '.join([*typed, *(f'NULL AS {name}' for name in untyped)])} WHERE false"


_BY_LOG = {"event_date": "DATE", "batch_id": "BIGINT"}
_COLUMNS = {
    "predictions": PREDICTION | {"decided_by": "VARCHAR"} | _BY_LOG,
    "outcomes": {c: t for c, t in OUTCOME.items() if c != "predicted_at"} | _BY_LOG,
}
LOGGED = {"predictions": (*_COLUMNS["predictions"], "features"), "outcomes": _COLUMNS["outcomes"]}
"Kind of row -> the names of all columns of the log's files."
EMPTY = {
    "predictions": _no_rows(_COLUMNS["predictions"], "features"),
    "outcomes": _no_rows(_COLUMNS["outcomes"]),
}
"Kind of row -> a query with the columns of the log's files and no rows, for a log without files."


def migrate(con, timezone: str | None) -> None:
    "Bring a catalog to the newest schema, and fix or check the zone that its days are counted in."
    done, known = _version(con), migrations()
    if done > known[-1][0]:
        raise StoreError(
            f"this catalog has schema version {done}, this aiops_wb knows {known[-1][0]}: "
            "upgrade aiops_wb."
        )
    pending = [migration for migration in known if migration[0] > done]
    if pending:
        con.execute("BEGIN")
        for version, name, text in pending:
            con.execute(text)
            con.execute("INSERT INTO migrations VALUES (?, ?)", [version, name])
        con.execute("COMMIT")
        con.execute("CHECKPOINT")
    _keep_zone(con, timezone)


def _version(con):
    "The last migration that a catalog has seen; 0 for a new one."
    try:  # information_schema costs more than all else at the opening
        con.execute("SELECT 1 FROM pragma_table_info('migrations')")
    except duckdb.CatalogException:
        return 0
    return con.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchall()[0][0]


def _keep_zone(con, timezone):
    stored = con.execute("SELECT value FROM workbench WHERE key = 'timezone'").fetchall()
    if not stored:
        con.execute("INSERT INTO workbench VALUES ('timezone', $zone)", {"zone": timezone or "UTC"})
    elif timezone is not None and stored[0][0] != timezone:
        raise StoreError(
            f"this log counts days in {stored[0][0]}, not in {timezone}: the zone is fixed when "
            "a log is created; leave it out, or choose another folder with --data."
        )
