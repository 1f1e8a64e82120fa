"""One that is none among good ones: the sentence names it, and nothing of the call is logged."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL

from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.stats.counts import ScoreCounts

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAIVE = datetime(2026, 3, 2, 12)
IDS = ["a", "b", "c"]
LABELS = {
    "two": ([0, 2, 1], "label 2 at position 1 is not allowed"),
    "a word": ([0, 1, "x"], "label 'x' at position 2 is not allowed"),
    "a half": (np.array([0.5, 1, 0]), "label 0.5 at position 0 is not allowed"),
    "nothing": ([0, None, 1], "label None at position 1 is not allowed"),
    "unknown": (pd.Series([0, 1, np.nan]), "label nan at position 2 is not allowed"),
    "a table": (np.zeros((3, 1)), "is not allowed: a label is 0 or 1"),
}
OUTCOMES = {
    **{name: ((IDS, label, AT), says) for name, (label, says) in LABELS.items()},
    "an id": ((["a", None, "c"], [0, 1, 1], AT), "prediction_id is missing at position 1"),
    "a length": ((IDS, [0, 1], AT), "3 ids, 2 labels, 3 observed_at"),
    "an hour": ((IDS, [0, 1, 1], [AT, NAIVE, AT]), "an offset (such as 2026-03-02 12:00:00)"),
}


def logged(folder):
    return sum(len(duckdb.read_parquet(str(path))) for path in folder.rglob("*.parquet"))


@pytest.mark.parametrize("name", OUTCOMES)
def test_one_bad_outcome_is_named_and_none_of_its_call_is_logged(tmp_path, name):
    call, says = OUTCOMES[name]
    with OutcomeLogger(tmp_path, "s", flush_seconds=None) as log:
        with pytest.raises(ValueError) as refused:
            log.log(*call)
        log.log(["d"], [1], AT)
    assert says in str(refused.value) and "np." not in str(refused.value)[:60]
    assert logged(tmp_path) == 1


PREDICTIONS = {
    "above one": ({"score": [0.5, 1.5, 0.2]}, "score 1.5 at position 1 is not allowed (1 of 3 are"),
    "unknown": ({"score": [0.5, 0.1, np.nan]}, "score nan at position 2 is not allowed"),
    "a word": ({"score": [0.5, "x", 0.2]}, "is not a number, nor a column of numbers"),
    "an hour": ({"at": [AT, AT, NAIVE]}, "without an offset (such as 2026-03-02 12:00:00)"),
    "no hour": ({"at": [AT, None, AT]}, "predicted_at is missing at position 1"),
    "a day": ({"at": [AT, datetime(1800, 1, 1, tzinfo=UTC), AT]}, "1900 and 2200"),
    "a row": ({"at": [AT] * 3, "features": pd.DataFrame({"x": [1, 2]})}, "different lengths"),
    "a latency": ({"latency_ms": [1, -1, 2]}, "latency_ms must be numbers of at least 0"),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_one_bad_prediction_is_named_and_none_of_its_call_is_logged(tmp_path, name):
    change, says = PREDICTIONS[name]
    call = {"score": [0.5, 0.1, 0.2], "at": [AT] * 3} | change
    with PredictionLogger(tmp_path, MODEL, "v1", threshold=0, flush_seconds=None) as log:
        with pytest.raises(ValueError) as refused:
            log.log(call.pop("score"), call.pop("at"), **call)
        log.log([0.5], [AT])
    assert says in str(refused.value) and logged(tmp_path) == 1


@pytest.mark.parametrize("label", [2, 0.5, -1])
def test_counts_take_labels_that_are_0_1_or_missing(label):
    with pytest.raises(ValueError, match="labels must be 0, 1 or missing"):
        ScoreCounts.from_events([1, 2, 3], [0, label, 1])
    assert ScoreCounts.from_events([1, 2, 3], [0, np.nan, 1]).total == (3, 2, 1)
