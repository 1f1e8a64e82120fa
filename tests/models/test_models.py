from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import shap
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError
from aiops_wb.log.locks import training
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.challenge import challenge, check, last_challenge, plan
from aiops_wb.models.explain import alert_reasons, in_words, reasons
from aiops_wb.models.registry import load, register
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.training import train
from aiops_wb.stats.counts import total
from aiops_wb.stats.performance import roc_auc

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def rows(days=20, per_day=100, seed=0, start=date(2026, 2, 1)):
    "Training rows: x decides, noise does not, kind is a category, gaps are missing."
    frame = events(days, per_day, seed, start)
    rng = np.random.default_rng(seed)
    kind = pd.Series(rng.choice(["a", "b"], len(frame)))
    return pd.DataFrame(
        {
            "event_date": pd.to_datetime(frame.day),
            "label": frame.label.astype(float),
            "feature:x": frame.x.where(rng.random(len(frame)) > 0.1),
            "feature:noise": rng.normal(size=len(frame)),
            "feature:kind": kind,
        }
    )


@pytest.fixture(scope="module")
def trained():
    return train(rows(), MODEL, "v1", rounds=30)


def features(frame):
    return frame.filter(like="feature:").rename(columns=lambda c: c.removeprefix("feature:"))


def test_held_out_days_are_the_last_ones_and_unseen(trained):
    version, held = trained
    assert version.card["held_out_from"] == "2026-02-17"
    assert version.card["held_out_rows"] == 400 and version.card["rows"] == 1600
    assert [str(d) for d in held] == ["2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20"]
    assert total(held.values()).total[1] == 400 and 0.6 < roc_auc(total(held.values())).value < 0.9


def test_reproducible(trained):
    again, _ = train(rows(), MODEL, "v1", rounds=30)
    frame = features(rows(seed=5))
    assert np.array_equal(again.score(frame), trained[0].score(frame))


def test_scores_and_reasons_do_not_depend_on_threads(trained, monkeypatch):
    frame, said = features(rows(seed=5)), []
    for alone in (0, 10**9):
        monkeypatch.setattr("aiops_wb.models.version.ALONE", alone)
        said.append((trained[0].score(frame), trained[0].contributions(frame)))
    (score, pushes), (again, pushes_again) = said
    assert np.array_equal(score, again) and pushes.equals(pushes_again)


def test_a_loaded_version_serves_again_while_it_is_active(bench, trained):
    "Its file is not read another time, and no other version is taken for it."
    frame = rows(seed=5).head(20)
    with bench.store() as store:
        register(store, *trained, NOW, "ana")
        store.activate(NOW, "ana", MODEL, "v1", "first")
        first = Scorer.in_force(store, MODEL).version
        (store.root / store.version(MODEL, "v1").path).unlink()
        assert Scorer.in_force(store, MODEL, loaded=first).version is first
        why = alert_reasons(store, MODEL, "v1", frame, loaded=first)
        assert why.equals(reasons(first, features(frame)))
        register(store, *train(rows(seed=1), MODEL, "v2", rounds=3), NOW, "ana")
        store.activate(NOW, "ana", MODEL, "v2", "newer")
        assert Scorer.in_force(store, MODEL, loaded=first).version.version == "v2"
        with pytest.raises(StoreError, match="missing"):
            alert_reasons(store, MODEL, "v1", frame)


def test_registered_scores_are_the_trained_ones(bench, trained):
    frame = features(rows(seed=5))
    with bench.store() as store:
        register(store, *trained, NOW, "ana")
        assert store.active_version(MODEL) is None
        with pytest.raises(StoreError, match="no active version"):
            load(store, MODEL)
        store.activate(NOW, "ana", MODEL, "v1", "first")
        assert np.array_equal(load(store, MODEL).score(frame), trained[0].score(frame))
        with pytest.raises(StoreError, match="never replaced"):
            register(store, *trained, NOW, "ana")
        path = store.root / store.version(MODEL, "v1").path
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(StoreError, match="not the file that was registered"):
            load(store, MODEL)


def test_unseen_categories_are_missing_not_another_code(trained):
    frame = features(rows(seed=5)).head(5)
    assert np.array_equal(
        trained[0].score(frame.assign(kind="never seen")), trained[0].score(frame.assign(kind=None))
    )


def test_booleans_infinities_and_odd_names_train():
    made = rows()
    made = made.assign(
        **{
            "feature:flag": made.label.astype(bool),
            "feature:x[0] <b>": np.where(made.label == 1, np.inf, 1e300),
            "feature:bias": 1.0,
        }
    )
    version, held = train(made, MODEL, "v3", rounds=10)
    assert roc_auc(total(held.values())).value > 0.99
    assert version.card["bins"]["flag"] == {"cuts": [0.5]}
    assert len(reasons(version, features(made).head(3))) == 3


