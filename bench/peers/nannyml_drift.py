"""NannyML's UnivariateDriftCalculator, default methods and thresholds, a chunk a day: python
nannyml_drift.py reference.parquet analysis.parquet prints a JSON line.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before the import: otherwise each call is reported

import json
import sys
import time
import warnings

import nannyml
import pandas as pd

warnings.filterwarnings("ignore")


def drift(reference, analysis, columns):
    "Fit and calculate; the figures as a frame."
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=columns, timestamp_column_name="day", chunk_period="D"
    )
    calculator.fit(reference)
    return calculator.calculate(analysis).filter(period="analysis").to_df(multilevel=True)


def main():
    reference, analysis = (
        pd.read_parquet(path).assign(day=lambda f: pd.to_datetime(f.day)) for path in sys.argv[1:3]
    )
    columns = [c for c in reference if c != "day"]
    few = [f.groupby("day").head(20) for f in (reference, analysis)]
    drift(*few, columns)  # warm-up: what is imported on first use
    before = time.process_time()
    found = drift(reference, analysis, columns)
    taken = time.process_time() - before
    print(
        json.dumps(
            {
                "cpu_s": taken,
                "days": len(found),
                "alarms": {c: int(found[c, "jensen_shannon", "alert"].sum()) for c in columns},
            }
        )
    )


if __name__ == "__main__":
    main()
