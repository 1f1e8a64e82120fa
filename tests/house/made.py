"""A workbench of twelve weeks whose clock stands still: two sites, two versions, labels that come
late, an input that moves, a holiday, cases that people handle."""

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

from aiops_wb import daily
from aiops_wb.cli import main
from aiops_wb.cli.call import Call
from aiops_wb.render.notebook import run_job

__all__ = ["DAYS", "LAST", "MODEL", "START", "House", "built"]

MODEL = "late arrivals"
START, DAYS, A_DAY = date(2026, 1, 5), 84, 20
LAST = START + timedelta(DAYS - 1)
SETTINGS = "complete_share = 1\n"


@dataclass
class House:
    "A folder, a clock that stands, and what commands said."

    root: Path
    now: datetime = datetime(2026, 3, 23, 6, tzinfo=UTC)
    said: list[str] = field(default_factory=list)

    def call(self, *words: object) -> int:
        "Run a command and keep what it says, as it would stand in a terminal."
        out, place = io.StringIO(), ["--data", "data", "--reports-dir", "reports"]
        with (
            chdir(self.root),
            redirect_stdout(out),
            redirect_stderr(out),
            mock.patch.object(Call, "now", lambda _: self.now),
            mock.patch.object(Call, "who", "ana"),
            mock.patch.object(daily, "_run_with_limits", _in_this_process),
            mock.patch.dict(os.environ, {"COLUMNS": "100"}),
        ):
            code = main([*map(str, words), *place])
        asked = " ".join(f"'{word}'" if " " in str(word) else str(word) for word in words)
        self.said += [f"$ aiops-wb {asked}", out.getvalue().rstrip("\n"), f"[{code}]", ""]
        return code

    def calls(self, script: str) -> list[str]:
        "Run the commands of a script, a line each; what was said."
        start = len(self.said)
        for one in script.strip().splitlines():
            self.call(*_words(one))
        return self.said[start:]


def _words(one):
    "Words of a line; what stands in quotes is one of them."
    parts = one.strip().split('"')
    return [
        word for place, part in enumerate(parts) for word in ([part] if place % 2 else part.split())
    ]


def _in_this_process(jobs, settings, on_done):
    hooks = sys.displayhook, sys.excepthook
    InteractiveShell.clear_instance()  # whoever had one in this process
    try:
        results = [run_job(job) for job in jobs]
    finally:
        InteractiveShell.clear_instance()
        sys.displayhook, sys.excepthook = hooks
    for result in results:
        on_done(result)
    return results


