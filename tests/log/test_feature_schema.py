"The type of a feature belongs to the feature: widened, fixed, kept, published, set."

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import few
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb import Settings, open_snapshot, open_store
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import ingest, ingest_file
from aiops_wb.log.published import read_schema
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.alarms import drift_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SET = {"model": "m", "version": "1", "threshold": "0.5"}
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


class Log:
    "A folder that files are delivered to."

    def __init__(self, root):
        self.root, self.data, self.files = root, root / "data", 0

    def deliver(self, frame=None, ending="csv", constants=SET, now=NOW, publish=True, **columns):
        "Ingest a file with these features; rows A1, A2 ... at one time unless told otherwise."
        if frame is None:
            frame = pd.DataFrame(columns, dtype=object)
        frame = frame.copy()
        n = len(frame)
        given = {"prediction_id": [f"A{i}" for i in range(n)], "score": np.full(n, 0.2)}
        given["predicted_at"] = [f"2026-11-02T07:00:{i % 60:02d}Z" for i in range(n)]
        given = {k: v for k, v in given.items() if k not in frame}
        frame = pd.DataFrame(given, index=frame.index).join(frame)
        self.files += 1
        path = self.root / f"{self.files}.{ending}"
        if ending == "csv":
            frame.to_csv(path, index=False)
        elif ending == "jsonl":
            rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
            path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
        else:
            with duckdb.connect() as con:
                con.register("frame", frame)
                times = "predicted_at::TIMESTAMPTZ AS predicted_at"
                con.execute(f"COPY (SELECT * REPLACE ({times}) FROM frame) TO '{path}'")
        with open_store(self.data, "ana") as store:
            taken = ingest_file(store, now, "ana", path, "predictions", None, constants)
            if publish:
                store.publish()
        return taken

    def publish(self):
        with open_store(self.data, "ana") as store:
            store.publish()

    def rows(self, model="m", as_of=None):
        with open_snapshot(self.data) as reader:
            rows = reader.rows(model, FIRST, LAST, as_of=as_of)
        rows.columns = [c.removeprefix("feature:") for c in rows]
        return rows.sort_values("prediction_id")

    def seen_by_analysts(self, feature):
        with open_snapshot(self.data) as reader:
            rows = reader.frame(
                f'SELECT features."{feature}" AS v FROM noc_fraud_prediction_log ORDER BY '
                "prediction_id"
            )
        return rows.v.astype(object).where(rows.v.notna(), None).tolist()

    def kinds(self, model="m"):
        with open_snapshot(self.data) as reader:
            return reader.feature_kinds(model)

    def fixed(self, model="m"):
        with open_snapshot(self.data) as reader:
            return reader.fixed_kinds(model)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


def plain(values):
    return [None if pd.isna(v) else v for v in values]


def season(days=10, a_day=120, first=date(2026, 10, 1), **features):
    "Rows of many days; features are functions of the number of a row."
    n = days * a_day
    frame = pd.DataFrame(
        {
            "prediction_id": [f"S{first}-{i:05d}" for i in range(n)],
            "predicted_at": [f"{first + timedelta(i // a_day)}T07:00:00Z" for i in range(n)],
            "score": np.full(n, 0.2),
        }
    )
    return frame.assign(**{name: [f(i) for i in range(n)] for name, f in features.items()})


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_word_for_nothing_among_numbers_is_one_missing_value(log, ending):
    log.deliver(ending=ending, amount=["5", "N/A", "6"])
    assert plain(log.rows().amount) == [5, None, 6] == log.seen_by_analysts("amount")
    assert log.kinds() == {"amount": "number"} and log.fixed() == {}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_text_stays_one_on_a_day_of_digits_only(log, ending):
    log.deliver(ending=ending, gate=["12", "A3"])
    log.deliver(ending=ending, prediction_id=["B1", "B2", "B3"], gate=["12", "007", "12.0"])
    wanted = ["12", "A3", "12", "007", "12"]
    assert log.rows().gate.tolist() == wanted == log.seen_by_analysts("gate")


