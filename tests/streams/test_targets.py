"""Real servers are sent to, and read by clients of their own and by the SDK of CloudEvents."""

import json
import os
from contextlib import contextmanager
from datetime import timedelta

import confluent_kafka
import pytest
import redis
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from happening import NOW, change, morning, predict, settings_of
from receivers import dribbling, free_port, hearing_server
from streamed import redis_server

from aiops_wb.config import Settings
from aiops_wb.log.errors import StoreError
from aiops_wb.streams import targets
from aiops_wb.streams.address import place_of
from aiops_wb.streams.cloud_events import MEDIA_TYPE, CloudEvent
from aiops_wb.streams.outgoing import send_events
from aiops_wb.streams.targets import KNOWN, KafkaTarget, RedisTarget, target_of


def read_by_sdk(body):
    "An event as the SDK reads it: it raises for what is none."
    message = HTTPMessage(headers={"content-type": MEDIA_TYPE}, body=body)
    return from_http_event(message)


@contextmanager
def asked_redis(folder, *options, port=None):
    "The port of a server of this test, and a client of it."
    with redis_server(folder, *options, port=port) as port:
        with redis.Redis(port=port, socket_timeout=20) as client:
            yield port, client


@pytest.fixture(scope="module")
def kafka():
    "Brokers in this process that speak Kafka's protocol, as a client addresses them."
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
    brokers = cluster.list_topics(timeout=20).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in brokers)
    del cluster


def read_kafka(brokers, topic, n):
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    known = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    begin = confluent_kafka.OFFSET_BEGINNING
    consumer.assign([confluent_kafka.TopicPartition(topic, one, begin) for one in known])
    found = []
    try:
        for _ in range(600):
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(message)
            if len(found) >= n:
                break
    finally:
        consumer.close()
    return found


def some(n, size=10):
    return [
        CloudEvent(f"e{i}", "urn:s", "aiops_wb.t", {"x": "y" * size}, None, f"m{i % 3}")
        for i in range(n)
    ]


def test_a_web_server_gets_each_event_as_the_sdk_reads_it(bench):
    with hearing_server() as server:
        to = f"http://ana:word@127.0.0.1:{server.server_port}/in?token=x"
        morning(bench, 0, to)
        predict(bench, 1, "wörker 7")
        change(bench, 1, why="über \U0001f600")
        morning(bench, 1, to)
        assert len(server.heard) == 2
        for headers, body in server.heard:
            event = read_by_sdk(body)
            assert headers["Content-Type"] == MEDIA_TYPE
            assert headers["Idempotency-Key"] == event.get_id()
            assert event.get_time().tzinfo is not None and event.get_source().startswith("urn:")
            assert headers["Authorization"].startswith("Basic ")
        by_type = {json.loads(body)["type"]: json.loads(body)["data"] for _, body in server.heard}
        assert by_type["aiops_wb.case.opened"]["entity_id"] == "wörker 7"
        assert by_type["aiops_wb.watch.changed"]["why"] == "über \U0001f600"


def test_a_web_server_that_dribbles_is_left_in_its_time(bench):
    with dribbling() as port:
        to = f"http://127.0.0.1:{port}/in"
        morning(bench, 0, to)
        change(bench, 1)
        settings = settings_of(bench, to, events_timeout=0.3)
        (said,) = send_events(bench.data, settings, NOW + timedelta(1))
        assert "did not answer in time" in said


def test_a_stream_of_redis_gets_what_happened_in_order(bench, tmp_path):
    with asked_redis(tmp_path) as (port, client):
        to = f"redis://127.0.0.1:{port}/3?stream=aiops"
        reader = redis.Redis(port=port, db=3)
        morning(bench, 0, to)
        for n in range(5):
            change(bench, 1, new=str(n))
        morning(bench, 1, to)
        morning(bench, 2, to)
        entries = reader.xrange("aiops")
        events = [read_by_sdk(fields[b"event"]) for _, fields in entries]
        assert [one.get_data()["new"] for one in events] == list("01234")
        assert all(set(fields) == {b"event"} for _, fields in entries)


def test_a_stream_keeps_no_more_than_its_maxlen(tmp_path):
    with asked_redis(tmp_path) as (port, client):
        to = place_of(f"redis://127.0.0.1:{port}/0?stream=s&maxlen=100", KNOWN)
        target = RedisTarget(to)
        for _ in range(4):
            assert target.send(some(500), 20) == [None] * 500
        assert 100 <= client.xlen("s") < 500


