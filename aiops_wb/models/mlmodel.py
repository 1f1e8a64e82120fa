"""What mlflow reads of an exported version, written without mlflow: MLmodel, environments, README.

YAML in which every value is JSON, which is YAML too.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from ..log.feature_schema import features_of_card

__all__ = ["descriptions", "signature"]

TYPES = {"number": "double", "boolean": "boolean", "text": "string", "time": "string"}
"Kind of a feature -> the type of its column in a signature of mlflow."
_NEEDS = ("numpy", "pandas", "xgboost-cpu", "xgboost")


def descriptions(told: Mapping[str, Any], loader: str) -> dict[str, str]:
    "File -> its text, of a version as its `version.json` tells of it, which a module loads."
    packages = told["card"].get("packages", {})
    python = packages.get("python", "3.11")
    needs = [f"{name}=={packages[name]}" for name in _NEEDS if name in packages]
    if not any("xgboost" in need for need in needs):
        needs.append("xgboost")
    return {
        "MLmodel": _mlmodel(told, loader, python, packages),
        "requirements.txt": "".join(f"{need}\n" for need in ("mlflow", *needs)),
        "python_env.yaml": _PYTHON_ENV.format(python=_value(python)),
        "conda.yaml": _CONDA.format(
            python=_value(f"python={python}"),
            needs="".join(f"    - {_value(need)}\n" for need in ("mlflow", *needs)),
        ),
        "README.md": _readme(told),
    }


def signature(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    "The columns that a version takes, as a signature of mlflow."
    return [
        {"type": TYPES[kind], "name": feature, "required": True}
        for feature, kind in features_of_card(card).items()
    ]


def _value(value):
    return json.dumps(value, ensure_ascii=False)


def _mlmodel(told, loader, python, packages):
    xgboost = packages.get("xgboost-cpu") or packages.get("xgboost", "")
    output = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]
    metadata = {key: told[key] for key in ("model", "version", "grid", "in_force")}
    return _MLMODEL.format(
        loader=loader,
        python=_value(python),
        xgboost=_value(xgboost),
        uuid=uuid.uuid5(uuid.NAMESPACE_OID, told["sha256"]["model.ubj"]).hex,
        created=_value(told["exported_at"].replace("T", " ").partition("+")[0]),
        inputs=_value(json.dumps(signature(told["card"]))),
        outputs=_value(json.dumps(output)),
        metadata=_value(metadata),
    )


def _readme(told):
    "For people who get the folder."
    columns = "".join(
        f"| {feature} | {kind} | {TYPES[kind]} |\n"
        for feature, kind in features_of_card(told["card"]).items()
    )
    return _README.format(
        model=told["model"],
        version=told["version"],
        release=told["aiops_wb"],
        threshold=told["in_force"]["threshold"],
        columns=columns,
    )


_MLMODEL = """\
flavors:
  python_function:
    code: code
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: {loader}
    python_version: {python}
  xgboost:
    code: null
    data: model.ubj
    model_class: xgboost.core.Booster
    model_format: ubj
    xgb_version: {xgboost}
metadata: {metadata}
model_uuid: {uuid}
signature:
  inputs: {inputs}
  outputs: {outputs}
  params: null
utc_time_created: {created}
"""

_PYTHON_ENV = """\
python: {python}
build_dependencies:
- pip
dependencies:
- -r requirements.txt
"""

_CONDA = """\
name: aiops-wb-version
channels:
- conda-forge
dependencies:
- {python}
- pip
- pip:
{needs}"""

_README = """\
# {model}, version {version}

Exported by aiops_wb {release}. `mlflow.pyfunc.load_model(folder).predict(frame)` gives the
probability of a positive for each row, the same as in the workbench, from these columns:

| feature | what it is | column |
|---|---|---|
{columns}
Values may be spelt as in the log. A category that the version has not seen counts as missing, a
time without an offset is UTC. mlflow wants a column to be of its type: numbers as floats, with NaN
where one is missing; texts, booleans and times with None.

`mlflow.xgboost.load_model(folder)` gives the booster itself, which takes the features in this
order under the names f0, f1 ..., and of a text the place of its value in `card.categories` of
`version.json`.

The threshold that was in force when it was exported is {threshold} points, thousandths of
log-odds. `version.json` holds the card; `held_out.csv` and `reference.csv` the counts of its days;
`aiops-wb models import FOLDER --model MODEL --version VERSION` registers it in another workbench.
"""
