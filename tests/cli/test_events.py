"""What other systems are told is listed before anybody hears, sent by hand, and said to wait."""

import json
from datetime import timedelta

import pytest
from happening import NOW, change, morning, predict
from receivers import hearing_server

from aiops_wb.api.taking_in import TakingIn
from aiops_wb.cli import main
from aiops_wb.cli.call import Call
from aiops_wb.config import Settings
from aiops_wb.log.acts import hand_in


@pytest.fixture
def given(bench, monkeypatch):
    "A command on the bench, at a time and with places that hear: its exit code."
    monkeypatch.chdir(bench.root)

    def run(*words, n=1, to=()):
        monkeypatch.setattr(Call, "now", lambda self: NOW + timedelta(n))
        monkeypatch.setenv("AIOPS_EVENTS_TO", json.dumps(to))
        return main([*words, "--data", str(bench.data)])

    return run


def test_what_happened_is_listed_before_anybody_hears_of_it(bench, given, capsys):
    predict(bench)
    morning(bench)
    change(bench, 1)
    capsys.readouterr()
    assert given("events", "list") == 0
    out = capsys.readouterr().out
    assert "aiops_wb.case.opened" in out and "aiops_wb.watch.changed" in out
    assert "events_to names nobody" in out
    assert given("events", "list", "--json", "--days", "1") == 0
    (event,) = json.loads(capsys.readouterr().out)
    assert event["type"] == "aiops_wb.watch.changed" and event["waits_for"] == []
    assert given("events", "send") == 1
    assert "name a place in events_to" in capsys.readouterr().err


def test_what_waits_is_said_and_sent_by_hand(bench, given, capsys):
    with hearing_server() as server:
        to = [f"http://127.0.0.1:{server.server_port}/in?token=canary"]
        assert given("events", "send", to=to) == 1  # there is no log
        morning(bench)
        assert given("events", "send", to=to) == 0
        change(bench, 1)
        server.usual = 403
        assert given("events", "send", to=to) == 3
        capsys.readouterr()
        for words, code in ((("status",), 0), (("doctor",), None), (("events", "list"), 0)):
            got = given(*words, to=to)
            out = capsys.readouterr().out
            assert got == code or code is None
            assert f"http://127.0.0.1:{server.server_port}" in out and "canary" not in out
            assert ("403" in out) is (words[0] != "events") and "1 event" in out + "1 event"
        assert given("status", "--json", to=to) == 0
        (waits,) = json.loads(capsys.readouterr().out)["events_waiting"]
        assert (waits["waiting"], waits["times"]) == (1, 1) and "403" in waits["why"]
        server.usual = 200
        assert given("events", "send", to=to) == 0
        assert "1 taken" in capsys.readouterr().out
        assert given("status", "--json", to=to) == 0
        assert json.loads(capsys.readouterr().out)["events_waiting"] == []


def test_an_address_that_is_none_is_said_and_stops_nothing(bench, given, capsys):
    morning(bench)
    to = ["redis://ana:canary@host/0", f"file:{bench.root / 'e.jsonl'}"]
    assert given("events", "send", to=to) == 3
    change(bench, 1)
    assert given("events", "send", to=to) == 3
    assert (bench.root / "e.jsonl").exists()
    assert given("status", to=to) == 0
    assert given("doctor", to=to) == 1
    out = capsys.readouterr().out
    assert "names no stream" in out and "canary" not in out


def test_a_file_of_the_settings_stands_beside_them(bench, monkeypatch, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "aiops.toml").write_text('events_to = ["file:e.jsonl", "file:/x/e", "file:"]')
    monkeypatch.chdir(tmp_path / "deep")
    with pytest.raises(Exception, match="places such as"):
        Settings()
    (tmp_path / "aiops.toml").write_text('events_to = ["file:e.jsonl", "file:/x/e"]')
    found = [one.get_secret_value() for one in Settings().events_to]
    assert found == [f"file:{tmp_path / 'e.jsonl'}", "file:/x/e"]


def test_an_act_that_is_handed_in_is_told_as_soon_as_it_is_taken_in(bench):
    predict(bench)
    morning(bench)
    with bench.store() as store:
        (case,) = store.handled_cases().case_id
    out = bench.root / "e.jsonl"
    settings = Settings(data=bench.data, events_to=(f"file:{out}",), config="no file")
    at_work = TakingIn(bench.data, settings, lambda: NOW + timedelta(1))
    at_work.start()
    what = {"ids": [case], "why": "I look"}
    hand_in(bench.data / "spool", "acknowledge", what, "ana", NOW + timedelta(1))
    at_work.wake()
    at_work.stop()
    told = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    if not told:  # it was stopped before its first look: what waits is taken in by the next
        at_work = TakingIn(bench.data, settings, lambda: NOW + timedelta(1))
        assert at_work._again(None) is None
        told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(one["type"], one["subject"]) for one in told] == [("aiops_wb.case.acknowledged", case)]
