"""CSV as RFC 4180 has it, held against the standard library's own reader."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.log import csv_rows
from aiops_wb.log.errors import StoreError
from aiops_wb.log.formats import read_delivery
from aiops_wb.log.reading import Limits, ReadOptions


def read(tmp_path, text, options=None, name="f.csv", said=None):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    say = (lambda _: None) if said is None else said.append
    return read_delivery(path, options, say)


def rows(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


words = st.text(
    st.one_of(
        st.sampled_from(list(",;\t|\"'\r\n#x 7.-")),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=6,
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(words, words, words), max_size=12),
    st.sampled_from(csv_rows.DELIMITERS),
    st.sampled_from(
        [  # the writer quotes only the ends of lines that it writes itself
            ("\n", csv.QUOTE_ALL),
            ("\r", csv.QUOTE_ALL),
            ("\r\n", csv.QUOTE_ALL),
            ("\r\n", csv.QUOTE_MINIMAL),
        ]
    ),
    st.booleans(),
)
def test_what_another_program_writes_is_read_back(
    tmp_path_factory, cells, delimiter, dialect, marked
):
    (end, quoting), text = dialect, io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["prediction_id", "score", "x"])
    writer.writerows(cells)
    raw = text.getvalue().encode("utf-8-sig" if marked else "utf-8")
    frame, numbers, rejects = read(tmp_path_factory.mktemp("csv"), raw)
    told = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=delimiter)
    header, expected, begins = next(told), [], []
    begin = told.line_num
    for row in told:
        if row:
            expected.append(tuple(row))
            begins.append(begin + 1)
        begin = told.line_num
    assert frame.columns.tolist() == header and not len(rejects)
    assert rows(frame) == expected == [tuple(row) for row in cells]
    assert numbers.tolist() == begins


def test_rows_are_the_same_taken_together_or_each_for_itself(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    spelt = ["a", '"b"', '""', "", '"c,d"', '"e""f"', '"g\nh"', '"unended', 'i"j', "k,l"]
    text = "prediction_id,score,x\n" + "".join(
        f"{i},{rng.choice(spelt, p=[0.3, 0.3, *[0.05] * 8])},7\n" for i in range(600)
    )
    together = read(tmp_path, text)
    monkeypatch.setattr(csv_rows, "_CHUNK", 1)
    alone = read(tmp_path, text)
    assert rows(together[0]) == rows(alone[0]) and together[1].tolist() == alone[1].tolist()
    assert together[2].equals(alone[2]) and 0 < len(alone[2]) < 250


def test_no_character_opens_a_comment_and_no_apostrophe_quotes(tmp_path):
    text = "prediction_id,score,note\n#1,0.2,'a\n2,0.3,it's # fine\n'3',0.4,\\\n"
    frame, _, rejects = read(tmp_path, text)
    assert rows(frame) == [
        ("#1", "0.2", "'a"),
        ("2", "0.3", "it's # fine"),
        ("'3'", "0.4", "\\"),
    ]
    assert not len(rejects)


def test_a_quote_may_come_late(tmp_path):
    text = "prediction_id,score,note\n" + "".join(f"{i},0.5,plain\n" for i in range(25_000))
    frame, numbers, rejects = read(tmp_path, text + '25000,0.5,"first, with ""quotes"""\n1,2,3\n')
    assert frame.note.iloc[-2] == 'first, with "quotes"' and numbers[-1] == 25_003
    assert len(frame) == 25_002 and not len(rejects)


def test_ends_of_lines_may_be_mixed(tmp_path):
    text = 'prediction_id,score,x\r\n1,2,"a\rb"\n2,3,"c\r\nd"\r3,4,5\r\n\r\n\n4,5,6'
    frame, numbers, _ = read(tmp_path, text)
    assert frame.x.tolist() == ["a\rb", "c\r\nd", "5", "6"]
    assert numbers.tolist() == [2, 4, 6, 9]


def test_a_ragged_row_costs_itself_and_is_said_with_its_own_line(tmp_path):
    text = 'prediction_id,score,x\n1,2\n"two\nlines",5\n\n3,4,5,6\n7,8,9\n'
    frame, numbers, rejects = read(tmp_path, text)
    assert rows(frame) == [("7", "8", "9")] and numbers.tolist() == [7]
    assert rejects.line.tolist() == [2, 3, 6]
    assert rejects.reason.tolist() == [
        "the row has 2 cells, the header has 3",
        "the row has 2 cells, the header has 3",
        "the row has 4 cells, the header has 3",
    ]
    assert rejects.raw.tolist() == ["1,2", '"two\nlines",5', "3,4,5,6"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ('x,"never ends,3', "does not end"),
        ('x,"junk"after,3', "inside a cell"),
        ('x,5" pipe,3', "does not end"),
        ('x,a"b"c,3', "inside a cell"),
    ],
)
def test_a_wrong_quote_costs_the_row_it_stands_in(tmp_path, bad, says):
    good = [f'{i},"a, b",{i}' for i in range(40)]
    text = "\n".join(["prediction_id,score,x", *good[:20], bad, *good[20:]])
    frame, numbers, rejects = read(tmp_path, text + "\n")
    assert len(frame) == 40 and rejects.line.tolist() == [22] and rejects.raw.tolist() == [bad]
    assert says in rejects.reason[0] and 22 not in numbers


