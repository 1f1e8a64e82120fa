"Whether a version is watched: recorded, read as of a time; what stands so already stays."

from datetime import UTC, datetime, timedelta

import pytest
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError

NOW = datetime(2026, 3, 20, tzinfo=UTC)
LATER = NOW + timedelta(days=5)


@pytest.fixture
def store(bench):
    bench.log(events(days=1, per_day=5))
    bench.ingest(NOW)
    with bench.store() as store:
        yield store


def test_the_switch_counts_from_when_it_was_made(store):
    assert store.not_watched(MODEL, "v1") is None
    store.watch(NOW, "ana", MODEL, "v1", False, "retired")
    store.watch(NOW, "ana", MODEL, "v1", False, "retired")  # given again after a stop
    assert str(store.not_watched(MODEL, "v1")) == "since 20 March 2026, by ana: retired"
    assert store.not_watched(MODEL, "v1", NOW - timedelta(1)) is None
    store.watch(LATER, "ben", MODEL, "v1", True, "back")
    assert store.not_watched(MODEL, "v1") is None
    assert store.not_watched(MODEL, "v1", LATER - timedelta(1)).who == "ana"
    assert store.audit(f"{MODEL}/v1").new.tolist() == ["off", "on"]


def test_what_stands_so_already_is_not_written_again_and_no_version_is_refused(store):
    store.watch(NOW, "ana", MODEL, "v1", True, "x")
    assert store.audit(f"{MODEL}/v1").empty
    with pytest.raises(StoreError, match="has no version 'v2': choose one of v1"):
        store.watch(NOW, "ana", MODEL, "v2", False, "x")
    store.watch(NOW, "ana", MODEL, "v1", False, "retired")
    store.watch(LATER, "ben", MODEL, "v1", False, "old")
    assert str(store.not_watched(MODEL, "v1")) == "since 20 March 2026, by ana: retired"
    assert len(store.audit(f"{MODEL}/v1")) == 1


def test_the_flag_of_version_0_1_is_read(store):
    store.record(NOW, "ana", "monitor", f"{MODEL}/v1", "off", "history")
    assert store.not_watched(MODEL, "v1").why == "history"
    store.watch(LATER, "ben", MODEL, "v1", True, "we look at it after all")
    assert store.not_watched(MODEL, "v1") is None
