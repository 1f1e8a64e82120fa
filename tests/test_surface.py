"""What other people import: the documented names, and for one release the old module paths."""

import ast
import difflib
import importlib
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import surface

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
    assert seen == aiops_wb._HOME and aiops_wb.__all__ == sorted(seen)
    assert (PACKAGE / "py.typed").exists()


WHAT_TO_DO = """
{gone} lines of the public surface are gone or changed, {new} are new (a changed one is both):

{lines}

If that was not meant, undo it. If it was: docs/public_api.md says what a change demands. What is
gone or changed needs its old form for one release, with one warning, and a line in CHANGELOG that
says what to write instead; what is new needs a line in CHANGELOG. Then {how}.
"""


def told_of_change(recorded, now):
    "What to do about a change; empty where there is none."
    lines = difflib.unified_diff(recorded.splitlines(), now.splitlines(), lineterm="", n=1)
    told = [line for line in lines if not line.startswith(("---", "+++"))]
    gone, new = (sum(line.startswith(mark) for line in told) for mark in "-+")
    return WHAT_TO_DO.format(gone=gone, new=new, lines="\n".join(told), how=surface.HOW) * bool(
        told
    )


def test_nothing_public_changes_by_accident():
    said = told_of_change(surface.RECORDED.read_text(encoding="utf-8"), surface.described())
    assert not said, said


def test_what_changed_is_said_with_what_to_do():
    assert told_of_change("a\nb\n", "a\nb\n") == ""
    said = told_of_change("grid: Grid\nn: int\n", "grid: Grid\nn: float\nmean: float\n")
    assert "1 lines of the public surface are gone or changed, 2 are new" in said
    assert "-n: int\n+n: float\n" in said and "docs/public_api.md" in said


def test_the_description_knows_every_part_of_the_surface():
    parts = surface.parts()
    assert all(len(lines) > 5 for lines in parts.values())
    told = "\n".join(parts["Names: from aiops_wb import ..."])
    kinds = re.findall(r"^(?:class )?(\w+)", told, re.M)
    assert kinds == aiops_wb.__all__
    assert {"0", "1", "2", "3", "4"} < {line.split()[0] for line in parts["Exit codes"]}


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
