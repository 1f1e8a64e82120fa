import csv
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiops_wb.log.ingest as ingest_module
from aiops_wb.log.canonical import canonical_frame
from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import Ingested, ingest, ingest_file
from aiops_wb.log.reading import ReadOptions
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def quarantine(store):
    return store.frame("SELECT source, line, reason, raw FROM quarantine ORDER BY batch_id, line")


def take(bench, name, text, kind="predictions", mapping=None, constants=None):
    path = bench.root / name
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    with bench.store() as store:
        return (
            ingest_file(store, NOW, "test", path, kind, mapping, constants),
            quarantine(store),
            store.frame("SELECT count(*) n FROM data_files").n[0],
        )


def test_the_same_segment_twice_and_the_same_rows_twice_count_once(bench):
    frame = events(days=1)
    bench.log(frame)
    segment = next((bench.data / "spool").rglob("*.parquet"))
    content = segment.read_bytes()
    assert bench.ingest() == Ingested(loaded=40)
    segment.write_bytes(content)
    segment.with_name("renamed.parquet").write_bytes(content)
    assert bench.ingest() == Ingested(duplicates=80)
    bench.log(frame.sample(frac=1, random_state=0))
    assert bench.ingest() == Ingested(duplicates=40)
    bench.log(pd.concat([frame.head(3), frame.tail(2), frame.head(1)]))
    assert bench.ingest() == Ingested(duplicates=6)
    with bench.store() as store:
        assert store.score_counts(MODEL)[date(2026, 3, 1)].total[0] == 40
    assert not list((bench.data / "spool").rglob("*.parquet"))


def test_an_id_with_other_content_is_a_conflict_on_any_day(bench):
    frame = events(days=3)
    bench.log(frame)
    bench.ingest()
    other_score = frame.iloc[[0]].assign(score=0.123)
    other_day = frame.iloc[[1]].assign(at=pd.Timestamp("2026-03-09T00:00:00Z"))
    other_feature = frame.iloc[[2]].assign(x=99.0)
    bench.log(pd.concat([other_score, other_day, other_feature, frame.iloc[[3]]]))
    assert bench.ingest() == Ingested(duplicates=1, conflicts=3, quarantined=3)
    with bench.store() as store:
        found = quarantine(store)
        assert (
            found.line.tolist() == [1, 2, 3]
            and found.reason.str.contains("already logged with other content").all()
        )
        assert json.loads(found.raw[0])["score"] == 0.123
        assert [c.total[0] for c in store.score_counts(MODEL).values()] == [40, 40, 40]


def test_conflict_within_one_delivery_keeps_the_first(bench):
    frame = events(days=1).head(2)
    bench.log(pd.concat([frame, frame.assign(score=0.9)]))
    assert bench.ingest() == Ingested(loaded=2, conflicts=2, quarantined=2)
    with bench.store() as store:
        kept = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1)).set_index("prediction_id")
        assert np.allclose(kept.score[frame.id], frame.score)


def test_outcomes_wait_for_their_prediction_repeat_and_correct(bench):
    frame = events(days=2)
    bench.label(frame)
    assert bench.ingest() == Ingested(loaded=80)
    bench.label(frame)
    assert bench.ingest() == Ingested(duplicates=80)
    bench.log(frame)
    bench.ingest()
    with bench.store() as store:
        assert sum(c.total[1] for c in store.score_counts(MODEL).values()) == 80
    bench.label(frame)  # the same labels, delivered once more after the prediction arrived
    assert bench.ingest() == Ingested(duplicates=80)
    bench.label(frame.head(1), at="2026-03-21T00:00:00Z", label=1 - frame.label.head(1).to_numpy())
    bench.ingest()
    with bench.store() as store:
        assert sum(c.total[2] for c in store.score_counts(MODEL).values()) == frame.label.sum() + (
            1 - 2 * frame.label[0]
        )


def test_a_wrong_hint_finds_the_prediction_all_the_same(bench):
    frame = events(days=3)
    bench.log(frame)
    bench.ingest()
    bench.label(frame.assign(at=pd.Timestamp("2026-01-01T00:00:00Z")))
    bench.ingest()
    with bench.store() as store:
        assert [c.total[1] for c in store.score_counts(MODEL).values()] == [40, 40, 40]


BAD = {
    "score": ["2.0", "-0.1", "", "many", "nan", "inf"],
    "predicted_at": ["2026-03-01 12:00", "2026-03-01", "", "soon", "2026-02-30T00:00:00Z"],
    "prediction_id": ["", "  "],
    "latency_ms": ["-1", "slow"],
}


def test_bad_cells_cost_their_row_and_name_themselves(bench):
    good = {
        "prediction_id": "ok",
        "predicted_at": "2026-03-01T12:00:00Z",
        "score": "0.5",
        "latency_ms": "3",
    }
    rows = [good] + [
        good | {"prediction_id": f"r{c}{i}", c: v}
        for c, values in BAD.items()
        for i, v in enumerate(values)
    ]
    text = pd.DataFrame(rows).to_csv(index=False)
    taken, found, _ = take(bench, "f.csv", text, constants={"model": MODEL, "version": "v1"})
    bad = sum(map(len, BAD.values()))
    assert taken == Ingested(loaded=1, quarantined=bad)
    assert found.line.tolist() == list(range(3, bad + 3)) and (found.source == "f.csv").all()
    for column, reason in zip([c for c, values in BAD.items() for _ in values], found.reason):
        assert reason.startswith(column)
    assert json.loads(found.raw[0])["score"] == "2.0"
    with bench.store() as store:
        assert store.quarantine_size() == bad
        assert store.last_quarantined(5).equals(found[["source", "line", "reason"]].head(5))


