"""Addresses show no secret, failures are told in a sentence, and nobody is waited for too long."""

import io
import json
import logging
import os
import threading
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from receivers import dribbling, free_port, mail_server, web_server

from aiops_wb.config import Address, Settings, SettingsError, load_settings
from aiops_wb.log.outbox import ATTEMPT
from aiops_wb.watch import courier, heartbeat, messages
from aiops_wb.watch.courier import sent
from aiops_wb.watch.heartbeat import beat
from aiops_wb.watch.messages import FIRST, LATEST, Item, Message, Recipient, Told, send

NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
HELLO = Message("hello", "one\ntwo <three> & four")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mailto://user:canary@mail.example.org:587?to=canary@example.org", "mail.example.org"),
        ("MAILTOS://canary:canary@example.org/canary", "example.org"),
        ("json://user:canary@127.0.0.1:9/canary?+X-Token=canary", "127.0.0.1"),
        ("https://hooks.example.org/services/canary", "hooks.example.org"),
        ("slack://canary/canary/canary", "..."),
        ("tgram://canary:canary/12", "..."),
        ("mailto://user:can/ary@example.org", "..."),
        ("mailto://[canary", "..."),
        ("jsonx://canary", "..."),
    ],
)
def test_an_address_shows_its_scheme_and_no_more_than_a_host(address, shown):
    one = Address(address)
    assert str(one) == f"{address.partition('://')[0].lower()}://{shown}"
    settings = Settings(config="no file", messages=(address,), heartbeat_url="https://h/canary")
    told = f"{one!r} {settings!r} {settings.model_dump(mode='json')} {Recipient(one).name}"
    assert "canary" not in told and "can/ary" not in told
    assert str(Address("canary")) == str(Address("can ary://x")) == "an address"


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": ("canary@example.org",)},
        {"messages": ("canary://",)},
        {"messages": "mailto://canary"},
        {"heartbeat_url": "ftp://canary"},
        {"heartbeat_url": "http:///canary"},
        {"pages_url": "file:///canary"},
        {"message_on": ("canary",)},
        {"message_timeout": 0},
    ],
    ids=str,
)
def test_a_wrong_address_is_refused_without_being_said(wrong):
    with pytest.raises(SettingsError) as stop:
        load_settings(config="no file", **wrong)
    assert str(stop.value).startswith(next(iter(wrong))) and "canary" not in str(stop.value)


def test_addresses_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AIOPS_MESSAGES", '["slack://a/b/c", "slack://a/b/c"]')
    assert load_settings(config="no file").messages == (Address("slack://a/b/c"),)
    monkeypatch.setenv("AIOPS_MESSAGES", "slack://a/b/c")
    with pytest.raises(SettingsError, match=r"write a list such as \[\"mailto://user"):
        load_settings(config="no file")


def test_a_new_password_is_no_new_address_and_another_recipient_is():
    name = [
        Recipient(Address(f"mailto://ana:{word}@example.org?to={to}&pass={word}")).name
        for word, to in (("one", "a@b.c"), ("two", "a@b.c"), ("one", "d@e.f"))
    ]
    assert name[0] == name[1] != name[2] and name[0].startswith("mailto://example.org (")


@pytest.mark.parametrize(
    ("address", "models", "of_apprise"),
    [
        ("slack://a/b?models=late,early", {"late", "early"}, "slack://a/b"),
        ("mailto://h?to=x@y.z&models=late%2C%20too", {"late, too"}, "mailto://h?to=x@y.z"),
        ("json://h?models=&+X=1&models=m", {"m"}, "json://h?+X=1"),
        ("json://h?a=1", set(), "json://h?a=1"),
        ("json://h", set(), "json://h"),
    ],
)
def test_an_address_may_hear_of_some_models_alone(address, models, of_apprise):
    to = Recipient(Address(address))
    assert to.models == models and to.of_apprise.get_secret_value() == of_apprise
    assert Recipient(to.of_apprise).models == set()
    assert (Recipient(to.of_apprise).name == to.name) == (not models)
    for of in ("model", "about"):
        heard = [to.hears_of(Item("x", "changed", "x", **{of: m})) for m in (*models, "other")]
        assert heard == [True] * len(models) + [not models]
    assert to.hears_of(Item("x", "failed", "x"))


