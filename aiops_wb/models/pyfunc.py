"""An exported version as mlflow loads it: the score of each event, from features as in the log.

This file goes with every version that is exported, and is run there without this workbench.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from .matrix import feature_matrix

__all__ = ["CARD", "Exported"]

CARD = "version.json"


class Exported:
    "A version that was exported to a folder."

    def __init__(self, folder: str | Path):
        told = json.loads((Path(folder) / CARD).read_text(encoding="utf-8"))
        self.card = told["card"]
        self.booster = xgb.Booster(model_file=Path(folder) / "model.ubj")

    def predict(self, frame: pd.DataFrame, params: dict | None = None) -> np.ndarray:
        "Probability of a positive for each row; there are no `params`."
        card = self.card
        matrix = feature_matrix(frame, card["features"], card["categories"], card.get("kinds", {}))
        return self.booster.predict(matrix).astype(np.float64)


def _load_pyfunc(path):
    "What mlflow calls, with the folder."
    return Exported(path)