def test_labels_in_a_file(bench):
    text = """prediction_id,label,observed_at
a,1,2026-03-01T00:00:00Z
b,0,2026-03-01T00:00:00+05:30
c,2,2026-03-01T00:00:00Z
d,,2026-03-01T00:00:00Z
e,true,2026-03-01T00:00:00Z
f,0.5,2026-03-01T00:00:00Z
g,1,
"""
    taken, found, _ = take(bench, "labels.csv", text, kind="outcomes")
    assert taken == Ingested(loaded=3, quarantined=3) and taken.waiting == 1
    assert found.line.tolist() == [4, 7, 8]


def test_csv_lines_that_are_no_rows(bench):
    text = """prediction_id,predicted_at,score
a,2026-03-01T00:00:00Z,0.5
b,2026-03-01T00:00:00Z,0.5,extra,more
c,2026-03-01T00:00:00Z,0.6
"""
    taken, found, _ = take(bench, "f.csv", text, constants={"model": MODEL, "version": "v1"})
    assert (
        taken.loaded == 2
        and taken.quarantined == 1
        and found.line[0] == 3
        and "extra" in found.raw[0]
    )


def test_json_lines_with_features_and_broken_lines(bench):
    good = {
        "prediction_id": "a",
        "model": MODEL,
        "version": "v1",
        "predicted_at": "2026-03-01T00:00:00Z",
        "score": 0.5,
        "features": {"x": 1.5, "k": "u"},
    }
    text = "\n".join(
        [
            json.dumps(good),
            "{broken",
            json.dumps(good | {"prediction_id": "b", "features": {"x": 2}}),
            "[1]",
            "",
            json.dumps(good | {"prediction_id": "c", "score": None}),
        ]
    )
    taken, found, _ = take(bench, "f.jsonl", text)
    assert taken == Ingested(loaded=2, quarantined=3) and found.line.tolist() == [2, 4, 6]
    with bench.store() as store:
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1))
    assert rows["feature:x"].tolist() == [1.5, 2.0] and rows["feature:k"].iloc[0] == "u"


def test_the_spool_accepts_json_lines_and_parquet_without_points(bench):
    folder = bench.data / "spool" / "predictions"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(
        json.dumps(
            {
                "prediction_id": "a",
                "model": MODEL,
                "version": "v1",
                "predicted_at": "2026-03-01T00:00:00Z",
                "score": 0.5,
                "x": 1,
            }
        )
    )
    duckdb.sql(
        f"""COPY (SELECT 'b' AS prediction_id, '{MODEL}' AS model, 'v1' AS version,
                         TIMESTAMPTZ '2026-03-01 01:00:00+00' AS predicted_at,
                         0.5 AS score, 2.0 AS x)
            TO '{folder}/b.parquet' (FORMAT parquet)"""
    )
    assert bench.ingest() == Ingested(loaded=2)
    with bench.store() as store:
        assert store.score_counts(MODEL)[date(2026, 3, 1)].points.tolist() == [0]


def test_a_parquet_file_with_naive_timestamps_is_refused(bench):
    path = bench.root / "naive.parquet"
    duckdb.sql(
        f"""COPY (SELECT 'b' AS prediction_id, 'm' AS model, 'v1' AS version,
                         TIMESTAMP '2026-03-01 01:00:00' AS predicted_at, 0.5 AS score)
            TO '{path}' (FORMAT parquet)"""
    )
    with bench.store() as store, pytest.raises(StoreError, match="without an offset"):
        ingest_file(store, NOW, "test", path, "predictions")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("f.txt", "x", "must end in"),
        ("f.csv", "a,b\n1,2\n", "--map"),
        ("f.parquet", b"PAR1 no parquet PAR1", "cannot be read"),
    ],
)
def test_unusable_files_are_refused_in_one_sentence(bench, name, text, says):
    with pytest.raises(StoreError, match=says) as error:
        take(bench, name, text)
    assert "\n" not in str(error.value)


def test_mapping_mistakes_name_the_columns(bench):
    text = "id,when,p\na,2026-03-01T00:00:00Z,0.5\n"
    with pytest.raises(StoreError, match="no column 'pp': its columns are id, when, p"):
        take(bench, "f.csv", text, mapping={"score": "pp"})
    with pytest.raises(StoreError, match="'scores' cannot be mapped"):
        take(bench, "f.csv", text, mapping={"scores": "p"})
    with bench.store() as store, pytest.raises(StoreError, match="is not a file"):
        ingest_file(store, NOW, "test", bench.root / "missing.csv", "predictions")


@pytest.mark.parametrize(
    "text", ["prediction_id,predicted_at,score\n", "prediction_id,predicted_at,score"]
)
def test_an_empty_file_loads_nothing(bench, text):
    assert take(bench, "f.csv", text, constants={"model": MODEL, "version": "v1"})[0] == Ingested()


def test_labels_that_come_again_are_duplicates_on_each_day(bench):
    frame = events(days=3, per_day=4)
    bench.log(frame)
    bench.label(frame)
    bench.ingest()
    bench.label(frame[frame.day == frame.day.iloc[0]])
    assert bench.ingest() == Ingested(duplicates=4)
    bench.label(frame)
    assert bench.ingest() == Ingested(duplicates=12)


def test_a_file_twice_is_all_duplicates(bench):
    text = "prediction_id,predicted_at,score\na,2026-03-01T00:00:00Z,0.5\n"
    constants = {"model": MODEL, "version": "v1"}
    assert take(bench, "f.csv", text, constants=constants)[0] == Ingested(loaded=1)
    assert take(bench, "f.csv", text, constants=constants)[0] == Ingested(duplicates=1)
    assert take(bench, "g.csv", text + "\n", constants=constants)[0] == Ingested(duplicates=1)


