"""A table of events scored, decided and logged in one go, with pandas.

    python examples/batch.py late events.csv decided.csv

Columns `prediction_id` and `predicted_at` (with an offset) are needed; `entity_id` and `site_id`
are logged where there are any; all others are features. A batch that was stopped may be run again:
what was logged already is a duplicate, and counted as one.
"""

import argparse
from pathlib import Path

import pandas as pd

from aiops_wb import Scorer, load_settings, open_snapshot

ABOUT = ("entity_id", "site_id")


def decide(events: pd.DataFrame, data: Path, spool: Path, model: str) -> pd.DataFrame:
    "Events with what was decided about each; when this returns, all are safely in the spool."
    with open_snapshot(data) as reader:
        scorer = Scorer.in_force(reader, model)
    missing = sorted({*scorer.version.features} - {*events})
    if missing:
        raise SystemExit(f"columns are missing: {', '.join(missing)}")
    about = {name: events.get(name) for name in ABOUT}
    with scorer.logger(spool) as log:
        decided = scorer.score_and_log(
            events,
            log,
            events["predicted_at"],
            prediction_id=events["prediction_id"],
            entity_id=about["entity_id"],
            site_id=about["site_id"],
        )
    return decided[["prediction_id", "score", "risk_level", "route", "reason"]]


def main() -> None:
    given = argparse.ArgumentParser(description="Score, decide and log a table of events.")
    given.add_argument("model")
    given.add_argument("events", type=Path)
    given.add_argument("decided", type=Path)
    asked, settings = given.parse_args(), load_settings()
    events = pd.read_csv(asked.events, dtype={"prediction_id": str})
    decided = decide(events, settings.data, settings.spool_of(settings.data), asked.model)
    decided.to_csv(asked.decided, index=False)
    print(f"{len(decided)} decided: {dict(decided['route'].value_counts())}")


if __name__ == "__main__":
    main()
