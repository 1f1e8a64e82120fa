"""A version trained elsewhere gets what one trained here has."""

import pickle
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from conftest import MODEL, Bench, events
from test_complete_training import START, load, world

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.features import binned_days
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.adoption import from_log
from aiops_wb.models.booster_file import agreement
from aiops_wb.models.explain import reasons
from aiops_wb.models.registry import load as load_version
from aiops_wb.models.registry import register
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.training import train
from aiops_wb.stats.points import Grid
from aiops_wb.watch.adopt import adopt_days

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
FIRST, DAYS = date(2026, 1, 1), 56
HELD = FIRST + timedelta(DAYS // 2)
END = FIRST + timedelta(DAYS - 1)
SPAN = (HELD, END)


def with_features():
    "Events with a number that decides, gaps, and a category."
    made = events(DAYS, 25, start=FIRST, version="own")
    rng = np.random.default_rng(3)
    return made.assign(
        x=made.x.where(rng.random(len(made)) > 0.1), kind=rng.choice(["a", "b"], len(made))
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    "A version that was trained and registered here, and its scores logged as if elsewhere."
    bench, made = Bench(tmp_path_factory.mktemp("adopted")), with_features()
    features = made[["x", "kind"]]
    rows = features.add_prefix("feature:").assign(
        event_date=pd.to_datetime(made.day), label=made.label * 1.0
    )
    kinds = {"x": "number", "kind": "text"}
    trained, held = train(rows, MODEL, "here", holdout=0.5, rounds=20, kinds=kinds)
    with PredictionLogger(
        bench.data / "spool", MODEL, "own", threshold=trained.threshold, flush_seconds=None
    ) as log:
        log.log(trained.score(features), made["at"], prediction_id=made.id, features=features)
    bench.label(made, at="2026-03-19T00:00:00Z")
    with bench.store() as store:
        register(store, trained, held, NOW, "ana")
    bench.ingest(NOW)
    return bench, trained, features, made


@pytest.fixture
def log(both, tmp_path):
    "A copy to adopt in."
    with both[0].copy_to(tmp_path / "copy").store() as store:
        yield store


def decided(store, version):
    "What the calibration in force decides with."
    return store.calibration(MODEL, version)[1].to_json() | {"created_at": "", "version": ""}


def test_adopted_on_the_held_out_days_it_is_what_the_trained_one_is(both, log):
    _, trained, features, made = both
    file = log.root / log.version(MODEL, "here").path
    adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, file, share=1)
    here, own = (log.version(MODEL, version).card for version in ("here", "own"))
    for same in ("metrics", "threshold", "held_out_rows", "held_out_events", "held_out_from"):
        assert own[same] == here[same], same
    assert own["features"] == here["features"] and own["kinds"] == here["kinds"]
    assert own["categories"] == here["categories"] and own["adopted"]["agrees"] == 1
    days, others = (log.held_out_counts(MODEL, version) for version in ("here", "own"))
    assert days == others and len(days) == 28
    assert decided(log, "own") == decided(log, "here")
    assert log.threshold(MODEL, "own") == log.threshold(MODEL, "here")
    assert log.require_whole(MODEL, "own").version == "own"
    why = [reasons(load_version(log, MODEL, v), features.head(50)) for v in ("here", "own")]
    assert why[0].equals(why[1])
    log.activate(NOW, "ana", MODEL, "own", "it can score here")
    assert load_version(log, MODEL).score(features.head(9)).tolist() == (
        trained.score(features.head(9)).tolist()
    )


def test_bins_and_reference_of_days_are_those_of_a_training_on_them(both, log):
    _, trained, _, _ = both
    own = from_log(log, MODEL, "own", FIRST, HELD - timedelta(1), NOW, share=1).version
    assert own.card["bins"] == trained.card["bins"]
    learned = trained.reference[trained.reference.event_date < HELD]
    order = ["feature", "event_date", "bin"]
    by_order = [r.sort_values(order, ignore_index=True) for r in (learned, own.reference)]
    assert by_order[0].equals(by_order[1])


def test_what_was_scored_before_is_counted_and_was_not_known_earlier(both, log):
    _, _, features, made = both
    later = NOW + timedelta(days=1)
    adopt_days(log, later, "ana", MODEL, "own", *SPAN, share=1)
    days, tables = log.feature_counts(MODEL, "own")
    counted = binned_days(features, made.day, log.version(MODEL, "own").card["bins"])
    assert set(tables) == {"x", "kind"} and len(days) == DAYS
    for feature, rows in counted.groupby("feature"):
        expected = np.zeros_like(tables[feature])
        place = rows.event_date.map({day: i for i, day in enumerate(days)})
        np.add.at(expected, (place, rows["bin"] + 2), rows.n)
        assert (tables[feature] == expected).all() and expected.sum() == len(made)
    assert log.feature_counts(MODEL, "own", as_of=NOW) == ([], {})


def test_the_trail_says_what_it_was_adopted_on_and_by_whom(log):
    adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, share=1)
    trail = log.audit(f"{MODEL}/own").set_index("what")
    assert trail.why["registered"] == "adopted on 2026-01-29 to 2026-02-25 of the log"
    assert trail.why["threshold"] == "as logged with its predictions"
    assert set(trail.who) == {"ana"} and list(trail.new["reference"]) == [
        "its own",
        "2026-01-29 to 2026-02-25",
    ]
    log.verify_audit()


