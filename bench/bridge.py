"""Why a figure changed: 60 days against 60 with 100 segments, from the rows that a log counts."""

from functools import partial

import numpy as np
from scipy.special import expit

from aiops_wb.stats.bridge import bridge
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sides import Side, shared_out
from bench.common import arguments, figure, interleaved, peak_mb

DAYS, SEGMENTS, THRESHOLD = 60, 100, 405


def made(rng, first, events, shift):
    "Days of events as a log counts them: all on the fine grid, segments on one 20 times as coarse."
    n = DAYS * events
    day, segment = rng.integers(DAYS, size=n), rng.integers(SEGMENTS, size=n)
    logit = rng.normal(-2 + 0.005 * segment + shift, 1.2)
    labelled = rng.random(n) < 0.95
    positive = labelled & (rng.random(n) < expit(logit - shift))
    points = np.rint(1000 * logit).astype(np.int64)
    everywhere = np.zeros(n, dtype=np.int64)
    return [
        counted(first, day, name, names, points // step * step, (labelled, positive), step)
        for name, names, step in ((everywhere, 1, 1), (segment, SEGMENTS, 20))
    ]


def counted(first, day, segment, segments, points, labels, step):
    "Rows of counts of events."
    low = points.min()
    width = int(points.max() - low) + 1
    key, place = np.unique((day * segments + segment) * width + points - low, return_inverse=True)
    kinds = (np.ones(len(day)), *labels)
    counts = np.array([np.bincount(place, kind, len(key)) for kind in kinds])
    of, at = np.divmod(key, width)
    places = of // segments, of % segments, np.zeros(len(key), dtype=np.int64), at + low, counts
    days = list(range(first, first + DAYS))
    names = [f"site {i:03d}" for i in range(segments)]
    return Side(days, names, ["v1"], *places, {"v1": THRESHOLD}, Grid("logit", step))


def main():
    events = 2_000 if arguments(__doc__).quick else 10_000
    rng = np.random.default_rng(0)
    before, after = made(rng, 0, events, 0.0), made(rng, 1000, events, 0.2)
    cuts = {"v1": [THRESHOLD]}
    share = lambda: [shared_out(*side, cuts, losses=False) for side in (before, after)]
    explain = partial(bridge, *share(), "precision")
    assert abs(explain().residual) < 1e-12
    took, shared = interleaved(explain, share, runs=9)
    rows = 2 * DAYS * events
    what = (
        f"absolute: {DAYS} days against {DAYS}, {SEGMENTS} segments, precision, its parts, their "
    )
    what += f"intervals and the sentence (target 100); sharing the segments out {1000 * shared:.0f}"
    figure("bridge_ms", 1000 * took, 0, "ms", rows, what, peak_mb(explain))


if __name__ == "__main__":
    main()
