"""A file that others write to: nothing is left out, whatever becomes of the file or its reader."""

import json
import os
import random

import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.streams import file_source
from aiops_wb.streams.consuming import Unreachable
from aiops_wb.streams.file_source import FileSource


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def texts(source, most=100, done=True):
    entries = source.read(most, 0)
    if entries and done:
        source.done(entries)
    return [entry.raw.decode() for entry in entries]


def write(path, text, mode="a"):
    with path.open(mode) as file:
        file.write(text)


def again(source, path):
    "A reader that begins where the one before, which was killed, had told of."
    source.close()
    return FileSource(path, path.parent / "data")


def test_lines_come_as_they_are_written_and_are_read_on_from(path):
    write(path, "a\nb\n\n  \nc\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source, 2) == ["a", "b"]
    source = again(source, path)
    assert texts(source) == ["c"] and texts(source) == []
    write(path, "d\n")
    assert texts(source) == ["d"]
    assert again(source, path).read(1, 0) == []


def test_what_was_not_told_of_comes_again(path):
    write(path, "a\nb\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source, done=False) == ["a", "b"]
    source = again(source, path)
    assert texts(source) == ["a", "b"]


def test_a_last_line_waits_for_its_end_unless_nothing_more_can_belong_to_it(path):
    write(path, 'a\n{"x": 1')
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a"] and texts(source) == []
    write(path, "}")
    assert texts(source) == ['{"x": 1}']
    write(path, "\n12")
    assert texts(source) == []
    write(path, "3\n")
    assert texts(source) == ["123"]


def test_where_an_entry_stood_is_told_by_its_line_also_after_a_restart(path):
    write(path, "a\n\nb\n")
    source = FileSource(path, path.parent / "data")
    entries = source.read(9, 0)
    assert [entry.place for entry in entries] == ["line 1", "line 3"]
    source.done(entries)
    source = again(source, path)
    write(path, "c\n")
    assert [entry.place for entry in source.read(9, 0)] == ["line 4"]


@pytest.mark.parametrize("is_away", [False, True])
def test_a_file_that_is_rotated_is_read_to_its_end_before_the_new_one(path, is_away):
    write(path, "a\nb\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source, 1) == ["a"]
    if is_away:
        source.close()
    path.rename(path.with_name("events.jsonl.1"))
    write(path.with_name("events.jsonl.1"), "c\nlast")
    write(path, "d\n")
    if is_away:
        source = FileSource(path, path.parent / "data")
    assert texts(source) == ["b", "c"]
    assert texts(source) == ["last"]  # nothing more comes behind it
    assert texts(source) == ["d"] and "another file" in source.notes()[0]
    assert again(source, path).read(9, 0) == []


@pytest.mark.parametrize("before", ["", "x\n"])
@pytest.mark.parametrize("is_away", [False, True])
def test_a_file_that_is_emptied_or_replaced_is_begun_anew(path, before, is_away):
    write(path, "a\nb\nc\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a", "b", "c"]
    if is_away:
        source.close()
    write(path, "", "w")
    if not is_away:
        assert texts(source) == []
    write(path, f"{before}d\n" if before else "d\n")
    if is_away:
        source = FileSource(path, path.parent / "data")
    assert texts(source) == [*before.split(), "d"]


def test_a_file_that_is_emptied_and_longer_again_at_once_is_begun_anew(path):
    write(path, "a\nb\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a", "b"]
    write(path, "".join(f"new{i}\n" for i in range(9)), "w")
    assert texts(source) == [f"new{i}" for i in range(9)]


def test_a_renamed_file_without_a_new_one_goes_on(path):
    write(path, "a\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a"]
    path.rename(path.with_name("events.jsonl.1"))
    assert texts(source) == []
    write(path.with_name("events.jsonl.1"), "b\n")
    assert texts(source) == ["b"]
    write(path, "c\n")
    assert texts(source) == ["c"]


def test_a_line_that_is_too_long_costs_itself(path, monkeypatch):
    monkeypatch.setattr(file_source, "LONGEST_LINE", 8)
    write(path, f"a\n{'x' * 30}\nb\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a", "x" * 8, "b"]
    assert again(source, path).read(9, 0) == []


def test_what_is_no_such_file_is_said(path, tmp_path):
    with pytest.raises(Unreachable, match="events.jsonl is not there"):
        FileSource(path, tmp_path / "data").read(1, 0)
    with pytest.raises(StoreError, match="is no file of lines"):
        FileSource(tmp_path, tmp_path / "data").read(1, 0)
    os.mkfifo(path)
    with pytest.raises(StoreError, match="is no file of lines"):
        FileSource(path, tmp_path / "data").read(1, 0)


@pytest.mark.parametrize("kept", ["", "{", "[1]", '{"device": 1}', '{"device": "x"}'])
def test_a_place_that_is_lost_begins_the_file_anew(path, kept):
    write(path, "a\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a"]
    (place,) = (path.parent / "data" / "consumed").iterdir()
    place.write_text(kept)
    assert texts(again(source, path)) == ["a"]


@pytest.mark.parametrize(
    "wrong",
    [{"offset": "1"}, {"offset": -1}, {"offset": 1.0}, {"offset": 10**30}, {"offset": True}]
    + [{"lines": "x"}, {"head": None}, {"inode": None}],
)
def test_a_place_with_something_that_is_none_begins_the_file_anew(path, wrong):
    write(path, "a\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a"]
    (place,) = (path.parent / "data" / "consumed").iterdir()
    place.write_text(json.dumps(json.loads(place.read_text()) | wrong))
    write(path, "b\n")
    source = again(source, path)
    entries = source.read(9, 0)
    source.done(entries)
    assert [(one.raw, one.place) for one in entries] == [(b"a", "line 1"), (b"b", "line 2")]


def test_long_lines_are_not_all_held_at_once(path, monkeypatch):
    monkeypatch.setattr(file_source, "_TOGETHER", 10)
    write(path, "a" * 9 + "\n" + "b" * 9 + "\nc\n")
    source = FileSource(path, path.parent / "data")
    assert texts(source) == ["a" * 9, "b" * 9] and texts(source) == ["c"]


def test_whatever_happens_no_line_is_left_out(tmp_path):
    "Writes, rotations, restarts and emptied files in any order, against what was written."
    for seed in range(60):
        dice, folder = random.Random(seed), tmp_path / str(seed)
        folder.mkdir()
        path = folder / "e"
        path.touch()
        source, n, written, seen = FileSource(path, folder / "data"), 0, [], []
        seen += texts(source)
        for _ in range(25):
            match dice.randrange(5):
                case 0 | 1:
                    for _ in range(dice.randrange(1, 4)):
                        written.append(json.dumps({"n": n}))
                        write(path, f"{written[-1]}\n")
                        n += 1
                case 2:
                    seen += texts(source, dice.randrange(1, 5), dice.random() < 0.7)
                case 3:
                    source = again(source, path)
                case 4:  # one at a time: the reader has begun the file that is renamed
                    while part := texts(source):
                        seen += part
                    path.rename(folder / f"e.{n}.{dice.random()}")
                    path.touch()
                    if dice.random() < 0.5:
                        source = again(source, path)
                    while part := texts(source):
                        seen += part
        while part := texts(source):
            seen += part
        source.close()
        assert list(dict.fromkeys(seen)) == written, seed