def test_it_goes_on_with_the_threshold_that_was_logged_with_its_last_prediction(log):
    for threshold, hour in ((700, 9), (500, 8)):
        with PredictionLogger(log.root / "spool", MODEL, "own", threshold=threshold) as logger:
            logger.log([0.6], [f"{END + timedelta(1)}T{hour:02}:00:00Z"])
    ingest(log, NOW + timedelta(hours=1), "test")
    found = from_log(log, MODEL, "own", HELD, HELD + timedelta(13), NOW, share=1)
    assert found.version.card["threshold"] == 700


def test_it_keeps_the_threshold_and_the_calibration_that_are_in_force(both, log):
    log.set_threshold(NOW, "ana", MODEL, "own", 1234, "fewer")
    stood = log.calibration(MODEL, "here")[1]
    log.add_calibration(NOW, "bob", MODEL, "own", stood, "by hand")
    adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, share=1)
    card = log.version(MODEL, "own").card
    assert log.threshold(MODEL, "own") == card["threshold"] == 1234
    assert not card["has_calibration"] and log.calibration(MODEL, "own")[0] == f"{MODEL}/own/1"
    assert (log.audit(f"{MODEL}/own").what == "threshold").sum() == 1


def test_without_its_file_it_is_whole_and_neither_scores_nor_is_promoted(both, log):
    found = adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, share=1)
    assert log.require_whole(MODEL, "own").path == ""
    for scores in (
        lambda: log.activate(NOW, "ana", MODEL, "own", "why not"),
        lambda: load_version(log, MODEL, "own"),
        lambda: found.version.score(both[2].head(3)),
    ):
        with pytest.raises(StoreError, match="adopted without a model file"):
            scores()
    assert log.active_version(MODEL) is None
    log.con.execute("DELETE FROM held_out_counts WHERE version = 'own'")
    with pytest.raises(StoreError, match="lacks held-out days"):
        log.require_whole(MODEL, "own")


def test_nothing_is_left_of_an_adoption_that_fails(log, monkeypatch):
    before = log._rows("SELECT count(*), max(seq) FROM audit"), log.known_batch()
    with monkeypatch.context() as broken:
        broken.setattr(type(log), "set_reference", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, share=1)
    assert (log._rows("SELECT count(*), max(seq) FROM audit"), log.known_batch()) == before
    assert list(log.versions(MODEL).version) == ["here"]
    adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, share=1)


def saved(tmp_path, name="model.json", frame=None, label=None, **parameters):
    "A model file as somebody else makes one."
    made = with_features()
    frame = made[["kind", "x"]].assign(kind=made.kind.astype("category"))
    options = {"objective": "binary:logistic", "tree_method": "hist"} | parameters
    booster = xgb.train(options, xgb.DMatrix(frame, made.label, enable_categorical=True), 9)
    booster.save_model(tmp_path / name)
    return tmp_path / name, booster.predict(xgb.DMatrix(frame, enable_categorical=True))


