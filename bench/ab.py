"""Made worlds of an A/B test: entities that differ, weather of days, labels that come late and
sooner for who was called, and the day-by-day reading of both.

`python -m bench.ab` prints false wins of a daily z and of mature cohorts, and how long a better arm
takes to be found.
"""

import argparse
import json
from typing import NamedTuple

import numpy as np

from aiops_wb.stats.ab import Entities, entities_needed, looks

MORNINGS, WINDOW, MATURE = 60, 7, 14


class World(NamedTuple):
    "How events come about; arms differ by `lift` in what happens, and in whom they call."

    a_day: int = 60  # new entities
    share: float = 0.5  # of them in arm B
    spread: float = 1.2  # of the risks of entities, logits
    weather: float = 0.5  # of days, logits
    stays: float = 0.0  # the part of all entities that is there on the first day
    lift: float = 0.0

    def events(self, rng):
        "Cohort and arm of each entity; entity, label and day of the label of each event."
        n = self.a_day * MORNINGS
        first = np.repeat(np.arange(MORNINGS), self.a_day)
        first[rng.random(n) < self.stays] = 0
        in_b = rng.random(n) < self.share
        of = np.repeat(np.arange(n), rng.geometric(0.4, n))
        at = first[of] + rng.integers(0, WINDOW, len(of))
        of_day = rng.normal(0, self.weather, MORNINGS + WINDOW)[at]
        risk = rng.normal(-2.2, self.spread, n)[of] + of_day + rng.normal(0, 0.5, len(of))
        chance = (1 - self.lift * in_b[of]) / (1 + np.exp(-risk))
        label = rng.random(len(of)) < chance
        called = risk > np.where(in_b[of], -1.5, -0.5)
        slow = rng.exponential(4 - np.clip(risk, -6, 3)).clip(0, MATURE).astype(int)
        return first, in_b, of, label, at + np.where(called, rng.integers(0, 4, len(of)), slow)


WORLDS = {
    "new entities every day": World(),
    "a fifth of them in arm B": World(share=0.2),
    "nine of ten there at first": World(stays=0.9),
    "alike but for the weather": World(spread=0.1, weather=1.0),
}


def naive_win(world: World, events) -> bool:
    "Whether some morning's z over all labels so far, each event by itself, is beyond 1.96."
    _, in_b, of, label, known = events
    sides = [known[in_b[of] == b] for b in (False, True)], [label[in_b[of] == b] for b in (0, 1)]
    (n_a, n_b), (s_a, s_b) = (
        [np.bincount(at, w, 200)[:MORNINGS].cumsum() for at, w in zip(sides[0], weights)]
        for weights in ([None, None], sides[1])
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (s_a + s_b) / (n_a + n_b)
        z = (s_b / n_b - s_a / n_a) / np.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return bool((np.abs(z[WINDOW:]) > 1.96).any())


def mature(events) -> Entities:
    "Entities whose cohort has entered by the last morning."
    first, in_b, of, label, _ = events
    value = np.bincount(of, label, len(first)) / np.bincount(of, minlength=len(first))
    ready = first + WINDOW + MATURE <= MORNINGS
    return Entities(first[ready], in_b[ready], value[ready])


def false_wins(world: World, repetitions: int, seed: int) -> tuple[float, float]:
    "Shares of worlds in which arms that are alike ever differ: by the daily z, and by ours."
    rng, found = np.random.default_rng(seed), []
    for _ in range(repetitions):
        events = world.events(rng)
        seen = looks(mature(events), world.share)
        found.append((naive_win(world, events), any(look.better for look in seen)))
    naive, ours = np.mean(found, axis=0)
    return float(naive), float(ours)


def found_by(mean: float, a_day: int, lift: float, repetitions: int, seed: int):
    """Days of cohorts after which a better arm is found in four of five tests by
    `entities_needed`, the share of worlds in which it was, and the median day."""
    rng, days = np.random.default_rng(seed), []
    told = -(-entities_needed(mean, -lift) // a_day)
    for _ in range(repetitions):
        cohort = np.repeat(np.arange(2 * told), a_day)
        in_b = rng.random(len(cohort)) < 0.5
        value = rng.random(len(cohort)) < mean * np.where(in_b, 1 - lift, 1)
        seen = looks(Entities(cohort, in_b, value.astype(float)), 0.5)
        days.append(next((k.cohort + 1 for k in seen if k.better == "B"), np.inf))
    return told, float(np.mean(np.array(days) <= told)), float(np.median(days))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer worlds, within 60 seconds")
    n = 200 if parser.parse_args().quick else 2000
    for name, world in WORLDS.items():
        naive, ours = false_wins(world, n, 31)
        print(json.dumps({"world": name, "worlds": n, "daily_z": naive, "ours": ours}), flush=True)
    for mean in (0.05, 0.2):
        for a_day in (500, 2000):
            for lift in (0.1, 0.12):
                told, by_then, half = found_by(mean, a_day, lift, min(n, 200), 37)
                line = {"mean": mean, "a_day": a_day, "lift": lift, "days": told}
                print(json.dumps(line | {"found_by_then": by_then, "median": half}), flush=True)


if __name__ == "__main__":
    main()
