"""Made shadows, and the days of real ones with the two models exchanged; whether a challenger is
promoted, or taken back, by the product's evidence and by what others look at.
"""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, bdtrc, betaincc, betaln

from aiops_wb.stats.evidence import (
    A_YEAR,
    ALPHA,
    WEEK,
    Block,
    Paired,
    compare,
    day_scatter,
    log_evidence,
    regret,
)
from bench.flights import CALLED_FROM, DAYS, first_day, flights, windows

FIRST = date(2026, 1, 5)
WEEKS = 26  # in shadow, each
NEEDED = np.log(A_YEAR / ALPHA)


class Days(NamedTuple):
    "Days of challengers, (..., days): events, those that one model alone told right, and losses."

    n: np.ndarray
    won: np.ndarray  # by the challenger
    lost: np.ndarray
    gain: np.ndarray  # summed loss, champion's - challenger's

    def exchanged(self, signs) -> "Days":
        "The models take each other's place where a sign is negative."
        won, lost = (np.where(signs > 0, *two) for two in ((self.won, self.lost), self[2:0:-1]))
        return Days(self.n, won, lost, self.gain * signs)

    def first(self, many: int | None) -> "Days":
        "So many first days."
        return Days(*(of_day[..., :many] for of_day in self))

    def alone(self) -> "Days":
        "One challenger's days as an array of one."
        return Days(*(of_day[None] for of_day in self))


def made(rng, shape, better=0.0, day_sd=0.0, labels=200, apart=0.1) -> Days:
    """Days of `labels` events, a share of which two models tell apart. The challenger is right more
    often by a share of all events, and by a day's own effect of N(0, day_sd)."""
    n = np.full(shape, float(labels))
    told_apart = rng.binomial(labels, apart, shape)
    lean = np.clip((better + day_sd * rng.normal(size=shape)) / apart, -1, 1)
    won = rng.binomial(told_apart, (1 + lean) / 2)
    return Days(n, won, told_apart - won, 2.0 * won - told_apart)


