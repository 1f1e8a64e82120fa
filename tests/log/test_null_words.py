"Words for a missing value are a setting, and mean the same on every road into the log."

import json
from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pytest

from aiops_wb.config import NULL_WORDS, Settings, SettingsError, load_settings
from aiops_wb.log.ingest import ingest, ingest_file
from aiops_wb.log.published import read_null_words, read_schema
from aiops_wb.log.reading import ReadOptions
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.log.values import NULL_TEXTS
from aiops_wb.log.values import NULL_WORDS as ALL_WORDS

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SET = {"model": "m", "version": "1", "threshold": "0.5"}
AT = "2026-11-02T07:00:00Z"
OURS = ReadOptions(null_words=("unknown", "k.a.", "n/a"))


def deliver(root, ending, cells, options=OURS, prefix="A"):
    "Ingest a file of one feature, `x`; what is logged of it, and how much was unreadable."
    path = root / f"{prefix}.{ending}"
    rows = [
        {"prediction_id": f"{prefix}{i}", "predicted_at": AT, "score": 0.2, "x": cell}
        for i, cell in enumerate(cells)
    ]
    if ending == "csv":
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        (root / "rows.json").write_text(json.dumps(rows))
        read = (
            f"SELECT * REPLACE (predicted_at::TIMESTAMPTZ AS predicted_at) FROM '{root}/rows.json'"
        )
        duckdb.sql(f"COPY ({read}) TO '{path}'")
    with open_store(root / "data", "ana") as store:
        taken = ingest_file(store, NOW, "ana", path, "predictions", None, SET, options)
        store.publish()
        return logged(store), taken.unreadable


def logged(store):
    day = date(2026, 11, 2)
    found = store.rows("m", day, day).sort_values("prediction_id")["feature:x"]
    return [None if pd.isna(value) else value for value in found]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_word_that_is_set_is_missing_in_every_kind_of_file(tmp_path, ending):
    assert deliver(tmp_path, ending, ["5", " Unknown", "K.A.", "6.5"]) == ([5, None, None, 6.5], 0)
    with open_store(tmp_path / "data", "ana") as store:
        assert store.feature_kinds("m") == {"x": "number"}
        store.set_feature(NOW, "ana", "m", "x", "number", "it is")
        trail = store.audit("the log")
        assert trail.what.tolist() == ["null words"] and store.verify_audit() == 2
    found, unreadable = deliver(tmp_path, ending, ["unknown", "none", "7"], prefix="B")
    assert found[4:] == [None, None, 7] and unreadable == 1, "none is no such word here"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_words_count_from_then_on_and_a_caller_without_words_keeps_them(tmp_path, ending):
    assert deliver(tmp_path, ending, ["5", "unknown"], None)[0] == ["5", "unknown"]
    deliver(tmp_path, ending, ["true", "unknown", "FALSE"], OURS, prefix="B")
    with open_store(tmp_path / "data", "ana") as store:
        store.set_feature(NOW, "ana", "m", "x", "number", "it is")
        assert logged(store) == [5, None, 1, None, 0]
    assert deliver(tmp_path, ending, ["unknown"], None, prefix="C")[1] == 0
    assert deliver(tmp_path, ending, ["unknown"], ReadOptions(null_words=NULL_WORDS), "D")[1] == 1


def test_texts_keep_their_words(tmp_path):
    found = deliver(tmp_path, "csv", ["A3", "unknown", "NA", "NULL"])[0]
    assert found == ["A3", "unknown", "NA", None]


@pytest.mark.parametrize("together", [True, False])
def test_a_logger_writes_numbers_where_the_words_are_published(tmp_path, together):
    deliver(tmp_path, "csv", ["5", "unknown"])
    spool = tmp_path / "data" / "spool"
    assert read_null_words(spool, "m") == []
    with open_store(tmp_path / "data", "ana") as store:
        store.set_feature(NOW, "ana", "m", "x", "number", "it is")
    assert read_schema(spool, "m") == {"x": "number"}
    assert set(read_null_words(spool, "m")) == {"", "unknown", "k.a.", "n/a"}
    values = [7, "Unknown ", "k.a.", 8.5]
    with PredictionLogger(spool, "m", "1", threshold=0, flush_seconds=None) as log:
        ids = [f"L{i}" for i in range(4)]
        if together:
            log.log([0.2] * 4, [AT] * 4, prediction_id=ids, features={"x": values})
        else:
            for one, value in zip(ids, values):
                log.log(0.2, AT, prediction_id=one, features={"x": value})
    (segment,) = (spool / "predictions").glob("*.parquet")
    assert duckdb.sql(f"SELECT features.x FROM '{segment}'").types == ["DOUBLE"]
    with open_store(tmp_path / "data", "ana") as store:
        assert ingest(store, NOW, "ana").unreadable == 0
        assert logged(store) == [5, None, 7, None, None, 8.5]


def test_what_a_logger_writes_without_a_schema_is_read_with_the_words(tmp_path):
    deliver(tmp_path, "csv", ["5", "unknown"])
    spool = tmp_path / "data" / "spool"
    with PredictionLogger(spool, "m", "1", threshold=0, flush_seconds=None) as log:
        log.log([0.2] * 2, [AT] * 2, prediction_id=["L0", "L1"], features={"x": ["unknown", "7"]})
    with open_store(tmp_path / "data", "ana") as store:
        ingest(store, NOW, "ana")
        assert logged(store) == [5, None, None, 7]


def test_the_words_of_before_are_the_default():
    assert Settings(config="no file").null_words == NULL_WORDS
    assert ALL_WORDS == NULL_TEXTS | {"na", "none", "nil", "-", "--", ".", "?"} == {"", *NULL_WORDS}
    assert load_settings(config="no file", null_words=[" K.A.", "k.a."]).null_words == ("k.a.",)


def test_a_variable_that_is_no_list_is_told_how_one_is_written(monkeypatch):
    monkeypatch.setenv("AIOPS_NULL_WORDS", "unknown")
    with pytest.raises(SettingsError, match='AIOPS_NULL_WORDS.*such as ."n/a", '):
        load_settings(config="no file")
    monkeypatch.setenv("AIOPS_NULL_WORDS", '["unknown"]')
    assert load_settings(config="no file").null_words == ("unknown",)


@pytest.mark.parametrize("word", ["", " ", "-999", "1e3", "TRUE", "inf"])
def test_what_says_something_is_no_such_word(word):
    with pytest.raises(SettingsError, match="null_words.* no word for a missing one"):
        load_settings(config="no file", null_words=["n/a", word])