def test_a_corrupt_segment_is_set_aside_and_the_rest_goes_in(bench):
    frame = events(days=2)
    for _, rows in frame.groupby("day"):
        bench.log(rows)
    _, second = sorted((bench.data / "spool" / "predictions").glob("*.parquet"))
    whole = second.read_bytes()
    cut, garbled = second.with_name("cut.parquet"), second.with_name("garbled.parquet")
    cut.write_bytes(whole[: len(whole) // 2])
    garbled.write_bytes(whole[:60] + bytes(b ^ 0xFF for b in whole[60:400]) + whole[400:])
    taken = bench.ingest()
    assert taken.loaded == 80 and len(taken.refused) == 2
    assert sorted(p.name.split("-", 1)[1] for p in (bench.data / "rejected").iterdir()) == [
        "cut.parquet",
        "garbled.parquet",
    ]
    with bench.store() as store:
        assert sorted(store.frame("SELECT state FROM segments").state) == [
            "corrupt",
            "corrupt",
            "ingested",
            "ingested",
        ]


def test_a_stop_before_a_corrupt_file_is_moved_records_it_once(bench, monkeypatch):
    spool = bench.data / "spool" / "predictions"
    spool.mkdir(parents=True)
    (spool / "bad.parquet").write_bytes(b"no such thing")
    monkeypatch.setattr(
        ingest_module.shutil, "move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        bench.ingest()
    monkeypatch.undo()
    assert len(bench.ingest().refused) == 1 and not list(spool.iterdir())
    with bench.store() as store:
        assert store.known_batch() == 1 and len(store.ingested("predictions", "corrupt")) == 1


def test_impossible_rows_in_a_segment_of_our_own_format_are_quarantined(bench):
    "A writer in another language follows the format but not the rules."
    bench.log(events(days=1).head(6))
    segment = next((bench.data / "spool").rglob("*.parquet"))
    folder = segment.parent
    row = "CASE row_number() OVER ()"
    duckdb.sql(f"""
        COPY (SELECT * REPLACE (
                  {row} WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN 3 ELSE score END AS score,
                  {row} WHEN 3 THEN NULL ELSE prediction_id END AS prediction_id,
                  {row} WHEN 4 THEN NULL ELSE predicted_at END AS predicted_at,
                  {row} WHEN 5 THEN 17000::SMALLINT ELSE points END AS points)
              FROM '{segment}')
        TO '{folder}/x.parquet' (FORMAT parquet)""")
    segment.unlink()
    assert bench.ingest() == Ingested(loaded=1, quarantined=5)
    with bench.store() as store:
        assert quarantine(store).reason.str.split().str[0].tolist() == [
            "score",
            "score",
            "prediction_id",
            "predicted_at",
            "points",
        ]


def test_new_features_need_no_migration_and_models_keep_their_own(bench):
    frame = events(days=1)
    bench.log(frame.head(20))
    bench.log(frame.tail(20).assign(id=lambda f: "other-" + f.id), model="other")
    bench.ingest()
    with PredictionLogger(bench.data / "spool", MODEL, "v2", threshold=0) as log:
        log.log(0.5, "2026-03-01T10:00:00Z", features={"x": 1.0, "y": "new"})
    bench.ingest()
    with bench.store() as store:
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1))
        assert rows["feature:y"].notna().sum() == 1 and rows["feature:x"].notna().sum() == 21
        assert "feature:y" not in store.rows("other", date(2026, 3, 1), date(2026, 3, 1))
        store.publish()
        paths = store.frame("SELECT path FROM data_files").path
        assert (bench.data / paths[0]).parent.name == "event_date=2026-03-01"


def test_tenants_are_kept_apart_and_odd_names_work(bench):
    for tenant in ("north & co/1", "süd'"):
        with PredictionLogger(
            bench.data / "spool", "a/b 'model'", "v=1", threshold=0, tenant=tenant
        ) as log:
            log.log([0.1, 0.9], ["2026-03-01T10:00:00Z"] * 2)
    bench.ingest()
    with bench.store() as store:
        assert store.score_counts("a/b 'model'", tenant="süd'")[date(2026, 3, 1)].total[0] == 2
        assert store.score_counts("a/b 'model'")[date(2026, 3, 1)].total[0] == 4
        store.publish()


def test_one_file_holds_both_kinds_and_can_be_mapped_again(bench):
    text = """id,when,p,label,closed
a,2026-03-01T00:00:00Z,0.5,1,2026-03-02T00:00:00Z
b,2026-03-01T01:00:00Z,0.6,0,2026-03-02T00:00:00Z
"""
    constants = {"model": MODEL, "version": "v1"}
    wrong = {"prediction_id": "id", "predicted_at": "closed", "score": "id"}
    assert take(bench, "f.csv", text, mapping=wrong, constants=constants)[0] == Ingested(
        quarantined=2
    )
    right = {"prediction_id": "id", "entity_id": "id", "predicted_at": "when", "score": "p"}
    assert take(bench, "f.csv", text, mapping=right, constants=constants)[0] == Ingested(loaded=2)
    assert take(
        bench,
        "f.csv",
        text,
        kind="outcomes",
        mapping={"prediction_id": "id", "observed_at": "closed"},
    )[0] == Ingested(loaded=2)
    with bench.store() as store:
        assert store.score_counts(MODEL)[date(2026, 3, 1)].total == (2, 2, 1)
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1))
        assert rows.entity_id.tolist() == ["a", "b"] and "feature:label" not in rows


