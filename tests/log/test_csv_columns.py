"""Plain CSV files read a column at a time, held against the reading of them row by row."""

import random

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiops_wb.log import delivered, formats
from aiops_wb.log.csv_columns import read_columns
from aiops_wb.log.delivered import normalise
from aiops_wb.log.errors import StoreError
from aiops_wb.log.formats import read_delivery
from aiops_wb.log.reading import Limits, ReadOptions
from aiops_wb.log.roles import Choice
from aiops_wb.log.values import infer, typed

NUMBERS = [
    "0",
    "1",
    "-1",
    "0.5",
    "1.50",
    "-0.0",
    "-0",
    "1e3",
    "2E-2",
    "5e-324",
    "1e400",
    "0.1e-400",
]
NUMBERS += ["9007199254740991", "9007199254740992", "12345678901234567890", "0.30000000000000004"]
ODD = [
    "",
    "007",
    "-01",
    "00.5",
    "-00",
    " 07",
    "+07",
    "0_1",
    "-.5",
    "1.e3",
    "+1",
    "1_0",
    "1e5_0",
    ".5",
    "1.",
    " 1",
    "1 ",
    "\t1",
    "+-1",
    "0x10",
    "1,5",
]
ODD += [
    "nan",
    "NaN",
    "-inf",
    "Infinity",
    "true",
    "null",
    "[1]",
    "{}",
    "1d",
    "１",
    "N/A",
    "a",
    "ü",
    "'",
]
cell = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(ODD), st.floats().map(repr))
column = st.one_of(
    st.lists(st.sampled_from(["", *NUMBERS]), min_size=6, max_size=6),
    st.lists(st.one_of(st.floats(), st.integers()).map(repr), min_size=6, max_size=6),
    st.lists(cell, min_size=6, max_size=6),
)
HEAD = "prediction_id,model,version,predicted_at,score"


def row_by_row(monkeypatch):
    monkeypatch.setattr(formats, "read_columns", lambda *_: None)


class Kinds:
    "Features that are what each file says, but for some that are known."

    def __init__(self, **known):
        self.known = known

    def not_numbers(self):
        return {feature for feature, kind in self.known.items() if kind != "number"}

    def settle_frame(self, frame):
        names = [c for c in frame if c.startswith("feature:")]
        kinds = {c: self.known.get(c.removeprefix("feature:")) or infer(frame[c]) for c in names}
        made = {c: typed(frame[c], kind) for c, kind in kinds.items()}
        lost = [(c, row) for c, (_, unread) in made.items() for row in np.flatnonzero(unread)]
        raw = [str(frame[c].iloc[row]) for c, row in lost]
        unreadable = pd.DataFrame(lost, columns=["feature", "row"]).assign(raw=raw)
        return frame.assign(**{c: values for c, (values, _) in made.items()}), unreadable


def outcome(path, folder, kinds, options=None, choice=Choice()):
    "Everything that a file becomes, or the sentence that refuses it."
    try:
        made = normalise(path, "predictions", folder, kinds, choice, options=options)
    except StoreError as error:
        return str(error)
    rows = _rows(made.canonical)
    lines = made.lines.tolist()
    return rows, lines, made.rejects.to_dict("list"), made.notes, made.unreadable.to_dict("list")


def _rows(path):
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute(f"FROM '{path}'")
        return str(found.description), repr(found.fetchall())


def both(path, folder, kinds, options=None, choice=Choice()):
    "The outcome of a file on either way."
    fast = outcome(path, folder, kinds, options, choice)
    with pytest.MonkeyPatch.context() as patch:
        row_by_row(patch)
        return fast, outcome(path, folder, kinds, options, choice)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(column, min_size=1, max_size=10),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.dictionaries(
        st.sampled_from("abcdefghij"), st.sampled_from(["text", "boolean", "time", "number"])
    ),
    st.lists(st.sampled_from(["0.5", "1", "0.25", "1.5", "", "x", "07"]), min_size=6, max_size=6),
    st.booleans(),
)
@example([["1", "", "2", "3.50", "0", "1"]], ",", "\n", {"a": "text"}, ["0.5"] * 6, False)
@example([["1", "0", "1", "1", "0", "2"]], ",", "\n", {"a": "boolean"}, ["0.5"] * 6, False)
@example([["0"] * 5 + ["1,5"], [""] * 6], ",", "\n", {}, ["0.5"] * 6, False)
@example([["1_0"] * 6, [" 1"] * 6, ["007"] * 6], "|", "\r\n", {}, ["0.5"] * 6, True)
@example([[c] * 6 for c in ("-01", "+07", " 07", "00.5", "-.5", "1.")], ",", "\n", {}, ["1"] * 6, 0)
def test_a_file_becomes_the_same_on_either_way(
    tmp_path_factory, columns, delimiter, end, known, scores, marked
):
    folder = tmp_path_factory.mktemp("csv")
    lines = [f"{HEAD},{','.join('abcdefghij'[: len(columns)])}".replace(",", delimiter)]
    for i, cells in enumerate(zip(*columns, strict=True)):
        given = [f"0{i}", "m", "v", f"2026-11-02T06:00:0{i}Z", scores[i], *cells]
        lines.append(delimiter.join(given))
    path = folder / "f.csv"
    path.write_bytes(
        "".join(line + end for line in lines).encode("utf-8-sig" if marked else "utf-8")
    )
    fast, slow = both(path, folder, Kinds(**known))
    assert fast == slow


