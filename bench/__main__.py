"""Run all benchmarks and rewrite the table in bench/README.md."""
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("counts", "rollup", "ingest", "daily", "conformal")
TARGETS = {"counts_vs_scan": 6, "segment_counts_vs_scan": 8, "rollup_vs_raw": 0.1, "rollup_growth": 1.2, "ingest_vs_copy": 3, "daily_vs_papermill": 2,
           "sets_vs_compare": 3, "pvalues_vs_crepes": 0.001, "vennabers_vs_package": 0.002, "decision_us": 50, "calibration_us": 1000}


def lines(script, extra):
    "The JSON lines that a script prints."
    done = subprocess.run([sys.executable, "-m", f"bench.{script}", *extra], cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench.{script} failed with exit code {done.returncode}")
    print(done.stdout, end="", flush=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(extra):
    figures = [f for s in SCRIPTS for f in lines(s, extra)]
    promises = lines("guarantees", extra)
    rows = [f"| {f['name']} | {'' if f['ratio'] is None else format(f['ratio'], '.4g')} | {TARGETS.get(f['name'], '')} | {f['ours']:.4g} | {f['reference'] or ''} | {f['rows']:,} | {f['peak_mb'] or ''} | {f['against']} |" for f in figures]
    held = [f"| {p['name']} | {p['promised']} | {p['observed']} | {p['se']} | {p['repetitions']:,} | {p['unit']} | {'yes' if p['holds'] else 'NO'} |" for p in promises]
    text = (HERE / "README.md").read_text(encoding="utf-8")
    head = text[: text.index("<!-- figures -->")]
    (HERE / "README.md").write_text(head + "<!-- figures -->\n\n| figure | ratio | target at most | ours | reference | rows | peak MB | against |\n|---|---|---|---|---|---|---|---|\n" + "\n".join(rows)
                                    + "\n\n| guarantee | promised | observed | standard error | repetitions | unit | holds |\n|---|---|---|---|---|---|---|\n" + "\n".join(held) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
