"""Whole files: their encodings, their limits, and fifty that were made by damaging good ones."""

import gzip
import random

import duckdb
import pandas as pd
import pytest
from conftest import MODEL, few

from aiops_wb.log.errors import StoreError
from aiops_wb.log.formats import kind_of_file, read_delivery
from aiops_wb.log.reading import Limits, ReadOptions

CSV = "prediction_id,score,ort\n1,0.5,Süd\n2,0.5,Nord\n"


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_other_encodings_are_named(tmp_path, encoding):
    path = put(tmp_path / "f.csv", CSV.encode(encoding))
    if encoding != "utf-8-sig":
        with pytest.raises(StoreError, match="--encoding") as error:
            read_delivery(path)
        assert "\n" not in str(error.value) and str(error.value).startswith("f.csv ")
    if encoding in ("latin-1", "cp1252"):
        more = put(tmp_path / "g.csv", (CSV + "3,0.5,Köln\n").encode(encoding))
        with pytest.raises(StoreError, match=r"line 2 is not UTF-8 \(byte 0xfc\)"):
            read_delivery(more)
    frame, _, _ = read_delivery(path, ReadOptions(encoding=encoding))
    assert frame.ort.tolist() == ["Süd", "Nord"] and frame.columns[0] == "prediction_id"


def test_a_file_of_another_encoding_than_the_one_named(tmp_path):
    path = put(tmp_path / "f.csv", CSV.encode("latin-1"))
    with pytest.raises(StoreError, match="not ascii throughout.*--encoding"):
        read_delivery(path, ReadOptions(encoding="ascii"))


@pytest.mark.parametrize(
    "row", [b"3,0.5,\xfcber\n", b"3,0.5,\x00\xff\x00\n", b"3,0.5,\xf0\x9f\x98\n"]
)
def test_bytes_that_are_no_text_cost_their_row(tmp_path, row):
    path = put(tmp_path / "f.csv", CSV.encode() + row + b"4,0.5,x\n")
    frame, numbers, rejects = read_delivery(path)
    assert frame.prediction_id.tolist() == ["1", "2", "4"] and numbers.tolist() == [2, 3, 5]
    assert rejects.line.tolist() == [4] and rejects.reason[0] == "the row is not valid UTF-8"
    rejects.raw[0].encode()


def test_binary_text_in_a_file_of_plain_letters_costs_its_row(tmp_path):
    path = put(tmp_path / "f.csv", b"prediction_id,score,x\n1,2,a\n2,3,\x00\xff\x01\n3,4,b\n")
    frame, _, rejects = read_delivery(path)
    assert len(frame) == 2 and rejects.line.tolist() == [3]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("SCORES.CSV", ".csv"),
        ("a.Csv.GZ", ".csv.gz"),
        ("x.JSONL", ".jsonl"),
        ("x.ndjson.gz", ".ndjson.gz"),
        ("x.PARQUET", ".parquet"),
        ("x.parquet.gz", None),
        ("x.gz", None),
        ("csv", None),
        ("x.csv.bak", None),
    ],
)
def test_names_end_in_any_case(tmp_path, name, suffix):
    assert kind_of_file(tmp_path / name) == suffix


@pytest.mark.parametrize("name", ["f.csv.gz", "F.CSV.GZ"])
def test_packed_files(tmp_path, name):
    packed = gzip.compress(CSV.encode())
    assert len(read_delivery(put(tmp_path / name, packed))[0]) == 2
    for broken in (packed[:-9], packed[:20], b"no gzip", packed[:15] + b"xxxx" + packed[19:]):
        with pytest.raises(StoreError, match="cannot be read: ") as error:
            read_delivery(put(tmp_path / name, broken))
        assert "\n" not in str(error.value)


def test_what_needs_more_memory_than_allowed_is_refused_before_it_takes_it(tmp_path):
    small = ReadOptions(limits=Limits(memory=20))
    bomb = put(tmp_path / "f.csv.gz", gzip.compress(b"a" * 50_000_000))
    large = put(tmp_path / "f.jsonl", b" " * 3_000_000)
    parquet = tmp_path / "f.parquet"
    duckdb.sql(
        f"""COPY (SELECT i::VARCHAR AS prediction_id, repeat('x', 20_000) AS x
                  FROM range(30_000) t(i))
            TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)"""
    )
    assert parquet.stat().st_size < 500_000
    for path in (bomb, large, parquet):
        with pytest.raises(StoreError, match="raise memory_limit"):
            read_delivery(path, small)