def test_numeric_ids_stay_what_they_were(bench):
    line = {"model": MODEL, "version": "v1", "predicted_at": "2026-03-01T00:00:00Z", "score": 0.5}
    text = "\n".join(
        json.dumps(line | {"prediction_id": i, "site_id": s})
        for i, s in ((9007199254740993, 3), (9007199254740992, None), (None, 1))
    )
    taken, _, _ = take(bench, "f.jsonl", text)
    assert taken == Ingested(loaded=2, quarantined=1)
    with bench.store() as store:
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1))
    assert set(rows.prediction_id) == {"9007199254740993", "9007199254740992"} and set(
        rows.site_id.dropna()
    ) == {"3"}


def test_a_version_stays_on_one_grid(bench):
    from aiops_wb.log.spool import PredictionLogger
    from aiops_wb.stats.points import Grid

    for grid, score in ((Grid("linear"), 4.0), (Grid(), 0.5)):
        with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, grid=grid) as log:
            log.log([score] * 3, ["2026-03-01T00:00:00Z"] * 3)
        taken = bench.ingest()
    assert taken == Ingested(quarantined=3)
    with bench.store() as store:
        assert store.score_counts(MODEL)[date(2026, 3, 1)].total[0] == 3
        assert "is logged on the linear grid, not on logit" in quarantine(store).reason[0]


@pytest.mark.parametrize(
    "line",
    [
        '{"A":1,"a":2}',
        '{"":1}',
        '{"a":3,"features":{"a":2}}',
        '{"predicted_at":"9999-12-31T23:59:59-12:00"}',
        '{"prediction_id":"\\ud800"}',
        "[" * 5000,
        '{"model":"' + "m" * 300 + '"}',
    ],
)
def test_one_odd_file_does_not_hold_up_the_others(bench, line):
    good = {
        "prediction_id": "odd",
        "model": MODEL,
        "version": "v1",
        "predicted_at": "2026-03-01T00:00:00Z",
        "score": 0.5,
    }
    bench.log(events(days=1))
    odd = json.dumps(good)[:-1] + "," + line[1:] if line.startswith("{") else line
    (bench.data / "spool" / "predictions" / "a.jsonl").write_text(odd)
    taken = bench.ingest()
    assert taken.loaded in (40, 41) and (taken.quarantined or taken.refused or taken.loaded == 41)
    assert not list((bench.data / "spool" / "predictions").iterdir())


@pytest.mark.parametrize("name", ["ü" * 300, "x" * 20_000, chr(0x10FFFF) * 100])
def test_very_long_ids(bench, name):
    frame = events(days=1).head(2).assign(id=[name, name + "2"])
    bench.log(frame)
    bench.label(frame)
    assert bench.ingest() == Ingested(loaded=4)
    bench.log(frame)
    assert bench.ingest() == Ingested(duplicates=2)
    with bench.store() as store:
        assert store.score_counts(MODEL)[date(2026, 3, 1)].total[1] == 2


def test_chunks_make_batches(bench):
    for seed in range(3):
        bench.log(events(days=1, seed=seed, start=date(2026, 3, 1 + seed)))
    with bench.store() as store:
        assert ingest(store, NOW, "test", chunk_rows=50).loaded == 120
        assert store.known_batch() == 2


cells = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from(
        ["0.5", "1", "2026-03-01T00:00:00Z", "2026-03-01", "nan", "1e400", "logit", "linear"]
    ),
)
columns = st.sampled_from(
    [
        "prediction_id",
        "tenant",
        "model",
        "version",
        "grid",
        "predicted_at",
        "score",
        "threshold",
        "latency_ms",
        "automated",
        "label",
        "observed_at",
        "x",
    ]
)


any_rows = (
    st.sampled_from(["predictions", "outcomes"]),
    st.lists(st.dictionaries(columns, cells), min_size=1, max_size=6),
)


def rows_or_reasons(kind, rows):
    "Whatever the cells hold: each row is either canonical or has a reason; nothing raises."
    base = {
        "predictions": {
            "prediction_id": "a",
            "model": "m",
            "version": "v",
            "tenant": "t",
            "grid": "logit",
            "predicted_at": "2026-03-01T00:00:00Z",
            "score": "0.5",
        },
        "outcomes": {
            "prediction_id": "a",
            "label": 1,
            "observed_at": "2026-03-01T00:00:00Z",
            "source": "s",
        },
    }[kind]
    frame = pd.DataFrame([base | r for r in rows], dtype=object)
    canonical, reason = canonical_frame(kind, frame)
    good = canonical[reason.isna()]
    assert len(canonical) == len(frame)
    if kind == "predictions":
        assert (
            good.points.notna().all()
            and good.predicted_at.notna().all()
            and (good.prediction_id.str.strip() != "").all()
        )
    else:
        assert good.label.isin([0, 1]).all() and good.observed_at.notna().all()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(*any_rows)
def test_any_cells_make_rows_or_reasons(kind, rows):
    rows_or_reasons(kind, rows)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(*any_rows)
def test_any_cells_make_rows_or_reasons_at_length(kind, rows):
    rows_or_reasons(kind, rows)


