"""Which column of a file becomes what."""

import json
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, few

from aiops_wb.log.errors import StoreError
from aiops_wb.log.ingest import Ingested, ingest, ingest_file
from aiops_wb.log.roles import Choice, assign_roles
from aiops_wb.models.explain import alert_reasons
from aiops_wb.models.registry import register
from aiops_wb.models.training import train

NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 1)
SET = {"model": MODEL, "version": "v1", "threshold": "0.5"}
HEAD = "prediction_id,predicted_at,score"
ROWS = ("a,2026-03-01T07:00:00Z,0.2", "b,2026-03-01T08:00:00Z,0.3")


def csv(names, *cells):
    "A file of two predictions with further columns."
    rows = [f"{row},{cell}" for row, cell in zip(ROWS, cells)]
    return "\n".join([f"{HEAD},{names}", *rows]) + "\n"


def take(bench, name, text, kind="predictions", mapping=None, constants=SET, **chosen):
    path = bench.root / name
    path.write_text(text)
    with bench.store() as store:
        constants = constants if kind == "predictions" else None
        return ingest_file(store, NOW, "test", path, kind, mapping, constants, **chosen)


def logged(bench):
    with bench.store() as store:
        return store.rows(MODEL, DAY, DAY)


def features(bench):
    rows = logged(bench)
    names = [c for c in rows.columns if c.startswith("feature:")]
    return {c.removeprefix("feature:"): rows[c].tolist() for c in names}


