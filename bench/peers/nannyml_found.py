"""On which days NannyML's univariate drift, defaults, a chunk a day, newly raises an alarm: python
nannyml_found.py reference.parquet analysis.parquet prints a JSON line.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before the import: otherwise each call is reported

import json
import sys
import warnings

import nannyml
import pandas as pd

warnings.filterwarnings("ignore")


def main():
    reference, analysis = (
        pd.read_parquet(path).assign(day=lambda f: pd.to_datetime(f.day)) for path in sys.argv[1:3]
    )
    columns = [c for c in reference if c not in ("day", "label")]
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=columns, timestamp_column_name="day", chunk_period="D"
    )
    calculator.fit(reference)
    found = calculator.calculate(analysis).filter(period="analysis").to_df(multilevel=True)
    alarms = pd.DataFrame(
        {c: found[c, "jensen_shannon", "alert"].astype(bool).to_numpy() for c in columns},
        index=found["chunk", "chunk", "key"],
    )
    new = alarms & ~alarms.shift(fill_value=False)
    print(json.dumps({"alarms": [str(day) for day in new.index[new.any(axis=1)]]}))


if __name__ == "__main__":
    main()
