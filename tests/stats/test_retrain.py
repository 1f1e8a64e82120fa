from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_wb.stats.drift import ALARM_SEVERITIES
from aiops_wb.stats.retrain import Challenge, compare, log_loss, safeguards

NOW = datetime(2026, 3, 20, tzinfo=UTC)
GOOD = {
    "enabled": True,
    "severity": "high",
    "labelled": 100,
    "now": NOW,
    "last_trained": NOW - timedelta(7),
    "job_active": False,
}


def test_each_safeguard_alone_stops():
    assert all(c.passed for c in safeguards(**GOOD))
    stops = {
        "flag": {"enabled": False},
        "severity": {"severity": "low"},
        "cooldown": {"last_trained": NOW - timedelta(6, 86_399)},
        "samples": {"labelled": 99},
        "no active job": {"job_active": True},
    }
    for name, change in stops.items():
        assert [c.name for c in safeguards(**GOOD | change) if not c.passed] == [name]
    assert all(c.passed for c in safeguards(**GOOD | {"last_trained": None}))


def test_a_retraining_needs_a_severity_that_the_alarms_call_medium_at_least():
    passes = {
        severity: safeguards(**GOOD | {"severity": severity})[1].passed
        for severity in (*ALARM_SEVERITIES, "unknown", "failed")
    }
    assert [s for s, passed in passes.items() if passed] == ["medium", "high", "critical"]
    assert "by the alarms" in safeguards(**GOOD)[1].reason


@given(st.lists(st.floats(-1, 1).filter(lambda d: d != 0), min_size=10, max_size=60))
def test_sign_test_equals_the_binomial_tail(values):
    verdict = compare(dict(enumerate(values)))
    won = sum(v < 0 for v in values)
    assert verdict.pvalue == pytest.approx(stats.binom.sf(won - 1, len(values), 0.5), abs=1e-12)
    assert verdict.propose == (verdict.pvalue <= 0.05 and np.mean(values) < 0)


def test_ties_count_for_neither_and_few_days_give_no_verdict():
    assert (
        compare(dict.fromkeys(range(20), 0.0)).days == 0
        and not compare(dict.fromkeys(range(20), 0.0)).propose
    )
    assert "too few" in compare(dict.fromkeys(range(9), -1.0)).reason
    assert not compare({}).propose


def test_no_better_challenger_is_rarely_proposed():
    rng, repetitions = np.random.default_rng(3), 2000
    proposed = np.mean(
        [compare(dict(enumerate(rng.standard_t(2, 28)))).propose for _ in range(repetitions)]
    )
    assert proposed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def test_log_loss_equals_scikit_learn():
    from sklearn.metrics import log_loss as oracle

    rng = np.random.default_rng(0)
    p, y = rng.random(200), rng.integers(0, 2, 200)
    assert log_loss(p, y).mean() == pytest.approx(oracle(y, p), abs=1e-12)
    assert np.isfinite(log_loss([0, 1], [1, 0])).all()


def test_a_challenge_survives_its_record():
    import json
    from dataclasses import asdict

    made = Challenge(
        "m",
        "a",
        "b",
        ("2026-01-01", "2026-01-28"),
        compare({str(i): -0.1 for i in range(20)}),
        {str(i): -0.1 for i in range(20)},
    )
    assert Challenge.from_json(json.dumps(asdict(made))) == made