@pytest.mark.parametrize(
    "odd", [[1.0, 2.0], {"a": 1}, date(2026, 3, 1), pd.Timestamp("2026-03-01T00:00:00Z")]
)
@pytest.mark.parametrize("together", few([True, False], True))
def test_a_list_or_a_day_in_one_file_and_a_number_in_another_stop_nothing(bench, odd, together):
    "It is kept as text; the other model, and the same one with numbers, go in."
    frame = events(days=1, per_day=60)
    for model, part, values in (
        ("good", frame[:20], frame.x[:20]),
        (MODEL, frame[20:40], [odd] * 20),
        (MODEL, frame[40:], frame.x[40:]),
    ):
        with PredictionLogger(
            bench.data / "spool", model, "v1", threshold=0, flush_seconds=None
        ) as log:
            log.log(
                part.score,
                part["at"],
                prediction_id=part.id,
                features=pd.DataFrame({"x": values}, index=part.index),
            )
        if not together:
            assert bench.ingest().loaded == 20
    if together:
        assert bench.ingest().loaded == 60
    with bench.store() as store:
        rows = store.rows(MODEL, frame.day[0], frame.day[0])
        assert len(rows) == 40 and len(store.rows("good", frame.day[0], frame.day[0])) == 20
        assert rows["feature:x"].notna().all() and all(
            isinstance(v, str) for v in rows["feature:x"]
        )


def test_booleans_beside_a_text_are_still_counted(bench):
    frame = events(days=1, per_day=60)
    with bench.store() as store:
        store.add_version(
            datetime(2026, 2, 1, tzinfo=UTC),
            "test",
            MODEL,
            "v1",
            Grid(),
            "nowhere",
            {"bins": {"flag": {"cuts": [0.5]}}},
            0,
        )
    for part, values in ((frame[:59], frame.x[:59] > 0), (frame[59:], ["unknown"])):
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
        ) as log:
            log.log(
                part.score,
                part["at"],
                prediction_id=part.id,
                features=pd.DataFrame({"flag": values}, index=part.index),
            )
    bench.ingest()
    with bench.store() as store:
        high = int((frame.x[:59] > 0).sum())
        assert store.feature_counts(MODEL, "v1")[1]["flag"][0].tolist() == [0, 1, 59 - high, high]


@pytest.mark.parametrize("second", ["flag", "whole", "text"])
def test_a_feature_that_only_some_files_of_a_batch_hold_is_counted(bench, second):
    """Files of a day are read together by name; a column of whole numbers that one of them lacks
    once stopped all ingestion."""
    first, later = np.split(np.arange(120), 2)
    frame = events(days=1, per_day=120)
    kinds = {
        "flag": frame.x > 0,
        "whole": np.rint(frame.x).astype(int),
        "text": np.where(frame.x > 0, "a", "b"),
    }
    bins = {
        "x": {"cuts": [0.0]},
        second: {"categories": ["a", "b"]} if second == "text" else {"cuts": [0.5]},
    }
    with bench.store() as store:
        store.add_version(
            datetime(2026, 2, 1, tzinfo=UTC),
            "test",
            MODEL,
            "v1",
            Grid(),
            "nowhere",
            {"bins": bins},
            0,
        )
    for at, features in (
        (first, frame[["x"]]),
        (later, frame[["x"]].assign(**{second: kinds[second]})),
    ):
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
        ) as log:
            log.log(
                frame.score[at],
                frame["at"][at],
                prediction_id=frame.id[at],
                features=features.loc[at],
            )
    bench.ingest()
    with bench.store() as store:
        _, tables = store.feature_counts(MODEL, "v1")
    high = int(
        (kinds[second][later] == "b").sum()
        if second == "text"
        else (kinds[second][later] > 0.5).sum()
    )
    assert tables["x"][0].sum() == 120 and tables[second][0].tolist() == [0, 60, 60 - high, high]


HEAD = "prediction_id,predicted_at,score"
CONSTANTS = {"model": MODEL, "version": "v1", "threshold": "0.5"}


def given_file(bench, name, text, kind="predictions", mapping=None, **told):
    "One file of somebody's own, read as a person says: what was taken, the quarantine, the rows."
    path = bench.root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    constants = CONSTANTS if kind == "predictions" else {}
    with bench.store() as store:
        options = ReadOptions(**told)
        taken = ingest_file(store, NOW, "test", path, kind, mapping, constants, options)
        days = date(2026, 1, 1), date(2026, 12, 31)
        rows = store.rows(MODEL, *days).set_index("prediction_id").sort_index()
        return taken, quarantine(store), rows


def test_a_pattern_of_a_name_is_a_name(bench):
    spool = bench.data / "spool" / "predictions"
    spool.mkdir(parents=True)
    text = "prediction_id,predicted_at,score,model,version\n{},2026-03-01T00:00:00Z,0.2,late,v1\n"
    names = ["scores1.csv", "scores[1].csv", "s*.csv", "scores?.csv", "key=value.csv"]
    for number, name in enumerate(names):
        (spool / name).write_text(text.format(f"X{number}"))
        duckdb.sql(
            f"""COPY (SELECT 'P{number}' AS prediction_id, 0.5 AS score, '{MODEL}' AS model,
                             TIMESTAMPTZ '2026-03-01 00:00:00Z' AS predicted_at, 'v1' AS version)
                TO '{bench.root}/made.parquet' (FORMAT parquet)"""
        )
        (bench.root / "made.parquet").rename(spool / f"{name}.parquet")
    assert bench.ingest() == Ingested(loaded=10) and not list(spool.iterdir())
    for number, name in enumerate(names):
        taken, _, rows = given_file(bench, name, text.format(f"Y{number}"))
        assert taken == Ingested(loaded=1) and f"Y{number}" in rows.index


def test_a_comment_is_a_row_and_a_title_is_refused(bench):
    rows = f"{HEAD},x,site_id\nA1,2026-03-01T00:00:00Z,0.2,5,Gate #4\n"
    rows += "#A2,2026-03-01T00:00:00Z,0.9,6,Gate 5\n"
    with pytest.raises(StoreError, match="line 1 .*nightly job.*--skip-lines 1"):
        given_file(bench, "f.csv", "# exported by the nightly job\n" + rows)
    taken, _, kept = given_file(bench, "f.csv", "# exported\n" + rows, skip_lines=1)
    assert taken == Ingested(loaded=2) and kept.site_id.to_dict() == {
        "A1": "Gate #4",
        "#A2": "Gate 5",
    }


