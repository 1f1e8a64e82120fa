import json
from datetime import UTC, datetime, timedelta

import pytest

from aiops_wb.stats.retrain import Consent, is_harm, safeguards

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
    "budget": [{"begun": 12}],
}


def stopping(**change):
    return [c.name for c in safeguards(**GOOD | change) if not c.passed]


def test_each_safeguard_alone_stops():
    assert not stopping() and not stopping(activated=None)
    for name, changes in STOPS.items():
        for change in changes:
            assert stopping(**change) == [name], change


def test_all_six_are_shown_each_with_its_evidence_whatever_the_first_says():
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
