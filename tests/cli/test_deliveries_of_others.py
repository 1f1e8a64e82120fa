"""Files as other programs write them, delivered through the commands: what is in the log then.

Each test is a symptom that somebody reported of a tool like this one, with the right value.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import date, timedelta
from io import StringIO

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import few

from aiops_wb import open_snapshot
from aiops_wb.cli import main
from aiops_wb.log.features import as_numbers
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.registry import load

SET = ("--set", "model=m,version=1,threshold=0.5")
AT = "2026-11-02T07:00:00+01:00"
OWN = "prediction_id,predicted_at,score,model,version\n{},2026-11-02T07:00:00+01:00,{},m,1\n"
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


class House:
    "A folder of deliveries, and the commands given in it."

    def __init__(self, root):
        self.root = root

    def give(self, *words):
        "The exit code of a command, and all it said."
        told = StringIO()
        with redirect_stdout(told), redirect_stderr(told):
            code = main([str(word) for word in words])
        return code, told.getvalue()

    def file(self, name, content):
        "A file in the folder."
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def ingest(self, name, content, *words, constants=SET, code=0):
        "Take in one file; what was said. The exit code is as expected."
        ended, told = self.give("ingest", "--file", self.file(name, content), *constants, *words)
        assert ended == code, told
        return told

    def rows(self, data="data", model="m"):
        "The rows that are published, by their id."
        with open_snapshot(self.root / data) as log:
            rows = log.rows(model, FIRST, LAST)
        rows.columns = [c.removeprefix("feature:") for c in rows]
        return rows.set_index("prediction_id").sort_index()

    def feature(self, name):
        "The values of a feature in order of ids, None where it is missing."
        values = self.rows()[name].astype(object)
        return values.where(values.notna(), None).tolist()

    def features(self):
        "Names and kinds of the features that are listed."
        listed = json.loads(self.give("features", "list", "--json")[1])
        return {one["feature"]: one["kind"] for one in listed}


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return House(tmp_path)


def csv(*rows, columns="prediction_id,predicted_at,score"):
    "A CSV of rows, their time the same."
    return "\n".join([columns, *(row.replace("@", AT) for row in rows)]) + "\n"


def jsonl(*rows):
    "JSON lines of rows that say what is special about them, as objects or as text."
    common = {"predicted_at": AT, "score": 0.2}
    lines = [r if isinstance(r, str) else json.dumps(common | r) for r in rows]
    return "".join(line.replace("@", AT) + "\n" for line in lines)


def parquet(house, name, query):
    "A Parquet file of a query."
    path = house.root / name
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def loaded(told):
    "The numbers of a result: loaded, duplicates, conflicts, quarantined."
    (line,) = [line for line in told.splitlines() if " loaded, " in line]
    return tuple(int(part.split()[0].replace(",", "")) for part in line.split(", ")[:4])


def test_brackets_in_a_name_are_no_pattern(house):
    for name, row in (("scores[1].csv", ("X1", 0.2)), ("scores1.csv", ("X2", 0.9))):
        house.file(f"data/spool/predictions/{name}", OWN.format(*row))
    code, told = house.give("ingest")
    assert code == 0 and loaded(told) == (2, 0, 0, 0)
    assert house.rows().score.to_dict() == {"X1": 0.2, "X2": 0.9}


def test_a_file_in_brackets_is_that_file(house):
    house.file("scores1.csv", OWN.format("X2", 0.9))
    house.ingest("scores[1].csv", OWN.format("X1", 0.2), constants=())
    assert house.rows().index.tolist() == ["X1"]


def test_a_folder_in_brackets_is_that_folder(house):
    for folder, row in (("log1", ("X2", 0.9)), ("log[1]", ("X1", 0.2))):
        file = house.file(f"{folder}.csv", OWN.format(*row))
        assert house.give("ingest", "--data", folder, "--file", file)[0] == 0
    assert house.rows("log1").index.tolist() == ["X2"]
    assert house.rows("log[1]").index.tolist() == ["X1"]


AMOUNT = "prediction_id,predicted_at,score,amount"


def test_a_word_among_numbers_is_a_missing_number(house):
    house.ingest("f.csv", csv("A1,@,0.2,5", "A2,@,0.3,N/A", "A3,@,0.3,6", columns=AMOUNT))
    assert house.feature("amount") == [5, None, 6] and house.features() == {"amount": "number"}


def season(days, per_day, first=date(2026, 8, 1), prefix="P", version="1", seed=1):
    "Predictions with codes of a gate, which matter, and their labels."
    rng = np.random.default_rng(seed)
    n = days * per_day
    x, gate = rng.normal(size=n), rng.integers(1, 9, n)
    logit = 1.5 * x - 1 + 2 * (gate < 3)
    at = pd.to_datetime([first + timedelta(i // per_day) for i in range(n)]).tz_localize("UTC")
    at += pd.to_timedelta(np.arange(n) % per_day, unit="min")
    predictions = pd.DataFrame(
        {
            "prediction_id": [f"{prefix}{first}-{i:04d}" for i in range(n)],
            "predicted_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": (1 / (1 + np.exp(1 - 1.2 * x))).round(6),
            "version": version,
            "drift": x.round(4).astype(str),
            "gate": gate.astype(str),
            "flag": np.where(rng.random(n) < 0.5, "True", "False"),
        }
    )
    labels = pd.DataFrame(
        {
            "prediction_id": predictions.prediction_id,
            "label": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int),
            "observed_at": (at + pd.Timedelta("2D")).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    return predictions, labels


SEASON = ("--set", "model=m,threshold=0.5")


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    "A version that learned from numbers with one word among them, and codes with one letter."
    house = House(tmp_path_factory.mktemp("taught"))
    predictions, labels = season(12, 40)
    predictions.loc[7, "drift"], predictions.loc[5, "gate"] = "N/A", "A3"
    days = ("--from", "2026-08-01", "--to", "2026-09-30")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(house.root)
        house.ingest("p.csv", predictions.to_csv(index=False), constants=SEASON)
        house.ingest("l.csv", labels.to_csv(index=False), "--kind", "outcomes", constants=())
        code, house.told = house.give("models", "train", "--model", "m", "--version", "2", *days)
    assert code == 0, house.told
    return house


@pytest.fixture
def trained(taught, house):
    shutil.copytree(taught.root, house.root, dirs_exist_ok=True, symlinks=True)
    return house


def test_one_word_among_numbers_costs_one_value_and_not_the_model(taught, trained):
    assert float(re.search(r"'roc_auc': ([0-9.]+)", taught.told)[1]) > 0.7
    assert trained.features() == {"drift": "number", "flag": "boolean", "gate": "text"}
    assert [value is None for value in trained.feature("drift")].count(True) == 1


@pytest.mark.slow
def test_days_of_digits_only_are_no_drift_of_codes(trained):
    assert trained.give("models", "promote", "--model", "m", "--version", "2", "--why", "t")[0] == 0
    later, _ = season(8, 40, date(2026, 8, 13), version="2", seed=2)
    for day, rows in later.groupby(later.predicted_at.str[:10]):
        trained.ingest(f"{day}.csv", rows.to_csv(index=False), constants=SEASON)
    code, told = trained.give("daily", "--reports", "none")
    assert code == 0, told
    code, told = trained.give("drift", "list", "--days", "90")
    opened = [line for line in told.splitlines() if line.startswith("D-")]
    assert code == 0 and all("no predictions since" in line for line in opened), told
    assert set(trained.rows().gate) == {*"12345678", "A3"}


def test_an_event_has_one_score_however_its_values_are_spelt(trained):
    with open_snapshot(trained.root / "data") as log:
        version = load(log, "m", "2")
    event = {"drift": 0.5, "gate": "1", "flag": "True"}
    ways = [{}, {"gate": 1}, {"gate": 1.0}, {"flag": True}, {"flag": "true"}, {"drift": "0.5"}]
    scores = [version.score(pd.DataFrame([event | way]))[0] for way in ways]
    assert len(set(scores)) == 1
    assert scores[0] != version.score(pd.DataFrame([event | {"gate": None}]))[0]


def test_codes_stay_what_they_are_on_a_day_of_digits(house):
    columns = "prediction_id,predicted_at,score,gate"
    house.ingest("1.csv", csv("B1,@,0.2,12", "B2,@,0.3,A3", columns=columns))
    house.ingest("2.csv", csv("B3,@,0.2,12", "B4,@,0.2,007", columns=columns))
    assert house.feature("gate") == ["12", "A3", "12", "007"]


def test_a_growing_file_holds_the_same_rows_again(house):
    rows = ["A1,@,0.2,5", "A2,@,0.3,7"]
    house.ingest("1.csv", csv(*rows, columns=AMOUNT))
    told = house.ingest("2.csv", csv(*rows, "A3,@,0.3,unknown", columns=AMOUNT))
    assert loaded(told) == (1, 2, 0, 0)


def test_a_number_sign_is_a_character(house):
    columns = "# exported by the nightly job\nprediction_id,predicted_at,score,x,site_id"
    rows = ["A1,@,0.2,5,Gate #4", "#A2,@,0.9,6,Gate 5", "A3,@,0.3,7,Gate 6"]
    told = house.ingest("f.csv", csv(*rows, columns=columns), code=1)
    assert "line 1" in told and "--skip-lines 1" in told
    house.ingest("f.csv", csv(*rows, columns=columns), "--skip-lines", "1")
    assert house.rows().site_id.to_dict() == {"#A2": "Gate 5", "A1": "Gate #4", "A3": "Gate 6"}


OURS = "'A' || i AS prediction_id, i / 10 AS score"
INSTANT = "TIMESTAMPTZ '2026-11-02 06:00:00Z' + i * INTERVAL 1 second AS predicted_at"


def test_days_are_texts_and_a_missing_one_is_missing(house):
    day = "CASE WHEN i <> 2 THEN DATE '2026-01-01' + CAST(i AS INTEGER) END"
    columns = f"{OURS}, {INSTANT}, {day} AS d, {day}::TIMESTAMP AS login"
    made = parquet(house, "f.parquet", f"SELECT {columns} FROM range(1, 4) t(i)")
    house.ingest("f.parquet", made)
    for feature in ("d", "login"):
        assert house.feature(feature) == ["2026-01-02", None, "2026-01-04"]


@pytest.mark.parametrize("mapped", [False, True])
def test_nanoseconds_with_a_zone_are_times(house, mapped):
    at = "(TIMESTAMPTZ '2026-11-02 06:00:00Z' + i * INTERVAL 1 second)::TIMESTAMPTZ_NS"
    ours = ("prediction_id", "score", "predicted_at")
    names = ("id", "p", "when") if mapped else ours
    columns = ("'A' || i", "i / 10", at)
    made = ", ".join(f'{column} AS "{name}"' for column, name in zip(columns, names))
    raw = parquet(house, "f.parquet", f"SELECT {made} FROM range(4) t(i)")
    maps = [word for pair in zip(ours, names) for word in ("--map", "=".join(pair)) if mapped]
    assert loaded(house.ingest("f.parquet", raw, *maps)) == (4, 0, 0, 0)
    times = house.rows().predicted_at
    assert times.min() == pd.Timestamp("2026-11-02T06:00:00Z") and times.nunique() == 4


def test_what_numbers_the_rows_is_no_feature(house):
    text = csv("0,A1,@,0.2,5", "1,A2,@,0.3,6", columns=",prediction_id,predicted_at,score,x")
    assert "column 1 has no name and is left out" in house.ingest("f.csv", text)
    assert house.features() == {"x": "number"}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_features_as_json_are_read(house, form):
    cells = ['{"gps": 41.0}', '{"gps": 12.0}']
    if form == "csv":
        quoted = [cell.replace('"', '""') for cell in cells]
        rows = [f'A{i},@,0.2,"{cell}"' for i, cell in enumerate(quoted)]
        text = csv(*rows, columns="prediction_id,predicted_at,score,features")
    else:
        text = jsonl(*({"prediction_id": f"A{i}", "features": c} for i, c in enumerate(cells)))
    house.ingest(f"f.{form}", text)
    assert house.feature("gps") == [41, 12]


def test_points_and_routes_of_ones_own_are_features_and_said(house):
    columns = "prediction_id,predicted_at,score,points,route"
    told = house.ingest("f.csv", csv("A1,@,0.2,120,66", "A2,@,0.3,340,12", columns=columns))
    assert "points, route" in told
    with open_snapshot(house.root / "data") as log:
        kept = log.frame(
            "SELECT points, route, features.points AS own, features.route AS bus "
            "FROM noc_fraud_prediction_log ORDER BY own"
        )
    assert kept.own.tolist() == [120, 340] and kept.bus.tolist() == [66, 12]
    assert kept.points.tolist() == [-1386, -847] and not set(kept.route) & {"66", "12"}


START = '{"prediction_id":"A1","predicted_at":"@","score":0.2,'
LINES = {
    "a name in two cases": START + '"features":{"Age":5,"age":6}}',
    "an empty name": START + '"features":{"":5,"b":1}}',
    "half an emoji": START + r'"features":{"n":"\ud83d"}}',
    "a number of 401 digits": START + '"features":{"x":1' + "0" * 400 + "}}",
    "a name at two places": START + '"x":9,"features":{"x":5}}',
}


@pytest.mark.parametrize("what", few(LINES, "a name in two cases", "a number of 401 digits"))
def test_an_odd_line_costs_itself(house, what):
    for number, order in ((1, 1), (2, -1)):
        rows = [LINES[what].replace("A1", f"A{number}"), {"prediction_id": f"B{number}"}]
        told = house.ingest("f.jsonl", jsonl(*rows[::order]))
        assert loaded(told) == (1, 0, 0, 1) and f"line {number}: " in told
    assert house.rows().index.tolist() == ["B1", "B2"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [({"x": True}, {"x": 2.5}, 2), ({"Age": 1}, {"age": 2}, 1), ({"x": "\ud83d"}, {"x": "ok"}, 1)],
)
def test_no_call_of_the_logger_spoils_later_ones(house, first, second, kept):
    log, refused = PredictionLogger("data/spool", "m", "1", threshold=0, flush_seconds=None), 0
    for features in (first, second):
        try:
            log.log(0.2, AT, features=features)
        except ValueError:
            refused += 1
    log.close()
    assert refused == 2 - kept and loaded(house.give("ingest")[1]) == (kept, 0, 0, 0)


def test_a_name_that_is_no_text_holds_up_nothing(house):
    house.file("data/spool/predictions/good.csv", OWN.format("A1", 0.2))
    spool = os.fsencode(house.root / "data" / "spool" / "predictions")
    with open(spool + b"/Gef\xfchl.csv", "wb") as out:
        out.write(OWN.format("A2", 0.2).encode())
    code, told = house.give("ingest")
    assert code == 0 and loaded(told) == (2, 0, 0, 0) and not os.listdir(spool)
    assert house.give("daily", "--reports", "none", "--date", "2026-11-02")[0] == 0
    assert house.rows().index.tolist() == ["A1", "A2"]


def test_a_boolean_is_one_value_in_every_file(house):
    nights = ({"prediction_id": f"A{i}", "features": {"night": i == 0}} for i in range(2))
    house.ingest("1.jsonl", jsonl(*nights))
    columns = "prediction_id,predicted_at,score,night"
    house.ingest("2.csv", csv("B1,@,0.2,True", "B2,@,0.3,FALSE", columns=columns))
    assert house.feature("night") == [1, 0, 1, 0] and house.features() == {"night": "boolean"}
    assert as_numbers(["True", "FALSE"]).tolist() == [1, 0]


def test_a_mark_of_encoding_is_no_character(house):
    text = "\ufeff" + jsonl({"prediction_id": "A1"}, {"prediction_id": "A2"})
    assert loaded(house.ingest("f.jsonl", text)) == (2, 0, 0, 0)


def test_ends_of_lines_may_be_mixed(house):
    text = csv("A1,@,0.2,5", "A2,@,0.3,6", columns="prediction_id,predicted_at,score,x")
    one, two, three, _ = text.split("\n")
    assert loaded(house.ingest("f.csv", f"{one}\r\n{two}\n{three}\r")) == (2, 0, 0, 0)
    assert house.feature("x") == [5, 6]


LABELS = "prediction_id,label,observed_at"


def test_labels_find_their_predictions_or_are_named(house):
    house.ingest("p.csv", csv("4711,@,0.2", "4712,@,0.3"))
    labels = csv("4711.0,1,@", "9999,1,@", columns=LABELS)
    told = house.ingest("l.csv", labels, "--kind", "outcomes", constants=())
    for said in (told, house.give("status")[1]):
        assert "1 label has no prediction in the log yet ('9999')" in said
    with open_snapshot(house.root / "data") as log:
        known = log.frame(
            "SELECT prediction_id FROM noc_fraud_prediction_log WHERE actual_fraud_detected"
        )
    assert known.prediction_id.tolist() == ["4711"]


def test_a_label_that_is_not_known_yet_is_no_fault(house):
    pending = csv("A1,,@", "A2,1,@", columns=LABELS)
    for numbers in ((1, 0, 0, 0), (0, 1, 0, 0)):
        told = house.ingest("l.csv", pending, "--kind", "outcomes", constants=())
        assert loaded(told) == numbers and "1 without a label yet" in told


def test_words_for_nothing_are_no_labels_and_no_numbers(house):
    pending = csv("A1,NaN,@", "A2,null,@", "A3, n/a ,@", "A4,k.A.,@", columns=LABELS)
    told = house.ingest("l.csv", pending, "--kind", "outcomes", constants=(), code=1)
    assert loaded(told) == (0, 0, 0, 1) and "3 without a label yet" in told and "'k.A.'" in told
    house.file("aiops.toml", 'null_words = ["k.A."]')
    told = house.ingest("m.csv", pending, "--kind", "outcomes", constants=(), code=1)
    assert loaded(told) == (0, 0, 0, 3) and "1 without a label yet" in told
    columns = "prediction_id,predicted_at,score,latency_ms"
    told = house.ingest("p.csv", csv("A1,@,0.2,k.a.", "A2,@,K.A.,3", columns=columns), code=0)
    assert loaded(told) == (1, 0, 0, 1) and "score is missing" in told


def test_ids_of_bytes_are_texts(house):
    columns = (
        f"('A' || i)::BLOB AS prediction_id, 0.2 AS score, encode('Süd') AS site_id, {INSTANT}"
    )
    house.ingest("f.parquet", parquet(house, "f.parquet", f"SELECT {columns} FROM range(2) t(i)"))
    assert house.rows().site_id.to_dict() == {"A0": "Süd", "A1": "Süd"}


def test_mappings_and_constants_add_up(house):
    maps = ("--map", "prediction_id=id", "--map", "predicted_at=when", "--map", "score=p")
    sets = ("--set", "threshold=0.9", "--set", "model=m,version=1")
    text = csv("A1,@,0.2", columns="id,when,p")
    assert loaded(house.ingest("f.csv", text, *maps, constants=sets)) == (1, 0, 0, 0)
    assert "threshold 0.900" in house.give("thresholds", "show", "--model", "m")[1]


def test_a_name_in_capitals(house):
    house.file("data/spool/predictions/SCORES.CSV", OWN.format("A1", 0.2))
    assert loaded(house.give("ingest")[1]) == (1, 0, 0, 0)
    told = house.ingest("SCORES.CSV", OWN.format("A2", 0.2), constants=())
    assert loaded(told) == (1, 0, 0, 0) and house.rows().index.tolist() == ["A1", "A2"]


@pytest.mark.parametrize(
    ("cells", "numbers", "words"),
    [
        (["1,5", "2,25", ""], [1.5, 2.25, None], ["--decimal", ","]),
        (["1.234,5", "2,25"], [1234.5, 2.25], ["--decimal", ",", "--thousands", "."]),
        (["1,234.5", "12,345,678"], [1234.5, 12345678], ["--thousands", ","]),
    ],
)
def test_numbers_in_another_spelling_are_said_and_can_be_read(house, cells, numbers, words):
    columns = "prediction_id;predicted_at;score;x"
    text = csv(*(f"A{i};@;0.2;{cell}" for i, cell in enumerate(cells)), columns=columns)
    told = house.ingest("f.csv", text)
    assert f"such as {cells[0]!r}" in told and f"{' '.join(words)} reads them as numbers" in told
    text = text.replace("A", "B")
    text = text.replace(";0.2;", ";0,2;") if words[0] == "--decimal" else text
    house.ingest("f.csv", text, *words, constants=("--set", "model=n,version=1"))
    read = house.rows(model="n").x.astype(object)
    assert read.where(read.notna(), None).tolist() == numbers


def test_texts_with_commas_are_no_numbers_in_another_spelling(house):
    columns = "prediction_id;predicted_at;score;x"
    text = csv("A1;@;0.2;1,5", "A2;@;0.2;5,b", "A3;@;0.2;", columns=columns)
    assert "note" not in house.ingest("f.csv", text)
    assert house.feature("x") == ["1,5", "5,b", None]


@pytest.mark.parametrize("codes", [["007", "12"], ["-01"], ["007", "1,5"], ["00.5"], ["007,5"]])
def test_codes_are_no_numbers_in_another_spelling(house, codes):
    columns = "prediction_id;predicted_at;score;x"
    rows = [f"A{i};@;0.2;{code}" for i, code in enumerate(codes)]
    assert "reads them" not in house.ingest("f.csv", csv(*rows, columns=columns))
    assert house.feature("x") == codes


def test_lines_are_the_files_own(house):
    columns = "prediction_id,predicted_at,score,note"
    text = csv('A1,@,0.2,"two\nlines"', "", "A2,@,bad,ok", columns=columns)
    assert "f.csv, line 5: score 'bad'" in house.ingest("f.csv", text)


def test_any_terminal_is_spoken_to(house):
    house.file("f.csv", csv("A1,@,0.2", "A2,bäd,0.2"))
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", "from aiops_wb.cli import main; raise SystemExit(main())"]
        + ["ingest", "--file", "f.csv", "--set", "model=Müller,version=1,threshold=0.5"],
        env=plain | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.isascii() and b"\\x" in done.stdout
    assert house.rows(model="Müller").index.tolist() == ["A1"]


def test_scores_in_percent_are_refused_or_said(house):
    scores = csv("A1,@,83", "A2,@,0.4", "A3,@,1", "A4,@,12.5")
    assert "--score-scale percent" in house.ingest("f.csv", scores, code=1)
    house.ingest("f.csv", scores, "--score-scale", "percent")
    assert house.rows().score.tolist() == pytest.approx([0.83, 0.004, 0.01, 0.125])
