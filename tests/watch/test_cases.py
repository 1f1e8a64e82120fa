"""Decisions become cases, once; sinks fail, and nothing is lost."""

import http.server
import json
import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb import daily
from aiops_wb.config import Settings
from aiops_wb.daily import hand_on, run
from aiops_wb.log.errors import StoreError
from aiops_wb.log.outbox import Outbox
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import Event, assign, deduplicate, ticket_text
from aiops_wb.watch.cases import case_id, open_cases
from aiops_wb.watch.sinks import SENT, JsonLines, Webhook, deliver, message, sinks

START, NOW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 2, tzinfo=UTC)


def log(bench, at, entity="guard", kind="ticket", score=0.95, site="north", **columns):
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as out:
        return out.log(
            score,
            at,
            entity_id=entity,
            site_id=site,
            risk_level="CRITICAL",
            route=kind,
            automated=kind == "ticket",
            **columns,
        )


def opened(bench, now=NOW, settings=Settings()):
    bench.ingest(now)
    with bench.store() as store:
        return open_cases(store, now, settings), store.cases()


hours = st.lists(
    st.tuples(
        st.floats(0, 100), st.sampled_from(["a", "b", None]), st.sampled_from(["ticket", "alert"])
    ),
    max_size=30,
)


@given(hours)
def test_one_case_for_each_entity_and_window_by_definition(made):
    events_ = [
        Event(f"p{i:02d}", kind, entity, START + timedelta(hours=h))
        for i, (h, entity, kind) in enumerate(made)
    ]
    found = deduplicate(events_, {})
    openers = {}
    for e in sorted(events_, key=lambda e: (e.at, e.prediction_id)):
        last = openers.get((e.kind, e.entity_id)) if e.entity_id else None
        if last is None or e.at - last.at >= timedelta(hours=24):
            openers[(e.kind, e.entity_id)] = last = e
        assert found[e.prediction_id] == last.prediction_id
    assert deduplicate(reversed(events_), {}) == found


def test_open_cases_of_before_take_what_belongs_to_them():
    known = {("ticket", "a"): [("old", START), ("far", START + timedelta(days=900))]}
    late = [
        Event("x", "ticket", "a", START + timedelta(hours=23)),
        Event("y", "ticket", "a", START - timedelta(hours=5)),
        Event("z", "ticket", "a", START + timedelta(hours=24)),
        Event("w", "alert", "a", START),
    ]
    assert deduplicate(late, known) == {"x": "old", "y": "old", "z": "z", "w": "w"}


def test_what_is_too_old_to_be_sent_does_not_swallow_what_is_not(bench):
    for hours_ago in (49, 26, 3):
        log(bench, (NOW - timedelta(hours=hours_ago)).isoformat())
    first, cases = opened(bench)
    assert (first.opened, first.joined, first.late) == (1, 1, 1) and cases.state.tolist() == [
        "late",
        "opened",
        "joined",
    ]


def test_events_out_of_order_make_no_more_cases(bench):
    log(bench, (NOW - timedelta(hours=1)).isoformat())
    assert opened(bench)[0].opened == 1
    for minute in range(10):
        log(bench, (NOW - timedelta(hours=27, minutes=minute)).isoformat())
    log(bench, "2099-01-01T00:00:00Z")
    later, _ = opened(bench)
    assert (later.opened, later.joined) == (2, 9)
    log(bench, NOW.isoformat())
    assert opened(bench)[0].joined == 1


def test_what_a_sink_refused_for_too_long_is_said_once(bench, server, tmp_path):
    log(bench, "2026-03-02T10:00:00Z")
    settings, said = (
        Settings(
            data=bench.data, reports=tmp_path / "reports", webhook_url=server, webhook_retries=0
        ),
        [],
    )
    Server.answers = [500]
    assert not hand_on(bench.data, NOW, settings, "t", say=said.append)
    for expected in (False, True):
        said.clear()
        assert (
            hand_on(bench.data, NOW + timedelta(days=5), settings, "t", say=said.append) is expected
        )
        assert (
            any(
                "1 cases were refused by webhook until they were older than 48 hours" in s
                for s in said
            )
            is not expected
        )
    assert len(Server.seen) == 1


