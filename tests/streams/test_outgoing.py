"""What happens goes out: each thing once, in order, at least once, to each place of its own."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from conftest import MODEL
from happening import NOW, alarm, change, ids_by_hand, morning, predict, settings_of
from receivers import free_port, hearing_server

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.outbox import Outbox
from aiops_wb.streams.outgoing import not_taken, receivers, send_events


def told(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ids(events):
    return [one["id"] for one in events]


def a_busy_week(bench, *to):
    "Mornings on which everything happens that is told; what was said."
    said = morning(bench, 0, *to)
    predict(bench, 1, "guard", "HIGH")
    predict(bench, 1, "clerk", "CRITICAL")
    alarm(bench, 1)
    said += morning(bench, 1, *to)
    predict(bench, 1, "guard", "CRITICAL", hours=1)
    alarm(bench, 2, "high")
    change(bench, 2)
    with bench.store() as store:
        case = store.handled_cases().set_index("entity_id").case_id
        store.acknowledge(NOW + timedelta(2), "ana", [case["guard"], "D-1"], "I look")
        store.close_cases(NOW + timedelta(2), "ana", [case["clerk"]], "done", "confirmed")
        store.publish()
    said += morning(bench, 2, *to)
    alarm(bench, 3, "high", "closed")
    alarm(bench, 3, "high")
    alarm(bench, 4, "high", "closed")
    said += morning(bench, 4, *to)
    return said


def test_each_thing_is_told_once_however_many_mornings_there_are(bench, tmp_path):
    out = tmp_path / "out" / "events.jsonl"
    to = f"file:{out}"
    predict(bench, 0, "old")
    bench.ingest(NOW)
    bench.publish()
    with open_snapshot(bench.data) as log:
        past = log.so_far().trail
    a_busy_week(bench, to)
    events = told(out)
    for n in (4, 5, 6):
        morning(bench, n, to)
    assert told(out) == events
    with open_snapshot(bench.data) as log:
        assert sorted(ids(events)) == sorted(ids_by_hand(log, past))
        trail = [one["data"]["seq"] for one in events if one["id"].startswith("trail")]
        assert trail == sorted(trail)
    assert [one["time"] for one in events] == sorted(one["time"] for one in events)
    assert {one["type"] for one in events} >= {
        f"aiops_wb.{what}"
        for what in (
            *("case.opened", "case.updated", "case.acknowledged", "case.closed"),
            *("alarm.opened", "alarm.graver", "alarm.acknowledged", "alarm.closed"),
            "watch.changed",
        )
    }
    assert len({one["source"] for one in events}) == 1


def test_a_case_is_one_subject_from_its_opening_to_its_end(bench, tmp_path):
    out = tmp_path / "events.jsonl"
    a_busy_week(bench, f"file:{out}")
    cases = [one for one in told(out) if one["type"].startswith("aiops_wb.case")]
    opened = {one["subject"] for one in cases if one["type"] == "aiops_wb.case.opened"}
    assert {one["subject"] for one in cases} == opened == {one["data"]["case_id"] for one in cases}


def test_a_new_place_hears_of_nothing_old_and_of_all_that_comes(bench, tmp_path):
    a_busy_week(bench)
    late, out = tmp_path / "late.jsonl", f"file:{tmp_path / 'late.jsonl'}"
    predict(bench, 5, "new")  # handed in before the place is known, and taken in after that
    morning(bench, 5, out)
    assert [one["type"] for one in told(late)] == ["aiops_wb.case.opened"]
    change(bench, 6, new="off")
    morning(bench, 6, out)
    assert [one["type"] for one in told(late)[1:]] == ["aiops_wb.watch.changed"]


def test_a_place_that_was_down_for_three_mornings_gets_all_in_order(bench, tmp_path):
    out = tmp_path / "events.jsonl"
    with hearing_server() as server:
        places = f"http://127.0.0.1:{server.server_port}/in", f"file:{out}"
        morning(bench, 0, *places)
        server.usual, before = 503, len(server.heard)
        for n in (1, 2, 3):
            predict(bench, n, f"one {n}")
            change(bench, n, new=str(n))
            said = morning(bench, n, *places)
            assert any("events for http://127.0.0.1" in one and "503" in one for one in said)
        file = told(out)  # which waits for nobody
        assert len(file) == 6
        (failed,) = waiting(bench, 3, *places)
        assert failed["waiting"] == 6 and failed["times"] == 3 and "503" in failed["why"]
        server.usual = 204
        n = len(server.heard)
        morning(bench, 4, *places)
        assert [json.loads(body)["id"] for _, body in server.heard[n:]] == ids(file)
        assert not waiting(bench, 4, *places) and before == 0
        morning(bench, 5, *places)
        assert len(server.heard) == n + 6


def waiting(bench, n, *to):
    with open_snapshot(bench.data) as log:
        return not_taken(bench.data, settings_of(bench, *to), log, NOW + timedelta(n))


def test_a_place_that_failed_is_left_alone_for_a_while_unless_asked(bench):
    with hearing_server() as server:
        to = settings_of(bench, f"http://127.0.0.1:{server.server_port}/in")
        morning(bench, 0, *to.events_to)
        change(bench, 1)
        server.usual = 404
        first = send_events(bench.data, to, NOW + timedelta(1))
        n = len(server.heard)
        soon = NOW + timedelta(1, minutes=5)
        again = send_events(bench.data, to, soon)
        assert len(server.heard) == n == 1 and "404" in first[0] and "not tried again" in again[0]
        server.usual = 204
        assert send_events(bench.data, to, soon, resting=False) == []
        assert len(server.heard) == 2


def test_an_event_that_is_refused_for_itself_holds_up_no_other_and_is_given_up_at_last(bench):
    with hearing_server() as server:
        to = f"http://127.0.0.1:{server.server_port}/in"
        morning(bench, 0, to)
        for n in range(3):
            change(bench, 1, new=str(n))
        server.answers = [413]
        said = morning(bench, 1, to)
        assert any("2 taken" in one for one in said)
        assert any(one.startswith("1 event for ") and "413" in one for one in said), said
        assert len(server.heard) == 3
        assert waiting(bench, 1, to)[0]["waiting"] == 1
        for n in (3, 9):
            server.answers = [413]
            morning(bench, n, to)
        heard = [json.loads(body)["id"] for _, body in server.heard]
        assert heard[3:] == [heard[0]] * 2
        morning(bench, 10, to)
        assert len(server.heard) == 5 and not waiting(bench, 10, to)


def test_a_server_that_refuses_everything_is_not_asked_for_each(bench):
    with hearing_server() as server:
        to = f"http://127.0.0.1:{server.server_port}/in"
        morning(bench, 0, to)
        for n in range(9):
            change(bench, 1, new=str(n))
        server.usual = 400
        morning(bench, 1, to)
        assert len(server.heard) == 3 and waiting(bench, 1, to)[0]["waiting"] == 9


def test_nobody_who_fails_costs_the_others_anything(bench, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    places = (
        f"file:{folder}",
        f"http://127.0.0.1:{free_port()}/in",
        f"redis://127.0.0.1:{free_port()}/0?stream=s",
        "redis://127.0.0.1/0?stream=t&maxlen=none",
        "redis://127.0.0.1/0?stream=u&timeout_of=canary",
        f"file:{tmp_path / 'good.jsonl'}",
    )
    morning(bench, 0, *places, "kafka://canary@host:1")
    change(bench, 1)
    said = " ".join(morning(bench, 1, *places, "kafka://canary@host:1"))
    assert len(told(tmp_path / "good.jsonl")) == 1
    assert said.count("1 event for") == 5 and "names no topic" in said and "canary" not in said


def test_an_address_that_is_none_is_told_and_costs_the_morning_nothing(bench):
    predict(bench)
    said = morning(bench, 0, "redis://127.0.0.1/0")
    assert any("cases: 1 cases opened" in one for one in said)
    assert any("names no stream" in one for one in said)


def test_nothing_is_sent_beyond_its_time_and_what_is_left_goes_the_next_time(bench, monkeypatch):
    with hearing_server() as server:
        to = f"http://127.0.0.1:{server.server_port}/in"
        morning(bench, 0, to)
        for n in range(4):
            change(bench, 1, new=str(n))
        clock = iter(range(0, 10**6, 20))  # each look at it is 20 seconds later
        slow = SimpleNamespace(monotonic=lambda: next(clock))
        monkeypatch.setattr("aiops_wb.streams.outgoing.time", slow)
        said = []
        problems = send_events(bench.data, settings_of(bench, to), NOW + timedelta(1), said.append)
        assert problems == [] and 0 < len(server.heard) < 4
        assert any("wait for the next time" in one for one in said)
        monkeypatch.undo()
        morning(bench, 2, to)
        assert len({body for _, body in server.heard}) == len(server.heard) == 4


def test_a_new_password_or_token_is_no_new_place_and_another_stream_is():
    names = [
        receivers([address])[0].name
        for address in (
            "redis://ana:one@host/0?stream=s",
            "redis://ana:two@host/0?stream=s&maxlen=9",
            "redis://ana:two@host/0?stream=t",
            "redis://ana:two@host/1?stream=s",
            "https://host/in?token=one",
            "https://ana:word@host/in?token=two",
            "https://host/in?token=two",
        )
    ]
    assert names[0] == names[1] and len({*names[1:4]}) == 3
    assert names[4] == names[6] != names[5]
    assert not any(secret in name for name in names for secret in ("one", "two", "word"))


def test_two_places_that_are_the_same_are_told_once(bench, tmp_path):
    out = tmp_path / "events.jsonl"
    assert len(receivers([f"file:{out}", f"file:{out}"])) == 1


def test_the_outbox_is_taken_into_the_catalog_for_each_place(bench, tmp_path):
    places = [f"file:{tmp_path / name}" for name in ("a", "b")]
    morning(bench, 0, *places)
    change(bench, 1)
    morning(bench, 1, *places)
    assert len(Outbox(bench.data).attempts()) == 2
    morning(bench, 2, *places)
    assert not len(Outbox(bench.data).attempts())
    with open_snapshot(bench.data) as log:
        rows = log._rows("SELECT key, sink FROM deliveries WHERE state = 'delivered'")
    assert len(rows) == len({key for key, _ in rows}) * 2 == 2


@pytest.mark.parametrize("name", ["urn:house:7", None])
def test_the_source_names_the_workbench_and_no_machine(bench, tmp_path, name):
    out = tmp_path / "events.jsonl"
    morning(bench, 0, f"file:{out}", events_source=name)
    change(bench, 1)
    morning(bench, 1, f"file:{out}", events_source=name)
    copy = bench.copy_to(tmp_path / "copy")
    change(copy, 2)
    morning(copy, 2, f"file:{out}", events_source=name)
    sources = {one["source"] for one in told(out)}
    assert len(sources) == 1 and len(told(out)) == 2
    assert sources == {name} if name else next(iter(sources)).startswith("urn:aiops-wb:")


def test_a_switch_of_a_model_is_what_it_is(bench, tmp_path):
    out = tmp_path / "events.jsonl"
    morning(bench, 0, f"file:{out}")
    change(bench, 1, "threshold", "12", subject=f"{MODEL}/v1", evidence={"rolled_back": True})
    change(bench, 1, "something new", None)
    morning(bench, 1, f"file:{out}")
    first, other = told(out)
    assert first["type"] == "aiops_wb.threshold.rolled_back" and first["subject"] == f"{MODEL}/v1"
    assert first["data"]["who"] == "ana" and first["data"]["evidence"] == {"rolled_back": True}
    assert other["type"] == "aiops_wb.trail.recorded" and other["data"]["new"] is None
