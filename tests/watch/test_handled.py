"""Cases and alarms are looked after: acknowledged, closed, muted until a day."""

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import hand_on
from aiops_wb.log.acts import hand_in
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.render.tables.drift import _looked_after
from aiops_wb.watch.acts import take_in_now
from aiops_wb.watch.cases import case_id, open_cases

START, NOW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 2, tzinfo=UTC)
TODAY = NOW.date()


def log(data, key, at, entity="guard", level="HIGH", score=0.95):
    with PredictionLogger(data / "spool", MODEL, "v1", threshold=0, flush_seconds=None) as out:
        told = {"entity_id": entity, "route": "ticket", "automated": True, "risk_level": level}
        out.log(score, at, prediction_id=key, **told)
    return case_id("ticket", key)


def alarm(severity="low", day=0, state="opened", key="D-1", stream="x"):
    since, at = date(2026, 3, 1), NOW + timedelta(day)
    told = {"event_id": key, "model": MODEL, "version": "v1", "stream": stream, "state": state}
    told |= {"kind": "covariate", "severity": severity, "log10_evidence": 1.0, "effect": 0.2}
    told |= {"lower": 0.1, "unit": "points", "since": since, "opened_on": since, "muted": False}
    told |= {"event_date": since + timedelta(day), "title": f"{severity} drift", "text": "moved"}
    return pd.DataFrame([told | {"as_of": at, "recorded_at": at}])


def send(house, now, of=("ticket",)):
    "Hand on at a time; what the sink has been given since, of some kinds."
    sent, before = house.root / "cases.jsonl", 0
    if sent.exists():
        before = len(sent.read_text().splitlines())
    settings = Settings(data=house.data, case_file=sent, case_max_age_hours=10_000)
    assert hand_on(house.data, now, settings, "test", lambda said: None)
    lines = sent.read_text().splitlines()[before:] if sent.exists() else []
    return [case for line in lines if (case := json.loads(line))["kind"] in of]


def opened(house, now):
    "Take in and open cases, without handing them on."
    with house.store() as store:
        ingest(store, now, "test")
        open_cases(store, now, Settings(case_max_age_hours=10_000))
        return store.handled_cases().set_index("case_id")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Two cases of two entities, and an alarm; nothing was sent."
    bench = Bench(tmp_path_factory.mktemp("handled"))
    one = log(bench.data, "one", START)
    two = log(bench.data, "two", START + timedelta(hours=1), "other")
    assert send(bench, NOW)
    with bench.store() as store:
        store.add_drift_events(alarm())
        store.publish()
    return bench, one, two


@pytest.fixture
def house(made, tmp_path):
    return made[0].copy_to(tmp_path)


def states(store, as_of=None):
    frame = store.handled_cases(as_of=as_of)
    return dict(zip(frame.case_id, frame.state))


def test_a_case_has_a_state_at_any_time(house, made):
    _, one, two = made
    later = [NOW + timedelta(hours=h) for h in (1, 2, 3)]
    with house.store() as store:
        assert states(store) == {one: "open", two: "open"}
        assert store.acknowledge(later[0], "ana", [one, two], "mine") == {MODEL}
        store.close_cases(later[1], "ben", [one], "a mistake of the gate")
        assert states(store) == {one: "closed", two: "acknowledged"}
        assert states(store, later[0]) == {one: "acknowledged", two: "acknowledged"}
        assert states(store, NOW) == {one: "open", two: "open"}
        assert states(store, START) == {}
        row = store.handled_cases().set_index("case_id").loc[one]
        assert (row.by, row["at"], row.why) == ("ben", later[1], "a mistake of the gate")
        assert (row.level, row.events, row.late, row.muted_until) == ("HIGH", 1, False, None)
        store.acknowledge(later[2], "ana", [one], "looked at again")
        assert states(store)[one] == "acknowledged", "a case that was closed is taken up again"
        rows = store.audit()
        assert rows.what.tolist() == ["case"] * 4 and rows.old.tolist()[2] == "acknowledged"
        assert json.loads(rows.evidence[0]) == {"level": "HIGH", "model": MODEL}
        store.acknowledge(later[2], "ana", [one], "looked at again")
        assert len(store.audit()) == 4, "given twice, it is done once"


def test_of_some_ids_all_or_none_is_done(house, made):
    _, one, _ = made
    with house.store() as store:
        with pytest.raises(StoreError, match="there is no case or alarm 'A-9'"):
            store.acknowledge(NOW, "ana", [one, "A-9"], "mine")
        with pytest.raises(StoreError, match="D-1 is an alarm, which closes when recent days"):
            store.close_cases(NOW, "ana", [one, "D-1"], "done")
        with pytest.raises(StoreError, match="2026-03-02 is over"):
            store.mute(NOW, "ana", [one], TODAY - timedelta(1), TODAY, "known")
        with pytest.raises(StoreError, match="needs a reason"):
            store.acknowledge(NOW, "ana", [one], " ")
        assert len(store.audit()) == 0