@pytest.mark.parametrize(
    "line",
    few(
        [
            '"features":{"Age":5,"age":6}',
            '"features":{"":5,"b":1}',
            '"features":{"n":"\\ud83d"}',
            '"features":{"x":1' + "0" * 400 + "}",
            '"x":9,"features":{"x":5}',
            '"prediction_id":[1,2]',
            '"prediction_id":{"a":1}',
            '"grid":["logit"]',
            '"entity_id":[1]',
            '"score":{"a":1}',
            '"predicted_at":[5]',
        ],
        '"features":{"Age":5,"age":6}',
        '"x":9,"features":{"x":5}',
        '"prediction_id":[1,2]',
        '"score":{"a":1}',
    ),
)
def test_one_bad_cell_costs_one_row(bench, line):
    good = '{"prediction_id":"A1","predicted_at":"2026-03-01T00:00:00Z","score":0.2}'
    name = line.partition(":")[0]
    kept = [cell for cell in good.replace("A1", "A2")[1:-1].split(",") if name not in cell]
    bad = "{" + ",".join([*kept, line]) + "}"
    for name, text in (("f.jsonl", f"{bad}\n{good}"), ("g.jsonl", f"{good}\n{bad}")):
        taken, found, rows = given_file(bench, name, text)
        assert rows.index.tolist() == ["A1"] and len(found) == 1
    assert taken == Ingested(duplicates=2)


def test_lines_and_ends_of_lines_are_the_files_own(bench):
    text = f'{HEAD},note\r\nA1,2026-03-01T00:00:00Z,0.2,"two\nlines"\n\n'
    text += "A2,2026-03-01T00:00:00Z,bad,ok\r\n"
    taken, found, _ = given_file(bench, "f.csv", text)
    assert taken == Ingested(loaded=1, quarantined=1) and found.line.tolist() == [5]


def test_nanoseconds_with_a_zone_under_any_name(bench):
    path = bench.root / "ns.parquet"
    duckdb.sql(
        f"""COPY (SELECT 'a' AS id, 0.5 AS p, '2026-03-01 06:00Z'::TIMESTAMPTZ_NS AS "when",
                         '2026-03-01 06:00'::TIMESTAMP_NS AS bare)
            TO '{path}' (FORMAT parquet)"""
    )
    mapping = {"prediction_id": "id", "predicted_at": "when", "score": "p"}
    raw = path.read_bytes()
    taken, _, rows = given_file(bench, "f.parquet", raw, mapping=mapping)
    assert taken.loaded == 1 and rows.predicted_at.iloc[0] == pd.Timestamp("2026-03-01T06:00Z")
    mapping["predicted_at"] = "bare"
    with pytest.raises(StoreError, match="^f.parquet: predicted_at.*--naive-timezone"):
        given_file(bench, "f.parquet", raw, mapping=mapping)


def test_times_without_an_offset_are_refused_or_placed(bench):
    times = ["2026-07-01 12:00:00", "2026-10-25 02:30:00", "2026-03-29 02:30:00"]
    text = f"{HEAD}\n" + "".join(f"t{i},{t},0.5\n" for i, t in enumerate(times))
    with pytest.raises(StoreError, match="without an offset.*--naive-timezone") as error:
        given_file(bench, "f.csv", text)
    assert "\n" not in str(error.value)
    taken, found, rows = given_file(bench, "f.csv", text, naive_timezone="Europe/Berlin")
    assert (taken.loaded, taken.quarantined) == (2, 1) and len(taken.notes) == 1
    assert "Europe/Berlin has twice; the earlier is taken" in taken.notes[0]
    assert "does not exist in Europe/Berlin" in found.reason[0] and found.line[0] == 4
    assert rows.predicted_at["t1"] == pd.Timestamp("2026-10-25T00:30Z")
    assert rows.predicted_at["t0"] == pd.Timestamp("2026-07-01T10:00Z")


def test_one_time_without_an_offset_among_others_costs_its_row(bench):
    text = f"{HEAD}\na,2026-03-01T00:00:00Z,0.5\nb,2026-03-01T00:00:00,0.5\n"
    taken, found, _ = given_file(bench, "f.csv", text)
    assert taken == Ingested(loaded=1, quarantined=1) and "--naive-timezone" in found.reason[0]


def test_days_of_a_parquet_file_are_no_times_and_stay_days(bench):
    path = bench.root / "made.parquet"
    for column in ("predicted_at", "x"):
        other = "predicted_at" if column == "x" else "x"
        duckdb.sql(
            f"""COPY (SELECT i::VARCHAR AS prediction_id, 0.5 AS score,
                             CASE WHEN i > 0 THEN DATE '2026-03-01' END AS {column},
                             TIMESTAMPTZ '2026-03-01 06:00Z' AS {other} FROM range(3) t(i))
                TO '{path}' (FORMAT parquet)"""
        )
        if column == "predicted_at":
            with pytest.raises(StoreError, match="numbers or days .such as '2026-03-01'"):
                given_file(bench, "f.parquet", path.read_bytes(), naive_timezone="UTC")
    _, _, rows = given_file(bench, "f.parquet", path.read_bytes())
    assert rows["feature:x"].isna().tolist() == [True, False, False]
    assert rows["feature:x"].iloc[1] == "2026-03-01"


@pytest.mark.parametrize("when", ["1772323200", "1772323200000", "2026-03-01", "01.03.2026"])
def test_numbers_and_days_are_no_times(bench, when):
    with pytest.raises(StoreError, match="holds numbers or days .*such as"):
        given_file(bench, "f.csv", f"{HEAD}\na,{when},0.5\n", naive_timezone="UTC")