def test_a_line_cut_by_a_full_disk_costs_no_other(tmp_path):
    sink = JsonLines(tmp_path / "c.jsonl")
    sink.path.write_text('{"case_id": "T-')
    sink.send({"case_id": "T-1"})
    sink.send({"case_id": "T-2"})
    assert sink.path.read_text().splitlines() == [
        '{"case_id": "T-',
        '{"case_id": "T-1"}',
        '{"case_id": "T-2"}',
    ]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "c.jsonl")
    with pytest.raises(StoreError, match="it is no file of lines"):
        JsonLines(tmp_path / "c.jsonl").send({"case_id": "T-1"})


def test_linear_scores_are_no_percentages(bench):
    from aiops_wb.stats.points import Grid

    with PredictionLogger(bench.data / "spool", "z", "v1", threshold=0, grid=Grid("linear")) as out:
        out.log(5.0, "2026-03-02T10:00:00Z", entity_id=" ", route="alert", automated=False)
    _, cases = opened(bench)
    assert "scored 5 for an unnamed entity" in cases.text[0] and "%" not in cases.title[0]


def test_a_ladder_that_a_service_names_its_own_way_costs_no_case(bench):
    log(bench, START + timedelta(days=2), ladder="standard")
    _, cases = opened(bench)
    assert cases.reason.tolist() == ["risk CRITICAL, as the scoring service decided"]


def test_the_chain_of_assignment():
    assert assign({"security_manager": " A ", "manager": "B"}) == ("A", "site security manager")
    assert assign({"security_manager": "", "manager": "B"}) == ("B", "site manager")
    for nobody in (None, {}, {"security_manager": None, "manager": float("nan")}):
        assert assign(nobody) == (None, "unassigned")


def test_words_without_an_interval():
    title, text = ticket_text(
        kind="alert",
        model="m",
        entity_id=None,
        site_id=None,
        at="now",
        probability=0.7,
        interval=(float("nan"), float("nan")),
        decision_reason="risk HIGH",
    )
    assert (
        "an unnamed entity" in title
        and "is not known" in text
        and "A person decides" in text
        and "reasons" not in text
    )


def test_cases_open_once_whatever_is_repeated(bench):
    ids = [log(bench, f"2026-03-01T{h}:00:00Z")[0] for h in (10, 12)] + [
        log(bench, "2026-03-02T11:00:00Z")[0]
    ]
    log(bench, "2026-03-02T09:00:00Z", entity="other", kind="alert")
    log(bench, "2026-03-02T09:00:00Z", entity="calm", kind="monitor", score=0.1)
    first, cases = opened(bench)
    assert (first.opened, first.joined, first.late) == (3, 1, 0) and len(cases) == 4
    assert cases.case_id[cases.entity_id == "guard"].tolist() == [case_id("ticket", ids[0])] * 2 + [
        case_id("ticket", ids[2])
    ]
    again, same = opened(bench)
    assert (again.opened, again.joined) == (0, 0) and same.equals(cases)
    log(bench, "2026-03-02T20:00:00Z")
    later, cases = opened(bench)
    assert (later.opened, later.joined) == (0, 1) and cases.case_id.iloc[-1] == case_id(
        "ticket", ids[2]
    )


def test_models_and_tenants_do_not_share_cases(bench):
    for model, tenant in (("a", "x"), ("b", "x"), ("a", "y")):
        with PredictionLogger(bench.data / "spool", model, "v1", threshold=0, tenant=tenant) as out:
            out.log(0.9, "2026-03-02T10:00:00Z", entity_id="guard", route="ticket", automated=True)
    first, cases = opened(bench)
    assert first.opened == 3 and set(cases.risk_level) == {"CRITICAL"}


