"""A training in its own process: the same version, within limits, and nothing half."""

import os
import signal
import subprocess
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import load_settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.lease import training
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models import jobs
from aiops_wb.models.handover import read_trained
from aiops_wb.models.jobs import GRACE, JobLimits, Order, clear_job, train_challenger
from aiops_wb.models.registry import register

NOW = datetime(2026, 3, 30, tzinfo=UTC)
ORDER = Order(
    MODEL, "v2", date(2026, 3, 1), date(2026, 3, 12), NOW, options={"rounds": 5}, unsure="not sure"
)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    "A log of twelve days of two tenants, published."
    bench = Bench(tmp_path_factory.mktemp("log"))
    for tenant, seed in (("default", 0), ("other", 1)):
        frame = events(days=12, per_day=40, seed=seed, version=tenant)
        named = {"tenant": tenant, "threshold": 0, "flush_seconds": None}
        with PredictionLogger(bench.data / "spool", MODEL, "v1", **named) as logger:
            features = frame[["x"]]
            logger.log(frame.score, frame["at"], prediction_id=frame.id, features=features)
        bench.label(frame)
    bench.ingest(NOW)
    bench.publish()
    return bench


@pytest.fixture
def log(published):
    with open_snapshot(published.data) as reader:
        yield reader
    clear_job(published.data, ORDER)


def never(*_, **__):
    raise AssertionError("no process is needed")


def test_a_process_of_its_own_trains_the_very_same_version(log, published, monkeypatch, tmp_path):
    monkeypatch.setenv("AIOPS_NONSENSE", "what is no setting is not seen there")
    here, apart = (train_challenger(log, ORDER, "ana", limits) for limits in (None, JobLimits()))
    (ours, our_days), (theirs, their_days) = here, apart
    assert ours.booster.save_raw("ubj") == theirs.booster.save_raw("ubj")
    assert ours.card == theirs.card and our_days == their_days and ours.grid == theirs.grid
    pd.testing.assert_frame_equal(ours.reference, theirs.reference)
    assert ours.card["labels_unsure"] == "not sure"
    log_of_it = published.data / "training" / MODEL / "v2" / "training.log"
    assert log_of_it.read_text() == "960 rows of 1 features: 0.0 MB as numbers\n"
    with published.copy_to(tmp_path / "copy").store() as store:
        kept = register(store, *apart, NOW, "ana")
        assert kept.card["sha256"] and store.require_whole(MODEL, "v2").path
    # asked again for the same, as after a crash, it is taken as it is; for another it is not
    monkeypatch.setattr(subprocess, "Popen", never)
    again = train_challenger(log, ORDER, "ana", JobLimits())
    assert again[0].card == theirs.card
    with pytest.raises(AssertionError, match="no process"):
        train_challenger(log, Order(**vars(ORDER) | {"unsure": ""}), "ana", JobLimits())


def test_rows_of_tenants_that_are_left_out_are_not_learned_from(log):
    left_out = Order(**vars(ORDER) | {"without": ("other",)})
    both, one = (train_challenger(log, order, "ana")[0].card for order in (ORDER, left_out))
    assert both["rows"] == 2 * one["rows"] > 0


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (JobLimits(minutes=1e-6), r"was ended after 1e-06 minutes \(retrain_minutes\)"),
        (
            JobLimits(memory=1),
            r"was ended when it took \d+ MB of memory, more than 1 \(retrain_memory\)",
        ),
    ],
)
def test_too_long_or_too_large_a_training_is_ended(log, published, limits, says):
    with pytest.raises(StoreError, match=f"the training of late v2 {says}; its log is .*log"):
        train_challenger(log, ORDER, "ana", limits)
    folder = published.data / "training" / MODEL / "v2"
    assert read_trained(folder) is None and (folder / "training.log").exists()
    with training(published.data, "bob") as free:
        assert free.took_over == "", "the lease was given back"


def test_a_killed_process_leaves_nothing_that_is_taken_for_a_version(log, published, monkeypatch):
    monkeypatch.setattr(jobs, "memory_of", lambda pid: os.kill(pid, signal.SIGKILL) or 0)
    with pytest.raises(StoreError, match="was killed by signal 9; its log is"):
        train_challenger(log, ORDER, "ana", JobLimits())
    assert read_trained(published.data / "training" / MODEL / "v2") is None


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({"refused.txt": "late: too few."}, r"^late: too few\.$"),
        ({"training.log": "Traceback\nMemoryError: 3 GB\n"}, r"failed \(MemoryError: 3 GB\); its"),
        ({"training.log": ""}, r"failed \(it said nothing\); its log is"),
    ],
)
def test_why_there_is_no_version_is_said_in_a_sentence(log, monkeypatch, left, says):
    def ended(folder, _):
        for name, text in left.items():
            (folder / name).write_text(text)
        return ""

    monkeypatch.setattr(jobs, "_ended", ended)
    with pytest.raises(StoreError, match=says):
        train_challenger(log, ORDER, "ana", JobLimits())


def test_the_lease_lasts_as_long_as_the_training_may(log, published, monkeypatch):
    asked = []

    def apart(root, *_):
        with pytest.raises(Busy, match="by ana"):
            train_challenger(log, ORDER, "bob")
        asked.append(jobs.training.__name__)
        return "done"

    leases = []
    real = jobs.training
    monkeypatch.setattr(jobs, "training", lambda *a, **k: leases.append(k) or real(*a, **k))
    monkeypatch.setattr(jobs, "_apart", apart)
    assert train_challenger(log, ORDER, "ana", JobLimits(minutes=2)) == "done"
    assert leases[0] == {"seconds": 120 + GRACE} and len(asked) == 1


def test_an_order_survives_its_file_and_limits_are_those_that_are_set():
    order = Order(**vars(ORDER) | {"without": ("a", "b"), "options": {"propensity": "p"}})
    assert Order.parse(order.as_json()) == order
    limits = JobLimits.of(load_settings(retrain_minutes=7, retrain_memory=123))
    assert (limits.minutes, limits.memory) == (7, 123)
    assert JobLimits.of(load_settings()).memory > 500