def rows() -> pd.DataFrame:
    "Events of twelve weeks; rain moves in the last of them."
    rng = np.random.default_rng(7)
    n = DAYS * A_DAY
    day = np.repeat(np.arange(DAYS), A_DAY)
    rain = rng.gamma(2, 2, n).round(2) + 4.0 * (day > DAYS - 6)
    shift = rng.choice(["day", "night"], n, p=[0.7, 0.3])
    site = rng.choice(["north", "south"], n, p=[0.6, 0.4])
    logit = 0.35 * rain - 2.6 + 1.1 * (shift == "night") + 0.4 * (site == "south")
    truth = 1 / (1 + np.exp(-logit))
    at = pd.Timestamp(START, tz="UTC") + pd.to_timedelta(
        day * 86_400 + rng.integers(0, 86_400, n), unit="s"
    )
    at = at.sort_values()
    label = (rng.random(n) < truth).astype(int)
    known = at + pd.to_timedelta(rng.integers(6, 60, n), unit="h")
    return pd.DataFrame(
        {
            "prediction_id": [f"e{i:04d}" for i in range(n)],
            "predicted_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": np.clip(truth + rng.normal(0, 0.05, n), 0.001, 0.999).round(4),
            "entity_id": [f"guard {i}" for i in rng.integers(0, 40, n)],
            "site_id": site,
            "latency_ms": rng.gamma(3, 2, n).round(1),
            "rain": rain.round(2),
            "shift": shift,
            "label": label,
            "observed_at": known.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _deliver(house, table, name, until):
    "Write a file of predictions and one of the outcomes that are known by a time."
    predictions = table.drop(columns=["label", "observed_at"])
    predictions.to_csv(house.root / f"{name}.csv", index=False)
    known = table[table.observed_at <= f"{until:%Y-%m-%dT%H:%M:%SZ}"]
    outcomes = known[["prediction_id", "label", "observed_at"]]
    outcomes.to_csv(house.root / f"{name}-outcomes.csv", index=False)


SITES = """site_id,name,security_manager,manager
north,North Gate,Zoë,Jürgen
south,South Gate,Ali,Jürgen
"""

BEGUN = """
ingest --file first.csv --set "model=late arrivals,version=v1,threshold=0.6"
ingest --file first-outcomes.csv --kind outcomes
models train --model "late arrivals" --version v1 --from 2026-01-05 --to 2026-03-15 --rounds 12
models promote --model "late arrivals" --version v1 --why "the first"
models train --model "late arrivals" --version v2 --from 2026-01-05 --to 2026-03-21 --rounds 6
models shadow "late arrivals" v2 on --why "beside it"
calibrations make --model "late arrivals"
sites load sites.csv --why told
calendar add Snow --from 2026-03-19 --to 2026-03-20 --model "late arrivals" --why weather
calendar holidays --country DE --region Bayern --years 2026 --why feasts
thresholds set 0.65 --model "late arrivals" --site south --why busy
thresholds propose 0.55 --model "late arrivals" --why "more of them"
status
"""

MORNING = """
ingest --file second.csv --set "model=late arrivals,version=v1,threshold=0.6"
ingest --file second-outcomes.csv --kind outcomes
backfill --from 2026-03-22 --to 2026-03-28 --reports none
daily --date 2026-03-29
"""

READ = """
status
status --json
models list
models show "late arrivals"
models show "late arrivals" --json
models compare "late arrivals" v1 v2
models guard "late arrivals"
labels show
calibrations list --model "late arrivals"
thresholds show --model "late arrivals"
thresholds list
thresholds list --json
thresholds simulate 0.4 --model "late arrivals"
thresholds choose --model "late arrivals" --max-fpr 0.2 --unit row
thresholds choose --model "late arrivals" --alerts-per-day 8 --json
thresholds choose --model "late arrivals" --cost-missed 4 --cost-false 1 --by site
thresholds history --model "late arrivals"
thresholds tune --model "late arrivals" --max-fdr 0.4 --dry-run
promises
promises --json
reference show --model "late arrivals"
drift list
drift list --json
drift explain --model "late arrivals"
drift attribution
why alerts --model "late arrivals"
why precision --model "late arrivals" --json
explain --id e1660
explain --id e1660 --json
replay --model "late arrivals" --from 2026-03-23 --to 2026-03-29
sql "SELECT site_id, count(*) AS n, avg(points) AS mean FROM predictions GROUP BY 1 ORDER BY 1"
sql "SELECT prediction_id, label FROM labels ORDER BY ALL LIMIT 2" --csv
sql "SELECT none FROM predictions"
cases list
cases list --json
cases list --csv --state open --site south
sites list
calendar list
reports list
audit list
audit verify
"""


def built(root: Path) -> House:
    "The house as it is before its first command."
    table, house = rows(), House(root)
    last = house.now + timedelta(7)
    early = table.predicted_at < f"{house.now.date()}"
    _deliver(house, table[early], "first", house.now)
    _deliver(house, table[~early], "second", last)
    known = table[early & (table.observed_at > f"{house.now:%Y-%m-%dT%H:%M:%SZ}")]
    known[["prediction_id", "label", "observed_at"]].to_csv(
        root / "second-outcomes.csv", mode="a", header=False, index=False
    )
    (root / "aiops.toml").write_text(SETTINGS)
    (root / "policy.toml").write_text("threshold = 0.5\n")
    (root / "sites.csv").write_text(SITES, encoding="utf-8")
    return house