def test_percent_is_refused_or_said(bench):
    def text(scores):
        return f"{HEAD}\n" + "".join(f"{i},2026-03-01T00:00:00Z,{s}\n" for i, s in scores.items())

    few = dict(enumerate([83, 0.4, 1, 12.5]))
    many = dict(enumerate([0.5] * 900 + [2, 99.5] * 5))
    for scores in (few, many):
        with pytest.raises(StoreError, match="--score-scale percent"):
            given_file(bench, "f.csv", text(scores))
    taken, _, rows = given_file(bench, "f.csv", text(few), score_scale="percent")
    assert taken == Ingested(loaded=4) and rows.score["0"] == 0.83 and rows.score["1"] == 0.004
    odd = {f"o{i}": s for i, s in enumerate([0.5] * 50 + [83])}
    assert given_file(bench, "g.csv", text(odd))[0] == Ingested(loaded=50, quarantined=1)
    beyond = {f"b{i}": s for i, s in enumerate([50] * 30 + [101])}
    assert given_file(bench, "h.csv", text(beyond))[0] == Ingested(quarantined=31)


def test_numbers_with_the_marks_that_a_person_names(bench):
    text = f"{HEAD.replace(',', ';')};latency_ms;x\nA1;2026-03-01T00:00:00Z;0,25;1.234,5;1,5\n"
    text += "1,5;2026-03-01T00:00:00Z;0.5;7;-2,25e1\n"
    taken, _, rows = given_file(bench, "f.csv", text, decimal=",", thousands=".")
    assert taken == Ingested(loaded=2) and rows.score.to_dict() == {"A1": 0.25, "1,5": 0.5}
    assert rows["feature:x"].tolist() == [-22.5, 1.5]
    assert rows.latency_ms.tolist() == [7, 1234.5]


def test_a_name_in_capitals_and_packed(bench):
    spool = bench.data / "spool" / "predictions"
    spool.mkdir(parents=True)
    text = HEAD + ",model,version\n{},2026-03-01T00:00:00Z,0.2,late,v1\n"
    (spool / "SCORES.CSV").write_text(text.format("A"))
    (spool / "s.Csv.Gz").write_bytes(gzip.compress(text.format("B").encode()))
    assert bench.ingest() == Ingested(loaded=2) and not list(spool.iterdir())


def test_names_that_are_no_text_are_loaded_or_set_aside_and_said(bench):
    spool = bench.data / "spool" / "predictions"
    bench.log(events(days=1))
    segment = next(spool.glob("*.parquet"))
    segment.rename(f"{spool}/Gef\udcfchl.parquet")
    text = HEAD + ",model,version\n{},2026-03-01T00:00:00Z,{},late,v1\n"
    for name, score in (("good", 0.5), ("Gef\udcfchl", 0.5), ("\udcff", "many")):
        with open(f"{spool}/{name}.csv", "w") as handle:
            handle.write(text.format(name[:1].encode(errors="replace").decode(), score))
    with open(f"{spool}/b\udcfc.csv", "w") as handle:
        handle.write("no header of ours\n1\n")
    taken = bench.ingest()
    assert (taken.loaded, taken.quarantined) == (42, 1) and len(taken.refused) == 1
    assert str(taken).encode() and "b\\udcfc.csv" in taken.refused[0]
    assert not list(spool.iterdir()) and len(list((bench.data / "rejected").iterdir())) == 1
    with bench.store() as store:
        assert set(store.frame("SELECT name FROM segments").name) >= {"Gef\\udcfchl.csv"}
        store.publish()