def test_an_unended_quote_in_the_last_row(tmp_path):
    frame, _, rejects = read(tmp_path, 'prediction_id,score,x\n1,2,3\n4,"5\n6')
    assert len(frame) == 1 and rejects.line.tolist() == [3] and rejects.raw[0] == '4,"5\n6'


@pytest.mark.parametrize(
    ("above", "skip"),
    [
        ("sep=;\n", 1),
        ('"sep=;"\n', 1),
        ("# exported by the nightly job\n", 1),
        ("Report of November\n\nby me; and you\n", 3),
        ("Report, November\n", 1),
    ],
)
def test_titles_are_refused_with_the_line_and_the_way_out(tmp_path, above, skip):
    text = above + "prediction_id;score;x\n1;2;3\n4;5;6\n"
    with pytest.raises(StoreError, match=rf"line 1 \(.*--skip-lines {skip}\.") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value) and above.split("\n")[0].strip('"') in str(error.value)
    frame, numbers, _ = read(tmp_path, text, ReadOptions(skip_lines=skip))
    assert rows(frame) == [("1", "2", "3"), ("4", "5", "6")]
    assert numbers.tolist() == [skip + 2, skip + 3]


def test_a_title_above_columns_of_ones_own_names(tmp_path):
    text = "Report of November\nid;when;p\na;b;c\nd;e;f\n"
    with pytest.raises(StoreError, match="line 1.*--skip-lines 1"):
        read(tmp_path, text)
    assert rows(read(tmp_path, text.partition("\n")[2])[0]) == [("a", "b", "c"), ("d", "e", "f")]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("prediction_id;score;amount, net, in EUR, old", 3),
        ("prediction_id\tscore", 2),
        ("prediction_id|score|a;b", 3),
        ('prediction_id,score,"a;b;c;d;e"', 3),
        ("one", 1),
    ],
)
def test_the_delimiter_is_read_off_the_header(tmp_path, header, columns):
    assert read(tmp_path, header + "\n")[0].shape == (0, columns)


def test_a_header_that_splits_two_ways_is_refused(tmp_path):
    with pytest.raises(StoreError, match="line 1, the header, could be split at ',' or at ';'"):
        read(tmp_path, "a,b;c\n1,2;3\n")


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_without_a_header_there_is_nothing_to_read(tmp_path, text):
    with pytest.raises(StoreError, match="no header"):
        read(tmp_path, text)


def test_names_that_cannot_be_told_apart_cost_themselves(tmp_path):
    said = []
    frame, _, _ = read(
        tmp_path, "prediction_id,,Age,age,x,x,score,Score\n1,2,3,4,5,6,7,8\n", said=said
    )
    assert frame.iloc[0].to_dict() == {"prediction_id": "1", "score": "7", "Score": "8"}
    assert len(said) == 5 and said[0] == "f.csv: column 2 has no name and is left out"
    assert all("f.csv: column" in told and "is left out" in told for told in said)


def test_a_column_of_the_log_given_twice_is_refused(tmp_path):
    with pytest.raises(StoreError, match="2 columns called 'score'"):
        read(tmp_path, "prediction_id,score,score\n1,2,3\n")


def test_limits_are_said(tmp_path):
    text = "prediction_id,score,x\n" + "".join(f"{i},0.5,{'x' * (i % 50)}\n" for i in range(100))
    frame, _, rejects = read(tmp_path, text, ReadOptions(limits=Limits(value=40)))
    assert len(frame) == 82 and set(rejects.reason) == {"a value is longer than 40 characters"}
    frame, _, rejects = read(tmp_path, text, ReadOptions(limits=Limits(line=50)))
    assert len(frame) == 88 and set(rejects.reason) == {"the row is longer than 50 characters"}
    with pytest.raises(StoreError, match="3 columns and 2 are allowed: raise file_columns"):
        read(tmp_path, text, ReadOptions(limits=Limits(columns=2)))
    with pytest.raises(StoreError, match="100 rows and 99 are allowed: raise file_rows"):
        read(tmp_path, text, ReadOptions(limits=Limits(rows=99)))