def test_old_predictions_are_recorded_and_not_sent(bench):
    log(bench, "2026-02-20T10:00:00Z")
    first, cases = opened(bench)
    assert (first.opened, first.late) == (0, 1) and cases.state.tolist() == ["late"]
    with bench.store() as store:
        assert store.undelivered(["file"], NOW - timedelta(hours=48))["file"].empty


def test_a_case_shows_who_what_and_why(bench):
    made = ScoreCounts.from_events(
        np.r_[np.full(100, 2944), np.full(400, -3000)], np.r_[np.ones(100), np.zeros(400)]
    )
    days = {START.date() - timedelta(i): made for i in range(50)}
    with bench.store() as store:
        key = store.add_calibration(
            START, "t", MODEL, "v1", certainty(days, max(days)), "test", max(days)
        )
        store.set_sites(
            START,
            "t",
            pd.DataFrame({"site_id": ["north"], "security_manager": [" "], "manager": ["T. Osei"]}),
            "first",
        )
    log(bench, "2026-03-02T10:00:00Z", calibration_id=key)
    log(bench, "2026-03-02T11:00:00Z", entity=None, site=None)
    _, cases = opened(bench)
    assert cases.assignee.tolist()[:1] == ["T. Osei"] and cases.role.tolist() == [
        "site manager",
        "unassigned",
    ]
    assert (
        cases.lower[0] > 0.9
        and np.isnan(cases.lower[1])
        and "mean daily share of false tickets is at most 10%" in cases.reason[0]
    )
    assert (
        "as the scoring service decided" in cases.reason[1]
        and "an unnamed entity" in cases.title[1]
    )


def test_a_killed_run_opens_nothing_half(bench, monkeypatch):
    log(bench, "2026-03-02T10:00:00Z")
    bench.ingest(NOW)
    with bench.store() as store:
        whole = store._insert
        monkeypatch.setattr(
            store, "_insert", lambda *a: (whole(*a), (_ for _ in ()).throw(KeyboardInterrupt))[0]
        )
        with pytest.raises(KeyboardInterrupt):
            open_cases(store, NOW, Settings())
        assert store.cases().empty and store.cases_from() == 1
    assert opened(bench)[0].opened == 1


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pd.DataFrame({"place": ["a"]}), "no column site_id"),
        (pd.DataFrame({"site_id": ["a", None]}), "row 2"),
        (pd.DataFrame({"site_id": ["a", "a"]}), "twice"),
        (pd.DataFrame(), "no column site_id"),
    ],
)
def test_bad_tables_of_sites_are_refused(bench, table, says):
    with bench.store() as store:
        with pytest.raises(StoreError, match=says):
            store.set_sites(NOW, "t", table, "why")
        assert store.sites() == {}


def test_the_latest_row_of_a_site_counts_and_repeats_change_nothing(bench):
    table = pd.DataFrame({"site_id": ["a", "b"], "manager": ["M", "N"]})
    with bench.store() as store:
        assert [
            store.set_sites(NOW + timedelta(i), "t", t, "why")
            for i, t in enumerate((table, table, table.assign(manager=["M", "O"])))
        ] == [2, 0, 1]
        assert (
            store.sites()["default", "b"]["manager"] == "O"
            and (store.audit().what == "sites").sum() == 2
        )


def test_sites_loaded_at_one_moment_count_in_their_order(bench):
    with bench.store() as store:
        for manager in ("M", "N", "O"):
            assert (
                store.set_sites(
                    NOW, "t", pd.DataFrame({"site_id": ["a"], "manager": [manager]}), "why"
                )
                == 1
            )
            assert store.sites()["default", "a"]["manager"] == manager


def test_sites_loaded_with_a_clock_behind_count(bench):
    with bench.store() as store:
        for i, manager in enumerate("MN"):
            assert (
                store.set_sites(
                    NOW - timedelta(hours=i),
                    "t",
                    pd.DataFrame({"site_id": ["a"], "manager": [manager]}),
                    "why",
                )
                == 1
            )
        assert store.sites()["default", "a"]["manager"] == "N"
        assert (
            store.set_sites(
                NOW - timedelta(hours=2),
                "t",
                pd.DataFrame({"site_id": ["a"], "manager": ["N"]}),
                "why",
            )
            == 0
        )


