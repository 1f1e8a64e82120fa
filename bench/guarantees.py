"""Guarantees by simulation: promised against observed, with the standard error of the observation."""
import argparse
import json

import numpy as np


def report(name, promised, observed, repetitions, unit, at_least, spread=None):
    "One line; holds is false when the observed value breaks the promise by more than three standard errors."
    se = float(spread if spread is not None else np.sqrt(max(observed * (1 - observed), 1e-9) / repetitions))
    holds = observed >= promised - 3 * se if at_least else observed <= promised + 3 * se
    print(json.dumps({"name": name, "promised": promised, "observed": round(float(observed), 4), "se": round(se, 5), "repetitions": repetitions, "unit": unit, "holds": bool(holds)}), flush=True)


def coverage_rank(repetitions):
    "Coverage of the k-th order statistic, 1,000 exchangeable rows, 90 %."
    from aiops_wb.conformal import order_statistic

    rng = np.random.default_rng(7)
    coverage = np.array([order_statistic(rng.random(1000), 0.9) for _ in range(repetitions)])
    report("coverage_rank", 0.9, coverage.mean(), repetitions, "share of rows covered", True, coverage.std() / np.sqrt(repetitions))


def challenge_sign_test(repetitions):
    "A challenger that is no better is proposed in at most 5 % of comparisons over 28 independent days."
    from aiops_wb.retrain import compare

    rng = np.random.default_rng(3)
    proposed = np.mean([compare(dict(enumerate(rng.standard_t(2, 28)))).propose for _ in range(repetitions)])
    report("challenge_sign_test", 0.05, proposed, repetitions, "share of comparisons", False)


def ks_interval(repetitions):
    "The 95 % interval of the KS distance covers the distance of the populations, independent rows."
    from scipy.stats import norm

    from aiops_wb.counts import ScoreCounts
    from aiops_wb.drift import ks

    rng, truth = np.random.default_rng(5), 2 * norm.cdf(0.25) - 1
    covered = 0
    for _ in range(repetitions):
        a, b = (ScoreCounts.from_events(rng.normal(m, 1000, 500).round().astype(int)) for m in (0, 500))
        test = ks(a, b)
        covered += test.lower <= truth <= test.upper
    report("ks_interval", 0.95, covered / repetitions, repetitions, "share of samples", True)


ALL = {f.__name__: f for f in (coverage_rank, challenge_sign_test, ks_interval)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=ALL, help="one guarantee (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, within 60 seconds")
    chosen = parser.parse_args()
    for name in [chosen.name] if chosen.name else ALL:
        ALL[name](500 if chosen.quick else 2000)


if __name__ == "__main__":
    main()
