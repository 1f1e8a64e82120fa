from datetime import UTC, datetime, timedelta

import pytest
from conftest import MODEL, events

from aiops_wb.log.ingest import Ingested, ingest_file

NOW = datetime(2026, 3, 20, tzinfo=UTC)
TOLD = {"model": MODEL, "version": "v1"}
TEXT = "prediction_id,predicted_at,score\na,2026-03-01T00:00:00Z,0.5\nb,2026-03-01T00:00:00Z,9\n"


def take(store, path, text, now=NOW, kind="predictions"):
    path.write_text(text)
    return ingest_file(store, now, "test", path, kind, {}, TOLD if kind == "predictions" else {})


def test_a_row_is_quarantined_once_however_it_comes_again(bench):
    with bench.store() as store:
        path = bench.root / "f.csv"
        assert take(store, path, TEXT) == Ingested(loaded=1, quarantined=1)
        assert take(store, path, TEXT) == Ingested(duplicates=2)
        again = "\n" + TEXT.replace("\na,", "\nragged\na,")
        assert take(store, bench.root / "g.csv", again) == Ingested(duplicates=2, quarantined=1)
        assert take(store, path, TEXT.replace(",9", ",8")) == Ingested(duplicates=1, quarantined=1)
        assert store.quarantine_size() == 3


def test_two_bad_rows_alike_in_one_delivery_are_two(bench):
    with bench.store() as store:
        text = TEXT + "b,2026-03-01T00:00:00Z,9\n"
        assert take(store, bench.root / "f.csv", text) == Ingested(loaded=1, quarantined=2)
        assert take(store, bench.root / "f.csv", text) == Ingested(duplicates=3)


def test_a_conflict_is_one_conflict(bench):
    frame = events(days=1)
    bench.log(frame)
    bench.ingest()
    for expected in (Ingested(conflicts=2, quarantined=2), Ingested(duplicates=2)):
        bench.log(frame.head(2).assign(score=0.123))
        assert bench.ingest() == expected
    with bench.store() as store:
        assert store.quarantine_size() == 2


def test_the_same_row_of_another_kind_or_for_another_reason_is_another(bench):
    with bench.store() as store:
        labels = "prediction_id,label,observed_at\na,7,2026-03-01T00:00:00Z\n"
        assert take(store, bench.root / "l.csv", labels, kind="outcomes").quarantined == 1
        assert take(store, bench.root / "l.csv", labels, kind="outcomes") == Ingested(duplicates=1)
        assert store.quarantine_size() == 1


def test_text_is_kept_for_some_days_and_up_to_a_length(bench):
    with bench.store() as store:
        wide = TEXT.replace("b,", "b" * 100_000 + ",")
        take(store, bench.root / "f.csv", wide)
        raw = store.frame("SELECT raw FROM quarantine").raw[0]
        assert raw.endswith("characters)") and len(raw) < 4_100
        later = NOW + timedelta(days=20)
        take(store, bench.root / "f.csv", TEXT, later)
        assert store.drop_quarantined_text(later, 30) == 0
        assert store.drop_quarantined_text(NOW + timedelta(days=31), 30) == 1
        assert store.drop_quarantined_text(NOW + timedelta(days=31), 30) == 0
        assert store.frame("SELECT raw FROM quarantine").raw.isna().tolist() == [True, False]
        assert take(store, bench.root / "f.csv", wide) == Ingested(
            duplicates=2
        )  # it is still known


@pytest.mark.parametrize("days", [1, 30])
def test_the_command_drops_old_text(bench, days, monkeypatch):
    from aiops_wb.cli.app import main

    with bench.store() as store:
        take(store, bench.root / "f.csv", TEXT, datetime.now(UTC) - timedelta(days=10))
    monkeypatch.setenv("AIOPS_QUARANTINE_DAYS", str(days))
    assert main(["ingest", "--data", str(bench.data)]) == 0
    with bench.store() as store:
        assert store.frame("SELECT raw FROM quarantine").raw.isna().tolist() == [days == 1]
