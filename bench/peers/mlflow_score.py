"""Load an exported version with mlflow and score rows: FOLDER ROWS, JSON on the last line."""

import json
import sys

import mlflow
import pandas as pd

folder, rows = sys.argv[1:]
frame = pd.read_pickle(rows)
loaded = mlflow.pyfunc.load_model(folder)
booster = mlflow.xgboost.load_model(folder)
columns = [[column.name, column.type.name] for column in loaded.metadata.signature.inputs]
told = {
    "scores": loaded.predict(frame).tolist(),
    "columns": columns,
    "trees": booster.num_boosted_rounds(),
    "workbench": "aiops_wb" in sys.modules,
}
print(json.dumps(told))