def test_a_graver_event_opens_a_case_again_that_somebody_looked_at(house, made):
    _, one, two = made
    with house.store() as store:
        store.acknowledge(NOW, "ana", [one, two], "mine")
        store.assign_cases(NOW, "ana", [one], "ben", "he is on duty")
    log(house.data, "alike", START + timedelta(hours=2))
    row = opened(house, NOW + timedelta(hours=1)).loc[one]
    assert (row.state, row.events) == ("acknowledged", 2)
    log(house.data, "graver", START + timedelta(hours=3), level="CRITICAL")
    (told,) = send(house, NOW + timedelta(hours=2))
    assert told["case_id"] == one and told["update"] and told["assignee"] == "ben"
    with house.store() as store:
        row = store.handled_cases().set_index("case_id").loc[one]
        assert (row.state, row.by, row.level) == ("open", "ana", "CRITICAL")
        store.acknowledge(NOW + timedelta(hours=3), "ana", [one], "mine")
        assert states(store)[one] == "acknowledged", "the same words are said of a graver event"


def test_a_closed_case_takes_no_further_event(house, made):
    _, one, two = made
    with house.store() as store:
        store.close_cases(NOW, "ana", [one], "done")
    new = log(house.data, "next", START + timedelta(hours=2))
    log(house.data, "joins", START + timedelta(hours=2), "other")
    cases = opened(house, NOW + timedelta(hours=1))
    assert cases.state.to_dict() == {one: "closed", two: "open", new: "open"}
    assert cases.events.to_dict() == {one: 1, two: 2, new: 1}


def test_no_message_of_a_muted_case_leaves_before_the_day(house, made):
    _, one, _ = made
    with house.store() as store:
        store.mute(NOW, "ana", [one], TODAY + timedelta(2), TODAY, "the gate is repaired")
        row = store.handled_cases().set_index("case_id").loc[one]
        assert (row.state, row.muted_until, row.muted_by) == ("open", date(2026, 3, 5), "ana")
    log(house.data, "graver", START + timedelta(hours=3), level="CRITICAL")
    assert send(house, NOW + timedelta(1)) == []
    (told,) = send(house, NOW + timedelta(2))
    assert told["case_id"] == one
    with house.store() as store:
        store.mute(NOW + timedelta(3), "ana", [one], date(2026, 4, 1), TODAY, "again")
        assert store.quiet_cases(date(2026, 3, 31)) == {one}
        store.mute(NOW + timedelta(4), "ana", [one], TODAY, TODAY, "no: it is needed")
        assert store.quiet_cases(TODAY) == set()


def test_an_alarm_is_acknowledged_and_muted_and_its_figures_stay(house):
    with house.store() as store:
        kept = store.drift_events(MODEL)
        store.acknowledge(NOW, "ana", ["D-1"], "the new sensor")
        store.mute(NOW, "ana", ["D-1"], TODAY + timedelta(1), TODAY, "the new sensor")
        assert store.drift_events(MODEL).equals(kept)
        (row,) = store.handled_alarms(MODEL).itertuples()
        assert (row.state, row.by, row.muted_until) == ("acknowledged", "ana", date(2026, 3, 4))
        assert store.handled_alarms("other").empty
        assert store.handled_alarms(as_of=NOW - timedelta(1)).empty
    assert send(house, NOW, ("drift",)) == []
    with house.store() as store:
        store.add_drift_events(alarm("high", 1, "ongoing"))
        assert store.handled_alarms().state.tolist() == ["open"], "it became graver"
        assert store.handled_alarms(as_of=NOW).state.tolist() == ["acknowledged"]
    (told,) = send(house, NOW + timedelta(1), ("drift",))
    assert (told["case_id"], told["risk_level"], told["update"]) == ("D-1", "HIGH", False)
    with house.store() as store:
        store.add_drift_events(alarm("high", 2, "closed"))
        assert store.handled_alarms().state.tolist() == ["closed"]
        with pytest.raises(StoreError, match="the alarm D-1 is closed since 2026-03-03"):
            store.acknowledge(NOW, "ana", ["D-1"], "mine")


def test_a_page_says_who_looks_after_an_alarm(house):
    with house.store() as store:
        view = SimpleNamespace(reader=store, model=MODEL, as_of=None, day=TODAY)
        assert _looked_after(view) == {}
        store.add_drift_events(alarm(key="D-2", stream="y"))
        store.acknowledge(NOW, "ana", ["D-1"], "mine")
        store.mute(NOW, "ben", ["D-1", "D-2"], date(2026, 3, 9), TODAY, "known")
        both = "acknowledged by ana, muted until 09 Mar by ben"
        assert _looked_after(view) == {"x": f" ({both})", "y": " (muted until 09 Mar by ben)"}
        view.day = date(2026, 3, 9)
        assert _looked_after(view) == {"x": " (acknowledged by ana)"}
        view.as_of = NOW - timedelta(1)
        assert _looked_after(view) == {}


