"How labels arrive, as it is told of each model."

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.stats.points import Grid
from aiops_wb.watch.arriving import how_labels_arrive

START = date(2026, 2, 23)
pytestmark = pytest.mark.evidence


def told_of(bench, days, delay=None, model=MODEL):
    "What is told of a log whose labels take so many days by score: (delay of high ones, others)."
    frame = events(days=days, per_day=60, seed=3, start=START)
    bench.log(frame)
    last = START + timedelta(days - 1)
    if delay:
        takes = np.where(frame.score >= 0.6, *delay)
        takes = takes + np.random.default_rng(2).integers(0, 3, len(frame))
        known = pd.to_datetime(frame.day).dt.tz_localize("UTC") + pd.to_timedelta(takes, unit="D")
        there = known.dt.date <= last
        bench.label(frame[there], at=known[there])
    bench.ingest(datetime.combine(last, datetime.max.time(), UTC))
    with bench.store() as store:
        return how_labels_arrive(store, model, last, Settings(data=bench.data))


def test_a_log_that_knows(bench):
    told = told_of(bench, 110, (12, 4))
    assert told["by_band"].keys() == {"low", "middle", "high"}
    assert told["by_band"]["high"][7] == 0 and told["by_band"]["low"][7] > 0.98
    assert 0 < told["known_by_age"][7] < 1 and told["known_by_age"][30] > 0.98
    assert told["says"].startswith("labels are complete after 14 days")
    assert (told["age"], told["days"], told["complete_days"]) == (14, 110, 96)
    assert told["newest_complete"] == START + timedelta(95) and told["waits"] == "14 younger days"
    assert told["never"]["value"] == 0 and told["declared"] is None and told["changes"] == []


def test_no_label_one_day(bench):
    told = told_of(bench, 1)
    assert told["says"] == "no label is known yet" and told["age"] is None
    assert told["complete_days"] == 0 and told["newest_complete"] is None
    assert told["waits"].startswith("sets, tickets")
    assert set(told["known_by_age"].values()) <= {0.0} and told["never"] is None


def test_a_model_without_predictions(bench):
    with bench.store() as store:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        store.add_version(at, "ana", "new", "v1", Grid(), "p", {}, 0)
        store.declare_never(at, "ana", "new", 0.1, "by contract")
        told = how_labels_arrive(store, "new", START, Settings(data=bench.data))
        assert told["says"] == "nothing is logged yet" and told["declared"].startswith("10% by ana")
        assert [change["new"] for change in told["changes"]] == ["none", "0.1"]
    assert told.keys() == told_of(bench, 1).keys()


def test_no_more_than_all_labels_are_known_where_all_came_at_once(bench):
    frame = events(days=60, per_day=20, seed=3, start=START)
    bench.log(frame)
    last = START + timedelta(59)
    bench.label(frame, at=datetime.combine(last, datetime.min.time(), UTC))
    bench.ingest(datetime.combine(last, datetime.max.time(), UTC))
    with bench.store() as store:
        told = how_labels_arrive(store, MODEL, last, Settings(data=bench.data))
    # days of age 30 and more had none at 30, but for the one that was 30 days old
    assert told["known_by_age"][30] == pytest.approx(1 / 30)
    assert told["known_by_age"][0] == pytest.approx(1 / 60)