@pytest.mark.parametrize(
    "name",
    few(["", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__", "index", "level_0"], "", "index"),
)
def test_what_only_numbers_the_rows_is_no_feature_and_is_said(bench, name):
    text = f"{name},{HEAD},x\n0,{ROWS[0]},5\n1,{ROWS[1]},6\n"
    taken = take(bench, "f.csv", text)
    assert features(bench) == {"x": [5, 6]}
    assert any("not taken" in note or "is left out" in note for note in taken.notes)


def test_the_index_of_a_parquet_file_is_no_feature(bench):
    duckdb.sql(
        f"""COPY (SELECT 7 AS __index_level_0__, 'a' AS prediction_id, 5 AS x, 0.2 AS score,
                         TIMESTAMPTZ '2026-03-01 07:00:00+00' AS predicted_at)
            TO '{bench.root}/f.parquet' (FORMAT parquet)"""
    )
    with bench.store() as store:
        path = bench.root / "f.parquet"
        ingest_file(store, NOW, "test", path, "predictions", None, SET)
    assert features(bench) == {"x": [5]}


def test_a_column_that_is_called_index_and_numbers_nothing_is_a_feature(bench):
    take(bench, "f.csv", csv("index,column0", "104,1", "97,2"))
    assert features(bench) == {"index": [104, 97], "column0": [1, 2]}


@pytest.mark.parametrize("name", ["label", "LABEL", "observed_at", "source"])
def test_columns_of_outcomes_are_no_features(bench, name):
    taken = take(bench, "f.csv", csv(f"x,{name}", "1,1", "2,0"))
    assert features(bench) == {"x": [1, 2]} and (name.lower() == "source") <= bool(taken.notes)


def test_a_source_of_ones_own_is_a_feature_when_it_is_asked_for(bench):
    take(bench, "f.csv", csv("x,source", "1,web", "2,app"), features=["x", "source"])
    assert features(bench) == {"x": [1, 2], "source": ["web", "app"]}
    with pytest.raises(StoreError, match="'label' cannot be a feature: an outcome"):
        take(bench, "g.csv", csv("x,label", "1,1", "2,0"), features=["label"])


BOTH = csv("x,went_wrong,seen", "1,1,2026-03-02T00:00:00Z", "2,0,2026-03-02T00:00:00Z")
AS_OUTCOMES = {"label": "went_wrong", "observed_at": "seen"}


@pytest.mark.parametrize("order", ["predictions first", "outcomes first", "mapped at once"])
def test_a_column_that_is_an_outcome_is_no_feature_in_any_order(bench, order):
    deliveries = [("predictions", None), ("outcomes", AS_OUTCOMES)]
    if order == "outcomes first":
        deliveries.reverse()
    if order == "mapped at once":
        deliveries[0] = ("predictions", AS_OUTCOMES)
    for kind, mapping in deliveries:
        assert take(bench, "f.csv", BOTH, kind, mapping).loaded == 2
    assert features(bench) == {"x": [1, 2]}
    with bench.store() as store:
        assert store.outcome_columns()[MODEL] == {"went_wrong": "label", "seen": "observed_at"}
        assert store.in_force("outcome columns", MODEL) == "seen, went_wrong"
        assert store.verify_audit()
        assert logged_labels(store) == [1, 0]


def logged_labels(store):
    return store.rows(MODEL, DAY, DAY).label.tolist()


def test_later_files_and_the_spool_know_an_outcome_too(bench):
    take(bench, "f.csv", BOTH)
    take(bench, "f.csv", BOTH, "outcomes", AS_OUTCOMES)
    later = f"{HEAD},x,Went_Wrong\nc,2026-03-01T09:00:00Z,0.2,3,1\n"
    assert "mapped as label" in take(bench, "g.csv", later).notes[0]
    with pytest.raises(StoreError, match="'went_wrong' cannot be a feature: mapped as label"):
        take(bench, "h.csv", BOTH, features=["went_wrong"])
    spooled = {"model": MODEL, "version": "v1", "prediction_id": "d", "score": 0.5, "x": 4}
    spooled |= {"predicted_at": "2026-03-01T10:00:00Z", "features": {"seen": "now"}}
    folder = bench.data / "spool" / "predictions"
    folder.mkdir(parents=True)
    (folder / "s.jsonl").write_text(json.dumps(spooled))
    with bench.store() as store:
        assert "seen" in ingest(store, NOW, "test").notes[0]
        columns = store.frame("SELECT path FROM data_files WHERE kind = 'predictions'").path
        newest = duckdb.sql(f"DESCRIBE FROM '{bench.data / columns.iloc[-1]}'").df()
        assert "seen" not in newest.column_type.str.cat()
    assert features(bench) == {"x": [1, 2, 3, 4]}


def test_another_model_keeps_a_feature_of_that_name_and_a_mistake_is_taken_back(bench):
    take(bench, "f.csv", BOTH)
    take(bench, "f.csv", BOTH, "outcomes", AS_OUTCOMES)
    other = BOTH.replace("\na,", "\nc,").replace("\nb,", "\nd,")
    take(bench, "g.csv", other, constants=SET | {"model": "other"})
    with bench.store() as store:
        assert "feature:went_wrong" in store.rows("other", DAY, DAY)
        store.take_back_outcome_column(NOW, "test", MODEL, "went_wrong", "it was a typing error")
        assert "feature:went_wrong" in store.rows(MODEL, DAY, DAY)
        assert store.in_force("outcome columns", MODEL) == "seen"


def test_a_mistake_stays_taken_back_when_the_rest_of_the_predictions_comes(bench):
    take(bench, "o.csv", BOTH, "outcomes", AS_OUTCOMES)
    first, second = ("\n".join([BOTH.splitlines()[0], line]) for line in BOTH.splitlines()[1:])
    take(bench, "p.csv", first)
    with bench.store() as store:
        for _ in range(2):  # given again after a stop, it is done once
            assert store.take_back_outcome_column(NOW, "ana", MODEL, "Went_Wrong", "a typing error")
        assert not store.take_back_outcome_column(NOW, "ana", MODEL, "x", "a typing error")
        assert store.audit(MODEL).why.tolist()[1:] == ["a typing error"]
    assert take(bench, "q.csv", second).loaded == 1
    assert features(bench)["x"] == [1, 2] and features(bench)["went_wrong"][1] == 0
    with bench.store() as store:
        assert store.outcome_columns()[MODEL] == {"seen": "observed_at"}


def made_both(days=40, per_day=40, seed=1):
    "One file with scores, two features, and what became of it."
    rng = np.random.default_rng(seed)
    n = days * per_day
    x, z = rng.normal(size=(2, n))
    wrong = rng.random(n) < 1 / (1 + np.exp(-x))
    at = pd.Timestamp("2026-03-01T06:00:00Z") + pd.to_timedelta(np.arange(n) // per_day, unit="D")
    return pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(n)],
            "when": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "p_fraud": 0.5,
            "x": x,
            "z": z,
            "fraud": wrong.astype(int),
            "closed_at": "2026-05-01T00:00:00Z",
        }
    )


