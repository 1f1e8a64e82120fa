"""Scored and labelled rows that are not in the log."""

from datetime import UTC, date, datetime

import pytest
from conftest import MODEL

from aiops_wb.log.errors import StoreError
from aiops_wb.log.features import binned_days
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.reading import ReadOptions
from aiops_wb.log.reference_file import reference_rows
from aiops_wb.log.roles import Choice
from aiops_wb.models.training import feature_rules
from aiops_wb.models.version import feature_columns
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
CHOICE = Choice({"prediction_id": "id", "predicted_at": "when", "score": "p", "label": "bad"})


def written(bench, *lines, name="reference.csv"):
    (bench.root / name).write_text("\n".join(["id,when,p,bad,amount,kind", *lines]) + "\n")
    return bench.root / name


def test_rows_are_what_the_log_would_hold(bench):
    "Days of the log's zone, points, and labels that may be missing."
    path = written(
        bench, "a,2026-01-01T04:00:00Z,0.5,1,3,x", "b,2026-01-01T06:00:00Z,0.75,0,,y",
        "c,2026-01-01T07:00:00Z,0.25,,5,",
    )  # fmt: skip
    with bench.store("America/New_York") as store:
        rows, kinds, _ = reference_rows(store, path, MODEL, "v1", NOW, CHOICE)
    assert list(rows.event_date) == [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 1)]
    assert list(rows.points) == [0, 1099, -1099] and set(rows.grid) == {"logit"}
    assert rows.label.fillna(-1).tolist() == [1, 0, -1]
    assert kinds == {"amount": "number", "kind": "text"}
    assert rows["feature:amount"].fillna(-1).tolist() == [3, -1, 5]
    assert [c for c in rows if c.startswith("feature:")] == ["feature:amount", "feature:kind"]


def test_features_are_what_the_log_knows_them_to_be(bench):
    path = written(bench, "a,2026-01-01T04:00:00Z,0.5,1,3.0,x", "b,2026-01-01T06:00:00Z,0.7,0,4,x")
    with bench.store() as store:
        store.fix_features(NOW, "ana", MODEL, {"amount": "text"}, "codes")
        rows, kinds, _ = reference_rows(store, path, MODEL, "v1", NOW, CHOICE)
    assert kinds["amount"] == "text" and rows["feature:amount"].tolist() == ["3", "4"]


def test_it_is_read_as_it_is_spelt_and_written_nowhere(bench):
    path = written(bench, "a,2026-01-01 04:00,0.5,1,3,x", "b,2026-01-02 04:00,0.5,0,3,x")
    with bench.store() as store:
        with pytest.raises(StoreError, match="naive-timezone|zone"):
            reference_rows(store, path, MODEL, "v1", NOW, CHOICE)
        zone = ReadOptions(naive_timezone="Europe/Berlin")
        rows, *_ = reference_rows(store, path, MODEL, "v1", NOW, CHOICE, zone)
        assert len(rows) == 2 and store.models() == [] and store.audit().empty


def test_a_row_that_cannot_be_used_is_named_with_its_line(bench):
    path = written(bench, "a,2026-01-01T04:00:00Z,0.5,1,3,x", "b,2026-01-01T06:00:00Z,0.7,maybe,,")
    with bench.store() as store, pytest.raises(StoreError, match=r"reference.csv, line 3: label"):
        reference_rows(store, path, MODEL, "v1", NOW, CHOICE)


def test_values_that_were_read_again_are_counted_where_they_are(bench):
    "What a version scored before it was registered is counted as its rows are read."
    constants = {"model": MODEL, "version": "v1", "threshold": "0.5"}
    mapping = {k: v for k, v in CHOICE.mapping.items() if k != "label"}
    fits = [f"n{i},2026-03-1{i % 7}T00:00:00Z,0.5,0,{i % 5},x" for i in range(60)]
    odd = [f"o{i},2026-03-18T00:00:00Z,0.5,0,A{i % 3},x" for i in range(20)]
    with bench.store() as store:
        for lines, kind in ((fits, "number"), (odd, "text")):
            path = written(bench, *lines)
            ingest_file(store, NOW, "ana", path, "predictions", mapping, constants)
            store.set_feature(NOW, "ana", MODEL, "amount", kind, "it is")
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 19), labels=False)
        frame = feature_columns(rows)
        bins = feature_rules(frame, store.feature_kinds(MODEL))["bins"]
        assert set(bins["amount"]["categories"]) == {*"01234", "A0", "A1", "A2"}
        with store.transaction():
            store.add_version(NOW, "ana", MODEL, "v1", Grid(), "", {"bins": bins}, 0)
            store.count_earlier_features(NOW, "ana", MODEL, "v1")
        days, tables = store.feature_counts(MODEL, "v1")
        counted = binned_days(frame, rows.event_date.dt.date, bins)
        for feature, part in counted.groupby("feature"):
            found = {(d, b - 2): int(n) for d, row in zip(days, tables[feature])
                     for b, n in enumerate(row) if n}  # fmt: skip
            assert found == {(r.event_date, r.bin): r.n for r in part.itertuples()}, feature
