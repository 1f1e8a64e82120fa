"What late labels do to promises, in a few of the logs that `bench/guarantees.py` measures in full."

import numpy as np
import pytest
from conftest import few

from bench import waits

DAYS, LOGS = 200, 4


def lived(world, never):
    for run in range(LOGS):
        rng = np.random.default_rng([9, run])
        log = waits.made(rng, world, DAYS, never)
        yield list(waits.lived(rng, log, DAYS))


@pytest.mark.parametrize("never", few([0.0, 0.2], 0.2))
@pytest.mark.parametrize("world", ["two humps", "by both"])
def test_promises_hold_where_labels_come_late_and_are_not_kept_by_withholding(world, never):
    logs = list(lived(world, never))
    left = np.array([m.left for log in logs for m in log])
    called = left[~np.isnan(left)]
    assert len(called) > 50 and (called > 0.05).mean() <= 0.05 + 3 * np.sqrt(
        0.05 * 0.95 / len(called)
    )
    by_log = np.array([np.mean([f for m in log for f in m.false]) for log in logs])
    error = by_log.std(ddof=1) / np.sqrt(LOGS)
    assert by_log.mean() <= waits.TARGET + 3 * error
    late = [m for log in logs for m in log if m.today >= 120]
    assert sum(m.tickets for m in late) > 0.12 * sum(m.high for m in late)
    # up to a twentieth of the labels of the newest days may still come: half a point of coverage
    inside, known = sum(m.covered for log in logs for m in log).T
    assert (inside / known >= 0.9 - 3 * np.sqrt(0.09 / known) - 0.005).all()


def test_a_log_whose_labels_take_weeks_gets_no_ticket_and_no_set():
    for log in lived("slow", 0.0):
        assert all(np.isnan(m.left) and not m.tickets and not m.covered.any() for m in log)
