"""Module paths of version 0.1: they still import, for one release and with one warning each."""

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

STATISTICS = (
    "points counts performance conformal estimates drift "
    "sequential thresholds decisions retrain automation coverage"
)
MOVED = {name: (f"stats.{name}",) for name in STATISTICS.split()} | {
    "spool": ("log.spool", "log.columns", "log.durable", "log.segment"),
    "catalog": ("log.catalog", "log.duck", "log.errors", "log.audit"),
    "store": ("log.store", "log.features", "log.locks"),
    "ingest": ("log.ingest", "log.columns", "log.canonical", "log.delivered", "log.formats"),
    "explain": ("models.explain",),
    "challenge": ("models.challenge",),
    "domain": ("models.domain",),
    "alarms": ("watch.alarms", "watch.alarm_rows", "stats.streams"),
    "monitor": (
        "watch.view",
        "watch.headlines",
        "watch.recalibrate",
        "watch.quality",
        "watch.words",
    ),
    "cases": ("watch.cases", "watch.sinks"),
    "calibration": ("watch.calibrate",),
    "plots": ("render.plots",),
    "engine": ("render.engine", "render.jobs", "render.frame", "render.notebook"),
    "pages": ("render.pages", "render.frame"),
    "tables": ("render.tables",),
    "flights": ("examples.flights",),
    "attendance": ("examples.attendance",),
    "demo": ("examples.demo", "examples.stories"),
}
"Old module of the package -> where its names stand now, in the order in which they are looked up."

RENAMED = {
    ("alarms", "Cuts"): "WatchedSets",
    ("alarms", "cuts_of"): "watched_sets",
    ("alarms", "SCORE_CUTS"): "SCORE_QUANTILES",
    ("automation", "RiskMonitor"): "PromiseWatch",
    ("conformal", "Cuts"): "SetBounds",
    ("decisions", "CUTS"): "RISK_CUTS",
    ("drift", "GRAVITY"): "ALARM_SEVERITIES",
    ("drift", "gravity"): "alarm_severity",
    ("engine", "Outcome"): "ReportResult",
    ("monitor", "conformal_headline"): "certainty_headline",
    ("monitor", "explain_headline"): "reasons_headline",
}
"The old module that a name stood in, and its old name -> what it is called now."


def lookup(old: str, places: tuple[str, ...], name: str):
    """A name of an old module, from the modules that hold its names now; AttributeError where none
    has it.
    """
    called = RENAMED.get((old, name), name)
    for place in places:
        module = importlib.import_module(f"aiops_wb.{place}")
        if hasattr(module, called):
            return getattr(module, called)
    raise AttributeError(f"module 'aiops_wb.{old}' has no attribute {name!r}")


def warn(old: str, places: tuple[str, ...], stacklevel: int = 3) -> None:
    "Say once where the names of an old module are now."
    now = " and ".join(f"aiops_wb.{place}" for place in places)
    warnings.warn(
        f"aiops_wb.{old} has moved to {now}; the old path goes with the next release.",
        FutureWarning,
        stacklevel=stacklevel,
    )


class Moved(MetaPathFinder, Loader):
    "Finds modules under their old paths."

    def find_spec(self, name, path=None, target=None):
        "A spec for an old path, None for every other."
        package, _, old = name.partition(".")
        return ModuleSpec(name, self) if package == "aiops_wb" and old in MOVED else None

    def create_module(self, spec):
        "An empty module: its names are looked up when they are asked for."
        return ModuleType(spec.name, f"Moved: see {', '.join(MOVED[spec.name.partition('.')[2]])}.")

    def exec_module(self, module):
        "Warn, and look names up where they stand now."
        old = module.__name__.partition(".")[2]
        module.__getattr__ = lambda name: lookup(old, MOVED[old], name)
        warn(old, MOVED[old])


def install() -> None:
    "Let old paths be found, after every real module."
    if not any(isinstance(finder, Moved) for finder in sys.meta_path):
        sys.meta_path.append(Moved())
