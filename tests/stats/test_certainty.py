"""Sets, Venn-Abers and weights against peers and brute force."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import isotonic_regression
from venn_abers import VennAbers as Package

from aiops_wb.stats.conformal import (
    Calibration,
    CalibrationSet,
    GroupConditional,
    LabelConditional,
    SetBounds,
    VennAbers,
    calibrate,
    covariate_weights,
    decay_weights,
    effective_size,
    label_shift_weights,
    order_statistic,
    predict_with_intervals,
    rank,
    venn_abers,
    weighted_quantile,
)
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)
events = st.lists(st.tuples(st.integers(-60, 60), st.integers(0, 1)), min_size=1, max_size=60)


def split(pairs):
    points, y = (np.array(c) for c in zip(*pairs))
    return points, y, ScoreCounts.from_events(points, y)


@given(events, st.lists(st.integers(-70, 70), min_size=1, max_size=20))
def test_p_values_equal_crepes(pairs, tested):
    points, y, counts = split(pairs)
    peer, tested = ConformalClassifier(), np.array(tested)
    peer.fit(np.where(y == 1, -points, points), bins=y)
    theirs = np.column_stack(
        [
            peer.predict_p(sign * tested, bins=np.full(len(tested), label), smoothing=False)
            for label, sign in ((0, 1), (1, -1))
        ]
    )
    assert np.array_equal(LabelConditional(counts).p_values(tested), theirs)


@given(events, st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.sampled_from([1, 7]))
def test_sets_are_the_labels_whose_p_value_exceeds_alpha(pairs, coverage, step):
    points, y, counts = split(pairs)
    table = LabelConditional(counts.coarsen(step))
    ladder = np.arange(-80, 80)
    inside, p = table.sets(ladder, coverage), table.p_values(ladder)
    assert np.array_equal(np.column_stack(inside), p > 1 - coverage + 1e-9)
    again = LabelConditional.from_json(json.loads(json.dumps(table.to_json())))
    assert np.array_equal(again.p_values(ladder), p) and again.set_bounds(
        coverage
    ) == table.set_bounds(coverage)


def test_groups_calibrate_themselves_and_unknown_ones_promise_nothing():
    rng = np.random.default_rng(1)
    site = rng.choice(["a", "b"], 400)
    y = rng.integers(0, 2, 400)
    points = np.rint(
        rng.normal(np.where(y == 1, 500, -500) + np.where(site == "b", 800, 0), 400)
    ).astype(int)
    by_site = GroupConditional.of(
        {s: ScoreCounts.from_events(points[site == s], y[site == s]) for s in ("a", "b")}
    )
    peer = ConformalClassifier()
    peer.fit(np.where(y == 1, -points, points), bins=np.char.add(site, y.astype(str)))
    p = by_site.p_values(points[:50], site[:50])
    for label, sign in ((0, 1), (1, -1)):
        assert np.array_equal(
            p[:, label],
            peer.predict_p(
                sign * points[:50], bins=np.char.add(site[:50], str(label)), smoothing=False
            ),
        )
    unknown = by_site.sets([0, 5000], ["nowhere", "nowhere"])
    assert (
        unknown.zero.all() and unknown.one.all() and (by_site.p_values([0], ["nowhere"]) == 1).all()
    )
    assert by_site.of_group("nowhere").set_bounds() == SetBounds(16000, -16000)
    alone = by_site.sets(points[:50], site[:50])
    assert np.array_equal(alone.one, p[:, 1] > 0.1 + 1e-9)


def test_a_label_with_too_few_events_is_in_every_set():
    few = ScoreCounts.from_events(np.arange(8), np.ones(8)) + ScoreCounts.from_events(
        np.arange(-50, 0), np.zeros(50)
    )
    inside = LabelConditional(few).sets(np.arange(-16000, 16001, 100), 0.9)
    assert inside.one.all() and not inside.zero.all()


def brute(points, y, at, label):
    cells, where = np.unique(np.append(points, at), return_inverse=True)
    n, s = np.bincount(where), np.bincount(where, weights=np.append(y, label))
    return isotonic_regression(s / n, weights=n).x[np.searchsorted(cells, at)]


@given(events)
def test_venn_abers_equals_isotonic_regression_with_the_event_added(pairs):
    points, y, counts = split(pairs)
    bounds = venn_abers(counts)
    ladder = np.unique(np.concatenate([points, points + 1, points - 1]))
    lower, upper = bounds.intervals(ladder)
    assert np.allclose(lower, [brute(points, y, x, 0) for x in ladder], rtol=0, atol=1e-12)
    assert np.allclose(upper, [brute(points, y, x, 1) for x in ladder], rtol=0, atol=1e-12)
    assert (
        (lower <= upper).all()
        and (np.diff(lower) >= -1e-15).all()
        and (np.diff(upper) >= -1e-15).all()
    )
    assert ((bounds.probability(ladder) >= lower) & (bounds.probability(ladder) <= upper)).all()


@pytest.mark.parametrize(("centre", "step"), [(-1.5, 1), (-4, 1), (0, 20)])
def test_venn_abers_equals_the_package_on_the_grid(centre, step):
    rng, grid = np.random.default_rng(2), Grid(step=step)
    z = rng.normal(centre, 1.5, 5000)
    y = (rng.random(5000) < 1 / (1 + np.exp(-z))).astype(int)
    points = grid.cells(np.rint(1000 * z).astype(int))
    p, peer, ladder = grid.inverse(points), Package(), np.arange(-9000, 9000, 20)
    peer.fit(np.column_stack([1 - p, p]), y)
    q = grid.inverse(ladder)
    _, theirs = peer.predict_proba(np.column_stack([1 - q, q]))
    ours = venn_abers(ScoreCounts.from_events(points, y, grid))
    assert np.allclose(np.column_stack(ours.intervals(ladder)), theirs, rtol=0, atol=1e-12)
    again = VennAbers.from_json(json.loads(json.dumps(ours.to_json())))
    assert np.array_equal(again.intervals(ladder), ours.intervals(ladder))


def test_venn_abers_without_labels_says_nothing():
    lower, upper = venn_abers(ScoreCounts.from_events(np.arange(10))).intervals([-16000, 0, 16000])
    assert (lower == 0).all() and (upper == 1).all()


def test_one_of_the_two_probabilities_is_calibrated_and_bounds_false_tickets():
    """E[(Y - p_Y) p_Y] = 0, and false tickets at p0 >= .8 against the published bound; 3,000
    repetitions, one new exchangeable event each.
    """
    rng, gap, tickets = np.random.default_rng(3), [], []
    for _ in range(3000):
        z = np.rint(rng.normal(0, 3000, 81)).astype(int)
        y = rng.random(81) < 1 / (1 + np.exp(-z / 1500))  # the score is overconfident
        lower, upper = (
            float(b) for b in venn_abers(ScoreCounts.from_events(z[:80], y[:80])).intervals(z[80])
        )
        gap.append((y[80] - (upper if y[80] else lower)) * (upper if y[80] else lower))
        tickets.append(
            (not y[80] and lower >= 0.8)
            - 0.2 * ((not y[80] and lower >= 0.8) + (y[80] and upper >= 0.8))
        )
    assert abs(np.mean(gap)) <= 3 * np.std(gap) / np.sqrt(3000)
    assert np.mean(tickets) <= 3 * np.std(tickets) / np.sqrt(3000)


def test_predict_with_intervals_says_why_it_cannot():
    calibration = Calibration({0.9: 0.1, 0.99: np.inf}, 50, "m", "v1", NOW, timedelta(days=30))
    assert predict_with_intervals(0.95, calibration) == (
        0.95,
        pytest.approx(0.85),
        1.0,
        pytest.approx(0.15),
        pytest.approx(0.9),
        "",
    )
    assert (
        predict_with_intervals(0.95, None)[1:4] == (None,) * 3
        and "no calibration" in predict_with_intervals(0.95, None).reason
    )
    assert (
        "31 days old"
        in predict_with_intervals(0.95, calibration, now=NOW + timedelta(days=31)).reason
    )
    assert "too few" in predict_with_intervals(0.95, calibration, 0.99).reason
    many = predict_with_intervals([0.0, 0.5], None)
    assert np.isnan(many.lower).all() and many.lower.shape == (2,)
    for bad in (1.2, np.nan, [0.5, -0.1]):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            predict_with_intervals(bad, calibration)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_equal_weights_are_no_weights(coverage):
    errors = np.random.default_rng(4).random(200)
    assert weighted_quantile(errors, np.full(200, 3.0), coverage) == order_statistic(
        errors, coverage
    )


@given(
    arrays(float, 12, elements=st.integers(0, 20).map(float)),
    arrays(int, 12, elements=st.integers(1, 4)),
    st.sampled_from([0.5, 0.75, 0.9]),
)
def test_whole_weights_are_repeated_events(errors, weights, coverage):
    repeated = np.repeat(errors, weights)
    assert weighted_quantile(
        errors, weights, coverage, test_weight=1, min_effective=1
    ) == order_statistic(repeated, coverage)


def test_weights_restore_coverage_under_a_known_shift():
    """Errors grow with x, and x moves: unweighted .75, weighted .90 (400 repetitions; Tibshirani et
    al. 2019). Weights stay paired with their errors.
    """
    rng, plain, weighted = np.random.default_rng(5), [], []
    for _ in range(400):
        x, new = rng.normal(0, 1, 300), rng.normal(0.75, 1, 50)
        error = np.abs(rng.normal(0, np.exp(0.45 * x)))
        error_new = np.abs(rng.normal(0, np.exp(0.45 * new)))
        ratio = lambda v: np.exp(0.75 * v - 0.75**2 / 2)
        plain.append((error_new <= order_statistic(error, 0.9)).mean())
        weighted.append((error_new <= weighted_quantile(error, ratio(x), 0.9, ratio(new))).mean())
    se = np.std(weighted) / np.sqrt(400)
    assert np.mean(weighted) >= 0.9 - 3 * se and np.mean(plain) < 0.85


def test_label_shift_weights_restore_coverage():
    """Positives three times as common as before; the reference interval with weights by label (300
    repetitions).
    """
    rng, plain, weighted = np.random.default_rng(6), [], []

    def draw(n, rate):
        y = rng.random(n) < rate
        return y, np.abs(y - 1 / (1 + np.exp(-rng.normal(np.where(y, -0.5, -2.5), 1))))

    for _ in range(300):
        (y, error), (new, error_new) = draw(400, 0.1), draw(100, 0.3)
        w = label_shift_weights(y, 0.3)
        plain.append((error_new <= order_statistic(error, 0.9)).mean())
        weighted.append(
            (error_new <= weighted_quantile(error, w, 0.9, np.where(new, 3.0, 0.7 / 0.9))).mean()
        )
    assert np.mean(weighted) >= 0.9 - 3 * np.std(weighted) / np.sqrt(300) and np.mean(plain) < 0.85


def test_weights_are_checked():
    assert (
        effective_size([1, 1, 1, 1]) == 4
        and effective_size([1, 0, 0]) == 1
        and effective_size([]) == 0
    )
    assert decay_weights([0, 7, 14], 7).tolist() == [1, 0.5, 0.25]
    with pytest.raises(ValueError, match="effective size of 1.0 of 100 events: at least 30"):
        weighted_quantile(np.ones(100), np.r_[1e9, np.ones(99)], 0.9)
    for weights in (np.ones(3), -np.ones(4), [1, np.nan, 1, 1]):
        with pytest.raises(ValueError, match="each error needs one finite weight"):
            weighted_quantile(np.ones(4), weights, 0.9)
    for call in (
        lambda: decay_weights([1], 0),
        lambda: label_shift_weights([1, 1], 0.2),
        lambda: label_shift_weights([0, 1], 1.0),
    ):
        with pytest.raises(ValueError, match="not allowed"):
            call()
    past = ScoreCounts.from_events(np.zeros(900))
    present = ScoreCounts.from_events(np.r_[np.zeros(300), np.full(600, 2000)])
    assert covariate_weights(past, present, [0, 10, 2100]) == pytest.approx(
        [301 / 902 / (901 / 902), 301 / 902 / (901 / 902), 601 / 902 / (1 / 902)]
    )


def test_a_calibration_keeps_what_it_is_for():
    made = CalibrationSet(
        np.full(40, 0.3), np.r_[np.zeros(28), np.ones(12)], "m", "v2", NOW, timedelta(days=10)
    ).calibrate()
    again = Calibration.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made and (again.model, again.version, again.created_at, again.time_to_live) == (
        "m",
        "v2",
        NOW,
        timedelta(days=10),
    )
    assert not again.stale(NOW + timedelta(days=10)) and again.stale(
        NOW + timedelta(days=10, seconds=1)
    )
    assert CalibrationSet(np.full(40, 0.3), np.r_[np.zeros(28), np.ones(12)]).summary == {
        "n": 40,
        "mean_prediction": pytest.approx(0.3),
        "positive_rate": 0.3,
        "sd_prediction": pytest.approx(0),
        "mean_error": pytest.approx(0.42),
    }
    with pytest.raises(ValueError, match="row 3 holds 1.5"):
        CalibrationSet(np.r_[0.1, 0.2, 1.5, np.full(40, 0.1)], np.zeros(43))


odd = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
    st.just(b"x"),
    st.complex_numbers(),
)
plausible = st.lists(st.floats(0, 1), min_size=28, max_size=40)
labels = st.lists(st.sampled_from([0, 1, 0.0, 1.0, True, False]), min_size=28, max_size=40)
anything = st.one_of(
    plausible,
    labels,
    st.lists(odd, max_size=40),
    odd,
    arrays(float, st.tuples(st.integers(0, 40), st.integers(1, 3))),
)


def refused_or_valid(p, y):
    try:
        made = CalibrationSet(p, y).calibrate()
    except ValueError as error:
        assert str(error).endswith((".", ").")) and "\n" not in str(error)
        return
    assert made.n >= 30 and made.n == len(p) == len(y)
    for coverage, q in made.quantiles.items():
        errors = np.abs(np.asarray(p, dtype=float) - np.asarray(y, dtype=float))
        assert (
            q == np.inf
            and rank(made.n, coverage) > made.n
            or (errors <= q).sum() >= rank(made.n, coverage)
        )


@given(anything, anything)
@settings(max_examples=500)
def test_malformed_calibration_data_is_refused_in_a_sentence(p, y):
    refused_or_valid(p, y)


@pytest.mark.slow
@given(anything, anything)
@settings(max_examples=10_000)
def test_ten_thousand_malformed_calibrations(p, y):
    refused_or_valid(p, y)


def test_calibrating_counts_says_how_many_are_needed():
    with pytest.raises(ValueError, match="at least 50 are needed"):
        calibrate(ScoreCounts.from_events(np.arange(40), np.ones(40)), min_samples=50)
