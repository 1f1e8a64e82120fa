"""Sets, p-values, Venn-Abers intervals and decisions: what certainty costs, against comparisons,
crepes and venn-abers.
"""

import numpy as np

from bench.common import arguments, figure, interleaved


def per_call(side, calls):
    "CPU seconds of one call, median of five runs of so many."

    def many():
        for _ in range(calls):
            side()

    (taken,) = interleaved(many)
    return taken / calls


def main():
    from crepes import ConformalClassifier
    from venn_abers.venn_abers import calc_p0p1

    from aiops_wb.stats.automation import certainty
    from aiops_wb.stats.conformal import CalibrationSet, LabelConditional, venn_abers
    from aiops_wb.stats.counts import ScoreCounts
    from aiops_wb.stats.points import Grid

    quick, rng, grid = arguments(__doc__).quick, np.random.default_rng(0), Grid()
    n, rows = 100_000, 1_000_000 if quick else 10_000_000
    z = rng.normal(-1.5, 1.5, n)
    y = rng.random(n) < 1 / (1 + np.exp(-z))
    p = 1 / (1 + np.exp(-z))
    points = grid.quantise(p)
    counts = ScoreCounts.from_events(points, y)
    table = LabelConditional(counts)
    bounds = table.set_bounds(0.9)
    many = rng.choice(points, rows).astype(np.int16)

    ours, theirs = interleaved(
        lambda: table.sets(many, 0.9), lambda: (many <= bounds.zero, many >= bounds.one)
    )
    figure(
        "sets_vs_compare", ours, theirs, "CPU s", rows, "two numpy comparisons of the same points"
    )

    few = 40 if quick else 200
    error = np.where(y, -points.astype(int), points.astype(int))
    peer = ConformalClassifier()
    tested = np.column_stack([many[:few].astype(int), -many[:few].astype(int)])
    peer.fit(error, bins=y.astype(int))
    slow = lambda: [
        peer.predict_p(tested[:, label], bins=np.full(few, label), smoothing=False)
        for label in (0, 1)
    ]
    assert np.array_equal(np.column_stack(slow()), table.p_values(many[:few]))
    ours, theirs = interleaved(lambda: table.p_values(many), slow)
    figure(
        "pvalues_vs_crepes",
        ours / rows,
        theirs / few,
        "CPU s per row",
        n,
        "crepes ConformalClassifier with the label as category; n is the calibration set",
    )

    theirs = per_call(lambda: calc_p0p1(np.column_stack([1 - p, p]), y.astype(int)), 1)
    coarse = counts.coarsen(20)
    ours = per_call(lambda: venn_abers(coarse), 20)
    figure(
        "vennabers_vs_package",
        ours,
        theirs,
        "CPU s",
        n,
        "venn-abers calc_p0p1 on the exact scores; ours from counts with 50 cells a logit, as "
        "the daily run does",
    )
    figure(
        "vennabers_fine_vs_package",
        per_call(lambda: venn_abers(counts), 5),
        theirs,
        "CPU s",
        n,
        "the same on the finest grid, 1,000 cells a logit",
    )
    figure(
        "vennabers_rows_vs_package",
        per_call(lambda: venn_abers(ScoreCounts.from_events(Grid(step=20).quantise(p), y)), 5),
        theirs,
        "CPU s",
        n,
        "the same from raw scores, quantised and counted first",
    )

    import datetime

    day = datetime.date(2026, 1, 1)
    stands = certainty(
        {
            day + datetime.timedelta(i): ScoreCounts.from_events(points[i::60], y[i::60])
            for i in range(60)
        },
        day + datetime.timedelta(59),
    )
    some = [int(x) for x in many[:2000]]

    def decide():
        for x in some:
            stands.interval(x)
            stands.decide(x)

    figure(
        "decision_us",
        1e6 * per_call(decide, 1) / len(some),
        0,
        "microseconds",
        1,
        "absolute: one decision with interval, level, route and reason (target 50)",
    )
    q, labels = p[:1000], y[:1000]
    figure(
        "calibration_us",
        1e6 * per_call(lambda: CalibrationSet(q, labels).calibrate(), 200),
        0,
        "microseconds",
        1000,
        "absolute: checks and three quantiles of 1,000 samples (target 1,000)",
    )


if __name__ == "__main__":
    main()