def test_what_is_not_taken_is_named_and_the_rest_goes_in(bench, monkeypatch):
    spool = bench.data / "spool" / "predictions"
    bench.log(events(days=1))
    secret = bench.root / "shadow.csv"
    secret.write_text("root:hash\nuser:hash\n")
    (spool / "link.csv").symlink_to(secret)
    os.mkfifo(spool / "fifo.csv")
    (spool / "folder.csv").mkdir()
    (spool / "x.txt").write_text("x")
    (spool / "locked.csv").write_text("x")
    opened = os.open

    def forbidding(path, *rest, **named):
        if str(path).endswith("locked.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **named)

    monkeypatch.setattr(os, "open", forbidding)
    taken = bench.ingest()
    assert taken.loaded == 40 and [t.split()[0] for t in taken.passed_over] == [
        "fifo.csv",
        "folder.csv",
        "link.csv",
        "x.txt",
    ]
    assert taken.refused == ("locked.csv cannot be read: Permission denied.",)
    assert sorted(p.name for p in spool.iterdir()) == [
        "fifo.csv",
        "folder.csv",
        "link.csv",
        "x.txt",
    ]
    again = bench.ingest()
    assert again.passed_over == taken.passed_over and not again.refused and "hash" not in str(taken)


def test_a_loaded_file_that_cannot_be_removed_is_said_and_published(bench, monkeypatch):
    bench.log(events(days=1))
    segment = next((bench.data / "spool" / "predictions").glob("*.parquet"))
    unlink = type(segment).unlink

    def forbidding(path, *rest, **named):
        if path == segment:
            raise PermissionError(13, "Permission denied", str(path))
        return unlink(path, *rest, **named)

    monkeypatch.setattr(type(segment), "unlink", forbidding)
    taken = bench.ingest()
    assert taken.loaded == 40 and "cannot be removed: Permission denied" in taken.passed_over[0]
    assert bench.ingest().duplicates == 40


def test_a_file_that_needs_too_much_memory_is_set_aside_and_the_others_go_in(bench, monkeypatch):
    frame = events(days=1)
    for part in (frame[:10], frame[10:20], frame[20:]):
        bench.log(part)
    spool = bench.data / "spool" / "predictions"
    heavy = sorted(spool.glob("*.parquet"))[1]
    load = ingest_module._load

    def small(store, kind, chunk, *rest):
        if any(delivered.path == heavy for delivered in chunk):
            raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate 8 GB")
        return load(store, kind, chunk, *rest)

    monkeypatch.setattr(ingest_module, "_load", small)
    taken = bench.ingest()
    assert taken.loaded == 30 and len(taken.refused) == 1 and not list(spool.iterdir())
    assert taken.refused[0].startswith(f"{heavy.name} needs more memory than is allowed")


def _grown(bench, limits=""):
    "Rows loaded, files refused and MB that a process grew by when it took the spool in."
    code = f"""
import resource
from datetime import UTC, datetime
from aiops_wb.log.ingest import ingest
from aiops_wb.log.reading import Limits, ReadOptions
from aiops_wb.log.store import open_store
options = ReadOptions(limits=Limits({limits}))
with open_store({str(bench.data)!r}, "test") as store:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = ingest(store, datetime(2026, 3, 20, tzinfo=UTC), "test", options=options)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(taken.loaded, len(taken.refused), grown // 1024)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return map(int, told.stdout.split())


def test_a_small_file_that_holds_much_text_is_loaded_within_the_memory_or_set_aside(bench):
    "Canonical: the database itself reads it."
    bench.log(events(days=1))
    segment = next((bench.data / "spool" / "predictions").glob("*.parquet"))
    text = "repeat('x', 20_000) || i % 50"
    duckdb.sql(
        f"""COPY (SELECT s.* REPLACE (prediction_id || '-' || i AS prediction_id,
                                      {text} AS entity_id)
                  FROM '{segment}' s, range(250) t(i))
            TO '{segment.with_name("bomb.parquet")}' (FORMAT parquet, COMPRESSION zstd)"""
    )
    loaded, refused, grown = _grown(bench, "memory=100")
    assert (loaded, refused) in ((10_040, 0), (40, 1)) and grown < 180  # of 200 MB of text


@pytest.mark.slow
def test_a_long_file_is_written_without_being_held(bench):
    "800,000 events of 20 features are 128 MB of numbers."
    bench.log(events(days=1))
    segment = next((bench.data / "spool" / "predictions").glob("*.parquet"))
    values = ", ".join(f"x{i} := random()" for i in range(20))
    duckdb.sql(
        f"""COPY (SELECT s.* REPLACE (i || '-long' AS prediction_id,
                                      struct_pack({values}) AS features)
                  FROM (FROM '{segment}' LIMIT 1) s, range(800_000) t(i))
            TO '{segment.with_name("long.parquet")}' (FORMAT parquet)"""
    )
    loaded, refused, grown = _grown(bench)
    assert (loaded, refused) == (800_040, 0) and grown < 450


def test_a_file_that_another_process_took_is_no_fault(bench, monkeypatch):
    bench.log(events(days=1))
    spool = bench.data / "spool" / "predictions"
    found = ingest_module.waiting(spool)
    gone = [spool / "gone.csv", spool / "gone.parquet"]
    monkeypatch.setattr(
        ingest_module,
        "waiting",
        lambda folder: found._replace(files=[*found.files, *gone] if folder == spool else []),
    )
    taken = bench.ingest()
    assert taken == Ingested(loaded=40)


def written(frame, way, path):
    "A frame as somebody would write it; returns the file."
    if way.startswith("csv"):
        delimiter, end = (",", "\n") if way == "csv" else (";", "\r\n")
        quoting = csv.QUOTE_MINIMAL if way == "csv" else csv.QUOTE_ALL
        path = path.with_suffix(".csv")
        frame.to_csv(path, index=False, sep=delimiter, lineterminator=end, quoting=quoting)
    elif way == "jsonl":
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps(r) + "\n" for r in frame.to_dict("records")))
    else:
        path = path.with_suffix(".parquet")
        with duckdb.connect() as con:
            con.register("frame", frame)
            con.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("way", ["csv", "csv of another program", "jsonl", "parquet"])
def test_the_same_rows_types_and_scores_from_any_format(bench, way):
    rng = np.random.default_rng(7)
    alphabet = list("abcüß🙂 ,;|\t\"'#\n\\{}[]%=*?")
    words = ["".join(rng.choice(alphabet, rng.integers(1, 9))).strip() or "-" for _ in range(300)]
    frame = pd.DataFrame(
        {
            "prediction_id": [f"{word}{i}" for i, word in enumerate(words)],
            "predicted_at": pd.date_range("2026-03-01", periods=300, freq="97s").strftime(
                "%Y-%m-%dT%H:%M:%S.%f+00:00"
            ),
            "score": rng.random(300) ** 8,
            "entity_id": rng.permutation(words),
            "x": rng.normal(size=300),
            "word": rng.permutation(words),
        }
    )
    path = written(frame, way, bench.root / "made")
    taken, found, rows = given_file(bench, path.name, path.read_bytes())
    assert taken == Ingested(loaded=300), found
    mine = frame.set_index("prediction_id").loc[rows.index]
    assert (rows.score == mine.score).all() and (rows["feature:x"] == mine.x).all()
    assert (rows.points == Grid().quantise(mine.score.to_numpy())).all()
    assert (rows.entity_id == mine.entity_id).all() and (rows["feature:word"] == mine.word).all()
    assert (rows.predicted_at == pd.to_datetime(mine.predicted_at)).all()
