"""Run all benchmarks, or those named, and rewrite their rows in the tables of bench/README.md."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("counts", "rollup", "ingest", "daily", "conformal", "drift")
TARGETS = {
    "counts_vs_scan": 6,
    "segment_counts_vs_scan": 8,
    "rollup_vs_raw": 0.1,
    "rollup_growth": 1.2,
    "ingest_vs_copy": 3,
    "daily_vs_papermill": 2,
    "sets_vs_compare": 3,
    "pvalues_vs_crepes": 0.001,
    "vennabers_vs_package": 0.002,
    "decision_us": 50,
    "calibration_us": 1000,
    **{
        f"drift_{what}{size}": target
        for size in ("_1m", "")
        for what, target in (
            ("vs_scan", 6),
            ("new_day", 0.0167),
            ("vs_nannyml", 0.1),
            ("rows_vs_nannyml", 0.1),
            ("vs_evidently", 0.01),
        )
    },
}


def lines(script, extra):
    "The JSON lines that a script prints."
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{script}", *extra],
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        sys.exit(f"bench.{script} failed with exit code {done.returncode}")
    print(done.stdout, end="", flush=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(script, extra):
    "Name -> table row of each figure or guarantee of a script."
    if script == "guarantees":
        return {
            p[
                "name"
            ]: f"| {p['name']} | {p['promised']} | {p['observed']} | {p['se']} | {p['repetitions']:,} | {p['unit']}{'; ' + p['note'] if 'note' in p else ''} | {'yes' if p['holds'] else 'NO'} |"
            for p in lines(script, extra)
        }
    return {
        f[
            "name"
        ]: f"| {f['name']} | {'' if f['ratio'] is None else format(f['ratio'], '.4g')} | {TARGETS.get(f['name'], '')} | {f['ours']:.4g} | {f['reference'] or ''} | {f['rows']:,} | {f['peak_mb'] or ''} | {f['against']} |"
        for f in lines(script, extra)
    }


def main(argv):
    extra, chosen = (
        [a for a in argv if a.startswith("-")],
        [a for a in argv if not a.startswith("-")] or [*SCRIPTS, "guarantees"],
    )
    unknown = set(chosen) - {*SCRIPTS, "guarantees"}
    if unknown:
        sys.exit(
            f"{', '.join(sorted(unknown))} is no benchmark: choose among {', '.join(SCRIPTS)} and guarantees."
        )
    text = (HERE / "README.md").read_text(encoding="utf-8")
    head, _, tables = text.partition("<!-- figures -->")
    kept = {
        row.split("|")[1].strip(): row
        for row in tables.splitlines()
        if row.startswith("| ") and not row.startswith(("| figure", "| guarantee"))
    }
    measured = {script: rows_of(script, extra) for script in chosen}
    new = {name: row for rows in measured.values() for name, row in rows.items()}
    promises = {n for n, row in kept.items() if row.count("|") == 8} | set(
        measured.get("guarantees", {})
    )
    together = kept | new
    figures, held = (
        [row for n, row in together.items() if n not in promises],
        [row for n, row in together.items() if n in promises],
    )
    (HERE / "README.md").write_text(
        head
        + "<!-- figures -->\n\n| figure | ratio | target at most | ours | reference | rows | peak MB | against |\n|---|---|---|---|---|---|---|---|\n"
        + "\n".join(figures)
        + "\n\n| guarantee | promised | observed | standard error | repetitions | unit | holds |\n|---|---|---|---|---|---|---|\n"
        + "\n".join(held)
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
