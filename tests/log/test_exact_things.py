"""Small things of the log, exactly: both sides of each condition, and nothing else let through."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from conftest import events

from aiops_wb.log import backup_files
from aiops_wb.log.asked import ago
from aiops_wb.log.backup_files import DATA
from aiops_wb.log.calibrations import calibrated_on
from aiops_wb.log.errors import StoreError
from aiops_wb.log.event import event_key
from aiops_wb.log.gone import GoneReads
from aiops_wb.log.known import Known
from aiops_wb.log.named_files import NamedFiles, _set_aside
from aiops_wb.log.nested import spread_objects
from aiops_wb.log.proposals import ThresholdChange, _with_undone
from aiops_wb.log.schedule import next_run, seasons_told, times_in, times_told

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_a_span_is_hours_up_to_two_days_then_days():
    spans = {-5: "0 hours", 0: "0 hours", 1: "1 hour", 1.99: "1 hour", 47.9: "47 hours"}
    spans |= {48: "2 days", 71.9: "2 days", 72: "3 days"}
    assert {hours: ago(timedelta(hours=hours)) for hours in spans} == spans


def test_a_file_of_a_backup_that_is_wrong_is_told_how(tmp_path, monkeypatch):
    folder = tmp_path / DATA
    for name in ("good", "longer", "other", "unread", "more"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "link").symlink_to("good")
    kept = {
        name: SimpleNamespace(size=len(name), sha256=hashlib.sha256(name.encode()).hexdigest())
        for name in ("good", "longer", "other", "unread", "link", "gone")
    }
    kept["longer"].size, kept["other"].sha256 = 7_000, "0"
    read = backup_files.sha256_of

    def failing(path, seen):
        if path.name == "unread":
            raise OSError(5, "Input/output error")
        return read(path, seen)

    monkeypatch.setattr(backup_files, "sha256_of", failing)
    seen = []
    found = backup_files.verify_backup(tmp_path, SimpleNamespace(files=kept), seen.append)
    assert found == {
        "longer": "has 6 bytes instead of 7,000",
        "other": "has other bytes",
        "unread": "cannot be read (Input/output error)",
        "link": "is no regular file",
        "gone": "is missing",
        "more": "is not in the manifest",
    }
    assert sum(seen) == len("good") + len("other")


def change(seq, old, new, scope=None, back=False, version="v1"):
    told = {"rolled_back": True} if back else {}
    return ThresholdChange(seq, "m", version, scope, old, new, f"who {seq}", NOW, "", told)


def undone(*changes):
    "Seq -> who put it back."
    return {c.seq: c.rolled_back and c.rolled_back[0] for c in _with_undone(changes)}


def test_what_was_put_back_is_what_lies_behind_the_one_that_stands_again():
    first, second, third = change(1, None, 0), change(2, 0, 50), change(3, 50, 90)
    assert undone(first, second, third) == {1: None, 2: None, 3: None}
    assert undone(first, second, change(4, 50, 0, back=True)) == {1: None, 2: "who 4", 4: None}
    both = undone(first, second, third, change(4, 90, 0, back=True))
    assert both == {1: None, 2: "who 4", 3: "who 4", 4: None}
    # the latest change is undone in any case, also one to the very value that stands again
    same = undone(first, change(2, 0, 0), change(4, 0, 0, back=True))
    assert same == {1: None, 2: "who 4", 4: None}
    of_site = change(3, 0, 70, scope=("t", "s"))
    other = undone(first, second, of_site, change(4, 50, 0, back=True))
    assert other == {1: None, 2: "who 4", 3: None, 4: None}
    twice = undone(first, second, change(4, 50, 0, back=True), change(5, 0, 50, back=True))
    assert twice == {1: None, 2: "who 4", 4: "who 5", 5: None}


def test_files_set_aside_go_where_they_name_somebody(bench):
    bench.log(events(days=1, per_day=3))
    bench.ingest()
    with bench.store() as store:
        folder = store.root / "rejected"
        folder.mkdir(exist_ok=True)
        for name, rows in (("named", "'gone' AS prediction_id"), ("other", "'b' AS prediction_id")):
            store.con.execute(f"COPY (SELECT {rows}) TO '{folder / name}.parquet' (FORMAT parquet)")
        keyed = "'z' AS prediction_id, 'gone-key' AS event_key"
        store.con.execute(f"COPY (SELECT {keyed}) TO '{folder / 'keyed'}.parquet' (FORMAT parquet)")
        store.con.execute(f"COPY (SELECT 1 AS n) TO '{folder / 'plain'}.parquet' (FORMAT parquet)")
        (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
        (folder / "text.csv").write_bytes(b"somebody else")
        (folder / "old.duckdb.1").write_bytes(b"")
        store.con.execute("CREATE TEMP TABLE gone_ids AS SELECT 'gone' AS prediction_id")
        store.con.execute("CREATE TEMP TABLE gone_keys AS SELECT 'gone-key' AS event_key")
        found = NamedFiles()
        _set_aside(store, SimpleNamespace(in_file=lambda path: False), found)
        assert found.numbers == {"files set aside": 3}
        assert found.kept == [
            "rejected/broken.parquet cannot be read: look at it, or remove it by 'repair'"
        ]
        found.remove()
        left = sorted(path.name for path in folder.iterdir())
        assert left == ["broken.parquet", "other.parquet", "plain.parquet", "text.csv"]


def test_values_are_read_again_of_their_model_their_days_and_what_was_known(bench, monkeypatch):
    day = date(2026, 3, 1)
    with bench.store() as store:
        rows = [(m, d, b) for m in ("m", "n") for d in (0, 1, 2) for b in (1, 2)]
        known = {c for c, *_ in store._rows("DESCRIBE read_again")}
        for m, d, b in rows:
            told = {"model": m, "event_date": day + timedelta(d), "batch_id": b, "raw": "1"}
            told |= {"feature": "x", "prediction_id": f"{m}{d}{b}"}
            told = {name: told.get(name, "1") for name in known}
            places = ", ".join("?" * len(told))
            query = f"INSERT INTO read_again ({', '.join(told)}) VALUES ({places})"
            store.con.execute(query, list(told.values()))
        of = lambda *asked: sorted(store.read_again(*asked).prediction_id)
        monkeypatch.setattr(store, "_changed_by", lambda *_, **of: Known(((1, 2),)) if of else None)
        both = of("m", day, day + timedelta(1), Known(((1, 2),)))
        assert both == ["m01", "m02", "m11", "m12"]
        assert of("m", day + timedelta(1), day + timedelta(2), Known(((2, 2),))) == ["m12", "m22"]
        assert of("none", day, day, Known(((1, 2),))) == []


def test_times_of_day_are_told_of_every_season():
    here = times_in(datetime(2026, 1, 1, 5, 30).time(), "Europe/Berlin", ZoneInfo("UTC"), NOW)
    assert [f"{at:%H:%M}" for at in here] == ["03:30", "04:30"]
    at = datetime(2026, 1, 1, 5, 30).time()
    assert next_run([], NOW) is None
    morning = datetime(2026, 3, 20, 5, 30, tzinfo=UTC)
    assert next_run([(at, "UTC")], morning - timedelta(seconds=1)) == morning
    assert next_run([(at, "UTC")], morning) == morning + timedelta(1)
    assert next_run([(at, "UTC"), (at, "Europe/Berlin")], NOW) == morning - timedelta(hours=1)
    block = "# at 05:30 of Europe/Berlin, in the zone of the system\n30 4 * * * umask 077; x\n"
    assert seasons_told(block) == (at, "Europe/Berlin") and seasons_told("30 4 * * *") is None
    units = "OnCalendar=*-*-* 05:30:00 Asia/Tokyo\n"
    told = times_told({"timer": units, "block": block}, ZoneInfo("UTC"))
    assert told == [(at, "Asia/Tokyo"), (at.replace(hour=4), "UTC")]


def test_objects_are_spread_by_the_rows_they_stand_in():
    told = ['{"Gps": 41, "b": null}', None, {"gps": 1}, '{"b": 2', "[1]", 7, "{}"]
    told += ['{"": 1}', '{"b": 1, "B": 2}', '{"Gps": 1, "c": "x"}', "[" * 30_000]
    column = pd.Series(told, index=range(10, 21), dtype=object)
    members, reasons = spread_objects(column)
    assert list(members) == ["Gps", "b", "c"] and list(members.index) == list(range(10, 21))
    known = members.astype(object).where(members.notna(), None)
    assert known.loc[[10, 11, 19]].values.tolist() == [
        [41, None, None],
        [None, None, None],
        [1, None, "x"],
    ]
    assert known.loc[[12, 13, 14, 15, 16, 17, 18, 20]].isna().all(axis=None)
    such = 'is not an object such as {"gps": 41}'
    assert reasons.to_dict() == {
        10: None,
        11: None,
        12: "features cannot be read: 'gps' is spelt 'Gps' elsewhere: only case differs",
        13: "features cannot be read: Expecting ',' delimiter at character 8",
        14: f"features cannot be read: '[1]' {such}",
        15: f"features cannot be read: '7' {such}",
        16: None,
        17: "features cannot be read: a name is empty",
        18: "features cannot be read: 'b' is there twice",
        19: None,
        20: "features cannot be read: objects within objects without end",
    }
    nothing = spread_objects(pd.Series([], dtype=object))
    assert nothing[0].shape == (0, 0) and nothing[1].dtype == object


def test_a_calibration_rests_on_its_days_up_to_the_newest_or_on_the_held_out_ones():
    counted = SimpleNamespace(counted=date(2026, 3, 5))
    days = tuple(date(2026, 3, day) for day in (3, 4, 5))
    assert calibrated_on([], counted, 3) == days and calibrated_on([], counted, 1) == days[-1:]
    assert calibrated_on(days[::-1], SimpleNamespace(counted=None), 9) == days


def test_days_of_files_that_are_gone_are_left_out_with_a_warning_given_once(caplog):
    class File(NamedTuple):
        name: str
        kind: str = "predictions"
        model: str = "m"
        day: int = 1

        def says(self, problem):
            return f"{self.name} {problem}"

    files = [File("a"), File("b"), File("c", "outcomes"), File("d", day=2), File("e", model="n")]
    a, b, c, d, e = files
    log = SimpleNamespace(_told=set(), gone=lambda files: {})
    assert GoneReads.usable(log, files, True) is files
    log.gone = lambda files: {a: "is gone"}
    with pytest.raises(StoreError, match="a is gone"):
        GoneReads.usable(log, files, True)
    log.gone = lambda files: {a: None}
    assert GoneReads.usable(log, files, True) == [b, c, d, e]
    log.gone = lambda files: {a: "is gone", c: "is other"}
    for _ in range(2):
        assert GoneReads.usable(log, files, False) == [d, e]
    told = ["a day is left out: a is gone", "a day is left out: c is other"]
    assert [record.getMessage() for record in caplog.records] == told


def test_a_key_may_have_256_bytes():
    for longest in ("k" * 256, "ü" * 128, "🦉" * 64):
        assert event_key(f" {longest} ") == longest
        with pytest.raises(ValueError, match="bytes: 256 are allowed"):
            event_key(longest + "k")
    assert event_key(None) is event_key("  ") is None and event_key("k") == "k"
