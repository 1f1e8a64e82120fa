"""A morning is told once, by a real mail server and a real address of the web on this machine."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from conftest import events
from receivers import free_port, mail_server, web_server

from aiops_wb import daily
from aiops_wb.cli import main
from aiops_wb.config import load_settings
from aiops_wb.daily import DayResult, Ran, tell, tell_of_no_morning
from aiops_wb.log.errors import Busy
from aiops_wb.log.ingest import Ingested
from aiops_wb.log.outbox import Outbox
from aiops_wb.log.store import open_store
from aiops_wb.render import telling
from aiops_wb.render.engine import ReportResult
from aiops_wb.render.pages import manifests
from aiops_wb.watch.courier import sent

NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
ENTRY = {"state": "ok", "reports": {}, "triage": {"alarms": [], "promise": "kept"}}


def in_this_process(messages, seconds):
    "The same messages without a process of their own, whose start takes longer than all the rest."
    for place, (to, message) in enumerate(messages):
        yield place, sent({"address": to.get_secret_value(), **message._asdict()})


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(telling, "send", in_this_process)
    monkeypatch.setattr(telling, "PATIENCE", 0)


@pytest.fixture(scope="module")
def server():
    with mail_server() as found:
        yield found


@pytest.fixture
def mail(server):
    box, address = server
    box.mails.clear()
    box.refuses = False
    return box, address


class House:
    "A folder of pages and a data folder, whose people are told."

    def __init__(self, root, *addresses, **chosen):
        self.data, self.reports = root / "data", root / "reports"
        place = {"data": self.data, "reports": self.reports}
        self.settings = load_settings(config="no file", messages=addresses, **place, **chosen)
        self.said = []

    def day(self, day, *changes, entry=ENTRY):
        "A day's manifest, with changes by their number."
        told = [
            {"seq": n, "at": f"{day}T01:00:00+00:00", "who": "ana", "what": "threshold"}
            | {"subject": f"late {n}", "old": None, "new": "0.6", "why": "it was time"}
            for n in changes
        ]
        whole = {"day": day, "as_of": f"{day}T02:00:00+00:00", "batch": 1, "audit_rows": 1}
        whole |= {"audit_head": "", "changes": told, "models": {"late": entry}}
        place = self.reports / day / "manifest.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(whole))

    def tell(self, ran=Ran(), now=NOW):
        where = (self.data, self.reports, now, self.settings)
        return tell(ran, *where, say=self.said.append)

    def take_in(self):
        "What the next morning does first: the catalog has what the outbox had."
        with open_store(self.data, "test") as store:
            daily._record_sent(store, Outbox(self.data))
            store.publish()

    @property
    def page(self):
        return (self.reports / "index.html").read_text()


def test_a_change_is_told_once_however_often_the_morning_runs(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-01", 1)
    house.day("2026-03-02", 2, 3)
    assert house.tell().exit_code == 0
    assert box.subjects == ["aiops_wb 2026-03-02: 2 things changed"]
    assert "threshold of late 3: 0.6, by ana" in box.texts[0] and "it was time" not in box.texts[0]
    house.tell()  # by what the outbox has
    house.take_in()
    assert Outbox(house.data).attempts().empty
    house.tell(now=NOW + timedelta(hours=1))  # by what the catalog has
    assert len(box.mails) == 1
    house.day("2026-03-02", 2, 3, 4)  # the day goes on, and something else changes
    house.tell()
    assert len(box.mails) == 2 and "late 4" in box.texts[1] and "late 3" not in box.texts[1]
    assert house.said[0].startswith("message to mailto://127.0.0.1: aiops_wb 2026-03-02")


def test_nothing_changed_and_nothing_failed_is_no_message(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-02")
    for _ in range(2):
        assert house.tell() == Ran() and not box.mails and not house.said
    assert Outbox(house.data).attempts().state.tolist() == ["introduced"]


def test_what_is_told_is_chosen(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address, message_on=("failed",))
    house.day("2026-03-02", 1)
    house.tell()
    assert not box.mails
    house.tell(Ran(reports=[ReportResult("2026-03-02 late drift", "failed", "KeyError: 'Miller'")]))
    assert box.subjects == ["aiops_wb 2026-03-02: 1 step failed"]
    assert "- the report Drift of late, 2026-03-02" in box.texts[0]
    assert "Miller" not in box.texts[0] and "threshold" not in box.texts[0]


def test_who_hears_of_one_model_is_not_told_of_another(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, f"{address}&models=late%201", f"{address}&models=other")
    house.day("2026-03-02", 1, 2)
    house.tell(Ran(reports=[ReportResult("2026-03-02 late drift", "failed")]))
    assert box.subjects == ["aiops_wb 2026-03-02: 1 thing changed"]
    assert "threshold of late 1" in box.texts[0] and "late 2" not in box.texts[0]
    house.tell(Ran(reports=[ReportResult("audit trail", "failed")]))
    assert box.subjects[1:] == ["aiops_wb 2026-03-02: 1 step failed"] * 2


def test_all_that_failed_of_a_run_is_told(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    day = NOW.date() - timedelta(1)
    results = [
        ReportResult("audit trail", "failed", "Miller"),
        ReportResult("2026-03-02 late reasons", "ok"),
    ]
    figures = [
        DayResult(day, "late", "failed", "Miller", stored=False),
        DayResult(day, "early", "failed", "Miller"),
    ]
    refused = Ingested(refused=("miller.csv is no CSV",))
    house.tell(Ran(refused, figures, results, "failed"))
    for line in (
        "the figures of late, 2026-03-02",
        "the alarms of early, 2026-03-02",
        "audit trail",
        "cases were not all handed on",
        "1 delivered file was not taken in",
    ):
        assert f"- {line}" in box.texts[0].split("\n"), line
    assert "iller" not in box.texts[0] and box.subjects == ["aiops_wb: 5 steps failed"]


def test_a_morning_that_could_not_be_run_is_told_without_a_log(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    for _ in range(2):
        where = (house.data, house.reports, NOW, house.settings)
        tell_of_no_morning(*where, say=house.said.append)
    assert len(box.mails) == 1 and "- the morning could not be run" in box.texts[0]


def test_killed_between_sending_and_recording_sends_the_same_message_again(
    tmp_path, mail, monkeypatch
):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-02", 1)
    house.reports.rename(tmp_path / "aside")
    house.tell()  # so that the address is known
    (tmp_path / "aside").rename(house.reports)
    with monkeypatch.context() as patch:

        def killed(*_):
            raise KeyboardInterrupt

        patch.setattr(Outbox, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            house.tell()
    house.tell()
    house.tell()
    assert len(box.mails) == 2 and box.texts[0] == box.texts[1], "by its id people see that"


def test_a_run_that_was_stopped_before_it_told_anybody_is_made_up_for(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-02")
    house.tell()
    house.day("2026-03-03", 1)
    first = json.loads((house.reports / "2026-03-03" / "manifest.json").read_text())
    at = (NOW + timedelta(hours=20)).isoformat()
    (house.reports / "2026-03-03" / "manifest.json").write_text(json.dumps(first | {"as_of": at}))
    house.day("2026-03-04", 2)  # of the next run
    house.tell(now=NOW + timedelta(days=2))
    assert (
        "threshold of late 2" in box.texts[0] and "2026-03-03 threshold of late 1" in box.texts[0]
    )
    house.tell(now=NOW + timedelta(days=2))
    assert len(box.mails) == 1


def test_what_was_not_taken_is_said_waits_and_comes_later_with_what_is_new(tmp_path, mail):
    box, address = mail
    gone = f"json://canary:canary@127.0.0.1:{free_port()}/canary"
    house = House(tmp_path, address, gone, message_timeout=20)
    house.day("2026-03-02", 1)
    box.refuses = True
    ran = house.tell()
    assert ran.exit_code == 4 and len(ran.untold) == 2 and not box.mails
    assert "json://127.0.0.1 was not taken" in house.page and "next run" in house.page
    house.take_in()
    box.refuses = False
    later = NOW + timedelta(minutes=5)
    assert "not tried again before 2026-03-03 06:15 UTC" in house.tell(now=later).untold[0]
    house.day("2026-03-03", 2)
    ran = house.tell(now=NOW + timedelta(days=1))
    assert len(ran.untold) == 1 and "late 2" in box.texts[0]
    assert "2026-03-02 threshold of late 1" in box.texts[0], "with the day that it is about"
    assert "not taken" in house.page and "127.0.0.1" in house.page
    (one,) = telling.not_taken(house.data, house.settings)
    assert (one["to"], one["times"], one["since"]) == ("json://127.0.0.1", 2, NOW)
    told = f"{house.said} {house.page} {manifests(house.reports)} {one}"
    told += f"{Outbox(house.data).attempts().to_dict()}"
    assert "canary" not in told


def test_the_page_forgets_what_went_well_later(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-02", 1)
    box.refuses = True
    house.tell()
    assert "was not taken" in house.page
    box.refuses = False
    house.tell(now=NOW + timedelta(days=1))
    assert "was not taken" not in house.page and len(box.mails) == 1


def test_another_process_that_hands_on_is_waited_for_and_then_said(tmp_path, mail):
    box, address = mail
    house = House(tmp_path, address)
    house.day("2026-03-02", 1)
    with Outbox(house.data).held():
        (said,) = house.tell().untold
    assert said.startswith("messages wait for the next run: another process") and not box.mails
    house.tell()
    assert len(box.mails) == 1


def test_a_manifest_of_another_kind_costs_the_message_and_nothing_else(tmp_path, mail):
    house = House(tmp_path, mail[1])
    house.day("2026-03-02", 1, entry=ENTRY | {"triage": {"alarms": [{}]}})
    assert house.tell().untold[0].startswith("no message could be made: KeyError")


def test_only_a_good_morning_has_a_sign_of_life(tmp_path, mail):
    box, address = mail
    with web_server() as web:
        house = House(tmp_path, address, heartbeat_url=f"http://127.0.0.1:{web.server_port}/me")
        house.day("2026-03-02", 1)
        assert house.tell().exit_code == 0 and len(web.asked) == 1
        house.tell(Ran(Ingested(passed_over=("a link",))))
        house.tell(Ran(reports=[ReportResult("pages", "failed", "no room")]))
        house.day("2026-03-02", 2)
        box.refuses = True
        house.tell()
        assert len(web.asked) == 1, "who was not told something must not think that all is well"
        web.answers = [404]
        box.refuses = False
        ran = house.tell(now=NOW + timedelta(days=1))
        assert len(web.asked) == 2 and ran.exit_code == 0, "a deaf watcher fails nothing"
    assert house.said[-1] == "heartbeat to http://127.0.0.1: it answered 404"
    kept = Outbox(house.data).attempts()
    assert kept[kept.sink == "heartbeat"].state.tolist() == ["delivered", "failed"]


@pytest.fixture
def told(monkeypatch, tmp_path):
    "A folder where commands are given, and what was told of their mornings."
    calls = []
    (tmp_path / "aiops.toml").write_text('messages = ["slack://canary/canary/canary"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aiops_wb.cli.daily.tell", lambda ran, *_: calls.append("run") or ran)
    monkeypatch.setattr("aiops_wb.cli.daily.tell_of_no_morning", lambda *_: calls.append("none"))
    return calls


def test_a_run_for_all_that_is_due_is_told_and_no_other(told, monkeypatch, capsys):
    monkeypatch.setattr("aiops_wb.cli.daily.run", lambda *_, **__: Ran())
    assert main(["daily"]) == 0 and told == ["run"]
    for words in (["--date", "2026-03-02"], ["--model", "late"], ["--as-of", "2026-03-02T01:00Z"]):
        assert main(["daily", *words]) == 0
    assert main(["backfill", "--from", "2026-03-01", "--to", "2026-03-02"]) == 0
    assert told == ["run"]
    for problem in (Busy("another one writes"), OSError(28, "no room")):

        def broken(*_, problem=problem, **__):
            raise problem

        monkeypatch.setattr("aiops_wb.cli.daily.run", broken)
        assert main(["daily"]) == main(["daily", "--model", "late"]) == 1
    assert told == ["run", "none"]


def test_messages_are_shown_listed_and_tried(tmp_path, mail, monkeypatch, capsys):
    monkeypatch.setattr("aiops_wb.cli.messages.send", in_this_process)
    monkeypatch.chdir(tmp_path)
    box, address = mail

    def said(*words, code=0):
        assert main(["messages", *words]) == code
        return "".join(capsys.readouterr())

    assert "no address is set" in said("test", code=1)
    assert "no pages in" in said("show", code=1) and "nothing was sent" in said("list")
    assert "heartbeat_url" in said("test", "--heartbeat", code=1)
    gone = f"json://127.0.0.1:{free_port()}/canary"
    with web_server() as web:
        beat = f"http://127.0.0.1:{web.server_port}/canary"
        text = f"messages = {json.dumps([address, gone])}\nheartbeat_url = {json.dumps(beat)}\n"
        (tmp_path / "aiops.toml").write_text(text)
        tried = said("test", "--heartbeat", code=3).splitlines()
    assert tried[0] == "mailto://127.0.0.1: taken" and tried[1].startswith(
        "json://127.0.0.1: A Conn"
    )
    assert tried[2:] == ["heartbeat http://127.0.0.1: taken", "2 of 3 taken"]
    assert box.subjects == ["aiops_wb: a test"] and len(web.asked) == 1
    house = House(tmp_path, address, gone)
    house.day("2026-03-01")
    house.day("2026-03-02", 1)
    assert "threshold of late 1: 0.6, by ana" in said("show")
    assert said("show", "--date", "2026-03-01").endswith("so nothing is sent\n")
    assert json.loads(said("show", "--json"))["message"]["kind"] == "info"
    monkeypatch.setenv("AIOPS_MESSAGE_ON", '["failed"]')
    assert said("show") == (
        "2026-03-02: nothing that message_on asks for happened, so nothing is sent\n"
    )
    monkeypatch.delenv("AIOPS_MESSAGE_ON")
    assert "there are no pages of 2026-02-01" in said("show", "--date", "2026-02-01", code=1)
    assert len(box.mails) == 1, "showing sends nothing"
    house.tell()
    listed = json.loads(said("list", "--json"))
    assert [(row["to"], row["state"]) for row in listed] == [
        ("json://127.0.0.1", "failed"),
        ("mailto://127.0.0.1", "delivered"),
    ]
    assert "1 thing told" in said("list") and "canary" not in f"{listed} {tried}"
    house.take_in()
    capsys.readouterr()
    assert (
        main(["status"]) == 0 and "json://127.0.0.1 took nothing since" in capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_real_morning_sends_a_real_mail_and_a_sign_of_life(bench, mail, monkeypatch):
    "By the command, with its reports, and a process of its own that sends."
    monkeypatch.undo()
    monkeypatch.chdir(bench.root)
    box, address = mail
    bench.log(events(days=3, per_day=40, start=NOW.date() - timedelta(4)))
    with web_server() as web:
        (bench.root / "aiops.toml").write_text(
            f"messages = {json.dumps([address])}\ncomplete_share = 1\n"
            f'heartbeat_url = "http://127.0.0.1:{web.server_port}/me"\n'
        )
        assert main(["daily"]) == 0 and not box.mails
        words = ("calendar", "add", "new cameras", "--from", "2026-03-02", "--why", "Miller")
        assert main(list(words)) == 0
        bench.log(events(days=1, per_day=40, start=NOW.date() - timedelta(1), version="v1b"))
        assert main(["daily"]) == 0 == main(["daily"])
        assert len(box.mails) == 1 and len(web.asked) == 3
    assert "new cameras" in box.texts[0] and "reports/2026-03-02/index.html" in box.texts[0]
    assert "Miller" not in box.texts[0] and box.subjects[0].startswith("aiops_wb 2026-03-02: ")