def test_scoring_nothing_and_without_a_feature(trained):
    assert trained[0].score(features(rows()).head(0)).shape == (0,)
    with pytest.raises(StoreError, match="'noise' is missing"):
        trained[0].score(features(rows()).drop(columns="noise"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.head(50), "too few"),
        (lambda r: r.assign(label=1.0), "only one label"),
        (lambda r: r.assign(label=np.nan), "too few"),
        (lambda r: r.assign(event_date=pd.Timestamp("2026-02-01")), "no labelled rows"),
        (lambda r: r[["label", "event_date"]], "0 features"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, says):
    with pytest.raises(StoreError, match=says):
        train(change(rows()), MODEL, "v1", rounds=5)


def test_contributions_equal_shap_and_close(trained):
    version, frame = trained[0], features(rows(seed=5)).head(200)
    frame = frame.assign(kind="a")
    ours = version.contributions(frame)
    margin = np.log(version.score(frame) / (1 - version.score(frame)))
    assert np.allclose(ours.sum(axis=1), margin, atol=1e-4)
    numeric, _ = train(rows().drop(columns="feature:kind"), MODEL, "v2", rounds=30)
    x = frame.drop(columns="kind")
    oracle = shap.TreeExplainer(numeric.booster)
    assert np.allclose(
        numeric.contributions(x).drop(columns="(bias)"),
        oracle.shap_values(x.astype(np.float32)),
        atol=1e-5,
    )


def test_reasons_are_the_largest_pushes_and_close(trained):
    version, frame = trained[0], features(rows(seed=5)).head(100)
    why = reasons(version, frame, top=2)
    pushes = version.contributions(frame).drop(columns="(bias)")
    first = pushes.max(axis=1)
    assert (why.reason_1.dropna() == pushes.idxmax(axis=1)[why.reason_1.notna()]).all()
    assert (
        np.allclose(why.push_1.dropna(), first[first > 0])
        and (why.reason_1.isna() == (first <= 0)).all()
    )
    assert np.allclose(
        why.filter(like="push_").sum(axis=1) + why.rest + why.bias, pushes.sum(axis=1) + why.bias
    )
    assert reasons(version, frame.head(0)).empty
    for _, row in why.iterrows():
        assert in_words(row, 2).endswith(")") or "nothing raised" in in_words(row, 2)


def test_a_logged_decision_can_be_replayed(bench, trained):
    frame = rows(seed=5)
    with bench.store() as store:
        register(store, *trained, NOW, "ana")
        store.activate(NOW, "ana", MODEL, "v1", "first")
        scorer = Scorer.in_force(store, MODEL)
        with scorer.logger(store.root / "spool") as log:
            made = scorer.score_and_log(
                features(frame),
                log,
                pd.Series(pd.Timestamp("2026-03-01T12:00:00Z")).repeat(len(frame)),
            )
    bench.ingest()
    with bench.store() as store:
        logged = (
            store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 1))
            .set_index("prediction_id")
            .loc[made.prediction_id]
        )
        key, calibration = store.calibration(MODEL, "v1")
        assert set(logged.calibration_id) == {key}
        again = [calibration.decide(points) for points in logged.points.tolist()]
    assert [d.route for d in again] == logged.route.tolist() == made.route.tolist()
    assert [d.automated for d in again] == logged.automated.tolist()
    assert (logged.latency_ms > 0).all()


def test_windows_of_a_challenge_do_not_touch():
    p = plan(date(2026, 6, 30))
    assert p.training[1] + timedelta(1) == p.comparison[0] and p.comparison[1] == date(2026, 6, 23)
    assert (p.comparison[1] - p.comparison[0]).days == 27
    assert (p.training[1] - p.training[0]).days == 89


def checked(store, now):
    "The safeguards of the model as seen at a time, by name."
    return {c.name: c for c in check(store, MODEL, date(2026, 4, 29), now, "high")}


def test_a_challenge_proposes_and_activates_nothing(bench, trained):
    "The world turns: what raised the risk lowers it now; a challenger that saw it wins every day."
    live = events(days=60, per_day=60, seed=9, start=date(2026, 3, 1))
    live = live.assign(label=1 - live.label, score=0.5)
    with bench.store() as store:
        register(store, *trained, NOW, "ana")
        store.activate(NOW, "ana", MODEL, "v1", "first")
    rng = np.random.default_rng(0)
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log(
            live.score,
            live["at"],
            prediction_id=live.id,
            features=pd.DataFrame({"x": live.x, "noise": rng.normal(size=len(live)), "kind": "a"}),
        )
    bench.label(live)
    later = datetime(2026, 5, 1, tzinfo=UTC)
    bench.ingest(later)
    with bench.store() as store:
        result = challenge(
            store, MODEL, date(2026, 4, 29), later, "ana", why="test", compare_days=14, rounds=30
        )
        assert (
            result.verdict.propose
            and result.verdict.days_won == 14
            and result.verdict.mean_difference < -0.1
        )
        assert store.active_version(MODEL) == "v1" and last_challenge(store, MODEL) == result
        assert last_challenge(store, MODEL, NOW) is None
        store.activate(later, "ana", MODEL, result.challenger, "accepted")
        with pytest.raises(StoreError, match="a fair comparison cannot start"):
            challenge(store, MODEL, date(2026, 4, 29), later, "ana", why="again")
        assert {name: c.passed for name, c in checked(store, later).items()} == {
            "flag": False,
            "severity": True,
            "cooldown": False,
            "samples": True,
            "no active job": True,
        }
        with training(store.root):
            assert not checked(store, later)["no active job"].passed
        store.record(later, "ana", "retrain", MODEL, "on", "spring")
        then = checked(store, later - timedelta(1))
        # as of the day before, neither the flag nor the challenger was there
        assert not then["flag"].passed and "2026-03-20" in then["cooldown"].reason
        assert checked(store, later)["flag"].passed
        assert store.roll_back(later, "ana", "model", MODEL, "it was worse") == "v1"
        assert store.active_version(MODEL) == "v1"
