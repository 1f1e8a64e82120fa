"""Into the spool: at least once on the way in, exactly once in the log."""

import json
import random
from threading import Event

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from streamed import LATER, log_of, take_in

from aiops_wb.log.errors import BufferFull, NotWritten
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.refused_events import RefusedEvent, write_refused
from aiops_wb.streams import consuming
from aiops_wb.streams.consuming import Unreachable, consume
from aiops_wb.streams.events import Entry, Reading
from aiops_wb.streams.taking import Taking

ROW = {"model": "late", "version": "v1", "predicted_at": "2026-03-01T10:00:00Z"}


def entry(name, **more):
    row = ROW | {"prediction_id": name, "score": 0.5} | more
    return Entry(json.dumps(row), "test", name)


def label(name, label=1, second=0):
    row = {"prediction_id": name, "label": label, "observed_at": f"2026-03-02T10:00:{second:02}Z"}
    return Entry(json.dumps(row), "test", name)


ENTRIES = [
    entry("a"),
    entry("b", threshold=0.5),
    Entry(json.dumps(ROW | {"score": 0.25}), "test", "3", "stream ev 3"),
    Entry(json.dumps(ROW | {"score": 0.25}), "test", "4", "stream ev 4"),
    label("a"),
    label("a", 0, 1),
    label("b", 1),
    Entry("nonsense", "test", "8"),
    Entry(b"\xff", "test", "9"),
    label("b", 7),
]


def delivered(data, batches):
    "What the log holds when batches were delivered, each to a consumer that then ended, or not."
    taking = Taking(data / "spool", Reading())
    for entries, ends, is_taken_in in batches:
        for one in entries:
            reason = taking.put(one)
            if reason is not None:
                taking.refuse(one, reason)
        taking.secure()
        if ends:
            taking.close()
            taking = Taking(data / "spool", Reading())
        if is_taken_in:
            take_in(data)
    taking.close()
    take_in(data)
    return log_of(data)


ORDERS = st.lists(st.sampled_from(range(len(ENTRIES))), max_size=25)


@settings(max_examples=6, phases=[Phase.generate])
@given(st.permutations(range(len(ENTRIES))), ORDERS, st.integers(0, 2**32))
def test_delivered_again_in_any_order_the_log_is_as_if_delivered_once(
    tmp_path_factory, first, again, seed
):
    dice, root = random.Random(seed), tmp_path_factory.mktemp("orders")
    order = [*first, *again]
    dice.shuffle(order)
    batches = []
    while order:
        n = dice.randrange(1, len(order) + 1)
        part, order = order[:n], order[n:]
        batches.append(([ENTRIES[i] for i in part], dice.random() < 0.5, dice.random() < 0.4))
    once = delivered(root / "once", [(ENTRIES, True, True)])
    assert delivered(root / "again", batches) == once
    assert [len(rows) for rows in once.values()] == [4, 3, 3]


def test_what_was_refused_stands_in_quarantine_once_with_its_reason_and_its_text(tmp_path, bench):
    found = delivered(bench.data, [(ENTRIES, False, True), (ENTRIES[::-1], True, True)])
    assert found["quarantine"] == [
        ("events", "it is not valid UTF-8", "\\xff"),
        ("events", "label 7 is not 0 or 1", ENTRIES[-1].raw),
        (
            "events",
            "not a line of JSON: Expecting value: line 1 column 1 (char 0)",
            "nonsense",
        ),
    ]
    with bench.store() as store:
        told = store.last_quarantined(5)
        assert set(told.source) == {"test, 8", "test, 9", "test, b"} and told.line.isna().all()
    assert not list(bench.data.glob("spool/events/*"))


def test_a_file_of_somebody_else_among_them_is_no_harm(bench):
    write_refused(bench.data / "spool", [RefusedEvent("s", "r", "raw")])
    folder = bench.data / "spool" / "events"
    (folder / "other.jsonl").write_bytes(b'{"source": 1}\n\n[]\n\xff{\n')
    (folder / "other.txt").write_text("x")
    taken = bench.ingest()
    assert taken.quarantined == 4 and "other.txt" in str(taken.passed_over)
    assert bench.ingest().quarantined == 0
    reasons = [row[1] for row in log_of(bench.data)["quarantine"]]
    assert reasons == ["it is no event that was refused"] * 3 + ["r"]


def test_somebody_who_was_forgotten_does_not_come_back_by_what_was_refused(bench):
    with bench.store() as store:
        store.add_forgotten(LATER, [Forgotten("entity", "Zoë")])
    write_refused(
        bench.data / "spool",
        [RefusedEvent("s", "bad", '{"entity_id": "Zoë"}'), RefusedEvent("s", "bad", "other")],
    )
    taken = bench.ingest()
    assert (taken.quarantined, taken.forgotten) == (1, 1)