def test_a_file_with_names_and_categories_of_its_own_is_adopted(bench, tmp_path):
    "Its features stand in another order, and its categories are not sorted."
    made = with_features()
    frame = made[["kind", "x"]].assign(kind=pd.Categorical(made.kind, ["b", "a"]))
    matrix = xgb.DMatrix(frame, made.label, enable_categorical=True)
    booster = xgb.train({"objective": "binary:logistic"}, matrix, 9)
    booster.save_model(tmp_path / "m.ubj")
    with PredictionLogger(
        bench.data / "spool", MODEL, "own", threshold=0, flush_seconds=None
    ) as log:
        columns = made.assign(more=1.0)[["x", "more", "kind"]]
        log.log(booster.predict(matrix), made["at"], prediction_id=made.id, features=columns)
    bench.label(made, at="2026-03-19T00:00:00Z")
    bench.ingest(NOW)
    with bench.store() as store:
        found = adopt_days(
            store, NOW, "ana", MODEL, "own", *SPAN, tmp_path / "m.ubj", share=1
        ).version
        assert found.card["adopted"]["agrees"] == 1
        own = load_version(store, MODEL, "own")
        assert own.features == ["kind", "x"] and own.card["categories"] == {"kind": ["b", "a"]}
        assert np.allclose(own.score(columns), booster.predict(matrix))
        assert set(store.reference_counts(MODEL, "own")[1]) == {"kind", "x"}


def bad_files(tmp_path):
    "Model files that are refused, and what is said."
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n")
    yield tmp_path / "model.pkl", "A pickle is never read"
    (tmp_path / "junk.json").write_text("{}")
    yield tmp_path / "junk.json", "cannot be read by XGBoost"
    booster = xgb.train({}, xgb.DMatrix(np.eye(2), [0, 1]), 1)
    (tmp_path / "pickled.ubj").write_bytes(pickle.dumps(booster))
    yield tmp_path / "pickled.ubj", "pickled.ubj cannot be read by XGBoost"
    yield tmp_path / "none.ubj", "is not a file"
    yield saved(tmp_path)[0], r"scores \d+\.\d% of the logged rows .* 99% are needed. Check"
    yield saved(tmp_path, objective="reg:squarederror")[0], "only binary:logistic"
    other = xgb.train({}, xgb.DMatrix(np.eye(4), [0, 1, 0, 1], feature_names=list("wxyz")), 1)
    other.set_param({"objective": "binary:logistic"})
    other.save_model(tmp_path / "other.json")
    yield tmp_path / "other.json", "takes the feature 'w', which the rows do not have"
    plain = {"objective": "binary:logistic"}
    xgb.train(plain, xgb.DMatrix(np.eye(4), [0, 1, 0, 1]), 1).save_model(tmp_path / "plain.json")
    yield tmp_path / "plain.json", "names no features and takes 4; the rows have 2"
    coded = xgb.DMatrix(np.eye(2), [0, 1], feature_names=["x", "kind"])
    xgb.train(plain, coded, 1).save_model(tmp_path / "coded.json")
    yield tmp_path / "coded.json", "takes kind as a number, and the log has texts"


def test_a_file_that_is_not_the_models_is_refused_in_a_sentence(log, tmp_path):
    for file, says in bad_files(tmp_path):
        with pytest.raises(StoreError, match=says):
            adopt_days(log, NOW, "ana", MODEL, "own", *SPAN, file, share=1)
    assert list(log.versions(MODEL).version) == ["here"]


def test_days_that_are_no_reference_are_refused(both, log):
    refused = {
        ("own", HELD, FIRST): "ends before it begins",
        ("own", HELD, HELD + timedelta(20)): "choose at least 28",
        ("own", HELD, date(2027, 1, 1)): "is not over",
        ("other", HELD, END): "scored on 0 days",
        ("here", HELD, END): "scored on 0 days",
    }
    for (version, first, last), says in refused.items():
        with pytest.raises(StoreError, match=says):
            adopt_days(log, NOW, "ana", MODEL, version, first, last, share=1)
    with pytest.raises(StoreError, match="already has a version"):
        from_log(log, MODEL, "here", *SPAN, NOW)
    with pytest.raises(StoreError, match="the log has own then.* --reference-file"):
        from_log(log, MODEL, "other", *SPAN, NOW)


def test_days_without_both_labels_are_refused(bench):
    made = events(30, 5, start=date(2026, 2, 1))
    bench.log(made)
    bench.label(made.head(120), at="2026-03-10T00:00:00Z", label=np.ones(120, int))
    bench.ingest(NOW)
    with bench.store() as store, pytest.raises(StoreError, match="120 labelled events, 120 of"):
        from_log(store, MODEL, "v1", date(2026, 2, 1), date(2026, 3, 2), NOW, share=1)


