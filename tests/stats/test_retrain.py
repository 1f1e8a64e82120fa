import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_wb.stats.retrain import Challenge, Consent, compare, is_harm, log_loss, safeguards

NOW = datetime(2026, 3, 20, tzinfo=UTC)
GOOD = {
    "consent": Consent(True),
    "severity": "high",
    "harm": ["calibration (high)"],
    "labelled": 100,
    "positive": 30,
    "now": NOW,
    "activated": NOW - timedelta(7),
}
STOPS = {
    "flag": [
        {"consent": Consent(False)},
        {"consent": Consent(True, stopped="since ever")},
        {"consent": Consent(True), "severity": "critical"},
    ],
    "severity": [
        *({"severity": s} for s in ("none", "low", "medium", "unknown", "failed")),
        {"harm": []},
    ],
    "cooldown": [{"activated": NOW - timedelta(6, 86_399)}],
    "samples": [{"labelled": 99}, {"positive": 29}],
    "no active job": [{"job": "ana (process 7)"}],
}


def stopping(**change):
    return [c.name for c in safeguards(**GOOD | change) if not c.passed]


def test_each_safeguard_alone_stops():
    assert not stopping() and not stopping(activated=None)
    for name, changes in STOPS.items():
        for change in changes:
            assert stopping(**change) == [name], change


def test_all_five_are_shown_each_with_its_evidence_whatever_the_first_says():
    all_wrong = {key: value for changes in STOPS.values() for key, value in changes[-1].items()}
    checks = safeguards(**GOOD | all_wrong)
    assert [c.name for c in checks] == list(STOPS) and not any(c.passed for c in checks)
    assert all(c.reason and c.evidence for c in checks)
    assert json.loads(json.dumps([c.evidence for c in checks]))[3] == {
        "labelled": 100,
        "positive": 29,
    }


def test_a_critical_day_needs_a_person_and_a_stop_of_all_wins_over_every_flag():
    assert not stopping(severity="critical", consent=Consent(True, approved="today, by ana: yes"))
    stopped = Consent(True, stopped="since today, by ana: a move", approved="today, by ana: yes")
    (flag, *_) = safeguards(**GOOD | {"consent": stopped, "severity": "critical"})
    assert not flag.passed and "every model is stopped since today, by ana: a move" in flag.reason


@pytest.mark.parametrize(
    ("alarm", "harm"),
    [
        (("calibration", "concept", -0.5), True),
        (("calibration", "label shift", 0.5), True),
        (("loss", "concept", 0.02), True),
        (("loss", "concept", -0.02), False),
        (("positive rate", "concept", 0.1), True),
        (("positive rate", "covariate", 0.1), False),
        (("score", "covariate", 0.5), False),
        (("score", "label shift", 0.5), False),
        (("share labelled", "data quality", -0.5), False),
        (("volume", "operation", -2.0), False),
    ],
)
def test_harm_rests_on_labels(alarm, harm):
    assert is_harm(*alarm) == harm


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
