"""Snapshots: opened once, given up when a newer one is published, never in the writer's way."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import MODEL
from serving import NOW, app_of, client_of, copy, settings

from aiops_wb.api.desk import MOST_KEPT, MOST_LISTS, Snapshots
from aiops_wb.api.problems import Problem
from aiops_wb.log.errors import StoreError


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("snapshots") / "bench")


def publish(bench, keep=1):
    with bench.store() as store:
        return store.publish(keep)


def open_files(bench):
    "Snapshots of a bench that this process has open."
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return [path for path in found if path.startswith(str(bench.data / "snapshots"))]


def test_one_is_open_however_many_were_published(bench):
    snapshots = Snapshots(bench.data)
    seen = set()
    for _ in range(3):
        publish(bench)
        for _ in range(3):
            with snapshots.newest() as one, one.reading() as log:
                seen.add(one.name)
                assert log.models()
            with one.view(MODEL, NOW, settings(bench)) as view:
                assert view.threshold
        assert len({path for path in open_files(bench)}) == 1
    assert len(seen) == 3
    snapshots.close()
    assert not open_files(bench)


def test_what_was_removed_stays_readable_to_whoever_reads_it(bench):
    snapshots = Snapshots(bench.data)
    with snapshots.newest() as old:
        publish(bench)
        with snapshots.newest() as new:
            assert new.name != old.name and not (bench.data / old.name).exists()
            with old.reading() as log, new.reading() as other:
                assert log.audit_head() == other.audit_head()
    assert len(set(open_files(bench))) == 1
    snapshots.close()


def test_one_who_is_done_takes_it_from_nobody_else(bench):
    snapshots = Snapshots(bench.data)
    with snapshots.newest() as old:
        with snapshots.newest() as same:
            assert same is old
            publish(bench)
            with snapshots.newest() as new:
                assert new is not old and old.retired
        with old.reading() as log:
            assert log.models()
    assert len(set(open_files(bench))) == 1
    snapshots.close()


def test_an_answer_is_made_once_for_all_who_ask(bench):
    snapshots, made = Snapshots(bench.data), []

    def ask(_):
        with snapshots.newest() as one:
            return one.answer("slow", lambda log: made.append(log.known_batch()) or len(made))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {1}
    with snapshots.newest() as one:
        with pytest.raises(ZeroDivisionError):
            one.answer("wrong", lambda log: 1 / 0)
        assert one.answer("wrong", lambda log: "right") == "right"  # a failure is not kept
        for i in range(2 * MOST_KEPT):
            one.answer(i, lambda log: 0)
        assert one.known("slow") is None and len(one._slots) == MOST_KEPT
    snapshots.close()


def test_where_nothing_is_published_that_is_said(tmp_path):
    with pytest.raises(Problem) as told, Snapshots(tmp_path).newest():
        pass
    assert told.value.status == 503 and "aiops-wb ingest" in told.value.detail


def test_a_damaged_snapshot_is_a_sentence_and_the_next_one_is_served(tmp_path):
    bench = copy(tmp_path / "bench")
    (bench.data / "aiops.duckdb").resolve().write_bytes(b"no database")
    with client_of(app_of(bench)) as client:
        answer = client.get("/thresholds")
        assert answer.status_code == 503 and answer.headers["retry-after"]
        publish(bench)
        assert client.get("/thresholds").status_code == 200


def test_views_that_were_given_up_take_their_readers_with_them(tmp_path):
    bench = copy(tmp_path / "bench")
    snapshots, of = Snapshots(bench.data), settings(bench)
    with snapshots.newest() as one:
        for _ in range(3):
            with one.view(MODEL, NOW, of) as view:
                assert view.threshold and view.reader in one._lasting
            del view
            one._slots.clear()  # as many other questions do
            with pytest.raises(StoreError), one.view("nobody", NOW, of):
                pass
        gc.collect()
        assert len(one._lasting) == 0
        for i in range(2 * MOST_LISTS):
            assert one.rows(i, lambda log: [0]) == [0]
        assert len(one._lists) == MOST_LISTS
    snapshots.close()
