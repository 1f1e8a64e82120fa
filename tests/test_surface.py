"""What other people import: the documented names, and for one release the old module paths."""

import ast
import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import aiops_wb
from aiops_wb._moved import MOVED

PACKAGE = Path(aiops_wb.__file__).parent


def fresh(code):
    "What a new process prints that runs some code."
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("name", aiops_wb.__all__)
def test_a_public_name_is_the_one_of_its_module(name):
    home = importlib.import_module(f"aiops_wb.{aiops_wb._HOME[name]}")
    assert getattr(aiops_wb, name) is getattr(home, name)
    assert name in dir(aiops_wb) and (home.__all__ is None or name in home.__all__)


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == aiops_wb._HOME
    assert (PACKAGE / "py.typed").exists()


def test_an_unknown_name_is_named():
    with pytest.raises(AttributeError, match="no attribute 'Grit'"):
        aiops_wb.Grit  # noqa: B018


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_still_works_with_one_warning(old):
    code = f"import aiops_wb.{old} as m; import aiops_wb.{old}; print(m.__name__)"
    out, err = fresh(code)
    assert out.strip() == f"aiops_wb.{old}"
    assert err.count("FutureWarning") == 1
    assert all(f"aiops_wb.{place}" in err for place in MOVED[old])


NAMES = {
    "spool": "PredictionLogger OutcomeLogger PREDICTION",
    "catalog": "StoreError Busy Reader open_snapshot statements",
    "store": "Store open_store as_numbers bin_values",
    "monitor": "View Headline open_view recalibrate percent quality_losses learnt",
    "engine": "Job run_jobs page Outcome",
    "ingest": "ingest ingest_file Ingested",
    "alarms": "Drift drift_of Question Cuts cuts_of event_rows",
    "points": "Grid",
    "automation": "RiskMonitor certainty",
    "conformal": "Cuts Sets",
    "decisions": "CUTS route",
    "drift": "GRAVITY gravity",
}


@pytest.mark.parametrize("old", NAMES)
def test_names_of_an_old_path_are_found(old):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = importlib.import_module(f"aiops_wb.{old}")
        for name in NAMES[old].split():
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018


def test_models_was_a_module_and_is_a_folder():
    out, err = fresh("from aiops_wb.models import Scorer, train; print(Scorer.__module__)")
    assert out.strip() == "aiops_wb.models.scorer" and "FutureWarning" in err
    out, err = fresh("import sys; import aiops_wb.models; print('xgboost' in sys.modules)")
    assert out.strip() == "False" and not err