def test_one_file_ingested_twice_trains_to_an_honest_figure_and_its_drift_knows_no_label(bench):
    made = made_both()
    made.to_csv(bench.root / "both.csv")
    path = bench.root / "both.csv"
    mapping = {"prediction_id": "id", "predicted_at": "when", "score": "p_fraud"}
    outcomes = {"prediction_id": "id", "label": "fraud", "observed_at": "closed_at"}
    with bench.store() as store:
        ingest_file(store, NOW, "test", path, "predictions", mapping, SET)
        rows = store.rows(MODEL, DAY, date(2026, 4, 9))
        assert "feature:fraud" in rows  # nobody has said yet that it is the label
        rows["label"] = made.fraud.to_numpy(float)
        early, held_out = train(rows, MODEL, "early", allowed={"fraud"})
        assert early.card["metrics"]["roc_auc"] > 0.999
        register(store, early, held_out, NOW, "test")
        taken = ingest_file(store, NOW, "test", path, "outcomes", outcomes)
        assert any("trained on it: early" in note for note in taken.notes)
        again = ingest_file(store, NOW, "test", path, "outcomes", outcomes)
        assert not any("trained on it" in note for note in again.notes)
        rows = store.labelled_rows(MODEL, DAY, date(2026, 4, 9))
        trained, _ = train(rows, MODEL, "honest")
        assert trained.features == ["x", "z"]
        assert 0.6 < trained.card["metrics"]["roc_auc"] < 0.85
        assert set(store.reference_counts(MODEL, "early")[1]) == {"x", "z"}
        more = made.head(40).assign(id=[f"s{i}" for i in range(40)])
        more.to_csv(bench.root / "more.csv", index=False)
        new = SET | {"version": "early"}
        ingest_file(store, NOW, "test", bench.root / "more.csv", "predictions", mapping, new)
        assert set(store.feature_counts(MODEL, "early")[1]) == {"x", "z"}
        alerts = store.rows(MODEL, DAY, DAY)
        told = alert_reasons(store, MODEL, "early", alerts)  # it still explains what it can know
        assert len(told) == len(alerts) and not (told.value_1 == 1).any()


def test_features_and_exclude_choose_and_name_what_there_is_not(bench):
    text = csv("x,y,z", "1,2,3", "4,5,6")
    take(bench, "f.csv", text, features=["x", "z"], exclude=["y"])
    assert features(bench) == {"x": [1, 4], "z": [3, 6]}
    for chosen in ({"features": ["w"]}, {"exclude": ["w"]}):
        with pytest.raises(StoreError, match="no column 'w': its columns are .*, x, y, z"):
            take(bench, "f.csv", text, **chosen)
    with pytest.raises(StoreError, match="'x' is to be taken and to be left out"):
        take(bench, "f.csv", text, features=["x"], exclude=["x"])


def test_exclude_leaves_the_rest_and_a_chosen_column_may_serve_twice(bench):
    take(bench, "f.csv", csv("x,site_id", "1,north", "2,south"), exclude=["x"])
    assert features(bench) == {} and logged(bench).site_id.tolist() == ["north", "south"]
    text = csv("x,site_id", "1,north", "2,south").replace("\na,", "\nc,").replace("\nb,", "\nd,")
    take(bench, "g.csv", text, features=["site_id"])
    rows = logged(bench).set_index("prediction_id").loc[["c", "d"]]
    assert rows.site_id.tolist() == rows["feature:site_id"].tolist() == ["north", "south"]


OWN = {
    "points": ("120", "340"),
    "route": ("66", "12"),
    "grid": ("A7", "B1"),
    "threshold": ("120", "80"),
    "risk_level": ("3", "5"),
    "automated": ("robot", "arm"),
    "latency_ms": ("fast", "slow"),
    "ladder": ("wooden", "7"),
}


@pytest.mark.parametrize("name", few(OWN, "points", "route", "threshold"))
def test_own_columns_that_are_called_like_the_logs_are_features_and_said(bench, name):
    taken = take(bench, "f.csv", csv(name, *OWN[name]), constants={"model": MODEL, "version": "v1"})
    assert taken.loaded == 2 and taken.notes[0].endswith(name)
    assert [str(v).removesuffix(".0") for v in features(bench)[name]] == list(OWN[name])
    rows = logged(bench)
    decided = (
        name in ("route", "risk_level", "automated", "ladder")
        and (rows.decided_by == "workbench").all()
    )
    assert rows[name].isna().all() or name in ("grid", "points") or decided


def test_columns_of_the_log_stay_what_they_are_and_an_odd_cell_costs_its_row(bench):
    text = csv(
        "route,risk_level,automated,points,threshold",
        "ticket,HIGH,1.0,-1386,0.5",
        "66,LOW,false,-847,0.5",
    )
    taken = take(bench, "f.csv", text, constants={"model": MODEL, "version": "v1"})
    assert taken == Ingested(loaded=1, quarantined=1) and features(bench) == {}
    row = logged(bench).iloc[0]
    assert (row.route, row.risk_level, row.automated) == ("ticket", "HIGH", True)
    assert row.points == -1386
    with bench.store() as store:
        assert (
            "route '66' is not one of ticket, alert, monitor" in store.last_quarantined(1).reason[0]
        )