DAMAGE = [
    "\n",
    "\r",
    "\r\n",
    '"',
    ",",
    "\0",
    "\ufeff",
    "é",
    " ",
    "0",
    "-",
    "sep=,\n",
    "\n\n",
    "1_",
    "",
]


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(s, marks=pytest.mark.slow) for s in range(12, 60))]
)
def test_a_damaged_file_becomes_the_same_on_either_way(tmp_path, seed):
    rng, path = random.Random(seed), tmp_path / "f.csv"
    lines = [f"{HEAD},latency_ms,a,b,zip"]
    for i in range(200):
        when = f"2026-11-{1 + i % 28:02d}T06:00:00+00:00"
        lines.append(f"{i:06d},m,v,{when},{rng.random()},2.0,{rng.gauss(0, 1)},{i},0{i}")
    text = "".join(line + "\n" for line in lines)
    for _ in range(rng.randrange(3)):
        at, length = rng.randrange(len(text)), rng.choice([0, 1, 1, 5])
        text = text[:at] + rng.choice(DAMAGE) + text[at + length :]
    raw = text.encode()
    if rng.random() < 0.2:
        at = rng.randrange(len(raw))
        raw = raw[:at] + bytes([rng.randrange(128, 256)]) + raw[at:]
    path.write_bytes(raw)
    options = rng.choice(
        [
            ReadOptions(),
            ReadOptions(skip_lines=1),
            ReadOptions(decimal=",", thousands="."),
            ReadOptions(score_scale="percent", naive_timezone="Europe/Berlin"),
            ReadOptions(limits=Limits(rows=150)),
            ReadOptions(limits=Limits(value=60)),
        ]
    )
    choice = rng.choice([Choice(), Choice(mapping={"site_id": "b"}), Choice(exclude=("a",))])
    fast, slow = both(path, tmp_path, Kinds(), options, choice)
    assert fast == slow


def test_which_columns_are_numbers(tmp_path):
    path, said = tmp_path / "f.csv", []
    path.write_text("id,a,b,zip,A ,,n\n1,1.5,,02134,1,2,3\n2,-2e3,,10115,1,2,\n")
    frame, lines = read_columns(path, ReadOptions(), said.append, texts={"id"})
    assert frame.dtypes.map(str).to_dict() == {
        "id": "object",
        "b": "object",
        "zip": "object",
        "n": "float64",
    }
    assert frame.b.tolist() == ["", ""] and np.isnan(frame.n[1]) and lines.tolist() == [2, 3]
    assert len(said) == 3
    frame, _ = read_columns(path, ReadOptions(), lambda _: None)
    assert set(frame.dtypes.map(str)) == {"object"} and frame.n.tolist() == ["3", ""]


@pytest.mark.parametrize(
    "text",
    [
        'id,a\n1,"2"\n',
        "id,a\n1,2\n\n2,3\n",
        "id,a\n1,2\r\n",
        "id,a\n1,2\r",
        "id,a\n1,2,3\n",
        "id,a\n1\n",
        "id\n1\n",
        "id,a\n",
        "id,a\n1,\0\n",
        "id,a\n1,2",
    ],
)
def test_what_is_not_plain_is_left_to_the_other_reader(tmp_path, text):
    path = tmp_path / "f.csv"
    path.write_text(text, newline="")
    assert read_columns(path, ReadOptions(), lambda _: None) is None


def test_a_bad_row_is_kept_as_it_stands_in_the_file(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"{HEAD},a\n1,m,v,2026-11-02T06:00:00Z,1.50,2.0\n")
    read = delivered._read_quickly(path, "predictions", set(), Choice(), {}, None)
    assert read.rejects.raw[0].count('"1.50"') == 1 and "'1.50'" in read.rejects.reason[0]


def test_texts_are_read_a_column_at_a_time_too(tmp_path, monkeypatch):
    path = tmp_path / "f[1].csv"
    path.write_text("id;a\n" + "ü;1,5\n" * 3)
    monkeypatch.setattr(formats, "read_csv", None)
    frame, lines, rejects = read_delivery(path)
    assert frame.a.tolist() == ["1,5"] * 3 and lines.tolist() == [2, 3, 4] and not len(rejects)
