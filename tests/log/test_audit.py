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
        with pytest.raises(StoreError, match="already active"):
            store.activate(NOW, "ana", "m", "v1", "again")
        assert store.verify_audit() == 5
