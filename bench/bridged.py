"""Made logs of which it is known why a figure changed: a planted cause, among days that differ."""

from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
from scipy.special import expit, ndtr

from aiops_wb.stats import sides as counting
from aiops_wb.stats.bridge import FACTORS, Bridge, bridge
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sides import Side

STEP = 50  # points a cell
STARTS = np.arange(-7000, 7000, STEP)
LOGITS = (STARTS + STEP / 2) / 1000
CENTRES = np.array([-1.5, -1.0, -0.5])  # of the scores of three segments, in logits
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
FIGURES = ("precision", "recall", "alerts", "false_tickets", "positive_rate", "brier", "cost")
MANY = 1e6  # times the events of a log whose counts are what is to be expected
WORTH = 0.1  # of a figure: what a planted cause changes at least


@dataclass(frozen=True)
class Law:
    "How days come about; each has effects of its own on volume, scores and labels."

    events: float = 1500
    mix: tuple[float, ...] = (0.5, 0.3, 0.2)
    shift: float = 0.0  # of scores, in logits
    odds: float = 0.0  # of positives at equal scores, in logits
    threshold: int = 400
    version: str = "v1"
    known: tuple[float, float] = (0.95, 0.95)  # share of negatives, of positives with a label
    spread: tuple[float, float, float] = (0.1, 0.1, 0.15)  # of a day's volume, scores, labels

    def scores(self, shift: float, spread: float) -> np.ndarray:
        "Share of the events of a day in each segment and cell."
        ends = np.append(STARTS, STARTS[-1] + STEP) / 1000
        lie = (ends[None] - (CENTRES + self.shift + shift)[:, None]) / np.hypot(1.2, spread)
        share = np.diff(ndtr(lie), axis=1)
        return share / share.sum(axis=1, keepdims=True) * np.array(self.mix)[:, None]

    def expected(self, days: int) -> list[np.ndarray]:
        "Events, positives and negatives of days of which none is like another, in the mean."
        _, of_scores, of_labels = self.spread
        rate = (WEIGHTS[:, None] * expit(LOGITS + self.odds + of_labels * NODES[:, None])).sum(0)
        n = np.tile(MANY * self.events * self.scores(0.0, of_scores), (days, 1, 1))
        rate = rate / WEIGHTS.sum()
        return [n, n * rate, n * (1 - rate)]

    def drawn(self, rng: np.random.Generator, days: int) -> list[np.ndarray]:
        "Events, positives and negatives of days."
        found = []
        for of_volume, of_scores, of_labels in rng.normal(0, self.spread, (days, 3)):
            volume = self.events * np.exp(of_volume - self.spread[0] ** 2 / 2)
            n = rng.poisson(volume * self.scores(of_scores, 0.0))
            positive = rng.binomial(n, expit(LOGITS + self.odds + of_labels))
            found.append((n, positive, n - positive))
        return [np.array(column) for column in zip(*found)]


def _side(law, first, n, positive, negative):
    "Labelled positives and negatives of days as a side."
    day, segment, cell = at = np.nonzero(n)
    counts = np.array([n[at], (positive + negative)[at], positive[at]], dtype=np.float64)
    days = list(range(first, first + len(n)))
    places = day, segment, np.zeros(len(day), dtype=int), STARTS[cell], counts
    named = ("a", "b", "c"), (law.version,)
    return Side(days, *named, *places, {law.version: law.threshold}, Grid("logit", STEP))


def sides(law: Law, days: int, first: int, rng=None, later: tuple | None = None) -> list[Side]:
    """Days as known at first, and (`later`: shares of negatives and positives known then) as known
    later; what is to be expected without a generator."""
    n, positive, negative = law.expected(days) if rng is None else law.drawn(rng, days)
    kinds, seen, made = (negative, positive), [], []
    for share, kind in zip(law.known, kinds):
        seen.append(kind * share if rng is None else rng.binomial(kind, share))
    made.append(_side(law, first, n, seen[1], seen[0]))
    if later:
        more = []
        for kind, early, share, then in zip(kinds, seen, later, law.known):
            rest = (share - then) / (1 - then)
            left = kind - early
            more.append(early + (left * rest if rng is None else rng.binomial(left, rest)))
        made.append(_side(law, first, n, more[1], more[0]))
    return made


def planted(cause: str, rng: np.random.Generator) -> tuple[Law, Law, tuple | None]:
    "Days before and after that differ by one cause, and which shares of labels came later."
    sign, usual, size = rng.choice([-1, 1]), Law(), rng.uniform
    moved = size(0.15, 0.3)
    other = {
        "volume": lambda: replace(usual, events=usual.events * np.exp(sign * size(0.3, 0.6))),
        "mix": lambda: replace(usual, mix=(0.5 - moved, 0.3, 0.2 + moved)),
        "scores": lambda: replace(usual, shift=sign * size(0.3, 0.6)),
        "calibration": lambda: replace(usual, odds=sign * size(0.4, 0.8)),
        "threshold": lambda: replace(usual, threshold=400 + STEP * int(sign * size(6, 12))),
        "version": lambda: replace(
            usual, version="v2", shift=sign * size(0.3, 0.6), odds=-sign * size(0, 0.5)
        ),
        "labels": lambda: replace(usual, known=(0.9, size(0.3, 0.6))),
    }[cause]()
    if cause == "labels":
        return other, usual, usual.known
    return (other, usual, None) if cause == "mix" and sign < 0 else (usual, other, None)


def account(laws, figure, days, rng=None) -> Bridge:
    "Why a figure changed: by drawn days, or (without a generator) in truth, by many bands."
    before, after, later = laws
    length = (1, 1) if rng is None else days
    first = sides(before, length[0], 0, rng, later)
    second = sides(after, length[1], 1000, rng)
    settled = first[1] if later else None
    with mock.patch.object(counting, "BANDS", 40 if rng is None else counting.BANDS):
        return bridge(first[0], second[0], figure, settled=settled, miss_cost=5.0)


def truth(laws, figure) -> tuple[dict[str, float], float]:
    "What each factor has in the change of a figure, and the change as a share of the figure."
    found = account(laws, figure, None)
    scale = MANY if found.unit == "a day" else 1.0
    parts = {p.factor: p.change.value / scale for p in found.parts}
    return parts, found.change.value / found.before


def world(number: int, days: tuple[int, int]):
    """One world: the cause, the account of drawn days, and what is true. The figure is one that the
    cause changes by a tenth."""
    rng, cause = np.random.default_rng([24, number, *days]), FACTORS[number % len(FACTORS)]
    laws = planted(cause, rng)
    for figure in rng.permutation(FIGURES):
        parts, change = truth(laws, str(figure))
        if abs(change) >= WORTH:
            return cause, account(laws, str(figure), days, rng), parts
    raise AssertionError(f"world {number}: {cause} changes no figure by a tenth")


def tried(worlds: int, days: tuple[int, int]) -> tuple[list[bool], list[bool]]:
    "Whether the cause is ranked first in each world, and whether each interval held the truth."
    first, held = [], []
    for number in range(worlds):
        cause, found, true = world(number, days)
        first.append(found.ranked[0].factor == cause)
        for part in found.parts:
            _, lower, upper = part.change[:3]
            scale = 1e-9 * abs(found.before)
            if upper - lower > scale:  # a factor that has a say
                held.append(lower - scale <= true[part.factor] <= upper + scale)
    return first, held
