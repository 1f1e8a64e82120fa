"""Where events come from and go to, as one address, whose secrets nobody is told."""

import pytest

from aiops_wb.config import Address
from aiops_wb.log.errors import StoreError
from aiops_wb.streams.address import FORMS, place_of


@pytest.mark.parametrize(
    ("address", "sort", "url", "options", "shown"),
    [
        ("file:a b.jsonl", "file", "a b.jsonl", {}, "file:a b.jsonl"),
        ("file:///v/a%20b.jsonl", "file", "/v/a b.jsonl", {}, "file:/v/a b.jsonl"),
        (
            "rediss://me:word@h:7/2?stream=s&group=g&ssl_ca_certs=x",
            "redis",
            "rediss://me:word@h:7/2?ssl_ca_certs=x",
            {"stream": "s", "group": "g"},
            "rediss://h:7?stream=s",
        ),
        (
            "kafka://me:word@a:1,b:2?topic=t&acks=1",
            "kafka",
            "kafka://me:word@a:1,b:2?acks=1",
            {"topic": "t"},
            "kafka://a:1,b:2?topic=t",
        ),
        ("https://me:word@h/in?token=word", "http", None, {}, "https://h"),
    ],
)
def test_an_address_is_read_and_shown_without_its_secrets(address, sort, url, options, shown):
    place = place_of(address, frozenset({"group"}))
    assert (place.sort, place.url, place.options) == (sort, url or address, options)
    assert str(place) == shown and place == place_of(Address(address), frozenset({"group"}))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("events.jsonl", "is no place of events: give file:events.jsonl, redis://"),
        ("amqp://me:word@h/q", "is no place of events"),
        ("file:", "names no file"),
        ("file://word/events.jsonl", "names no file"),
        ("redis://me:word@h:0x/0?stream=s", "has a host or port that is none"),
        ("redis://me:word@/0?stream=s", "names no host"),
        ("redis://me:word@h/0", "names no stream"),
        ("redis://me:word@h/0?stream=", "names no stream"),
        ("redis://me:word@h/zero?stream=s", "names no database by its number"),
        ("redis://me:word@h/0/1?stream=s", "names no database by its number"),
        ("kafka://me:word@h:9092", "names no topic"),
        ("https://me:word@", "names no host"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_secrets(address, says):
    with pytest.raises(StoreError) as stop:
        place_of(address)
    said = str(stop.value)
    assert says in said and "word" not in said and said.endswith(".")
    assert any(form in said for form in FORMS.values())
