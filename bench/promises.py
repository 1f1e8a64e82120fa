"""Made worlds of promises that are kept exactly as stated, or broken twice as often; which of them
the ledger's test flags.
"""

import numpy as np
from scipy.stats import binom

from aiops_wb.stats.promises import FALSE_FLAGS, KINDS, YEAR, evidence

STATED = 0.05, 0.1, 0.2
SOON = 17  # whole weeks in 120 days
# correlation of two events of a week, and of two of a day beyond that; a yes or no is one event
FLIGHTS = {"share": (0.009, 0.037), 0.05: 0.08, 0.1: 0.13, 0.2: 0.19}  # measured, departures 2013
WORLDS = "alone", "flights", "strong"


def together(world, stated, events):
    "The correlations of a world."
    if world == "alone":
        return 0.0, 0.0
    if world == "strong":
        return (0.3, 0.0) if events == 1 else (0.1, 0.1)
    return FLIGHTS["share"] if events > 1 else (FLIGHTS[stated], 0.0)


def _drawn(rng, mean, correlation):
    "Rates about a mean."
    if not correlation:
        return mean
    size = 1 / correlation - 1
    return rng.beta(np.maximum(mean * size, 1e-9), np.maximum((1 - mean) * size, 1e-9))


def lost(rng, rate, events, correlations, worlds, weeks, by_week=False):
    "The mean of what the units of each week lose: (weeks, worlds)."
    of_week = _drawn(rng, np.full((weeks, worlds), rate), correlations[0])
    if by_week:
        return rng.binomial(1, of_week).astype(float)
    of_day = _drawn(rng, np.repeat(of_week[..., None], 7, axis=-1), correlations[1])
    return (rng.binomial(events, of_day) / events).mean(axis=-1)


def needed(kind):
    "The evidence at which a kind is flagged."
    return 1 / (FALSE_FLAGS * KINDS[kind].part)


def flagged(rng, stated, times, events, world, worlds, weeks=SOON, by_week=False):
    "Which worlds are flagged that lose so many times what is stated."
    kind = "tickets" if events > 1 else "fpr"
    correlations = together(world, stated, events)
    found = lost(rng, times * stated, events, correlations, worlds, weeks, by_week)
    return evidence(found / stated - 1).max(axis=0) >= needed(kind)


def best(stated, n, level=FALSE_FLAGS):
    "The power that no test of n independent yes or no units can exceed (Neyman and Pearson)."
    k = int(binom.isf(level, n, stated)) + 1
    # a test that tosses a coin between k - 1 and k has exactly the level
    spare = (level - binom.sf(k - 1, n, stated)) / binom.pmf(k - 1, n, stated)
    return float(binom.sf(k - 1, n, 2 * stated) + spare * binom.pmf(k - 1, n, 2 * stated))


FORMS = {
    "week, yes or no": (1, True),
    "day, yes or no": (1, False),
    "day, 5 tickets": (5, False),
    "day, 10 tickets": (10, False),
    "day, 20 tickets": (20, False),
}


def powers(rng, worlds):
    "(form, world, stated) -> share of worlds found within 120 days."
    return {
        (form, world, stated): float(
            flagged(rng, stated, 2, events, world, worlds, by_week=by_week).mean()
        )
        for form, (events, by_week) in FORMS.items()
        for world in WORLDS
        for stated in STATED
    }


def falsely(rng, world, worlds):
    "Share of years of a model that keeps every promise exactly in which any kind is flagged."
    any_kind = np.zeros(worlds, dtype=bool)
    asked = ((0.1, 5, False), (0.05, 1, True), (0.1, 1, False), (0.2, 1, False))
    for (stated, events, by_week), kind in zip(asked, ("tickets", "fpr", "alerts", "fdr")):
        if world == "whole weeks":  # all days of a week are lost, or none
            found = rng.binomial(1, stated, (YEAR, worlds)).astype(float)
        else:
            found = lost(
                rng, stated, events, together(world, stated, events), worlds, YEAR, by_week
            )
        any_kind |= evidence(found / stated - 1).max(axis=0) >= needed(kind)
    return float(any_kind.mean())


def chosen_once(rng, worlds, weeks=19):
    """Share of years in which a bound is flagged that was chosen once: the largest rate of so many
    independent weeks, at 95 %; and the same where it is chosen anew each week."""
    rate = rng.beta(1, weeks, worlds)  # of weeks above the largest of `weeks`
    once = rng.binomial(1, np.broadcast_to(rate, (YEAR, worlds)))
    values = rng.random((weeks + YEAR, worlds))
    anew = np.array([v > values[k : k + weeks].max(axis=0) for k, v in enumerate(values[weeks:])])
    return [
        float((evidence(broken / 0.05 - 1).max(axis=0) >= needed("fpr")).mean())
        for broken in (once, anew)
    ]
