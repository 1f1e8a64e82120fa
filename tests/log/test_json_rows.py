import json

import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.log.formats import read_delivery
from aiops_wb.log.reading import Limits, ReadOptions

GOOD = {"prediction_id": "A", "score": 0.5, "features": {"x": 1}}


def read(tmp_path, lines, options=None, name="f.jsonl"):
    path = tmp_path / name
    path.write_bytes(b"\n".join(n if isinstance(n, bytes) else n.encode() for n in lines))
    return read_delivery(path, options)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{broken", "not a line of JSON"),
        ("[1]", "not an object"),
        ("5", "not an object"),
        ('{"a": "\\ud83d"}', "lone surrogate"),
        ('{"features": {"\\ud83d": 1}}', "lone surrogate"),
        ('{"x": 1' + "0" * 400 + "}", "401 digits"),
        ('{"x": -1' + "0" * 400 + "}", "401 digits"),
        ('{"x": [1' + "0" * 5000 + "]}", "5,001 digits"),
        ('{"Age": 1, "age": 2}', "'Age', 'age' are one name"),
        ('{"features": {"Age": 1, "age": 2}}', "'Age', 'age' are one name"),
        ('{"x": 9, "features": {"x": 5}}', "'x', 'x' are one name"),
        ('{"x": 9, "x": 5}', "'x' is given twice"),
        ('{"features": {"x": 9, "x": 5}}', "'x' is given twice"),
        ('{"": 5}', "a name is empty"),
        ('{"features": {"": 5}}', "a name is empty"),
        ("[" * 100_000, "nested too deeply"),
        ('{"x": ' + "[" * 60 + "]" * 60 + "}", "nested more than 50 deep"),
        (b'{"x": "\xff\xfe"}', "not valid UTF-8"),
        ('{"x": "\0"}', "not a line of JSON"),
    ],
)
def test_what_no_file_can_hold_costs_its_line(tmp_path, line, says):
    good = json.dumps(GOOD)
    frame, numbers, rejects = read(tmp_path, ['{"u": "ü"}', good, line, "", good])
    assert len(frame) == 3 and numbers.tolist() == [1, 2, 5]
    assert rejects.line.tolist() == [3] and says in rejects.reason[0]
    rejects.raw[0].encode()


def test_a_mark_of_encoding_any_end_of_line_and_packed_files(tmp_path):
    import gzip

    text = "\ufeff" + json.dumps(GOOD) + "\r\n" + json.dumps(GOOD) + "\r" + json.dumps(GOOD)
    for name, raw in (("F.JSONL", text.encode()), ("f.ndjson.GZ", gzip.compress(text.encode()))):
        frame, numbers, rejects = read(tmp_path, [raw], name=name)
        assert len(frame) == 3 and numbers.tolist() == [1, 2, 3] and not len(rejects)


def test_a_name_is_spelt_as_it_came_first(tmp_path):
    lines = [{"Age": 1}, {"age": 2, "features": {"X": 1}}, {"AGE": 3, "features": {"x": 2}}]
    frame, _, rejects = read(tmp_path, map(json.dumps, lines))
    assert frame.Age.tolist() == [1, 2, 3] and not len(rejects)
    assert frame.features.tolist()[1:] == [{"X": 1}, {"X": 2}]


def test_numbers_stay_what_they_are(tmp_path):
    frame, _, _ = read(tmp_path, ['{"i": 9007199254740993, "n": NaN, "f": 1.5}', '{"i": null}'])
    assert frame.i.tolist() == [9007199254740993, None] and frame.n[0] != frame.n[0]


def test_limits_are_said(tmp_path):
    lines = [json.dumps({"x": "a" * 30}), json.dumps({"y": {"z": 1}}), json.dumps({"w": [1] * 30})]
    _, _, rejects = read(tmp_path, lines, ReadOptions(limits=Limits(value=20)))
    assert rejects.line.tolist() == [1, 3]
    assert rejects.reason.tolist() == [f"{n} is longer than 20 characters" for n in "xw"]
    _, _, rejects = read(tmp_path, lines, ReadOptions(limits=Limits(line=50)))
    assert rejects.reason.tolist() == ["the line is longer than 50 characters"]
    with pytest.raises(StoreError, match="3 columns and 2 are allowed"):
        read(tmp_path, lines, ReadOptions(limits=Limits(columns=2)))
    with pytest.raises(StoreError, match="2 rows and 1 are allowed"):
        read(tmp_path, lines, ReadOptions(limits=Limits(rows=1)))
