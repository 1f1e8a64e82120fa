"""Distances of counts against scipy, brackets by hypothesis, severities and kinds by their
definition.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.drift import (
    LOGIT_LEVELS,
    alarm_severity,
    category_shift,
    feature_shift,
    hellinger,
    jensen_shannon,
    kind_of_drift,
    ks_bracket,
    psi,
    psi_no_drift,
    wasserstein,
    wasserstein_bracket,
)

samples = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=60)
vectors = st.lists(st.integers(0, 40), min_size=2, max_size=9)


@given(
    samples, samples, st.lists(st.floats(-40, 40, width=32), min_size=1, max_size=8, unique=True)
)
def test_scipy_is_always_inside_the_bracket(a, b, cuts):
    cuts = np.sort(cuts)
    binned = [
        np.bincount(np.searchsorted(cuts, v, side="right"), minlength=len(cuts) + 1) for v in (a, b)
    ]
    found = ks_bracket(*binned)
    assert found.statistic - 1e-12 <= ks_2samp(a, b).statistic <= found.at_most + 1e-12


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
)
def test_the_bracket_is_exact_where_bins_hold_single_values(a, b):
    binned = [np.bincount(v, minlength=6) for v in (a, b)]
    found = ks_bracket(*binned, single=np.ones(6, dtype=bool))
    assert found.statistic == found.at_most == pytest.approx(ks_2samp(a, b).statistic)


@given(vectors, st.data())
def test_one_value_of_a_million_moves_the_distance_by_one_event(counts, data):
    other = data.draw(st.lists(st.integers(0, 40), min_size=len(counts), max_size=len(counts)))
    recent, reference = np.array(counts) + 1, np.array(other) + 1
    outlier = recent.copy()
    outlier[-1] += 1  # beyond the last cut
    assert (
        abs(ks_bracket(outlier, reference).statistic - ks_bracket(recent, reference).statistic)
        <= 1 / recent.sum() + 1e-12
    )


@given(vectors, st.data())
def test_jensen_shannon_and_chi_square_equal_scipy(counts, data):
    other = data.draw(st.lists(st.integers(0, 40), min_size=len(counts), max_size=len(counts)))
    if not sum(counts) or not sum(other):
        return
    a, b = np.array(counts), np.array(other)
    assert jensen_shannon(a, b) == pytest.approx(
        np.nan_to_num(jensenshannon(a / a.sum(), b / b.sum())), abs=1e-7
    )  # the root of a rounding error
    assert jensen_shannon(a, b) ** 2 == pytest.approx(
        np.nan_to_num(jensenshannon(a / a.sum(), b / b.sum())) ** 2, abs=1e-12
    )
    used = (a + b) > 0
    found = category_shift(a, b)
    if used.sum() > 1:
        statistic, p, *_ = chi2_contingency([a[used], b[used]], correction=False)
        assert found.chi_square == pytest.approx(statistic) and found.pvalue == pytest.approx(p)
    assert found.statistic == pytest.approx(np.abs(a / a.sum() - b / b.sum()).max())
    assert hellinger(a, b) == pytest.approx(
        np.sqrt(max(0, 0.5 * ((np.sqrt(a / a.sum()) - np.sqrt(b / b.sum())) ** 2).sum())), abs=1e-7
    )


@given(
    st.lists(st.integers(-3000, 3000), min_size=1, max_size=50),
    st.lists(st.integers(-3000, 3000), min_size=1, max_size=50),
)
def test_wasserstein_of_scores_equals_scipy(a, b):
    assert wasserstein(ScoreCounts.from_events(a), ScoreCounts.from_events(b)) == pytest.approx(
        wasserstein_distance(a, b) / 1000, abs=1e-9
    )


@given(samples, samples, st.lists(st.floats(-49, 49, width=32), max_size=6, unique=True))
def test_wasserstein_of_bins_is_bracketed(a, b, cuts):
    edges = np.array([-50.0, *np.sort(cuts), 50.0])
    binned = [
        np.bincount(np.searchsorted(edges[1:-1], v, side="right"), minlength=len(edges) - 1)
        for v in (a, b)
    ]
    low, high = wasserstein_bracket(*binned, edges)
    assert low - 1e-9 <= wasserstein_distance(a, b) <= high + 1e-9


def test_psi_averages_its_level_without_drift():
    rng, p = np.random.default_rng(1), np.full(10, 0.1)
    found = [psi(rng.multinomial(500, p), rng.multinomial(5000, p)) for _ in range(400)]
    assert np.mean(found) == pytest.approx(
        psi_no_drift(10, 500, 5000), abs=3 * np.std(found) / 20 + 0.0005
    )


def test_intervals_hold_the_distance_of_the_populations():
    rng, p, q = np.random.default_rng(2), np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.35, 0.25])
    held = [0, 0]
    for _ in range(200):
        a, b = rng.multinomial(300, p), rng.multinomial(400, q)
        held[0] += (k := ks_bracket(a, b)).lower <= 0.1 <= k.upper
        held[1] += (c := category_shift(a, b)).lower <= 0.1 <= c.upper
    assert min(held) / 200 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_an_empty_side_is_unknown_and_not_alike():
    for f in (psi, jensen_shannon, hellinger):
        assert np.isnan(f([0, 0], [1, 2]))
    assert np.isnan(ks_bracket([0], [3]).statistic) and np.isnan(
        category_shift([0, 0], [1, 1]).statistic
    )
    assert np.isnan(wasserstein(ScoreCounts.empty(), ScoreCounts.from_events([1])))
    shift = feature_shift("x", "numeric", [0, 0, 0, 0], [0, 1, 2, 3])
    assert (
        np.isnan(shift.effect)
        and not shift.practical(0.0)
        and alarm_severity(shift.effect, True) == "unknown"
    )


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="same bins"):
        psi([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite edges"):
        wasserstein_bracket([1, 2], [2, 1], [0, np.inf, 1])
    with pytest.raises(ValueError, match="not one of"):
        feature_shift("x", "ordinal", [0, 0, 1], [0, 0, 1])


def test_missing_and_unseen_stand_apart():
    shift = feature_shift("x", "category", [5, 20, 50, 25], [0, 0, 60, 40])
    assert shift.missing == (0.2, 0.0) and shift.unseen == (0.05, 0.0)
    assert shift.effect == pytest.approx(50 / 75 - 0.6)


def test_severity_needs_an_alarm_and_grows_with_the_change():
    assert [alarm_severity(e, True) for e in (0.001, 0.02, -0.06, 0.11, 0.5)] == [
        "low",
        "low",
        "medium",
        "high",
        "critical",
    ]
    assert (
        alarm_severity(0.9, False) == "none" and alarm_severity(0.3, True, LOGIT_LEVELS) == "medium"
    )


def test_kinds_of_drift_are_told_apart():
    kind = lambda **given: kind_of_drift(**({"quality": False, "inputs": False} | given))
    assert (
        kind() is None
        and kind(inputs=True) == "covariate"
        and kind(inputs=True, quality=True) == "data quality"
    )
    assert kind(offset=0.5, offset_error=0.05) == "concept"
    assert (
        kind(inputs=True, offset=0.5, offset_error=0.05, mix_offset=0.45, mix_error=0.05)
        == "label shift"
    )
    assert (
        kind(inputs=True, offset=0.5, offset_error=0.05, mix_offset=-0.5, mix_error=0.05)
        == "concept"
    )
    assert kind(inputs=True, offset=0.12, offset_error=0.2) == "covariate"
