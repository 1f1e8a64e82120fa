"What is declared about labels that never come: recorded, read as of a time, put back."

from datetime import UTC, datetime, timedelta

import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.log.never import in_percent

NOW = datetime(2026, 3, 20, tzinfo=UTC)
LATER = NOW + timedelta(days=5)


def test_a_declaration_counts_from_when_it_was_made(bench):
    with bench.store() as store:
        assert store.never_labelled("m") is None
        store.declare_never(NOW, "ana", "m", 0.2, "cancelled flights")
        store.declare_never(LATER, "ben", "m", 0.125, "by last year's statistics")
        assert store.never_labelled("m", NOW - timedelta(1)) is None
        assert store.never_labelled("other") is None
        first, stands = store.never_labelled("m", LATER - timedelta(1)), store.never_labelled("m")
        assert (first.share, first.who, first.since) == (0.2, "ana", NOW)
        assert (stands.share, stands.why) == (0.125, "by last year's statistics")
        assert str(stands) == "12.5% by ben on 2026-03-25 (by last year's statistics)"
        assert store.verify_audit() == 3


def test_the_first_declaration_can_be_put_back_to_nothing(bench):
    with bench.store() as store:
        store.declare_never(NOW, "ana", "m", 0.2, "cancelled")
        assert store.roll_back(LATER, "ben", "never", "m", "a mistake") == "none"
        assert store.never_labelled("m") is None
        assert store.never_labelled("m", NOW).share == 0.2


def test_what_is_put_back_is_his_who_declared_it(bench):
    with bench.store() as store:
        store.declare_never(NOW, "ana", "m", 0.2, "cancelled")
        store.declare_never(LATER, "ben", "m", 0.5, "a guess")
        store.roll_back(LATER, "cem", "never", "m", "too many")
        stands = store.never_labelled("m")
        assert (stands.share, stands.who, stands.since, stands.why) == (
            0.2,
            "ana",
            NOW,
            "cancelled",
        )
        changes = store.never_changes("m")
        assert changes.new.tolist() == ["none", "0.2", "0.5", "0.2"]
        assert changes.who.tolist() == ["ana", "ana", "ben", "cem"]


def test_the_same_again_is_one_change_and_none_withdraws(bench):
    with bench.store() as store:
        for _ in range(2):
            store.declare_never(NOW, "ana", "m", 0.2, "cancelled")
        assert len(store.never_changes("m")) == 2
        store.declare_never(LATER, "ana", "m", None, "not so sure")
        assert store.never_labelled("m") is None
        store.record(NOW, "ana", "watch", "m", "off", "of another kind")
        assert len(store.never_changes("m")) == 3


@pytest.mark.parametrize("share", [-0.1, 1.0, 20.0, float("nan")])
def test_a_share_lies_below_one(bench, share):
    with bench.store() as store:
        with pytest.raises(StoreError, match="from 0 to below 1"):
            store.declare_never(NOW, "ana", "m", share, "no")
        assert store.never_changes("m").empty


def test_a_declaration_needs_a_reason(bench):
    with bench.store() as store:
        with pytest.raises(StoreError, match="needs a reason"):
            store.declare_never(NOW, "ana", "m", 0.2, " ")
        assert store.never_labelled("m") is None and store.never_changes("m").empty


def test_a_share_is_not_rounded_to_all():
    assert [in_percent(share) for share in (0.29, 0.125, 0.9999999)] == [
        "29%",
        "12.5%",
        "99.99999%",
    ]
