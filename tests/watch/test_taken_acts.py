"""Acts are taken in: as the command would do it, once, by whoever writes."""

import json
import os
import time
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.acts import hand_in, waiting
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import Busy
from aiops_wb.watch import acts as of_acts
from aiops_wb.watch.acts import take_in_acts, take_in_now

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
WHY = {"why": "too many"}
CHANGE = {"model": MODEL, "score": 0.7} | WHY


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("acts"))
    frame = events(days=6, per_day=15, start=date(2026, 3, 14))
    bench.log(frame)
    bench.label(frame)
    bench.ingest(NOW)
    bench.publish()
    return bench


@pytest.fixture
def house(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    return made.copy_to(tmp_path)


def handed(house, kind, what, who="ana", at=NOW, **key):
    return hand_in(house.data / "spool", kind, what, who, at, **key)


def taken(house, **settings):
    return take_in_now(house.data, Settings(data=house.data, **settings), NOW)


def trail(house):
    with open_snapshot(house.data) as log:
        assert log.verify_audit() == len(log.audit())
        return log.audit().drop(columns=["hash"])


def given(monkeypatch, who, *words):
    monkeypatch.setenv("LOGNAME", who)
    assert main([*words, "-q"]) == 0


SAME = [
    ("ana", "propose", CHANGE | {"site": "north"}, "propose 0.7 --site north --model late"),
    ("ben", "approve", {"proposal": "P-1"} | WHY, "approve P-1"),
    ("ana", "propose", CHANGE | {"score": 0.8}, "propose 0.8 --model late"),
    ("jo", "reject", {"proposal": "P-2"} | WHY, "reject P-2"),
    ("ben", "set", CHANGE | {"score": 0.6}, "set 0.6 --model late"),
    ("ana", "rollback", {"model": MODEL} | WHY, "rollback --model late"),
    ("ben", "set", {"model": MODEL, "points": 847} | WHY, "set 0.7 --model late"),
]


def test_an_act_writes_the_rows_that_the_command_would_write(house, made, tmp_path, monkeypatch):
    other = made.copy_to(tmp_path / "other")
    with other.store() as store:
        monkeypatch.setattr(calls.Call, "writing", lambda self: nullcontext(store))
        for who, kind, what, words in SAME:
            handed(house, kind, what, who)
            given(monkeypatch, who, "thresholds", *words.split(), "--why", "too many")
        by_command = store.audit().drop(columns=["hash"])
    done = taken(house)
    assert [one.state for one in done] == ["done"] * len(SAME), done
    by_act = trail(house)
    assert by_act.equals(by_command) and len(by_act) > len(SAME)
    assert done[0].proposal == done[1].proposal == "P-1" and done[3].proposal == "P-2"
    assert [one.audit_seq for one in done][-1] == by_act.seq.max()
    assert by_act.set_index("seq").who[[one.audit_seq for one in done]].tolist() == [
        who for who, *_ in SAME
    ]


def test_what_was_taken_in_is_known_and_gone_from_the_spool(house):
    one = handed(house, "propose", CHANGE, key="k")
    two = handed(house, "approve", {"proposal": "P-7"} | WHY, "ben")
    spool = house.data / "spool"
    with open_snapshot(house.data) as log:
        assert [log.act_state(spool, key) for key in (one, two)] == ["waiting"] * 2
    assert [t.id for t in taken(house)] == [one, two] and waiting(spool) == []
    with open_snapshot(house.data) as log:
        assert [log.act_state(spool, key) for key in (one, two)] == ["done", "refused"]
        told = log.act(one)
        assert (told.act.what, told.act.who, told.act.at) == (CHANGE, "ana", NOW)
        assert told.says.startswith(f"P-1: {MODEL} v1, threshold 0.700 instead of 0.500")
        refused = log.act(two)
        assert refused.says == "there is no proposal 'P-7': open are P-1."
        assert (refused.model, refused.audit_seq, refused.proposal) == (None, None, None)
        assert [t.id for t in log.acts(MODEL)] == [one] and len(log.acts()) == 2
        assert log.acts(as_of=NOW - timedelta(1)) == [] and len(log.acts(as_of=NOW)) == 2
    assert handed(house, "propose", CHANGE, key="k") == one, "after an answer that never came"
    assert taken(house) == [] and waiting(spool) == []
    with open_snapshot(house.data) as log:
        assert len(log.acts()) == 2 and len(log.proposals()) == 1


def test_refusals_are_recorded_in_a_sentence_and_change_nothing(house):
    before = trail(house)
    wrong = {
        "is not known: choose one of late": ("set", CHANGE | {"model": "nothing"}),
        "threshold: ": ("set", CHANGE | {"score": 1.5}),
        "in force is this one already": ("propose", CHANGE | {"score": 0.5}),
        "is no bound": ("propose", CHANGE | {"promise": "fpr"}),
        "site north": ("propose", CHANGE | {"site": "north", "promise": "fpr=0.1"}),
        "cannot be promised yet": ("set", CHANGE | {"promise": "fpr=0.001"}),
        "there is no case or alarm 'A-1'": ("close", {"ids": ["A-1"]} | WHY),
    }
    for kind, what in wrong.values():
        handed(house, kind, what)
    done = taken(house)
    for said, one in zip(wrong, done, strict=True):
        assert one.state == "refused" and said in one.says, one
        assert "\n" not in one.says
    assert trail(house).equals(before)


def test_a_threshold_that_changed_meanwhile_is_not_written_over(house):
    seen = CHANGE | {"if_in_force": 0}
    handed(house, "set", seen)
    handed(house, "set", seen | {"score": 0.9}, "ben")
    handed(house, "rollback", {"model": MODEL, "if_in_force": 0} | WHY, "ben")
    handed(house, "propose", seen | {"score": 0.9, "site": "north", "if_in_force": 847}, "ben")
    first, *late, last = taken(house)
    assert first.state == last.state == "done"
    for one in late:
        assert one.state == "refused"
        assert one.says.startswith("the threshold in force is 0.700 (847 points) by now, not 0.500")
    assert trail(house).who.tolist()[-2:] == ["ana", "ben"]


def test_where_two_people_are_needed_nobody_is_both(house):
    handed(house, "set", CHANGE)
    handed(house, "propose", CHANGE)
    handed(house, "approve", {"proposal": "P-1"} | WHY)
    handed(house, "approve", {"proposal": "P-1"} | WHY, "ben")
    done = taken(house, threshold_four_eyes=True)
    assert [one.state for one in done] == ["refused", "done", "refused", "done"]
    assert "threshold_four_eyes asks for another" in done[2].says
    assert done[3].says == f"{MODEL} v1: threshold is now 0.700 (847 points)"


def test_a_clock_that_is_ahead_changes_no_time_of_the_trail(house):
    one = handed(house, "set", CHANGE, at=NOW + timedelta(400))
    assert taken(house)[0].state == "done"
    assert trail(house).changed_at.max() == NOW
    with open_snapshot(house.data) as log:
        told = log.act(one)
        assert (told.act.at, told.taken_in_at) == (NOW + timedelta(400), NOW)
        assert log.in_force("threshold", f"{MODEL}/v1", NOW) == "847"


def test_while_another_writes_acts_wait_for_whoever_writes_next(house, capsys):
    handed(house, "set", CHANGE)
    with house.store():
        busy = taken(house)
        assert isinstance(busy, Busy) and "is being written by test" in str(busy)
        assert len(waiting(house.data / "spool")) == 1
    assert main(["ingest", "--data", str(house.data)]) == 0
    assert "set by ana: late v1: threshold is now 0.700" in capsys.readouterr().out
    handed(house, "set", CHANGE | {"score": 0.8})
    handed(house, "set", CHANGE | {"score": 2.0})
    day = ["--date", "2026-03-19", "--reports", "none"]
    assert main(["daily", *day, "--data", str(house.data)]) == 0
    told = capsys.readouterr().out
    assert "set by ana: late v1: threshold is now 0.800" in told
    assert "set by ana is refused: threshold: " in told and not waiting(house.data / "spool")


def test_until_it_is_published_an_act_that_was_taken_in_is_not_lost_sight_of(house):
    one, spool = handed(house, "set", CHANGE), house.data / "spool"
    with house.store() as store, open_snapshot(house.data) as log:
        take_in_acts(store, NOW, Settings(data=house.data))
        assert store.act_state(spool, one) == "done" and waiting(spool) == []
        assert log.act_state(spool, one) == "waiting"
        store.publish()
        assert log.act_state(spool, one) == "waiting", "whoever opened the snapshot before"
    with open_snapshot(house.data) as log, house.store() as store:
        assert log.act_state(spool, one) == "done" and list(spool.glob("acts/.*.taken"))
        store.publish()
        assert not list(spool.glob("acts/.*.taken"))


def test_what_is_handed_in_while_one_takes_in_is_taken_in_by_it(house, monkeypatch):
    "Whoever finds another at work may go: nothing is left to the night."
    one, real, late = handed(house, "set", CHANGE), of_acts._opened, []

    def opened(*told):
        done = real(*told)
        if not late:
            late.append(handed(house, "set", CHANGE | {"score": 0.8}, "ben"))
        return done

    monkeypatch.setattr(of_acts, "_opened", opened)
    assert [t.id for t in taken(house)] == [one, *late] and waiting(house.data / "spool") == []


def test_where_nothing_waits_the_catalog_is_not_opened(house):
    with house.store():
        assert taken(house) == []


def test_a_file_that_is_no_act_is_set_aside_and_said(house, capsys):
    one = handed(house, "set", CHANGE)
    torn = house.data / "spool" / "acts" / "torn.json"
    torn.write_text('{"id": "')
    assert main(["acts", "take", "--data", str(house.data)]) == 1
    told = capsys.readouterr().out
    assert "torn.json is no act: it is damaged" in told and "1 act taken in" in told
    (aside,) = (house.data / "rejected").glob("*torn.json")
    assert aside.read_text() == '{"id": "' and not torn.exists()
    with open_snapshot(house.data) as log:
        ((reason,),) = log._rows("SELECT detail FROM segments WHERE state = 'corrupt'")
        assert "torn.json is no act" in reason
        assert log.act(one).state == "done"
    torn.symlink_to("/etc/passwd")
    assert main(["ingest", "--data", str(house.data)]) == 1
    assert "torn.json among the acts is no file of its own" in capsys.readouterr().out


def test_what_goes_wrong_otherwise_leaves_an_act_waiting_and_costs_no_other(house, monkeypatch):
    one, two = handed(house, "set", CHANGE), handed(house, "reject", {"proposal": "P-1"} | WHY)

    def broken(*_, **__):
        raise ZeroDivisionError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(of_acts, "set_threshold", broken)
        failed, refused = taken(house)
    assert (failed.id, failed.state, refused.state) == (one, "failed", "refused")
    assert [act.id for act in waiting(house.data / "spool")] == [one]
    with open_snapshot(house.data) as log:
        assert log.act(one) is None and log.act(two).state == "refused"
    assert [t.state for t in taken(house)] == ["done"]


def test_acts_are_listed_with_what_came_of_them(house, capsys):
    handed(house, "propose", CHANGE)
    taken(house)
    wait = handed(house, "close", {"ids": ["A-1"]} | WHY, "ben")
    assert main(["acts", "list", "--data", str(house.data)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "ana: propose, done: P-1: " in told[0] and wait in told[1] and "waiting" in told[1]
    assert told[2] == "1 act waits"
    assert main(["acts", "list", "--json", "--data", str(house.data)]) == 0
    done, waits = json.loads(capsys.readouterr().out)
    assert (done["state"], done["proposal"], done["what"]["score"]) == ("done", "P-1", 0.7)
    assert (waits["state"], waits["taken_in_at"]) == ("waiting", None)


@pytest.mark.slow
def test_five_hundred_acts_at_once_are_each_done_once(house):
    ids = [
        handed(house, "propose", {"model": MODEL, "points": 100 + n} | WHY, key=str(n))
        for n in range(500)
    ]
    done = taken(house)
    assert [one.id for one in done] == ids and {one.state for one in done} == {"done"}
    with open_snapshot(house.data) as log:
        assert [p.points for p in log.proposals()] == list(range(100, 600))
        assert log.verify_audit() == 500


def test_acts_that_are_handed_in_while_others_are_taken_in(house):
    "A process takes in again and again while another hands in: each is there once."
    settings = Settings(data=house.data)
    child = os.fork()
    if not child:
        code = 1
        try:
            for number in range(12):
                handed(house, "propose", {"model": MODEL, "points": 100 + number} | WHY)
            code = 0
        finally:
            os._exit(code)
    with house.store() as store:
        end, seen = time.monotonic() + 60, []
        while len(seen) < 12 and time.monotonic() < end:
            seen += take_in_acts(store, NOW, settings)
        assert os.waitpid(child, 0)[1] == 0
        assert [p.points for p in store.proposals()] == list(range(100, 112))
        assert [one.state for one in seen] == ["done"] * 12


def test_what_is_of_another_version_by_now_is_not_done(house):
    "A night may promote a version while an act waits: its scores are others."
    seen = handed(house, "set", CHANGE | {"version": "v0"})
    stands = handed(house, "set", CHANGE | {"version": "v1"})
    back = handed(house, "rollback", {"model": MODEL, "version": "v0"} | WHY)
    told = {t.id: t for t in taken(house)}
    assert [told[one].state for one in (seen, stands, back)] == ["refused", "done", "refused"]
    assert "v1 of late decides by now, not v0: look again" in told[seen].says


def test_an_act_of_another_user_is_set_aside_and_said(house, monkeypatch):
    one = handed(house, "set", CHANGE, "boss")
    path = house.data / "spool" / "acts" / f"{one}.json"
    node, real = path.stat().st_ino, os.fstat

    def fstat(fd):
        told = real(fd)
        return os.stat_result((*told[:4], 54_321, *told[5:])) if told.st_ino == node else told

    before = trail(house)
    mine = handed(house, "propose", CHANGE, "ana")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        assert [t.id for t in taken(house)] == [mine]
    assert not path.exists() and len(list((house.data / "rejected").glob(f"*{one}.json"))) == 1
    assert len(trail(house)) == len(before) + 1
    with open_snapshot(house.data) as log:
        ((reason,),) = log._rows("SELECT detail FROM segments WHERE state = 'corrupt'")
    assert "belongs to user 54321, and acts are those of who owns the data folder" in reason