def test_numbers_that_turn_out_to_be_codes_are_read_as_texts(log):
    log.deliver(gate=["12", "7"])
    assert log.rows().gate.tolist() == [12, 7]
    taken = log.deliver(prediction_id=["B1"], gate=["A3"])
    assert log.rows().gate.tolist() == ["12", "7", "A3"] == log.seen_by_analysts("gate")
    assert any("gate" in said and "'A3'" in said for said in taken.notes)


@pytest.mark.parametrize("value", few([None, "NA"], "NA"))
@pytest.mark.parametrize("ending", few(["csv", "parquet"], "csv"))
@pytest.mark.parametrize(
    ("later", "read"),
    [([5, 6.5], [5, 6.5]), (["True", "false"], [True, False]), (["x", "NA"],) * 2],
)
def test_a_feature_that_begins_without_values_is_what_comes_later(log, value, ending, later, read):
    log.deliver(ending=ending, new=[value], old=[1])
    assert log.kinds() == {"old": "number"}
    log.deliver(prediction_id=["B1", "B2"], new=later)
    first = value if read == ["x", "NA"] else None
    assert plain(log.rows().new) == [first, *read] == log.seen_by_analysts("new")


def test_what_was_known_before_a_feature_widened_stays(log):
    log.deliver(gate=["12", "7"], now=NOW)
    log.deliver(prediction_id=["B1"], gate=["A3"], now=NOW + timedelta(days=1))
    before = log.rows(as_of=NOW)
    assert before.gate.tolist() == [12, 7]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("jsonl", "parquet"),
        *(pytest.param(f, "csv", marks=pytest.mark.slow) for f in ("csv", "parquet")),
    ],
)
def test_the_same_rows_are_duplicates_whatever_their_features_are_stored_as(log, first, again):
    old = {"amount": ["5", "7.50"], "night": [True, False], "gate": ["12", "7"]}
    log.deliver(ending=first, **old)
    new = {"amount": ["5.0", "7.5", "unknown"], "night": ["True", "FALSE", "?"]}
    taken = log.deliver(ending=again, **new, gate=["12", "7", "A3"])
    assert (taken.loaded, taken.duplicates, taken.conflicts) == (1, 2, 0)
    taken = log.deliver(ending=again, amount=["5", "8"], night=[1, 0], gate=["12", "007"])
    assert (taken.loaded, taken.duplicates, taken.conflicts) == (0, 1, 1)


def test_days_are_texts_and_a_missing_one_is_missing(log):
    frame = pd.DataFrame({"seen": pd.to_datetime(["2026-01-01", None, "2026-01-03"])})
    log.deliver(frame, ending="parquet")
    assert plain(log.rows().seen) == ["2026-01-01", None, "2026-01-03"]
    log.deliver(prediction_id=["B1"], seen=["2026-01-04 00:00:00"])
    assert log.rows().seen.iloc[-1] == "2026-01-04"


def test_a_boolean_is_one_however_it_is_spelt(log):
    log.deliver(ending="jsonl", night=[True, False])
    log.deliver(prediction_id=["B1", "B2"], night=["True", "FALSE"])
    log.deliver(prediction_id=["C1", "C2"], night=["1", "0.0"])
    assert log.kinds() == {"night": "boolean"}
    assert log.rows().night.tolist() == [True, False] * 3 == log.seen_by_analysts("night")
    log.deliver(prediction_id=["D1"], night=["2"])
    assert log.rows().night.tolist() == [1, 0] * 3 + [2]


def test_a_kind_is_fixed_after_a_thousand_values_on_seven_days(log):
    frame = season(days=10, a_day=100, amount=float)
    for day in range(10):
        assert log.fixed() == {} if day else True
        log.deliver(frame[100 * day : 100 * day + 100])
    assert log.fixed() == {"amount": "number"} == read_schema(log.data / "spool", "m")
    with open_store(log.data, "ana") as store:
        trail = store.audit("m/amount")
        assert trail.new.tolist() == ["number"] and trail.why[0] == "1,000 values on 10 days"
        assert store.verify_audit() == 1


@pytest.mark.parametrize(("days", "a_day"), [(6, 500), (30, 30)])
def test_few_days_or_values_fix_nothing(log, days, a_day):
    log.deliver(season(days, a_day, amount=float))
    assert log.fixed() == {} and read_schema(log.data / "spool", "m") == {}


