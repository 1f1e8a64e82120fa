import numpy as np

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import summary
from aiops_wb.watch.backtests import BACKTESTED, _rates


def test_what_is_tested_is_what_a_summary_says():
    rng = np.random.default_rng(0)
    for n in (0, 1, 300):
        points = rng.integers(-3000, 3000, n)
        labels = rng.choice([0, 1, np.nan], n)
        counts = ScoreCounts.from_events(points, labels)
        for threshold in (-5000, 0, 5000):
            whole = summary(counts, threshold)
            told = _rates(counts, threshold)
            assert str(told) == str({name: whole[name] for name in told})
            assert sorted(told) == sorted(BACKTESTED)
