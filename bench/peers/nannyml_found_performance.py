"""On which days NannyML's realized performance, default metrics and thresholds, a chunk a day,
newly raises an alarm: python nannyml_found_performance.py reference.parquet analysis.parquet
prints a JSON line.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before the import: otherwise each call is reported

import json
import sys
import warnings

import nannyml
import pandas as pd

warnings.filterwarnings("ignore")
METRICS = ["accuracy", "precision", "recall", "f1", "roc_auc"]


def main():
    read = lambda path: (
        pd.read_parquet(path, columns=["day", "score", "label"])
        .dropna()
        .assign(
            day=lambda f: pd.to_datetime(f.day),
            label=lambda f: f.label.astype(int),
            predicted=lambda f: (f.score >= 0.5).astype(int),
        )
    )
    reference, analysis = (read(path) for path in sys.argv[1:3])
    calculator = nannyml.PerformanceCalculator(
        metrics=METRICS,
        y_pred_proba="score",
        y_pred="predicted",
        y_true="label",
        timestamp_column_name="day",
        problem_type="classification_binary",
        chunk_period="D",
    )
    calculator.fit(reference)
    found = calculator.calculate(analysis).filter(period="analysis").to_df()
    alarms = pd.DataFrame(
        {m: found[m, "alert"].astype(bool).to_numpy() for m in METRICS}, index=found["chunk", "key"]
    )
    new = alarms & ~alarms.shift(fill_value=False)
    print(json.dumps({"alarms": [str(day) for day in new.index[new.any(axis=1)]]}))


if __name__ == "__main__":
    main()