def test_what_redis_refuses_is_told_by_its_code_alone(tmp_path):
    with asked_redis(tmp_path) as (port, client):
        client.set("s", "a text")
        target = RedisTarget(place_of(f"redis://127.0.0.1:{port}/0?stream=s", KNOWN))
        with pytest.raises(StoreError) as stop:
            target.send(some(2), 20)
        assert str(stop.value) == "Redis answered WRONGTYPE"
    with asked_redis(tmp_path, "--requirepass", "right") as (port, client):
        for word, says in (("canary", "WRONGPASS|AuthenticationError"), ("right", "")):
            to = place_of(f"redis://:{word}@127.0.0.1:{port}/0?stream=s", KNOWN)
            if says:
                with pytest.raises(StoreError, match=says) as stop:
                    RedisTarget(to).send(some(1), 20)
                assert "canary" not in str(stop.value)
            else:
                assert RedisTarget(to).send(some(1), 20) == [None]


def test_redis_that_was_killed_gets_all_when_it_is_there_again(bench, tmp_path):
    (tmp_path / "redis").mkdir()
    kept = "--appendonly", "yes", "--appendfsync", "always"
    with asked_redis(tmp_path / "redis", *kept) as (port, client):
        to = f"redis://127.0.0.1:{port}/0?stream=s"
        morning(bench, 0, to)
        change(bench, 1, new="1")
        morning(bench, 1, to)
    change(bench, 2, new="2")
    assert any("could not be reached" in one for one in morning(bench, 2, to))
    change(bench, 3, new="3")
    with asked_redis(tmp_path / "redis", *kept, port=port):
        morning(bench, 3, to)
        entries = redis.Redis(port=port).xrange("s")
        told = [json.loads(fields[b"event"])["data"]["new"] for _, fields in entries]
        assert told == ["1", "2", "3"]


def test_a_topic_of_kafka_gets_what_happened_keyed_by_its_subject(bench, kafka):
    to = f"kafka://{kafka}?topic=happened"
    morning(bench, 0, to)
    predict(bench, 1)
    for n in range(5):
        change(bench, 1, new=str(n))
    said = morning(bench, 1, to)
    assert any("6 taken" in one for one in said), said
    morning(bench, 2, to)
    messages = read_kafka(kafka, "happened", 6)
    events = [read_by_sdk(one.value()) for one in messages]
    assert [one.key().decode() for one in messages] == [one.get_subject() for one in events]
    told = [e.get_data()["new"] for e in events if e.get_type() == "aiops_wb.watch.changed"]
    assert told == list("01234") and len({one.get_id() for one in events}) == 6
    assert dict(messages[0].headers())["content-type"].startswith(MEDIA_TYPE.encode())


def test_an_event_that_kafka_does_not_take_for_its_size_holds_up_no_other(kafka):
    target = KafkaTarget(place_of(f"kafka://{kafka}?topic=sizes"))
    first, large, last = some(3)
    large = large._replace(data={"x": "y" * 3_000_000})
    came = target.send([first, large, last], 20)
    assert [bool(why) for why in came] == [False, True, False] and "SIZE" in came[1]
    assert [one.value() for one in read_kafka(kafka, "sizes", 2)] == [
        one.as_json().encode() for one in (first, last)
    ]


def test_a_broker_that_is_not_there_is_told_in_its_time(bench, capfd):
    to = place_of(f"kafka://127.0.0.1:{free_port()}?topic=t")
    with pytest.raises(StoreError, match="could not be reached|in time"):
        KafkaTarget(to).send(some(2), 2)
    with pytest.raises(StoreError, match="none of Kafka"):
        KafkaTarget(place_of("kafka://host:1?topic=t&no.such.option=canary"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [
        ("redis://h/0?stream=s", "redis", "redis"),
        ("kafka://h:1?topic=t", "confluent_kafka", "kafka"),
    ],
)
def test_what_is_not_installed_is_named(monkeypatch, address, package, extra):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(StoreError, match=rf"pip install 'aiops_wb\[{extra}\]'"):
        target_of(place_of(address), Settings(config="no file"))
    assert targets.missing_extra(place_of(address), lambda name: None) == f"aiops_wb[{extra}]"
    assert targets.missing_extra(place_of("file:x"), lambda name: None) == ""


def test_a_file_is_of_its_owner_alone_and_a_line_is_an_event(bench, tmp_path):
    out = tmp_path / "deep" / "events.jsonl"
    morning(bench, 0, f"file:{out}")
    change(bench, 1)
    morning(bench, 1, f"file:{out}")
    assert os.stat(out).st_mode & 0o777 == 0o600
    (line,) = out.read_bytes().splitlines()
    assert read_by_sdk(line).get_type() == "aiops_wb.watch.changed"
