"""Labels that find no prediction, that find it under another spelling, that are not known yet."""

from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pytest
from conftest import MODEL, events, few

from aiops_wb.log.ingest import Ingested, ingest, ingest_file
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.unmatched import UnmatchedWrites

NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 1)
AT = "2026-03-04T10:00:00Z"


def predict(bench, *ids):
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log([0.5] * len(ids), ["2026-03-01T07:00:00Z"] * len(ids), prediction_id=list(ids))
    assert bench.ingest().loaded == len(ids)


def tell(bench, text, name="labels.csv"):
    path = bench.root / name
    path.write_text(text)
    with bench.store() as store:
        return ingest_file(store, NOW, "test", path, "outcomes")


def labels(*ids, label=1):
    return "prediction_id,label,observed_at\n" + "".join(f'"{i}",{label},{AT}\n' for i in ids)


def known(bench):
    with bench.store() as store:
        rows = store.rows(MODEL, DAY, DAY)
        assert sum(c.total[1] for c in store.score_counts(MODEL).values()) == rows.label.count()
    return rows.dropna(subset="label").prediction_id.tolist()


@pytest.mark.parametrize(
    ("predicted", "told"),
    few(
        [
            ("4711", "4711.0"),
            ("4711", "4711.000"),
            ("4711", "4.711e3"),
            ("4711", "4.711E+03"),
            ("-12", "-12.0"),
            ("4711.0", "4711"),
            ("0042", "0042.0"),
            ("check-in 1", "\tcheck-in 1 "),
        ],
        ("4711", "4711.0"),
        ("4711.0", "4711"),
        ("check-in 1", "\tcheck-in 1 "),
    ),
)
def test_a_label_finds_its_prediction_under_another_spelling(bench, predicted, told):
    predict(bench, predicted, "other")
    with OutcomeLogger(bench.data / "spool", "test") as log:
        log.log(told, 1, AT)
    taken = bench.ingest()
    assert taken == Ingested(loaded=1) and taken.unmatched == 0
    assert known(bench) == [predicted]
    with OutcomeLogger(bench.data / "spool", "test") as log:
        log.log([told, predicted], [1, 1], AT)
    assert bench.ingest() == Ingested(duplicates=2)


@pytest.mark.parametrize(
    ("predicted", "told"),
    [
        ("4711", "47110"),
        ("42", "0042"),
        ("0042", "42"),
        ("a1", "A1"),
        ("4711", "4711.5"),
        ("12345678901234567", "12345678901234567.0"),
        ("1e3", "1000"),
    ],
)
def test_another_id_is_not_taken_for_a_spelling(bench, predicted, told):
    predict(bench, predicted)
    taken = tell(bench, labels(told))
    assert (taken.loaded, taken.unmatched, taken.examples) == (1, 1, (told,))
    assert known(bench) == []


def test_where_two_predictions_fit_none_is_taken_and_the_exact_one_goes_first(bench):
    predict(bench, "7", "7.0")
    taken = tell(bench, labels("7.00"))
    assert taken.examples == ("7.00",) and known(bench) == []
    assert tell(bench, labels("7.0"), "exact.csv").unmatched == 0
    assert known(bench) == ["7.0"]


def test_two_spellings_in_one_file_are_one_label(bench):
    predict(bench, "7")
    assert tell(bench, labels("7", "7.0", "7.00")) == Ingested(loaded=1, duplicates=2)
    assert known(bench) == ["7"]
    assert tell(bench, labels("7.0", label=0), "later.csv").loaded == 1
    with bench.store() as store:
        assert store.rows(MODEL, DAY, DAY).label.tolist() == [0]


def test_labels_that_match_nothing_are_said_at_once_and_until_they_do(bench):
    frame = events(days=1)
    taken = tell(bench, labels(*frame.id))
    assert taken.loaded == 40 and taken.unmatched == 40
    assert taken.examples == tuple(frame.id[:5])
    assert "40 labels have no prediction in the log yet (such as 'v1-2026-03-01-00000'" in str(
        taken
    )
    with bench.store() as store:
        assert store.unmatched_labels(2) == (40, list(frame.id[:2]))
    bench.log(frame.tail(39))
    bench.ingest()
    with bench.store() as store:
        assert store.unmatched_labels() == (1, [frame.id[0]])
    bench.log(frame.head(1))
    bench.ingest()
    with bench.store() as store:
        assert store.unmatched_labels() == (0, [])