def exchanged(rng, pair, run, miss_cost, challengers) -> Days:
    """A pair's days of flights, from a random day on for each challenger; by runs of days, which
    begin anywhere, the two models exchange what they lost: neither is better."""
    first, span = first_day(pair[1]), WEEKS * WEEK
    start = rng.integers(first, DAYS - span + 1, challengers)[:, None] + np.arange(span)
    year = flights()
    lost = [year.lost(name, miss_cost) for name in pair]
    days = Days(year.n, *year.won_and_lost(*pair), lost[0] - lost[1])
    of_runs = rng.choice([-1, 1], (challengers, span // run + 2))
    run_of_day = (np.arange(span) + rng.integers(0, run, challengers)[:, None]) // run
    signs = np.take_along_axis(of_runs, run_of_day, axis=1)
    return Days(*(of_day[start] for of_day in days)).exchanged(signs)


def of_blocks(days: Days, length: int = WEEK) -> np.ndarray:
    "Gain of an event in each block of days, (challengers, blocks)."
    whole = days.gain.shape[1] // length * length
    gain, n = (x[:, :whole].reshape(len(x), -1, length).sum(axis=2) for x in (days.gain, days.n))
    return gain / n


def promoted_in(days: Days, length: int = WEEK) -> np.ndarray:
    "The days after which each challenger is promoted, looked at every day; infinite where never."
    gains = of_blocks(days, length)
    parts = np.array_split(gains, 1 + len(gains) // 500)
    enough = np.concatenate([log_evidence(part) >= NEEDED for part in parts])
    found = np.full(len(gains), np.inf)
    for i in np.flatnonzero(enough.any(axis=1)):
        blocks = _blocks(gains[i], length)
        looks = (k for k in np.flatnonzero(enough[i]) + 1 if compare(blocks[:k]).better)
        found[i] = length * next(looks, np.inf)
    return found


def _blocks(gains, length):
    first = [FIRST + timedelta(length * k) for k in range(len(gains))]
    return [Block(d, d + timedelta(length - 1), 1, float(g)) for d, g in zip(first, gains)]


def row_pairs(days: Days, level: float) -> np.ndarray:
    """Whether each challenger is ever promoted by bets on rows, looked at daily: the mean, over
    stakes from 0 to 1, of what is won by betting on it wherever only one of two models is right."""
    won, lost = days.won.cumsum(axis=-1), days.lost.cumsum(axis=-1)
    with np.errstate(divide="ignore"):
        above = np.log(betaincc(won + 1, lost + 1, 0.5))
    evidence = (won + lost + 1) * np.log(2) + betaln(won + 1, lost + 1) + above
    return (evidence >= -np.log(level)).any(axis=-1)


def sign_test(days: Days, level: float = 0.05, least: int = 10) -> np.ndarray:
    "Whether each challenger is ever promoted by a sign test over its days, looked at daily."
    won = (days.gain > 0).cumsum(axis=-1)
    decided, looks = (days.gain != 0).cumsum(axis=-1), np.arange(1, days.gain.shape[-1] + 1)
    p = np.where(won > 0, bdtrc(won - 1.0, decided, 0.5), 1.0)
    gains = (days.gain / days.n).cumsum(axis=-1)
    return ((p <= level) & (gains > 0) & (looks >= least)).any(axis=-1)


def equal_years(years, draw) -> dict[str, float]:
    """Share of years in which any of twelve challengers is promoted that are no better, by ours, by
    ours over blocks of two weeks, by bets on rows with the same shares of the promise, and by the
    sign test; and of challengers, each allowed .05. `draw` makes the days of so many challengers.
    """
    days = draw(years * A_YEAR)
    any_in_year = lambda promoted: float(promoted.reshape(years, A_YEAR).any(axis=1).mean())
    rows, signs = row_pairs(days, 0.05), sign_test(days)
    return {
        "ours": any_in_year(np.isfinite(promoted_in(days))),
        "by two weeks": any_in_year(np.isfinite(promoted_in(days, 2 * WEEK))),
        "bets on rows with the same shares": any_in_year(row_pairs(days, ALPHA / A_YEAR)),
        "sign test over days": any_in_year(signs),
        "bets on rows, of challengers, each allowed .05": float(rows.mean()),
        "sign test, of challengers": float(signs.mean()),
    }


def in_words(worlds: list[dict[str, float]]) -> str:
    "What others would have done, from the least to the most of the worlds."
    told = []
    for name in list(worlds[0])[1:]:
        least, most = min(w[name] for w in worlds), max(w[name] for w in worlds)
        told.append(f"{name} {least:.3f}" + (f" to {most:.3f}" if most > least else ""))
    return ", ".join(told)


def taken_back_after(rng, runs, days, *, since, earned=None, labels=200, day_sd=0.02):
    """Days after which each promotion is taken back (infinite: not in so many). The new version is
    `since` better from its promotion on; it was as good in 12 weeks of shadow, or `earned` better
    until its evidence was enough."""
    found = np.full(runs, np.inf)
    for i in range(runs):
        scatter = day_scatter(_paired(_shadow(rng, earned, day_sd, labels)))
        after = made(rng, days, -since, day_sd, labels)  # the version before is the challenger
        enough = log_evidence(after.gain / after.n, scatter.known) >= -np.log(ALPHA)
        looks = (k for k in np.flatnonzero(enough) + 1 if regret(_paired(after, k), scatter).better)
        found[i] = next(looks, np.inf)
    return found


def _shadow(rng, earned, day_sd, labels):
    if earned is None:
        return made(rng, 12 * WEEK, 0.0, day_sd, labels)
    while True:
        days = made(rng, WEEKS * WEEK, earned, day_sd, labels)
        promoted = promoted_in(days.alone())[0]
        if np.isfinite(promoted):
            return days.first(int(promoted))


def _paired(days: Days, first: int | None = None) -> Paired:
    days = days.first(first)
    when = [FIRST + timedelta(i) for i in range(len(days.n))]
    return Paired(when, days.n, days.gain, np.zeros(len(days.n)))


def traps(lead=9, span=13 * WEEK):
    """Every newer model of flights, beside every older one, that leads in its first nine days and
    loses over its first 13 weeks, by log loss and by costs: what it gained an event in the nine
    days and in the weeks, and its days."""
    year = flights()
    models = [m for m in windows() if m != "q4b" and first_day(m) + span <= DAYS]
    older = [(a, b) for a in models for b in models if first_day(a) < first_day(b)]
    for a, b in older:
        seen = slice(first_day(b), first_day(b) + span)
        for cost in (None, *CALLED_FROM):
            n, gain = year.n[seen], (year.lost(a, cost) - year.lost(b, cost))[seen]
            first, whole = gain[:lead].sum() / n[:lead].sum(), gain.sum() / n.sum()
            if first > 0 > whole:
                yield (a, b, cost), (first, whole), Days(n, n, n, gain)


BEFORE, LABELS = 0.85, 100  # accuracy of the version before; labels of a look of the reference rule


def point_rule(fall, accuracy, looks=1):
    """How often a promotion of this accuracy is taken back by looks at 100 new labels each, which
    go back where they show a fall of so much below .85; rows are independent."""
    at_once = bdtr(np.floor((BEFORE - fall) * LABELS + 1e-9), LABELS, accuracy)
    return float(1 - (1 - at_once) ** looks)


def fall_of_promise(looks=28, level=ALPHA):
    "The smallest fall at which the point rule takes back at most .05 of those that are as good."
    falls = np.arange(5, 20) / 100
    return next(fall for fall in falls if point_rule(fall, BEFORE, looks) <= level)