def test_names_that_clash_cost_the_event_that_brings_them(bench):
    found = delivered(
        bench.data, [([entry("a", x=1), entry("b", X=2), entry("c", x=3)], True, True)]
    )
    assert [row[0] for row in found["predictions"]] == ["a", "c"]
    assert "differs only in case" in found["quarantine"][0][1]


def test_many_models_and_thresholds_keep_few_files_open(bench):
    taking = Taking(bench.data / "spool", Reading(), most_loggers=3)
    names = [f"{i:02}" for i in range(20)]
    for _ in range(2):
        for i, name in enumerate(names):
            assert taking.put(entry(name, model=f"m{i % 7}", threshold=(i % 5 + 1) / 10)) is None
        taking.secure()
        assert len(list(bench.data.glob("spool/predictions/.*.open"))) <= 3
    taking.close()
    take_in(bench.data)
    assert [row[0] for row in log_of(bench.data)["predictions"]] == names


class Brings:
    "A source that brings entries, and keeps what it was told is done."

    def __init__(self, *batches):
        self.batches, self.confirmed, self.read_again = list(batches), [], 0

    def read(self, most, seconds):
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, Exception):
            raise batch
        return batch

    def done(self, entries):
        self.confirmed += entries

    def notes(self):
        return []

    def close(self):
        pass


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(consuming, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(consuming, "LONGEST_PAUSE", 0.004)


def test_a_disk_that_takes_nothing_stops_the_source_and_is_said_once(bench, monkeypatch):
    taking, told = Taking(bench.data / "spool", Reading()), []
    source = Brings([entry("a"), entry("b")], [entry("c")])

    def failing(step, errors):
        "A step that fails some times first."

        def tried(*given):
            assert not source.confirmed
            if errors:
                raise errors.pop()
            return step(*given)

        return tried

    written, full = [NotWritten("full")] * 5, [BufferFull("full")] * 3
    with monkeypatch.context() as patch:
        patch.setattr(taking, "put", failing(taking.put, full))
        patch.setattr(taking, "secure", failing(taking.secure, written))
        source.done = lambda entries: patch.undo() or source.confirmed.extend(entries)
        done = consume(source, taking, Event(), batch=10, once=True, tell=told.append)
    assert done.whole and done.counted.predictions == 3 and not written and not full
    assert source.confirmed == [entry(name) for name in "abc"]
    assert told == ["events wait: full", "the disk takes events again."] * 2
    take_in(bench.data)
    assert [row[0] for row in log_of(bench.data)["predictions"]] == ["a", "b", "c"]


def test_a_stop_while_the_disk_takes_nothing_confirms_nothing(bench, monkeypatch):
    taking, stop, told = Taking(bench.data / "spool", Reading()), Event(), []

    def tell(text):
        told.append(text)
        stop.set()

    source = Brings([entry("a")])
    monkeypatch.setattr(taking, "secure", lambda: (_ for _ in ()).throw(NotWritten("full")))
    done = consume(source, taking, stop, batch=10, once=False, tell=tell)
    assert not done.whole and "full" in done.problem
    assert not source.confirmed and len(told) == 1


def test_a_source_that_is_away_is_said_once_and_when_it_is_back(bench):
    told = []
    away = [Unreachable("ev is away.")] * 4
    source = Brings(*away, [entry("a")], *away, [entry("b")])
    stop = Event()
    source.done = lambda entries: (
        source.confirmed.extend(entries) or (stop.set() if len(source.confirmed) == 2 else None)
    )
    taking = Taking(bench.data / "spool", Reading())
    consume(source, taking, stop, batch=1, once=False, tell=told.append)
    assert told == ["ev is away. It is tried again.", "the source is there again."] * 2
    with pytest.raises(Unreachable):
        taking = Taking(bench.data / "spool", Reading())
        consume(Brings([entry("c")], *away), taking, Event(), batch=1, once=True)
    assert not list(bench.data.glob("spool/predictions/.*.open"))
    take_in(bench.data)
    assert [row[0] for row in log_of(bench.data)["predictions"]] == ["a", "b", "c"]


def test_an_id_is_of_the_first_content_and_another_is_a_conflict_that_is_said(bench):
    found = delivered(bench.data, [([entry("a"), entry("a", score=0.7)], True, True)])
    assert [row[3] for row in found["predictions"]] == [0.5]
    assert "already logged with other content" in found["quarantine"][0][1]