def test_limits_of_a_parquet_file(tmp_path):
    path = tmp_path / "f.parquet"
    duckdb.sql(f"COPY (SELECT i AS a, i AS b FROM range(30) t(i)) TO '{path}' (FORMAT parquet)")
    with pytest.raises(StoreError, match=r"f\.parquet .*2 columns and 1 are allowed"):
        read_delivery(path, ReadOptions(limits=Limits(columns=1)))
    with pytest.raises(StoreError, match="30 rows and 29 are allowed"):
        read_delivery(path, ReadOptions(limits=Limits(rows=29)))


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"encoding": "klingon"}, "'klingon' is no encoding"),
        ({"encoding": "base64"}, "'base64' is no encoding"),
        ({"decimal": "comma"}, "decimal 'comma' is not a mark"),
        ({"thousands": "1"}, "thousands '1' is not a mark"),
        ({"decimal": ",", "thousands": ","}, "cannot both be ','"),
        ({"naive_timezone": "Berlin"}, "'Berlin' is not a time zone"),
        ({"score_scale": "promille"}, "score scale 'promille'"),
    ],
)
def test_options_that_cannot_be_used(told, says):
    with pytest.raises(StoreError, match=says):
        ReadOptions(**told)


def _good(random, prefix):
    "Rows of a good file."
    rows = [
        {
            "prediction_id": f"{prefix}{i}",
            "predicted_at": "2026-03-01T00:00:00Z",
            "score": round(random.random(), 4),
            "model": MODEL,
            "version": "v1",
            "note": random.choice(["plain", "a, b", 'say "x"', "two\nlines", "Süd 🙂", ""]),
            "x": random.choice([1, 2.5, None]),
        }
        for i in range(30)
    ]
    return pd.DataFrame(rows)


def damaged(random, raw):
    "A file's bytes with a few of them gone, changed, put in, repeated or swapped."
    raw = bytearray(raw)
    for _ in range(random.choice([1, 1, 2, 5, 40])):
        at, act = random.randrange(len(raw) + 1), random.randrange(6)
        size = random.choice([1, 1, 3, 50])
        if act == 0:
            del raw[at : at + size]
        elif act == 1:
            raw[at:at] = random.randbytes(size)
        elif act == 2:
            raw[at:at] = random.choice([b'"', b"\n", b"\r", b",", b";", b"\0", b"{", b"[", b"\\u"])
        elif act == 3:
            raw[at : at + size] = random.randbytes(size)
        elif act == 4:
            raw[at:at] = raw[at : at + size]
        else:
            del raw[at:]
        if not raw:
            break
    return bytes(raw)


def _written(frame, suffix, path):
    if suffix == ".parquet":
        with duckdb.connect() as con:
            con.register("frame", frame)
            con.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
        return path.read_bytes()
    text = (
        frame.to_csv(index=False)
        if suffix.startswith(".csv")
        else frame.to_json(orient="records", lines=True)
    ).encode()
    return gzip.compress(text, mtime=0) if suffix.endswith(".gz") else text


@pytest.mark.parametrize(
    "suffix",
    few([".csv", ".jsonl", ".parquet", ".csv.gz", ".jsonl.gz"], ".csv"),
)
def test_damaged_files_load_or_are_quarantined_or_refused_in_a_sentence(bench, suffix, tmp_path):
    spool = bench.data / "spool" / "predictions"
    for seed in range(10):
        dice = random.Random(f"{suffix} {seed}")
        frame = _good(dice, f"s{seed}-")
        raw = _written(frame, suffix, tmp_path / "made.parquet")
        spool.mkdir(parents=True, exist_ok=True)
        (spool / f"damaged{suffix}").write_bytes(damaged(dice, raw))
        other = frame.assign(prediction_id=lambda f: "other-" + f.prediction_id)
        (spool / f"good{suffix}").write_bytes(_written(other, suffix, tmp_path / "made.parquet"))
        taken = bench.ingest()
        assert taken.loaded >= 30 and len(taken.refused) <= 1 and not taken.passed_over
        assert all("\n" not in told for told in (*taken.refused, *taken.notes))
        assert (
            taken.loaded + taken.quarantined + taken.duplicates > 30
            or taken.refused
            or (
                taken.loaded == 30  # an empty file, or a header alone
            )
        )
        assert not list(spool.iterdir())
        with bench.store() as store:
            stored = store.rows(
                MODEL, pd.Timestamp("2026-03-01").date(), pd.Timestamp("2026-03-01").date()
            )
            mine = stored[stored.prediction_id.str.startswith(f"other-s{seed}-")]
            assert sorted(mine.prediction_id) == sorted(other.prediction_id)
