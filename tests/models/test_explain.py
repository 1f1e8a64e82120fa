"""Contributions, reasons in a few bytes, what stands beside a day, and exact differences."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain, combinations
from math import factorial, sqrt

import numpy as np
import pandas as pd
import pytest
import shap
import xgboost as xgb
from conftest import MODEL
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log import reason_files
from aiops_wb.log.errors import StoreError
from aiops_wb.log.feature_names import FeatureName
from aiops_wb.log.reason_files import OfDay
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.differences import (
    _difference,
    _Sums,
    explain_models,
    explain_shift,
    explain_width,
)
from aiops_wb.models.explain import (
    contribution_batches,
    contributions,
    decoded,
    faithfulness,
    in_words,
    margin_without,
    nearest,
    reason_codes,
    reasons,
    usual_values,
)
from aiops_wb.models.kept_reasons import keep_reasons, kept_reasons, read_kept
from aiops_wb.models.precedents import Precedent, in_short, precedents
from aiops_wb.models.registry import load, register
from aiops_wb.models.shift_of_log import logged_models, logged_shift, shift_or_why
from aiops_wb.models.three_cases import Case, Step
from aiops_wb.models.training import train
from aiops_wb.models.version import ModelVersion, feature_columns
from aiops_wb.render.table import CSV, ROWS, Whole
from aiops_wb.render.tables import Waterfall, shift_table
from aiops_wb.watch.explained_event import explained_event
from aiops_wb.watch.headlines import reasons_headline

FEATURES = ["x", "noise", "kind"]
DAY = date(2026, 3, 5)
NOW = datetime(2026, 3, 20, tzinfo=UTC)


@cache
def random_version(seed, depth=4, rounds=6, n=300):
    "A version of random trees over numbers with gaps and a category, and events."
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "noise": rng.integers(0, 5, n).astype(float),
            "kind": rng.choice(["a", "b", "c", None], n),
        }
    )
    card = {"features": FEATURES, "categories": {"kind": ["a", "b", "c"]}, "kinds": {}}
    version = ModelVersion("m", f"v{seed}", None, card)
    matrix = version.matrix(frame)
    matrix.set_label((rng.random(n) < 0.3 + 0.4 * (frame.kind == "a")).astype(int))
    told = {"objective": "binary:logistic", "max_depth": depth, "seed": seed, "eta": 0.7}
    booster = xgb.train(told | {"max_cat_to_onehot": 2, "base_score": 0.3}, matrix, rounds)
    return ModelVersion("m", f"v{seed}", booster, card), frame


def expected(tree, row, known):
    "What a tree says of a row of which only some features are known (by covers), exactly."

    def value(node):
        if "leaf" in node:
            return node["leaf"]
        children = {child["nodeid"]: child for child in node["children"]}
        feature = int(node["split"][1:])
        if feature in known:
            return value(children[_way(node, row[feature])])
        return sum(c["cover"] * value(c) for c in children.values()) / node["cover"]

    return value(tree)


def _way(node, x):
    "Which child a value goes to."
    if np.isnan(x):
        return node["missing"]
    right = node["split_condition"]
    if isinstance(right, list):
        return node["yes"] if int(x) in right else node["no"]
    return node["yes"] if np.float32(x) < np.float32(right) else node["no"]


def brute_force(version, row):
    "Shapley values of a row by all subsets of the features."
    trees = [json.loads(t) for t in version.booster.get_dump(dump_format="json", with_stats=True)]
    n, values = len(row), np.zeros(len(row))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for known in chain(*(combinations(others, k) for k in range(n))):
            weight = factorial(len(known)) * factorial(n - len(known) - 1) / factorial(n)
            gain = sum(expected(t, row, {*known, i}) - expected(t, row, {*known}) for t in trees)
            values[i] += weight * gain
    return values


def as_matrix(version, frame):
    return version.matrix(frame).get_data().toarray()


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=12)
def test_contributions_are_those_of_shap_and_add_up_to_the_margin(seed, depth):
    version, frame = random_version(seed, depth)
    frame = frame.head(60)
    ours = contributions(version, frame, batch=17)
    oracle = shap.TreeExplainer(version.booster).shap_values(version.matrix(frame))
    assert np.allclose(ours.drop(columns="(bias)"), oracle[:, : len(FEATURES)], rtol=0, atol=1e-6)
    margin = version.booster.predict(version.matrix(frame), output_margin=True)
    assert np.allclose(ours.sum(axis=1), margin, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_contributions_are_the_shapley_values_of_all_subsets(seed):
    "shap asks XGBoost itself: here every subset of the features is gone through."
    version, frame = random_version(seed, depth=3, rounds=3)
    numbers = np.column_stack(
        [frame.x, frame.noise, frame.kind.map({"a": 0, "b": 1, "c": 2}).astype(float)]
    ).astype(np.float32)
    ours = contributions(version, frame.head(15)).drop(columns="(bias)").to_numpy()
    assert np.allclose(ours, [brute_force(version, row) for row in numbers[:15]], atol=1e-5)


def test_batches_tell_how_far_they_are_and_hold_no_more_than_one():
    version, frame = random_version(1)
    told = []
    sizes = [len(p) for p in contribution_batches(version, frame, 128, lambda *t: told.append(t))]
    assert sizes == [128, 128, 44] and told == [(128, 300), (256, 300), (300, 300)]


@pytest.mark.parametrize("method", ["saabas", "approximate", "kernel", "interventional", "gain"])
def test_other_methods_are_refused_by_their_names(method):
    version, frame = random_version(1)
    with pytest.raises(StoreError, match=f"'{method}' are not given: it.*'treeshap'"):
        contributions(version, frame, method)


def test_a_version_without_a_file_says_so_whatever_is_asked():
    known, frame = random_version(1)
    version = ModelVersion("m", "elsewhere", None, known.card)
    for asked in (contributions, reasons):
        with pytest.raises(StoreError, match="m elsewhere was adopted without a model file"):
            asked(version, frame)


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=12)
def test_codes_add_up_to_the_rounded_margin_and_are_the_strongest(seed, top):
    version, frame = random_version(seed)
    pushes = contributions(version, frame)
    codes = reason_codes(pushes, top)
    assert np.array_equal(codes.points, np.rint(1000 * pushes.sum(axis=1)))
    exact = pushes.drop(columns="(bias)").to_numpy()
    for place, push, row in zip(codes.place, codes.push, exact):
        raised = sorted(np.flatnonzero(row > 0), key=lambda i: -row[i])
        lowered = sorted(np.flatnonzero(row < 0), key=lambda i: row[i])
        order = [*raised, *lowered][:top]
        assert list(place[: len(order)]) == order and (place[len(order) :] == -1).all()
        assert np.abs(push[: len(order)] / 1000 - row[order]).max(initial=0) <= 0.005 + 1e-9
    told = decoded(codes, version.features, frame, top)
    exact = reasons(version, frame, top, lowering=True)
    assert told.filter(like="reason_").equals(exact.filter(like="reason_"))
    if top < 4:  # values are those of the events
        assert told.filter(like="value_").astype(object).equals(exact.filter(like="value_"))


def test_words_use_the_names_that_people_gave():
    row = {"reason_1": "x", "value_1": 3.0, "push_1": 1.0, "reason_2": "kind", "value_2": None}
    row |= {"push_2": -1.0, "reason_3": None, "value_3": None, "push_3": np.nan}
    named = {"x": FeatureName("distance", "m"), "kind": FeatureName("gate", "no unit")}
    assert in_words(row, names=named) == "distance = 3 m (odds ×2.7); gate = missing (odds ×0.37)"


def test_a_feature_is_replaced_by_what_it_usually_was():
    version, frame = random_version(2)
    values, weights = [0.0, 2.0, np.nan], np.array([0.5, 0.3, 0.2])
    each = [version.margin(frame.assign(noise=v)) for v in values]
    ours = margin_without(version, frame, "noise", values, weights)
    assert np.allclose(ours, np.average(each, axis=0, weights=weights), atol=1e-6)


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=40, unique=True).map(sorted),
    st.data(),
)
def test_values_of_bins_lie_in_their_bins(cuts, data):
    bins = data.draw(st.lists(st.integers(-1, len(cuts)), min_size=1, unique=True))
    n = data.draw(st.lists(st.integers(1, 9), min_size=len(bins), max_size=len(bins)))
    values, weights = usual_values({"cuts": [float(c) for c in cuts]}, bins, n, most=1000)
    placed = [-1 if np.isnan(v) else int(np.searchsorted(cuts, v, side="right")) for v in values]
    assert placed == sorted(bins) and np.isclose(weights.sum(), 1)
    assert np.allclose(weights, np.array([n[bins.index(b)] for b in placed]) / sum(n))


def test_without_its_first_reason_a_score_falls():
    version, frame = random_version(3)
    seen = pd.DataFrame({"feature": ["kind"] * 3, "bin": [0, 1, 2], "n": [1, 5, 4]})
    version.card["bins"] = {"kind": {"categories": ["a", "b", "c"]}}
    called = frame[frame.kind == "a"]
    why = reasons(version, called, 1)
    told = faithfulness(version, called, why, seen, threshold=0, top=1)
    removed = called[why.reason_1 == "kind"]
    after = [
        version.margin(removed.assign(kind=k)) * w for k, w in (("a", 0.1), ("b", 0.5), ("c", 0.4))
    ]
    drop = (version.margin(removed) - np.sum(after, axis=0)).mean()
    assert told.alerts[0] == len(removed) > 10 and told["drop"][0] == pytest.approx(drop, abs=1e-5)
    assert told["drop"][0] > 0


def test_reasons_that_a_model_of_few_features_cannot_have_are_none():
    "A page of a model of two features failed: it has no third reason to take away."
    version, frame = random_version(3)
    asked, kept = reasons(version, frame, 5), reason_codes(contributions(version, frame), 5)
    for told in (asked, decoded(kept, version.features, frame, 5)):
        assert [c for c in told if c.startswith("reason")] == [f"reason_{k}" for k in range(1, 6)]
        assert told[["reason_4", "value_4", "push_4", "reason_5"]].isna().all(axis=None)
    seen = pd.DataFrame({"feature": ["kind"] * 3, "bin": [0, 1, 2], "n": [1, 5, 4]})
    version.card["bins"] = {"kind": {"categories": ["a", "b", "c"]}}
    removed = faithfulness(version, frame, asked, seen, threshold=0, top=5)
    assert list(removed.alerts[3:]) == [0, 0] and (removed.alerts[:3] > 0).all()


def test_scores_that_the_file_does_not_give_are_said_and_not_explained_away():
    "Reasons add up to what the file says: of a score from elsewhere they are no reasons."
    version, frame = random_version(3)
    why, logged = reasons(version, frame), pd.Series(version.score(frame).astype(float))
    agreed = reasons_headline(why, len(why), len(why), logged)
    assert agreed == reasons_headline(why, len(why), len(why)) and agreed.state == "ok"
    logged[:7] += np.where(logged[:7] < 0.5, 0.0011, -0.0011)
    told = reasons_headline(why, len(why), len(why), logged)
    assert told.state == "look" and told.says == (
        f"7 of {len(why)} alerts were logged with another score than the version's file gives "
        "their features: what follows explains the file."
    )
    logged = pd.Series(version.score(frame).astype(float)) + 0.0009
    assert reasons_headline(why, len(why), len(why), logged) == agreed, "rounded to three digits"
    at = Case("The alert", "guard", 0.25, 0.0, (Step("x = 1", -1.0986),), -1.0986, 0.0)
    off = at._replace(score=0.951)
    assert not at.apart and off.apart and off.by_file == pytest.approx(0.25, abs=1e-5)
    assert off.says().startswith("The alert: guard scored 0.951. The version's file gives these f")
    ends = [Waterfall.of(case).frame.iloc[-1].tolist() for case in (at, off)]
    assert ends == [["score 0.250", "-1.10"], ["by its file 0.250", "-1.10"]]


def test_the_nearest_are_those_of_a_full_search():
    rng = np.random.default_rng(0)
    past, pushes = rng.normal(size=(50, 3)), rng.normal(size=(7, 3))
    past[10] = past[40]  # of equally near ones the newer comes first
    places, far = nearest(np.vstack([pushes, past[40]]), past, 5)
    full = np.linalg.norm(past[None] - np.vstack([pushes, past[40]])[:, None], axis=2)
    assert np.allclose(far, np.sort(full, axis=1)[:, :5])
    assert np.allclose(np.take_along_axis(full, places, axis=1), far)
    assert list(places[-1][:2]) == [40, 10] and nearest(pushes, past[:2], 5)[0].shape == (7, 2)


def live(bench, days=12, per_day=80):
    "A log with a registered version, its scores over some days, and labels of all but the last."
    rng = np.random.default_rng(0)
    n = days * per_day
    frame = pd.DataFrame({"x": rng.normal(size=n), "noise": rng.normal(size=n)})
    frame["kind"] = rng.choice(["a", "b"], n)
    day = np.repeat([date(2026, 2, 22) + timedelta(i) for i in range(days)], per_day)
    label = (rng.random(n) < 1 / (1 + np.exp(-3 * frame.x))).astype(float)
    rows = frame.add_prefix("feature:").assign(label=label, event_date=pd.to_datetime(day))
    version, held = train(rows, MODEL, "v1", rounds=20)
    at = pd.to_datetime(day).tz_localize("UTC") + pd.Timedelta(hours=9)
    ids = [f"{d}-{i:04d}" for i, d in enumerate(day)]
    with bench.store() as store:
        register(store, version, held, datetime(2026, 2, 1, tzinfo=UTC), "ana")
        store.activate(datetime(2026, 2, 1, tzinfo=UTC), "ana", MODEL, "v1", "first")
    score = version.score(frame)
    route = np.where(score >= 0.7, "alert", "monitor")
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=400) as log:
        log.log(score, at, prediction_id=ids, entity_id=[f"e{i % 9}" for i in range(n)],
                features=frame, route=route, risk_level=np.where(score >= 0.7, "HIGH", "LOW"),
                automated=False)  # fmt: skip
    told = pd.DataFrame({"id": ids, "label": label, "at": at})
    bench.label(told[day < DAY], at="2026-03-05T08:00:00Z")
    bench.ingest(datetime(2026, 3, 6, tzinfo=UTC))
    return version


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    from conftest import Bench

    bench = Bench(tmp_path_factory.mktemp("lived"))
    return bench, live(bench)


@pytest.fixture
def log(lived, tmp_path):
    return lived[0].copy_to(tmp_path)


OF = OfDay(MODEL, "v1", DAY)


def alerts_of(store, day=DAY, points=400):
    rows = store.rows(MODEL, day, day, where=f"points >= {points}")
    return rows.sort_values(["points", "prediction_id"], ascending=[False, True])


def test_every_alert_of_a_day_has_reasons_that_are_made_once(log):
    with log.store() as store:
        kept = keep_reasons(store, OF, 400)
        alerts = alerts_of(store)
        assert kept.ids == list(alerts.prediction_id) and len(kept.ids) > 20
        assert kept.agreeing == len(kept.ids)
        path = OF.path(store.root, "reasons")
        made = path.stat().st_mtime_ns, path.read_bytes()
        assert keep_reasons(store, OF, 400).ids == keep_reasons(store, OF, 900).ids == kept.ids
        assert (path.stat().st_mtime_ns, path.read_bytes()) == made
        version = load(store, MODEL, "v1")
        exact = reasons(version, feature_columns(alerts), lowering=True)
        for mixed in (alerts, alerts.sample(frac=0.5, random_state=1)):
            read = kept_reasons(store, OF, mixed)
            assert (read.reason_1 == exact.reason_1[mixed.index]).all()
            pushes = [f"push_{k}" for k in (1, 2, 3)]
            assert np.allclose(read[pushes], exact.loc[mixed.index, pushes], atol=0.0051)
            total = read[pushes].sum(axis=1) + read.rest + read.bias
            assert np.allclose(1000 * total, mixed.points, atol=2)
        lower = keep_reasons(store, OF, 0)
        assert lower.ids == list(alerts_of(store, points=0).prediction_id)
        assert kept_reasons(store, OF, alerts).equals(read_again := kept_reasons(store, OF, alerts))
        assert len(read_again) == len(alerts)


def test_what_was_stopped_or_spoilt_is_made_again(log, monkeypatch):
    with log.store() as store:
        calm = keep_reasons(store, OF, 400)
        path = OF.path(store.root, "reasons")
        whole = path.read_bytes()
        for spoilt in (b"", whole[: len(whole) // 2]):
            path.write_bytes(spoilt)
            assert read_kept(store, OF) is None
            assert keep_reasons(store, OF, 400).ids == calm.ids and path.read_bytes() == whole
        path.unlink()
        steps = []

        def stopped(*_):
            steps.append(1)
            if len(steps) == 3:  # between the contributions and the reasons
                raise KeyboardInterrupt
            return fsync(*_)

        fsync = reason_files.fsync
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(reason_files, "fsync", stopped)
            keep_reasons(store, OF, 400)
        assert not path.exists() and not list(path.parent.glob(".*"))
        assert keep_reasons(store, OF, 400).ids == calm.ids and path.read_bytes() == whole
        # events that came later are alerts, too
        frame = pd.DataFrame({"x": [3.0], "noise": [0.0], "kind": ["a"]})
        with PredictionLogger(log.data / "spool", MODEL, "v1", threshold=400) as out:
            at = datetime(2026, 3, 5, 12, tzinfo=UTC)
            out.log([0.99], at, prediction_id=["late"], features=frame)
    log.ingest(NOW)
    with log.store() as store:
        assert read_kept(store, OF).ids == calm.ids
        assert set(keep_reasons(store, OF, 400).ids) == {*calm.ids, "late"}


@pytest.mark.parametrize("logged", [None, ["x"]])
def test_events_without_the_features_that_scored_them_are_explained_and_told_of(log, logged):
    "Features are optional in a log: a page of reasons that fails every morning helps nobody."
    day = DAY + timedelta(1)
    with PredictionLogger(log.data / "spool", MODEL, "v1", threshold=400) as out:
        at = datetime(2026, 3, 6, 12, tzinfo=UTC)
        frame = pd.DataFrame({"x": [2.0, 3.0], "noise": [0.0, 1.0]})
        features = None if logged is None else frame[logged]
        out.log(
            [0.99, 0.98], [at] * 2, prediction_id=["n1", "n2"], route="alert", features=features
        )
    log.ingest(NOW)
    with log.store() as store:
        of, alerts = OF._replace(day=day), alerts_of(store, day)
        kept = keep_reasons(store, of, 400)
        assert kept.ids == ["n1", "n2"] and kept.agreeing == 0
        told, version = kept_reasons(store, of, alerts), load(store, MODEL, "v1")
        missing = frame.assign(kind=None).reindex(columns=FEATURES)
        missing = missing.where([[f in (logged or ()) for f in FEATURES]] * 2)
        exact = reasons(version, missing, lowering=True)
        assert np.allclose(told.push_1, exact.push_1, atol=0.0051)
        assert reasons_headline(told, 2, 2, alerts.score).state == "look"
        assert explained_event(store, "n1", Settings())["prediction_id"] == "n1"


def test_a_row_of_reasons_takes_at_most_nine_bytes(log):
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(1000, 20)) * rng.gamma(1, 0.7, size=20)
    pushes = pd.DataFrame(exact, columns=[f"f{i}" for i in range(20)]).assign(**{"(bias)": -2.0})
    with log.store() as store:
        ids = [f"id-{i}" for i in range(1000)]
        about = {"threshold": 400, "batch": 1, "ids": 1, "agreeing": 1000}
        codes, full = reason_codes(pushes), pushes.drop(columns="(bias)")
        path = reason_files.write_codes(store.con, store.root, OF, codes, about, ids, full)
        read, told = reason_files.read_codes(store, OF)
    assert path.stat().st_size <= 9 * 1000 and told["features"] == list(full)
    assert all(np.array_equal(a, b) for a, b in zip(read, codes))


def test_past_cases_are_labelled_ones_as_they_were_known(log):
    with log.store() as store:
        for back in range(1, 8):
            keep_reasons(store, OF._replace(day=DAY - timedelta(back)), 400)
        version, alerts = load(store, MODEL, "v1"), alerts_of(store)
        pushes = contributions(version, feature_columns(alerts)).drop(columns="(bias)")
        near = precedents(store, MODEL, "v1", pushes, DAY)
        days = [DAY - timedelta(back) for back in range(7, 0, -1)]
        past = pd.concat([alerts_of(store, day) for day in days], ignore_index=True)
        theirs = contributions(version, feature_columns(past)).drop(columns="(bias)")
        far = np.linalg.norm(theirs.to_numpy()[None] - pushes.to_numpy()[:, None], axis=2)
        found = [[one.distance for one in some] for some in near]
        assert np.allclose(found, np.sort(far, axis=1)[:, :5], atol=0.003)
        labels = dict(zip(past.prediction_id, past.label))
        assert all(labels[one.prediction_id] == one.positive for some in near for one in some)
        assert "nearest were positive (e" in in_short(near[0])
        before = datetime(2026, 3, 1, tzinfo=UTC)  # no label was known
        assert precedents(store, MODEL, "v1", pushes, DAY, before) == [[]] * len(pushes)
        assert in_short([]) == ""


def test_what_became_of_one_case_and_of_two_is_told_in_a_sentence():
    one, two = (Precedent(f"p{i}", DAY, None, i == 1, 0.1) for i in (1, 2))
    begin, day = "Of past alerts that were scored alike", f"on {DAY}"
    assert in_short([one]) == f"{begin} the one nearest was positive (p1 {day}: positive)"
    assert in_short([two]) == f"{begin} the one nearest was negative (p2 {day}: negative)"
    both = f"(p1 {day}: positive; p2 {day}: negative)"
    assert in_short([one, two]) == f"{begin} 1 of the 2 nearest were positive {both}"


def test_a_ticket_names_reasons_and_what_became_of_cases_like_it(log):
    from aiops_wb.config import Settings
    from aiops_wb.watch.cases import open_cases

    with log.store() as store:
        for back in range(1, 8):
            keep_reasons(store, OF._replace(day=DAY - timedelta(back)), 400)
        store.name_feature(NOW, "ana", MODEL, "x", "excess", "m", "asked for")
        open_cases(store, datetime(2026, 3, 6, tzinfo=UTC), Settings())
        cases = store.cases()
        newest = cases[cases.event_date == pd.Timestamp(DAY)]
        assert len(newest) and newest.text.str.contains("excess = .* m \\(odds").all()
        assert newest.text.str.contains("Of past alerts that were scored alike").all()


def test_a_name_for_a_feature_has_at_most_sixty_characters(log):
    with log.store() as store:
        fits = store.name_feature(NOW, "ana", MODEL, "x", f" {'n' * 60} ", None, "asked for")
        assert fits.name == "n" * 60
        for told in ({"name": "n" * 61, "unit": None}, {"name": None, "unit": "u" * 61}):
            with pytest.raises(StoreError, match="at most 60 characters in one line are"):
                store.name_feature(NOW, "ana", MODEL, "x", **told, why="asked for")
        assert store.feature_names(MODEL)["x"] == fits


def test_a_feature_gets_a_name_and_an_event_is_explained_by_its_id(log, capsys):
    with log.store() as store:
        riskiest = alerts_of(store).iloc[0]
        store.publish(2)
    data = ["--data", str(log.data)]
    named = ["features", "set", MODEL, "x", "--name", "excess", "--unit", "m", *data]
    assert main(named) == 1 and "--why" in capsys.readouterr().err
    assert main([*named, "--why", "people ask"]) == 0
    assert "x of late is called excess, in m" in capsys.readouterr().out
    assert main(["features", "set", MODEL, "x", "--why", "w", *data]) == 1
    assert "give a KIND, --name or --unit" in capsys.readouterr().err
    assert main(["features", "set", MODEL, "x", "--name", "a\nb", "--why", "w", *data]) == 1
    assert "no name or unit" in capsys.readouterr().err
    assert main(["features", "list", "--json", *data]) == 0
    listed = {f["feature"]: f for f in json.loads(capsys.readouterr().out)}
    assert (listed["x"]["name"], listed["x"]["unit"]) == ("excess", "m")
    assert main(["explain", "--id", riskiest.prediction_id, *data]) == 0
    told = capsys.readouterr().out
    assert "excess = " in told and "in all, as it was logged" in told and "not known yet" in told
    assert main(["explain", "--id", riskiest.prediction_id, "--json", *data]) == 0
    told = json.loads(capsys.readouterr().out)
    total = told["start"] + sum(f["push"] for f in told["features"])
    assert total == pytest.approx(told["log_odds"], abs=1e-5)
    assert 1000 * total == pytest.approx(riskiest.points, abs=2)
    for wrong, why in ((["--id", "nobody"], "no prediction with the id 'nobody'"),
                       (["--id", "a", "--model", "m"], "'m' is not known")):  # fmt: skip
        assert main(["explain", *wrong, *data]) == 1 and why in capsys.readouterr().err
    for top in ("inf", "nan", "-1", "2.7"):
        assert main(["explain", "--id", riskiest.prediction_id, "--top", top, *data]) == 2
        assert "--top" in capsys.readouterr().err
    with log.store() as store:
        assert store.verify_audit() > 0
        assert store.feature_names(MODEL, datetime(2026, 1, 1, tzinfo=UTC)) == {}
        again = store.name_feature(NOW, "ana", MODEL, "x", "", None, "no longer")
        assert again == FeatureName("x", "m")


def test_a_log_tells_what_moved_its_scores_and_where_versions_part(log, capsys):
    with log.store() as store:
        told = logged_shift(store, MODEL, "v1", DAY)
        assert str(told) == str(logged_shift(store, MODEL, "v1", DAY))
        assert abs(told.residual) < 1e-6 and told.days == (12, 7) and told.rows == (960, 560)
        drawn = logged_shift(store, MODEL, "v1", DAY, most=100)
        assert 50 < drawn.rows[0] < 150 and 50 < drawn.rows[1] < 150
        assert shift_table(told).frame.iloc[-1].feature == "residual"
        why = shift_or_why(store, MODEL, "v1", date(2027, 1, 1))
        assert "has no rows of late" in why and why in shift_table(why).frame.iloc[0, 0]
        rows = store.rows(MODEL, date(2026, 2, 22), DAY).rename(columns={"label": "known"})
        chance = np.random.default_rng(1).normal(0, 0.5, len(rows))
        label = (rows["feature:noise"] + chance > 0).astype(float)  # it looks at something else
        register(store, *train(rows.assign(label=label), MODEL, "v2", rounds=20), NOW, "ana")
        apart = logged_models(store, MODEL, ("v1", "v2"), DAY)
        assert apart.everywhere.rows[1] == 560 and apart.called_now.first == "noise"
        assert apart.called_before.first == "x" and apart.reasons_changed > 0.5
        store.publish(2)
    words = ["models", "compare", MODEL, "v1", "v2", "--decisions", "--data", str(log.data)]
    assert main(words) == 0 and str(apart).splitlines()[-1] in capsys.readouterr().out


def test_all_rows_stand_beside_a_page_and_formulas_are_quoted():
    rows = pd.DataFrame({"entity": [f"=e{i}" for i in range(5)], "push": [-1.5] * 5})
    bundle = Whole(rows.head(2), ("entity",), rows, rows)._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == 3 and bundle[ROWS].count("<tr>") == 6
    assert bundle[CSV].splitlines()[1] == "'=e0,-1.5" and bundle[CSV].count("\r\n") == 6


def test_a_shift_is_the_difference_of_means_and_nothing_is_left_over():
    version, frame = random_version(4)
    later = frame.assign(kind="a", x=frame.x + 1)
    days = np.repeat(np.arange(6), 50)
    told = explain_shift(version, frame, later, days, days)
    means = [contributions(version, f).to_numpy().mean(axis=0) for f in (frame, later)]
    parts = told.parts.set_index("feature").part
    assert np.allclose(parts[[*FEATURES, "(start)"]], means[1] - means[0], rtol=1e-9, atol=1e-12)
    assert abs(told.residual) < 1e-6 and told.total == pytest.approx(parts.sum(), abs=1e-6)
    assert told.first == parts.abs().idxmax() and told.first in told.says()
    assert explain_shift(version, frame.head(0), later, [], days).first is None
    one = explain_shift(version, frame, later, days, np.zeros(300))
    assert one.parts.lower.isna().all() and "two days" in one.says()
    with pytest.raises(StoreError, match="give the day of each row"):
        explain_shift(version, frame, later, days[:3], days)


def test_intervals_of_a_shift_hold_the_truth_where_days_differ():
    "1,000 worlds of 12 days against 10 of many sizes, each day with an effect of its own."
    rng, held, worlds = np.random.default_rng(0), 0, 1000
    for _ in range(worlds):
        sides = []
        for days, mean in ((12, 0.0), (10, 0.3)):
            n = rng.integers(50, 150, days).astype(float)
            each = mean + rng.normal(0, 0.2, days) + rng.normal(0, 1, days) / np.sqrt(n)
            sides.append(_Sums(n, (n * each)[:, None]))
        (row,) = _difference("", ["x"], *sides, 0.3).parts.itertuples()
        held += row.lower <= 0.3 <= row.upper
    assert abs(held / worlds - 0.95) <= 3.5 * sqrt(0.95 * 0.05 / worlds) + 0.005  # ratio of sums


def test_two_models_part_exactly_where_they_decide_otherwise():
    (first, frame), (second, _) = random_version(5), random_version(6)
    days = np.repeat(np.arange(6), 50)
    told = explain_models(first, second, frame, days, (-500, -500))
    a, b = (contributions(v, frame) for v in (first, second))
    calls = [v.grid.quantise(v.score(frame)) >= -500 for v in (first, second)]
    among = {"called_now": calls[1] & ~calls[0], "called_before": calls[0] & ~calls[1]}
    for name, rows in (among | {"everywhere": np.ones(300, bool)}).items():
        side = getattr(told, name)
        assert side.rows[0] == rows.sum() > 0 and abs(side.residual) < 1e-6
        parts = side.parts.set_index("feature").part[FEATURES]
        assert np.allclose(parts, (b - a)[rows][FEATURES].mean(), rtol=1e-9, atol=1e-12)
    both = calls[0] & calls[1]
    firsts = [reasons(v, frame[both], 1).reason_1 for v in (first, second)]
    changed = (firsts[0].fillna("") != firsts[1].fillna("")).mean()
    assert told.both_call == both.sum() and told.reasons_changed == pytest.approx(changed)


def test_a_width_is_what_sets_the_events_at_its_ends_apart():
    version, frame = random_version(7)
    days = np.repeat(np.arange(6), 50)
    margin = version.margin(frame)
    lower, upper = (1 / (1 + np.exp(-q)) for q in np.quantile(margin, [0.1, 0.9]))
    told = explain_width(version, (lower, upper), frame, days, near=20)
    parts = told.between.total + told.off
    assert told.width == pytest.approx(parts) and abs(told.between.residual) < 1e-6
    assert explain_width(version, (0.0, 0.5), frame, days).width == np.inf
    for interval in ((0.5, 0.4), (-0.1, 0.4), (np.nan, 0.4)):
        with pytest.raises(StoreError, match="no width to explain"):
            explain_width(version, interval, frame, days)
