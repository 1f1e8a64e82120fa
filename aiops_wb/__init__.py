"""A workbench for people who run a binary risk model in production.

The names in `__all__` are the documented surface; each is loaded when it is first asked for, so
that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from . import _moved

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .config import Settings, SettingsError, load_settings
    from .lab.explorer import ThresholdExplorer
    from .log.catalog import Reader, open_snapshot
    from .log.errors import BufferFull, Busy, NotWritten, StoreError
    from .log.ingest import Ingested, ingest_file
    from .log.spool import OutcomeLogger, PredictionLogger
    from .log.store import Store, open_store
    from .models.scorer import Scorer
    from .models.training import train
    from .models.version import ModelVersion
    from .service.app import scoring_app
    from .stats.automation import Certainty, certainty
    from .stats.conformal import Calibration, VennAbers, calibrate, venn_abers
    from .stats.counts import Histogram, ScoreCounts
    from .stats.performance import Figure, summary
    from .stats.points import Grid
    from .stats.thresholds import curve, simulate
    from .watch.view import View, open_view
    from .workbench.found import Workbench

_HOME = {
    "BufferFull": "log.errors",
    "Busy": "log.errors",
    "Calibration": "stats.conformal",
    "Certainty": "stats.automation",
    "Figure": "stats.performance",
    "Grid": "stats.points",
    "Histogram": "stats.counts",
    "Ingested": "log.ingest",
    "ModelVersion": "models.version",
    "NotWritten": "log.errors",
    "OutcomeLogger": "log.spool",
    "PredictionLogger": "log.spool",
    "Reader": "log.catalog",
    "ScoreCounts": "stats.counts",
    "Scorer": "models.scorer",
    "Settings": "config",
    "SettingsError": "config",
    "Store": "log.store",
    "StoreError": "log.errors",
    "ThresholdExplorer": "lab.explorer",
    "VennAbers": "stats.conformal",
    "View": "watch.view",
    "Workbench": "workbench.found",
    "calibrate": "stats.conformal",
    "certainty": "stats.automation",
    "curve": "stats.thresholds",
    "ingest_file": "log.ingest",
    "load_settings": "config",
    "open_snapshot": "log.catalog",
    "open_store": "log.store",
    "open_view": "watch.view",
    "scoring_app": "service.app",
    "simulate": "stats.thresholds",
    "summary": "stats.performance",
    "train": "models.training",
    "venn_abers": "stats.conformal",
}
"Public name -> the module that it is loaded from."

__all__ = [
    "BufferFull",
    "Busy",
    "Calibration",
    "Certainty",
    "Figure",
    "Grid",
    "Histogram",
    "Ingested",
    "ModelVersion",
    "NotWritten",
    "OutcomeLogger",
    "PredictionLogger",
    "Reader",
    "ScoreCounts",
    "Scorer",
    "Settings",
    "SettingsError",
    "Store",
    "StoreError",
    "ThresholdExplorer",
    "VennAbers",
    "View",
    "Workbench",
    "calibrate",
    "certainty",
    "curve",
    "ingest_file",
    "load_settings",
    "open_snapshot",
    "open_store",
    "open_view",
    "scoring_app",
    "simulate",
    "summary",
    "train",
    "venn_abers",
]
"Written out, because type checkers read it."


def __getattr__(name):
    "A public name, loaded now (PEP 562)."
    if name not in _HOME:
        raise AttributeError(f"module 'aiops_wb' has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_HOME[name]}")
    except ModuleNotFoundError as missing:
        if (missing.name or __name__).startswith(__name__) or f"{__name__}[" in str(missing):
            raise
        said = f"{missing.name} is not installed: {name} needs pip install 'aiops_wb[ml]'."
        raise ModuleNotFoundError(said, name=missing.name) from None
    globals()[name] = value = getattr(module, name)
    return value


def load_ipython_extension(ipython) -> None:
    "What `%load_ext aiops_wb` does: the cell magic `%%wbsql`."
    import_module(f"{__name__}.workbench.magic").load(ipython)


def __dir__():
    return sorted({*globals(), *_HOME})


_moved.install()