def test_a_column_of_our_name_beside_a_mapped_one_is_said(bench):
    text = csv("p,version", "0.6,8", "0.7,9")
    taken = take(bench, "f.csv", text, mapping={"score": "p"})
    assert "version (--set gives version)" in taken.notes[0]
    assert "score (p is read as score)" in taken.notes[0]
    assert logged(bench).score.tolist() == [0.6, 0.7] and features(bench) == {}


NESTED = [
    ('{"gps": 41.0}', '{"gps": 12}'),
    ('{"gps": 41.0, "route": "66"}', '{"gps": 12, "route": "7"}'),
]


@pytest.mark.parametrize("cells", NESTED)
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_column_of_objects_is_read_in_any_form(bench, form, cells):
    rows = [
        dict(zip(HEAD.split(","), row.split(","))) | {"features": cell}
        for row, cell in zip(ROWS, cells)
    ]
    frame, path = pd.DataFrame(rows), bench.root / f"f.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        duckdb.sql(f"COPY frame TO '{path}' (FORMAT parquet)")
    with bench.store() as store:
        taken = ingest_file(store, NOW, "test", path, "predictions", None, SET)
    assert taken == Ingested(loaded=2)
    found = features(bench)
    assert found["gps"] == [41, 12] and set(found) == set(json.loads(cells[0]))
    assert (logged(bench).decided_by == "workbench").all()


UNREADABLE = ['{"gps": 41', "[1, 2]", "gps", '{"gps": 1, "GPS": 2}', '{"": 1}', '{"GPS": 5}']


@pytest.mark.parametrize("cell", UNREADABLE)
def test_a_row_whose_features_cannot_be_read_is_quarantined(bench, cell):
    rows = [
        dict(zip(HEAD.split(","), row.split(","))) | {"features": text}
        for row, text in zip(ROWS, ('{"gps": 41}', cell))
    ]
    taken = take(bench, "f.csv", pd.DataFrame(rows).to_csv(index=False))
    assert taken == Ingested(loaded=1, quarantined=1) and features(bench) == {"gps": [41]}
    with bench.store() as store:
        assert store.last_quarantined(1).reason[0].startswith("features cannot be read: ")


def test_features_of_ones_own_that_are_no_objects_and_the_same_name_at_both_places(bench):
    take(bench, "f.csv", csv("features", "3", "4"))
    assert features(bench) == {"features": [3, 4]}
    line = {"model": MODEL, "version": "v1", "predicted_at": "2026-03-01T07:00:00Z", "score": 0.5}
    text = json.dumps(line | {"prediction_id": "z", "x": 1, "features": {"X": 2}})
    assert take(bench, "f.jsonl", text, constants={}).quarantined == 1
    rows = csv("x,features", "1,{}", '2,"{""X"": 2}"')
    with pytest.raises(StoreError, match="'X' as a column and in its features"):
        take(bench, "g.csv", rows)


def test_a_file_of_the_logs_own_form_is_taken_as_it_is(bench):
    take(bench, "f.csv", csv("x", "1", "2"))
    with bench.store() as store:
        rows = store.frame("SELECT path FROM data_files").path[0]
    own = bench.root / "own.parquet"
    columns = "* EXCLUDE (event_date, batch_id)"
    duckdb.sql(
        f"""COPY (SELECT {columns} FROM read_parquet('{bench.data / rows}',
                  hive_partitioning=false)) TO '{own}' (FORMAT parquet)"""
    )
    with bench.store() as store:
        assert ingest_file(store, NOW, "test", own, "predictions") == Ingested(duplicates=2)


def test_roles_say_what_became_of_each_column():
    frame = pd.DataFrame({"id": ["a"], "p": [0.5], "x": [1], "label": [1], "y": [2]})
    choice = Choice({"prediction_id": "id", "score": "p"}, exclude=("y",))
    roles = assign_roles("f.csv", "predictions", frame, choice, {})
    assert roles.ours == {"prediction_id": "id", "score": "p"} and roles.features == ("x",)
    assert list(roles.left_out) == ["label"] and roles.unasked == ("y",)
    assert list(roles.frame) == ["prediction_id", "score", "feature:x"]


@pytest.mark.parametrize("name", ["route", "risk_level", "automated", "ladder", "threshold"])
@pytest.mark.parametrize("kind", ["boolean", "float64", "object"])
def test_a_column_of_ours_without_any_value_is_ours_whatever_its_type(name, kind):
    at = pd.to_datetime(["2026-03-01T07:00:00Z"])
    frame = pd.DataFrame({"prediction_id": ["a"], "predicted_at": at, "score": [0.2]})
    frame[name] = pd.Series([None], dtype=kind)
    roles = assign_roles("f.parquet", "predictions", frame, Choice(), {})
    assert roles.ours[name] == name and name not in roles.features
