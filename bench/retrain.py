"""Retraining lived over a year of flights, and what a decision about a challenger costs."""

from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import t as student

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.shadow import Pair
from aiops_wb.log.store import open_store
from aiops_wb.models.validation import Rules, as_paired, validation
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.evidence import LEAST_BLOCKS, WEEK, compare
from aiops_wb.stats.points import Grid

from .common import arguments, figure, folder, interleaved
from .flights import DAYS, first_day, flights
from .replay import YEAR, imported

START = first_day("q4")  # the first model was trained on January to March
MONTHS = range(5, 13)
RECIPES = {"": "q", "_expanding": "e"}
LOSSES = {"": None, "_cost4": 4, "_cost9": 9}


class Year:
    """A model of January to March decides from April on; each month another that was trained as
    the recipe says (q: on three months, e: on all before) stands in the shadow of the one that
    decides, and is compared with it by weeks."""

    def __init__(self, recipe: str, miss_cost: int | None = None):
        self.year = flights()
        self.challengers = [f"{recipe}{month}" for month in MONTHS]
        self.lost = {m: self.year.lost(m, miss_cost) for m in ["q4", *self.challengers]}

    def blocks(self, champion, challenger, last=DAYS):
        "Weeks on days that neither of two had seen."
        first = max(first_day(champion), first_day(challenger))
        days = self.year.paired(self.lost[champion], self.lost[challenger], first, last)
        return days.blocks()

    def ours(self):
        "The version that decides on each day, promoted when its weeks show that it is better."
        champion, decided = "q4", []
        for day in range(START, DAYS):
            decided.append(champion)
            newer = [c for c in self.challengers if first_day(champion) < first_day(c) <= day]
            better = (c for c in newer if compare(self.blocks(champion, c, day + 1)).better)
            champion = next(better, champion)
        return decided

    def never(self):
        "The first version decides all year."
        return ["q4"] * (DAYS - START)

    def always(self):
        "The newest version decides."
        newest = ["q4", *self.challengers]
        known = lambda day: (m for m in newest if first_day(m) <= day)
        return [max(known(day), key=first_day) for day in range(START, DAYS)]

    def of(self, decided):
        "What is lost on each day by the versions that decide."
        lost = np.zeros(DAYS)
        lost[START:] = [self.lost[m][START + i] for i, m in enumerate(decided)]
        return lost

    def mean(self, lost):
        "Loss of a flight."
        return lost[START:].sum() / self.year.n[START:].sum()

    def strongest(self):
        """The largest likelihood ratio of any week of any challenger against the first version (t,
        mean above zero), and the smallest one-sided p of a t test; from the fourth week on."""
        ratios, chances = [], []
        for challenger in self.challengers:
            gains = np.array([b.gain for b in self.blocks("q4", challenger)])
            for n in range(LEAST_BLOCKS, len(gains) + 1):
                of = gains[:n]
                t = np.sqrt(n) * of.mean() / of.std(ddof=1)
                ratios.append((1 + max(t, 0) ** 2 / (n - 1)) ** (n / 2))
                chances.append(student.sf(t, n - 1))
        return max(ratios), min(chances)

    def hindsight(self):
        """The lowest loss that promotions could have reached, each after at least four weeks of
        shadow, of whichever challengers, on whichever days, chosen with the whole year known."""
        lost = {"q4": 0.0}  # by the version that decides now
        for day in range(START, DAYS):
            for newer in self.challengers:
                if day >= first_day(newer) + WEEK * LEAST_BLOCKS:
                    older = [of for m, of in lost.items() if first_day(m) < first_day(newer)]
                    lost[newer] = min(*older, lost.get(newer, np.inf))
            lost = {m: of + self.lost[m][day] for m, of in lost.items()}
        return min(lost.values()) / self.year.n[START:].sum()


def lived(name, recipe, miss_cost):
    "A year under a recipe and a loss: never retrained, always, and as the weeks allow."
    year = Year(recipe, miss_cost)
    decided = year.ours()
    lost = {
        "ours": year.of(decided),
        "never": year.of(year.never()),
        "always": year.of(year.always()),
    }
    mean = {rule: year.mean(of) for rule, of in lost.items()}
    ratio, chance = year.strongest()
    taken = [f"{m} on day {START + i}" for i, m in enumerate(decided) if i and m != decided[i - 1]]
    figure(
        name,
        mean["ours"],
        min(mean["never"], mean["always"]),
        "nats" if miss_cost is None else "false calls",
        int(year.year.n[START:].sum()),
        f"the lower of never {mean['never']:.4f} and always {mean['always']:.4f}; gain over never "
        f"{_interval(year, lost['never'], lost['ours'])}, over always "
        f"{_interval(year, lost['always'], lost['ours'])} (95 %, weeks); promoted: "
        f"{', '.join(taken) or 'none'}; largest likelihood ratio {ratio:.0f} (240 are needed), "
        f"smallest p {chance:.4f}; best promotions in hindsight, each after four weeks of shadow: "
        f"{year.hindsight():.4f}",
    )