def rows(*told):
    "Attempts at an address: (minutes, item, state)."
    to = Recipient(Address("slack://a"))
    made = [
        to.attempt(item, NOW + timedelta(minutes=m), None if state == "delivered" else "no")
        for m, item, state in told
    ]
    return Told(pd.DataFrame(made, columns=list(ATTEMPT))), to.name


def test_what_was_taken_is_told_from_what_waits():
    told, to = rows((0, "a", "failed"), (0, "b", "failed"), (20, "a", "delivered"))
    assert (told.taken(to), told.waiting(to)) == ({"a"}, {"b"})
    assert told.failures(to).empty and told.rests_until(to, NOW) is None
    assert told.since(to) == NOW and told.since("nobody") is None
    assert told.taken("nobody") == set() and told.rests_until("nobody", NOW) is None


def test_an_address_that_fails_is_left_alone_twice_as_long_each_time():
    for n in (1, 2, 3, 30):
        told, to = rows(*((m, item, "failed") for m in range(n) for item in "ab"))
        last = NOW + timedelta(minutes=n - 1)
        assert len(told.failures(to)) == n
        assert told.rests_until(to, last) == last + min(LATEST, FIRST * 2 ** (n - 1))
        assert told.rests_until(to, last + LATEST) is None
        # a clock that was ahead does not silence anybody
        assert told.rests_until(to, NOW - timedelta(days=9)) <= NOW - timedelta(days=9) + LATEST


def test_the_same_thing_has_the_same_key_for_an_address_and_another_for_another():
    item, to = Item("opened D-1", "changed", "x"), Recipient(Address("slack://a"))
    keys = [to.attempt(item.id, at, None)["key"] for at in (NOW, NOW + FIRST)]
    other = Recipient(Address("slack://b")).attempt(item.id, NOW, None)["key"]
    assert keys[0] == keys[1] != other and item.id.startswith("M-")


@pytest.fixture(scope="module")
def mail():
    with mail_server() as found:
        yield found


def told(address):
    return {"address": address, **HELLO._asdict()}


def test_a_mail_arrives_as_it_was_written(mail):
    box, address = mail
    assert sent(told(address)) is None
    assert (box.subjects[-1], box.texts[-1]) == HELLO[:2]
    assert box.mails[-1]["To"] == "ops@example.org"
    assert "apprise" not in box.mails[-1].as_string().lower(), "it comes from the workbench"


def test_what_is_wrong_is_one_sentence_without_a_secret(mail, caplog):
    caplog.set_level(logging.DEBUG)
    box, address = mail
    box.refuses = True
    refused = sent(told(address))
    box.refuses = False
    gone = free_port()
    problems = [
        refused,
        sent(told(f"mailto://canary:canary@127.0.0.1:{gone}?from=a@b.com&to=canary@b.com")),
        sent(told(f"json://canary:canary@127.0.0.1:{gone}/canary?+X-T=canary")),
        sent(told("nothing://canary")),
        sent(told("slack://canary")),
    ]
    assert all(problems) and not any("\n" in problem for problem in problems)
    assert "127.0.0.1" in problems[1] and "no address that apprise knows" in problems[3]
    assert "canary" not in f"{problems} {caplog.text}" and "ops@" not in refused


def test_who_waits_for_no_answer_any_more_is_not_outlived_by_what_is_being_sent(monkeypatch):
    "Whoever sends has gone: the courier ends, though a server holds one of its messages."
    kept, nobody = [os.dup(1), os.dup(2)], os.pipe()
    held, before = threading.Event(), set(threading.enumerate())
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([{"held": True}, {"held": False}])))
    monkeypatch.setattr(courier, "sent", lambda m: held.wait(60) and None if m["held"] else None)
    try:
        os.close(nobody[0])
        os.dup2(nobody[1], 1)
        with pytest.raises(BrokenPipeError):
            courier.main()
        left = set(threading.enumerate()) - before
        assert left and all(thread.daemon for thread in left)
    finally:
        held.set()
        for here, there in zip(kept, (1, 2)):
            os.dup2(here, there)
        for one in (*kept, nobody[1]):
            os.close(one)


