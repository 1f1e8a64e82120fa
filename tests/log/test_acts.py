"""Acts in the spool: shapes, ids in order, keys of callers, files that are none."""

import json
import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from aiops_wb.log import acts as of_acts
from aiops_wb.log import owners
from aiops_wb.log.acts import KINDS, Act, found, hand_in, tidy, waiting
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import InvalidAct, StoreError
from aiops_wb.log.tokens import NEEDS, ROLES

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
SET = {"model": "late", "score": 0.7, "why": "too many"}
SHAPES = {
    "propose": SET | {"site": "north", "promise": "fpr=0.1", "confidence": 0.8},
    "set": {"model": "late", "points": -300, "why": "y", "if_in_force": 0, "tenant": "a"},
    "approve": {"proposal": "P-1", "why": "agreed"},
    "reject": {"proposal": "P-1", "why": "no"},
    "rollback": {"model": "late", "why": "back"},
    "acknowledge": {"ids": ["A-1", "D-2"], "why": "mine"},
    "close": {"ids": ["A-1"], "why": "done"},
    "mute": {"ids": ["D-2"], "until": "2026-04-01", "why": "known"},
    "assign": {"ids": ["A-1"], "to": "ben", "why": "he is on duty"},
    "comment": {"ids": ["A-1"], "text": "the gate was open"},
}


def test_what_is_handed_in_waits_in_order_as_it_was_said(tmp_path):
    at = NOW.astimezone(timezone(timedelta(hours=5)))
    ids = [hand_in(tmp_path, kind, SHAPES[kind], "Zoë 🦉", at) for kind in KINDS]
    assert ids == sorted(ids) and len({*ids}) == len(KINDS) == 10 and set(NEEDS) == set(KINDS)
    assert set(NEEDS.values()) <= set(ROLES)
    assert waiting(tmp_path) == [
        Act(*told, SHAPES[told[1]], "Zoë 🦉", NOW) for told in zip(ids, KINDS)
    ]
    assert waiting(tmp_path / "nowhere") == []
    assert [p.stat().st_nlink for p in (tmp_path / "acts").glob("*.json")] == [1] * len(KINDS)


