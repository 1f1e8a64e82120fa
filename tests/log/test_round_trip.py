"""Random frames, written as others and the logger write them, come back as the same rows, kinds and
points."""

import csv
import json
import math
from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import pytest
from conftest import Bench, few
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.log.ingest import Ingested, ingest_file
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.points import Grid

MODEL, NOW = "m", datetime(2026, 3, 20, tzinfo=UTC)
DAYS = date(2026, 1, 1), date(2026, 12, 31)
ROWS = 5

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])
ODD = st.sampled_from(list(",;|\t\"'#\n\r\\{}[]%=*?<&🙂é  "))
TEXTS = st.text(CHARACTERS | ODD, max_size=12).map(str.strip)
LETTERS = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=6)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, width=64),
    st.sampled_from([0.0, -0.0, 1e308, 5e-324, -1.7e-9, math.inf, -math.inf]),
    st.integers(-(2**53), 2**53),
)
KINDS = {
    "number": NUMBERS,
    "boolean": st.booleans(),
    # a letter at both ends, so that it is no word for nothing and no number
    "text": st.tuples(LETTERS, TEXTS).map(lambda t: f"x{t[0]}{t[1]}x"),
    "day": st.dates(date(1900, 1, 1), date(2200, 1, 1)),
}
LOGGED_AS = {"day": "text"}
NAMES = st.text(CHARACTERS | ODD, min_size=1, max_size=10).map(str.strip)


@st.composite
def frames(draw):
    "Ids, scores, times and a few features: name -> (kind, values), each with some value."
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold))
    features = {}
    for name in (f"{n}§" for n in names):  # so that it is no name of the log's own
        kind = draw(st.sampled_from(list(KINDS)))
        cell = st.none() | KINDS[kind]
        values = [draw(KINDS[kind]), *(draw(cell) for _ in range(ROWS - 1))]
        features[name] = (kind, values)
    ids = draw(st.lists(TEXTS.filter(bool), min_size=ROWS, max_size=ROWS, unique=True))
    scores = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1e-12, 0.5, 1 - 1e-9])
    seconds = st.integers(0, 10**6)
    return {
        "prediction_id": ids,
        "score": [draw(scores) for _ in ids],
        "predicted_at": [NOW - timedelta(seconds=draw(seconds)) for _ in ids],
        "features": features,
    }


def table(frame):
    "The columns of a frame side by side."
    own = {k: v for k, v in frame.items() if k != "features"}
    return own | {name: values for name, (_, values) in frame["features"].items()}


def as_csv(frame, path, delimiter, end, quoting):
    columns = table(frame)
    with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerow(columns)
        for row in zip(*columns.values()):
            writer.writerow(["" if v is None else v for v in row])
    return path.with_suffix(".csv")


def as_jsonl(frame, path):
    columns = table(frame)
    rows = (
        {k: v if v not in (math.inf, -math.inf) else str(v) for k, v in zip(columns, row)}
        for row in zip(*columns.values())
    )
    lines = [json.dumps(row, default=str, ensure_ascii=len(row) % 2 == 0) for row in rows]
    path.with_suffix(".jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return path.with_suffix(".jsonl")


TYPES = {"number": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR", "day": "DATE"}


def as_parquet(frame, path):
    columns = table(frame)
    kinds = {"prediction_id": "VARCHAR", "score": "DOUBLE", "predicted_at": "TIMESTAMPTZ"}
    kinds |= {name: TYPES[kind] for name, (kind, _) in frame["features"].items()}
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in kinds}
    path = path.with_suffix(".parquet")
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t ({', '.join(f'{quoted[n]} {k}' for n, k in kinds.items())})")
        places = ", ".join("?" * len(kinds))
        con.executemany(f"INSERT INTO t VALUES ({places})", list(zip(*columns.values())))
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


FILES = {
    # Python before 3.13 quotes those ends of lines only that it writes itself
    "csv": lambda frame, path: as_csv(frame, path, ",", "\r\n", csv.QUOTE_MINIMAL),
    "csv of another program": lambda frame, path: as_csv(frame, path, ";", "\n", csv.QUOTE_ALL),
    "jsonl": as_jsonl,
    "parquet": as_parquet,
}


def log_events(log, frame):
    for i, one in enumerate(frame["prediction_id"]):
        features = {name: values[i] for name, (_, values) in frame["features"].items()}
        log.log(frame["score"][i], frame["predicted_at"][i], prediction_id=one, features=features)


def log_batch(log, frame):
    features = {name: pd.Series(v, dtype=object) for name, (_, v) in frame["features"].items()}
    log.log(
        frame["score"],
        frame["predicted_at"],
        prediction_id=frame["prediction_id"],
        features=pd.DataFrame(features),
    )


LOGGERS = {"events": log_events, "batch": log_batch}


def taken_in(bench, way, frame):
    "Bring a frame into a log; what was taken."
    if way in LOGGERS:
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
        ) as log:
            LOGGERS[way](log, frame)
        return bench.ingest(NOW)
    path = FILES[way](frame, bench.root / "made")
    constants = {"model": MODEL, "version": "v1", "threshold": "0.5"}
    with bench.store() as store:
        return ingest_file(store, NOW, "test", path, "predictions", None, constants)


def meant(kind, value):
    "A value as the log has it."
    if value is None:
        return None
    return str(value) if LOGGED_AS.get(kind, kind) == "text" else float(value)


def check(bench, way, frame):
    assert taken_in(bench, way, frame) == Ingested(loaded=ROWS)
    with bench.store() as store:
        rows = store.rows(MODEL, *DAYS).set_index("prediction_id")
        kinds = store.feature_kinds(MODEL)
    ids = frame["prediction_id"]
    assert sorted(rows.index) == sorted(ids)
    rows = rows.loc[ids]
    assert rows.score.tolist() == frame["score"]
    assert rows.points.tolist() == Grid().quantise(rows.score.to_numpy()).tolist()
    assert [t.to_pydatetime() for t in rows.predicted_at] == frame["predicted_at"]
    for name, (kind, values) in frame["features"].items():
        assert kinds[name] == LOGGED_AS.get(kind, kind)
        found = rows[f"feature:{name}"].astype(object)
        found = [None if pd.isna(v) else v for v in found]
        found = [v if isinstance(v, (str, type(None))) else float(v) for v in found]
        assert found == [meant(kind, v) for v in values], (name, kind)


@pytest.mark.parametrize("way", few([*FILES, *LOGGERS], "csv", "parquet", "events"))
@settings(max_examples=6)
@given(frame=frames())
def test_a_frame_comes_back_as_it_was(tmp_path_factory, way, frame):
    check(Bench(tmp_path_factory.mktemp("log")), way, frame)


@pytest.mark.slow
@pytest.mark.parametrize("way", [*FILES, *LOGGERS])
@settings(max_examples=60)
@given(frame=frames())
def test_many_frames_come_back_as_they_were(tmp_path_factory, way, frame):
    check(Bench(tmp_path_factory.mktemp("log")), way, frame)
