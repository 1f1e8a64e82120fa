"""Run all benchmarks, or those named, and rewrite their rows in the tables of bench/README.md."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "counts",
    "rollup",
    "thresholds",
    "ingest",
    "spool",
    "live",
    "daily",
    "conformal",
    "drift",
    "growth",
    "replay",
    "retrain",
    "bridge",
    "baselines",
    "explain",
    "workbench",
    "hardening",
    "load",
    "compaction",
    "billion",
    "scale",
)
TARGETS = {
    "counts_vs_scan": 6,
    "segment_counts_vs_scan": 8,
    "rollup_vs_raw": 0.1,
    "rollup_growth": 1.2,
    "curve_vs_sklearn": 0.1,
    "curve_from_counts": 0.015,
    "curve_join_vs_sklearn": 0.5,
    "curve_memory_vs_sklearn": 0.17,
    "sail_vs_duckdb": 3,
    "ingest_vs_copy": 3,
    "log_call_us": 15,
    "log_vs_json": 2,
    "log_frame_vs_first": 1,
    "log_frames_vs_first": 1,
    "log_lists_vs_first": 1,
    "spool_import_ms": 80,
    "decide_one_us": 400,
    "decide_one_vs_predict": 2,
    "serve_p99_vs_empty": 2.5,
    "serve_lost": 0,
    "daily_vs_papermill": 2,
    "morning_vs_papermill": 3.0,
    "demo_vs_papermill": 4.3,
    "sets_vs_compare": 3,
    "pvalues_vs_crepes": 0.001,
    "vennabers_vs_package": 0.002,
    "decision_us": 50,
    "calibration_us": 1000,
    "import_1m_cpu_s": 60,
    "cbpe_vs_nannyml": 1,
    "replay_year_s": 5,
    "replay_100_policies_s": 120,
    "replay_vs_rows": 0.05,
    "promote_decision_ms": 50,
    "promote_checks_ms": 50,
    "promote_vs_rows": 0.05,
    "bridge_ms": 100,
    "baseline_vs_groupby": 2,
    "explain_vs_treeexplainer": 1.0,
    "explain_day_vs_3000_rows": 3,
    "reason_bytes_per_row": 9,
    "api_p99_vs_empty": 10,
    "index_kb_100_models": 100,
    "report_kb": 200,
    "daily_per_extra_model": 0.25,
    "daily_per_extra_model_reports": 0.5,
    "verify_mb_s": 2,
    "alarm_growth": 1.3,
    "files_8000_vs_500": 1.5,
    "ingest_peak_mb_2m": 1,
    "daily_peak_mb_2m": 1,
    **{
        f"retrain_flights{recipe}{loss}": 1
        for recipe in ("", "_expanding")
        for loss in ("", "_cost4", "_cost9")
    },
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


def table_row(*cells):
    "A row of a Markdown table."
    return f"| {' | '.join(map(str, cells))} |"


def figure_row(f):
    "A measured figure beside its target."
    ratio = "" if f["ratio"] is None else format(f["ratio"], ".4g")
    ours, reference = f"{f['ours']:.4g}", f["reference"] or ""
    size = f"{f['rows']:,}", f["peak_mb"] or ""
    target = TARGETS.get(f["name"], "")
    return table_row(f["name"], ratio, target, ours, reference, *size, f["against"])


def guarantee_row(p):
    "A guarantee: promised beside observed."
    unit = p["unit"] + (f"; {p['note']}" if "note" in p else "")
    seen = p["promised"], p["observed"], p["se"], f"{p['repetitions']:,}"
    return table_row(p["name"], *seen, unit, "yes" if p["holds"] else "NO")


def rows_of(script, extra):
    "Name -> table row of each figure or guarantee of a script."
    row = guarantee_row if script == "guarantees" else figure_row
    return {measured["name"]: row(measured) for measured in lines(script, extra)}


FIGURES = "figure", "ratio", "target at most", "ours", "reference", "rows", "peak MB", "against"
PROMISES = "guarantee", "promised", "observed", "standard error", "repetitions", "unit", "holds"


def table(head, rows):
    "A Markdown table."
    return "\n".join([table_row(*head), "|" + "---|" * len(head), *rows])


def main(argv):
    extra = [a for a in argv if a.startswith("-")]
    chosen = [a for a in argv if not a.startswith("-")] or [*SCRIPTS, "guarantees"]
    unknown = set(chosen) - {*SCRIPTS, "guarantees"}
    if unknown:
        sys.exit(
            f"{', '.join(sorted(unknown))} is no benchmark: choose among {', '.join(SCRIPTS)} and "
            "guarantees."
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
    figures = [row for n, row in together.items() if n not in promises]
    held = [row for n, row in together.items() if n in promises]
    tables = f"{table(FIGURES, figures)}\n\n{table(PROMISES, held)}"
    text = f"{head}<!-- figures -->\n\n{tables}\n"
    (HERE / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
