from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import shap
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError
from aiops_wb.log.lease import training
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.challenge import challenge, check, plan
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
        head = store.audit_head()
        register(store, *trained, NOW, "ana")
        assert store.audit_head() == head, "the same once more: it is so already"
        card = trained[0].card | {"threshold": trained[0].threshold + 1}
        with pytest.raises(StoreError, match="never replaced"):
            register(store, replace(trained[0], card=card), trained[1], NOW, "ana")
        path = store.root / store.version(MODEL, "v1").path
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(StoreError, match="not the file that was registered"):
            load(store, MODEL)


NAMES = ["..", "../../../out", "V1", "v1", "caf\u00e9", "cafe\u0301", "CON", "x" * 80]


def test_a_version_of_any_name_has_a_file_of_its_own_in_the_folder(bench, trained):
    version, held = trained
    with bench.store() as store:
        for name in NAMES:
            register(store, replace(version, model=name, version=name), held, NOW, "ana")
        paths = [store.version(name, name).path for name in NAMES]
        assert len({path.lower() for path in paths}) == len(NAMES)
        for name, path in zip(NAMES, paths):
            assert (store.root / path).resolve().is_relative_to(store.root.resolve() / "models")
            assert load(store, name, name).version == name
    assert [path.name for path in bench.root.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["", "a\0", "x" * 81, "M\udcfc"])
def test_what_is_no_name_registers_nothing(bench, trained, name):
    version, held = trained
    with bench.store() as store:
        for told in ({"model": name}, {"version": name}):
            with pytest.raises(StoreError, match="no name|not valid text"):
                register(store, replace(version, **told), held, NOW, "ana")
        assert not (store.root / "models").exists() and store.models() == []


def test_a_version_that_an_earlier_release_registered_is_loaded_from_where_it_lies(
    bench, trained, monkeypatch
):
    version, held = trained
    with bench.store() as store:
        with monkeypatch.context() as before:
            before.setattr("aiops_wb.models.registry.file_name", lambda name: name)
            register(store, replace(version, version="V 1"), held, NOW, "ana")
        assert store.version(MODEL, "V 1").path == f"models/{MODEL}/V 1/model.ubj"
        assert load(store, MODEL, "V 1").version == "V 1"


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
    version, held = train(made, MODEL, "v3", rounds=10, allowed=("flag", "x[0] <b>"))
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
    harm = ["calibration (high)"]
    return {c.name: c for c in check(store, MODEL, date(2026, 4, 29), now, "high", harm)}


def test_a_challenger_goes_into_the_shadow_and_decides_nothing(bench, trained):
    "The world turns: what raised the risk lowers it now; a challenger that saw it loses less."
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
        pair = challenge(
            store, MODEL, date(2026, 4, 29), later, "ana", why="test", compare_days=28, rounds=30
        )
        assert (pair.champion, pair.challenger) == ("v1", "challenger-20260429")
        # the days that neither learned from are compared at once
        days, card = store.shadow_days(pair), store.version(MODEL, pair.challenger).card
        first = pd.Timestamp(card["held_out_from"])
        assert list(days.event_date) == list(pd.date_range(first, "2026-04-29")) and len(days) > 14
        assert (days.challenger_loss < days.champion_loss).mean() > 0.8
        assert store.active_version(MODEL) == "v1"
        assert store.challengers(MODEL) == [pair.challenger]
        store.activate(later, "ana", MODEL, pair.challenger, "accepted")
        assert store.challengers(MODEL) == []
        assert {name: c.passed for name, c in checked(store, later).items()} == {
            "flag": False,
            "severity": True,
            "cooldown": False,
            "samples": True,
            "no active job": True,
            "budget": True,
        }
        assert "1 of 12" in checked(store, later)["budget"].reason
        with training(store.root, "ana"):
            assert "by ana (process" in checked(store, later)["no active job"].reason
        store.let_retrain(later, "ana", MODEL, True, "spring")
        then = checked(store, later - timedelta(1))
        # as of the day before, neither the flag nor the challenger was there
        assert not then["flag"].passed and "2026-03-20" in then["cooldown"].reason
        assert checked(store, later)["flag"].passed
        store.let_retrain(later, "ana", MODEL, False, "asked us", tenant="default")
        left = checked(store, later)
        assert left["flag"].evidence["left_out"] == ("default",)
        assert left["samples"].evidence == {"labelled": 0, "positive": 0}
        store.stop_retraining(later, "ana", "a move")
        assert "stopped since 1 May 2026, by ana: a move" in checked(store, later)["flag"].reason
        with pytest.raises(StoreError, match="of every model is stopped since 1 May.*--resume-all"):
            challenge(store, MODEL, date(2026, 4, 29), later, "ana", why="x", allow_incomplete=True)
        assert store.roll_back(later, "ana", "model", MODEL, "it was worse") == "v1"
        assert store.active_version(MODEL) == "v1"