def test_rows_that_are_delivered_again_fix_nothing(log):
    frame = season(days=8, a_day=90, amount=float)
    assert log.deliver(frame).loaded == 720
    assert log.deliver(frame).duplicates == 720
    assert log.fixed() == {}
    log.deliver(frame.assign(amount=1.0, prediction_id="T" + frame.prediction_id))
    assert log.fixed() == {"amount": "number"}


def test_to_set_a_feature_again_to_what_it_is_changes_nothing(log):
    log.deliver(amount=["5", "A3"])
    with open_store(log.data, "ana") as store:
        for _ in range(2):
            store.set_feature(NOW, "ana", "m", "amount", "number", "it is one")
            before = store.known_batch(), len(store.audit())
        assert before == (2, 1)


def test_files_that_wait_together_are_as_if_each_had_come_alone(log):
    "The kind is fixed by the first files; what the last one holds does not fit."
    frame = season(days=10, a_day=150, amount=lambda i: str(float(i)))
    frame.loc[1499, "amount"] = "broken"
    spool = log.data / "spool" / "predictions"
    spool.mkdir(parents=True)
    constants = {"model": "m", "version": "1"}
    for day in range(10):
        part = frame[150 * day : 150 * day + 150].assign(**constants)
        part.to_csv(spool / f"{day}.csv", index=False)
    with open_store(log.data, "ana") as store:
        taken = ingest(store, NOW, "ana")
        store.publish()
    assert (taken.loaded, taken.unreadable) == (1500, 1)
    assert log.fixed() == {"amount": "number"} and log.rows().amount.isna().sum() == 1


def fixed_log(log, **features):
    log.deliver(season(**features), now=NOW)
    return log


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_does_not_fit_is_missing_and_counted_and_its_text_is_kept(log, ending):
    fixed_log(log, amount=float)
    taken = log.deliver(ending=ending, amount=["5", "abc", "N/A", None])
    assert (taken.loaded, taken.quarantined, taken.unreadable) == (4, 0, 1)
    assert "amount" in taken.notes[0] and "'abc'" in taken.notes[0]
    assert plain(log.rows().amount.iloc[:4]) == [5, None, None, None]
    assert log.kinds() == {"amount": "number"}
    with open_snapshot(log.data) as reader:
        kept = reader.frame("SELECT * FROM unreadable")
        assert kept[["prediction_id", "feature", "raw"]].values.tolist() == [
            ["A1", "amount", "abc"]
        ]
        assert reader.features("m").unreadable.tolist() == [1]
        assert reader.unreadable_counts("m", "1").n.tolist() == [1]


def test_duplicates_and_rejected_rows_are_not_counted_as_unreadable(log):
    fixed_log(log, amount=float)
    log.deliver(amount=["5", "abc"])
    taken = log.deliver(amount=["5.0", "abc", "def"], score=[0.2, 0.2, 7])
    assert (taken.duplicates, taken.unreadable, taken.quarantined) == (2, 0, 1)


def test_the_text_is_kept_for_a_while_only(log):
    fixed_log(log, amount=float)
    log.deliver(amount=["abc"])
    log.deliver(prediction_id=["B1"], amount=["def"], now=NOW + timedelta(days=29))
    later = NOW + timedelta(days=31)
    log.deliver(prediction_id=["C1"], amount=["x" * 5000], now=later)
    with open_store(log.data, "test") as store:
        store.drop_quarantined_text(later, 30)
        store.publish()
    with open_snapshot(log.data) as reader:
        assert reader.frame("SELECT raw FROM unreadable ORDER BY batch_id").raw.tolist() == [
            "def",
            "x" * 1000,
        ]
        assert reader.features("m").unreadable.tolist() == [3]


