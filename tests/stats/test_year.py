"""A year without drift, 200 times, and how long drift takes to be found: the published guarantees
hold.
"""

import pytest

from bench import guarantees

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["false_alarm_iid", "false_alarm_wobble", "false_alarm_weekly", "false_alarm_bursts"]
)
def test_a_year_without_drift_raises_no_alarm_more_often_than_promised(name):
    found = guarantees.ALL[name](2000)
    assert found["holds"] and found["repetitions"] == 200, found


@pytest.mark.parametrize(
    "name", ["delay_mean_shift", "delay_concept", "delay_prevalence", "delayed_accuracy_error"]
)
def test_drift_is_found_as_fast_as_promised(name):
    found = guarantees.ALL[name](1000)
    assert found["holds"], found
