"""Against a real Redis: nothing is left behind, whoever dies, nothing is confirmed too early."""

import json
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from conftest import until
from receivers import free_port
from streamed import log_of, redis_server, take_in

from aiops_wb.log.errors import StoreError
from aiops_wb.streams import consuming
from aiops_wb.streams.consuming import Unreachable, consume
from aiops_wb.streams.events import Reading
from aiops_wb.streams.sources import source_of
from aiops_wb.streams.taking import Taking

redis = pytest.importorskip("redis")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as port, redis.Redis(port=port) as client:
        yield client, port


@pytest.fixture
def client(server):
    server[0].flushall()
    return server[0]


@pytest.fixture
def source(server, client, tmp_path):
    "Makes consumers by their names, which are let go in the end."
    made = []

    def of(name="one", group="g", claims=None, stream="ev"):
        address = f"redis://127.0.0.1:{server[1]}/0?stream={stream}&consumer={name}"
        made.append(source_of(address, tmp_path, group))
        if claims is not None:
            made[-1]._claims, made[-1]._next_claim = claims, 0.0
        return made[-1]

    yield of
    for one in made:
        one.close()


def add(client, *texts):
    return [client.xadd("ev", {"event": text}) for text in texts]


def read(source, most=10, done=False):
    entries = source.read(most, 0)
    if entries and done:
        source.done(entries)
    return [entry.raw.decode() if isinstance(entry.raw, bytes) else entry.raw for entry in entries]


def pending(client):
    return client.xpending("ev", "g")["pending"]


def test_entries_come_from_the_first_and_are_confirmed_when_they_are_safe(client, source):
    add(client, "a", "b", "c")
    one = source()
    assert read(one, 2) == ["a", "b"] and pending(client) == 2
    assert read(one, 2, done=True) == ["c"] and pending(client) == 2
    assert read(one) == []


def test_who_comes_back_gets_first_what_was_not_confirmed(client, source):
    add(client, "a", "b", "c", "d")
    assert read(source(), 3) == ["a", "b", "c"]
    again = source()
    assert read(again, 2, done=True) == ["a", "b"]
    assert read(again, 2, done=True) == ["c"]
    assert read(again, 2, done=True) == ["d"] and pending(client) == 0


def test_what_somebody_left_behind_is_taken_over_after_a_while(client, source):
    add(client, "a", "b")
    assert read(source("dead")) == ["a", "b"]
    add(client, "c")
    assert read(source("patient", claims=3600)) == ["c"]
    time.sleep(0.02)
    heir = source("heir", claims=0.01)
    assert read(heir, done=True) == ["a", "b", "c"] and pending(client) == 0


def test_each_group_gets_everything_and_its_members_share(client, source):
    add(client, "a", "b", "c")
    assert read(source("x"), 1) + read(source("y")) == ["a", "b", "c"]
    assert read(source("x", group="other")) == ["a", "b", "c"]


def test_a_stream_that_is_not_there_yet_is_waited_for(client, source):
    one = source()
    assert read(one) == []
    add(client, "a")
    assert read(one) == ["a"]


def test_a_group_that_is_gone_is_made_anew(client, source):
    add(client, "a")
    one = source()
    assert read(one, done=True) == ["a"]
    client.flushall()
    add(client, "b")
    assert read(one, done=True) == ["b"]
    assert one.notes() == ["stream ev has no group g any more: it is made anew."]
    client.xgroup_destroy("ev", "g")
    assert read(one, done=True) == ["b"]  # from the first: what was taken is known by its id


def test_what_went_before_it_was_taken_is_said_and_holds_nothing_up(client, source):
    first, second, _ = add(client, "a", "b", "c")
    assert read(source(), 2) == ["a", "b"]
    client.xdel("ev", first)
    again = source()
    assert read(again, 5, done=True) == ["b"]
    assert again.notes() == ["1 entry of stream ev went from the stream before they were taken."]
    assert read(again, 5, done=True) == ["c"] and pending(client) == 0


def test_an_entry_tells_its_time_and_its_place(client, source):
    before = datetime.now(UTC) - timedelta(seconds=5)
    (key,) = add(client, "a")
    (entry,) = source().read(1, 0)
    assert before < entry.at < before + timedelta(seconds=60)
    assert entry.at.microsecond % 1000 == 0 and entry.place == key.decode()
    client.xadd("odd", {"event": "a"}, id="5-1")
    (entry,) = source(stream="odd").read(1, 0)
    assert entry.at is None and entry.place == "5-1"