def _interval(year, reference, ours):
    told = compare(year.year.paired(reference, ours, START).blocks())
    return f"{told.gain:+.4f} ({told.lower:+.4f} to {told.upper:+.4f})"


PAIR, NOW = Pair("m", "v1", "v2"), datetime(2026, 1, 1, tzinfo=UTC)
SITES, CALLED = 20, 0.3


def shadowed(root, rng):
    "A year of days of a pair, everyone and 20 sites, kept beside the rows of the log."
    card = {"window": [str(YEAR[0] - timedelta(60)), str(YEAR[0] - timedelta(1))]}
    with open_store(root / "data", "bench") as store:
        for version in PAIR[1:]:
            if version not in set(store.versions("m").version):
                store.add_version(NOW, "bench", "m", version, Grid(), "", card, 0)
        for i in range(DAYS):
            sums = pd.DataFrame([_day(rng, s) for s in ["", *(f"site={k}" for k in range(SITES))]])
            counts = {version: _scores(rng) for version in PAIR[1:]}
            store.add_shadow(PAIR, YEAR[0] + timedelta(i), NOW, sums, counts)
        store.publish()


def _day(rng, segment):
    n = rng.poisson(100 if segment else 100 * SITES)
    positive = rng.binomial(n, 0.2)
    sums = {"segment": segment, "n": n, "n_labelled": n, "n_positive": positive}
    calls = rng.binomial(n, CALLED)
    sums |= {"champion_calls": calls, "challenger_calls": calls, "both_call": int(0.9 * calls)}
    for side, better in (("champion", 0.0), ("challenger", 0.01)):
        missed = rng.binomial(positive, 0.4)
        sums |= {f"{side}_missed": missed, f"{side}_false": max(calls - positive + missed, 0)}
        sums[f"{side}_loss"] = n * rng.normal(0.4 - better, 0.02)
    return sums | {"reasons": 200, "reasons_changed": 40}


def _scores(rng):
    points = rng.normal(-1400, 1400, 100 * SITES).round().astype(int)
    return ScoreCounts.from_events(points, rng.random(len(points)) < 0.2)


def decided(log):
    "Every check of a year."
    told = validation(log, PAIR, YEAR[1], Rules())
    assert told.comparison.blocks == DAYS // WEEK and len(told.segments) == SITES
    return told.as_evidence()


def looks(log):
    "A year of weekly looks, from the days in the catalog."
    blocks = as_paired(log.shadow_days(PAIR)).blocks()
    return [compare(blocks[:k]) for k in range(1, len(blocks) + 1)]


def decisions(root, rows):
    "What a year of weekly looks costs, and every check at its end, beside reading its rows once."
    imported(root, rows)
    shadowed(root, np.random.default_rng(0))
    with open_snapshot(root / "data") as log:
        read = partial(log.rows, "m", *YEAR)
        assert len(read()) == rows and len(looks(log)) == DAYS // WEEK
        weekly, checks, reading = interleaved(partial(looks, log), partial(decided, log), read)
    for name, took, what in (
        ("promote_decision_ms", weekly, "a year of weekly looks, days read from the catalog"),
        ("promote_checks_ms", checks, f"every check on a year of days, everyone and {SITES} sites"),
    ):
        figure(name, 1000 * took, 0, "ms", rows, f"absolute: {what} (target 50)")
    figure(
        "promote_vs_rows",
        weekly,
        reading,
        "CPU seconds",
        rows,
        "reading the year's rows with their labels once, without scoring them; ours is "
        "promote_decision_ms",
    )


def main() -> None:
    quick = arguments(__doc__).quick
    for recipe, letter in RECIPES.items():
        for loss, cost in LOSSES.items():
            lived(f"retrain_flights{recipe}{loss}", letter, cost)
    decisions(folder(), 50_000 if quick else 1_000_000)


if __name__ == "__main__":
    main()
