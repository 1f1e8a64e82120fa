"""Rows of somebody go, what was counted of them stays, and nothing of them comes back."""

from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pytest
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError
from aiops_wb.log.forgetting import find, forget
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.named_files import Places
from aiops_wb.log.pseudonyms import keyed, keyed_sql, made_key
from aiops_wb.log.spool import PredictionLogger

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WHO = "person-0815-Ümläut"
COUNTED = ("score_counts", "arrival_counts", "hour_counts", "latency_counts", "decision_counts")


def log(bench, frame, entity):
    "Log events whose entity is known."
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as logger:
        logger.log(
            frame["score"],
            frame["at"],
            prediction_id=frame["id"],
            entity_id=entity,
            site_id=frame["site"],
            features=frame[["x"]],
            latency_ms=5.0,
        )


def removed(bench, one, why="asked to"):
    with bench.store() as store:
        store.add_forgotten(NOW, [one])
        found = find(store, one, Places(bench.data / "spool"))
        return forget(store, NOW, "test", found, why)


def totals(store):
    "What is counted of each day: every table of counts, added up."
    found = {}
    for table in COUNTED:
        kept = [c for c, *_ in store._rows(f"DESCRIBE {table}") if c != "batch_id"]
        names = [c for c in kept if not c.startswith(("n", "total"))]
        sums = ", ".join(f"sum({c})" for c in kept if c not in names)
        rows = store._rows(f"SELECT {', '.join(names)}, {sums} FROM {table} GROUP BY ALL")
        found[table] = sorted(str(row) for row in rows if any(row[len(names) :]))
    return found


@pytest.mark.parametrize("seed, late", [(0, False), (1, True), (2, False), (3, True)])
def test_late_labels_of_others_count_a_day_as_if_nobody_had_been_forgotten(
    bench, tmp_path_factory, seed, late
):
    dice = np.random.default_rng(seed)
    first = date(2026, 3, 1) if late else date(2026, 3, 18)  # loaded later: labels by observed_at
    frame = events(days=2, per_day=30, seed=seed, start=first)
    gone = dice.random(len(frame)) < 0.3
    gone[frame["day"] == frame["day"].iloc[-1]] |= seed == 2  # of one day nothing is left
    early = dice.random(len(frame)) < 0.5
    frame["label"] = dice.integers(0, 2, len(frame))
    entity = np.where(gone, WHO, "other")
    log(bench, frame, entity)
    bench.ingest(datetime(2026, 3, 19, tzinfo=UTC))
    bench.label(frame[early], at="2026-03-19T00:00:00Z", label=frame["label"][early])
    bench.ingest(datetime(2026, 3, 20, tzinfo=UTC))
    twin = bench.copy_to(tmp_path_factory.mktemp("twin"))
    with bench.store() as store:
        before = totals(store)
    done = removed(bench, Forgotten("entity", WHO, until=NOW))
    assert done.numbers["predictions"] == gone.sum()
    assert done.numbers["labels"] == (gone & early).sum()
    with bench.store() as store:
        assert totals(store) == before
        ids = {i for i in store.rows(MODEL, first, date(2026, 3, 20)).get("prediction_id", [])}
        assert ids == set(frame["id"][~gone])
    for one in (bench, twin):  # labels come late, some are corrected; one of them is forgotten
        others = frame[~gone]
        one.label(others, at="2026-03-20T06:00:00Z", label=1 - others["label"])
        one.ingest(datetime(2026, 3, 21, tzinfo=UTC))
    with bench.store() as store, twin.store() as other:
        assert totals(store) == totals(other)
    bench.label(frame[gone], at="2026-03-20T07:00:00Z", label=1 - frame["label"][gone])
    log(bench, frame[gone].assign(id=lambda f: "again-" + f["id"]), np.full(gone.sum(), WHO))
    again = bench.ingest(datetime(2026, 3, 22, tzinfo=UTC))
    assert (again.loaded, again.forgotten) == (0, 2 * gone.sum())
    with bench.store() as store, twin.store() as other:
        assert totals(store) == totals(other)


def test_a_keyed_hash_is_the_same_in_sql_and_in_python(tmp_path):
    key = made_key(tmp_path)
    names = ["a", "", "ü" * 70, WHO, "'; --"]
    rows = duckdb.execute(
        f"SELECT name, {keyed_sql(key, 'entity', 'name')} FROM (SELECT unnest($names) AS name)",
        {"names": names},
    ).fetchall()
    assert rows == [(name, keyed(key, "entity", name)) for name in names]
    assert made_key(tmp_path) == key
    assert (tmp_path / "pseudonyms.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "pseudonyms.key").write_text("00")
    with pytest.raises(StoreError, match="1 bytes instead of 32"):
        made_key(tmp_path)