def test_setting_a_feature_reads_again_what_did_not_fit(log):
    fixed_log(log, amount=float)
    log.deliver(amount=["5", "A3", "007"], now=NOW)
    with open_store(log.data, "ana") as store:
        assert store.set_feature(
            NOW + timedelta(hours=1), "ana", "m", "amount", "text", "codes"
        ) == (
            2,
            0,
        )
        store.publish()
        trail = store.audit("m/amount")
        assert plain(trail.old) == [None, "number"] and trail.new.tolist() == ["number", "text"]
        assert store.verify_audit() == 2
    assert log.rows().amount.tolist()[:4] == ["5", "A3", "007", "0"]
    assert log.seen_by_analysts("amount")[:4] == ["5", "A3", "007", "0"]
    assert plain(log.rows(as_of=NOW).amount.iloc[:3]) == [5, None, None]
    assert read_schema(log.data / "spool", "m") == {"amount": "text"}
    taken = log.deliver(prediction_id=["B1", "B2"], amount=["7", "B"])
    assert taken.unreadable == 0 and log.rows().amount.tolist()[3:5] == ["7", "B"]
    with open_snapshot(log.data) as reader:
        assert reader.features("m").unreadable.tolist() == [0]
        assert reader.frame("SELECT * FROM unreadable").empty


def test_what_still_cannot_be_read_stays(log):
    fixed_log(log, amount=float)
    log.deliver(amount=["true", "later", "2026-11-02"])
    with open_store(log.data, "ana") as store:
        assert store.set_feature(NOW, "ana", "m", "amount", "time", "a time") == (1, 1)
        store.publish()
    assert plain(log.rows().amount.iloc[:3]) == [1, None, 1793577600]
    with open_snapshot(log.data) as reader:
        assert reader.features("m").unreadable.tolist() == [1]


RULE = {"bins": {"amount": {"cuts": [10.0, 20.0]}}}


def counted(reader, as_of=None):
    _, tables = reader.feature_counts("m", "1", as_of=as_of)
    return tables["amount"].sum(axis=0).tolist()


def test_what_is_read_again_moves_to_its_bins(log):
    with open_store(log.data, "ana") as store:
        store.add_version(NOW, "ana", "m", "1", Grid(), "nowhere", RULE, 0)
    later = NOW + timedelta(hours=1)
    log.deliver(amount=["5", "15", "2026-01-02", "x", None], now=later)
    with open_store(log.data, "ana") as store:
        assert counted(store) == [0, 3, 1, 1]
        evening = later + timedelta(hours=1)
        assert store.set_feature(evening, "ana", "m", "amount", "time", "since when") == (1, 1)
        assert counted(store) == [0, 2, 1, 1, 1] and counted(store, later) == [0, 3, 1, 1]


def test_what_fits_no_longer_is_unreadable_and_comes_back(log):
    with open_store(log.data, "ana") as store:
        card = {"bins": {"amount": {"categories": ["5", "A3"]}}}
        store.add_version(NOW, "ana", "m", "1", Grid(), "nowhere", card, 0)
    log.deliver(amount=["5", "A3", "N/A"])
    assert log.rows().amount.tolist()[:2] == ["5", "A3"]
    times = iter(NOW + timedelta(hours=h) for h in (1, 2, 3))
    with open_store(log.data, "ana") as store:
        assert counted(store) == [0, 1, 1, 1]
        assert store.set_feature(next(times), "ana", "m", "amount", "number", "sums") == (0, 1)
        assert counted(store) == [0, 2, 1, 0] and store.features("m").unreadable.tolist() == [1]
        store.publish()
    assert plain(log.rows().amount) == [5, None, None] == log.seen_by_analysts("amount")
    with open_store(log.data, "ana") as store:
        assert store.set_feature(next(times), "ana", "m", "amount", "text", "codes") == (1, 0)
        assert counted(store) == [0, 1, 1, 1] and store.features("m").unreadable.tolist() == [0]
        store.publish()
    assert plain(log.rows().amount) == ["5", "A3", None] == log.seen_by_analysts("amount")


