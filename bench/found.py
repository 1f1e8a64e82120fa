"""Who finds drift, and who cries wolf: the same made rows for the product, the reference rule,
NannyML's and Evidently's defaults. Prints a Markdown table; needs the peers' environments.
"""

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from bench.common import folder
from bench.peers import environment, run

FIRST = date(2025, 1, 6)
REFERENCE = 91
FEATURES = [f"x{i:02d}" for i in range(20)]
ROWS = 2000
LABELS = 500
WORLDS = {
    "no drift, a year": (365, {}),
    "one feature + .1 sd": (30, {"shift": 0.1}),
    "label + .5 logit": (30, {"concept": 0.5}),
    "prevalence x 1.5": (30, {"prevalence": 1.5}),
}
QUIET = 60  # days without drift before it begins


def rows(seed, days, change=None, shift=0.0, concept=0.0, prevalence=1.0):
    "Rows of reference and watched days: 20 normal features, a calibrated score, 500 labels a day."
    rng, parts = np.random.default_rng(seed), []
    for i in range(REFERENCE + days):
        after = change is not None and i >= REFERENCE + change
        z = rng.normal(-1.8, 1.0, ROWS * 3)
        label = rng.random(len(z)) < expit(z)
        if after and prevalence != 1:  # a new mix of the same two kinds
            share = label.mean()
            keep = np.where(label, 1.0, (1 - prevalence * share) / (1 - share) / prevalence)
            kept = np.flatnonzero(rng.random(len(z)) < keep)
            z, label = z[kept], label[kept]
        z, label = z[:ROWS], label[:ROWS]
        if after and concept:
            label = rng.random(ROWS) < expit(z + concept)
        x = rng.standard_normal((ROWS, len(FEATURES)))
        x[:, 0] += shift * after
        parts.append(
            pd.DataFrame(x, columns=FEATURES).assign(
                day=FIRST + timedelta(i),
                score=expit(z),
                label=np.where(np.arange(ROWS) < LABELS, label, np.nan),
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    return frame[: REFERENCE * ROWS], frame[REFERENCE * ROWS :]


def ours(before, now):
    "Mornings with any open alarm, and with a new one."
    from aiops_wb.config import Settings
    from aiops_wb.log.features import binned_days
    from aiops_wb.stats.counts import ScoreCounts
    from aiops_wb.stats.points import Grid
    from aiops_wb.watch.alarms import count_rows, follow_version

    points = lambda f: Grid().quantise(f.score.to_numpy())
    bins = {f: {"cuts": norm.ppf(np.arange(1, 20) / 20).tolist()} for f in FEATURES}
    held = {
        day: ScoreCounts.from_events(points(part), part.label)
        for day, part in before.groupby("day")
    }
    seen = follow_version(
        count_rows(now, points(now), bins, binned_days(before, before.day, bins), held),
        now.day.max(),
        Settings(label_delay_days=1),
    )
    return opened(pd.DataFrame(seen.followed.open, index=seen.days))


def opened(alarms):
    "Days on which something newly raises an alarm (days x streams), oldest first."
    new = alarms & ~alarms.shift(fill_value=False)
    return [str(d) for d in new.index[new.any(axis=1)]]


def reference_rule(before, now, recent=7):
    "KS of the last week against the reference with p < 0.01, for each feature and the score."
    from scipy.stats import ks_2samp

    days, columns, found = sorted(now.day.unique()), [*FEATURES, "score"], {}
    both = pd.concat([before, now])
    by_day = dict(tuple(both.groupby("day")))
    known = {c: np.sort(before[c].to_numpy()) for c in columns}
    for day in days:
        week = pd.concat([by_day[day - timedelta(i)] for i in range(recent)])
        found[day] = {c: ks_2samp(week[c], known[c], method="asymp").pvalue < 0.01 for c in columns}
    return opened(pd.DataFrame(found).T.astype(bool))


def describe(alarms, change, days=30):
    "What a table says of the days of alarms."
    if alarms is None:
        return "not run"
    if change is None:
        return f"{len(alarms)} alarms" if alarms else "silent"
    start = str(FIRST + timedelta(REFERENCE + change))
    early, late = [a for a in alarms if a < start], [a for a in alarms if a >= start]
    found = (
        f"day {(date.fromisoformat(late[0]) - date.fromisoformat(start)).days + 1}"
        if late
        else f"not in {days} days"
    )
    return found + (f", {len(early)} false before" if early else "")


def peer(name, root, *extra):
    python = environment(name.split("_")[0])
    return (
        run(python, name, root / "before.parquet", root / "now.parquet", *extra)["alarms"]
        if python
        else None
    )


def main():
    print(
        "| world | ours | reference rule | NannyML drift | NannyML performance | Evidently "
        "|\n|---|---|---|---|---|---|",
        flush=True,
    )
    for world, (days, change) in WORLDS.items():
        start = QUIET if change else None
        root = folder()
        before, now = rows(11, days + (QUIET if change else 0), start, **change)
        for name, frame in (("before", before), ("now", now)):
            duckdb.from_df(frame.assign(day=frame.day.astype(str))).write_parquet(
                str(root / f"{name}.parquet")
            )
        found = [
            ours(before, now),
            reference_rule(before, now),
            peer("nannyml_found", root),
            peer("nannyml_found_performance", root),
            peer("evidently_found", root, 15 if change else 60, QUIET if change else 0),
        ]
        cells = [
            describe(alarms, start, 15 if i == 4 else 30) for i, alarms in enumerate(found)
        ]  # Evidently is slow: it sees 15 of the days after a change
        if not change and found[4] is not None:
            cells[4] += " in 60 days"
        print(f"| {world} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
