"""Write tests/data/nannyml_cbpe.json: what NannyML's CBPE expects of seeded rows, without
recalibration. Run it with the Python of the environment of nannyml.txt:
bench/peers/.venv-nannyml/bin/python bench/peers/cbpe_fixture.py
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before the import: otherwise each call is reported

import json
import warnings
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd
from nannyml.calibration import NoopCalibrator

warnings.filterwarnings("ignore")
METRICS = ["accuracy", "precision", "recall", "f1", "roc_auc"]
RECIPE = (
    "rng = numpy.random.default_rng(seed); "
    "points = rint(4000 * rng.random((n, 3)).sum(axis=1) - 7000); "
    "p = 1 / (1 + exp(-points / 1000)); predicted = p >= 0.5"
)


def rows(seed, n):
    "Points on the fine logit grid and labels that keep to their probabilities."
    rng = np.random.default_rng(seed)
    points = np.rint(4000 * rng.random((n, 3)).sum(axis=1) - 7000).astype(np.int64)
    p = 1 / (1 + np.exp(-points / 1000))
    return points, pd.DataFrame(
        {"p": p, "predicted": (p >= 0.5).astype(int), "label": (rng.random(n) < p).astype(int)}
    )


def main():
    seed, n = 20, 5000
    points, analysis = rows(seed, n)
    _, reference = rows(seed + 1, n)
    estimator = nannyml.CBPE(
        metrics=METRICS,
        y_pred_proba="p",
        y_pred="predicted",
        y_true="label",
        problem_type="classification_binary",
        calibrator=NoopCalibrator(),
        chunk_number=1,
    )
    estimator.fit(reference)
    found = estimator.estimate(analysis.drop(columns="label")).filter(period="analysis").to_df()
    estimates = {m: float(found[m, "value"].iloc[0]) for m in METRICS}
    made = {
        "by": f"nannyml {nannyml.__version__} CBPE, not recalibrated",
        "recipe": RECIPE,
        "seed": seed,
        "n": n,
        "sum_of_points": int(points.sum()),
        "estimates": estimates,
    }
    target = Path(__file__).parents[2] / "tests" / "stats" / "data" / "nannyml_cbpe.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
