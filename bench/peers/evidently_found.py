"""On which days Evidently's DataDriftPreset, defaults, newly flags a column: python
evidently_found.py reference.parquet analysis.parquet DAYS SKIP prints a JSON line.
"""

import os

os.environ["DO_NOT_TRACK"] = "1"

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def main():
    reference, analysis = (pd.read_parquet(path).drop(columns="label") for path in sys.argv[1:3])
    columns = [c for c in reference if c != "day"]
    definition = DataDefinition(numerical_columns=columns)
    report = Report([DataDriftPreset()], include_tests=True)
    data = lambda frame: Dataset.from_pandas(
        frame[columns].reset_index(drop=True), data_definition=definition
    )
    known, found, before = data(reference), [], set()
    skip = int(sys.argv[4])
    for day in sorted(analysis.day.unique())[skip : skip + int(sys.argv[3])]:
        tests = report.run(data(analysis[analysis.day == day]), known).dict()["tests"]
        flagged = {
            c
            for c in columns
            for t in tests
            if t["status"] == "FAIL" and c in str(t["metric_config"]["params"].get("column"))
        }
        found += [str(day)] if flagged - before else []
        before = flagged
    print(json.dumps({"alarms": found}))


if __name__ == "__main__":
    main()