def test_an_entry_is_an_event_or_a_row_of_fields(client, source, bench):
    row = {"model": "late", "version": "v1", "prediction_id": "p", "score": 0.5}
    at = {"predicted_at": "2026-03-01T10:00:00Z"}
    client.xadd("ev", {"event": json.dumps(row | at)})
    client.xadd("ev", {"data": json.dumps(row | at), "trace": "t"})
    client.xadd("ev", {name: str(cell) for name, cell in (row | at).items()})
    client.xadd("ev", row | at | {"data": "x", "prediction_id": "q"})
    client.xadd("ev", {b"score": b"\xff", b"model": b"m"})
    client.xadd("ev", row | {"prediction_id": "dated"})
    taking = Taking(bench.data / "spool", Reading())
    done = consume(source(), taking, Event(), batch=10, once=True)
    assert (done.counted.predictions, done.counted.refused) == (5, 1)
    take_in(bench.data)
    found = log_of(bench.data)
    assert [one[0] for one in found["predictions"]] == ["dated", "p", "q"]
    assert abs(found["predictions"][0][4] - datetime.now(UTC)) < timedelta(minutes=5)
    assert found["predictions"][1][4] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found["quarantine"][0][1] == "the line is not valid UTF-8"


def test_what_is_no_stream_or_may_not_be_read_ends_in_a_sentence_without_the_secret(
    server, client, source
):
    client.set("ev", "text")
    with pytest.raises(StoreError, match="refuses: .*WRONGTYPE|refuses: .*wrong kind"):
        source().read(1, 0)
    address = f"redis://:hidden@127.0.0.1:{server[1]}/0?stream=ev"
    with pytest.raises(StoreError) as error:
        source_of(address, None, "g").read(1, 0)
    assert "hidden" not in str(error.value) and not isinstance(error.value, Unreachable)
    nobody = f"redis://:hidden@127.0.0.1:{free_port()}/0?stream=ev"
    with pytest.raises(Unreachable, match="cannot be reached") as error:
        source_of(nobody, None, "g").read(1, 0)
    assert "hidden" not in str(error.value)


def test_who_may_not_is_told_so_at_once_and_does_not_wait_for_ever(server, client, tmp_path):
    add(client, "a")
    client.execute_command("ACL", "SETUSER", "eve", "on", ">hidden", "~*", "+@all", "-xack")
    try:
        one = source_of(f"redis://eve:hidden@127.0.0.1:{server[1]}/0?stream=ev", tmp_path, "g")
        entries = one.read(1, 0)
        with pytest.raises(StoreError, match="refuses: .*'xack'") as error:
            one.done(entries)
        assert not isinstance(error.value, Unreachable) and "hidden" not in str(error.value)
        one.close()
    finally:
        client.acl_deluser("eve")


@pytest.mark.parametrize("wrong", ["bogus=1", "socket_timeout=abc", "protocol=3"])
def test_an_option_that_is_none_is_said_without_the_secret(server, tmp_path, wrong):
    address = f"redis://:hidden@127.0.0.1:{server[1]}/0?stream=ev&{wrong}"
    with pytest.raises(StoreError, match="has an option that is none|cannot be chosen") as error:
        source_of(address, tmp_path, "g").read(1, 0)
    assert "hidden" not in str(error.value) and "abc" not in str(error.value)


def test_a_server_that_goes_and_comes_back_is_waited_for(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(consuming, "LONGEST_PAUSE", 0.2)
    port, stop, told = free_port(), Event(), []
    one = source_of(f"redis://127.0.0.1:{port}/0?stream=ev", tmp_path, "g")
    taking = Taking(bench.data / "spool", Reading())
    how = {"batch": 10, "once": False, "tell": told.append}
    work = Thread(target=lambda: consume(one, taking, stop, **how))
    work.start()
    row = {"model": "late", "version": "v1", "score": 0.5, "predicted_at": "2026-03-01T10:00:00Z"}
    try:
        for name in ("a", "b"):
            with redis_server(tmp_path, port=port), redis.Redis(port=port) as client:
                client.xadd("ev", {"event": json.dumps(row | {"prediction_id": name})})
                count = 1 + (name == "b")
                assert until(lambda n=count: taking.counted.predictions == n)
                assert until(lambda c=client: not c.xpending("ev", "g")["pending"])
            assert until(lambda n=count: sum("cannot be reached" in t for t in told) == n + 1)
    finally:
        stop.set()
        work.join(30)
    news = [text for text in told if "made anew" not in text]  # the second one knows no group
    assert news[1::2] == ["the source is there again."] * 2 and len(news) == len(told) - 1 == 5
    take_in(bench.data)
    assert [one[0] for one in log_of(bench.data)["predictions"]] == ["a", "b"]


def test_a_login_that_redis_repeats_is_not_said(tmp_path):
    "One whose AUTH is called otherwise answers with the words that it was told."
    with redis_server(tmp_path, "--rename-command", "AUTH", "") as port:
        address = f"redis://guard:can%2Fary@127.0.0.1:{port}/0?stream=s"
        with pytest.raises((StoreError, Unreachable)) as stop:
            source_of(address, tmp_path, "g").read(1, 0)
    said = str(stop.value)
    assert "user and password" in said and "ary" not in said and "guard" not in said
