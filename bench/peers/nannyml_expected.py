"""What NannyML's CBPE, default calibration, expects of the log that its package ships (car loans,
50,000 rows of reference and as many to judge, chunks of 5,000 as in its documentation): python
nannyml_expected.py FOLDER writes reference.parquet and analysis.parquet, labels in both, and prints
a JSON line.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before the import: otherwise each call is reported

import json
import sys
import warnings
from pathlib import Path

import nannyml

warnings.filterwarnings("ignore")
CHUNK = 5000


def main():
    folder = Path(sys.argv[1])
    reference, analysis, truth = nannyml.load_synthetic_car_loan_dataset()
    estimator = nannyml.CBPE(
        metrics=["roc_auc"],
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        timestamp_column_name="timestamp",
        problem_type="classification_binary",
        chunk_size=CHUNK,
    )
    estimator.fit(reference)
    found = estimator.estimate(analysis).filter(period="analysis").to_df()
    reference.to_parquet(folder / "reference.parquet", index=False)
    analysis.merge(truth, on="id").to_parquet(folder / "analysis.parquet", index=False)
    expected = [float(v) for v in found["roc_auc", "value"]]
    print(json.dumps({"version": nannyml.__version__, "chunk": CHUNK, "roc_auc": expected}))


if __name__ == "__main__":
    main()