class Server(http.server.BaseHTTPRequestHandler):
    answers, seen, headers_sent, chunks = [], [], {}, 0
    hung_up = threading.Event()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for _ in range(self.chunks):
                self.wfile.write(b"0" * 65_536)
        except ConnectionError:
            self.hung_up.set()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.answers, Server.seen, Server.headers_sent, Server.chunks = [], [], {}, 0
    Server.hung_up.clear()
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/hook?token=secret"
    httpd.shutdown()
    httpd.server_close()


def a_case(number=0):
    return {"case_id": f"T-{number}", "title": "Act"}


def test_the_webhook_tries_again_and_sends_the_id(server):
    Server.answers = [503, 429]
    Webhook(server, timeout=2, retries=3, pause=0).send(a_case())
    assert [key for key, _ in Server.seen] == ["T-0"] * 3 and Server.seen[-1][1]["title"] == "Act"


def test_a_server_does_not_decide_how_long_the_webhook_waits(server, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    Server.answers, Server.headers_sent = [503, 429], {"Retry-After": "3600"}
    Webhook(server, timeout=2, retries=3, pause=0).send(a_case())
    assert len(Server.seen) == 3 and not any(waited)


def test_the_webhook_does_not_read_a_body_without_end(server):
    "The server would send 256 MB; the webhook hangs up."
    Server.chunks = 4096
    Webhook(server, timeout=5, retries=0).send(a_case())
    assert Server.hung_up.wait(20) and len(Server.seen) == 1


class Dripping(Server):
    "A whole answer, a byte at a time: no read of it takes long, all of it does."

    def do_POST(self):
        try:
            for byte in b"HTTP/1.0 200 OK\r\nServer: " + b"x" * 150 + b"\r\n\r\n":
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except ConnectionError:
            pass


def test_the_webhook_waits_for_a_whole_answer_no_longer_than_its_timeout():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    place = f"http://127.0.0.1:{httpd.server_port}/secret"
    with pytest.raises(StoreError, match="did not answer in time") as refused:
        Webhook(place, timeout=0.3, retries=1, pause=0).send(a_case())
    assert "secret" not in str(refused.value)
    Webhook(place, timeout=60, retries=0).send(a_case())  # which is one, and not refused
    httpd.shutdown()
    httpd.server_close()


def test_the_webhook_does_not_wait_for_a_name_that_is_looked_up_for_ever(monkeypatch):
    found = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found.wait(60))
    with pytest.raises(StoreError, match="did not answer in time"):
        Webhook("http://receiver.example/", timeout=0.2, retries=0).send(a_case())
    found.set()


def test_reports_wait_for_no_receiver(bench, server, monkeypatch, tmp_path):
    "The receiver answers when the reports are made, and not before."
    log(bench, "2026-03-02T10:00:00Z")
    made, waited = threading.Event(), []
    answer = Server.send_response

    def send_response(self, code):
        waited.append(made.wait(60))
        answer(self, code)

    def make_reports(*_, **__):
        made.set()
        return []

    monkeypatch.setattr(Server, "send_response", send_response)
    monkeypatch.setattr(daily, "make_reports", make_reports)
    settings = Settings(
        data=bench.data, reports=tmp_path / "r", webhook_url=server, webhook_timeout=120
    )
    said = []
    ran = run(bench.data, tmp_path / "r", NOW, settings, show="last", say=said.append)
    assert waited == [True] and ran.handed_on == "ok" and "webhook: 1 cases taken" in said
    with bench.store() as store:
        assert store.frame("SELECT state FROM deliveries").state.tolist() == ["delivered"]


