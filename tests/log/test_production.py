"""What was in production at any time: the view, the aliases and the trail say the same."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("v1", "v2", "v3")


@pytest.fixture
def store(bench):
    with bench.store() as opened:
        for name in NAMES:
            opened.add_version(NOW - HOUR, "ana", MODEL, name, Grid(), "p", {}, 100)
        yield opened


def at(hours):
    return NOW + hours * HOUR


def test_champion_previous_and_challengers_at_any_time(store):
    assert store.in_production(MODEL) is None and store.previous(MODEL) is None
    store.promote(at(0), "ana", MODEL, "v1", "first")
    store.shadow(at(1), "ana", MODEL, "v2", "a trial")
    store.shadow(at(2), "ana", MODEL, "v3", "another")
    assert store.challengers(MODEL) == ["v3", "v2"] and store.challenger(MODEL) == "v3"
    assert store.shadow_since(MODEL, "v2") == at(1) and store.shadow_since(MODEL, "v1") is None
    store.promote(at(3), "ana", MODEL, "v2", "better")
    assert store.challengers(MODEL) == ["v3"], "a promotion ends the shadow of what it promotes"
    store.end_shadow(at(4), "ana", MODEL, "v3", "no better")
    assert store.challenger(MODEL) is None and store.previous(MODEL) == "v1"
    then = [
        (store.active_version(MODEL, t), store.challengers(MODEL, t)) for t in map(at, range(5))
    ]
    assert then[:3] == [("v1", []), ("v1", ["v2"]), ("v1", ["v3", "v2"])]
    assert then[3:] == [("v2", ["v3"]), ("v2", [])]
    assert store.previous(MODEL, at(2)) is None and store.previous(MODEL, at(3)) == "v1"
    assert store.challengers("another") == []


def test_who_cannot_be_in_the_shadow(store):
    shadow = lambda version, why="try": store.shadow(NOW, "ana", MODEL, version, why)
    with pytest.raises(StoreError, match="no champion yet"):
        shadow("v2")
    store.promote(NOW, "ana", MODEL, "v1", "first")
    store.add_version(NOW, "ana", MODEL, "elsewhere", Grid(), "", {}, 100)
    store.add_version(NOW, "ana", MODEL, "lost", Grid(), "gone", {"sha256": "1"}, 100)
    for version, says in {
        "v1": "is the champion",
        "v9": "choose one of",
        "elsewhere": "without a model file",
        "lost": "is not whole",
    }.items():
        with pytest.raises(StoreError, match=says):
            shadow(version)
    shadow("v2")
    shadow("v2")  # the same, once more: a command that was stopped after its work
    shadow("v2", "for another reason")
    store.end_shadow(NOW, "ana", MODEL, "v2", "enough")
    store.end_shadow(NOW, "ana", MODEL, "v2", "enough")
    with pytest.raises(StoreError, match="v3 is in no shadow: no version is"):
        store.end_shadow(NOW, "ana", MODEL, "v3", "enough")
    assert len(store.audit(f"{MODEL}/v2").query("what == 'challenger'")) == 2


def test_a_version_comes_back_with_what_it_had(store):
    store.promote(at(0), "ana", MODEL, "v1", "first")
    store.set_threshold(at(1), "ana", MODEL, "v1", 700, "fewer")
    store.set_own_threshold(at(1), "ana", MODEL, "v1", ("t", None), 900, "one tenant")
    store.record(at(1), "ana", "calibration", f"{MODEL}/v1", "v1/1", "made")
    stood = store.in_production(MODEL)
    store.promote(at(2), "ana", MODEL, "v2", "better", {"verdict": "won"}, {("t", None): 800})
    assert store.own_thresholds(MODEL, "v2") == {("t", None): 800}
    store.set_threshold(at(3), "ana", MODEL, "v1", -100, "a mistake, while it decides nothing")
    store.set_own_threshold(at(3), "ana", MODEL, "v1", ("t", None), None, "not its own")
    store.set_own_threshold(at(3), "ana", MODEL, "v1", ("t", "s"), 5, "a site")
    store.record(at(3), "ana", "calibration", f"{MODEL}/v1", "v1/2", "made")
    store.shadow(at(3), "ana", MODEL, "v1", "how it would do")
    assert store.roll_back(at(4), "ana", "model", MODEL, "worse") == "v1"
    assert store.in_production(MODEL) == stood and store.challengers(MODEL) == []
    rows = len(store.audit())
    assert store.roll_back(at(4), "ana", "model", MODEL, "worse") == "v1"  # given once more
    assert len(store.audit()) == rows
    with pytest.raises(StoreError, match="nothing to roll back"):
        store.roll_back(at(5), "ben", "model", MODEL, "and once more")
    told = [json.loads(x) for x in store.audit(MODEL).evidence]
    assert told[1]["verdict"] == "won" and told[1]["stood"] == stood.as_evidence()
    assert told[2]["rolled_back"] and told[2]["stands"] == stood.as_evidence()
    assert told[2]["stood"]["version"] == "v2" and store.verify_audit()


def test_what_a_version_got_first_after_it_was_replaced_stays(store):
    store.promote(at(0), "ana", MODEL, "v1", "first")
    store.promote(at(1), "ana", MODEL, "v2", "better")
    store.record(at(2), "ana", "calibration", f"{MODEL}/v1", "v1/1", "its first")
    store.roll_back(at(3), "ana", "model", MODEL, "worse")
    assert store.in_production(MODEL).calibration_id == "v1/1"


def test_a_version_that_lost_its_file_does_not_come_back(bench, store):
    (bench.data / "f").write_bytes(b"a model")
    store.add_version(NOW, "ana", MODEL, "v4", Grid(), "f", {}, 100)
    store.promote(at(0), "ana", MODEL, "v4", "first")
    store.promote(at(1), "ana", MODEL, "v1", "better")
    store.con.execute("UPDATE models SET state = '{\"sha256\": \"0\"}' WHERE version = 'v4'")
    with pytest.raises(StoreError, match="v4 is not whole"):
        store.roll_back(at(2), "ana", "model", MODEL, "worse")
    assert store.active_version(MODEL) == "v1"


def test_a_second_going_back_goes_further_back(store):
    for hours, name in enumerate(NAMES):
        store.promote(at(hours), "ana", MODEL, name, "better")
    assert store.roll_back(at(3), "ana", "model", MODEL, "worse") == "v2"
    assert store.previous(MODEL) == "v1", "not v3, which was no good"
    assert store.roll_back(at(4), "ana", "model", MODEL, "worse as well") == "v1"
    store.promote(at(5), "ana", MODEL, "v3", "repaired")
    assert store.previous(MODEL) == "v1" and store.previous(MODEL, at(2)) == "v2"


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["promote", "threshold", "calibrate", "rollback", "shadow", "end"]),
        st.sampled_from(NAMES),
        st.integers(-3, 3),
        st.integers(0, 2),  # hours since the act before: two may come at one time
    ),
    max_size=14,
)


def acted(store, model, acts):
    "Do what is allowed of some acts; the times of all."
    now, times = NOW, [NOW]
    for number, (act, version, value, hours) in enumerate(acts):
        now, why = now + hours * HOUR, f"act {number}"
        subject = f"{model}/{version}"
        try:
            if act == "promote":
                store.promote(now, "ana", model, version, why)
            elif act == "threshold":
                store.set_threshold(now, "ana", model, version, 100 * value, why)
            elif act == "calibrate":
                store.record(now, "ana", "calibration", subject, f"{subject}/{number}", why)
            elif act == "rollback":
                store.roll_back(now, "ana", "model", model, why)
            elif act == "shadow":
                store.shadow(now, "ana", model, version, why)
            else:
                store.end_shadow(now, "ana", model, version, why)
        except StoreError as refused:
            said = str(refused)
            assert any(s in said for s in ("nothing", "no ", "the champion")), said
        times.append(now)
    return times


def span_at(spans, when):
    "The one span that a time lies in, None before the first."
    lies = (spans.since <= when) & (spans.until.isna() | (when < spans.until))
    assert lies.sum() <= 1
    return spans[lies].iloc[0] if lies.any() else None


def agrees(store, model, spans, when):
    "Whether the view says of a time what the trail says."
    version, span = store.active_version(model, when), span_at(spans, when)
    if version is None:
        return span is None
    stands = store.in_production(model, when)
    calibration = None if pd.isna(span.calibration_id) else span.calibration_id
    shadows = store.challengers(model, when)
    assert version not in shadows and version != store.previous(model, when)
    return (version, stands.threshold, stands.calibration_id) == (
        span.version,
        span.threshold,
        calibration,
    )


def test_the_view_agrees_with_the_trail_at_any_time(bench):
    with bench.store() as store:

        @examples(max_examples=15)
        @given(ACTS, st.lists(st.integers(-60, 30 * 60), max_size=5))
        def agree(acts, minutes):
            model = f"m{len(store.models())}"
            with store.transaction():
                for name in NAMES:
                    store.add_version(NOW - HOUR, "ana", model, name, Grid(), "p", {}, 100)
                times = acted(store, model, acts)
            spans = store.production(model)
            asked = [*times, *(NOW + timedelta(minutes=m) for m in minutes)]
            assert all(agrees(store, model, spans, when) for when in asked)
            half = times[len(times) // 2]
            known = store.production(model, half)
            assert agrees(store, model, known, half)
            assert not len(known) or (known.since <= half).all() and known.until.isna().sum() == 1

        agree()
        assert len(store.models()) >= 15


def test_one_query_answers_what_was_in_production(bench):
    with bench.store() as store:
        store.add_version(NOW, "ana", MODEL, "v1", Grid(), "p", {}, 405)
        store.add_version(NOW, "ana", "z", "v1", Grid("linear"), "p", {}, 3000)
        store.promote(at(0), "ana", MODEL, "v1", "first")
        store.promote(at(0), "ana", "z", "v1", "first")
        store.set_threshold(at(2), "ana", MODEL, "v1", 0, "more")
        store.publish()
    with open_snapshot(bench.data) as log:
        found = log.frame(
            """SELECT version, threshold, round(probability, 3) AS p FROM production
            WHERE model = $model AND since <= $at AND ($at < until OR until IS NULL)""",
            {"model": MODEL, "at": at(1)},
        )
        assert found.to_dict("records") == [{"version": "v1", "threshold": 405, "p": 0.6}]
        assert log.production(MODEL).until.tolist()[0] == at(2)
        assert log.production("z").probability.isna().all()
