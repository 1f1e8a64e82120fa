from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET new = '9' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET evidence = 'x' WHERE seq = 1",
        """INSERT INTO audit
        SELECT 5, changed_at, who, what, subject, old, new, why, evidence, hash
        FROM audit WHERE seq = 3""",
    ],
)
def test_a_changed_audit_trail_does_not_verify(bench, change):
    with bench.store() as store:
        for i in range(3):
            store.record(NOW, "ana", "threshold", "m/v1", str(i), "because", {"i": i})
        assert store.verify_audit() == 3
        assert store.audit().old.tolist()[1:] == ["0", "1"]
        store.con.execute(change)
        with pytest.raises(StoreError, match="does not verify"):
            store.verify_audit()


def test_roll_back_is_one_step_and_recorded(bench):
    with bench.store() as store:
        store.add_version(NOW, "ana", "m", "v1", Grid(), "p", {}, 100)
        store.set_threshold(NOW, "ana", "m", "v1", 900, "fewer alerts")
        assert (
            store.threshold("m", "v1") == 900
            and store.threshold("m", "v1", NOW - timedelta(1)) is None
        )
        assert store.roll_back(NOW, "ana", "threshold", "m/v1", "too few") == "100"
        assert store.threshold("m", "v1") == 100
        with pytest.raises(StoreError, match="nothing to roll back"):
            store.roll_back(NOW, "ana", "model", "m", "no")
        with pytest.raises(StoreError, match="never replaced"):
            store.add_version(NOW, "ana", "m", "v1", Grid(), "p", {}, 100)
        with pytest.raises(StoreError, match="choose one of v1"):
            store.activate(NOW, "ana", "m", "v2", "typo")
        store.activate(NOW, "ana", "m", "v1", "go")
        store.activate(NOW, "ben", "m", "v1", "again")  # it is: nothing is written
        assert store.verify_audit() == 5


@pytest.mark.parametrize("together", [False, True], ids=["alone", "in a transaction"])
def test_what_was_changed_is_in_force_at_once(bench, together):
    with bench.store() as store, store.transaction() if together else nullcontext():
        for value in ("on", "off", "on"):
            store.record(NOW, "ana", "watch", "m/v1", value, "because")
            assert store.in_force("watch", "m/v1") == value
    with bench.store() as store:
        assert store.audit().old.tolist()[1:] == ["on", "off"]


def test_a_change_that_was_rolled_back_is_not_in_force(bench):
    with bench.store() as store:
        store.record(NOW, "ana", "watch", "m/v1", "on", "because")
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.record(NOW, "ana", "watch", "m/v1", "off", "because")
            assert store.in_force("watch", "m/v1") == "off"
            1 / 0  # noqa: B018
        assert store.in_force("watch", "m/v1") == "on"
