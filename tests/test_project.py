"""The shape of the project: layers, light imports, the wheel, the notebooks."""
import ast
import importlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from nbdev.test import test_nb as run_notebook

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").glob("[0-9]*.ipynb"))
ORDER = {name: number for number, name in (p.stem.split("_", 1) for p in NOTEBOOKS)}
HEAVY = ("jupyterlab", "papermill", "xgboost", "shap", "matplotlib", "IPython", "nbconvert", "nbdev", "fastcore", "pandas")


def imports(module):
    tree = ast.parse((ROOT / "aiops_wb" / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from ([node.module] if node.module else [a.name for a in node.names])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiops_wb"):
            yield from ([node.module.partition(".")[2]] if "." in node.module else [a.name for a in node.names])


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_lower_numbers(module):
    for other in imports(module):
        assert other == "__version__" or ORDER[other] < ORDER[module], f"{module} imports {other}"


@pytest.mark.parametrize("module", [m for m, n in ORDER.items() if n < "10"])
def test_layer_0_knows_no_pandas_database_path_or_clock(module):
    text = (ROOT / "aiops_wb" / f"{module}.py").read_text()
    assert not re.search(r"^(import|from) (pandas|duckdb|pathlib|os|time|random)\b", text, re.M)
    assert "datetime.now" not in text and "np.random" not in text


def test_only_the_command_line_reads_the_clock():
    for path in (ROOT / "aiops_wb").glob("*.py"):
        if path.stem != "cli":
            assert not re.search(r"datetime\.now|date\.today|Timestamp\.now", path.read_text()), path.name


@pytest.mark.parametrize(("statement", "allowed"), [("import aiops_wb", ()), ("import aiops_wb.points, aiops_wb.counts, aiops_wb.decisions", ()), ("import aiops_wb.spool", ("pandas",)),
                                                    ("import aiops_wb.cli, aiops_wb.ingest, aiops_wb.store", ("pandas",))])
def test_imports_stay_light(statement, allowed):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = ast.literal_eval(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert set(loaded) <= set(allowed)


def test_the_wheel_holds_reports_sql_and_the_command(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT], check=True, cwd=tmp_path)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for report in (ROOT / "nbs" / "reports").glob("*.ipynb"):
        assert f"aiops_wb/reports/{report.name}" in names
    assert {f"aiops_wb/sql/{p.name}" for p in (ROOT / "aiops_wb" / "sql").glob("*.sql")} <= set(names)
    assert any(n.endswith("entry_points.txt") for n in names) and not any("nbs/" in n or "tests/" in n for n in names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_opens_as_a_lesson_and_has_no_outputs(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    assert re.match(r"# \w+\n\n> .+[.?]\n\n\w", "".join(cells[0]["source"]))
    assert not any(c.get("outputs") for c in cells)
    prose = sum(len("".join(c["source"]).split()) for c in cells if c["cell_type"] == "markdown")
    assert prose > 80


@pytest.mark.parametrize("report", sorted((ROOT / "nbs" / "reports").glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_report_calls_the_package_and_defines_nothing(report):
    cells = json.loads(report.read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert len(cells) <= 16 and sum("parameters" in c["metadata"].get("tags", []) for c in cells) == 1
    assert not any(re.search(r"^\s*(def|class|lambda)\b|SELECT", c, re.M) for c in code)


GUIDES = sorted((ROOT / "nbs" / "guides").glob("*.ipynb"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda p: p.stem)
def test_a_guide_has_no_outputs_and_names_what_exists(guide):
    cells = json.loads(guide.read_text())["cells"]
    assert not any(c.get("outputs") for c in cells)
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for module, name in re.findall(r"`(\w+)\.(\w+)\(?", text):
        if (ROOT / "aiops_wb" / f"{module}.py").exists():
            assert hasattr(importlib.import_module(f"aiops_wb.{module}"), name), f"{module}.{name}"


LONG = {"27_demo", *(p.stem for p in GUIDES)}  # what they call is tested in small: test_daily, test_cli, test_promise


@pytest.mark.parametrize("notebook", [pytest.param(p, marks=pytest.mark.slow if p.stem in LONG else ()) for p in (*NOTEBOOKS, *GUIDES)],
                         ids=lambda p: p.stem if p.parent.name == "nbs" else f"guide {p.stem}")
def test_notebook_runs(notebook):
    success, _ = run_notebook(notebook)
    assert success