LAST, NIGHT = START + timedelta(39), datetime(2026, 2, 10, 2, tzinfo=UTC)
ADOPT = ("models", "adopt", "--model", MODEL, "--version", "v1", "--from", str(START))
ADOPT += ("--to", str(LAST))


@pytest.mark.evidence
def test_labels_that_still_arrive_are_refused_or_remembered(bench, capsys):
    load(bench, world(60, days=40), NIGHT)
    assert main([*ADOPT, "--data", str(bench.data)]) == 1
    said = capsys.readouterr().err
    assert "labels still arrive" in said and "--allow-incomplete" in said
    assert main([*ADOPT, "--data", str(bench.data), "--allow-incomplete"]) == 0
    assert "all labelled rows are used though labels are not complete" in capsys.readouterr().out
    with open_snapshot(bench.data) as log:
        assert log.version(MODEL, "v1").card["incomplete_labels"]
        assert log.calibration(MODEL, "v1") is None  # nothing is promised by such labels
        assert "still arrive" in log.audit(f"{MODEL}/v1").query("what == 'registered'").why.iloc[0]


@pytest.mark.evidence
def test_days_whose_labels_are_not_in_are_left_out_of_its_figures(bench):
    load(bench, world(4, days=40), NIGHT)
    with bench.store() as store:
        found = from_log(store, MODEL, "v1", START, LAST, NIGHT, floor=9)
        assert "left out: " in found.told and max(found.held_out) == LAST - timedelta(8)
        counted = sum(c.total[1] for c in found.held_out.values())
        assert found.version.card["held_out_rows"] == counted
        assert len(found.version.reference.event_date.unique()) == 40  # features wait for none


def test_scores_alone_are_enough_for_all_but_features(bench):
    made = events(30, 20, start=date(2026, 2, 1))
    with PredictionLogger(
        bench.data / "spool", MODEL, "bare", threshold=0, flush_seconds=None
    ) as log:
        log.log(made.score, made["at"], prediction_id=made.id)
    bench.label(made, at="2026-03-10T00:00:00Z")
    bench.ingest(NOW)
    with bench.store() as store:
        span = (date(2026, 2, 1), date(2026, 3, 2))
        adopt_days(store, NOW, "ana", MODEL, "bare", *span, share=1)
        assert store.require_whole(MODEL, "bare").card["bins"] == {}
        assert store.calibration(MODEL, "bare") is not None


def test_a_pipeline_of_another_library_scores_by_a_function_of_its_owner(tmp_path):
    "Adopted without a file: the function is tried like one, decides and logs, and is not kept."
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    bench, made = Bench(tmp_path), events(DAYS, 25, start=FIRST, version="own")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(made[["x"]], made.label)

    def scores(frame):
        return pipeline.predict_proba(frame)[:, 1]

    bench.log(made.assign(score=scores(made[["x"]])), version="own")
    bench.label(made, at="2026-03-19T00:00:00Z")
    bench.ingest(NOW)
    with bench.store() as store:
        adopt_days(store, NOW, "ana", MODEL, "own", *SPAN)
        with pytest.raises(StoreError, match="adopted without a model file"):
            Scorer.in_force(store, MODEL, version="own")
        scorer = Scorer.in_force(store, MODEL, version="own", scores=scores)
        assert agreement(scorer.version, made[["x"]], Grid().quantise(scores(made[["x"]]))) == 1
        today = made.tail(30).assign(kind="b")
        with scorer.logger(bench.data / "spool", flush_seconds=None) as log:
            at = pd.Series(pd.Timestamp("2026-03-20T08:00Z"), index=today.index)
            told = scorer.score_and_log(today, log, at)
        assert np.allclose(told.score, scores(today[["x"]])) and len(set(told.ladder)) == 1
        whole = Scorer.in_force(store, MODEL, version="own", scores=pipeline.predict_proba)
        with pytest.raises(StoreError, match="one score for each row is needed"):
            whole.decide(today)
        with pytest.raises(StoreError, match="feature 'x' is missing"):
            scorer.decide(today.drop(columns="x"))
    bench.ingest(NOW + timedelta(1))
    with bench.store() as store:
        rows = store.rows(MODEL, NOW.date(), NOW.date(), version="own")
        assert len(rows) == 30 and set(rows.decided_by) == {"service"}
