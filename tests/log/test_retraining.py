"""What people say of retraining, as known at each time."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aiops_wb.log.errors import StoreError

NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 19)


def test_what_stands_is_known_as_of_each_time(bench):
    later = NOW + timedelta(1)
    with bench.store() as store:
        assert store.retraining_flag("m") is None and store.retraining_stopped() is None
        assert store.tenants_left_out("m") == () and store.activated_at("m") is None
        store.let_retrain(NOW, "ana", "m", True, "spring")
        store.let_retrain(NOW, "ana", "m", False, "a contract", tenant="north")
        store.let_retrain(NOW, "ana", "m/x", False, "another model", tenant="south")
        store.stop_retraining(NOW, "bob", "a move")
        store.let_retrain(later, "ana", "m", True, "a new contract", tenant="north")
        store.stop_retraining(later, "bob", "moved", stopped=False)
        assert store.retraining_flag("m") and store.retraining_flag("m", NOW - timedelta(1)) is None
        assert store.tenants_left_out("m") == () and store.tenants_left_out("m", NOW) == ("north",)
        stopped = store.retraining_stopped(NOW)
        assert str(stopped) == "since 20 March 2026, by bob: a move"
        assert store.retraining_stopped() is None
        with pytest.raises(StoreError, match="needs a reason"):
            store.stop_retraining(later, "bob", " ")


def test_an_approval_is_of_one_day_and_one_severity(bench):
    with bench.store() as store:
        store.approve_retraining(NOW, "ana", "m", DAY, "critical", "the feed is right")
        rows = len(store.audit())
        store.approve_retraining(NOW, "ana", "m", DAY, "critical", "the feed is right")
        assert len(store.audit()) == rows, "the same word again is no further one"
        said = store.retraining_approved("m", DAY, "critical")
        assert (said.who, said.why) == ("ana", "the feed is right")
        for model, day, severity in (
            ("other", DAY, "critical"),
            ("m", DAY + timedelta(1), "critical"),
            ("m", DAY, "high"),
        ):
            assert store.retraining_approved(model, day, severity) is None


def test_the_champion_is_as_old_as_its_activation_or_its_return(bench):
    with bench.store() as store:
        for hours, version in enumerate(("v1", "v2", "v1")):
            store.record(NOW + timedelta(hours=hours), "ana", "model", "m", version, "a trial")
        assert store.activated_at("m") == NOW + timedelta(hours=2)
        assert store.activated_at("m", NOW + timedelta(hours=1)) == NOW + timedelta(hours=1)