def leaky(**columns):
    made = rows()
    return made.assign(**{f"feature:{name}": values(made) for name, values in columns.items()})


LEAKS = {
    "the label": lambda made: made.label,
    "its opposite": lambda made: -made.label,
    "a word": lambda made: np.where(made.label == 1, "fraud", "fine"),
    "a truth": lambda made: made.label == 1,
    "a value at all": lambda made: np.where(made.label == 1, made["feature:noise"], np.nan),
    "in the middle": lambda made: np.where(made.label == 1, 0.0, np.sign(made["feature:noise"])),
    "a fine number": lambda made: made.label + made["feature:noise"] / 1000,
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_feature_that_alone_separates_the_labels_is_refused(leak):
    made = leaky(**{leak: LEAKS[leak]})
    with pytest.raises(StoreError, match=f"{leak} \\(ROC AUC .*--allow-feature '?{leak}"):
        train(made, MODEL, "v1", rounds=2)
    version, _ = train(made, MODEL, "v1", rounds=2, allowed={leak})
    assert leak in version.features


def test_few_labels_prove_no_leak():
    made = leaky(leak=LEAKS["the label"])
    held = made.event_date >= "2026-02-17"
    few = made[~held | (made.label == 1) | (made.label[held].eq(0).cumsum() <= 9)]
    assert "leak" in train(few, MODEL, "v1", rounds=2)[0].features


def test_an_allowed_feature_is_remembered(bench):
    with bench.store() as store:
        assert store.allowed_features(MODEL) == set()
        for _ in range(2):
            with store.transaction():
                store.allow_features(NOW, "ana", MODEL, {"a/b", "x"}, "known at the gate")
        assert store.allowed_features(MODEL) == {"a/b", "x"} and store.verify_audit() == 2
        assert store.allowed_features(MODEL[:-1]) == set()


SPELLINGS = [
    {"gate": "12", "on": "True", "x": "0.5", "day": "2026-01-02"},
    {"gate": 12, "on": True, "x": 0.5, "day": date(2026, 1, 2)},
    {"gate": 12.0, "on": 1, "x": " 5e-1", "day": pd.Timestamp("2026-01-02")},
    {"gate": "12.0", "on": "TRUE", "x": ".5", "day": "2026-01-02 00:00:00"},
    {"gate": np.int64(12), "on": "1", "x": np.float64(0.5), "day": "2026-01-02"},
]


def test_the_same_event_has_the_same_score_however_it_is_spelt():
    made = rows()
    rng = np.random.default_rng(1)
    n = len(made)
    gate, on = rng.choice(["12", "007", "A3"], n), rng.random(n) < 0.5
    moved = 1 / (1 + np.exp(-2 * ((gate == "12") - on * 1.0 + made["feature:x"].fillna(0))))
    made["label"] = (rng.random(n) < moved).astype(float)
    made["feature:gate"], made["feature:on"] = gate, on
    made["feature:day"] = rng.choice(["2026-01-02", "2026-01-03"], n)
    kinds = {"gate": "text", "on": "boolean", "day": "text"}
    version, _ = train(made, MODEL, "v1", rounds=20, kinds=kinds)
    rest = {"noise": 0.1, "kind": "a"}
    scores = {version.score(pd.DataFrame([rest | event]))[0] for event in SPELLINGS}
    assert len(scores) == 1
    for change in ({"gate": "007"}, {"gate": None}, {"on": "false"}, {"x": "0,5"}):
        assert version.score(pd.DataFrame([rest | SPELLINGS[0] | change]))[0] not in scores


def test_a_time_is_scored_as_the_seconds_it_was_trained_on():
    made = rows()
    seconds = pd.Series(np.random.default_rng(2).integers(1_700_000_000, 1_800_000_000, len(made)))
    made["label"] = (seconds % 2 == 0).astype(float)
    made["feature:since"] = seconds.astype(float)
    version, _ = train(made, MODEL, "v1", rounds=5, kinds={"since": "time"})
    rest = {"x": 0.5, "noise": 0.1, "kind": "a"}
    spelt = ["2026-01-02T00:00:00Z", pd.Timestamp("2026-01-02", tz="UTC"), 1767312000]
    codes = [
        version.matrix(pd.DataFrame([rest | {"since": at}])).get_data().toarray()[0, 3]
        for at in spelt
    ]
    assert codes == [np.float32(1767312000)] * 3
    missing = pd.DataFrame([rest | {"since": pd.NaT}, rest | {"since": "soon"}])
    assert version.matrix(missing).num_nonmissing() == 6


def test_a_trained_version_fixes_what_its_features_are(bench, trained):
    with bench.store() as store:
        register(store, *trained, NOW, "ana")
        assert store.fixed_kinds(MODEL) == {"x": "number", "noise": "number", "kind": "text"}
        assert store.audit(f"{MODEL}/kind").why.tolist() == ["version v1 was trained on it"]


def test_a_version_that_cannot_be_calibrated_is_not_registered(bench, trained):
    "Of the held-out days, those that a calibration looks at hold too few labels."
    version, held = trained
    with bench.store() as store:
        with pytest.raises(StoreError, match="cannot be calibrated.*nothing was registered"):
            register(store, version, {max(held): held[max(held)]}, NOW, "ana", min_samples=10_000)
        assert store.versions(MODEL).empty and store.audit().empty
        assert store.frame("SELECT * FROM held_out_counts").empty
        register(store, version, held, NOW, "ana")
        assert load(store, MODEL, "v1").version == "v1"


@pytest.mark.parametrize(
    "moment", ["add_version", "add_held_out", "add_reference", "add_calibration", "record"]
)
def test_a_registration_that_is_stopped_leaves_nothing(bench, trained, monkeypatch, moment):
    with bench.store() as store:
        with monkeypatch.context() as broken:
            real = getattr(store, moment)

            def stops(*arguments, **options):
                real(*arguments, **options)
                raise KeyboardInterrupt

            broken.setattr(store, moment, stops)
            with pytest.raises(KeyboardInterrupt):
                register(store, *trained, NOW, "ana")
        for table in ("models", "held_out_counts", "reference_counts", "calibrations", "audit"):
            assert store.frame(f"SELECT * FROM {table}").empty, table
        register(store, *trained, NOW, "ana")  # what is left of the file is not in the way
        store.activate(NOW, "ana", MODEL, "v1", "whole")


@pytest.mark.parametrize("lost", ["held_out_counts", "reference_counts", "calibrations", "file"])
def test_a_version_that_is_not_whole_is_not_activated(bench, trained, lost):
    with bench.store() as store:
        registered = register(store, *trained, NOW, "ana")
        if lost == "file":
            (bench.data / store.version(MODEL, "v1").path).write_bytes(b"another")
        elif lost == "held_out_counts":
            store.con.execute("DELETE FROM held_out_counts WHERE event_date > '2026-02-17'")
        else:
            store.con.execute(f"DELETE FROM {lost}")
        with pytest.raises(StoreError, match="is not whole: it lacks .*Train it again"):
            store.activate(NOW, "ana", MODEL, "v1", "half")
        assert store.active_version(MODEL) is None and registered.version == "v1"


def test_a_challenger_is_in_the_shadow_or_is_not_there(bench, monkeypatch):
    champion = rows(days=20, start=date(2026, 1, 1))
    with bench.store() as store:
        register(store, *train(champion, MODEL, "v1", rounds=5), NOW, "ana")
        store.activate(NOW, "ana", MODEL, "v1", "first")
        later = rows(days=60, start=date(2026, 1, 1)).assign(tenant="default")
        monkeypatch.setattr(store, "rows", lambda *a, **k: later)
        monkeypatch.setattr(store, "known_labels", lambda *a: (len(later), int(later.label.sum())))
        stopped = lambda *a: (_ for _ in ()).throw(KeyboardInterrupt)
        monkeypatch.setattr(store, "shadow", stopped)
        with pytest.raises(KeyboardInterrupt):
            challenge(store, MODEL, date(2026, 3, 20), NOW, "ana", why="w", rounds=5)
        assert list(store.versions(MODEL).version) == ["v1"]