def test_the_webhook_says_what_failed_without_its_address(server):
    Server.answers = [404]
    with pytest.raises(StoreError, match="answered 404") as refused:
        Webhook(server, retries=0, pause=0).send(a_case())
    dead = Webhook("http://127.0.0.1:9/secret", timeout=0.5, retries=0, pause=0)
    with pytest.raises(StoreError, match="could not be reached") as gone:
        dead.send(a_case())
    assert "secret" not in str(refused.value) + str(gone.value)
    for bad in ("ftp://example.org", "http://[SECRET", "http://", "nothing"):
        with pytest.raises(StoreError, match="http://") as refused:
            Webhook(bad)
        assert "SECRET" not in str(refused.value)


def test_the_circuit_breaks_after_three_failures_in_a_row(server):
    Server.answers = [500] * 3
    waiting = pd.DataFrame(
        [
            dict.fromkeys(("case_id", *message_columns), None) | {"case_id": f"T-{i}"}
            for i in range(6)
        ]
    )
    attempts = deliver({"webhook": waiting}, [Webhook(server, retries=0, pause=0)], NOW)
    assert attempts.state.tolist() == ["failed"] * 6 and len(Server.seen) == 3
    assert attempts.detail.str.contains("not tried").tolist() == [False] * 3 + [True] * 3


message_columns = (
    "kind",
    "workflow",
    "assignee",
    "role",
    "title",
    "text",
    "tenant",
    "model",
    "version",
    "entity_id",
    "site_id",
    "predicted_at",
    "risk_level",
    "probability",
    "lower",
    "upper",
    "automated",
    "reason",
    "prediction_id",
    "opened_at",
)


def test_a_day_hands_cases_on_once_and_tries_again_what_failed(bench, server, tmp_path):
    log(bench, "2026-03-02T10:00:00Z")
    log(bench, "2026-03-02T10:00:00Z", entity="other", kind="alert")
    settings = Settings(
        data=bench.data,
        reports=tmp_path / "reports",
        case_file=tmp_path / "out" / "cases.jsonl",
        webhook_url=server,
        webhook_retries=0,
    )
    Server.answers = [500]
    said = []
    ran = run(bench.data, tmp_path / "reports", NOW, settings, show="none", say=said.append)
    assert (
        ran.handed_on == "failed"
        and ran.exit_code == 3
        and any("1 not (the webhook answered 500)" in s for s in said)
    )
    lines = (tmp_path / "out" / "cases.jsonl").read_text().splitlines()
    assert (
        len(lines) == 2
        and json.loads(lines[0])["role"] == "unassigned"
        and json.loads(lines[0])["probability"] == pytest.approx(0.95, abs=1e-3)
    )
    assert hand_on(bench.data, NOW, settings, "t", say=said.append)
    assert (
        len((tmp_path / "out" / "cases.jsonl").read_text().splitlines()) == 2
        and len({key for key, _ in Server.seen}) == 2
        and len(Server.seen) == 3
    )
    assert (
        run(bench.data, tmp_path / "reports", NOW, settings, show="none", say=said.append).exit_code
        == 0
        and len(Server.seen) == 3
    )
    assert not any("secret" in s for s in said) and "secret" not in repr(settings)