def test_a_stopped_setting_changes_nothing(log, monkeypatch):
    fixed_log(log, amount=float)
    log.deliver(amount=["A3"])
    with open_store(log.data, "ana") as store:
        before = store.known_batch()
        monkeypatch.setattr(store, "add_unreadable", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.set_feature(NOW, "ana", "m", "amount", "text", "codes")
    with open_store(log.data, "ana") as store:
        assert store.known_batch() == before and store.feature_kinds("m") == {"amount": "number"}
        assert store.set_feature(NOW, "ana", "m", "amount", "text", "codes") == (1, 0)


def back(log, who="ana", why="it was right before"):
    with open_store(log.data, who) as store:
        told = store.roll_back_feature(NOW, who, "m", "amount", why)
        assert store.verify_audit()
        store.publish()
        return told


def test_what_was_set_is_put_back_with_what_could_not_be_read(log):
    fixed_log(log, amount=float)
    log.deliver(amount=["5", "A3", "007"])
    with open_store(log.data, "ana") as store:
        store.set_feature(NOW, "ana", "m", "amount", "text", "codes")
    for _ in range(2):  # given again after a stop, it is done once
        assert back(log) == ("number", 0, 2)
    assert plain(log.rows().amount.iloc[:3]) == [5, None, None]
    assert log.fixed() == {"amount": "number"} == read_schema(log.data / "spool", "m")
    with open_snapshot(log.data) as reader:
        trail, (listed,) = reader.audit("m/amount"), reader.features("m").itertuples()
        assert trail.new.tolist() == ["number", "text", "number"]
        assert (listed.unreadable, listed.why) == (2, "it was right before")
    assert back(log, why="no, codes") == ("text", 2, 0)
    assert log.rows().amount.tolist()[:3] == ["5", "A3", "007"]


def test_to_and_fro_counts_no_value_twice(log):
    with open_store(log.data, "ana") as store:
        card = {"bins": {"amount": {"categories": ["5", "A3"]}}}
        store.add_version(NOW, "ana", "m", "1", Grid(), "nowhere", card, 0)
    log.deliver(amount=["5", "A3", "B4"])
    with open_store(log.data, "ana") as store:
        for turn in range(3):
            assert store.set_feature(NOW, "ana", "m", "amount", "number", f"{turn}") == (0, 2)
            assert counted(store) == [0, 2, 1, 0] and len(store._unread("m", "amount")) == 2
            why = f"no {turn}"
            assert store.roll_back_feature(NOW, "ana", "m", "amount", why) == ("text", 2, 0)
            assert counted(store) == [1, 0, 1, 1] and store.features("m").unreadable.tolist() == [0]


def test_what_was_not_fixed_before_it_was_set_widens_again(log):
    log.deliver(amount=["5", "6"])
    with open_store(log.data, "ana") as store:
        store.set_feature(NOW, "ana", "m", "amount", "text", "codes")
        assert store.fixed_kinds("m") == {"amount": "text"}
    assert back(log) == ("number", 0, 0)
    assert log.fixed() == {} == read_schema(log.data / "spool", "m")
    assert log.rows().amount.tolist() == [5, 6]
    log.deliver(prediction_id=["B1"], amount=["A3"])
    assert log.rows().amount.tolist() == ["5", "6", "A3"]


@pytest.mark.parametrize("values", [["5", "6"], ["5", "A3"]])
def test_what_nobody_set_is_not_put_back(log, values):
    for at, value in enumerate(values):
        log.deliver(prediction_id=[f"B{at}"], amount=[value])
    with pytest.raises(StoreError, match="nobody set amount of m, which is a (number|text)"):
        back(log)


@pytest.mark.parametrize(
    ("model", "feature", "kind", "says"),
    [("x", "amount", "text", "'x' is not known"), ("m", "amont", "text", "features are amount")]
    + [("m", "amount", "colour", "number, boolean, text, time")],
)
def test_what_cannot_be_set_is_said(log, model, feature, kind, says):
    log.deliver(amount=[1])
    with open_store(log.data, "ana") as store, pytest.raises(StoreError, match=says):
        store.set_feature(NOW, "ana", model, feature, kind, "why")


def test_one_file_of_two_models_whose_features_differ(log):
    fixed_log(log, gate=float)
    gates = {"gate": ["1", "A3", "7"], "model": ["m", "other", "other"]}
    taken = log.deliver(constants={"version": "1", "threshold": "0.5"}, **gates)
    assert taken.unreadable == 0
    assert log.rows().gate.tolist()[:2] == [1, 0] and log.rows("other").gate.tolist() == ["A3", "7"]
    assert log.kinds("other") == {"gate": "text"} and log.kinds() == {"gate": "number"}


def of_logger(log, features, first=0, **settings):
    n = len(next(iter(features.values())))
    with PredictionLogger(log.data / "spool", "m", "1", threshold=0, flush_seconds=None) as spool:
        at = [f"2026-11-02T07:00:{i:02d}Z" for i in range(n)]
        ids = [f"L{first + i}" for i in range(n)]
        spool.log(np.full(n, 0.2), at, prediction_id=ids, features=pd.DataFrame(features))
    with open_store(log.data, "ana") as store:
        taken = ingest(store, NOW, "ana")
        store.publish()
    return taken


def test_segments_of_the_logger_are_brought_to_what_their_features_are(log):
    fixed_log(log, amount=float, gate=lambda i: f"g{i % 3}", on=lambda i: i % 2 == 0)
    features = {"amount": ["5", "abc", "n/a"], "gate": [12.0, 7.0, None], "on": [1, 0, 5]}
    taken = of_logger(log, features)
    assert (taken.loaded, taken.unreadable) == (3, 2)
    rows = log.rows().head(3)
    assert plain(rows.amount) == [5, None, None] and plain(rows.gate) == ["12", "7", None]
    assert plain(rows.on) == [True, False, None]


def test_segments_of_the_logger_widen_what_is_not_fixed(log):
    of_logger(log, {"gate": [12, 7], "on": [True, False]})
    of_logger(log, {"gate": ["A3", "007"], "on": [True, False]}, first=2)
    assert log.kinds() == {"gate": "text", "on": "boolean"}
    assert log.rows().gate.tolist() == ["12", "7", "A3", "007"] == log.seen_by_analysts("gate")
    of_logger(log, {"gate": [5.0], "on": [3.5]}, first=4)
    assert log.rows().gate.iloc[-1] == "5" and log.rows().on.tolist() == [1, 0, 1, 0, 3.5]


def test_a_segment_that_fits_is_taken_as_it_is(log, monkeypatch):
    fixed_log(log, amount=float, gate=lambda i: f"g{i % 3}", on=lambda i: i % 2 == 0)
    monkeypatch.setattr("aiops_wb.log.feature_types.typed", lambda *_: 1 / 0)
    taken = of_logger(log, {"amount": [5, 6], "gate": ["a", None], "on": [True, None]})
    assert taken.loaded == 2


def test_a_log_of_before_is_what_it_was(log):
    "Features were typed by file, and nobody kept what they are."
    log.deliver(season(amount=float, gate=lambda i: f"g{i % 3}"))
    log.deliver(gate=["12", "A3"], few=["1", "2"])
    with open_store(log.data, "ana") as store:
        store.add_version(NOW, "ana", "m", "1", Grid(), "nowhere", RULE, 0)
        for table in ("features", "feature_values"):
            store.con.execute(f"DELETE FROM {table}")
        store.con.execute("DELETE FROM workbench WHERE key = 'features'")
        trail = len(store.audit())
    with open_store(log.data, "ana") as store:
        store.publish()
        assert len(store.audit()) == trail
    assert log.kinds() == {"amount": "number", "gate": "text", "few": "number"}
    assert log.fixed() == {"amount": "number", "gate": "text"}


def test_a_feature_whose_type_changes_is_one_alarm_about_the_data(log):
    def numbers(day):
        rng = np.random.default_rng(day)
        return {f: (lambda i, v=rng.normal(size=100): f"{v[i]:.4f}") for f in ("amount", "x")}

    with open_store(log.data, "ana") as store:
        cuts = [float(c) for c in np.linspace(-1.5, 1.5, 7)]
        card = {"bins": {f: {"cuts": cuts} for f in ("amount", "x")}}
        store.add_version(NOW, "ana", "m", "1", Grid(), "nowhere", card, 0)
    first = date(2026, 8, 1)
    rng = np.random.default_rng(5)
    reference = []
    for day in range(40):
        for feature in ("amount", "x"):
            n = np.bincount(np.digitize(rng.normal(size=100), cuts), minlength=8)
            reference += [(first + timedelta(day), feature, b, int(k)) for b, k in enumerate(n)]
    with open_store(log.data, "ana") as store:
        columns = ["event_date", "feature", "bin", "n"]
        store.add_reference("m", "1", pd.DataFrame(reference, columns=columns))
        points = np.full(100, Grid().quantise(0.2))
        held = ScoreCounts.from_events(points, np.arange(100) % 5 == 0)
        store.add_held_out("m", "1", {first + timedelta(i): held for i in range(40)})
    days = [first + timedelta(40 + i) for i in range(20)]
    for i, day in enumerate(days):
        frame = season(1, 100, day, **numbers(i))
        if i >= 10:
            frame["amount"] = [f"{v} EUR" for v in frame.amount]
        assert log.deliver(frame, publish=False).loaded == 100
    log.publish()
    with open_snapshot(log.data) as reader:
        card = {"bins": card["bins"]}
        drift = drift_of(reader, "m", "1", days[-1], Settings(data=log.data), card=card)
    alarms = {a.stream: a for a in drift.alarms}
    assert set(alarms) == {"amount"} and alarms["amount"].kind == "data quality"
    assert "unreadable" in alarms["amount"].says()


def test_odd_names_and_no_features_are_published(log):
    log.deliver(pd.DataFrame(index=[0]))
    assert log.kinds() == {} and len(log.rows()) == 1
    name = 'a "b", c\'s'
    log.deliver(prediction_id=["B1"], **{name: [5]})
    log.deliver(prediction_id=["C1"], **{name: ["A3"]})
    assert log.rows()[name].tolist()[1:] == ["5", "A3"]
    with open_snapshot(log.data) as reader:
        rows = reader.frame("SELECT features FROM noc_fraud_prediction_log ORDER BY prediction_id")
    assert rows.features[1] == {name: "5"}


def test_a_schema_that_was_lost_is_published_again(log):
    fixed_log(log, amount=float)
    folder = log.data / "spool" / "schemas"
    (folder / "m.json").unlink()
    (folder / "gone.json").write_text("{}")
    log.deliver(amount=[1])
    assert read_schema(log.data / "spool", "m") == {"amount": "number"}
    assert [p.name for p in folder.iterdir()] == ["m.json"]


NUMBERS = st.none() | st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
TEXTS = st.none() | st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=5)
COLUMNS = st.tuples(
    st.lists(NUMBERS, min_size=4, max_size=4),
    st.lists(st.none() | st.booleans(), min_size=4, max_size=4),
    st.lists(TEXTS, min_size=4, max_size=4),
)