def test_what_was_handed_in_is_done_like_the_command(house, made):
    _, one, two = made
    spool, why = house.data / "spool", {"why": "mine"}
    for kind, what in (
        ("acknowledge", {"ids": [one, "D-1"]}),
        ("mute", {"ids": ["D-1"], "until": "2026-03-09"}),
        ("mute", {"ids": ["D-1"], "until": "2026-02-09"}),
        ("close", {"ids": [two]}),
        ("close", {"ids": ["D-1"]}),
    ):
        hand_in(spool, kind, what | why, "ana", NOW)
    done = take_in_now(house.data, Settings(data=house.data), NOW)
    assert [t.state for t in done] == ["done", "done", "refused", "done", "refused"]
    assert [t.model for t in done[:2]] == [MODEL] * 2 and done[0].says.endswith("acknowledged")
    with open_snapshot(house.data) as snapshot:
        assert states(snapshot) == {one: "acknowledged", two: "closed"}
        assert snapshot.quiet_alarms(TODAY) == {"D-1"} and snapshot.quiet_cases(TODAY) == {two}


def test_the_commands_do_and_tell_it(house, made, capsys, monkeypatch):
    _, one, two = made
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    monkeypatch.setenv("LOGNAME", "ana")

    def given(*words, code=0):
        assert main([*words, "--data", str(house.data)]) == code
        return "".join(capsys.readouterr())

    told = given("cases", "acknowledge", one, "--why", "mine", "--mute-until", "2026-03-09")
    assert f"{one} is acknowledged, no message before 2026-03-09" in told
    again = "a further event opens a new case (it was so already: nothing was written)\n"
    for end in ("a further event opens a new case\n", again):
        told = given("cases", "close", two, two, "--why", "done")
        assert told.startswith(f"{two} is closed: ") and told.endswith(end)
    first, second, total = given("cases", "list").splitlines()
    assert "2 d old, acknowledged by ana 2026-03-03: mine (muted until 2026-03-09)" in first
    assert "closed by ana 2026-03-03: done" in second and total == "2 cases, 0 open"
    assert given("cases", "list", "--state", "closed").splitlines() == [second, "1 case"]
    (row,) = json.loads(given("cases", "list", "--state", "acknowledged", "--json"))
    assert (row["case_id"], row["by"], row["muted_until"]) == (one, "ana", "2026-03-09")
    assert "given to Zoë" in given("cases", "assign", one, "--to", "Zoë", "--why", "on duty")
    again = given("cases", "assign", one, "--to", "Zoë", "--why", "on duty")
    assert again.endswith("Zoë (it was so already: nothing was written)\n")
    said = ("cases", "comment", one, "--text", "=1+1")
    assert given(*said) == f"{one} is commented on\n"
    assert given(*said).endswith("commented on (it was so already: nothing was written)\n")
    said = given("cases", "show", one)
    for words in ("it is Zoë's (given by ana)", "ana said: =1+1", "muted until 2026-03-09 by ana"):
        assert words in said
    (header, row) = given("cases", "list", "--csv", "--assignee", "Zoë").splitlines()
    assert row.startswith(one) and ",'=1+1," in row and header.endswith("delivery,similar")
    whole = json.loads(given("cases", "show", one, "--json"))
    assert [done["what"] for done in whole["history"]][-2:] == ["case assignee", "case comment"]
    assert whole["sent"][0]["state"] == "delivered" and whole["alike"] == []
    assert given("cases", "list", "--entity", "nobody") == "0 cases, 0 open\n"
    assert "there is no case 'A-9'" in given("cases", "show", "A-9", code=1)
    assert "choose one of" in given("cases", "list", "--csv", "--json", code=2)
    assert "D-1 is acknowledged" in given("drift", "acknowledge", "D-1", "--why", "known")
    assert "moved [acknowledged by ana 2026-03-03: known]" in given("drift", "list")
    (row,) = json.loads(given("drift", "list", "--json"))
    assert (row["state"], row["handled"], row["by"]) == ("opened", "acknowledged", "ana")
    wrong = given("cases", "acknowledge", one, "A-9", "--why", "x", code=1)
    assert "there is no case or alarm 'A-9'" in wrong and wrong.count("\n") == 1
    assert "is not a day" in given(
        "cases", "acknowledge", one, "--why", "x", "--mute-until", "soon", code=2
    )
    assert "Missing option '--why'" in given("cases", "close", one, code=2)