def test_a_server_that_dribbles_delays_no_other_message(mail):
    box, address = mail
    before = len(box.mails)
    with dribbling() as port:
        slow = Address(f"mailto://127.0.0.1:{port}?from=a@b.com&to=c@d.com")
        wrong = Address("nothing://x")
        answers = send([(one, HELLO) for one in (slow, Address(address), wrong)], 300)
        first = dict([next(answers), next(answers)])
        assert first.keys() == {1, 2} and first[1] is None and "apprise knows" in first[2]
    ((place, problem),) = answers  # the dribbling has come to an end
    assert place == 0 and problem and len(box.mails) == before + 1


def test_a_server_that_dribbles_is_waited_for_no_longer_than_it_may_be():
    with dribbling() as port:
        slow = Address(f"mailto://127.0.0.1:{port}?from=a@b.com&to=c@d.com")
        problem = "it was not taken in time (message_timeout)"
        assert list(send([(slow, HELLO)], 0.5)) == [(0, problem)]


def test_without_apprise_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(messages, "find_spec", lambda name: None)
    ((place, problem),) = send([(Address("slack://a"), HELLO)], 5)
    assert place == 0 and "pip install 'aiops_wb[messages]'" in problem


def test_a_process_that_cannot_be_started_or_dies_is_said(monkeypatch):
    started = messages._started
    monkeypatch.setattr(messages.sys, "executable", "/nothing/here")
    assert "could not be started" in next(send([(Address("slack://a"), HELLO)], 5))[1]
    monkeypatch.setattr(messages.sys, "executable", "/bin/false")
    assert "died" in next(send([(Address("slack://a"), HELLO)], 5))[1]
    assert started is messages._started


@pytest.fixture
def web():
    with web_server() as server:
        server.address = Address(f"http://u:canary@127.0.0.1:{server.server_port}/canary?a=canary")
        yield server


def test_the_heartbeat_asks_once_and_again_while_the_server_is_busy(web, monkeypatch):
    monkeypatch.setattr(heartbeat, "PAUSE", 0.001)
    web.answers = [503, 429]
    assert beat(web.address, 10) is None
    assert [path for path, _ in web.asked] == ["/canary?a=canary"] * 3
    assert all(said.startswith("Basic ") for _, said in web.asked)


def test_a_server_that_hangs_up_is_asked_again_after_the_pause_and_not_before(web, monkeypatch):
    monkeypatch.setattr(heartbeat, "PAUSE", 60)
    web.answers = [0]
    assert "could not be reached" in beat(web.address, 30) and len(web.asked) == 1
    monkeypatch.setattr(heartbeat, "PAUSE", 0.001)
    web.answers = [0, 0]
    assert beat(web.address, 30) is None and len(web.asked) == 1 + 3


def test_the_heartbeat_follows_nobody_elsewhere_and_says_no_secret(web, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(heartbeat, "PAUSE", 0.001)
    web.answers = [302]
    problems = [beat(web.address, 10)]
    assert problems == ["it answered 302"] and len(web.asked) == 1
    web.answers = [404]
    problems.append(beat(web.address, 10))
    assert len(web.asked) == 2, "what is no matter of time is not tried again"
    problems.append(beat(Address(f"http://canary:x@127.0.0.1:{free_port()}/canary"), 0.05))
    assert problems[1] == "it answered 404" and "could not be reached" in problems[2]
    assert "canary" not in f"{problems} {caplog.text}"


def test_the_heartbeat_waits_for_nobody_longer_than_it_may(monkeypatch):
    with dribbling() as port:
        assert "in time" in beat(Address(f"http://127.0.0.1:{port}/"), 0.2)
    found = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found.wait(60))
    assert "in time" in beat(Address("http://receiver.example/"), 0.2)
    found.set()


def test_without_urllib3_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "urllib3", None)
    assert "pip install 'aiops_wb[webhook]'" in beat(Address("http://127.0.0.1:9/"), 1)