@settings(max_examples=6)
@given(COLUMNS)
def test_a_frame_is_the_same_from_every_kind_of_file(tmp_path_factory, columns):
    number, boolean, text = columns
    log, read = Log(tmp_path_factory.mktemp("log")), []
    frame = pd.DataFrame(
        {
            "number": pd.Series(number, dtype="float64"),
            "boolean": pd.Series(boolean, dtype="boolean"),
            "text": pd.Series(text, dtype="str"),
            "anchor": ["a", "b", "c", "d"],
        }
    )
    endings = ("csv", "jsonl", "parquet")
    for ending in endings:  # each is another model's, whose features are its own
        ids = [f"{ending}{i}" for i in range(4)]
        delivered = frame.assign(prediction_id=ids)
        assert log.deliver(delivered, ending, SET | {"model": ending}, publish=False).loaded == 4
    log.publish()
    for model in endings:
        rows = log.rows(model)
        features = [f for f in ("number", "boolean", "text", "anchor") if f in rows]
        read.append((log.kinds(model), {f: plain(rows[f]) for f in features}))
    assert read[0] == read[1] == read[2]


def test_what_is_read_again_is_of_its_feature_and_its_model_alone(log):
    fixed_log(log, amount=float, other=float)
    log.deliver(amount=["2026-01-02", "x"], other=["2026-01-02", "y"])
    with open_store(log.data, "ana") as store:
        assert store.set_feature(NOW, "ana", "m", "amount", "time", "since when") == (1, 1)
        left = store._rows("SELECT feature, raw FROM unreadable ORDER BY ALL")
        assert left == [("amount", "x"), ("other", "2026-01-02"), ("other", "y")]
        again = store._rows("SELECT feature, raw FROM read_again")
        assert again == [("amount", "2026-01-02")]
        counted = store._rows(
            "SELECT feature, sum(n) FROM unreadable_counts GROUP BY ALL ORDER BY 1"
        )
        assert counted == [("amount", 1), ("other", 2)]