def test_a_log_without_labels_has_none_unmatched(bench):
    predict(bench, "a")
    with bench.store() as store:
        assert store.unmatched_labels() == (0, [])


PENDING = f"prediction_id,label,observed_at\na,,{AT}\nb,1,{AT}\nc,  ,\n,,{AT}\n"


def test_an_empty_label_is_not_known_yet_and_no_fault(bench):
    predict(bench, "a", "b", "c")
    taken = tell(bench, PENDING)
    assert taken == Ingested(loaded=1, quarantined=1) and taken.waiting == 2
    assert "2 without a label yet" in str(taken)
    with bench.store() as store:
        assert store.last_quarantined(1).reason[0] == "prediction_id is missing"
    assert tell(bench, f"prediction_id,label,observed_at\na,,{AT}\n", "n.csv") == Ingested()
    assert known(bench) == ["b"]
    assert tell(bench, labels("a"), "then.csv").loaded == 1
    assert known(bench) == ["a", "b"]


def test_a_segment_of_our_own_form_may_hold_labels_that_are_not_known_yet(bench):
    predict(bench, "a", "b")
    folder = bench.data / "spool" / "outcomes"
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(
        f"""COPY (SELECT prediction_id, label::TINYINT AS label, '{AT}'::TIMESTAMPTZ AS observed_at,
                         's' AS source, NULL::TIMESTAMPTZ AS predicted_at
                  FROM (VALUES ('a', NULL), ('b', 1)) AS t(prediction_id, label))
            TO '{folder}/s.parquet' (FORMAT parquet)"""
    )
    with bench.store() as store:
        taken = ingest(store, NOW, "test")
        assert taken == Ingested(loaded=1) and taken.waiting == 1 and not store.quarantine_size()
    assert known(bench) == ["b"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_ids_of_a_table_with_gaps_find_their_predictions_in_any_form(bench, form):
    predict(bench, "4711", "4712")
    frame = pd.DataFrame({"prediction_id": [4711.0, 4712.0], "label": [1.0, None]})
    frame["observed_at"] = AT
    path = bench.root / f"labels.{form}"
    if form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        duckdb.sql(f"COPY frame TO '{path}' (FORMAT parquet)")
    with bench.store() as store:
        taken = ingest_file(store, NOW, "test", path, "outcomes")
    assert taken == Ingested(loaded=1) and taken.waiting == 1
    assert known(bench) == ["4711"]


def test_a_label_that_came_first_finds_a_prediction_under_another_spelling_once(bench):
    tell(bench, labels("4711.0", "9999"))
    with bench.store() as store:
        assert store.unmatched_labels() == (2, ["4711.0", "9999"])
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log([0.5, 0.6], ["2026-03-01T07:00:00Z"] * 2, prediction_id=["4711", "4712"])
    taken = bench.ingest()
    assert taken == Ingested(loaded=2) and "another spelling of their id: 1" in taken.notes[0]
    assert known(bench) == ["4711"]
    predict(bench, "4713")  # the label is loaded once, not each time predictions come
    with bench.store() as store:
        assert store.unmatched_labels() == (1, ["9999"])
        assert store.frame("SELECT count(*) n FROM data_files WHERE kind = 'outcomes'").n[0] == 2
    assert tell(bench, labels("4711.0"), "again.csv") == Ingested(duplicates=1)


def test_a_label_that_came_first_waits_on_where_two_predictions_fit(bench):
    tell(bench, labels("7.00"))
    predict(bench, "7", "7.0")
    assert known(bench) == []
    with bench.store() as store:
        assert store.unmatched_labels() == (1, ["7.00"])


def test_an_ingester_that_is_stopped_before_labels_are_matched_matches_them_next_time(
    bench, monkeypatch
):
    tell(bench, labels("4711.0"))

    def stopped(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(UnmatchedWrites, "labels_spelt_otherwise", stopped)
    with pytest.raises(KeyboardInterrupt):
        predict(bench, "4711")
    monkeypatch.undo()
    assert known(bench) == []
    assert bench.ingest().notes and known(bench) == ["4711"]
    with bench.store() as store:
        batches = store.known_batch()
        assert ingest(store, NOW, "test") == Ingested() and store.known_batch() == batches
