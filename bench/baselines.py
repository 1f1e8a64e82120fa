"""Made weeks of many sites: nothing, storms, a site that goes silent, three busy hours, a leak; and
what baselines cost beside one GROUP BY of the same counts.

`python -m bench.baselines` prints the cost; with `--found`, for several sizes of site, how often
and how soon what was planted is found; with `--peers`, others' detectors on the same worlds.
"""

import argparse
import json
from typing import NamedTuple

import numpy as np

from aiops_wb.stats.baselines import HOURS, Cells, hour_z, judged
from bench.common import figure, folder, interleaved, peak_mb
from bench.peers import environment, run

PAST = 52
RATES = (1.0, 3.0, 10.0, 30.0, 100.0)
LOOKS = (3, 6, 12, 24, 48)
LEAKED = (4, 6, 8, 10, 12, 16)


class World(NamedTuple):
    """What weeks are like: sites of .5 to 100 events an hour, each with hours and weekends of its
    own; days that move all sites, and each; hours that scatter; a holiday in one week of five, not
    in the last."""

    sites: int = 200
    hours_vary: float = 0.05  # relative spread of an hour of a site
    days_vary: float = 0.02  # of a day of a site
    shared: float = 0.05  # of a day of all sites
    storms: float = 0.0  # part of the weeks with eight hours that move each site as they like

    def profile(self, rng) -> np.ndarray:
        "Events an hour by hour of the week and site (168, sites)."
        day, hour = np.divmod(np.arange(HOURS), 24)
        peak, width = rng.normal(14, 1.5, self.sites), rng.uniform(3, 6, self.sites)
        shape = 0.1 + np.exp(-0.5 * ((hour[:, None] - peak) / width) ** 2)
        shape *= np.where((day >= 5)[:, None], rng.uniform(0.2, 1.0, self.sites), 1.0)
        rates = np.exp(rng.uniform(np.log(0.5), np.log(100), self.sites))
        return shape / shape.mean(axis=0) * rates

    def usual(self, rng, weeks: int, profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        "Expected counts (weeks, 168, sites) of weeks of nothing, and which hours are no holidays."
        mean = profile * np.exp(rng.normal(0, self.shared, (weeks, 7, 1))).repeat(24, axis=1)
        mean *= np.exp(rng.normal(0, self.days_vary, (weeks, 7, self.sites))).repeat(24, axis=1)
        mean *= rng.gamma(self.hours_vary**-2, self.hours_vary**2, mean.shape)
        for week in np.flatnonzero(rng.random(weeks) < self.storms):
            at = rng.integers(0, HOURS - 8)
            mean[week, at : at + 8] *= np.exp(rng.normal(-0.3, 0.3, self.sites))
        known = np.ones((weeks, HOURS, 1), dtype=bool)
        for week in np.flatnonzero(rng.random(weeks - 1) < 0.2):
            day = 24 * rng.integers(0, 7)
            known[week, day : day + 24] = False
            mean[week, day : day + 24] *= 0.3
        return mean, known


WORLDS = {
    "calm": World(),
    "rough": World(hours_vary=0.1, days_vary=0.03, storms=0.1),
}


def levels(counts: np.ndarray, known: np.ndarray) -> dict[str, Cells]:
    "Each site, and all together."
    names = tuple(f"s{i}" for i in range(counts.shape[2]))
    total = counts.sum(axis=2, keepdims=True)
    return {"site": Cells(counts, known, names), "all": Cells(total, known, ("all",))}


def of_nothing(world: World, weeks: int, rng, past: int = PAST) -> list[tuple[bool, int]]:
    "For each of some weeks in which nothing is off: whether anything is named, and cells of z > 3."
    mean, known = world.usual(rng, past + weeks, world.profile(rng))
    counts, found = rng.poisson(mean).astype(float), []
    for week in range(weeks):
        part = slice(week, week + past + 1)
        asked = levels(counts[part], known[part])
        told = judged(asked, np.random.default_rng(week))
        beyond = int((np.abs(hour_z(asked["site"])) > 3).sum())
        found.append((bool(told.flags or told.leaks), beyond))
    return found


def _sized(profile):
    "Sites whose rates are set (the first ones), one for each rate."
    for at, rate in enumerate(RATES):
        profile[:, at] *= rate / profile[:, at].mean()
    return profile


def silent(world: World, rng, looks=LOOKS) -> dict[float, int | None]:
    "After how many hours each size of site is named that goes silent, looked at after some."
    mean, known = world.usual(rng, PAST + 1, _sized(world.profile(rng)))
    begins = int(rng.integers(0, 96))
    mean[-1, begins:, : len(RATES)] = 0
    counts, found = rng.poisson(mean).astype(float), dict.fromkeys(RATES)
    for hours in looks:
        known_now = known.copy()
        known_now[-1, begins + hours :] = False
        for flag in judged(levels(counts, known_now), np.random.default_rng(1)).flags:
            at = int(flag.series[1:]) if flag.level == "site" else len(RATES)
            if at < len(RATES) and flag.z < 0 and flag.start + flag.hours > begins:
                found[RATES[at]] = found[RATES[at]] or hours
    return found


def busy(world: World, rng, by: float = 1.5) -> dict[float, bool]:
    "Whether each size of site is named that has more events in its three busiest hours of a day."
    profile = _sized(world.profile(rng))
    mean, known = world.usual(rng, PAST + 1, profile)
    for at in range(len(RATES)):
        day = 24 * at
        top = day + int(np.clip(profile[day : day + 24, at].argmax(), 1, 22))
        mean[-1, top - 1 : top + 2, at] *= by
    asked = levels(rng.poisson(mean).astype(float), known)
    named = {flag.series for flag in judged(asked, np.random.default_rng(1)).flags if flag.z > 0}
    return {rate: f"s{at}" in named for at, rate in enumerate(RATES)}


def leaking(world: World, rng, a_week: float = 0.02, looks=LEAKED) -> dict[float, int | None]:
    "After how many weeks each size of site is named that loses a part of its events every week."
    weeks = PAST + max(looks)
    mean, known = world.usual(rng, weeks, _sized(world.profile(rng)))
    lost = (1 - a_week) ** np.maximum(np.arange(weeks) - PAST + 1, 0)
    mean[:, :, : len(RATES)] *= lost[:, None, None]
    counts, found = rng.poisson(mean).astype(float), dict.fromkeys(RATES)
    for leaked in looks:
        part = slice(leaked - 1, PAST + leaked)
        told = judged(levels(counts[part], known[part]), np.random.default_rng(leaked))
        for at, rate in enumerate(RATES):
            named = {leak.series for leak in told.leaks if leak.a_week < 0}
            named |= {flag.series for flag in told.flags if flag.hours == HOURS and flag.z < 0}
            if f"s{at}" in named:
                found[rate] = found[rate] or leaked
    return found


def found_share(found, rate, by) -> float:
    "The share of worlds in which a size of site was found by then."
    return float(np.mean([bool(f[rate]) and f[rate] <= by for f in found]))


def found(quick: bool) -> None:
    "How often and how soon what was planted is named, by the size of the site."
    worlds = 2 if quick else 40
    for name, world in list(WORLDS.items())[: 1 if quick else None]:
        rng = np.random.default_rng(41)
        off = [silent(world, rng, LOOKS[-1:] if quick else LOOKS) for _ in range(worlds)]
        more = [busy(world, rng) for _ in range(worlds)]
        leak = [leaking(world, rng, looks=LEAKED[-1:] if quick else LEAKED) for _ in range(worlds)]
        for rate in RATES:
            line = {"world": name, "an_hour": rate, "worlds": worlds}
            line["silent_found_by_hours"] = {h: found_share(off, rate, h) for h in LOOKS}
            line["half_more_for_three_hours"] = found_share(more, rate, 1)
            line["leak_found_by_weeks"] = {w: found_share(leak, rate, w) for w in LEAKED}
            print(json.dumps(line), flush=True)


def both(world: World, rng) -> tuple[np.ndarray, np.ndarray, int, int]:
    "Counts and known hours with a site of 10 an hour silent, one of 100 busy; when each begins."
    profile = _sized(world.profile(rng))
    mean, known = world.usual(rng, PAST + 1, profile)
    begins, top = int(rng.integers(0, 96)), 24 + int(profile[25:47, 4].argmax())
    mean[-1, begins:, 2] = 0
    mean[-1, top : top + 3, 4] *= 1.5
    return rng.poisson(mean).astype(float), known, begins, top


def _cells(counts, known, python):
    "Site and hours that each detector names in the last week: ours, z > 3, and the peers'."
    asked = levels(counts, known)
    flags = [f for f in judged(asked, np.random.default_rng(1)).flags if f.level == "site"]
    named = {"ours": [(int(f.series[1:]), f.start + i) for f in flags for i in range(f.hours)]}
    beyond = np.argwhere(np.abs(hour_z(asked["site"])) > 3)
    named["|z| > 3"] = [(int(site), int(hour)) for hour, site in beyond]
    path = folder() / "counts.npy"
    np.save(path, np.where(known, counts, np.median(counts, axis=0)))  # peers know no holidays
    told = run(python, "baselines_hours", path)
    return named | {name: one["cells"] for name, one in told.items()}


def beside(quick: bool) -> None:
    "Ours beside statsforecast's and pyod's detectors on the same worlds."
    python, worlds = environment("baselines"), 2 if quick else 8
    if python is None:
        return
    rng, seen = np.random.default_rng(61), {}
    for _ in range(worlds):
        mean, known = WORLDS["calm"].usual(rng, PAST + 1, WORLDS["calm"].profile(rng))
        nothing = _cells(rng.poisson(mean).astype(float), known, python)
        counts, known, begins, top = both(WORLDS["calm"], rng)
        planted = _cells(counts, known, python)
        for name in nothing:
            off = any(s == 2 and begins <= h < begins + 12 for s, h in planted[name])
            more = any(s == 4 and top <= h < top + 6 for s, h in planted[name])
            seen.setdefault(name, []).append((len(nothing[name]), off, more))
    for name, rows in seen.items():
        false, off, more = np.array(rows, dtype=float).T
        line = {"detector": name, "worlds": worlds, "false_cells_a_week": false.mean()}
        line |= {"weeks_with_any": (false > 0).mean(), "silent_in_12_hours": off.mean()}
        print(json.dumps(line | {"half_more_for_three_hours": more.mean()}), flush=True)


def _events(sites, weeks):
    "A year of events in a DuckDB table: when, and at which site; five an hour on average."
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    con.execute(
        """
        CREATE TABLE events AS
        SELECT TIMESTAMP '2025-01-06' + to_seconds((hash(i) % ($weeks * 604800))::BIGINT)
                   AS predicted_at,
               's' || (hash(i + 1000000007) % $sites) AS site_id
        FROM range($n) AS r(i)""",
        {"weeks": weeks, "sites": sites, "n": 5 * HOURS * weeks * sites},
    )
    return con


GROUPED = """
    SELECT date_diff('hour', TIMESTAMP '2025-01-06', predicted_at) AS hour, site_id, count(*) AS n
    FROM events GROUP BY ALL"""


def cost(quick: bool) -> None:
    "CPU of baselines and what is named of the newest week, beside the GROUP BY of its counts."
    sites, weeks = (40, 27) if quick else (200, 53)
    con = _events(sites, weeks)
    rows = con.execute(GROUPED).fetchnumpy()
    names, of = np.unique(rows["site_id"].astype(str), return_inverse=True)
    counts = np.zeros(weeks * HOURS * sites)
    counts[rows["hour"] * sites + of] = rows["n"]
    counts = counts.reshape(weeks, HOURS, sites)
    known = np.ones((weeks, HOURS, 1), dtype=bool)
    asked = {"site": Cells(counts, known, tuple(names))}
    mine, theirs = (
        lambda: judged(asked, np.random.default_rng(1)),
        lambda: con.execute(GROUPED).fetchnumpy(),
    )
    ours, reference = interleaved(mine, theirs)
    n, against = int(counts.sum()), "one GROUP BY of the same counts in DuckDB, fetched"
    figure("baseline_vs_groupby", ours, reference, "CPU s", n, against, peak_mb(mine))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller size, within 60 seconds")
    parser.add_argument("--found", action="store_true", help="what is found in made worlds instead")
    parser.add_argument("--peers", action="store_true", help="statsforecast and pyod beside it")
    chosen = parser.parse_args()
    (found if chosen.found else beside if chosen.peers else cost)(chosen.quick)


if __name__ == "__main__":
    main()
