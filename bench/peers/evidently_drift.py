"""Evidently's DataDriftPreset, defaults, a report a day against the whole reference: python
evidently_drift.py reference.parquet analysis.parquet DAYS prints a JSON line.
"""

import os

os.environ["DO_NOT_TRACK"] = "1"

import json
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def main():
    reference, analysis = (pd.read_parquet(path) for path in sys.argv[1:3])
    columns = [c for c in reference if c != "day"]
    definition = DataDefinition(numerical_columns=columns)
    report = Report([DataDriftPreset()], include_tests=True)
    data = lambda frame: Dataset.from_pandas(
        frame[columns].reset_index(drop=True), data_definition=definition
    )
    known = data(reference)
    days = [
        analysis[analysis.day == day] for day in sorted(analysis.day.unique())[: int(sys.argv[3])]
    ]
    report.run(
        data(days[0].head(500)), data(reference.head(500))
    ).dict()  # warm-up: what is imported on first use
    taken = []
    for day in days:
        before = time.process_time()
        report.run(data(day), known).dict()
        taken.append(time.process_time() - before)
    print(json.dumps({"cpu_s_per_day": statistics.mean(taken), "days": len(taken)}))


if __name__ == "__main__":
    main()
