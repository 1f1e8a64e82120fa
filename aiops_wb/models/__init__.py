"""Versions of a model: trained or adopted, registered, compared, explained.

`version` is what scores, `training` makes it of trees that `boosting` grows, `adoption` takes one
that was trained elsewhere (its file is read by `booster_file`), `registry` keeps it, `cards` says
what it is, `folder` brings it to other programs and back, `scorer` decides and logs with what is in
force; `challenge` puts a new one into the shadow, which `jobs` trains in a process of its own
(`handover` is what that leaves), `domain` tells recent events from training, and `explain` says
what raised a score: `kept_reasons` of every alert of a day, `precedents` what became of past ones
like it, `differences` why scores moved or versions part (`shift_of_log`: on the days of a log).
Many events at once are scored and explained by `batch`, into files by `scored_files`, where Spark
is by `spark_scoring`.
"""

from .._moved import lookup, warn

_NAMES = (
    "PARAMETERS",
    "ROUNDS",
    "ModelVersion",
    "feature_matrix",
    "quantile_bins",
    "train",
    "register",
    "load",
    "Scorer",
)
_PLACES = ("models.version", "models.training", "models.registry", "models.scorer")


def __getattr__(name):
    "Names that stood here in version 0.1."
    if name not in _NAMES:
        raise AttributeError(f"module 'aiops_wb.models' has no attribute {name!r}")
    warn("models", _PLACES)
    return lookup("models", _PLACES, name)
