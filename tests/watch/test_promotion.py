"""What changes with a version, for whom, and how often somebody is called."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest
from aiops_wb.models.passed_on import passed_on
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.points import Grid
from aiops_wb.watch.promotion import promote, roll_back, usual_calls

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIRST = date(2026, 2, 1)
T, S, FEW, NOBODY = ("t", None), ("t", "s"), ("few", None), ("nobody", None)


def held_out(store, version, shift, days=4, per_day=500, labelled=0.5):
    "A version whose held-out scores lie somewhere, half of the events with a label."
    rng = np.random.default_rng(len(version) + shift)
    table = {}
    for day in range(days):
        points = rng.normal(shift, 1000, int(per_day * labelled)).astype(int)
        table[FIRST + timedelta(day)] = ScoreCounts.from_events(
            points, rng.integers(0, 2, len(points))
        )
    n = total(table.values()).total[0]
    card = {"held_out_rows": n, "held_out_events": days * per_day, "held_out_days": days}
    card["has_calibration"] = False
    store.add_version(NOW, "ana", MODEL, version, Grid(), "p", card, 400)
    store.add_held_out(MODEL, version, table)
    return total(table.values())


@pytest.fixture
def both(bench):
    with bench.store() as store:
        old, new = held_out(store, "v1", 0), held_out(store, "v2", 500)
        store.promote(NOW, "ana", MODEL, "v1", "first")
        yield store, old, new


def test_thresholds_of_tenants_pass_at_the_same_share_or_are_named(both):
    store, old, new = both
    own = {T: 700, S: 0, FEW: 2400, NOBODY: 5000}
    for scope, points in own.items():
        store.set_own_threshold(NOW, "ana", MODEL, "v1", scope, points, "theirs")
    assert 0 < old.at_or_above(2400)[0] < 30
    done = promote(store, NOW, "ana", MODEL, "v2", "better")
    passed = store.own_thresholds(MODEL, "v2")
    assert passed == done.after.own and passed.keys() == {T, S, NOBODY} and done.lost == {FEW: 2400}
    for scope in (T, S):
        called, before = new.at_or_above(passed[scope])[0], old.at_or_above(own[scope])[0]
        assert called <= before < called + 5, "as large a share, to the next point with an event"
        assert 400 < passed[scope] - own[scope] < 600
    assert new.at_or_above(passed[NOBODY])[0] == 0
    said = "\n".join(done.told())
    assert "tenant few: its own threshold 0.917 (2400 points) is no longer in force" in said
    assert f"site s of tenant t: threshold of its own {Grid().inverse(passed[S]):.3f}" in said
    back = roll_back(store, NOW, "ana", MODEL, "worse")
    assert back.after.own == own and not back.lost, "they are the version's own again"


def test_a_threshold_that_the_version_has_already_stays_its_own(both):
    store, _, _ = both
    store.set_own_threshold(NOW, "ana", MODEL, "v1", T, 700, "theirs")
    store.set_own_threshold(NOW, "ana", MODEL, "v2", T, 123, "beforehand")
    assert passed_on(store, MODEL, store.in_production(MODEL), "v2") == {}
    assert promote(store, NOW, "ana", MODEL, "v2", "better").after.own == {T: 123}


def test_without_held_out_events_no_share_is_known(both):
    store, _, _ = both
    store.set_own_threshold(NOW, "ana", MODEL, "v1", T, 700, "theirs")
    store.add_version(NOW, "ana", MODEL, "bare", Grid(), "p", {}, 400)
    done = promote(store, NOW, "ana", MODEL, "bare", "a trial")
    assert done.lost == {T: 700} and done.calls_after is None
    assert "somebody is called not known how often, before " in "\n".join(done.told())


def test_it_is_told_how_often_somebody_is_called(bench, both):
    store, _, new = both
    frame, cuts = events(days=5, per_day=60), (0.2, 0.4, 0.9, 0.95)
    bench.log(frame)
    ingest(store, NOW, "test")
    done = promote(store, NOW, "ana", MODEL, "v2", "better")
    assert done.calls_before.per_day == (frame.score >= Grid().inverse(400)).sum() / 5
    assert done.calls_before.days == "on 5 of the last 30 days"
    assert done.calls_after.per_day == pytest.approx(new.at_or_above(400)[0] * 2 / 4)
    said = list(done.told())
    assert said[0] == "threshold 0.599 (400 points); with v1 it was 0.599 (400 points)"
    assert said[1] == "calibration none; with v1 it was none"
    assert said[2].startswith("somebody is called ") and "4 held-out days" in said[2]
    store.turn_dial(NOW, "ana", MODEL, False, "fixed cuts")
    asked = store, MODEL, store.standing(MODEL, "v1"), Grid()
    assert usual_calls(*asked, NOW, cuts).per_day == (frame.score >= 0.9).sum() / 5
    early = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert usual_calls(*asked, early, cuts).days == "on 2 of the last 30 days"


def test_nothing_is_written_where_a_promotion_is_refused(both):
    store, _, _ = both
    store.set_own_threshold(NOW, "ana", MODEL, "v1", T, 700, "theirs")
    store.con.execute(
        "DELETE FROM held_out_counts WHERE version = 'v2' AND event_date > '2026-02-01'"
    )
    rows = len(store.audit())
    with pytest.raises(StoreError, match="is not whole"):
        promote(store, NOW, "ana", MODEL, "v2", "better")
    assert len(store.audit()) == rows and store.active_version(MODEL) == "v1"


def test_a_calibration_comes_back_with_its_version_and_is_listed_once(both):
    store, old, _ = both
    made = [certainty({FIRST: old}, FIRST, created_at=NOW) for _ in range(2)]
    first = store.add_calibration(NOW, "ana", MODEL, "v1", made[0], "made")
    promote(store, NOW, "ana", MODEL, "v2", "better")
    later = store.add_calibration(NOW, "ana", MODEL, "v1", made[1], "made again")
    assert store.calibration(MODEL, "v1")[0] == later
    done = roll_back(store, NOW, "ana", MODEL, "worse")
    assert done.after.calibration_id == first == store.calibration(MODEL, "v1")[0]
    listed = store.calibration_list(MODEL, "v1")
    assert sorted(listed.calibration_id) == [first, later] and set(listed.why) == {
        "made",
        "made again",
    }
