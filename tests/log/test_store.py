import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb import log
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.chain import CHAIN
from aiops_wb.log.duck import migrations
from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.store import open_store

NOW = datetime(2026, 3, 20, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("walked")


def test_no_connection_draws_a_progress_bar(bench, monkeypatch):
    plain, bars = duckdb.connect, []

    class Watched:
        def __init__(self, con):
            self.con = con
            con.execute(
                "SET enable_progress_bar = true"
            )  # as DuckDB does by itself in a program that it takes for a person's

        def __getattr__(self, name):
            return getattr(self.con, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.close()

        def close(self):
            bars.append(
                self.con.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]
            )
            self.con.close()

    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: Watched(plain(*a, **k)))
    bench.log(events(days=1))
    rows = pd.DataFrame(
        {"prediction_id": ["a"], "label": [1], "observed_at": ["2026-03-02T00:00:00Z"]}
    )
    (bench.data / "spool" / "outcomes").mkdir(parents=True)
    rows.to_csv(bench.data / "spool" / "outcomes" / "labels.csv", index=False)
    with plain() as con:
        target = bench.data / "spool" / "outcomes" / "labels.parquet"
        con.execute(
            f"""COPY (SELECT 'b' AS prediction_id, 1 AS label,
                             TIMESTAMPTZ '2026-03-02 00:00:00Z' AS observed_at)
                TO '{target}' (FORMAT parquet)"""
        )
    bench.ingest()
    with bench.store() as store:
        assert store.known_batch() == 2
        store.publish()
    open_snapshot(bench.data).close()
    assert len(bars) >= 5 and not any(bars)


def test_a_zone_is_fixed_when_the_log_is_made(bench):
    with bench.store("Europe/Berlin"):
        pass
    with bench.store() as store:
        assert store.timezone == "Europe/Berlin"
    with pytest.raises(StoreError, match="fixed when a log is created"), bench.store("UTC"):
        pass


_ROW = f"""
INSERT INTO audit
SELECT * EXCLUDE (before), {CHAIN}
FROM (SELECT 1::BIGINT AS seq, $now::TIMESTAMPTZ AS changed_at, $who AS who, 'flag' AS what,
             'm' AS subject, NULL::VARCHAR AS old, 'on' AS new, $why AS why,
             NULL::VARCHAR AS evidence), (SELECT '' AS before)"""


def test_upgrade_from_every_earlier_schema(bench, monkeypatch):
    """A catalog left at any earlier version is brought to the newest one, keeping its rows; a newer
    one is refused."""
    steps = [
        *migrations(),
        (migrations()[-1][0] + 1, "probe", "ALTER TABLE batches ADD COLUMN note VARCHAR"),
    ]
    for done in range(1, len(steps)):
        root = bench.root / f"v{done}"
        monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda done=done: steps[:done])
        with open_store(root, "old") as store, store.transaction():
            told = {"now": NOW, "who": "ana", "why": "before the upgrade"}
            store.con.execute(_ROW, told)  # as a release of that time wrote it
        monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda: steps)
        with open_store(root, "new") as store:
            assert store._value("SELECT max(version) FROM migrations") == steps[-1][0]
            assert "note" in store.frame("FROM batches").columns
            assert store.in_force("flag", "m") == "on" and store.verify_audit() == 1
    monkeypatch.setattr("aiops_wb.log.schema.migrations", lambda: steps[:-1])
    with pytest.raises(StoreError, match="upgrade aiops_wb"), open_store(root, "old again"):
        pass


def test_what_was_asked_in_a_transaction_that_failed_is_asked_again(bench):
    bench.log(events(days=1))
    bench.ingest()
    with bench.store() as store:
        asked = store.known_batch(), store.feature_kinds(MODEL), store.outcome_columns()
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.set_feature(NOW, "ana", MODEL, "x", "text", "it is a code")
            store.add_outcome_columns(1, NOW, "ana", [(MODEL, "y", "label")])
            assert store.feature_kinds(MODEL) == {"x": "text"}
            assert store.outcome_columns() == {MODEL: {"y": "label"}} and store.known_batch() == 2
            1 / 0
        assert (store.known_batch(), store.feature_kinds(MODEL), store.outcome_columns()) == asked


def test_second_writer_is_told_who_writes(bench):
    with bench.store(), pytest.raises(Busy, match="test \\(process"), bench.store():
        pass
    with bench.store():
        pass


def test_a_lost_or_older_catalog_never_costs_the_log(bench):
    for seed in range(3):
        bench.log(events(days=1, seed=seed, start=date(2026, 3, 1 + seed)))
        bench.ingest()
        shutil.copy(bench.data / "catalog.duckdb", bench.root / f"copy{seed}")
    files = set((bench.data / "log").rglob("*.parquet"))
    (bench.data / "catalog.duckdb").unlink()
    with pytest.raises(StoreError, match=r"no catalog\.duckdb"):
        bench.ingest()
    shutil.copy(bench.root / "copy0", bench.data / "catalog.duckdb")
    with pytest.raises(StoreError, match="nothing of log/predictions.* and 1 more:"):
        bench.ingest()
    assert set((bench.data / "log").rglob("*.parquet")) == files
    shutil.copy(bench.root / "copy2", bench.data / "catalog.duckdb")
    with bench.store() as store:
        assert len(store.days(MODEL)) == 3


def test_an_hour_that_is_there_twice_is_asked_about_twice(bench):
    "When clocks go back, 02:30 comes twice; a batch between the two is known at the second only."
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    bench.log(events(days=1, start=date(2026, 10, 24)))
    bench.ingest(datetime(2026, 10, 25, 1, tzinfo=UTC))  # between the two
    with bench.store() as store:
        assert [store.known_batch(t) for t in (first, first.replace(fold=1), first)] == [0, 1, 0]
        assert len(store.days(MODEL, first.replace(fold=1))) == 1


def test_whatever_is_written_makes_what_is_kept_be_asked_again():
    "Rows that a store writes past `_write` would leave answers that are no more."
    past = re.compile(r'self\.con\.execute\(\s*f?"+\s*(INSERT|DELETE|UPDATE)')
    found = {
        path.name
        for path in Path(log.__file__).parent.glob("*.py")
        if past.search(path.read_text())
    }
    assert not found
