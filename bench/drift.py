"""Drift monitoring of 60 days with 20 features and the score: every day's file counted, evidence of
every morning, distances; against a bare scan, NannyML and Evidently.
"""

import statistics
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd

from bench.common import arguments, cpu, figure, folder, interleaved, peak_mb
from bench.peers import environment, run

FEATURES, DAYS, BEFORE, START = [f"f{i:02d}" for i in range(20)], 60, 30, date(2026, 3, 2)
MOVED, FROM = FEATURES[:3], 45  # these features rise by 0.3 standard deviations from this day on
STRUCT = ", ".join(f"{f}: CASE WHEN isnan({f}) THEN NULL ELSE {f} END" for f in FEATURES)
FLAT = ", ".join(f"features.{f} AS {f}" for f in FEATURES)
connection = lambda: duckdb.connect(config={"threads": 1})


def make(root, rows):
    """Day files of the reference and of the days to watch, as the log keeps them: normal features,
    four of them with 1 % missing, and a score in points.
    """
    con, paths = connection(), []
    for day in range(-BEFORE, DAYS):
        rng = np.random.default_rng([7, day + BEFORE])
        x = rng.standard_normal((rows // DAYS, len(FEATURES)))
        x[:, : len(MOVED)] += 0.3 * (day >= FROM)
        points = np.rint(1000 * (x[:, :5] @ [1.0, -0.8, 0.6, -0.4, 0.2])).astype(np.int16)
        x[:, -4:][rng.random((len(x), 4)) < 0.01] = np.nan
        con.register("made", pd.DataFrame(x, columns=FEATURES).assign(points=points))
        paths.append(root / f"{START + timedelta(day)}.parquet")
        con.execute(
            f"COPY (SELECT points, {{{STRUCT}}} AS features FROM made) TO '{paths[-1]}' (FORMAT "
            "parquet)"
        )
    return paths[:BEFORE], paths[BEFORE:]


def flat(root, name, paths):
    "The same rows in one file with a column for each feature, the score and the day, for peers."
    made = root / f"{name}.parquet"
    connection().execute(
        f"COPY (SELECT {FLAT}, 1 / (1 + exp(-points / 1000.0)) AS score, parse_filename(filename, "
        f"true) AS day FROM read_parquet({[str(p) for p in paths]}, filename = true)) TO '{made}' "
        "(FORMAT parquet)"
    )
    return made


def count(con, path, bins):
    "What is stored of a day: its counts of features and of the score."
    from aiops_wb.log.features import feature_counts
    from aiops_wb.stats.counts import ScoreCounts

    source = f"read_parquet('{path}')"
    scores = con.execute(f"SELECT points, count(*) AS n FROM {source} GROUP BY points").fetchnumpy()
    none = np.zeros(len(scores["n"]), dtype=np.int64)
    return feature_counts(con, source, bins), ScoreCounts.of(
        scores["points"], scores["n"], none, none
    )


def gathered(stored, bins):
    "Vectors (days, places) of each feature from what is stored, and the score counts of each day."
    from aiops_wb.stats.drift import FIRST

    rows = pd.concat([features for features, _ in stored.values()], ignore_index=True)
    day = np.repeat(np.arange(len(stored)), [len(features) for features, _ in stored.values()])
    tables = np.zeros(
        (len(stored), len(bins), FIRST + 1 + max(len(rule["cuts"]) for rule in bins.values())),
        dtype=np.int64,
    )
    np.add.at(
        tables,
        (day, pd.Index(bins).get_indexer(rows.feature), rows["bin"].to_numpy() + FIRST),
        rows.n.to_numpy(),
    )
    return {
        f: tables[:, i, : FIRST + 1 + len(rule["cuts"])] for i, (f, rule) in enumerate(bins.items())
    }, {d: scores for d, (_, scores) in stored.items()}


def watched(stored, before, bins):
    """From stored counts: which streams are in alarm on the last morning, and the distances of the
    last week from the reference.
    """
    from aiops_wb.config import Settings
    from aiops_wb.stats.counts import total
    from aiops_wb.stats.drift import feature_shift, ks
    from aiops_wb.stats.sequential import follow
    from aiops_wb.stats.streams import feature_questions, score_question

    settings, weight = Settings(), 1 / (1 + len(bins))
    how = (settings.drift_tolerance, settings.recent_days, weight)
    (tables, scores), (reference_tables, reference) = gathered(stored, bins), before
    questions = [
        score_question(scores, reference, *how),
        *feature_questions(list(stored), tables, list(reference), reference_tables, bins, *how),
    ]
    followed = follow(
        [q.stream for q in questions], settings.drift_level, hold=settings.recent_days
    )
    week = list(scores.values())[-settings.recent_days :]
    distances = [
        ks(total(week), total(reference.values())),
        *(
            feature_shift(
                f, "numeric", tables[f][-len(week) :].sum(axis=0), reference_tables[f].sum(axis=0)
            )
            for f in bins
        ),
    ]
    return {q.stream.name for q, is_open in zip(questions, followed.open[-1]) if is_open}, distances


def from_rows(before, now, bins):
    """The same from rows in memory, with nothing counted beforehand: streams in alarm on the last
    morning, and the distances of the last week.
    """
    from aiops_wb.config import Settings
    from aiops_wb.log.features import binned_days
    from aiops_wb.stats.counts import ScoreCounts, total
    from aiops_wb.stats.drift import ks
    from aiops_wb.stats.points import Grid
    from aiops_wb.watch.alarms import count_rows, follow_version

    settings, none, points = Settings(), np.full(len(before), np.nan), Grid().quantise(before.score)
    held_out = {
        day: ScoreCounts.from_events(points[at], none[at])
        for day, at in before.groupby("day").indices.items()
    }
    observed = count_rows(
        now, Grid().quantise(now.score), bins, binned_days(before, before.day, bins), held_out
    )
    seen = follow_version(observed, max(observed.counts), settings)
    return {a.stream for a in seen.alarms}, [
        ks(
            total(list(observed.counts.values())[-settings.recent_days :]), total(held_out.values())
        ),
        *seen.shifts,
    ]


def in_turn(ours, peer, runs):
    "Median CPU seconds of ours and of what the peer reports of itself, in turn."
    taken = []
    for _ in range(runs):
        before = cpu()
        ours()
        taken.append((cpu() - before, peer()))
    return [statistics.median(t) for t in zip(*taken)]


def measure(root, rows, name, peers):
    from aiops_wb.models.training import quantile_bins

    root.mkdir()
    reference_paths, paths = make(root, rows)
    con, n = connection(), rows // DAYS * DAYS
    sample = con.execute(
        f"SELECT {FLAT} FROM read_parquet({[str(p) for p in reference_paths]}) USING SAMPLE "
        "100000 ROWS (reservoir, 7)"
    ).df()
    bins = {f: quantile_bins(sample[f]) for f in FEATURES}
    day_of = lambda path: date.fromisoformat(path.stem)
    before = gathered({day_of(p): count(con, p, bins) for p in reference_paths}, bins)
    counted = lambda con=con: {day_of(p): count(con, p, bins) for p in paths}
    stored = counted()
    newest = paths[-1]

    def whole(con=con):
        return watched(counted(con), before, bins)

    def tomorrow():
        "The newest day is counted, all else is stored."
        return watched(stored | {day_of(newest): count(con, newest, bins)}, before, bins)

    peak = peak_mb(lambda: whole(connection()))
    alarms, _ = tomorrow()
    assert alarms == {"score", *MOVED}, alarms
    assert alarms == whole()[0]

    sums = ", ".join(f"sum(features.{f})" for f in FEATURES) + ", sum(points)"
    scan = lambda: [
        con.execute(f"SELECT {sums} FROM read_parquet('{p}')").fetchall() for p in paths
    ]
    at_once = lambda: con.execute(
        f"SELECT {sums} FROM read_parquet({[str(p) for p in paths]})"
    ).fetchall()
    few = 5
    some_days = lambda: [count(con, p, bins) for p in paths[-few:]]
    ours, bare, once, counting, one, evidence, next_day = interleaved(
        whole, scan, at_once, counted, some_days, lambda: watched(stored, before, bins), tomorrow
    )
    figure(
        "drift_vs_scan" + name,
        ours,
        bare,
        "CPU s",
        n,
        "DuckDB, one thread: the sum of each of the 21 columns, file by file; of ours "
        f"{counting:.2f} s count and {evidence:.2f} s are evidence and distances; all files in "
        f"one scan take {once:.2f} s",
        peak,
    )
    figure(
        "drift_new_day" + name,
        one / few,
        counting,
        "CPU s",
        n,
        "counting the files of 60 days; with evidence and distances, made anew from the stored "
        f"counts of all days, a new day takes {next_day:.3f} s, {next_day / ours:.3f} of the "
        "whole",
    )
    if not peers:
        return
    before_file = flat(root, "reference", reference_paths)
    after_file = flat(root, "analysis", paths)
    if python := environment("nannyml"):
        ours, theirs = in_turn(
            whole, lambda: run(python, "nannyml_drift", before_file, after_file)["cpu_s"], 5
        )
        figure(
            "drift_vs_nannyml" + name,
            ours,
            theirs,
            "CPU s",
            n,
            "NannyML UnivariateDriftCalculator, defaults, a chunk a day: fit on the rows of 30 "
            "days and calculate, rows already in memory; ours reads its files; its 30 reference "
            "days are counted beforehand",
        )
        rows = [
            con.execute(f"SELECT *, NULL::DOUBLE AS label FROM '{made}'")
            .df()
            .assign(day=lambda f: f.day.map({d: date.fromisoformat(d) for d in f.day.unique()}))
            for made in (before_file, after_file)
        ]
        assert from_rows(*rows, bins)[0] == alarms
        ours, theirs = in_turn(
            lambda: from_rows(*rows, bins),
            lambda: run(python, "nannyml_drift", before_file, after_file)["cpu_s"],
            5,
        )
        figure(
            "drift_rows_vs_nannyml" + name,
            ours,
            theirs,
            "CPU s",
            n,
            "the same with the rows of all 90 days in memory on both sides and nothing counted "
            "beforehand",
        )
    if python := environment("evidently"):
        ours, theirs = in_turn(
            whole,
            lambda: run(python, "evidently_drift", before_file, after_file, 2)["cpu_s_per_day"],
            1,
        )
        figure(
            "drift_vs_evidently" + name,
            ours,
            DAYS * theirs,
            "CPU s",
            n,
            "Evidently DataDriftPreset, defaults, once a day against the rows of 30 days in "
            "memory: the mean of 2 days in one run, times 60; it draws each column, too",
        )


def main():
    quick, root = arguments(__doc__).quick, folder()
    for rows, name in ((200_000, ""),) if quick else ((1_000_000, "_1m"), (5_000_000, "")):
        measure(root / str(rows), rows, name, not quick)


if __name__ == "__main__":
    main()