WRONG = {
    "no kind": ("delete", SET, "no kind of act: choose one of propose, set, approve"),
    "no object": ("set", [1], "has to be an object"),
    "a key of another": ("approve", SHAPES["approve"] | {"model": "m"}, "knows no 'model'"),
    "none of it": ("propose", {}, "needs model and why"),
    "no threshold": ("set", {"model": "m", "why": "x"}, "needs either score or points"),
    "two thresholds": ("set", SET | {"points": 3}, "needs either score or points"),
    "no number": ("set", SET | {"score": "0.7"}, "score has to be a number, not '0.7'"),
    "nothing": ("set", SET | {"score": float("nan")}, "score has to be a number"),
    "endless": ("set", SET | {"score": 10**400}, "score has to be a number"),
    "half a point": ("rollback", SHAPES["rollback"] | {"if_in_force": 0.5}, "whole number"),
    "beyond every grid": ("set", {"model": "m", "points": 1 << 15, "why": "x"}, "whole number"),
    "true": ("rollback", SHAPES["rollback"] | {"if_in_force": True}, "whole number of points"),
    "no reason": ("set", SET | {"why": " "}, "why has to be a text that is not empty"),
    "a long reason": ("set", SET | {"why": "x" * 2001}, "why has 2,001 characters: 2,000"),
    "two lines": ("set", SET | {"why": "a\nb"}, "why has the control character"),
    "half a letter": ("set", SET | {"why": "a\udcfc"}, "why has the control character"),
    "turned round": ("set", SET | {"why": "a\u202eb"}, "why has the control character"),
    "unseen": ("set", SET | {"site": "a\u200b"}, "site has the control character"),
    "escapes": ("set", SET | {"site": "a\x1b[2J"}, "site has the control character"),
    "a long name": ("set", SET | {"model": "m" * 500}, "is no name"),
    "no list": ("close", {"ids": "A-1", "why": "x"}, "ids has to be a list of 1 to 100 ids"),
    "no ids": ("close", {"ids": [], "why": "x"}, "ids has to be a list of 1 to 100 ids"),
    "too many": ("close", {"ids": ["A"] * 101, "why": "x"}, "ids has to be a list of 1 to 100"),
    "no end": ("close", SHAPES["close"] | {"outcome": "fine"}, "one of confirmed, dismissed"),
    "nobody": ("assign", SHAPES["assign"] | {"to": " "}, "to has to be a text that is not empty"),
    "no day": ("mute", SHAPES["mute"] | {"until": "tomorrow"}, "a day such as 2026-04-01"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_has_not_the_shape_of_its_kind_is_refused_in_a_sentence(tmp_path, name):
    kind, what, said = WRONG[name]
    with pytest.raises(InvalidAct, match=said) as refused:
        hand_in(tmp_path, kind, what, "ana", NOW)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    assert not (tmp_path / "acts").exists()


def test_who_hands_in_and_when_are_checked_too(tmp_path):
    for who, at, key in (("", NOW, None), ("a\0", NOW, None), ("a", NOW, "\n")):
        with pytest.raises(InvalidAct):
            hand_in(tmp_path, "set", SET, who, at, key)
    with pytest.raises(InvalidAct, match="has no zone"):
        hand_in(tmp_path, "set", SET, "ana", NOW.replace(tzinfo=None))


def test_a_clock_that_goes_back_does_not_change_the_order(tmp_path, monkeypatch):
    later = "019d0000-0000-7000-8000-00000000000f"
    times = iter([later, "019c0000-0000-7000-8000-000000000001", later, later])
    monkeypatch.setattr(of_acts, "time_ordered_id", lambda: next(times))
    ids = [hand_in(tmp_path, "set", SET, "ana", NOW) for _ in range(4)]
    assert ids == sorted({*ids}) and ids[0] == later


def test_the_same_key_is_the_same_act(tmp_path):
    one = hand_in(tmp_path, "set", SET, "ana", NOW, key="k")
    again = hand_in(tmp_path, "set", dict(SET), "ana", NOW + timedelta(1), key="k")
    assert one == again and [act.at for act in waiting(tmp_path)] == [NOW]
    assert hand_in(tmp_path, "set", SET, "ben", NOW, key="k") != one, "a key of somebody else"
    assert hand_in(tmp_path, "set", SET, "ana", NOW) != one
    with pytest.raises(InvalidAct, match="the key was used for another act"):
        hand_in(tmp_path, "set", SET | {"score": 0.8}, "ana", NOW, key="k")
    assert len(waiting(tmp_path)) == 3
    for path in (tmp_path / "acts" / ".keys").iterdir():
        assert "k" not in path.stem, "a key may be a secret: its hash names the file"
        old = (NOW - timedelta(31)).timestamp()
        os.utime(path, (old, old))
    (tmp_path / "acts" / ".left.json.tmp").write_text("half")
    tidy(tmp_path, NOW)
    assert hand_in(tmp_path, "set", SET, "ana", NOW, key="k") != one, "it was forgotten"
    assert (tmp_path / "acts" / ".left.json.tmp").exists(), "it may be a file that is written now"


def test_who_is_stopped_while_handing_in_hands_in_again(tmp_path, monkeypatch):
    "Before any of the writes: with the same key there is one act in the end."
    real, places = os.replace, []
    for stop in range(1, 3):
        folder = tmp_path / str(stop)

        def stopping(*told, stop=stop):
            places.append(told)
            if len(places) % 3 == stop % 3:
                raise OSError(28, "No space left on device")
            return real(*told)

        places.clear()
        monkeypatch.setattr(os, "replace", stopping)
        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            hand_in(folder, "set", SET, "ana", NOW, key="k")
        assert waiting(folder) == []
        monkeypatch.setattr(os, "replace", real)
        one = hand_in(folder, "set", SET, "ana", NOW, key="k")
        assert [act.id for act in waiting(folder)] == [one]


def test_many_hand_in_at_once_and_none_is_lost(tmp_path):
    ids = []

    def some(who):
        for number in range(20):
            ids.append(hand_in(tmp_path, "set", SET, who, NOW, key=str(number // 2)))

    threads = [threading.Thread(target=some, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 120 and len({*ids}) == 60
    assert [act.id for act in waiting(tmp_path)] == sorted({*ids})


def test_files_that_are_no_acts_are_named_with_the_reason(tmp_path):
    one = hand_in(tmp_path, "set", SET, "ana", NOW)
    folder = tmp_path / "acts"
    good = json.loads((folder / f"{one}.json").read_text())
    other = "019d0000-0000-7000-8000-00000000000f"
    files = {
        "torn": '{"id": "',
        "list": "[]",
        "deep": "[" * 100_000,
        other: json.dumps(good),
        "kind": json.dumps(good | {"id": "kind", "kind": "drop"}),
        "large": "x" * 200_000,
        "bytes": b"\xff\xfe",
    }
    for name, text in files.items():
        (folder / f"{name}.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    wrong = other[:-1] + "e"
    (folder / f"{wrong}.json").write_text(json.dumps(good | {"id": wrong, "kind": "drop"}))
    (folder / "link.json").symlink_to(folder / f"{one}.json")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo.json")
    told = found(tmp_path)
    assert [act.id for act in told.acts] == [one]
    assert {p.stem for p in told.unreadable} == {*files, wrong}
    assert "no kind of act" in told.unreadable[folder / f"{wrong}.json"]
    assert "name of another" in told.unreadable[folder / f"{other}.json"]
    assert "more than 131,072 bytes" in told.unreadable[folder / "large.json"]
    assert len(told.passed_over) == 3 and all("no file of its own" in s for s in told.passed_over)


def test_the_state_of_an_act_that_nobody_knows(bench):
    bench.publish()
    one = hand_in(bench.data / "spool", "set", SET, "ana", NOW)
    with open_snapshot(bench.data) as log:
        assert log.act_state(bench.data / "spool", one) == "waiting" and log.act(one) is None
        for odd in ("", "../../aiops", "x" * 5000, one[:-1], one.upper(), one[:-1] + "\n"):
            assert log.act_state(bench.data / "spool", odd) is None
        assert log.acts() == []


def of_somebody_else(monkeypatch, *paths, uid=54_321):
    "Let files look as if they were another user's, whoever runs this."
    nodes, real = {path.stat().st_ino for path in paths}, os.fstat

    def fstat(fd):
        told = real(fd)
        return os.stat_result((*told[:4], uid, *told[5:])) if told.st_ino in nodes else told

    monkeypatch.setattr(os, "fstat", fstat)


def test_nobody_asks_in_the_name_of_another(tmp_path, monkeypatch):
    "Whoever may write events into the spool may put any file there, and is no author of acts."
    one, two = (hand_in(tmp_path, "set", SET, who, NOW, key="k") for who in ("ana", "boss"))
    planted = tmp_path / "acts" / f"{two}.json"
    kept = {json.loads(p.read_text())["who"]: p for p in (tmp_path / "acts" / ".keys").iterdir()}
    with monkeypatch.context() as patch:
        of_somebody_else(patch, planted, kept["boss"])
        told = found(tmp_path)
        assert [act.id for act in told.acts] == [one] and list(told.unreadable) == [planted]
        assert "belongs to user 54321" in told.unreadable[planted]
        assert hand_in(tmp_path, "set", SET, "ana", NOW, key="k") == one
        assert hand_in(tmp_path, "set", SET, "boss", NOW, key="k") not in (one, two)
    with monkeypatch.context() as patch:
        of_somebody_else(patch, planted, uid=0)  # the system's own user may do anything anyway
        assert two in [act.id for act in waiting(tmp_path)]


def test_a_link_in_the_way_has_no_other_file_written(tmp_path, monkeypatch):
    one, other = hand_in(tmp_path, "set", SET, "ana", NOW), tmp_path / "catalog"
    other.write_text("precious")
    later = "029d0000-0000-7000-8000-00000000000f"
    monkeypatch.setattr(of_acts, "time_ordered_id", lambda: later)
    (tmp_path / "acts" / f".{later}.json.tmp").symlink_to(other)
    before = os.umask(0)
    try:
        assert hand_in(tmp_path, "set", SET, "ana", NOW) == later
    finally:
        os.umask(before)
    path = tmp_path / "acts" / f"{later}.json"
    assert not path.is_symlink() and path.stat().st_mode & 0o777 == 0o600
    lock = tmp_path / "acts" / ".lock"
    lock.unlink()
    lock.symlink_to(other)
    with pytest.raises(StoreError, match="the act cannot be written"):
        hand_in(tmp_path, "set", SET, "ana", NOW)
    assert other.read_text() == "precious"
    assert [act.id for act in waiting(tmp_path)] == [one, later]


def test_whose_files_are_believed(tmp_path, monkeypatch):
    "Who owns the data folder, whoever this process is, and the system's own; nobody else."
    users = SimpleNamespace(stat=lambda _: SimpleNamespace(st_uid=1234), geteuid=lambda: 77)
    monkeypatch.setattr(owners, "os", users)
    assert owners.believed(tmp_path) == {1234, 77, 0}


def test_a_key_that_is_a_link_stands_for_nothing(tmp_path):
    one = hand_in(tmp_path, "set", SET, "ana", NOW, key="k")
    (kept,) = (tmp_path / "acts" / ".keys").iterdir()
    kept.rename(tmp_path / "elsewhere.json")
    kept.symlink_to(tmp_path / "elsewhere.json")
    assert hand_in(tmp_path, "set", SET, "ana", NOW, key="k") != one and not kept.is_symlink()