def test_a_sink_that_cannot_write_is_said_and_costs_the_day_nothing_else(bench, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    bench.log(events(1, start=datetime(2026, 3, 2).date()), route="ticket", automated=True)
    settings = Settings(
        data=bench.data, reports=tmp_path / "reports", case_file=tmp_path / "taken" / "cases.jsonl"
    )
    ran = run(bench.data, tmp_path / "reports", NOW, settings, show="none", say=lambda _: None)
    assert ran.exit_code == 3 and [f.state for f in ran.figures] == ["ok"]
    with bench.store() as store:
        assert (store.frame("SELECT * FROM deliveries").state == "failed").all()


def test_the_page_of_cases_says_what_was_sent_by_the_run_that_makes_it(bench, tmp_path):
    page = tmp_path / "reports" / "cases.html"
    settings = Settings(data=bench.data, case_file=tmp_path / "cases.jsonl")
    asked = {"say": lambda _: None}
    log(bench, "2026-03-02T10:00:00Z")
    assert run(bench.data, page.parent, NOW, settings, show="none", **asked).exit_code == 0
    assert not page.exists()
    log(bench, f"{NOW}", entity="other")  # of the running day, of which nothing is figured yet
    assert run(bench.data, page.parent, NOW, settings, **asked).exit_code == 0
    assert page.read_text().count("file delivered 2026-03-03 ") == 2


def test_messages_are_plain_json_and_sinks_follow_the_settings(bench, tmp_path):
    log(bench, "2026-03-02T10:00:00Z")
    _, cases = opened(bench)
    json.dumps(message(cases.iloc[0]))
    assert sinks(Settings()) == [] and isinstance(
        sinks(Settings(case_file=tmp_path / "c"))[0], JsonLines
    )


def forty(bench, settings, now=NOW):
    for number in range(40):
        log(bench, "2026-03-02T10:00:00Z", entity=f"guard-{number}")
    return settings(
        data=bench.data,
        reports=bench.root / "reports",
        case_file=bench.root / "cases.jsonl",
    )


def stopped(monkeypatch, name, after=1):
    "A process that ends when it calls a function of `daily` for the so-manieth time."
    real, calls = getattr(daily, name), []

    def call(*arguments, **options):
        calls.append(name)
        if len(calls) >= after:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(daily, name, call)


def keys(path):
    return [json.loads(line)["idempotency_key"] for line in path.read_text().splitlines()]


def test_mornings_that_crash_send_a_case_once(bench, server, monkeypatch):
    "Forty cases over three mornings, each of which ends after sending: 40 lines, 40 keys."
    settings = forty(bench, lambda **k: Settings(webhook_url=server, **k))
    for morning in range(3):
        with monkeypatch.context() as broken:
            stopped(broken, "make_reports")
            stopped(broken, "_record")
            with pytest.raises(KeyboardInterrupt):
                now = NOW + timedelta(hours=morning)
                run(bench.data, settings.reports, now, settings, show="none", say=lambda _: None)
    sent = keys(bench.root / "cases.jsonl")
    assert len(sent) == len(set(sent)) == 40
    assert len(Server.seen) == len({key for key, _ in Server.seen}) == 40
    assert hand_on(bench.data, NOW, settings, "t", lambda _: None)
    with bench.store() as store:
        taken = store.frame("SELECT sink, state, count(*) AS n FROM deliveries GROUP BY ALL")
    assert taken.n.tolist() == [40, 40] and set(taken.state) == {"delivered"}
    assert not list((bench.data / "outbox").glob("*.jsonl"))


def test_who_ends_a_run_that_waits_for_a_receiver_ends_the_sending_too(tmp_path):
    "The reports are made by then; the receiver takes its time for each of many cases."
    sent, ended, main = [], threading.Event(), threading.main_thread().ident

    def taken(case):
        sent.append(case)
        if len(sent) == 1:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.2)  # which the main thread uses

    receiver = SimpleNamespace(name="webhook", send=taken)
    cases = pd.DataFrame({"case_id": list("abcdefghij")}).reindex(columns=[*SENT, "is_update"])
    morning, turn = SimpleNamespace(data=tmp_path, now=NOW), ExitStack()
    turn.callback(ended.set)
    with pytest.raises(KeyboardInterrupt):
        with daily._handing_on(morning, {"webhook": cases}, [receiver], turn):
            pass
    assert ended.wait(10) and len(sent) == 1


