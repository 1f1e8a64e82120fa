"""By the protocol of Kafka, with the broker that its client brings for tests."""

import json
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from streamed import FAST, kafka_broker, log_of, take_in

from aiops_wb.log.errors import StoreError
from aiops_wb.streams.address import place_of
from aiops_wb.streams.consuming import Unreachable, consume
from aiops_wb.streams.events import Reading
from aiops_wb.streams.sources import source_of
from aiops_wb.streams.taking import Taking

kafka = pytest.importorskip("confluent_kafka")
ROW = {"model": "late", "version": "v1", "score": 0.5}
AT = {"predicted_at": "2026-03-01T10:00:00Z"}


@pytest.fixture(scope="module")
def broker():
    with kafka_broker() as made:
        yield made


def produced(broker, topic, *messages, **how):
    for message in messages:
        value = message if isinstance(message, bytes | None) else json.dumps(message).encode()
        broker[0].produce(topic, value, **how)
    assert broker[0].flush(20) == 0


def source(broker, topic, data, group="g"):
    return source_of(f"kafka://{broker[1]}?topic={topic}&{FAST}", data, group)


def test_messages_are_taken_in_every_form_and_committed_when_they_are_safe(broker, bench):
    structured = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": ROW}
    produced(broker, "forms", ROW | AT | {"prediction_id": "p"}, ROW, b"nonsense", None)
    twice = int(datetime.now(UTC).timestamp() * 1000)  # without a time of its own it has this one
    produced(broker, "forms", structured, structured, timestamp=twice)
    headers = {"ce_specversion": "1.0", "ce_id": "2", "ce_source": "/s", "ce_type": "t"}
    headers["ce_time"] = "2026-03-01T11:00:00Z"
    produced(broker, "forms", ROW, headers=headers)
    one = source(broker, "forms", bench.data)
    entries, asked = [], datetime.now(UTC)
    while len(entries) < 7:
        entries += one.read(3, 5)
    assert one.read(5, 0) == []  # nothing more waits
    one.close()  # nothing was confirmed
    again = source(broker, "forms", bench.data)
    taking = Taking(bench.data / "spool", Reading())
    done = consume(again, taking, Event(), batch=2, once=True)
    again.close()
    assert (done.counted.predictions, done.counted.refused) == (5, 2)
    with_the_rest = source(broker, "forms", bench.data)
    assert with_the_rest.read(5, 0) == []
    with_the_rest.close()
    take_in(bench.data)
    found = log_of(bench.data)
    times = sorted(row[4] for row in found["predictions"])
    assert times[:2] == [datetime(2026, 3, 1, h, tzinfo=UTC) for h in (10, 11)]
    assert all(abs(at - asked) < timedelta(minutes=5) for at in times[2:]) and len(times) == 4
    assert sorted(row[2] for row in found["quarantine"]) == ["", "nonsense"]


def test_settings_of_the_client_stand_in_the_address_but_those_that_keep_events_safe(tmp_path):
    place = place_of("kafka://me:s%40crt@one:9092,two?topic=t&security.protocol=SASL_SSL")
    from aiops_wb.streams.kafka_source import client_settings

    assert client_settings(place) == {
        "bootstrap.servers": "one:9092,two",
        "sasl.username": "me",
        "sasl.password": "s@crt",
        "security.protocol": "SASL_SSL",
    }
    for option in ("enable.auto.commit=true", "group.id=x", "nonsense=1"):
        with pytest.raises(StoreError) as error:
            source_of(f"kafka://u:hidden@h?topic=t&{option}", tmp_path, "g")
        assert option.partition("=")[0] in str(error.value) and "hidden" not in str(error.value)


def test_a_broker_that_is_not_there_can_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("aiops_wb.streams.kafka_source.JOINS", 0.5)
    one = source_of("kafka://127.0.0.1:1?topic=t", tmp_path, "g")
    with pytest.raises(Unreachable):
        one.read(1, 0)
    one.close()