def test_a_stop_between_sending_and_recording_repeats_one_message_under_its_key(
    bench, server, monkeypatch
):
    settings = forty(bench, lambda **k: Settings(webhook_url=server, **k))
    for after in (7, 45, 60):
        with monkeypatch.context() as broken:
            add, calls = Outbox.add, []

            def stops(self, attempt, add=add, calls=calls, after=after):
                calls.append(attempt)
                if len(calls) >= after:
                    raise KeyboardInterrupt
                add(self, attempt)

            broken.setattr(Outbox, "add", stops)
            with suppress(KeyboardInterrupt):
                hand_on(bench.data, NOW, settings, "t", lambda _: None)
    hand_on(bench.data, NOW, settings, "t", lambda _: None)
    sent = keys(bench.root / "cases.jsonl")
    assert len(sent) == len(set(sent)) == 40  # the file is looked at
    received = [key for key, _ in Server.seen]
    assert len(set(received)) == 40 and len(received) <= 43
    assert {body["idempotency_key"] for _, body in Server.seen} == set(received)


def test_a_case_that_becomes_graver_is_sent_as_an_update_of_it(bench, tmp_path):
    settings = Settings(data=bench.data, case_file=tmp_path / "cases.jsonl")
    say = lambda _: None
    for hour, level in ((8, "HIGH"), (9, "HIGH"), (10, "CRITICAL"), (11, "HIGH"), (12, "CRITICAL")):
        with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as out:
            at = f"2026-03-02T{hour}:00:00Z".replace("T8", "T08").replace("T9", "T09")
            out.log(0.9, at, entity_id="guard", risk_level=level, route="alert", automated=False)
        assert hand_on(bench.data, NOW, settings, "t", say)
    first, update = map(json.loads, (tmp_path / "cases.jsonl").read_text().splitlines())
    assert first["case_id"] == update["case_id"] and (first["update"], update["update"]) == (
        False,
        True,
    )
    assert (first["risk_level"], update["risk_level"]) == ("HIGH", "CRITICAL")
    assert first["idempotency_key"] != update["idempotency_key"]
    assert first["opened_at"] == update["opened_at"] and update["predicted_at"].startswith(
        "2026-03-02T10"
    )


def test_a_delivery_of_an_older_version_counts(bench):
    "It has neither key nor level: as grave as the case was when it was opened."
    log(bench, "2026-03-02T10:00:00Z")
    _, cases = opened(bench)
    with bench.store() as store:
        store.con.execute(
            "INSERT INTO deliveries (case_id, sink, state, attempted_at) "
            "VALUES (?, 'file', 'delivered', ?)",
            [cases.case_id[0], NOW],
        )
        assert store.undelivered(["file"], START)["file"].empty


def test_two_processes_do_not_hand_on_at_once(bench, tmp_path):
    log(bench, "2026-03-02T10:00:00Z")
    settings, said = Settings(data=bench.data, case_file=tmp_path / "cases.jsonl"), []
    with Outbox(bench.data).held():
        assert hand_on(bench.data, NOW, settings, "t", said.append)
    assert not settings.case_file.exists() and any("another process" in s for s in said)
    assert hand_on(bench.data, NOW, settings, "t", said.append)
    assert len(keys(settings.case_file)) == 1


def test_a_case_that_no_receiver_can_take_costs_no_other(bench, tmp_path):
    "Half a character in an id is written as JSON escapes it."
    sink = JsonLines(tmp_path / "cases.jsonl")
    sink.send({"case_id": "T-1", "idempotency_key": "a", "title": "half \ud83d"})
    (tmp_path / "cases.jsonl").open("a").write('{"case_id": "T-')  # a full disk
    for _ in range(2):
        sink.send({"case_id": "T-2", "idempotency_key": "b", "title": "whole"})
        sink = JsonLines(tmp_path / "cases.jsonl")
    first, _, second = (tmp_path / "cases.jsonl").read_text().splitlines()
    assert json.loads(first)["title"] == "half \ud83d" and json.loads(second)["case_id"] == "T-2"

    class Broken:
        name = "broken"

        def send(self, case):
            raise ValueError("no")

    waiting = pd.DataFrame([dict.fromkeys(("case_id", *message_columns))] * 2)
    attempts = deliver({"broken": waiting}, [Broken()], NOW)
    assert attempts.state.tolist() == ["failed"] * 2 and attempts.detail[0] == "no"
